//! The program `nss-mdns`: explains what affects the module's lookups on this machine, edits the hosts line of
//! `nsswitch.conf`, and installs the module for `install.sh`. Administrators run it, and so do the packages' scripts.
//!
//! | file | contents |
//! |---|---|
//! | `check` | `nss-mdns check`: settings, interfaces, firewall, and the lookup of names, by the module's own code |
//! | `hosts` | `nss-mdns hosts`: explains and edits the hosts line |
//! | `edit` | replaces a file that programs may read at any moment |
//! | `install` | `nss-mdns install` and `nss-mdns uninstall`, which `install.sh` calls |
//! | `elf`, `library_folders` | what an ELF file is built for; where distributions keep libraries |
//! | [`nsswitch`] | the hosts line as glibc reads it: parsed, explained, changed; no I/O |
//! | `text` | text from elsewhere, in a form that a terminal prints as it is |

#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing))]

mod check;
mod edit;
mod elf;
mod hosts;
mod install;
mod library_folders;
pub mod nsswitch;
mod text;

use std::fmt;
use std::io::{self, Write};
use std::process::ExitCode;

use lexopt::prelude::*;

const USAGE: &str = "\
Usage: nss-mdns check [--json] [NAME]...
       nss-mdns hosts [--file FILE]
       nss-mdns hosts add|remove [--service NAME] [--file FILE] [--no-backup] [--dry-run]
       nss-mdns install --module FILE --files DIR [--libdir DIR] [--prefix DIR] [--dry-run] [--no-check]
       nss-mdns uninstall [--libdir DIR] [--dry-run]

check   Explains what affects lookups on this machine: the hosts line, the files that glibc loads for it, settings, names
        that are left to DNS, daemons, interfaces, and whether a firewall drops multicast DNS (by sending one query on
        each interface). Looks up each NAME or address, and tells what was asked, who answered and what was ignored.
        --json       the same as JSON
hosts   Explains the hosts line of /etc/nsswitch.conf, service by service, as glibc reads it.
hosts add, hosts remove
        Adds a service to that line or removes it: mdns_minimal, or NAME. The old file is kept as a backup.
        --file FILE  instead of /etc/nsswitch.conf
        --no-backup  neither makes nor removes a backup
        --dry-run    shows the change and writes nothing
install, uninstall
        install.sh calls these, and its --help explains them. A package manager installs and removes packages.

Exit status: 0 all is well; 1 there is a problem; 2 wrong usage; 3 installed, but the check found a problem.
";

/// What ended the program early.
#[derive(Debug)]
enum Error {
    /// The arguments are wrong. Exit status 2.
    Usage(lexopt::Error),
    /// It could not be done. Exit status 1.
    Failed(String),
    /// Nobody reads the output any more, as with `nss-mdns check | head`. Exit status 1, without a message.
    Closed,
}

impl From<lexopt::Error> for Error {
    fn from(error: lexopt::Error) -> Error {
        Error::Usage(error)
    }
}

/// An error of writing to standard output.
impl From<io::Error> for Error {
    fn from(error: io::Error) -> Error {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Error::Closed;
        }
        Error::Failed(format!("standard output: {error}"))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Usage(error) => write!(formatter, "{error}; see nss-mdns --help"),
            Error::Failed(reason) => formatter.write_str(reason),
            Error::Closed => Ok(()),
        }
    }
}

/// How a subcommand that was able to do its work has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// All is well. Exit status 0.
    Good,
    /// It has found a problem. Exit status 1.
    Problem,
    /// The module is installed, and the check found a problem. Exit status 3.
    InstalledWithProblem,
}

/// Runs the program with the arguments of this process.
pub fn main() -> ExitCode {
    match run(lexopt::Parser::from_env()) {
        Ok(Outcome::Good) => ExitCode::SUCCESS,
        Ok(Outcome::Problem) => ExitCode::from(1),
        Ok(Outcome::InstalledWithProblem) => ExitCode::from(3),
        Err(error) => {
            complain(&error);
            ExitCode::from(if matches!(error, Error::Usage(_)) { 2 } else { 1 })
        }
    }
}

/// Writes an error to standard error.
fn complain(error: &Error) {
    if !matches!(error, Error::Closed) {
        // Not eprintln!, which panics if standard error is a closed pipe.
        let _ = writeln!(io::stderr(), "nss-mdns: {error}");
    }
}

/// Each subcommand parses the arguments that follow its name.
fn run(mut arguments: lexopt::Parser) -> Result<Outcome, Error> {
    match arguments.next()? {
        Some(Long("help") | Short('h')) => print(USAGE),
        Some(Long("version")) => print(concat!("nss-mdns ", env!("CARGO_PKG_VERSION"), "\n")),
        Some(Value(name)) if name == "check" => check::run(arguments),
        Some(Value(name)) if name == "hosts" => hosts::run(arguments),
        Some(Value(name)) if name == "install" => install::install(arguments),
        Some(Value(name)) if name == "uninstall" => install::uninstall(arguments),
        Some(Value(name)) => Err(Error::Usage(format!("unknown command {name:?}").into())),
        Some(option) => Err(option.unexpected().into()),
        None => Err(Error::Usage("a command is missing".into())),
    }
}

fn print(text: &str) -> Result<Outcome, Error> {
    io::stdout().write_all(text.as_bytes())?;
    Ok(Outcome::Good)
}
