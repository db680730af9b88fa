//! The hub's decision on a change, field by field, as a pure function; and its effect on the record.
//! Invariant: every value that was ever current or lost is either current after `apply` or in what it returns as
//! superseded. Detection of concurrency goes by bases alone, never by a clock.

use crate::{
    Record,
    change::Edit,
    pb::{self, Policy},
    record::Revision,
    stamp::Stamp,
    wire::{self, Field},
};

/// What becomes of one edited field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// The author had seen what stands.
    Accepted,
    /// The value stands already.
    Equal,
    /// Concurrent, and the edit wins by this policy: what stood becomes history.
    Won(Policy),
    /// Concurrent, and what stands wins by this policy: the edit becomes history.
    Lost(Policy),
}

/// The decision on a whole change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// In the order of the edit's fields.
    pub fates: Vec<Fate>,
}

impl Decision {
    /// Whether every field was simply accepted, so that the author can apply the edit without seeing the record.
    pub fn is_plain(&self) -> bool {
        self.fates.iter().all(|fate| *fate == Fate::Accepted)
    }

    /// Whether any field of the record changes.
    pub fn changes_record(&self) -> bool {
        self.fates.iter().any(|fate| matches!(fate, Fate::Accepted | Fate::Won(_)))
    }

    /// Whether any field was edited concurrently.
    pub fn is_concurrent(&self) -> bool {
        self.fates.iter().any(|fate| matches!(fate, Fate::Won(_) | Fate::Lost(_)))
    }

    /// The decision of an author's own replica once the hub has said 'accepted'.
    pub fn accepted(edit: &Edit) -> Self {
        Self { fates: vec![Fate::Accepted; edit.fields.len()] }
    }
}

/// Decides on an edit of `current` by the node numbered `node`; `now` is the hub's clock.
///
/// A field set last by the same node counts as seen: a node's changes arrive in its own order, and its clerks see
/// their own pending edits.
pub fn decide(current: Option<&Record>, edit: &Edit, node: u32, now: Stamp) -> Decision {
    let fate = |field: &Field| {
        let Some((record, standing)) = current.and_then(|record| Some((record, record.standing(field.tag)?))) else {
            return if edit.base(field.tag) == 0 { Fate::Accepted } else { Fate::Won(Policy::Latest) };
        };
        let origin = &record.origins[standing.origin];
        if origin.revision == edit.base(field.tag) || origin.node == node {
            return Fate::Accepted;
        }
        if standing.field.bytes == field.bytes {
            return Fate::Equal;
        }
        settle(edit, field, origin, now)
    };
    Decision { fates: edit.fields.iter().map(fate).collect() }
}

/// Who wins a concurrent edit. LATEST settles every policy until the others are decided here; ties go to what
/// stands, so that the answer does not depend on the order in which equal stamps arrive twice.
fn settle(edit: &Edit, _field: &Field, standing: &pb::Origin, now: Stamp) -> Fate {
    // What stands is believed as the hub's clock believed it then, so a clock years ahead can't win for ever.
    let received = Stamp::at_millis(standing.received.saturating_mul(1_000));
    if edit.stamp.believed(now) > Stamp(standing.stamp).believed(received) {
        Fate::Won(Policy::Latest)
    } else {
        Fate::Lost(Policy::Latest)
    }
}

/// The record after a decision, and what no longer stands or never stood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// The record as it now stands.
    pub record: Record,
    /// History that this change made.
    pub superseded: Vec<pb::Superseded>,
}

/// Applies a decision. `origin` is the change's own: revision, author, times; its tags are ignored.
pub fn apply(current: Option<&Record>, edit: &Edit, decision: &Decision, origin: &pb::Origin) -> Applied {
    let mut record = current.cloned().unwrap_or_else(|| Record { register: edit.register, ..Record::default() });
    let mut superseded = Vec::new();
    let mut taken = Vec::with_capacity(edit.fields.len());
    for (field, fate) in edit.fields.iter().zip(&decision.fates) {
        match fate {
            Fate::Accepted | Fate::Won(_) => {
                if let Some(standing) = record.standing(field.tag) {
                    let old = record.origins[standing.origin].clone();
                    note(&mut superseded, &old, &standing.field, origin.revision, *fate);
                }
                taken.push(field.clone());
            }
            Fate::Lost(_) => note(&mut superseded, origin, field, origin.revision, *fate),
            Fate::Equal => {}
        }
    }
    if !taken.is_empty() {
        record.set(taken, pb::Origin { tags: Vec::new(), ..origin.clone() });
        record.changes += 1;
    }
    Applied { record, superseded }
}

/// Keeps a value in the history entry for its origin and rule.
fn note(history: &mut Vec<pb::Superseded>, origin: &pb::Origin, field: &Field, replaced_by: Revision, fate: Fate) {
    let rule = match fate {
        Fate::Won(policy) | Fate::Lost(policy) => policy.as_str_name(),
        Fate::Accepted | Fate::Equal => "",
    };
    let entry = history
        .iter_mut()
        .find(|entry| entry.rule == rule && entry.origin.as_ref().is_some_and(|own| own.revision == origin.revision));
    if let Some(entry) = entry {
        entry.message = wire::join([&entry.message, &field.bytes]);
        if let Some(own) = &mut entry.origin {
            own.tags.push(field.tag);
        }
        return;
    }
    history.push(pb::Superseded {
        origin: Some(pb::Origin { tags: vec![field.tag], ..origin.clone() }),
        message: field.bytes.clone(),
        replaced_by,
        rule: rule.to_owned(),
    });
}
