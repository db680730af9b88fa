//! The embedded store: fjall, one keyspace a space, one batch a commit.

mod damage;
mod migrate;
mod proof;

use crate::store::{FORMAT, Rows, SPACES, Space, Store, StoreError, View, WriteSet};
use bytes::Bytes;
use damage::Damage;
use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode, Readable, Snapshot};
use proof::{Answered, Proof};
use std::{
    fs::File,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError, RwLock},
    time::{Duration, Instant},
};
use taizhang_node::{
    disk::{self, DiskError},
    panics,
};

/// Cache for blocks read back, bytes.
const CACHE: u64 = 64 * 1024 * 1024;
/// Most files of the store that are kept open: fewer than the door leaves it.
const CACHED_FILES: usize = 256;
/// Largest memtable of the two large spaces, bytes.
const LARGE_MEMTABLE: u64 = 32 * 1024 * 1024;
/// Largest memtable of the others, bytes.
const SMALL_MEMTABLE: u64 = 8 * 1024 * 1024;

/// How long an engine that failed is waited for by those who still read from it.
const PATIENCE: Duration = Duration::from_secs(3);
/// Files that must be free to be opened before the engine is opened anew.
const SPARE_FILES: usize = 64;

/// A fjall database that is opened anew when it has failed: after a failed write the engine takes no more of them.
#[derive(Clone)]
pub struct FjallStore {
    path: PathBuf,
    /// The open engine; why it is closed, while it is.
    engine: Arc<RwLock<Result<Arc<OpenEngine>, String>>>,
    proof: Arc<Mutex<(Proof, Answered)>>,
    fault: Arc<Mutex<Option<String>>>,
    damage: Arc<Damage>,
    /// How many commits it lacks that were answered for.
    missing: u64,
}

struct OpenEngine {
    db: Database,
    spaces: Arc<[Keyspace]>,
}

