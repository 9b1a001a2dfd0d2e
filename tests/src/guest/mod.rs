//! Host processes that treat the module badly: C programs under `tests/guests`, compiled here and run in a host.
//!
//! C, because that is what glibc's callers are: they cancel threads, jump out of signal handlers and fork when they like.

pub mod crowd;

use crate::helpers::binary;
use crate::lan::{Families, Host, Network};
use crate::module::{self, cargo, file_name, target, workspace};
use crate::run::{Daemon, Outcome, run};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// How long a compiler, or a program that is told nothing else, may take.
const LIMIT: Duration = Duration::from_secs(120);

/// What a program is compiled to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A program.
    Program,
    /// A program that has glibc inside.
    Static,
    /// A library for `LD_PRELOAD`.
    Preload,
    /// A program that has ThreadSanitizer's runtime inside, for a module that is built to report to it. What the program
    /// itself does is not watched.
    ThreadSanitizer,
}

/// Compiles `tests/guests/<name>.c`.
///
/// # Errors
/// What the compiler said.
pub fn compile(name: &str, kind: Kind) -> Result<PathBuf, String> {
    let source = workspace().join("tests/guests").join(name).with_extension("c");
    let ending = match kind {
        Kind::Program => "",
        Kind::Static => ".static",
        Kind::Preload => ".so",
        Kind::ThreadSanitizer => ".threads",
    };
    let runtime = if kind == Kind::ThreadSanitizer { Some(thread_sanitizer()?) } else { None };
    let program = target().join("guests").join(format!("{name}{ending}"));
    module::compile(&program, |output| {
        let mut command = Command::new("cc");
        command.args(["-std=gnu11", "-O1", "-g", "-Wall", "-Wextra", "-Werror", "-pthread"]).arg(&source);
        command.arg("-o").arg(output);
        match kind {
            // What a program defines takes the place of glibc's, in the module as well. What it calls is looked for when it
            // starts, not on the stack that is measured.
            Kind::Program => command.args(["-rdynamic", "-Wl,-z,now", "-ldl", "-lanl", "-lrt"]),
            // The linker warns that the program still needs the shared libraries at run time: that is the point.
            Kind::Static => command.args(["-static", "-Wl,--no-warnings"]).arg("-Wno-error"),
            Kind::Preload => command.args(["-shared", "-fPIC"]),
            Kind::ThreadSanitizer => command.args(["-rdynamic", "-Wl,--whole-archive"]).args(&runtime).args([
                "-Wl,--no-whole-archive",
                "-lm",
                "-ldl",
                "-lrt",
            ]),
        };
        command
    })?;
    Ok(program)
}

/// The runtime of ThreadSanitizer that comes with the compiler.
fn thread_sanitizer() -> Result<PathBuf, String> {
    let folder = PathBuf::from(ask_rustc(&["--print", "target-libdir"])?.trim());
    let files = std::fs::read_dir(&folder).map_err(|why| format!("{}: {why}", folder.display()))?;
    let is_it = |path: &PathBuf| path.to_string_lossy().ends_with("_rt.tsan.a");
    let found = files.filter_map(|file| Some(file.ok()?.path())).find(is_it);
    found.ok_or_else(|| format!("{}: no librustc-…_rt.tsan.a; rustup's toolchains have it", folder.display()))
}

/// What rustc says of itself.
///
/// # Errors
/// If it cannot be run or does not understand.
pub fn ask_rustc(words: &[&str]) -> Result<String, String> {
    let mut command = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
    command.args(words);
    let outcome = run(command, LIMIT)?;
    if outcome.success() { Ok(outcome.stdout) } else { Err(format!("{outcome:?}")) }
}

