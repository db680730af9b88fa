//! The few file operations that durability hangs on, with errors that name the path and the remedy.

mod points;

pub use points::{Point, reached, watch_points};

use std::{
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// A file operation failed.
#[derive(Debug, thiserror::Error)]
#[error("无法{} {}{} (can't {action}: {error})", chinese(.action), .path.display(), remedy(.error))]
pub struct DiskError {
    action: &'static str,
    path: PathBuf,
    // No source: whoever prints the chain would say it twice.
    error: io::Error,
}

impl DiskError {
    /// An error of `action` on `path`.
    pub fn new(action: &'static str, path: &Path, error: io::Error) -> Self {
        Self { action, path: path.to_owned(), error }
    }
}

/// What was to be done, in Chinese.
fn chinese(action: &str) -> &'static str {
    match action {
        "create" => "建立",
        "write" => "写入",
        "open" => "打开",
        "remove" => "删除",
        "rename" => "改名",
        "sync" => "落盘",
        "list" => "列出",
        "lock" => "锁定",
        "cut back" | "truncate" => "截短",
        "set aside" => "移开",
        _ => "读取",
    }
}

/// What helps against an error of the machine, as the end of a sentence; empty where nobody knows.
pub fn remedy(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::NotFound => "；没有这个文件或目录，请核对路径 (check the path)",
        io::ErrorKind::StorageFull => "；磁盘已满，请清理空间后重试 (the disk is full: make room and try again)",
        io::ErrorKind::PermissionDenied => "；没有权限，请检查目录的所有者 (check who owns the directory)",
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
    // A name that no file of theirs has beside the one that is exported.
    let mut name = std::ffi::OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(".taizhang-new");
    let fresh = path.with_file_name(name);
    // One that a crash has left may be open to everybody, and to whoever has it open.
    remove(&fresh)?;
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
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

/// Makes an empty file of a name that nobody has: this one, or with the next number before its ending. Owner only.
///
/// # Errors
/// When the disk fails.
pub fn reserve(path: &Path) -> Result<PathBuf, DiskError> {
    let (stem, ending) =
        (path.file_stem().unwrap_or_default().to_owned(), path.extension().map(std::ffi::OsStr::to_owned));
    let mut free = path.to_owned();
    for number in 2.. {
        let mut options = fs::OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        match options.open(&free) {
            Ok(_) => break,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(DiskError::new("create", &free, error)),
        }
        let mut name = stem.clone();
        name.push(number.to_string());
        if let Some(ending) = &ending {
            name.push(".");
            name.push(ending);
        }
        free = path.with_file_name(name);
    }
    Ok(free)
}

/// Why a file was not read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The disk.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// A directory, a pipe, a device: what never ends, or waits for somebody to write.
    #[error("{} 不是普通文件，请先存成文件再用 (not a regular file: save it as one first)", .0.display())]
    Kind(PathBuf),
    /// Larger than anything that is meant.
    #[error("{} 超过 {} MB，太大，请拆分后再用 (too large: split it)", .path.display(), .limit.div_ceil(1 << 20))]
    Large {
        /// Which.
        path: PathBuf,
        /// Most bytes.
        limit: u64,
    },
    /// No text.
    #[error("{} 不是 UTF-8 文本，请另存为 UTF-8 (not UTF-8: save it as such)", .0.display())]
    Text(PathBuf),
}

/// Reads a file that somebody named, at most so many bytes. Everything named on a command line comes through here: what is
/// no regular file is not opened, since a pipe would be waited for and a device never ends.
///
/// # Errors
/// When it is no regular file, larger than the limit, or can't be read.
pub fn read_bounded(path: &Path, limit: u64) -> Result<Vec<u8>, ReadError> {
    let failed = |error| DiskError::new("read", path, error);
    if !fs::metadata(path).map_err(failed)?.is_file() {
        return Err(ReadError::Kind(path.to_owned()));
    }
    let file = File::open(path).map_err(failed)?;
    // Once more on what was opened, which may have been put in its place since.
    let found = file.metadata().map_err(failed)?;
    if !found.is_file() {
        return Err(ReadError::Kind(path.to_owned()));
    }
    let large = || ReadError::Large { path: path.to_owned(), limit };
    if found.len() > limit {
        return Err(large());
    }
    let mut content = Vec::with_capacity(found.len() as usize);
    // What a file says of its size need not be true, and it may grow.
    file.take(limit + 1).read_to_end(&mut content).map_err(failed)?;
    if content.len() as u64 > limit { Err(large()) } else { Ok(content) }
}

