//! `install.sh --check`: each finding is one line, and the exit status shows whether there is a problem.

use super::resolving::LINK;
use super::*;

/// A root without problems: the module is installed, and the machine's own name resolves on a link.
fn working_root() -> Root {
    let mut root = Root::new();
    root.ok("echo 0 >/proc/sys/net/ipv6/conf/default/accept_dad");
    root.ok(LINK);
    root.installed();
    root
}

/// The lines that report a problem.
fn problems(done: &Done) -> Vec<&str> {
    done.out.lines().filter(|line| line.contains(": problem: ")).collect()
}

/// Checks that one line of the output is exactly this one, with LIBDIR in place of the library folder.
#[track_caller]
fn assert_says(done: &Done, line: &str) {
    let said = done.out.lines().any(|other| other.replace(library_folder(), "LIBDIR") == line);
    assert!(said, "{line:?} is not in {:#?}", done.out.lines().collect::<Vec<_>>());
}

#[test]
fn the_check_reports_no_problem_after_an_installation() {
    let mut root = working_root();
    let done = root.install("--check");
    assert_eq!((done.status, problems(&done).len(), &*done.err), (0, 0, ""), "{done:#?}");
    for line in [
        "hosts: /etc/nsswitch.conf has: hosts: files mdns_minimal [NOTFOUND=return] dns",
        "hosts: 1. files: the names in /etc/hosts",
        "hosts: 2. mdns_minimal [NOTFOUND=return]: this module: .local names of two labels, link-local addresses; \
         IPv4 and IPv6; a .local name that nobody on the link has ends the search",
        "hosts: 3. dns: the DNS servers of /etc/resolv.conf",
        "files: LIBDIR/libnss_mdns.so.2, for x86-64, as this script installed it",
        "files: libnss_mdns4.so.2 libnss_mdns6.so.2 libnss_mdns_minimal.so.2 libnss_mdns4_minimal.so.2 \
         libnss_mdns6_minimal.so.2 lead to it",
        "files: glibc loads them for mdns mdns4 mdns6 mdns_minimal mdns4_minimal mdns6_minimal",
        "files: dpkg puts packages' own files of these six names in LIBDIR/nss-mdns-kept",
        "settings: /etc/nss-mdns.conf does not exist: the defaults hold",
        "firewall lan0: over IPv4, multicast DNS is admitted",
    ] {
        let line = if cfg!(target_arch = "x86_64") { line.into() } else { line.replace("x86-64", "AArch64") };
        assert_says(&done, &line);
    }
    for (_, _, place) in EXTRAS {
        assert_says(&done, &format!("files: {place}, as this script installed it"));
    }
    let last = done.out.lines().last().unwrap_or_default();
    assert!(last.starts_with("lookup: workbench.local is ") && last.contains("192.0.2.7"), "{last}");
}

#[test]
fn every_line_begins_with_its_subject() {
    let mut root = working_root();
    root.write(CONF, "hosts: files dns mdns\n");
    let done = root.install("--check --check-name nobody.local");
    for line in done.out.lines() {
        let (word, _) = line.split_once(": ").expect("a word and a colon");
        let (word, name) = word.split_once(' ').unwrap_or((word, ""));
        let named = ["interface", "firewall"].contains(&word);
        assert!(named || ["hosts", "files", "settings", "allowed", "dns", "lookup"].contains(&word), "{line}");
        assert!(["", "lo", "lan0", "lan1"].contains(&name) && named != name.is_empty(), "{line}");
    }
}

