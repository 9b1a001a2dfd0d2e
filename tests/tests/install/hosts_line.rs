//! `/etc/nsswitch.conf`: what is added to the hosts line, how glibc reads the result, and how the line is restored.

use super::module::root_of_another_distribution;
use super::*;

/// Contents of nsswitch.conf with the expected result: the new content, or a part of the message that refuses it.
#[rustfmt::skip]
const LINES: &[(&str, Result<&str, &str>)] = &[
    ("hosts: files dns\n", Ok("hosts: files mdns_minimal [NOTFOUND=return] dns\n")),
    ("hosts: files dns\nrpc: db", Ok("hosts: files mdns_minimal [NOTFOUND=return] dns\nrpc: db")),
    ("hosts:\tfiles\tdns\t\n", Ok("hosts:\tfiles\tmdns_minimal [NOTFOUND=return] dns\t\n")),
    (" \thosts : files   dns  \n", Ok(" \thosts : files   mdns_minimal [NOTFOUND=return] dns  \n")),
    ("hosts:dns\n", Ok("hosts:mdns_minimal [NOTFOUND=return] dns\n")),
    ("hosts: files[SUCCESS=return]dns\n", Ok("hosts: files[SUCCESS=return]mdns_minimal [NOTFOUND=return] dns\n")),
    ("# hosts: old\r\nhosts: files dns\r\nrpc: db\r\n", Ok("# hosts: old\r\nhosts: files mdns_minimal [NOTFOUND=return] dns\r\nrpc: db\r\n")),
    ("hosts: files\r\n", Ok("hosts: files mdns_minimal [NOTFOUND=return]\r\n")),
    ("hosts: files # not dns, nor mdns4\n", Ok("hosts: files mdns_minimal [NOTFOUND=return] # not dns, nor mdns4\n")),
    ("hosts: files dns#x\n", Ok("hosts: files mdns_minimal [NOTFOUND=return] dns#x\n")),
    ("rpc: dns\nhosts: my resolve [!UNAVAIL=return] files dns\n", Ok("rpc: dns\nhosts: my mdns_minimal [NOTFOUND=return] resolve [!UNAVAIL=return] files dns\n")),
    ("hosts: files [ NOTFOUND=continue  UNAVAIL=return ] nis\n", Ok("hosts: files [ NOTFOUND=continue  UNAVAIL=return ] nis mdns_minimal [NOTFOUND=return]\n")),
    ("# Größe\nhosts: files dns\n", Ok("# Größe\nhosts: files mdns_minimal [NOTFOUND=return] dns\n")),
    ("hosts: files adns dnsx dns\n", Ok("hosts: files adns dnsx mdns_minimal [NOTFOUND=return] dns\n")),
    ("hosts: files dns resolve\n", Ok("hosts: files mdns_minimal [NOTFOUND=return] dns resolve\n")),
    ("hosts: files mdns4_minimal [NOTFOUND=return] dns\n", Ok("hosts: files mdns4_minimal [NOTFOUND=return] dns\n")),
    ("hosts:\tfiles dns\tmdns # last\n", Ok("hosts:\tfiles dns\tmdns # last\n")),
    ("hosts: files mdns6[NOTFOUND=return]dns\n", Ok("hosts: files mdns6[NOTFOUND=return]dns\n")),
    ("passwd: files\nhosts: files dns", Err("no newline ends its hosts line, so glibc does not read it")),
    ("passwd: files\n", Err("it has no hosts line")),
    ("", Err("it has no hosts line")),
    ("#hosts: files dns\nHosts: files dns\n", Err("it has no hosts line")),
    ("hosts: files dns\nhosts: files\n", Err("it has more than one hosts line")),
    ("hosts:\n", Err("its hosts line names no service")),
    ("hosts: # files dns\n", Err("its hosts line names no service")),
    ("hosts: files \\\n  dns\n", Err("\"\\\" on its hosts line is neither a service nor an action")),
    ("hosts: files dns networks: files\n", Err("\"networks:\" on its hosts line is neither")),
    ("hosts: files [NOTFOUND=return dns\n", Err("expected SUCCESS, NOTFOUND, UNAVAIL or TRYAGAIN, with at most a ! directly before it, found \"dns\"")),
    ("hosts: files ] dns\n", Err("\"]\" on its hosts line is neither")),
    ("hosts: [NOTFOUND=return] dns\n", Err("expected the name of a service, which one pair of brackets at most may follow, found \"[NOTFOUND=return]\"")),
    ("hosts: files [NOTFOUND=stop] dns\n", Err("expected return, continue or merge, found \"stop]\"")),
    ("hosts: files [! UNAVAIL=return] dns\n", Err("expected SUCCESS, NOTFOUND, UNAVAIL or TRYAGAIN, with at most a ! directly before it, found \"\"")),
    ("hosts: files [] dns\n", Err("expected SUCCESS, NOTFOUND, UNAVAIL or TRYAGAIN, with at most a ! directly before it, found \"]\"")),
    ("hosts: files [SUCCESS=return] [UNAVAIL=return] dns\n", Err("expected the name of a service, which one pair of brackets at most may follow, found \"[UNAVAIL=return]\"")),
    ("hosts: files\0 dns\n", Err("it holds NUL bytes")),
];

