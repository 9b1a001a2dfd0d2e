//! `install.sh` on a complete system, with the real dpkg, ldconfig, loader, library folder and `/etc/nsswitch.conf`.
//! Each test has a private root, so the machine does not change.

mod check;
mod extras;
mod faults;
mod hosts_line;
mod module;
mod options;

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

/// The files that are installed besides the module: their mode, their path in the archive, and the link to them.
const EXTRAS: [(&str, &str, &str); 5] = [
    ("755", "nss-mdns", "/usr/local/bin/nss-mdns"),
    ("644", "docs/man/nss-mdns.1", "/usr/local/share/man/man1/nss-mdns.1"),
    ("644", "docs/man/nss-mdns.8", "/usr/local/share/man/man8/nss-mdns.8"),
    ("644", "docs/man/nss-mdns.conf.5", "/usr/local/share/man/man5/nss-mdns.conf.5"),
    ("644", "docs/nss-mdns.conf.example", "/usr/local/share/doc/nss-mdns/nss-mdns.conf.example"),
];

/// Makes a folder with wrappers of the commands that change something, and puts one in the place of the program
/// nss-mdns. The wrappers count their calls. At the call whose number is in /mnt/kill_at, the wrapper kills the whole
/// run with SIGKILL. They do neither unless `KILLING` is set.
const KILLER: &str = r#"
mkdir -p /mnt/killer
wrap() {
    { echo '#!/bin/sh'
      echo '[ -n "$KILLING" ] || exec '"$1"' "$@"'
      echo 'count=$(($(cat /mnt/count) + 1)); echo $count >/mnt/count'
      echo '[ $count -ne "$(cat /mnt/kill_at)" ] || kill -9 0'
      echo "exec $1 \"\$@\""; } >$2
    chmod 755 $2
}
for name in mv cp install ln rm mkdir rmdir chmod sync touch ldconfig; do
    wrap $(command -v $name) /mnt/killer/$name
done
mv /mnt/archive/nss-mdns /mnt/nss-mdns
wrap /mnt/nss-mdns /mnt/archive/nss-mdns
"#;

/// The folder of the installation.
fn folder() -> String {
    format!("{}/nss-mdns", library_folder())
}

/// The link that names the folder to the loader.
fn loader_conf() -> String {
    format!("/etc/ld.so.conf.d/00-nss-mdns{}.conf", library_folder().replace('/', "-"))
}

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
        root.ok("mkdir -p /mnt/archive/docs /mnt/archive/packaging && cd \"$CHECKOUT\" &&
             cp install.sh \"$MODULE\" \"${MODULE%/*}/nss-mdns\" /mnt/archive/ &&
             cp packaging/apparmor /mnt/archive/packaging/ &&
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
        self.ok(&format!(
            "cd \"$CHECKOUT\" && cp --parents packaging/build packaging/cargo {folder}/ && touch {folder}/Cargo.toml"
        ));
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
            "echo 0 >/mnt/count; echo {n} >/mnt/kill_at; KILLING=yes PATH=/mnt/killer:$PATH setsid -w sh {INSTALL} {arguments}"
        ));
        assert!([0, 137].contains(&done.status), "{arguments} killed at {n}: {done:?}");
        // The lock is held until the last process of the run has died.
        self.ok("flock -w 10 /etc true");
        done.status == 137
    }

    /// Checks that nsswitch.conf is the old or the new one, that the folder of the installation is complete or absent, and
    /// that each link leads into it or is absent. No file of another package may differ.
    #[track_caller]
    fn assert_consistent(&mut self, what: &str) {
        let conf = self.read(CONF);
        assert!([NSSWITCH, NSSWITCH_AFTER].contains(&&*conf), "{what}: {conf:?}");
        self.assert_other_files_are_untouched(what);
        let mut script = format!("[ ! -e {} ] || {{\n", folder());
        for name in NAMES {
            script += &format!("cmp $MODULE {}/{name} && ", folder());
        }
        for (mode, file, _) in EXTRAS {
            let copy = format!("{}/{}", folder(), file.rsplit('/').next().unwrap_or_default());
            script += &format!("cmp /mnt/archive/{file} {copy} && [ $(stat -c %a {copy}) = {mode} ] && ");
        }
        let done = self.run(&(script + "true\n}"));
        assert_eq!(done.status, 0, "{what}: the folder is incomplete: {done:?}");
        for (_, file, place) in EXTRAS {
            let done = self.run(&format!("[ ! -L {place} ] && [ ! -e {place} ] || cmp /mnt/archive/{file} {place}"));
            assert_eq!(done.status, 0, "{what}: {place} leads nowhere: {done:?}");
        }
    }

    /// Copies the files with the module's names that another package has in the library folder.
    fn remember_other_files(&mut self) {
        self.ok("mkdir /mnt/theirs; cp -a $LIBDIR/libnss_mdns*.so.2 /mnt/theirs/");
    }

    #[track_caller]
    fn assert_other_files_are_untouched(&mut self, what: &str) {
        let done = self.run(
            "ls $LIBDIR | grep libnss_mdns | diff - /dev/fd/4 4<<END\n$(ls /mnt/theirs)\nEND
            for file in /mnt/theirs/*; do cmp $file $LIBDIR/${file##*/} || exit 1; done",
        );
        assert_eq!(done.status, 0, "{what}: a file of another package differs: {done:?}");
    }

    /// Checks that glibc loads each service from this folder.
    #[track_caller]
    fn assert_glibc_loads_from(&mut self, folder: &str) {
        for name in NAMES {
            let service = name.trim_start_matches("libnss_").trim_end_matches(".so.2");
            let tried = self.ok(&format!(
                "LD_DEBUG=libs getent -s {service} ahosts nowhere 2>&1 | sed -n 's/.*trying file=//p' | grep libnss_mdns | tail -1"
            ));
            let (tried, _) = tried.trim().rsplit_once('/').expect("a path");
            assert_eq!(root_path(self, tried), folder, "{service}");
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

/// A folder without symbolic links.
fn root_path(root: &mut Root, folder: &str) -> String {
    root.ok(&format!("cd -P {folder} && pwd")).trim_end().into()
}

/// Checks for exit status 1, and for a single line with this sentence on standard error.
#[track_caller]
fn assert_refused(done: &Done, sentence: &str) {
    assert_eq!(done.status, 1, "{done:?}");
    assert!(done.err.contains(sentence), "{sentence:?} is not in {:?}", done.err);
    assert_eq!(done.err.lines().count(), 1, "{:?}", done.err);
}
