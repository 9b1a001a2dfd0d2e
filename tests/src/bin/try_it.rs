//! Demonstrates the module without an installation. `./install.sh --try` runs it.
//!
//! It sets up a private LAN in namespaces, with a responder for `printer.local` on one host and the module on the
//! other, and runs the real getent and ping there. Nothing of it remains.

use std::process::ExitCode;
use tests::lan::{Families, Host, Network, need_client_programs};
use tests::run::Daemon;
use tests::{module, responders, scripted};

/// With this argument, this program is the responder.
const RESPONDER: &str = "responder";

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let result = match arguments.next().as_deref() {
        None => show(),
        Some(RESPONDER) => scripted::main(arguments),
        Some(_) => Err("this program takes no arguments".into()),
    };
    tests::exit_code("try_it", result)
}

fn show() -> Result<(), String> {
    need_client_programs()?;
    module::path()?;
    println!("Setting up a private LAN: a client with the module, and a host that answers for printer.local ...");
    let network = Network::new()?;
    let lan = network.lan(Families::Both)?;
    let printer = network.host("printer", &[&lan])?;
    let _responder = start_responder(&printer)?;
    let client = network.client("client", &[&lan])?;
    let worked = ["getent ahosts printer.local", "ping -c1 printer.local"].map(|line| show_command(&client, line));
    println!("\nThe LAN has been removed. Nothing was installed.");
    if worked == [true, true] { Ok(()) } else { Err("printer.local did not resolve".into()) }
}

fn start_responder(printer: &Host) -> Result<Daemon, String> {
    let own = std::env::current_exe().map_err(|why| why.to_string())?;
    let mut command = printer.command(own);
    command.args([RESPONDER, "--name", "printer.local"]).args(responders::addresses(printer));
    printer.ready_daemon(RESPONDER, command)
}

/// Runs a command, and prints it as at a prompt, with its output. Returns whether it succeeded.
fn show_command(client: &Host, line: &str) -> bool {
    println!("\n$ {line}");
    let outcome = client.run(&line.split(' ').collect::<Vec<_>>());
    print!("{}{}", outcome.stdout, outcome.stderr);
    outcome.success()
}
