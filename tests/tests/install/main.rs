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
use tests::guest::{self, Kind};
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

/// Puts a program in the place of ldconfig that kills the whole run with SIGKILL before a change of the real one: that
/// whose number is in `KILL_LDCONFIG_AT`. The real one is statically linked, so no library can be preloaded into it.
const LDCONFIG_KILLER: &str = r#"
mkdir /mnt/killer
cat >/mnt/killer/ldconfig <<'END'
#!/bin/sh
[ -n "$KILL_LDCONFIG_AT" ] && [ "$1" != -p ] || exec /usr/sbin/ldconfig "$@"
calls='write,fchmod,fsync,?chmod,?fchmodat,?rename,?renameat,?renameat2,?unlink,?unlinkat,?mkdir,?mkdirat'
strace -qq -o /dev/null -e "trace=$calls" -e "inject=$calls:signal=SIGKILL:when=$KILL_LDCONFIG_AT" /usr/sbin/ldconfig "$@"
status=$?
[ $status -ne 137 ] || kill -9 0
exit $status
END
chmod 755 /mnt/killer/ldconfig
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

/// Variables in the environment that have a library count the program's changes: see `tests/guests/interrupted.c`.
fn preload() -> String {
    let library = guest::compile("interrupted", Kind::Preload).expect("a C compiler");
    format!("ONLY=nss-mdns LD_PRELOAD='{}'", library.display())
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

    /// Runs install.sh with these variables in the environment, which kill it. Returns false if the run ended before that.
    #[track_caller]
    fn killed(&mut self, variables: &str, arguments: &str) -> bool {
        let done = self.run(&format!("{variables} setsid -w sh {INSTALL} {arguments}"));
        assert!([0, 137].contains(&done.status), "{arguments} with {variables}: {done:?}");
        // The lock is held until the last process of the run has died.
        self.ok("flock -w 10 /etc true");
        done.status == 137
    }

    /// Runs install.sh and kills it before the n-th change that the program nss-mdns makes itself.
    #[track_caller]
    fn killed_at(&mut self, n: u32, arguments: &str) -> bool {
        self.killed(&format!("KILL_CHANGE_AT={n} {}", preload()), arguments)
    }

    /// Runs install.sh and kills it before the n-th change that its ldconfig makes, after [`LDCONFIG_KILLER`].
    #[track_caller]
    fn killed_in_ldconfig_at(&mut self, n: u32, arguments: &str) -> bool {
        let killed = self.killed(&format!("KILL_LDCONFIG_AT={n} PATH=/mnt/killer:$PATH"), arguments);
        self.remove_file_of_killed_ldconfig();
        killed
    }

    /// The next ldconfig would replace it.
    fn remove_file_of_killed_ldconfig(&mut self) {
        self.ok("rm -f /etc/ld.so.cache~");
    }

    /// Checks that nsswitch.conf is the old or the new one, that the folder of the installation is complete or absent, and
    /// that each link leads into it or is absent. No file of another package may differ.
    #[track_caller]
    fn assert_consistent(&mut self, what: &str) {
        let conf = self.read(CONF);
        assert!([NSSWITCH, NSSWITCH_AFTER].contains(&&*conf), "{what}: {conf:?}");
        self.assert_other_files_are_untouched(what);
        // Where folders cannot be renamed, it may be incomplete while the loader does not look into it.
        let unused = format!("[ -e /mnt/no-renamed-folders ] && [ ! -e {} ]", loader_conf());
        let mut script = format!("[ ! -e {} ] || {{ {unused}; }} || {{\n", folder());
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
        self.ok("mkdir $LIBDIR/one && python3 -c 'import os; os.chdir(os.environ[\"LIBDIR\"]); os.rename(\"one\", \"two\")' ||
             touch /mnt/no-renamed-folders
             rmdir $LIBDIR/one $LIBDIR/two; true");
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
