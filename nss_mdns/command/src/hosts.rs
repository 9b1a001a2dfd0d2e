//! `nss-mdns hosts`: explains the hosts line of `nsswitch.conf` and edits it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use lexopt::prelude::*;

use crate::check::files;
use crate::check::loader::{self, Loaded};
use crate::edit::Locked;
use crate::nsswitch::{self, Edit, Finding, Glibc, Kind, NOT_INSTALLED, Refusal, Remedy, System, USUAL};
use crate::text::printable;
use crate::{Error, Outcome, USAGE, complain, print};

/// What glibc reads.
pub(crate) const FILE: &str = "/etc/nsswitch.conf";

/// What to do with the hosts line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Explain,
    Add,
    Remove,
}

/// The arguments that follow `hosts`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Arguments {
    action: Action,
    service: Option<String>,
    file: PathBuf,
    dry_run: bool,
    /// What becomes of the old file, or of what is left of an earlier edit.
    backup: Backup,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Backup {
    /// The old file is kept. When the edit is undone, its backup is removed.
    Kept,
    /// Likewise. The last backup is known to be of the edit that is undone, even if that has been undone by hand.
    Known,
    /// No backup is made or removed.
    Untouched,
}

impl Arguments {
    /// For the usual service on the system's hosts line, by an installation, which knows what it has added.
    pub(crate) fn of_installation(action: Action, dry_run: bool) -> Arguments {
        Arguments { action, service: None, file: FILE.into(), dry_run, backup: Backup::Known }
    }
}

/// The outcome of [`change`], with the text that reports it.
#[derive(Debug)]
pub(crate) enum Change {
    /// The line needs none.
    Unneeded(String),
    /// It was made, or would be made in a dry run.
    Made(String),
    /// The file was left alone because authselect generates it; the text says what to run.
    Authselect(String),
}

/// Runs `nss-mdns hosts` with the arguments that follow its name.
pub(crate) fn run(arguments: lexopt::Parser) -> Result<Outcome, Error> {
    let Some(arguments) = parse(arguments)? else { return print(USAGE) };
    match arguments.action {
        Action::Explain => print_findings(&arguments.file),
        Action::Add | Action::Remove => report(change(&arguments)?, arguments.dry_run),
    }
}

/// Exit status 1 says that nothing was changed. So an error of writing about a change is reported, but is no failure.
fn report(change: Change, dry_run: bool) -> Result<Outcome, Error> {
    match change {
        Change::Made(text) if !dry_run => Ok(print(&text).unwrap_or_else(|error| {
            complain(&error);
            Outcome::Good
        })),
        Change::Made(text) | Change::Unneeded(text) => print(&text),
        Change::Authselect(text) => Err(Error::Failed(text)),
    }
}

/// Parses the arguments; None if they ask for help.
fn parse(mut parser: lexopt::Parser) -> Result<Option<Arguments>, Error> {
    let mut arguments =
        Arguments { action: Action::Explain, service: None, file: FILE.into(), dry_run: false, backup: Backup::Kept };
    while let Some(argument) = parser.next()? {
        match argument {
            Long("help") | Short('h') => return Ok(None),
            Long("service") => arguments.service = Some(parser.value()?.string()?),
            Long("file") => arguments.file = parser.value()?.into(),
            Long("dry-run") => arguments.dry_run = true,
            Long("no-backup") => arguments.backup = Backup::Untouched,
            Value(value) if arguments.action == Action::Explain && value == "add" => arguments.action = Action::Add,
            Value(value) if arguments.action == Action::Explain && value == "remove" => {
                arguments.action = Action::Remove;
            }
            _ => return Err(argument.unexpected().into()),
        }
    }
    let edits = arguments.action != Action::Explain;
    if !edits && (arguments.service.is_some() || arguments.dry_run || arguments.backup != Backup::Kept) {
        return Err(Error::Usage("--service, --dry-run and --no-backup need add or remove".into()));
    }
    if let Some(service) = arguments.service.as_ref().filter(|name| !nsswitch::SERVICES.contains(&name.as_str())) {
        return Err(Error::Usage(Refusal::NotOurs(service.clone()).to_string().into()));
    }
    Ok(Some(arguments))
}

