//! Copies of a data directory: what a crash leaves, and what a backup keeps.

use std::{fs, io, path::Path};

/// Copies a directory as it is on disk now, without the lock of the process that has it open.
///
/// # Errors
/// When the disk fails.
pub(super) fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else if entry.file_name() != "lock" {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

/// Appends bytes to the newest journal segment: the beginning of an entry that the crash cut short.
///
/// # Errors
/// When the disk fails.
pub(super) fn tear(data: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut segments: Vec<_> =
        fs::read_dir(data.join("journal"))?.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?;
    segments.retain(|path| path.extension().is_some_and(|own| own == "log"));
    segments.sort();
    let Some(newest) = segments.last() else { return Ok(()) };
    io::Write::write_all(&mut fs::OpenOptions::new().append(true).open(newest)?, bytes)
}
