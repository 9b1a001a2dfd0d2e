//! The output of `nss-mdns check`: findings, one a line, and the stories of lookups; or all of it as JSON.

use std::io::{self, Write};

use super::json::Value;
use super::story::Line;

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Level {
    /// All is well.
    Good,
    /// It is not wrong, but it may not be what is wanted.
    Note,
    /// It is wrong. The exit status is 1.
    Problem,
}

/// Writes the output.
#[derive(Debug)]
pub(crate) struct Report<W> {
    out: W,
    /// With `--json`: the findings, and the lookups.
    json: Option<(Vec<Value>, Vec<Value>)>,
    /// The first words of the subjects of the problems, and how many problems each has.
    problems: Vec<(String, usize)>,
}

impl<W: Write> Report<W> {
    /// A report as text or as JSON.
    pub(crate) fn new(out: W, is_json: bool) -> Self {
        Self { out, json: is_json.then(Default::default), problems: Vec::new() }
    }

    /// True if a problem has been reported.
    pub(crate) fn found_problem(&self) -> bool {
        !self.problems.is_empty()
    }

    /// True if a problem of one of these subjects has been reported.
    pub(crate) fn has_problem(&self, subjects: &[&str]) -> bool {
        self.problems.iter().any(|(subject, _)| subjects.contains(&subject.as_str()))
    }

    /// Reports how many problems there are, and of which subjects.
    ///
    /// # Errors
    /// Those of writing.
    pub(crate) fn verdict(&mut self) -> io::Result<()> {
        let number: usize = self.problems.iter().map(|(_, number)| number).sum();
        let subjects: Vec<_> = self.problems.iter().map(|(subject, _)| subject.as_str()).collect();
        let text = match number {
            0 => "no problem".to_owned(),
            1 => format!("1 problem: {}", subjects.join(", ")),
            _ => format!("{number} problems: {}", subjects.join(", ")),
        };
        self.good("check", text)
    }

    fn count(&mut self, subject: &str) {
        let subject = subject.split(' ').next().unwrap_or_default();
        match self.problems.iter_mut().find(|(other, _)| other == subject) {
            Some((_, number)) => *number += 1,
            None => self.problems.push((subject.to_owned(), 1)),
        }
    }

    /// Reports that something is in order, or how things are.
    ///
    /// # Errors
    /// Those of writing, as for all of these functions.
    pub(crate) fn good(&mut self, subject: &str, text: impl Into<String>) -> io::Result<()> {
        self.finding(subject, Level::Good, text.into(), None)
    }

    /// Reports something that may not be what is wanted.
    pub(crate) fn note(&mut self, subject: &str, text: impl Into<String>) -> io::Result<()> {
        self.finding(subject, Level::Note, text.into(), None)
    }

    /// Reports a problem.
    pub(crate) fn bad(&mut self, subject: &str, text: impl Into<String>) -> io::Result<()> {
        self.finding(subject, Level::Problem, text.into(), None)
    }

    /// Reports something, and a command or a line that changes it.
    pub(crate) fn finding(
        &mut self,
        subject: &str,
        level: Level,
        text: String,
        remedy: Option<String>,
    ) -> io::Result<()> {
        if level == Level::Problem {
            self.count(subject);
        }
        let kind = match level {
            Level::Good => "",
            Level::Note => "note: ",
            Level::Problem => "problem: ",
        };
        if let Some((findings, _)) = &mut self.json {
            let level = kind.trim_end_matches(": ");
            let level = if level.is_empty() { Value::Null } else { level.into() };
            let members =
                [("subject", subject.into()), ("level", level), ("text", text.into()), ("remedy", remedy.into())];
            findings.push(Value::object(members));
            return Ok(());
        }
        writeln!(self.out, "{subject}: {kind}{text}")?;
        match remedy {
            Some(remedy) => writeln!(self.out, "{subject}: remedy: {remedy}"),
            None => Ok(()),
        }
    }

    /// Writes the story of a lookup, or keeps it for the JSON output.
    pub(crate) fn story(&mut self, lines: &[Line], json: Value) -> io::Result<()> {
        if let Some((_, lookups)) = &mut self.json {
            lookups.push(json);
            return Ok(());
        }
        for Line { at, text } in lines {
            match at {
                Some(at) => writeln!(self.out, "{:>10.1} ms  {text}", at.as_secs_f64() * 1000.0)?,
                None => writeln!(self.out, "{:>15}{text}", "")?,
            }
        }
        Ok(())
    }

    /// Writes the JSON output, if that is wanted.
    pub(crate) fn finish(&mut self) -> io::Result<()> {
        if let Some((findings, lookups)) = self.json.take() {
            let version = env!("CARGO_PKG_VERSION").into();
            let members = [
                ("version", version),
                ("problem", self.found_problem().into()),
                ("findings", Value::List(findings)),
                ("lookups", Value::List(lookups)),
            ];
            writeln!(self.out, "{}", Value::object(members))?;
        }
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn written(is_json: bool) -> String {
        let mut out = Vec::new();
        let mut report = Report::new(&mut out, is_json);
        report.good("dns", "fine").unwrap();
        report.note("hosts", "odd").unwrap();
        assert!(!report.found_problem());
        report.finding("firewall eth0", Level::Problem, "closed".into(), Some("open it".into())).unwrap();
        assert!(report.found_problem());
        let lines = [
            Line { at: Some(Duration::from_micros(1250)), text: "asked".into() },
            Line { at: None, text: "so".into() },
        ];
        report.story(&lines, Value::object([("name", "a.local".into())])).unwrap();
        report.finish().unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn each_finding_is_a_line_that_begins_with_its_subject() {
        let expected = "dns: fine\nhosts: note: odd\nfirewall eth0: problem: closed\nfirewall eth0: remedy: open it\n       \
                        1.2 ms  asked\n               so\n";
        assert_eq!(written(false), expected);
    }

    #[test]
    fn the_verdict_counts_the_problems_of_each_subject() {
        let verdict = |subjects: &[&str]| {
            let mut out = Vec::new();
            let mut report = Report::new(&mut out, false);
            subjects.iter().for_each(|subject| report.bad(subject, "odd").unwrap());
            report.verdict().unwrap();
            String::from_utf8(out).unwrap().lines().last().unwrap_or_default().to_owned()
        };
        assert_eq!(verdict(&[]), "check: no problem");
        assert_eq!(verdict(&["hosts"]), "check: 1 problem: hosts");
        assert_eq!(verdict(&["hosts", "firewall eth0", "firewall wlan0"]), "check: 3 problems: hosts, firewall");
    }

    #[test]
    fn json_has_the_same_content() {
        let expected = format!(
            "{{\n  \"version\": \"{}\",\n  \"problem\": true,\n  \"findings\": [\n    \
             {{\"subject\": \"dns\", \"text\": \"fine\"}},\n    \
             {{\"subject\": \"hosts\", \"level\": \"note\", \"text\": \"odd\"}},\n    \
             {{\"subject\": \"firewall eth0\", \"level\": \"problem\", \"text\": \"closed\", \"remedy\": \"open it\"}}\n  ],\n  \
             \"lookups\": [\n    {{\"name\": \"a.local\"}}\n  ]\n}}\n",
            env!("CARGO_PKG_VERSION")
        );
        assert_eq!(written(true), expected);
    }
}
