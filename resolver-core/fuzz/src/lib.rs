//! The checks of the fuzz targets, each in a function of its own, so that any program can replay an input.
//!
//! | module | target | input | what is checked |
//! |---|---|---|---|
//! | [`message`] | `message` | arbitrary octets | parsed as by [`reference_parser`]; names are valid |
//! | [`host_lookup`] | `host_lookup` | a script of a lookup | answer, questions and waiting follow from [`rule`] |
//! | [`reverse_lookup`] | `reverse_lookup` | a script of a lookup | the same for the name of an address |
//! | [`encoding`] | `encode` | an answer, a buffer | the result is complete and inside the buffer |
//! | [`netlink`] | `netlink` | the kernel's tables | parsed as by an independent parser |
//! | [`daemon`] | `daemon` | a reply of avahi-daemon | parsed as by an independent parser |
//! | [`files`] | `files` | the three configuration files | parsed as by an independent parser |
//! | [`hosts_line`] | `hosts_line` | `nsswitch.conf` | a service that is added and removed leaves no trace |
//!
//! [`reference_parser`] parses messages and shares no code with the resolver's parser. [`script`] plays scripts.
//! [`rule`] says what a lookup may conclude, and shares no code with the resolver's lookup. [`input`] reads values from
//! an input.
//!
//! The C interface is only a cdylib, which no crate can depend on. An rlib beside it would change how the module is
//! built. The encoder needs just three files, so they are compiled into this crate.

pub mod daemon;
pub mod encoding;
pub mod files;
pub mod host_lookup;
pub mod hosts_line;
pub mod input;
pub mod message;
pub mod netlink;
pub mod reference_parser;
pub mod reverse_lookup;
pub mod rule;
pub mod script;

#[allow(dead_code)]
#[path = "../../../nss_mdns/src"]
mod module {
    pub(crate) mod abi;
    pub(crate) mod buffer;
    pub(crate) mod encode;
    pub(crate) mod result_codes;
}

// These files refer to each other by their paths in the module's own crate.
use module::{abi, buffer, encode, result_codes};
