//! Rules between an edit and what its author had or had not heard: closing, joining what was closed, placing whoever has
//! left. Invariant: what the author could have known refuses the edit; what it could not have known is kept with it, and
//! a reviewer is asked (domain-detail 4, cases 3, 10, 16, 18).

use super::{
    commit::{Known, Reading, pending::Deferred},
    outcome::{FollowUps, standing_claim, violation},
    revise::text,
};
use crate::store::StoreError;
use taizhang_proto::{
    OrgCode, Record, RecordId,
    cell::{
        Shelf, home_unit, is_closed, keeps_open, left_on, not_commendable, not_revocable, reapplies_from, still_open,
        survivor, unit_id,
    },
    change::Edit,
    check::{Violation, too_early},
    decide::Author,
    indicator::Part,
    lifecycle::{self, Actor},
    pb::{self, ConflictKind},
    register::{code, field, number, registers},
    rule::Rule,
    wire,
};

impl Known<'_, '_> {
    /// Rules between an edit and what else the author had or had not seen: closing, joining a closed household,
    /// placing whoever has left. Returns why the edit can't stand when its author had seen; otherwise both stay and a
    /// reviewer is to be asked, by `follow_ups`.
    pub(super) fn against_what_was_seen(
        self,
        edit: &Edit,
        author: Author,
        new: &Record,
        follow_ups: &mut FollowUps,
    ) -> Result<Option<Violation>, StoreError> {
        let unseen = |origin: &pb::Origin| origin.revision > edit.seen && origin.node != author.node;
        self.closed_and_edited(edit, new, &unseen, follow_ups)?;
        if let Some(why) = self.refused_move(edit, author, new, &unseen)? {
            return Ok(Some(why));
        }
        // What this hub had taken once and lost comes again in any order: it is asked about, never refused.
        let unseen = |origin: &pb::Origin| edit.offer.is_some() || unseen(origin);
        let reference = |tag: u32| new.reference(tag).filter(|_| edit.field(tag).is_some());
        match new.register {
            number::HOUSEHOLD
                if sets_code(edit, field::household::STATUS, code::household_status::CLOSED.as_bytes()) =>
            {
                self.closing_household(edit, new, &unseen, follow_ups)
            }
            // Who joins, or is said not to have left after all.
            number::MEMBER => {
                let stays = edit.field(field::member::TO_ON).is_some_and(|field| field.bytes.is_empty());
                match reference(field::member::HOUSEHOLD).or(new.reference(field::member::HOUSEHOLD).filter(|_| stays))
                {
                    Some(household) => self.joining_household(edit, household, &unseen, follow_ups),
                    None => Ok(None),
                }
            }
            number::ZEF_CASE => match reference(field::zef_case::HOUSEHOLD) {
                Some(household) if new.day(field::zef_case::EXIT_ON).is_none() => {
                    self.joining_household(edit, household, &unseen, follow_ups)
                }
                _ => Ok(None),
            },
            number::PLACEMENT if edit.field(field::placement::START_ON).is_some() => {
                let person = new.reference(field::placement::PERSON);
                let start = new.day(field::placement::START_ON);
                let (Some(person), Some(start)) = (person, start) else { return Ok(None) };
                let person = survivor(&Reading(&self), person)?;
                let Some(record) = self.record(person)? else { return Ok(None) };
                let left = left_on(&record);
                let knew = [field::resident::DEATH_ON, field::resident::MOVEOUT_ON]
                    .iter()
                    .filter_map(|tag| record.origin(*tag))
                    .all(|origin| !unseen(origin));
                Ok((left.is_some_and(|left| start >= left) && knew).then(|| {
                    let message = "该人已死亡或迁出，不能在此之后就业 (dead or moved away before it starts)".into();
                    violation(edit, "start_on", "left", message)
                }))
            }
            number::FEC_CASE => self.undue_title(edit, new, &unseen),
            number::COMMENDATION if edit.offer.is_none() => {
                let why = self.undue(edit.id, new, |tag| edit.field(tag).is_some())?;
                Ok(why.map(|why| violation(edit, "fec_case", "commended", why)))
            }
            _ => Ok(None),
        }
    }