impl FjallStore {
    /// Opens or creates the store.
    ///
    /// # Errors
    /// When the engine fails, its keyspaces do not belong to one commit, or the rows were written by another version of
    /// the program.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        // Made here, so that only its owner can read what is in it.
        disk::create_dir(path).map_err(|error| StoreError::Engine(error.to_string()))?;
        let engine = open_engine(path)?;
        let io = |error: std::io::Error| StoreError::Engine(error.to_string());
        let (answered, known) = Answered::open(path).map_err(io)?;
        let proof = read_proof(&engine)?;
        let missing = known.saturating_sub(proof.last);
        let proof = Arc::new(Mutex::new((proof, answered)));
        let engine = Arc::new(RwLock::new(Ok(Arc::new(engine))));
        let fault: Arc<Mutex<Option<String>>> = Arc::default();
        let damage = Damage::of(path, fault.clone());
        let store = Self { path: path.to_owned(), engine, proof, fault, damage, missing };
        match store.view().get(Space::Meta, b"format")? {
            None => store.put_format()?,
            Some(found) => match <[u8; 4]>::try_from(found.as_ref()).map_or(0, u32::from_be_bytes) {
                FORMAT => {}
                1 => {
                    migrate::from_1(&store)?;
                    store.put_format()?;
                }
                // Format 2 had no proof of its commits: it has one from its next commit on.
                2 => store.put_format()?,
                found => return Err(StoreError::Format { found }),
            },
        }
        Ok(store)
    }

    /// How many commits were answered for that are not here: the engine's files have lost their end, or an older store
    /// was put in place. It is whole as of the commit before.
    pub fn missing_commits(&self) -> u64 {
        self.missing
    }

    /// Whether a store at this place has answered for commits before, whatever became of it.
    pub fn was_used(path: &Path) -> bool {
        Answered::path(path).exists()
    }

    /// Begins the count of commits anew, for a store that takes another one's place.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn forget_use(path: &Path) -> Result<(), DiskError> {
        damage::forget(path);
        disk::remove(&Answered::path(path))
    }

    /// Whether damage was met in the store at this place when it ran last: every row of it is to be read.
    pub fn is_suspected(path: &Path) -> bool {
        damage::is_suspected(path)
    }

    /// Every row of a store that was suspected can be read. Returns whether that is not believed any more: damage was met not long
    /// before, too.
    pub fn is_met_again(path: &Path) -> bool {
        damage::is_met_again(path)
    }

    fn open_engine(&self) -> Result<Arc<OpenEngine>, String> {
        self.engine.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn note_fault(&self, why: Option<String>) {
        *self.fault.lock().unwrap_or_else(PoisonError::into_inner) = why;
    }

    /// Whether the disk and the table of open files have room again: an engine that can be read is not closed before.
    fn has_room(&self) -> Result<(), StoreError> {
        let failed = |error: std::io::Error| StoreError::Engine(error.to_string());
        disk::check_room(&self.path).map_err(|error| StoreError::Engine(error.to_string()))?;
        let files: Vec<File> =
            (0..SPARE_FILES).map(|_| File::open(&self.path)).collect::<Result<_, _>>().map_err(failed)?;
        drop(files);
        Ok(())
    }

    /// Closes the engine once nobody reads from it any more.
    fn close(&self) -> Result<(), StoreError> {
        let mut engine = self.engine.write().unwrap_or_else(PoisonError::into_inner);
        let Ok(open) = engine.clone() else { return Ok(()) };
        let began = Instant::now();
        *engine = Err("存储正在重新打开，请稍后再试 (the store is being opened anew: try again)".into());
        drop(engine);
        // The views that were taken before hold it.
        while Arc::strong_count(&open) > 1 {
            if began.elapsed() > PATIENCE {
                *self.engine.write().unwrap_or_else(PoisonError::into_inner) = Ok(open);
                return Err(StoreError::Engine("存储仍有人在读取 (somebody still reads from the store)".into()));
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        drop(open);
        Ok(())
    }

    fn put_format(&self) -> Result<(), StoreError> {
        let mut set = WriteSet::default();
        set.put(Space::Meta, *b"format", FORMAT.to_be_bytes());
        self.commit(set)
    }
}

fn open_engine(path: &Path) -> Result<OpenEngine, StoreError> {
    // Damaged files make the engine panic, too.
    let opened = panics::caught(|| try_engine(path));
    opened.unwrap_or_else(|| Err(StoreError::Damaged("the engine panicked".into())))
}

fn try_engine(path: &Path) -> Result<OpenEngine, StoreError> {
    let failed = |error| at_opening(path, error);
    let db = Database::builder(path)
        .cache_size(CACHE)
        .max_cached_files(Some(CACHED_FILES))
        .max_journaling_size(256 * 1024 * 1024)
        .open()
        .map_err(failed)?;
    let spaces = SPACES.iter().map(|space| db.keyspace(&name(*space), || options(*space)));
    let spaces = spaces.collect::<Result<Arc<[_]>, _>>().map_err(failed)?;
    Ok(OpenEngine { db, spaces })
}

/// The numbers of the last commits, where every keyspace bears them out.
fn read_proof(open: &OpenEngine) -> Result<Proof, StoreError> {
    let view = open.db.snapshot();
    let read = |space: Space| view.get(&open.spaces[space as usize], proof::KEY).map_err(engine);
    let Some(row) = read(Space::Meta)? else { return Ok(Proof::none()) };
    let proof = Proof::from_slice(&row).ok_or(StoreError::Row(Space::Meta))?;
    let mut own = [0; SPACES.len()];
    for space in SPACES {
        let number = read(space)?.and_then(|row| <[u8; 8]>::try_from(row.as_ref()).ok());
        own[space as usize] = number.map_or(0, u64::from_be_bytes);
    }
    let torn = proof.torn(|space| own[space as usize]);
    if torn.is_empty() { Ok(proof) } else { Err(StoreError::Torn(torn)) }
}

/// An engine's error, told apart: what the files say wrongly, and what the machine could not do.
fn engine(error: fjall::Error) -> StoreError {
    use fjall::Error::{
        Decompress, InvalidTag, InvalidTrailer, InvalidVersion, JournalRecovery, Storage, Unrecoverable,
    };
    let damaged = match &error {
        JournalRecovery(_) | Unrecoverable | InvalidVersion(None) | InvalidTrailer | InvalidTag(_) | Decompress(_) => {
            true
        }
        // Of the tree's errors only the disk's has another behind it.
        Storage(error) => std::error::Error::source(error).is_none(),
        _ => false,
    };
    if damaged {
        return StoreError::Damaged(error.to_string());
    }
    StoreError::Engine(match &error {
        fjall::Error::Io(cause) => {
            format!("无法写入，空出后自动恢复 (no writes now; it goes on by itself): {cause}{}", disk::remedy(cause))
        }
        fjall::Error::Poisoned => {
            "先前一次写入失败，将自动重新打开；请检查磁盘空间和可打开的文件数 (a write failed before; it is opened \
                                   anew by itself: check free space and the limit of open files)"
                .to_owned()
        }
        _ => error.to_string(),
    })
}

/// Why the store can't be opened, with what to do about it: nobody can act on the engine's words alone.
fn at_opening(path: &Path, error: fjall::Error) -> StoreError {
    let path = path.display();
    StoreError::Engine(match error {
        fjall::Error::Locked => {
            format!("{path} 正被另一进程使用，请先停止它 (in use by another process: stop it first)")
        }
        fjall::Error::Io(error) => format!(
            "{path} 无法读写：{error}；请检查磁盘空间、权限和可打开的文件数后重新启动 (check free space, permissions and the \
             limit of open files, then start again)"
        ),
        fjall::Error::InvalidVersion(Some(found)) => format!(
            "{path} 由另一版本的程序写成：{found:?}；请用写它的版本或更新的版本打开 (written by another version: run that one, or \
             a newer one)"
        ),
        error => return engine(error),
    })
}

fn name(space: Space) -> String {
    format!("{space:?}").to_lowercase()
}

fn options(space: Space) -> KeyspaceCreateOptions {
    let large = matches!(space, Space::Records | Space::Subjects);
    KeyspaceCreateOptions::default().max_memtable_size(if large { LARGE_MEMTABLE } else { SMALL_MEMTABLE })
}

struct FjallView {
    snapshot: Snapshot,
    open: Arc<OpenEngine>,
    damage: Arc<Damage>,
}

/// What is seen of a store while its engine is closed: why.
struct ClosedView(String);

impl ClosedView {
    fn why(&self) -> StoreError {
        StoreError::Engine(self.0.clone())
    }
}

impl View for ClosedView {
    fn get(&self, _: Space, _: &[u8]) -> Result<Option<Bytes>, StoreError> {
        Err(self.why())
    }

    fn range(&self, _: Space, _: &[u8], _: &[u8]) -> Rows<'_> {
        Box::new(std::iter::once(Err(self.why())))
    }

    fn prefix(&self, _: Space, _: &[u8]) -> Rows<'_> {
        Box::new(std::iter::once(Err(self.why())))
    }
}

