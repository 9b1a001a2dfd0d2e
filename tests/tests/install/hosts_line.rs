//! `/etc/nsswitch.conf`: that the service is added to the hosts line and taken off again, what is refused, and what is kept.

use super::module::root_of_another_distribution;
use super::*;

/// Exists while the service is on the hosts line because of the installation.
const NOTE: &str = "/var/lib/nss-mdns.hosts-line";

/// Contents of nsswitch.conf with the expected result: the new content, or a part of the message that refuses it. The unit
/// tests of `nss_mdns/command/src/nsswitch/change.rs` have all kinds of lines.
const LINES: &[(&str, Result<&str, &str>)] = &[
    ("hosts:\tfiles\tdns\t\nrpc: db", Ok("hosts:\tfiles\tmdns_minimal [NOTFOUND=return] dns\t\nrpc: db")),
    ("hosts: files mdns4_minimal [NOTFOUND=return] dns\n", Ok("hosts: files mdns4_minimal [NOTFOUND=return] dns\n")),
    ("hosts: files dns\nhosts: files\n", Err("it has more than one hosts line")),
    ("hosts: files [NOTFOUND=stop] dns\n", Err("expected return, continue or merge, found \"stop]\"")),
];

#[test]
fn the_hosts_line_is_edited_and_restored_or_the_installation_is_refused() {
    let mut root = Root::new();
    for (text, expected) in LINES {
        root.write(CONF, text);
        root.ok("chmod 640 /etc/nsswitch.conf");
        let (before, traces) = (root.snapshot(), root.traces());
        let done = root.install("--no-check");
        match expected {
            Ok(wanted) => {
                assert_eq!(done.status, 0, "{text:?}: {done:?}");
                assert_eq!(root.read(CONF), *wanted);
                assert_eq!(root.ok("stat -c %a /etc/nsswitch.conf"), "640\n", "the mode is kept");
                let is_ours = root.run(&format!("[ -e {NOTE} ]")).status == 0;
                assert_eq!(is_ours, wanted != text, "the note is for a line that was changed");
                root.uninstalled();
                root.ok(&format!("[ ! -e {NOTE} ]"));
            }
            Err(sentence) => {
                assert_refused(&done, sentence);
                assert_same(&traces, &root.traces(), text);
            }
        }
        assert_same(&before, &root.snapshot(), text);
    }
}

#[test]
fn a_missing_nsswitch_conf_is_refused() {
    let mut root = Root::new();
    for (preparation, sentence) in [
        ("rm /etc/nsswitch.conf", "/etc/nsswitch.conf: cannot be found"),
        ("ln -s nowhere /etc/nsswitch.conf", "/etc/nsswitch.conf: cannot be found"),
        ("ln -sf /dev/null /etc/nsswitch.conf", "/dev/null: expected a regular file"),
    ] {
        root.ok(preparation);
        let before = root.traces();
        assert_refused(&root.install("--no-check"), sentence);
        assert_same(&before, &root.traces(), preparation);
    }
}

#[test]
fn later_changes_by_the_administrator_are_kept() {
    let mut root = Root::new();
    for (now, then) in [
        ("rpc: db\nhosts: files mdns_minimal [NOTFOUND=return] resolve\n", "rpc: db\nhosts: files resolve\n"),
        ("hosts: files mdns_minimal dns # unicast .local\n", "hosts: files dns # unicast .local\n"),
        ("hosts: dns mdns_minimal [NOTFOUND=return] # last\n", "hosts: dns # last\n"),
        ("hosts: files mdns4_minimal dns\n", "hosts: files mdns4_minimal dns\n"),
        (NSSWITCH, NSSWITCH),
    ] {
        root.write(CONF, NSSWITCH);
        root.installed();
        root.write(CONF, now);
        root.uninstalled();
        assert_eq!(root.read(CONF), then);
        assert_eq!(root.ok("ls -a /etc | grep nsswitch"), "nsswitch.conf\n", "no backup may be left");
    }
}

#[test]
fn if_the_hosts_line_has_been_lost_the_backup_is_kept_and_reported() {
    let mut root = Root::new();
    root.installed();
    root.write(CONF, "passwd: files\n");
    let done = root.uninstalled();
    assert!(
        done.out.contains("leave /etc/nsswitch.conf.before-nss-mdns: /etc/nsswitch.conf has no hosts line "),
        "{done:?}"
    );
    assert_eq!(root.read("/etc/nsswitch.conf.before-nss-mdns"), NSSWITCH);
}

#[test]
fn if_the_hosts_line_cannot_be_edited_the_uninstallation_says_so_and_can_be_repeated() {
    let mut root = Root::new();
    let before = root.snapshot();
    root.installed();
    root.write(CONF, format!("{NSSWITCH_AFTER}hosts: files\n"));
    let done = root.install("--uninstall");
    assert!(done.status == 1 && done.err.contains("it has more than one hosts line"), "{done:?}");
    root.ok(&format!("[ ! -e {} ] && [ -e {NOTE} ]", folder()));
    root.write(CONF, NSSWITCH_AFTER);
    root.uninstalled();
    let strip = |text: &str| text.lines().filter(|line| !line.contains(CONF)).collect::<Vec<_>>().join("\n");
    assert_eq!(root.read(CONF), NSSWITCH);
    assert_same(&strip(&before), &strip(&root.snapshot()), "after the second run");
}

