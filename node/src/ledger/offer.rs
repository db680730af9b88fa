//! What an office says again to a hub that was restored from an old backup and has lost what it once answered for.
//! Invariant: every value that the office holds from the lost time is in an offer, what stands as a change and what no
//! longer stood as history; nothing else is. What the office itself entered is held even where its record has left: a
//! computer at the unit that has it now may not have heard of it yet.

use super::{Ledger, LedgerError};
use crate::store::{StoreError, key};
use bytes::Bytes;
use prost::Message;
use taizhang_proto::{
    OrgCode, Record, RecordId, change, change::Edit, decide::HUB_NODE, pb, record::Revision, stamp::Stamp, wire::Field,
};

/// Most history entries in one offer; the newest are kept.
const MAX_HISTORY: usize = 256;
/// Most own words that are held of records that have left; the newest are kept.
const MAX_OWN_WORDS: usize = 8_192;
/// How long they are held, seconds, by this office's clock and by its hub's: no hub should come back from a backup older
/// than this, and a clock that is ahead ends nothing early.
const OWN_WORDS_SECONDS: u64 = 90 * 86_400;

impl Ledger {
    /// Offers of everything from revision `floor` on.
    pub(super) fn offers(&self, floor: Revision) -> Result<Vec<Bytes>, LedgerError> {
        let mut offers = Vec::new();
        // What no longer stood keeps the number that it had, though the hub has lost it once before and was told.
        let past_from = self.state().lost_from.map_or(floor, |before| before.min(floor));
        for row in self.store.scan(b"r") {
            let (row_key, value) = row?;
            let id = key::last_id(&row_key).ok_or(StoreError::Row("record"))?;
            let record = Record::decode(value).map_err(StoreError::from)?;
            let mut history = self.history(id)?;
            history.retain(|entry| entry.replaced_by >= past_from);
            let surplus = history.len().saturating_sub(MAX_HISTORY);
            history.drain(..surplus);
            let lost: Vec<(Field, Revision)> = record
                .fields
                .iter()
                .filter(|standing| record.origins[standing.origin].revision >= floor)
                .map(|standing| (standing.field.clone(), 0))
                .collect();
            if lost.is_empty() && history.is_empty() {
                continue;
            }
            let fields = if lost.is_empty() { home_of(&record) } else { lost };
            let newest =
                record.origins.iter().filter(|origin| origin.revision >= floor).max_by_key(|origin| origin.stamp);
            let stamp = newest.map_or(0, |origin| origin.stamp);
            let by = newest.map_or("", |origin| origin.by.as_str());
            let mut change = change::write(id, record.register, &fields, Stamp(stamp), by);
            change.seen = floor - 1;
            let mut origins = record.state().origins;
            origins.retain(|origin| origin.revision >= floor);
            let (created, changes) = (record.created, record.changes);
            change.offer = Some(pb::Offer { origins, history, created, changes, aside: false });
            offers.push(change.encode_to_vec().into());
        }
        for row in self.store.scan_from(&key::own_word(floor, RecordId([0; 16]))) {
            let (row_key, change) = row?;
            if row_key.first() != Some(&b'o') {
                break;
            }
            let mut change = pb::Change::decode(change).map_err(|_| StoreError::Row("own word"))?;
            change.seen = floor - 1;
            offers.push(change.encode_to_vec().into());
        }
        Ok(offers)
    }

    /// Drops own words that are too old, or too many, to be asked for again.
    pub(super) fn prune_own_words(&self) -> Result<(), StoreError> {
        let mut words = Vec::new();
        for row in self.store.scan(b"o") {
            let (row_key, change) = row?;
            let change = pb::Change::decode(change).map_err(|_| StoreError::Row("own word"))?;
            let arrived = change.offer.iter().flat_map(|offer| &offer.origins).map(|origin| origin.received).max();
            words.push((row_key, arrived));
        }
        // By the newest time at which the hub received one of them, or by this clock where that is behind.
        let newest = words.iter().filter_map(|(_, arrived)| *arrived).max().unwrap_or_default();
        let since = newest.min(self.now_millis() / 1_000).saturating_sub(OWN_WORDS_SECONDS);
        let mut held = Vec::new();
        let mut rows = sled::Batch::default();
        for (row_key, arrived) in words {
            if arrived.is_some_and(|arrived| arrived < since) {
                rows.remove(&row_key[..]);
            } else {
                held.push(row_key);
            }
        }
        for surplus in held.iter().take(held.len().saturating_sub(MAX_OWN_WORDS)) {
            rows.remove(&surplus[..]);
        }
        self.store.apply(rows)
    }
}

/// History alone travels with a field that both sides have: the owning unit, which every record carries.
fn home_of(record: &Record) -> Vec<(Field, Revision)> {
    let home = record.standing(taizhang_proto::register::HOME_UNIT);
    home.map(|standing| (standing.field.clone(), record.origins[standing.origin].revision)).into_iter().collect()
}

/// A change that the hub has taken on a record that is not held here, as it is said again if the hub loses it.
pub(super) fn taken_elsewhere(change: pb::Change, origin: pb::Origin) -> pb::Change {
    let tags = |edit: Edit| edit.fields.iter().map(|field| field.tag).collect();
    let mut offer = change.offer.clone().unwrap_or_else(|| pb::Offer {
        origins: vec![pb::Origin { tags: Edit::read(change.clone()).map(tags).unwrap_or_default(), ..origin.clone() }],
        ..pb::Offer::default()
    });
    // Under this number it would be known again.
    offer.origins.iter_mut().for_each(|one| one.revision = origin.revision);
    offer.aside = true;
    pb::Change { offer: Some(offer), bases: Vec::new(), ..change }
}

/// What offices of `unit` entered in a record that leaves, with the newest revision of it; none when nothing is theirs.
pub(super) fn own_words(
    unit: OrgCode,
    id: RecordId,
    record: &Record,
    history: Vec<pb::Superseded>,
) -> Option<(Revision, pb::Change)> {
    let own =
        |origin: &pb::Origin| origin.node != HUB_NODE && OrgCode::new(origin.unit).is_ok_and(|of| unit.covers(of));
    let mut origins = record.state().origins;
    origins.retain(own);
    let history: Vec<pb::Superseded> =
        history.into_iter().filter(|entry| entry.origin.as_ref().is_some_and(own)).rev().take(MAX_HISTORY).collect();
    let standing: Vec<(Field, Revision)> = record
        .fields
        .iter()
        .filter(|standing| own(&record.origins[standing.origin]))
        .map(|standing| (standing.field.clone(), 0))
        .collect();
    if standing.is_empty() && history.is_empty() {
        return None;
    }
    let revisions = origins.iter().map(|origin| origin.revision).chain(history.iter().map(|entry| entry.replaced_by));
    let revision = revisions.max()?;
    let (stamp, by) = origins.last().map(|newest| (Stamp(newest.stamp), newest.by.clone())).unwrap_or_default();
    let fields = if standing.is_empty() { home_of(record) } else { standing };
    let mut change = change::write(id, record.register, &fields, stamp, &by);
    change.offer = Some(pb::Offer { origins, history, created: record.created, changes: record.changes, aside: true });
    Some((revision, change))
}
