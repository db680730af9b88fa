//! Everything that refers to a subject, those references that speak of what was merged into it included.
//! Invariant: a record is found once, by whichever name it calls its subject.

use super::{MAX_MERGES, Shelf, home::Homes, is_about, is_active, span::Spans};
use crate::{OrgCode, Record, RecordId};

/// As [`Shelf::referring`], references to the records that were merged into the target included. `own` is the
/// target's register.
///
/// # Errors
/// When the shelf fails.
pub fn following<S: Shelf>(shelf: &S, target: RecordId, own: u32, register: u32) -> Result<Vec<RecordId>, S::Error> {
    Ok(Refs::to(shelf, target, own)?.of(register).collect())
}

/// The records that refer to a target, read once.
pub(super) struct Refs {
    target: RecordId,
    found: Vec<(u32, RecordId)>,
}

impl Refs {
    /// What refers to a target of the register `own`.
    pub(super) fn to<S: Shelf>(shelf: &S, target: RecordId, own: u32) -> Result<Self, S::Error> {
        let mut found = shelf.about(target)?;
        // What refers to its own kind was merged into it; references that mean something else are no links.
        let mut absorbed: Vec<RecordId> = of(&found, own).collect();
        if absorbed.is_empty() {
            return Ok(Self { target, found });
        }
        for _ in 0..MAX_MERGES {
            let mut next = Vec::new();
            for id in absorbed {
                let more = shelf.about(id)?;
                next.extend(of(&more, own));
                found.extend(more);
            }
            if next.is_empty() {
                break;
            }
            absorbed = next;
        }
        found.sort_unstable();
        found.dedup();
        Ok(Self { target, found })
    }

    /// Those of one register that count and say of the target what a field is for.
    pub(super) fn active<S: Shelf>(
        &self,
        shelf: &S,
        register: u32,
        tag: u32,
    ) -> Result<Vec<(RecordId, Record)>, S::Error> {
        let mut active = Vec::new();
        for id in self.of(register) {
            let Some(record) = shelf.record(id)?.filter(is_active) else { continue };
            if is_about(shelf, &record, tag, self.target)? {
                active.push((id, record));
            }
        }
        Ok(active)
    }

    /// Those of one register that count and belong to a unit, or did, each with the days on which it does: what a unit had
    /// before its code was given up stays with it (domain-detail 4, case 15).
    pub(super) fn of_unit<S: Shelf>(
        &self,
        shelf: &S,
        register: u32,
        unit: OrgCode,
    ) -> Result<Vec<(RecordId, Record, Spans)>, S::Error> {
        let mut active = Vec::new();
        for id in self.of(register) {
            let Some(record) = shelf.record(id)?.filter(is_active) else { continue };
            let homes = Homes::of(&record);
            let here = Spans::union(homes.stays().filter(|(home, _)| *home == unit).map(|(_, stay)| stay));
            if !here.is_empty() {
                active.push((id, record, here));
            }
        }
        Ok(active)
    }

    /// All of them.
    pub(super) fn all(&self) -> impl Iterator<Item = RecordId> + '_ {
        self.found.iter().map(|(_, id)| *id)
    }

    /// Those of one register, by whichever field.
    pub(super) fn of(&self, register: u32) -> impl Iterator<Item = RecordId> + '_ {
        of(&self.found, register)
    }
}

fn of(found: &[(u32, RecordId)], register: u32) -> impl Iterator<Item = RecordId> + '_ {
    found.iter().filter(move |(own, _)| *own == register).map(|(_, id)| *id)
}
