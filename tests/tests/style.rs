//! What can be said of the scripts without running them.

use std::process::Command;
use tests::module::workspace;

#[test]
fn shell_scripts_are_shellcheck_clean() {
    let scripts = [
        "install.sh",
        "tests/run",
        "tests/deps",
        "tests/bench",
        "tests/fuzz",
        "tests/soak",
        ".ci/run",
        "packaging/archive",
        "packaging/build-arch",
        "packaging/build-deb",
        "packaging/build-rpm",
        "packaging/cargo",
        "packaging/stage",
        "packaging/debian/nss-mdns-check",
        "packaging/debian/preinst.in",
        "packaging/debian/postinst.in",
        "packaging/debian/prerm.in",
    ];
    // These are read by another's shell, and say which in a comment to shellcheck.
    let sourced = ["packaging/common", "packaging/arch/PKGBUILD", "packaging/arch/nss-mdns-nodaemon.install"];
    for path in scripts {
        let text = std::fs::read_to_string(workspace().join(path)).unwrap_or_else(|why| panic!("{path}: {why}"));
        assert!(text.lines().next().is_some_and(|first| first.ends_with("sh")), "{path} names no shell");
    }
    let output = Command::new("shellcheck").args(scripts).args(sourced).current_dir(workspace()).output();
    let output = output.expect("shellcheck is installed: run tests/deps");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}
