//! A batch of changes: read, bounded to the child's scope, decided, applied, answered.
//! Invariants: the child's acknowledged number moves with the records, so a repeated batch is recognised and answered
//! as it was the first time; at a city no record gets past here.

use super::{Peer, Pushed, WriteError, again::is_sealed, late::Landing, pad::Pad, quota, rehome::past_home};
use crate::{
    rows::{self, NodeRow},
    store::{Space, StoreError},
};
use bytes::Bytes;
use prost::Message;
use taizhang_proto::{
    OrgCode, Record, RecordId,
    cell::{home_unit, is_held_at},
    change::{ChangeError, Edit},
    check::{self, Violation},
    date,
    decide::{Applied, Author, apply, decide},
    digest::LogDigest,
    pb::{self, OutcomeKind},
    record::Revision,
    register::{Refers, VERIFIED_ON, is_for_below, registers},
    session::MAX_BATCH_BYTES,
    stamp::{self, Stamp},
};

/// What became of one change that was not simply accepted.
struct Special {
    kind: OutcomeKind,
    state: Option<pb::Record>,
    why: Option<Violation>,
}

impl Special {
    fn refused(why: Violation) -> Self {
        Self { kind: OutcomeKind::Refused, state: None, why: Some(why) }
    }
}

impl Pad<'_> {
    /// Takes a batch, or as much of it as there is room for in this commit: the verdicts, and what is left.
    pub(super) fn push(
        &mut self,
        peer: &Peer,
        (number, first): (u32, u64),
        changes: Vec<Pushed>,
        skew: Option<i64>,
    ) -> Result<(Vec<pb::Verdicts>, Vec<Pushed>), WriteError> {
        if self.core.tier == pb::Tier::City {
            return Err(WriteError::NoRecords);
        }
        let mut node = self.node(&peer.id)?.ok_or_else(|| WriteError::Unknown(peer.id.clone()))?;
        if number != node.number {
            // Its numbers are those of another log: taken for this one's, changes would pass for known.
            return Err(WriteError::Superseded);
        }
        if first > node.acknowledged + 1 || first == 0 {
            return Err(WriteError::Gap { first, acknowledged: node.acknowledged });
        }
        let skew = stamp::distrusted_skew(skew.unwrap_or(node.skew_millis));
        let mut answers = Vec::new();
        let known = (node.acknowledged + 1 - first).min(changes.len() as u64);
        if known > 0 {
            answers = self.repeat(&node, first)?;
        }
        let mut fresh = changes.into_iter().skip(known as usize).peekable();
        if fresh.peek().is_some() && self.has_said_enough(&node) {
            tracing::warn!(node = %peer.id, unit = %peer.unit, "a child has said as much today as one may: heard again tomorrow");
            return Err(WriteError::EnoughToday);
        }
        let mut begun = false;
        while fresh.peek().is_some() && !(begun && self.is_full()) {
            answers.push(self.take(peer, &mut node, &mut fresh, skew)?);
            begun = true;
        }
        // Only now: the changes of a batch have revisions in a row.
        self.do_deferred()?;
        self.inspect_all()?;
        Ok((answers, fresh.collect()))
    }

    /// The verdicts given before, from the batch that holds change `first` on.
    fn repeat(&self, node: &NodeRow, first: u64) -> Result<Vec<pb::Verdicts>, StoreError> {
        let from = rows::verdict_key(node.number, first);
        let to = rows::verdict_key(node.number, node.acknowledged + 1);
        let read = |row: Bytes| pb::Verdicts::decode(row).map_err(|_| StoreError::Row(Space::Verdicts));
        let mut found: Vec<pb::Verdicts> =
            self.view.range(Space::Verdicts, &from, &to).map(|row| read(row?.1)).collect::<Result<_, _>>()?;
        // The first time may have been in this very commit.
        for place in &self.added_verdicts {
            if let Some((_, key, Some(value))) = self.set.rows.get(*place)
                && from[..] <= key[..]
                && key[..] < to[..]
            {
                found.push(read(Bytes::copy_from_slice(value))?);
            }
        }
        Ok(found)
    }

    /// Takes changes until the verdicts on them fill a message.
    fn take(
        &mut self,
        peer: &Peer,
        node: &mut NodeRow,
        changes: &mut impl Iterator<Item = Pushed>,
        skew: i64,
    ) -> Result<pb::Verdicts, StoreError> {
        let first = node.acknowledged + 1;
        let mut revision = 0;
        let mut size = 0;
        let received = self.core.now();
        let now = Stamp::at_millis(received * 1_000);
        let mut digest = LogDigest::from_slice(&node.log_digest).unwrap_or_default();
        let mut outcomes = Vec::new();
        while size < MAX_BATCH_BYTES
            && (node.acknowledged < first || !self.is_full())
            && let Some(Pushed { raw, edit }) = changes.next()
        {
            node.acknowledged += 1;
            let (seq, own) = (node.acknowledged, self.take_revisions(1));
            let offers = edit.as_ref().is_ok_and(|edit| edit.offer.is_some());
            if revision == 0 {
                revision = own;
            }
            digest = digest.then(&raw);
            node.note_said(self.core.today(), raw.len());
            let special = match edit {
                Ok(mut edit) => {
                    edit.stamp = edit.stamp.believed(now, skew);
                    self.decide_one(peer, node.number, edit, own, received)?
                }
                Err(error) => {
                    node.incidents += u64::from(error == ChangeError::SetAside);
                    Some(Special::refused(Violation {
                        register: String::new(),
                        field: String::new(),
                        rule: "encoding",
                        message: error.to_string(),
                    }))
                }
            };
            if let Some(special) = special {
                if special.kind == OutcomeKind::Refused {
                    node.refused += 1;
                    let why = special.why.as_ref();
                    let (register, field) = why.map_or(("", ""), |why| (why.register.as_str(), why.field.as_str()));
                    let rule = why.map_or("", |why| why.rule);
                    tracing::info!(node = %peer.id, unit = %peer.unit, seq, register, field, rule, "a change was refused");
                }
                if special.why.as_ref().is_some_and(|why| why.rule == quota::RULE) {
                    node.incidents += 1;
                    tracing::warn!(node = %peer.id, unit = %peer.unit, "a child is over its quota: a change was refused");
                }
                let outcome = pb::Outcome {
                    seq,
                    kind: special.kind.into(),
                    state: special.state,
                    why: special.why.map(Into::into),
                };
                size += outcome.encoded_len();
                outcomes.push(outcome);
            }
            if offers && self.newest_revision() != own {
                break; // it took more than its own: the next change's no longer follows the first one's
            }
        }
        node.log_digest = digest.0.to_vec();
        let verdicts = pb::Verdicts {
            first,
            last: node.acknowledged,
            revision,
            received,
            outcomes,
            log_digest: Bytes::copy_from_slice(&digest.0),
            node: node.number,
            skew_millis: skew,
            unit: peer.unit.number(),
        };
        self.added_verdicts.push(self.set.rows.len());
        self.set.put(Space::Verdicts, rows::verdict_key(node.number, node.acknowledged), verdicts.encode_to_vec());
        self.put_node(node.clone());
        Ok(verdicts)
    }

    /// Decides one change; `None` when it was simply accepted.
    fn decide_one(
        &mut self,
        peer: &Peer,
        node: u32,
        mut edit: Edit,
        revision: Revision,
        received: u64,
    ) -> Result<Option<Special>, StoreError> {
        #[cfg(test)]
        assert_ne!(edit.by, crate::writer::tests::PANICS, "as a fault of the program would");
        let author = Author { node, tier: peer.unit.tier() };
        let given_up = self.follow_unit(&mut edit);
        let landing = match self.landing(peer, &mut edit, author)? {
            Ok(landing) => landing,
            Err(why) => return Ok(Some(Special::refused(why))),
        };
        self.forget_known(&mut edit, &landing)?;
        if landing == Landing::FromBelow
            && edit.fields.is_empty()
            && edit.offer.as_ref().is_none_or(|offer| offer.history.is_empty())
        {
            // Nothing proves any of it, or all of it stands: the office pulls what does.
            return Ok(Some(Special { kind: OutcomeKind::Settled, state: None, why: None }));
        }
        let today = date::shanghai(received * 1_000);
        let mut origin = pb::Origin {
            revision,
            stamp: edit.stamp.0,
            received,
            unit: peer.unit.number(),
            node,
            by: edit.by.clone(),
            ..pb::Origin::default()
        };
        if let Landing::Note { of } = landing {
            let noted: usize = edit.fields.iter().map(|field| field.bytes.len()).sum();
            if let Some(why) = self.too_much_history(peer.unit, &edit, noted)? {
                return Ok(Some(Special::refused(why)));
            }
            for (edit, origin) in self.told_parts(peer, &edit, author, &origin) {
                self.note_late(&edit, &origin, of)?;
            }
            if let (Some(offer), Some(record)) = (&edit.offer, self.record(edit.id)?.cloned()) {
                self.take_offered_history(peer.unit, (edit.id, &record), offer, revision)?;
            }
            return Ok(Some(Special { kind: OutcomeKind::Settled, state: None, why: None }));
        }
        let offered = edit.offer.is_some();
        if self.is_unheld(&edit)? {
            let adds = edit.offer.as_ref().map_or(0, Message::encoded_len)
                + edit.fields.iter().map(|field| field.bytes.len()).sum::<usize>();
            if let Some(why) = self.too_much_unheld(&edit, adds)? {
                return Ok(Some(Special::refused(why)));
            }
            self.keep_unheld(peer, &edit, author, &origin)?;
            return Ok(Some(Special { kind: OutcomeKind::Settled, state: None, why: None }));
        }
        let told = if offered { Some(self.apply_offer(peer, &edit, author, (&origin, &landing))?) } else { None };
        let current = self.record(edit.id)?;
        let decision = told.as_ref().map_or_else(|| decide(current, &edit, author), |(decision, _)| decision.clone());
        if current.is_none() && !decision.changes_record() {
            let message = "没有此记录，其登记未被接受 (no such record: its registration was not taken)".into();
            let register = register_name(edit.register);
            return Ok(Some(Special::refused(Violation { register, field: String::new(), rule: "unknown", message })));
        }
        let mut applied = match told {
            Some((_, applied)) => applied,
            None => apply(current, &edit, &decision, &origin),
        };
        let added: usize = applied.superseded.iter().map(Message::encoded_len).sum();
        let aside: usize = match &landing {
            Landing::Survivor { aside, .. } => aside.iter().map(|field| field.bytes.len()).sum(),
            _ => 0,
        };
        let before = if decision.is_plain() { None } else { current.cloned() };
        if let Some(why) = self.too_much_history(peer.unit, &edit, added + aside)? {
            return Ok(Some(Special::refused(why)));
        }
        if decision.changes_record() {
            let edited = edit.fields.iter().map(|field| field.tag);
            let mut broken = check::check(&applied.record, edited.clone(), today);
            if offered {
                // What was let pass before that rule, and was lost, is taken again.
                broken.retain(|why| why.rule != check::BELOW);
            } else {
                // An import writes the day of verification itself, by a clock that may be wrong: that is a doubt, and no entry.
                broken.extend(check::ahead(&applied.record, edited.filter(|tag| *tag != VERIFIED_ON), today));
            }
            if landing == Landing::Home {
                let owner = home_unit(&applied.record);
                if let Some(why) = owner.and_then(|unit| self.foreign_unit(peer, &edit, unit)) {
                    broken.push(why);
                }
                broken.extend(self.foreign_reference(peer, &edit, &applied.record)?);
            }
            broken.extend(self.crowded(edit.id, &applied.record, peer.unit)?);
            broken.extend(self.too_much_unknown(peer.unit, &edit, &applied.record));
            if broken.is_empty() {
                broken.extend(self.against_what_was_seen(&edit, author, &applied.record)?);
            }
            if let Some(why) = broken.into_iter().next() {
                return Ok(Some(Special::refused(why)));
            }
        }
        if !offered {
            origin.seal = self.passing_seal(&edit, &applied.record, origin.stamp)?;
        }
        if !origin.seal.is_empty() {
            applied = apply(self.record(edit.id)?, &edit, &decision, &origin);
        }
        if let Landing::Survivor { absorbed, aside } = &landing {
            self.keep_aside(*absorbed, aside, &origin);
        }
        self.keep_history(edit.id, &applied.superseded);
        if let Some(offer) = &edit.offer {
            self.take_offered_history(peer.unit, (edit.id, &applied.record), offer, revision)?;
        }
        if self.record(edit.id)?.is_none() && !applied.superseded.is_empty() {
            self.disputed.insert(edit.id);
        }
        let is_told_first = offered && self.record(edit.id)?.is_none();
        if !decision.is_plain() {
            self.raise_from(&edit, &decision, &origin, before.as_ref(), &applied)?;
        }
        if !decision.changes_record() && !applied.superseded.is_empty() {
            self.note_lost(edit.id, revision);
        }
        let special = match landing {
            // With what stands: the offer may be all that an office has of it, until it has pulled everything.
            Landing::Home if !offered && decision.is_plain() && given_up.is_none() && origin.seal.is_empty() => None,
            Landing::Home | Landing::FromBelow => Some(settled(edit.id, &applied)),
            // The author is not sent again what it wrote itself, so this is how it hears where that has landed.
            Landing::Survivor { .. } | Landing::Followed if is_held_at(&applied.record, peer.unit) => {
                Some(settled(edit.id, &applied))
            }
            Landing::Survivor { .. } => Some(Special { kind: OutcomeKind::Settled, state: None, why: None }),
            Landing::Followed | Landing::Note { .. } => {
                Some(Special { kind: OutcomeKind::Settled, state: None, why: None })
            }
        };
        if let Some(given_up) = given_up {
            self.defer(edit.id, edit.register, vec![past_home(&applied.record, given_up)], "UNITS");
        }
        if decision.changes_record() {
            self.put_record(edit.id, applied.record)?;
        }
        if is_told_first {
            self.is_held_again(edit.id)?;
        }
        Ok(special)
    }

    /// Why a record may not refer to what it refers to: a record of another register, or of a unit beyond the child's
    /// scope, whose figures it would move. What is not known here yet may still come. A post's places are for everybody
    /// in the district; what this hub itself once said or let pass, and has lost, its child only repeats; and what has
    /// moved away since the child last heard takes along what is said of it.
    fn foreign_reference(
        &mut self,
        peer: &Peer,
        edit: &Edit,
        record: &Record,
    ) -> Result<Option<Violation>, StoreError> {
        let Some(def) = registers().get(record.register) else { return Ok(None) };
        let secret = self.core.lineage.secret();
        for field in &def.fields {
            let Some(refers) = field.refers else { continue };
            if edit.field(field.tag).is_none_or(|set| is_sealed(&secret, edit, set)) {
                continue;
            }
            let Some(target) = record.reference(field.tag) else { continue };
            let Some((owner, other)) = self.record(target)?.map(|target| (home_unit(target), target.register)) else {
                continue;
            };
            let (rule, message) = if !refers.allows(other) {
                ("refers", format!("{}指向了另一种登记表的记录 (refers to another register)", field.zh))
            } else if let Some(owner) =
                owner.filter(|owner| !is_for_everybody(Refers::To(other)) && !peer.unit.covers(*owner))
            {
                if self.moved_unheard(peer, edit, target, owner)? {
                    self.follow_later(edit.id, record.register, owner);
                    continue;
                }
                ("scope", format!("{}不属于{}的辖区 (out of scope)", field.zh, peer.unit))
            } else {
                continue;
            };
            return Ok(Some(Violation { register: def.name.clone(), field: field.name.clone(), rule, message }));
        }
        Ok(None)
    }

    /// Why the unit that a record would belong to is not the child's to write for.
    fn foreign_unit(&self, peer: &Peer, edit: &Edit, unit: OrgCode) -> Option<Violation> {
        let message = if !peer.unit.covers(unit) {
            format!("单位{unit}不在{}的辖区内 (out of scope)", peer.unit)
        } else if !self.tree.is_empty() && !self.tree.contains(unit) && edit.offer.is_none() {
            format!("没有编码为{unit}的单位 (no such unit)")
        } else {
            return None;
        };
        Some(Violation { register: register_name(edit.register), field: "home_unit".into(), rule: "scope", message })
    }
}

/// Whether what a reference points into is there for everybody in the district to refer to.
pub(super) fn is_for_everybody(refers: Refers) -> bool {
    matches!(refers, Refers::To(register) if is_for_below(register))
}

fn settled(id: RecordId, applied: &Applied) -> Special {
    let state = pb::Record {
        id: Bytes::copy_from_slice(&id.0),
        state: Some(applied.record.state()),
        history: applied.superseded.clone(),
    };
    Special { kind: OutcomeKind::Settled, state: Some(state), why: None }
}

pub(super) fn register_name(number: u32) -> String {
    registers().get(number).map_or_else(|| number.to_string(), |def| def.name.clone())
}
