//! 操作日志 of an office: who exported, printed, let go, sent again, closed a month and enrolled here, in the order of the acts; read
//! by whoever answers for its data.
//! Invariants: a line is on disk before its act is answered; no line is ever changed or taken out, and none goes with a store that is
//! lost; a line says who, when and at what, and nothing that is in a record.

use crate::{
    caller::Role,
    disk::{self, DiskError, Secrecy},
};
use serde::{Deserialize, Serialize};
use std::{
    collections::VecDeque,
    fs::OpenOptions,
    io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write},
    path::Path,
    sync::{Mutex, PoisonError},
};

/// The file in the data directory: a line of JSON for each act.
pub const FILE: &str = "audit.log";
/// Longest line that is read, bytes.
const MAX_LINE: u64 = 4 * 1024;

/// One act.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// When, seconds since 1970 by this computer's clock.
    pub at: u64,
    /// Who, by the name that they gave, or that the configuration gives.
    pub by: String,
    /// As what.
    pub role: Role,
    /// The office's unit.
    pub unit: u64,
    /// By which command.
    pub what: String,
    /// At what: a register and a unit, numbers of changes, a month, a computer's id.
    pub of: String,
}

/// One line at a time.
static WRITING: Mutex<()> = Mutex::new(());

/// Puts a line into the log of a data directory, on disk.
///
/// # Errors
/// When the disk fails; then what it would have told of must not be done, where that is still to be done.
pub fn put(data: &Path, entry: &Entry) -> Result<(), DiskError> {
    let _one = WRITING.lock().unwrap_or_else(PoisonError::into_inner);
    let path = data.join(FILE);
    if !path.exists() {
        disk::write_file(&path, b"", Secrecy::OwnerOnly)?;
    }
    append(&path, entry).map_err(|error| DiskError::new("write", &path, error))
}

fn append(path: &Path, entry: &Entry) -> io::Result<()> {
    let mut file = OpenOptions::new().read(true).append(true).open(path)?;
    let mut line = serde_json::to_vec(entry)?;
    line.push(b'\n');
    if file.metadata()?.len() > 0 {
        // A line that a lost current has cut stays as it is, and the next one begins anew.
        let mut last = [0];
        file.seek(SeekFrom::End(-1))?;
        file.read_exact(&mut last)?;
        if last != *b"\n" {
            line.insert(0, b'\n');
        }
    }
    file.write_all(&line)?;
    file.sync_data()
}

/// The newest lines, the last one first; one that can't be read is left out.
///
/// # Errors
/// When the disk fails.
pub fn newest(data: &Path, limit: usize) -> Result<Vec<Entry>, DiskError> {
    let path = data.join(FILE);
    let fault = |error| DiskError::new("read", &path, error);
    let file = match std::fs::File::open(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        opened => opened.map_err(fault)?,
    };
    let (mut reader, mut line) = (BufReader::new(file), Vec::new());
    let mut newest = VecDeque::new();
    loop {
        line.clear();
        if reader.by_ref().take(MAX_LINE).read_until(b'\n', &mut line).map_err(fault)? == 0 {
            return Ok(newest.into());
        }
        if let Ok(entry) = serde_json::from_slice::<Entry>(&line) {
            newest.push_front(entry);
            newest.truncate(limit);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn entry(at: u64, of: &str) -> Entry {
        Entry {
            at,
            by: "李会计".into(),
            role: Role::Clerk,
            unit: 210_402_011_003,
            what: "export".into(),
            of: of.into(),
        }
    }

    #[test]
    fn lines_stand_in_the_order_of_the_acts_and_one_that_was_cut_spoils_no_other() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(newest(dir.path(), 10).unwrap(), []);
        put(dir.path(), &entry(1, "一")).unwrap();
        let path = dir.path().join(FILE);
        let whole = std::fs::read(&path).unwrap();
        std::fs::write(&path, [&whole[..], &whole[..20]].concat()).unwrap();
        for (at, of) in [(3, "二"), (2, "三")] {
            put(dir.path(), &entry(at, of)).unwrap();
        }
        let of: Vec<String> = newest(dir.path(), 10).unwrap().into_iter().map(|entry| entry.of).collect();
        assert_eq!(of, ["三", "二", "一"], "in their order, whatever the clock said");
        assert_eq!(newest(dir.path(), 1).unwrap(), [entry(2, "三")]);
        assert!(std::fs::read(&path).unwrap().starts_with(&whole), "nothing is taken out");
    }
}
