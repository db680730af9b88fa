//! Blinded marks: HMAC-SHA-256 of a person's id number or a certificate's number under a key that districts share and
//! the city does not hold. Worked out behind the ingest path, from the feed of the records.
//! Invariants: no mark leaves without its key; a mark is sent by value, so a repeated or reordered one does no harm.

use super::rows::{DeskRow, MarkKey, MarkRow, RecordMarks, digest_of, ids_in, kind, mark_key, parts_of, under};
use crate::{
    rows::{self, FeedRow, meta},
    shelf::Committed,
    state::Core,
    store::{Space, StoreError, View},
};
use hmac::{Hmac, KeyInit, Mac};
use taizhang_proto::{
    OrgCode, Record, RecordId,
    cell::{Shelf, Stay, following, home_unit, is_active, past_homes, stays},
    pb,
    register::{field, number},
};

/// A person's id number, or the number of another card.
const PERSON: u32 = 1;
/// An assistant's certificate number.
const CERTIFICATE: u32 = 2;
/// Rows of the feed looked at for one commit. Small in unit tests, so that they cross it.
const MAX_BATCH: usize = if cfg!(test) { 2 } else { 4096 };
/// Marks in one message. Small in unit tests, so that they cross it.
pub(crate) const MAX_SENT: usize = if cfg!(test) { 1 } else { 8192 };

/// Marks of records, worked out from a view.
pub struct MarkBatch {
    /// Generations of the keys that they stand under.
    pub(crate) generations: Vec<u32>,
    /// Revision of the records that they reach.
    pub(crate) upto: u64,
    /// What each record is marked with.
    pub(crate) records: Vec<(RecordId, RecordMarks)>,
}

/// What a record is marked by: kind, and the value as it is written everywhere.
fn value_of(record: &Record) -> Option<(u32, Vec<u8>)> {
    match record.register {
        number::RESIDENT => {
            if let Some(id_no) = record.slice(field::resident::ID_NO) {
                return Some((PERSON, id_no.to_ascii_uppercase()));
            }
            // Who has another card instead is told apart from every id number, and from another kind of card.
            let kind = String::from_utf8_lossy(record.slice(field::resident::ID_TYPE)?).into_owned();
            one_spelling(record.slice(field::resident::OTHER_NO)?)
                .map(|card| (PERSON, format!("other {kind} {card}").into_bytes()))
        }
        number::CREDENTIAL => {
            one_spelling(record.slice(field::credential::CERT_NO)?).map(|number| (CERTIFICATE, number.into_bytes()))
        }
        _ => None,
    }
}

/// A number as it is written everywhere: upper case, without spaces; none for no number.
fn one_spelling(written: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(written).ok()?;
    let text: String = text.chars().filter(|c| !c.is_whitespace()).flat_map(char::to_uppercase).collect();
    (!text.is_empty()).then_some(text)
}

/// The mark of a value; none for a key of the wrong size.
fn mark(key: &MarkKey, kind: u32, value: &[u8]) -> Option<[u8; 16]> {
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(&key.key).ok()?;
    mac.update(&[kind as u8]);
    mac.update(value);
    mac.finalize().into_bytes()[..16].try_into().ok()
}

/// What a record is marked with under these keys, and on which days; nothing when it is void, merged, of another hub, or
/// active on no day.
fn marks_of(
    shelf: &Committed<'_>,
    (id, record): (RecordId, &Record),
    keys: &[MarkKey],
    hub: OrgCode,
) -> Result<RecordMarks, StoreError> {
    let here = is_active(record) && home_unit(record).is_some_and(|unit| hub.covers(unit));
    let Some((kind, value)) = value_of(record).filter(|_| here) else { return Ok(RecordMarks::default()) };
    let stay = |stay: Stay| pb::MarkStay { from: stay.from, to: stay.to, rank: stay.rank };
    let stays: Vec<pb::MarkStay> = stays(shelf, id, record, hub)?.into_iter().map(stay).collect();
    if stays.is_empty() {
        return Ok(RecordMarks::default());
    }
    let marks = keys.iter().filter_map(|key| Some(mark_key(key.generation, kind, &mark(key, kind, &value)?)));
    let hukou = record.varint(field::resident::HUKOU_UNIT).and_then(|code| OrgCode::new(code).ok());
    let taken_in = past_homes(record).last().copied().filter(|past| !hub.covers(past.unit));
    let taken_at = |past: taizhang_proto::cell::PastHome| u64::try_from(past.until).unwrap_or(0) * 86_400;
    Ok(RecordMarks {
        marks: marks.collect(),
        at_home: kind == PERSON && hukou.is_some_and(|unit| hub.covers(unit)),
        since: taken_in.map_or_else(|| id.made() / 1_000, taken_at),
        taken_in: taken_in.is_some(),
        stays,
    })
}

/// The records whose marks may be others once a record has changed: itself; of an assistant the certificates, under
/// whichever of the same person's assignments they were entered.
fn marked_by(shelf: &Committed<'_>, id: RecordId, record: &Record) -> Result<Vec<RecordId>, StoreError> {
    match record.register {
        number::RESIDENT | number::CREDENTIAL => Ok(vec![id]),
        number::ASSISTANT => {
            let mut assignments = vec![id];
            if let Some(id_no) = record.bytes(field::assistant::ID_NO) {
                assignments.extend(shelf.sharing(number::ASSISTANT, field::assistant::ID_NO, id_no)?);
            }
            assignments.sort_unstable();
            assignments.dedup();
            let mut found = Vec::new();
            for assignment in assignments {
                found.extend(following(shelf, assignment, number::ASSISTANT, number::CREDENTIAL)?);
            }
            Ok(found)
        }
        _ => Ok(Vec::new()),
    }
}

