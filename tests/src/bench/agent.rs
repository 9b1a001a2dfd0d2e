//! A process in a host that starts other processes, so that entering the namespaces is not part of what is measured.
//!
//! It reads one command a line, with tabs between the words. For each it prints a line with the nanoseconds from start
//! to end, the status, and the output, in which tabs replace line ends.

use crate::lan::Host;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

/// How long a command may run before the whole measurement fails.
const LIMIT: Duration = Duration::from_secs(60);

/// `bench agent`: runs commands until standard input ends.
pub(super) fn serve() -> Result<(), String> {
    for line in std::io::stdin().lines() {
        let line = line.map_err(|why| why.to_string())?;
        let mut words = line.split('\t');
        let mut command = Command::new(words.next().unwrap_or_default());
        command.args(words).stdin(Stdio::null());
        let start = Instant::now();
        let output = command.output();
        let elapsed = start.elapsed().as_nanos();
        let (code, text) = match output {
            Ok(output) if output.status.success() => (0, output.stdout),
            Ok(output) => (output.status.code().unwrap_or(-1), [output.stdout, output.stderr].concat()),
            Err(why) => (-1, why.to_string().into_bytes()),
        };
        let text = String::from_utf8_lossy(&text).trim_end().replace('\n', "\t");
        println!("{elapsed}\t{code}\t{text}");
    }
    Ok(())
}

/// The result of a command.
#[derive(Debug, Clone)]
pub(super) struct Ended {
    /// The time from start to end.
    pub(super) elapsed: Duration,
    /// The exit status, or -1 if a signal ended the command.
    pub(super) code: i32,
    /// What the command printed.
    pub(super) output: String,
}

/// A connection to an agent.
#[derive(Debug)]
pub(super) struct Agent {
    child: Child,
    commands: Option<ChildStdin>,
    results: Receiver<String>,
}

impl Agent {
    pub(super) fn start(host: &Host) -> Result<Agent, String> {
        let own = std::env::current_exe().map_err(|why| why.to_string())?;
        let mut command = host.command(own);
        command.arg("agent").stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().map_err(|why| format!("agent: {why}"))?;
        let (commands, output) = (child.stdin.take(), child.stdout.take());
        let (sender, results) = channel();
        let output = output.ok_or("no pipe from the agent")?;
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        Ok(Agent { child, commands, results })
    }

    pub(super) fn run(&mut self, words: &[String]) -> Result<Ended, String> {
        let commands = self.commands.as_mut().ok_or("the agent has ended")?;
        writeln!(commands, "{}", words.join("\t")).map_err(|why| format!("agent: {why}"))?;
        let result = self.results.recv_timeout(LIMIT).map_err(|_| format!("{words:?} hangs"))?;
        let mut parts = result.splitn(3, '\t');
        let mut part = || parts.next().ok_or_else(|| format!("agent: {result}"));
        let invalid = |part: &str| format!("agent: {part}");
        let elapsed = part().and_then(|part| part.parse().map_err(|_| invalid(part)))?;
        let code = part().and_then(|part| part.parse().map_err(|_| invalid(part)))?;
        Ok(Ended { elapsed: Duration::from_nanos(elapsed), code, output: part()?.replace('\t', "\n") })
    }
}

impl Drop for Agent {
    /// The agent ends when its standard input is closed.
    fn drop(&mut self) {
        drop(self.commands.take());
        let _ = self.child.wait();
    }
}