impl FjallView {
    fn rows(&self, iter: fjall::Iter) -> Rows<'static> {
        let damage = self.damage.clone();
        Box::new(iter.filter_map(move |guard| match guard.into_inner().map_err(engine) {
            Ok((key, _)) if key.as_ref() == proof::KEY.as_slice() => None,
            Ok((key, value)) => Some(Ok((Bytes::from(key), Bytes::from(value)))),
            Err(error) => Some(Err(damage.seen(error))),
        }))
    }
}

impl View for FjallView {
    fn get(&self, space: Space, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        let row = self.snapshot.get(&self.open.spaces[space as usize], key);
        Ok(row.map_err(|error| self.damage.seen(engine(error)))?.map(Bytes::from))
    }

    fn range(&self, space: Space, from: &[u8], to: &[u8]) -> Rows<'_> {
        if from >= to {
            return Box::new(std::iter::empty());
        }
        self.rows(self.snapshot.range(&self.open.spaces[space as usize], from..to))
    }

    fn prefix(&self, space: Space, prefix: &[u8]) -> Rows<'_> {
        self.rows(self.snapshot.prefix(&self.open.spaces[space as usize], prefix))
    }
}

impl Store for FjallStore {
    fn view(&self) -> Box<dyn View> {
        match self.open_engine() {
            Ok(open) => Box::new(FjallView { snapshot: open.db.snapshot(), open, damage: self.damage.clone() }),
            Err(why) => Box::new(ClosedView(why)),
        }
    }

