//! Saving forms: check, journal with one sync, then the store. Invariant: the answer 'saved' comes after the sync.

mod taken;
mod views;

use super::{Ledger, LedgerError, index};
use crate::{
    desk::{Draft, SaveError},
    journal::Entry,
    store::{State, StoreError, key},
};
use prost::Message;
use sled::Batch;
use std::collections::HashSet;
use taizhang_proto::{
    OrgCode, Record, RecordId,
    cell::{
        home_unit, is_active, is_closed, is_from_above, keeps_open, left_on, not_revocable, reapplies_from, still_open,
        survivor,
    },
    change,
    check::{self, Violation, too_early},
    digest::LogDigest,
    lifecycle::{self, Actor},
    limits::{self, REASON_CHARS, Unsaid},
    pb,
    register::{HOME_UNIT, field, number, registers},
    session::MAX_CHANGE_BYTES,
    stamp::{MAX_AHEAD_MILLIS, Stamp},
    wire::Field,
};
use views::Views;

/// Where drafts come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    /// A form, by somebody who is told at once.
    Form,
    /// A file.
    File,
}

/// One change about to be saved.
struct Prepared {
    id: RecordId,
    bytes: Vec<u8>,
}

impl Ledger {
    /// Saves groups of drafts with one sync. Each group is saved whole or not at all; the answers are in the order
    /// of the groups.
    pub fn save(&self, groups: &[Vec<Draft>], by: &str) -> Vec<Result<(), SaveError>> {
        self.save_from(Source::Form, groups, by)
    }

    pub(super) fn save_from(&self, source: Source, groups: &[Vec<Draft>], by: &str) -> Vec<Result<(), SaveError>> {
        self.save_after(source, groups, by).1
    }

    /// The same, with the number of the last change before them.
    pub(super) fn save_after(
        &self,
        source: Source,
        groups: &[Vec<Draft>],
        by: &str,
    ) -> (u64, Vec<Result<(), SaveError>>) {
        if let Some(why) = self.fault().borrow().as_ref() {
            return (0, groups.iter().map(|_| Err(SaveError::Store(why.clone()))).collect());
        }
        let mut inner = self.inner();
        let before = inner.state.head;
        let mut views = Views::default();
        let mut prepared: Vec<Prepared> = Vec::new();
        self.time.look(inner.state.head);
        let mut stamp = self.last_stamp(&inner.state);
        let mut answers = Vec::with_capacity(groups.len());
        for group in groups {
            let seen = inner.state.pulled;
            let answer = self.prepare(source, group, (by, seen), &mut stamp, &views);
            answers.push(answer.map(|(changes, new_views)| {
                prepared.extend(changes);
                views.extend(new_views);
            }));
        }
        if prepared.is_empty() {
            return (before, answers);
        }
        let written = (|| -> Result<(), LedgerError> {
            let mut state = inner.state.clone();
            let first = state.head + 1;
            let entries: Vec<Entry> =
                (first..).zip(&prepared).map(|(seq, change)| Entry::Saved(seq, change.bytes.clone())).collect();
            // Whatever can fail before the journal is done before it: once it has an entry, the entry stands.
            let mut batch = Batch::default();
            for (seq, change) in (first..).zip(&prepared) {
                batch.insert(key::pending(seq), change.bytes.as_slice());
                batch.insert(key::pending_of(change.id, seq), &[]);
            }
            for (id, view) in views.iter() {
                index::update(&mut batch, id, self.view(id)?.as_ref(), Some(view));
            }
            state.head += prepared.len() as u64;
            state.stamp = stamp.0;
            batch.insert(key::STATE, state.encode_to_vec());
            // Chaining all that is pending costs time, and only a new segment's header needs it.
            let digest = if inner.journal.is_full() {
                self.log_digest_at(&state, first - 1)?.unwrap_or_default()
            } else {
                LogDigest::default()
            };
            inner.journal.append(&entries, digest)?;
            inner.state = state;
            // The journal has it: a store that fails now is rebuilt from there, so the save stands.
            if let Err(error) = self.store.apply(batch) {
                self.store_failed(&error);
            }
            for (id, view) in views.iter() {
                self.search.note(id, Some(view));
                self.numbers.note(id, Some(view));
            }
            Ok(())
        })();
        if let Err(error) = written {
            let message = error.to_string();
            for answer in answers.iter_mut().filter(|answer| answer.is_ok()) {
                *answer = Err(SaveError::Store(message.clone()));
            }
            return (before, answers);
        }
        let head = inner.state.head;
        drop(inner);
        self.changed.send_replace(head);
        (before, answers)
    }