    /// A community that applies again too early, and one that is certified with overdue households (domain-detail 2.12).
    fn undue_title(
        self,
        edit: &Edit,
        new: &Record,
        unseen: &impl Fn(&pb::Origin) -> bool,
    ) -> Result<Option<Violation>, StoreError> {
        if edit.offer.is_none()
            && let Some(why) = self.undue(edit.id, new, |tag| edit.field(tag).is_some())?
        {
            let revoked = edit.field(field::fec_case::REVOKED_ON).is_some_and(|field| !field.bytes.is_empty());
            let (field, rule) = if revoked { ("revoked_on", "term") } else { ("certified_on", "overdue") };
            return Ok(Some(violation(edit, field, rule, why)));
        }
        if edit.field(field::fec_case::APPLIED_ON).is_none() {
            return Ok(None);
        }
        let plans = self.core.plans();
        let from = reapplies_from(&Reading(&self), edit.id, new, &plans)?;
        let Some((from, unit)) = from.zip(home_unit(new)) else { return Ok(None) };
        // Whoever had not heard of the revocation applied in good faith: the district has the application to judge.
        for id in Reading(&self).referring(unit_id(unit), number::FEC_CASE)? {
            if self
                .record(id)?
                .as_deref()
                .and_then(|record| record.origin(field::fec_case::REVOKED_ON))
                .is_some_and(unseen)
            {
                return Ok(None);
            }
        }
        Ok(Some(violation(edit, "applied_on", "reapply", too_early(from))))
    }

    /// Why a title or a commendation may not stand so, whoever writes it.
    pub(super) fn undue(
        self,
        id: RecordId,
        new: &Record,
        edits: impl Fn(u32) -> bool,
    ) -> Result<Option<String>, StoreError> {
        match new.register {
            number::FEC_CASE
                if edits(field::fec_case::REVOKED_ON) && new.day(field::fec_case::REVOKED_ON).is_some() =>
            {
                not_revocable(&Reading(&self), id, new)
            }
            number::FEC_CASE if edits(field::fec_case::CERTIFIED_ON) => self.overdue_veto(new),
            number::COMMENDATION => not_commendable(&Reading(&self), id, new, &self.core.plans()),
            number::HOUSEHOLD if edits(field::household::STATUS) && is_closed(new) => {
                // A reviewer may confirm a closing that somebody was added to; an open case blocks it for everybody.
                let open =
                    keeps_open(&Reading(&self), survivor(&Reading(&self), id)?, new.day(field::household::CLOSED_ON))?;
                let case = open.into_iter().find(|(register, _)| *register == number::ZEF_CASE);
                Ok(case.map(|(register, _)| still_open(register).to_owned()))
            }
            _ => Ok(None),
        }
    }

    /// Why a case may not be certified: a household of the community is past its 20 days on that day.
    fn overdue_veto(self, case: &Record) -> Result<Option<String>, StoreError> {
        let (Some(unit), Some(certified)) = (home_unit(case), case.day(field::fec_case::CERTIFIED_ON)) else {
            return Ok(None);
        };
        let overdue = self.sum_with_commit(unit, Part::ZefOverdue, certified)?;
        Ok((overdue > 0).then(|| {
            format!("该社区当日有 {overdue} 户零就业家庭超期未安置，不能认定达标 (overdue households: no title)")
        }))
    }

    /// A move between states that there is not, or that is not the author's to make. Where the author had not heard of
    /// the state from which it would lead, the fields' own policies have decided.
    fn refused_move(
        self,
        edit: &Edit,
        author: Author,
        new: &Record,
        unseen: &impl Fn(&pb::Origin) -> bool,
    ) -> Result<Option<Violation>, StoreError> {
        let Some(way) = lifecycle::of(new.register).filter(|_| edit.offer.is_none()) else { return Ok(None) };
        if !way.tags().any(|tag| edit.field(tag).is_some()) {
            return Ok(None);
        }
        let before = self.record(edit.id)?;
        let heard = |record: &Record| !way.tags().filter_map(|tag| record.origin(tag)).any(unseen);
        if before.as_deref().is_some_and(|record| !heard(record)) {
            return Ok(None);
        }
        let who = Actor::entering(author.tier, |tag| edit.field(tag).map(|field| field.bytes.clone()));
        Ok(way.refusal(before.as_deref(), new, who))
    }

