//! `nss-mdns hosts`, `hosts add` and `hosts remove` on the file system: what is changed, how glibc reads it, what is kept, and
//! what is left behind by a kill, a full disk or another program.

use std::sync::LazyLock;
use std::time::{Duration, Instant};
use tests::guest::{self, Kind};
use tests::module;
use tests::private_root::{Done, Root, assert_same};
use tests::sandbox::unprivileged;

const OLD: &str = "# mine\npasswd:         files\nhosts:          files dns\nnetworks:       files";
const NEW: &str =
    "# mine\npasswd:         files\nhosts:          files mdns_minimal [NOTFOUND=return] dns\nnetworks:       files";
const CONF: &str = "/etc/nsswitch.conf";
const BACKUP: &str = "/etc/nsswitch.conf.before-nss-mdns";

/// The program, which is built together with the module.
static PROGRAM: LazyLock<String> = LazyLock::new(|| {
    module::path().expect("the module is built").with_file_name("nss-mdns").to_string_lossy().into_owned()
});

/// A root with [`OLD`], mode 0644.
fn root() -> Root {
    let mut root = Root::new();
    root.write(CONF, OLD);
    root
}

/// Runs `nss-mdns hosts` with these arguments, and with these words before it.
fn hosts_after(root: &mut Root, before: &str, arguments: &str) -> Done {
    root.run(&format!("{before} '{}' hosts {arguments}", *PROGRAM))
}

fn hosts(root: &mut Root, arguments: &str) -> Done {
    hosts_after(root, "", arguments)
}

#[track_caller]
fn succeeds(root: &mut Root, arguments: &str) -> String {
    let done = hosts(root, arguments);
    assert_eq!((done.status, &*done.err), (0, ""), "{arguments}: {done:?}");
    done.out
}

/// The files of `/etc` that begin with `nsswitch`.
fn files(root: &mut Root) -> String {
    root.ok("ls -a /etc | grep '^nsswitch' | tr '\n' ' '").trim_end().to_owned()
}

#[track_caller]
fn assert_refused(root: &mut Root, arguments: &str, reason: &str) {
    let before = root.snapshot();
    let done = hosts(root, arguments);
    assert_eq!((done.status, &*done.out), (1, ""), "{arguments}: {done:?}");
    assert!(done.err.starts_with("nss-mdns: ") && done.err.contains(reason), "{arguments}: {done:?}");
    assert_same(&before, &root.snapshot(), arguments);
}

#[test]
fn add_and_remove_change_one_line_and_do_nothing_the_second_time() {
    let mut root = root();
    let before = root.snapshot();
    let change = "- hosts:          files dns\n+ hosts:          files mdns_minimal [NOTFOUND=return] dns\n";
    let said = succeeds(&mut root, "add");
    assert_eq!(said, format!("change line 3 of {CONF}, with the old file kept as {BACKUP}:\n{change}"));
    assert_eq!((root.read(CONF), root.read(BACKUP)), (NEW.into(), OLD.into()));
    let added = root.traces();
    assert_eq!(
        succeeds(&mut root, "add"),
        format!("nothing to do: the hosts line of {CONF} names the module already\n")
    );
    assert_same(&added, &root.traces(), "add for the second time");
    assert!(succeeds(&mut root, "remove").starts_with(&format!("change line 3 of {CONF}:\n- ")));
    assert_eq!((root.read(CONF), files(&mut root)), (OLD.into(), "nsswitch.conf".into()));
    let removed = root.traces();
    assert_eq!(succeeds(&mut root, "remove"), format!("nothing to do: the hosts line of {CONF} does not name it\n"));
    assert_same(&removed, &root.traces(), "remove for the second time");
    let strip = |text: &str| text.lines().filter(|line| !line.contains(CONF)).collect::<Vec<_>>().join("\n");
    assert_same(&strip(&before), &strip(&root.snapshot()), "in the end");
}

