//! Who asks a hub for something, by whichever face, and why it is not done.
//! Invariant: a caller's name is one that the audit log can keep; what stands there comes from the caller, never from what was asked.

use crate::{audit_log::Role, session::Fault, store::StoreError, writer::WriteError};
use taizhang_proto::{
    OrgCode,
    limits::{self, Unsaid},
};

/// Somebody who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The name, as it is kept.
    pub name: String,
    /// As what.
    pub role: Role,
    /// The unit where they sit.
    pub unit: OrgCode,
}

impl Caller {
    /// Somebody of a name.
    ///
    /// # Errors
    /// When there is no name, or a longer one than is kept.
    pub fn new(name: &str, role: Role, unit: OrgCode) -> Result<Self, Refusal> {
        Ok(Self { name: limits::name(name)?.to_owned(), role, unit })
    }

    /// Somebody who need not say who it is.
    ///
    /// # Errors
    /// When the name is a longer one than is kept.
    pub fn or_nobody(name: &str, role: Role, unit: OrgCode) -> Result<Self, Refusal> {
        Ok(Self { name: limits::name_or_none(name)?.to_owned(), role, unit })
    }
}

/// Why something is not done, each kind in words for whoever asked.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// It is wrong in itself.
    #[error("{0}")]
    Wrong(String),
    /// It can't be done as things stand.
    #[error("{0}")]
    Refused(String),
    /// There is no such thing.
    #[error("{0}")]
    Unknown(String),
    /// The writer does not take it.
    #[error(transparent)]
    Writer(#[from] WriteError),
    /// The store or the disk fails.
    #[error("{0}")]
    Failed(String),
}

impl Refusal {
    /// Of what is wrong in itself.
    pub fn wrong(why: impl ToString) -> Self {
        Self::Wrong(limits::told(why))
    }

    /// Of what can't be done as things stand.
    pub fn refused(why: impl ToString) -> Self {
        Self::Refused(limits::told(why))
    }

    /// Of what failed.
    pub fn failed(why: impl ToString) -> Self {
        Self::Failed(limits::told(why))
    }

    /// Of what there is not.
    pub fn unknown(why: impl ToString) -> Self {
        Self::Unknown(limits::told(why))
    }
}

impl From<Unsaid> for Refusal {
    fn from(why: Unsaid) -> Self {
        Self::wrong(why)
    }
}

impl From<StoreError> for Refusal {
    fn from(why: StoreError) -> Self {
        Self::failed(why)
    }
}

/// As gRPC says it.
impl From<Refusal> for tonic::Status {
    fn from(why: Refusal) -> Self {
        match why {
            Refusal::Wrong(words) => Self::invalid_argument(words),
            Refusal::Refused(words) => Self::failed_precondition(words),
            Refusal::Unknown(words) => Self::not_found(words),
            Refusal::Writer(error) => Fault::from(error).into(),
            Refusal::Failed(words) => Self::internal(words),
        }
    }
}
