//! Transfers inside the district, in two steps: the old unit sends out, the new one takes in (domain-detail 2.13; 4,
//! case 5). Invariant: until it is taken in the record belongs to and counts at the old unit, from then on at the new
//! one; both change in one commit.

use super::{
    commit::{Commit, Reading},
    mail::{intake, transfer},
    moves::{bundle, move_home, name_of},
    revise::{self, Hand, day, nothing, number as number_field, text},
};
use crate::store::StoreError;
use taizhang_proto::{
    OrgCode, Record, RecordId,
    cell::{Shelf, home_unit, is_active},
    register::{HOME_UNIT, STATE, TRANSFER_TO, code, field, number},
    rule::Rule,
    wire::Field,
};

/// The reason of a transfer that the old unit does not ask for any more.
const WITHDRAWN: &str = "转出单位已撤回或改转";

/// The record by which the unit is asked that somebody is now sent to: the same asking always makes the same record,
/// however often it is looked at.
fn asking_of(id: RecordId, record: &Record) -> Option<RecordId> {
    let origin = record.origin(TRANSFER_TO).filter(|_| record.bytes(TRANSFER_TO).is_some())?;
    let asked = [&id.0[..], &origin.revision.to_be_bytes()].concat();
    let mut random = [0; 10];
    random.copy_from_slice(&blake3::hash(&asked).as_bytes()[..10]);
    Some(RecordId::create(origin.received * 1_000, random))
}

/// The unit that somebody is sent to, as it is today.
fn sent_to(commit: &Commit<'_>, record: &Record) -> Option<OrgCode> {
    let to = record.varint(TRANSFER_TO).and_then(|code| OrgCode::new(code).ok())?;
    Some(commit.tree.current(to, commit.core.today()))
}

/// A person or household was sent to another unit, or is no longer.
pub(super) fn ask_if_sent(commit: &mut Commit<'_>, id: RecordId) -> Result<(), StoreError> {
    let Some(record) = commit.record(id)? else { return Ok(()) };
    withdraw_askings(commit, id, &record)?;
    if record.bytes(TRANSFER_TO).is_some() { ask_transfer(commit, id, &record) } else { Ok(()) }
}

/// A person or household that its unit sends to another one of the district: asks that unit, once.
fn ask_transfer(commit: &mut Commit<'_>, id: RecordId, record: &Record) -> Result<(), StoreError> {
    let (Some(to), Some(from)) = (sent_to(commit, record), home_unit(record)) else { return Ok(()) };
    if to == from {
        revise::revise(commit, id, record.register, vec![nothing(TRANSFER_TO)], &Hand::rule(Rule::Transfer))?;
        return Ok(());
    }
    if !commit.core.unit.covers(to) {
        return transfer::transfer_out_of_district(commit, id);
    }
    let Some(transfer) = asking_of(id, record) else { return Ok(()) };
    if commit.record(transfer)?.is_some() {
        return Ok(());
    }
    let subject =
        if record.register == number::RESIDENT { field::transfer::PERSON } else { field::transfer::HOUSEHOLD };
    let name = name_of(commit, record)?;
    let mut fields = vec![
        number_field(HOME_UNIT, to.number()),
        text(subject, &id.0),
        number_field(field::transfer::FROM_UNIT, from.number()),
        day(field::transfer::ASKED_ON, commit.core.today()),
    ];
    fields.extend(name.map(|name| text(field::transfer::NAME, &name)));
    revise::revise(commit, transfer, number::TRANSFER, fields, &Hand::rule(Rule::Transfer))?;
    Ok(())
}

/// Units of the district that were asked to take somebody in whom the old unit now sends elsewhere, keeps, or sends
/// anew: they need not answer that asking any more.
fn withdraw_askings(commit: &mut Commit<'_>, id: RecordId, record: &Record) -> Result<(), StoreError> {
    let now = asking_of(id, record);
    for asked in Reading(commit).referring(id, number::TRANSFER)? {
        if Some(asked) != now
            && let Some(transfer) = commit.record(asked)?
            && is_open_within(commit, &transfer)
        {
            revise::revise(commit, asked, number::TRANSFER, withdrawn_asking(commit), &Hand::rule(Rule::Transfer))?;
        }
    }
    Ok(())
}