#[test]
fn a_line_that_needs_nothing_but_has_a_problem_is_not_called_good() {
    let mut root = root();
    root.write(CONF, "hosts: files dns mdns_minimal\n");
    let expected = "nothing to do: the hosts line of /etc/nsswitch.conf names the module already, but it has a problem: see \
                    nss-mdns hosts\n";
    assert_eq!(succeeds(&mut root, "add"), expected);
}

#[test]
fn a_reader_that_leaves_early_ends_the_program_silently() {
    let mut root = root();
    let program = &*PROGRAM;
    root.ok(&format!("(sleep 0.2; '{program}' hosts 2>/mnt/message; echo $? >/mnt/status) | true"));
    root.ok("for i in $(seq 50); do test -s /mnt/status && break; sleep 0.1; done");
    assert_eq!((root.read("/mnt/message"), root.read("/mnt/status")), (String::new(), "1\n".into()));
}

#[test]
fn a_dry_run_shows_the_change_and_makes_none() {
    let mut root = root();
    let before = root.traces();
    let said = succeeds(&mut root, "add --dry-run --service mdns4_minimal");
    assert!(
        said.starts_with(&format!("would change line 3 of {CONF}, with the old file kept as {BACKUP}:\n- ")),
        "{said}"
    );
    assert!(said.ends_with("\n+ hosts:          files mdns4_minimal [NOTFOUND=return] dns\n"), "{said}");
    succeeds(&mut root, "remove --dry-run");
    assert_same(&before, &root.traces(), "a dry run");
}

#[test]
fn another_file_and_another_service_can_be_chosen() {
    let mut root = root();
    root.ok("mkdir /mnt/other && cp /etc/nsswitch.conf /mnt/other/");
    succeeds(&mut root, "add --file=/mnt/other/nsswitch.conf --service mdns6_minimal");
    assert!(root.read("/mnt/other/nsswitch.conf").contains("files mdns6_minimal [NOTFOUND=return] dns\n"));
    succeeds(&mut root, "remove --file /mnt/other/nsswitch.conf --service mdns6_minimal");
    assert_eq!((root.read("/mnt/other/nsswitch.conf"), root.read(CONF)), (OLD.into(), OLD.into()));
    assert_eq!(root.ok("ls -a /mnt/other | wc -l"), "3\n");
    // A path without a folder, too.
    root.ok(&format!(
        "cd /mnt/other && '{}' hosts add --file nsswitch.conf && grep -q mdns_minimal nsswitch.conf",
        *PROGRAM
    ));
}

#[test]
fn wrong_usage_is_reported_as_such() {
    let mut root = root();
    for (arguments, reason) in [
        ("--service mdns", "--service, --dry-run and --no-backup need add or remove"),
        ("--dry-run", "--service, --dry-run and --no-backup need add or remove"),
        ("add --service dns", "dns is none of the module's services"),
        ("add --service", "missing argument for option '--service'"),
        ("add remove", "unexpected argument \"remove\""),
        ("toggle", "unexpected argument \"toggle\""),
    ] {
        let done = hosts(&mut root, arguments);
        assert_eq!(done.status, 2, "{arguments}: {done:?}");
        assert!(done.err.contains(reason) && done.err.ends_with("; see nss-mdns --help\n"), "{done:?}");
    }
    assert_eq!(files(&mut root), "nsswitch.conf");
}

#[test]
fn an_error_that_cannot_be_written_does_not_change_the_exit_status() {
    let mut root = root();
    let program = &*PROGRAM;
    for (script, status) in [
        (format!("'{program}' toggle 2>/dev/full"), 2),
        (format!("'{program}' hosts --file /nowhere >/dev/full 2>/dev/full"), 1),
    ] {
        assert_eq!(root.run(&script).status, status, "{script}");
    }
}

