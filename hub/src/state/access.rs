//! Who speaks to a hub, and whether they still may.

use super::{Core, readers};
use crate::{
    rows::{self, NodeRow},
    store::{Space, StoreError},
};
use taizhang_proto::OrgCode;
use tonic::Status;

/// What a child or a reader is told that was retired.
pub(crate) const RETIRED: &str =
    "本机已停用，如需继续使用请向上级重新登记 (this node was retired: enrol anew to go on)";

/// Who a child is, from its certificate.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Peer {
    /// Its id.
    pub id: String,
    /// Its unit: the scope it may see and write.
    pub unit: OrgCode,
    /// Whether it is a hub itself.
    pub hub: bool,
}

/// Refuses a child or a reader that was retired.
#[allow(clippy::result_large_err)] // tonic's own error type
pub(crate) fn still_welcome(core: &Core, id: &str) -> Result<(), Status> {
    let retired = || -> Result<bool, StoreError> {
        let view = core.view();
        let row: Option<NodeRow> = rows::read(view.as_ref(), Space::Nodes, id.as_bytes())?;
        let reader = readers::read(view.as_ref(), id)?;
        let on_roll = core.is_retired(id);
        Ok(on_roll || row.is_some_and(|row| row.retired > 0) || reader.is_some_and(|reader| reader.retired > 0))
    };
    match retired() {
        Ok(false) => Ok(()),
        Ok(true) => Err(Status::permission_denied(RETIRED)),
        Err(error) => Err(Status::unavailable(error.to_string())),
    }
}
