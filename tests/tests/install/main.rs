//! `install.sh` on a whole system: the real dpkg, ldconfig, loader, library folder and `/etc/nsswitch.conf`, each test in
//! a private root of its own, so that the machine stays as it was.

mod check;
mod extras;
mod faults;
mod hosts_line;
mod module;
mod options;
mod resolving;

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

/// As in the archive of a release: the script, what is built, and the pages, without the sources.
const INSTALL: &str = "/mnt/archive/install.sh";

const NAMES: [&str; 6] = [
    "libnss_mdns.so.2",
    "libnss_mdns4.so.2",
    "libnss_mdns6.so.2",
    "libnss_mdns_minimal.so.2",
    "libnss_mdns4_minimal.so.2",
    "libnss_mdns6_minimal.so.2",
];

/// What is installed besides the module: its mode, where it is in the archive, its place.
const EXTRAS: [(&str, &str, &str); 5] = [
    ("755", "nss-mdns-check", "/usr/local/bin/nss-mdns-check"),
    ("644", "docs/man/nss-mdns-check.1", "/usr/local/share/man/man1/nss-mdns-check.1"),
    ("644", "docs/man/nss-mdns.8", "/usr/local/share/man/man8/nss-mdns.8"),
    ("644", "docs/man/nss-mdns.conf.5", "/usr/local/share/man/man5/nss-mdns.conf.5"),
    ("644", "docs/nss-mdns.conf.example", "/usr/local/share/doc/nss-mdns/nss-mdns.conf.example"),
];

/// A folder of stand-ins for the commands that change something. Each counts, and before the one whose number
/// is in /mnt/kill_at it kills the whole run, as a power cut would. One name stands for all six that are diverted.
const KILLER: &str = r#"
mkdir -p /mnt/killer
for name in mv cp ln rm mkdir rmdir chmod sync dpkg-divert ldconfig head tail; do
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
        root.ok("mkdir -p /mnt/archive/docs && cd \"$CHECKOUT\" &&
             cp install.sh \"$MODULE\" \"${MODULE%/*}/nss-mdns-check\" /mnt/archive/ &&
             cp -r docs/man docs/nss-mdns.conf.example /mnt/archive/docs/");
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

    /// Adds to a folder with `install.sh` what makes it a source tree, from which the module is built.
    fn source_tree(&mut self, folder: &str) {
        self.ok(&format!("cd \"$CHECKOUT\" && cp --parents packaging/cargo {folder}/ && touch {folder}/Cargo.toml"));
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
        // The last of its processes to die holds the lock until then.
        self.ok("flock -w 10 /etc true");
        done.status == 137
    }

    /// nsswitch.conf is the old or the new one, each of the six files is theirs or ours, and each of the others is ours or
    /// not there: all of them whole.
    #[track_caller]
    fn assert_sound(&mut self, what: &str) {
        let conf = self.read(CONF);
        assert!([NSSWITCH, NSSWITCH_AFTER].contains(&&*conf), "{what}: {conf:?}");
        let intact = self.run(&format!(
            "for name in {}; do cmp -s $LIBDIR/$name $MODULE || cmp -s $LIBDIR/$name /mnt/theirs/$name || exit 1; done",
            NAMES.join(" ")
        ));
        assert_eq!(intact.status, 0, "{what}: a file is neither theirs nor ours");
        for (mode, file, place) in EXTRAS {
            let whole = format!("cmp /mnt/archive/{file} {place} && [ $(stat -c %a {place}) = {mode} ]");
            let done = self.run(&format!("[ ! -e {place} ] || {{ {whole}; }}"));
            assert_eq!(done.status, 0, "{what}: {place} is not whole");
        }
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
