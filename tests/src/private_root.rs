//! A private copy of the whole system for tests of the installation: the real dpkg, ldconfig, loader, library folder
//! and `/etc` in private namespaces, with overlays over `/etc`, `/usr` and `/var`, so that the machine does not change.
//!
//! It works as root, and as an ordinary user where user namespaces are allowed. Errors panic, because only tests use
//! it.

use crate::module;
use crate::sandbox::{unprivileged, with_default_signals};
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::OnceLock;

/// Sets up a private root. The folders of the upper layers are created in advance, so that root owns them in the
/// namespace of an ordinary user as well, where the files of the real root belong to the user nobody. /mnt is for the
/// test itself.
const SETUP: &str = r#"
set -e
mount -t tmpfs -o mode=755 none /mnt
mkdir -p /mnt/upper/etc/ld.so.conf.d /mnt/upper/usr/lib64 /mnt/upper/usr/local/bin /mnt/upper/usr/local/lib \
    /mnt/upper/usr/local/share/man /mnt/upper/var/cache/ldconfig \
    /mnt/upper/var/lib/dpkg/info /mnt/upper/var/log /mnt/work/etc /mnt/work/usr /mnt/work/var
mkdir -p "/mnt/upper$LIBDIR"
# Hides what install.sh has installed on the machine.
[ ! -e "$LIBDIR/nss-mdns" ] || mknod "/mnt/upper$LIBDIR/nss-mdns" c 0 0
# The other folders for files of packages, and var/tmp, where rpm writes its scripts.
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
    layers=lowerdir=/$top,upperdir=/mnt/upper/$top,workdir=/mnt/work/$top
    mount -t overlay none -o "$layers$ATTRIBUTES" "/$top" || mount -t overlay none -o "$layers" "/$top"
done
# dpkg renames the new folder of a package. Before Linux 6.6, an overlay does not support this for an ordinary user.
mount -t tmpfs none /usr/share/doc
# Scripts of packages write to /run.
mount -t tmpfs -o mode=755 none /run
# What else the machine has of this module and of nss-mdns, and its AppArmor.
rm -f /etc/nsswitch.conf /etc/nss-mdns.conf /etc/mdns.allow /etc/ld.so.conf.d/00-nss-mdns* \
    "$LIBDIR"/libnss_mdns* /usr/local/bin/nss-mdns /var/lib/nss-mdns.hosts-line
# Debian's cargo: install.sh and packaging/archive would build with it, which needs a network.
rm -f /usr/bin/cargo
[ ! -d /etc/apparmor.d ] || mount -t tmpfs none /etc/apparmor.d
awk -v RS= -v ORS='\n\n' '!/^Package: libnss-mdns(-nodaemon)?\n/' /var/lib/dpkg/status >/mnt/status
cp /mnt/status /var/lib/dpkg/status
rm -f /mnt/status /var/lib/dpkg/info/libnss-mdns[.:-]*
mount -t sysfs none /sys
hostname workbench
ip link set lo up
ldconfig
set +e

# Everything that differs from the machine: content, type, mode, owner, size, time and link target of every file. Before
# an installation, this is only what the test itself has written, so every effect of the installation is visible. A file of
# the machine that is hidden is a character device in the upper layer.
snapshot() {
    find /mnt/upper $MORE ! -name diversions-old ! -path '*/dpkg/lock*' ! -path '*/dpkg/triggers/*' \
        ! -path '*/var/log/*' ! -path '*/var/cache/*' \
        \( -type d -printf '%p d %m %U:%G\n' -o -printf '%p %y %m %U:%G %s %T@ %l\n' \
        -a -type f -exec cksum {} + \) |
        sed -E '\,/(ld.so.cache|dpkg/diversions) ,s/ [0-9.]+ $//; s/ c [0-7]+ .*/ hidden/' | LC_ALL=C sort
}
# Also shows changes that were reverted, because they change the times of folders.
traces() {
    find /mnt/upper -printf '%p %y %m %U:%G %s %T@ %l\n' | LC_ALL=C sort
}
"#;

/// The folder from which the loader maps the system's libc. install.sh determines it in a different way.
///
/// # Panics
/// If this program does not use glibc.
pub fn library_folder() -> &'static str {
    static FOLDER: OnceLock<String> = OnceLock::new();
    FOLDER.get_or_init(|| module::library_folder().expect("glibc is mapped").to_string_lossy().into_owned())
}