#[test]
fn unusual_hosts_lines_are_preserved_byte_for_byte_or_refused() {
    let mut root = Root::new();
    for (text, expected) in LINES {
        root.write(CONF, text);
        root.ok("chmod 640 /etc/nsswitch.conf");
        let before = root.snapshot();
        let done = root.install("--no-check");
        match expected {
            Ok(wanted) => {
                assert_eq!(done.status, 0, "{text:?}: {done:?}");
                assert_eq!(root.read(CONF), *wanted);
                assert_eq!(root.ok("stat -c %a /etc/nsswitch.conf"), "640\n", "the mode is kept");
                root.uninstalled();
            }
            Err(sentence) => assert_refused(&done, sentence),
        }
        assert_same(&before, &root.snapshot(), text);
    }
}

/// Contents of nsswitch.conf, with the services that the real glibc tries before and after the installation; `None` if
/// the installation is refused. There is no module for any of these services, so each is unavailable and glibc tries
/// the next.
const MEANINGS: &[(&str, &str, Option<&str>)] = &[
    ("hosts:\talpha\tresolve\t\n", "alpha resolve", Some("alpha mdns_minimal resolve")),
    (" \thosts : alpha   resolve\nrpc: db", "alpha resolve", Some("alpha mdns_minimal resolve")),
    ("hosts:resolve\n", "resolve", Some("mdns_minimal resolve")),
    ("hosts: alpha[SUCCESS=return]resolve\n", "alpha resolve", Some("alpha mdns_minimal resolve")),
    ("# hosts: old\r\nhosts: alpha resolve\r\nrpc: db\r\n", "alpha resolve", Some("alpha mdns_minimal resolve")),
    ("hosts: alpha\r\n", "alpha", Some("alpha mdns_minimal")),
    // Since version 2.33, glibc reads a comment after the services as more services.
    ("hosts: alpha # not resolve\n", "alpha # not resolve", Some("alpha mdns_minimal # not resolve")),
    ("hosts: alpha resolve#x\n", "alpha resolve#x", Some("alpha mdns_minimal resolve#x")),
    (
        "hosts: alpha [ notfound = continue  !UNAVAIL=return ] resolve\n",
        "alpha resolve",
        Some("alpha mdns_minimal resolve"),
    ),
    ("hosts: alpha [UNAVAIL=RETURN] resolve\n", "alpha", Some("alpha")),
    ("hosts: alpha resolve [UNAVAIL=merge] omega\n", "alpha resolve", Some("alpha mdns_minimal resolve")),
    // A backslash does not continue the line: it is a service, and the next line is not part of the hosts line.
    ("hosts: alpha \\\n  resolve\n", "alpha \\", None),
    ("hosts: alpha \\\n  networks: omega\n", "alpha \\", None),
    // A second database on the line is read as a service.
    ("hosts: alpha networks: omega\n", "alpha networks: omega", None),
    // A last line without a newline is not read.
    ("rpc: db\nhosts: alpha", "", None),
    // Of two hosts lines, the last one takes effect.
    ("hosts: alpha\nhosts: omega\n", "omega", None),
    ("hosts: alpha [SUCCESS=return] [NOTFOUND=continue] omega\n", "alpha", None),
    ("hosts: alpha [NOTFOUND=stop] omega\n", "", None),
    ("hosts: [NOTFOUND=return] alpha\n", "", None),
];

