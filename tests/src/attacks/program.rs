//! The `attacker` program: a subcommand for each role in the hosts of the tests' LAN.

use super::context::{Context, Destination, Injection, Query, Route, Victim};
use super::table::{self, Attack};
use super::{flood, victim};
use crate::datagram::{Datagram, group_mac, route};
use crate::packet_socket::Link;
use crate::sockets::Transport;
use crate::wire::{Message, Question};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use test_packet::{GROUP_V4, GROUP_V6, MDNS_PORT, RESPONSE};

/// The UDP port on which the attacker behind the router receives the packets that it must send.
const EMIT_PORT: u16 = 9999;

/// How many queries are kept for the attacks that use earlier ones.
const MAX_EARLIER: usize = 512;

const USAGE: &str = "\
attacker attack OFF-LINK-ADDRESS VICTIM...   answers the victims' queries as the table says
attacker emit ROUTER-MAC                     behind the router: sends the packets that the first attacker builds
attacker relay FROM TO                       on the router: forwards packets to the groups, which a router must not do
attacker flood VICTIM PAYLOAD RATE           sends RATE packets a second for 2.5 s after the first query
attacker lookup NAME...                      looks up names and addresses in this order
A VICTIM is MAC,IPV4,IPV6,LINK-LOCAL. The first is on eth0, the second on eth1, and so on.";

/// Runs the subcommand that the first argument names.
///
/// # Errors
/// What failed.
pub fn main(mut arguments: impl Iterator<Item = String>) -> Result<(), String> {
    let subcommand = arguments.next();
    let rest: Vec<String> = arguments.collect();
    let words: Vec<&str> = rest.iter().map(String::as_str).collect();
    match (subcommand.as_deref(), words.as_slice()) {
        (Some("attack"), [off_link, victims @ ..]) => attack(off_link, victims),
        (Some("emit"), [mac]) => emit(mac),
        (Some("relay"), [from, to]) => relay(from, to),
        (Some("flood"), [victim, payload, rate]) => flood::main(&parse_victim(victim)?, payload, rate),
        (Some("lookup"), names) => victim::main(names),
        _ => Err(USAGE.into()),
    }
}

/// What the threads of the attacker share.
struct Attacker {
    table: Vec<Attack>,
    links: Vec<Link>,
    victims: Vec<Victim>,
    seen: Mutex<Vec<Query>>,
    to_emitter: UdpSocket,
    emitter: SocketAddr,
}

