//! Makes the initial inputs of the fuzzer from the captured packets: `seeds TESTDATA OUT` writes a folder in OUT for
//! each target.
//!
//! The name of a packet's file ends in how it arrived: `-unicast-v4.bin`, `-group-v6.bin` and so on.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};
use std::{env, fs, io};

use resolver_core::config::SETTINGS;
use resolver_core::wire::{Message, RecordType};

/// Events of [`resolver_core_fuzz::script`]: 20 ms pass; the questions are repeated.
const WAIT: [u8; 2] = [0, 20];
const REPEAT: [u8; 1] = [2];

/// The start of a script for `host_lookup`: two links with both families; both families wanted; printer.local.
const HOST_SCRIPT: [u8; 3] = [0, 0, 0];

/// Inputs of the target `encode`, up to the addresses: size of the buffer (two octets), its alignment, whether the
/// caller provides the first tuple, number of addresses, how often it is doubled, whether both names are equal, and the
/// length of the name's text (0 for printer.local).
const ENCODE: [[u8; 8]; 6] = [
    [4, 0, 0, 0, 2, 0, 255, 0],
    [4, 0, 3, 1, 2, 0, 255, 0],
    [0, 60, 0, 0, 1, 0, 255, 0],
    [0, 0, 0, 0, 1, 0, 255, 0],
    [16, 0, 7, 1, 63, 3, 255, 0],
    [4, 0, 255, 0, 3, 0, 255, 0],
];

/// Replies of avahi-daemon, and lines that differ little from them.
const DAEMON_REPLIES: [&str; 15] = [
    "+ 2 0 printer.local 10.77.1.2\n",
    "+ 3 0 printer.local fe80::d0b6:93ff:fe2b:b4f0\n",
    "+ 2147483647 1 a.b.local ::1.2.3.4\n",
    "+ 2 1 b\\195\\188ro.local 10.77.1.2\n",
    "+ 2 1 a\\040b\\041.local ::ffff:10.77.1.2\n",
    "-15 Timeout reached\n",
    "-3 Invalid host name\n",
    "-15 Timeout reached\n-15 Timeout reached\n",
    "+ 02 0 printer.local 10.77.1.2\n",
    "+ 2 2 printer.local 10.77.1.2\n",
    "+ 2 1 a\\.b.local 10.77.1.2\n",
    "+ 2 1 a\\046b.local 10.77.1.2\n",
    "+ 2 1 back\\\\slash.local 10.77.1.2\n",
    "+ 2 1 -rf.local 10.77.1.2\n",
    "+ 2 1 printer.example 10.77.1.2\n",
];

/// Contents of `nsswitch.conf`, after the octet that chooses the service.
const HOSTS_LINES: [&str; 8] = [
    "\0hosts: files dns\n",
    "\x06passwd: files\nhosts:\tfiles resolve [!UNAVAIL=return] dns\n",
    "\x03hosts: files mdns_minimal [NOTFOUND=return] dns # last\n",
    "\x07hosts: dns\nhosts files [SUCCESS=merge TRYAGAIN = continue]\n",
    "\x01sudoers: x [\nhosts : files mdns4_minimal\n",
    "\x06networks: files [x]\nhosts: mdns6_minimal [NOTFOUND=return] mdns4_minimal\n",
    "\x06hosts: files#x\n",
    "\x06hosts::dns\0\r\n",
];

