//! The journal: every saved change, synced to disk before anybody is told 'saved'.
//! Invariant: an entry that `append` returned for is read back by every later `open`, whatever becomes of the store.
//!
//! Segments are append-only files named after their first change. A segment begins with a header (magic,
//! incarnation, first change, log digest before it, CRC) and holds entries of length, CRC-32 and payload. It is
//! removed once the hub has answered for all of it and the store has been flushed since.

use crate::disk::{self, DiskError, Point};
use bytes::{Buf, BufMut};
use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions},
    io::{Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};
use taizhang_proto::digest::LogDigest;

const MAGIC: &[u8; 8] = b"tzjrnl\x00\x01";
const HEADER: usize = 8 + 16 + 8 + 32 + 4;
/// A segment over this size is closed, bytes.
const ROTATE_AT: u64 = 4 * 1024 * 1024;
/// Longest entry that is written, and believed, bytes. Far above what is saved: what was answered with 'saved' must be
/// read again, whatever bound is set on changes later.
const MAX_ENTRY: usize = 16 * 1024 * 1024;

/// What one entry says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// A saved change, by its number, encoded.
    Saved(u64, Vec<u8>),
    /// The hub refused a change; the encoded refusal holds the change and the reason.
    Refused(u64, Vec<u8>),
}

impl Entry {
    /// The number of the change it speaks of.
    pub fn seq(&self) -> u64 {
        match self {
            Self::Saved(seq, _) | Self::Refused(seq, _) => *seq,
        }
    }

    fn put(&self, out: &mut Vec<u8>) {
        let (kind, seq, payload) = match self {
            Self::Saved(seq, payload) => (1, seq, payload),
            Self::Refused(seq, payload) => (2, seq, payload),
        };
        let start = out.len();
        out.put_u64(0);
        out.put_u8(kind);
        out.put_u64(*seq);
        out.extend_from_slice(payload);
        let body = &out[start + 8..];
        let (length, crc) = (body.len() as u32, crc32fast::hash(body));
        out[start..start + 4].copy_from_slice(&length.to_be_bytes());
        out[start + 4..start + 8].copy_from_slice(&crc.to_be_bytes());
    }

    fn read(mut body: &[u8]) -> Option<Self> {
        if body.len() < 9 {
            return None;
        }
        let kind = body.get_u8();
        let seq = body.get_u64();
        match kind {
            1 => Some(Self::Saved(seq, body.to_vec())),
            2 => Some(Self::Refused(seq, body.to_vec())),
            _ => None,
        }
    }
}

/// One segment on disk.
#[derive(Debug)]
struct Segment {
    path: PathBuf,
    /// Last change saved in it; the one before its first when there is none.
    last: u64,
    has_refusals: bool,
}

impl Segment {
    /// Takes note of an entry written into it.
    fn note(&mut self, entry: &Entry) {
        match entry {
            Entry::Saved(seq, _) => self.last = *seq,
            Entry::Refused(..) => self.has_refusals = true,
        }
    }
}

/// An open journal.
#[derive(Debug)]
pub struct Journal {
    dir: PathBuf,
    incarnation: [u8; 16],
    closed: Vec<Segment>,
    current: Segment,
    file: File,
    length: u64,
    /// A failed write could not be cut back: what followed it could not be read again.
    broken: bool,
}

/// What was found on disk.
#[derive(Debug, Default)]
pub struct Found {
    /// All entries, in the order in which they were written.
    pub entries: Vec<Entry>,
    /// The change before the first one, and the log digest there.
    pub before: u64,
    /// Log digest at `before`.
    pub digest: LogDigest,
    /// What was damaged, for people.
    pub incidents: Vec<String>,
}

impl Found {
    /// The saved changes by number.
    pub fn saved(&self) -> BTreeMap<u64, &[u8]> {
        let saved = self.entries.iter().filter_map(|entry| match entry {
            Entry::Saved(seq, change) => Some((*seq, change.as_slice())),
            Entry::Refused(..) => None,
        });
        saved.collect()
    }
}

struct Header {
    incarnation: [u8; 16],
    first: u64,
    digest: LogDigest,
}

