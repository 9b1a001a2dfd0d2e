//! Threads that are in the module at once, watched by ThreadSanitizer: it sees every access to memory that the module makes,
//! atomic ones among them, and what orders them. (valgrind's helgrind does not know Rust's atomics.)

use std::path::PathBuf;
use std::time::Duration;
use tests::guest::{Kind, ProgramLan, ask_rustc};
use tests::module::{cargo, target};

type Tested = Result<(), String>;

#[test]
fn threads_never_meet_without_order() -> Tested {
    race("4")
}

#[test]
#[ignore = "minutes; tests/soak runs it"]
fn threads_never_meet_without_order_at_length() -> Tested {
    race("40")
}

fn race(rounds: &str) -> Tested {
    let mut home = ProgramLan::new()?;
    home.limit = Duration::from_secs(600);
    let folder = home.install(&instrumented_module()?)?;
    home.client.write(format!("{folder}/suppressions"), SUPPRESSED)?;
    // A report ends the process with a status of its own.
    let options = format!("halt_on_error=1 exitcode=66 suppressions={folder}/suppressions");
    let variables = [("LD_LIBRARY_PATH", folder), ("TSAN_OPTIONS", options)];
    home.run_program_as(Kind::ThreadSanitizer, &variables, "races", &[rounds, "/etc/nss-mdns.conf"]).map(drop)
}

/// The last owner of an `Arc` frees it behind a fence, which the sanitizer does not know. (A standard library that is built
/// for the sanitizer has a load in its place; with that there is nothing to suppress.)
const SUPPRESSED: &str = "race:alloc::sync::Arc*drop_slow\n";

/// A build of the module, and of the crates that it stands on, that reports to ThreadSanitizer. The standard library is as
/// it comes: nothing in the module leaves it to that to order threads.
///
/// The compiler's option is not a stable one yet, hence the variable that lets a stable compiler take it. The functions that
/// are reported to are in the guest, so that they are missing when the module is linked.
fn instrumented_module() -> Result<PathBuf, String> {
    let about = ask_rustc(&["-vV"])?;
    let host = about.lines().find_map(|line| line.strip_prefix("host: ")).ok_or("rustc does not name its host")?;
    let folder = target().join("threads");
    let mut command = cargo();
    command.args([
        "build",
        "--quiet",
        "--release",
        "--locked",
        "--package",
        "nss_mdns",
        "--lib",
        "--target",
        host,
        "--target-dir",
    ]);
    command.arg(&folder).env("RUSTC_BOOTSTRAP", "1").env_remove("CARGO_ENCODED_RUSTFLAGS");
    let mut flags = "-Zsanitizer=thread -Clink-arg=-Wl,--warn-unresolved-symbols".to_owned();
    // Newer compilers want to be told that the standard library is another matter.
    if ask_rustc(&["-Chelp"])?.contains("unsafe-allow-abi-mismatch") {
        flags.push_str(" -Cunsafe-allow-abi-mismatch=sanitizer");
    }
    // With names, for the reports.
    command.env("CARGO_PROFILE_RELEASE_STRIP", "none").env("CARGO_PROFILE_RELEASE_DEBUG", "line-tables-only");
    let status = command.env("RUSTFLAGS", flags).status().map_err(|why| why.to_string())?;
    let module = folder.join(host).join("release/libnss_mdns.so");
    if status.success() { Ok(module) } else { Err("it does not build".into()) }
}