fn main() -> io::Result<()> {
    let mut arguments = env::args_os().skip(1).map(PathBuf::from);
    let (Some(testdata), Some(out)) = (arguments.next(), arguments.next()) else {
        return Err(io::Error::other("seeds TESTDATA OUT"));
    };
    let mut files: Vec<_> =
        fs::read_dir(testdata)?.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?;
    files.sort();
    let mut conversations: Vec<(String, Vec<u8>)> = Vec::new();
    for file in &files {
        let (Some(name), Some(extension)) = (file.file_stem().and_then(|name| name.to_str()), file.extension()) else {
            continue;
        };
        let octets = fs::read(file)?;
        if name.starts_with("kernel") {
            write(&out, "netlink", name, &octets)?;
            for (number, message) in netlink_messages(&octets).into_iter().enumerate() {
                write(&out, "netlink", &format!("{name}-{number}"), message)?;
            }
        } else if extension == "bin" {
            write(&out, "message", name, &octets)?;
            write(&out, "host_lookup", name, &[&HOST_SCRIPT[..], &event(name, &octets), &WAIT].concat())?;
            if let Some(ip) = reverse_address(&octets) {
                write(&out, "reverse_lookup", name, &[reverse_script(ip), event(name, &octets)].concat())?;
            }
            let responder = name.split('-').next().unwrap_or(name);
            match conversations.last_mut().filter(|(last, _)| last == responder) {
                Some((_, events)) => events.extend(event(name, &octets)),
                None => conversations.push((responder.to_owned(), event(name, &octets))),
            }
        }
    }
    for (responder, events) in conversations {
        write(&out, "host_lookup", &responder, &[&HOST_SCRIPT[..], &REPEAT, &events].concat())?;
    }
    for (number, answer) in ENCODE.iter().enumerate() {
        let addresses: Vec<u8> = (0..64).collect();
        write(&out, "encode", &format!("answer-{number}"), &[&answer[..], &addresses].concat())?;
    }
    for kind in ["bridge", "bond", "team", "openvswitch", "vrf"] {
        write(&out, "netlink", &format!("member-of-{kind}"), &member_of(kind))?;
    }
    for length in 14..18 {
        write(&out, "netlink", &format!("name-of-{length}"), &link_message(&attribute(3, &vec![b'a'; length])))?;
    }
    for (number, setting) in SETTINGS.iter().enumerate() {
        let lines = format!("\0{} = {}\n# so\n{} = x\n", setting.key, setting.default, setting.key);
        write(&out, "files", &format!("setting-{number}"), lines.as_bytes())?;
    }
    write(&out, "files", "allowed", b"\x01\x0dprinter.local# ours\n.local\n.local.\n*\n")?;
    write(&out, "files", "search", b"\x02\x0ddc.corp.local; a\nsearch example.org Corp.local. local\r\ndomain\n")?;
    for (number, file) in HOSTS_LINES.iter().enumerate() {
        write(&out, "hosts_line", &format!("file-{number}"), file.as_bytes())?;
    }
    for (number, reply) in DAEMON_REPLIES.iter().enumerate() {
        for family in [0, 1] {
            write(&out, "daemon", &format!("reply-{number}-{family}"), &[&[family, 20], reply.as_bytes()].concat())?;
        }
    }
    // Names at the limits, which no responder sends, and which a fuzzer takes long to find.
    for hops in 31..35 {
        write(&out, "message", &format!("hops-{hops}"), &many_hops(hops))?;
    }
    for length in 253..258 {
        write(&out, "message", &format!("length-{length}"), &long_name(length))?;
    }
    Ok(())
}

/// The messages in a netlink datagram, up to the first malformed one.
fn netlink_messages(mut rest: &[u8]) -> Vec<&[u8]> {
    let mut messages = Vec::new();
    while let Some(length) = rest.first_chunk().map(|length| u32::from_ne_bytes(*length) as usize) {
        let Some((message, after)) = rest.split_at_checked(length.next_multiple_of(4)).filter(|_| length > 0) else {
            break;
        };
        messages.push(message);
        rest = after;
    }
    messages
}

/// The netlink message of a link that is a member of a master of this kind.
fn member_of(kind: &str) -> Vec<u8> {
    // IFLA_INFO_SLAVE_KIND in an IFLA_LINKINFO.
    let kind = [kind.as_bytes(), &[0]].concat();
    link_message(&attribute(18, &attribute(4, &kind)))
}

/// The netlink message of a link with these attributes.
fn link_message(attributes: &[u8]) -> Vec<u8> {
    let body = [&[0; 16][..], attributes].concat();
    let length = u32::try_from(16 + body.len()).expect("short");
    // RTM_NEWLINK, with the sequence number of the resolver's request (RTM_GETLINK).
    [&length.to_ne_bytes()[..], &16u16.to_ne_bytes(), &[0; 2], &18u32.to_ne_bytes(), &[0; 4], &body].concat()
}

