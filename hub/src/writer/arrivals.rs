//! Edits whose author had not heard what happened to the record meanwhile: it was merged, moved away, closed, voided.
//! Invariant: what was entered before the author could know is never refused for it; it lands on the record that
//! stands, or is kept as a note for whoever has the record now (domain-detail 4, cases 3, 5, 10, 16).

use super::{
    Peer,
    commit::{Commit, Known, Reading, pending::Deferred},
    conflicts,
    mail::note,
    moves::{self, unit_in},
    outcome::{Landing, standing_claim, violation},
    recovery::{is_same, is_sealed, is_sealed_since},
    revise::{self, Hand},
};
use crate::store::StoreError;
use std::collections::HashMap;
use taizhang_proto::{
    OrgCode, Record, RecordId,
    cell::{home_unit, merged_into, survivor, with_one_more},
    change::Edit,
    check::Violation,
    decide::{Applied, Author, Decision, Fate, HUB_NODE},
    pb::{self, ConflictKind, ConflictState, Policy},
    record::Revision,
    register::{HOME_UNIT, MERGED_INTO, STATE, TRANSFER_TO, VOID_REASON},
    rule::Rule,
    wire::{self, Field},
};

fn out_of_scope(peer: &Peer, edit: &Edit) -> Violation {
    violation(edit, "home_unit", "scope", format!("该记录不属于{}的辖区 (out of scope)", peer.unit))
}

impl Known<'_, '_> {
    /// Where an edit lands; inside, why it can't be taken at all.
    pub(super) fn landing(
        self,
        peer: &Peer,
        edit: &mut Edit,
        author: Author,
    ) -> Result<Result<Landing, Violation>, StoreError> {
        let Some(current) = self.record(edit.id)? else { return Ok(Ok(Landing::Home)) };
        if current.register != edit.register {
            let message = "此编号属于另一种登记表 (the id belongs to another register)".into();
            return Ok(Err(violation(edit, "", "register", message)));
        }
        // What an offer says stood on the absorbed record itself.
        let stood = edit.offer.as_ref().is_some_and(|offer| !offer.aside);
        if merged_into(&current).is_some() && !stood {
            let theirs = home_unit(&current).is_none_or(|owner| peer.unit.covers(owner));
            // Who is told of a record that is for everybody, or planted a name, has no word on what stands for it.
            if author.node != HUB_NODE && !theirs && !self.was_of(peer, edit.id)? {
                return Ok(Err(out_of_scope(peer, edit)));
            }
            return self.land_on_survivor(edit, author);
        }
        let Some(owner) = home_unit(&current).filter(|owner| !peer.unit.covers(*owner)) else {
            return Ok(Ok(Landing::Home));
        };
        let Some(moved) = current.origin(HOME_UNIT).cloned() else { return Ok(Err(out_of_scope(peer, edit))) };
        let secret = self.core.lineage.secret();
        // Offered by the unit that this hub had given it, or had let a wider one give it, in the time that it lost.
        let given = edit.field(HOME_UNIT).filter(|home| unit_in(home).is_some_and(|unit| peer.unit.covers(unit)));
        if given.is_some_and(|home| is_sealed_since(&secret, edit, home, &moved)) {
            return Ok(Ok(Landing::Home));
        }
        // A seal that is too old to bring the record back still proves that it was the office's: its words are weighed.
        let was_given = given.is_some_and(|home| is_sealed(&secret, edit, home));
        let was_of = self.was_of(peer, edit.id)?;
        if !(was_of || was_given) || (moved.revision <= edit.seen && edit.offer.is_none()) {
            return Ok(Err(out_of_scope(peer, edit)));
        }
        let made_before = edit.stamp.millis() / 1_000 <= moved.received;
        // One that says it had heard of the hand-over, or saw what stands since, would not be one from before it.
        edit.seen = edit.seen.min(moved.revision.saturating_sub(1));
        edit.forget_bases_from(moved.revision);
        Ok(Ok(if made_before && self.core.unit.covers(owner) {
            Landing::Followed
        } else {
            Landing::Note { of: moved.revision }
        }))
    }

    /// A late edit of an absorbed record is one of its survivor, by an author who never saw that one.
    fn land_on_survivor(self, edit: &mut Edit, author: Author) -> Result<Result<Landing, Violation>, StoreError> {
        let absorbed = edit.id;
        if author.node == HUB_NODE {
            return Ok(Ok(Landing::Home));
        }
        let merged = self.record(absorbed)?.as_deref().map_or(0, |record| record.revision_of(MERGED_INTO));
        edit.id = survivor(&Reading(&self), absorbed)?;
        edit.forget_bases();
        // Its author never saw the other record, whatever it says that it had heard.
        edit.seen = edit.seen.min(merged.saturating_sub(1));
        // Where the absorbed record belongs, and whether it counts, says nothing of the survivor.
        let (aside, fields): (Vec<Field>, Vec<Field>) = std::mem::take(&mut edit.fields)
            .into_iter()
            .partition(|field| [HOME_UNIT, STATE, VOID_REASON, TRANSFER_TO].contains(&field.tag));
        edit.fields = fields;
        if edit.fields.is_empty() {
            let message = "该记录已并入另一条，请在合并后的记录上办理 (merged: act on the record that stands)".into();
            return Ok(Err(violation(edit, "", "merged", message)));
        }
        Ok(Ok(Landing::Survivor { absorbed, aside }))
    }

