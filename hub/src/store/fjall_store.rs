//! The embedded store: fjall, one keyspace a space, one batch a commit.

use super::{FORMAT, Rows, SPACES, Space, Store, StoreError, View, WriteSet};
use bytes::Bytes;
use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode, Readable, Snapshot};
use std::{path::Path, sync::Arc};

/// Cache for blocks read back, bytes.
const CACHE: u64 = 64 * 1024 * 1024;
/// Largest memtable of the two large spaces, bytes.
const LARGE_MEMTABLE: u64 = 32 * 1024 * 1024;
/// Largest memtable of the others, bytes.
const SMALL_MEMTABLE: u64 = 8 * 1024 * 1024;

/// A fjall database.
#[derive(Clone)]
pub struct FjallStore {
    db: Database,
    spaces: Arc<[Keyspace]>,
}

impl FjallStore {
    /// Opens or creates the store.
    ///
    /// # Errors
    /// When the engine fails, or the rows were written by another version of the program.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        // Made here, so that only its owner can read what is in it.
        taizhang_node::disk::create_dir(path).map_err(|error| StoreError::Engine(error.to_string()))?;
        let db = Database::builder(path)
            .cache_size(CACHE)
            .max_journaling_size(256 * 1024 * 1024)
            .open()
            .map_err(|error| at_opening(path, error))?;
        let spaces = SPACES
            .iter()
            .map(|space| db.keyspace(&name(*space), || options(*space)))
            .collect::<Result<Arc<[_]>, _>>()
            .map_err(|error| at_opening(path, error))?;
        let store = Self { db, spaces };
        match store.view().get(Space::Meta, b"format")? {
            None => store.put_format()?,
            Some(found) => match <[u8; 4]>::try_from(found.as_ref()).map_or(0, u32::from_be_bytes) {
                FORMAT => {}
                1 => {
                    super::migrate::from_1(&store)?;
                    store.put_format()?;
                }
                found => return Err(StoreError::Format { found }),
            },
        }
        Ok(store)
    }

    fn put_format(&self) -> Result<(), StoreError> {
        let mut set = WriteSet::default();
        set.put(Space::Meta, *b"format", FORMAT.to_be_bytes());
        self.commit(set)
    }
}

fn engine(error: fjall::Error) -> StoreError {
    StoreError::Engine(error.to_string())
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
        error => format!(
            "{path} 已损坏，无法打开：{error:?}；请从备份恢复整个数据目录；没有备份时把 {path} 移到别处再启动，下级会重新上报所存内容 \
             (damaged: restore the whole data directory from a backup; without one move {path} elsewhere and start: the \
             children say again what they hold)"
        ),
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
    spaces: Arc<[Keyspace]>,
}

impl FjallView {
    fn rows(iter: fjall::Iter) -> Rows<'static> {
        Box::new(iter.map(|guard| {
            let (key, value) = guard.into_inner().map_err(engine)?;
            Ok((Bytes::from(key), Bytes::from(value)))
        }))
    }
}

impl View for FjallView {
    fn get(&self, space: Space, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        Ok(self.snapshot.get(&self.spaces[space as usize], key).map_err(engine)?.map(Bytes::from))
    }

    fn range(&self, space: Space, from: &[u8], to: &[u8]) -> Rows<'_> {
        if from >= to {
            return Box::new(std::iter::empty());
        }
        Self::rows(self.snapshot.range(&self.spaces[space as usize], from..to))
    }

    fn prefix(&self, space: Space, prefix: &[u8]) -> Rows<'_> {
        Self::rows(self.snapshot.prefix(&self.spaces[space as usize], prefix))
    }
}

impl Store for FjallStore {
    fn view(&self) -> Box<dyn View> {
        Box::new(FjallView { snapshot: self.db.snapshot(), spaces: self.spaces.clone() })
    }

    fn commit(&self, mut set: WriteSet) -> Result<(), StoreError> {
        // In key order the memtables are walked once, not searched anew for each row. The sort is stable, so the
        // last of two rows of one key still wins.
        set.rows.sort_by(|(space, key, _), (other, next, _)| space.cmp(other).then_with(|| key.cmp(next)));
        let mut batch = self.db.batch().durability(Some(PersistMode::SyncAll));
        for (space, key, value) in set.rows {
            let keyspace = &self.spaces[space as usize];
            match value {
                Some(value) => batch.insert(keyspace, key, value),
                None => batch.remove(keyspace, key),
            }
        }
        batch.commit().map_err(engine)
    }

    fn size_on_disk(&self) -> u64 {
        self.db.disk_space().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_damaged_store_is_refused_with_the_remedy() {
        for error in [fjall::Error::Unrecoverable, fjall::Error::InvalidVersion(None)] {
            let said = at_opening(Path::new("/data/store"), error).to_string();
            assert!(said.contains("从备份恢复") && said.contains("restore the whole data directory"), "{said}");
            assert!(said.contains("move /data/store elsewhere"), "{said}");
        }
        let said = at_opening(Path::new("/data/store"), fjall::Error::Locked).to_string();
        assert!(said.contains("stop it first"), "{said}");
    }
}
