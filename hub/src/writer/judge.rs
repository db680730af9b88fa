//! Judging one change that a child pushes: what becomes of it, as a value.
//! Invariant: nothing can be changed here (what is `Known` of the commit is only to be read), so one that is refused has no effect but its refusal.

use super::{
    Peer,
    commit::Known,
    outcome::{FollowUps, Judgement, Landing, Taken, is_for_everybody, violation},
    recovery::{is_same, is_sealed},
    revise,
};
use crate::store::StoreError;
use prost::Message;
use taizhang_proto::{
    OrgCode, Record,
    cell::{PastHome, home_unit},
    change::Edit,
    check::{self, Violation},
    date,
    decide::{Applied, Author, Decision, Fate, apply, decide},
    pb,
    register::{HOME_UNIT, Refers, VERIFIED_ON, registers},
    wire::Field,
};

/// Why a change can't stand whose record was never taken.
fn unknown(edit: &Edit) -> Violation {
    let message = "没有此记录，其登记未被接受 (no such record: its registration was not taken)".into();
    violation(edit, "", "unknown", message)
}

/// A change as it arrived.
pub(super) struct Arrived {
    /// The change.
    pub(super) edit: Edit,
    /// Each of its fields is known to keep the rules of its own.
    pub(super) is_sound: bool,
    /// Whose it is.
    pub(super) author: Author,
    /// Under which revision, when, and of which unit.
    pub(super) origin: pb::Origin,
}

impl Known<'_, '_> {
    /// What becomes of an entry of `peer`. What is changed of it here is no less sound: fields are left out, and a unit's code gives
    /// way to the one that it has now.
    pub(super) fn judge(self, peer: &Peer, arrived: Arrived) -> Result<Judgement, StoreError> {
        let Arrived { mut edit, is_sound, author, origin } = arrived;
        let given_up = self.follow_unit(&mut edit);
        let landing = match self.landing(peer, &mut edit, author)? {
            Ok(landing) => landing,
            Err(why) => return Ok(Judgement::Refused(why)),
        };
        if let Landing::Note { of } = landing {
            let said = edit.fields.iter().map(|field| field.bytes.len()).sum();
            return Ok(match self.too_much_history(peer.unit, &edit, said)? {
                Some(why) => Judgement::Refused(why),
                None => Judgement::Note { edit, origin, of },
            });
        }
        let current = self.record(edit.id)?;
        let decision = decide(current.as_deref(), &edit, author);
        let decision = self.without_what_was_said(&edit, decision, &origin)?;
        let applied = apply(current.as_deref(), &edit, &decision, &origin);
        let arrived = Arrived { edit, is_sound, author, origin };
        self.judge_decided(peer, arrived, landing, (decision, applied), (given_up, 0))
    }

    /// Whether a change may stand as it was decided, and what it brings about then. With it go the code that its unit had before, and
    /// how many revisions its parts have beside its own.
    pub(super) fn judge_decided(
        self,
        peer: &Peer,
        arrived: Arrived,
        landing: Landing,
        (decision, mut applied): (Decision, Applied),
        (given_up, revisions): (Option<PastHome>, u64),
    ) -> Result<Judgement, StoreError> {
        let Arrived { edit, is_sound, author, mut origin } = arrived;
        let current = self.record(edit.id)?;
        let is_new = current.is_none();
        if is_new && !decision.changes_record() {
            return Ok(Judgement::Refused(unknown(&edit)));
        }
        let before = if decision.is_plain() { None } else { current };
        let added: usize = applied.superseded.iter().map(Message::encoded_len).sum();
        let aside: usize = match &landing {
            Landing::Survivor { aside, .. } => aside.iter().map(|field| field.bytes.len()).sum(),
            _ => 0,
        };
        if let Some(why) = self.too_much_history(peer.unit, &edit, added + aside)? {
            return Ok(Judgement::Refused(why));
        }
        let mut follow_ups = FollowUps::default();
        // What stands is what was said, by the rules of the register in which it was looked at.
        let is_own = edit.register == applied.record.register;
        let is_sound = is_sound && is_own && decision.is_plain();
        let after = (&applied.record, is_sound);
        if decision.changes_record()
            && let Some(why) = self.why_not((peer, author), &edit, &landing, after, origin.received, &mut follow_ups)?
        {
            // What was entered on top of a registration that was refused lacks all that the registration said: that is why.
            let is_on_top = is_new && why.rule == "required" && edit.field(HOME_UNIT).is_none();
            return Ok(Judgement::Refused(if is_on_top { unknown(&edit) } else { why }));
        }
        if edit.offer.is_none() {
            origin.seal = self.passing_seal(&edit, &applied.record, (origin.stamp, author.tier))?;
        }
        if !origin.seal.is_empty() {
            applied = apply(self.record(edit.id)?.as_deref(), &edit, &decision, &origin);
        }
        let taken = Taken { edit, landing, decision, applied, origin, before, follow_ups, given_up, revisions };
        Ok(Judgement::Taken(Box::new(taken)))
    }

