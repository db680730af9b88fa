//! The door for children: every line is accepted, shaken hands with and counted here, before tonic sees it.
//! Invariants: a line that shows no certificate is a stranger, has little time, and makes way for the next one when
//! there are too many; lines with a certificate count against it and never against the address, behind which a whole
//! city may sit; all of them together leave room in the file limit for the control socket and the store.

mod book;
mod line;

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;

pub(crate) use book::Refused;
pub(crate) use line::{Line, LineInfo};

use book::Book;
use std::{net::SocketAddr, sync::Arc, time::Duration};
use taizhang_node::identity::name_in;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{mpsc, watch},
};
use tokio_rustls::{TlsAcceptor, rustls::ServerConfig};
use tokio_stream::wrappers::ReceiverStream;

/// Files that stay free for the control socket, the store, and what the hub writes.
const RESERVED_FILES: u64 = 512;
/// Most lines of children, whatever the file limit.
const MOST_LINES: u64 = 8_192;
/// First and longest pause after an accept that failed for want of files.
const PAUSES: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(1));
/// Lines that have shaken hands and wait for the server to take them.
const WAITING_LINES: usize = 64;

/// How many lines, and how long each may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Lines without a certificate, and in the middle of their handshake.
    pub(crate) strangers: usize,
    /// Of these, from one address.
    pub(crate) of_address: usize,
    /// Lines with a certificate.
    pub(crate) known: usize,
    /// Of these, of one certificate.
    pub(crate) of_certificate: usize,
    /// For the handshake.
    pub(crate) handshake: Duration,
    /// Until a line with a certificate opens its first request.
    pub(crate) greeting: Duration,
    /// For everything that a line without a certificate wants: it enrols, or asks for health.
    pub(crate) stranger: Duration,
}

impl Limits {
    /// What fits under a limit of open files.
    pub(crate) fn under(files: u64) -> Self {
        let strangers = (files / 8).clamp(16, 512);
        let known = files.saturating_sub(RESERVED_FILES + strangers).clamp(16, MOST_LINES);
        Self {
            strangers: strangers as usize,
            of_address: (strangers / 2) as usize,
            known: known as usize,
            of_certificate: 16,
            handshake: Duration::from_secs(10),
            greeting: Duration::from_secs(30),
            stranger: Duration::from_secs(60),
        }
    }
}

/// Raises the limit of open files as far as the system allows; returns what it is now.
pub(crate) fn raise_file_limit() -> u64 {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
        let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
        let raised = Rlimit { current: maximum, maximum };
        if current != maximum && setrlimit(Resource::Nofile, raised).is_ok() {
            return maximum.unwrap_or(u64::MAX);
        }
        current.unwrap_or(u64::MAX)
    }
    #[cfg(not(unix))]
    MOST_LINES
}

/// The door.
pub(crate) struct Door {
    limits: Limits,
    book: Arc<Book>,
}

impl Door {
    /// A door with these limits.
    pub(crate) fn new(limits: Limits) -> Arc<Self> {
        Arc::new(Self { limits, book: Arc::new(Book::new(limits)) })
    }

    /// How many lines are open: with a certificate, and without.
    pub(crate) fn open_lines(&self) -> (usize, usize) {
        self.book.open_lines()
    }

    /// How many lines were refused or cut since the start.
    pub(crate) fn refused(&self) -> u64 {
        self.book.refused()
    }

    /// Lets lines in until `stop` turns true.
    pub(crate) fn lines(
        self: &Arc<Self>,
        listener: TcpListener,
        tls: Arc<ServerConfig>,
        stop: watch::Receiver<bool>,
    ) -> ReceiverStream<std::io::Result<Line>> {
        let (sender, receiver) = mpsc::channel(WAITING_LINES);
        tokio::spawn(self.clone().accept(listener, tls.into(), sender, stop));
        ReceiverStream::new(receiver)
    }

    async fn accept(
        self: Arc<Self>,
        listener: TcpListener,
        tls: TlsAcceptor,
        lines: mpsc::Sender<std::io::Result<Line>>,
        mut stop: watch::Receiver<bool>,
    ) {
        let mut pause = PAUSES.0;
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                _ = stop.wait_for(|stop| *stop) => return,
            };
            match accepted {
                Ok((socket, from)) => {
                    pause = PAUSES.0;
                    tokio::spawn(self.clone().shake_hands(socket, from, tls.clone(), lines.clone()));
                }
                Err(error) => {
                    // Mostly no files left: to ask again at once would only take the processor as well.
                    self.book.count(&Refused::Accept(error.to_string()));
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(PAUSES.1);
                }
            }
        }
    }

    async fn shake_hands(
        self: Arc<Self>,
        socket: TcpStream,
        from: SocketAddr,
        tls: TlsAcceptor,
        lines: mpsc::Sender<std::io::Result<Line>>,
    ) {
        let _ = socket.set_nodelay(true);
        let (mut place, mut shown_out) = self.book.stranger(from.ip());
        let done = tokio::select! {
            done = tokio::time::timeout(self.limits.handshake, tls.accept(socket)) => done,
            _ = &mut shown_out => return,
        };
        let stream = match done {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return self.book.count(&Refused::Handshake(error.to_string())),
            Err(_) => return self.book.count(&Refused::Slow("handshake")),
        };
        let certificate = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first());
        let is_known = certificate.is_some();
        if let Some(certificate) = certificate {
            // Its lines are counted by who it is: one that is renewed again and again is still one child.
            let name = match name_in(certificate) {
                Ok(name) => blake3::hash(name.to_string().as_bytes()),
                Err(_) => blake3::hash(certificate),
            };
            let name = *name.as_bytes();
            if let Err(why) = place.becomes_known(name) {
                return self.book.count(&why);
            }
        }
        let time = if is_known { self.limits.greeting } else { self.limits.stranger };
        let _ = lines.send(Ok(Line::new(stream, place, (!is_known).then_some(shown_out), time))).await;
    }
}
