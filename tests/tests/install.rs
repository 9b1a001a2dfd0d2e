//! `install.sh` on a whole system: the real dpkg, ldconfig, loader, library folder and `/etc/nsswitch.conf`, each test in
//! a private root of its own, so that the machine stays as it was.

use std::path::{Path, PathBuf};
use std::process::Command;
use tests::module::workspace;
use tests::root::{Done, assert_same, library_folder};
use tests::sandbox::unprivileged;

/// Debian's own default, reduced to what matters here.
const NSSWITCH: &str =
    "# the administrator's own words\npasswd:         files\n\nhosts:          files dns\nnetworks:       files\n";
const NSSWITCH_AFTER: &str = "# the administrator's own words\npasswd:         files\n\nhosts:          files mdns_minimal [NOTFOUND=return] dns\nnetworks:       files\n";
const CONF: &str = "/etc/nsswitch.conf";

/// As in the archive of a release: the script and the built object, without the sources.
const INSTALL: &str = "/mnt/archive/install.sh";

const NAMES: [&str; 6] = [
    "libnss_mdns.so.2",
    "libnss_mdns4.so.2",
    "libnss_mdns6.so.2",
    "libnss_mdns_minimal.so.2",
    "libnss_mdns4_minimal.so.2",
    "libnss_mdns6_minimal.so.2",
];

/// A folder of stand-ins for the commands that change something. Each counts, and before the one whose number
/// is in /mnt/kill_at it kills the whole run, as a power cut would. One name stands for all six that are diverted.
const KILLER: &str = r#"
mkdir -p /mnt/killer
for name in mv cp ln rm mkdir chmod sync dpkg-divert ldconfig head tail; do
    { echo '#!/bin/sh'
      echo "real=$(command -v $name)"
      echo 'case "$0 $*" in *--test* | */dpkg-divert*mdns[.4_]* | */dpkg-divert*minimal*) exec $real "$@" ;; esac'
      echo 'count=$(($(cat /mnt/count) + 1)); echo $count >/mnt/count'
      echo '[ $count -ne "$(cat /mnt/kill_at)" ] || kill -9 0'
      echo 'exec $real "$@"'; } >/mnt/killer/$name
    chmod 755 /mnt/killer/$name
done
"#;

fn module() -> &'static Path {
    tests::module::path().expect("the module is built")
}

fn cargo() -> PathBuf {
    std::env::var_os("CARGO").map_or_else(|| "cargo".into(), PathBuf::from)
}

/// Debian's own module, which `tests/deps` fetches.
fn debian_package() -> PathBuf {
    tests::deps::package("libnss-mdns").expect("the package")
}

/// A private root with a hosts line and, in /mnt/archive, the archive of a release.
struct Root(tests::root::Root);

impl Root {
    fn new() -> Root {
        let mut root = tests::root::Root::new();
        root.ok("mkdir /mnt/archive; cp \"$CHECKOUT/install.sh\" \"$MODULE\" /mnt/archive/");
        root.write(CONF, NSSWITCH);
        Root(root)
    }

    /// With Debian's libnss-mdns installed by the real dpkg, and a hosts line that does not name it.
    fn with_debian_package() -> Root {
        let mut root = Root::new();
        root.ok(&format!("dpkg --install {}", debian_package().display()));
        root.write(CONF, NSSWITCH);
        root
    }

    /// install.sh with these arguments.
    fn install(&mut self, arguments: &str) -> Done {
        self.run(&format!("sh {INSTALL} {arguments}"))
    }

    #[track_caller]
    fn installed(&mut self) -> Done {
        let done = self.install("--no-check");
        assert_eq!(done.status, 0, "{done:?}");
        done
    }

    #[track_caller]
    fn uninstalled(&mut self) -> Done {
        let done = self.install("--uninstall");
        assert_eq!(done.status, 0, "{done:?}");
        done
    }

    /// Runs install.sh and kills it before its n-th change. Whether it came that far.
    #[track_caller]
    fn killed_at(&mut self, n: u32, arguments: &str) -> bool {
        let done = self.run(&format!(
            "echo 0 >/mnt/count; echo {n} >/mnt/kill_at; PATH=/mnt/killer:$PATH setsid -w sh {INSTALL} {arguments}"
        ));
        assert!([0, 137].contains(&done.status), "{arguments} killed at {n}: {done:?}");
        done.status == 137
    }

    /// nsswitch.conf is the old or the new one, and each of the six files is theirs or ours, and whole.
    #[track_caller]
    fn assert_sound(&mut self, what: &str) {
        let conf = self.read(CONF);
        assert!([NSSWITCH, NSSWITCH_AFTER].contains(&&*conf), "{what}: {conf:?}");
        let intact = self.run(&format!(
            "for name in {}; do cmp -s $LIBDIR/$name $MODULE || cmp -s $LIBDIR/$name /mnt/theirs/$name || exit 1; done",
            NAMES.join(" ")
        ));
        assert_eq!(intact.status, 0, "{what}: a file is neither theirs nor ours");
    }
}

impl std::ops::Deref for Root {
    type Target = tests::root::Root;
    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl std::ops::DerefMut for Root {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.0
    }
}

/// One sentence on standard error, exit status 1.
#[track_caller]
fn assert_refused(done: &Done, sentence: &str) {
    assert_eq!(done.status, 1, "{done:?}");
    assert!(done.err.contains(sentence), "{sentence:?} is not in {:?}", done.err);
    assert_eq!(done.err.lines().count(), 1, "{:?}", done.err);
}

