//! A private copy of the whole system: the real dpkg, ldconfig, loader, library folder and `/etc`, in private namespaces with
//! overlays over `/etc`, `/usr` and `/var`, so that the machine stays as it was. For tests of what installs.
//!
//! Works as root, or as an ordinary user where user namespaces are allowed. What goes wrong panics: it is for tests alone.

use crate::module;
use crate::sandbox::unprivileged;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::OnceLock;

/// Run first in every private root. The upper folders are made beforehand, so that also an ordinary user's root owns
/// them: the files of the real root show up as those of nobody there. /mnt is the test's own place.
const SETUP: &str = r#"
set -e
mount -t tmpfs -o mode=755 none /mnt
mkdir -p /mnt/upper/etc /mnt/upper/usr/lib64 /mnt/upper/usr/local/bin /mnt/upper/usr/local/lib \
    /mnt/upper/usr/local/share/man /mnt/upper/var/cache/ldconfig \
    /mnt/upper/var/lib/dpkg/info /mnt/upper/var/log /mnt/work/etc /mnt/work/usr /mnt/work/var
mkdir -p "/mnt/upper$LIBDIR"
# Where packages put files besides, and rpm its scripts.
(cd /mnt/upper/usr && mkdir -p bin share/licenses share/lintian/overrides share/man/man1 share/man/man5 share/man/man8)
mkdir -m 1777 /mnt/upper/var/tmp
: >/mnt/upper/var/log/dpkg.log
for entry in /var/lib/dpkg/*; do
    case $entry in */info | */lock* | */triggers) ;; *) cp -r "$entry" /mnt/upper/var/lib/dpkg/ ;; esac
done
mkdir /mnt/upper/var/lib/dpkg/triggers
cp /var/lib/dpkg/triggers/[A-Za-z]*[a-z] /mnt/upper/var/lib/dpkg/triggers/ 2>/dev/null || true
(cd /mnt/upper/var/lib/dpkg && : >lock && : >lock-frontend && : >triggers/Lock)
for top in etc usr var; do
    mount -t overlay none -o "lowerdir=/$top,upperdir=/mnt/upper/$top,workdir=/mnt/work/$top" "/$top"
done
# dpkg renames a package's new folder, which overlays refuse to an ordinary user.
mount -t tmpfs none /usr/share/doc
# What is there until the machine is started anew: scripts of packages write there.
mount -t tmpfs -o mode=755 none /run
rm -f /etc/nsswitch.conf
mount -t sysfs none /sys
hostname workbench
ip link set lo up
rm -f "$LIBDIR"/libnss_mdns*
ldconfig
set +e

# All that differs from the machine: every file's bytes, kind, mode, owner, size, time and link target. What was there
# before an installation has been put there by this test, so what the installation does must show here.
snapshot() {
    find /mnt/upper $MORE ! -name diversions-old ! -path '*/dpkg/lock*' ! -path '*/dpkg/triggers/*' \
        ! -path '*/var/log/*' ! -path '*/var/cache/*' \
        \( -type d -printf '%p d %m %U:%G\n' -o -printf '%p %y %m %U:%G %s %T@ %l\n' \
        -a -type f -exec cksum {} + \) |
        sed -E '\,/(ld.so.cache|dpkg/diversions) ,s/ [0-9.]+ $//' | LC_ALL=C sort
}
# Also what was written and taken back: it shows in the folders' times.
traces() {
    find /mnt/upper -printf '%p %y %m %U:%G %s %T@ %l\n' | LC_ALL=C sort
}
"#;

/// The folder of the system's own libc, found in another way than install.sh does: where the loader maps it from.
///
/// # Panics
/// If this program runs on no glibc.
pub fn library_folder() -> &'static str {
    static FOLDER: OnceLock<String> = OnceLock::new();
    FOLDER.get_or_init(|| module::library_folder().expect("glibc is mapped").to_string_lossy().into_owned())
}

/// A private copy of the machine; a shell in it takes commands until the value is dropped, and all is gone then.
///
/// In its environment `LIBDIR` is [`library_folder`], `CHECKOUT` the workspace, and `MODULE` the module under test.
#[derive(Debug)]
pub struct Root {
    child: Child,
    commands: ChildStdin,
    replies: BufReader<ChildStdout>,
}

