//! Days that this computer's clock filled in, where the hub can't take them: somebody who was registered offline by a clock that ran
//! ahead.
//! Invariant: only what the hub refused because a day has not come which the clock itself gave, of a record that the hub does not have,
//! is said again, once, with a day that can be, in the name of who entered it; so is what was entered on top of it. What somebody
//! wrote, and a day that may be true, is never touched.

use super::{Ledger, LedgerError, read_edit, save::Source};
use crate::{
    desk::{Draft, SaveError},
    store::{RefusalEnd, StoreError, key},
};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use taizhang_proto::{
    RecordId,
    change::Edit,
    check,
    date::{self, Day},
    pb::{self, OutcomeKind},
    register::{EFFECTIVE_ON, VERIFIED_ON, Value, number, registered_on, registers},
    stamp::Stamp,
};

/// Why it is said again, as history tells it.
const REASON: &str = "登记时本机时钟不对，按上级时钟更正 (dated by a clock that was wrong: put right by the hub's)";
/// What a hub refuses on top of a record that it does not have.
const ON_TOP: [&str; 3] = ["unknown", "required", check::AHEAD];
/// How far a hub's clock may be behind what it was, seconds, before its word on days is not taken.
const SET_BACK: u64 = 600;

/// A change that the hub refuses.
pub(super) struct Refused {
    seq: u64,
    edit: Edit,
    rule: String,
    right: Vec<(u32, Day)>,
}

/// What was said again in this run: of each record the numbers of the changes as which it was.
pub(super) type SaidAgain = HashMap<RecordId, BTreeSet<u64>>;

/// The days of an edit that are those of the clock that stamped it, where that day has not come, as they should be.
pub(crate) fn filled(edit: &Edit, right: Day) -> Vec<(u32, Day)> {
    let said = date::shanghai(edit.stamp.millis());
    if said <= right || edit.offer.is_some() || edit.reason == REASON {
        return Vec::new();
    }
    let Some(def) = registers().get(edit.register) else { return Vec::new() };
    let is_filled = |tag: u32| {
        let premises = def.number == number::FACILITY && tag == EFFECTIVE_ON;
        premises || tag == VERIFIED_ON || registered_on(def.number) == Some(tag)
    };
    let fields = edit.fields.iter().filter(|field| is_filled(field.tag));
    let said = fields.filter(|field| {
        def.field(field.tag).and_then(|own| Value::decode(own, &field.bytes)) == Some(Value::Day(said))
    });
    said.map(|field| (field.tag, right)).collect()
}

/// A saved change as a form again; none where this build does not know all that it says.
pub fn draft_of(edit: &Edit) -> Option<Draft> {
    let def = registers().get(edit.register)?;
    let mut draft = Draft::new(edit.id, edit.register).because(&edit.reason);
    for field in &edit.fields {
        let own = def.field(field.tag)?;
        // What can't be read must not become nothing.
        let value = if field.bytes.is_empty() { None } else { Some(Value::decode(own, &field.bytes)?) };
        draft.edits.push((field.tag, value));
    }
    Some(draft)
}

/// Puts days in place of those that a form has.
pub(crate) fn put_right(draft: &mut Draft, days: &[(u32, Day)]) {
    for (tag, day) in days {
        draft.edits.retain(|(own, _)| own != tag);
        draft.edits.push((*tag, Some(Value::Day(*day))));
    }
}

/// A refused change as it is said again.
fn again(one: &Refused) -> Option<Draft> {
    let mut draft = draft_of(&one.edit)?;
    put_right(&mut draft, &one.right);
    if draft.reason.is_empty() {
        REASON.clone_into(&mut draft.reason);
    }
    Some(draft)
}

