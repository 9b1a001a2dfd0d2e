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
        ".ci/run",
        "packaging/archive",
        "packaging/build-arch",
        "packaging/build-deb",
        "packaging/build-rpm",
        "packaging/stage",
        "packaging/debian/nss-mdns-check",
        "packaging/debian/preinst.in",
        "packaging/debian/postinst.in",
        "packaging/debian/prerm.in",
    ];
    // These are read by makepkg's shell, and say so in a comment to shellcheck.
    let sourced = ["packaging/arch/PKGBUILD", "packaging/arch/nss-mdns-nodaemon.install"];
    let shell = |path: &str| {
        std::fs::read(workspace().join(path)).is_ok_and(|text| {
            let first = text.split(|byte| *byte == b'\n').next().unwrap_or_default();
            first.ends_with(b"sh")
        })
    };
    let present: Vec<_> = scripts.into_iter().filter(|path| shell(path)).collect();
    assert!(present.len() >= 3, "{present:?}");
    let output = Command::new("shellcheck").args(present).args(sourced).current_dir(workspace()).output();
    let output = output.expect("shellcheck is installed: run tests/deps");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}
