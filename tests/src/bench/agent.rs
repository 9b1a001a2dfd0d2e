//! A process in a host that starts others, so that what enters the namespaces is not part of what is measured.
//!
//! One command a line, its words separated by tabs; for each one line back: nanoseconds from start to end, status, and
//! what was printed, line ends as tabs.

use crate::lan::Host;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

/// How long a command may take before the whole measurement is given up.
const LIMIT: Duration = Duration::from_secs(60);

/// `bench agent`: serves commands until its standard input ends.
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

/// What became of a command.
#[derive(Debug, Clone)]
pub(super) struct Ended {
    /// From its start to its end.
    pub(super) elapsed: Duration,
    /// Its status; -1 if a signal ended it.
    pub(super) code: i32,
    /// What it printed.
    pub(super) output: String,
}

/// This side of an agent.
#[derive(Debug)]
pub(super) struct Agent {
    child: Child,
    commands: Option<ChildStdin>,
    answers: Receiver<String>,
}

impl Agent {
    pub(super) fn start(host: &Host) -> Result<Agent, String> {
        let own = std::env::current_exe().map_err(|why| why.to_string())?;
        let mut command = host.command(own);
        command.arg("agent").stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().map_err(|why| format!("agent: {why}"))?;
        let (commands, output) = (child.stdin.take(), child.stdout.take());
        let (sender, answers) = channel();
        let output = output.ok_or("no pipe to the agent")?;
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        Ok(Agent { child, commands, answers })
    }

    pub(super) fn run(&mut self, words: &[String]) -> Result<Ended, String> {
        let commands = self.commands.as_mut().ok_or("the agent has ended")?;
        writeln!(commands, "{}", words.join("\t")).map_err(|why| format!("agent: {why}"))?;
        let answer = self.answers.recv_timeout(LIMIT).map_err(|_| format!("{words:?} does not end"))?;
        let mut parts = answer.splitn(3, '\t');
        let mut part = || parts.next().ok_or_else(|| format!("agent: {answer}"));
        let bad = |part: &str| format!("agent: {part}");
        let elapsed = part().and_then(|part| part.parse().map_err(|_| bad(part)))?;
        let code = part().and_then(|part| part.parse().map_err(|_| bad(part)))?;
        Ok(Ended { elapsed: Duration::from_nanos(elapsed), code, output: part()?.replace('\t', "\n") })
    }
}

impl Drop for Agent {
    /// It ends with its standard input.
    fn drop(&mut self) {
        drop(self.commands.take());
        let _ = self.child.wait();
    }
}
