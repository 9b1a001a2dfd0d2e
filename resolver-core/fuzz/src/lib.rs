//! What the fuzz targets check, each in a function of its own, so that any program can replay an input.
//!
//! | module | target | what goes in, and what must hold |
//! |---|---|---|
//! | [`message`] | `message` | any octets; read as [`plain`] reads them, names valid and back again as text |
//! | [`answers`] | `answers` | a script of a lookup; nothing in the answer that the rules forbid or no packet holds |
//! | [`pointer`] | `pointer` | the same for reverse lookups |
//! | [`encoding`] | `encode` | an answer and a buffer; every pointer inside, all there, nothing written past the end |
//! | [`netlink`] | `netlink` | the kernel's tables; read as they are written |
//! | [`daemon`] | `daemon` | avahi-daemon's reply; read as a second reader reads it |
//! | [`files`] | `files` | an administrator's files; read as a second reader reads them, every value within its range |
//!
//! [`plain`] reads messages a second time, with no code in common; [`scene`] plays scripts; [`input`] takes them apart.
//!
//! The module is a cdylib alone, which no crate can depend on, and making it an rlib besides would change how it is
//! built for the sake of its tests. Its encoder needs nothing of it but three files, so those are compiled in here.

pub mod answers;
pub mod daemon;
pub mod encoding;
pub mod files;
pub mod input;
pub mod message;
pub mod netlink;
pub mod plain;
pub mod pointer;
pub mod scene;

#[allow(dead_code)]
#[path = "../../../nss_mdns/src"]
mod module {
    pub(crate) mod abi;
    pub(crate) mod buffer;
    pub(crate) mod encode;
}

// They know each other by the names that they have in the module.
use module::{abi, buffer, encode};
