//! Days that this computer's clock filled in, put right once a hub has said how far that clock was off.
//! Invariant: only a day that the clock itself gave is put right, by an edit like any other in the name of who entered it; what
//! somebody wrote is never touched.

use super::{Ledger, LedgerError, pending_key, read_edit, refused::REFUSED_BEFORE, save::Source};
use crate::{
    desk::{Draft, SaveError},
    store::{RefusalEnd, StoreError, key},
};
use std::collections::HashSet;
use taizhang_proto::{
    RecordId,
    change::Edit,
    date::{self, Day},
    pb::{self, OutcomeKind},
    register::{EFFECTIVE_ON, VERIFIED_ON, Value, number, registered_on, registers},
    stamp::{Stamp, distrusted_skew},
};

/// Why such a day is put right, as history tells it.
const REASON: &str = "登记时本机时钟不对，按上级时钟更正 (dated by a clock that was wrong: put right by the hub's)";
/// Name of the rule that such a day breaks at the hub.
const AHEAD: &str = "ahead";

/// A change that the hub has answered, with the days in it that the clock gave, as they should be.
pub(super) struct Misdated {
    seq: u64,
    edit: Edit,
    right: Vec<(u32, Day)>,
    refused: bool,
}

/// The days of an edit that are those of the clock that stamped it, where by the hub's clock it was another day.
fn misdated(edit: &Edit, right: Day) -> Vec<(u32, Day)> {
    let said = date::shanghai(edit.stamp.millis());
    if said == right || edit.offer.is_some() {
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

impl Ledger {
    /// What the hub answers now of changes that a clock stamped which was wrong, as far as days in them are its own.
    pub(super) fn misdated(&self, verdicts: &pb::Verdicts) -> Result<Vec<Misdated>, StoreError> {
        if distrusted_skew(verdicts.skew_millis) == 0 {
            return Ok(Vec::new());
        }
        let now = Stamp::at_millis(verdicts.received.saturating_mul(1_000));
        let outcomes = verdicts.outcomes.iter();
        let ahead = |why: &pb::Violation| why.rule == AHEAD;
        let refused = outcomes.clone().filter(|outcome| outcome.kind() == OutcomeKind::Refused);
        let refused: HashSet<u64> = refused.map(|outcome| outcome.seq).collect();
        let ahead = outcomes.filter(|outcome| outcome.why.as_ref().is_some_and(ahead));
        let ahead: HashSet<u64> = ahead.map(|outcome| outcome.seq).collect();
        let from = verdicts.first.max(self.state().settled.saturating_add(1));
        let mut found = Vec::new();
        for row in self.store.scan_from(&key::pending(from)) {
            let (row_key, change) = row?;
            let seq = row_key.get(1..9).and_then(|bytes| bytes.try_into().ok()).map(u64::from_be_bytes);
            let Some(seq) = seq.filter(|seq| *seq <= verdicts.last) else { break };
            let edit = read_edit(&change)?;
            let right = misdated(&edit, date::shanghai(edit.stamp.believed(now, verdicts.skew_millis).millis()));
            let is_other = refused.contains(&seq) && !ahead.contains(&seq);
            if !right.is_empty() && !is_other {
                found.push(Misdated { seq, edit, right, refused: refused.contains(&seq) });
            }
        }
        Ok(found)
    }

    /// Puts right the days of what the hub takes. Before the verdict is kept, so that one that is heard again does it where this was
    /// broken off; nothing is to do once it was done.
    pub(super) fn put_right(&self, found: &[Misdated]) -> Result<(), LedgerError> {
        for one in found.iter().filter(|one| !one.refused) {
            let Some(standing) = self.view(one.edit.id)? else { continue };
            let said = Value::Day(date::shanghai(one.edit.stamp.millis()));
            let mut draft = Draft::new(one.edit.id, one.edit.register).because(REASON);
            for (tag, day) in &one.right {
                let field = registers().get(one.edit.register).and_then(|def| def.field(*tag));
                let stands = field.zip(standing.bytes(*tag)).and_then(|(field, bytes)| Value::decode(field, bytes));
                if stands.as_ref() == Some(&said) {
                    draft.edits.push((*tag, Some(Value::Day(*day))));
                }
            }
            self.say(draft, &one.edit.by);
        }
        Ok(())
    }

    /// Says again, with the right days, what was refused for such a day alone, and what was entered on top of it, which the hub
    /// refuses as well, in the order in which it was entered. After the verdict: then the refusals are on disk.
    pub(super) fn say_rightly(&self, found: Vec<Misdated>) -> Result<(), LedgerError> {
        for one in found.into_iter().filter(|one| one.refused) {
            let Some(mut draft) = draft_of(&one.edit) else { continue };
            for (tag, day) in &one.right {
                draft.edits.retain(|(own, _)| own != tag);
                draft.edits.push((*tag, Some(Value::Day(*day))));
            }
            let later = self.later(one.edit.id, one.seq)?;
            let Some(sent_as) = self.say(draft, &one.edit.by) else { continue };
            self.ends(one.seq, &one.edit.by, sent_as)?;
            for (seq, edit) in later {
                let Some(sent_as) = draft_of(&edit).and_then(|draft| self.say(draft, &edit.by)) else { break };
                self.inner().said_again.insert(seq, (edit.by.clone(), sent_as));
            }
        }
        // Those of this verdict, and of earlier sessions of this run, whose refusal has come.
        let open: HashSet<u64> = self.refused()?.into_iter().map(|(seq, _)| seq).collect();
        let said: Vec<_> = self.inner().said_again.iter().map(|(seq, said)| (*seq, said.clone())).collect();
        for (seq, (by, sent_as)) in said {
            if open.contains(&seq) {
                self.ends(seq, &by, sent_as)?;
                self.inner().said_again.remove(&seq);
            }
        }
        Ok(())
    }

    /// What was entered on a record after a change, oldest first: refused since, or not answered yet.
    fn later(&self, id: RecordId, after: u64) -> Result<Vec<(u64, Edit)>, StoreError> {
        let mut later = Vec::new();
        for (seq, refusal) in self.refused()? {
            let edit = read_edit(&refusal.change)?;
            later.extend((edit.id == id && (after + 1..REFUSED_BEFORE).contains(&seq)).then_some((seq, edit)));
        }
        for row in self.store.scan(&key::pending_of_prefix(id)) {
            let (row_key, _) = row?;
            let seq = row_key.len().checked_sub(8).and_then(|at| row_key[at..].try_into().ok()).map(u64::from_be_bytes);
            let change = self.store.get(&pending_key(&row_key))?;
            if let Some((seq, change)) = seq.zip(change) {
                later.push((seq, read_edit(&change)?));
            }
        }
        later.sort_by_key(|(seq, _)| *seq);
        Ok(later)
    }

    /// Saves a form in somebody's name; the number of its change. What can't be saved stays as it is, and is told in the log.
    fn say(&self, draft: Draft, by: &str) -> Option<u64> {
        if draft.edits.is_empty() {
            return None;
        }
        let id = draft.id;
        match self.save_from(Source::File, &[vec![draft]], by).pop()? {
            Ok(()) => Some(self.state().head),
            Err(SaveError::Invalid(broken)) => {
                let rules: Vec<_> = broken.iter().map(|one| (one.field.as_str(), one.rule)).collect();
                tracing::warn!(record = %id, ?rules, "a day that a wrong clock gave was not put right");
                None
            }
            Err(SaveError::Store(why)) => {
                tracing::warn!(record = %id, why, "a day that a wrong clock gave was not put right");
                None
            }
        }
    }

    fn ends(&self, seq: u64, by: &str, sent_as: u64) -> Result<(), LedgerError> {
        let at = self.now_millis() / 1_000;
        self.end_refusal(seq, RefusalEnd { at, by: by.to_owned(), reason: String::new(), sent_as })?;
        Ok(())
    }
}
