//! What a commit does across districts. At a district: letters in and out, keys, marks, transfers. At a city: mail.
//! Invariants: a letter leaves the outbox only when its purpose is fulfilled; what it says of totals has the revision
//! of the cells that it belongs to; rows read here are those of this commit.

mod intake;
mod keys;
mod marks;
mod note;
mod office;
mod ruling;
mod transfer;

use super::{Answer, WriteError, commit::Commit};
use crate::{
    mail::outbox::is_counted,
    mail::rows::{DeskRow, NeighbourRow, kind, under, under_revision},
    rows::meta,
    store::{Space, StoreError},
};
use bytes::Bytes;
use prost::Message;
use std::collections::HashMap;
use taizhang_proto::{
    OrgCode,
    pb::{self, LetterKind},
    record::Revision,
};

/// What one commit holds of what goes across districts.
#[derive(Default)]
pub(super) struct Across {
    /// Rows written in this commit: one read after another sees them.
    rows: HashMap<(Space, Vec<u8>), Option<Vec<u8>>>,
    /// Letters to be sent, with their text in the clear.
    letters: Vec<pb::Letter>,
}

/// What a parent said, checked and opened.
pub enum News {
    /// Hubs below the same parent.
    Neighbours(Vec<NeighbourRow>),
    /// A letter, with its text in the clear in place of what was sealed.
    Letter(pb::Letter),
    /// Who counts which mark.
    Rulings(Vec<pb::MarkRuling>),
    /// What every hub is told of the mark keys: before the letters, whose keys are only taken from the hub that makes them, and
    /// whose questions are of later than the keys that go.
    Keys {
        /// Unit of the hub that makes the mark keys.
        key_holder: u64,
        /// Every hub has re-marked up to this one.
        generation: u32,
    },
    /// How far the mail reaches: behind all of it.
    Heard {
        /// Everything up to this revision of the parent has been sent.
        upto: u64,
        /// The parent's epoch.
        epoch: Vec<u8>,
    },
    /// The parent was restored from an old backup: it is to say everything it holds again.
    Forget,
}

