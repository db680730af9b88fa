//! The ledger as a replica: what it tells the hub and how it takes the answers.
//! Invariant: each message is applied in one atomic batch with the state that says so; applying it again is harmless.

use super::{
    Inner, Ledger, LedgerError, index, refused::REFUSED_BEFORE, repair::Repair, save::change_list, work::Work,
};
use crate::{
    journal::Entry,
    replica::{self, Comparison, Greeting, Replica, SessionError, VerdictCount},
    store::{RefusedChange, State, StoreError, key},
};
use bytes::Bytes;
use prost::Message;
use sled::Batch as Rows;
use std::{
    collections::{HashMap, HashSet},
    sync::PoisonError,
};
use taizhang_proto::{
    OrgCode, Record, RecordId,
    change::Edit,
    decide::{Decision, apply},
    digest::LogDigest,
    month::short_digest,
    pb::{self, OutcomeKind, up},
    session::{MAX_BATCH_BYTES, MAX_BATCH_CHANGES, MAX_LONE_CHANGE_BYTES, MAX_ROLL_BYTES, PROTOCOL_MAX, PROTOCOL_MIN},
    stamp::{self, Stamp},
    wire::{self, Field},
};
use tokio::sync::watch;

/// Why a new incarnation was taken.
const RESTORED: &str = "本机从备份恢复，重新上报 (restored from a backup: a new incarnation was taken)";
const TOO_LARGE: &str =
    "一次登记过大，无法上报，列入退回 (a change too large for any message was set aside among the refused ones)";
const HUB_RESTORED: &str = "上级从旧备份恢复，由本机重新上报其丢失的内容 (the hub was restored from an old backup: it is told again what it lost)";

/// Before a month's name: the locked month as it was heard.
const MONTH: &str = "month-";

/// The kind of the document in which a hub says whom it has retired.
const ROLL: &str = "roll";

/// Changes read for one push.
pub struct Batch {
    /// Number of the last change.
    pub last: u64,
    /// Encoded changes.
    pub changes: Vec<Bytes>,
}

impl Batch {
    /// By what clock each change was stamped.
    fn stamps(&self) -> Result<Vec<Stamp>, StoreError> {
        self.changes.iter().map(|change| super::read_edit(change).map(|edit| edit.stamp)).collect()
    }

    /// Leaves away what comes after a change.
    fn end_at(&mut self, last: u64) {
        let over = self.last.saturating_sub(last) as usize;
        self.changes.truncate(self.changes.len().saturating_sub(over));
        self.last = self.last.min(last);
    }
}

impl Ledger {
    /// The hub's roll, as it was last heard.
    fn roll(&self) -> Result<Option<Bytes>, StoreError> {
        self.store.get(&key::document(ROLL))
    }

    /// The locked months that were heard, oldest first, each with the figures of this office's unit and those below it; none
    /// where the hub had none of its own, or is of an older build.
    ///
    /// # Errors
    /// When the store fails.
    pub fn locked_months(&self) -> Result<Vec<(pb::MonthText, Option<pb::MonthSheet>)>, StoreError> {
        let wrong = || StoreError::Row("month");
        let mut months = Vec::new();
        for row in self.store.scan(&key::document(MONTH)) {
            let signed = pb::SignedMonth::decode(row?.1).map_err(|_| wrong())?;
            let text = pb::MonthText::decode(signed.text).map_err(|_| wrong())?;
            let sheet = signed.own.as_ref().and_then(|own| replica::decompress(&own.zstd, own.raw_len).ok());
            let sheet = sheet.and_then(|raw| pb::MonthSheet::decode(raw).ok());
            // What is held of another unit, from before this one's code, is not this office's.
            months.push((text, sheet.filter(|sheet| sheet.unit == self.unit().number())));
        }
        Ok(months)
    }

