//! The hazards of living in other people's processes. Each guest (`tests/guests`) is such a process.

use tests::deps::unpacked;
use tests::guest::{Kind, ProgramLan, compile, module_that_panics};
use tests::lan::{Families, Host};
use tests::responders::scripted;
use tests::scenario::Scenario;

type Tested = Result<(), String>;

#[test]
fn cancelled_threads_leave_nothing_behind() -> Tested {
    ProgramLan::new()?.run_program("cancel", &[]).map(drop)
}

#[test]
fn a_signal_handler_may_jump_out() -> Tested {
    ProgramLan::new()?.run_program("longjmp", &[]).map(drop)
}

#[test]
fn a_storm_of_signals_does_not_move_the_deadline() -> Tested {
    ProgramLan::new()?.run_program("storm", &[]).map(drop)
}

#[test]
fn children_of_a_threaded_process_do_not_hang() -> Tested {
    let home = ProgramLan::new()?;
    home.run_program("forks", &["1", "300"])?;
    home.run_program("forks", &["8", "700"]).map(drop)
}

/// On kernels before Linux 4.14 nothing wipes the module's page in a child.
#[test]
fn children_start_afresh_where_the_kernel_does_not_see_to_it() -> Tested {
    ProgramLan::new()?.run_program("forks", &["8", "300", "unwiped"]).map(drop)
}

#[test]
fn a_process_may_be_forked_inside_a_lookup() -> Tested {
    ProgramLan::new()?.run_program("fork_inside", &[]).map(drop)
}

#[test]
fn asynchronous_lookups_work() -> Tested {
    ProgramLan::new()?.run_program("asynchronous", &[]).map(drop)
}

