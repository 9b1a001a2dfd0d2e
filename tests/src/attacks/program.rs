//! The `attacker` program: one word for each part that is played in the hosts of the tests' LAN.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use test_packet::{GROUP_V4, GROUP_V6, MDNS_PORT, RESPONSE};

use super::scene::{Query, Scene, Shot, To, Via, Victim};
use super::table::{self, Attack};
use super::{ask, flood};
use crate::datagram::{Datagram, group_mac, route};
use crate::link::Link;
use crate::wire::Message;

/// Where the attacker behind the router takes its orders.
pub const ORDERS: u16 = 9999;

/// How many queries are remembered.
const MEMORY: usize = 512;

/// The parts.
const USAGE: &str = "\
attacker attack OFF-LINK-ADDRESS VICTIM...   answers the queries of the victims, as the table has it
attacker emit ROUTER-MAC                     behind the router: sends what the first attacker makes up
attacker relay FROM TO                       on the router: forwards packets to the groups, as no router should
attacker flood VICTIM KIND RATE              as many packets a second, from the first query on, for 2.5 s
attacker ask NAME...                         looks names and addresses up, in this order
A VICTIM is MAC,IPV4,IPV6,LINK-LOCAL; the first is met on eth0, the second on eth1.";

/// Plays the part that the first argument names.
///
/// # Errors
/// What failed.
pub fn main(mut arguments: impl Iterator<Item = String>) -> Result<(), String> {
    let part = arguments.next();
    let rest: Vec<String> = arguments.collect();
    let words: Vec<&str> = rest.iter().map(String::as_str).collect();
    match (part.as_deref(), words.as_slice()) {
        (Some("attack"), [off_link, victims @ ..]) => attack(off_link, victims),
        (Some("emit"), [mac]) => emit(mac),
        (Some("relay"), [from, to]) => relay(from, to),
        (Some("flood"), [victim, kind, rate]) => flood::main(&read_victim(victim)?, kind, rate),
        (Some("ask"), names) => ask::main(names),
        _ => Err(USAGE.into()),
    }
}

/// What the threads of the attacker share.
struct Attacker {
    table: Vec<Attack>,
    links: Vec<Link>,
    victims: Vec<Victim>,
    seen: Mutex<Vec<Query>>,
    orders: UdpSocket,
    off_link: SocketAddr,
}

fn attack(off_link: &str, victims: &[&str]) -> Result<(), String> {
    let victims = victims.iter().map(|text| read_victim(text)).collect::<Result<Vec<_>, _>>()?;
    let open = |position| open(&format!("eth{position}"));
    let links = (0..victims.len()).map(open).collect::<Result<Vec<_>, _>>()?;
    let off_link: Ipv4Addr = off_link.parse().map_err(|_| format!("{off_link}: no IPv4 address"))?;
    let attacker = Arc::new(Attacker {
        table: table::all(),
        links,
        victims,
        seen: Mutex::new(Vec::new()),
        orders: UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).map_err(|why| why.to_string())?,
        off_link: (off_link, ORDERS).into(),
    });
    let threads: Vec<_> = (0..attacker.links.len())
        .map(|link| {
            let attacker = Arc::clone(&attacker);
            std::thread::spawn(move || attacker.watch(link))
        })
        .collect();
    println!("ready");
    threads.into_iter().for_each(|thread| drop(thread.join()));
    Ok(())
}

impl Attacker {
    /// Meets every query on one interface with an attack.
    fn watch(self: &Arc<Attacker>, position: usize) {
        let mut buffer = vec![0; 65_536];
        let Some(link) = self.links.get(position) else { return };
        while let Ok(arrival) = link.receive_incoming(&mut buffer) {
            let datagram = buffer.get(..arrival.length).and_then(Datagram::parse);
            for query in datagram.into_iter().flat_map(|datagram| queries(&datagram, position)) {
                if self.victims.get(position).is_some_and(|victim| victim.mac == arrival.mac) {
                    self.meet(&query);
                }
            }
        }
    }

    fn meet(self: &Arc<Attacker>, query: &Query) {
        println!("query {} {} {} {} {}", query.name, query.link, query.kind, query.id, query.port);
        let earlier = {
            let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            let earlier = seen.clone();
            seen.push(query.clone());
            if seen.len() > MEMORY {
                seen.remove(0);
            }
            earlier
        };
        let scene = Scene { query, earlier: &earlier, victims: &self.victims };
        for (number, attack) in table::by_name(&self.table, &query.name) {
            for shot in (attack.shots)(&scene) {
                self.fire(number, shot);
            }
        }
    }

