//! Any octets as a reply of avahi-daemon: read a second time, addresses by the C library.

use std::ffi::{CString, c_char, c_int, c_void};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use resolver_core::fuzzing::{self, DaemonReply};
use resolver_core::{Address, Family};

use crate::reference_parser;

unsafe extern "C" {
    fn inet_pton(family: c_int, text: *const c_char, address: *mut c_void) -> c_int;
}

/// The longest line that is read, in octets.
const MAX_LINE: usize = 1100;

/// Reads `data` both ways, as it would arrive at once and in two parts. The first octet selects the family, the second where
/// the first part ends.
pub fn check(data: &[u8]) {
    let [selector, part, received @ ..] = data else { return };
    let family = Family::ALL[usize::from(selector & 1)];
    for length in [received.len(), usize::from(*part).min(received.len())] {
        let received = &received[..length];
        assert_eq!(fuzzing::daemon_reply(received, family), reply(received, family), "{}", received.escape_ascii());
    }
}

fn reply(received: &[u8], family: Family) -> DaemonReply {
    let lines: Vec<_> = received.split(|&octet| octet == b'\n').collect();
    match lines[..] {
        [part] if part.len() < MAX_LINE => DaemonReply::Pending,
        [line, []] if line.starts_with(b"-15 ") => DaemonReply::NotFound,
        [line, []] => address(line, family).map_or(DaemonReply::Failed, DaemonReply::Found),
        _ => DaemonReply::Failed,
    }
}

fn address(line: &[u8], family: Family) -> Option<Address> {
    let fields: Vec<_> = line.split(|&octet| octet == b' ').collect();
    let [b"+", index, b"0" | b"1", name, ip] = fields[..] else { return None };
    let digits: String = index.iter().map(|&octet| char::from(octet)).collect();
    let number = digits.parse::<i128>().ok().filter(|number| (1..1 << 31).contains(number))?;
    if number.to_string() != digits || !reference_parser::is_clean_and_local(&wire(name)?) {
        return None;
    }
    Some(Address { ip: host_address(ip, family)?, interface: u32::try_from(number).expect("31 bits") })
}

/// A name in wire form, from its text with escapes.
fn wire(text: &[u8]) -> Option<Vec<u8>> {
    let (mut labels, mut at) = (vec![Vec::new()], 0);
    while at < text.len() {
        let (octet, length) = match text[at] {
            b'.' => {
                labels.push(Vec::new());
                at += 1;
                continue;
            }
            b'\\' if text.get(at + 1)?.is_ascii_digit() => {
                let digits = text.get(at + 1..at + 4)?;
                let value = digits
                    .iter()
                    .try_fold(0, |sum, &digit| digit.is_ascii_digit().then(|| 10 * sum + u32::from(digit - b'0')))?;
                (u8::try_from(value).ok()?, 4)
            }
            b'\\' if matches!(text[at + 1], b'.' | b'\\') => (text[at + 1], 2),
            octet => (octet, 1),
        };
        labels.last_mut()?.push(octet);
        at += length;
    }
    // One dot may follow the last label.
    if labels.len() > 1 && labels.last()?.is_empty() {
        labels.pop();
    }
    let mut wire = Vec::new();
    for label in &labels {
        if label.is_empty() || label.len() > 63 {
            return None;
        }
        wire.push(u8::try_from(label.len()).expect("at most 63"));
        wire.extend_from_slice(label);
    }
    wire.push(0);
    (wire.len() <= 255).then_some(wire)
}

/// An address that one host on a network can have.
fn host_address(text: &[u8], family: Family) -> Option<IpAddr> {
    let text = CString::new(text).ok()?;
    let mut octets = [0; 16];
    let number = if family == Family::V4 { libc::AF_INET } else { libc::AF_INET6 };
    // SAFETY: the text ends in NUL, and there is room for an address of either family.
    if unsafe { inet_pton(number, text.as_ptr(), octets.as_mut_ptr().cast()) } != 1 {
        return None;
    }
    match family {
        Family::V4 => {
            let octets = [octets[0], octets[1], octets[2], octets[3]];
            (!matches!(octets, [0 | 127 | 224..=239, ..] | [255, 255, 255, 255])).then(|| Ipv4Addr::from(octets).into())
        }
        Family::V6 => {
            let in_v4 = octets[..10] == [0; 10] && (octets[10..12] == [0; 2] || octets[10..12] == [255; 2]);
            (!in_v4 && octets[0] != 255).then(|| Ipv6Addr::from(octets).into())
        }
    }
}
