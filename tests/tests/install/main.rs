//! `install.sh` on a complete system, with the real dpkg, ldconfig, loader, library folder and `/etc/nsswitch.conf`.
//! Each test has a private root, so the machine does not change.

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
use tests::private_root::{Done, assert_same, library_folder};
use tests::sandbox::unprivileged;

/// Debian's default, reduced to the lines that matter here.
const NSSWITCH: &str =
    "# the administrator's own words\npasswd:         files\n\nhosts:          files dns\nnetworks:       files\n";
const NSSWITCH_AFTER: &str = "# the administrator's own words\npasswd:         files\n\n\
    hosts:          files mdns_minimal [NOTFOUND=return] dns\nnetworks:       files\n";
const CONF: &str = "/etc/nsswitch.conf";

/// The script in an unpacked release archive, which has the binaries and the manual pages, but not the sources.
const INSTALL: &str = "/mnt/archive/install.sh";

const NAMES: [&str; 6] = [
    "libnss_mdns.so.2",
    "libnss_mdns4.so.2",
    "libnss_mdns6.so.2",
    "libnss_mdns_minimal.so.2",
    "libnss_mdns4_minimal.so.2",
    "libnss_mdns6_minimal.so.2",
];

/// The files that are installed besides the module: their mode, their path in the archive, and where they are
/// installed.
const EXTRAS: [(&str, &str, &str); 5] = [
    ("755", "nss-mdns", "/usr/local/bin/nss-mdns"),
    ("644", "docs/man/nss-mdns.1", "/usr/local/share/man/man1/nss-mdns.1"),
    ("644", "docs/man/nss-mdns.8", "/usr/local/share/man/man8/nss-mdns.8"),
    ("644", "docs/man/nss-mdns.conf.5", "/usr/local/share/man/man5/nss-mdns.conf.5"),
    ("644", "docs/nss-mdns.conf.example", "/usr/local/share/doc/nss-mdns/nss-mdns.conf.example"),
];

/// Makes a folder with wrappers of the commands that change something. The wrappers count their calls. At the call
/// whose number is in /mnt/kill_at, the wrapper kills the whole run with SIGKILL. Only one of the six diversions counts
/// as a call.
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

/// Debian's package libnss-mdns, which `tests/deps` fetches.
fn debian_package() -> PathBuf {
    tests::deps::package("libnss-mdns").expect("the package")
}

/// A private root with an nsswitch.conf and, in /mnt/archive, an unpacked release archive.
struct Root(tests::private_root::Root);

impl Root {
    fn new() -> Root {
        let mut root = tests::private_root::Root::new();
        root.ok("mkdir -p /mnt/archive/docs && cd \"$CHECKOUT\" &&
             cp install.sh \"$MODULE\" \"${MODULE%/*}/nss-mdns\" /mnt/archive/ &&
             cp -r docs/man docs/nss-mdns.conf.example /mnt/archive/docs/");
        root.write(CONF, NSSWITCH);
        Root(root)
    }

    /// A root in which dpkg has installed Debian's libnss-mdns, with a hosts line that does not name it.
    fn with_debian_package() -> Root {
        let mut root = Root::new();
        root.ok(&format!("dpkg --install {}", debian_package().display()));
        root.write(CONF, NSSWITCH);
        root
    }

    /// Turns a folder with `install.sh` into a source tree, from which the module can be built.
    fn source_tree(&mut self, folder: &str) {
        self.ok(&format!("cd \"$CHECKOUT\" && cp --parents packaging/cargo {folder}/ && touch {folder}/Cargo.toml"));
    }

    /// Runs install.sh with these arguments.
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

    /// Runs install.sh and kills it before its n-th change. Returns false if the run ended before that.
    #[track_caller]
    fn killed_at(&mut self, n: u32, arguments: &str) -> bool {
        let done = self.run(&format!(
            "echo 0 >/mnt/count; echo {n} >/mnt/kill_at; PATH=/mnt/killer:$PATH setsid -w sh {INSTALL} {arguments}"
        ));
        assert!([0, 137].contains(&done.status), "{arguments} killed at {n}: {done:?}");
        // The lock is held until the last process of the run has died.
        self.ok("flock -w 10 /etc true");
        done.status == 137
    }

    /// Checks that nsswitch.conf is the old or the new one, that each of the six files is the other package's or ours,
    /// and that each of the [`EXTRAS`] is ours or absent. None of these files may be incomplete.
    #[track_caller]
    fn assert_consistent(&mut self, what: &str) {
        let conf = self.read(CONF);
        assert!([NSSWITCH, NSSWITCH_AFTER].contains(&&*conf), "{what}: {conf:?}");
        let intact = self.run(&format!(
            "for name in {}; do cmp -s $LIBDIR/$name $MODULE || cmp -s $LIBDIR/$name /mnt/theirs/$name || exit 1; done",
            NAMES.join(" ")
        ));
        assert_eq!(intact.status, 0, "{what}: a file is neither the other package's nor ours");
        for (mode, file, place) in EXTRAS {
            let whole = format!("cmp /mnt/archive/{file} {place} && [ $(stat -c %a {place}) = {mode} ]");
            let done = self.run(&format!("[ ! -e {place} ] || {{ {whole}; }}"));
            assert_eq!(done.status, 0, "{what}: {place} is incomplete");
        }
    }
}

impl std::ops::Deref for Root {
    type Target = tests::private_root::Root;
    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl std::ops::DerefMut for Root {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.0
    }
}

/// Checks for exit status 1, and for a single line with this sentence on standard error.
#[track_caller]
fn assert_refused(done: &Done, sentence: &str) {
    assert_eq!(done.status, 1, "{done:?}");
    assert!(done.err.contains(sentence), "{sentence:?} is not in {:?}", done.err);
    assert_eq!(done.err.lines().count(), 1, "{:?}", done.err);
}
