//! A transfer to another district, on the side that lets go (domain-detail 4, case 5).
//! Invariant: until the other district wants it, the records belong to and count here; in the commit in which they
//! leave, the letter goes out that says what has left, and the parent counts that until the other district has it.

use super::{
    super::{
        commit::{Commit, Reading},
        revise::{Hand, nothing},
    },
    letter,
};
use crate::{
    mail::rows::{Step, TransferRow, kind, letter_id, under},
    store::{Space, StoreError},
};
use prost::Message;
use std::collections::BTreeMap;
use std::rc::Rc;
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

impl Commit<'_> {
    pub(super) fn transfer(&self, side: u8, transfer: &[u8]) -> Result<Option<TransferRow>, StoreError> {
        self.kept(Space::Transfers, &under(side, transfer))
    }

    pub(super) fn keep_transfer(&mut self, side: u8, transfer: &[u8], row: &TransferRow) {
        self.keep_row(Space::Transfers, under(side, transfer), row);
    }

    /// A person or household that its unit sends to a unit of another district: offers it to that district, once.
    pub(in crate::writer) fn transfer_out_of_district(&mut self, id: RecordId) -> Result<(), StoreError> {
        let Some(record) = self.record(id)? else { return Ok(()) };
        let ours = home_unit(&record).is_some_and(|unit| self.core.unit.covers(unit));
        let target = record.varint(TRANSFER_TO).and_then(|code| OrgCode::new(code).ok());
        let (Some(target), Some(origin), true) = (target, record.origin(TRANSFER_TO), ours) else { return Ok(()) };
        if self.core.unit.covers(target) {
            return Ok(());
        }
        // The same asking is always the same transfer, however often it is looked at.
        let own = self.core.unit.number().to_be_bytes();
        let transfer = letter_id(LetterKind::LetterUnknown, &[&own, &id.0, &origin.revision.to_be_bytes()]);
        if self.transfer(kind::OUT, &transfer)?.is_some() {
            return Ok(());
        }
        let Some(other) = self.neighbour_of(target)? else {
            return self.keep_here(
                id,
                &record,
                "上级辖区内没有接收该单位的县区 (no district that takes for that unit)",
            );
        };
        let parts = self.bundle(id, &record)?;
        let bundle = self.make_bundle((id, &record), &parts, target, usize::MAX)?;
        if bundle.encoded_len() > MAX_BUNDLE {
            return self.keep_here(
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
        self.keep_transfer(kind::OUT, &transfer, &row);
        let kind = LetterKind::OfferOut;
        let sealed = bundle.encode_to_vec().into();
        self.send(pb::Letter { sealed, ..letter(kind, other, &transfer, id_of(kind, &transfer)) });
        Ok(())
    }

    /// The transfer does not happen: the record says no longer that it goes, and why.
    fn keep_here(&mut self, id: RecordId, record: &Record, reason: &str) -> Result<(), StoreError> {
        let hand = Hand { reason, ..Hand::rule(Rule::Transfer) };
        self.revise(id, record.register, vec![nothing(TRANSFER_TO)], &hand)?;
        Ok(())
    }

    /// These records as they stand, with as much of their history as there is room for.
    fn make_bundle(
        &mut self,
        (id, record): (RecordId, &Record),
        parts: &[(RecordId, u32)],
        target: OrgCode,
        room: usize,
    ) -> Result<Bundle, StoreError> {
        let mut bundle = Bundle {
            target: target.number(),
            subject: id.0.to_vec(),
            from: home_unit(record).map_or(0, OrgCode::number),
            name: self.name_of(record)?.unwrap_or_default(),
            records: Vec::new(),
            asked_on: self.core.today(),
        };
        for (part, _) in parts {
            let Some(state) = self.record(*part)?.as_deref().map(Record::state) else { continue };
            bundle.records.push(pb::Record { id: part.0.to_vec().into(), state: Some(state), history: Vec::new() });
        }
        self.add_histories(&mut bundle, room)?;
        Ok(bundle)
    }

    fn add_histories(&self, bundle: &mut Bundle, room: usize) -> Result<(), StoreError> {
        let mut left = room.saturating_sub(bundle.encoded_len());
        for record in &mut bundle.records {
            let Some(id) = RecordId::from_slice(&record.id) else { continue };
            for entry in self.whole_history_of(id)? {
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
    pub(super) fn release(&mut self, wanted: &pb::Letter) -> Result<(), StoreError> {
        let Some(mut row) = self.transfer(kind::OUT, &wanted.transfer)? else { return Ok(()) };
        if row.other != wanted.from || row.step() != Step::Offered {
            return Ok(());
        }
        self.unsend(&id_of(LetterKind::OfferOut, &wanted.transfer))?;
        let target = OrgCode::new(row.target).map_err(|_| StoreError::Row(Space::Transfers))?;
        let Some(id) = RecordId::from_slice(&row.subject) else { return Ok(()) };
        let record = self.record(id)?;
        let still = |record: &Rc<Record>| {
            record.varint(TRANSFER_TO) == Some(row.target)
                && home_unit(record).is_some_and(|unit| self.core.unit.covers(unit))
        };
        let Some(record) = record.filter(still) else {
            row.set_step(Step::Returned);
            self.keep_transfer(kind::OUT, &wanted.transfer, &row);
            let reason = "原单位已撤回 (withdrawn by the old unit)";
            self.send_back(row.other, &wanted.transfer, reason);
            return Ok(());
        };
        let parts = self.bundle(id, &record)?;
        for (part, register) in &parts {
            self.move_home(*part, *register, target, &Hand::rule(Rule::Transfer))?;
        }
        let moved = self.counted_beyond(&parts)?;
        let bundle = self.make_bundle((id, &record), &parts, target, MAX_BUNDLE)?;
        row.set_step(Step::Released);
        self.keep_transfer(kind::OUT, &wanted.transfer, &row);
        let kind = LetterKind::Released;
        let sealed = bundle.encode_to_vec().into();
        let own = letter(kind, row.other, &wanted.transfer, id_of(kind, &wanted.transfer));
        self.send(pb::Letter { sealed, moved, ..own });
        Ok(())
    }

    /// What the subjects of these records count in other hubs' scopes.
    fn counted_beyond(&self, parts: &[(RecordId, u32)]) -> Result<Vec<pb::CellValue>, StoreError> {
        let plans = self.core.plans();
        let mut moved: BTreeMap<CellKey, i64> = BTreeMap::new();
        for (id, register) in parts {
            let Some(subject) = itself(*register, *id) else { continue };
            for one in contributions(&Reading(self), subject, &plans)? {
                if !self.core.unit.covers(one.key.unit) {
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

    pub(super) fn send_back(&mut self, to: u64, transfer: &[u8], reason: &str) {
        let kind = LetterKind::Returned;
        let own = self.core.unit.number().to_be_bytes();
        let sealed = Reason { text: reason.chars().take(200).collect() }.encode_to_vec().into();
        // Each side may send back: the two are different letters.
        let id = letter_id(kind, &[transfer, &own]);
        self.send(pb::Letter { sealed, ..letter(kind, to, transfer, id) });
    }

    /// The other side does not take it, or has withdrawn it.
    pub(super) fn take_return(&mut self, back: &pb::Letter) -> Result<(), StoreError> {
        let reason = Reason::decode(back.sealed.clone()).unwrap_or_default().text;
        let reason: String = reason.chars().take(200).collect();
        if let Some(mut row) = self.transfer(kind::OUT, &back.transfer)?
            && row.other == back.from
            && row.step() == Step::Offered
        {
            row.set_step(Step::Returned);
            self.keep_transfer(kind::OUT, &back.transfer, &row);
            self.unsend(&id_of(LetterKind::OfferOut, &back.transfer))?;
            let id = RecordId::from_slice(&row.subject);
            let record = id.map(|id| self.record(id)).transpose()?.flatten();
            if let (Some(id), Some(record)) =
                (id, record.filter(|record| record.varint(TRANSFER_TO) == Some(row.target)))
            {
                self.keep_here(id, &record, &reason)?;
            }
        }
        self.withdrawn(back, &reason)
    }

    /// It is on the other district's disk: nothing more has to be said.
    pub(super) fn take_taken(&mut self, taken: &pb::Letter) -> Result<(), StoreError> {
        let Some(mut row) = self.transfer(kind::OUT, &taken.transfer)? else { return Ok(()) };
        if row.other != taken.from || row.step() != Step::Released {
            return Ok(());
        }
        row.set_step(Step::Taken);
        self.keep_transfer(kind::OUT, &taken.transfer, &row);
        self.unsend(&id_of(LetterKind::Released, &taken.transfer))
    }
}
