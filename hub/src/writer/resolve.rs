//! Rulings: a reviewer's decision on a conflict, and taking it back.
//! Invariant: a ruling is an ordinary edit with a reason and a name, in the same commit as the conflict's new state.

use super::{
    Answer, Review, WriteError, arrivals,
    commit::{Commit, Reading},
    competence::{self, WhyNot},
    conflicts, inspect,
    kinds::{self, Back, Case, Does, Way},
    merge,
    outcome::standing_claim,
    reopen,
    revise::{self, Hand, day, is_ruled_below, nothing, with},
};
use crate::{
    certify::{self, Lack},
    store::StoreError,
};
use taizhang_proto::{
    OrgCode, Record, RecordId,
    cell::{Shelf, home_unit, is_active, is_memory, once},
    check, limits, month,
    pb::{self, Choice, ConflictState},
    register::{
        COUNTED_AT, COUNTING, ELSEWHERE_TOO, MERGED_INTO, PAST_HOME, Value, field, number, registered_on, registers,
    },
    rule::Rule,
    wire::Field,
};

/// Does what a reviewer asks; `of` is the unit below the hub where they sit, none at the hub itself.
pub(super) fn review(commit: &mut Commit<'_>, review: Review, of: Option<OrgCode>) -> Result<Answer, WriteError> {
    if commit.core.tier == pb::Tier::City {
        return Err(WriteError::NoRecords);
    }
    let mut answer = pb::ResolveAnswer::default();
    match review {
        Review::Resolve(request) => {
            for number in request.numbers.clone() {
                match resolve(commit, number, &request, of)? {
                    Ok(()) => answer.settled += 1,
                    Err(why) => answer.failed.push(format!("{number}: {why}")),
                }
            }
        }
        Review::Reopen(request) => match reopen::reopen(commit, &request, of)? {
            Ok(()) => answer.settled = 1,
            Err(why) => answer.failed.push(format!("{}: {why}", request.number)),
        },
        Review::Merge(_) | Review::Revise(_) if of.is_some() => {
            return Ok(Answer::Refused("由县区办理 (for the district)".into()));
        }
        Review::Merge(request) => match merge_asked(commit, &request)? {
            Ok(()) => answer.settled = 1,
            Err(why) => answer.failed.push(why),
        },
        Review::Revise(request) => {
            return Ok(match revise_asked(commit, &request)? {
                Ok(record) => Answer::Revised(record),
                Err(why) => Answer::Refused(why),
            });
        }
    }
    arrivals::do_deferred(commit)?;
    inspect::inspect_all(commit)?;
    Ok(Answer::Reviewed(answer))
}

fn resolve(
    commit: &mut Commit<'_>,
    number: u64,
    request: &pb::ResolveRequest,
    of: Option<OrgCode>,
) -> Result<Result<(), WhyNot>, StoreError> {
    let (by, reason) = match limits::who_and_why(&request.by, &request.reason) {
        Ok(said) => said,
        Err(why) => return Ok(Err(why.to_string())),
    };
    let mut conflict = match competence::conflict_for(commit, number, of)? {
        Ok(conflict) => conflict,
        Err(why) => return Ok(Err(why)),
    };
    if conflict.state() != ConflictState::Unsettled {
        return Ok(Err("已经处理过，如需改判请先重开 (settled already: reopen it first)".into()));
    }
    if let Some(of) = of {
        if let Some(why) = competence::beyond_it(&conflict, request) {
            return Ok(Err(why));
        }
        if request.choice() == Choice::Distinct && competence::distinct_beyond(commit, &conflict, of)? {
            return Ok(Err("他处也有同号登记，由县区裁定 (others elsewhere carry the number, too)".into()));
        }
    }
    let Some(way) = kinds::chosen(&conflict, request.choice()) else {
        let offered: Vec<_> = kinds::choices(&conflict).iter().map(|one| one.as_str_name().to_lowercase()).collect();
        return Ok(Err(format!("此类冲突只能选 (choose one of) {}", offered.join(", "))));
    };
    if request.choice() != Choice::Write && !request.fields.is_empty() {
        return Ok(Err("只有选 write 才改写栏目 (only `write` writes fields)".into()));
    }
    // What is written beside it would not go back with it.
    if matches!(way.back, Back::Before)
        && let Some(why) = competence::beyond_it(&conflict, request)
    {
        return Ok(Err(why));
    }
    // What a ruling puts aside is what stands now, whatever stood when it was asked: that is what comes back.
    let asked_of = conflict.clone();
    if matches!(way.back, Back::Before)
        && let Some(stands) = RecordId::from_slice(&conflict.record).map(|id| commit.record(id)).transpose()?.flatten()
        && let Some(first) = conflict.claims.first_mut()
    {
        *first = standing_claim(&stands, &conflict.tags);
    }
    let rule = conflict.rule.clone();
    let despite = request.despite;
    let hand = Hand { by, reason, rule: &rule, conflict: number, of, despite, ..Hand::default() };
    if let Err(why) = settle(commit, &asked_of, (way, request), &hand)? {
        return Ok(Err(why));
    }
    conflict.ruling = Some(revise::ruling(commit, &hand));
    conflict.set_choice(request.choice());
    // The settling may have closed it already, as one whose reason is gone; a ruling says more.
    if let Some(now) = conflicts::conflict(commit, number)?
        && now.state() == ConflictState::Passed
    {
        conflict.set_state(ConflictState::Passed);
    }
    conflicts::close_conflict(commit, conflict, ConflictState::Ruled)?;
    Ok(Ok(()))
}