    /// Whether a record has moved away from a child, within this hub's scope, since it last heard.
    pub(super) fn moved_unheard(
        self,
        peer: &Peer,
        edit: &Edit,
        id: RecordId,
        owner: OrgCode,
    ) -> Result<bool, StoreError> {
        let moved =
            self.record(id)?.as_deref().and_then(|record| record.origin(HOME_UNIT)).map(|origin| origin.revision);
        let unheard = edit.offer.is_some() || moved.is_some_and(|moved| moved > edit.seen);
        Ok(unheard && self.core.unit.covers(owner) && self.was_of(peer, id)?)
    }

    /// Whether a record once belonged to a unit of a child.
    fn was_of(self, peer: &Peer, id: RecordId) -> Result<bool, StoreError> {
        let entries = revise::whole_history_of(&self, id)?;
        // What an office says of a record that nobody had told proves nothing.
        let proven = entries.iter().filter(|entry| entry.rule != Rule::Left.name());
        let homes = proven.flat_map(|entry| wire::split(&entry.message).unwrap_or_default());
        let mut homes = homes.filter(|field| field.tag == HOME_UNIT).filter_map(|home| unit_in(&home));
        Ok(homes.any(|unit| peer.unit.covers(unit)))
    }
}

/// Keeps what a late edit said of its absorbed record alone, in that one's history.
pub(super) fn keep_aside(commit: &mut Commit<'_>, absorbed: RecordId, aside: &[Field], origin: &pb::Origin) {
    if aside.is_empty() {
        return;
    }
    let tags = aside.iter().map(|field| field.tag).collect();
    let entry = pb::Superseded {
        origin: Some(pb::Origin { tags, ..origin.clone() }),
        message: wire::join(aside.iter().map(|field| &field.bytes)),
        replaced_by: origin.revision,
        rule: Rule::Merged.name().into(),
        ..pb::Superseded::default()
    };
    revise::keep_history(commit, absorbed, &[entry]);
    // The survivor has this change's own revision in the feed.
    commit.deferred.push(Deferred::Tell(absorbed));
}

/// Keeps an edit that was made after its record had been handed over: in the record's history, and as a finding
/// for the unit that has it now.
pub(super) fn note_late(
    commit: &mut Commit<'_>,
    edit: &Edit,
    origin: &pb::Origin,
    handed_over: Revision,
) -> Result<(), StoreError> {
    let owner = commit.record(edit.id)?.as_deref().and_then(home_unit);
    let tags: Vec<u32> = edit.fields.iter().map(|field| field.tag).collect();
    let entry = pb::Superseded {
        origin: Some(pb::Origin { tags: tags.clone(), ..origin.clone() }),
        message: wire::join(edit.fields.iter().map(|field| &field.bytes)),
        replaced_by: origin.revision,
        rule: Rule::Transfer.name().into(),
        ruling: None,
        reason: edit.reason.clone(),
    };
    revise::keep_history(commit, edit.id, std::slice::from_ref(&entry));
    commit.note_lost(edit.id, origin.revision);
    if let Some(owner) = owner.filter(|owner| !commit.core.unit.covers(*owner)) {
        return note::note_to_new_district(commit, edit, origin, owner);
    }
    let claims = claims_against(commit, edit.id, &tags, entry)?;
    conflicts::raise(
        commit,
        pb::Conflict {
            kind: ConflictKind::AfterTransfer.into(),
            register: edit.register,
            record: edit.id.0.to_vec().into(),
            unit: owner.map_or(0, OrgCode::number),
            other_unit: origin.unit,
            tags,
            claims,
            rule: Rule::Transfer.name().into(),
            revision: origin.revision,
            note: format!("移交(修订{handed_over})之后在原单位录入 (entered at the old unit after the hand-over)"),
            ..pb::Conflict::default()
        },
    )?;
    Ok(())
}

/// What stands in these fields, and the claim against it.
fn claims_against(
    commit: &mut Commit<'_>,
    id: RecordId,
    tags: &[u32],
    claim: pb::Superseded,
) -> Result<Vec<pb::ClaimedValue>, StoreError> {
    let standing = commit.record(id)?.as_deref().map(|record| standing_claim(record, tags)).unwrap_or_default();
    Ok(vec![standing, pb::ClaimedValue { message: claim.message, origin: claim.origin, reason: claim.reason }])
}

