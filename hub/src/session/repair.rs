//! The hub's side of a repair: ranges are answered from one view of the child's scope, then the records it asks for
//! are sent as they are.
//! Invariants: nothing outside the certificate's scope is ever given, whatever is asked for; one child at a time has
//! the turn to hold a list of its scope, 40 bytes a record; whose turn is over lets go of it with the next word.

use super::{
    Fault, MAX_LIST_BYTES, MAX_LIST_RECORDS,
    records::{history_after, pack},
    wrap,
};
use crate::{
    scope::Scope,
    state::Core,
    store::{Space, StoreError, View},
    turns::Turn,
};
use bytes::Bytes;
use prost::Message;
use std::collections::VecDeque;
use taizhang_proto::{
    Record, RecordId,
    pb::{self, down},
    range::{Answerer, Items, MAX_DIFFERENT, MAX_RANGE_BYTES, MAX_WANT},
};

/// Where the repair of a session stands.
#[derive(Default)]
pub(super) struct Repair {
    is_open: bool,
    /// The list of the scope, and the turn to hold one.
    list: Option<(Answerer, Turn)>,
    asked: Option<Bytes>,
    wanted: VecDeque<RecordId>,
    total: usize,
    is_last: bool,
}

impl Repair {
    /// Takes a range. Returns whether it opens a repair.
    pub(super) fn hear(&mut self, range: pb::Range) -> Result<bool, Fault> {
        let out_of_turn = self.asked.is_some() || !self.wanted.is_empty() || self.total > 0;
        if out_of_turn || range.message.len() > 2 * MAX_RANGE_BYTES {
            return Err(Fault::Protocol("a range out of turn, or too large"));
        }
        self.asked = Some(range.message);
        Ok(!std::mem::replace(&mut self.is_open, true))
    }

    /// Takes ids of records that the child wants; none mean that those were all.
    pub(super) fn want(&mut self, want: pb::Want) -> Result<(), Fault> {
        self.total += want.ids.len();
        if !self.is_open || self.is_last || want.ids.len() > MAX_WANT || self.total > MAX_DIFFERENT {
            return Err(Fault::Protocol("records wanted out of turn, or too many"));
        }
        self.list = None;
        self.asked = None;
        self.is_last = want.ids.is_empty();
        for id in want.ids {
            self.wanted.push_back(RecordId::from_slice(&id).ok_or(Fault::Protocol("a wanted record without an id"))?);
        }
        Ok(())
    }

    /// Whether the session does nothing else now.
    pub(super) fn is_open(&self) -> bool {
        self.is_open
    }

    /// The next thing to say; ends the repair once the last record wanted was sent.
    pub(super) fn next(&mut self, core: &Core, child: &str, scope: Scope) -> Result<Option<pb::Down>, Fault> {
        if self.list.as_ref().is_some_and(|(_, turn)| turn.is_over()) {
            self.list = None;
            return Err(Fault::Busy);
        }
        if let Some(message) = self.asked.take() {
            if self.list.is_none() {
                let turn = core.repairs.ask(child).ok_or(Fault::Busy)?;
                self.list = Some((list_of(core, core.view().as_ref(), scope)?, turn));
            }
            let Some((list, _)) = &mut self.list else { return Ok(None) };
            let answer = list.answer(&message).map_err(|_| Fault::Protocol("a range that can't be read"))?;
            return Ok(Some(wrap(down::It::Range(pb::Range { message: answer.into() }))));
        }
        if !self.wanted.is_empty() {
            return self.send_wanted(core, core.view().as_ref(), scope).map(Some);
        }
        if self.is_last {
            *self = Self::default();
        }
        Ok(None)
    }

    fn send_wanted(&mut self, core: &Core, view: &dyn View, scope: Scope) -> Result<pb::Down, Fault> {
        let mut list = pb::RecordList::default();
        let mut size = 0;
        while size < MAX_LIST_BYTES
            && list.records.len() + list.departed.len() + list.unreadable.len() < MAX_LIST_RECORDS
            && let Some(id) = self.wanted.pop_front()
        {
            let row = view.get(Space::Records, &id.0)?;
            let Ok(record) = row.map(Record::decode).transpose() else {
                core.note_unreadable(id);
                list.unreadable.push(id.0.to_vec().into());
                continue;
            };
            match record.filter(|record| scope.holds(record)) {
                Some(record) => {
                    let history = history_after(view, id, 0)?;
                    let record = pb::Record { id: id.0.to_vec().into(), state: Some(record.state()), history };
                    size += record.encoded_len();
                    list.records.push(record);
                }
                None => list.departed.push(id.0.to_vec().into()),
            }
        }
        // Says nothing about revisions: the feed goes on where it was.
        pack(&list, 0)
    }
}

/// Every record of a scope. A rare path, so it scans.
fn list_of(core: &Core, view: &dyn View, scope: Scope) -> Result<Answerer, Fault> {
    let mut items = Items::default();
    let unordered = |_| Fault::Protocol("ranges that can't be put in order");
    for row in view.range(Space::Records, &[], &[0xff; 17]) {
        let (key, bytes) = row?;
        let id = RecordId::from_slice(&key).ok_or(StoreError::Row(Space::Records))?;
        let Ok(record) = Record::decode(bytes.clone()) else {
            core.note_unreadable(id);
            continue;
        };
        if scope.holds(&record) {
            items.add(id, &bytes).map_err(unordered)?;
        }
    }
    Answerer::new(items).map_err(unordered)
}
