//! A transfer to another district, on the side that lets go (domain-detail 4, case 5).
//! Invariant: until the other district wants it, the records belong to and count here; in the commit in which they
//! leave, the letter goes out that says what has left, and the parent counts that until the other district has it.

use crate::{
    mail::rows::{Step, TransferRow, kind, letter_id, under},
    store::{Space, StoreError},
    writer::{
        commit::{Commit, Reading},
        mail::across::{self, letter},
        moves,
        revise::{self, Hand, nothing},
    },
};
use prost::Message;
use std::{collections::BTreeMap, rc::Rc};
use taizhang_proto::{
    OrgCode, Record, RecordId,
    cell::{CellKey, contributions, home_unit, itself},
    pb::{self, LetterKind},
    register::TRANSFER_TO,
    rule::Rule,
};

/// Largest bundle, bytes. Small in unit tests, so that they cross it.
pub(super) const MAX_BUNDLE: usize = if cfg!(test) { 16 * 1024 } else { 2 * 1024 * 1024 };

/// What travels sealed: the records of one person or household.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Bundle {
    /// Unit that it goes to.
    #[prost(uint64, tag = "1")]
    pub(super) target: u64,
    /// The person or household; its record comes first.
    #[prost(bytes = "vec", tag = "2")]
    pub(super) subject: Vec<u8>,
    /// Unit that it comes from.
    #[prost(uint64, tag = "3")]
    pub(super) from: u64,
    /// Name of the person, or of the head of the household.
    #[prost(bytes = "vec", tag = "4")]
    pub(super) name: Vec<u8>,
    /// The records with their history.
    #[prost(message, repeated, tag = "5")]
    pub(super) records: Vec<pb::Record>,
    /// Day of the offer.
    #[prost(sint32, tag = "6")]
    pub(super) asked_on: i32,
}

/// Why something is sent back.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Reason {
    #[prost(string, tag = "1")]
    pub(super) text: String,
}

pub(super) fn id_of(kind: LetterKind, transfer: &[u8]) -> Vec<u8> {
    letter_id(kind, &[transfer])
}

pub(super) fn row_of(commit: &Commit<'_>, side: u8, transfer: &[u8]) -> Result<Option<TransferRow>, StoreError> {
    across::kept(commit, Space::Transfers, &under(side, transfer))
}

pub(super) fn keep_transfer(commit: &mut Commit<'_>, side: u8, transfer: &[u8], row: &TransferRow) {
    across::keep_row(commit, Space::Transfers, under(side, transfer), row);
}

/// A person or household that its unit sends to a unit of another district: offers it to that district, once.
pub(in crate::writer) fn transfer_out_of_district(commit: &mut Commit<'_>, id: RecordId) -> Result<(), StoreError> {
    let Some(record) = commit.record(id)? else { return Ok(()) };
    let ours = home_unit(&record).is_some_and(|unit| commit.core.unit.covers(unit));
    let target = record.varint(TRANSFER_TO).and_then(|code| OrgCode::new(code).ok());
    let (Some(target), Some(origin), true) = (target, record.origin(TRANSFER_TO), ours) else { return Ok(()) };
    if commit.core.unit.covers(target) {
        return Ok(());
    }
    // The same asking is always the same transfer, however often it is looked at.
    let own = commit.core.unit.number().to_be_bytes();
    let transfer = letter_id(LetterKind::LetterUnknown, &[&own, &id.0, &origin.revision.to_be_bytes()]);
    if row_of(commit, kind::OUT, &transfer)?.is_some() {
        return Ok(());
    }
    let Some(other) = across::neighbour_of(commit, target)? else {
        return keep_here(commit, id, &record, "上级辖区内没有接收该单位的县区 (no district that takes for that unit)");
    };
    let parts = moves::bundle(commit, id, &record)?;
    let bundle = make_bundle(commit, (id, &record), &parts, target, usize::MAX)?;
    if bundle.encoded_len() > MAX_BUNDLE {
        return keep_here(
            commit,
            id,
            &record,
            "资料超过2兆字节，无法整体移交 (more than 2 MiB: too large to hand over)",
        );
    }
    let row = TransferRow {
        other,
        target: target.number(),
        subject: id.0.to_vec(),
        step: Step::Offered.into(),
        ..TransferRow::default()
    };
    keep_transfer(commit, kind::OUT, &transfer, &row);
    let kind = LetterKind::OfferOut;
    let sealed = bundle.encode_to_vec().into();
    across::send(commit, pb::Letter { sealed, ..letter(kind, other, &transfer, id_of(kind, &transfer)) });
    Ok(())
}

/// The transfer does not happen: the record says no longer that it goes, and why.
fn keep_here(commit: &mut Commit<'_>, id: RecordId, record: &Record, reason: &str) -> Result<(), StoreError> {
    let hand = Hand { reason, ..Hand::rule(Rule::Transfer) };
    revise::revise(commit, id, record.register, vec![nothing(TRANSFER_TO)], &hand)?;
    Ok(())
}

/// These records as they stand, with as much of their history as there is room for.
fn make_bundle(
    commit: &mut Commit<'_>,
    (id, record): (RecordId, &Record),
    parts: &[(RecordId, u32)],
    target: OrgCode,
    room: usize,
) -> Result<Bundle, StoreError> {
    let mut bundle = Bundle {
        target: target.number(),
        subject: id.0.to_vec(),
        from: home_unit(record).map_or(0, OrgCode::number),
        name: moves::name_of(commit, record)?.unwrap_or_default(),
        records: Vec::new(),
        asked_on: commit.core.today(),
    };
    for (part, _) in parts {
        let Some(state) = commit.record(*part)?.as_deref().map(Record::state) else { continue };
        bundle.records.push(pb::Record { id: part.0.to_vec().into(), state: Some(state), history: Vec::new() });
    }
    add_histories(commit, &mut bundle, room)?;
    Ok(bundle)
}