/// Hosts lines, each with the kind of the finding (empty if there is none), its text, and the line that it proposes.
#[rustfmt::skip]
const LINES: &[(&str, &str, &str, &str)] = &[
    ("files mdns4_minimal [NOTFOUND=return] dns", "", "", ""),
    ("files mdns4_minimal [NOTFOUND=return] resolve [!UNAVAIL=return] dns", "", "", ""),
    ("mdns_minimal\t[NOTFOUND=return] files  dns mdns", "", "", ""),
    ("files mdns_minimal [NOTFOUND=return] dns # last", "note: ",
        "glibc from 2.33 on takes # and what follows for services too: put the remark on a line of its own", ""),
    ("files mdns", "", "", ""),
    ("files [SUCCESS=return NOTFOUND=continue] mdns6_minimal [ notfound = RETURN ] dns", "", "", ""),
    ("files myhostname mymachines mdns_minimal [!SUCCESS=return]", "", "", ""),
    ("files mdns_minimal dns", "note: ", ".local names that nobody on the link has go on to dns; if it does not serve them, write",
        "files mdns_minimal [NOTFOUND=return] dns"),
    ("files mdns4 [NOTFOUND=return] dns", "note: ",
        "mdns4 [NOTFOUND=return] also keeps the next service from naming addresses on the link; mdns4_minimal does not", ""),
    ("files dns", "problem: ", "none of the services of the module is on the line: write",
        "files mdns_minimal [NOTFOUND=return] dns"),
    ("files myhostname", "problem: ", "none of the services of the module is on the line: write",
        "files myhostname mdns_minimal [NOTFOUND=return]"),
    ("files resolve [!UNAVAIL=return] mdns4_minimal [NOTFOUND=return] dns", "problem: ",
        "resolve [!UNAVAIL=return] ends the search for .local names, so mdns4_minimal is never asked: write",
        "files mdns4_minimal [NOTFOUND=return] resolve [!UNAVAIL=return] dns"),
    ("resolve mdns_minimal", "problem: ", "resolve is asked for .local names before mdns_minimal, seldom knows them and may take long: write",
        "mdns_minimal [NOTFOUND=return] resolve"),
    ("files dns mdns", "problem: ", "dns is asked for .local names before mdns, seldom knows them and may take long: write",
        "files mdns_minimal [NOTFOUND=return] dns mdns"),
    ("files dns [NOTFOUND=return] mdns4", "problem: ", "dns [NOTFOUND=return] ends the search for .local names, so mdns4 is never asked: write",
        "files mdns4_minimal [NOTFOUND=return] dns [NOTFOUND=return] mdns4"),
    ("files [NOTFOUND=return] mdns6_minimal", "problem: ", "files [NOTFOUND=return] ends the search for .local names, so mdns6_minimal is never asked: write",
        "files mdns6_minimal [NOTFOUND=return]"),
    ("files [!SUCCESS=return] mdns dns", "problem: ", "files [!SUCCESS=return] ends the search for .local names, so mdns is never asked: write",
        "files mdns_minimal [NOTFOUND=return] dns"),
    ("wins [SUCCESS=return NOTFOUND=return] mdns_minimal", "problem: ",
        "wins [SUCCESS=return NOTFOUND=return] ends the search for .local names, so mdns_minimal is never asked: write",
        "mdns_minimal [NOTFOUND=return] wins [SUCCESS=return NOTFOUND=return]"),
    ("files mdns_minimal [!SUCCESS=return] dns", "problem: ", "mdns_minimal [!SUCCESS=return] ends the search for all names that are not .local too: write",
        "files mdns_minimal [NOTFOUND=return] dns"),
    ("files mdns [UNAVAIL=return] dns", "problem: ", "mdns [UNAVAIL=return] ends the search for all names that are not .local too: write",
        "files mdns_minimal [NOTFOUND=return] dns"),
    ("files mdns_minimal [SUCCESS=continue] dns", "problem: ", "mdns_minimal [SUCCESS=continue] throws away what it has found: write",
        "files mdns_minimal [NOTFOUND=return] dns"),
];

