//! Copies group-addressed frames from one interface to another, and drops or delays some of them. [`crate::wifi`]
//! starts it, once for each direction.
//!
//! Each frame is delayed independently, so frames can be reordered.

use crate::packet_socket::Frames;
use crate::wifi::MDNS_MACS;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io::{self, ErrorKind};
use std::time::{Duration, Instant};

const USAGE: &str = "relay FROM TO [--lost PERCENT] [--late MS-MS] [--only-mdns] [--seed NUMBER]";

/// How many frames are queued at most. Any others are dropped, as by an access point whose buffer is full.
const MAX_WAITING: usize = 1024;

/// How many frames are read before those that are due are sent.
const MAX_READ: usize = 64;

/// What happens to the frames.
struct Settings {
    lost_percent: u64,
    late_ms: (u64, u64),
    only_mdns: bool,
    seed: u64,
}

struct Relay {
    from: Frames,
    to: Frames,
    settings: Settings,
    random: Random,
    /// Frames that are sent later: the time, the position in the order of arrival, the octets.
    waiting: BinaryHeap<Reverse<(Instant, u64, Vec<u8>)>>,
    arrived: u64,
}

/// `relay FROM TO`: forwards until it is killed.
pub(super) fn main(mut arguments: impl Iterator<Item = String>) -> Result<(), String> {
    let (Some(from), Some(to)) = (arguments.next(), arguments.next()) else { return Err(USAGE.into()) };
    let settings = parse(arguments)?;
    let open = |name: &str, open: fn(&str) -> io::Result<Frames>| open(name).map_err(|why| format!("{name}: {why}"));
    let (from, to) = (open(&from, Frames::to_read)?, open(&to, Frames::to_send)?);
    let random = Random(settings.seed);
    let mut relay = Relay { from, to, settings, random, waiting: BinaryHeap::new(), arrived: 0 };
    println!("ready");
    relay.run().map_err(|why| why.to_string())
}

fn parse(mut words: impl Iterator<Item = String>) -> Result<Settings, String> {
    let mut settings = Settings { lost_percent: 0, late_ms: (0, 0), only_mdns: false, seed: 1 };
    while let Some(word) = words.next() {
        let mut number = || words.next().and_then(|value| value.parse().ok()).ok_or(USAGE);
        match word.as_str() {
            "--lost" => settings.lost_percent = number()?,
            "--late" => {
                let range = words.next().ok_or(USAGE)?;
                let (least, most) = range.split_once('-').ok_or(USAGE)?;
                settings.late_ms = (least.parse().map_err(|_| USAGE)?, most.parse().map_err(|_| USAGE)?);
            }
            "--only-mdns" => settings.only_mdns = true,
            "--seed" => settings.seed = number()?,
            _ => return Err(USAGE.into()),
        }
    }
    if settings.late_ms.0 > settings.late_ms.1 { Err(USAGE.into()) } else { Ok(settings) }
}

impl Relay {
    fn run(&mut self) -> io::Result<()> {
        let mut buffer = vec![0; Frames::LARGEST];
        loop {
            self.wait()?;
            for _ in 0..MAX_READ {
                match self.from.read(&mut buffer) {
                    Ok(length) => self.take(buffer.get(..length).unwrap_or_default()),
                    Err(why) if why.kind() == ErrorKind::WouldBlock => break,
                    Err(why) => return Err(why),
                }
            }
            self.send_due();
        }
    }

    /// Waits for a frame, or for the time at which the next one is due.
    fn wait(&self) -> io::Result<()> {
        let next = self.waiting.peek().map(|Reverse((due, ..))| due.saturating_duration_since(Instant::now()));
        self.from.wait(next)
    }

    /// Decides what happens to a frame that arrived.
    fn take(&mut self, frame: &[u8]) {
        let Some(destination) = frame.get(Frames::HEADER..Frames::HEADER + 6) else { return };
        if destination[0] & 1 == 0 {
            return;
        }
        if self.settings.only_mdns && !MDNS_MACS.iter().any(|mac| mac == destination) {
            return self.send(frame);
        }
        // Both numbers are drawn for each frame, so that the losses do not depend on the delays.
        let is_lost = self.random.below(100) < self.settings.lost_percent;
        let (least, most) = self.settings.late_ms;
        let late = Duration::from_micros(least * 1000 + self.random.below((most - least) * 1000 + 1));
        self.arrived += 1;
        if !is_lost && self.waiting.len() < MAX_WAITING {
            self.waiting.push(Reverse((Instant::now() + late, self.arrived, frame.to_vec())));
        }
    }

    fn send_due(&mut self) {
        while self.waiting.peek().is_some_and(|Reverse((due, ..))| *due <= Instant::now()) {
            if let Some(Reverse((.., frame))) = self.waiting.pop() {
                self.send(&frame);
            }
        }
    }

    /// Sends a frame. One that cannot be sent is lost.
    fn send(&self, frame: &[u8]) {
        let _ = self.to.send(frame);
    }
}

/// The generator SplitMix64: the same seed gives the same numbers.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number from 0 to one less than `limit`.
    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }
}