impl Commit<'_> {
    /// A row as this commit sees it.
    pub(in crate::writer) fn kept<M: Message + Default>(
        &self,
        space: Space,
        key: &[u8],
    ) -> Result<Option<M>, StoreError> {
        let row = match self.across.rows.get(&(space, key.to_vec())) {
            Some(row) => row.clone().map(Bytes::from),
            None => self.view.get(space, key)?,
        };
        row.map(|row| M::decode(row).map_err(|_| StoreError::Row(space))).transpose()
    }

    pub(in crate::writer) fn keep_row(&mut self, space: Space, key: Vec<u8>, row: &impl Message) {
        self.across.rows.insert((space, key), Some(row.encode_to_vec()));
    }

    fn keep_bytes(&mut self, space: Space, key: Vec<u8>, row: Vec<u8>) {
        self.across.rows.insert((space, key), Some(row));
    }

    fn forget(&mut self, space: Space, key: Vec<u8>) {
        self.across.rows.insert((space, key), None);
    }

    fn desk(&self) -> Result<DeskRow, StoreError> {
        Ok(self.kept(Space::Meta, meta::DESK)?.unwrap_or_default())
    }

    fn keep_desk(&mut self, desk: &DeskRow) {
        self.keep_row(Space::Meta, meta::DESK.to_vec(), desk);
    }

    /// Every neighbour that is known, this hub not among them.
    fn neighbours(&self) -> Result<Vec<u64>, StoreError> {
        let own = self.core.unit.number();
        let known = self.view.prefix(Space::Neighbours, &[]).map(|row| {
            let row = NeighbourRow::decode(row?.1).map_err(|_| StoreError::Row(Space::Neighbours))?;
            Ok(row.unit)
        });
        let known: Vec<u64> = known.collect::<Result<_, StoreError>>()?;
        Ok(known.into_iter().filter(|unit| *unit != own).collect())
    }

    /// The neighbour that a unit belongs to.
    fn neighbour_of(&self, unit: OrgCode) -> Result<Option<u64>, StoreError> {
        let covers = |code: &u64| OrgCode::new(*code).is_ok_and(|district| district.covers(unit));
        Ok(self.neighbours()?.into_iter().find(covers))
    }

    /// Puts a letter into the outbox; one with the same id is replaced and goes again.
    fn send(&mut self, letter: pb::Letter) {
        self.across.letters.retain(|other| other.id != letter.id);
        self.across.letters.push(letter);
    }

    fn is_in_outbox(&self, id: &[u8]) -> Result<bool, StoreError> {
        let waiting = self.across.letters.iter().any(|letter| letter.id[..] == *id);
        Ok(waiting || self.kept::<pb::Letter>(Space::Outbox, &under(kind::LETTER, id))?.is_some())
    }

    /// Takes a letter out of the outbox: its purpose is fulfilled.
    fn unsend(&mut self, id: &[u8]) -> Result<(), StoreError> {
        self.across.letters.retain(|letter| letter.id[..] != *id);
        let key = under(kind::LETTER, id);
        if let Some(letter) = self.kept::<pb::Letter>(Space::Outbox, &key)? {
            self.forget(Space::Outbox, under_revision(kind::BY_REVISION, letter.revision, id));
            self.forget(Space::Outbox, key);
        }
        Ok(())
    }

    /// Gives letters their revisions and writes the rows. Called once the cells have theirs: what changes totals gets
    /// the revision of the cells, so a parent takes both in one commit.
    pub(super) fn write_letters(&mut self, before_cells: Revision) -> Result<(), StoreError> {
        let mut letters = std::mem::take(&mut self.across.letters);
        letters.sort_by_key(|letter| !is_counted(letter));
        let cells = Some(self.newest_revision()).filter(|revision| *revision > before_cells);
        let mut reached = None;
        for mut letter in letters {
            let revision = match (reached, cells) {
                (None, Some(revision)) => revision,
                _ if is_counted(&letter) && reached.is_some() => reached.unwrap_or_default(),
                _ => self.take_revisions(1),
            };
            reached = Some(revision);
            let id = letter.id.to_vec();
            self.unsend(&id)?;
            letter.revision = revision;
            self.keep_bytes(Space::Outbox, under_revision(kind::BY_REVISION, revision, &id), Vec::new());
            self.keep_row(Space::Outbox, under(kind::LETTER, &id), &letter);
        }
        if let Some(reached) = reached {
            self.set.put(Space::Meta, meta::CELLS, reached.to_be_bytes());
        }
        for ((space, key), row) in std::mem::take(&mut self.across.rows) {
            match row {
                Some(row) => self.set.put(space, key, row),
                None => self.set.remove(space, key),
            }
        }
        Ok(())
    }

    /// Takes what the parent said.
    pub(super) fn take_news(&mut self, news: Vec<News>) -> Result<Answer, WriteError> {
        for one in news {
            match one {
                News::Neighbours(rows) => self.take_neighbours(rows)?,
                News::Letter(letter) => self.take_letter(&letter)?,
                News::Rulings(rulings) => self.take_rulings(&rulings)?,
                News::Keys { key_holder, generation } => {
                    let desk = DeskRow { key_holder, ..self.desk()? };
                    self.settle_keys(desk, generation)?;
                }
                News::Heard { upto, epoch } => {
                    let desk = DeskRow { mailed: upto, epoch, ..self.desk()? };
                    self.keep_desk(&desk);
                }
                News::Forget => {
                    let mut desk = self.desk()?;
                    desk.mailed = 0;
                    self.say_ruled_again(&mut desk)?;
                    self.keep_desk(&desk);
                }
            }
        }
        self.inspect_all()?;
        Ok(Answer::Done)
    }

    /// Keeps neighbours that are new or have a newer certificate; what was written to such a one goes again, sealed to
    /// its key.
    fn take_neighbours(&mut self, rows: Vec<NeighbourRow>) -> Result<(), StoreError> {
        let mut fresh = Vec::new();
        for row in rows {
            let key = row.unit.to_be_bytes();
            let known: Option<NeighbourRow> = self.kept(Space::Neighbours, &key)?;
            let changed = known.as_ref().is_none_or(|known| known.key != row.key);
            if let Some(known) = known.filter(|known| known.key != row.key) {
                tracing::warn!(unit = row.unit, newer = row.from > known.from, "a neighbour's key has changed");
                if row.from <= known.from {
                    continue;
                }
            }
            if changed {
                fresh.push(row.unit);
            }
            self.keep_row(Space::Neighbours, key.to_vec(), &row);
        }
        if fresh.is_empty() {
            return Ok(());
        }
        for row in self.view.prefix(Space::Outbox, &[kind::LETTER]) {
            let letter = pb::Letter::decode(row?.1).map_err(|_| StoreError::Row(Space::Outbox))?;
            if fresh.contains(&letter.to) {
                self.send(letter);
            }
        }
        Ok(())
    }

    /// Keeps a letter on which this hub has failed.
    pub(super) fn leave_unread(&mut self, letter: &pb::Letter) {
        self.keep_row(Space::Transfers, unread(letter), letter);
    }

    fn take_letter(&mut self, letter: &pb::Letter) -> Result<(), StoreError> {
        #[cfg(test)]
        crate::writer::tests::trip(&letter.sealed)?;
        let left = unread(letter);
        if self.kept::<pb::Letter>(Space::Transfers, &left)?.is_some() {
            self.forget(Space::Transfers, left);
        }
        match letter.kind() {
            LetterKind::KeyAsked => self.give_keys(letter.from),
            LetterKind::Key => self.take_keys(letter),
            LetterKind::OfferOut => self.take_offer(letter),
            LetterKind::Wanted => self.release(letter),
            LetterKind::Returned => self.take_return(letter),
            LetterKind::Released => self.take_in(letter),
            LetterKind::Taken => self.take_taken(letter),
            LetterKind::Note => self.take_note(letter),
            LetterKind::Remarked | LetterKind::LetterUnknown => Ok(()),
        }
    }
}

/// Where a letter lies that could not be taken: by sender and id.
fn unread(letter: &pb::Letter) -> Vec<u8> {
    under(kind::UNREAD, &[&letter.from.to_be_bytes()[..], &letter.id].concat())
}

/// A letter without a text.
fn letter(kind: LetterKind, to: u64, transfer: &[u8], id: Vec<u8>) -> pb::Letter {
    pb::Letter {
        id: id.into(),
        to,
        kind: kind.into(),
        transfer: Bytes::copy_from_slice(transfer),
        ..pb::Letter::default()
    }
}
