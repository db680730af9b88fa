//! What an office says again to a hub that was restored from an old backup and has lost what it once answered for.
//! Invariant: every value that the office holds from the lost time is in an offer, what stands as a change and what no
//! longer stood as history; nothing else is.

use super::{Ledger, LedgerError};
use crate::store::{StoreError, key};
use bytes::Bytes;
use prost::Message;
use taizhang_proto::{Record, change, pb, record::Revision, stamp::Stamp, wire::Field};

/// Most history entries in one offer; the newest are kept.
const MAX_HISTORY: usize = 256;

impl Ledger {
    /// Offers of everything from revision `floor` on.
    pub(super) fn offers(&self, floor: Revision) -> Result<Vec<Bytes>, LedgerError> {
        let mut offers = Vec::new();
        for row in self.store.scan(b"r") {
            let (row_key, value) = row?;
            let id = key::last_id(&row_key).ok_or(StoreError::Row("record"))?;
            let record = Record::decode(value).map_err(StoreError::from)?;
            let mut history = self.history(id)?;
            history.retain(|entry| entry.replaced_by >= floor);
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
            // History alone travels with a field that both sides have: the owning unit, which every record carries.
            let fields = if lost.is_empty() {
                let home = record.standing(taizhang_proto::register::HOME_UNIT);
                home.map(|standing| (standing.field.clone(), record.origins[standing.origin].revision))
                    .into_iter()
                    .collect()
            } else {
                lost
            };
            let newest =
                record.origins.iter().filter(|origin| origin.revision >= floor).max_by_key(|origin| origin.stamp);
            let stamp = newest.map_or(0, |origin| origin.stamp);
            let by = newest.map_or("", |origin| origin.by.as_str());
            let mut change = change::write(id, record.register, &fields, Stamp(stamp), by);
            change.seen = floor - 1;
            let mut origins = record.state().origins;
            origins.retain(|origin| origin.revision >= floor);
            change.offer = Some(pb::Offer { origins, history });
            offers.push(change.encode_to_vec().into());
        }
        Ok(offers)
    }
}