/// What a district's desk says.
///
/// # Errors
/// When the store fails.
pub fn desk(view: &dyn View) -> Result<DeskRow, StoreError> {
    Ok(rows::read(view, Space::Meta, meta::DESK)?.unwrap_or_default())
}

/// Marks of the records that changed since the last time; none when there are no keys or nothing has changed.
///
/// # Errors
/// When the store fails.
pub fn unmarked(core: &Core) -> Result<Option<MarkBatch>, StoreError> {
    let view = core.view();
    let view = view.as_ref();
    let shelf = Committed { view, tree: core.tree() };
    let desk = desk(view)?;
    if desk.keys.is_empty() {
        return Ok(None);
    }
    let mut batch = MarkBatch {
        generations: desk.keys.iter().map(|key| key.generation).collect(),
        upto: desk.indexed,
        records: Vec::new(),
    };
    for row in view.range(Space::Feed, &(desk.indexed + 1).to_be_bytes(), &[0xff; 9]).take(MAX_BATCH) {
        let (key, value) = row?;
        let wrong = || StoreError::Row(Space::Feed);
        batch.upto = key.as_ref().try_into().map(u64::from_be_bytes).map_err(|_| wrong())?;
        let id = FeedRow::from_slice(&value).ok_or_else(wrong)?.id;
        let bytes = view.get(Space::Records, &id.0)?.ok_or(StoreError::Row(Space::Records))?;
        let Ok(record) = Record::decode(bytes) else {
            core.note_unreadable(id);
            continue;
        };
        for id in marked_by(&shelf, id, &record)? {
            if let Some(record) = shelf.record(id)? {
                batch.records.push((id, marks_of(&shelf, (id, &record), &desk.keys, core.unit)?));
            }
        }
    }
    Ok((batch.upto > desk.indexed).then_some(batch))
}

/// Marks that changed after a revision, by value, and the revision they reach.
///
/// # Errors
/// When the store fails.
pub fn marks_after(view: &dyn View, after: u64) -> Result<(Vec<pb::MarkValue>, u64), StoreError> {
    let wrong = || StoreError::Row(Space::Marks);
    let mut marks = Vec::new();
    let mut reached = after;
    let from = under(kind::CHANGED, &(after + 1).to_be_bytes());
    for row in view.range(Space::Marks, &from, &[kind::CHANGED + 1]) {
        let (key, _) = row?;
        let revision = key.get(1..9).and_then(|at| at.try_into().ok()).map(u64::from_be_bytes).ok_or_else(wrong)?;
        if marks.len() >= MAX_SENT && revision != reached {
            break;
        }
        reached = revision;
        let own = key.get(9..).ok_or_else(wrong)?;
        let (generation, kind_of, mark) = parts_of(own).ok_or_else(wrong)?;
        let row: MarkRow = rows::read(view, Space::Marks, &under(kind::MARK, own))?.unwrap_or_default();
        let mut value = pb::MarkValue {
            generation,
            kind: kind_of,
            mark: mark.to_vec().into(),
            gone: true,
            since: u64::MAX,
            counts_at: row.counts_at,
            ruled: digest_of(&row.turns).into(),
            ..pb::MarkValue::default()
        };
        for id in ids_in(&row.records) {
            let record: RecordMarks =
                rows::read(view, Space::Marks, &under(kind::OF_RECORD, &id.0))?.unwrap_or_default();
            value.gone = false;
            value.at_home |= record.at_home;
            value.taken_in |= record.taken_in;
            value.since = value.since.min(record.since);
            value.stays.extend(record.stays);
        }
        value.stays = at_most(value.stays, MAX_STAYS);
        if value.gone {
            value.since = 0;
        }
        marks.push(value);
    }
    Ok((marks, reached))
}

/// Most stretches of days in which one hub may hold one mark.
pub(crate) const MAX_STAYS: usize = 16;

/// So many stays at most: of more, the oldest become one, with the best rank among them. Who is registered so often is a matter for
/// the district's queue; the city must not be left without an answer.
fn at_most(mut stays: Vec<pb::MarkStay>, most: usize) -> Vec<pb::MarkStay> {
    stays.sort_by_key(|stay| (stay.from, stay.to));
    let over = stays.len().saturating_sub(most.saturating_sub(1));
    if over < 2 {
        return stays;
    }
    let oldest: Vec<pb::MarkStay> = stays.drain(..over).collect();
    let one = pb::MarkStay {
        from: oldest.iter().map(|stay| stay.from).min().unwrap_or_default(),
        to: oldest.iter().map(|stay| stay.to).max().unwrap_or_default(),
        rank: oldest.into_iter().map(|stay| stay.rank).min().unwrap_or_default(),
    };
    stays.insert(0, one);
    stays
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_depends_on_key_kind_and_value_and_shows_none_of_them() {
        let key = |byte| MarkKey { generation: 1, key: vec![byte; 32] };
        let id = b"210402198001011234";
        let one = mark(&key(1), PERSON, id).unwrap();
        assert_eq!(Some(one), mark(&key(1), PERSON, id));
        assert_ne!(Some(one), mark(&key(2), PERSON, id));
        assert_ne!(Some(one), mark(&key(1), CERTIFICATE, id));
        assert_ne!(Some(one), mark(&key(1), PERSON, b"210402198001011235"));
        assert_eq!(format!("{:?}", key(7)), "MarkKey { generation: 1, .. }");
    }
}