    /// The decision without the words that are in the record's history already. A child that was restored from a backup and has lost
    /// its store does not know what it was answered, and says its journal again under new numbers; what did not come to stand,
    /// or was replaced, is neither kept twice nor asked about again.
    fn without_what_was_said(
        self,
        edit: &Edit,
        mut decision: Decision,
        origin: &pb::Origin,
    ) -> Result<Decision, StoreError> {
        if decision.is_plain() {
            return Ok(decision); // as almost always: no history is read for it
        }
        let history = revise::whole_history_of(&self, edit.id)?;
        self.count_work(history.len() as u64);
        let own = |entry: &&pb::Superseded| entry.origin.as_ref().is_some_and(|word| is_same(word, origin));
        let said: Vec<Field> = history.iter().filter(own).flat_map(pb::Superseded::said).collect();
        for (field, fate) in edit.fields.iter().zip(&mut decision.fates) {
            if *fate != Fate::Accepted && said.contains(field) {
                *fate = Fate::Equal;
            }
        }
        Ok(decision)
    }

    /// Why a record may not stand as an edit would make it; none where it may.
    fn why_not(
        self,
        (peer, author): (&Peer, Author),
        edit: &Edit,
        landing: &Landing,
        (record, is_sound): (&Record, bool),
        received: u64,
        follow_ups: &mut FollowUps,
    ) -> Result<Option<Violation>, StoreError> {
        let today = date::shanghai(received * 1_000);
        let edited = edit.fields.iter().map(|field| field.tag);
        let mut broken = check::check_beside(record, self.record(edit.id)?.as_deref(), edited.clone(), today, is_sound);
        if edit.offer.is_some() {
            // What was let pass before that rule, and was lost, is taken again.
            broken.retain(|why| why.rule != check::BELOW);
        } else {
            // An import writes the day of verification itself, by a clock that may be wrong: that is a doubt, and no entry.
            broken.extend(check::ahead(record, edited.filter(|tag| *tag != VERIFIED_ON), today));
        }
        if *landing == Landing::Home {
            let owner = home_unit(record);
            if let Some(why) = owner.and_then(|unit| self.foreign_unit(peer, edit, unit)) {
                broken.push(why);
            }
            broken.extend(self.foreign_reference(peer, edit, record, follow_ups)?);
        }
        broken.extend(self.crowded(edit.id, record, peer.unit, |tag| edit.field(tag).is_some())?);
        broken.extend(self.one_too_many(edit.id, record, peer.unit, |tag| edit.field(tag).is_some())?);
        broken.extend(self.too_much_unknown(peer.unit, edit, record));
        if broken.is_empty() {
            broken.extend(self.against_what_was_seen(edit, author, record, follow_ups)?);
        }
        Ok(broken.into_iter().next())
    }

    /// Why a record may not refer to what it refers to: a record of another register, or of a unit beyond the child's
    /// scope, whose figures it would move. What is not known here yet may still come. A post's places are for everybody
    /// in the district; what this hub itself once said or let pass, and has lost, its child only repeats; and what has
    /// moved away since the child last heard takes along what is said of it.
    fn foreign_reference(
        self,
        peer: &Peer,
        edit: &Edit,
        record: &Record,
        follow_ups: &mut FollowUps,
    ) -> Result<Option<Violation>, StoreError> {
        let Some(def) = registers().get(record.register) else { return Ok(None) };
        let secret = self.core.lineage.secret();
        for field in &def.fields {
            let Some(refers) = field.refers else { continue };
            if edit.field(field.tag).is_none_or(|set| is_sealed(&secret, edit, set)) {
                continue;
            }
            let Some(target) = record.reference(field.tag) else { continue };
            let Some((owner, other)) =
                self.record(target)?.as_deref().map(|target| (home_unit(target), target.register))
            else {
                continue;
            };
            let (rule, message) = if !refers.allows(other) {
                ("refers", format!("{}指向了另一种登记表的记录 (refers to another register)", field.zh))
            } else if let Some(owner) =
                owner.filter(|owner| !is_for_everybody(Refers::To(other)) && !peer.unit.covers(*owner))
            {
                if self.moved_unheard(peer, edit, target, owner)? {
                    follow_ups.follow(edit, owner);
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
    fn foreign_unit(self, peer: &Peer, edit: &Edit, unit: OrgCode) -> Option<Violation> {
        let message = if !peer.unit.covers(unit) {
            format!("单位{unit}不在{}的辖区内 (out of scope)", peer.unit)
        } else if !self.tree.is_empty() && !self.tree.contains(unit) && edit.offer.is_none() {
            format!("没有编码为{unit}的单位 (no such unit)")
        } else {
            return None;
        };
        Some(violation(edit, "home_unit", "scope", message))
    }
}