fn attack(off_link: &str, victims: &[&str]) -> Result<(), String> {
    let victims = victims.iter().map(|text| parse_victim(text)).collect::<Result<Vec<_>, _>>()?;
    let open = |position| open(&format!("eth{position}"));
    let links = (0..victims.len()).map(open).collect::<Result<Vec<_>, _>>()?;
    let off_link: Ipv4Addr = off_link.parse().map_err(|_| format!("{off_link}: not an IPv4 address"))?;
    let attacker = Arc::new(Attacker {
        table: table::all(),
        links,
        victims,
        seen: Mutex::new(Vec::new()),
        to_emitter: UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).map_err(|why| why.to_string())?,
        emitter: (off_link, EMIT_PORT).into(),
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
    /// Attacks every query of the victim on one link.
    fn watch(self: &Arc<Attacker>, position: usize) {
        let mut buffer = vec![0; 65_536];
        let Some(link) = self.links.get(position) else { return };
        while let Ok(arrival) = link.receive_incoming(&mut buffer) {
            let datagram = buffer.get(..arrival.length).and_then(Datagram::parse);
            for query in datagram.into_iter().flat_map(|datagram| queries(&datagram, position)) {
                if self.victims.get(position).is_some_and(|victim| victim.mac == arrival.mac) {
                    self.attack(&query);
                }
            }
        }
    }

    fn attack(self: &Arc<Attacker>, query: &Query) {
        println!("query {} {} {} {} {}", query.name, query.link, query.rtype, query.id, query.port);
        let earlier = {
            let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            let earlier = seen.clone();
            seen.push(query.clone());
            if seen.len() > MAX_EARLIER {
                seen.remove(0);
            }
            earlier
        };
        let context = Context { query, earlier: &earlier, victims: &self.victims };
        for (number, attack) in table::by_name(&self.table, &query.name) {
            for injection in (attack.injections)(&context) {
                self.inject(number, injection);
            }
        }
    }

    /// Sends a packet after its delay.
    fn inject(self: &Arc<Attacker>, number: usize, injection: Injection) {
        if injection.delay == 0 {
            return self.send(number, &injection);
        }
        let attacker = Arc::clone(self);
        std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(injection.delay));
            attacker.send(number, &injection);
        });
    }

    fn send(&self, number: usize, injection: &Injection) {
        let destination = match injection.destination {
            Destination::Group => Transport::of(injection.source).group(0),
            Destination::Address(ip, port) => (ip, port).into(),
        };
        let source = (injection.source, injection.port).into();
        let Injection { hop_limit, payload, .. } = injection;
        let datagram = Datagram { source, destination, hop_limit: *hop_limit, payload };
        let mut count = 0;
        for packet in datagram.packets() {
            let sent = match injection.route {
                Route::Router => self.to_emitter.send_to(&packet, self.emitter).map(|_| ()),
                Route::Link(position) => match (self.links.get(position), self.victims.get(position)) {
                    (Some(link), Some(victim)) => link.send(group_mac(destination.ip()).unwrap_or(victim.mac), &packet),
                    _ => continue,
                },
            };
            match sent {
                Ok(()) => count += 1,
                Err(why) => println!("attack {number} to {destination}: {why}"),
            }
        }
        println!("injected {number} {count}");
    }
}

/// The questions of a query to port 5353.
fn queries(datagram: &Datagram<'_>, link: usize) -> Vec<Query> {
    let message = Message::parse(datagram.payload).filter(|message| message.flags & RESPONSE == 0);
    let Some(message) = message.filter(|_| datagram.destination.port() == MDNS_PORT) else { return Vec::new() };
    let (id, ip, port) = (message.id, datagram.source.ip(), datagram.source.port());
    let query = |Question { name, rtype, .. }| Query { link, name, rtype, id, ip, port };
    message.questions.into_iter().map(query).collect()
}

/// Receives whole IP packets by UDP and sends them: to the groups on its own link, everything else through the router.
fn emit(mac: &str) -> Result<(), String> {
    let (mac, link) = (parse_mac(mac)?, open("eth0")?);
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, EMIT_PORT)).map_err(|why| why.to_string())?;
    println!("ready");
    let mut buffer = vec![0; 65_536];
    while let Ok((length, _)) = socket.recv_from(&mut buffer) {
        let packet = buffer.get(..length).unwrap_or_default();
        let group = Datagram::parse(packet).and_then(|datagram| group_mac(datagram.destination.ip()));
        link.send(group.unwrap_or(mac), packet).map_err(|why| why.to_string())?;
    }
    Ok(())
}

/// Forwards packets to the mDNS groups, which a router must not do (RFC 5771, section 4; RFC 4291, section 2.7).
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

fn parse_victim(text: &str) -> Result<Victim, String> {
    let invalid = || format!("{text}: not MAC,IPV4,IPV6,LINK-LOCAL");
    let fields: Vec<&str> = text.split(',').collect();
    let [mac, v4, v6, link_local] = fields.as_slice() else { return Err(invalid()) };
    Ok(Victim {
        mac: parse_mac(mac)?,
        v4: v4.parse().map_err(|_| invalid())?,
        v6: v6.parse().map_err(|_| invalid())?,
        link_local: link_local.parse().map_err(|_| invalid())?,
    })
}

fn parse_mac(text: &str) -> Result<[u8; 6], String> {
    let octets: Vec<u8> = text.split(':').filter_map(|octet| u8::from_str_radix(octet, 16).ok()).collect();
    octets.try_into().map_err(|_| format!("{text}: not a hardware address"))
}