/// For guests: a full service, which has a list of domains to read.
fn full_service(home: &ProgramLan) -> Result<[(&'static str, String); 1], String> {
    home.client.write("/etc/mdns.allow", "# a list\n.example.org\n.local\n.local.\n")?;
    Ok([("SERVICE", "mdns".into())])
}

#[test]
fn a_small_stack_is_enough() -> Tested {
    let home = ProgramLan::new()?;
    home.run_program("stack", &[])?;
    home.run_program_with(&full_service(&home)?, "stack", &[]).map(drop)
}

/// The ways that a lookup may go beside the usual one: an answer that says what there is not, aliases, the host's own name.
#[test]
fn a_small_stack_is_enough_for_every_way() -> Tested {
    let program = compile("stack", Kind::Program)?;
    let printer: [(&str, &[&str]); 3] = [
        ("printer.local", &["--negative", "nsec"]),
        ("alias.local", &["--alias", "alias.local=other.local", "--alias", "other.local=printer.local"]),
        ("client.local", &[]),
    ];
    for (name, options) in printer {
        let start = |host: &Host| scripted(host, "printer.local", options);
        let scenario = Scenario::with(if name == "printer.local" { Families::V4 } else { Families::Both }, start)?;
        let outcome = scenario.client.run(&[&program.to_string_lossy(), name]);
        println!("{}", outcome.stdout);
        assert!(outcome.success() && outcome.stdout.contains(name), "{outcome:?}");
    }
    Ok(())
}

#[test]
fn descriptors_0_to_2_are_never_used() -> Tested {
    ProgramLan::new()?.run_program("descriptors", &["stdio"]).map(drop)
}

#[test]
fn another_thread_may_close_every_descriptor() -> Tested {
    let home = ProgramLan::new()?;
    home.run_program("descriptors", &["closed"])?;
    home.run_program("descriptors", &["reused"]).map(drop)
}

#[test]
fn thousands_of_descriptors_do_not_matter() -> Tested {
    ProgramLan::new()?.run_program("descriptors", &["many"]).map(drop)
}

#[test]
fn without_descriptors_a_lookup_fails_and_the_next_works() -> Tested {
    ProgramLan::new()?.run_program("descriptors", &["none"]).map(drop)
}

#[test]
fn a_lookup_within_a_lookup_is_refused() -> Tested {
    let home = ProgramLan::new()?;
    home.client.write("/etc/hosts", "127.9.9.9 inner-file.local\n")?;
    home.run_program("reenter", &[]).map(drop)
}

#[test]
fn a_preloaded_library_may_look_up_names_itself() -> Tested {
    let home = ProgramLan::new()?;
    let library = compile("preloaded", Kind::Preload)?.to_string_lossy().into_owned();
    let outcome = home.run_with(&[("LD_PRELOAD", library)], &["getent", "ahosts", "outer.local"])?;
    assert!(outcome.success() && outcome.stdout.contains("10.88."), "{outcome:?}");
    Ok(())
}

#[test]
fn nothing_raises_sigpipe_or_blocks_or_is_inherited() -> Tested {
    ProgramLan::new()?.run_program("manners", &[]).map(drop)
}

#[test]
fn it_survives_dlclose() -> Tested {
    ProgramLan::new()?.run_program("reload", &[]).map(drop)
}

#[test]
fn it_works_in_an_empty_root() -> Tested {
    ProgramLan::new()?.run_program("chroot", &[]).map(drop)
}

#[test]
fn it_works_in_sandboxes() -> Tested {
    ProgramLan::new()?.run_program("sandbox", &[]).map(drop)
}

#[test]
fn it_survives_a_host_without_memory() -> Tested {
    let home = ProgramLan::new()?;
    home.run_program("memory", &[])?;
    home.run_program_with(&full_service(&home)?, "memory", &["13"])?;
    home.client.write("/etc/nss-mdns.conf", "cache-size = 4096\n")?;
    home.run_program("memory", &["pieces"]).map(drop)
}

#[test]
fn it_works_in_turkish() -> Tested {
    let home = ProgramLan::new()?;
    let sources = unpacked("usr/share/i18n/locales/tr_TR")?;
    let sources = sources.ancestors().nth(2).ok_or("no folder of locales")?.display().to_string();
    home.client.script(&format!(
        "mkdir /run/locale; I18NPATH={sources} localedef -i tr_TR -f UTF-8 /run/locale/tr_TR.UTF-8"
    ))?;
    home.run_program_with(&[("LOCPATH", "/run/locale".into())], "locale", &[]).map(drop)
}

#[test]
fn a_panic_at_any_stage_is_caught_and_silent() -> Tested {
    let home = ProgramLan::new()?;
    let folder = home.install(&module_that_panics()?)?;
    home.run_program_with(&[("LD_LIBRARY_PATH", folder)], "panics", &[]).map(drop)
}

#[test]
fn many_lookups_leave_nothing_behind() -> Tested {
    let home = ProgramLan::new()?;
    home.run_program("lookups", &["200000", "5000"])?;
    home.run_program("lookups", &["100000", "4000", "8"]).map(drop)
}

/// What valgrind is told: any error is the guest's.
const VALGRIND: [&str; 4] = ["valgrind", "--quiet", "--error-exitcode=9", "--trace-children=no"];

fn under_valgrind(home: &ProgramLan, options: &[&str], guest: &str, arguments: &[&str]) -> Tested {
    let program = compile(guest, Kind::Program)?;
    let program = program.to_string_lossy();
    let outcome = home.run_with(&[], &[&VALGRIND[..], options, &[&*program], arguments].concat())?;
    assert!(outcome.success(), "{}{}", outcome.stdout, outcome.stderr);
    assert_eq!(outcome.stderr, "");
    println!("{options:?} {guest}: {}", outcome.stdout.trim());
    Ok(())
}

#[test]
fn memcheck_finds_nothing() -> Tested {
    let leaks = ["--leak-check=full", "--show-leak-kinds=definite", "--errors-for-leak-kinds=definite"];
    under_valgrind(&ProgramLan::new()?, &leaks, "lookups", &["2000", "100", "4"])
}

/// The long runs: `tests/soak`.
mod soak {
    use super::*;
    use std::time::Duration;

    fn patient_home() -> Result<ProgramLan, String> {
        let mut home = ProgramLan::new()?;
        home.limit = Duration::from_secs(900);
        Ok(home)
    }

    #[test]
    #[ignore = "minutes; tests/soak runs it"]
    fn a_million_lookups() -> Tested {
        patient_home()?.run_program("lookups", &["800000", "200000"]).map(drop)
    }

    #[test]
    #[ignore = "minutes; tests/soak runs it"]
    fn ten_thousand_forks() -> Tested {
        let home = patient_home()?;
        home.run_program("forks", &["1", "2000"])?;
        home.run_program("forks", &["4", "4000"])?;
        home.run_program("forks", &["16", "4000"]).map(drop)
    }

    /// The table of names grows at these numbers.
    #[test]
    #[ignore = "minutes; tests/soak runs it"]
    fn no_memory_at_any_size() -> Tested {
        let home = patient_home()?;
        ["13", "27", "55", "111", "447", "470"]
            .iter()
            .try_for_each(|names| home.run_program("memory", &[names]).map(drop))
    }

    #[test]
    #[ignore = "minutes; tests/soak runs it"]
    fn memcheck_over_many_threads() -> Tested {
        let leaks = ["--leak-check=full", "--show-leak-kinds=definite", "--errors-for-leak-kinds=definite"];
        under_valgrind(&patient_home()?, &leaks, "lookups", &["20000", "4000", "16"])?;
        under_valgrind(&patient_home()?, &leaks, "cancel", &[])
    }
}