#[test]
fn problems_of_hosts_lines_are_reported_and_the_proposed_lines_have_none() {
    let mut root = working_root();
    for (line, kind, sentence, instead) in LINES {
        root.write(CONF, &format!("hosts: {line}\n"));
        let done = root.install("--check");
        let findings: Vec<_> = done.out.lines().filter_map(|line| line.strip_prefix("hosts: ")).collect();
        let findings: Vec<_> = findings.into_iter().filter(|said| !kind_of(said).is_empty()).collect();
        let instead = if instead.is_empty() { String::new() } else { format!(": hosts: {instead}") };
        let wanted = if kind.is_empty() { vec![] } else { vec![format!("{kind}{sentence}{instead}")] };
        assert_eq!(findings, wanted, "{line}");
        assert_eq!(done.status, i32::from(*kind == "problem: "), "{line}: {done:#?}");
        let Some(instead) = instead.strip_prefix(": ") else { continue };
        root.write(CONF, &format!("{instead}\n"));
        let done = root.install("--check");
        assert_eq!((done.status, problems(&done).len()), (0, 0), "{instead}: {done:#?}");
    }
}

fn kind_of(finding: &str) -> &str {
    ["problem: ", "note: "].into_iter().find(|kind| finding.starts_with(kind)).unwrap_or_default()
}

/// Changes to `nsswitch.conf`, and the line that reports the problem.
#[rustfmt::skip]
const FILES_OF_LINES: &[(&str, &str)] = &[
    ("rm /etc/nsswitch.conf", "hosts: problem: /etc/nsswitch.conf is not there, or no regular file; nsswitch.conf.example beside this script is one"),
    ("echo 'passwd: files' >/etc/nsswitch.conf", "hosts: problem: /etc/nsswitch.conf is odd: it has no hosts line; write one line: hosts: files mdns_minimal [NOTFOUND=return] dns"),
    ("echo 'hosts: dns' >>/etc/nsswitch.conf", "hosts: problem: /etc/nsswitch.conf is odd: it has more than one hosts line; write one line: hosts: files mdns_minimal [NOTFOUND=return] dns"),
    ("chmod 640 /etc/nsswitch.conf", "hosts: problem: /etc/nsswitch.conf can be read by some users only, and the others' programs do without it: chmod 644 /etc/nsswitch.conf"),
    ("(echo '# Generated by authselect'; echo 'hosts: files dns') >/etc/nsswitch.conf",
        "hosts: problem: none of the services of the module is on the line: it is authselect that writes it (features with-mdns4, with-mdns6); wanted is: hosts: files mdns_minimal [NOTFOUND=return] dns"),
];

/// Damage to an installation, and the line that reports it.
#[rustfmt::skip]
const FILES: &[(&str, &str)] = &[
    ("rm $LIBDIR/libnss_mdns.so.2", "files: problem: LIBDIR/libnss_mdns.so.2 is not there: install the module again"),
    ("echo changed >>$LIBDIR/libnss_mdns.so.2", "files: problem: LIBDIR/libnss_mdns.so.2 is not the object that this script installed (of no package): install it again"),
    ("rm $LIBDIR/libnss_mdns6.so.2", "files: problem: LIBDIR/libnss_mdns6.so.2 is not there: install the module again"),
    ("ln -sf libc.so.6 $LIBDIR/libnss_mdns4.so.2", "files: problem: LIBDIR/libnss_mdns4.so.2 does not lead to libnss_mdns.so.2 (of no package): install the module again"),
    ("cp $MODULE /usr/local/lib/libnss_mdns_minimal.so.2; ldconfig", "files: problem: glibc loads /usr/local/lib/libnss_mdns_minimal.so.2 for mdns_minimal, instead of the one in LIBDIR: remove it"),
    ("head -c 8192 $MODULE >$LIBDIR/libnss_mdns.so.2", "files: problem: LIBDIR/libnss_mdns.so.2 cannot be loaded (a program that tries to crashes): install it again"),
    ("mkdir $LIBDIR/nss-mdns-staged", "files: problem: LIBDIR/nss-mdns-staged is left of a run that was ended: install or --uninstall again"),
    ("dpkg-divert --quiet --local --no-rename --remove $LIBDIR/libnss_mdns6.so.2", "files: problem: dpkg diverts only 11 of the module's names: install it again"),
    ("rm /usr/local/share/man/man8/nss-mdns.8", "files: problem: /usr/local/share/man/man8/nss-mdns.8 is not there: install the module again"),
    ("rm /usr/local/bin/nss-mdns", "files: problem: /usr/local/bin/nss-mdns is not there: install the module again"),
    ("rm /usr/local/bin/nss-mdns /mnt/archive/nss-mdns", "settings: problem: nss-mdns is not installed, so settings, interfaces and firewall were not looked at"),
    ("printf '#!/bin/sh\nexit 101\n' >/usr/local/bin/nss-mdns", "settings: problem: /usr/local/bin/nss-mdns ended with status 101"),
];