/// Exit status 1 says that the file is as it was.
#[test]
fn output_that_cannot_be_written_does_not_hide_that_the_file_was_changed() {
    let mut root = root();
    let program = &*PROGRAM;
    for (arguments, content, status) in [
        ("add --dry-run", OLD, 1),
        ("remove", OLD, 1),
        ("add", NEW, 0),
        ("add", NEW, 1),
        ("remove --dry-run", NEW, 1),
        ("remove", OLD, 0),
    ] {
        let done = root.run(&format!("'{program}' hosts {arguments} >/dev/full"));
        assert_eq!((done.status, &*root.read(CONF)), (status, content), "{arguments}: {done:?}");
        assert!(done.err.starts_with("nss-mdns: standard output: No space left on device"), "{done:?}");
    }
}

#[test]
fn the_file_cannot_control_the_terminal() {
    let mut root = root();
    for line in ["hosts: files \x1b]0;x\x07 dns", "hosts:\tfiles dns # \x1b]0;x\x07\r"] {
        root.write(CONF, format!("{line}\n"));
        for arguments in ["", "add --dry-run"] {
            let done = hosts(&mut root, arguments);
            let text = done.out + &done.err;
            assert!(
                text.contains("\\u{1b}]0;x\\u{7}") && !text.contains(['\x1b', '\x07', '\r']),
                "{arguments}: {text:?}"
            );
        }
    }
    assert!(succeeds(&mut root, "add --dry-run").contains("\n- hosts:\tfiles dns # "));
}

/// It has glibc load the library of each service, in a process.
#[test]
fn a_long_line_is_explained_at_once() {
    let mut root = root();
    root.write(CONF, format!("hosts: {}\n", "nowhere ".repeat(20_000)));
    let start = Instant::now();
    assert_eq!(hosts(&mut root, "").status, 1);
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
}

#[test]
fn a_symbolic_link_stays_and_the_file_at_its_end_is_replaced() {
    let mut root = root();
    root.ok("mkdir /etc/site && mv /etc/nsswitch.conf /etc/site/switch && ln -s ../site/switch /etc/site/link
             ln -s site/link /etc/nsswitch.conf");
    let before = root.ok("readlink /etc/nsswitch.conf /etc/site/link");
    succeeds(&mut root, "add");
    assert_eq!(root.ok("readlink /etc/nsswitch.conf /etc/site/link"), before);
    assert_eq!(
        (root.read("/etc/site/switch"), root.read("/etc/site/switch.before-nss-mdns")),
        (NEW.into(), OLD.into())
    );
    succeeds(&mut root, "remove");
    assert_eq!((root.read("/etc/site/switch"), root.ok("ls /etc/site")), (OLD.into(), "link\nswitch\n".into()));
}

/// Contents of nsswitch.conf, with the services that the real glibc tries before and after `hosts add`; `None` if
/// that is refused. There is no module for any of these services, so each is unavailable and glibc tries
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
    let mut root = root();
    for (text, before, after) in MEANINGS {
        root.write(CONF, text);
        assert_eq!(root.ok(services).trim(), *before, "{text:?}");
        let done = hosts(&mut root, "add");
        assert_eq!(done.status, i32::from(after.is_none()), "{text:?}: {done:?}");
        assert_eq!(root.ok(services).trim(), after.unwrap_or(before), "{text:?}");
        if after.is_some() {
            succeeds(&mut root, "remove");
        }
        assert_eq!(root.read(CONF), *text);
    }
}

/// Prints mode, owner and extended attributes; `set` sets some first. An access control list can be set by everybody,
/// an attribute of a security module by root alone.
const ATTRIBUTES: &str = r#"
import os, struct, sys
path = "/etc/nsswitch.conf"
if "set" in sys.argv:
    if "root" in sys.argv:
        os.chown(path, 7, 9)
        os.setxattr(path, "security.test", b"label\0with NUL")
    entries = [(1, 6, -1), (2, 4, 0), (4, 4, -1), (16, 4, -1), (32, 0, -1)]
    acl = struct.pack("<I", 2) + b"".join(struct.pack("<HHi", *entry) for entry in entries)
    os.setxattr(path, "system.posix_acl_access", acl)
