//! Host processes that stress the module: the C programs in `tests/guests`, which are compiled here and run in a host.
//!
//! They are written in C, like most callers of glibc: they cancel threads, jump out of signal handlers and fork at any
//! time.

pub mod wildcard;

use crate::deps::{library_path, unpacked};
use crate::helpers::binary;
use crate::lan::{Families, Host, Network};
use crate::module::{self, cargo, file_name, target, workspace};
use crate::run::{Daemon, Outcome, run};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// How long a program or rustc may run before it counts as hanging.
const LIMIT: Duration = Duration::from_secs(120);

/// What a C source is compiled to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A program.
    Program,
    /// A program that is statically linked with glibc.
    Static,
    /// A library for `LD_PRELOAD`.
    Preload,
    /// A program that this compiler builds with one of its sanitizers: `address`, `leak`, `thread` or `undefined`.
    Sanitized(Compiler, &'static str),
    /// A program that contains the runtime of ThreadSanitizer, for a module that is instrumented for it. The program
    /// itself is not instrumented.
    ThreadSanitizer,
}

/// A compiler, whose sanitizers have a runtime of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compiler {
    /// The system's compiler, usually GCC.
    System,
    /// LLVM's, which `tests/deps` unpacks.
    Clang,
}

impl Compiler {
    fn command(self) -> Command {
        match self {
            Compiler::System => Command::new("cc"),
            // Where clang is installed on the machine, its dependencies are not unpacked.
            Compiler::Clang => {
                let mut command = Command::new(unpacked("usr/bin/clang").unwrap_or_else(|_| "clang".into()));
                command.env("LD_LIBRARY_PATH", library_path());
                command
            }
        }
    }
}

