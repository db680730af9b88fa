//! A commit as changes are judged on it.
//! Invariant: nothing can be changed through it; what is read is kept in the commit, whoever reads.

use crate::writer::commit::Commit;
use std::ops::Deref;

/// What is known when a change is judged: the records, holders of numbers and histories as they stand in a commit, only to be read.
#[derive(Clone, Copy)]
pub(in crate::writer) struct Known<'c, 'a>(&'c Commit<'a>);

impl<'a> Commit<'a> {
    /// What is known as it stands now.
    pub(in crate::writer) const fn known(&self) -> Known<'_, 'a> {
        Known(self)
    }
}

impl<'a> Deref for Known<'_, 'a> {
    type Target = Commit<'a>;

    fn deref(&self) -> &Commit<'a> {
        self.0
    }
}