/// What a command left.
#[derive(Debug)]
pub struct Done {
    /// Its exit status.
    pub status: i32,
    /// Its standard output.
    pub out: String,
    /// Its standard error.
    pub err: String,
}

impl Root {
    /// Without a hosts line of its own to begin with: there is no nsswitch.conf, and no network but the loopback interface.
    ///
    /// # Panics
    /// If it cannot be made.
    pub fn new() -> Root {
        let mut unshare = Command::new("unshare");
        if unprivileged() {
            unshare.arg("--map-root-user");
        }
        unshare.args(["--mount", "--uts", "--net", "--pid", "--fork", "--kill-child", "--mount-proc", "sh"]);
        unshare.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("HOME", "/nonexistent");
        unshare.env("LIBDIR", library_folder()).env("CHECKOUT", module::workspace());
        unshare.env("MODULE", module::path().expect("the module is built"));
        let mut child = unshare.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("unshare starts");
        let commands = child.stdin.take().expect("a pipe");
        let replies = BufReader::new(child.stdout.take().expect("a pipe"));
        let mut root = Root { child, commands, replies };
        writeln!(root.commands, "exec 3>&1 >/dev/null\n{SETUP}\nexec 2>/dev/null; echo ready >&3")
            .expect("a shell that listens");
        let mut line = String::new();
        root.replies.read_line(&mut line).expect("a shell that answers");
        assert_eq!(line, "ready\n", "the private root could not be set up");
        root
    }

    /// Runs a piece of shell in the root, in a subshell.
    ///
    /// # Panics
    /// If the shell is lost.
    pub fn run(&mut self, script: &str) -> Done {
        writeln!(
            self.commands,
            "( {script}\n) >/mnt/out 2>/mnt/err 3>&- </dev/null\n\
             echo $? $(wc -c </mnt/out) $(wc -c </mnt/err) >&3; cat /mnt/out /mnt/err >&3"
        )
        .expect("a shell that listens");
        let mut line = String::new();
        self.replies.read_line(&mut line).expect("a shell that answers");
        let numbers: Vec<usize> = line.split_whitespace().filter_map(|word| word.parse().ok()).collect();
        let &[status, out, err] = numbers.as_slice() else { panic!("the shell was lost in: {script}") };
        let status = i32::try_from(status).expect("an exit status");
        Done { status, out: self.take(out), err: self.take(err) }
    }

    fn take(&mut self, length: usize) -> String {
        let mut bytes = vec![0; length];
        self.replies.read_exact(&mut bytes).expect("a shell that answers");
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// A command that must succeed; its output.
    ///
    /// # Panics
    /// If it fails.
    #[track_caller]
    pub fn ok(&mut self, script: &str) -> String {
        let done = self.run(script);
        assert_eq!(done.status, 0, "{script}: {done:?}");
        done.out
    }

    /// Writes a file, byte for byte.
    pub fn write(&mut self, path: &str, content: &str) {
        let mut octal = String::new();
        for byte in content.bytes() {
            write!(octal, "\\{byte:03o}").expect("memory");
        }
        self.ok(&format!("printf '{octal}' >{path}"));
    }

    /// The content of a file.
    #[track_caller]
    pub fn read(&mut self, path: &str) -> String {
        self.ok(&format!("cat {path}"))
    }

    /// All that differs from the machine: every file's bytes, kind, mode, owner, size, time and link target.
    pub fn snapshot(&mut self) -> String {
        self.ok("snapshot")
    }

    /// The same with what was written and taken back: it shows in the folders' times.
    pub fn traces(&mut self) -> String {
        self.ok("traces")
    }
}

impl Default for Root {
    fn default() -> Root {
        Root::new()
    }
}

impl Drop for Root {
    fn drop(&mut self) {
        // Ends the namespace's first process, and with it everything in there.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Like `assert_eq`, but shows only the lines that differ.
///
/// # Panics
/// If any does.
#[track_caller]
pub fn assert_same(before: &str, after: &str, what: &str) {
    if before == after {
        return;
    }
    let gone: Vec<_> = before.lines().filter(|line| !after.lines().any(|other| other == *line)).collect();
    let new: Vec<_> = after.lines().filter(|line| !before.lines().any(|other| other == *line)).collect();
    panic!("{what}: gone {gone:#?}, new {new:#?}");
}
