//! What the city signed and its store has lost: the plan, the locked months, the list of tasks. Districts hold them, and
//! say them again to a city that was restored from an old backup.
//! Invariant: only what the city's own key signed is taken back, and nothing that stands gives way to it, but a month that
//! was locked anew to the same month as it was locked first.

use crate::{
    roll,
    state::{
        PlanInForce,
        months::{self, Months},
        orders,
    },
    store::{Space, StoreError, View},
    writer::{Core, WriteError, commit::Commit, enlist, order},
};
use bytes::Bytes;
use ring::signature::KeyPair;
use std::sync::Arc;
use taizhang_proto::{
    OrgCode, month,
    pb::{self, Tier},
    plan,
};

/// The kinds of documents of which a child holds what this hub has not: it is asked to say them. Of a locked month each district
/// holds its own sheet alone, so the month is asked for until every sheet is back, whoever has brought the month.
///
/// # Errors
/// When the store fails.
pub(crate) fn wanted(
    core: &Core,
    view: &dyn View,
    (unit, hello): (OrgCode, &pb::Hello),
) -> Result<Vec<String>, StoreError> {
    let roll = core.roll();
    let roll_lost = hello.roll.is_some_and(|theirs| {
        let other = theirs == roll.version && !hello.roll_digest.is_empty();
        theirs > roll.version || (other && hello.roll_digest != month::short_digest(&core.sealed_roll()))
    });
    let lost_roll = roll_lost.then(|| roll::KIND.to_owned());
    if core.signer().is_none() {
        return Ok(lost_roll.into_iter().collect());
    }
    let months = core.months();
    let month = hello.months > months.count()
        || months.in_common(hello.months, &hello.month_digest) < hello.months
        || (!core.has_said_sheets(unit) && months::lacks_sheets(view, &months, hello.months, [unit, core.unit])?);
    let orders = hello.orders > core.orders_version() || {
        let known = view.get(Space::Documents, &orders::past_key(hello.orders))?;
        known.is_some_and(|known| !hello.orders_digest.is_empty() && known != hello.orders_digest)
    };
    let wanted = [("plan", hello.plan_version > core.plan_version()), ("month", month), ("orders", orders)];
    let wanted = wanted.into_iter().filter(|(_, wanted)| *wanted).map(|(kind, _)| kind.to_owned());
    Ok(wanted.chain(lost_roll).collect())
}

impl Core {
    /// Takes a list of plans that is newer than the one that stands, and below the city another one of the same version; an
    /// older one is an old message.
    pub(in crate::writer) fn take_plans(
        &self,
        commit: &mut Commit<'_>,
        new: &mut Option<PlanInForce>,
        list: Bytes,
    ) -> Result<(), WriteError> {
        let read = plan::read_list(&list, self.city_key().as_deref())?;
        let (standing, digest) = match new {
            Some(new) => (new.version(), new.digest.clone()),
            None => (self.plan_version(), self.plan_digest()),
        };
        // A city restored from a backup may have given a number out again: those below follow what it says now.
        let said_anew = self.tier != Tier::City && read.version == standing && month::short_digest(&list) != digest;
        if said_anew {
            tracing::warn!(version = read.version, "the city has published another plan under this number");
        }
        if read.version > standing || said_anew {
            commit.set.put(Space::Documents, *b"plan", list.clone());
            *new = Some(PlanInForce::of(read, list));
        }
        Ok(())
    }

    /// At the city: what it once signed, and a child still holds.
    pub(in crate::writer) fn hear_again(
        &self,
        commit: &mut Commit<'_>,
        (new_plan, new_months): (&mut Option<PlanInForce>, &mut Option<Arc<Months>>),
        (unit, document): (OrgCode, &pb::Document),
    ) -> Result<(), WriteError> {
        if document.kind == roll::KIND {
            return Ok(enlist::recover_roll(commit, &document.content)?);
        }
        let Some(key) = self.signer() else { return Ok(()) };
        match document.kind.as_str() {
            "plan" => self.take_plans(commit, new_plan, document.content.clone()),
            "orders" => order::recover_orders(commit, &document.content, key),
            "month" => {
                let before = new_months.clone().unwrap_or_else(|| self.months());
                let (signed, sheets) =
                    months::read_document(document.content.clone(), Some(key.public_key().as_ref()))?;
                let (said, key) = ((&signed, &sheets[..]), key.public_key().as_ref());
                let now = months::recover(&mut commit.set, &before, document.version, said, key)?;
                if now.is_some() {
                    enlist::find_older(
                        commit,
                        "下级持有本级已丢失的封账月份 (a child holds a month that it had lost)",
                        None,
                    )?;
                }
                *new_months = now.map(Arc::new).or(new_months.take());
                let last = new_months.as_ref().map_or_else(|| self.months().count(), |months| months.count());
                if document.version >= last {
                    self.note_said_sheets(unit);
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }
}
