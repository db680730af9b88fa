//! Assistants and their certificates (notice, items 14 to 16; domain-detail 2.10; K14 to K17).
//! Invariant: somebody who serves two offices counts in one of them on each day, and among the duplicates of the other.

use super::{Shelf, Tally, home::units_of, is_active, is_contested, refs::Refs, span::Spans, work::between};
use crate::{
    OrgCode, Record, RecordId,
    date::{Day, add_months},
    indicator::Part,
    pb,
    record::Revision,
    register::number,
};
use std::collections::BTreeMap;

/// Tag of the assistant's citizen id.
const ID_NO: u32 = 21;

/// The units of an assistant, and of the same person's other records.
pub(super) fn units_around<S: Shelf>(shelf: &S, assistant: RecordId) -> Result<Vec<OrgCode>, S::Error> {
    let Some(record) = shelf.record(assistant)? else { return Ok(Vec::new()) };
    let mut units: Vec<OrgCode> = units_of(&record).collect();
    for other in others(shelf, assistant, &record)? {
        shelf.look(other, |record| units.extend(record.into_iter().flat_map(units_of)))?;
    }
    Ok(units)
}

/// The same person's other assistant records.
fn others<S: Shelf>(shelf: &S, id: RecordId, record: &Record) -> Result<Vec<RecordId>, S::Error> {
    if record.register != number::ASSISTANT {
        return Ok(Vec::new());
    }
    let Some(bytes) = record.bytes(ID_NO) else { return Ok(Vec::new()) };
    let sharing = shelf.sharing(number::ASSISTANT, ID_NO, bytes)?;
    Ok(sharing.into_iter().filter(|other| *other != id).collect())
}

/// One assignment: of several on one day the first of these counts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Turn {
    from: Day,
    created: Revision,
    id: RecordId,
}

/// An assignment with its days.
fn assignment(id: RecordId, record: &Record) -> Option<(Turn, Spans, Option<Day>)> {
    let assistant: pb::Assistant = record.typed(|tag| matches!(tag, 22 | 23));
    let from = assistant.from_on.filter(|_| is_active(record))?;
    Some((Turn { from, created: record.created, id }, between(Some(from), assistant.to_on), assistant.to_on))
}

/// Counts the assistants of a unit and, for an urban community, its certificates. Returns the days with an assistant.
pub(super) fn count<S: Shelf>(shelf: &S, unit: OrgCode, refs: &Refs, tally: &mut Tally<'_>) -> Result<Spans, S::Error> {
    let mut staffed = Vec::new();
    let mut certified = Vec::new();
    for (id, record, here) in refs.of_unit(shelf, number::ASSISTANT, unit)? {
        let Some((turn, days, to)) = assignment(id, &record) else { continue };
        let days = days.and(&here);
        let mut levels = levels(shelf, id)?;
        certified.extend(levels.counted.iter().map(|valid| valid.and(&days)));
        let (mut elsewhere, mut before) = (Vec::new(), Vec::new());
        for other in others(shelf, id, &record)? {
            let Some(rival) = shelf.record(other)? else { continue };
            let Some((theirs, their_days, _)) = assignment(other, &rival) else { continue };
            levels.join(self::levels(shelf, other)?);
            if theirs < turn {
                before.push(their_days.clone());
            }
            elsewhere.push(their_days);
        }
        let (elsewhere, before) = (Spans::all(elsewhere), Spans::all(before));
        let duplicate = days.and(&before);
        for (days, duplicate) in [(days.without(&before), false), (duplicate, true)] {
            tally.duplicate = duplicate;
            let (three, four) = (levels.of("3").and(&days), levels.of("4").and(&days));
            tally.during(Part::Assistants, &days);
            tally.during(Part::AssistantsLevel4, &four.without(&three));
            tally.during(Part::AssistantsLevel3, &three);
        }
        tally.duplicate = false;
        // Who goes from one office to another has not left.
        if let Some(to) = to.filter(|to| days.has(to - 1) && !before.has(to - 1) && !elsewhere.has(*to)) {
            tally.step(Part::AssistantsLeft, to, 1);
        }
        staffed.push(days);
    }
    if unit.is_urban_community() {
        tally.during(Part::StationsCertified, &Spans::all(certified));
    }
    Ok(Spans::all(staffed))
}

/// The days on which an assistant's certificates are valid.
#[derive(Default)]
struct Levels {
    /// By level (L21).
    by_level: BTreeMap<String, Vec<Spans>>,
    /// Those that count for this station: one certificate makes one station certified (domain-detail 2.10).
    counted: Vec<Spans>,
}

impl Levels {
    fn of(&self, level: &str) -> Spans {
        Spans::all(self.by_level.get(level).into_iter().flatten().cloned())
    }

    /// Takes over the levels of the same person's other record.
    fn join(&mut self, other: Self) {
        for (level, days) in other.by_level {
            self.by_level.entry(level).or_default().extend(days);
        }
    }
}

/// Whether the holder of a level 3 certificate had level 4 so many months before it, or has a degree (domain-detail 2.10).
pub(super) fn may_rise<S: Shelf>(shelf: &S, certificate: &Record, months: i32) -> Result<bool, S::Error> {
    let (Some(assistant), Some(issued)) = (certificate.reference(20), certificate.day(23)) else { return Ok(true) };
    let Some(holder) = shelf.record(assistant)? else { return Ok(true) };
    let mut own = levels(shelf, assistant)?;
    let mut degree = has_degree(holder.slice(EDU));
    for other in others(shelf, assistant, &holder)? {
        own.join(levels(shelf, other)?);
        degree |= shelf.look(other, |record| has_degree(record.and_then(|record| record.slice(EDU))))?;
    }
    let before = add_months(issued, -months);
    Ok(degree || own.of("4").iter().any(|valid| valid.from <= before))
}

/// Tag of an assistant's education.
const EDU: u32 = 28;

/// Graduates of colleges and universities (L03).
fn has_degree(edu: Option<&[u8]>) -> bool {
    matches!(edu, Some(b"10" | b"20" | b"30"))
}

fn levels<S: Shelf>(shelf: &S, assistant: RecordId) -> Result<Levels, S::Error> {
    let mut levels = Levels::default();
    for id in shelf.referring(assistant, number::CREDENTIAL)? {
        let of_assistant = |record: &Record| is_active(record) && record.reference(20) == Some(assistant);
        let Some(record) = shelf.record(id)?.filter(of_assistant) else { continue };
        let credential: pb::Credential = record.typed(|tag| matches!(tag, 21 | 23 | 24));
        let Some(issued) = credential.issued_on else { continue };
        let valid = between(Some(issued), credential.void_on);
        if !is_contested(shelf, id, &record)? {
            levels.counted.push(valid.clone());
        }
        levels.by_level.entry(credential.level.unwrap_or_default()).or_default().push(valid);
    }
    Ok(levels)
}

/// The first day of an assistant's assignment, while it is open.
pub(super) fn assigned_from(record: &Record) -> Option<Day> {
    let from = record.day(22)?;
    (is_active(record) && record.bytes(23).is_none()).then_some(from)
}
