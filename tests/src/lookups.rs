//! Reads the output of getent and python, for the tests' assertions.

use crate::lan::Host;
use crate::run::Outcome;
use std::collections::BTreeSet;

/// The addresses, each once, in the first column of getent's output: `fe80::1%eth0` with their scope.
pub fn addresses(outcome: &Outcome) -> BTreeSet<String> {
    let first = outcome.stdout.lines().filter_map(|line| line.split_whitespace().next());
    first.map(str::to_owned).collect()
}

/// All addresses of `host`'s first interface as `client` is to see them: link-local ones with the scope of
/// the interface `via` of the client.
pub fn expected(host: &Host, via: &str) -> BTreeSet<String> {
    &expected_v4(host) | &expected_v6(host, via)
}

/// The IPv4 part of [`expected`].
pub fn expected_v4(host: &Host) -> BTreeSet<String> {
    host.eth0().v4.iter().map(ToString::to_string).collect()
}

/// The IPv6 part of [`expected`].
pub fn expected_v6(host: &Host, via: &str) -> BTreeSet<String> {
    let interface = host.eth0();
    let global = interface.v6.iter().map(ToString::to_string);
    global.chain(interface.link_local.iter().map(|address| format!("{address}%{via}"))).collect()
}

/// Prints what python's `socket.getaddrinfo` returns for a name, one `ADDRESS SCOPE` a line.
pub fn python_getaddrinfo(client: &Host, name: &str) -> Outcome {
    let script = "import socket, sys
for family, _, _, _, address in socket.getaddrinfo(sys.argv[1], None, type=socket.SOCK_STREAM):
    print(address[0].split('%')[0], address[3] if family == socket.AF_INET6 else 0)";
    client.run(&["/usr/bin/python3", "-c", script, name])
}
