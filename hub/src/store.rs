//! The hub's store behind a few calls: read what a batch touches, commit one write set, range over keys.
//! Invariant: a write set is applied whole and is on disk when `commit` returns; a view never changes.
//!
//! A hub that outgrows one machine keeps the same rows in another engine behind this trait.

use bytes::Bytes;

/// Version of the layout of rows. A store of another version is not opened.
pub const FORMAT: u32 = 3;

/// Where a row lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Space {
    /// Record id → canonical record.
    Records,
    /// Revision → record id and unit: each record once at its newest revision, and once where an edit of it lost.
    Feed,
    /// Revision and record id → unit that the record left.
    Departed,
    /// Record or unit id → links to it and, for a subject, what it contributes.
    Subjects,
    /// Cell → own value of the unit, with the revision that set it.
    Own,
    /// Cell → sum over the unit's subtree.
    Sums,
    /// Revision and cell → nothing: own cells by their newest revision.
    CellFeed,
    /// Unit → digest, count and newest revision of its subtree.
    Units,
    /// Node id → what is known of a child.
    Nodes,
    /// Node number and last change → verdicts, until the child has said that it has them.
    Verdicts,
    /// Record id and revision → values that no longer stand.
    History,
    /// Number → conflict.
    Conflicts,
    /// Open conflicts: in order of age, by kind, by unit, by record.
    Queue,
    /// Register, field and hash of a value that only one record may carry → the records that do.
    Uniques,
    /// Hash of a token's secret → what it allows.
    Tokens,
    /// A district's letters: id → letter with its text in the clear; revision and id → nothing.
    Outbox,
    /// A city's mail: unit and revision → what the child has not heard; nobody's unit and letter id → where it is.
    Mailbox,
    /// Unit → certificate of the hub there.
    Neighbours,
    /// Blinded marks: of a record, of a mark, and in the order in which they changed.
    Marks,
    /// Transfers: out of this hub, into it, and between two below it.
    Transfers,
    /// Name → document.
    Documents,
    /// Name → counters and version.
    Meta,
}

/// All spaces.
pub const SPACES: [Space; 22] = [
    Space::Records,
    Space::Feed,
    Space::Departed,
    Space::Subjects,
    Space::Own,
    Space::Sums,
    Space::CellFeed,
    Space::Units,
    Space::Nodes,
    Space::Verdicts,
    Space::History,
    Space::Conflicts,
    Space::Queue,
    Space::Uniques,
    Space::Tokens,
    Space::Outbox,
    Space::Mailbox,
    Space::Neighbours,
    Space::Marks,
    Space::Transfers,
    Space::Documents,
    Space::Meta,
];

/// Why the store failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The engine reports a fault.
    #[error("存储出错 (store)：{0}")]
    Engine(String),
    /// A row can't be read.
    #[error(
        "存储中有一行读不出，请从备份恢复，或清空后由下级重新上报 (a row of {0:?} can't be read: restore the hub from a backup, or let its children offer it all again)"
    )]
    Row(Space),
    /// Its files are damaged.
    #[error("存储文件已损坏 (the store's files are damaged): {0}")]
    Damaged(String),
    /// Its keyspaces do not belong to one commit: a part of its files was cut or put in place from elsewhere.
    #[error("存储的各部分不属于同一次提交 (these parts of the store belong to another commit): {0:?}")]
    Torn(Vec<Space>),
    /// Written by another version of the program.
    #[error(
        "存储格式为第{found}版，本程序只认第{FORMAT}版，请使用写下它的程序或更新的版本 (the store has format {found}, this program knows {FORMAT}: run the version that wrote it, or a newer one)"
    )]
    Format {
        /// The version on disk.
        found: u32,
    },
}

impl StoreError {
    /// Whether the rows on disk are not what was written: nothing helps but another store.
    pub fn is_damage(&self) -> bool {
        matches!(self, Self::Damaged(_) | Self::Torn(_) | Self::Row(_))
    }
}

/// Rows of a range, in key order.
pub type Rows<'a> = Box<dyn Iterator<Item = Result<(Bytes, Bytes), StoreError>> + Send + 'a>;

/// The rows as they stood when the view was taken.
pub trait View: Send {
    /// One row.
    ///
    /// # Errors
    /// When the engine fails.
    fn get(&self, space: Space, key: &[u8]) -> Result<Option<Bytes>, StoreError>;

    /// Rows from `from` up to but without `to`.
    fn range(&self, space: Space, from: &[u8], to: &[u8]) -> Rows<'_>;

    /// Rows whose key begins with `prefix`.
    fn prefix(&self, space: Space, prefix: &[u8]) -> Rows<'_>;
}

/// Rows to put (`Some`) and to remove (`None`).
#[derive(Debug, Default)]
pub struct WriteSet {
    pub(crate) rows: Vec<(Space, Vec<u8>, Option<Vec<u8>>)>,
}

impl WriteSet {
    /// Puts a row.
    pub fn put(&mut self, space: Space, key: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) {
        self.rows.push((space, key.into(), Some(value.into())));
    }

    /// Removes a row.
    pub fn remove(&mut self, space: Space, key: impl Into<Vec<u8>>) {
        self.rows.push((space, key.into(), None));
    }

    /// How many rows.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// What an engine applies, in order: the last of two rows of one key wins.
    pub fn into_rows(self) -> Vec<(Space, Vec<u8>, Option<Vec<u8>>)> {
        self.rows
    }
}

/// A hub's store.
pub trait Store: Send + Sync + 'static {
    /// The rows as they stand now.
    fn view(&self) -> Box<dyn View>;

    /// Applies a write set whole and puts it on disk.
    ///
    /// # Errors
    /// When the engine or the disk fails; then none of it may be relied on.
    fn commit(&self, set: WriteSet) -> Result<(), StoreError>;

    /// Bytes on disk.
    fn size_on_disk(&self) -> u64;

    /// Why it takes no writes, while it does not; none in an engine that can't get there.
    fn fault(&self) -> Option<String> {
        None
    }

    /// Whether its files are damaged, as far as somebody has met it: then nothing is written, and the next start reads every row.
    fn is_damaged(&self) -> bool {
        false
    }

    /// Notes that a row without which nothing goes on can't be read.
    fn note_damage(&self, _: &str) {}

    /// Opens the engine anew after a fault, where what was in its way is gone. Nothing that was answered for is lost by it:
    /// a commit that failed is there whole or not at all.
    ///
    /// # Errors
    /// While it can't be opened, or somebody still reads from it; it may be tried again.
    fn mend(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

impl From<StoreError> for taizhang_node::caller::Refusal {
    fn from(why: StoreError) -> Self {
        Self::failed(why)
    }
}
