//! A web server: every request gets one line that says who answered.

use socket2::{Domain, Protocol, Socket, Type};
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};

pub(super) fn main(mut arguments: impl Iterator<Item = String>) -> Result<(), String> {
    let name = arguments.next().unwrap_or_default();
    let everywhere = [(Ipv4Addr::UNSPECIFIED, 80).into(), (Ipv6Addr::UNSPECIFIED, 80).into()];
    let listeners = everywhere.into_iter().filter_map(listen);
    let threads: Vec<_> = listeners.map(|listener| (listener, name.clone())).map(spawn).collect();
    println!("ready");
    threads.into_iter().for_each(|thread| drop(thread.join()));
    Ok(())
}

fn spawn((listener, name): (TcpListener, String)) -> std::thread::JoinHandle<()> {
    std::thread::spawn(move || listener.incoming().flatten().for_each(|caller| drop(greet(caller, &name))))
}

fn listen(address: SocketAddr) -> Option<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP)).ok()?;
    if address.is_ipv6() {
        socket.set_only_v6(true).ok()?;
    }
    socket.set_reuse_address(true).ok()?;
    socket.bind(&address.into()).ok()?;
    socket.listen(16).ok()?;
    Some(socket.into())
}

fn greet(caller: TcpStream, name: &str) -> std::io::Result<()> {
    let mut request = BufReader::new(caller.try_clone()?).lines();
    while request.next().transpose()?.is_some_and(|line| !line.is_empty()) {}
    let body = format!("this is {name}\n");
    write!(&caller, "HTTP/1.0 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}
