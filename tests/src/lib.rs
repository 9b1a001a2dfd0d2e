//! The harness of the integration tests: private LANs in network namespaces, hosts on them with the module
//! under test in place, real and scripted responders, and commands run through the real glibc.
//!
//! Nothing leaves the namespaces, nothing on the machine is changed, and when the process that made a LAN
//! ends, however it ends, the LAN is gone. Works as root and, where user namespaces are allowed, as anyone.
//!
//! | module | subject |
//! |---|---|
//! | [`mod@bench`] | what `tests/bench` measures |
//! | [`sandbox`] | namespaces, and the processes that keep them |
//! | [`lan`] | networks and hosts: bridge, veth, addresses, files in `/etc` |
//! | [`wifi`] | a LAN that loses or delays multicast and broadcast, as Wi-Fi does |
//! | [`loss`] | hosts that lose packets |
//! | [`firewalls`] | hosts behind the firewalls of distributions |
//! | [`packages`] | what packages of the module contain |
//! | [`root`] | private copies of the whole system, for what installs |
//! | [`run`] | commands in a host: bounded in time, with status, output and duration |
//! | [`module`] | the shared object under test and where it goes |
//! | [`deps`] | what `tests/deps` fetched |
//! | [`clients`] | the LAN on which people's programs are tried, and those programs |
//! | [`responders`] | real responders: how each is started and known to be ready |
//! | [`scripted`] | a responder with a settable shape, for those that cannot be had |
//! | [`wire`] | just enough DNS for the programs here; shares no code with the module |
//! | [`helpers`] | small programs that run in hosts: DNS and HTTP servers, a bare query, a packet counter |
//! | [`scenario`] | the LAN of most tests: a printer and a client |
//! | [`guest`] | host processes that treat the module badly |
//! | [`attacks`] | a scripted attacker and the table of its attacks |
//! | [`netif`] | names and indexes of a host's interfaces |
//! | [`lookups`] | reads the output of getent and python, for the tests' assertions |

pub mod attacks;
pub mod bench;
pub mod clients;
pub mod deps;
pub mod firewalls;
pub mod guest;
pub mod helpers;
pub mod lan;
pub mod lookups;
pub mod loss;
pub mod module;
pub mod netif;
pub mod packages;
pub mod responders;
pub mod root;
pub mod run;
pub mod sandbox;
pub mod scenario;
pub mod scripted;
pub mod wifi;
pub mod wire;
