//! `nss-mdns hosts`: explains the hosts line of `nsswitch.conf` and edits it.

use std::path::PathBuf;

use lexopt::prelude::*;

use crate::{Error, Outcome, USAGE, print};

/// What glibc reads.
const FILE: &str = "/etc/nsswitch.conf";

/// What to do with the hosts line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Action {
    Explain,
    Add,
    Remove,
}

/// The arguments that follow `hosts`.
#[derive(Debug, PartialEq, Eq)]
struct Arguments {
    action: Action,
    service: Option<String>,
    file: PathBuf,
    dry_run: bool,
}

/// Runs `nss-mdns hosts` with the arguments that follow its name.
pub(crate) fn run(arguments: lexopt::Parser) -> Result<Outcome, Error> {
    let Some(arguments) = parse(arguments)? else { return print(USAGE) };
    Err(Error::Failed(format!("{}: not supported yet", arguments.file.display())))
}

/// Parses the arguments; None if they ask for help.
fn parse(mut parser: lexopt::Parser) -> Result<Option<Arguments>, Error> {
    let mut arguments = Arguments { action: Action::Explain, service: None, file: FILE.into(), dry_run: false };
    while let Some(argument) = parser.next()? {
        match argument {
            Long("help") | Short('h') => return Ok(None),
            Long("service") => arguments.service = Some(parser.value()?.string()?),
            Long("file") => arguments.file = parser.value()?.into(),
            Long("dry-run") => arguments.dry_run = true,
            Value(value) if arguments.action == Action::Explain && value == "add" => arguments.action = Action::Add,
            Value(value) if arguments.action == Action::Explain && value == "remove" => {
                arguments.action = Action::Remove;
            }
            _ => return Err(argument.unexpected().into()),
        }
    }
    let edits = arguments.action != Action::Explain;
    if !edits && (arguments.service.is_some() || arguments.dry_run) {
        return Err(Error::Usage("--service and --dry-run need add or remove".into()));
    }
    Ok(Some(arguments))
}
