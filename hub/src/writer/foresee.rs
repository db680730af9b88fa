//! What another list of plans changes, found beside the writer while it goes on: a new plan is then one short commit, and not a count of
//! every record that everybody waits for.
//! Invariant: whom the list may count otherwise is who was found to be, or was touched by a commit since the look was begun; where that
//! is not known to be whole, everything is counted anew.

use super::{Core, WriteError, commit::Commit, finish::finish, rederive};
use crate::{
    rows::{NodeRow, meta},
    state::{Foreseen, PlanInForce},
    store::{Space, StoreError, View},
    totals::recount::Recount,
    upkeep,
};
use bytes::Bytes;
use prost::Message;
use std::{
    cmp::Ordering,
    collections::HashSet,
    sync::atomic::{self, AtomicU64},
};
use taizhang_proto::{
    cell::Subject,
    month,
    pb::{self, Tier},
    plan::{self, Plans},
};

/// Forgets what was looked for when it is dropped: the list was taken, or never will be.
pub(crate) struct Foresight<'c>(&'c Core);

impl Drop for Foresight<'_> {
    fn drop(&mut self) {
        *self.0.commits.foreseen() = None;
    }
}

impl Core {
    /// Finds whom a list of plans that has come from above counts otherwise, without holding up a commit, and keeps it for the commit that
    /// takes the list: how many they are, none where there is nothing to look for. A later look takes the place of an earlier one.
    ///
    /// # Errors
    /// When the list can't be believed, or the store fails: it is then for the commit to say.
    pub fn foresee(&self, list: &Bytes) -> Result<Option<usize>, WriteError> {
        static LOOKS: AtomicU64 = AtomicU64::new(0);
        let read = plan::read_list(list, self.city_key().as_deref())?;
        let digest: Bytes = month::short_digest(list).into();
        let is_news = match read.version.cmp(&self.plan_version()) {
            Ordering::Greater => true,
            Ordering::Equal => digest != self.plan_digest(),
            Ordering::Less => false,
        };
        if self.tier == Tier::City || !is_news {
            return Ok(None);
        }
        let look = LOOKS.fetch_add(1, atomic::Ordering::Relaxed);
        let (view, tree, standing) = {
            let _one_at_a_time = self.commits.one_at_a_time();
            let begun = Foreseen { look, digest, touched: HashSet::new(), found: None };
            *self.commits.foreseen() = Some(begun);
            (self.store.view(), self.tree(), self.plans())
        };
        // A store that is to be opened anew waits for whoever reads it.
        let goes_on = || self.store.fault().is_none();
        let found = Recount::read(view.as_ref(), self.unit, tree)?.differing((&standing, &read.plans), goes_on)?;
        let count = found.len();
        if let Some(begun) = self.commits.foreseen().as_mut().filter(|begun| begun.look == look) {
            begun.found = Some(found);
        }
        Ok(Some(count))
    }

    /// Within which what is looked for is kept.
    pub(crate) fn foresight(&self) -> Foresight<'_> {
        Foresight(self)
    }

    /// Notes whom a commit touches, for a look that goes on.
    pub(super) fn note_touched(&self, touched: &HashSet<Subject>) {
        if let Some(begun) = self.commits.foreseen().as_mut() {
            begun.touched.extend(touched);
        }
    }

    /// Counts by a plan that has been taken: whom it counts otherwise, where that was looked for, or everything.
    pub(super) fn count_by(&self, plan: &PlanInForce) -> Result<(), StoreError> {
        let foreseen = self.commits.foreseen().take().filter(|foreseen| foreseen.digest == plan.digest);
        let found = foreseen.and_then(|foreseen| Some((foreseen.touched, foreseen.found?)));
        let view = self.store.view();
        // Where the plan that stands was taken and never counted by, what it found says nothing.
        let is_told = self.is_counted_by_plan(view.as_ref())?;
        let Some((mut touched, found)) = found.filter(|_| is_told) else {
            return self.rederive(&plan.plans, false);
        };
        touched.extend(found);
        tracing::info!(subjects = touched.len(), "counting those anew whom the plan counts otherwise");
        let mut commit = Commit::new(self, view.as_ref())?;
        count_anew(&mut commit, &plan.plans, touched)?;
        let (set, revision) = finish(commit, &self.commits.work_done)?;
        self.put(set)?;
        self.tell(revision, false);
        Ok(())
    }

    /// Whether what is stored was counted by this program's rules and the plans that stand.
    pub(super) fn is_counted_by_plan(&self, view: &dyn View) -> Result<bool, StoreError> {
        let rules = rederive::rules(&self.plans());
        Ok(view.get(Space::Meta, meta::RULES)?.is_some_and(|row| row[..] == rules))
    }

    /// Counts anew where a plan was taken, and the store failed before it was counted by: a store that was opened anew is then as a start
    /// would leave it.
    ///
    /// # Errors
    /// When the store fails.
    pub fn count_by_what_stands(&self) -> Result<(), StoreError> {
        let _one_at_a_time = self.commits.one_at_a_time();
        let view = self.store.view();
        if self.tier == Tier::City || self.is_counted_by_plan(view.as_ref())? {
            return Ok(());
        }
        drop(view);
        self.rederive(&self.plans(), false)
    }
}

/// Puts into the cells how these subjects, the children and the conflicts count by other plans than those that stand.
fn count_anew(commit: &mut Commit<'_>, plans: &Plans, subjects: HashSet<Subject>) -> Result<(), StoreError> {
    let standing = commit.core.plans();
    for subject in subjects {
        commit.recount_subject(subject, (&standing, plans))?;
    }
    for row in commit.view.prefix(Space::Nodes, &[]) {
        let row = NodeRow::decode(row?.1).map_err(|_| StoreError::Row(Space::Nodes))?;
        commit.replace_steps(&upkeep::of_node(&row, &standing), &upkeep::of_node(&row, plans))?;
    }
    let hub = commit.core.unit;
    for row in commit.view.prefix(Space::Conflicts, &[]) {
        let conflict = pb::Conflict::decode(row?.1).map_err(|_| StoreError::Row(Space::Conflicts))?;
        let of = |plans| upkeep::of_conflict(&conflict, hub, plans);
        commit.replace_steps(&of(&standing), &of(plans))?;
    }
    commit.set.put(Space::Meta, meta::RULES, rederive::rules(plans));
    Ok(())
}