/// A build of the module with the feature that makes it panic where it is told to; in a folder of its own, so that it is
/// never taken for the real one.
///
/// # Errors
/// If it does not build.
pub fn module_that_panics() -> Result<PathBuf, String> {
    let folder = target().join("injected");
    let mut command = cargo();
    command.args([
        "build",
        "--quiet",
        "--package",
        "nss_mdns",
        "--lib",
        "--features",
        "panic-injection",
        "--target-dir",
    ]);
    let status = command.arg(&folder).status().map_err(|why| why.to_string())?;
    if status.success() { Ok(folder.join("debug/libnss_mdns.so")) } else { Err("it does not build".into()) }
}

/// What is set in a home: what would hold without it, so that reading it is what is tried.
const SETTINGS: &str = "# As it is without this file.\ntimeout = 2000\nretries = 250 1250\nallow-interfaces = *\n";

/// A LAN with a responder that knows every name (see [`crowd`]), and a client with the module and a file of settings.
#[derive(Debug)]
pub struct Home {
    _crowd: Daemon,
    _responder: Host,
    /// The host on which programs run.
    pub client: Host,
    /// How long each may take.
    pub limit: Duration,
    _network: Network,
}

impl Home {
    /// Makes one.
    ///
    /// # Errors
    /// What failed.
    pub fn new() -> Result<Home, String> {
        let network = Network::new()?;
        let lan = network.lan(Families::Both)?;
        let responder = network.host("responder", &[&lan])?;
        let client = network.client("client", &[&lan])?;
        let crowd = responder.ready_daemon("crowd", responder.command(binary("crowd")?))?;
        client.write("/etc/nss-mdns.conf", SETTINGS)?;
        Ok(Home { _crowd: crowd, _responder: responder, client, limit: LIMIT, _network: network })
    }

    /// Runs a command with these variables in its environment.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn run_with(&self, variables: &[(&str, String)], words: &[&str]) -> Result<Outcome, String> {
        let mut command = self.client.command("env");
        command.args(variables.iter().map(|(name, value)| format!("{name}={value}"))).args(words);
        run(command, self.limit)
    }

    /// Puts another build of the module into a folder of the client's, under the name by which the guests load it; returns the
    /// folder.
    ///
    /// # Errors
    /// What the client says.
    pub fn install(&self, module: &Path) -> Result<String, String> {
        let folder = "/run/other";
        let file = file_name("mdns_minimal");
        self.client.script(&format!("mkdir -p {folder}; cp {} {folder}/{file}", module.display()))?;
        Ok(folder.into())
    }

    /// Runs a guest, which must find everything in order.
    ///
    /// # Errors
    /// If it cannot be compiled or started.
    ///
    /// # Panics
    /// If it found something wrong, was killed, or hung.
    pub fn host(&self, name: &str, arguments: &[&str]) -> Result<String, String> {
        self.host_with(&[], name, arguments)
    }

    /// The same, with variables in its environment.
    ///
    /// # Errors
    /// If it cannot be compiled or started.
    ///
    /// # Panics
    /// If it found something wrong, was killed, or hung.
    pub fn host_with(&self, variables: &[(&str, String)], name: &str, arguments: &[&str]) -> Result<String, String> {
        self.host_of_kind(Kind::Program, variables, name, arguments)
    }

    /// The same, compiled to something of this kind.
    ///
    /// # Errors
    /// If it cannot be compiled or started.
    ///
    /// # Panics
    /// If it found something wrong, was killed, or hung.
    pub fn host_of_kind(
        &self,
        kind: Kind,
        variables: &[(&str, String)],
        name: &str,
        arguments: &[&str],
    ) -> Result<String, String> {
        let program = compile(name, kind)?;
        let program = program.to_string_lossy();
        let outcome = self.run_with(variables, &[&[&*program], arguments].concat())?;
        assert!(outcome.success(), "{name} {arguments:?}: {outcome:?}\n{}{}", outcome.stdout, outcome.stderr);
        assert_eq!(outcome.stderr, "", "{name} {arguments:?} wrote to standard error");
        println!("{name} {}: {}", arguments.join(" "), outcome.stdout.trim());
        Ok(outcome.stdout)
    }
}
