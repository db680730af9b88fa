//! A transfer from another district, on the side that takes in.
//! Invariant: the records are written, the transfer is done and the letter that says so is queued in one commit, so a
//! letter that comes twice finds the transfer done. A record that belongs here already is never overwritten.

use crate::{
    mail::rows::{Step, TransferRow, kind, under},
    store::{Space, StoreError},
    writer::{
        commit::Commit,
        mail::{
            across::{self, letter},
            transfer::{self, Bundle, MAX_BUNDLE, id_of},
        },
        moves::moves_along,
        recovery::{is_sound, unheld},
        revise::{self, Hand, day, number as number_field, text},
    },
};
use prost::Message;
use std::collections::BTreeMap;
use taizhang_proto::{
    OrgCode, Record, RecordId,
    cell::home_unit,
    check::Size,
    decide::{FOREIGN_NODE, HUB_NODE},
    limits::NAME_BYTES,
    pb::{self, LetterKind},
    record::Revision,
    register::{HOME_UNIT, STATE, VOID_REASON, code, field, number},
    rule::Rule,
};

/// Most records that one person or household brings.
const MAX_RECORDS: usize = 4096;

/// Whether another district may hand records of a register over: persons, households and what moves with them.
fn travels(register: u32) -> bool {
    matches!(register, number::RESIDENT | number::HOUSEHOLD) || moves_along(register)
}

/// A bundle that another district sent, bounded.
fn read(letter: &pb::Letter) -> Option<(Bundle, OrgCode)> {
    if letter.sealed.len() > MAX_BUNDLE || letter.transfer.len() != 16 {
        return None;
    }
    let bundle = Bundle::decode(letter.sealed.clone()).ok()?;
    let target = OrgCode::new(bundle.target).ok()?;
    let is_sound =
        bundle.records.len() <= MAX_RECORDS && bundle.subject.len() == 16 && bundle.records.iter().all(can_be_kept);
    is_sound.then_some((bundle, target))
}

/// Whether what another district says of a record is no more than a district writes: this one must be able to read it again, and to
/// hand it to its offices.
fn can_be_kept(one: &pb::Record) -> bool {
    let Some(Ok(record)) = one.state.clone().map(Record::from_state) else { return one.state.is_none() };
    Size::of(Some(&record)).can_be_read() && record.origins.iter().all(|origin| origin.by.len() <= NAME_BYTES)
}

/// Another district offers a person or household: the unit that it is meant for is asked.
pub(super) fn take_offer(commit: &mut Commit<'_>, offer: &pb::Letter) -> Result<(), StoreError> {
    let Some((bundle, target)) = read(offer) else { return Ok(()) };
    if transfer::row_of(commit, kind::IN, &offer.transfer)?.is_some() {
        return Ok(());
    }
    let mut row = TransferRow {
        other: offer.from,
        target: bundle.target,
        subject: bundle.subject.clone(),
        step: Step::Returned.into(),
        ..TransferRow::default()
    };
    let known = commit.tree.is_empty() || commit.tree.contains(target);
    let subject = match bundle.records.iter().find(|record| record.id[..] == bundle.subject[..]) {
        Some(pb::Record { state: Some(state), .. }) if state.register == number::RESIDENT => {
            Some(field::transfer::PERSON)
        }
        Some(pb::Record { state: Some(state), .. }) if state.register == number::HOUSEHOLD => {
            Some(field::transfer::HOUSEHOLD)
        }
        _ => None,
    };
    let Some(subject) = subject.filter(|_| commit.core.unit.covers(target) && known) else {
        transfer::keep_transfer(commit, kind::IN, &offer.transfer, &row);
        transfer::send_back(commit, offer.from, &offer.transfer, "没有该接收单位 (no such unit)");
        return Ok(());
    };
    let mut random = [0; 10];
    random.copy_from_slice(&blake3::hash(&offer.transfer).as_bytes()[..10]);
    let record = RecordId::create(commit.core.now() * 1_000, random);
    let name = String::from_utf8_lossy(&bundle.name).chars().take(30).collect::<String>();
    let mut fields = vec![
        number_field(HOME_UNIT, bundle.target),
        text(subject, &bundle.subject),
        number_field(field::transfer::FROM_UNIT, bundle.from),
        day(field::transfer::ASKED_ON, commit.core.today().min(bundle.asked_on)),
    ];
    fields.extend((!name.is_empty()).then(|| text(field::transfer::NAME, name.as_bytes())));
    row.set_step(Step::Offered);
    row.record = record.0.to_vec();
    row.bundle = offer.sealed.to_vec();
    transfer::keep_transfer(commit, kind::IN, &offer.transfer, &row);
    let back = TransferRow { subject: offer.transfer.to_vec(), ..TransferRow::default() };
    across::keep_row(commit, Space::Transfers, under(kind::RECORD, &record.0), &back);
    revise::revise(commit, record, number::TRANSFER, fields, &Hand::rule(Rule::Transfer))?;
    Ok(())
}

