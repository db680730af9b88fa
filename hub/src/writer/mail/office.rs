//! The city's side: letters from one child hub to another, what counts here while a transfer is under way, and what
//! every child hub is told.
//! Invariants: `from` is what the certificate says; a letter said again takes the place of the first; a transfer
//! counts here exactly while its old hub has let go and its new one has not taken it in, in whatever order that is
//! heard.

use super::super::{Peer, WriteError, pad::Pad};
use super::ruling::MAX_AHEAD;
use crate::{
    mail::{
        envelope::MAX_SEALED,
        post,
        rows::{MailRow, OfficeRow, Remarked, TransitRow, kind, mail_at, mail_head, mail_of, under},
    },
    rows::{NodeRow, meta},
    store::{Space, StoreError},
};
use taizhang_proto::{
    OrgCode,
    cell::CellKey,
    pb::{self, LetterKind},
};

/// Most steps that one transfer moves.
const MAX_MOVED: usize = 8 * 1024;
/// No household counts this many.
const MAX_STEP: u64 = 1 << 20;
/// How long a letter stays once it was heard, seconds: a hub that was restored from an older backup hears it again.
const KEPT: u64 = 30 * 86_400;

impl Pad<'_> {
    /// Takes a child hub's letters, in the commit of the cells that came with them.
    pub(in crate::writer) fn take_letters(
        &mut self,
        peer: &Peer,
        letters: Vec<pb::Letter>,
        node: &mut NodeRow,
    ) -> Result<(), WriteError> {
        if letters.is_empty() {
            return Ok(());
        }
        let hubs: Vec<u64> = post::neighbours(self.view)?.into_iter().map(|hub| hub.unit).collect();
        for mut letter in letters {
            let sizes = letter.id.len() == 16 && (letter.transfer.is_empty() || letter.transfer.len() == 16);
            if !sizes || letter.sealed.len() > MAX_SEALED || letter.moved.len() > MAX_MOVED {
                node.refused += 1;
                continue;
            }
            letter.from = peer.unit.number();
            if letter.to == 0 {
                self.hear(&letter)?;
                continue;
            }
            if letter.to == letter.from || !hubs.contains(&letter.to) {
                node.refused += 1; // nobody would ever fetch it
                continue;
            }
            self.count_transit(&letter)?;
            letter.moved.clear();
            if !letter.sealed.is_empty() {
                self.relay(letter)?;
            }
        }
        Ok(())
    }

    /// Puts a letter into its receiver's mail.
    fn relay(&mut self, letter: pb::Letter) -> Result<(), StoreError> {
        let place = mail_of(&letter.id);
        // The senders of one id are told apart, or one hub could take out another's letter.
        let old: Option<pb::Letter> = self.kept(Space::Mailbox, &place)?;
        if let Some(old) = old.filter(|old| old.from == letter.from) {
            self.forget(Space::Mailbox, mail_at(old.to, old.revision));
        }
        let mut mark = pb::Letter { sealed: bytes::Bytes::new(), ..letter.clone() };
        mark.revision = self.post(letter.to, MailRow { letter: Some(letter), ..MailRow::default() });
        self.keep_row(Space::Mailbox, place, &mark);
        Ok(())
    }

    /// Puts a piece of mail at the end of a child's.
    pub(super) fn post(&mut self, unit: u64, mut row: MailRow) -> u64 {
        let revision = self.take_revisions(1);
        row.posted = self.core.now();
        self.keep_row(Space::Mailbox, mail_at(unit, revision), &row);
        if let Ok(unit) = OrgCode::new(unit) {
            self.keep_bytes(Space::Meta, mail_head(unit), revision.to_be_bytes().to_vec());
        }
        revision
    }

    /// Forgets mail that a child has on its disk: rulings at once, letters once no restored backup needs them.
    pub(in crate::writer) fn forget_mail(&mut self, unit: OrgCode, hello: &pb::Hello) -> Result<(), StoreError> {
        let heard_here = self.core.lineage.reaches(&hello.epoch, hello.mailed);
        if hello.mailed == 0 || !heard_here || hello.mailed > post::head(self.view, unit)? {
            return Ok(());
        }
        let unit = unit.number();
        let heard: Vec<_> = self
            .view
            .range(Space::Mailbox, &mail_at(unit, 0), &mail_at(unit, hello.mailed + 1))
            .collect::<Result<_, _>>()?;
        for (key, value) in heard {
            let row: MailRow = prost::Message::decode(value).map_err(|_| StoreError::Row(Space::Mailbox))?;
            if let Some(letter) = row.letter {
                if row.posted.saturating_add(KEPT) > self.core.now() {
                    continue;
                }
                self.forget(Space::Mailbox, mail_of(&letter.id));
            }
            self.forget(Space::Mailbox, key.to_vec());
        }
        Ok(())
    }

    /// Counts a transfer here from the moment that the old hub lets go until the new one has it.
    fn count_transit(&mut self, letter: &pb::Letter) -> Result<(), StoreError> {
        let (released, taken) = (letter.kind() == LetterKind::Released, letter.kind() == LetterKind::Taken);
        if !(released || taken) || letter.transfer.len() != 16 {
            return Ok(());
        }
        let key = under(kind::TRANSIT, &letter.transfer);
        let mut row: TransitRow = self.kept(Space::Transfers, &key)?.unwrap_or_default();
        let (from, to) = if released { (letter.from, letter.to) } else { (letter.to, letter.from) };
        let of_others = (row.from, row.to) != (0, 0) && (row.from, row.to) != (from, to);
        if of_others || (released && row.released) || (taken && row.taken) {
            return Ok(());
        }
        (row.from, row.to) = (from, to);
        let counted = row.released && !row.taken;
        if released {
            row.released = true;
            row.cells = letter.moved.iter().filter(|cell| cell.value.unsigned_abs() < MAX_STEP).copied().collect();
        }
        row.taken |= taken;
        let counts = row.released && !row.taken;
        for cell in &row.cells {
            let Ok(part) = u16::try_from(cell.part) else { continue };
            let key = CellKey { unit: self.core.unit, part, date: cell.date };
            self.add_to_cell(key, (i64::from(counts) - i64::from(counted)) * cell.value)?;
        }
        if row.taken && row.released {
            row.cells.clear();
        }
        self.keep_row(Space::Transfers, key, &row);
        Ok(())
    }

    pub(super) fn office(&self) -> Result<OfficeRow, StoreError> {
        Ok(self.kept(Space::Meta, meta::OFFICE)?.unwrap_or_default())
    }

    /// Every child hub is told on its next call.
    fn tell_everybody(&mut self, mut office: OfficeRow) {
        office.revision = self.take_revisions(1);
        self.keep_row(Space::Meta, meta::OFFICE.to_vec(), &office);
    }

    /// A child hub was given a certificate.
    pub(in crate::writer) fn note_enrolled(&mut self, row: &NodeRow) -> Result<(), StoreError> {
        if row.hub {
            let office = self.office()?;
            self.tell_everybody(office);
        }
        Ok(())
    }

    /// What a child hub says to the city itself.
    fn hear(&mut self, letter: &pb::Letter) -> Result<(), StoreError> {
        let mut office = self.office()?;
        match letter.kind() {
            // Who offers itself first makes the keys.
            LetterKind::KeyAsked if office.key_holder == 0 => {
                office.key_holder = letter.from;
                self.tell_everybody(office);
            }
            LetterKind::Remarked if letter.generation <= office.generation.saturating_add(MAX_AHEAD) => {
                let place = office.remarked.iter_mut().find(|one| one.unit == letter.from);
                match place {
                    Some(one) => one.generation = one.generation.max(letter.generation),
                    None => office.remarked.push(Remarked { unit: letter.from, generation: letter.generation }),
                }
                let done = self.remarked_by_all(&office)?;
                if done > office.generation {
                    office.generation = done;
                    self.forget_marks_before(done)?;
                    self.tell_everybody(office);
                } else {
                    self.keep_row(Space::Meta, meta::OFFICE.to_vec(), &office);
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// The generation under which every child hub stands.
    fn remarked_by_all(&self, office: &OfficeRow) -> Result<u32, StoreError> {
        let reached = |unit: u64| office.remarked.iter().find(|one| one.unit == unit).map_or(0, |one| one.generation);
        let all = post::neighbours(self.view)?;
        Ok(all.into_iter().map(|hub| reached(hub.unit)).min().unwrap_or(0))
    }
}