    fn commit(&self, mut set: WriteSet) -> Result<(), StoreError> {
        // In key order the memtables are walked once, not searched anew for each row. The sort is stable, so the
        // last of two rows of one key still wins.
        set.rows.sort_by(|(space, key, _), (other, next, _)| space.cmp(other).then_with(|| key.cmp(next)));
        let mut proof = self.proof.lock().unwrap_or_else(PoisonError::into_inner);
        let next = proof.0.next(set.rows.iter().map(|(space, ..)| *space));
        let open = self.open_engine().map_err(StoreError::Engine)?;
        let mut batch = open.db.batch().durability(Some(PersistMode::SyncAll));
        for (space, key, value) in set.rows {
            let keyspace = &open.spaces[space as usize];
            match value {
                Some(value) => batch.insert(keyspace, key, value),
                None => batch.remove(keyspace, key),
            }
        }
        for space in next.touched() {
            let row = if space == Space::Meta { next.to_bytes() } else { next.last.to_be_bytes().to_vec() };
            batch.insert(&open.spaces[space as usize], proof::KEY, row);
        }
        if let Err(error) = batch.commit() {
            // A write behind the commits may have failed first; then the engine no longer says of what.
            let why = match self.has_room() {
                Err(room) if matches!(error, fjall::Error::Poisoned) => room,
                _ => engine(error),
            };
            self.note_fault(Some(why.to_string()));
            return Err(why);
        }
        proof.1.note(next.last);
        proof.0 = next;
        Ok(())
    }

    fn size_on_disk(&self) -> u64 {
        self.open_engine().map_or(0, |open| open.db.disk_space().unwrap_or(0))
    }

