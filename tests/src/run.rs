//! Runs commands with a time limit, and daemons. [`crate::lan::Host`] uses it for commands in a host.

use crate::sandbox::child_of;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How a command ended.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The exit status. None if the command was ended by a signal or by the time limit.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
    /// The time from start to end. Entering the namespaces of a host takes 1 to 3 ms of it.
    pub elapsed: Duration,
    /// Whether the command was ended by the time limit.
    pub timed_out: bool,
}

impl Outcome {
    /// Whether the command ended with status 0.
    pub fn success(&self) -> bool {
        self.code == Some(0)
    }
}

/// Runs a command until it ends, for `limit` at most.
///
/// # Errors
/// If it cannot be started.
pub fn run(mut command: Command, limit: Duration) -> Result<Outcome, String> {
    let start = Instant::now();
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|why| format!("{command:?}: {why}"))?;
    let stdout = collect(child.stdout.take());
    let stderr = collect(child.stderr.take());
    let mut timed_out = false;
    let mut finish = |output: Receiver<Vec<u8>>, child: &Child| {
        let left = limit.saturating_sub(start.elapsed());
        match output.recv_timeout(left) {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(RecvTimeoutError::Timeout) => {
                timed_out = true;
                kill_inside(child);
                // The end of the process closes the pipe, unless a child of it still holds it.
                let rest = output.recv_timeout(Duration::from_secs(2)).unwrap_or_default();
                String::from_utf8_lossy(&rest).into_owned()
            }
            Err(RecvTimeoutError::Disconnected) => String::new(),
        }
    };
    let stdout = finish(stdout, &child);
    let stderr = finish(stderr, &child);
    let status = child.wait().map_err(|why| format!("{command:?}: {why}"))?;
    let elapsed = start.elapsed();
    let code = if timed_out { None } else { ExitStatus::code(&status) };
    Ok(Outcome { code, stdout, stderr, elapsed, timed_out })
}

/// Reads a pipe to its end in a thread, and sends everything at once.
fn collect(pipe: Option<impl Read + Send + 'static>) -> Receiver<Vec<u8>> {
    let (sender, receiver): (Sender<Vec<u8>>, _) = channel();
    if let Some(mut pipe) = pipe {
        std::thread::spawn(move || {
            let mut bytes = Vec::new();
            let _ = pipe.read_to_end(&mut bytes);
            let _ = sender.send(bytes);
        });
    }
    receiver
}

/// Kills the child of `nsenter`, which is the command in the namespaces, or the process itself if it has no child.
fn kill_inside(child: &Child) {
    let pid = child_of(child.id()).unwrap_or(child.id());
    let Ok(pid) = libc::pid_t::try_from(pid) else { return };
    // SAFETY: takes two numbers. The process is a child, or the child of a child, which was not waited for, so its id
    // is not reused.
    unsafe { libc::kill(pid, libc::SIGKILL) };
}

/// A program that runs until this value is dropped.
#[derive(Debug)]
pub struct Daemon {
    name: String,
    child: Child,
    log: Arc<Log>,
}

/// The output of a daemon so far, from both streams.
#[derive(Debug, Default)]
struct Log {
    lines: Mutex<Lines>,
    grown: Condvar,
}

#[derive(Debug, Default)]
struct Lines {
    text: Vec<String>,
    streams_ended: u32,
}

impl Log {
    fn lock(&self) -> MutexGuard<'_, Lines> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Daemon {
    /// Starts a daemon.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn start(name: &str, mut command: Command) -> Result<Daemon, String> {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|why| format!("{command:?}: {why}"))?;
        let log = Arc::new(Log::default());
        follow(child.stdout.take(), Arc::clone(&log));
        follow(child.stderr.take(), Arc::clone(&log));
        Ok(Daemon { name: name.into(), child, log })
    }

    /// Waits until a line contains this text.
    ///
    /// # Errors
    /// The whole output, if the daemon ends first or does not write the text in time.
    pub fn wait_for(&self, text: &str, limit: Duration) -> Result<(), String> {
        let deadline = Instant::now() + limit;
        let mut lines = self.log.lock();
        while !lines.text.iter().any(|line| line.contains(text)) {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || lines.streams_ended == 2 {
                return Err(format!("{} did not print `{text}`. Its output:\n{}", self.name, lines.text.join("\n")));
            }
            lines = self.log.grown.wait_timeout(lines, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        Ok(())
    }

    /// Every line written so far.
    pub fn lines(&self) -> Vec<String> {
        self.log.lock().text.clone()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        kill_inside(&self.child);
        let _ = self.child.wait();
    }
}

/// Adds the lines of a stream to the log as they arrive.
fn follow(pipe: Option<impl Read + Send + 'static>, log: Arc<Log>) {
    std::thread::spawn(move || {
        if let Some(pipe) = pipe {
            for line in BufReader::new(pipe).split(b'\n').map_while(Result::ok) {
                log.lock().text.push(String::from_utf8_lossy(&line).into_owned());
                log.grown.notify_all();
            }
        }
        log.lock().streams_ended += 1;
        log.grown.notify_all();
    });
}
