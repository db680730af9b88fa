//! What data goes in and out through: forms, import, export and the load tools all speak to a [`Desk`].
//! Invariant: there is one way in. Whatever enters is a [`Draft`], and the desk checks it before it is saved.

pub mod find;
pub mod search;
pub(crate) mod units;

use crate::caller::Refusal;
use taizhang_proto::{
    OrgCode, Record, RecordId,
    check::Violation,
    date::Day,
    month::Month,
    org::UnitTree,
    register::{Value, registers},
};

/// One form as it is about to be saved: the edited fields of one record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// The record; made beforehand with [`Desk::new_id`] for a new one, so that other drafts can refer to it.
    pub id: RecordId,
    /// Register number.
    pub register: u32,
    /// Edited fields by tag, in any order, each once; `None` clears a field.
    pub edits: Vec<(u32, Option<Value>)>,
    /// Why, where a field that is set once is corrected.
    pub reason: String,
}

impl Draft {
    /// An empty form.
    pub fn new(id: RecordId, register: u32) -> Self {
        Self { id, register, edits: Vec::new(), reason: String::new() }
    }

    /// With a field set.
    #[must_use]
    pub fn with(mut self, tag: u32, value: Value) -> Self {
        self.edits.push((tag, Some(value)));
        self
    }

    /// With the reason of a correction.
    #[must_use]
    pub fn because(mut self, reason: &str) -> Self {
        reason.clone_into(&mut self.reason);
        self
    }
}

/// Name of the rule that a new record breaks where the office has another one for the same: a person by its number, a person's
/// open case, a member of a household.
pub const TAKEN: &str = "taken";

/// Why a group of drafts was not saved. Nothing of the group was.
#[derive(Debug, thiserror::Error)]
pub enum SaveError {
    /// Rules are broken.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Invalid(Vec<Violation>),
    /// The store or the journal failed; the message names the path.
    #[error("保存失败 (not saved): {0}")]
    Store(String),
}

impl From<SaveError> for Refusal {
    fn from(why: SaveError) -> Self {
        match why {
            SaveError::Invalid(_) => Self::wrong(why),
            SaveError::Store(_) => Self::failed(why),
        }
    }
}

/// An office's registers, as those who enter and read data see them.
pub trait Desk {
    /// The office's own unit: the default owner of what is entered.
    fn unit(&self) -> OrgCode;

    /// The tree of units, as far as the office knows it.
    fn tree(&self) -> &UnitTree;

    /// The business day.
    fn today(&self) -> Day;

    /// The last month that the city has locked, as far as the office has heard.
    fn locked_month(&self) -> Option<Month> {
        None
    }

    /// An id for a record about to be created.
    fn new_id(&self) -> RecordId;

    /// A record as the office sees it: the hub's fields under its own pending edits.
    ///
    /// # Errors
    /// When the store fails.
    fn view(&self, id: RecordId) -> Result<Option<Record>, SaveError>;

    /// The active records of a register whose natural key (`RegisterDef::key`) has these values, in its order.
    ///
    /// # Errors
    /// When the store fails.
    fn find(&self, register: u32, key: &[Value]) -> Result<Vec<RecordId>, SaveError>;

    /// All records of a register, with their ids, as the office sees them, in the order in which they were created.
    ///
    /// # Errors
    /// When the store fails.
    fn list(&self, register: u32) -> Result<Vec<(RecordId, Record)>, SaveError>;

    /// The records, of one register or of all, that are so.
    ///
    /// # Errors
    /// When the store fails.
    fn matching(&self, register: Option<u32>, is: &dyn Fn(&Record) -> bool) -> Result<Vec<RecordId>, SaveError> {
        let mut found = Vec::new();
        for def in registers().iter().filter(|def| register.is_none_or(|wanted| wanted == def.number)) {
            found.extend(self.list(def.number)?.into_iter().filter(|(_, record)| is(record)).map(|(id, _)| id));
        }
        Ok(found)
    }

    /// Saves groups of drafts with one sync to disk. Each group is checked and saved whole or not at all; the answers
    /// are in the order of the groups, and one bad group does not hinder the others.
    fn save(&self, groups: Vec<Vec<Draft>>, by: &str) -> Vec<Result<(), SaveError>>;

    /// The same of what a file brought: whoever typed it is not here to be told of a number that another record has, so the record is
    /// saved, and the district finds the two.
    fn save_rows(&self, groups: Vec<Vec<Draft>>, by: &str) -> Vec<Result<(), SaveError>> {
        self.save(groups, by)
    }
}
