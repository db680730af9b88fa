//! The first words on a control connection, before HTTP: both sides show, by a keyed hash over what each of them has just
//! chosen at random, that they know the secret. Invariant: what is heard here can't be used again, for it holds only with
//! the other side's fresh choice; nothing of the secret can be read from it.

use super::{ControlFile, PATIENCE};
use blake3::Hash;
use std::{io, sync::Arc};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::{Semaphore, mpsc},
};
use tokio_stream::wrappers::ReceiverStream;

/// What a command says first: no other program's first words.
const MAGIC: &[u8; 8] = b"tzctl\x00\x00\x01";
/// Connections that may be at their first words at a time.
const AT_THE_DOOR: usize = 64;

type Nonce = [u8; 32];

/// What is proved: knowledge of the secret of one process that serves one directory.
#[derive(Clone)]
pub(super) struct Proof {
    key: [u8; 32],
    meant: Vec<u8>,
}

/// Whose words they are, so that nobody is answered with its own.
#[derive(Clone, Copy)]
enum Side {
    Process = 1,
    Command = 2,
}

pub(super) fn no_proof() -> io::Error {
    io::Error::new(io::ErrorKind::PermissionDenied, "the other side does not prove who it is")
}

impl Proof {
    pub(super) fn of(secret: &str, process: u32, directory: &[u8]) -> Self {
        let key = blake3::derive_key("taizhang 2026 control socket", secret.as_bytes());
        Self { key, meant: [process.to_be_bytes().as_slice(), directory].concat() }
    }

    fn words(&self, side: Side, command: &Nonce, process: &Nonce) -> Hash {
        let mut hasher = blake3::Hasher::new_keyed(&self.key);
        hasher.update(&[side as u8]).update(command).update(process).update(&self.meant);
        hasher.finalize()
    }

    /// The command's side: the process proves itself first.
    pub(super) async fn ask(&self, stream: &mut (impl AsyncRead + AsyncWrite + Unpin)) -> io::Result<()> {
        let own: Nonce = rand::random();
        stream.write_all(MAGIC).await?;
        stream.write_all(&own).await?;
        let (mut other, mut words): (Nonce, Nonce) = ([0; 32], [0; 32]);
        stream.read_exact(&mut other).await?;
        stream.read_exact(&mut words).await?;
        // Hashes compare in constant time.
        if self.words(Side::Process, &own, &other) != Hash::from_bytes(words) {
            return Err(no_proof());
        }
        stream.write_all(self.words(Side::Command, &own, &other).as_bytes()).await
    }

    /// The process's side.
    pub(super) async fn answer(&self, stream: &mut (impl AsyncRead + AsyncWrite + Unpin)) -> io::Result<()> {
        let (mut magic, mut other): ([u8; 8], Nonce) = ([0; 8], [0; 32]);
        stream.read_exact(&mut magic).await?;
        if magic != *MAGIC {
            return Err(no_proof());
        }
        stream.read_exact(&mut other).await?;
        let own: Nonce = rand::random();
        stream.write_all(&own).await?;
        stream.write_all(self.words(Side::Process, &other, &own).as_bytes()).await?;
        let mut words: Nonce = [0; 32];
        stream.read_exact(&mut words).await?;
        if self.words(Side::Command, &other, &own) == Hash::from_bytes(words) { Ok(()) } else { Err(no_proof()) }
    }
}

/// The connections of commands that have proved to know the secret.
pub fn incoming(listener: TcpListener, file: &ControlFile) -> ReceiverStream<io::Result<TcpStream>> {
    let proof = Arc::new(file.proof());
    let (inside, proven) = mpsc::channel(16);
    let places = Arc::new(Semaphore::new(AT_THE_DOOR));
    tokio::spawn(async move {
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = inside.closed() => return,
            };
            let mut stream = match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::warn!(%error, "a command's connection was not taken");
                    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
                    continue;
                }
            };
            // Whoever stands at a full door is sent away; it holds nothing.
            let Ok(place) = places.clone().try_acquire_owned() else { continue };
            let (proof, inside) = (proof.clone(), inside.clone());
            tokio::spawn(async move {
                let answered = tokio::time::timeout(PATIENCE, proof.answer(&mut stream)).await;
                drop(place);
                if let Ok(Ok(())) = answered {
                    let _ = stream.set_nodelay(true);
                    let _ = inside.send(Ok(stream)).await;
                } else {
                    tracing::debug!("somebody at the control socket did not prove to own the data directory");
                }
            });
        }
    });
    ReceiverStream::new(proven)
}
