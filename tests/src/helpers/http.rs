//! A web server that answers every request with the name of its host.

use crate::sockets::tcp_servers;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};

pub(super) fn main(mut arguments: impl Iterator<Item = String>) -> Result<(), String> {
    let name = arguments.next().unwrap_or_default();
    let threads: Vec<_> = tcp_servers(80).map(|listener| (listener, name.clone())).map(spawn).collect();
    println!("ready");
    threads.into_iter().for_each(|thread| drop(thread.join()));
    Ok(())
}

fn spawn((listener, name): (TcpListener, String)) -> std::thread::JoinHandle<()> {
    std::thread::spawn(move || listener.incoming().flatten().for_each(|caller| drop(answer(caller, &name))))
}

fn answer(caller: TcpStream, name: &str) -> std::io::Result<()> {
    let mut request = BufReader::new(caller.try_clone()?).lines();
    while request.next().transpose()?.is_some_and(|line| !line.is_empty()) {}
    let body = format!("this is {name}\n");
    write!(&caller, "HTTP/1.0 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}
