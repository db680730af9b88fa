//! What the hub did not take: kept with its words until somebody mends it or lets it go.
//! Invariant: a refusal only ever ends, by somebody's name; its words stay readable afterwards.

use super::{Ledger, LedgerError};
use crate::{
    journal::Entry,
    store::{RefusalEnd, RefusedChange, StoreError, key},
};
use prost::Message;
use taizhang_proto::digest::LogDigest;

/// First number of refusals that were made under an earlier incarnation; no log grows to here.
pub(super) const REFUSED_BEFORE: u64 = 1 << 63;

/// Stands before the number of a refusal from an earlier incarnation.
const EARLIER: char = 'b';

/// A refusal's number as people write it: that of the change, or `b1`, `b2` for those of an earlier incarnation.
pub fn number_of(seq: u64) -> String {
    match seq.checked_sub(REFUSED_BEFORE) {
        None => seq.to_string(),
        Some(nth) => format!("{EARLIER}{}", nth + 1),
    }
}

/// Reads [`number_of`] back; none for anything else.
pub fn read_number(written: &str) -> Option<u64> {
    match written.trim().strip_prefix(EARLIER) {
        Some(nth) => nth.parse::<u64>().ok()?.checked_sub(1)?.checked_add(REFUSED_BEFORE),
        None => written.trim().parse().ok().filter(|seq| *seq < REFUSED_BEFORE),
    }
}

impl Ledger {
    /// Changes that the hub refused and nobody has dealt with yet, by number, with the reason.
    ///
    /// # Errors
    /// When the store fails.
    pub fn refused(&self) -> Result<Vec<(u64, RefusedChange)>, StoreError> {
        let mut open = self.refusals()?;
        open.retain(|(_, refusal)| refusal.end.is_none());
        Ok(open)
    }

    /// All that the hub ever refused, those that were dealt with too, by number.
    ///
    /// # Errors
    /// When the store fails.
    pub fn refusals(&self) -> Result<Vec<(u64, RefusedChange)>, StoreError> {
        self.store
            .scan(key::REFUSED)
            .map(|row| {
                let (row_key, value) = row?;
                let seq = row_key.get(1..9).and_then(|bytes| bytes.try_into().ok()).map(u64::from_be_bytes);
                let refusal = RefusedChange::decode(value).ok();
                seq.zip(refusal).ok_or(StoreError::Row("refused"))
            })
            .collect()
    }

    /// The refusal under a number.
    pub(super) fn refusal(&self, seq: u64) -> Result<Option<RefusedChange>, StoreError> {
        let row = self.store.get(&key::refused(seq))?;
        row.map(|row| RefusedChange::decode(row).map_err(|_| StoreError::Row("refused"))).transpose()
    }

    /// Ends a refusal: it was sent again, or somebody lets go of it. False where there is none open under this number.
    ///
    /// # Errors
    /// When the disk fails; then it stays open.
    pub fn end_refusal(&self, seq: u64, end: RefusalEnd) -> Result<bool, LedgerError> {
        Ok(self.end_refusals([(seq, end)])? == 1)
    }

    /// Ends several with one sync; how many were open.
    ///
    /// # Errors
    /// When the disk fails; then all stay open.
    pub(super) fn end_refusals(&self, ends: impl IntoIterator<Item = (u64, RefusalEnd)>) -> Result<u64, LedgerError> {
        let mut inner = self.inner();
        let (mut entries, mut rows) = (Vec::new(), sled::Batch::default());
        for (seq, end) in ends {
            let Some(refusal) = self.refusal(seq)?.filter(|refusal| refusal.end.is_none()) else { continue };
            let payload = RefusedChange { end: Some(end), ..refusal }.encode_to_vec();
            rows.insert(key::refused(seq), payload.as_slice());
            entries.push(Entry::Refused(seq, payload));
        }
        if entries.is_empty() {
            return Ok(0);
        }
        inner.journal.append(&entries, LogDigest::default())?;
        // The journal has it: a store that fails now is rebuilt from there.
        if let Err(error) = self.store.apply(rows) {
            self.store_failed(&error);
        }
        Ok(entries.len() as u64)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back() {
        for seq in [1, 17, REFUSED_BEFORE - 1, REFUSED_BEFORE, REFUSED_BEFORE + 4] {
            assert_eq!(read_number(&number_of(seq)), Some(seq));
        }
        assert_eq!(number_of(REFUSED_BEFORE), "b1");
        for wrong in ["", "b", "b0", "-1", "x", "9223372036854775808"] {
            assert_eq!(read_number(wrong), None, "{wrong}");
        }
    }
}