    /// The pending changes after `after`, at most one batch of them; none when there are none.
    ///
    /// # Errors
    /// When the store fails.
    pub fn pending_after(&self, after: u64) -> Result<Option<Batch>, StoreError> {
        let mut batch = Batch { last: after, changes: Vec::new() };
        let mut size = 0;
        for row in self.store.scan_from(&key::pending(after.saturating_add(1))) {
            let (_, change) = row?;
            let full = batch.changes.len() >= MAX_BATCH_CHANGES || size + change.len() > MAX_BATCH_BYTES;
            // One that is larger than a batch goes alone: whatever waits behind it must not wait for ever.
            if full && !batch.changes.is_empty() {
                break;
            }
            size += change.len() + 4;
            batch.changes.push(change);
            batch.last += 1;
        }
        Ok((!batch.changes.is_empty()).then_some(batch))
    }

    /// How far the clock was off by which the changes of a batch were stamped, where it was another one than now and that is
    /// known, and the last change for which it holds.
    fn stamped_by(&self, after: u64, batch: &Batch) -> Result<(u64, Option<i64>), StoreError> {
        if let Some(known) = self.time.stamped(after + 1) {
            return Ok(known);
        }
        if !self.time.is_wrong() {
            return Ok((u64::MAX, None));
        }
        let synced = self.inner().state.synced_at.saturating_mul(1_000);
        let stamps = (after + 1..).zip(batch.stamps()?);
        let right: Vec<bool> = stamps.map(|(seq, stamp)| self.time.is_right(seq, stamp.millis(), synced)).collect();
        let first = right.first().copied().unwrap_or(false);
        let alike = right.iter().take_while(|one| **one == first).count();
        Ok((after + alike as u64, first.then_some(0)))
    }

    /// Takes note that a session ended well just now.
    fn note_sync(&self, state: &mut State) {
        state.last_sync = self.now_millis() / 1_000;
        state.synced_at = self.time.hub_millis().unwrap_or(0) / 1_000;
    }