state = os.stat(path)
print(oct(state.st_mode), state.st_uid, state.st_gid)
for name in sorted(os.listxattr(path)):
    if not name.startswith(("trusted.overlay.", "user.overlay.")):
        print(name, os.getxattr(path, name))
"#;

#[test]
fn mode_owner_and_extended_attributes_are_kept() {
    let mut root = root();
    root.write("/mnt/attributes.py", ATTRIBUTES);
    let user = if unprivileged() { "" } else { "root" };
    let before = root.ok(&format!("chmod 640 /etc/nsswitch.conf && python3 /mnt/attributes.py set {user}"));
    assert!(before.contains("system.posix_acl_access"), "{before}");
    succeeds(&mut root, "add");
    assert_eq!(root.read(CONF), NEW);
    assert_eq!(root.ok("python3 /mnt/attributes.py"), before);
    succeeds(&mut root, "remove");
    assert_eq!(root.ok("python3 /mnt/attributes.py"), before);
}

#[test]
fn a_file_that_is_missing_or_no_regular_file_is_refused() {
    let mut root = root();
    for (preparation, reason) in [
        ("rm /etc/nsswitch.conf", "/etc/nsswitch.conf: cannot be found: No such file"),
        ("ln -s nowhere /etc/nsswitch.conf", "/etc/nsswitch.conf: cannot be found: No such file"),
        ("ln -sf /dev/null /etc/nsswitch.conf", "/dev/null: expected a regular file"),
        ("ln -sfn /mnt /etc/nsswitch.conf", "/mnt: expected a regular file"),
    ] {
        root.ok(preparation);
        assert_refused(&mut root, "add", reason);
    }
    root.ok("rm /etc/nsswitch.conf");
    assert_eq!(succeeds(&mut root, "remove"), format!("nothing to do: {CONF} does not exist\n"));
}

#[test]
fn the_backup_of_a_file_that_has_lost_its_hosts_line_is_kept() {
    let mut root = root();
    succeeds(&mut root, "add");
    for content in ["", "passwd: files\n", "hosts: files dns"] {
        root.write(CONF, content);
        let said = succeeds(&mut root, "remove");
        assert!(said.ends_with(&format!("\nleave {BACKUP}: {CONF} has no hosts line that can be edited\n")), "{said}");
        assert_eq!((root.read(CONF), root.read(BACKUP)), (content.into(), OLD.into()));
    }
    root.write(CONF, OLD);
    succeeds(&mut root, "remove");
    assert_eq!(files(&mut root), "nsswitch.conf");
}

/// The backup is the only copy of what the file was before it lost its hosts line.
#[test]
fn an_older_backup_is_neither_overwritten_nor_removed() {
    let mut root = root();
    succeeds(&mut root, "add");
    for (content, number) in [("hosts: files dns\n", 2), ("passwd: files\nhosts: files dns\n", 3)] {
        root.write(CONF, content);
        let backup = format!("{BACKUP}.{number}");
        let said = succeeds(&mut root, "add --dry-run");
        assert!(said.contains(&format!("of {CONF}, with the old file kept as {backup}:\n")), "{said}");
        succeeds(&mut root, "add");
        assert_eq!((root.read(BACKUP), root.read(&backup)), (OLD.into(), content.into()));
    }
    succeeds(&mut root, "remove");
    assert_eq!(root.read(CONF), "passwd: files\nhosts: files dns\n");
    let two = "nsswitch.conf nsswitch.conf.before-nss-mdns nsswitch.conf.before-nss-mdns.2";
    assert_eq!(files(&mut root), two);
    // Nothing was added, so no backup is known to be of use no longer.
    let said = succeeds(&mut root, "remove");
    assert!(said.ends_with(&format!("\nleave {BACKUP}.2: {CONF} differs from it\n")), "{said}");
    assert_eq!(files(&mut root), two);
    // An edit that fails leaves them, too.
    root.ok("mount --bind /etc/nsswitch.conf /etc/nsswitch.conf");
    assert_refused(&mut root, "add", "/etc/nsswitch.conf: is a mount point and cannot be replaced");
    root.ok("umount /etc/nsswitch.conf");
    assert_eq!(files(&mut root), two);
}