#[test]
fn glibc_reads_the_edited_line_as_the_old_one_with_the_service_added() {
    let services = "LD_DEBUG=files LC_ALL=C getent ahosts nobody.local 2>&1 | sed -n 's/.*file=libnss_\\([^ ]*\\)\\.so\\.2 .*/\\1/p' |
        awk '!seen[$0]++' | tr '\\n' ' '";
    let mut root = Root::new();
    for (text, before, after) in MEANINGS {
        root.write(CONF, text);
        assert_eq!(root.ok(services).trim(), *before, "{text:?}");
        let done = root.install("--no-check");
        assert_eq!(done.status, i32::from(after.is_none()), "{text:?}: {done:?}");
        assert_eq!(root.ok(services).trim(), after.unwrap_or(before), "{text:?}");
        root.uninstalled();
        assert_eq!(root.read(CONF), *text);
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

/// Hosts lines, each with the kind of the finding (empty if there is none), its text, and the line that it proposes.
#[rustfmt::skip]
const FINDINGS: &[(&str, &str, &str, &str)] = &[
    ("files mdns4_minimal [NOTFOUND=return] dns", "", "", ""),
    ("files mdns4_minimal [NOTFOUND=return] resolve [!UNAVAIL=return] dns", "", "", ""),
    ("mdns_minimal\t[NOTFOUND=return] files  dns mdns", "", "", ""),
    ("files mdns_minimal [NOTFOUND=return] dns # last", "note: ",
        "glibc 2.33 and later take # and what follows for services: put the comment on a line of its own", ""),
    ("files mdns", "", "", ""),
    ("files [SUCCESS=return NOTFOUND=continue] mdns6_minimal [ notfound = RETURN ] dns", "", "", ""),
    ("files myhostname mymachines mdns_minimal [!SUCCESS=return]", "", "", ""),
    ("files mdns_minimal dns", "note: ", "if no host has a .local name, glibc asks dns; if that does not serve .local, write",
        "files mdns_minimal [NOTFOUND=return] dns"),
    ("files mdns4 [NOTFOUND=return] dns", "note: ",
        "mdns4 [NOTFOUND=return] also keeps glibc from asking the next service for the names of addresses on the link; mdns4_minimal does not", ""),
    ("files dns", "problem: ", "none of the module's services is on the line: write",
        "files mdns_minimal [NOTFOUND=return] dns"),
    ("files myhostname", "problem: ", "none of the module's services is on the line: write",
        "files myhostname mdns_minimal [NOTFOUND=return]"),
    ("files resolve [!UNAVAIL=return] mdns4_minimal [NOTFOUND=return] dns", "problem: ",
        "resolve [!UNAVAIL=return] ends the search for .local names, so glibc never asks mdns4_minimal: write",
        "files mdns4_minimal [NOTFOUND=return] resolve [!UNAVAIL=return] dns"),
    ("resolve mdns_minimal", "problem: ", "glibc asks resolve for .local names before mdns_minimal: it rarely knows them, and may take seconds: write",
        "mdns_minimal [NOTFOUND=return] resolve"),
    ("files dns mdns", "problem: ", "glibc asks dns for .local names before mdns: it rarely knows them, and may take seconds: write",
        "files mdns_minimal [NOTFOUND=return] dns mdns"),
    ("files dns [NOTFOUND=return] mdns4", "problem: ", "dns [NOTFOUND=return] ends the search for .local names, so glibc never asks mdns4: write",
        "files mdns4_minimal [NOTFOUND=return] dns [NOTFOUND=return] mdns4"),
    ("files [NOTFOUND=return] mdns6_minimal", "problem: ", "files [NOTFOUND=return] ends the search for .local names, so glibc never asks mdns6_minimal: write",
        "files mdns6_minimal [NOTFOUND=return]"),
    ("files [!SUCCESS=return] mdns dns", "problem: ", "files [!SUCCESS=return] ends the search for .local names, so glibc never asks mdns: write",
        "files mdns_minimal [NOTFOUND=return] dns"),
    ("wins [SUCCESS=return NOTFOUND=return] mdns_minimal", "problem: ",
        "wins [SUCCESS=return NOTFOUND=return] ends the search for .local names, so glibc never asks mdns_minimal: write",
        "mdns_minimal [NOTFOUND=return] wins [SUCCESS=return NOTFOUND=return]"),
    ("files mdns_minimal [!SUCCESS=return] dns", "problem: ", "mdns_minimal [!SUCCESS=return] also ends the search for all names outside .local: write",
        "files mdns_minimal [NOTFOUND=return] dns"),
    ("files mdns [UNAVAIL=return] dns", "problem: ", "mdns [UNAVAIL=return] also ends the search for all names outside .local: write",
        "files mdns_minimal [NOTFOUND=return] dns"),
    ("files mdns_minimal [SUCCESS=continue] dns", "problem: ", "mdns_minimal [SUCCESS=continue] discards the addresses that it finds: write",
        "files mdns_minimal [NOTFOUND=return] dns"),
];

#[test]
fn problems_of_hosts_lines_are_reported_and_the_proposed_lines_have_none() {
    let mut root = Root::new();
    root.installed();
    let mut findings = |line: &str| {
        root.write(CONF, format!("{line}\n"));
        let done = root.run("/usr/local/bin/nss-mdns hosts");
        let findings = done.out.lines().filter_map(|line| line.strip_prefix("hosts: "));
        let findings = findings.filter(|said| ["problem: ", "note: "].iter().any(|kind| said.starts_with(kind)));
        (findings.map(str::to_owned).collect::<Vec<_>>(), done.status)
    };
    for (line, kind, sentence, instead) in FINDINGS {
        let (found, status) = findings(&format!("hosts: {line}"));
        let instead = if instead.is_empty() { String::new() } else { format!(": hosts: {instead}") };
        let wanted = if kind.is_empty() { vec![] } else { vec![format!("{kind}{sentence}{instead}")] };
        assert_eq!((found, status), (wanted, i32::from(*kind == "problem: ")), "{line}");
        let Some(instead) = instead.strip_prefix(": ") else { continue };
        let (found, status) = findings(instead);
        assert!(status == 0 && !found.iter().any(|finding| finding.starts_with("problem: ")), "{instead}: {found:?}");
    }
}