/// It may be the only copy of what an administrator had.
#[test]
fn an_older_backup_is_neither_overwritten_nor_removed() {
    let mut root = Root::new();
    root.ok("echo older >/etc/nsswitch.conf.before-nss-mdns");
    let before = root.snapshot();
    root.installed();
    assert_eq!(root.read("/etc/nsswitch.conf.before-nss-mdns.2"), NSSWITCH);
    root.uninstalled();
    assert_same(&before, &root.snapshot(), "after the removal");
}

#[test]
fn if_nsswitch_conf_has_been_deleted_the_backup_is_kept_and_reported() {
    let mut root = Root::new();
    root.installed();
    root.ok("rm /etc/nsswitch.conf");
    let done = root.uninstalled();
    assert!(done.out.contains("leave /etc/nsswitch.conf.before-nss-mdns: /etc/nsswitch.conf, as it was "), "{done:?}");
    assert_eq!(root.read("/etc/nsswitch.conf.before-nss-mdns"), NSSWITCH);
    root.ok("[ ! -e $LIBDIR/nss-mdns ]");
}

#[test]
fn a_symbolic_link_is_preserved_and_its_target_is_edited() {
    let mut root = Root::new();
    root.ok("mkdir /etc/site && mv /etc/nsswitch.conf /etc/site/switch && ln -s site/switch /etc/nsswitch.conf");
    let before = root.snapshot();
    root.installed();
    assert_eq!(root.ok("readlink /etc/nsswitch.conf"), "site/switch\n");
    assert_eq!(root.read("/etc/site/switch"), NSSWITCH_AFTER);
    root.uninstalled();
    assert_same(&before, &root.snapshot(), "after the removal");
}

#[test]
fn mode_and_owner_of_nsswitch_conf_are_kept() {
    let mut root = Root::new();
    root.ok("chmod 0440 /etc/nsswitch.conf");
    if !unprivileged() {
        root.ok("chown 7:9 /etc/nsswitch.conf");
    }
    let before = root.ok("stat -c '%a %u %g' /etc/nsswitch.conf");
    root.installed();
    assert_eq!(root.ok("stat -c '%a %u %g' /etc/nsswitch.conf"), before);
    assert_eq!(root.read(CONF), NSSWITCH_AFTER);
}

#[test]
fn a_concurrent_change_by_another_program_is_not_overwritten() {
    let mut root = Root::new();
    let before = root.snapshot();
    let meanwhile = "hosts: files dns # meanwhile\n";
    root.write("/mnt/meanwhile", meanwhile);
    root.ok("mkdir /mnt/bin; printf '#!/bin/sh\n[ \"$1\" = -p ] || cp /mnt/meanwhile /etc/nsswitch.conf
exec /usr/sbin/ldconfig \"$@\"\n' >/mnt/bin/ldconfig; chmod 755 /mnt/bin/ldconfig");
    let done = root.run(&format!("PATH=/mnt/bin:$PATH sh {INSTALL} --no-check --libdir $LIBDIR"));
    assert_eq!((done.status, &*done.err), (0, ""), "{done:?}");
    assert_eq!(root.read(CONF), "hosts: files mdns_minimal [NOTFOUND=return] dns # meanwhile\n");
    root.uninstalled();
    assert_eq!(root.read(CONF), meanwhile);
    let strip = |text: &str| -> String { text.lines().filter(|line| !line.contains(CONF)).collect() };
    assert_eq!(strip(&before), strip(&root.snapshot()), "nothing else may differ");
}

#[test]
fn a_file_that_authselect_generates_is_not_edited() {
    let mut root = root_of_another_distribution("/usr/lib64");
    root.ok("mkdir /etc/authselect; touch /etc/authselect/authselect.conf; mv /etc/nsswitch.conf /etc/authselect/");
    for preparation in [
        "ln -s authselect/nsswitch.conf /etc/nsswitch.conf",
        "cd /etc; rm nsswitch.conf; (echo '# Generated by authselect'; cat authselect/nsswitch.conf) >nsswitch.conf",
    ] {
        root.ok(preparation);
        let before = root.read(CONF);
        let out = root.ok(&format!("PATH=/mnt/bin:$PATH sh {INSTALL} --no-check"));
        assert!(out.contains("    authselect enable-feature with-mdns4\n"), "{out}");
        assert!(out.contains("    authselect enable-feature with-mdns6\n"), "{out}");
        assert_eq!(root.read(CONF), before);
        root.ok(&format!("PATH=/mnt/bin:$PATH sh {INSTALL} --uninstall"));
        assert_eq!(root.read(CONF), before);
    }
}

#[test]
fn the_example_is_a_valid_nsswitch_conf() {
    let mut root = Root::new();
    root.ok("cp $CHECKOUT/nsswitch.conf.example /etc/nsswitch.conf");
    let example = root.read(CONF);
    assert_eq!(example.matches("\nhosts:").count(), 1);
    assert!(example.contains("\nhosts:          files mdns_minimal [NOTFOUND=return] dns\n"));
    root.installed();
    assert_eq!(root.read(CONF), example, "the hosts line already names the module");
    let trace = root.ok("LD_DEBUG=files getent hosts nobody.local 2>&1; true");
    assert!(trace.contains("file=libnss_mdns_minimal.so.2 "), "{trace}");
    root.ok("getent passwd root && getent hosts localhost && getent services ssh && getent protocols tcp");
    let others: Vec<_> = example.lines().filter_map(|line| line.strip_prefix("#hosts:")).collect();
    assert_eq!(others.len(), 4);
    for line in others {
        root.write(CONF, format!("hosts:{line}\n"));
        root.ok("getent hosts localhost");
        let done = root.installed();
        assert!(done.out.contains("nothing to do"), "{line}: {done:?}");
    }
}