    fn fault(&self) -> Option<String> {
        self.fault.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn is_damaged(&self) -> bool {
        self.damage.is_found()
    }

    fn note_damage(&self, why: &str) {
        self.damage.note(why);
    }

    fn mend(&self) -> Result<(), StoreError> {
        match self.fault() {
            None => return Ok(()),
            Some(why) if self.is_damaged() => return Err(StoreError::Damaged(why)),
            Some(_) => {}
        }
        self.has_room()?;
        // No commit begins meanwhile.
        let mut proof = self.proof.lock().unwrap_or_else(PoisonError::into_inner);
        self.close()?;
        let opened = open_engine(&self.path).and_then(|open| Ok((read_proof(&open)?, open)));
        let mut engine = self.engine.write().unwrap_or_else(PoisonError::into_inner);
        match opened {
            Ok((found, open)) => {
                proof.0 = found;
                *engine = Ok(Arc::new(open));
                self.note_fault(None);
                Ok(())
            }
            Err(error) => {
                let why = error.to_string();
                *engine = Err(why.clone());
                self.note_fault(Some(why));
                Err(self.damage.seen(error))
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_the_machine_could_not_do_is_told_apart_from_damage_and_says_what_helps() {
        for error in [fjall::Error::Unrecoverable, fjall::Error::InvalidVersion(None), fjall::Error::InvalidTrailer] {
            assert!(at_opening(Path::new("/data/store"), error).is_damage());
        }
        let full = std::io::Error::from(std::io::ErrorKind::StorageFull);
        for (error, remedy) in [(fjall::Error::Locked, "stop it first"), (fjall::Error::Io(full), "check free space")] {
            let said = at_opening(Path::new("/data/store"), error);
            assert!(!said.is_damage() && said.to_string().contains(remedy), "{said}");
        }
    }

    #[test]
    fn an_engine_that_failed_is_opened_anew_with_everything_that_was_answered_for() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("store");
        let store = FjallStore::open(&path).unwrap();
        let put = |key: &[u8]| {
            let mut set = WriteSet::default();
            set.put(Space::Records, key, b"row".to_vec());
            store.commit(set)
        };
        put(b"one").unwrap();
        store.note_fault(Some("no room".into()));
        let reading = store.view();
        assert!(store.mend().is_err(), "somebody reads");
        assert!(reading.get(Space::Records, b"one").unwrap().is_some(), "and is not disturbed");
        drop(reading);
        store.mend().unwrap();
        assert_eq!(store.fault(), None);
        put(b"two").unwrap();
        for key in [b"one", b"two"] {
            assert!(store.view().get(Space::Records, key).unwrap().is_some());
        }
        drop(store);
        assert_eq!(FjallStore::open(&path).unwrap().missing_commits(), 0);
    }

    #[test]
    fn a_block_that_is_damaged_while_it_runs_is_on_record_for_the_next_start() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("store");
        let filled = || {
            let store = FjallStore::open(&path).unwrap();
            for part in 0..24_u32 {
                let mut set = WriteSet::default();
                for row in 0..1_000_u32 {
                    let random: Vec<u8> = (0..32).flat_map(|_| rand::random::<[u8; 32]>()).collect();
                    set.put(Space::Documents, [part.to_be_bytes(), row.to_be_bytes()].concat(), random);
                }
                store.commit(set).unwrap();
            }
        };
        filled();
        let read = |store: &FjallStore| {
            let view = store.view();
            view.prefix(Space::Documents, &[]).find_map(Result::err)
        };
        let store = FjallStore::open(&path).unwrap();
        // A table that was written out; what is newer stands in the journal.
        let tables = walk(&path).into_iter().filter(|file| file.to_string_lossy().contains("tables"));
        let table = tables.max_by_key(|file| std::fs::metadata(file).unwrap().len()).unwrap();
        let mut content = std::fs::read(&table).unwrap();
        let middle = content.len() / 2;
        content[middle..middle + 4_096].fill(0xff);
        std::fs::write(&table, content).unwrap();
        assert!(matches!(read(&store), Some(StoreError::Damaged(_))));
        assert!(store.is_damaged() && store.fault().is_some() && store.mend().is_err());
        assert!(FjallStore::is_suspected(&path));
        drop(store);
        let unit = taizhang_proto::OrgCode::new(210_402_000_000).unwrap();
        let opened = crate::integrity::open(&path, unit).unwrap();
        assert!(!opened.incident.is_empty() && !FjallStore::is_suspected(&path), "{}", opened.incident);
        assert!(read(&opened.store).is_none());
        // What can be read is believed once, and not twice within a day.
        opened.store.note_damage("a row");
        drop(opened);
        let opened = crate::integrity::open(&path, unit).unwrap();
        assert!(opened.incident.is_empty() && !opened.store.is_damaged() && !FjallStore::is_suspected(&path));
        opened.store.note_damage("a row");
        drop(opened);
        let opened = crate::integrity::open(&path, unit).unwrap();
        assert!(opened.incident.contains("已损坏") && !FjallStore::is_suspected(&path), "{}", opened.incident);
    }

    /// All files below a folder.
    fn walk(dir: &Path) -> Vec<PathBuf> {
        let mut found = Vec::new();
        for entry in std::fs::read_dir(dir).unwrap().map(Result::unwrap) {
            if entry.path().is_dir() { found.extend(walk(&entry.path())) } else { found.push(entry.path()) }
        }
        found
    }
}
