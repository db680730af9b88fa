//! Those who read figures, months, tasks and campaigns, and nothing else: member units of the leading group (notice, its
//! addressees), leaders' own programs. A reader's certificate opens the totals of one unit's subtree; it can't sync, and there
//! is no personal data in totals. Invariant: a reader is no child: nobody waits for it, and it counts in nothing.

use crate::{
    state::Core,
    store::{Space, StoreError, View, WriteSet},
};
use prost::Message;
use taizhang_proto::{OrgCode, pb};

/// Before a reader's id: the reader.
const READER: &[u8] = b"reader-";

fn key(id: &str) -> Vec<u8> {
    [READER, id.as_bytes()].concat()
}

fn decode(row: bytes::Bytes) -> Result<pb::ReaderInfo, StoreError> {
    pb::ReaderInfo::decode(row).map_err(|_| StoreError::Row(Space::Documents))
}

/// The reader with this id; none where there is none.
///
/// # Errors
/// When the store fails.
pub(crate) fn read(view: &dyn View, id: &str) -> Result<Option<pb::ReaderInfo>, StoreError> {
    view.get(Space::Documents, &key(id))?.map(decode).transpose()
}

/// Puts a reader as it now stands.
pub(crate) fn put(set: &mut WriteSet, reader: &pb::ReaderInfo) {
    set.put(Space::Documents, key(&reader.id), reader.encode_to_vec());
}

/// Every reader, those who may read first, by unit.
///
/// # Errors
/// When the store fails.
pub fn all(core: &Core) -> Result<Vec<pb::ReaderInfo>, StoreError> {
    let (view, tree) = (core.view(), core.tree());
    let rows = view.prefix(Space::Documents, READER).map(|row| decode(row?.1));
    let named = |reader: pb::ReaderInfo| {
        let unit_name = OrgCode::new(reader.unit).map(|unit| tree.name(unit)).unwrap_or_default();
        pb::ReaderInfo { unit_name, ..reader }
    };
    let mut readers: Vec<pb::ReaderInfo> = rows.map(|row| row.map(named)).collect::<Result<_, _>>()?;
    readers.sort_by(|one, two| (one.retired > 0, one.unit, &one.name).cmp(&(two.retired > 0, two.unit, &two.name)));
    Ok(readers)
}