    /// The stamp after which the next ones come. One by a clock that was far ahead is let go once nothing waits under it:
    /// the hub has not believed it either.
    fn last_stamp(&self, state: &State) -> Stamp {
        let last = Stamp(state.stamp);
        let ahead = last.millis() > self.now_millis().saturating_add(MAX_AHEAD_MILLIS);
        if ahead && state.settled == state.head { Stamp::default() } else { last }
    }

    /// Leaves word for the next start when the store failed.
    pub(super) fn store_failed(&self, error: &StoreError) {
        if matches!(error, StoreError::Full) {
            tracing::error!(%error, "the store has no room; the journal has what it lacks");
            return;
        }
        tracing::error!(%error, "the store failed; it is rebuilt from journal and hub at the next start");
        if let Err(error) = Self::mark_damaged(&self.data) {
            tracing::error!(%error, "and that could not be noted");
        }
    }

    /// Turns a group into changes, checking each against the views it will meet.
    fn prepare(
        &self,
        source: Source,
        group: &[Draft],
        (by, seen): (&str, u64),
        stamp: &mut Stamp,
        views: &Views,
    ) -> Result<(Vec<Prepared>, Views), SaveError> {
        let mut own = Views::default();
        let mut changes = Vec::with_capacity(group.len());
        let mut violations = Vec::new();
        // As the hub reads it: a name with spaces around it would be longer there.
        let named = limits::name_or_none(by);
        for draft in group.iter().filter(|draft| !draft.edits.is_empty()) {
            let view = match own.get(draft.id).or_else(|| views.get(draft.id)) {
                Some(view) => Some(view.clone()),
                None => self.view(draft.id)?,
            };
            let fields = self.fields_of(draft, view.is_none())?;
            let hub = self.store.record(draft.id)?;
            let based: Vec<(Field, u64)> = fields
                .into_iter()
                .map(|field| {
                    let base = hub.as_ref().map_or(0, |record| record.revision_of(field.tag));
                    (field, base)
                })
                .collect();
            *stamp = stamp.tick(self.now_millis());
            let mut change = change::write(draft.id, draft.register, &based, *stamp, named.unwrap_or_default());
            change.seen = seen;
            draft.reason.trim().clone_into(&mut change.reason);
            show_what_was_seen(&mut change, view.as_ref());
            let change = change.encode_to_vec();
            if let Some(violation) = too_long(draft, named).or_else(|| too_large(draft, change.len())) {
                violations.push(violation);
                continue;
            }
            let new = self.as_said(view.as_ref(), &change)?;
            // Almost nothing that is entered is a claim: only then is it worked out what stands without it.
            let may_claim = self.may_claim(draft.register, draft.edits.iter().map(|(tag, _)| *tag));
            let stands = may_claim.then(|| self.overlay(view.as_ref(), &change)).transpose()?;
            violations.extend(self.violations(draft, view.as_ref(), &new));
            violations.extend(self.applied_too_early(draft, &new)?);
            violations.extend(self.revoked_too_early(draft, &new)?);
            violations.extend(self.after_leaving(draft, &new, &own)?);
            violations.extend(self.against_closing(draft, &new, &own)?);
            violations.extend(self.taken(source, draft, (view.as_ref(), &new), (&own, views))?);
            own.insert(draft.id, stands.unwrap_or(new));
            changes.push(Prepared { id: draft.id, bytes: change });
        }
        if violations.is_empty() { Ok((changes, own)) } else { Err(SaveError::Invalid(violations)) }
    }

    /// A draft's fields, encoded and ascending; a new record gets this office as owner unless the draft says another.
    fn fields_of(&self, draft: &Draft, is_new: bool) -> Result<Vec<Field>, SaveError> {
        let def = registers()
            .get(draft.register)
            .ok_or_else(|| SaveError::Store(format!("no register {}", draft.register)))?;
        let mut fields = Vec::with_capacity(draft.edits.len() + 1);
        let mut tags = HashSet::new();
        for (tag, value) in &draft.edits {
            let field = def.field(*tag).filter(|_| tags.insert(*tag));
            let field = field.ok_or_else(|| SaveError::Store(format!("{}: field {tag} twice or unknown", def.name)))?;
            let bytes = value.as_ref().map(|value| value.encode(field)).unwrap_or_default();
            fields.push(Field { tag: *tag, bytes });
        }
        if is_new && !tags.contains(&HOME_UNIT) {
            let mut bytes = Vec::new();
            taizhang_proto::wire::put_varint(HOME_UNIT, self.unit().number(), &mut bytes);
            fields.push(Field { tag: HOME_UNIT, bytes: bytes.into() });
        }
        fields.sort_unstable_by_key(|field| field.tag);
        Ok(fields)
    }