/// Compiles `tests/guests/<name>.c`.
///
/// # Errors
/// The compiler's messages.
pub fn compile(name: &str, kind: Kind) -> Result<PathBuf, String> {
    let source = workspace().join("tests/guests").join(name).with_extension("c");
    let ending = match kind {
        Kind::Program => String::new(),
        Kind::Static => ".static".into(),
        Kind::Preload => ".so".into(),
        Kind::Sanitized(Compiler::System, sanitizer) => format!(".{sanitizer}"),
        Kind::Sanitized(Compiler::Clang, sanitizer) => format!(".clang.{sanitizer}"),
        Kind::ThreadSanitizer => ".threads".into(),
    };
    let runtime = if kind == Kind::ThreadSanitizer { Some(thread_sanitizer()?) } else { None };
    let compiler = if let Kind::Sanitized(compiler, _) = kind { compiler } else { Compiler::System };
    let program = target().join("guests").join(format!("{name}{ending}"));
    module::compile(&program, |output| {
        let mut command = compiler.command();
        command.args(["-std=gnu11", "-O1", "-g", "-Wall", "-Wextra", "-Werror", "-pthread"]).arg(&source);
        command.arg("-o").arg(output);
        match kind {
            // -rdynamic: functions that a program defines replace those of glibc, for the module as well. -z now:
            // symbols are resolved at the start, not on the stack that is measured.
            Kind::Program => command.args(["-rdynamic", "-Wl,-z,now", "-ldl", "-lanl", "-lrt"]),
            // The linker warns that the program needs glibc's shared libraries at run time. This is intended.
            Kind::Static => command.args(["-static", "-Wl,--no-warnings"]).arg("-Wno-error"),
            Kind::Preload => command.args(["-shared", "-fPIC"]),
            Kind::Sanitized(_, sanitizer) => command.arg(format!("-fsanitize={sanitizer}")).arg("-ldl"),
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

/// The runtime of ThreadSanitizer: that of the Rust toolchain, or clang's, because Debian's rustc has none.
fn thread_sanitizer() -> Result<PathBuf, String> {
    let folder = PathBuf::from(ask_rustc(&["--print", "target-libdir"])?.trim());
    let files = std::fs::read_dir(&folder).map_err(|why| format!("{}: {why}", folder.display()))?;
    let is_it = |path: &PathBuf| path.to_string_lossy().ends_with("_rt.tsan.a");
    let found = files.filter_map(|file| Some(file.ok()?.path())).find(is_it);
    found.map_or_else(thread_sanitizer_of_clang, Ok)
}

/// It is beside the only runtime that clang prints the path of.
fn thread_sanitizer_of_clang() -> Result<PathBuf, String> {
    let mut command = Compiler::Clang.command();
    command.args(["--rtlib=compiler-rt", "--print-libgcc-file-name"]);
    let outcome = run(command, LIMIT)?;
    let path = PathBuf::from(outcome.stdout.trim().replace("libclang_rt.builtins", "libclang_rt.tsan"));
    if path.is_file() { Ok(path) } else { Err(format!("no runtime of ThreadSanitizer: {outcome:?}")) }
}

/// Runs rustc with these arguments and returns its output.
///
/// # Errors
/// If it cannot be run or fails.
pub fn ask_rustc(words: &[&str]) -> Result<String, String> {
    let mut command = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
    command.args(words);
    let outcome = run(command, LIMIT)?;
    if outcome.success() { Ok(outcome.stdout) } else { Err(format!("{outcome:?}")) }
}

/// Builds the module with fault injection: it panics at the point that a program chooses. The build has a folder of its
/// own, so that it is never confused with the normal one.
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
    if status.success() {
        Ok(folder.join("debug/libnss_mdns.so"))
    } else {
        Err("the module with fault injection does not build".into())
    }
}

/// The client's settings, so that each lookup reads a settings file. They are the defaults, but without the
/// retransmission after 30 ms.
const SETTINGS: &str = "# The defaults, but without the retransmission after 30 ms.\n\
    timeout = 2000\nretries = 250 1250\nallow-interfaces = *\n";

/// A LAN for the C programs: a responder for every name (see [`wildcard`]), and a client with the module and a settings
/// file.
#[derive(Debug)]
pub struct ProgramLan {
    _daemon: Daemon,
    _responder: Host,
    /// The host on which the programs run.
    pub client: Host,
    /// How long a program may run.
    pub limit: Duration,
    _network: Network,
}

impl ProgramLan {
    /// Sets up the LAN.
    ///
    /// # Errors
    /// What failed.
    pub fn new() -> Result<ProgramLan, String> {
        let network = Network::new()?;
        let lan = network.lan(Families::Both)?;
        let responder = network.host("responder", &[&lan])?;
        let client = network.client("client", &[&lan])?;
        let program = responder.command(binary("wildcard_responder")?);
        let daemon = responder.ready_daemon("wildcard_responder", program)?;
        client.write("/etc/nss-mdns.conf", SETTINGS)?;
        Ok(ProgramLan { _daemon: daemon, _responder: responder, client, limit: LIMIT, _network: network })
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

    /// Copies another build of the module into a folder of the client, under the name by which the programs load it.
    /// Returns the folder.
    ///
    /// # Errors
    /// What the shell wrote.
    pub fn install(&self, module: &Path) -> Result<String, String> {
        let folder = "/run/other";
        let file = file_name("mdns_minimal");
        self.client.script(&format!("mkdir -p {folder}; cp {} {folder}/{file}", module.display()))?;
        Ok(folder.into())
    }

    /// Runs a C program, which exits with 0 if all its checks pass. Returns what it printed.
    ///
    /// # Errors
    /// If it cannot be compiled or started.
    ///
    /// # Panics
    /// If a check fails, or the program is killed or hangs.
    pub fn run_program(&self, name: &str, arguments: &[&str]) -> Result<String, String> {
        self.run_program_with(&[], name, arguments)
    }

    /// [`ProgramLan::run_program`] with variables in the environment.
    ///
    /// # Errors
    /// If it cannot be compiled or started.
    ///
    /// # Panics
    /// If a check fails, or the program is killed or hangs.
    pub fn run_program_with(
        &self,
        variables: &[(&str, String)],
        name: &str,
        arguments: &[&str],
    ) -> Result<String, String> {
        self.run_program_as(Kind::Program, variables, name, arguments)
    }

    /// [`ProgramLan::run_program_with`] for a program that is compiled in this way.
    ///
    /// # Errors
    /// If it cannot be compiled or started.
    ///
    /// # Panics
    /// If a check fails, or the program is killed or hangs.
    pub fn run_program_as(
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
