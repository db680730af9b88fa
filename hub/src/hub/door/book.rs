//! Who stands in the door: lines counted by address and by certificate, and what was refused.
//! Invariant: a place is given back when its line is dropped, whichever way that happens.

use super::Limits;
use std::{
    collections::{BTreeMap, HashMap},
    net::{IpAddr, Ipv6Addr},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::sync::oneshot;

/// Refusals are told in the log at most this often: who knocks does not write it.
const TELL_EVERY: Duration = Duration::from_secs(10);

/// Why a line was refused or cut.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refused {
    /// The system gave no socket.
    #[error("无法接受连接 (can't accept): {0}")]
    Accept(String),
    /// TLS.
    #[error("握手失败 (the handshake failed): {0}")]
    Handshake(String),
    /// Nothing came in time.
    #[error("超时 (too slow): {0}")]
    Slow(&'static str),
    /// Too many lines without a certificate; the oldest made way.
    #[error("未出示证书的连接过多 (too many lines without a certificate)")]
    Strangers,
    /// Too many lines of one certificate.
    #[error("同一证书的连接过多 (too many lines of one certificate)")]
    Certificate,
    /// Too many lines.
    #[error("连接过多 (too many lines: raise the limit of open files)")]
    Full,
}

type Fingerprint = [u8; 32];

#[derive(Default)]
struct Lines {
    next: u64,
    /// By number, so the oldest is first.
    strangers: BTreeMap<u64, (IpAddr, oneshot::Sender<()>)>,
    of_address: HashMap<IpAddr, usize>,
    known: HashMap<Fingerprint, usize>,
    known_count: usize,
}

impl Lines {
    fn forget_stranger(&mut self, number: u64) {
        let Some((address, _)) = self.strangers.remove(&number) else { return };
        if let Some(count) = self.of_address.get_mut(&address) {
            *count -= 1;
            if *count == 0 {
                self.of_address.remove(&address);
            }
        }
    }

    /// The line that makes way for a new one from `address`, if there is no room: the oldest from the address that
    /// has the most.
    fn makes_way(&self, address: IpAddr, limits: &Limits) -> Option<u64> {
        let crowded = if self.of_address.get(&address).is_some_and(|count| *count >= limits.of_address) {
            address
        } else if self.strangers.len() >= limits.strangers {
            self.of_address.iter().max_by_key(|(_, count)| **count).map(|(address, _)| *address)?
        } else {
            return None;
        };
        self.strangers.iter().find(|(_, (from, _))| *from == crowded).map(|(number, _)| *number)
    }
}

/// The book.
pub(super) struct Book {
    limits: Limits,
    lines: Mutex<Lines>,
    refused: AtomicU64,
    told: Mutex<Option<(Instant, u64)>>,
}

impl Book {
    pub(super) fn new(limits: Limits) -> Self {
        Self { limits, lines: Mutex::default(), refused: AtomicU64::new(0), told: Mutex::new(None) }
    }

    fn lines(&self) -> MutexGuard<'_, Lines> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn open_lines(&self) -> (usize, usize) {
        let lines = self.lines();
        (lines.known_count, lines.strangers.len())
    }

    pub(super) fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// Counts a refusal, and tells it unless one was told just now.
    pub(super) fn count(&self, why: &Refused) {
        let all = self.refused.fetch_add(1, Ordering::Relaxed) + 1;
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let before = match *told {
            Some((at, _)) if at.elapsed() < TELL_EVERY => return,
            Some((_, before)) => before,
            None => 0,
        };
        *told = Some((Instant::now(), all));
        tracing::warn!(%why, refused = all - before, "连接被拒绝 (lines were refused)");
    }

    /// A place for a line that has shown nothing yet, and what tells it to make way.
    pub(super) fn stranger(self: &Arc<Self>, address: IpAddr) -> (Place, oneshot::Receiver<()>) {
        let (show_out, shown_out) = oneshot::channel();
        let address = network(address);
        let mut lines = self.lines();
        let oldest = lines.makes_way(address, &self.limits);
        if let Some(oldest) = oldest {
            lines.forget_stranger(oldest); // its sender is dropped, which it hears
        }
        lines.next += 1;
        let number = lines.next;
        lines.strangers.insert(number, (address, show_out));
        *lines.of_address.entry(address).or_default() += 1;
        drop(lines);
        if oldest.is_some() {
            self.count(&Refused::Strangers);
        }
        (Place { book: self.clone(), is: Is::Stranger(number) }, shown_out)
    }
}

/// What one host has for itself, and counts as one address: of IPv6 a network of 64 bits, in which it may take any address that it likes
/// (RFC 4291, 2.5.4).
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
        address @ IpAddr::V4(_) => address,
    }
}

enum Is {
    Stranger(u64),
    Known(Fingerprint),
}

/// A line's place in the book.
pub(super) struct Place {
    book: Arc<Book>,
    is: Is,
}

impl Place {
    /// The line has shown a certificate.
    pub(super) fn becomes_known(&mut self, certificate: Fingerprint) -> Result<(), Refused> {
        let Is::Stranger(number) = self.is else { return Ok(()) };
        let mut lines = self.book.lines();
        if lines.known_count >= self.book.limits.known {
            return Err(Refused::Full);
        }
        let count = lines.known.entry(certificate).or_default();
        if *count >= self.book.limits.of_certificate {
            return Err(Refused::Certificate);
        }
        *count += 1;
        lines.known_count += 1;
        lines.forget_stranger(number);
        drop(lines);
        self.is = Is::Known(certificate);
        Ok(())
    }

    /// The line is cut.
    pub(super) fn cut(&self, why: &Refused) {
        self.book.count(why);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut lines = self.book.lines();
        match self.is {
            Is::Stranger(number) => lines.forget_stranger(number),
            Is::Known(certificate) => {
                lines.known_count -= 1;
                if let Some(count) = lines.known.get_mut(&certificate) {
                    *count -= 1;
                    if *count == 0 {
                        lines.known.remove(&certificate);
                    }
                }
            }
        }
    }
}
