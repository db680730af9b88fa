//! Draws on record: a spot check's seed is kept with who drew, when, and whom it chose, so that nobody can draw until the
//! result pleases without that showing (notice, item 32). Invariant: a draw that was recorded is never changed.

use crate::{
    state::Core,
    store::{Space, StoreError},
    totals::{self, QueryError},
    writer::{Job, WriteError, Writer},
};
use prost::Message;
use taizhang_proto::pb;

/// Before the moment of a draw: the draw.
const DRAW: &[u8] = b"draw-";

/// Why a draw can't be recorded.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The draw.
    #[error(transparent)]
    Draw(#[from] QueryError),
    /// The writer.
    #[error(transparent)]
    Write(#[from] WriteError),
}

/// Draws and keeps the draw.
///
/// # Errors
/// When it can't be drawn, or the writer fails.
pub async fn record(
    core: &Core,
    writer: &Writer,
    request: &pb::DrawRequest,
    by: &str,
) -> Result<pb::RecordedDraw, RecordError> {
    let draw = tokio::task::block_in_place(|| totals::draw(core, request, core.unit))?;
    let at = core.now();
    let key = [DRAW, &at.to_be_bytes(), &blake3::hash(draw.seed.as_bytes()).as_bytes()[..8]].concat();
    let row = pb::RecordedDraw { draw: Some(draw), by: by.to_owned(), at };
    writer.write(Job::By(by.to_owned(), Box::new(Job::Draw(key, row.encode_to_vec())))).await?;
    Ok(row)
}

/// Every draw on record, oldest first.
///
/// # Errors
/// When the store fails.
pub fn recorded(core: &Core) -> Result<Vec<pb::RecordedDraw>, StoreError> {
    let decode = |row: bytes::Bytes| pb::RecordedDraw::decode(row).map_err(|_| StoreError::Row(Space::Documents));
    core.view().prefix(Space::Documents, DRAW).map(|row| decode(row?.1)).collect()
}
