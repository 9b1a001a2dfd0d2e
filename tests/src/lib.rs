//! The harness of the integration tests: private LANs in network namespaces, hosts with the module under test, real and
//! scripted responders, and commands that use the real glibc.
//!
//! Nothing leaves the namespaces and nothing on the machine changes. A LAN disappears when the process that created it
//! ends, even if it is killed. The harness works as root, and as an ordinary user where user namespaces are allowed.
//!
//! | module | subject |
//! |---|---|
//! | [`sandbox`] | namespaces and the processes that keep them alive |
//! | [`lan`] | networks and hosts: bridges, veth pairs, addresses, files in `/etc` |
//! | [`wifi`] | a LAN that loses and delays multicast and broadcast, as Wi-Fi does |
//! | [`loss`] | hosts that lose packets |
//! | [`firewalls`] | hosts behind the firewalls of distributions |
//! | [`scenario`] | the usual LAN: a printer and a client |
//! | [`run`] | commands with a time limit: their status, output and duration; daemons |
//! | [`module`] | the module under test, where glibc finds it, and what else the tests build |
//! | [`deps`] | what `tests/deps` fetched |
//! | [`responders`] | real responders: how to start each, and how to tell that it is ready |
//! | [`scripted`] | a responder with configurable behaviour, for responders that cannot be run here |
//! | [`captures`] | packets captured from real responders, to compare the scripted one with them |
//! | [`helpers`] | small programs that run in hosts: DNS and web servers, a bare query, a packet capture, a relay |
//! | [`lookups`] | runs python, and parses the output of getent and python for assertions |
//! | [`clients`] | the LAN for tests with other projects' programs, and how these are built and checked |
//! | [`guest`] | C programs that stress the module |
//! | [`attacks`] | a scripted attacker and the table of its attacks |
//! | [`private_root`] | private copies of the whole system, for tests of the installation |
//! | [`packages`] | what all packages of the module contain |
//! | [`mod@bench`] | what `tests/bench` measures |
//! | [`wire`] | well-formed DNS messages; shares no code with the module |
//! | `sockets`, [`packet_socket`], [`datagram`], [`netif`] | UDP and TCP sockets, packet sockets, UDP over IP, interfaces |
//! | `getaddrinfo` | `getaddrinfo(3)` for the programs of this package |

pub mod attacks;
#[cfg(feature = "bench")]
pub mod bench;
pub mod captures;
pub mod clients;
pub mod datagram;
pub mod deps;
pub mod firewalls;
mod getaddrinfo;
pub mod guest;
pub mod helpers;
pub mod lan;
pub mod lookups;
pub mod loss;
pub mod module;
pub mod netif;
pub mod packages;
pub mod packet_socket;
pub mod private_root;
pub mod responders;
pub mod run;
pub mod sandbox;
pub mod scenario;
pub mod scripted;
mod sockets;
pub mod wifi;
pub mod wire;

use std::process::ExitCode;

/// The exit code of a program of this package. Prints the error, if there is one, to standard error.
pub fn exit_code(program: &str, result: Result<(), String>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("{program}: {why}");
            ExitCode::FAILURE
        }
    }
}
