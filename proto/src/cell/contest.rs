//! Which of several records of one person, household or certificate counts: the others count among the duplicates
//! until a reviewer merges or clears them, so that raw = counted + duplicates (domain-detail 3, rule 3; 4, cases 1,
//! 8 and 9). Invariant: it follows from the records alone, so a recount finds the same.

use super::{Shelf, home_unit, is_active, past_homes, station::assigned_from};
use crate::{
    OrgCode, Record, RecordId,
    date::Day,
    pb::Tier,
    record::Revision,
    register::{COUNTED_AT, DISTINCT, ELSEWHERE_TOO, number, registers},
};
use bytes::Bytes;
use std::cmp::Reverse;

/// The unique fields of a record that have a value.
pub fn unique_fields(record: &Record) -> impl Iterator<Item = (u32, &Bytes)> {
    let fields = registers().get(record.register).map(|def| def.unique.as_slice()).unwrap_or_default();
    fields.iter().filter_map(|tag| Some((*tag, record.bytes(*tag)?)))
}

/// The fields of a record by whose value others are found, as the index behind [`Shelf::sharing`] keeps them.
pub fn indexed_fields(record: &Record) -> impl Iterator<Item = (u32, &Bytes)> {
    let fields = registers().get(record.register).map(|def| def.indexed.as_slice()).unwrap_or_default();
    fields.iter().filter_map(|tag| Some((*tag, record.bytes(*tag)?)))
}

/// What decides among records of one thing, smallest first: not moved out, registered where the hukou is, taken in last by
/// a transfer (domain-detail 3, rule 3), assigned earliest (a certificate), arrived first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ContestKey {
    moved_out: bool,
    away: u8,
    taken_in: Reverse<Day>,
    assigned: Day,
    created: Revision,
    id: RecordId,
}

/// The key of a record; none when it takes no part: not active, or found distinct by a reviewer.
///
/// # Errors
/// When the shelf fails.
pub fn contest_key<S: Shelf>(shelf: &S, id: RecordId, record: &Record) -> Result<Option<ContestKey>, S::Error> {
    if !is_active(record) || record.varint(DISTINCT) == Some(1) {
        return Ok(None);
    }
    let mut key = ContestKey {
        moved_out: false,
        away: 0,
        taken_in: Reverse(Day::MIN),
        assigned: Day::MIN,
        created: record.created,
        id,
    };
    match record.register {
        number::RESIDENT => {
            key.moved_out = record.bytes(MOVEOUT_ON).is_some();
            key.away = away(record);
            // Who was carried along by a change of the tree of units was not transferred.
            let taken_in = past_homes(record).last().copied();
            let taken_in = taken_in.filter(|past| shelf.given_up_on(past.unit) != Some(past.until));
            key.taken_in = Reverse(taken_in.map_or(Day::MIN, |past| past.until));
        }
        number::CREDENTIAL => {
            let assistant = record.reference(20);
            let assigned = match assistant {
                Some(assistant) => shelf.look(assistant, |record| record.and_then(assigned_from))?,
                None => None,
            };
            key.assigned = assigned.unwrap_or(Day::MAX);
        }
        _ => {}
    }
    Ok(Some(key))
}

/// Tag of the day on which a resident moved out.
const MOVEOUT_ON: u32 = 47;

/// How far from its hukou a resident is registered: 0 there, 1 in the same district or not known, 2 in another one.
fn away(record: &Record) -> u8 {
    let district = |unit: OrgCode| unit.number() / 1_000_000;
    let hukou = record.varint(26).and_then(|code| OrgCode::new(code).ok());
    match hukou.zip(home_unit(record)) {
        Some((hukou, home)) if hukou.covers(home) && hukou.tier() < Tier::District => 0,
        Some((hukou, home)) if district(hukou) != district(home) => 2,
        _ => 1,
    }
}

/// How a record stands among those of the same person, household or certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// There is no other, or a reviewer has said that it is another one.
    Only,
    /// It counts in the place of others, here or in another district.
    First,
    /// Another record, here or in another district, counts in its place.
    Behind,
}

pub(super) fn place<S: Shelf>(shelf: &S, id: RecordId, record: &Record) -> Result<Place, S::Error> {
    if !matches!(record.register, number::RESIDENT | number::HOUSEHOLD | number::CREDENTIAL) {
        return Ok(Place::Only);
    }
    let counts_elsewhere = record.varint(COUNTED_AT).is_some_and(|code| {
        let district = OrgCode::new(code);
        home_unit(record).is_some_and(|home| district.is_ok_and(|district| !district.covers(home)))
    });
    if counts_elsewhere {
        return Ok(Place::Behind);
    }
    let first = record.varint(ELSEWHERE_TOO) == Some(1) && record.varint(DISTINCT) != Some(1);
    let mut own = None;
    let mut place = if first { Place::First } else { Place::Only };
    for (tag, bytes) in unique_fields(record) {
        for other in shelf.sharing(record.register, tag, bytes)?.into_iter().filter(|other| *other != id) {
            let Some(rival) = shelf.record(other)? else { continue };
            let own = match own {
                Some(own) => own,
                None => match contest_key(shelf, id, record)? {
                    Some(key) => *own.insert(key),
                    None => return Ok(Place::Only),
                },
            };
            match contest_key(shelf, other, &rival)? {
                Some(key) if key < own => return Ok(Place::Behind),
                Some(_) => place = Place::First,
                None => {}
            }
        }
    }
    Ok(place)
}

/// Whether another record, here or in another district, counts in this one's place.
///
/// # Errors
/// When the shelf fails.
pub fn is_contested<S: Shelf>(shelf: &S, id: RecordId, record: &Record) -> Result<bool, S::Error> {
    Ok(place(shelf, id, record)? == Place::Behind)
}