fn settle(
    commit: &mut Commit<'_>,
    conflict: &pb::Conflict,
    (way, request): (&Way, &pb::ResolveRequest),
    hand: &Hand<'_>,
) -> Result<Result<(), WhyNot>, StoreError> {
    let Some(id) = RecordId::from_slice(&conflict.record) else {
        return Ok(Err("冲突没有记录 (no record)".into()));
    };
    match way.does {
        Does::Nothing => Ok(Ok(())),
        Does::Answer => {
            keep(commit, id, conflict, hand)?;
            Ok(Ok(()))
        }
        Does::Take => {
            let last = conflict.claims.len().saturating_sub(1);
            let chosen = if request.claim == 0 { last } else { request.claim as usize };
            match conflict.claims.get(chosen).filter(|_| chosen > 0) {
                Some(claim) => {
                    // It arrived when it was claimed, not when it was taken.
                    let received = claim.origin.as_ref().map(|origin| origin.received);
                    let hand = Hand { received, ..*hand };
                    // No more than it is about, whatever else whoever told of it says.
                    let said = claim.said().into_iter().filter(|field| conflict.tags.contains(&field.tag));
                    let said: Vec<Field> = said.collect();
                    // A claim from before the case went on leads nowhere back that no reviewer may go.
                    if !hand.despite
                        && has_gone_on(commit, id, conflict)?
                        && let Some(broken) =
                            competence::refused_way(commit, id, conflict.register, &said, commit.core.tier)?
                    {
                        return Ok(Err(broken.to_string()));
                    }
                    revise_checked(commit, id, conflict.register, said, &hand)
                }
                None => Ok(Err("没有这个主张 (no such claim)".into())),
            }
        }
        Does::Write => match written(conflict.register, &request.fields) {
            Ok(fields) => revise_checked(commit, id, conflict.register, fields, hand),
            Err(why) => Ok(Err(why)),
        },
        Does::Merge => match RecordId::from_slice(&conflict.other) {
            Some(other) => merge::merge(commit, other, id, &[], hand),
            None => Ok(Err("没有另一条记录 (no other record)".into())),
        },
        Does::Set(fields) => {
            let (today, reason) = (commit.core.today(), hand.reason);
            let fields = fields(&Case { record: commit.record(id)?.as_deref(), today, reason });
            revise_checked(commit, id, conflict.register, fields, hand)
        }
    }
}

/// Whether something else stands now than when the question was asked.
fn has_gone_on(commit: &Commit<'_>, id: RecordId, conflict: &pb::Conflict) -> Result<bool, StoreError> {
    let Some(record) = Reading(commit).record(id)? else { return Ok(false) };
    let stood = conflict.claims.first().map(pb::ClaimedValue::said).unwrap_or_default();
    let differs = |tag: &u32| {
        let then = stood.iter().find(|field| field.tag == *tag).map(|field| &field.bytes);
        then.filter(|bytes| !bytes.is_empty()) != record.bytes(*tag).filter(|bytes| !bytes.is_empty())
    };
    Ok(conflict.tags.iter().any(differs))
}

/// What stands stays: each claim is answered in the record's history, and what a reviewer's word is final on
/// becomes the reviewer's.
fn keep(commit: &mut Commit<'_>, id: RecordId, conflict: &pb::Conflict, hand: &Hand<'_>) -> Result<(), StoreError> {
    for claim in conflict.claims.iter().skip(1) {
        revise::note_ruling(commit, id, claim, hand)?;
    }
    let def = registers().get(conflict.register);
    let record = commit.record(id)?;
    let ruled = |tag: &u32| def.and_then(|def| def.field(*tag)).is_some_and(|field| field.ruled);
    let below = |tag: &u32| record.as_deref().is_some_and(|record| is_ruled_below(record, *tag));
    let tags: Vec<u32> = conflict.tags.iter().copied().filter(|tag| ruled(tag) || below(tag)).collect();
    revise::affirm(commit, id, &tags, hand)
}

