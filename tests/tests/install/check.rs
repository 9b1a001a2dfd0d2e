//! `install.sh --check`, and the check at the end of an installation: both run `nss-mdns check`.

use super::*;

/// Two interfaces that are connected to each other, so that there is a link on which to query the machine's own name.
const LINK: &str = "ip link add lan0 type veth peer name lan1 && ip link set lan0 up && ip link set lan1 up &&
    ip addr add 192.0.2.7/24 dev lan0";

/// A root in which the machine's own name resolves on a link.
fn root_with_link() -> Root {
    let mut root = Root::new();
    root.ok("echo 0 >/proc/sys/net/ipv6/conf/default/accept_dad");
    root.ok(LINK);
    root
}

#[test]
fn the_machines_own_name_resolves_after_an_installation() {
    let mut root = root_with_link();
    let done = root.install("");
    assert_eq!((done.status, &*done.err), (0, ""), "{done:?}");
    let check = root.ok(&format!("{}/nss-mdns check", folder()));
    assert!(done.out.ends_with(&check), "{done:?}");
    assert!(root.ok("getent hosts workbench.local").contains("workbench.local"));
}

#[test]
fn a_problem_after_an_installation_has_its_own_exit_status() {
    let mut root = root_with_link();
    root.ok("echo 'timeout = soon' >/etc/nss-mdns.conf");
    let done = root.install("");
    assert_eq!(done.status, 3, "{done:?}");
    assert!(done.out.contains("settings: problem: /etc/nss-mdns.conf:1: timeout: "), "{done:?}");
    assert_eq!(root.read(CONF), NSSWITCH_AFTER, "the module must be installed nevertheless");
    root.ok(&format!("cmp $MODULE {}/libnss_mdns.so.2", folder()));
}

#[test]
fn the_check_needs_no_root_and_changes_nothing() {
    let mut root = root_with_link();
    root.installed();
    let before = root.traces();
    let done = root.run(&format!("unshare -U sh {INSTALL} --check"));
    assert_eq!((done.status, &*done.err), (0, ""), "{done:#?}");
    assert_same(&before, &root.traces(), "after the check");
    root.ok("echo 'timeout = soon' >/etc/nss-mdns.conf");
    let before = root.traces();
    assert_eq!(root.install("--check").status, 1);
    assert_same(&before, &root.traces(), "after the second check");
}

#[test]
fn without_an_installation_the_program_beside_the_script_checks() {
    let mut root = root_with_link();
    assert!(root.install("--check").out.contains("settings: "));
    root.ok("rm /mnt/archive/nss-mdns");
    assert_refused(&root.install("--check"), "the program nss-mdns is not here");
}
