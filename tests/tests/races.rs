//! Concurrent lookups under ThreadSanitizer, which reports unordered conflicting memory accesses of the module and
//! understands atomic operations. (valgrind's helgrind does not understand Rust's atomics.)

use std::path::PathBuf;
use std::time::Duration;
use tests::guest::{Kind, ProgramLan, ask_rustc};
use tests::module::{cargo, target};

type Tested = Result<(), String>;

#[test]
fn concurrent_lookups_have_no_data_race() -> Tested {
    race("4")
}

#[test]
#[ignore = "takes minutes; tests/soak runs it"]
fn many_concurrent_lookups_have_no_data_race() -> Tested {
    race("40")
}

fn race(rounds: &str) -> Tested {
    let mut lan = ProgramLan::new()?;
    lan.limit = Duration::from_secs(600);
    let folder = lan.install(&instrumented_module()?)?;
    lan.client.write(format!("{folder}/suppressions"), SUPPRESSED)?;
    // A report ends the process with a distinct exit status. Without a symbolizer, nothing would be suppressed. By default,
    // the sanitizer uses llvm-symbolizer, which few systems have.
    let symbolizer = lan.client.script("command -v addr2line")?;
    let options = format!(
        "halt_on_error=1 exitcode=66 suppressions={folder}/suppressions external_symbolizer_path={}",
        symbolizer.trim()
    );
    let variables = [("LD_LIBRARY_PATH", folder), ("TSAN_OPTIONS", options)];
    lan.run_program_as(Kind::ThreadSanitizer, &variables, "races", &[rounds, "/etc/nss-mdns.conf"]).map(drop)
}

/// The last owner of an `Arc` frees it after a memory fence, which the sanitizer does not support. (A standard library
/// that is built for the sanitizer uses a load instead, and would need no suppression.)
const SUPPRESSED: &str = "race:alloc::sync::Arc*drop_slow\nrace:^drop_slow<\n";

/// Builds the module and its dependencies with ThreadSanitizer. The standard library is not instrumented: the module
/// does not rely on it for synchronisation between threads.
///
/// The compiler option is unstable; `RUSTC_BOOTSTRAP` makes a stable compiler accept it. The sanitizer's runtime is in
/// the guest, so its functions are unresolved when the module is linked.
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
    // Without this option, newer compilers reject a standard library that is not instrumented.
    if ask_rustc(&["-Chelp"])?.contains("unsafe-allow-abi-mismatch") {
        flags.push_str(" -Cunsafe-allow-abi-mismatch=sanitizer");
    }
    // Symbols and line numbers, for the reports.
    command.env("CARGO_PROFILE_RELEASE_STRIP", "none").env("CARGO_PROFILE_RELEASE_DEBUG", "line-tables-only");
    let status = command.env("RUSTFLAGS", flags).status().map_err(|why| why.to_string())?;
    let module = folder.join(host).join("release/libnss_mdns.so");
    if status.success() { Ok(module) } else { Err("the instrumented module does not build".into()) }
}