/// Adds the service to the hosts line, or removes it.
///
/// # Errors
/// Why the file was left alone.
pub(crate) fn change(arguments: &Arguments) -> Result<Change, Error> {
    let path = arguments.file.display();
    let removes = arguments.action == Action::Remove;
    if removes && fs::exists(&arguments.file).is_ok_and(|exists| !exists) {
        return Ok(Change::Unneeded(format!("nothing to do: {path} does not exist\n")));
    }
    let file = Locked::open(&arguments.file).map_err(Error::Failed)?;
    let Some(edit) = edit_of(&file, arguments)? else {
        let advice = if !removes && has_problem(&file) { ", but it has a problem: see nss-mdns hosts" } else { "" };
        let mut text = format!("nothing to do: the hosts line of {path} {}{advice}\n", state_of(arguments.action));
        if removes {
            text += &tidy_up(&file, arguments)?;
        }
        return Ok(Change::Unneeded(text));
    };
    if is_authselects(file.path(), file.content()) {
        let verb = if removes { "disable" } else { "enable" };
        return Ok(Change::Authselect(format!(
            "{path}: belongs to authselect and was left alone; run\n    authselect {verb}-feature with-mdns4\n    \
             authselect {verb}-feature with-mdns6"
        )));
    }
    let text = description(&file, &edit, arguments);
    if !arguments.dry_run {
        let content = edit.apply(file.content());
        let result = match arguments.backup {
            Backup::Untouched => file.replace(&content),
            _ if removes => file.restore(&content),
            _ => file.replace_and_keep(&content),
        };
        result.map_err(Error::Failed)?;
    }
    Ok(Change::Made(text))
}

/// Whether something is wrong with the line itself, wherever the libraries are.
fn has_problem(file: &Locked) -> bool {
    let shown = file.path().display().to_string();
    let is_authselects = is_authselects(file.path(), file.content());
    let system = System { glibc: running_glibc(), path: &shown, is_authselects, why_missing: &|_| None };
    nsswitch::explain(file.content(), &system).iter().any(|finding| finding.kind == Kind::Problem)
}

/// Why there is nothing to do.
fn state_of(action: Action) -> &'static str {
    if action == Action::Remove { "does not name it" } else { "names the module already" }
}

/// Removes what earlier runs have left, except a backup that may be the only copy of what it has. Returns what there is to
/// say.
fn tidy_up(file: &Locked, arguments: &Arguments) -> Result<String, Error> {
    if !arguments.dry_run {
        file.remove_residue().map_err(Error::Failed)?;
    }
    let Some(backup) = file.last_backup().filter(|_| arguments.backup != Backup::Untouched) else {
        return Ok(String::new());
    };
    let is_copy = || fs::read(&backup).is_ok_and(|content| content == file.content());
    let why = if nsswitch::insert(file.content(), None).is_err() {
        "has no hosts line that can be edited"
    } else if arguments.backup != Backup::Known && !is_copy() {
        "differs from it"
    } else {
        if !arguments.dry_run {
            file.remove_backup().map_err(Error::Failed)?;
        }
        return Ok(String::new());
    };
    Ok(format!("leave {}: {} {why}\n", backup.display(), file.path().display()))
}

fn edit_of(file: &Locked, arguments: &Arguments) -> Result<Option<Edit>, Error> {
    let service = arguments.service.as_deref();
    let edit = match arguments.action {
        Action::Remove => nsswitch::remove(file.content(), service),
        _ => nsswitch::insert(file.content(), service),
    };
    edit.map_err(|refusal| {
        let refusal = printable(refusal.to_string().as_bytes());
        Error::Failed(format!(
            "{}: {refusal}. The file was left alone; a usual line is: hosts: {USUAL}",
            arguments.file.display()
        ))
    })
}

/// What is changed, as a diff shows it.
fn description(file: &Locked, edit: &Edit, arguments: &Arguments) -> String {
    let would = if arguments.dry_run { "would " } else { "" };
    let path = file.path().display();
    let mut text = format!("{would}change line {} of {path}", edit.line);
    if arguments.action == Action::Add && arguments.backup != Backup::Untouched {
        let _ = write!(text, ", with the old file kept as {}", file.new_backup().display());
    }
    let line = |content: &[u8]| {
        let line = content.split(|octet| *octet == b'\n').nth(edit.line.saturating_sub(1)).unwrap_or_default();
        let line = line.trim_ascii_end();
        let pieces: Vec<_> = line.split(|octet| *octet == b'\t').map(printable).collect();
        pieces.join("\t")
    };
    let _ = write!(text, ":\n- {}\n+ {}\n", line(file.content()), line(&edit.apply(file.content())));
    text
}

