//! Looks at every record that changed in a commit, and at what that changes in turn.
//! Invariant: a finding stands in the queue exactly while its reason does, unless a reviewer has ruled on it.

use super::{
    commit::{Commit, pending::Look},
    conflicts,
    findings::{Finding, Twins},
    merge, order,
    revise::{self, Hand},
    transfers,
};
use crate::store::StoreError;
use std::collections::HashSet;
use taizhang_proto::{register::number, rule::Rule};

/// Most records that one batch may have looked at; what is beyond is looked at with the next edit of it.
const MAX_INSPECTED: usize = 100_000;

/// Looks at everything that changed, and at what that changes in turn.
pub(super) fn inspect_all(commit: &mut Commit<'_>) -> Result<(), StoreError> {
    let mut looked = 0;
    while !(commit.to_inspect.is_empty() && commit.to_look.is_empty()) {
        if looked >= MAX_INSPECTED {
            let next = commit.to_inspect.first().copied().or_else(|| commit.to_look.first().map(|look| look.about()));
            tracing::error!(record = ?next, looked, "one commit has had more looked at than can follow from anything: the rest is looked at when it is edited");
            return Ok(());
        }
        let mut seen = HashSet::new();
        for id in std::mem::take(&mut commit.to_inspect).into_iter().filter(|id| seen.insert(*id)) {
            looked += 1;
            let found = commit.known().findings(id)?;
            bring_about(commit, found)?;
        }
        let mut seen: HashSet<Look> = HashSet::new();
        'looks: while !commit.to_look.is_empty() {
            for look in std::mem::take(&mut commit.to_look).into_iter().filter(|look| seen.insert(*look)) {
                if looked >= MAX_INSPECTED {
                    commit.to_look.push(look); // so that it is told what is left
                    break 'looks;
                }
                looked += 1;
                let found = commit.known().look_at(look)?;
                bring_about(commit, found)?;
            }
        }
    }
    Ok(())
}

/// Does what was found.
fn bring_about(commit: &mut Commit<'_>, found: Vec<Finding>) -> Result<(), StoreError> {
    for finding in found {
        match finding {
            Finding::Ask(conflict) => {
                conflicts::raise(commit, *conflict)?;
            }
            Finding::Over { id, kind, stays } => {
                conflicts::pass_conflicts(commit, id, kind, |open| stays.holds(open))?;
            }
            Finding::OneJob(twins) => make_one(commit, twins)?,
            Finding::Sent(id) => transfers::ask_if_sent(commit, id)?,
            Finding::Answered(id) => transfers::answer_transfer(commit, id)?,
            Finding::Wanting(check) => order::order_to_rectify(commit, check)?,
            Finding::Restored(case) => order::close_order(commit, case)?,
            Finding::Also(id) => commit.to_inspect.push(id),
            Finding::Look(look) => commit.to_look.push(look),
        }
    }
    Ok(())
}

/// Makes one placement of the first pair that can be one.
fn make_one(commit: &mut Commit<'_>, twins: Vec<Twins>) -> Result<(), StoreError> {
    let hand = Hand::rule(Rule::SameJob);
    for Twins { first, second, says, mut ask } in twins {
        if merge::merge(commit, first, second, &[], &hand)?.is_ok() {
            ask.revision = commit.record(first)?.map_or(ask.revision, |record| record.revision());
            revise::revise(commit, first, number::PLACEMENT, says, &hand)?;
            conflicts::raise(commit, *ask)?;
            return Ok(());
        }
    }
    Ok(())
}
