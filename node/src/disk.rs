//! The few file operations that durability hangs on, with errors that name the path and the remedy.

mod points;

pub use points::{Point, reached, watch_points};

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

/// A file operation failed.
#[derive(Debug, thiserror::Error)]
#[error("can't {action} {}: {source}{}", .path.display(), remedy(.source))]
pub struct DiskError {
    action: &'static str,
    path: PathBuf,
    source: io::Error,
}

impl DiskError {
    /// An error of `action` on `path`.
    pub fn new(action: &'static str, path: &Path, source: io::Error) -> Self {
        Self { action, path: path.to_owned(), source }
    }
}

fn remedy(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::StorageFull => "; 磁盘已满，请清理空间后重试 (the disk is full: make room and try again)",
        io::ErrorKind::PermissionDenied => "; 没有权限，请检查目录的所有者 (check who owns the directory)",
        _ => "",
    }
}

/// Creates a directory and its parents, readable by its owner only.
///
/// # Errors
/// When the disk fails.
pub fn create_dir(path: &Path) -> Result<(), DiskError> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path).map_err(|error| DiskError::new("create", path, error))
}

/// Makes names created in a directory durable.
///
/// # Errors
/// When the disk fails.
pub fn sync_dir(path: &Path) -> Result<(), DiskError> {
    if cfg!(windows) {
        return Ok(()); // directories can't be opened for syncing there
    }
    // The parent of a bare file name is written as nothing.
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    File::open(path).and_then(|dir| dir.sync_all()).map_err(|error| DiskError::new("sync", path, error))
}

/// Writes a file so that a reader sees the old content or the new, never a part; `secret` files are readable by
/// their owner only.
///
/// # Errors
/// When the disk fails.
pub fn write_file(path: &Path, content: &[u8], secrecy: Secrecy) -> Result<(), DiskError> {
    let fresh = path.with_extension("new");
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    if secrecy == Secrecy::OwnerOnly {
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    }
    let _ = secrecy;
    let mut file = options.open(&fresh).map_err(|error| DiskError::new("create", &fresh, error))?;
    io::Write::write_all(&mut file, content)
        .and_then(|()| file.sync_all())
        .map_err(|error| DiskError::new("write", &fresh, error))?;
    fs::rename(&fresh, path).map_err(|error| DiskError::new("rename", path, error))?;
    path.parent().map_or(Ok(()), sync_dir)
}

/// Who may read a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Secrecy {
    /// Keys and secrets.
    OwnerOnly,
    /// Anything else.
    Plain,
}

/// Files with an extension in a directory, by name; none when there is no directory.
///
/// # Errors
/// When the disk fails.
pub fn files_named(dir: &Path, extension: &str) -> Result<Vec<PathBuf>, DiskError> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(DiskError::new("list", dir, error)),
    };
    let mut paths = entries
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| DiskError::new("list", dir, error))?;
    paths.retain(|path| path.extension().is_some_and(|own| own == extension));
    paths.sort();
    Ok(paths)
}

/// Renames a damaged file or directory to a dated name beside it and returns that name.
///
/// # Errors
/// When the disk fails.
pub fn set_aside(path: &Path) -> Result<PathBuf, DiskError> {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or("store");
    let now: String = jiff::Timestamp::now().to_string().chars().filter(char::is_ascii_alphanumeric).take(15).collect();
    let mut aside = path.with_file_name(format!("{name}.damaged-{now}"));
    let mut count = 1;
    while aside.exists() {
        count += 1;
        aside = path.with_file_name(format!("{name}.damaged-{now}-{count}"));
    }
    fs::rename(path, &aside).map_err(|error| DiskError::new("set aside", path, error))?;
    Ok(aside)
}

/// Removes a file; one that is gone already is fine.
///
/// # Errors
/// When the disk fails.
pub fn remove(path: &Path) -> Result<(), DiskError> {
    let removed = fs::remove_file(path);
    reached(Point::Removed);
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(DiskError::new("remove", path, error)),
        _ => Ok(()),
    }
}

/// Bytes that must be free before a store is opened: it grows by half of this at a time.
const ROOM: usize = 1024 * 1024;

/// Makes sure that there is some room in a directory, by taking it for a moment.
///
/// # Errors
/// When there is not.
pub fn check_room(dir: &Path) -> Result<(), DiskError> {
    let path = dir.join("room");
    let written = fs::write(&path, vec![0x5a; ROOM]).map_err(|error| DiskError::new("write", &path, error));
    remove(&path)?;
    written
}

/// Takes the lock of a data directory; it is held until the file is dropped, and freed by the system when the
/// process dies.
///
/// # Errors
/// When another process holds it.
pub fn lock(dir: &Path) -> Result<File, DiskError> {
    create_dir(dir)?;
    let path = dir.join("lock");
    let file = File::options()
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .map_err(|error| DiskError::new("open", &path, error))?;
    file.try_lock().map_err(|error| {
        let message = "另一个进程正在使用此数据目录 (another process is using this data directory)";
        let source = match error {
            fs::TryLockError::Error(source) => source,
            fs::TryLockError::WouldBlock => io::Error::new(io::ErrorKind::WouldBlock, message),
        };
        DiskError::new("lock", &path, source)
    })?;
    Ok(file)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_file_named_without_a_folder_lies_in_this_one() {
        assert_eq!(Path::new("a.html").parent(), Some(Path::new("")));
        sync_dir(Path::new("")).unwrap();
    }
}
