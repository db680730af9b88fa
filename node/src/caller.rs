//! Who asks an office or a hub for something, by whichever face, and why it is not done.
//! Invariant: a caller's name is one that an audit log can keep; what stands there comes from the caller, never from what was asked.

use prost::Enumeration;
use serde::{Deserialize, Serialize};
use taizhang_proto::{
    OrgCode,
    limits::{self, Unsaid},
};

/// As what somebody acts. The numbers are those of a hub's log, the names those of an office's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enumeration, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[repr(i32)]
pub enum Role {
    /// Reads a district's records by their names.
    Reader = 0,
    /// Rules on a district's records and edits them.
    Reviewer = 1,
    /// Sets a computer up, enrols and retires others, and does what is done once for a whole hub.
    Operator = 2,
    /// Works with an office's registers.
    Clerk = 3,
    /// Heads an office: a clerk who also closes months and says who may log in.
    Head = 4,
}

impl Role {
    /// Its name, stable for programs.
    pub fn code(self) -> &'static str {
        match self {
            Self::Reader => "reader",
            Self::Reviewer => "reviewer",
            Self::Operator => "operator",
            Self::Clerk => "clerk",
            Self::Head => "head",
        }
    }
}

/// Somebody who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The name, as it is kept; empty for whoever need not say it.
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

    /// The name of somebody who has to say it.
    ///
    /// # Errors
    /// When there is none.
    pub fn named(&self) -> Result<&str, Refusal> {
        Ok(limits::name(&self.name)?)
    }

    /// The same somebody, who acts as something else.
    #[must_use]
    pub fn acting(&self, role: Role) -> Self {
        Self { role, ..self.clone() }
    }
}

/// Why something is not done, each kind in words for whoever asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It is wrong in itself.
    #[error("{0}")]
    Wrong(String),
    /// It can't be done as things stand.
    #[error("{0}")]
    Refused(String),
    /// It is done once somebody says that it is meant.
    #[error("{0}")]
    Unsure(String),
    /// There is no such thing.
    #[error("{0}")]
    Unknown(String),
    /// There is such a thing already.
    #[error("{0}")]
    Exists(String),
    /// It is not this caller's to ask for.
    #[error("{0}")]
    NotTheirs(String),
    /// It can't be done now, and may be later.
    #[error("{0}")]
    Unavailable(String),
    /// Too much was asked for: to be asked again after so many milliseconds.
    #[error("{0}")]
    Later(String, u64),
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

    /// Of what somebody has to be sure of.
    pub fn unsure(why: impl ToString) -> Self {
        Self::Unsure(limits::told(why))
    }

    /// Of what failed.
    pub fn failed(why: impl ToString) -> Self {
        Self::Failed(limits::told(why))
    }

    /// Of what there is not.
    pub fn unknown(why: impl ToString) -> Self {
        Self::Unknown(limits::told(why))
    }

    /// Of what can't be done now.
    pub fn unavailable(why: impl ToString) -> Self {
        Self::Unavailable(limits::told(why))
    }
}

impl From<Unsaid> for Refusal {
    fn from(why: Unsaid) -> Self {
        Self::wrong(why)
    }
}

/// As gRPC says it.
impl From<Refusal> for tonic::Status {
    fn from(why: Refusal) -> Self {
        match why {
            Refusal::Wrong(words) | Refusal::Unsure(words) => Self::invalid_argument(words),
            Refusal::Refused(words) => Self::failed_precondition(words),
            Refusal::Unknown(words) => Self::not_found(words),
            Refusal::Exists(words) => Self::already_exists(words),
            Refusal::NotTheirs(words) => Self::permission_denied(words),
            Refusal::Unavailable(words) => Self::unavailable(words),
            Refusal::Later(words, millis) => {
                let mut status = Self::resource_exhausted(words);
                status.metadata_mut().insert("retry-after-ms", millis.into());
                status
            }
            Refusal::Failed(words) => Self::internal(words),
        }
    }
}
