//! Two records with one unique number: both stay, the one that came later is contested.

use super::{Finding, Stays};
use crate::{
    store::StoreError,
    writer::{
        commit::{Known, Reading},
        conflicts,
    },
};
use std::collections::HashSet;
use taizhang_proto::{
    RecordId,
    cell::{Shelf, contest_key, meet, survivor},
    pb::ConflictKind,
    register::{PERSON, field, number},
};

impl Known<'_, '_> {
    pub(super) fn find_duplicates(
        self,
        id: RecordId,
        register: u32,
        found: &mut Vec<Finding>,
    ) -> Result<(), StoreError> {
        let mut rivals = self.rivals(id)?;
        if register == number::HELD_CERTIFICATE {
            // Each kind has its own numbers, and one person may have been entered twice with one.
            let (kind, person) = self.held(id)?;
            let mut theirs = Vec::new();
            for rival in rivals {
                let other = self.held(rival.0)?;
                if other.0 == kind && other.1 != person {
                    theirs.push(rival);
                }
            }
            rivals = theirs;
        }
        let kind = match register {
            number::HOUSEHOLD => ConflictKind::SameHousehold,
            number::CREDENTIAL | number::HELD_CERTIFICATE => ConflictKind::Certificate,
            _ => ConflictKind::Duplicate,
        };
        if rivals.is_empty() && self.is_new(id) {
            return Ok(());
        }
        let key = |id| -> Result<_, StoreError> {
            let record = Reading(&self).record(id)?;
            record.map_or(Ok(None), |record| contest_key(&Reading(&self), id, &record))
        };
        let own = key(id)?;
        let mut standing = HashSet::new();
        for (other, tag) in rivals {
            let (Some(own), Some(theirs)) = (own, key(other)?) else { continue };
            // Who left one register before coming to the other is in no two at a time.
            let follow = matches!(register, number::RESIDENT | number::HOUSEHOLD);
            if follow && !meet(&Reading(&self), id, other)? {
                continue;
            }
            let (later, earlier) = if own > theirs { (id, other) } else { (other, id) };
            // A question is about the later one; where that has changed, the old one is over.
            if later == id {
                standing.insert(other);
            }
            let note = match kind {
                _ if register == number::HELD_CERTIFICATE => {
                    "同一证件登记在两人名下 (two persons hold one certificate: check for fraud)"
                }
                ConflictKind::Certificate if !self.is_same_assistant(later, earlier)? => {
                    "同一证书编号登记在两人名下 (one certificate number, two persons: check for fraud)"
                }
                ConflictKind::Certificate => "同一证书在两个工作站使用 (one certificate at two stations)",
                _ => "唯一编号重复 (one unique number in two records)",
            };
            found.push(Finding::Ask(self.question(kind, later, Some(earlier), &[tag], note)?));
        }
        let stays = Stays { by_field: standing, by_whole: self.still_sharing(id, kind)? };
        found.push(Finding::Over { id, kind, stays });
        Ok(())
    }

    /// The kind of a certificate that somebody holds, and who.
    fn held(self, id: RecordId) -> Result<(Option<bytes::Bytes>, Option<RecordId>), StoreError> {
        let Some(record) = self.record(id)? else { return Ok((None, None)) };
        let person = record.reference(PERSON).map(|person| survivor(&Reading(&self), person)).transpose()?;
        Ok((record.bytes(field::held_certificate::KIND).cloned(), person))
    }

    /// The households with which one was found to share adults and still does.
    fn still_sharing(self, id: RecordId, kind: ConflictKind) -> Result<HashSet<RecordId>, StoreError> {
        let mut sharing = HashSet::new();
        if kind != ConflictKind::SameHousehold || !self.stands(id)? {
            return Ok(sharing);
        }
        for open in conflicts::open_of(&self, id, kind)?.into_iter().filter(|open| open.tags.is_empty()) {
            let Some(other) = RecordId::from_slice(&open.other) else { continue };
            if self.stands(other)? && self.shared_adults(id, other)? >= 2 {
                sharing.insert(other);
            }
        }
        Ok(sharing)
    }

    /// Whether two certificates belong to the same person.
    fn is_same_assistant(self, one: RecordId, two: RecordId) -> Result<bool, StoreError> {
        let mut holders = Vec::new();
        for credential in [one, two] {
            let assistant = self.record(credential)?.and_then(|record| record.reference(field::credential::ASSISTANT));
            let Some(assistant) = assistant else { return Ok(false) };
            let record = self.record(assistant)?;
            // The id number where both have one, else the name.
            holders.push(record.map(|record| {
                (record.bytes(field::assistant::ID_NO).cloned(), record.bytes(field::assistant::NAME).cloned())
            }));
        }
        let [Some((id, name)), Some((other_id, other_name))] = &holders[..] else { return Ok(false) };
        Ok(match (id, other_id) {
            (Some(id), Some(other)) => id == other,
            _ => name == other_name,
        })
    }
}