#[test]
fn one_object_and_five_links_appear_and_vanish_without_a_trace() {
    let mut root = Root::new();
    let before = root.snapshot();
    root.installed();
    root.ok("cmp $MODULE $LIBDIR/libnss_mdns.so.2");
    assert_eq!(root.ok("stat -c '%F %a %u %g' $LIBDIR/libnss_mdns.so.2"), "regular file 644 0 0\n");
    for link in &NAMES[1..] {
        assert_eq!(root.ok(&format!("readlink $LIBDIR/{link}")), "libnss_mdns.so.2\n");
    }
    assert_eq!(root.read(CONF), NSSWITCH_AFTER);
    assert_eq!(root.ok("ls -d $LIBDIR/nss-mdns-*"), format!("{}/nss-mdns-kept\n", library_folder()));
    root.uninstalled();
    assert_same(&before, &root.snapshot(), "after the removal");
}

#[test]
fn a_second_run_changes_nothing() {
    let mut root = Root::new();
    let before = root.snapshot();
    root.installed();
    let once = root.snapshot();
    let again = root.installed();
    assert!(again.out.contains("nothing to do"), "{again:?}");
    assert_same(&once, &root.snapshot(), "after the second installation");
    root.uninstalled();
    let again = root.uninstalled();
    assert!(again.out.contains("nothing to do"), "{again:?}");
    assert_same(&before, &root.snapshot(), "after the second removal");
}

#[test]
fn a_newer_object_is_a_new_file_beside_the_one_in_use() {
    let mut root = Root::new();
    let before = root.snapshot();
    root.installed();
    root.ok("ln $LIBDIR/libnss_mdns.so.2 /usr/lib64/in-use; printf newer >>/mnt/archive/libnss_mdns.so");
    let done = root.installed();
    assert_eq!(done.out.lines().filter(|line| line.starts_with("install ")).count(), 1, "{done:?}");
    root.ok("cmp /mnt/archive/libnss_mdns.so $LIBDIR/libnss_mdns.so.2");
    root.ok("cmp $MODULE /usr/lib64/in-use && rm /usr/lib64/in-use");
    root.uninstalled();
    assert_same(&before, &root.snapshot(), "after the removal");
}

#[test]
fn debians_package_comes_back_byte_for_byte() {
    let mut root = Root::with_debian_package();
    let before = root.snapshot();
    let theirs = root.ok("cksum <$LIBDIR/libnss_mdns4_minimal.so.2");
    root.installed();
    root.ok("ldconfig");
    for name in NAMES {
        root.ok(&format!("cmp $MODULE $LIBDIR/{name}"));
    }
    root.uninstalled();
    assert_eq!(root.ok("cksum <$LIBDIR/libnss_mdns4_minimal.so.2"), theirs);
    assert_same(&before, &root.snapshot(), "after the removal");
    assert_eq!(root.ok("dpkg --verify libnss-mdns"), "");
}

#[test]
fn the_line_that_debians_package_wrote_stays() {
    let mut root = Root::new();
    root.ok(&format!("dpkg --install {}", debian_package().display()));
    let line = "hosts:          files mdns4_minimal [NOTFOUND=return] dns\n";
    assert!(root.read(CONF).contains(line));
    let before = root.snapshot();
    root.installed();
    assert!(root.read(CONF).contains(line));
    root.uninstalled();
    assert_same(&before, &root.snapshot(), "after the removal");
}

#[test]
fn debians_package_may_come_later_be_upgraded_and_go() {
    let mut root = Root::new();
    root.installed();
    for _ in 0..2 {
        root.ok(&format!("dpkg --install {}", debian_package().display()));
        for name in NAMES {
            root.ok(&format!("cmp $MODULE $LIBDIR/{name}"));
        }
    }
    assert_eq!(root.read(CONF), NSSWITCH_AFTER);
    root.uninstalled();
    assert_eq!(root.ok("dpkg --verify libnss-mdns"), "", "all the package's files are in their places");
    root.installed();
    root.ok("dpkg --purge libnss-mdns");
    assert!(!root.read(CONF).contains("mdns"), "the package's own removal takes every mdns service off the line");
    root.installed();
    assert_eq!(root.read(CONF), NSSWITCH_AFTER);
    root.uninstalled();
    assert_eq!(root.read(CONF), NSSWITCH);
    assert_eq!(root.ok("ls $LIBDIR | grep -c mdns; true"), "0\n");
    assert_eq!(root.ok("dpkg-divert --list | grep -c mdns; true"), "0\n");
}

/// Hosts lines (or files), and what becomes of them: the new text, or the sentence of the refusal.
#[rustfmt::skip]
const LINES: &[(&str, Result<&str, &str>)] = &[
    ("hosts: files dns\n", Ok("hosts: files mdns_minimal [NOTFOUND=return] dns\n")),
    ("hosts: files dns", Ok("hosts: files mdns_minimal [NOTFOUND=return] dns")),
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
    ("passwd: files\n", Err("odd: it has no hosts line")),
    ("", Err("odd: it has no hosts line")),
    ("#hosts: files dns\nHosts: files dns\n", Err("odd: it has no hosts line")),
    ("hosts: files dns\nhosts: files\n", Err("odd: it has more than one hosts line")),
    ("hosts:\n", Err("odd: its hosts line names no service")),
    ("hosts: # files dns\n", Err("odd: its hosts line names no service")),
    ("hosts: files \\\n  dns\n", Err("odd: \"\\\" on its hosts line is neither a service nor an action")),
    ("hosts: files dns networks: files\n", Err("odd: \"networks:\" on its hosts line is neither")),
    ("hosts: files [NOTFOUND=return dns\n", Err("odd: \"[\" on its hosts line is neither")),
    ("hosts: files ] dns\n", Err("odd: \"]\" on its hosts line is neither")),
    ("hosts: [NOTFOUND=return] dns\n", Err("odd: its hosts line begins with an action")),
    ("hosts: files\0 dns\n", Err("odd: it holds NUL bytes")),
];

