//! What waits in a commit: for the end of a batch, for a look, for the end of the commit. Data, and what asks for a look.

use crate::store::Space;
use std::collections::HashMap;
use taizhang_proto::{
    OrgCode, Record, RecordId,
    cell::{is_active, is_closed, left_on},
    pb,
    register::{field, number},
    rule::Rule,
    wire::Field,
};

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
    /// Whether somebody was placed after leaving.
    PlacementsOf(RecordId),
    /// Whether whoever a household counts is counted in another one.
    MembersOf(RecordId),
    /// Whether somebody is counted in two households.
    MembershipsOf(RecordId),
    /// Whether somebody's households are one with others.
    HouseholdsOf(RecordId),
    /// Whether the cases of somebody's households stand against what the person works.
    CasesOf(RecordId),
    /// Whether the cases of a household stand against what its members work.
    CasesIn(RecordId),
    /// Whether two households share adults.
    Adults(RecordId, RecordId),
}

impl Look {
    /// What is to be looked at because a record is another than it was.
    pub(super) fn after(id: RecordId, old: &Record, new: &Record) -> Vec<Self> {
        match new.register {
            number::RESIDENT => {
                let mut looks = Vec::new();
                if left_on(old) != left_on(new) {
                    // Who had died or left before a recognition had no job then.
                    looks.extend([Self::PlacementsOf(id), Self::CasesOf(id)]);
                }
                if old.bytes(field::resident::ID_NO) != new.bytes(field::resident::ID_NO) {
                    looks.extend([Self::HouseholdsOf(id), Self::CasesOf(id)]);
                }
                looks
            }
            // Whoever gives up a place, there or at all, leaves it to the next.
            number::PLACEMENT => {
                let post = |record: &Record| record.reference(field::placement::POST);
                let gone = post(old).filter(|gone| post(new) != Some(*gone));
                gone.into_iter().map(Self::Post).collect()
            }
            // And whoever leaves a household, or is somebody else in it now.
            number::MEMBER => {
                let person = |record: &Record| record.reference(field::member::PERSON);
                let gone = person(old).filter(|gone| person(new) != Some(*gone));
                gone.into_iter().map(Self::MembershipsOf).collect()
            }
            number::HOUSEHOLD if is_household(old) != is_household(new) => vec![Self::MembersOf(id)],
            _ => Vec::new(),
        }
    }

    /// A record that it is about.
    pub(in crate::writer) const fn about(self) -> RecordId {
        match self {
            Self::Post(id)
            | Self::PlacementsOf(id)
            | Self::MembersOf(id)
            | Self::MembershipsOf(id)
            | Self::HouseholdsOf(id)
            | Self::CasesOf(id)
            | Self::CasesIn(id)
            | Self::Adults(id, _) => id,
        }
    }
}

/// Whether a household is one: neither void, merged nor closed.
pub(in crate::writer) fn is_household(record: &Record) -> bool {
    is_active(record) && !is_closed(record)
}

/// What one commit holds of what goes across districts.
#[derive(Default)]
pub(in crate::writer) struct Across {
    /// Rows written in this commit: one read after another sees them.
    pub(in crate::writer) rows: HashMap<(Space, Vec<u8>), Option<Vec<u8>>>,
    /// Letters to be sent, with their text in the clear.
    pub(in crate::writer) letters: Vec<pb::Letter>,
}