/// The unit has answered, where the transfer comes from another district. Returns whether it does.
pub(in crate::writer) fn answer_across(
    commit: &mut Commit<'_>,
    id: RecordId,
    transfer: &Record,
) -> Result<bool, StoreError> {
    let back: Option<TransferRow> = across::kept(commit, Space::Transfers, &under(kind::RECORD, &id.0))?;
    let Some(number) = back.map(|back| back.subject) else { return Ok(false) };
    let Some(mut row) = transfer::row_of(commit, kind::IN, &number)?.filter(|row| row.step() == Step::Offered) else {
        return Ok(true);
    };
    match transfer.slice(field::transfer::DECISION) {
        Some(decision) if decision == code::transfer_decision::TAKEN_IN.as_bytes() => {
            row.set_step(Step::Wanted);
            let kind = LetterKind::Wanted;
            across::send(commit, letter(kind, row.other, &number, id_of(kind, &number)));
        }
        Some(decision) if decision == code::transfer_decision::SENT_BACK.as_bytes() => {
            row.set_step(Step::Returned);
            row.bundle.clear();
            let reason =
                transfer.slice(field::transfer::DECISION_REASON).map(|text| String::from_utf8_lossy(text).into_owned());
            transfer::send_back(commit, row.other, &number, reason.as_deref().unwrap_or_default());
        }
        _ => return Ok(true),
    }
    transfer::keep_transfer(commit, kind::IN, &number, &row);
    if row.step() == Step::Returned {
        end_asking(commit, id)?;
    }
    Ok(true)
}

/// The asking is over, today.
fn end_asking(commit: &mut Commit<'_>, id: RecordId) -> Result<(), StoreError> {
    let done = vec![day(field::transfer::DONE_ON, commit.core.today())];
    revise::revise(commit, id, number::TRANSFER, done, &Hand::rule(Rule::Transfer))?;
    Ok(())
}

/// The old district has let go: everything is written here, and the parent is told with the same figures.
pub(super) fn take_in(commit: &mut Commit<'_>, released: &pb::Letter) -> Result<(), StoreError> {
    let Some((bundle, target)) = read(released) else { return Ok(()) };
    // Once it is let go nobody else has it: it is taken in also where the question was lost with a disk.
    let known = transfer::row_of(commit, kind::IN, &released.transfer)?;
    let is_asked = known.as_ref().is_some_and(|row| row.step() != Step::Returned);
    let mut row = known.unwrap_or_else(|| TransferRow {
        other: released.from,
        target: bundle.target,
        subject: bundle.subject.clone(),
        ..TransferRow::default()
    });
    if row.other != released.from || row.step() == Step::Taken || !commit.core.unit.covers(target) {
        return Ok(());
    }
    if !is_asked {
        let (from, records) = (released.from, bundle.records.len());
        tracing::warn!(from, %target, records, "a district hands over what this one has not asked for, or asked before its store was lost");
    }
    for record in bundle.records {
        import(commit, record)?;
    }
    row.set_step(Step::Taken);
    row.bundle.clear();
    transfer::keep_transfer(commit, kind::IN, &released.transfer, &row);
    if let Some(id) = RecordId::from_slice(&row.record) {
        end_asking(commit, id)?;
    }
    across::unsend(commit, &id_of(LetterKind::Wanted, &released.transfer))?;
    let kind = LetterKind::Taken;
    // Never taken back: a parent restored from an old backup has to hear it again.
    across::send(commit, letter(kind, row.other, &released.transfer, id_of(kind, &released.transfer)));
    Ok(())
}