/// Raises what a decision found: for each field that needs a reviewer an open conflict, for the others one that a
/// rule has settled.
pub(super) fn raise_from(
    commit: &mut Commit<'_>,
    edit: &Edit,
    decision: &Decision,
    origin: &pb::Origin,
    before: Option<&Record>,
    applied: &Applied,
) -> Result<(), StoreError> {
    let unit = home_unit(&applied.record).map_or(0, OrgCode::number);
    let conflict = |kind: ConflictKind, rule: &str, tags: Vec<u32>| pb::Conflict {
        kind: kind.into(),
        register: edit.register,
        record: edit.id.0.to_vec().into(),
        unit,
        tags,
        rule: rule.to_owned(),
        revision: origin.revision,
        ..pb::Conflict::default()
    };
    // An offer tells the words of several.
    let said = if edit.offer.is_some() { who_said(applied) } else { HashMap::new() };
    let said_by = |field: &Field| said.get(field).copied().unwrap_or(origin);
    let mut by_rule: Option<pb::Conflict> = None;
    let mut claimed: Vec<Field> = Vec::new();
    for (field, fate) in edit.fields.iter().zip(&decision.fates) {
        let (policy, won) = match fate {
            Fate::Lost(Policy::Owned) | Fate::Opened(_) => {
                claimed.push(field.clone());
                continue;
            }
            Fate::Won(policy) => (*policy, true),
            Fate::Lost(policy) => (*policy, false),
            Fate::Joined(_) => (Policy::Union, true),
            Fate::Accepted | Fate::Equal => continue,
        };
        let claim = pb::ClaimedValue {
            message: field.bytes.clone(),
            origin: Some(pb::Origin { tags: vec![field.tag], ..said_by(field).clone() }),
            reason: edit.reason.clone(),
        };
        let stood = before.map(|record| standing_claim(record, &[field.tag])).unwrap_or_default();
        let claims = if won { vec![claim, stood] } else { vec![stood, claim] };
        if fate.needs_review() {
            let rule = policy.as_str_name();
            conflicts::raise(commit, pb::Conflict { claims, ..conflict(ConflictKind::Field, rule, vec![field.tag]) })?;
            continue;
        }
        let settled = by_rule.get_or_insert_with(|| conflict(ConflictKind::Field, policy.as_str_name(), Vec::new()));
        settled.tags.push(field.tag);
        settled.claims.extend(claims);
    }
    if !claimed.is_empty() {
        // What one form claims is decided together: a certification with its day and score. What another had claimed is another question.
        claimed.sort_by_key(|field| (said_by(field).stamp, said_by(field).by.clone(), said_by(field).unit));
        for fields in claimed.chunk_by(|one, next| is_same(said_by(one), said_by(next))) {
            let tags: Vec<u32> = fields.iter().map(|field| field.tag).collect();
            let claim = pb::ClaimedValue {
                message: wire::join(fields.iter().map(|field| &field.bytes)),
                origin: fields.first().map(|field| pb::Origin { tags: tags.clone(), ..said_by(field).clone() }),
                reason: edit.reason.clone(),
            };
            let claims = vec![standing_claim(&applied.record, &tags), claim];
            let rule = Policy::Owned.as_str_name();
            conflicts::raise(commit, pb::Conflict { claims, ..conflict(ConflictKind::Claim, rule, tags) })?;
        }
    }
    if let Some(mut settled) = by_rule {
        settled.set_state(ConflictState::ByRule);
        conflicts::raise(commit, settled)?;
    }
    Ok(())
}

/// Has a rule set fields once the batch is taken.
pub(super) fn defer(commit: &mut Commit<'_>, id: RecordId, register: u32, fields: Vec<Field>, rule: Rule) {
    commit.deferred.push(Deferred::Set { id, register, fields, rule });
}

/// Does what waited for the end of the batch.
pub(super) fn do_deferred(commit: &mut Commit<'_>) -> Result<(), StoreError> {
    for one in std::mem::take(&mut commit.deferred) {
        match one {
            Deferred::Set { id, register, fields, rule } => {
                revise::revise(commit, id, register, fields, &Hand::rule(rule))?;
            }
            Deferred::Remember { id, tag, text } => {
                let Some(record) = commit.record(id)? else { continue };
                let fields = vec![with_one_more(&record, tag, text)];
                revise::revise(commit, id, record.register, fields, &Hand::rule(Rule::Remembered))?;
            }
            Deferred::Tell(id) => {
                let revision = commit.take_revisions(1);
                commit.note_lost(id, revision);
            }
            Deferred::Follow { id, register, to } => {
                moves::move_home(commit, id, register, to, &Hand::rule(Rule::Transfer))?;
            }
        }
    }
    Ok(())
}

/// Whose words the fields of an edit were, as it was applied: each stands, or is in what was replaced.
fn who_said(applied: &Applied) -> HashMap<Field, &pb::Origin> {
    let replaced = applied.superseded.iter().filter_map(|entry| Some((entry, entry.origin.as_ref()?)));
    let mut said: HashMap<Field, &pb::Origin> = HashMap::new();
    for (entry, origin) in replaced {
        for field in entry.said() {
            said.entry(field).or_insert(origin);
        }
    }
    let standing = applied.record.fields.iter().map(|standing| &standing.field);
    said.extend(standing.filter_map(|field| Some((field.clone(), applied.record.origin(field.tag)?))));
    said
}