#[test]
fn without_a_backup_none_is_made_or_removed() {
    let mut root = root();
    for backup in ["true", "echo older >/etc/nsswitch.conf.before-nss-mdns"] {
        root.ok(backup);
        let before = files(&mut root);
        let said = succeeds(&mut root, "add --no-backup");
        assert!(said.contains(&format!("of {CONF}:\n- ")), "{said}");
        assert_eq!(files(&mut root), before);
        for _ in 0..2 {
            succeeds(&mut root, "remove --no-backup");
            assert_eq!((files(&mut root), root.read(CONF)), (before.clone(), OLD.into()));
        }
    }
}

#[test]
fn the_residue_of_a_killed_edit_is_removed_even_if_there_is_nothing_to_do() {
    let mut root = root();
    root.ok("echo residue >/etc/nsswitch.conf.nss-mdns-new");
    succeeds(&mut root, "remove --dry-run");
    assert_eq!(files(&mut root), "nsswitch.conf nsswitch.conf.nss-mdns-new");
    succeeds(&mut root, "remove");
    assert_eq!(files(&mut root), "nsswitch.conf");
    succeeds(&mut root, "add");
    root.ok("echo residue >/etc/nsswitch.conf.nss-mdns-new");
    succeeds(&mut root, "remove");
    assert_eq!(files(&mut root), "nsswitch.conf");
}

#[test]
fn an_odd_line_is_refused_with_file_line_and_what_was_expected() {
    let mut root = root();
    root.write(CONF, "passwd: files\nhosts: files [NOTFOUND=stop] dns\n");
    assert_refused(&mut root, "add", "/etc/nsswitch.conf: line 2: expected return, continue or merge, found \"stop]\"");
    root.write(CONF, "hosts: files dns\nhosts alpha\n");
    assert_refused(&mut root, "add", "it has more than one hosts line (lines 1, 2)");
}

#[test]
fn a_file_that_authselect_generates_is_not_edited() {
    let mut root = root();
    root.ok("mkdir /etc/authselect; touch /etc/authselect/authselect.conf; mv /etc/nsswitch.conf /etc/authselect/");
    for preparation in [
        "ln -s authselect/nsswitch.conf /etc/nsswitch.conf",
        "cd /etc; rm nsswitch.conf; (echo '# Generated by authselect'; cat authselect/nsswitch.conf) >nsswitch.conf",
    ] {
        root.ok(preparation);
        assert_refused(&mut root, "add", "authselect enable-feature with-mdns4");
    }
    // authselect opt-out leaves a file with that header.
    root.ok("rm /etc/authselect/authselect.conf");
    succeeds(&mut root, "add");
}

#[test]
fn a_read_only_file_system_and_a_mount_point_are_refused() {
    let mut root = root();
    root.ok("mount --bind /etc/nsswitch.conf /etc/nsswitch.conf");
    assert_refused(&mut root, "add", "/etc/nsswitch.conf: is a mount point and cannot be replaced");
    root.ok("umount /etc/nsswitch.conf; mount --bind /etc /etc && mount -o remount,bind,ro /etc");
    assert_refused(&mut root, "add", "/etc/nsswitch.conf.nss-mdns-new: cannot be ");
    // What is there already needs no change.
    root.ok("umount /etc");
    root.write(CONF, NEW);
    root.ok("mount --bind /etc /etc && mount -o remount,bind,ro /etc");
    succeeds(&mut root, "add");
}

