//! The end of a commit: what is looked at once, when everything stands, and the write set.
//! Invariant: what is derived from the records is in the same write set as they are.

use super::{aside, commit::Commit, conflicts, mail::across, quota};
use crate::store::{StoreError, WriteSet};
use std::sync::atomic::{AtomicU64, Ordering};
use taizhang_proto::record::Revision;

/// Derives everything and returns the write set with the newest revision; `work` counts what it was.
pub(super) fn finish(mut commit: Commit<'_>, work: &AtomicU64) -> Result<(WriteSet, Revision), StoreError> {
    commit.recount()?;
    aside::judge_cells(&mut commit)?;
    aside::rule_on_marks(&mut commit)?;
    quota::write_history_sizes(&mut commit)?;
    work.fetch_add(commit.work(), Ordering::Relaxed);
    let changes = commit.write_rows()?;
    across::write_letters(&mut commit, changes.before_cells)?;
    conflicts::write_conflicts(&mut commit)?;
    commit.end(changes)
}
