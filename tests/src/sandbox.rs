//! Namespaces and the processes that keep them alive. [`crate::lan`] is built on it.
//!
//! A namespace exists as long as a process is in it. Each has a keeper: a shell that, after the setup, only reads its
//! standard input, a pipe that only this process holds open. When this process ends, crashes or is killed, the pipe
//! closes and the keeper exits. The outermost keeper is the init process of a PID namespace, so the kernel then kills
//! every process inside, and the networks and mounts disappear with the last of them. No namespace has a name on the
//! machine.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};

/// Folders that are appended to PATH. An ordinary user's PATH often lacks the folders of `ip` and `nft`.
const ADMIN_FOLDERS: &str = "/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin";

/// A set of namespaces, which exist until this value is dropped.
#[derive(Debug)]
pub struct Space {
    keeper: Child,
    /// The process id of the keeper inside the namespaces, as seen from outside.
    pid: u32,
    /// The same process id as seen from inside.
    inner_pid: u32,
    /// Kept open so that the keeper's last write does not fail.
    _stdout: ChildStdout,
}

impl Space {
    /// A sandbox: namespaces for mounts, network, host name and processes, and a user namespace if this is not root.
    ///
    /// # Errors
    /// What is missing.
    pub fn sandbox() -> Result<Space, String> {
        for program in ["unshare", "nsenter", "ip", "mount", "hostname"] {
            need_program(program)?;
        }
        let mut command = Command::new("unshare");
        if unprivileged() {
            command.args(["--user", "--map-root-user"]);
        }
        command.args(["--mount", "--net", "--uts", "--pid", "--fork", "--kill-child", "--mount-proc"]);
        Space::keep(command, SANDBOX_SETUP, &[]).map_err(|why| {
            if !root_is_mount_point() {
                PLAIN_CHROOT.into()
            } else if unprivileged() {
                format!("an ordinary user needs user namespaces, which this system does not allow ({why})")
            } else {
                format!("cannot create namespaces ({why})")
            }
        })
    }

    /// Namespaces for mounts, network and host name inside this one, set up by a script.
    ///
    /// # Errors
    /// What the script wrote to standard error.
    pub fn inside(&self, setup: &str, environment: &[(&str, &str)]) -> Result<Space, String> {
        let mut command = self.enter();
        command.args(["unshare", "--mount", "--net", "--uts"]);
        Space::keep(command, setup, environment)
    }

    /// A command that runs inside. The caller adds the program and its arguments.
    pub fn enter(&self) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["--target", &self.pid.to_string(), "--mount", "--uts", "--net", "--pid"]);
        if unprivileged() {
            command.args(["--user", "--preserve-credentials"]);
        }
        command.arg("--").env("PATH", path()).env("LC_ALL", "C.UTF-8");
        with_default_signals(&mut command);
        command
    }

    /// The keeper's process id as seen from inside the sandbox.
    pub fn inner_pid(&self) -> u32 {
        self.inner_pid
    }

    /// Starts a keeper with `command`, which creates the namespaces, and waits until the script `setup` is done.
    fn keep(mut command: Command, setup: &str, environment: &[(&str, &str)]) -> Result<Space, String> {
        let script = format!("{setup}\necho ready $$\nexec cat >/dev/null\n");
        command.args(["sh", "-euc", &script]).env("PATH", path()).envs(environment.iter().copied());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut keeper = command.spawn().map_err(|why| format!("{command:?}: {why}"))?;
        let Some(stdout) = keeper.stdout.take() else { return Err("no pipe from the keeper".into()) };
        let mut lines = BufReader::new(stdout);
        let mut line = String::new();
        let read = lines.read_line(&mut line);
        let inner_pid = line.strip_prefix("ready ").and_then(|pid| pid.trim().parse().ok());
        let pid = child_of(keeper.id());
        let (Ok(_), Some(inner_pid), Some(pid)) = (read, inner_pid, pid) else {
            return Err(failure(keeper));
        };
        Ok(Space { keeper, pid, inner_pid, _stdout: lines.into_inner() })
    }
}

impl Drop for Space {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        let _ = self.keeper.wait();
    }
}

/// Why there are no mount namespaces in a plain chroot.
const PLAIN_CHROOT: &str = "cannot create namespaces in a chroot whose root folder is not a mount point; outside of it, \
    run `mount --bind ROOT ROOT`, then `chroot ROOT` again";

/// Whether this process's root folder is a mount point. True if that is unknown.
fn root_is_mount_point() -> bool {
    // ID, parent, device, root, mount point: only mounts below the root folder of this process are listed.
    let Ok(mounts) = std::fs::read_to_string("/proc/self/mountinfo") else { return true };
    mounts.lines().any(|mount| mount.split(' ').nth(4) == Some("/"))
}

/// Sets up the sandbox. An empty `/run` hides the machine's daemons (nscd, D-Bus, Avahi) from programs inside. Without
/// IPv6, the bridges, which are in this namespace, send no packets of their own.
const SANDBOX_SETUP: &str = "
    mount -t tmpfs tmpfs /run
    echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6
    ip link set lo up";

/// Whether this process is not root, so that namespaces need a user namespace.
pub fn unprivileged() -> bool {
    // SAFETY: takes no arguments and returns a number.
    unsafe { libc::geteuid() != 0 }
}

/// The PATH of everything that runs inside.
pub fn path() -> String {
    match std::env::var("PATH") {
        Ok(path) if !path.is_empty() => format!("{path}:{ADMIN_FOLDERS}"),
        _ => ADMIN_FOLDERS.into(),
    }
}

/// Checks that a program is installed.
///
/// # Errors
/// If it is not.
pub fn need_program(name: &str) -> Result<(), String> {
    let found = path().split(':').any(|folder| std::path::Path::new(folder).join(name).is_file());
    if found { Ok(()) } else { Err(format!("the program `{name}` is not installed")) }
}

/// The only child of a process, if there is one. `unshare --fork` and `nsenter --pid` run their program in a child,
/// which is the process to enter or to kill.
pub fn child_of(parent: u32) -> Option<u32> {
    let processes = std::fs::read_dir("/proc").ok()?;
    processes.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).find(|pid| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        // The name, in parentheses, may contain parentheses itself. State and parent follow the last one.
        let after_name = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
        after_name.split(' ').nth(1).and_then(|ppid| ppid.parse().ok()) == Some(parent)
    })
}

/// A number that is unique in this process, for names inside a sandbox.
pub fn unique() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// What a failed keeper wrote to standard error, in one line, or else its status.
fn failure(mut keeper: Child) -> String {
    drop(keeper.stdin.take());
    let mut text = String::new();
    if let Some(mut stderr) = keeper.stderr.take() {
        let _ = stderr.read_to_string(&mut text);
    }
    let status = keeper.wait().map_or_else(|why| why.to_string(), |status| status.to_string());
    let text = text.trim().replace('\n', "; ");
    if text.is_empty() { status } else { text }
}

/// Gives the signals of a terminal their default effect in a command. A test that runs under `nohup`, or in the
/// background of a shell script, ignores some of them, and so would everything that it starts.
pub fn with_default_signals(command: &mut Command) -> &mut Command {
    let reset = || {
        for signal in [libc::SIGHUP, libc::SIGINT, libc::SIGQUIT] {
            // SAFETY: signal(2) may be called between fork and exec, and the default effect needs no handler.
            unsafe { libc::signal(signal, libc::SIG_DFL) };
        }
        Ok(())
    };
    // SAFETY: the closure calls nothing else, and does not allocate.
    unsafe { command.pre_exec(reset) }
}
