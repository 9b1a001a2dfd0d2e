//! How a lookup is interrupted by a signal, and goes on afterwards.

use std::time::{Duration, Instant};

use crate::config::Config;
use crate::error::LookupError;
use crate::lookup::Lookup;
use crate::lookup::host::HostLookup;
use crate::lookup::reverse::ReverseLookup;
use crate::net::interfaces::Interfaces;
use crate::observer::Observer;
use crate::querier::{self, Exchange};
use crate::signals::{BlockedSignals, PendingSignals};

/// Whether pending signals interrupt a lookup, and what it needs to go on after an interruption.
///
/// If the lookup ends with [`LookupError::Interrupted`], the caller takes what [`Interruption::take`] returns, lets the
/// handlers run ([`BlockedSignals::restore`]), and passes both to the same lookup again.
#[derive(Debug)]
pub struct Interruption<'a, O = ()> {
    signals: PendingSignals<'a>,
    interrupted: Option<InterruptedLookup<O>>,
    time_left: Option<Duration>,
}

/// A lookup that was interrupted.
#[derive(Debug)]
pub struct InterruptedLookup<O = ()>(Direction<O>);

#[derive(Debug)]
enum Direction<O> {
    Forward(Box<NetworkLookup<HostLookup<O>>>),
    Reverse(Box<NetworkLookup<ReverseLookup<O>>>),
}

impl<'a, O: Observer> Interruption<'a, O> {
    /// Nothing interrupts the lookup.
    pub fn none() -> Self {
        Self { signals: PendingSignals::ignored(), interrupted: None, time_left: None }
    }

    /// The signals that the caller has just blocked interrupt the lookup. If it was interrupted before, it goes on. Without
    /// an [`InterruptedLookup`], because that was lost meanwhile, it begins again, but ends in the time that was left.
    pub fn by(
        blocked: Option<&'a BlockedSignals>,
        interrupted: Option<InterruptedLookup<O>>,
        time_left: Option<Duration>,
    ) -> Self {
        Self { signals: PendingSignals::of(blocked), interrupted, time_left }
    }

    /// The lookup that was interrupted, and the time that is left for it.
    pub fn take(self) -> (Option<InterruptedLookup<O>>, Option<Duration>) {
        (self.interrupted, self.time_left)
    }

    /// The lookup of a host that was interrupted, if one was.
    pub(crate) fn take_host(&mut self) -> Option<Box<NetworkLookup<HostLookup<O>>>> {
        match self.interrupted.take() {
            Some(InterruptedLookup(Direction::Forward(lookup))) => Some(lookup),
            _ => None,
        }
    }

    /// The reverse lookup that was interrupted, if one was.
    pub(crate) fn take_pointer(&mut self) -> Option<Box<NetworkLookup<ReverseLookup<O>>>> {
        match self.interrupted.take() {
            Some(InterruptedLookup(Direction::Reverse(lookup))) => Some(lookup),
            _ => None,
        }
    }

    /// Keeps a lookup of a host that was interrupted.
    pub(crate) fn keep_host(&mut self, lookup: Box<NetworkLookup<HostLookup<O>>>) -> LookupError {
        self.keep(lookup.exchange.time_left(), Direction::Forward(lookup))
    }

    /// Keeps a reverse lookup that was interrupted.
    pub(crate) fn keep_pointer(&mut self, lookup: Box<NetworkLookup<ReverseLookup<O>>>) -> LookupError {
        self.keep(lookup.exchange.time_left(), Direction::Reverse(lookup))
    }

    fn keep(&mut self, time_left: Duration, lookup: Direction<O>) -> LookupError {
        (self.time_left, self.interrupted) = (Some(time_left), Some(InterruptedLookup(lookup)));
        LookupError::Interrupted
    }

    /// The timeout of a lookup that begins now.
    pub(crate) fn limit(&self, timeout: Duration) -> Duration {
        self.time_left.map_or(timeout, |left| timeout.min(left))
    }
}

/// A lookup that queries the network, with all that it needs to go on after an interruption.
#[derive(Debug)]
pub(crate) struct NetworkLookup<L> {
    pub(crate) lookup: L,
    pub(crate) interfaces: Interfaces,
    /// Why there is no interface that can be queried, if there is none.
    pub(crate) unavailable: Option<LookupError>,
    exchange: Exchange,
}

impl<L: Lookup> NetworkLookup<L> {
    /// A lookup that ends `timeout` from now.
    pub(crate) fn new(lookup: L, interfaces: Interfaces, config: &Config, timeout: Duration) -> Self {
        Self { lookup, interfaces, unavailable: None, exchange: Exchange::new(config, timeout) }
    }

    /// Begins or goes on.
    ///
    /// # Errors
    /// Those of [`querier::run`].
    pub(crate) fn run<O: Observer>(
        &mut self,
        config: &Config,
        interruption: &mut Interruption<'_, O>,
        observer: O,
    ) -> Result<(), LookupError> {
        let signals = &mut interruption.signals;
        querier::run(&mut self.lookup, &mut self.exchange, &self.interfaces, config, signals, observer)
    }

    /// The time on the lookup's clock, which stands still while it is interrupted.
    pub(crate) fn now(&self) -> Instant {
        self.exchange.now()
    }
}
