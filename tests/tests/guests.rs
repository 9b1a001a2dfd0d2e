//! Host processes that endanger a lookup: they cancel threads, fork, close descriptors, run out of memory, and more.
//! Each is a C program in `tests/guests`, called a guest here.

use std::collections::BTreeSet;

use tests::deps::unpacked;
use tests::guest::{Compiler, Kind, ProgramLan, compile, module_that_panics};
use tests::helpers::capture;
use tests::lan::{Families, Host};
use tests::responders::scripted;
use tests::scenario::Scenario;

type Tested = Result<(), String>;

#[test]
fn cancelled_threads_leak_nothing() -> Tested {
    ProgramLan::new()?.run_program("cancel", &[]).map(drop)
}

#[test]
fn a_flood_of_signals_does_not_move_the_deadline() -> Tested {
    ProgramLan::new()?.run_program("storm", &[]).map(drop)
}

#[test]
fn forked_children_of_a_threaded_process_do_not_hang() -> Tested {
    let lan = ProgramLan::new()?;
    lan.run_program("forks", &["1", "300"])?;
    lan.run_program("forks", &["8", "700"]).map(drop)
}

/// Kernels before Linux 4.14 have no `MADV_WIPEONFORK`, which wipes the module's page in a child.
#[test]
fn forked_children_start_with_empty_state_without_madv_wipeonfork() -> Tested {
    ProgramLan::new()?.run_program("forks", &["8", "300", "unwiped"]).map(drop)
}

#[test]
fn a_process_may_fork_inside_a_lookup() -> Tested {
    ProgramLan::new()?.run_program("fork_inside", &[]).map(drop)
}

#[test]
fn getaddrinfo_a_works() -> Tested {
    ProgramLan::new()?.run_program("asynchronous", &[]).map(drop)
}

