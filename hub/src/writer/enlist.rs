//! Entries of the roll: retirements and used tokens, and what comes back of it.
//! Invariant: an entry is in the same commit as the row that it speaks of.

use super::commit::Commit;
use crate::{
    roll,
    rows::{NodeRow, TokenRow, meta},
    store::{Space, StoreError},
};
use prost::Message;
use taizhang_proto::pb::{Hello, Roll};

impl Commit<'_> {
    /// The roll as it stands in the commit.
    fn roll(&self) -> Roll {
        self.new_roll.clone().unwrap_or_else(|| Roll::clone(&self.core.roll()))
    }

    fn put_roll(&mut self, roll: Roll) {
        let sealed = roll::seal(&self.core.lineage.secret(), &roll);
        self.set.put(Space::Documents, roll::KIND.as_bytes(), sealed);
        self.new_roll = Some(roll);
    }

    /// Puts somebody on the roll, retired since `at` or, with 0, serving again.
    pub(super) fn enlist_retired(&mut self, id: &str, at: u64) {
        let mut roll = self.roll();
        roll::retire(&mut roll, id, at);
        self.put_roll(roll);
    }

    /// Puts a token, and on the roll once it was used.
    pub(super) fn put_token(&mut self, hash: &[u8; 32], row: &TokenRow) {
        self.set.put(Space::Tokens, *hash, row.encode_to_vec());
        if !row.used_for.is_empty() {
            let mut roll = self.roll();
            roll::used(&mut roll, hash, row, self.core.now());
            self.put_roll(roll);
        }
    }

    /// Since when the roll has had somebody retired, seconds since 1970, 0 when it serves again; none when it does not name it.
    pub(super) fn retired_since(&self, id: &str) -> Option<u64> {
        self.roll().retired.iter().find(|one| one.id == id).map(|one| one.at)
    }

    /// Takes back a roll that this hub once sealed and has lost; anything else is left.
    pub(super) fn recover_roll(&mut self, sealed: &[u8]) -> Result<(), StoreError> {
        let Some(theirs) = roll::read(&self.core.lineage.secret(), sealed) else { return Ok(()) };
        let Some(merged) = roll::merge(&self.roll(), &theirs) else { return Ok(()) };
        for one in &merged.retired {
            if let Some(row) = self.node(&one.id)?.filter(|row| row.retired != one.at) {
                self.put_node(NodeRow { retired: one.at, ..row });
            }
        }
        tracing::warn!(version = merged.version, "retirements and used tokens came back that this store had lost");
        self.put_roll(merged);
        self.find_older(
            "名册中有本级已丢失的停用或令牌 (its children knew of retirements or tokens that it had lost)",
            None,
        )
    }

    /// Whether this hub has found itself older than its children, and nobody has looked.
    pub(super) fn is_older(&self) -> Result<bool, StoreError> {
        Ok(self.view.get(Space::Meta, meta::OLDER)?.is_some_and(|why| !why.is_empty()))
    }

    /// Takes note that this hub is older than its children: nobody is enrolled until somebody has looked. Who looked in the stretch
    /// of history that runs, or in one that began after what the child that greets had heard was lost, has seen it.
    pub(super) fn find_older(&mut self, why: &str, greeting: Option<&Hello>) -> Result<(), StoreError> {
        if self.is_older()? {
            return Ok(());
        }
        let lineage = &self.core.lineage;
        let sees = |stretch: &[u8]| {
            stretch == lineage.current() || greeting.is_some_and(|hello| lineage.lost_before(hello, stretch))
        };
        if self.view.get(Space::Meta, meta::CONFIRMED)?.is_some_and(|looked| sees(&looked)) {
            return Ok(());
        }
        tracing::error!(why, "this hub is older than its children; it enrols nobody until it is told `confirm`");
        self.set.put(Space::Meta, meta::OLDER, why.as_bytes());
        Ok(())
    }
}