impl Ledger {
    /// What a verdict refuses, in the order in which it was entered; read before the verdict is kept, which lets go of it. Nothing from
    /// a hub whose clock was set back.
    pub(super) fn refused_by(&self, verdicts: &pb::Verdicts) -> Result<Vec<Refused>, StoreError> {
        let mut refused = verdicts.outcomes.iter().filter(|outcome| outcome.kind() == OutcomeKind::Refused).peekable();
        if refused.peek().is_none() {
            return Ok(Vec::new()); // as almost always
        }
        let state = self.state();
        let synced = state.synced_at;
        if verdicts.received.saturating_add(SET_BACK) < synced {
            return Ok(Vec::new());
        }
        let now = Stamp::at_millis(verdicts.received.saturating_mul(1_000).min(u64::MAX >> 16));
        let (today, earliest) = (date::shanghai_of_seconds(verdicts.received), date::shanghai_of_seconds(synced));
        // A number is answered once, whatever a message says.
        let mut found = BTreeMap::new();
        for outcome in refused {
            let is_open = (verdicts.first..=verdicts.last.min(state.head)).contains(&outcome.seq);
            if !is_open || outcome.seq <= state.settled {
                continue;
            }
            let Some(change) = self.store.get(&key::pending(outcome.seq))? else { continue };
            let edit = read_edit(&change)?;
            // It was entered since the last session; by the hub's guess of this clock, as far as that can be.
            let guess = date::shanghai(edit.stamp.believed(now, verdicts.skew_millis).millis());
            let right = filled(&edit, guess.max(earliest).min(today));
            let rule = outcome.why.as_ref().map(|why| why.rule.clone()).unwrap_or_default();
            found.insert(outcome.seq, Refused { seq: outcome.seq, edit, rule, right });
        }
        Ok(found.into_values().collect())
    }

    /// Says again what was refused for such a day, and what was refused on top of it. After the verdict: the refusals are on disk, and
    /// whatever is not said again, as when this is broken off, waits among them for the clerk. Returns how many were said again.
    pub(super) fn say_again(&self, refused: Vec<Refused>) -> Result<u64, LedgerError> {
        let mut drafts: Vec<(Refused, Draft)> = Vec::new();
        let mut begun: HashSet<RecordId> = HashSet::new();
        for one in refused {
            let id = one.edit.id;
            // One that was dealt with, and is heard again by a store that was older, is not said again.
            let is_open = self.refusal(one.seq)?.is_some_and(|refusal| refusal.end.is_none());
            let said = self.inner().said_again.get(&id).cloned().unwrap_or_default();
            let waits = begun.contains(&id) || said.first().is_some_and(|first| one.seq < *first);
            let on_top = waits && ON_TOP.contains(&one.rule.as_str());
            let begins = one.rule == check::AHEAD && !one.right.is_empty() && self.store.record(id)?.is_none();
            let Some(mut draft) = again(&one).filter(|_| is_open && (on_top || begins)) else { continue };
            if on_top {
                // What the clerk has entered since stays the later word.
                let newer = self.entered_since(id, &said)?;
                draft.edits.retain(|(tag, _)| !newer.contains(tag));
            }
            begun.insert(id);
            drafts.push((one, draft));
        }
        let mut count = 0;
        for of_one in drafts.chunk_by(|(one, _), (next, _)| one.edit.by == next.edit.by) {
            let (by, at) = (&of_one[0].0.edit.by, self.now_millis() / 1_000);
            let groups: Vec<Vec<Draft>> = of_one.iter().map(|(_, draft)| vec![draft.clone()]).collect();
            let (mut sent_as, answers) = self.save_after(Source::File, &groups, by);
            let mut ends = Vec::new();
            for ((one, _), answer) in of_one.iter().zip(answers) {
                if let Err(error) = answer {
                    // What the rules say may hold values: only of which kind it is.
                    let kind = if matches!(error, SaveError::Store(_)) { "store" } else { "rules" };
                    tracing::debug!(record = %one.edit.id, kind, "what a wrong clock had dated was not said again: it waits among the refused");
                    continue;
                }
                sent_as += 1;
                self.inner().said_again.entry(one.edit.id).or_default().insert(sent_as);
                ends.push((one.seq, RefusalEnd { at, by: by.clone(), reason: String::new(), sent_as }));
            }
            count += self.end_refusals(ends)?;
        }
        Ok(count)
    }

    /// The fields that were entered on a record after it was first said again, but for what was said again itself.
    fn entered_since(&self, id: RecordId, said: &BTreeSet<u64>) -> Result<BTreeSet<u32>, StoreError> {
        let first = said.first().copied().unwrap_or(u64::MAX);
        let mut tags = BTreeSet::new();
        for (_, change) in self.pending_of(id)?.into_iter().filter(|(seq, _)| *seq > first && !said.contains(seq)) {
            tags.extend(read_edit(&change)?.fields.iter().map(|field| field.tag));
        }
        Ok(tags)
    }
}
