//! What waits in a commit: for the end of a batch, for a look, for the end of the commit. Data alone.

use crate::store::Space;
use std::collections::HashMap;
use taizhang_proto::{OrgCode, RecordId, pb, rule::Rule, wire::Field};

/// What waits for the end of a batch.
pub(in crate::writer) enum Deferred {
    /// Fields that a rule sets.
    Set { id: RecordId, register: u32, fields: Vec<Field>, rule: Rule },
    /// What a later word would un-say is kept beside it.
    Remember { id: RecordId, tag: u32, text: String },
    /// Whoever holds the record is told of its history.
    Tell(RecordId),
    /// A record that follows what it speaks of to that one's unit.
    Follow { id: RecordId, register: u32, to: OrgCode },
}

/// What several records have looked at, once for all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in crate::writer) enum Look {
    /// Who has a place on a post.
    Post(RecordId),
    /// Whether the cases of somebody's households stand against what the person works.
    CasesOf(RecordId),
    /// Whether the cases of a household stand against what its members work.
    CasesIn(RecordId),
    /// Whether two households share adults.
    Adults(RecordId, RecordId),
}

/// What one commit holds of what goes across districts.
#[derive(Default)]
pub(in crate::writer) struct Across {
    /// Rows written in this commit: one read after another sees them.
    pub(in crate::writer) rows: HashMap<(Space, Vec<u8>), Option<Vec<u8>>>,
    /// Letters to be sent, with their text in the clear.
    pub(in crate::writer) letters: Vec<pb::Letter>,
}
