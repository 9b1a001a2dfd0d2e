//! Checks of the shell scripts that do not run them.

use std::process::Command;
use tests::module::workspace;

#[test]
fn shellcheck_reports_nothing() {
    let scripts = [
        "install.sh",
        "tests/run",
        "tests/deps",
        "tests/desktop",
        "tests/bench",
        "tests/fuzz",
        "tests/soak",
        "tests/try",
        "tests/arches",
        "tests/glibcs",
        "tests/releases",
        ".ci/run",
        "packaging/archive",
        "packaging/build",
        "packaging/build-arch",
        "packaging/build-deb",
        "packaging/build-rpm",
        "packaging/cargo",
        "packaging/stage",
        "packaging/debian/nss-mdns",
        "packaging/debian/libnss-mdns-nodaemon.preinst.in",
        "packaging/debian/libnss-mdns-nodaemon.postinst",
        "packaging/debian/libnss-mdns-nodaemon.prerm",
    ];
    // Other scripts source these. They name their shell in a directive for shellcheck.
    let sourced = [
        "tests/roots.sh",
        "tests/steps.sh",
        "packaging/common",
        "packaging/arch/PKGBUILD",
        "packaging/arch/nss-mdns-nodaemon.install",
    ];
    for path in scripts {
        let text = std::fs::read_to_string(workspace().join(path)).unwrap_or_else(|why| panic!("{path}: {why}"));
        assert!(text.lines().next().is_some_and(|first| first.ends_with("sh")), "{path} names no shell");
    }
    let output = Command::new("shellcheck").args(scripts).args(sourced).current_dir(workspace()).output();
    let output = output.expect("shellcheck is installed: run tests/deps");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}