/// Writes `/etc/mdns.allow`, which full services read, and search domains under `.local`. Returns the environment of a
/// guest that uses a full service.
fn full_service(lan: &ProgramLan) -> Result<[(&'static str, String); 1], String> {
    lan.client.write("/etc/mdns.allow", "# a list\n.example.org\n.local\n.local.\n")?;
    lan.client.write("/etc/resolv.conf", "nameserver 127.0.0.1\nsearch example.org corp.local lab.local\n")?;
    Ok([("SERVICE", "mdns".into())])
}

#[test]
fn a_small_stack_is_enough() -> Tested {
    let lan = ProgramLan::new()?;
    lan.run_program("stack", &[])?;
    lan.run_program_with(&full_service(&lan)?, "stack", &[]).map(drop)
}

/// The code paths that an ordinary lookup does not take: negative answers, aliases, the host's own name.
#[test]
fn a_small_stack_is_enough_for_every_code_path() -> Tested {
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
    let lan = ProgramLan::new()?;
    lan.run_program("descriptors", &["closed"])?;
    lan.run_program("descriptors", &["reused"]).map(drop)
}

#[test]
fn a_lookup_works_with_thousands_of_open_descriptors() -> Tested {
    ProgramLan::new()?.run_program("descriptors", &["many"]).map(drop)
}

#[test]
fn a_lookup_without_free_descriptors_fails_and_the_next_one_works() -> Tested {
    ProgramLan::new()?.run_program("descriptors", &["none"]).map(drop)
}

#[test]
fn a_lookup_within_a_lookup_is_refused() -> Tested {
    let lan = ProgramLan::new()?;
    lan.client.write("/etc/hosts", "127.9.9.9 inner-file.local\n")?;
    lan.run_program("reenter", &[]).map(drop)
}

#[test]
fn a_preloaded_library_may_look_up_names_in_its_socket_function() -> Tested {
    let lan = ProgramLan::new()?;
    let library = compile("preloaded", Kind::Preload)?.to_string_lossy().into_owned();
    let outcome = lan.run_with(&[("LD_PRELOAD", library)], &["getent", "ahosts", "outer.local"])?;
    assert!(outcome.success() && outcome.stdout.contains("10.88."), "{outcome:?}");
    Ok(())
}

#[test]
fn no_system_call_raises_sigpipe_only_poll_blocks_and_no_descriptor_is_inherited() -> Tested {
    ProgramLan::new()?.run_program("manners", &[]).map(drop)
}

#[test]
fn the_module_survives_dlclose() -> Tested {
    ProgramLan::new()?.run_program("reload", &[]).map(drop)
}

#[test]
fn the_module_works_after_chroot_into_an_empty_folder() -> Tested {
    ProgramLan::new()?.run_program("chroot", &[]).map(drop)
}

#[test]
fn the_module_works_in_sandboxes() -> Tested {
    ProgramLan::new()?.run_program("sandbox", &[]).map(drop)
}

#[test]
fn a_lookup_returns_when_the_host_process_is_out_of_memory() -> Tested {
    let lan = ProgramLan::new()?;
    lan.run_program("memory", &[])?;
    lan.run_program_with(&full_service(&lan)?, "memory", &["13"])?;
    lan.client.write("/etc/nss-mdns.conf", "cache-size = 4096\n")?;
    lan.run_program("memory", &["pieces"]).map(drop)
}

#[test]
fn the_module_works_in_the_turkish_locale() -> Tested {
    let lan = ProgramLan::new()?;
    let sources = unpacked("usr/share/i18n/locales/tr_TR")?;
    let sources = sources.ancestors().nth(2).ok_or("no folder of locales")?.display().to_string();
    lan.client.script(&format!(
        "mkdir /run/locale; I18NPATH={sources} localedef -i tr_TR -f UTF-8 /run/locale/tr_TR.UTF-8"
    ))?;
    lan.run_program_with(&[("LOCPATH", "/run/locale".into())], "locale", &[]).map(drop)
}

#[test]
fn a_panic_at_any_point_is_caught_and_prints_nothing() -> Tested {
    let lan = ProgramLan::new()?;
    let folder = lan.install(&module_that_panics()?)?;
    lan.run_program_with(&[("LD_LIBRARY_PATH", folder)], "panics", &[]).map(drop)
}

#[test]
fn many_lookups_leak_nothing() -> Tested {
    let lan = ProgramLan::new()?;
    lan.run_program("lookups", &["200000", "5000"])?;
    lan.run_program("lookups", &["100000", "4000", "8"]).map(drop)
}

/// Any error that valgrind finds makes the guest fail. `--vgdb=no`: its pipes for a debugger are in `/tmp`, which the
/// hosts share, and are named after the process id, which two of them may have in their namespaces.
const VALGRIND: [&str; 5] = ["valgrind", "--quiet", "--error-exitcode=9", "--trace-children=no", "--vgdb=no"];

fn under_valgrind(lan: &ProgramLan, options: &[&str], guest: &str, arguments: &[&str]) -> Tested {
    let program = compile(guest, Kind::Program)?;
    let program = program.to_string_lossy();
    let outcome = lan.run_with(&[], &[&VALGRIND[..], options, &[&*program], arguments].concat())?;
    assert!(outcome.success(), "{}{}", outcome.stdout, outcome.stderr);
    assert_eq!(outcome.stderr, "");
    println!("{options:?} {guest}: {}", outcome.stdout.trim());
    Ok(())
}

#[test]
fn memcheck_finds_no_error_and_no_leak() -> Tested {
    let leaks = ["--leak-check=full", "--show-leak-kinds=definite", "--errors-for-leak-kinds=definite"];
    under_valgrind(&ProgramLan::new()?, &leaks, "lookups", &["2000", "100", "4"])
}

/// Long runs, which `tests/soak` starts.
mod soak {
    use super::*;
    use std::time::Duration;

    fn long_running_lan() -> Result<ProgramLan, String> {
        let mut lan = ProgramLan::new()?;
        lan.limit = Duration::from_secs(900);
        Ok(lan)
    }

    #[test]
    #[ignore = "takes minutes; tests/soak runs it"]
    fn a_million_lookups_leak_nothing() -> Tested {
        long_running_lan()?.run_program("lookups", &["800000", "200000"]).map(drop)
    }

    #[test]
    #[ignore = "takes minutes; tests/soak runs it"]
    fn ten_thousand_forked_children_do_not_hang() -> Tested {
        let lan = long_running_lan()?;
        lan.run_program("forks", &["1", "2000"])?;
        lan.run_program("forks", &["4", "4000"])?;
        lan.run_program("forks", &["16", "4000"]).map(drop)
    }

    /// The cache's table grows when it holds these numbers of names.
    #[test]
    #[ignore = "takes minutes; tests/soak runs it"]
    fn a_lookup_returns_without_memory_at_every_size_of_the_cache() -> Tested {
        let lan = long_running_lan()?;
        ["13", "27", "55", "111", "447", "470"]
            .iter()
            .try_for_each(|names| lan.run_program("memory", &[names]).map(drop))
    }

    #[test]
    #[ignore = "takes minutes; tests/soak runs it"]
    fn memcheck_finds_no_error_in_many_threads() -> Tested {
        let leaks = ["--leak-check=full", "--show-leak-kinds=definite", "--errors-for-leak-kinds=definite"];
        under_valgrind(&long_running_lan()?, &leaks, "lookups", &["20000", "4000", "16"])?;
        under_valgrind(&long_running_lan()?, &leaks, "cancel", &[])
    }
}

/// In as many threads as there are processors, and in many more. Each of the two lookups opens one socket for each family,
/// from which it sends its queries. The test counts these sockets, not packets, because a lookup on a busy machine
/// retransmits its queries.
#[test]
fn a_cached_name_causes_no_packet_however_many_threads_look_it_up() -> Tested {
    for threads in ["2", "64"] {
        let lan = ProgramLan::new()?;
        let packets = capture(&lan.client, "eth0")?;
        lan.run_program("contended", &[threads, "5"])?;
        let queries = packets.to_group();
        let sources = queries.iter().filter_map(|query| query.split(' ').next());
        let sockets: BTreeSet<&str> = sources.filter(|source| !source.ends_with(":5353")).collect();
        assert!((2..=4).contains(&sockets.len()), "more sockets than those of two lookups: {sockets:?}");
    }
    Ok(())
}

/// The module itself is not instrumented. Therefore MemorySanitizer, which needs all code to be, is not among them.
#[test]
fn programs_with_sanitizers_end_without_a_report() -> Tested {
    let lan = ProgramLan::new()?;
    for compiler in [Compiler::System, Compiler::Clang] {
        for sanitizer in ["address", "leak", "thread", "undefined"] {
            lan.run_program_as(Kind::Sanitized(compiler, sanitizer), &[], "sanitized", &[])?;
        }
    }
    Ok(())
}

/// Memory that is possibly lost is no error: the cache's hash table keeps a pointer to the middle of its memory.
#[test]
fn memcheck_reports_no_error_and_no_leak_in_a_threaded_program_and_its_child() -> Tested {
    let leaks =
        ["--leak-check=full", "--show-leak-kinds=definite,indirect", "--errors-for-leak-kinds=definite,indirect"];
    under_valgrind(&ProgramLan::new()?, &leaks, "sanitized", &[])
}

/// The module in a static program uses a second glibc, which is loaded together with it. It does not call functions that
/// the program defines, so the programs that replace such functions are not among these.
#[test]
fn a_static_program_may_cancel_fork_and_jump() -> Tested {
    let lan = ProgramLan::new()?;
    for (guest, arguments) in [("cancel", &[][..]), ("forks", &["4", "200"]), ("leave", &["jump"]), ("storm", &[])] {
        lan.run_program_as(Kind::Static, &[], guest, arguments)?;
    }
    Ok(())
}

#[test]
fn copies_of_glibc_in_namespaces_of_their_own_find_names() -> Tested {
    ProgramLan::new()?.run_program("namespaces", &[]).map(drop)
}

#[test]
fn completions_of_io_uring_do_not_disturb_a_lookup() -> Tested {
    ProgramLan::new()?.run_program("uring", &[]).map(drop)
}

#[test]
fn the_module_reads_only_monotonic_clocks() -> Tested {
    ProgramLan::new()?.run_program("clock", &[]).map(drop)
}

#[test]
fn a_process_may_be_stopped_during_a_lookup() -> Tested {
    ProgramLan::new()?.run_program("stopped", &["5"]).map(drop)
}

#[test]
fn faults_that_a_handler_repairs_do_not_end_the_process() -> Tested {
    ProgramLan::new()?.run_program("faults", &[]).map(drop)
}
