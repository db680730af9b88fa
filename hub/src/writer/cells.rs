//! A child hub's cells, by value: idempotent, so a repeated or reordered batch does no harm.
//! Invariant: whatever a child says, it stays within its own subtree, within a number of cells that follows from its units,
//! and out of the sums where no honest count could be (`taizhang_proto::cell::bounds`). What is out of bounds is kept as
//! it was said, so that both sides' digests agree and nobody says it again and again.

use super::{Answer, Peer, WriteError, pad::Pad};
use crate::{
    rows::{NodeRow, OwnCell},
    store::{Space, StoreError},
};
use bytes::Bytes;
use taizhang_proto::{
    OrgCode,
    cell::{CellKey, bounds},
    pb::{self, MonthText},
    session::MAX_NUMBER,
};

/// Cells of a child for each unit that it has, on the average. One unit alone may hold more.
const CELLS_A_UNIT: u64 = if cfg!(test) { 100 } else { 20_000 };
/// Cells that every child may have. Both are small in unit tests, so that they cross them.
const CELLS_AT_LEAST: u64 = if cfg!(test) { 1_000 } else { 500_000 };

impl Pad<'_> {
    /// Takes every cell of a unit's subtree to zero, and forgets those that were zero when the last month was locked: nobody
    /// has to hear of them any more.
    pub(super) fn clear_cells(&mut self, unit: OrgCode) -> Result<u64, StoreError> {
        let locked = self.core.months().texts().last().map_or(u64::MAX, |text: MonthText| text.revision);
        let (from, to) = (unit.number().to_be_bytes(), (unit.last() + 1).to_be_bytes());
        let rows: Vec<(CellKey, OwnCell)> = self
            .view
            .range(Space::Own, &from, &to)
            .filter_map(|row| match row {
                Ok((key, value)) => Some(Ok((CellKey::from_slice(&key)?, OwnCell::from_slice(&value)?))),
                Err(error) => Some(Err(error)),
            })
            .collect::<Result<_, _>>()?;
        // What was false is looked at again.
        let refuted = self.aside()?.refuted.into_iter().filter(|one| one.child == unit.number());
        let pairs = refuted.filter_map(|one| Some((OrgCode::new(one.unit).ok()?, u16::try_from(one.part).ok()?)));
        self.unjudged.extend(pairs);
        let mut left = 0;
        for (key, cell) in rows {
            if cell.value == 0 && cell.revision <= locked && !self.is_on_pad(key) {
                self.forget_cell(key, cell.revision);
            } else {
                left += 1;
                self.set_cell(key, 0)?;
            }
        }
        Ok(left)
    }

    /// How many cells a child may have.
    fn room(&self, unit: OrgCode) -> u64 {
        let units = self.tree.below(unit).count() as u64;
        units.saturating_mul(CELLS_A_UNIT).max(CELLS_AT_LEAST)
    }

    /// How many cells a child has, counted where that was never kept.
    fn held(&self, peer: &Peer, node: &NodeRow) -> Result<u64, StoreError> {
        if node.cells > 0 {
            return Ok(node.cells);
        }
        let (from, to) = (peer.unit.number().to_be_bytes(), (peer.unit.last() + 1).to_be_bytes());
        let mut held = 0;
        for row in self.view.range(Space::Own, &from, &to) {
            row?;
            held += 1;
        }
        Ok(held)
    }

    pub(super) fn take_cells(
        &mut self,
        peer: &Peer,
        (last, stretch): (u64, &[u8]),
        cells: &[pb::CellValue],
        letters: Vec<pb::Letter>,
        (marks, marked): (&[pb::MarkValue], u64),
    ) -> Result<Answer, WriteError> {
        let mut node = self.node(&peer.id)?.ok_or_else(|| WriteError::Unknown(peer.id.clone()))?;
        if last > MAX_NUMBER || marked > MAX_NUMBER {
            node.incidents = node.incidents.saturating_add(1);
            tracing::warn!(node = %peer.id, unit = %peer.unit, "a child says that it has counted further than anybody can");
            self.put_node(node);
            return Err(WriteError::Beyond);
        }
        let (refused, beyond) = (node.refused, node.beyond);
        node.cells = if cells.is_empty() { node.cells } else { self.held(peer, &node)? };
        let room = self.room(peer.unit);
        for cell in cells {
            self.take_cell(peer, cell, &mut node, room)?;
        }
        if node.refused > refused || node.beyond > beyond {
            tracing::warn!(
                node = %peer.id, unit = %peer.unit, refused = node.refused - refused, beyond = node.beyond,
                "a child says what can't be: it is in no total"
            );
            node.incidents = node.incidents.saturating_add(1);
        }
        self.take_letters(peer, letters, &mut node)?;
        self.take_marks(peer, marks, marked, &mut node)?;
        let first = node.acknowledged.saturating_add(1);
        node.acknowledged = node.acknowledged.max(last);
        node.stretch = stretch.to_vec();
        self.judge_now |= last >= node.announced;
        let verdicts = pb::Verdicts {
            first,
            last: node.acknowledged,
            received: self.core.now(),
            log_digest: Bytes::new(),
            node: node.number,
            ..pb::Verdicts::default()
        };
        self.put_node(node);
        Ok(Answer::Verdicts(vec![verdicts]))
    }

    fn take_cell(
        &mut self,
        peer: &Peer,
        cell: &pb::CellValue,
        node: &mut NodeRow,
        room: u64,
    ) -> Result<(), StoreError> {
        let unit = OrgCode::new(cell.unit).ok().filter(|unit| peer.unit.covers(*unit));
        let (Some(unit), Ok(part)) = (unit, u16::try_from(cell.part)) else {
            // A hub may speak for its own subtree only, whatever it sends.
            node.refused = node.refused.saturating_add(1);
            return Ok(());
        };
        let key = CellKey { unit, part, date: cell.date };
        let (known, before) = self.known_cell(key)?;
        if before == cell.value {
            return Ok(());
        }
        if !known && before == 0 {
            if node.cells >= room {
                node.refused = node.refused.saturating_add(1);
                return Ok(());
            }
            node.cells += 1;
        }
        match (bounds::is_plausible(key, before), bounds::is_plausible(key, cell.value)) {
            (true, false) => node.beyond = node.beyond.saturating_add(1),
            (false, true) => node.beyond = node.beyond.saturating_sub(1),
            _ => {}
        }
        if bounds::is_never_negative(part) {
            self.unjudged.insert((unit, part));
        }
        self.set_cell(key, cell.value)
    }
}