#[test]
fn damage_to_the_files_is_reported() {
    for (damage, line) in FILES_OF_LINES.iter().chain(FILES) {
        let mut root = working_root();
        root.ok(damage);
        let done = root.install("--check");
        assert_says(&done, line);
        assert_eq!(done.status, 1, "{damage}: {done:#?}");
    }
}

#[test]
fn information_is_not_reported_as_a_problem() {
    let mut root = Root::with_debian_package();
    root.ok(LINK);
    root.installed();
    root.ok("echo '# mine' >>/usr/local/share/doc/nss-mdns/nss-mdns.conf.example");
    root.ok("mkdir /usr/lib/i386-linux-gnu; { printf '\\177ELF\\001'; head -c 18 $LIBDIR/libc.so.6 | tail -c +6
         printf '\\003\\000'; tail -c +21 $LIBDIR/libc.so.6; } >/usr/lib/i386-linux-gnu/libc.so.6");
    let done = root.install("--check");
    for name in NAMES {
        let line = format!("files: LIBDIR/nss-mdns-kept/{name} is of another package, and comes back with --uninstall");
        assert_says(&done, &line);
    }
    assert_says(
        &done,
        "files: /usr/local/share/doc/nss-mdns/nss-mdns.conf.example was changed since this script installed it",
    );
    assert_says(
        &done,
        "files: /usr/lib/i386-linux-gnu, for i386, has no module: programs of that architecture do without it",
    );
    assert_eq!(done.status, 0, "{done:#?}");
}

