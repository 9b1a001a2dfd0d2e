//! The settings of a resolver and their defaults, each with its reason.

use std::time::Duration;

/// The settings of a [`crate::Resolver`].
#[derive(Clone, Debug)]
pub struct Config {
    /// How long a lookup waits, from its first query, before silence is the answer.
    pub timeout: Duration,
    /// When the question is asked again, from the first query, while nothing has been heard.
    pub retries: [Duration; 2],
    /// The shortest time to wait for the second family once the first has come.
    pub grace_min: Duration,
    /// The longest time to wait for it; between the two it is twice the first answer's own delay. (Answers by multicast
    /// that were held back, as RFC 6762, section 6, has it, may come further apart.)
    pub grace_max: Duration,
    /// How long a reverse lookup waits: `sshd` and `traceroute` make them for every address they meet.
    pub reverse_timeout: Duration,
    /// How many names are remembered.
    pub cache_size: usize,
    /// The longest time that an answer is remembered. We hear no goodbyes between lookups, which is why RFC 6762,
    /// section 6.7, caps the TTL that such a querier is told at ten seconds.
    pub ttl_max: Duration,
    /// How long silence is remembered.
    pub silence_ttl: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            timeout: Duration::from_millis(2000),
            // The first retry makes up for a lost packet and passes firewalls; the second comes after the second in
            // which a responder need not multicast a record again (RFC 6762, section 6), and as long after the first,
            // which asked from port 5353 too (section 5.2).
            retries: [Duration::from_millis(250), Duration::from_millis(1250)],
            grace_min: Duration::from_millis(20),
            grace_max: Duration::from_millis(100),
            reverse_timeout: Duration::from_millis(1000),
            cache_size: 256,
            ttl_max: Duration::from_secs(10),
            silence_ttl: Duration::from_secs(1),
        }
    }
}