impl Header {
    fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEADER);
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&self.incarnation);
        bytes.put_u64(self.first);
        bytes.extend_from_slice(&self.digest.0);
        let crc = crc32fast::hash(&bytes);
        bytes.put_u32(crc);
        bytes
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let mut rest = bytes.get(..HEADER)?;
        let sound = crc32fast::hash(&rest[..HEADER - 4]) == u32::from_be_bytes(rest[HEADER - 4..].try_into().ok()?);
        if !sound || !rest.starts_with(MAGIC) {
            return None;
        }
        rest.advance(8);
        let mut incarnation = [0; 16];
        rest.copy_to_slice(&mut incarnation);
        let first = rest.get_u64();
        Some(Self { incarnation, first, digest: LogDigest::from_slice(&rest[..32])? })
    }
}

impl Journal {
    /// Begins a journal in an empty directory: change `before + 1` comes next.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn create(dir: &Path, incarnation: [u8; 16], before: u64, digest: LogDigest) -> Result<Self, DiskError> {
        disk::create_dir(dir)?;
        let (file, current, length) = begin_segment(dir, &Header { incarnation, first: before + 1, digest }, &[])?;
        Ok(Self { dir: dir.to_owned(), incarnation, closed: Vec::new(), current, file, length, broken: false })
    }

    /// Opens what is in the directory; `None` when there is no journal yet. A torn end (the power went while it was
    /// being written, so nobody was told 'saved') is cut off and kept beside the segment.
    ///
    /// # Errors
    /// When the disk fails. Damage is no error: it is in [`Found::incidents`].
    pub fn open(dir: &Path) -> Result<Option<(Self, Found)>, DiskError> {
        let mut found = Found::default();
        let mut segments: Vec<(Segment, Header, u64)> = Vec::new();
        for path in disk::files_named(dir, "log")? {
            let bytes = fs::read(&path).map_err(|error| DiskError::new("read", &path, error))?;
            let Some(header) = Header::read(&bytes) else {
                let aside = disk::set_aside(&path)?;
                found.incidents.push(format!(
                    "日志的一段没有开头，原样留存 (journal segment without a header kept as {})",
                    aside.display()
                ));
                continue;
            };
            let (entries, sound) = read_entries(&bytes[HEADER..]);
            let length = (HEADER + sound) as u64;
            if (length as usize) < bytes.len() {
                let torn = path.with_extension("torn");
                fs::write(&torn, &bytes[length as usize..]).map_err(|error| DiskError::new("write", &torn, error))?;
                found.incidents.push(format!(
                    "日志的一段末尾不完整，原样留存 (unfinished end of a journal segment kept as {})",
                    torn.display()
                ));
            }
            let last = entries.iter().rev().find_map(|entry| match entry {
                Entry::Saved(seq, _) => Some(*seq),
                Entry::Refused(..) => None,
            });
            let segment = Segment {
                path,
                last: last.unwrap_or(header.first - 1),
                has_refusals: entries.iter().any(|entry| matches!(entry, Entry::Refused(..))),
            };
            let took_over = |(segment, before, _): &(Segment, Header, u64)| {
                before.incarnation != header.incarnation || header.first <= segment.last
            };
            if segments.last().is_some_and(took_over) {
                // A new incarnation, or the same log written anew, took over everything that was still to be said.
                for (old, _, _) in segments.drain(..) {
                    disk::remove(&old.path)?;
                }
                found.entries.clear();
            }
            if segments.is_empty() {
                found.before = header.first - 1;
                found.digest = header.digest;
            }
            found.entries.extend(entries);
            segments.push((segment, header, length));
        }
        let Some((current, header, length)) = segments.pop() else { return Ok(None) };
        let mut file = OpenOptions::new()
            .write(true)
            .open(&current.path)
            .map_err(|error| DiskError::new("open", &current.path, error))?;
        file.set_len(length)
            .and_then(|()| file.seek(SeekFrom::End(0)))
            .map_err(|error| DiskError::new("truncate", &current.path, error))?;
        let closed = segments.into_iter().map(|(segment, _, _)| segment).collect();
        let journal =
            Self { dir: dir.to_owned(), incarnation: header.incarnation, closed, current, file, length, broken: false };
        Ok(Some((journal, found)))
    }

    /// The incarnation that the entries belong to.
    pub fn incarnation(&self) -> [u8; 16] {
        self.incarnation
    }

    /// Whether the next append begins a new segment.
    pub fn is_full(&self) -> bool {
        self.length > ROTATE_AT
    }

    /// Writes entries and syncs them to disk. `digest` is the log digest before the first of them; it is used only
    /// when the journal [`is full`](Self::is_full) and a new segment begins.
    ///
    /// # Errors
    /// When the disk fails; then none of the entries counts as saved. Where the failed write could not be cut back
    /// either, the journal takes no more until it is opened again.
    pub fn append(&mut self, entries: &[Entry], digest: LogDigest) -> Result<(), DiskError> {
        if self.broken {
            let error = std::io::Error::other("an earlier write failed; restart the node");
            return Err(DiskError::new("write", &self.current.path, error));
        }
        let next = entries.iter().find_map(|entry| match entry {
            Entry::Saved(seq, _) => Some(*seq),
            Entry::Refused(..) => None,
        });
        if let (Some(next), true) = (next, self.is_full()) {
            let header = Header { incarnation: self.incarnation, first: next, digest };
            let (file, segment, length) = begin_segment(&self.dir, &header, &[])?;
            self.closed.push(std::mem::replace(&mut self.current, segment));
            (self.file, self.length) = (file, length);
        }
        let mut bytes = Vec::new();
        for entry in entries {
            let start = bytes.len();
            entry.put(&mut bytes);
            if bytes.len() - start > MAX_ENTRY {
                let error = std::io::Error::other("条目过大 (an entry too large to be read again)");
                return Err(DiskError::new("write", &self.current.path, error));
            }
        }
        disk::reached(Point::Writing);
        let written = self.file.write_all(&bytes).and_then(|()| {
            disk::reached(Point::Written);
            self.file.sync_data()
        });
        if let Err(error) = written {
            // A half-written entry must not stay before the next one: cut back to what is sound.
            let cut =
                self.file.set_len(self.length).and_then(|()| self.file.seek(SeekFrom::Start(self.length)).map(|_| ()));
            let error = DiskError::new("write", &self.current.path, error);
            return Err(match cut {
                Ok(()) => error,
                Err(second) => {
                    self.broken = true;
                    DiskError::new("cut back", &self.current.path, second)
                }
            });
        }
        disk::reached(Point::Synced);
        self.length += bytes.len() as u64;
        for entry in entries {
            self.current.note(entry);
        }
        Ok(())
    }

    /// Removes segments that hold nothing after `settled`. The caller has flushed the store since it learnt that
    /// they are settled. Refusals in them are kept: they are written again into the current segment.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn forget(&mut self, settled: u64, refused: impl Fn(u64) -> Option<Vec<u8>>) -> Result<usize, DiskError> {
        let mut removed = 0;
        while let Some(segment) = self.closed.first().filter(|segment| segment.last <= settled) {
            if segment.has_refusals {
                let bytes = fs::read(&segment.path).map_err(|error| DiskError::new("read", &segment.path, error))?;
                let (entries, _) = read_entries(bytes.get(HEADER..).unwrap_or_default());
                let kept: Vec<Entry> = entries
                    .into_iter()
                    .filter(|entry| matches!(entry, Entry::Refused(..)))
                    .filter_map(|entry| refused(entry.seq()).map(|payload| Entry::Refused(entry.seq(), payload)))
                    .collect();
                if !kept.is_empty() {
                    self.append(&kept, LogDigest::default())?;
                }
            }
            let segment = self.closed.remove(0);
            disk::remove(&segment.path)?;
            removed += 1;
        }
        Ok(removed)
    }

    /// Starts over under a new incarnation with `entries` as its whole log, numbered from 1. The old segments go
    /// once the new one is on disk.
    ///
    /// # Errors
    /// When the disk fails; then the old log stands.
    pub fn restart(&mut self, incarnation: [u8; 16], entries: &[Entry]) -> Result<(), DiskError> {
        self.replace(Header { incarnation, first: 1, digest: LogDigest::default() }, entries)
    }

    /// Writes the log anew from elsewhere, where what is on disk has holes: `entries` are all that follows `before`, the
    /// last change that the hub has answered for. The damaged segments go once the new one is on disk.
    ///
    /// # Errors
    /// When the disk fails; then the old log stands.
    pub fn rewrite(&mut self, before: u64, digest: LogDigest, entries: &[Entry]) -> Result<(), DiskError> {
        self.replace(Header { incarnation: self.incarnation, first: before + 1, digest }, entries)
    }

    fn replace(&mut self, header: Header, entries: &[Entry]) -> Result<(), DiskError> {
        let incarnation = header.incarnation;
        let (file, segment, length) = begin_segment(&self.dir, &header, entries)?;
        let old = std::mem::replace(&mut self.current, segment);
        (self.file, self.length, self.incarnation, self.broken) = (file, length, incarnation, false);
        for segment in self.closed.drain(..).chain([old]) {
            disk::remove(&segment.path)?;
        }
        Ok(())
    }
}

