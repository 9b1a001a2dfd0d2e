//! Makes the fuzzer's first inputs from the captured packets: `seeds TESTDATA OUT`, a folder in OUT for each target.
//!
//! A packet's file name ends in how it came: `-unicast-v4.bin`, `-group-v6.bin` and so on.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};
use std::{env, fs, io};

use resolver_core::config::SETTINGS;
use resolver_core::wire::{Message, RecordType};

/// Events of [`resolver_core_fuzz::scene`]: time goes by, the group is asked.
const A_WHILE: [u8; 2] = [0, 20];
const ASK_THE_GROUP: [u8; 1] = [3];

/// Of the buffers that answers are encoded into: length, alignment, a caller's tuple, number of addresses, repetitions,
/// names alike, names of the usual rtype; the addresses follow.
const ANSWERS: [[u8; 8]; 6] = [
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
        let (Some(name), Some(rtype)) = (file.file_stem().and_then(|name| name.to_str()), file.extension()) else {
            continue;
        };
        let octets = fs::read(file)?;
        if name.starts_with("kernel") {
            write(&out, "netlink", name, &octets)?;
            for (number, message) in netlink_messages(&octets).into_iter().enumerate() {
                write(&out, "netlink", &format!("{name}-{number}"), message)?;
            }
        } else if rtype == "bin" {
            write(&out, "message", name, &octets)?;
            write(&out, "answers", name, &[&host_script()[..], &event(name, &octets), &A_WHILE].concat())?;
            if let Some(ip) = pointed_from(&octets) {
                write(&out, "pointer", name, &[pointer_script(ip), event(name, &octets)].concat())?;
            }
            let responder = name.split('-').next().unwrap_or(name);
            match conversations.last_mut().filter(|(last, _)| last == responder) {
                Some((_, events)) => events.extend(event(name, &octets)),
                None => conversations.push((responder.to_owned(), event(name, &octets))),
            }
        }
    }
    for (responder, events) in conversations {
        write(&out, "answers", &responder, &[&host_script()[..], &ASK_THE_GROUP, &events].concat())?;
    }
    for (number, answer) in ANSWERS.iter().enumerate() {
        let addresses: Vec<u8> = (0..64).collect();
        write(&out, "encode", &format!("answer-{number}"), &[&answer[..], &addresses].concat())?;
    }
    for rtype in ["bridge", "bond", "team", "openvswitch", "vrf"] {
        write(&out, "netlink", &format!("member-of-{rtype}"), &member_of(rtype))?;
    }
    for (number, setting) in SETTINGS.iter().enumerate() {
        let lines = format!("\0{} = {}\n# so\n{} = x\n", setting.key, setting.default, setting.key);
        write(&out, "files", &format!("setting-{number}"), lines.as_bytes())?;
    }
    write(&out, "files", "allowed", b"\x01\x0dprinter.local# ours\n.local\n.local.\n*\n")?;
    for (number, reply) in DAEMON_REPLIES.iter().enumerate() {
        for family in [0, 1] {
            write(&out, "daemon", &format!("reply-{number}-{family}"), &[&[family, 20], reply.as_bytes()].concat())?;
        }
    }
    // What no responder sends, and no fuzzer finds soon: names at the limits.
    for hops in 31..35 {
        write(&out, "message", &format!("hops-{hops}"), &many_hops(hops))?;
    }
    for length in 253..258 {
        write(&out, "message", &format!("length-{length}"), &long_name(length))?;
    }
    Ok(())
}

/// The messages of a netlink datagram, each to be fuzzed alone; none of what is no datagram.
fn netlink_messages(mut rest: &[u8]) -> Vec<&[u8]> {
    let mut messages = Vec::new();
    while let Some(length) = rest.first_chunk().map(|length| u32::from_ne_bytes(*length) as usize) {
        let Some((message, behind)) = rest.split_at_checked(length.next_multiple_of(4)).filter(|_| length > 0) else {
            break;
        };
        messages.push(message);
        rest = behind;
    }
    messages
}

/// The netlink message of a link that is a member of another of this rtype.
fn member_of(rtype: &str) -> Vec<u8> {
    let attribute = |number: u16, value: &[u8]| {
        let length = u16::try_from(4 + value.len()).expect("short");
        let mut attribute = [&length.to_ne_bytes()[..], &number.to_ne_bytes(), value].concat();
        attribute.resize(attribute.len().next_multiple_of(4), 0);
        attribute
    };
    // IFLA_LINKINFO, and in it IFLA_INFO_SLAVE_KIND.
    let name = [rtype.as_bytes(), &[0]].concat();
    let body = [&[0; 16][..], &attribute(18, &attribute(4, &name))].concat();
    let length = u32::try_from(16 + body.len()).expect("short");
    // RTM_NEWLINK, in answer to a request numbered as the resolver numbers it.
    [&length.to_ne_bytes()[..], &16u16.to_ne_bytes(), &[0; 2], &18u32.to_ne_bytes(), &[0; 4], &body].concat()
}

/// A response with the PTR record of a root that takes so many pointers to get to.
fn many_hops(hops: u16) -> Vec<u8> {
    let (start, fields) = (12 + 11, [0, 99, 0, 1, 0, 0, 0, 9]);
    let mut octets = vec![0, 0, 0x84, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0];
    octets.extend_from_slice(&fields);
    // The data of a first record: an end, and pointers, each to what is before it.
    octets.extend_from_slice(&(1 + 2 * (hops - 1)).to_be_bytes());
    octets.push(0);
    let place = |hop: u16| if hop == 0 { start } else { start + 1 + 2 * (hop - 1) };
    (0..hops - 1).for_each(|hop| octets.extend_from_slice(&(0xc000 | place(hop)).to_be_bytes()));
    octets.extend_from_slice(&[0, 0, 12, 0, 1, 0, 0, 0, 9, 0, 2]);
    octets.extend_from_slice(&(0xc000 | place(hops - 1)).to_be_bytes());
    octets
}

/// A response with an A record whose owner takes so many octets.
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

/// Two links with both families; both wanted; printer.local.
fn host_script() -> [u8; 3] {
    [0, 0, 0]
}

/// Two links with both families, and an address.
fn pointer_script(ip: IpAddr) -> Vec<u8> {
    match ip {
        IpAddr::V4(ip) => [&[0, 254][..], &ip.octets()].concat(),
        IpAddr::V6(ip) => [&[0, 255][..], &ip.octets()].concat(),
    }
}

/// A packet that comes as its name says, from a neighbour.
fn event(name: &str, octets: &[u8]) -> Vec<u8> {
    let mut flags = 16;
    flags |= u8::from(name.contains("-group-v"));
    flags |= if name.contains("-v6") { 2 } else { 0 };
    let length = u16::try_from(octets.len()).expect("a packet").to_be_bytes();
    [&[4, flags, 0, 0, 0][..], &length, octets].concat()
}

/// The address that the owner of a PTR record is, in reverse notation.
fn pointed_from(octets: &[u8]) -> Option<IpAddr> {
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
