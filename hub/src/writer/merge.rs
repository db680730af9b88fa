//! Merging two records of one thing, and taking the merge back.
//! Invariant: nothing is erased. The absorbed record stays with the name of the one that stands for it; references to
//! it are followed and late edits of it land there (domain-detail 4, cases 1, 4, 8, 13).

use super::{
    commit::{Commit, Reading},
    revise::{self, Hand, field_of, nothing, text},
};
use crate::store::StoreError;
use std::collections::BTreeSet;
use taizhang_proto::{
    Record, RecordId,
    cell::{following, home_unit, is_active, merged_into},
    decide::HUB_NODE,
    limits::{RECORD_BYTES, RECORD_FIELDS},
    pb::Policy,
    register::{FIRST_OWN, MERGED_INTO, field, number, registered_on, registers},
    wire::{self, Field, Raw},
};

/// Merges `absorbed` into `standing`. The fields named in `take` come from the absorbed one, and so does what the
/// other lacks; repeated fields keep what either has. Inside, why they can't be merged.
pub(super) fn merge(
    commit: &mut Commit<'_>,
    standing: RecordId,
    absorbed: RecordId,
    take: &[u32],
    hand: &Hand<'_>,
) -> Result<Result<(), String>, StoreError> {
    let (into, from) = (commit.record(standing)?, commit.record(absorbed)?);
    let (Some(into), Some(from)) = (into, from) else { return Ok(Err("没有此记录 (no such record)".into())) };
    let ours = |record: &Record| home_unit(record).is_some_and(|unit| commit.core.unit.covers(unit));
    if standing == absorbed || into.register != from.register {
        return Ok(Err("只能合并同一登记表的两条记录 (two records of one register)".into()));
    }
    if !is_active(&into) || merged_into(&from).is_some() || !ours(&into) || !ours(&from) {
        return Ok(Err("其中一条已作废、已并入他处或不在本级 (void, merged already, or not held here)".into()));
    }
    if !hand.despite && have_two_numbers(&into, &from) {
        return Ok(Err(
            "两条的公民身份号码不同，合并后只算一人；确为同一人请加 --despite (they carry two id numbers: say --despite if they are one person)"
                .into(),
        ));
    }
    let fields = gathered(&into, &from, take);
    let bytes = |record: &Record| record.fields.iter().map(|one| one.field.bytes.len()).sum::<usize>();
    let more: usize = fields.iter().map(|field| field.bytes.len()).sum();
    if bytes(&into) + more > RECORD_BYTES || into.fields.len() + fields.len() > RECORD_FIELDS {
        return Ok(Err(
            "合并后的记录过大，请先删减其中一条 (together they are too large: shorten one of them first)".into()
        ));
    }
    // The two edits have revisions in a row: that is how a merge is found again when it is taken back. Where the one
    // that stands takes nothing, its revision stays unused: another's edit must not be taken for it.
    if revise::revise(commit, standing, into.register, fields, hand)?.is_none() {
        commit.take_revisions(1);
    }
    revise::revise(commit, absorbed, from.register, vec![text(MERGED_INTO, &standing.0)], hand)?;
    inspect_around(commit, standing, into.register)?;
    Ok(Ok(()))
}

/// Whether two records of persons carry an id number each, and not the same.
fn have_two_numbers(one: &Record, other: &Record) -> bool {
    let tag = match one.register {
        number::RESIDENT => field::resident::ID_NO,
        number::ASSISTANT => field::assistant::ID_NO,
        _ => return false,
    };
    let number = |record: &Record| record.bytes(tag).filter(|bytes| !bytes.is_empty()).cloned();
    matches!((number(one), number(other)), (Some(one), Some(other)) if one != other)
}

/// Takes a merge back: the record stands for itself again, and what the other took from it goes back where nobody
/// has edited it since.
pub(super) fn unmerge(
    commit: &mut Commit<'_>,
    absorbed: RecordId,
    hand: &Hand<'_>,
) -> Result<Result<(), String>, StoreError> {
    let Some(from) = commit.record(absorbed)? else {
        return Ok(Err("没有此记录 (no such record)".into()));
    };
    let Some(standing) = merged_into(&from) else {
        return Ok(Err("该记录并未并入他处 (not merged)".into()));
    };
    let merged = from.revision_of(MERGED_INTO);
    revise::revise(commit, absorbed, from.register, vec![nothing(MERGED_INTO)], hand)?;
    if let Some(into) = commit.record(standing)? {
        let taken: Vec<u32> = into
            .fields
            .iter()
            .filter(|standing| {
                let origin = &into.origins[standing.origin];
                origin.node == HUB_NODE && origin.revision + 1 == merged
            })
            .map(|standing| standing.field.tag)
            .collect();
        if !taken.is_empty() {
            let before = revise::replaced_by(commit, standing, merged - 1)?;
            let old = |tag: u32| {
                before
                    .iter()
                    .flat_map(|entry| wire::split(&entry.message).unwrap_or_default())
                    .find(|field| field.tag == tag)
                    .unwrap_or_else(|| nothing(tag))
            };
            let fields = taken.into_iter().map(old).collect();
            revise::revise(commit, standing, into.register, fields, hand)?;
        }
        inspect_around(commit, standing, into.register)?;
        inspect_around(commit, absorbed, into.register)?;
    }
    Ok(Ok(()))
}

/// Has a record and those that refer to it looked at.
fn inspect_around(commit: &mut Commit<'_>, id: RecordId, register: u32) -> Result<(), StoreError> {
    commit.to_inspect.push(id);
    let around: &[u32] = match register {
        number::RESIDENT => &[number::PLACEMENT, number::MEMBER, number::HELD_CERTIFICATE],
        number::ASSISTANT => &[number::CREDENTIAL],
        number::HOUSEHOLD => &[number::MEMBER, number::ZEF_CASE],
        _ => &[],
    };
    for other in around {
        let found = following(&Reading(commit), id, register, *other)?;
        commit.to_inspect.extend(found);
    }
    Ok(())
}

/// What the standing record takes from the absorbed one.
fn gathered(into: &Record, from: &Record, take: &[u32]) -> Vec<Field> {
    let Some(def) = registers().get(into.register) else { return Vec::new() };
    let mut fields = Vec::new();
    for field in def.fields.iter().filter(|field| field.tag >= FIRST_OWN) {
        let (Some(theirs), own) = (from.bytes(field.tag), into.bytes(field.tag)) else { continue };
        match own {
            // Whoever stands there without a day has been on the register all along.
            None if registered_on(into.register) == Some(field.tag) => {}
            // Who has left the one register is in the other still.
            None if into.register == number::RESIDENT && field.tag == field::resident::MOVEOUT_ON => {}
            _ if take.contains(&field.tag) => fields.push(field_of(from, field.tag)),
            None => fields.push(field_of(from, field.tag)),
            Some(own) if field.many && field.policy == Policy::Union => {
                let values: BTreeSet<&[u8]> = wire::occurrences(own)
                    .chain(wire::occurrences(theirs))
                    .filter_map(|raw| if let Raw::Bytes(value) = raw { Some(value) } else { None })
                    .collect();
                let mut bytes = Vec::new();
                for value in values {
                    wire::put_bytes(field.tag, value, &mut bytes);
                }
                fields.push(Field { tag: field.tag, bytes: bytes.into() });
            }
            Some(_) => {}
        }
    }
    fields
}
