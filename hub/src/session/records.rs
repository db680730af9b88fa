//! Which records a child is sent: those of its scope that others changed since it last heard.
//! Invariant: what a child made alone is not sent back to it, and what left its scope is named.

use super::{Fault, MAX_LIST_BYTES, Server, wrap};
use crate::{
    rows::{self, FeedRow, meta},
    store::{Space, StoreError, View},
    writer::Core,
};
use prost::Message;
use std::collections::VecDeque;
use taizhang_node::upstream;
use taizhang_proto::{
    OrgCode, Record, RecordId,
    cell::home_unit,
    pb::{self, down},
    session::MAX_BATCH_BYTES,
};

impl Server {
    /// Records of the scope after the cursor, as many as fit one message, and the revision they reach.
    pub(super) fn collect(&self, core: &Core, view: &dyn View) -> Result<(pb::RecordList, u64), Fault> {
        let mut list = pb::RecordList::default();
        let mut size = 0;
        let mut upto = rows::counter(view, meta::REVISION)?;
        let from = self.cursor.saturating_add(1).to_be_bytes();
        for row in view.range(Space::Feed, &from, &[0xff; 9]) {
            let (key, value) = row?;
            let revision = key.as_ref().try_into().map(u64::from_be_bytes).map_err(|_| StoreError::Row(Space::Feed))?;
            let news = FeedRow::from_slice(&value).ok_or(StoreError::Row(Space::Feed))?;
            let made_by_child = news.sole_author == self.node && !self.hello.rebuild;
            if made_by_child || !self.peer.unit.covers(news.unit) {
                continue;
            }
            match self.read_for_child(view, &news, revision) {
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
        let (from, to) =
            (rows::at_revision(self.cursor.saturating_add(1), &[]), rows::at_revision(upto.saturating_add(1), &[]));
        for row in view.range(Space::Departed, &from, &to) {
            let (key, value) = row?;
            let left = value.as_ref().try_into().map(u64::from_be_bytes).ok();
            let left = left.and_then(|code| OrgCode::new(code).ok());
            if left.is_some_and(|unit| self.peer.unit.covers(unit))
                && let Some(id) = key.get(8..).and_then(RecordId::from_slice)
                && !self.still_here(view, id)?
            {
                list.departed.push(id.0.to_vec().into());
            }
        }
        Ok((list, upto))
    }

    /// A record that the feed names at a revision, with the history that is new to the child; none when the child made
    /// all of what is new itself.
    fn read_for_child(&self, view: &dyn View, news: &FeedRow, at: u64) -> Result<Option<pb::Record>, StoreError> {
        let id = news.id;
        let bytes = view.get(Space::Records, &id.0)?.ok_or(StoreError::Row(Space::Records))?;
        let state = pb::RecordState::decode(bytes).map_err(|_| StoreError::Row(Space::Records))?;
        let by_others = |origin: &pb::Origin| self.hello.rebuild || origin.node != self.node;
        let mut newer = state.origins.iter().filter(|origin| origin.revision > self.whole);
        let has_news = newer.any(by_others);
        // Where an edit lost, the record is older than the row, and may have left the unit that the row names.
        let lost = state.origins.last().is_none_or(|origin| origin.revision != at);
        // The row of an edit that lost may be gone, since this later one is there: its history is news here as well.
        let may_concern = has_news || state.changes > 1 || news.sole_author == 0;
        if !may_concern || (lost && !self.still_here(view, id)?) {
            return Ok(None);
        }
        // Only what one node made alone, and all of which stands, has none.
        let history = if lost || state.changes > 1 || news.sole_author == 0 {
            history_after(view, id, self.whole)?
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

    /// Whether a record that left one unit of the scope is in another of it.
    fn still_here(&self, view: &dyn View, id: RecordId) -> Result<bool, StoreError> {
        let Some(bytes) = view.get(Space::Records, &id.0)? else { return Ok(false) };
        let record = Record::decode(bytes).map_err(|_| StoreError::Row(Space::Records))?;
        Ok(home_unit(&record).is_some_and(|unit| self.peer.unit.covers(unit)))
    }
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
