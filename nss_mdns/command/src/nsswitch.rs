//! The hosts line of `nsswitch.conf`, as glibc reads it. No I/O: a text is parsed into spans, which are explained, or
//! edited in such a way that every other octet stays as it is.
//!
//! | file | contents |
//! |---|---|
//! | `parse` | [`read`]: what glibc makes of the file |
//! | `change` | [`insert`] and [`remove`]: where a service belongs, and how it is taken off again |
//! | `explain` | [`explain()`]: what happens to a lookup on this line, and what is wrong with it |
//!
//! glibc has had two parsers in the versions that matter. Versions 2.31, 2.36, 2.41 and 2.43 have been compared with this
//! code by tests/tests/nsswitch.rs. Version 2.33 moved the code from `nss/nsswitch.c` to
//! `nss/nss_database.c` and `nss/nss_action_parse.c`:
//!
//! | | 2.31, 2.32 | 2.33 to 2.43 |
//! |---|---|---|
//! | `#` | begins a comment anywhere | begins a comment only where a database is expected: behind one it is a service |
//! | after the name of the database | exactly one octet is skipped, so that `hosts : files` has the service `:` | all white space and colons are skipped |
//! | a last line without a newline | is read | is ignored |
//! | a mistake in an action | ends the list before that service | makes every lookup in every database fail |
//! | `hosts:` without services | the default holds | no service is asked, and `getaddrinfo` crashes many programs |
//! | no hosts line | `dns [!UNAVAIL=return] files` | the same, and `files dns` since 2.35 |
//!
//! In both, the colon is optional, the last line for a database takes effect, a NUL ends the line, the names of
//! databases and services are case-sensitive, and those of statuses and actions are not. A second action in brackets for
//! one service, or an action before the first service, ends the list silently.

mod change;
mod explain;
mod parse;

use std::fmt;
use std::ops::Range;

pub use change::{Edit, Refusal, insert, remove};
pub use explain::{Finding, Kind, NOT_INSTALLED, Remedy, System, USUAL, explain, misspelt};
pub use parse::read;

/// The services of the module.
pub const SERVICES: [&str; 6] = ["mdns_minimal", "mdns4_minimal", "mdns6_minimal", "mdns", "mdns4", "mdns6"];

/// What glibc asks if there is no hosts line.
pub const DEFAULT: &str = "files dns (before glibc 2.35: dns [!UNAVAIL=return] files)";

/// A version of glibc's parser.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Glibc {
    /// 2.31 and 2.32.
    V2_31,
    /// 2.33 to 2.43.
    V2_33,
}

/// What a service reports to glibc.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It has the answer.
    Success,
    /// It has no such name.
    NotFound,
    /// It cannot be used, does not handle this name, or does not exist.
    Unavail,
    /// It failed for a reason that may pass.
    TryAgain,
}

impl Status {
    /// All of them, in the order of [`Actions`].
    pub const ALL: [Status; 4] = [Status::Success, Status::NotFound, Status::Unavail, Status::TryAgain];
}

/// What glibc does after a service has reported a status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// The search ends.
    Return,
    /// The next service is asked.
    Continue,
    /// The hosts database does not support it. `getaddrinfo` asked the next service until glibc 2.35; since then the
    /// lookup fails.
    Merge,
}

/// The action for each status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Actions {
    /// In the order of [`Status::ALL`].
    of: [Action; 4],
}

impl Default for Actions {
    fn default() -> Actions {
        Actions { of: [Action::Return, Action::Continue, Action::Continue, Action::Continue] }
    }
}

impl Actions {
    /// What glibc does after this status.
    pub fn after(&self, status: Status) -> Action {
        let [success, not_found, unavail, try_again] = self.of;
        match status {
            Status::Success => success,
            Status::NotFound => not_found,
            Status::Unavail => unavail,
            Status::TryAgain => try_again,
        }
    }

    /// Whether the next service is not asked after this status, at least by the current glibc.
    pub fn ends(&self, status: Status) -> bool {
        self.after(status) != Action::Continue
    }

    /// `STATUS=action`, or `!STATUS=action`, which sets all statuses but this one.
    fn set(&mut self, status: Status, except: bool, action: Action) {
        for (other, slot) in Status::ALL.into_iter().zip(&mut self.of) {
            if (other == status) != except {
                *slot = action;
            }
        }
    }
}

/// A service on the hosts line. The spans are offsets in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// Its name.
    pub name: Range<usize>,
    /// The actions in brackets that follow it, brackets included.
    pub brackets: Option<Range<usize>>,
    /// What glibc does after each status.
    pub actions: Actions,
}

impl Service {
    /// From its name to the end of its actions.
    pub fn span(&self) -> Range<usize> {
        self.name.start..self.brackets.as_ref().unwrap_or(&self.name).end
    }
}

/// The hosts line that takes effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostsLine {
    /// The number of the line, from 1.
    pub number: usize,
    /// The line without its newline.
    pub span: Range<usize>,
    /// The services that glibc asks, in this order.
    pub services: Vec<Service>,
    /// Why the list ends before the line does.
    pub end: Option<Mistake>,
}

/// What glibc makes of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reading {
    /// This hosts line takes effect.
    Line(HostsLine),
    /// No hosts line takes effect: [`DEFAULT`] holds.
    Default,
    /// A mistake, in whichever line of the file, that makes every lookup in every database fail.
    Broken(Mistake),
}

/// Where glibc did not find what it expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// The number of the line, from 1.
    pub line: usize,
    /// What was found, up to the next white space; empty at the end of the line.
    pub found: Range<usize>,
    /// What was expected there.
    pub expected: Expected,
}

/// What glibc expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// The name of a service, and not an action in brackets: a service has at most one pair of brackets.
    Service,
    /// The name of a status.
    Status,
    /// The equals sign between a status and an action.
    Equals,
    /// The name of an action.
    Action,
}

impl fmt::Display for Expected {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Expected::Service => "the name of a service, which one pair of brackets at most may follow",
            Expected::Status => "SUCCESS, NOTFOUND, UNAVAIL or TRYAGAIN, with at most a ! directly before it",
            Expected::Equals => "an equals sign",
            Expected::Action => "return, continue or merge",
        })
    }
}

/// What was found in place of what glibc expected, for a message.
fn found(octets: &[u8], mistake: &Mistake) -> String {
    let found = text(octets, &mistake.found);
    match octets.get(mistake.found.start) {
        _ if !found.is_empty() => format!("\"{found}\""),
        None | Some(b'\n' | b'#' | 0) => "the end of the line".into(),
        Some(_) => "white space".into(),
    }
}

/// `octets` at this span as text; empty if the span is outside.
fn text(octets: &[u8], span: &Range<usize>) -> String {
    String::from_utf8_lossy(octets.get(span.clone()).unwrap_or_default()).into_owned()
}