    /// Takes verdicts on pending changes.
    fn settle(&self, verdicts: pb::Verdicts) -> Result<VerdictCount, LedgerError> {
        let mut inner = self.inner();
        let mut state = inner.state.clone();
        if verdicts.last <= state.settled {
            return Ok(VerdictCount::default()); // heard before
        }
        let gap = verdicts.first > state.settled + 1;
        if verdicts.last > state.head || verdicts.first > verdicts.last {
            return Err(LedgerError::UnknownLog);
        }
        if gap && !state.rebuild {
            return Ok(VerdictCount::default()); // this store is older than it was; `take_caught` sees to it
        }
        let digest = self.log_digest_at(&state, verdicts.last)?.unwrap_or_default();
        if digest.0[..] != verdicts.log_digest[..] {
            return Err(LedgerError::UnknownLog);
        }
        let mut outcomes: HashMap<u64, pb::Outcome> =
            verdicts.outcomes.into_iter().map(|outcome| (outcome.seq, outcome)).collect();
        // A hub of an earlier build does not say.
        let unit = if verdicts.unit == 0 { self.unit().number() } else { verdicts.unit };
        let now = Stamp::at_millis(verdicts.received.saturating_mul(1_000));
        let origin_of = |edit: &Edit, seq: u64| pb::Origin {
            revision: verdicts.revision.saturating_add(seq.saturating_sub(verdicts.first)),
            stamp: edit.stamp.believed(now, verdicts.skew_millis).0,
            received: verdicts.received,
            unit,
            node: verdicts.node,
            by: edit.by.clone(),
            ..pb::Origin::default()
        };
        let left: HashMap<RecordId, u64> = std::mem::take(&mut inner.left);
        let has_left = |id: RecordId, revision: u64| left.get(&id).is_some_and(|upto| *upto >= revision);
        let mut work = Work::new(self);
        let mut count = VerdictCount::default();
        let mut refusals = Vec::new();
        for seq in state.settled + 1..=verdicts.last {
            let row = self.store.get(&key::pending(seq))?.ok_or(StoreError::Row("pending"))?;
            let edit = super::read_edit(&row)?;
            work.close(seq, edit.id)?;
            let outcome = outcomes.remove(&seq);
            match outcome.as_ref().map_or(OutcomeKind::Accepted, pb::Outcome::kind) {
                // Decided before the store was lost: the full pull brings what came of it. Until it has, this is the only copy
                // here, under a number that the change may have had.
                _ if seq < verdicts.first => {
                    let pulled = inner.seen.as_ref().is_some_and(|seen| seen.contains(&edit.id));
                    if !pulled {
                        let current = work.hub(edit.id)?;
                        let after = current.as_ref().map_or(0, Record::revision);
                        let guess = verdicts.revision.saturating_sub(verdicts.first - seq);
                        let revision = guess.max(after.saturating_add(1));
                        let origin = pb::Origin { revision, ..origin_of(&edit, verdicts.first) };
                        let applied = apply(current.as_ref(), &edit, &Decision::accepted(&edit), &origin);
                        work.put(edit.id, applied.record, &applied.superseded);
                    }
                }
                OutcomeKind::Accepted if has_left(edit.id, origin_of(&edit, seq).revision) => {
                    count.accepted += 1;
                    work.keep_word(row, origin_of(&edit, seq))?;
                }
                OutcomeKind::Accepted => {
                    count.accepted += 1;
                    let origin = origin_of(&edit, seq);
                    let current = work.hub(edit.id)?;
                    // A pulled record that is newer holds the effect of this change already.
                    if current.as_ref().is_none_or(|record| record.revision() < origin.revision) {
                        let applied = apply(current.as_ref(), &edit, &Decision::accepted(&edit), &origin);
                        work.put(edit.id, applied.record, &applied.superseded);
                    }
                }
                OutcomeKind::Settled => {
                    let told = outcome.and_then(|outcome| outcome.state);
                    // A hub tells what stands for other reasons, too, as where it has put its seal to it.
                    let stands = told.as_ref().is_some_and(|record| stands_in(&edit, record));
                    *(if stands { &mut count.accepted } else { &mut count.settled }) += 1;
                    match told {
                        Some(_) if has_left(edit.id, origin_of(&edit, seq).revision) => {
                            work.keep_word(row, origin_of(&edit, seq))?;
                        }
                        Some(record) => {
                            work.take(record)?;
                        }
                        // It went to a record that is not held here; an offer of one that is comes back with the pull.
                        None if edit.offer.as_ref().is_none_or(|offer| offer.aside) => {
                            work.keep_word(row, origin_of(&edit, seq))?;
                        }
                        None => {}
                    }
                }
                OutcomeKind::Refused => {
                    count.refused += 1;
                    let why = outcome.and_then(|outcome| outcome.why);
                    // A verdict that is heard again, by a store that was lost say, undoes nothing that the clerk has done since.
                    let before = self.refusal(seq)?.filter(|before| before.change == row);
                    let end = before.and_then(|before| before.end);
                    let payload = RefusedChange { change: row, why, at: verdicts.received, end }.encode_to_vec();
                    work.rows.insert(key::refused(seq), payload.as_slice());
                    refusals.push(Entry::Refused(seq, payload));
                }
            }
        }
        if !refusals.is_empty() {
            inner.journal.append(&refusals, digest)?;
        }
        state.heard = state.heard.max(verdicts.revision.saturating_add(verdicts.last - verdicts.first));
        state.settled = verdicts.last;
        state.settled_digest = digest.0.to_vec();
        inner.left = left;
        self.finish(work, &mut inner, state)?;
        self.time.forget_before(verdicts.last);
        Ok(count)
    }

