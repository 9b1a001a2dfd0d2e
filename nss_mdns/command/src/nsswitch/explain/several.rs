//! A file with several hosts lines: which one to keep.

use super::super::change::{Refusal, hosts_lines};
use super::{Finding, Kind, Remedy, System, explain as explain_file, line_of, problem};

/// How many lines are considered, from the last one. Each takes time, and a file may have any number.
const MAX_CANDIDATES: usize = 16;

/// Says that there are several, and which one to keep: the last one without problems, or else the last one, corrected.
pub(super) fn explain(file: &[u8], system: &System<'_>) -> Option<Finding> {
    let numbers = hosts_lines(file);
    let last = *numbers.last().filter(|_| numbers.len() > 1)?;
    let why = format!("{}: {}", system.path, Refusal::SeveralHostsLines(numbers.clone()));
    let remedy = |number: usize, line: Option<String>| {
        let others = numbers.iter().copied().filter(|other| *other != number).collect();
        (!system.is_authselects).then_some(Remedy::KeepOne(number, line, others))
    };
    let good = numbers
        .iter()
        .rev()
        .take(MAX_CANDIDATES)
        .copied()
        .find(|&number| problems(&line_of(file, number), system).is_empty());
    if let Some(number) = good {
        // sed keeps a last line without newline as it is, unless it replaces the line.
        let line = (!file.ends_with(b"\n")).then(|| line_of(file, number));
        return Some(Finding { remedy: remedy(number, line), ..problem(format!("{why}; keep line {number} only")) });
    }
    let new = problems(&line_of(file, last), system).into_iter().find_map(|finding| match finding.remedy {
        Some(Remedy::Write(new) | Remedy::Correct(_, new)) => Some(new),
        _ => None,
    });
    let Some(new) = new else { return Some(problem(format!("{why}; keep only one"))) };
    let text = format!("{why}; keep only one: write: {new}");
    Some(Finding { remedy: remedy(last, Some(new)), ..problem(text) })
}

/// What is wrong with a hosts line by itself, wherever the libraries are.
fn problems(line: &str, system: &System<'_>) -> Vec<Finding> {
    let system = System { why_missing: &|_| None, ..*system };
    let findings = explain_file(format!("{line}\n").as_bytes(), &system);
    findings.into_iter().filter(|finding| finding.kind == Kind::Problem).collect()
}