    fn violations(&self, draft: &Draft, old: Option<&Record>, new: &Record) -> Vec<Violation> {
        let edited = new.fields.iter().map(|standing| standing.field.tag);
        let mut found = check::check(new, old, edited, self.business_day());
        let changed = draft.edits.iter().map(|(tag, _)| *tag);
        let changed = changed.filter(|tag| old.and_then(|old| old.bytes(*tag)) != new.bytes(*tag));
        found.extend(check::ahead(new, changed, self.business_day()));
        let owner = home_unit(new);
        if let Some(above) = old.filter(|old| is_from_above(old, self.unit())).and_then(home_unit) {
            let message = format!(
                "此记录由上级单位{above}登记，供下级查看和引用，不能在本单位修改 (of a unit above: read only here)"
            );
            found.push(broken(draft, "home_unit", "scope", message));
        } else if let Some(message) = owner.and_then(|unit| self.not_ours(unit)) {
            found.push(broken(draft, "home_unit", "unit", message));
        }
        found.extend(corrected_without_reason(draft, old, new));
        let way = lifecycle::of(new.register).filter(|_| found.is_empty());
        let edited = |tag| draft.edits.iter().any(|(edited, _)| *edited == tag);
        let who = Actor::entering(self.unit().tier(), |tag| new.bytes(tag).filter(|_| edited(tag)).cloned());
        found.extend(way.and_then(|way| way.refusal(old, new, who)));
        if old.is_some_and(|old| old.register != draft.register) {
            found.push(broken(
                draft,
                "",
                "register",
                "此编号属于另一种登记表 (the id belongs to another register)".into(),
            ));
        }
        found
    }

    /// A community that applies again before its time (domain-detail 2.12).
    fn applied_too_early(&self, draft: &Draft, new: &Record) -> Result<Option<Violation>, SaveError> {
        // Who applied before it heard of the revocation goes on with its case.
        if new.register != number::FEC_CASE || !draft.edits.iter().any(|(tag, _)| *tag == field::fec_case::APPLIED_ON) {
            return Ok(None);
        }
        let from = reapplies_from(self, draft.id, new, &self.plans())?;
        Ok(from.map(|from| broken(draft, "applied_on", "reapply", too_early(from))))
    }

    /// A title that is revoked before the rectification is over (notice, item 34).
    fn revoked_too_early(&self, draft: &Draft, new: &Record) -> Result<Option<Violation>, SaveError> {
        if new.register != number::FEC_CASE
            || !draft.edits.iter().any(|(tag, value)| *tag == field::fec_case::REVOKED_ON && value.is_some())
        {
            return Ok(None);
        }
        let why = not_revocable(self, draft.id, new)?;
        Ok(why.map(|why| broken(draft, "revoked_on", "term", why)))
    }

    /// A job that begins after its person has died or moved away, as far as this office knows (domain-detail 4, case 18).
    fn after_leaving(&self, draft: &Draft, new: &Record, own: &Views) -> Result<Option<Violation>, SaveError> {
        let edits = |tag| draft.edits.iter().any(|(edited, _)| *edited == tag);
        if new.register != number::PLACEMENT
            || !(edits(field::placement::PERSON) || edits(field::placement::START_ON))
            || !is_active(new)
        {
            return Ok(None);
        }
        let (Some(person), Some(start)) =
            (new.reference(field::placement::PERSON), new.day(field::placement::START_ON))
        else {
            return Ok(None);
        };
        let person = survivor(self, person)?;
        let standing = own.get(person).cloned().map_or_else(|| self.view(person), |view| Ok(Some(view)))?;
        let left = standing.as_ref().and_then(left_on).filter(|left| start >= *left);
        let message = || "该人已死亡或迁出，不能在此之后就业 (dead or moved away before it starts)".to_owned();
        Ok(left.map(|_| broken(draft, "start_on", "left", message())))
    }

