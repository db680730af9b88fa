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

/// The roll as it stands in the commit.
fn roll(commit: &Commit<'_>) -> Roll {
    commit.new_roll.clone().unwrap_or_else(|| Roll::clone(&commit.core.roll()))
}

fn put_roll(commit: &mut Commit<'_>, roll: Roll) {
    let sealed = roll::seal(&commit.core.lineage.secret(), &roll);
    commit.set.put(Space::Documents, roll::KIND.as_bytes(), sealed);
    commit.new_roll = Some(roll);
}

/// Puts somebody on the roll, retired since `at` or, with 0, serving again.
pub(super) fn enlist_retired(commit: &mut Commit<'_>, id: &str, at: u64) {
    let mut roll = roll(commit);
    roll::retire(&mut roll, id, at);
    put_roll(commit, roll);
}

/// Puts a token, and on the roll once it was used.
pub(super) fn put_token(commit: &mut Commit<'_>, hash: &[u8; 32], row: &TokenRow) {
    commit.set.put(Space::Tokens, *hash, row.encode_to_vec());
    if !row.used_for.is_empty() {
        let mut roll = roll(commit);
        roll::used(&mut roll, hash, row, commit.core.now());
        put_roll(commit, roll);
    }
}

/// Since when the roll has had somebody retired, seconds since 1970, 0 when it serves again; none when it does not name it.
pub(super) fn retired_since(commit: &Commit<'_>, id: &str) -> Option<u64> {
    roll(commit).retired.iter().find(|one| one.id == id).map(|one| one.at)
}

/// Takes back a roll that this hub once sealed and has lost; anything else is left.
pub(super) fn recover_roll(commit: &mut Commit<'_>, sealed: &[u8]) -> Result<(), StoreError> {
    let Some(theirs) = roll::read(&commit.core.lineage.secret(), sealed) else { return Ok(()) };
    let Some(merged) = roll::merge(&roll(commit), &theirs) else { return Ok(()) };
    for one in &merged.retired {
        if let Some(row) = commit.node(&one.id)?.filter(|row| row.retired != one.at) {
            commit.put_node(NodeRow { retired: one.at, ..row });
        }
    }
    tracing::warn!(version = merged.version, "retirements and used tokens came back that this store had lost");
    put_roll(commit, merged);
    find_older(
        commit,
        "名册中有本级已丢失的停用或令牌 (its children knew of retirements or tokens that it had lost)",
        None,
    )
}

/// Whether this hub has found itself older than its children, and nobody has looked.
pub(super) fn is_older(commit: &Commit<'_>) -> Result<bool, StoreError> {
    Ok(commit.view.get(Space::Meta, meta::OLDER)?.is_some_and(|why| !why.is_empty()))
}

/// Takes note that this hub is older than its children: nobody is enrolled until somebody has looked. Who looked in the stretch
/// of history that runs, or in one that began after what the child that greets had heard was lost, has seen it.
pub(super) fn find_older(commit: &mut Commit<'_>, why: &str, greeting: Option<&Hello>) -> Result<(), StoreError> {
    if is_older(commit)? {
        return Ok(());
    }
    let lineage = &commit.core.lineage;
    let sees = |stretch: &[u8]| {
        stretch == lineage.current() || greeting.is_some_and(|hello| lineage.lost_before(hello, stretch))
    };
    if commit.view.get(Space::Meta, meta::CONFIRMED)?.is_some_and(|looked| sees(&looked)) {
        return Ok(());
    }
    tracing::error!(why, "this hub is older than its children; it enrols nobody until it is told `confirm`");
    commit.set.put(Space::Meta, meta::OLDER, why.as_bytes());
    Ok(())
}
