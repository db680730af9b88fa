//! What the offices were told is saved: every value of every change, and what may have become of it.

use bytes::Bytes;
use prost::Message;
use std::collections::HashMap;
use taizhang_node::ledger::Ledger;
use taizhang_proto::{RecordId, change::Edit, pb, wire::Field};

/// How firmly a change was promised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Promise {
    /// The clerk was told 'saved'.
    Saved,
    /// The office crashed before it told; both outcomes are right.
    Open,
    /// It was only on a disk that was lost.
    Excused,
}

/// One change of one save.
#[derive(Debug, Clone)]
pub(super) struct Saved {
    /// Index of the record.
    pub(super) record: usize,
    /// Index of the office.
    pub(super) office: usize,
    /// Login that no other save has.
    pub(super) by: String,
    /// The fields as they were encoded.
    pub(super) fields: Vec<Field>,
    /// How firmly it was promised.
    pub(super) promise: Promise,
    /// It was pending in a backup that came back, so it may have been offered twice.
    pub(super) reoffered: bool,
}

/// A record that an office created.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known {
    pub(super) id: RecordId,
    pub(super) register: u32,
}

/// Everything saved so far.
#[derive(Debug, Default)]
pub(super) struct Model {
    /// In the order in which they were created.
    pub(super) records: Vec<Known>,
    /// In the order in which they were saved.
    pub(super) saves: Vec<Saved>,
    by_id: HashMap<RecordId, usize>,
    logins: u64,
}

/// The changes of a ledger after a number, read.
///
/// # Errors
/// When the ledger can't read them.
pub(super) fn changes_after(ledger: &Ledger, after: u64) -> Result<Vec<Edit>, String> {
    let batch = ledger.pending_after(after).map_err(|error| error.to_string())?;
    let changes = batch.map(|batch| batch.changes).unwrap_or_default();
    changes.into_iter().map(read_change).collect()
}

/// One encoded change.
///
/// # Errors
/// When it is none.
pub(super) fn read_change(raw: Bytes) -> Result<Edit, String> {
    let change = pb::Change::decode(raw).map_err(|error| error.to_string())?;
    Edit::read(change).map_err(|error| error.to_string())
}

impl Model {
    /// A login for one save.
    pub(super) fn next_login(&mut self) -> String {
        self.logins += 1;
        format!("c{}", self.logins)
    }

    /// The index of a record that an office created.
    pub(super) fn index(&self, id: RecordId) -> Option<usize> {
        self.by_id.get(&id).copied()
    }

    /// How a record is called in the trace.
    pub(super) fn name(&self, id: RecordId) -> String {
        self.index(id).map_or_else(|| "r?".into(), |index| format!("r{index}"))
    }

    /// Takes note of a change.
    pub(super) fn saved(&mut self, office: usize, edit: Edit, promise: Promise) {
        let records = &mut self.records;
        let record = *self.by_id.entry(edit.id).or_insert_with(|| {
            records.push(Known { id: edit.id, register: edit.register });
            records.len() - 1
        });
        self.saves.push(Saved { record, office, by: edit.by, fields: edit.fields, promise, reoffered: false });
    }

    /// What a reopened office still has to say was saved, whether or not anybody was told.
    pub(super) fn found_pending(&mut self, office: usize, edits: &[Edit], restored: bool) {
        for edit in edits {
            let Some(record) = self.index(edit.id) else { continue };
            let own = self.saves.iter_mut().filter(|saved| saved.office == office);
            for saved in own.filter(|saved| saved.record == record && saved.by == edit.by) {
                saved.promise = Promise::Saved;
                saved.reoffered |= restored;
            }
        }
    }
}
