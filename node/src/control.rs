//! The local socket between a command line and a running process: loopback TCP with a secret that only the owner of
//! the data directory can read. The same on every system that an office may have.

use crate::disk::{self, DiskError, Secrecy};
use serde::{Deserialize, Serialize};
use std::{net::SocketAddr, path::Path};
use tonic::{
    Request, Status,
    metadata::MetadataValue,
    service::{Interceptor, interceptor::InterceptedService},
    transport::{Channel, Endpoint},
};

const FILE: &str = "control.json";
/// Largest message between a command and its process: an import file and its answer.
pub const MAX_MESSAGE: usize = 160 * 1024 * 1024;

/// Where a running process listens for its own commands.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ControlFile {
    /// Loopback address.
    pub address: SocketAddr,
    secret: String,
}

impl ControlFile {
    /// Makes a secret and leaves word of the address.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn write(data: &Path, address: SocketAddr) -> Result<Self, DiskError> {
        let secret = format!("{:032x}", u128::from_be_bytes(rand::random()));
        let file = Self { address, secret };
        let json = serde_json::to_vec(&file).unwrap_or_default();
        disk::write_file(&data.join(FILE), &json, Secrecy::OwnerOnly)?;
        Ok(file)
    }

    /// What a running process left; none when there is no such file.
    pub fn read(data: &Path) -> Option<Self> {
        serde_json::from_slice(&std::fs::read(data.join(FILE)).ok()?).ok()
    }

    /// Takes the word back at the end.
    pub fn remove(data: &Path) {
        let _ = disk::remove(&data.join(FILE));
    }

    /// What lets commands in at the serving side.
    pub fn guard(&self) -> Bearer {
        Bearer { secret: self.secret.clone(), role: Role::Check }
    }

    /// A connection to the process, if it still answers.
    pub async fn connect(&self) -> Option<InterceptedService<Channel, Bearer>> {
        let endpoint = Endpoint::from_shared(format!("http://{}", self.address)).ok()?;
        let channel = endpoint.connect_timeout(std::time::Duration::from_secs(2)).connect().await.ok()?;
        Some(InterceptedService::new(channel, Bearer { secret: self.secret.clone(), role: Role::Show }))
    }
}

/// A line to another computer, which is opened by a certificate and needs no secret.
pub fn without_secret(channel: Channel) -> InterceptedService<Channel, Bearer> {
    InterceptedService::new(channel, Bearer { secret: String::new(), role: Role::Pass })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Show,
    Check,
    Pass,
}

/// Shows the secret on the command's side, checks it on the process's.
#[derive(Debug, Clone)]
pub struct Bearer {
    secret: String,
    role: Role,
}

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        match self.role {
            Role::Pass => Ok(request),
            Role::Show => {
                let value = MetadataValue::try_from(self.secret.as_str())
                    .map_err(|_| Status::internal("the control file is damaged"))?;
                request.metadata_mut().insert("taizhang-control", value);
                Ok(request)
            }
            Role::Check => {
                let shown = request.metadata().get("taizhang-control").map(|value| blake3::hash(value.as_bytes()));
                // Hashes compare in constant time, so the secret can't be guessed byte by byte.
                if shown == Some(blake3::hash(self.secret.as_bytes())) {
                    return Ok(request);
                }
                Err(Status::permission_denied(
                    "只有本机数据目录的所有者可以使用 (only the owner of the data directory)",
                ))
            }
        }
    }
}
