//! Demonstrates the module without an installation. `tests/try` runs it.
//!
//! It sets up a private LAN in namespaces, with responders for two names and a client with the module, and runs the real
//! getent there. Nothing of it remains.

use std::process::ExitCode;
use tests::lan::{Families, Host, Network, need_client_programs};
use tests::run::Daemon;
use tests::{module, responders, scripted};

/// With this argument, this program is the responder.
const RESPONDER: &str = "responder";

/// What is shown: a name, what it is, and the expected exit status of getent.
const LOOKUPS: [(&str, &str, i32); 3] = [
    ("printer.local", "A host with IPv4 and IPv6 addresses:", 0),
    ("camera.local", "A host with an IPv4 address only:", 0),
    ("nobody.local", "A name that no host has:", 2),
];

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
    println!("Setting up a private LAN: a client with the module, printer.local and camera.local ...");
    let network = Network::new()?;
    let lan = network.lan(Families::Both)?;
    let printer = network.host("printer", &[&lan])?;
    let _printer = start_responder(&printer, &responders::addresses(&printer))?;
    let camera = network.host("camera", &[&lan])?;
    let v4 = camera.eth0().v4.ok_or("the LAN has no IPv4")?;
    let _camera = start_responder(&camera, &["--a".to_owned(), v4.to_string()])?;
    let client = network.client("client", &[&lan])?;
    for (name, what, status) in LOOKUPS {
        println!("\n{what}");
        show_lookup(&client, name, status)?;
    }
    println!("\nThe LAN has been removed. Nothing was installed.");
    Ok(())
}

fn start_responder(host: &Host, addresses: &[String]) -> Result<Daemon, String> {
    let own = std::env::current_exe().map_err(|why| why.to_string())?;
    let mut command = host.command(own);
    command.args([RESPONDER, "--name", &format!("{}.local", host.name)]).args(addresses);
    host.ready_daemon(RESPONDER, command)
}

/// Looks up a name by getent, and prints the command as at a prompt, its output and how long it took.
fn show_lookup(client: &Host, name: &str, status: i32) -> Result<(), String> {
    println!("$ getent ahosts {name}");
    // The time is taken on the client, because entering its namespaces takes longer than the lookup.
    let script = "start=$(date +%s%N); getent ahosts \"$0\"; status=$?; end=$(date +%s%N)
        echo \"$(((end - start) / 1000000)) $status\"";
    let outcome = client.run(&["sh", "-c", script, name]);
    let (shown, numbers) = outcome.stdout.trim_end().rsplit_once('\n').unwrap_or(("", outcome.stdout.trim_end()));
    let (milliseconds, given) = numbers.split_once(' ').ok_or_else(|| format!("getent {name}: {outcome:?}"))?;
    if !shown.is_empty() {
        println!("{shown}");
    }
    println!("({milliseconds} ms, exit status {given})");
    if given == status.to_string() { Ok(()) } else { Err(format!("getent {name}: expected exit status {status}")) }
}