    fn take_records(&self, records: &pb::Records) -> Result<u64, SessionError> {
        let raw = replica::decompress(&records.list, records.raw_len)?;
        let list = pb::RecordList::decode(raw).map_err(|_| SessionError::Protocol("records that can't be read"))?;
        let mut inner = self.inner();
        let mut state = inner.state.clone();
        let mut work = Work::new(self);
        let count = list.records.len() as u64;
        // It is held from now on, though the session may break before everything before it has come.
        let states = list.records.iter().filter_map(|record| record.state.as_ref());
        let told = states.flat_map(|state| &state.origins).map(|origin| origin.revision);
        let past = list.records.iter().flat_map(|record| &record.history).map(|entry| entry.replaced_by);
        let newest = told.chain(past).max();
        state.heard = state.heard.max(newest.unwrap_or_default());
        if inner.repair.is_wanted() {
            inner.repair.take(&mut work, list)?;
            self.finish(work, &mut inner, state)?;
            return Ok(count);
        }
        for record in list.records {
            let id = RecordId::from_slice(&record.id).ok_or(SessionError::Protocol("a record without an id"))?;
            if state.rebuild {
                // What is here may have a number from a time that the hub has lost: what it sends stands.
                work.replace(record)?;
            } else {
                work.take(record)?;
            }
            inner.left.remove(&id);
            if let Some(seen) = &mut inner.seen {
                seen.insert(id);
            }
        }
        for id in list.departed {
            let id = RecordId::from_slice(&id).ok_or(SessionError::Protocol("a departure without an id"))?;
            inner.left.insert(id, records.upto);
            work.depart(id).map_err(LedgerError::from)?;
        }
        // What the hub can't read is not gone: the copy here may be the only one.
        let kept = list.unreadable.iter().filter_map(|id| RecordId::from_slice(id));
        inner.seen.iter_mut().for_each(|seen| seen.extend(kept.clone()));
        if !state.rebuild {
            state.pulled = state.pulled.max(records.upto);
        }
        self.finish(work, &mut inner, state)?;
        Ok(count)
    }

    fn take_caught(&self, caught: &pb::Caught) -> Result<Comparison, LedgerError> {
        let mut inner = self.inner();
        let mut state = inner.state.clone();
        if caught.revision < state.pulled {
            // Nothing here may be given up for a hub that has forgotten it.
            return Err(LedgerError::Peer(format!(
                "its revisions ran backwards from {} to {}: it was restored from an old backup",
                state.pulled, caught.revision
            )));
        }
        let mut work = Work::new(self);
        // All that the hub owed has come by now; what is missing, this store had and lost.
        let older = !state.rebuild && state.settled < inner.owed;
        if let (true, Some(seen)) = (state.rebuild, inner.seen.take()) {
            for row in self.store.scan(b"r") {
                let (row_key, _) = row?;
                if let Some(id) = key::last_id(&row_key).filter(|id| !seen.contains(id)) {
                    work.depart(id)?;
                }
            }
            // What the hub had decided when it greeted is in what was pulled. What it has decided since, by what another session
            // of this office had still said, has its verdict yet to come: only that says what was refused.
            let decided = caught.acknowledged.min(inner.owed);
            if let Some(digest) = self.log_digest_at(&state, decided)?.filter(|_| decided > state.settled) {
                for seq in state.settled + 1..=decided {
                    let row = self.store.get(&key::pending(seq))?.ok_or(StoreError::Row("pending"))?;
                    work.close(seq, super::read_edit(&row)?.id)?;
                }
                state.settled = decided;
                state.settled_digest = digest.0.to_vec();
            }
            state.rebuild = false;
        }
        state.pulled = caught.revision;
        state.everybody = inner.everybody;
        let comparable = state.settled == caught.acknowledged;
        self.finish(work, &mut inner, state.clone())?;
        state = inner.state.clone();
        let equal = state.scope_digest == caught.scope_digest;
        if inner.repair.is_asking() {
            return Ok(Comparison::Later);
        }
        let differs = comparable && !equal;
        if differs
            && !older
            && let Some(range) = inner.repair.begin(self, &mut state)?
        {
            tracing::warn!(revision = caught.revision, "the registers differ from the hub's; looking for the records");
            state.equal = false;
            self.finish(Work::new(self), &mut inner, state)?;
            return Ok(Comparison::Ask(range));
        }
        if older || differs {
            state.incidents += 1;
            state.last_incident = if older {
                format!(
                    "存储比上级收到的旧，由上级补齐 (the store is older than what the hub was told: at change {} of {})",
                    state.settled, inner.owed
                )
            } else {
                format!("记录摘要与上级不一致，逐条核对 (digests differed at revision {})", caught.revision)
            };
            state.rebuild = true;
            tracing::warn!(revision = caught.revision, "the registers differ from the hub's; pulling everything again");
        }
        if equal && !older {
            inner.repair.note(&mut state, caught.revision);
        }
        state.equal = equal && !older;
        self.note_sync(&mut state);
        self.finish(Work::new(self), &mut inner, state)?;
        let settled = inner.state.settled;
        self.store.flush()?;
        let refused = |seq| self.store.get(&key::refused(seq)).ok().flatten().map(|row| row.to_vec());
        inner.journal.forget(settled, refused)?;
        Ok(if older || differs { Comparison::Different } else { Comparison::Equal })
    }