#[test]
fn odd_hosts_lines_are_kept_to_the_byte_or_refused() {
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

#[test]
fn a_missing_nsswitch_conf_is_refused() {
    let mut root = Root::new();
    for preparation in
        ["rm /etc/nsswitch.conf", "ln -s nowhere /etc/nsswitch.conf", "ln -sf /dev/null /etc/nsswitch.conf"]
    {
        root.ok(preparation);
        let before = root.traces();
        assert_refused(&root.install("--no-check"), "/etc/nsswitch.conf is not there, or no regular file");
        assert_same(&before, &root.traces(), preparation);
    }
}

#[test]
fn what_the_administrator_changed_since_is_kept() {
    let mut root = Root::new();
    for (now, then) in [
        ("rpc: db\nhosts: files mdns_minimal [NOTFOUND=return] resolve\n", "rpc: db\nhosts: files resolve\n"),
        ("hosts: files mdns_minimal dns # unicast .local\n", "hosts: files dns # unicast .local\n"),
        ("hosts: dns mdns_minimal [NOTFOUND=return] # last\n", "hosts: dns # last\n"),
        ("hosts: files mdns4_minimal dns\n", "hosts: files mdns4_minimal dns\n"),
        ("passwd: files\n", "passwd: files\n"),
        (NSSWITCH, NSSWITCH),
    ] {
        root.write(CONF, NSSWITCH);
        root.installed();
        root.write(CONF, now);
        root.uninstalled();
        assert_eq!(root.read(CONF), then);
        assert_eq!(root.ok("ls -a /etc | grep nsswitch"), "nsswitch.conf\n", "no backup stays");
    }
}

#[test]
fn a_symbolic_link_stays_one_and_its_target_is_edited() {
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
fn read_only_folders_are_refused_before_anything_is_changed() {
    for folder in ["/etc", library_folder()] {
        let mut root = Root::new();
        root.ok(&format!("mount --bind {folder} {folder} && mount -o remount,bind,ro {folder}"));
        let before = root.traces();
        assert_refused(&root.install("--no-check"), &format!("{folder} cannot be written to"));
        assert_same(&before, &root.traces(), folder);
    }
}

#[test]
fn a_read_only_etc_is_no_obstacle_where_the_service_is_on_the_line() {
    let mut root = Root::new();
    root.write(CONF, NSSWITCH_AFTER);
    root.ok("mount --bind /etc /etc && mount -o remount,bind,ro /etc");
    let done = root.installed();
    assert!(done.err.contains("ldconfig failed"), "{done:?}");
    root.ok("cmp $MODULE $LIBDIR/libnss_mdns.so.2");
}

#[test]
fn an_nsswitch_conf_that_cannot_be_replaced_takes_the_whole_installation_back() {
    let mut root = Root::with_debian_package();
    let before = root.snapshot();
    // A mount point cannot be renamed over.
    root.ok("mount --bind /etc/nsswitch.conf /etc/nsswitch.conf");
    let done = root.install("--no-check");
    assert_eq!(done.status, 1, "{done:?}");
    assert!(done.err.contains("install.sh: /etc/nsswitch.conf cannot be replaced"), "{done:?}");
    root.ok("umount /etc/nsswitch.conf");
    assert_same(&before, &root.snapshot(), "after the failure");
}

#[test]
fn a_full_etc_is_refused_and_nothing_changed() {
    let mut refused = 0;
    for pages in 0..5 {
        let mut root = Root::new();
        root.ok(&format!(
            "mkdir /mnt/etc; mount -t tmpfs -o size=1m none /mnt/etc
             cp -a /etc/nsswitch.conf /etc/passwd /etc/group /etc/alternatives /mnt/etc/; mount --bind /mnt/etc /etc; ldconfig
             head -c {} /dev/zero >/etc/room; cat /dev/zero >/etc/filling 2>/dev/null; rm /etc/room",
            pages * 4096
        ));
        let before = root.snapshot();
        let done = root.install("--no-check");
        if done.status == 0 {
            assert_eq!(root.read(CONF), NSSWITCH_AFTER, "{pages} pages");
            root.uninstalled();
        } else {
            refused += 1;
            assert!(done.err.contains("is the disk full?"), "{done:?}");
        }
        assert_same(&before, &root.snapshot(), &format!("with {pages} pages left: {done:?}"));
    }
    assert!((1..5).contains(&refused), "both outcomes must be seen; {refused} refusals");
}

#[test]
fn a_full_library_folder_is_refused_and_nothing_changed() {
    let size = std::fs::metadata(module()).expect("the module").len().div_ceil(4096);
    let mut refused = 0;
    let choices = [0, 1, size / 2, size - 1, size, size + 4];
    for pages in choices {
        let mut root = Root::new();
        root.ok(&format!(
            "mkdir /mnt/lib; mount -t tmpfs -o size=8m none /mnt/lib
             head -c {} /dev/zero >/mnt/lib/room; cat /dev/zero >/mnt/lib/filling 2>/dev/null; rm /mnt/lib/room",
            pages * 4096
        ));
        let before = root.ok("MORE=/mnt/lib; snapshot");
        let done = root.install("--no-check --libdir /mnt/lib");
        if done.status == 0 {
            assert_eq!(root.install("--uninstall --libdir /mnt/lib").status, 0);
        } else {
            refused += 1;
            assert_eq!(done.status, 1, "{done:?}");
            assert!(done.err.contains("is the disk full?"), "{done:?}");
        }
        assert_same(&before, &root.ok("MORE=/mnt/lib; snapshot"), &format!("{pages} pages left: {done:?}"));
    }
    assert!((4..choices.len()).contains(&refused), "both outcomes must be seen; {refused} refusals");
}

#[test]
fn a_dpkg_database_that_cannot_be_written_is_refused() {
    let mut root = Root::with_debian_package();
    root.ok("mount --bind /var/lib/dpkg /var/lib/dpkg && mount -o remount,bind,ro /var/lib/dpkg");
    let before = root.snapshot();
    let done = root.install("--no-check");
    assert_eq!(done.status, 1, "{done:?}");
    assert!(done.err.contains("install.sh: dpkg-divert failed"), "{done:?}");
    assert_same(&before, &root.snapshot(), "after the failure");
}

#[test]
fn somebody_elses_diversion_is_refused() {
    let mut root = Root::new();
    root.ok("dpkg-divert --quiet --local --no-rename --divert /mnt/elsewhere --add $LIBDIR/libnss_mdns6.so.2");
    let before = root.snapshot();
    let done = root.install("--no-check");
    assert_eq!(done.status, 1, "{done:?}");
    assert!(done.err.contains("dpkg does not let the names of the module be diverted"), "{done:?}");
    assert_same(&before, &root.snapshot(), "after the refusal");
}

/// Kills the installation before each of its changes, one after the other, then tries to go on from there and back.
#[track_caller]
fn kill_at_each_moment_of_the_installation(root: &mut Root) -> u32 {
    root.ok(KILLER);
    root.ok("mkdir /mnt/theirs && cp -a $LIBDIR/libnss_mdns*.so.2 /mnt/theirs/");
    let before = root.snapshot();
    let mut moments = 0;
    while moments < 200 && root.killed_at(moments + 1, "--no-check") {
        moments += 1;
        let what = format!("killed before change {moments}");
        root.assert_sound(&what);
        if moments % 4 == 0 {
            root.installed();
            assert_eq!(root.read(CONF), NSSWITCH_AFTER, "{what}");
            for name in NAMES {
                root.ok(&format!("cmp $MODULE $LIBDIR/{name}"));
            }
        }
        root.uninstalled();
        assert_same(&before, &root.snapshot(), &what);
    }
    moments
}

#[test]
fn a_kill_at_any_moment_of_the_installation_leaves_a_sound_system() {
    let moments = kill_at_each_moment_of_the_installation(&mut Root::with_debian_package());
    assert!((40..200).contains(&moments), "{moments} moments were tried");
}

#[test]
fn a_kill_at_any_moment_over_a_package_with_the_same_links_leaves_a_sound_system() {
    let mut root = Root::new();
    root.ok("mount --bind /dev/null /var/lib/dpkg/status; cd $LIBDIR; echo theirs >libnss_mdns.so.2");
    for link in &NAMES[1..] {
        root.ok(&format!("ln -s libnss_mdns.so.2 $LIBDIR/{link}"));
    }
    root.ok("ldconfig");
    let moments = kill_at_each_moment_of_the_installation(&mut root);
    assert!((20..200).contains(&moments), "{moments} moments were tried");
}

#[test]
fn a_kill_at_any_moment_of_the_removal_leaves_a_sound_system() {
    let mut root = Root::with_debian_package();
    root.ok(KILLER);
    root.ok("mkdir /mnt/theirs && cp -a $LIBDIR/libnss_mdns*.so.2 /mnt/theirs/");
    let before = root.snapshot();
    let mut moments = 0;
    root.installed();
    while moments < 200 && root.killed_at(moments + 1, "--uninstall") {
        moments += 1;
        let what = format!("killed before change {moments}");
        root.assert_sound(&what);
        if moments % 4 == 0 {
            root.installed();
        }
        root.uninstalled();
        assert_same(&before, &root.snapshot(), &what);
        root.installed();
    }
    assert!((20..200).contains(&moments), "{moments} moments were tried");
}

#[test]
fn a_kill_after_any_delay_leaves_a_sound_system() {
    let mut root = Root::with_debian_package();
    root.ok("mkdir /mnt/theirs && cp -a $LIBDIR/libnss_mdns*.so.2 /mnt/theirs/");
    let before = root.snapshot();
    for centiseconds in (0..30).step_by(3) {
        let what = format!("killed after {centiseconds}0 ms");
        root.run(&format!("setsid sh {INSTALL} --no-check & sleep 0.{centiseconds:02}; kill -9 -$!; wait $!"));
        root.assert_sound(&what);
        root.uninstalled();
        assert_same(&before, &root.snapshot(), &what);
    }
}

#[test]
fn an_interrupted_installation_takes_itself_back() {
    let mut root = Root::with_debian_package();
    let before = root.snapshot();
    root.ok("mkdir /mnt/bin; printf '#!/bin/sh\nkill -TERM $PPID\nexec /usr/sbin/ldconfig\n' >/mnt/bin/ldconfig
         chmod 755 /mnt/bin/ldconfig");
    let done = root.run(&format!("PATH=/mnt/bin:$PATH sh {INSTALL} --no-check --libdir $LIBDIR"));
    assert_refused(&done, "interrupted");
    assert_same(&before, &root.snapshot(), "after the interruption");
}

#[test]
fn a_change_by_someone_else_in_the_meantime_is_not_overwritten() {
    let mut root = Root::new();
    let before = root.snapshot();
    let meanwhile = "hosts: files dns # meanwhile\n";
    root.write("/mnt/meanwhile", meanwhile);
    root.ok("mkdir /mnt/bin; printf '#!/bin/sh\ncp /mnt/meanwhile /etc/nsswitch.conf\nexec /usr/sbin/ldconfig\n' \
         >/mnt/bin/ldconfig; chmod 755 /mnt/bin/ldconfig");
    let done = root.run(&format!("PATH=/mnt/bin:$PATH sh {INSTALL} --no-check --libdir $LIBDIR"));
    assert_refused(&done, "/etc/nsswitch.conf was changed by someone else meanwhile");
    assert_eq!(root.read(CONF), meanwhile);
    let strip = |text: &str| -> String { text.lines().filter(|line| !line.contains(CONF)).collect() };
    assert_eq!(strip(&before), strip(&root.snapshot()), "nothing else is different");
}

#[test]
fn two_runs_at_once_are_refused() {
    let mut root = Root::new();
    let before = root.traces();
    let done = root.run(&format!("exec 8</etc; flock -n 8; sh {INSTALL} --no-check"));
    assert_refused(&done, "another install.sh is running");
    assert_same(&before, &root.traces(), "after the refusal");
}

#[test]
fn destdir_holds_object_and_links_and_the_system_is_untouched() {
    let mut root = Root::new();
    let before = root.traces();
    root.ok(&format!("cd /mnt && mkdir stage && sh {INSTALL} --destdir stage --libdir=/usr/lib64"));
    let link = |name: &str| format!("usr/lib64/{name} l 777 libnss_mdns.so.2");
    let mut wanted: Vec<String> = NAMES[1..].iter().copied().map(link).collect();
    wanted.push("usr/lib64/libnss_mdns.so.2 f 644 ".into());
    wanted.sort();
    let found = root.ok("cd /mnt/stage && find . ! -type d -printf '%P %y %m %l\\n' | LC_ALL=C sort");
    assert_eq!(found.lines().collect::<Vec<_>>(), wanted);
    assert_eq!(root.ok("find /mnt/stage -type d | wc -l"), "3\n");
    root.ok("cmp $MODULE /mnt/stage/usr/lib64/libnss_mdns.so.2");
    assert_same(&before, &root.traces(), "after staging");
}

#[test]
fn destdir_needs_no_root_and_builds_with_cargo() {
    let stage = workspace().join(format!("target/install-test-{}", std::process::id()));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = cargo().parent().map(Path::to_path_buf).into_iter().chain(std::env::split_paths(&path));
    let output = Command::new(workspace().join("install.sh"))
        .arg("--destdir")
        .arg(&stage)
        .env("PATH", std::env::join_paths(folders).expect("a path"))
        .output()
        .expect("install.sh starts");
    let staged = std::fs::read(stage.join(library_folder().trim_start_matches('/')).join(NAMES[0]));
    let _ = std::fs::remove_dir_all(&stage);
    assert!(output.status.success(), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stdout).starts_with("build target/release/libnss_mdns.so"));
    assert!(staged.expect("the object") == std::fs::read(module()).expect("the module"));
}

#[test]
fn a_dry_run_shows_the_change_and_makes_none() {
    let mut root = Root::with_debian_package();
    let before = root.traces();
    let done = root.run(&format!("unshare -U sh {INSTALL} --dry-run"));
    assert_eq!((done.status, &*done.err), (0, ""), "{done:?}");
    let change = "- hosts:          files dns\n+ hosts:          files mdns_minimal [NOTFOUND=return] dns\n";
    assert!(done.out.contains(change), "{done:?}");
    assert_eq!(done.out.matches("would keep").count(), 6, "{done:?}");
    assert_same(&before, &root.traces(), "after the dry run");
    root.write(CONF, "passwd: files\n");
    assert_refused(&root.install("--dry-run"), "odd: it has no hosts line");

    root.write(CONF, NSSWITCH);
    root.installed();
    let before = root.traces();
    let done = root.run(&format!("unshare -U sh {INSTALL} --uninstall --dry-run"));
    assert_eq!((done.status, &*done.err), (0, ""), "{done:?}");
    let change = "- hosts:          files mdns_minimal [NOTFOUND=return] dns\n+ hosts:          files dns\n";
    assert!(done.out.contains(change), "{done:?}");
    assert_eq!(done.out.matches("would bring back").count(), 7, "{done:?}");
    assert_same(&before, &root.traces(), "after the second dry run");
}

#[test]
fn without_root_it_says_so() {
    let mut root = Root::new();
    let before = root.traces();
    for arguments in ["", "--uninstall"] {
        assert_refused(&root.run(&format!("unshare -U sh {INSTALL} {arguments}")), "this needs root");
    }
    assert_same(&before, &root.traces(), "after the refusals");
}

#[test]
fn without_cargo_and_without_a_built_module_it_says_so() {
    let mut root = Root::new();
    root.ok("rm /mnt/archive/libnss_mdns.so; touch /mnt/archive/Cargo.toml");
    let before = root.traces();
    assert_refused(&root.install(""), "cargo is not here to build the module");
    assert_refused(&root.install("--destdir /mnt/stage"), "cargo is not here to build the module");
    assert_refused(&root.install("--try"), "--try needs cargo");
    assert_same(&before, &root.traces(), "after the refusals");
}

#[test]
fn a_failing_build_changes_nothing() {
    let mut root = Root::new();
    root.ok("touch /mnt/archive/Cargo.toml; mkdir /mnt/bin; printf '#!/bin/sh\nexit 101\n' >/mnt/bin/cargo
         chmod 755 /mnt/bin/cargo");
    let before = root.traces();
    assert_refused(&root.run(&format!("PATH=/mnt/bin:$PATH sh {INSTALL}")), "cargo could not build the module");
    assert_same(&before, &root.traces(), "after the failed build");
}

#[test]
fn under_sudo_the_calling_user_builds() {
    let mut root = Root::new();
    root.ok("mkdir -p /mnt/bin /mnt/tree; cp /mnt/archive/* /mnt/tree/; touch /mnt/tree/Cargo.toml
         printf '#!/bin/sh\nmkdir -p target/release && cp libnss_mdns.so target/release/\n' >/mnt/bin/cargo
         chmod 755 /mnt/bin/cargo");
    let run = "PATH=/mnt/bin:$PATH SUDO_USER=nobody sh /mnt/tree/install.sh --no-check";
    if unprivileged() {
        // One user is all that an ordinary user's namespace has, so here the change of user can only be watched.
        root.ok("printf '#!/bin/sh\necho \"$@\" >>/mnt/watched; shift 3; exec \"$@\"\n' >/mnt/bin/runuser
             chmod 755 /mnt/bin/runuser");
        assert!(root.ok(run).contains("build target/release/libnss_mdns.so as nobody\n"));
        assert!(root.read("/mnt/watched").contains("-u nobody -- env HOME="));
        return;
    }
    root.ok("chown -R nobody /mnt/tree");
    assert!(root.ok(run).contains("build target/release/libnss_mdns.so as nobody\n"));
    assert_eq!(root.ok("stat -c %U /mnt/tree/target/release/libnss_mdns.so"), "nobody\n");
    root.ok("rm -r /mnt/tree/target; chown -R root /mnt/tree");
    root.ok(run);
    assert_eq!(root.ok("stat -c %U /mnt/tree/target/release/libnss_mdns.so"), "root\n", "the tree is root's");
}

#[test]
fn wrong_usage_is_one_sentence_and_status_2() {
    let mut root = Root::new();
    for arguments in ["--frobnicate", "extra", "--libdir", "--dry-run=yes", "--uninstall --destdir /mnt/stage"] {
        let done = root.install(arguments);
        assert_eq!((done.status, done.err.lines().count()), (2, 1), "{arguments}: {done:?}");
        assert!(done.err.contains("--help"), "{done:?}");
    }
    let help = root.install("--help");
    assert_eq!((help.status, &*help.err), (0, ""));
    let text = std::fs::read_to_string(workspace().join("install.sh")).expect("install.sh");
    let parsed = &text[text.find("case $1 in\n        --help").expect("the options")..];
    let options = parsed.split_whitespace().take_while(|word| *word != "*)").filter(|word| word.starts_with("--"));
    let options: Vec<_> = options.map(|word| word.trim_end_matches(')')).collect();
    assert_eq!(options.len(), 9, "{options:?}");
    for option in options {
        assert!(help.out.contains(option), "--help names {option}");
    }
}

/// A system whose libc is in `folder`, without dpkg, and with a ldconfig that says so.
fn root_of_another_distribution(folder: &str) -> Root {
    let mut root = Root::new();
    root.ok(&format!("mkdir -p {folder} /mnt/bin; cp $LIBDIR/libc.so.6 {folder}/libc.so.6"));
    root.write(
        "/mnt/bin/ldconfig",
        &format!(
            "#!/bin/sh\n[ \"$1\" = -p ] || exec /usr/sbin/ldconfig \"$@\"\n\
             echo '3 libs found in cache'\n\
             printf '\\tlibc.so.6 (libc6, hwcap: \"x86-64-v3\") => /usr/lib/v3/libc.so.6\\n'\n\
             printf '\\tlibc.so.6 (libc6,x86-64, OS ABI: Linux 3.2.0) => {folder}/libc.so.6\\n'\n\
             printf '\\tlibcrypt.so.2 (libc6,x86-64) => /usr/lib/other/libcrypt.so.2\\n'\n"
        ),
    );
    root.ok("mkdir /usr/lib/v3; cp $LIBDIR/libc.so.6 /usr/lib/v3/");
    root.ok("chmod 755 /mnt/bin/ldconfig; mount --bind /dev/null /var/lib/dpkg/status");
    root
}

#[test]
fn fedoras_and_archs_folders_are_found_and_foreign_files_kept_without_dpkg() {
    for folder in ["/usr/lib64", "/usr/lib"] {
        let mut root = root_of_another_distribution(folder);
        let install = format!("PATH=/mnt/bin:$PATH sh {INSTALL}");
        root.ok(&format!("cd {folder}; echo theirs >libnss_mdns4_minimal.so.2; ln -s elsewhere libnss_mdns6.so.2"));
        let snapshot = format!("MORE=$(ls -d {folder}/libnss_* {folder}/nss-mdns-* 2>/dev/null); snapshot");
        root.ok("ldconfig");
        let before = root.ok(&snapshot);
        let out = root.ok(&format!("{install} --no-check"));
        assert!(out.contains(&format!("install {folder}/libnss_mdns.so.2\n")), "{out}");
        assert!(!out.contains("divert"), "{out}");
        for name in NAMES {
            root.ok(&format!("cmp $MODULE {folder}/{name}"));
        }
        // Other package managers ask nobody: what they put over ours is kept as well.
        root.ok(&format!("cd {folder}; rm libnss_mdns_minimal.so.2; echo newer >libnss_mdns_minimal.so.2"));
        root.ok(&format!("{install} --no-check; cmp $MODULE {folder}/libnss_mdns_minimal.so.2"));
        root.ok(&format!("{install} --uninstall"));
        assert_eq!(root.read(&format!("{folder}/libnss_mdns_minimal.so.2")), "newer\n");
        root.ok(&format!("rm {folder}/libnss_mdns_minimal.so.2; ldconfig"));
        assert_same(&before, &root.ok(&snapshot), folder);
    }
}

#[test]
fn what_another_package_put_over_ours_stays_when_ours_goes() {
    let mut root = root_of_another_distribution("/usr/lib64");
    root.ok("echo older >/usr/lib64/libnss_mdns.so.2");
    root.ok(&format!("PATH=/mnt/bin:$PATH sh {INSTALL} --no-check"));
    root.ok("rm /usr/lib64/libnss_mdns.so.2; echo newer >/usr/lib64/libnss_mdns.so.2");
    root.ok(&format!("PATH=/mnt/bin:$PATH sh {INSTALL} --uninstall"));
    assert_eq!(root.read("/usr/lib64/libnss_mdns.so.2"), "newer\n");
    assert_eq!(root.ok("ls /usr/lib64 | grep mdns"), "libnss_mdns.so.2\n");
}

#[test]
fn a_file_that_authselect_writes_is_left_to_authselect() {
    let mut root = root_of_another_distribution("/usr/lib64");
    root.ok("mkdir /etc/authselect; mv /etc/nsswitch.conf /etc/authselect/");
    for preparation in [
        "ln -s authselect/nsswitch.conf /etc/nsswitch.conf",
        "cd /etc; rm nsswitch.conf; (echo '# Generated by authselect'; cat authselect/nsswitch.conf) >nsswitch.conf",
    ] {
        root.ok(preparation);
        let before = root.read(CONF);
        let out = root.ok(&format!("PATH=/mnt/bin:$PATH sh {INSTALL} --no-check"));
        assert!(out.contains("authselect enable-feature with-mdns4\n"), "{out}");
        assert!(out.contains("authselect enable-feature with-mdns6\n"), "{out}");
        assert_eq!(root.read(CONF), before);
        root.ok(&format!("PATH=/mnt/bin:$PATH sh {INSTALL} --uninstall"));
        assert_eq!(root.read(CONF), before);
    }
}

#[test]
fn a_second_architecture_has_its_own_folder() {
    let mut root = Root::new();
    let i386 = "/usr/lib/i386-linux-gnu";
    // The headers are all that tells the two apart: class 1, machine 3.
    root.ok(&format!(
        "mkdir -p {i386}; for file in /mnt/archive/libnss_mdns.so $LIBDIR/libc.so.6; do
             {{ printf '\\177ELF\\001'; head -c 18 $file | tail -c +6; printf '\\003\\000'; tail -c +21 $file; }} \
             >/mnt/$(basename $file)
         done; mv /mnt/libc.so.6 {i386}/; ldconfig"
    ));
    let snapshot = format!("MORE={i386}; snapshot");
    let before = root.ok(&snapshot);
    let done = root.install(&format!("--no-check --libdir {i386}"));
    assert_refused(&done, "is built for another architecture");
    root.installed();
    let out = root.ok(&format!("sh {INSTALL} --no-check --module /mnt/libnss_mdns.so"));
    assert!(out.contains(&format!("install {i386}/libnss_mdns.so.2\n")), "{out}");
    root.ok(&format!("sh {INSTALL} --uninstall --libdir {i386}"));
    assert_eq!(root.read(CONF), NSSWITCH_AFTER, "the other folder's module still needs it");
    root.ok(&format!("sh {INSTALL} --no-check --module /mnt/libnss_mdns.so"));
    root.uninstalled();
    assert_same(&before, &root.ok(&snapshot), "after the removal of both");
}

#[test]
fn arguments_that_lead_nowhere_are_refused() {
    let mut root = Root::new();
    let before = root.traces();
    assert_refused(&root.install("--module /etc/passwd"), "/etc/passwd is not the module");
    assert_refused(&root.install("--module $LIBDIR/libc.so.6"), "libc.so.6 is not the module");
    assert_refused(&root.install("--module /mnt/nowhere"), "/mnt/nowhere does not exist");
    assert_refused(&root.install("--libdir /mnt/nowhere"), "/mnt/nowhere is not a folder");
    assert_same(&before, &root.traces(), "after the refusals");
}

#[test]
fn the_example_is_a_valid_nsswitch_conf() {
    let mut root = Root::new();
    root.ok("cp $CHECKOUT/nsswitch.conf.example /etc/nsswitch.conf");
    let example = root.read(CONF);
    assert_eq!(example.matches("\nhosts:").count(), 1);
    assert!(example.contains("\nhosts:          files mdns_minimal [NOTFOUND=return] dns\n"));
    root.installed();
    assert_eq!(root.read(CONF), example, "the module is on its line already");
    let trace = root.ok("LD_DEBUG=files getent hosts nobody.local 2>&1; true");
    assert!(trace.contains("file=libnss_mdns_minimal.so.2 "), "{trace}");
    root.ok("getent passwd root && getent hosts localhost && getent services ssh && getent protocols tcp");
    let others: Vec<_> = example.lines().filter_map(|line| line.strip_prefix("#hosts:")).collect();
    assert_eq!(others.len(), 4);
    for line in others {
        root.write(CONF, &format!("hosts:{line}\n"));
        root.ok("getent hosts localhost");
        let done = root.installed();
        assert!(done.out.contains("nothing to do"), "{line}: {done:?}");
    }
}

/// Two interfaces that are each other's network, for the machine's own name to be asked on.
const LINK: &str = "ip link add lan0 type veth peer name lan1 && ip link set lan0 up && ip link set lan1 up &&
    ip addr add 192.0.2.7/24 dev lan0";

#[track_caller]
fn assert_does_not_resolve(done: &Done, sentence: &str) {
    assert_eq!(done.status, 3, "{done:?}");
    assert!(done.err.contains("does not resolve: "), "{done:?}");
    assert!(done.err.contains(sentence), "{sentence:?} is not in {:?}", done.err);
    assert_eq!(done.err.lines().count(), 1, "{:?}", done.err);
}

#[test]
fn at_the_end_the_machines_own_name_resolves() {
    let mut root = Root::new();
    root.ok(LINK);
    let done = root.install("");
    assert_eq!((done.status, &*done.err), (0, ""), "{done:?}");
    let check = done.out.lines().last().expect("a last line");
    assert!(check.starts_with("check: workbench.local is ") && check.contains("192.0.2.7"), "{check}");
    assert!(root.ok("getent hosts workbench.local").contains("workbench.local"));
}

#[test]
fn a_name_that_nobody_has_is_told_from_a_module_that_is_not_loaded() {
    let mut root = Root::new();
    root.ok(LINK);
    let done = root.install("--check-name=nobody.local");
    assert_does_not_resolve(&done, "the module was loaded and asked, but nobody answered");
    assert_eq!(root.read(CONF), NSSWITCH_AFTER, "it is installed all the same");
}

#[test]
fn without_an_interface_the_check_says_so() {
    for preparation in [
        "true",
        "ip link add lan0 type veth peer name lan1; ip addr add 192.0.2.7/24 dev lan0; ip link set lan0 up",
        "echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6; ip link add lan0 type veth peer name lan1
         ip link set lan0 up; ip link set lan1 up",
        "ip link add lan0 type veth peer name lan1; ip link set lan0 up multicast off; ip link set lan1 up multicast off
         ip addr add 192.0.2.7/24 dev lan0",
    ] {
        let mut root = Root::new();
        root.ok(preparation);
        assert_does_not_resolve(&root.install(""), "no network interface is up with multicast and an address");
    }
}

#[test]
fn a_module_that_the_loader_does_not_find_is_named() {
    let mut root = Root::new();
    root.ok(LINK);
    let done = root.install("--libdir /mnt/archive");
    assert_does_not_resolve(
        &done,
        "glibc cannot load /mnt/archive/libnss_mdns_minimal.so.2: the loader does not look in /mnt/archive",
    );
}

#[test]
fn another_copy_that_the_loader_prefers_is_named() {
    let mut root = Root::new();
    root.ok(LINK);
    root.ok("cp $MODULE /usr/local/lib/libnss_mdns_minimal.so.2");
    assert_does_not_resolve(&root.install(""), "glibc loads /usr/local/lib/libnss_mdns_minimal.so.2 instead");
}

#[test]
fn a_running_firewalld_without_mdns_is_named() {
    let mut root = Root::new();
    root.ok(LINK);
    root.ok("mkdir /mnt/bin; printf '#!/bin/sh\n[ \"$2\" = --state ]\n' >/mnt/bin/firewall-cmd
         chmod 755 /mnt/bin/firewall-cmd");
    let done = root.run(&format!("PATH=/mnt/bin:$PATH sh {INSTALL} --check-name nobody.local"));
    assert_does_not_resolve(&done, "firewalld does not admit mDNS");
}

#[test]
fn a_second_architecture_cannot_be_checked_and_it_says_so() {
    let mut root = Root::new();
    root.ok("{ printf '\\177ELF\\001'; tail -c +6 $MODULE; } >/mnt/other");
    let done = root.install("--module /mnt/other --libdir /usr/lib64");
    assert_eq!((done.status, &*done.err), (0, ""), "{done:?}");
    assert!(done.out.contains("check: getent is not here, or of another architecture"), "{done:?}");
}

#[test]
fn a_damaged_module_is_refused_before_every_program_crashes_of_it() {
    let mut root = Root::new();
    root.ok("head -c 8192 $MODULE >/mnt/archive/libnss_mdns.so");
    let before = root.traces();
    assert_refused(&root.install("--no-check"), "libnss_mdns.so cannot be loaded: a program that tries to crashes");
    root.ok("sed 's/libc\\.so\\.6/libc.so.7/' $MODULE >/mnt/archive/libnss_mdns.so");
    assert_refused(
        &root.install("--no-check"),
        "libnss_mdns.so cannot be loaded: libc.so.7: cannot open shared object",
    );
    assert_same(&before, &root.traces(), "after the refusals");
}

#[test]
fn a_hosts_line_without_the_service_is_named() {
    let mut root = Root::new();
    root.ok(LINK);
    root.write(CONF, &format!("# Generated by authselect\n{NSSWITCH}"));
    assert_does_not_resolve(&root.install(""), "the hosts line of /etc/nsswitch.conf names none of mdns ");
}

#[test]
fn a_hosts_line_that_ends_before_the_service_is_named() {
    let mut root = Root::new();
    root.ok(LINK);
    root.write(CONF, "hosts: files [NOTFOUND=return] mdns4_minimal\n");
    assert_does_not_resolve(&root.install(""), "ends the search before it comes to mdns4_minimal");
}

#[test]
fn the_service_on_the_line_is_the_one_that_is_tried() {
    let mut root = Root::new();
    root.ok(LINK);
    root.write(CONF, "hosts: files mdns4 dns\n");
    let done = root.install("");
    assert_eq!(done.status, 0, "{done:?}");
    root.write(CONF, "hosts: files mdns6 dns\n");
    root.ok("ip link set lan0 down; ip link set lan1 down; echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6
        ip link set lan0 up; ip link set lan1 up");
    assert_does_not_resolve(&root.install(""), "the module was loaded and asked, but nobody answered");
}
