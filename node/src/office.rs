//! An office as one object: its ledger, the keeper of its link, and the calls that its command line makes.
//! The demo, the tests and the binary start the same thing.

pub mod browse;
mod calls;
pub mod card;
pub mod close;
pub mod doubts;
mod face;
mod facts;
mod form;
mod head;
pub mod history;
pub(crate) mod import;
mod papers;
mod refused;
mod review;
pub mod standing;
pub mod title;
mod to_file;
pub mod worklist;

use crate::{
    audit_log::{self, Entry},
    caller::{Caller, Refusal, Role},
    config::Config,
    control::{self, ControlFile},
    disk::DiskError,
    identity::{Identity, IdentityError},
    ledger::{Clock, Ledger, LedgerError},
    parts::Parts,
    upstream::schedule::{Keeper, Schedule},
};
use std::{
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use taizhang_proto::{
    OrgCode,
    pb::{office_server::OfficeServer, review_server::ReviewServer},
};
use tokio::{net::TcpListener, sync::watch, task::JoinHandle};

/// Why an office can't be opened.
#[derive(Debug, thiserror::Error)]
pub enum OfficeError {
    /// Its registers.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// Its identity.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The disk.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// Neither configuration nor certificate says which unit this is.
    #[error("尚不知道本机属于哪个单位：请运行 enrol <令牌>，或 init --unit <编码> (run `enrol` or `init --unit`)")]
    NoUnit,
    /// The configuration and the certificate name different units.
    #[error("配置中的单位 {config} 与证书中的单位 {certificate} 不同 (configuration and certificate differ)")]
    OtherUnit {
        /// In the configuration.
        config: OrgCode,
        /// In the certificate.
        certificate: OrgCode,
    },
    /// The control socket.
    #[error("不能在本机监听 (can't listen on loopback)：{0}")]
    Listen(std::io::Error),
}

/// An open office.
pub struct Office {
    /// Its registers.
    pub ledger: Arc<Ledger>,
    /// Its link, once enrolled.
    pub keeper: Option<Arc<Keeper<Ledger>>>,
    identity: Option<Identity>,
    schedule: Schedule,
    clerk: String,
    /// The turns of files in and out, whoever brings them.
    pub(crate) files: import::Files,
    /// Held while a form, or a month to close, is looked at and saved.
    saving: Mutex<()>,
}

impl Office {
    /// Opens the office in a data directory.
    ///
    /// # Errors
    /// When its unit is not known, or its registers can't be opened.
    pub fn open(data: &Path, config: &Config, schedule: Schedule, clock: Clock) -> Result<Arc<Self>, OfficeError> {
        let identity = Identity::load_if_enrolled(data)?;
        let unit = match (&identity, config.unit) {
            (Some(identity), Some(unit)) if identity.name.unit != unit => {
                return Err(OfficeError::OtherUnit { config: unit, certificate: identity.name.unit });
            }
            (Some(identity), _) => identity.name.unit,
            (None, unit) => unit.ok_or(OfficeError::NoUnit)?,
        };
        let ledger = Arc::new(Ledger::open(data, unit, clock)?);
        let keeper = identity.clone().map(|identity| Keeper::new(ledger.clone(), identity, schedule));
        Ok(Arc::new(Self {
            ledger,
            keeper,
            identity,
            schedule,
            clerk: config.clerk.clone(),
            files: import::Files::default(),
            saving: Mutex::default(),
        }))
    }

    /// Whose word it is: the clerk who is named, or the one of the configuration where nobody is.
    ///
    /// # Errors
    /// When the name is a longer one than is kept.
    pub fn clerk(&self, by: &str) -> Result<Caller, Refusal> {
        let name = if by.trim().is_empty() { &self.clerk } else { by };
        Caller::or_nobody(name, Role::Clerk, self.ledger.unit())
    }

    /// Waits until nobody else looks at what stands in order to save something by it.
    pub(crate) fn one_at_a_time(&self) -> MutexGuard<'_, ()> {
        self.saving.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts an act into the audit log, before it is answered.
    ///
    /// # Errors
    /// When the disk fails.
    pub(crate) fn note(&self, caller: &Caller, what: &str, of: String) -> Result<(), Refusal> {
        let Caller { name: by, role, unit } = caller.clone();
        let at = self.ledger.now_millis() / 1_000;
        let entry = Entry { at, by, role, unit: unit.number(), what: what.to_owned(), of };
        audit_log::put(self.ledger.data_dir(), &entry).map_err(Refusal::failed)
    }

    /// Keeps the link to the hub until `stop` turns true.
    pub fn keep_in_touch(&self, parts: &Arc<Parts>, stop: watch::Receiver<bool>) -> Option<JoinHandle<()>> {
        self.keeper.clone().map(|keeper| parts.run("keeper", stop.clone(), keeper.run(stop)))
    }

    /// Answers commands on a loopback port until `stop` turns true.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn serve_control(
        self: &Arc<Self>,
        mut stop: watch::Receiver<bool>,
    ) -> Result<(ControlFile, JoinHandle<()>), OfficeError> {
        let listener = TcpListener::bind("127.0.0.1:0").await.map_err(OfficeError::Listen)?;
        let address = listener.local_addr().map_err(OfficeError::Listen)?;
        let file = ControlFile::write(self.ledger.data_dir(), address)?;
        let service = OfficeServer::new(face::Face::new(self.clone()))
            .max_decoding_message_size(control::MAX_MESSAGE)
            .max_encoding_message_size(control::MAX_MESSAGE);
        let link = self.identity.clone().zip(self.keeper.clone());
        let review = ReviewServer::new(review::Relay { ledger: self.ledger.clone(), link })
            .max_encoding_message_size(control::MAX_MESSAGE);
        let incoming = control::incoming(listener, &file);
        let data = self.ledger.data_dir().to_owned();
        let task = tokio::spawn(async move {
            let ended = tonic::transport::Server::builder()
                .add_service(service)
                .add_service(review)
                .serve_with_incoming_shutdown(incoming, async move {
                    let _ = stop.wait_for(|stop| *stop).await;
                })
                .await;
            ControlFile::remove(&data);
            if let Err(error) = ended {
                tracing::error!(%error, "the control socket failed");
            }
        });
        Ok((file, task))
    }
}

/// What is said to whoever asks for the line to the hub before there is one.
fn not_enrolled() -> Refusal {
    Refusal::refused("本机尚未登记，请先运行 enrol <令牌> (not enrolled: run `enrol`)")
}

#[cfg(test)]
mod tests;