#[test]
fn another_module_and_a_missing_module_are_reported() {
    let mut root = Root::with_debian_package();
    root.ok(LINK);
    let done = root.install("--check");
    let theirs =
        "files: problem: LIBDIR/libnss_mdns.so.2 is not this module (of the package libnss-mdns:amd64): install it";
    assert_says(&done, theirs);
    assert_eq!(done.status, 1, "{done:#?}");
    root.ok("dpkg --purge libnss-mdns");
    let done = root.install("--check");
    assert_says(
        &done,
        "files: problem: the module is not installed: LIBDIR has none of its six files; sudo ./install.sh puts them there",
    );
    assert_says(
        &done,
        "lookup: problem: workbench.local does not resolve: LIBDIR/libnss_mdns_minimal.so.2 is not there",
    );
    assert_eq!(done.status, 1, "{done:#?}");
    // Installed by hand, or by a package manager that this system does not have.
    root.ok("cp $MODULE $LIBDIR/libnss_mdns.so.2; cd $LIBDIR
         for name in mdns4 mdns6 mdns_minimal mdns4_minimal mdns6_minimal; do ln -s libnss_mdns.so.2 libnss_$name.so.2; done");
    root.write(CONF, NSSWITCH_AFTER);
    let done = root.install("--check");
    assert!(done.out.contains("of no package\nfiles: libnss_mdns4.so.2 "), "{done:#?}");
    assert_eq!(done.status, 0, "{done:#?}");
}

#[test]
fn a_module_for_another_architecture_is_reported() {
    let mut root = working_root();
    root.ok("printf '\\003\\000' | dd of=/mnt/archive/machine bs=1 status=none
         { head -c 4 $MODULE; printf '\\001'; head -c 18 $MODULE | tail -c +6; cat /mnt/archive/machine; tail -c +21 $MODULE; } \
             >$LIBDIR/libnss_mdns.so.2
         rm -r $LIBDIR/nss-mdns-kept");
    let done = root.install("--check");
    let line = "files: problem: LIBDIR/libnss_mdns.so.2 is for i386, and LIBDIR for x86-64";
    assert_says(&done, &if cfg!(target_arch = "x86_64") { line.into() } else { line.replace("x86-64", "AArch64") });
    assert_says(
        &done,
        "files: which of them glibc loads was not tried: getent is not here, or of another architecture",
    );
    assert_eq!(done.status, 1, "{done:#?}");
}

#[test]
fn settings_interfaces_firewall_and_lookup_are_reported() {
    let filter =
        "nft add table inet f && nft add chain inet f i '{ type filter hook input priority 0; policy accept; }' &&
         nft add rule inet f i udp dport 5353";
    let accepting = format!("{filter} accept");
    let dropping = format!("{filter} drop");
    for (preparation, arguments, status, beginnings) in [
        (accepting.as_str(), "", 0, &["firewall lan0: over IPv4, multicast DNS is admitted"][..]),
        (
            dropping.as_str(),
            "",
            1,
            &["firewall lan0: problem: over IPv4, packets to the group and UDP port 5353 are dropped"],
        ),
        (
            "printf 'retries = none\\ntimeout = soon\\n' >/etc/nss-mdns.conf",
            "",
            1,
            &["settings: problem: /etc/nss-mdns.conf:2: timeout: expected "],
        ),
        ("echo 'timeout = 500' >/etc/nss-mdns.conf", "", 0, &["settings: /etc/nss-mdns.conf has no problems"]),
        (
            // The machine's own name would resolve without an interface.
            "ip link del lan0",
            "--check-name nobody.local",
            1,
            &[
                "interface: ",
                "lookup: problem: nobody.local does not resolve: the module was loaded, but no network interface is up",
            ],
        ),
        (
            "true",
            "--check-name nobody.local",
            1,
            &["lookup: problem: nobody.local does not resolve: the module was loaded and asked, but nobody answered"],
        ),
    ] {
        let mut root = working_root();
        root.ok(preparation);
        let done = root.install(&format!("--check {arguments}"));
        for beginning in beginnings {
            assert!(done.out.lines().any(|line| line.starts_with(beginning)), "{beginning:?}: {done:#?}");
        }
        assert_eq!(done.status, status, "{preparation}: {done:#?}");
    }
}

#[test]
fn the_check_needs_no_root_and_changes_nothing() {
    let mut root = working_root();
    let before = root.traces();
    let done = root.run(&format!("unshare -U sh {INSTALL} --check"));
    assert_eq!((done.status, problems(&done).len(), &*done.err), (0, 0, ""), "{done:#?}");
    assert_same(&before, &root.traces(), "after the check");
    root.ok("rm $LIBDIR/libnss_mdns.so.2; echo 'hosts: dns mdns' >/etc/nsswitch.conf");
    let before = root.traces();
    assert_eq!(root.install("--check").status, 1);
    assert_same(&before, &root.traces(), "after the second check");
}

#[test]
fn a_check_that_cannot_run_has_a_different_exit_status() {
    let mut root = working_root();
    root.ok("mkdir /mnt/few; ln -s $(command -v sh dirname) /mnt/few/");
    let done =
        root.run(&format!("PATH=/mnt/few; mount() {{ :; }}; sh -c 'PATH=/mnt/few . {INSTALL}' {INSTALL} --check"));
    assert_eq!(done.status, 4, "{done:#?}");
    assert!(done.err.contains("this needs the command awk"), "{done:#?}");
}