    /// Writes a batch with the state that goes with it.
    fn finish(&self, work: Work<'_>, inner: &mut Inner, mut state: State) -> Result<(), LedgerError> {
        let (rows, views) = work.into_rows(&mut state)?;
        if let Err(error) = self.store.apply(rows) {
            self.store_failed(&error);
            return Err(error.into());
        }
        for (id, view) in views {
            self.search.note(id, view.as_ref());
            self.numbers.note(id, view.as_ref());
        }
        inner.state = state;
        Ok(())
    }

    fn greet(&self, welcome: &pb::Welcome) -> Result<Greeting, LedgerError> {
        let mut inner = self.inner();
        let mut state = inner.state.clone();
        let scope = OrgCode::new(welcome.unit).map_err(|error| LedgerError::Peer(error.to_string()))?;
        if scope != self.unit() {
            // The greeting asked for the old scope's news, so the session begins again.
            tracing::info!(from = %self.unit(), to = %scope, "the office's unit changed; pulling everything for it");
            state.move_to(scope);
            state.renamed = true;
            self.finish(Work::new(self), &mut inner, state)?;
            *self.unit.write().unwrap_or_else(PoisonError::into_inner) = scope;
            return Err(LedgerError::NewScope(scope));
        }
        if welcome.acknowledged < state.settled && state.renamed {
            return Err(LedgerError::UnknownLog); // the log was known under another certificate
        }
        if welcome.floor > 0 {
            return Err(LedgerError::Forgotten { floor: welcome.floor, epoch: welcome.epoch.to_vec() });
        }
        let known = self.log_digest_at(&state, welcome.acknowledged)?;
        if known.is_none_or(|digest| digest.0[..] != welcome.log_digest[..]) {
            return Err(LedgerError::UnknownLog);
        }
        let quiet = welcome.acknowledged == state.head
            && state.settled == state.head
            && !state.rebuild
            && state.pulled >= welcome.head
            && state.tree_version >= welcome.tree_version
            && state.plan_version >= welcome.plan_version
            && (state.plan_version > welcome.plan_version
                || welcome.plan_digest.is_empty()
                || welcome.plan_digest == self.plan_digest())
            && state.months >= welcome.months
            && (welcome.month_digest.is_empty() || welcome.month_digest == self.month_digest())
            && state.roll >= welcome.roll
            && welcome.wanted.is_empty()
            && state.scope_digest == welcome.scope_digest;
        state.node = welcome.node;
        if welcome.twins > 0 && state.twins == 0 {
            tracing::warn!(
                "两台电脑使用同一身份，请让其中一台停用并重新登记，见 status (two computers use this identity: see `status`)"
            );
        }
        state.twins = welcome.twins;
        self.time.greeted();
        if welcome.clock > 0 {
            state.skew_millis = self.time.measure(welcome.clock);
        }
        state.renamed = false;
        state.hear_stretch(&welcome.epoch);
        inner.everybody = welcome.everybody;
        // A hub of an older build sends nothing of it, and takes back what was held.
        state.everybody &= welcome.everybody;
        if quiet {
            state.everybody = welcome.everybody;
            state.equal = true;
            self.note_sync(&mut state);
        }
        inner.seen = state.rebuild.then(HashSet::new);
        // A verdict that is waited for may be older than what was told of its record in an earlier session.
        if state.settled == state.head {
            inner.left.clear();
        }
        inner.owed = welcome.acknowledged;
        inner.repair = Repair::default();
        self.finish(Work::new(self), &mut inner, state)?;
        Ok(if quiet { Greeting::Quiet } else { Greeting::Talk { acknowledged: welcome.acknowledged } })
    }