/// Sets fields by the reviewer's hand if the record then breaks no rule.
fn revise_checked(
    commit: &mut Commit<'_>,
    id: RecordId,
    register: u32,
    fields: Vec<Field>,
    hand: &Hand<'_>,
) -> Result<Result<(), WhyNot>, StoreError> {
    // Who rules below the hub chooses among words that only the district may make stand.
    if let Some(of) = hand.of
        && let Some(broken) = competence::refused_way(commit, id, register, &fields, of.tier())?
    {
        return Ok(Err(broken.to_string()));
    }
    let current = Reading(commit).record(id)?;
    if current.as_ref().is_some_and(|record| record.register != register) {
        return Ok(Err("此编号属于另一种登记表 (the id belongs to another register)".into()));
    }
    let after = with(current.as_ref(), register, &fields);
    let tags: Vec<u32> = fields.iter().map(|field| field.tag).collect();
    if let Some(broken) =
        check::entry(&after, current.as_ref(), tags.iter().copied(), commit.core.today()).into_iter().next()
    {
        return Ok(Err(broken.to_string()));
    }
    let unit = home_unit(&after).filter(|unit| commit.core.unit.covers(*unit));
    let known = unit.is_some_and(|unit| commit.tree.is_empty() || commit.tree.contains(unit));
    if !known {
        return Ok(Err("归属单位不在本级辖区内 (the owning unit is not below this hub)".into()));
    }
    if let Some(broken) = commit.known().crowded(id, &after, commit.core.unit, |_| true)? {
        return Ok(Err(broken.to_string()));
    }
    if let Some(broken) = commit.known().one_too_many(id, &after, commit.core.unit, |tag| tags.contains(&tag))? {
        return Ok(Err(broken.to_string()));
    }
    if let Some(why) = commit.known().undue(id, &after, |tag| tags.contains(&tag))? {
        return Ok(Err(why));
    }
    let Some(lack) = missing_standard(commit, current.as_ref(), &after)? else {
        revise::revise(commit, id, register, fields, hand)?;
        return Ok(Ok(()));
    };
    if !hand.despite {
        return Ok(Err(lack.refusal()));
    }
    revise::revise(commit, id, register, fields, &Hand { note: &lack.note(), ..*hand })?;
    Ok(Ok(()))
}

/// What a community that is certified anew, or on another day, lacks of the standard.
fn missing_standard(commit: &Commit<'_>, before: Option<&Record>, after: &Record) -> Result<Option<Lack>, StoreError> {
    let certified = after
        .day(field::fec_case::CERTIFIED_ON)
        .filter(|day| before.and_then(|record| record.day(field::fec_case::CERTIFIED_ON)) != Some(*day));
    match (certified.filter(|_| after.register == number::FEC_CASE), home_unit(after)) {
        // One decimal.
        (Some(day), Some(unit)) => certify::missing(
            commit.core,
            unit,
            day,
            after.varint(field::fec_case::SCORE).map(|tenths| tenths as f64 / 10.0),
        ),
        _ => Ok(None),
    }
}

fn merge_asked(commit: &mut Commit<'_>, request: &pb::MergeRequest) -> Result<Result<(), WhyNot>, StoreError> {
    let (by, reason) = match limits::who_and_why(&request.by, &request.reason) {
        Ok(said) => said,
        Err(why) => return Ok(Err(why.to_string())),
    };
    let hand = Hand { by, reason, despite: request.despite, ..Hand::rule(Rule::Merge) };
    let parse = |text: &str| text.parse::<RecordId>().map_err(|_| format!("{text} 不是记录编号 (not a record id)"));
    let absorbed = match parse(&request.absorbed) {
        Ok(absorbed) => absorbed,
        Err(why) => return Ok(Err(why)),
    };
    if request.undo {
        return merge::unmerge(commit, absorbed, &hand);
    }
    let standing = match parse(&request.survivor) {
        Ok(standing) => standing,
        Err(why) => return Ok(Err(why)),
    };
    let register = commit.record(standing)?.as_deref().map_or(0, |record| record.register);
    let def = registers().get(register);
    let mut take = Vec::new();
    for name in &request.take {
        match def.and_then(|def| def.field_named(name)) {
            Some(field) => take.push(field.tag),
            None => return Ok(Err(format!("没有栏目 {name} (no such field)"))),
        }
    }
    merge::merge(commit, standing, absorbed, &take, &hand)
}