/// A netlink attribute, with padding.
fn attribute(number: u16, value: &[u8]) -> Vec<u8> {
    let length = u16::try_from(4 + value.len()).expect("short");
    let mut attribute = [&length.to_ne_bytes()[..], &number.to_ne_bytes(), value].concat();
    attribute.resize(attribute.len().next_multiple_of(4), 0);
    attribute
}

/// A response whose PTR record points to the root, through this many compression pointers.
fn many_hops(hops: u16) -> Vec<u8> {
    let (start, fields) = (12 + 11, [0, 99, 0, 1, 0, 0, 0, 9]);
    let mut octets = vec![0, 0, 0x84, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0];
    octets.extend_from_slice(&fields);
    // The data of the first record: a root label, and pointers, each to the item before it.
    octets.extend_from_slice(&(1 + 2 * (hops - 1)).to_be_bytes());
    octets.push(0);
    let offset = |hop: u16| if hop == 0 { start } else { start + 1 + 2 * (hop - 1) };
    (0..hops - 1).for_each(|hop| octets.extend_from_slice(&(0xc000 | offset(hop)).to_be_bytes()));
    octets.extend_from_slice(&[0, 0, 12, 0, 1, 0, 0, 0, 9, 0, 2]);
    octets.extend_from_slice(&(0xc000 | offset(hops - 1)).to_be_bytes());
    octets
}

/// A response with an A record whose owner's name has this many octets in wire form.
fn long_name(length: usize) -> Vec<u8> {
    let mut octets = vec![0, 0, 0x84, 0, 0, 0, 0, 1, 0, 0, 0, 0];
    let mut left = length - 1;
    while left > 0 {
        let label = (left - 1).min(63);
        octets.push(u8::try_from(label).expect("at most 63"));
        octets.resize(octets.len() + label, b'a');
        left -= label + 1;
    }
    octets.extend_from_slice(&[0, 0, 1, 0, 1, 0, 0, 0, 9, 0, 4, 10, 0, 0, 2]);
    octets
}

fn write(out: &Path, target: &str, name: &str, octets: &[u8]) -> io::Result<()> {
    fs::create_dir_all(out.join(target))?;
    fs::write(out.join(target).join(name), octets)
}

/// The start of a script for `reverse_lookup`: two links with both families, and the address.
fn reverse_script(ip: IpAddr) -> Vec<u8> {
    match ip {
        IpAddr::V4(ip) => [&[0, 254][..], &ip.octets()].concat(),
        IpAddr::V6(ip) => [&[0, 255][..], &ip.octets()].concat(),
    }
}

/// The event that a packet arrives from a host on the link, in the way that its file name says.
fn event(name: &str, octets: &[u8]) -> Vec<u8> {
    let mut flags = 16;
    flags |= u8::from(name.contains("-group-v"));
    flags |= if name.contains("-v6") { 2 } else { 0 };
    let length = u16::try_from(octets.len()).expect("a packet").to_be_bytes();
    [&[4, flags, 0, 0, 0][..], &length, octets].concat()
}

/// The address whose reverse notation is the owner of the first PTR record.
fn reverse_address(octets: &[u8]) -> Option<IpAddr> {
    let message = Message::read(octets).ok()?;
    let owner = message.records().find(|record| record.rtype == RecordType::PTR)?.owner()?;
    let mut labels: Vec<_> = owner.labels().filter_map(|label| std::str::from_utf8(label).ok()).collect();
    labels.reverse();
    match labels.split_at_checked(2)? {
        (["arpa", "in-addr"], rest) => rest.join(".").parse::<Ipv4Addr>().ok().map(IpAddr::from),
        (["arpa", "ip6"], rest) => {
            u128::from_str_radix(&rest.concat(), 16).ok().map(|bits| Ipv6Addr::from(bits).into())
        }
        _ => None,
    }
}
