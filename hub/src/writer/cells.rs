//! A child hub's cells, by value: idempotent, so a repeated or reordered batch does no harm.

use super::{Answer, Peer, WriteError, pad::Pad};
use crate::store::{Space, StoreError};
use bytes::Bytes;
use taizhang_proto::{OrgCode, cell::CellKey, pb};

/// No hub counts this far; larger numbers could overflow.
const MAX_REVISION: u64 = 1 << 62;

/// No cell of a city counts this many; larger values could overflow the sums.
const MAX_VALUE: u64 = 1 << 40;

impl Pad<'_> {
    /// Takes every cell of a unit's subtree to zero.
    pub(super) fn clear_cells(&mut self, unit: OrgCode) -> Result<(), StoreError> {
        let (from, to) = (unit.number().to_be_bytes(), (unit.last() + 1).to_be_bytes());
        let keys: Vec<Option<CellKey>> = self
            .view
            .range(Space::Own, &from, &to)
            .map(|row| row.map(|(key, _)| CellKey::from_slice(&key)))
            .collect::<Result<_, _>>()?;
        for key in keys.into_iter().flatten() {
            self.set_cell(key, 0)?;
        }
        Ok(())
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
        for cell in cells {
            let unit = OrgCode::new(cell.unit).ok().filter(|unit| peer.unit.covers(*unit));
            let sane = cell.value.unsigned_abs() < MAX_VALUE;
            let (Some(unit), Ok(part), true) = (unit, u16::try_from(cell.part), sane) else {
                // A hub may speak for its own subtree only, whatever it sends.
                node.refused += 1;
                continue;
            };
            self.set_cell(CellKey { unit, part, date: cell.date }, cell.value)?;
        }
        self.take_letters(peer, letters, &mut node)?;
        self.take_marks(peer, marks, marked.min(MAX_REVISION), &mut node)?;
        let first = node.acknowledged + 1;
        node.acknowledged = node.acknowledged.max(last.min(MAX_REVISION));
        node.stretch = stretch.to_vec();
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
}
