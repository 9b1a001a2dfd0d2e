//! Commands inside a host: bounded in time, with status, output and duration; used by [`crate::lan::Host`].

use crate::sandbox::child_of;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How a command ended.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The exit status; none if a signal or the time limit ended it.
    pub code: Option<i32>,
    /// What it wrote to standard output.
    pub stdout: String,
    /// What it wrote to standard error.
    pub stderr: String,
    /// From its start to its end, the entering of the namespaces included (1 to 3 ms).
    pub elapsed: Duration,
    /// Whether the time limit ended it.
    pub timed_out: bool,
}

impl Outcome {
    /// Whether it ended by itself with status 0.
    pub fn success(&self) -> bool {
        self.code == Some(0)
    }
}

/// Runs a command to its end, or to the limit.
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
                // Its end closes the pipe, unless it left a child of its own behind.
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

/// Reads a pipe to its end in a thread and hands over the whole.
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

/// Ends what `nsenter` runs: its child, in the namespaces, or itself if it has none (any more).
fn kill_inside(child: &Child) {
    let pid = child_of(child.id()).unwrap_or(child.id());
    let Ok(pid) = libc::pid_t::try_from(pid) else { return };
    // SAFETY: takes two numbers. The process is a child, or the child of a child that has not been waited
    // for, so the number still means it.
    unsafe { libc::kill(pid, libc::SIGKILL) };
}

/// A program that runs in a host until it is dropped.
#[derive(Debug)]
pub struct Daemon {
    name: String,
    child: Child,
    log: Arc<Log>,
}

/// What a daemon has written so far, both streams in one.
#[derive(Debug, Default)]
struct Log {
    lines: Mutex<Lines>,
    grew: Condvar,
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
    /// Starts it.
    ///
    /// # Errors
    /// If that cannot be done.
    pub fn start(name: &str, mut command: Command) -> Result<Daemon, String> {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|why| format!("{command:?}: {why}"))?;
        let log = Arc::new(Log::default());
        follow(child.stdout.take(), Arc::clone(&log));
        follow(child.stderr.take(), Arc::clone(&log));
        Ok(Daemon { name: name.into(), child, log })
    }

    /// Waits until a line holds this text.
    ///
    /// # Errors
    /// Everything it wrote, if it ends first or does not write it in time.
    pub fn wait_for(&self, text: &str, limit: Duration) -> Result<(), String> {
        let deadline = Instant::now() + limit;
        let mut lines = self.log.lock();
        while !lines.text.iter().any(|line| line.contains(text)) {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || lines.streams_ended == 2 {
                return Err(format!("{} never said `{text}`; it said:\n{}", self.name, lines.text.join("\n")));
            }
            lines = self.log.grew.wait_timeout(lines, left).unwrap_or_else(PoisonError::into_inner).0;
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

/// Adds a stream's lines to the log as they come.
fn follow(pipe: Option<impl Read + Send + 'static>, log: Arc<Log>) {
    std::thread::spawn(move || {
        if let Some(pipe) = pipe {
            for line in BufReader::new(pipe).split(b'\n').map_while(Result::ok) {
                log.lock().text.push(String::from_utf8_lossy(&line).into_owned());
                log.grew.notify_all();
            }
        }
        log.lock().streams_ended += 1;
        log.grew.notify_all();
    });
}
