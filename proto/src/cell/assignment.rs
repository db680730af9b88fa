//! The assignments of assistants to offices, and the days on which their certificates hold (notice, items 14 to 16; domain-detail
//! 2.10). Invariant: of two assignments of one person at a time the earlier one counts.

use super::{Shelf, days::between, home::units_of, is_active, span::Spans, survivor};
use crate::{
    OrgCode, Record, RecordId,
    date::Day,
    pb,
    record::Revision,
    register::{field, number},
};

/// One assignment: of several on one day the first of these counts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Turn {
    from: Day,
    created: Revision,
    id: RecordId,
}

/// An assignment with its days; none where a certificate names as its holder what is no assistant.
pub(super) fn assignment(id: RecordId, record: &Record) -> Option<(Turn, Spans, Option<Day>)> {
    if record.register != number::ASSISTANT {
        return None;
    }
    let assistant: pb::Assistant =
        record.typed(|tag| matches!(tag, field::assistant::FROM_ON | field::assistant::TO_ON));
    let from = assistant.from_on.filter(|_| is_active(record))?;
    Some((Turn { from, created: record.created, id }, between(Some(from), assistant.to_on), assistant.to_on))
}

/// The assignments of the person whose record this is, with this one's own.
pub(super) fn assignments<S: Shelf>(
    shelf: &S,
    id: RecordId,
    record: &Record,
) -> Result<Vec<(RecordId, Turn, Spans)>, S::Error> {
    let own = |id: RecordId, record: &Record| assignment(id, record).map(|(turn, days, _)| (id, turn, days));
    let mut found: Vec<_> = own(id, record).into_iter().collect();
    for other in others(shelf, id, record)? {
        found.extend(shelf.record(other)?.and_then(|record| own(other, &record)));
    }
    Ok(found)
}

/// The same person's other assistant records.
pub(super) fn others<S: Shelf>(shelf: &S, id: RecordId, record: &Record) -> Result<Vec<RecordId>, S::Error> {
    if record.register != number::ASSISTANT {
        return Ok(Vec::new());
    }
    let Some(bytes) = record.bytes(field::assistant::ID_NO) else { return Ok(Vec::new()) };
    let sharing = shelf.sharing(number::ASSISTANT, field::assistant::ID_NO, bytes)?;
    Ok(sharing.into_iter().filter(|other| *other != id).collect())
}

/// The days on which the holder of a certificate that is valid serves an office, with the day on which that assignment began:
/// of two at a time the one that counts.
pub(super) fn held<S: Shelf>(shelf: &S, certificate: &Record) -> Result<Vec<(Spans, Day)>, S::Error> {
    let (Some(assistant), Some(valid)) = (certificate.reference(field::credential::ASSISTANT), valid(certificate))
    else {
        return Ok(Vec::new());
    };
    let assistant = survivor(shelf, assistant)?;
    let Some(holder) = shelf.record(assistant)? else { return Ok(Vec::new()) };
    let mut turns = assignments(shelf, assistant, &holder)?;
    turns.sort_by(|one, two| one.1.cmp(&two.1));
    let mut taken = Spans::default();
    let mut found = Vec::new();
    for (_, turn, days) in turns {
        let counts = days.without(&taken).and(&valid);
        taken = Spans::all([taken, days]);
        if !counts.is_empty() {
            found.push((counts, turn.from));
        }
    }
    Ok(found)
}

/// The days on which a certificate is valid.
pub(super) fn valid(certificate: &Record) -> Option<Spans> {
    let issued = certificate.day(field::credential::ISSUED_ON).filter(|_| is_active(certificate))?;
    Some(between(Some(issued), certificate.day(field::credential::VOID_ON)))
}

/// The units of an assistant, and of the same person's other records.
pub(super) fn units_around<S: Shelf>(shelf: &S, assistant: RecordId) -> Result<Vec<OrgCode>, S::Error> {
    let Some(record) = shelf.record(assistant)? else { return Ok(Vec::new()) };
    let mut units: Vec<OrgCode> = units_of(&record).collect();
    for other in others(shelf, assistant, &record)? {
        shelf.look(other, |record| units.extend(record.into_iter().flat_map(units_of)))?;
    }
    Ok(units)
}
