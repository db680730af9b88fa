//! The city's side of marks: which hub counts a mark that two or more hold.
//! Invariants: a ruling follows from the holders alone, not from the order in which they were heard; every holder is
//! told whenever it changes; nothing here knows whose mark it is.

use super::super::{Peer, WriteError, pad::Pad};
use crate::{
    mail::rows::{CityMark, Holder, MARK, MailRow, kind, mail_at, mark_key, under},
    rows::NodeRow,
    store::{Space, StoreError},
};
use prost::Message;
use std::cmp::Reverse;
use taizhang_proto::{OrgCode, pb};

/// How far a hub's mark key may be ahead of what all hubs have.
pub(super) const MAX_AHEAD: u32 = 8;

/// Who counts: at home first, then who took in last, then who registered first, then the lowest unit.
fn first_of(holders: &[Holder]) -> Option<u64> {
    let rank = |holder: &&Holder| {
        let latest = if holder.taken_in { Reverse(holder.since) } else { Reverse(0) };
        (!holder.at_home, !holder.taken_in, latest, holder.since, holder.unit)
    };
    holders.iter().min_by_key(rank).map(|holder| holder.unit)
}

impl Pad<'_> {
    /// Takes a child hub's marks, by value.
    pub(in crate::writer) fn take_marks(
        &mut self,
        peer: &Peer,
        marks: &[pb::MarkValue],
        marked: u64,
        node: &mut NodeRow,
    ) -> Result<(), WriteError> {
        let generation = self.office()?.generation;
        for value in marks {
            let known = (generation.max(1)..=generation.saturating_add(MAX_AHEAD)).contains(&value.generation);
            if value.mark.len() != MARK || !matches!(value.kind, 1 | 2) {
                node.refused += 1;
                continue;
            }
            if known {
                self.take_mark(peer.unit.number(), value)?;
            }
        }
        node.marked = node.marked.max(marked);
        Ok(())
    }

    fn take_mark(&mut self, unit: u64, value: &pb::MarkValue) -> Result<(), StoreError> {
        let key = under(kind::HOLDERS, &mark_key(value.generation, value.kind, &value.mark));
        let mut row: CityMark = self.kept(Space::Marks, &key)?.unwrap_or_default();
        let place = row.holders.binary_search_by_key(&unit, |holder| holder.unit);
        let mut holder = Holder { unit, at_home: value.at_home, since: value.since, taken_in: value.taken_in, told: 0 };
        let several = row.holders.len();
        match (place, value.gone) {
            (Ok(place), true) => {
                row.holders.remove(place);
            }
            (Ok(place), false) => {
                holder.told = row.holders[place].told;
                if row.holders[place] == holder {
                    return self.correct(unit, value, &key, row);
                }
                row.holders[place] = holder;
            }
            (Err(_), true) => return Ok(()),
            (Err(place), false) => row.holders.insert(place, holder),
        }
        self.rule(&key, row, several)?;
        match self.kept(Space::Marks, &key)? {
            Some(row) => self.correct(unit, value, &key, row),
            None => Ok(()),
        }
    }

    /// Tells a hub what stands where it goes by another ruling: one that this hub has lost, or that its holders outlived.
    fn correct(&mut self, unit: u64, value: &pb::MarkValue, key: &[u8], mut row: CityMark) -> Result<(), StoreError> {
        if value.counts_at != 0 && value.counts_at != row.counts_at {
            self.tell_holders(key, &mut row, |holder| holder.unit == unit)?;
            self.keep_row(Space::Marks, key.to_vec(), &row);
        }
        Ok(())
    }

    /// Rules on a mark whose holders have changed, and keeps it.
    fn rule(&mut self, key: &[u8], mut row: CityMark, several: usize) -> Result<(), StoreError> {
        let counts_at = if row.holders.len() > 1 { first_of(&row.holders).unwrap_or(0) } else { 0 };
        if counts_at != row.counts_at || (row.holders.len() > 1 && row.holders.len() != several) {
            row.counts_at = counts_at;
            self.tell_holders(key, &mut row, |_| true)?;
        }
        if row.holders.is_empty() {
            self.forget(Space::Marks, key.to_vec());
        } else {
            self.keep_row(Space::Marks, key.to_vec(), &row);
        }
        Ok(())
    }

    fn tell_holders(
        &mut self,
        key: &[u8],
        row: &mut CityMark,
        whom: impl Fn(&Holder) -> bool,
    ) -> Result<(), StoreError> {
        let parts = key.get(1..).and_then(crate::mail::rows::parts_of).ok_or(StoreError::Row(Space::Marks))?;
        let ruling = pb::MarkRuling {
            generation: parts.0,
            kind: parts.1,
            mark: parts.2.to_vec().into(),
            counts_at: row.counts_at,
            holders: row.holders.iter().map(|holder| holder.unit).collect(),
        };
        for holder in row.holders.iter_mut().filter(|holder| whom(holder)) {
            if holder.told > 0 {
                self.forget(Space::Mailbox, mail_at(holder.unit, holder.told));
            }
            holder.told = self.post(holder.unit, MailRow { ruling: Some(ruling.clone()), ..MailRow::default() });
        }
        Ok(())
    }

    /// Forgets marks under keys that no hub uses any more: every hub holds the rulings under the later ones.
    pub(super) fn forget_marks_before(&mut self, generation: u32) -> Result<(), StoreError> {
        let (from, to) = (under(kind::HOLDERS, &[]), under(kind::HOLDERS, &generation.to_be_bytes()));
        let old: Vec<_> = self.view.range(Space::Marks, &from, &to).collect::<Result<_, _>>()?;
        for (key, _) in old {
            self.forget(Space::Marks, key.to_vec());
        }
        Ok(())
    }

    /// A child hub says everything anew: what it does not say again is gone.
    pub(in crate::writer) fn forget_marks_of(&mut self, unit: OrgCode) -> Result<(), StoreError> {
        let held: Vec<_> = self.view.prefix(Space::Marks, &[kind::HOLDERS]).collect::<Result<_, _>>()?;
        for (key, value) in held {
            let row = CityMark::decode(value).map_err(|_| StoreError::Row(Space::Marks))?;
            let mut row = self.kept(Space::Marks, &key)?.unwrap_or(row);
            let several = row.holders.len();
            row.holders.retain(|holder| holder.unit != unit.number());
            if row.holders.len() != several {
                self.rule(&key, row, several)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holder(unit: u64, at_home: bool, taken_in: bool, since: u64) -> Holder {
        Holder { unit, at_home, since, taken_in, told: 0 }
    }

    #[test]
    fn home_comes_first_then_the_latest_transfer_then_the_earliest_registration_then_the_lowest_unit() {
        assert_eq!(first_of(&[]), None);
        let mut holders = vec![holder(4, false, false, 10), holder(3, false, false, 10)];
        assert_eq!(first_of(&holders), Some(3));
        holders.push(holder(5, false, false, 9));
        assert_eq!(first_of(&holders), Some(5));
        holders.extend([holder(6, false, true, 20), holder(7, false, true, 30)]);
        assert_eq!(first_of(&holders), Some(7));
        holders.push(holder(8, true, false, 99));
        assert_eq!(first_of(&holders), Some(8));
        holders.reverse();
        assert_eq!(first_of(&holders), Some(8));
    }
}
