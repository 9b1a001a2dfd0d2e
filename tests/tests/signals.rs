//! Signals that arrive during a lookup. Handlers run soon, whatever they do, and nothing is left behind. The C programs
//! are in `tests/guests`, those in other languages in `tests/clients`.

use std::path::Path;
use tests::clients::{build_go_source, source};
use tests::deps::{folder, unpacked};
use tests::guest::ProgramLan;
use tests::helpers::capture;

type Tested = Result<(), String>;

fn run(guest: &str, arguments: &[&str]) -> Tested {
    ProgramLan::new()?.run_program(guest, arguments).map(drop)
}

#[test]
fn handlers_run_within_ten_milliseconds() -> Tested {
    run("prompt", &["1"])
}

#[test]
fn handlers_of_eight_threads_run_within_ten_milliseconds() -> Tested {
    run("prompt", &["8"])
}

#[test]
fn a_handler_may_jump_out_of_a_lookup() -> Tested {
    run("leave", &["jump"])
}

#[test]
fn a_handler_may_end_its_thread() -> Tested {
    run("leave", &["exit"])
}

#[test]
fn a_handler_may_cancel_its_thread() -> Tested {
    run("leave", &["cancel"])
}

#[test]
fn threads_that_allow_asynchronous_cancellation_may_be_cancelled() -> Tested {
    run("leave", &["asynchronous"])
}

#[test]
fn a_handler_may_fork() -> Tested {
    run("handlers", &["fork"])
}

#[test]
fn a_handler_may_look_up_names() -> Tested {
    run("handlers", &["nested"])
}

#[test]
fn a_handler_may_raise_its_signal_again() -> Tested {
    run("handlers", &["raise"])
}

#[test]
fn queued_signals_arrive_in_order_with_their_values() -> Tested {
    run("handlers", &["queue"])
}

#[test]
fn a_handler_finds_the_signal_mask_and_cancellation_state_of_the_caller() -> Tested {
    run("handlers", &["mask"])
}

#[test]
fn a_handler_may_run_for_longer_than_the_lookup() -> Tested {
    run("handlers", &["long"])
}

#[test]
fn signals_without_a_handler_have_their_usual_effect() -> Tested {
    run("pending", &[])
}

/// Interrupted lookups may repeat their queries, but not for every signal.
#[test]
fn a_profilers_signals_do_not_disturb_a_lookup() -> Tested {
    for period in ["1000", "100"] {
        let lan = ProgramLan::new()?;
        let packets = capture(&lan.client, "eth0")?;
        lan.run_program("flood", &[period])?;
        let queries = packets.packets().iter().filter(|packet| packet.contains(":5353")).count();
        assert!(queries <= 500, "{queries} packets of 8 lookups");
    }
    Ok(())
}

/// Runs a program that exits with 0 if all its checks pass.
fn run_client(variables: &[(&str, String)], words: &[&str]) -> Tested {
    let outcome = ProgramLan::new()?.run_with(variables, words)?;
    assert!(outcome.success(), "{words:?}: {outcome:?}\n{}{}", outcome.stdout, outcome.stderr);
    println!("{}", outcome.stdout.trim());
    Ok(())
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

#[test]
fn a_collection_of_sbcl_does_not_wait_for_a_lookup() -> Tested {
    let sbcl = text(&unpacked("usr/bin/sbcl")?);
    let home = text(&folder().join("root/usr/lib/sbcl"));
    let core = format!("{home}/sbcl.core");
    run_client(&[("SBCL_HOME", home)], &[&sbcl, "--core", &core, "--script", &text(&source("signals.lisp"))])
}

#[test]
fn alarms_of_perl_end_lookups() -> Tested {
    run_client(&[], &["/usr/bin/perl", &text(&source("signals.pl"))])
}

#[test]
fn alarms_of_python_arrive_during_lookups() -> Tested {
    run_client(&[], &["/usr/bin/python3", &text(&source("signals.py"))])
}

#[test]
fn bash_and_timeout_end_lookups() -> Tested {
    run_client(&[], &["bash", &text(&source("signals.bash"))])
}

/// The flight recorder samples the stacks of threads.
#[test]
fn a_jvm_collects_garbage_and_wakes_threads_during_lookups() -> Tested {
    let recorded = "-XX:StartFlightRecording:settings=profile,filename=/run/recording.jfr";
    run_client(&[], &["java", "-Xmx64m", recorded, &text(&source("Signals.java"))])
}

#[test]
fn go_preempts_profiles_and_collects_during_lookups() -> Tested {
    run_client(&[], &[&text(&build_go_source("signals", true)?)])
}