    /// A record that one office closed or voided while another edited it: both are kept, the closing counts.
    fn closed_and_edited(
        self,
        edit: &Edit,
        new: &Record,
        unseen: &impl Fn(&pb::Origin) -> bool,
        follow_ups: &mut FollowUps,
    ) -> Result<(), StoreError> {
        let Some(current) = self.record(edit.id)? else { return Ok(()) };
        let Some(def) = registers().get(new.register) else { return Ok(()) };
        for field in &def.fields {
            let Some(code) = closing_code(new.register, field.tag, field.prevails.as_deref()) else { continue };
            let closes = sets_code(edit, field.tag, code) && current.slice(field.tag) != Some(code);
            let was_closed = current.slice(field.tag) == Some(code) && edit.field(field.tag).is_none();
            let other = |standing: &taizhang_proto::record::Standing| {
                let of = standing.field.tag;
                of != field.tag && edit.field(of).is_none() && unseen(&current.origins[standing.origin])
            };
            let clash = if closes {
                current.fields.iter().any(other)
            } else {
                was_closed && current.origin(field.tag).is_some_and(unseen)
            };
            if !clash {
                continue;
            }
            let tags: Vec<u32> = edit.fields.iter().map(|field| field.tag).filter(|tag| *tag != field.tag).collect();
            let claims = vec![
                standing_claim(if closes { new } else { &current }, &[field.tag]),
                standing_claim(if closes { &current } else { new }, &tags),
            ];
            follow_ups.conflicts.push(pb::Conflict {
                kind: ConflictKind::ClosedEdited.into(),
                register: new.register,
                record: edit.id.0.to_vec().into(),
                unit: home_unit(new).map_or(0, OrgCode::number),
                tags: vec![field.tag],
                claims,
                rule: Rule::Closed.name().into(),
                revision: new.revision(),
                note: format!("{}之后仍有录入 (edited while it was closed)", field.zh),
                ..pb::Conflict::default()
            });
        }
        Ok(())
    }

    /// A household closes only when nobody is left in it and no case is open; what its closer had not seen keeps it
    /// open for a second look.
    fn closing_household(
        self,
        edit: &Edit,
        new: &Record,
        unseen: &impl Fn(&pb::Origin) -> bool,
        follow_ups: &mut FollowUps,
    ) -> Result<Option<Violation>, StoreError> {
        let household = survivor(&Reading(&self), edit.id)?;
        let mut news = Vec::new();
        for (register, id) in keeps_open(&Reading(&self), household, new.day(field::household::CLOSED_ON))? {
            if self.record(id)?.as_deref().is_some_and(|record| record.origins.iter().any(unseen)) {
                news.push((id, register));
            } else {
                return Ok(Some(violation(edit, "status", "still_open", still_open(register).into())));
            }
        }
        for (id, register) in news {
            hold_open(edit.id, new, (id, register), follow_ups);
        }
        Ok(None)
    }

    fn joining_household(
        self,
        edit: &Edit,
        household: RecordId,
        unseen: &impl Fn(&pb::Origin) -> bool,
        follow_ups: &mut FollowUps,
    ) -> Result<Option<Violation>, StoreError> {
        let household = survivor(&Reading(&self), household)?;
        let Some(record) = self.record(household)? else { return Ok(None) };
        if !is_closed(&record) {
            return Ok(None);
        }
        if record.origin(field::household::STATUS).is_some_and(unseen) {
            hold_open(household, &record, (edit.id, edit.register), follow_ups);
            return Ok(None);
        }
        let message = "该户已销户 (the household is closed)".into();
        Ok(Some(violation(edit, "household", "closed", message)))
    }
}

/// Puts a household that was closed and joined at once under review (L26: 5).
fn hold_open(household: RecordId, record: &Record, (by, register): (RecordId, u32), follow_ups: &mut FollowUps) {
    let (id, of) = (household, number::HOUSEHOLD);
    follow_ups.deferred.push(Deferred::Set {
        id,
        register: of,
        fields: vec![text(field::household::STATUS, code::household_status::TO_BE_VERIFIED.as_bytes())],
        rule: Rule::Closed,
    });
    follow_ups.conflicts.push(pb::Conflict {
        kind: ConflictKind::ClosedEdited.into(),
        register: of,
        record: household.0.to_vec().into(),
        other: by.0.to_vec().into(),
        unit: home_unit(record).map_or(0, OrgCode::number),
        tags: vec![field::household::STATUS],
        claims: vec![standing_claim(
            record,
            &[field::household::STATUS, field::household::CLOSED_ON, field::household::CLOSED_REASON],
        )],
        rule: Rule::Closed.name().into(),
        revision: record.revision(),
        note: format!(
            "销户的同时另有{}录入 (closed while another office added to it)",
            registers().get(register).map_or("", |def| def.zh.as_str())
        ),
        ..pb::Conflict::default()
    });
}

/// The code that closes a record of this register, where the field has one: void, closed, revoked.
fn closing_code(register: u32, tag: u32, prevails: Option<&str>) -> Option<&[u8]> {
    match (register, tag) {
        (number::FEC_CASE, field::fec_case::STAGE) => Some(code::title_stage::REVOKED.as_bytes()),
        _ => prevails.map(str::as_bytes),
    }
}

/// Whether an edit sets a field to a code.
fn sets_code(edit: &Edit, tag: u32, code: &[u8]) -> bool {
    let Some(field) = edit.field(tag) else { return false };
    matches!(wire::occurrences(&field.bytes).last(), Some(wire::Raw::Bytes(own)) if own == code)
}