/// Writes one record of a bundle with revisions of this hub's own; what it says of who and when stays.
fn import(commit: &mut Commit<'_>, one: pb::Record) -> Result<(), StoreError> {
    let (Some(id), Some(state)) = (RecordId::from_slice(&one.id), one.state) else { return Ok(()) };
    let Ok(mut record) = Record::from_state(state) else { return Ok(()) };
    let ours = |record: &Record| home_unit(record).is_some_and(|unit| commit.core.unit.covers(unit));
    if !travels(record.register) || !ours(&record) {
        return Ok(());
    }
    if commit.record(id)?.is_some_and(|own| own.register != record.register || ours(&own)) {
        return Ok(());
    }
    let mut theirs: Vec<Revision> = record.origins.iter().map(|origin| origin.revision).collect();
    for entry in &one.history {
        theirs.push(entry.replaced_by);
        theirs.extend(entry.origin.as_ref().map(|origin| origin.revision));
    }
    theirs.sort_unstable();
    theirs.dedup();
    let first = commit.take_revisions(theirs.len() as u64);
    let own: BTreeMap<Revision, Revision> = theirs.into_iter().zip(first..).collect();
    let renumber = |origin: &mut pb::Origin| {
        origin.revision = own.get(&origin.revision).copied().unwrap_or(first);
        // What the other hub ruled stays a ruling; what its clerks wrote does not become one.
        origin.node = if origin.node == HUB_NODE { HUB_NODE } else { FOREIGN_NODE };
        origin.seal = bytes::Bytes::new();
    };
    record.origins.iter_mut().for_each(renumber);
    record.created = own.get(&record.created).copied().unwrap_or(first);
    for mut entry in one.history.into_iter().filter(is_sound) {
        entry.replaced_by = own.get(&entry.replaced_by).copied().unwrap_or(first);
        entry.origin.iter_mut().for_each(renumber);
        revise::keep_history(commit, id, std::slice::from_ref(&entry));
    }
    commit.put_record(id, record)?;
    unheld::is_held_again(commit, id)
}

/// The old unit has withdrawn what it offered.
pub(super) fn withdrawn(commit: &mut Commit<'_>, back: &pb::Letter, reason: &str) -> Result<(), StoreError> {
    let Some(mut row) = transfer::row_of(commit, kind::IN, &back.transfer)? else { return Ok(()) };
    if row.other != back.from || !matches!(row.step(), Step::Offered | Step::Wanted) {
        return Ok(());
    }
    row.set_step(Step::Returned);
    row.bundle.clear();
    transfer::keep_transfer(commit, kind::IN, &back.transfer, &row);
    across::unsend(commit, &id_of(LetterKind::Wanted, &back.transfer))?;
    if let Some(id) = RecordId::from_slice(&row.record) {
        let done = day(field::transfer::DONE_ON, commit.core.today());
        let fields = vec![text(STATE, code::state::VOID.as_bytes()), text(VOID_REASON, reason.as_bytes()), done];
        revise::revise(commit, id, number::TRANSFER, fields, &Hand { reason, ..Hand::rule(Rule::Transfer) })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use taizhang_proto::limits::STORED_FIELDS;

    fn told(by: &str, cleared: u32) -> pb::Record {
        let origin = pb::Origin { tags: (1..=cleared).collect(), revision: 1, by: by.into(), ..pb::Origin::default() };
        let state = pb::RecordState { register: number::RESIDENT, origins: vec![origin], ..pb::RecordState::default() };
        pb::Record { id: vec![1; 16].into(), state: Some(state), history: Vec::new() }
    }

    #[test]
    fn a_neighbour_hands_over_nothing_that_could_not_be_handed_on() {
        let most = STORED_FIELDS as u32;
        assert!(can_be_kept(&told("李会计", 40)) && can_be_kept(&told("李会计", most)));
        assert!(!can_be_kept(&told("李会计", most + 1)), "fields that were cleared count");
        assert!(!can_be_kept(&told(&"x".repeat(NAME_BYTES + 1), 40)));
        assert!(can_be_kept(&pb::Record::default()), "nothing is imported of one without a state");
    }
}