/// Creates a segment with its first entries. It appears under its name only once it is whole on disk, so that a crash
/// never leaves a new segment in place of entries that it should hold. Returns its length too.
fn begin_segment(dir: &Path, header: &Header, entries: &[Entry]) -> Result<(File, Segment, u64), DiskError> {
    // Segment files sort by name; the generation in front makes the newest come last.
    let generation = disk::files_named(dir, "log")?
        .last()
        .and_then(|path| path.file_stem()?.to_str()?.split('-').next()?.parse::<u64>().ok())
        .unwrap_or(0)
        + 1;
    let path = dir.join(format!("{generation:012}-{:012}.log", header.first));
    let fresh = path.with_extension("new");
    let mut bytes = header.to_bytes();
    let mut segment = Segment { path, last: header.first - 1, has_refusals: false };
    for entry in entries {
        entry.put(&mut bytes);
        segment.note(entry);
    }
    let mut file = File::create(&fresh).map_err(|error| DiskError::new("create", &fresh, error))?;
    file.write_all(&bytes).and_then(|()| file.sync_all()).map_err(|error| DiskError::new("write", &fresh, error))?;
    disk::reached(Point::Begun);
    fs::rename(&fresh, &segment.path).map_err(|error| DiskError::new("rename", &fresh, error))?;
    disk::reached(Point::Renamed);
    disk::sync_dir(dir)?;
    Ok((file, segment, bytes.len() as u64))
}