    /// Goes on under a new incarnation: everything that the hub has not answered for is numbered from 1 again, and
    /// everything the hub holds is pulled. `why` is the incident that it is, if it is one.
    fn take_new_incarnation(
        &self,
        why: Option<&str>,
        offers: Vec<Bytes>,
        lost: Option<(u64, Vec<u8>)>,
    ) -> Result<(), LedgerError> {
        let mut inner = self.inner();
        let incarnation: [u8; 16] = rand::random();
        let pending = super::pending::entries(&self.store)?;
        let pending = pending.into_iter().filter_map(|entry| match entry {
            Entry::Saved(_, change) => Some(change),
            Entry::Refused(..) => None,
        });
        // What the hub lost comes first: what was entered since was entered by those who saw it.
        let log = offers.into_iter().map(|change| change.to_vec()).chain(pending);
        let (log, large): (Vec<Vec<u8>>, Vec<Vec<u8>>) = log.partition(|change| {
            // What it holds is a hub's word, which may be no change that anybody reads.
            change.len() <= MAX_LONE_CHANGE_BYTES && super::read_edit(change).is_ok()
        });
        let renumbered: Vec<Entry> = (1..).zip(log).map(|(seq, change)| Entry::Saved(seq, change)).collect();
        // What no message can carry is shown with the refused, and hinders nothing.
        let at = self.now_millis() / 1_000;
        let set_aside =
            |change: Vec<u8>| RefusedChange { change: change.into(), why: Some(too_large()), at, end: None };
        let large = large.into_iter().map(set_aside);
        // Their numbers belong to the old log; the new one must not come across them.
        let old = self.refusals()?;
        let refused = old.iter().map(|(_, refusal)| refusal.clone()).chain(large);
        let kept: Vec<Entry> = (REFUSED_BEFORE..)
            .zip(refused)
            .map(|(seq, refusal)| Entry::Refused(seq, refusal.encode_to_vec()))
            .collect();
        let log: Vec<Entry> = renumbered.iter().chain(&kept).cloned().collect();
        inner.journal.restart(incarnation, &log)?;
        inner.said_again.clear(); // by the old numbers
        inner.left.clear();
        let mut state = inner.state.clone();
        self.search.forget();
        self.numbers.forget();
        self.drop_pending(&mut state)?;
        let mut rows = Rows::default();
        let mut views: HashMap<RecordId, Option<Record>> = HashMap::new();
        for (seq, _) in &old {
            rows.remove(key::refused(*seq));
        }
        for entry in &kept {
            if let Entry::Refused(seq, payload) = entry {
                rows.insert(key::refused(*seq), payload.as_slice());
            }
        }
        for entry in &renumbered {
            let Entry::Saved(seq, change) = entry else { continue };
            let edit = super::read_edit(change)?;
            let view = match views.remove(&edit.id) {
                Some(view) => view,
                None => self.view(edit.id)?,
            };
            views.insert(edit.id, Some(self.overlay(view.as_ref(), change)?));
            rows.insert(key::pending(*seq), change.as_slice());
            rows.insert(key::pending_of(edit.id, *seq), &[]);
        }
        for (id, view) in &views {
            index::update(&mut rows, *id, self.view(*id)?.as_ref(), view.as_ref());
        }
        state.incarnation = incarnation.to_vec();
        state.head = renumbered.len() as u64;
        state.settled = 0;
        state.settled_digest = LogDigest::default().0.to_vec();
        state.rebuild = true;
        if let Some((floor, _)) = &lost {
            // What is held beyond what the hub has is in the log again, and comes back from there.
            for row in self.store.scan_from(&key::own_word(*floor, RecordId([0; 16]))) {
                let (row_key, _) = row?;
                if row_key.first() != Some(&b'o') {
                    break;
                }
                rows.remove(&row_key[..]);
            }
        }
        if let Some((floor, epoch)) = lost {
            state.lost_from = Some(state.lost_from.map_or(floor, |before| before.min(floor)));
            state.hear_stretch(&epoch);
            (state.pulled, state.heard) = (0, 0); // the numbers heard so far are of a time that the hub has lost
        }
        // No incident where the hub knew this log under another certificate.
        if let Some(why) = why.filter(|_| !state.renamed) {
            state.incidents += 1;
            why.clone_into(&mut state.last_incident);
        }
        state.renamed = false;
        rows.insert(key::STATE, state.encode_to_vec());
        self.store.apply(rows)?;
        self.store.flush()?;
        inner.state = state;
        self.time.forget_before(u64::MAX);
        Ok(())
    }
}