    /// Sends a packet now or in a while.
    fn fire(self: &Arc<Attacker>, number: usize, shot: Shot) {
        if shot.delay == 0 {
            return self.send(number, &shot);
        }
        let attacker = Arc::clone(self);
        std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(shot.delay));
            attacker.send(number, &shot);
        });
    }

    fn send(&self, number: usize, shot: &Shot) {
        let group = if shot.over_v6 { (GROUP_V6, MDNS_PORT).into() } else { SocketAddr::from((GROUP_V4, MDNS_PORT)) };
        let destination = match shot.to {
            To::Group => group,
            To::At(ip, port) => (ip, port).into(),
        };
        let source = (shot.source, shot.port).into();
        let datagram = Datagram { source, destination, hop_limit: shot.hop_limit, payload: &shot.payload };
        let mut sent = 0;
        for packet in datagram.packets() {
            let done = match shot.via {
                Via::Router => self.orders.send_to(&packet, self.off_link).map(|_| ()),
                Via::Link(position) => match (self.links.get(position), self.victims.get(position)) {
                    (Some(link), Some(victim)) => link.send(group_mac(destination.ip()).unwrap_or(victim.mac), &packet),
                    _ => continue,
                },
            };
            match done {
                Ok(()) => sent += 1,
                Err(why) => println!("attack {number} to {destination}: {why}"),
            }
        }
        println!("fired {number} {sent}");
    }
}

/// The questions of a query to the group.
fn queries(datagram: &Datagram<'_>, link: usize) -> Vec<Query> {
    let message = Message::parse(datagram.payload).filter(|message| message.flags & RESPONSE == 0);
    let Some(message) = message.filter(|_| datagram.destination.port() == MDNS_PORT) else { return Vec::new() };
    let (ip, port) = (datagram.source.ip(), datagram.source.port());
    let query = |question: crate::wire::Question| Query {
        link,
        name: question.name,
        kind: question.rtype,
        id: message.id,
        ip,
        port,
    };
    message.questions.into_iter().map(query).collect()
}

/// Sends what comes in by UDP out again as it is: whole packets, for the victims through the router, to the groups as
/// they go.
fn emit(mac: &str) -> Result<(), String> {
    let (mac, link) = (read_mac(mac)?, open("eth0")?);
    let orders = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, ORDERS)).map_err(|why| why.to_string())?;
    println!("ready");
    let mut buffer = vec![0; 65_536];
    while let Ok((length, _)) = orders.recv_from(&mut buffer) {
        let packet = buffer.get(..length).unwrap_or_default();
        let group = Datagram::parse(packet).and_then(|datagram| group_mac(datagram.destination.ip()));
        link.send(group.unwrap_or(mac), packet).map_err(|why| why.to_string())?;
    }
    Ok(())
}

/// Forwards packets to the mDNS groups, which no router may (RFC 5771 section 4, RFC 4291 section 2.7).
fn relay(from: &str, to: &str) -> Result<(), String> {
    let (from, to) = (open(from)?, open(to)?);
    println!("ready");
    let mut buffer = vec![0; 65_536];
    while let Ok(arrival) = from.receive_incoming(&mut buffer) {
        let packet = buffer.get_mut(..arrival.length).unwrap_or_default();
        let destination = Datagram::parse(packet).map(|datagram| datagram.destination.ip());
        let group = destination.filter(|ip| *ip == GROUP_V4 || *ip == GROUP_V6).and_then(group_mac);
        if let Some(mac) = group.filter(|_| route(packet)) {
            to.send(mac, packet).map_err(|why| why.to_string())?;
        }
    }
    Ok(())
}

fn open(interface: &str) -> Result<Link, String> {
    Link::open(interface).map_err(|why| format!("{interface}: {why}"))
}

fn read_victim(text: &str) -> Result<Victim, String> {
    let bad = || format!("{text}: not MAC,IPV4,IPV6,LINK-LOCAL");
    let fields: Vec<&str> = text.split(',').collect();
    let [mac, v4, v6, link_local] = fields.as_slice() else { return Err(bad()) };
    Ok(Victim {
        mac: read_mac(mac)?,
        v4: v4.parse().map_err(|_| bad())?,
        v6: v6.parse().map_err(|_| bad())?,
        link_local: link_local.parse().map_err(|_| bad())?,
    })
}

fn read_mac(text: &str) -> Result<[u8; 6], String> {
    let octets: Vec<u8> = text.split(':').filter_map(|octet| u8::from_str_radix(octet, 16).ok()).collect();
    octets.try_into().map_err(|_| format!("{text}: no hardware address"))
}