fn revise_asked(commit: &mut Commit<'_>, request: &pb::ReviseRequest) -> Result<Result<RecordId, WhyNot>, WriteError> {
    let refuse = |why: String| Ok(Err(why));
    let (by, reason) = match limits::who_and_why(&request.by, &request.reason) {
        Ok(said) => said,
        Err(why) => return refuse(why.to_string()),
    };
    let Some(def) = registers().named(&request.register) else {
        return refuse(format!("没有登记表 {} (no such register)", request.register));
    };
    let id = if request.record.is_empty() {
        RecordId::create((commit.core.clock)(), rand::random())
    } else {
        match request.record.parse::<RecordId>() {
            Ok(id) => id,
            Err(_) => return refuse("不是记录编号 (not a record id)".into()),
        }
    };
    if !request.record.is_empty() && !commit.record(id)?.as_deref().is_some_and(is_active) {
        return refuse("没有此记录，或已作废、已并入他处 (no such record, or void, or merged)".into());
    }
    let mut fields = match written(def.number, &request.fields) {
        Ok(fields) => fields,
        Err(why) => return refuse(why),
    };
    let registered = registered_on(def.number).filter(|_| request.record.is_empty());
    if let Some(tag) = registered.filter(|tag| !fields.iter().any(|field| field.tag == *tag)) {
        fields.push(day(tag, commit.core.today()));
    }
    let hand = Hand { by, reason, despite: request.despite, ..Hand::rule(Rule::Revised) };
    // As at an office: a second open case is opened, and a number given twice, by whoever says that it is meant.
    let current = Reading(commit).record(id)?;
    let after = with(current.as_ref(), def.number, &fields);
    // Of two who decide on a month at once the second is told.
    if def.number == number::PERIOD_CLOSE
        && let Some(close) = &current
    {
        let decides = |tag: u32| fields.iter().any(|field| field.tag == tag);
        let (approves, sends_back) =
            (decides(field::period_close::APPROVED_ON), decides(field::period_close::RETURNED_ON));
        let close: pb::PeriodClose = close.typed(|tag| tag >= field::period_close::MONTH);
        if let Some(why) = month::refusal(&close, sends_back).filter(|_| approves || sends_back) {
            return refuse(why);
        }
    }
    if !hand.despite
        && let Some((field, other)) = commit.known().carried(id, current.as_ref(), &after)?
    {
        return refuse(format!(
            "记录 {other} 已有此{}，请在该记录上改动；仍要登记，加 --despite (that record carries it already: --despite enters it \
             all the same)",
            field.zh
        ));
    }
    if !hand.despite
        && let Some((rule, other)) = once::opened_already(&Reading(commit), id, (current.as_ref(), &after))?
    {
        return refuse(format!("{}；仍要另立，加 --despite (--despite opens another)", rule.words(other)));
    }
    if let Some(broken) = competence::refused_way(commit, id, def.number, &fields, commit.core.tier)? {
        return refuse(broken.to_string());
    }
    if let Err(why) = revise_checked(commit, id, def.number, fields, &hand)? {
        return refuse(why);
    }
    arrivals::do_deferred(commit)?;
    inspect::inspect_all(commit)?;
    Ok(Ok(id))
}

/// What a hub writes of its own accord, by what is true elsewhere: nobody writes it by hand.
fn is_hubs_own(register: u32, tag: u32) -> bool {
    matches!(tag, COUNTED_AT | COUNTING | PAST_HOME | ELSEWHERE_TOO)
        || (register == number::TASK && tag == field::task::ORDER_NO)
        || (register == number::PAIRING && tag == field::pairing::ORDER_NO)
        || is_memory(register, tag)
}

/// Fields as a reviewer wrote them.
fn written(register: u32, texts: &std::collections::HashMap<String, String>) -> Result<Vec<Field>, WhyNot> {
    let def = registers().get(register).ok_or("没有此登记表 (no such register)")?;
    let mut fields = Vec::new();
    for (name, written) in texts {
        let field = def.field_named(name).ok_or_else(|| def.no_field(name))?;
        if field.tag == MERGED_INTO {
            return Err("请用 merge 合并 (use `merge`)".into());
        }
        if is_hubs_own(register, field.tag) {
            return Err(format!("{}由系统填写，不能改 (the hub writes it by itself)", field.zh));
        }
        fields.push(if written.trim().is_empty() {
            nothing(field.tag)
        } else {
            let (value, _) = Value::parse(field, written).map_err(|error| error.to_string())?;
            Field { tag: field.tag, bytes: value.encode(field) }
        });
    }
    if fields.is_empty() { Err("没有要写的栏目 (no field given)".into()) } else { Ok(fields) }
}