/// Entries from the start of `bytes`, and how many bytes they take. Reading stops at the first that is not sound.
fn read_entries(bytes: &[u8]) -> (Vec<Entry>, usize) {
    let mut rest = bytes;
    let mut entries = Vec::new();
    while let Some((mut head, _)) = rest.split_at_checked(8) {
        let (length, crc) = (head.get_u32() as usize, head.get_u32());
        let body = rest.get(8..8 + length).filter(|body| length <= MAX_ENTRY && crc32fast::hash(body) == crc);
        let Some(entry) = body.and_then(Entry::read) else { break };
        entries.push(entry);
        rest = &rest[8 + length..];
    }
    (entries, bytes.len() - rest.len())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn saved(seq: u64) -> Entry {
        Entry::Saved(seq, vec![seq as u8; 100])
    }

    fn fresh(dir: &Path) -> Journal {
        Journal::create(dir, [7; 16], 0, LogDigest::default()).unwrap()
    }

    #[test]
    fn what_was_appended_is_found_again() {
        let dir = tempfile::tempdir().unwrap();
        let mut journal = fresh(dir.path());
        journal.append(&[saved(1), saved(2)], LogDigest::default()).unwrap();
        journal.append(&[Entry::Refused(1, vec![9])], LogDigest::default()).unwrap();
        drop(journal);
        let (mut journal, found) = Journal::open(dir.path()).unwrap().unwrap();
        assert_eq!(found.entries, [saved(1), saved(2), Entry::Refused(1, vec![9])]);
        assert_eq!((found.before, journal.incarnation()), (0, [7; 16]));
        journal.append(&[saved(3)], LogDigest::default()).unwrap();
        drop(journal);
        let (_, found) = Journal::open(dir.path()).unwrap().unwrap();
        assert_eq!(found.entries.len(), 4);
    }

    #[test]
    fn a_torn_end_loses_only_what_nobody_was_told_is_saved() {
        let dir = tempfile::tempdir().unwrap();
        let mut journal = fresh(dir.path());
        journal.append(&[saved(1), saved(2)], LogDigest::default()).unwrap();
        let path = journal.current.path.clone();
        drop(journal);
        let whole = fs::read(&path).unwrap();
        for cut in HEADER..whole.len() {
            fs::write(&path, &whole[..cut]).unwrap();
            let (_, found) = Journal::open(dir.path()).unwrap().unwrap();
            let whole_entries = (cut - HEADER) / ((whole.len() - HEADER) / 2);
            assert_eq!(found.entries.len(), whole_entries, "cut at {cut}");
        }
    }

    #[test]
    fn segments_go_only_when_settled_and_refusals_stay() {
        let dir = tempfile::tempdir().unwrap();
        let mut journal = fresh(dir.path());
        let big = |seq| Entry::Saved(seq, vec![0; 900_000]);
        for seq in 1..=12 {
            journal.append(&[big(seq)], LogDigest::default()).unwrap();
            if seq == 2 {
                journal.append(&[Entry::Refused(2, b"why".to_vec())], LogDigest::default()).unwrap();
            }
        }
        assert!(journal.closed.len() >= 2);
        let before = journal.closed.len();
        assert_eq!(journal.forget(0, |_| None).unwrap(), 0);
        assert_eq!(journal.forget(12, |_| Some(b"why".to_vec())).unwrap(), before);
        drop(journal);
        let (_, found) = Journal::open(dir.path()).unwrap().unwrap();
        assert!(found.entries.contains(&Entry::Refused(2, b"why".to_vec())));
        assert!(found.before >= 5);
    }

    #[test]
    fn a_new_incarnation_takes_the_place_of_the_old_log() {
        let dir = tempfile::tempdir().unwrap();
        let mut journal = fresh(dir.path());
        journal.append(&[saved(1), saved(2), saved(3)], LogDigest::default()).unwrap();
        journal.restart([8; 16], &[saved(1)]).unwrap();
        drop(journal);
        let (journal, found) = Journal::open(dir.path()).unwrap().unwrap();
        assert_eq!(journal.incarnation(), [8; 16]);
        assert_eq!(found.entries, [saved(1)]);
    }

    #[test]
    fn a_log_written_anew_takes_the_place_of_the_damaged_one_though_a_crash_leaves_both() {
        let dir = tempfile::tempdir().unwrap();
        let mut journal = fresh(dir.path());
        journal.append(&[saved(1), saved(2), saved(3), saved(4)], LogDigest::default()).unwrap();
        let old = journal.current.path.clone();
        let damaged = fs::read(&old).unwrap();
        journal.rewrite(2, LogDigest::default(), &[saved(3), saved(4)]).unwrap();
        drop(journal);
        fs::write(&old, damaged).unwrap();
        let (journal, found) = Journal::open(dir.path()).unwrap().unwrap();
        assert_eq!((found.before, journal.incarnation()), (2, [7; 16]));
        assert_eq!(found.entries, [saved(3), saved(4)]);
        assert!(!old.exists());
    }

    #[test]
    fn what_could_not_be_read_again_is_not_written() {
        let dir = tempfile::tempdir().unwrap();
        let mut journal = fresh(dir.path());
        let large = |bytes: usize| Entry::Saved(1, vec![1; bytes]);
        assert!(journal.append(&[large(MAX_ENTRY)], LogDigest::default()).is_err());
        journal.append(&[large(MAX_ENTRY - 64)], LogDigest::default()).unwrap();
        drop(journal);
        assert_eq!(Journal::open(dir.path()).unwrap().unwrap().1.entries.len(), 1);
    }

    #[test]
    fn a_new_incarnation_that_was_not_whole_on_disk_leaves_the_old_log() {
        let dir = tempfile::tempdir().unwrap();
        let mut journal = fresh(dir.path());
        journal.append(&[saved(1), saved(2)], LogDigest::default()).unwrap();
        drop(journal);
        // What a crash in the middle of `restart` leaves behind.
        let header = Header { incarnation: [8; 16], first: 1, digest: LogDigest::default() };
        fs::write(dir.path().join("000000000002-000000000001.new"), header.to_bytes()).unwrap();
        let (mut journal, found) = Journal::open(dir.path()).unwrap().unwrap();
        assert_eq!((journal.incarnation(), found.entries.len()), ([7; 16], 2));
        journal.restart([9; 16], &found.entries).unwrap();
        drop(journal);
        let (journal, found) = Journal::open(dir.path()).unwrap().unwrap();
        assert_eq!((journal.incarnation(), found.entries.len()), ([9; 16], 2));
    }
}