/// Whether all that an edit says stands in what the hub tells of its record.
fn stands_in(edit: &Edit, told: &pb::Record) -> bool {
    let fields = told.state.as_ref().and_then(|state| wire::split(&state.message).ok()).unwrap_or_default();
    let held = |tag: u32| fields.iter().find(|field| field.tag == tag).map(|field| &field.bytes);
    let is_held = |field: &Field| held(field.tag).map_or(field.bytes.is_empty(), |bytes| *bytes == field.bytes);
    told.id[..] == edit.id.0 && !edit.fields.is_empty() && edit.fields.iter().all(is_held)
}

/// Why a change was set aside by the office itself.
fn too_large() -> pb::Violation {
    let message = "内容过大，无法上报，请分几次重新登记 (too large to be sent: enter it again in parts)".into();
    pb::Violation { rule: "size".into(), message, ..pb::Violation::default() }
}

impl Replica for Ledger {
    fn last_heard(&self) -> u64 {
        self.inner().state.last_sync
    }

    fn hello(&self, live: bool) -> Result<pb::Hello, SessionError> {
        self.prune_own_words().map_err(LedgerError::from)?;
        self.store.flush().map_err(LedgerError::from)?;
        let state = self.state();
        self.time.look(state.head);
        Ok(pb::Hello {
            protocol_min: PROTOCOL_MIN,
            protocol_max: PROTOCOL_MAX,
            software: env!("CARGO_PKG_VERSION").to_owned(),
            incarnation: state.incarnation.into(),
            head: state.head,
            settled: state.settled,
            pulled: state.pulled, // of a rebuild, too: what the hub has lost of it is asked for
            heard: if state.heard > state.pulled { state.heard } else { 0 },
            says_heard: true,
            scope_digest: state.scope_digest.into(),
            live,
            rebuild: state.rebuild,
            tree_version: state.tree_version,
            plan_version: state.plan_version,
            plan_digest: self.plan_digest(),
            months: state.months,
            month_digest: self.month_digest(),
            epoch: state.epoch.into(),
            clock: self.now_millis(),
            everybody: Some(state.everybody),
            roll: Some(state.roll),
            roll_digest: self
                .roll()
                .map_err(LedgerError::from)?
                .map(|roll| short_digest(&roll).into())
                .unwrap_or_default(),
            ..pb::Hello::default()
        })
    }

    fn welcome(&self, welcome: &pb::Welcome) -> Result<Greeting, SessionError> {
        match self.greet(welcome) {
            Err(LedgerError::Forgotten { floor, epoch }) => {
                let offers = self.offers(floor)?;
                tracing::warn!(
                    offers = offers.len(),
                    "the hub was restored from an old backup; it is told again what it lost"
                );
                self.take_new_incarnation(Some(HUB_RESTORED), offers, Some((floor, epoch)))?;
                Err(SessionError::NewIncarnation)
            }
            Err(LedgerError::UnknownLog) => {
                // Under another certificate, and so another number, nothing of this log was heard: that is no incident.
                let is_anew = welcome.acknowledged == 0 && ![0, welcome.node].contains(&self.state().node);
                self.take_new_incarnation((!is_anew).then_some(RESTORED), Vec::new(), None)?;
                Err(SessionError::NewIncarnation)
            }
            Err(LedgerError::NewScope(unit)) => Err(SessionError::NewScope(unit)),
            other => Ok(other?),
        }
    }