/// Whether authselect writes the file anew at will, from its own profile and features. It leaves its header in a file that
/// it manages no more (`authselect opt-out`), but not its settings.
pub(crate) fn is_authselects(path: &Path, content: &[u8]) -> bool {
    let real = fs::canonicalize(path).unwrap_or_else(|_| path.into());
    let Some(folder) = real.parent() else { return false };
    let has_header = content.split(|octet| *octet == b'\n').any(|line| line.starts_with(b"# Generated by authselect"));
    folder.ends_with("authselect") || (has_header && folder.join("authselect/authselect.conf").exists())
}

fn print_findings(path: &Path) -> Result<Outcome, Error> {
    let findings = findings(path);
    let mut out = io::stdout().lock();
    for finding in &findings {
        writeln!(out, "hosts: {}", line(finding))?;
    }
    let has_problem = findings.iter().any(|finding| finding.kind == Kind::Problem);
    Ok(if has_problem { Outcome::Problem } else { Outcome::Good })
}

/// A finding as a line of output, without its subject.
fn line(finding: &Finding) -> String {
    let prefix = match finding.kind {
        Kind::Information => "",
        Kind::Note => "note: ",
        Kind::Problem => "problem: ",
    };
    format!("{prefix}{}", finding.text)
}

/// Explains the hosts line of a file, as the glibc of this program reads it.
pub(crate) fn findings(path: &Path) -> Vec<Finding> {
    let problem = |text, remedy| Finding { kind: Kind::Problem, text, remedy };
    let shown = path.display().to_string();
    let content = match fs::read(path) {
        Ok(content) => content,
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            let text =
                format!("this user cannot read {shown}, so their programs use glibc's defaults: chmod 644 {shown}");
            return vec![problem(text, Some(Remedy::MakeReadable))];
        }
        Err(error) => {
            let text = format!(
                "{shown} cannot be read ({error}), so glibc asks {}; nsswitch.conf.example is such a file",
                nsswitch::DEFAULT
            );
            let is_missing = error.kind() == io::ErrorKind::NotFound;
            return vec![problem(text, is_missing.then(|| Remedy::Append(format!("hosts: {USUAL}"))))];
        }
    };
    let unreadable = unreadable_by_others(path).map(|text| problem(text, Some(Remedy::MakeReadable)));
    let mut findings: Vec<_> = unreadable.into_iter().collect();
    let known = RefCell::new(BTreeMap::new());
    // One process for each service is enough.
    let why_missing =
        |service: &str| known.borrow_mut().entry(service.to_owned()).or_insert_with(|| why_missing(service)).clone();
    findings.extend(nsswitch::explain(
        &content,
        &System {
            glibc: running_glibc(),
            path: &shown,
            is_authselects: is_authselects(path, &content),
            why_missing: &why_missing,
        },
    ));
    let shown = |finding: Finding| Finding { text: printable(finding.text.as_bytes()), ..finding };
    findings.into_iter().map(shown).collect()
}

fn unreadable_by_others(path: &Path) -> Option<String> {
    let mode = fs::metadata(path).ok()?.permissions().mode();
    let path = path.display();
    (mode & 0o004 == 0).then(|| {
        format!("only some users can read {path}; the programs of all others use glibc's defaults: chmod 644 {path}")
    })
}

/// The parser of the glibc that this program runs with.
pub(crate) fn running_glibc() -> Glibc {
    if loader::glibc_version() < (2, 33) { Glibc::V2_31 } else { Glibc::V2_33 }
}

/// Why glibc cannot load the library of a service. Since 2.34, `files` and `dns` are in glibc itself.
fn why_missing(service: &str) -> Option<String> {
    if matches!(service, "files" | "dns") {
        return None;
    }
    // A name with a slash is a path. glibc follows it, but this program may be asked about anybody's file.
    if service.contains('/') {
        return Some(NOT_INSTALLED.into());
    }
    // In a process of its own, because a damaged file can crash the process that loads it.
    let Ok(Loaded::Fails(_)) = loader::load(service) else { return None };
    Some(files::fault(service).to_string())
}
