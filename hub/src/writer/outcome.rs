//! What becomes of a change, as a value: where it lands, what is taken of it, what it brings about, or why it can't stand.
//! Data, and the few words that all who find it share.

use super::{commit::pending::Deferred, moves::moves_along};
use std::rc::Rc;
use taizhang_proto::{
    OrgCode, Record, RecordId,
    cell::PastHome,
    change::Edit,
    check::Violation,
    decide::{Applied, Decision},
    pb,
    record::Revision,
    register::{Refers, is_for_below, registers},
    wire::{self, Field},
};

/// Where an edit lands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Landing {
    /// On its record.
    Home,
    /// On the record that its own was merged into.
    Survivor {
        /// The record that it was meant for.
        absorbed: RecordId,
        /// What says something of the absorbed record alone: it is kept in that one's history.
        aside: Vec<Field>,
    },
    /// On its record, which has moved to a unit beyond the author's scope since the author last heard: it was made
    /// before the hand-over.
    Followed,
    /// On a record that is for everybody, of a unit above the office that says it again: this hub's seals alone count.
    FromBelow,
    /// Made after the hand-over: a note for the unit that has the record now.
    Note {
        /// Revision of the hand-over.
        of: Revision,
    },
}

/// What becomes of a change.
pub(super) enum Judgement {
    /// It can't stand.
    Refused(Violation),
    /// Nothing proves any of it, or all of it stands: the office pulls what does.
    Known,
    /// It was made after its record had been handed over: a note for the unit that has it now.
    Note {
        /// The change.
        edit: Edit,
        /// By whom and when.
        origin: pb::Origin,
        /// Revision of the hand-over.
        of: Revision,
    },
    /// Its record is not here: the words are kept until it is.
    Unheld {
        /// The change.
        edit: Edit,
        /// By whom and when.
        origin: pb::Origin,
    },
    /// It is taken.
    Taken(Box<Taken>),
}

/// A change that is taken, with all that it brings about.
pub(super) struct Taken {
    /// The change, as it lands.
    pub(super) edit: Edit,
    /// Where it lands.
    pub(super) landing: Landing,
    /// What became of its fields.
    pub(super) decision: Decision,
    /// The record as it stands then, and what no longer stands.
    pub(super) applied: Applied,
    /// By whom, when, and under which seal.
    pub(super) origin: pb::Origin,
    /// The record as it stood, where a conflict will speak of it.
    pub(super) before: Option<Rc<Record>>,
    /// What else it brings about.
    pub(super) follow_ups: FollowUps,
    /// The code that its unit had before, where it was filed under that.
    pub(super) given_up: Option<PastHome>,
    /// How many revisions its parts have beside its own.
    pub(super) revisions: u64,
}

/// What a change brings about beside itself: found while it is judged, and brought about once it is taken.
#[derive(Default)]
pub(super) struct FollowUps {
    /// What a reviewer is asked.
    pub(super) conflicts: Vec<pb::Conflict>,
    /// What a rule does at the end of the batch.
    pub(super) deferred: Vec<Deferred>,
}

impl FollowUps {
    /// Has a record that moves with persons and households follow one that has moved.
    pub(super) fn follow(&mut self, edit: &Edit, to: OrgCode) {
        if moves_along(edit.register) {
            self.deferred.push(Deferred::Follow { id: edit.id, register: edit.register, to });
        }
    }
}

pub(super) fn violation(edit: &Edit, field: &str, rule: &'static str, message: String) -> Violation {
    Violation { register: register_name(edit.register), field: field.into(), rule, message }
}

fn register_name(number: u32) -> String {
    registers().get(number).map_or_else(|| number.to_string(), |def| def.name.clone())
}

/// Whether what a reference points into is there for everybody in the district to refer to.
pub(super) fn is_for_everybody(refers: Refers) -> bool {
    matches!(refers, Refers::To(register) if is_for_below(register))
}

/// What stands in these fields of a record, as a claim.
pub(super) fn standing_claim(record: &Record, tags: &[u32]) -> pb::ClaimedValue {
    let mut tags: Vec<u32> = tags.iter().copied().filter(|tag| record.standing(*tag).is_some()).collect();
    tags.sort_unstable();
    let origin = tags.iter().filter_map(|tag| record.origin(*tag)).max_by_key(|origin| origin.revision);
    let bytes = tags.iter().filter_map(|tag| record.bytes(*tag));
    pb::ClaimedValue {
        message: wire::join(bytes),
        origin: origin.map(|origin| pb::Origin { tags: tags.clone(), ..origin.clone() }),
        ..pb::ClaimedValue::default()
    }
}
