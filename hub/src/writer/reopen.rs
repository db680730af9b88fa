//! Taking a ruling back. Invariant: what the ruling wrote goes back to what stood before, in the commit that puts the conflict
//! into the queue again; a township takes back only what is still its own word.

use super::{
    commit::{Commit, Reading},
    competence::{self, WhyNot},
    conflicts,
    kinds::{self, Back},
    merge,
    revise::{self, Hand, nothing},
};
use crate::store::StoreError;
use taizhang_proto::{
    OrgCode, RecordId,
    cell::{Shelf, merged_into},
    decide::HUB_NODE,
    limits,
    pb::{self, Choice, ConflictState},
    register::MERGED_INTO,
    wire::Field,
};

/// What is said to a township that would take back what it did not rule, or what has been ruled otherwise since.
const NOT_THEIRS: &str =
    "不是本单位裁定的，或其后另有改动，请报县区 (not this unit's ruling, or changed since: ask the district)";

/// Puts a settled conflict back into the queue and takes back what the ruling wrote.
pub(super) fn reopen(
    commit: &mut Commit<'_>,
    request: &pb::ReopenRequest,
    of: Option<OrgCode>,
) -> Result<Result<(), WhyNot>, StoreError> {
    let (by, reason) = match limits::who_and_why(&request.by, &request.reason) {
        Ok(said) => said,
        Err(why) => return Ok(Err(why.to_string())),
    };
    let mut conflict = match competence::conflict_for(commit, request.number, of)? {
        Ok(conflict) => conflict,
        Err(why) => return Ok(Err(why)),
    };
    if conflict.state() == ConflictState::Unsettled {
        return Ok(Err("尚未处理，无需重开 (it is open)".into()));
    }
    let theirs = |of: OrgCode| conflict.ruling.as_ref().is_some_and(|ruling| ruling.unit == of.number());
    if of.is_some_and(|of| !theirs(of)) {
        return Ok(Err(NOT_THEIRS.into()));
    }
    let rule = conflict.rule.clone();
    let hand = Hand { by, reason, rule: &rule, conflict: request.number, of, ..Hand::default() };
    let Some(id) = RecordId::from_slice(&conflict.record) else {
        return Ok(Err("冲突没有记录 (no record)".into()));
    };
    let way = kinds::back(&conflict);
    let back = match way {
        Back::Set(fields) => fields(),
        Back::Before => stood_before(commit, id, &conflict)?,
        Back::Nothing | Back::Unmerge | Back::UnmergeOther => Vec::new(),
    };
    let absorbed = match way {
        Back::Unmerge => Some(id),
        Back::UnmergeOther => RecordId::from_slice(&conflict.other),
        Back::Nothing | Back::Before | Back::Set(_) => None,
    };
    if let Some(of) = of {
        let tags: Vec<u32> = back.iter().map(|field| field.tag).collect();
        let mut as_ruled = competence::is_own_ruling(commit, id, &tags, of)?;
        if let Some(absorbed) = absorbed {
            let into = Reading(commit).record(absorbed)?.and_then(|record| merged_into(&record));
            as_ruled &= into.is_some_and(|into| conflict.other == into.0[..]);
            as_ruled &= competence::is_own_ruling(commit, absorbed, &[MERGED_INTO], of)?;
        }
        if !as_ruled {
            return Ok(Err(NOT_THEIRS.into()));
        }
        if let Some(broken) = competence::refused_way(commit, id, conflict.register, &back, of.tier())? {
            return Ok(Err(broken.to_string()));
        }
    }
    if let Some(absorbed) = absorbed
        && let Err(why) = merge::unmerge(commit, absorbed, &hand)?
    {
        return Ok(Err(why));
    }
    // First in the queue again, so that what the way back brings up finds it there.
    conflict.set_choice(Choice::Unknown);
    conflicts::reopen_conflict(commit, conflict.clone())?;
    // What has no reason any more is not asked again.
    commit.to_inspect.push(id);
    if !back.is_empty() {
        revise::revise(commit, id, conflict.register, back, &hand)?;
    }
    Ok(Ok(()))
}

/// What stood in a conflict's fields before a reviewer took a claim or wrote, where the reviewer's word still stands.
fn stood_before(commit: &mut Commit<'_>, id: RecordId, conflict: &pb::Conflict) -> Result<Vec<Field>, StoreError> {
    let Some(record) = commit.record(id)? else { return Ok(Vec::new()) };
    let before = conflict.claims.first().map(pb::ClaimedValue::said).unwrap_or_default();
    let ours = |tag: &u32| record.origin(*tag).is_none_or(|origin| origin.node == HUB_NODE);
    let old = |tag: &u32| before.iter().find(|field| field.tag == *tag).cloned().unwrap_or_else(|| nothing(*tag));
    Ok(conflict.tags.iter().filter(|tag| ours(tag)).map(old).collect())
}
