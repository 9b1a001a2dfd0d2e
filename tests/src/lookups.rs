//! Parses the output of getent and python for assertions, and runs python.

use crate::lan::{Host, Interface};
use crate::run::{Daemon, Outcome};
use std::collections::BTreeSet;
use std::time::Duration;

/// The addresses in the first column of getent's output, without duplicates.
pub fn addresses(outcome: &Outcome) -> BTreeSet<String> {
    let first = outcome.stdout.lines().filter_map(|line| line.split_whitespace().next());
    first.map(str::to_owned).collect()
}

/// The IPv4 address of a host's first interface.
pub fn v4(host: &Host) -> BTreeSet<String> {
    host.eth0().v4.iter().map(ToString::to_string).collect()
}

/// The unique local IPv6 address of a host's first interface.
pub fn v6(host: &Host) -> BTreeSet<String> {
    host.eth0().v6.iter().map(ToString::to_string).collect()
}

/// The link-local IPv6 address of a host's first interface. Its scope is the index of the client's interface `via`.
pub fn link_local(host: &Host, via: &Interface) -> BTreeSet<String> {
    host.eth0().link_local.iter().map(|address| format!("{address}%{}", via.index)).collect()
}

/// The addresses of a host that need no scope. Avahi announces only these, if there are any.
pub fn routable(host: &Host) -> BTreeSet<String> {
    &v4(host) | &v6(host)
}

/// All addresses of a host, as the scripted responder and zeroconf announce them.
pub fn all(host: &Host, via: &Interface) -> BTreeSet<String> {
    &routable(host) | &link_local(host, via)
}

/// A lookup that takes longer than this has waited for the timeout, which is 2 s.
pub const AT_ONCE: Duration = Duration::from_millis(1500);

/// The addresses that a lookup printed. It must have succeeded before the timeout.
///
/// # Panics
/// If it has not.
pub fn found(outcome: &Outcome) -> BTreeSet<String> {
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    assert!(outcome.elapsed < AT_ONCE, "{outcome:?}");
    addresses(outcome)
}

/// Checks that getent found nothing, and returned before the timeout.
///
/// # Panics
/// If it found something or waited for the timeout.
pub fn not_found_at_once(outcome: &Outcome) {
    assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(2), ""), "{outcome:?}");
    assert!(outcome.elapsed < AT_ONCE, "{outcome:?}");
}

/// Runs a script with the system's python, which uses the system's glibc.
pub fn python(client: &Host, script: &str, arguments: &[&str]) -> Outcome {
    client.run(&[&["/usr/bin/python3", "-c", script], arguments].concat())
}

/// Starts a python script that prints `ready`. It runs until the daemon is dropped.
///
/// # Errors
/// If it cannot be started or does not get ready.
pub fn python_daemon(host: &Host, script: &str, arguments: &[&str]) -> Result<Daemon, String> {
    let mut command = host.command("/usr/bin/python3");
    command.args(["-c", script]).args(arguments);
    host.ready_daemon("python", command)
}

/// Runs python's `socket.getaddrinfo` for a name, and prints a line `ADDRESS SCOPE` for each address.
pub fn python_getaddrinfo(client: &Host, name: &str) -> Outcome {
    let script = "import os, socket, sys
for family, _, _, _, address in socket.getaddrinfo(os.fsencode(sys.argv[1]), None, type=socket.SOCK_STREAM):
    print(address[0].split('%')[0], address[3] if family == socket.AF_INET6 else 0)";
    python(client, script, &[name])
}

/// The addresses that [`python_getaddrinfo`] printed, in the format of `getent`.
pub fn printed_addresses(outcome: &Outcome) -> BTreeSet<String> {
    let pairs = outcome.stdout.lines().filter_map(|line| line.split_once(' '));
    pairs.map(|(address, scope)| if scope == "0" { address.into() } else { format!("{address}%{scope}") }).collect()
}

/// Prints the name that python's `socket.gethostbyaddr` returns for an address.
pub fn python_gethostbyaddr(client: &Host, address: &str) -> Outcome {
    python(client, "import socket, sys; print(socket.gethostbyaddr(sys.argv[1])[0])", &[address])
}

/// Prints the name that python's `socket.getnameinfo` returns for an address and a scope id.
pub fn python_getnameinfo(client: &Host, address: &str, scope: u32) -> Outcome {
    let script = "import socket, sys
print(socket.getnameinfo((sys.argv[1], 0, 0, int(sys.argv[2])), socket.NI_NAMEREQD)[0])";
    python(client, script, &[address, &scope.to_string()])
}
