//! Who begins a log anew, and how often it may.
//! Invariant: a child has so many new beginnings in hand and gets more with time alone, whatever it greets with.

use super::{Peer, commit::Commit};
use crate::{rows::NodeRow, store::StoreError};
use taizhang_proto::pb;

/// Whether a child goes on under another log than before.
pub(super) fn is_other_log(row: &NodeRow, hello: &pb::Hello) -> bool {
    row.incarnation[..] != hello.incarnation[..] || row.number == 0
}

/// Whether a child begins a log that was never heard, or, a hub, says everything anew: both only so often.
fn begins_anew(row: &NodeRow, peer: &Peer, hello: &pb::Hello) -> bool {
    let unheard = !row.past.iter().any(|past| past.incarnation[..] == hello.incarnation[..]);
    let says_anew = peer.hub && hello.rebuild && (row.acknowledged > 0 || row.cells > 0);
    (is_other_log(row, hello) && unheard && row.number != 0) || says_anew
}

/// The row of a child that greets; one that begins anew may only so often: none where it may not now.
pub(super) fn row_of(commit: &mut Commit<'_>, peer: &Peer, hello: &pb::Hello) -> Result<Option<NodeRow>, StoreError> {
    let stood = commit.node(&peer.id)?;
    let new = || NodeRow { id: peer.id.clone(), enrolled: commit.core.now(), ..NodeRow::default() };
    let mut row = stood.clone().unwrap_or_else(new);
    if !begins_anew(&row, peer, hello) {
        return Ok(Some(row));
    }
    let Some(exhausted) = row.begin_anew(commit.core.now()) else {
        if let Some(stood) = stood.filter(|stood| stood.allowance != row.allowance) {
            commit.put_node(NodeRow { allowance: row.allowance, ..stood });
        }
        return Ok(None);
    };
    row.incidents = row.incidents.saturating_add(u64::from(exhausted));
    Ok(Some(row))
}