    /// A household that is closed while somebody is left in it, or a case is open, and one that is joined when it is closed,
    /// as far as this office knows; what the same form ends is ended.
    fn against_closing(&self, draft: &Draft, new: &Record, own: &Views) -> Result<Option<Violation>, SaveError> {
        let edits = |tag| draft.edits.iter().any(|(edited, _)| *edited == tag);
        let joined = match new.register {
            number::MEMBER if edits(field::member::HOUSEHOLD) => new.reference(field::member::HOUSEHOLD),
            number::ZEF_CASE if edits(field::zef_case::HOUSEHOLD) && new.day(field::zef_case::EXIT_ON).is_none() => {
                new.reference(field::zef_case::HOUSEHOLD)
            }
            _ => None,
        };
        if let Some(household) = joined {
            let household = survivor(self, household)?;
            let standing = own.get(household).cloned().map_or_else(|| self.view(household), |view| Ok(Some(view)))?;
            let closed = standing.is_some_and(|record| is_closed(&record));
            let message = || "该户已销户 (the household is closed)".to_owned();
            return Ok(closed.then(|| broken(draft, "household", "closed", message())));
        }
        let closes = edits(field::household::STATUS);
        if new.register != number::HOUSEHOLD || !closes || !is_closed(new) {
            return Ok(None);
        }
        let open = keeps_open(self, survivor(self, draft.id)?, new.day(field::household::CLOSED_ON))?;
        let left = open.into_iter().find(|(_, id)| own.get(*id).is_none());
        Ok(left.map(|(register, _)| broken(draft, "status", "still_open", still_open(register).to_owned())))
    }

    /// Why a unit may not own this office's records.
    fn not_ours(&self, unit: OrgCode) -> Option<String> {
        let tree = self.units();
        // Where the office's own code was given up, it goes on with what its records became.
        let now = tree.current(self.unit(), self.business_day());
        if !self.unit().covers(unit) && !now.covers(unit) {
            return Some(format!("单位{unit}不在本单位辖区内 (not below {})", self.unit()));
        }
        let unknown = !tree.is_empty() && !tree.contains(unit);
        unknown.then(|| format!("没有编码为{unit}的单位 (no such unit)"))
    }
}

/// A field that is set once, set again without saying why.
fn corrected_without_reason(draft: &Draft, old: Option<&Record>, new: &Record) -> Option<Violation> {
    let (old, def) = (old?, registers().get(draft.register)?);
    let field = def.fields.iter().find(|field| {
        let (before, after) = (old.bytes(field.tag), new.bytes(field.tag));
        field.policy == pb::Policy::Fixed && before.is_some() && before != after
    })?;
    draft.reason.trim().is_empty().then(|| {
        let message = format!("{}只能更正，请写明更正理由 (set once: give a reason to correct it)", field.zh);
        broken(draft, &field.name, "fixed", message)
    })
}

/// Puts the values that the clerk saw in repeated fields beside their bases, so that what two offices add and remove
/// can meet at the hub.
fn show_what_was_seen(change: &mut pb::Change, view: Option<&Record>) {
    let (Some(view), Some(def)) = (view, registers().get(change.register)) else { return };
    let edited = taizhang_proto::wire::split(&change.message).unwrap_or_default();
    let tags = edited.iter().map(|field| field.tag).chain(change.cleared.iter().copied());
    for tag in tags.collect::<Vec<_>>() {
        let joins = def.field(tag).is_some_and(|field| field.many && field.policy == pb::Policy::Union);
        let Some(seen) = view.bytes(tag).filter(|_| joins) else { continue };
        match change.bases.iter_mut().find(|base| base.tag == tag) {
            Some(base) => base.seen = seen.clone(),
            None => change.bases.push(pb::FieldBase { tag, revision: 0, seen: seen.clone() }),
        }
    }
}

/// A name or a reason that no hub would read.
fn too_long(draft: &Draft, named: Result<&str, Unsaid>) -> Option<Violation> {
    let said = named.and_then(|_| limits::reason_within(&draft.reason, REASON_CHARS));
    said.err().map(|why| broken(draft, "", "length", why.to_string()))
}

/// An edit that is too large to travel with others: it would keep all behind it from going up.
fn too_large(draft: &Draft, bytes: usize) -> Option<Violation> {
    (bytes > MAX_CHANGE_BYTES).then(|| {
        let most = MAX_CHANGE_BYTES / 1024;
        let message =
            format!("一次登记的内容超过{most}KB，请缩短文字或分几次登记 (too large: shorten it or enter it in parts)");
        broken(draft, "", "size", message)
    })
}

fn broken(draft: &Draft, field: &str, rule: &'static str, message: String) -> Violation {
    let register = registers().get(draft.register).map_or_else(String::new, |def| def.name.clone());
    Violation { register, field: field.to_owned(), rule, message }
}

/// The encoded changes of a batch, as [`pb::ChangeList`] carries them.
pub(super) fn change_list(changes: Vec<bytes::Bytes>) -> pb::ChangeList {
    pb::ChangeList { changes }
}