fn add_histories(commit: &Commit<'_>, bundle: &mut Bundle, room: usize) -> Result<(), StoreError> {
    let mut left = room.saturating_sub(bundle.encoded_len());
    for record in &mut bundle.records {
        let Some(id) = RecordId::from_slice(&record.id) else { continue };
        for entry in revise::whole_history_of(commit, id)? {
            let size = entry.encoded_len() + 8;
            if size <= left {
                left -= size;
                record.history.push(entry);
            }
        }
    }
    Ok(())
}

/// The other district wants it: everything leaves in this commit, and the letter that hands it over goes with it.
pub(super) fn release(commit: &mut Commit<'_>, wanted: &pb::Letter) -> Result<(), StoreError> {
    let Some(mut row) = row_of(commit, kind::OUT, &wanted.transfer)? else { return Ok(()) };
    if row.other != wanted.from || row.step() != Step::Offered {
        return Ok(());
    }
    across::unsend(commit, &id_of(LetterKind::OfferOut, &wanted.transfer))?;
    let target = OrgCode::new(row.target).map_err(|_| StoreError::Row(Space::Transfers))?;
    let Some(id) = RecordId::from_slice(&row.subject) else { return Ok(()) };
    let record = commit.record(id)?;
    let still = |record: &Rc<Record>| {
        record.varint(TRANSFER_TO) == Some(row.target)
            && home_unit(record).is_some_and(|unit| commit.core.unit.covers(unit))
    };
    let Some(record) = record.filter(still) else {
        row.set_step(Step::Returned);
        keep_transfer(commit, kind::OUT, &wanted.transfer, &row);
        let reason = "原单位已撤回 (withdrawn by the old unit)";
        send_back(commit, row.other, &wanted.transfer, reason);
        return Ok(());
    };
    let parts = moves::bundle(commit, id, &record)?;
    for (part, register) in &parts {
        moves::move_home(commit, *part, *register, target, &Hand::rule(Rule::Transfer))?;
    }
    let moved = counted_beyond(commit, &parts)?;
    let bundle = make_bundle(commit, (id, &record), &parts, target, MAX_BUNDLE)?;
    row.set_step(Step::Released);
    keep_transfer(commit, kind::OUT, &wanted.transfer, &row);
    let kind = LetterKind::Released;
    let sealed = bundle.encode_to_vec().into();
    let own = letter(kind, row.other, &wanted.transfer, id_of(kind, &wanted.transfer));
    across::send(commit, pb::Letter { sealed, moved, ..own });
    Ok(())
}

/// What the subjects of these records count in other hubs' scopes.
fn counted_beyond(commit: &Commit<'_>, parts: &[(RecordId, u32)]) -> Result<Vec<pb::CellValue>, StoreError> {
    let plans = commit.core.plans();
    let mut moved: BTreeMap<CellKey, i64> = BTreeMap::new();
    for (id, register) in parts {
        let Some(subject) = itself(*register, *id) else { continue };
        for one in contributions(&Reading(commit), subject, &plans)? {
            if !commit.core.unit.covers(one.key.unit) {
                *moved.entry(one.key).or_default() += one.delta;
            }
        }
    }
    let cells = moved.into_iter().filter(|(_, value)| *value != 0);
    let cell = |(key, value): (CellKey, i64)| pb::CellValue {
        unit: key.unit.number(),
        part: key.part.into(),
        date: key.date,
        value,
    };
    Ok(cells.map(cell).collect())
}

pub(super) fn send_back(commit: &mut Commit<'_>, to: u64, transfer: &[u8], reason: &str) {
    let kind = LetterKind::Returned;
    let own = commit.core.unit.number().to_be_bytes();
    let sealed = Reason { text: reason.chars().take(200).collect() }.encode_to_vec().into();
    // Each side may send back: the two are different letters.
    let id = letter_id(kind, &[transfer, &own]);
    across::send(commit, pb::Letter { sealed, ..letter(kind, to, transfer, id) });
}

/// The other side does not take it, or has withdrawn it. Returns why.
pub(super) fn take_return(commit: &mut Commit<'_>, back: &pb::Letter) -> Result<String, StoreError> {
    let reason = Reason::decode(back.sealed.clone()).unwrap_or_default().text;
    let reason: String = reason.chars().take(200).collect();
    if let Some(mut row) = row_of(commit, kind::OUT, &back.transfer)?
        && row.other == back.from
        && row.step() == Step::Offered
    {
        row.set_step(Step::Returned);
        keep_transfer(commit, kind::OUT, &back.transfer, &row);
        across::unsend(commit, &id_of(LetterKind::OfferOut, &back.transfer))?;
        let id = RecordId::from_slice(&row.subject);
        let record = id.map(|id| commit.record(id)).transpose()?.flatten();
        if let (Some(id), Some(record)) = (id, record.filter(|record| record.varint(TRANSFER_TO) == Some(row.target))) {
            keep_here(commit, id, &record, &reason)?;
        }
    }
    Ok(reason)
}

/// It is on the other district's disk: nothing more has to be said.
pub(super) fn take_taken(commit: &mut Commit<'_>, taken: &pb::Letter) -> Result<(), StoreError> {
    let Some(mut row) = row_of(commit, kind::OUT, &taken.transfer)? else { return Ok(()) };
    if row.other != taken.from || row.step() != Step::Released {
        return Ok(());
    }
    row.set_step(Step::Taken);
    keep_transfer(commit, kind::OUT, &taken.transfer, &row);
    across::unsend(commit, &id_of(LetterKind::Released, &taken.transfer))
}
