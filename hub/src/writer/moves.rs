//! Transfers inside the district, in two steps: the old unit sends out, the new one takes in (domain-detail 2.13; 4,
//! case 5). Invariant: until it is taken in the record belongs to and counts at the old unit, from then on at the new
//! one; both change in one commit.

use super::{
    commit::{Commit, Reading},
    rehome::past_home,
    revise::{Hand, day, nothing, number as number_field, text},
};
use crate::store::StoreError;
use taizhang_proto::{
    OrgCode, Record, RecordId,
    cell::{PastHome, following, home_unit, is_active},
    register::{HOME_UNIT, STATE, TRANSFER_TO, code, field, number, registers},
    rule::Rule,
    wire::Field,
};

/// The reason of a transfer that the old unit does not ask for any more.
const WITHDRAWN: &str = "转出单位已撤回或改转";
/// Whether the records of a register move with a person or a household.
pub(super) fn moves_along(register: u32) -> bool {
    [number::HOUSEHOLD, number::RESIDENT].into_iter().any(|of| registers().about(of).any(|own| own == register))
}

impl Commit<'_> {
    fn today(&self) -> taizhang_proto::date::Day {
        self.core.today()
    }

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
    fn sent_to(&self, record: &Record) -> Option<OrgCode> {
        let to = record.varint(TRANSFER_TO).and_then(|code| OrgCode::new(code).ok())?;
        Some(self.tree.current(to, self.today()))
    }

    /// A person or household that its unit sends to another one of the district: asks that unit, once.
    pub(super) fn ask_transfer(&mut self, id: RecordId, record: &Record) -> Result<(), StoreError> {
        let (Some(to), Some(from)) = (self.sent_to(record), home_unit(record)) else { return Ok(()) };
        if to == from {
            self.revise(id, record.register, vec![nothing(TRANSFER_TO)], &Hand::rule(Rule::Transfer))?;
            return Ok(());
        }
        if !self.core.unit.covers(to) {
            return self.transfer_out_of_district(id);
        }
        let Some(transfer) = Self::asking_of(id, record) else { return Ok(()) };
        if self.record(transfer)?.is_some() {
            return Ok(());
        }
        let subject =
            if record.register == number::RESIDENT { field::transfer::PERSON } else { field::transfer::HOUSEHOLD };
        let name = self.name_of(record)?;
        let mut fields = vec![
            number_field(HOME_UNIT, to.number()),
            text(subject, &id.0),
            number_field(field::transfer::FROM_UNIT, from.number()),
            day(field::transfer::ASKED_ON, self.today()),
        ];
        fields.extend(name.map(|name| text(field::transfer::NAME, &name)));
        self.revise(transfer, number::TRANSFER, fields, &Hand::rule(Rule::Transfer))?;
        Ok(())
    }

    /// The name of a person, or of the head of a household.
    pub(super) fn name_of(&mut self, record: &Record) -> Result<Option<Vec<u8>>, StoreError> {
        if record.register == number::RESIDENT {
            return Ok(record.slice(field::resident::NAME).map(<[u8]>::to_vec));
        }
        let household = record;
        let Some(head) = household.reference(field::household::HEAD_PERSON) else { return Ok(None) };
        Ok(self.record(head)?.as_deref().and_then(|head| head.slice(field::resident::NAME)).map(<[u8]>::to_vec))
    }

    /// Units of the district that were asked to take somebody in whom the old unit now sends elsewhere, keeps, or sends
    /// anew: they need not answer that asking any more.
    pub(super) fn withdraw_askings(&mut self, id: RecordId, record: &Record) -> Result<(), StoreError> {
        let now = Self::asking_of(id, record);
        for asked in following(&Reading(self), id, record.register, number::TRANSFER)? {
            if Some(asked) != now
                && let Some(transfer) = self.record(asked)?
                && self.is_open_within(&transfer)
            {
                self.revise(asked, number::TRANSFER, self.withdrawn_asking(), &Hand::rule(Rule::Transfer))?;
            }
        }
        Ok(())
    }

    /// Whether a transfer inside the district waits for an answer.
    fn is_open_within(&self, transfer: &Record) -> bool {
        let from = transfer.varint(field::transfer::FROM_UNIT).and_then(|code| OrgCode::new(code).ok());
        let within =
            [home_unit(transfer), from].iter().all(|unit| unit.is_some_and(|unit| self.core.unit.covers(unit)));
        let open =
            transfer.bytes(field::transfer::DONE_ON).is_none() && transfer.bytes(field::transfer::DECISION).is_none();
        within && open && is_active(transfer)
    }

    /// What a transfer says when the old unit does not ask any more. The decision is left to whoever has not heard of it.
    fn withdrawn_asking(&self) -> Vec<Field> {
        vec![text(field::transfer::DECISION_REASON, WITHDRAWN.as_bytes()), day(field::transfer::DONE_ON, self.today())]
    }

    /// The new unit has answered.
    pub(super) fn answer_transfer(&mut self, id: RecordId, transfer: &Record) -> Result<(), StoreError> {
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
                self.revise(id, number::TRANSFER, fields, &Hand::rule(Rule::Transfer))?;
            } else if let Some(main) = Self::subject_of(transfer)
                && let Some(record) = self.record(main)?.filter(|record| record.origin(TRANSFER_TO).is_some())
            {
                self.withdraw_askings(main, &record)?;
            }
            return Ok(());
        };
        if self.answer_across(id, transfer)? {
            return Ok(());
        }
        let Some(main) = Self::subject_of(transfer) else { return Ok(()) };
        let Some(record) = self.record(main)? else { return Ok(()) };
        let ours = home_unit(&record).is_some_and(|unit| self.core.unit.covers(unit));
        let (Some(to), true) = (home_unit(transfer), ours) else { return Ok(()) };
        let reason =
            transfer.slice(field::transfer::DECISION_REASON).map(|reason| String::from_utf8_lossy(reason).into_owned());
        let hand = Hand { reason: reason.as_deref().unwrap_or_default(), ..Hand::rule(Rule::Transfer) };
        let asked = self.sent_to(&record) == Some(to);
        let mut done = vec![day(field::transfer::DONE_ON, self.today())];
        if decision == code::transfer_decision::TAKEN_IN.as_bytes() && asked {
            for (id, register) in self.bundle(main, &record)? {
                self.move_home(id, register, to, &hand)?;
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
            && Self::asking_of(main, &record).is_none_or(|now| now == id)
        {
            self.revise(main, record.register, vec![nothing(TRANSFER_TO)], &hand)?;
        }
        self.revise(id, number::TRANSFER, done, &hand)?;
        Ok(())
    }

    /// Whom a transfer is about.
    fn subject_of(transfer: &Record) -> Option<RecordId> {
        transfer.reference(field::transfer::PERSON).or_else(|| transfer.reference(field::transfer::HOUSEHOLD))
    }

    /// Moves one record to another unit from today on.
    pub(super) fn move_home(
        &mut self,
        id: RecordId,
        register: u32,
        to: OrgCode,
        hand: &Hand<'_>,
    ) -> Result<(), StoreError> {
        let Some(record) = self.record(id)? else { return Ok(()) };
        let Some(from) = home_unit(&record).filter(|from| *from != to) else { return Ok(()) };
        let mut fields = vec![
            number_field(HOME_UNIT, to.number()),
            past_home(&record, PastHome { until: self.today(), unit: from }),
        ];
        if record.bytes(TRANSFER_TO).is_some() {
            fields.push(nothing(TRANSFER_TO));
        }
        self.revise(id, register, fields, hand)?;
        self.file_conflicts_at(id, to)
    }

    /// What moves with a person or a household: the records of its own unit that speak of it, itself first.
    pub(super) fn bundle(&mut self, main: RecordId, record: &Record) -> Result<Vec<(RecordId, u32)>, StoreError> {
        let home = home_unit(record);
        let mut found = vec![(main, record.register)];
        let mut persons = Vec::new();
        if record.register == number::HOUSEHOLD {
            for register in registers().about(number::HOUSEHOLD) {
                for id in following(&Reading(self), main, number::HOUSEHOLD, register)? {
                    let Some(part) = self.record(id)?.filter(|part| home_unit(part) == home) else { continue };
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
            if self.record(person)?.as_deref().is_none_or(|record| home_unit(record) != home) {
                continue;
            }
            if person != main {
                found.push((person, number::RESIDENT));
            }
            for register in registers().about(number::RESIDENT) {
                for id in following(&Reading(self), person, number::RESIDENT, register)? {
                    if self.record(id)?.as_deref().is_some_and(|part| home_unit(part) == home) {
                        found.push((id, register));
                    }
                }
            }
        }
        found.sort_by_key(|(id, _)| (*id != main, *id));
        found.dedup();
        Ok(found)
    }
}
