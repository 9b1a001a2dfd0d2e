//! A DNS server with a fixed zone that prints every queried name. With `--silent` it never responds.

use crate::sockets::udp_servers;
use crate::wire::{Data, Message, Record};
use std::net::UdpSocket;
use test_packet::{AUTHORITATIVE, IN, RESPONSE};

/// The response code for a name that does not exist.
const NXDOMAIN: u16 = 3;

pub(super) fn main(arguments: impl Iterator<Item = String>) -> Result<(), String> {
    let (mut zone, mut is_silent) = (Vec::new(), false);
    for word in arguments {
        match word.split_once('=') {
            Some((name, data)) => {
                let data = data.parse().map_or_else(|_| Data::Ptr(data.to_owned()), Data::Address);
                zone.push((name.to_owned(), data));
            }
            None => is_silent = word == "--silent",
        }
    }
    let threads: Vec<_> = udp_servers(53).map(|socket| (socket, zone.clone())).map(|it| spawn(it, is_silent)).collect();
    println!("ready");
    threads.into_iter().for_each(|thread| drop(thread.join()));
    Ok(())
}

fn spawn((socket, zone): (UdpSocket, Vec<(String, Data)>), is_silent: bool) -> std::thread::JoinHandle<()> {
    std::thread::spawn(move || {
        let mut buffer = [0u8; 1500];
        loop {
            let Ok((length, source)) = socket.recv_from(&mut buffer) else { continue };
            let Some(query) = buffer.get(..length).and_then(Message::parse) else { continue };
            query.questions.iter().for_each(|question| println!("query {}", question.name));
            if !is_silent {
                drop(socket.send_to(&respond(query, &zone).bytes(), source));
            }
        }
    })
}

fn respond(query: Message, zone: &[(String, Data)]) -> Message {
    let mut response = Message { id: query.id, flags: RESPONSE | AUTHORITATIVE, ..Message::default() };
    for question in &query.questions {
        let mut known = zone.iter().filter(|(name, _)| name.eq_ignore_ascii_case(&question.name)).peekable();
        if known.peek().is_none() {
            response.flags |= NXDOMAIN;
        }
        let of_type = known.map(|(_, data)| data.clone()).filter(|data| data.rtype() == question.rtype);
        response.answers.extend(of_type.map(|data| Record { name: question.name.clone(), class: IN, ttl: 60, data }));
    }
    response.questions = query.questions;
    response
}