/// Whether a transfer inside the district waits for an answer.
fn is_open_within(commit: &Commit<'_>, transfer: &Record) -> bool {
    let from = transfer.varint(field::transfer::FROM_UNIT).and_then(|code| OrgCode::new(code).ok());
    let within = [home_unit(transfer), from].iter().all(|unit| unit.is_some_and(|unit| commit.core.unit.covers(unit)));
    let open =
        transfer.bytes(field::transfer::DONE_ON).is_none() && transfer.bytes(field::transfer::DECISION).is_none();
    within && open && is_active(transfer)
}

/// What a transfer says when the old unit does not ask any more. The decision is left to whoever has not heard of it.
fn withdrawn_asking(commit: &Commit<'_>) -> Vec<Field> {
    vec![
        text(field::transfer::DECISION_REASON, WITHDRAWN.as_bytes()),
        day(field::transfer::DONE_ON, commit.core.today()),
    ]
}

/// The new unit has answered.
pub(super) fn answer_transfer(commit: &mut Commit<'_>, id: RecordId) -> Result<(), StoreError> {
    let Some(transfer) = commit.record(id)? else { return Ok(()) };
    let transfer = &*transfer;
    let withdrawn = transfer.slice(field::transfer::DECISION_REASON) == Some(WITHDRAWN.as_bytes());
    if transfer.bytes(field::transfer::DONE_ON).is_some()
        && !(withdrawn
            && transfer.slice(field::transfer::DECISION) == Some(code::transfer_decision::TAKEN_IN.as_bytes()))
    {
        return Ok(());
    }
    let Some(decision) = transfer.slice(field::transfer::DECISION) else {
        if transfer.slice(STATE) == Some(code::state::VOID.as_bytes()) {
            // Whoever voids what it was asked has answered, too.
            let fields = vec![
                text(field::transfer::DECISION, code::transfer_decision::SENT_BACK.as_bytes()),
                text(field::transfer::DECISION_REASON, "接收单位已作废".as_bytes()),
            ];
            revise::revise(commit, id, number::TRANSFER, fields, &Hand::rule(Rule::Transfer))?;
        } else if let Some(main) = subject_of(transfer)
            && let Some(record) = commit.record(main)?.filter(|record| record.origin(TRANSFER_TO).is_some())
        {
            withdraw_askings(commit, main, &record)?;
        }
        return Ok(());
    };
    if intake::answer_across(commit, id, transfer)? {
        return Ok(());
    }
    let Some(main) = subject_of(transfer) else { return Ok(()) };
    let Some(record) = commit.record(main)? else { return Ok(()) };
    let ours = home_unit(&record).is_some_and(|unit| commit.core.unit.covers(unit));
    let (Some(to), true) = (home_unit(transfer), ours) else { return Ok(()) };
    let reason =
        transfer.slice(field::transfer::DECISION_REASON).map(|reason| String::from_utf8_lossy(reason).into_owned());
    let hand = Hand { reason: reason.as_deref().unwrap_or_default(), ..Hand::rule(Rule::Transfer) };
    let asked = sent_to(commit, &record) == Some(to);
    let mut done = vec![day(field::transfer::DONE_ON, commit.core.today())];
    if decision == code::transfer_decision::TAKEN_IN.as_bytes() && asked {
        for (id, register) in bundle(commit, main, &record)? {
            move_home(commit, id, register, to, &hand)?;
        }
        done.extend(withdrawn.then(|| nothing(field::transfer::DECISION_REASON)));
    } else if decision == code::transfer_decision::TAKEN_IN.as_bytes() && home_unit(&record) != Some(to) {
        // Sent elsewhere by now, or kept: the answer comes too late.
        done.extend([
            text(field::transfer::DECISION, code::transfer_decision::SENT_BACK.as_bytes()),
            text(field::transfer::DECISION_REASON, WITHDRAWN.as_bytes()),
        ]);
    } else if decision != code::transfer_decision::TAKEN_IN.as_bytes()
        && asked
        && asking_of(main, &record).is_none_or(|now| now == id)
    {
        revise::revise(commit, main, record.register, vec![nothing(TRANSFER_TO)], &hand)?;
    }
    revise::revise(commit, id, number::TRANSFER, done, &hand)?;
    Ok(())
}

/// Whom a transfer is about.
fn subject_of(transfer: &Record) -> Option<RecordId> {
    transfer.reference(field::transfer::PERSON).or_else(|| transfer.reference(field::transfer::HOUSEHOLD))
}
