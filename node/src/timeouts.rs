//! How long one waits for a peer. Invariant: no wait of a link is without a limit: a peer that is frozen, a line that
//! swallows what is sent, and one that is open on this side only each end as an error, and the next try follows it.

use std::time::Duration;

/// The limits of one link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// For a connection, TLS handshake and all.
    pub connect: Duration,
    /// For the next message while the peer owes one, and for room to send.
    pub answer: Duration,
    /// How long a line may be silent before the peer's system is asked whether it is still there.
    pub ping: Duration,
    /// For its answer to that.
    pub pong: Duration,
}

impl Default for Timeouts {
    /// A hub answers in seconds even when everybody calls at once; a frozen one is found, and called again, within two
    /// minutes.
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(20),
            answer: Duration::from_secs(90),
            ping: Duration::from_secs(30),
            pong: Duration::from_secs(20),
        }
    }
}
