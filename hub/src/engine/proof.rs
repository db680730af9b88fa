//! Proof that the engine's keyspaces belong to one commit. Each keyspace carries the number of the last commit that wrote
//! to it, in a row that no view shows; 'meta' carries the numbers of all of them. A file beside the store says which
//! commit was last answered for.
//! Invariant: the numbers are written in the batch of their commit, and the file after it, so a keyspace that was cut, and a
//! journal that ends early, show at the next start.

use crate::store::{SPACES, Space};
use std::{
    fs::{File, OpenOptions},
    io::{Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

/// The key of the row: longer than any other, so that no space has it.
pub(super) const KEY: [u8; 33] = [0xff; 33];

/// The numbers of the last commits: of all, and of each keyspace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Proof {
    pub(super) last: u64,
    of: [u64; SPACES.len()],
}

impl Proof {
    /// Before the first commit.
    pub(super) const fn none() -> Self {
        Self { last: 0, of: [0; SPACES.len()] }
    }

    /// After one more commit that writes to these spaces.
    pub(super) fn next(&self, touched: impl Iterator<Item = Space>) -> Self {
        let mut next = self.clone();
        next.last += 1;
        for space in touched.chain([Space::Meta]) {
            next.of[space as usize] = next.last;
        }
        next
    }

    /// The spaces that this commit wrote to.
    pub(super) fn touched(&self) -> impl Iterator<Item = Space> {
        SPACES.into_iter().filter(|space| self.of[*space as usize] == self.last)
    }

    /// As the row in `Meta`: numbers of eight bytes, of the commit and then of each space.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        [self.last].iter().chain(&self.of).flat_map(|number| number.to_be_bytes()).collect()
    }

    /// From the row; a build that knew fewer spaces wrote a shorter one.
    pub(super) fn from_slice(row: &[u8]) -> Option<Self> {
        let mut numbers = row.chunks_exact(8).map(|number| number.try_into().map_or(0, u64::from_be_bytes));
        let mut proof = Self { last: numbers.next()?, of: [0; SPACES.len()] };
        for (own, number) in proof.of.iter_mut().zip(numbers) {
            *own = number;
        }
        Some(proof)
    }

    /// The spaces whose own number is another than the one that this says.
    pub(super) fn torn(&self, mut own: impl FnMut(Space) -> u64) -> Vec<Space> {
        SPACES.into_iter().filter(|space| *space != Space::Meta && own(*space) != self.of[*space as usize]).collect()
    }
}

/// The file that says which commit was last answered for. Nobody waits for it to be on disk: where it is behind, less is
/// proved; it is never ahead of what the disk was told to keep.
#[derive(Debug)]
pub(super) struct Answered {
    file: File,
}

impl Answered {
    /// Its place, beside the store.
    pub(super) fn path(store: &Path) -> PathBuf {
        let name = store.file_name().and_then(|name| name.to_str()).unwrap_or("store");
        store.with_file_name(format!("{name}-commit"))
    }

    /// Opens it. Returns what it says too; 0 where there is none.
    pub(super) fn open(store: &Path) -> std::io::Result<(Self, u64)> {
        let path = Self::path(store);
        let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        let mut row = Vec::new();
        Read::by_ref(&mut file).take(8).read_to_end(&mut row)?;
        Ok((Self { file }, row.try_into().map_or(0, u64::from_be_bytes)))
    }

    /// Says that a commit was answered for.
    pub(super) fn note(&mut self, commit: u64) {
        let written = self.file.seek(SeekFrom::Start(0)).and_then(|_| self.file.write_all(&commit.to_be_bytes()));
        if let Err(error) = written {
            tracing::warn!(%error, "which commit was answered for can't be noted beside the store");
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_keyspace_that_is_behind_or_ahead_shows() {
        let first = Proof::none().next([Space::Records, Space::Feed].into_iter());
        let second = first.next([Space::Feed].into_iter());
        assert_eq!(Proof::from_slice(&second.to_bytes()).unwrap(), second);
        assert_eq!(second.touched().collect::<Vec<_>>(), [Space::Feed, Space::Meta]);
        let own = |records: u64, feed: u64| {
            move |space| match space {
                Space::Records => records,
                Space::Feed => feed,
                _ => 0,
            }
        };
        assert_eq!(second.torn(own(1, 2)), []);
        assert_eq!(second.torn(own(0, 2)), [Space::Records], "it was cut");
        assert_eq!(first.torn(own(1, 2)), [Space::Feed], "'meta' was cut");
        assert_eq!(Proof::from_slice(&first.to_bytes()[..24]).unwrap().last, 1, "of a build with fewer spaces");
        assert_eq!(Proof::from_slice(b"short"), None);
    }
}