/// The same for text.
///
/// # Errors
/// As [`read_bounded`], and when it is not UTF-8.
pub fn read_text(path: &Path, limit: u64) -> Result<String, ReadError> {
    String::from_utf8(read_bounded(path, limit)?).map_err(|_| ReadError::Text(path.to_owned()))
}

/// Who may read a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Secrecy {
    /// Keys, secrets, and what names people.
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

/// How long another process is waited for that has a data directory.
const PATIENCE: Duration = Duration::from_secs(3);

/// Takes the lock of a data directory; it is held until the file is dropped, and freed by the system when the
/// process dies.
///
/// # Errors
/// When another process goes on holding it.
pub fn lock(dir: &Path) -> Result<File, DiskError> {
    create_dir(dir)?;
    let path = dir.join("lock");
    let file = File::options()
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .map_err(|error| DiskError::new("open", &path, error))?;
    // A command that reads takes a moment: the next one waits for it, and a person need not.
    let began = Instant::now();
    let taken = loop {
        match file.try_lock() {
            Err(fs::TryLockError::WouldBlock) if began.elapsed() < PATIENCE => std::thread::sleep(PATIENCE / 100),
            taken => break taken,
        }
    };
    taken.map_err(|error| {
        let message = "另一个进程正在使用此数据目录；如它不应答，请重新启动它 (another process is using this data directory: if it does not answer, \
                       start it anew)";
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
    fn only_regular_files_within_their_bound_are_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        fs::write(&path, b"12345678").unwrap();
        assert_eq!(read_bounded(&path, 8).unwrap(), b"12345678");
        assert!(matches!(read_bounded(&path, 7), Err(ReadError::Large { .. })));
        assert!(matches!(read_bounded(dir.path(), 7), Err(ReadError::Kind(_))));
        // A file that is said to be huge takes no memory, and one that has no end is not begun.
        File::create(&path).unwrap().set_len(1 << 40).unwrap();
        assert!(matches!(read_bounded(&path, 1 << 20), Err(ReadError::Large { .. })));
        fs::write(&path, b"\xff").unwrap();
        assert!(matches!(read_text(&path, 7), Err(ReadError::Text(_))));
        assert!(matches!(read_bounded(&dir.path().join("none"), 7), Err(ReadError::Disk(_))));
        #[cfg(unix)]
        {
            assert!(matches!(read_bounded(Path::new("/dev/zero"), 7), Err(ReadError::Kind(_))));
            let pipe = dir.path().join("pipe");
            assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
            assert!(matches!(read_bounded(&pipe, 7), Err(ReadError::Kind(_))));
        }
    }

    #[cfg(unix)]
    #[test]
    fn what_only_the_owner_may_read_was_never_open_to_others() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.csv");
        let (left, other) = (dir.path().join(".a.csv.taizhang-new"), dir.path().join("a.csv.new"));
        for open in [&path, &left, &other] {
            fs::write(open, b"old").unwrap();
            fs::set_permissions(open, fs::Permissions::from_mode(0o644)).unwrap();
        }
        write_file(&path, b"new", Secrecy::OwnerOnly).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(fs::read(&other).unwrap(), b"old", "another file of theirs is left alone");
        assert!(!left.exists(), "and nothing of ours beside it");
    }

    #[test]
    fn a_file_named_without_a_folder_lies_in_this_one() {
        assert_eq!(Path::new("a.html").parent(), Some(Path::new("")));
        sync_dir(Path::new("")).unwrap();
    }
}
