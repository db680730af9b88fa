//! The local socket between a command line and a running process: loopback TCP, opened with a secret that only the owner
//! of the data directory can read. The same on every system that an office may have.
//! Invariant: both sides prove that they know the secret, and that they mean the same directory and process, before
//! anything else is sent, on every connection; the secret itself is never sent. A stranger on the port of a dead process
//! and the original of a copied directory prove nothing, so the command opens the data itself.

mod door;

use crate::disk::{self, DiskError, Secrecy};
use door::Proof;
pub use door::incoming;
use hyper_util::rt::TokioIo;
use serde::{Deserialize, Serialize};
use std::{net::SocketAddr, path::Path, time::Duration};
use tokio::net::TcpStream;
use tonic::transport::{Channel, Endpoint};

const FILE: &str = "control.json";
/// Largest control file that is read, bytes.
const MAX_FILE: u64 = 4 * 1024;
/// Largest message between a command and its process: an import file and its answer.
pub const MAX_MESSAGE: usize = 160 * 1024 * 1024;
/// How long a command waits for the process to prove itself.
const PATIENCE: Duration = Duration::from_secs(5);

/// Where a running process listens for its own commands.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ControlFile {
    /// Loopback address.
    pub address: SocketAddr,
    secret: String,
    /// The process that wrote it.
    process: u32,
    /// The directory in which it was found.
    #[serde(skip)]
    directory: Vec<u8>,
}

impl ControlFile {
    /// Makes a secret and leaves word of the address, in place of what a process that is gone has left.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn write(data: &Path, address: SocketAddr) -> Result<Self, DiskError> {
        let secret = format!("{:032x}", u128::from_be_bytes(rand::random()));
        let file = Self { address, secret, process: std::process::id(), directory: directory(data)? };
        let json = serde_json::to_vec(&file).unwrap_or_default();
        disk::write_file(&data.join(FILE), &json, Secrecy::OwnerOnly)?;
        Ok(file)
    }

    /// What a running process left, or one that is gone; none when there is no such file.
    pub fn read(data: &Path) -> Option<Self> {
        let bytes = disk::read_bounded(&data.join(FILE), MAX_FILE).ok()?;
        let file: Self = serde_json::from_slice(&bytes).ok()?;
        Some(Self { directory: directory(data).ok()?, ..file })
    }

    /// Takes the word back at the end.
    pub fn remove(data: &Path) {
        let _ = disk::remove(&data.join(FILE));
    }

    /// A connection to the process, if it still answers and proves that it is the one that serves this directory.
    pub async fn connect(&self) -> Option<Channel> {
        let proof = self.proof();
        let address = self.address;
        let connector = tower::service_fn(move |_: tonic::codegen::http::Uri| {
            let proof = proof.clone();
            async move {
                let proven = async {
                    let mut stream = TcpStream::connect(address).await?;
                    stream.set_nodelay(true)?;
                    proof.ask(&mut stream).await?;
                    std::io::Result::Ok(TokioIo::new(stream))
                };
                tokio::time::timeout(PATIENCE, proven).await.unwrap_or_else(|_| Err(door::no_proof()))
            }
        });
        let endpoint = Endpoint::from_shared(format!("http://{address}")).ok()?;
        endpoint
            .http2_keep_alive_interval(Duration::from_secs(10))
            .keep_alive_timeout(Duration::from_secs(30))
            .keep_alive_while_idle(true)
            .connect_with_connector(connector)
            .await
            .ok()
    }

    fn proof(&self) -> Proof {
        Proof::of(&self.secret, self.process, &self.directory)
    }
}

/// What tells this directory from a copy of it.
fn directory(data: &Path) -> Result<Vec<u8>, DiskError> {
    let wrong = |error| DiskError::new("read", data, error);
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let found = std::fs::metadata(data).map_err(wrong)?;
        Ok([found.dev().to_be_bytes(), found.ino().to_be_bytes()].concat())
    }
    #[cfg(not(unix))]
    {
        let path = std::fs::canonicalize(data).map_err(wrong)?;
        Ok(path.to_string_lossy().into_owned().into_bytes())
    }
}

#[cfg(test)]
mod tests;
