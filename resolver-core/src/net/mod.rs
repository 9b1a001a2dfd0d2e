//! The network: the interfaces to query, and the sockets of one lookup.
//!
//! | module | subject |
//! |---|---|
//! | [`links`] | links and local addresses, as the kernel's tables describe them |
//! | `links_netlink`, `links_ioctl` | read those tables: by netlink or, where netlink is denied, by ioctl and from `/proc` |
//! | `neighbours` | reads which hosts this machine has recently exchanged packets with, by netlink |
//! | `netlink` | its protocol: requests, messages and attributes |
//! | [`interfaces`] | selects the interfaces to query |
//! | `cmsg` | control messages of `sendmsg(2)` and `recvmsg(2)` |
//! | [`socket`] | opens, waits on and closes the sockets |
//! | `daemon` | asks avahi-daemon on this machine |
//!
//! The public items are those that `nss-mdns check` uses to report what lookups do on this machine.

pub(crate) mod cmsg;
pub(crate) mod daemon;
pub mod interfaces;
pub mod links;
pub(crate) mod links_ioctl;
pub(crate) mod links_netlink;
pub(crate) mod neighbours;
pub(crate) mod netlink;
pub mod socket;
