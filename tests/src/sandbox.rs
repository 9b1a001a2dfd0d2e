//! Namespaces and the processes that keep them; the foundation of [`crate::lan`].
//!
//! A namespace lives as long as a process in it. Each is kept by a shell that, once it has set things up,
//! does nothing but read its standard input: a pipe that only this process holds open. When this process
//! ends, crashes or is killed, the pipe closes and the keeper goes; the outermost keeper is the init of a
//! PID namespace, so everything that was started inside is ended by the kernel, and with the last process
//! go the networks and the mounts. No name is left anywhere on the machine.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};

/// What is added to every PATH: an ordinary user's often lacks the folders of `ip` and `nft`.
const ADMIN_FOLDERS: &str = "/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin";

/// A set of namespaces, kept until this value is dropped.
#[derive(Debug)]
pub struct Space {
    keeper: Child,
    /// The keeper inside, as this process sees it.
    pid: u32,
    /// The same process as it is seen inside.
    inner_pid: u32,
    /// Held so that the keeper's last write cannot fail.
    _stdout: ChildStdout,
}

impl Space {
    /// A sandbox: mounts, network and processes of its own, and a user namespace where that takes one.
    ///
    /// # Errors
    /// One sentence that says what is missing.
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
            if unprivileged() {
                format!("an ordinary user needs user namespaces, which this system does not allow ({why})")
            } else {
                format!("namespaces cannot be made ({why})")
            }
        })
    }

    /// A network, mounts and a host name of their own inside this space, set up by a script.
    ///
    /// # Errors
    /// What the script said.
    pub fn inside(&self, setup: &str, environment: &[(&str, &str)]) -> Result<Space, String> {
        let mut command = self.enter();
        command.args(["unshare", "--mount", "--net", "--uts"]);
        Space::keep(command, setup, environment)
    }

    /// A command to which the program to run inside, and its arguments, are to be added.
    pub fn enter(&self) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["--target", &self.pid.to_string(), "--mount", "--uts", "--net", "--pid"]);
        if unprivileged() {
            command.args(["--user", "--preserve-credentials"]);
        }
        command.arg("--").env("PATH", path()).env("LC_ALL", "C.UTF-8");
        command
    }

    /// The keeper's process number as it is seen inside the sandbox.
    pub fn inner_pid(&self) -> u32 {
        self.inner_pid
    }

    /// Starts a keeper with `command` (which makes the namespaces) and waits until `setup` is done.
    fn keep(mut command: Command, setup: &str, environment: &[(&str, &str)]) -> Result<Space, String> {
        let script = format!("{setup}\necho ready $$\nexec cat >/dev/null\n");
        command.args(["sh", "-euc", &script]).env("PATH", path()).envs(environment.iter().copied());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut keeper = command.spawn().map_err(|why| format!("{command:?}: {why}"))?;
        let Some(stdout) = keeper.stdout.take() else { return Err("no pipe to the keeper".into()) };
        let mut lines = BufReader::new(stdout);
        let mut line = String::new();
        let read = lines.read_line(&mut line);
        let inner_pid = line.strip_prefix("ready ").and_then(|pid| pid.trim().parse().ok());
        let pid = child_of(keeper.id());
        let (Ok(_), Some(inner_pid), Some(pid)) = (read, inner_pid, pid) else {
            return Err(last_words(keeper));
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

/// In the sandbox: a `/run` of its own hides the machine's daemons (nscd, D-Bus, Avahi) from what runs
/// inside, and the bridges, which live here, stay silent.
const SANDBOX_SETUP: &str = "
    mount -t tmpfs tmpfs /run
    echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6
    ip link set lo up";

/// Whether namespaces have to be asked for as an ordinary user.
pub fn unprivileged() -> bool {
    // SAFETY: takes nothing, only returns a number.
    unsafe { libc::geteuid() != 0 }
}

/// The PATH given to everything that runs inside.
pub fn path() -> String {
    match std::env::var("PATH") {
        Ok(path) if !path.is_empty() => format!("{path}:{ADMIN_FOLDERS}"),
        _ => ADMIN_FOLDERS.into(),
    }
}

/// # Errors
/// A sentence, if the program is not on the machine.
pub fn need_program(name: &str) -> Result<(), String> {
    let found = path().split(':').any(|folder| std::path::Path::new(folder).join(name).is_file());
    if found { Ok(()) } else { Err(format!("the program `{name}` is needed and not installed")) }
}

/// The only child of a process, where it has one. Both `unshare --fork` and `nsenter --pid` run their
/// program in a child, and it is that one which is to be entered or killed.
pub fn child_of(parent: u32) -> Option<u32> {
    let processes = std::fs::read_dir("/proc").ok()?;
    processes.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).find(|pid| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        // The name, in parentheses, may hold anything; state and parent follow the last one.
        let after_name = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
        after_name.split(' ').nth(1).and_then(|ppid| ppid.parse().ok()) == Some(parent)
    })
}

/// A number that no one else in this process has, for names inside a sandbox.
pub fn unique() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// What a keeper that failed wrote to standard error, on one line.
fn last_words(mut keeper: Child) -> String {
    drop(keeper.stdin.take());
    let mut words = String::new();
    if let Some(mut stderr) = keeper.stderr.take() {
        let _ = stderr.read_to_string(&mut words);
    }
    let status = keeper.wait().map_or_else(|why| why.to_string(), |status| status.to_string());
    let words = words.trim().replace('\n', "; ");
    if words.is_empty() { status } else { words }
}
