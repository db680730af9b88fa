//! What moves to another unit, and with whom (domain-detail 2.13; 4, case 5).
//! Invariant: from the day of the move on a record belongs to and counts at the new unit, before it where it was.

use super::{
    commit::{Commit, Reading},
    conflicts,
    revise::{self, Hand, nothing, number as number_field},
};
use crate::store::StoreError;
use taizhang_proto::{
    OrgCode, Record, RecordId,
    cell::{PastHome, following, home_unit, past_homes},
    register::{HOME_UNIT, PAST_HOME, TRANSFER_TO, field, number, registers},
    wire::{self, Field, put_bytes},
};

/// Whether the records of a register move with a person or a household.
pub(super) fn moves_along(register: u32) -> bool {
    [number::HOUSEHOLD, number::RESIDENT].into_iter().any(|of| registers().about(of).any(|own| own == register))
}

/// The name of a person, or of the head of a household.
pub(super) fn name_of(commit: &mut Commit<'_>, record: &Record) -> Result<Option<Vec<u8>>, StoreError> {
    if record.register == number::RESIDENT {
        return Ok(record.slice(field::resident::NAME).map(<[u8]>::to_vec));
    }
    let household = record;
    let Some(head) = household.reference(field::household::HEAD_PERSON) else { return Ok(None) };
    Ok(commit.record(head)?.as_deref().and_then(|head| head.slice(field::resident::NAME)).map(<[u8]>::to_vec))
}

/// Moves one record to another unit from today on.
pub(super) fn move_home(
    commit: &mut Commit<'_>,
    id: RecordId,
    register: u32,
    to: OrgCode,
    hand: &Hand<'_>,
) -> Result<(), StoreError> {
    let Some(record) = commit.record(id)? else { return Ok(()) };
    let Some(from) = home_unit(&record).filter(|from| *from != to) else { return Ok(()) };
    let mut fields = vec![
        number_field(HOME_UNIT, to.number()),
        past_home(&record, PastHome { until: commit.core.today(), unit: from }),
    ];
    if record.bytes(TRANSFER_TO).is_some() {
        fields.push(nothing(TRANSFER_TO));
    }
    revise::revise(commit, id, register, fields, hand)?;
    conflicts::file_conflicts_at(commit, id, to)
}

/// What moves with a person or a household: the records of its own unit that speak of it, itself first.
pub(super) fn bundle(
    commit: &mut Commit<'_>,
    main: RecordId,
    record: &Record,
) -> Result<Vec<(RecordId, u32)>, StoreError> {
    let home = home_unit(record);
    let mut found = vec![(main, record.register)];
    let mut persons = Vec::new();
    if record.register == number::HOUSEHOLD {
        for register in registers().about(number::HOUSEHOLD) {
            for id in following(&Reading(commit), main, number::HOUSEHOLD, register)? {
                let Some(part) = commit.record(id)?.filter(|part| home_unit(part) == home) else { continue };
                if register == number::MEMBER {
                    persons.extend(part.reference(field::member::PERSON));
                }
                found.push((id, register));
            }
        }
    } else {
        persons.push(main);
    }
    for person in persons {
        if commit.record(person)?.as_deref().is_none_or(|record| home_unit(record) != home) {
            continue;
        }
        if person != main {
            found.push((person, number::RESIDENT));
        }
        for register in registers().about(number::RESIDENT) {
            for id in following(&Reading(commit), person, number::RESIDENT, register)? {
                if commit.record(id)?.as_deref().is_some_and(|part| home_unit(part) == home) {
                    found.push((id, register));
                }
            }
        }
    }
    found.sort_by_key(|(id, _)| (*id != main, *id));
    found.dedup();
    Ok(found)
}

/// The former units of a record with one more.
pub(super) fn past_home(record: &Record, more: PastHome) -> Field {
    let mut past = past_homes(record);
    if !past.contains(&more) {
        past.push(more);
    }
    past.sort_unstable();
    let mut bytes = Vec::new();
    for home in past {
        put_bytes(PAST_HOME, home.to_text().as_bytes(), &mut bytes);
    }
    Field { tag: PAST_HOME, bytes: bytes.into() }
}

/// The unit in a field's bytes.
pub(super) fn unit_in(field: &Field) -> Option<OrgCode> {
    match wire::occurrences(&field.bytes).last() {
        Some(wire::Raw::Varint(code)) => OrgCode::new(code).ok(),
        _ => None,
    }
}
