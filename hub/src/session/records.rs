//! Which records a child is sent: those of its scope that others changed since it last heard.
//! Invariant: what a child made alone is not sent back to it, and what left its scope is named.

use super::{Fault, MAX_LIST_BYTES, Server, wrap};
use crate::{
    rows::{self, FeedRow, meta},
    scope::Scope,
    state::Core,
    store::{Space, StoreError, View},
};
use prost::Message;
use std::collections::VecDeque;
use taizhang_node::upstream;
use taizhang_proto::{
    OrgCode, Record, RecordId,
    pb::{self, down},
    register::is_for_below,
    session::MAX_BATCH_BYTES,
};

impl Server {
    /// Records of the scope after the cursor, as many as fit one message, and the revision they reach.
    pub(super) fn collect(&self, core: &Core, view: &dyn View) -> Result<(pb::RecordList, u64), Fault> {
        let mut list = pb::RecordList::default();
        let mut size = 0;
        let mut upto = rows::counter(view, meta::REVISION)?;
        let scope = self.scope(core);
        let from = self.cursor.saturating_add(1).to_be_bytes();
        for row in view.range(Space::Feed, &from, &[0xff; 9]) {
            let (key, value) = row?;
            let revision = key.as_ref().try_into().map(u64::from_be_bytes).map_err(|_| StoreError::Row(Space::Feed))?;
            let news = FeedRow::from_slice(&value).ok_or(StoreError::Row(Space::Feed))?;
            let is_first = self.heard_own.is_some_and(|heard| revision <= heard);
            if is_first && !scope.is_above(news.unit) {
                continue; // heard by the older build that this child was
            }
            let made_by_child = news.sole_author == self.node && !self.hello.rebuild && !is_first;
            if made_by_child || !scope.reaches(news.unit, news.for_below) {
                continue;
            }
            match self.read_for_child(view, scope, &news, (revision, is_first)) {
                Ok(Some(record)) => {
                    size += record.encoded_len();
                    list.records.push(record);
                }
                Ok(None) => {}
                Err(error) if error.is_damage() => {
                    core.note_unreadable(news.id);
                    list.unreadable.push(news.id.0.to_vec().into());
                }
                Err(error) => return Err(error.into()),
            }
            if size > MAX_LIST_BYTES.min(MAX_BATCH_BYTES) || list.records.len() >= self.list_records {
                upto = revision;
                break;
            }
        }
        // Of what it never held, nothing has left it.
        let since = self.cursor.max(self.heard_own.unwrap_or(0));
        let (from, to) =
            (rows::at_revision(since.saturating_add(1), &[]), rows::at_revision(upto.saturating_add(1), &[]));
        for row in view.range(Space::Departed, &from, &to) {
            let (key, value) = row?;
            let left = value.as_ref().try_into().map(u64::from_be_bytes).ok();
            let left = left.and_then(|code| OrgCode::new(code).ok());
            // What was above and is not for everybody the child has never held: it hears nothing of it.
            if let Some(unit) = left.filter(|unit| scope.reaches(*unit, true))
                && let Some(id) = key.get(8..).and_then(RecordId::from_slice)
                && !still_here(view, scope, id)?
                && (scope.unit.covers(unit) || is_of_everybody(view, id)?)
            {
                list.departed.push(id.0.to_vec().into());
            }
        }
        Ok((list, upto))
    }

    /// A record that the feed names at a revision, with the history that is new to the child; none when the child made
    /// all of what is new itself.
    fn read_for_child(
        &self,
        view: &dyn View,
        scope: Scope,
        news: &FeedRow,
        (at, is_first): (u64, bool),
    ) -> Result<Option<pb::Record>, StoreError> {
        let id = news.id;
        let bytes = view.get(Space::Records, &id.0)?.ok_or(StoreError::Row(Space::Records))?;
        let state = pb::RecordState::decode(bytes).map_err(|_| StoreError::Row(Space::Records))?;
        let whole = if is_first { 0 } else { self.whole };
        let by_others = |origin: &pb::Origin| self.hello.rebuild || is_first || origin.node != self.node;
        let mut newer = state.origins.iter().filter(|origin| origin.revision > whole);
        let has_news = newer.any(by_others);
        // Where an edit lost, the record is older than the row, and may have left the unit that the row names.
        let lost = state.origins.last().is_none_or(|origin| origin.revision != at);
        // The row of an edit that lost may be gone, since this later one is there: its history is news here as well.
        let may_concern = has_news || state.changes > 1 || news.sole_author == 0;
        if !may_concern || (lost && !still_here(view, scope, id)?) {
            return Ok(None);
        }
        // Only what one node made alone, and all of which stands, has none.
        let history = if lost || state.changes > 1 || news.sole_author == 0 {
            history_after(view, id, whole)?
        } else {
            Vec::new()
        };
        // An answer to the child's own claim is news to it.
        let is_news = |entry: &pb::Superseded| entry.ruling.is_some() || entry.origin.as_ref().is_some_and(by_others);
        // What the child's own edit replaced it knows.
        let is_lost = |entry: &pb::Superseded| entry.ruling.is_some() || !entry.rule.is_empty();
        let has_history = || history.iter().any(|entry| is_news(entry) && (lost || is_lost(entry)));
        if !has_news && !has_history() {
            return Ok(None);
        }
        Ok(Some(pb::Record { id: id.0.to_vec().into(), state: Some(state), history }))
    }
}

/// Whether a record that left one unit of a scope is in another of it.
fn still_here(view: &dyn View, scope: Scope, id: RecordId) -> Result<bool, StoreError> {
    Ok(read(view, id)?.is_some_and(|record| scope.holds(&record)))
}

/// Whether a record is of a register that is for everybody.
fn is_of_everybody(view: &dyn View, id: RecordId) -> Result<bool, StoreError> {
    Ok(read(view, id)?.is_some_and(|record| is_for_below(record.register)))
}

fn read(view: &dyn View, id: RecordId) -> Result<Option<Record>, StoreError> {
    let record = view.get(Space::Records, &id.0)?.map(Record::decode);
    record.transpose().map_err(|_| StoreError::Row(Space::Records))
}

pub(super) fn pack(list: &pb::RecordList, upto: u64) -> Result<pb::Down, Fault> {
    let raw = list.encode_to_vec();
    let list = upstream::compress(&raw).map_err(|_| Fault::Protocol("out of memory"))?;
    Ok(wrap(down::It::Records(pb::Records { list, raw_len: raw.len() as u32, upto })))
}

/// What no longer stands in a record since a revision. The newest come through however long the history is; the rest
/// stays at the hub.
pub(super) fn history_after(view: &dyn View, id: RecordId, cursor: u64) -> Result<Vec<pb::Superseded>, StoreError> {
    // Rows are in the order of what replaced them; what there is no room for is let go while reading.
    let (mut history, mut size) = (VecDeque::new(), 0);
    let from = [&id.0[..], &cursor.saturating_add(1).to_be_bytes()].concat();
    let to = [&id.0[..], &[0xff; 9]].concat();
    for row in view.range(Space::History, &from, &to) {
        let row = row?.1;
        size += row.len();
        history.push_back(row);
        while size > MAX_LIST_BYTES
            && let Some(oldest) = history.pop_front()
        {
            size -= oldest.len();
        }
    }
    let read = |row| pb::Superseded::decode(row).map_err(|_| StoreError::Row(Space::History));
    history.into_iter().map(read).collect()
}