#[test]
fn a_full_disk_changes_nothing() {
    let mut root = root();
    root.ok("mkdir /mnt/small; mount -t tmpfs -o size=64k none /mnt/small; cp /etc/nsswitch.conf /mnt/small/conf
             cat /dev/zero >/mnt/small/filling 2>/dev/null; true");
    let before = root.ok("cd /mnt/small; ls; cksum *");
    let done = hosts(&mut root, "add --file /mnt/small/conf");
    assert_eq!(done.status, 1, "{done:?}");
    assert!(done.err.contains("/mnt/small/conf.nss-mdns-new: cannot be written: No space left"), "{done:?}");
    assert_eq!(root.ok("cd /mnt/small; ls; cksum *"), before);
    // One page is enough: the backup takes none.
    root.ok("truncate -s -4096 /mnt/small/filling");
    succeeds(&mut root, "add --file /mnt/small/conf");
    assert_eq!((root.read("/mnt/small/conf"), root.read("/mnt/small/conf.before-nss-mdns")), (NEW.into(), OLD.into()));
}

/// Kills the program before each of its calls that change files. Returns how many kills there were.
fn kill_at_each_call(root: &mut Root, arguments: &str, from: &str, to: &str) -> u32 {
    let preload = guest::compile("interrupted", Kind::Preload).expect("a C compiler");
    for call in 1..100 {
        root.ok("rm -f /etc/nsswitch.conf*");
        root.write(CONF, from);
        root.ok("chmod 604 /etc/nsswitch.conf");
        let before = format!("KILL_AT={call} LD_PRELOAD='{}'", preload.display());
        let killed = hosts_after(root, &before, arguments).status == 137;
        let content = root.read(CONF);
        assert!(content == from || content == to, "{arguments}, killed before call {call}: {content:?}");
        assert_eq!(root.ok("stat -c %a /etc/nsswitch.conf"), "604\n", "{arguments}, killed before call {call}");
        succeeds(root, arguments);
        assert_eq!(root.read(CONF), to, "{arguments}, killed before call {call}");
        let expected = if to == NEW { "nsswitch.conf nsswitch.conf.before-nss-mdns" } else { "nsswitch.conf" };
        assert_eq!(files(root), expected, "{arguments}, killed before call {call}");
        if !killed {
            return call - 1;
        }
    }
    panic!("it makes more than 100 calls")
}

#[test]
fn a_kill_at_any_moment_leaves_the_old_file_or_the_new_one() {
    let mut root = root();
    assert!(kill_at_each_call(&mut root, "add", OLD, NEW) >= 7);
    assert!(kill_at_each_call(&mut root, "remove", NEW, OLD) >= 5);
}

/// A test cannot cut the power, but it can see that everything is on the disk in time.
#[test]
fn the_new_file_is_flushed_before_it_takes_its_place_and_the_folder_afterwards() {
    let mut root = root();
    let preload = guest::compile("interrupted", Kind::Preload).expect("a C compiler");
    root.ok("touch /mnt/trace");
    let done = hosts_after(&mut root, &format!("TRACE=/mnt/trace LD_PRELOAD='{}'", preload.display()), "add");
    assert_eq!(done.status, 0, "{done:?}");
    let calls = root.read("/mnt/trace");
    let calls: Vec<_> = calls.lines().filter(|call| ["write", "fsync", "rename"].contains(call)).collect();
    // The content; the file; the report on standard output.
    assert_eq!(calls, ["write", "fsync", "rename", "fsync", "write"]);
}

#[test]
fn a_change_by_another_program_is_not_overwritten() {
    let mut root = root();
    let preload = guest::compile("interrupted", Kind::Preload).expect("a C compiler");
    let theirs = "hosts: files dns # theirs\n";
    root.write("/mnt/theirs", theirs);
    // In place, and as a new file.
    for change in ["cat /mnt/theirs >/etc/nsswitch.conf", "cp /mnt/theirs /etc/x && mv /etc/x /etc/nsswitch.conf"] {
        root.ok("rm -f /etc/nsswitch.conf*");
        root.write(CONF, OLD);
        let before = format!("CHANGE_AT=2 CHANGE='{change}' LD_PRELOAD='{}'", preload.display());
        let done = hosts_after(&mut root, &before, "add");
        assert_eq!(done.status, 1, "{done:?}");
        assert!(
            done.err.contains("/etc/nsswitch.conf: was changed by another program meanwhile: try again"),
            "{done:?}"
        );
        assert_eq!((root.read(CONF), files(&mut root)), (theirs.into(), "nsswitch.conf".into()), "{change}");
    }
}

#[test]
fn a_second_edit_waits_for_the_first() {
    let mut root = root();
    let preload = guest::compile("interrupted", Kind::Preload).expect("a C compiler");
    // The second one starts when the first one has read the file and not yet replaced it.
    root.write("/mnt/second", format!("'{}' hosts add --service mdns >/dev/null 2>&1 & sleep 0.3", *PROGRAM));
    let before = format!("CHANGE_AT=2 CHANGE='. /mnt/second' LD_PRELOAD='{}'", preload.display());
    let done = hosts_after(&mut root, &before, "add --service mdns_minimal");
    assert_eq!(done.status, 0, "{done:?}");
    let both = "hosts:          files mdns_minimal [NOTFOUND=return] dns mdns";
    root.ok(&format!(
        "for i in $(seq 50); do ! grep -qxF '{both}' {CONF} || exit 0; sleep 0.1; done; cat {CONF}; false"
    ));
}

#[test]
fn edits_at_the_same_time_all_succeed() {
    let mut root = root();
    let run = format!("'{}' hosts", *PROGRAM);
    root.ok(&format!(
        "for i in 1 2 3 4 5 6 7 8; do {run} add --service mdns_minimal & {run} add --service mdns & done; wait"
    ));
    let line = root.ok("grep ^hosts /etc/nsswitch.conf");
    assert_eq!(line.matches("mdns_minimal [NOTFOUND=return]").count(), 1, "{line}");
    assert_eq!(line.matches(" mdns").count(), 2, "{line}");
}

#[test]
fn hosts_explains_and_reports_problems_by_its_status() {
    let mut root = root();
    let lines = |done: &Done| done.out.lines().map(str::to_owned).collect::<Vec<_>>();
    let done = hosts(&mut root, "");
    assert_eq!(done.status, 1, "{done:?}");
    let problem = "hosts: problem: none of the module's services is on the line: write: hosts: files mdns_minimal \
                   [NOTFOUND=return] dns";
    assert_eq!(lines(&done).last().map(String::as_str), Some(problem), "{done:?}");
    root.ok("ln -s $MODULE $LIBDIR/libnss_mdns_minimal.so.2");
    root.write(CONF, NEW);
    let done = hosts(&mut root, "");
    assert_eq!(done.status, 0, "{done:?}");
    assert_eq!(
        lines(&done).first().map(String::as_str),
        Some(&*format!("hosts: line 3 of {CONF} is: hosts: files mdns_minimal [NOTFOUND=return] dns"))
    );
    assert!(lines(&done).iter().all(|line| line.starts_with("hosts: ")), "{done:?}");
    root.write(CONF, "hosts: files mdns_minimal dns\n");
    let done = hosts(&mut root, "");
    assert!(done.status == 0 && done.out.contains("\nhosts: note: "), "a note is no problem: {done:?}");
    root.write(CONF, NEW);
    root.ok("rm $LIBDIR/libnss_mdns_minimal.so.2");
    let done = hosts(&mut root, "");
    assert_eq!(done.status, 1, "{done:?}");
    assert!(done.out.contains("hosts: problem: libnss_mdns_minimal.so.2 is not installed"), "{done:?}");
    root.ok("ln -s $MODULE $LIBDIR/libnss_mdns_minimal.so.2; chmod 640 /etc/nsswitch.conf");
    let done = hosts(&mut root, "");
    assert_eq!(done.status, 1, "{done:?}");
    assert!(done.out.contains("only some users can read"), "{done:?}");
    root.ok("rm /etc/nsswitch.conf");
    let done = hosts(&mut root, "");
    assert_eq!(done.status, 1, "{done:?}");
    assert!(done.out.contains("/etc/nsswitch.conf cannot be read (No such file"), "{done:?}");
}