    fn batch(&self, after: u64) -> Result<Option<pb::Push>, SessionError> {
        self.time.look(self.inner().state.head);
        if self.time.has_moved() {
            // What the hub was told of this clock in the greeting no longer holds.
            return Err(SessionError::ClockSet);
        }
        let Some(mut batch) = self.pending_after(after).map_err(LedgerError::from)? else { return Ok(None) };
        let (last, skew) = self.stamped_by(after, &batch).map_err(LedgerError::from)?;
        batch.end_at(last);
        if batch.changes.iter().any(|change| change.len() > MAX_LONE_CHANGE_BYTES) {
            self.take_new_incarnation(Some(TOO_LARGE), Vec::new(), None)?;
            return Err(SessionError::NewIncarnation);
        }
        let raw = change_list(batch.changes).encode_to_vec();
        let changes = replica::compress(&raw).map_err(|_| SessionError::Protocol("out of memory"))?;
        let raw_len = raw.len() as u32;
        let (first, skew_millis) = (after.saturating_add(1), skew.map(stamp::distrusted_skew));
        Ok(Some(pb::Push { first, last: batch.last, changes, raw_len, skew_millis, ..pb::Push::default() }))
    }

    fn verdicts(&self, verdicts: pb::Verdicts) -> Result<VerdictCount, SessionError> {
        let refused = self.refused_by(&verdicts).map_err(LedgerError::from)?;
        match self.settle(verdicts) {
            Err(LedgerError::UnknownLog) => {
                self.take_new_incarnation(Some(RESTORED), Vec::new(), None)?;
                Err(SessionError::NewIncarnation)
            }
            // What is said again is not refused to anybody; only what this verdict has refused is looked at.
            Ok(count) if count.refused == 0 => Ok(count),
            Ok(count) => Ok(VerdictCount { refused: count.refused.saturating_sub(self.say_again(refused)?), ..count }),
            Err(error) => Err(error.into()),
        }
    }

    fn records(&self, records: pb::Records) -> Result<u64, SessionError> {
        self.take_records(&records)
    }

    fn document(&self, document: pb::Document) -> Result<(), SessionError> {
        let taken = match document.kind.as_str() {
            // It says nothing to an office, which holds it for its hub.
            ROLL if document.content.len() > MAX_ROLL_BYTES => return Ok(()),
            ROLL => Ok(()),
            "units" => self.set_tree(&String::from_utf8_lossy(&document.content)),
            "plan" => self.set_plan(&document.content),
            // The hub says them from the start where they are other ones than those heard before.
            "month" if document.version > self.inner().state.months.saturating_add(1) => return Ok(()),
            "month" => self.set_month(&document.content, document.version),
            _ => return Ok(()), // a newer hub's
        };
        if let Err(error) = taken {
            // What can't be taken is told, and does not keep the registers from syncing.
            tracing::warn!(kind = document.kind, version = document.version, %error, "a document was left untaken");
            return Ok(());
        }
        let mut inner = self.inner();
        let mut state = inner.state.clone();
        match document.kind.as_str() {
            "units" => state.tree_version = document.version,
            "month" => state.months = document.version,
            ROLL => state.roll = document.version,
            _ => state.plan_version = document.version,
        }
        let mut work = Work::new(self);
        work.rows.insert(key::document(&document.kind), document.content.as_ref());
        if document.kind == "month"
            && let Some(month) = self.locked_month()
        {
            work.rows.insert(key::document(&format!("{MONTH}{month}")), document.content.as_ref());
        }
        Ok(self.finish(work, &mut inner, state)?)
    }

    fn said_again(&self, kind: &str) -> Result<Vec<pb::Document>, SessionError> {
        let roll = if kind == ROLL { self.roll().map_err(LedgerError::from)? } else { None };
        let version = self.state().roll;
        Ok(roll.map(|content| pb::Document { kind: ROLL.into(), version, content }).into_iter().collect())
    }

    fn caught(&self, caught: &pb::Caught) -> Result<Comparison, SessionError> {
        Ok(self.take_caught(caught)?)
    }

    fn range(&self, range: &pb::Range) -> Result<Vec<up::It>, SessionError> {
        self.inner().repair.hear(&range.message)
    }

    fn repaired(&self) -> u64 {
        self.inner().repair.repaired()
    }

    fn pending(&self) -> u64 {
        Ledger::pending(self)
    }

    fn greet_again(&self) -> Option<std::time::Duration> {
        self.time.ask_again()
    }

    fn changed(&self) -> watch::Receiver<u64> {
        self.subscribe()
    }
}