/// A private copy of the system, with a shell that runs commands in it. It disappears when this value is dropped.
///
/// In the environment of the shell, `LIBDIR` is [`library_folder`], `CHECKOUT` the workspace and `MODULE` the module.
#[derive(Debug)]
pub struct Root {
    child: Child,
    commands: ChildStdin,
    replies: BufReader<ChildStdout>,
}

/// The result of a command.
#[derive(Debug)]
pub struct Done {
    /// Exit status.
    pub status: i32,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl Root {
    /// A private root without nsswitch.conf, and with no network interface other than loopback.
    ///
    /// # Panics
    /// If it cannot be set up.
    pub fn new() -> Root {
        let mut unshare = Command::new("unshare");
        if unprivileged() {
            unshare.arg("--map-root-user");
        }
        unshare.args(["--mount", "--uts", "--net", "--pid", "--fork", "--kill-child", "--mount-proc", "sh"]);
        unshare.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("HOME", "/nonexistent");
        unshare.env("LIBDIR", library_folder()).env("CHECKOUT", module::workspace());
        // With attributes that an ordinary user may set, an overlay can rename folders. Before Linux 6.6, tmpfs has none.
        unshare.env("ATTRIBUTES", if unprivileged() { ",userxattr" } else { "" });
        unshare.env("MODULE", module::path().expect("the module is built"));
        with_default_signals(unshare.stdin(Stdio::piped()).stdout(Stdio::piped()));
        let mut child = unshare.spawn().expect("unshare starts");
        let commands = child.stdin.take().expect("a pipe");
        let replies = BufReader::new(child.stdout.take().expect("a pipe"));
        let mut root = Root { child, commands, replies };
        writeln!(root.commands, "exec 3>&1 >/dev/null\n{SETUP}\nexec 2>/dev/null; echo ready >&3")
            .expect("the shell runs");
        let mut line = String::new();
        root.replies.read_line(&mut line).expect("the shell runs");
        assert_eq!(line, "ready\n", "the private root could not be set up");
        root
    }

    /// Runs a shell script in a subshell in the root.
    ///
    /// # Panics
    /// If the outer shell ends.
    pub fn run(&mut self, script: &str) -> Done {
        writeln!(
            self.commands,
            "( {script}\n) >/mnt/out 2>/mnt/err 3>&- </dev/null\n\
             echo $? $(wc -c </mnt/out) $(wc -c </mnt/err) >&3; cat /mnt/out /mnt/err >&3"
        )
        .expect("the shell runs");
        let mut line = String::new();
        self.replies.read_line(&mut line).expect("the shell runs");
        let numbers: Vec<usize> = line.split_whitespace().filter_map(|word| word.parse().ok()).collect();
        let &[status, out, err] = numbers.as_slice() else { panic!("the shell ended in: {script}") };
        let status = i32::try_from(status).expect("an exit status");
        Done { status, out: self.take(out), err: self.take(err) }
    }

    fn take(&mut self, length: usize) -> String {
        let mut bytes = vec![0; length];
        self.replies.read_exact(&mut bytes).expect("the shell runs");
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Runs a script that must succeed, and returns its output.
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
    pub fn write(&mut self, path: &str, content: impl AsRef<[u8]>) {
        let mut octal = String::new();
        for byte in content.as_ref() {
            write!(octal, "\\{byte:03o}").expect("a String can be written to");
        }
        self.ok(&format!("printf '{octal}' >{path}"));
    }

    /// The content of a file.
    #[track_caller]
    pub fn read(&mut self, path: &str) -> String {
        self.ok(&format!("cat {path}"))
    }

    /// Everything that differs from the machine: content, type, mode, owner, size, time and link target of every file.
    pub fn snapshot(&mut self) -> String {
        self.ok("snapshot")
    }

    /// A snapshot that also shows changes that were reverted, because they change the times of folders.
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
        // This ends the init process of the PID namespace, and so every process in it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Like `assert_eq`, but prints only the lines that differ.
///
/// # Panics
/// If there are any.
#[track_caller]
pub fn assert_same(before: &str, after: &str, what: &str) {
    if before == after {
        return;
    }
    let gone: Vec<_> = before.lines().filter(|line| !after.lines().any(|other| other == *line)).collect();
    let new: Vec<_> = after.lines().filter(|line| !before.lines().any(|other| other == *line)).collect();
    panic!("{what}: gone {gone:#?}, new {new:#?}");
}
