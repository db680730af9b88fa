//! What an office once entered on a record that has left it, told to a hub that knows no such record: the hub has lost it,
//! and whoever has the record now may be in another district, or nobody at all.
//! Invariant: no word is dropped. It stands in the history of that record, which may still be told, and in the queue
//! until it is; and it makes no record, so nothing counts twice.

use crate::{
    rows,
    store::{Space, StoreError},
    writer::{
        Peer,
        commit::{Commit, Known},
        conflicts,
        recovery::offers::vouches,
        revise,
    },
};
use std::collections::{BTreeSet, HashSet};
use taizhang_proto::{
    OrgCode, RecordId,
    cell::home_unit,
    change::Edit,
    decide::Author,
    limits::{CHANGE_FIELDS, NAME_BYTES},
    pb::{self, ConflictKind},
    rule::Rule,
    wire,
};

/// Most words that a finding shows; all of them stand in the history.
const MOST_CLAIMS: usize = 32;

impl Known<'_, '_> {
    /// Whether an edit is a word on a record that has left, and the record is not here.
    pub(in crate::writer) fn is_unheld(self, edit: &Edit) -> Result<bool, StoreError> {
        Ok(edit.offer.as_ref().is_some_and(|offer| offer.aside) && self.record(edit.id)?.is_none())
    }
}

/// Keeps the words for whoever tells the record, and for a reviewer meanwhile.
pub(in crate::writer) fn keep_unheld(
    commit: &mut Commit<'_>,
    peer: &Peer,
    edit: &Edit,
    author: Author,
    own: &pb::Origin,
) -> Result<(), StoreError> {
    let word = |edit: Edit, origin: pb::Origin| pb::Superseded {
        origin: Some(pb::Origin { tags: edit.fields.iter().map(|field| field.tag).collect(), ..origin }),
        message: wire::join(edit.fields.iter().map(|field| &field.bytes)),
        replaced_by: own.revision,
        rule: Rule::Left.name().into(),
        ..pb::Superseded::default()
    };
    let standing =
        commit.known().told_parts(peer, edit, author, own).into_iter().map(|(edit, origin)| word(edit, origin));
    let sound = |entry: &&pb::Superseded| entry.origin.is_some() && wire::split(&entry.message).is_ok();
    let past = edit.offer.iter().flat_map(|offer| &offer.history).filter(sound);
    // Who ruled, whoever holds the record tells with it; nothing proves here what another office said.
    let past = past.map(|entry| pb::Superseded {
        origin: entry.origin.as_ref().map(|origin| told(origin, (peer, author), own)),
        message: entry.message.clone(),
        replaced_by: own.revision,
        rule: Rule::Left.name().into(),
        ..pb::Superseded::default()
    });
    let mut entries: Vec<pb::Superseded> = standing.chain(past).collect();
    // The same office may have told it before, under another number.
    let said = |entry: &pb::Superseded| {
        let origin = entry.origin.as_ref();
        (entry.message.clone(), origin.map(|origin| (origin.tags.clone(), origin.stamp, origin.by.clone())))
    };
    let known: BTreeSet<_> = revise::whole_history_of(commit, edit.id)?.iter().map(said).collect();
    entries.retain(|entry| !known.contains(&said(entry)));
    revise::keep_history(commit, edit.id, &entries);
    let tags: BTreeSet<u32> =
        entries.iter().filter_map(|entry| entry.origin.as_ref()).flat_map(|origin| origin.tags.clone()).collect();
    if tags.is_empty() {
        return Ok(());
    }
    let claims = entries.into_iter().map(|entry| pb::ClaimedValue {
        message: entry.message,
        origin: entry.origin,
        reason: entry.reason,
    });
    conflicts::raise(commit, pb::Conflict {
        kind: ConflictKind::AfterTransfer.into(),
        register: edit.register,
        record: edit.id.0.to_vec().into(),
        unit: peer.unit.number(),
        tags: tags.into_iter().take(CHANGE_FIELDS).collect(),
        // The first is what stands: nothing.
        claims: std::iter::once(pb::ClaimedValue::default()).chain(claims).take(MOST_CLAIMS).collect(),
        rule: Rule::Left.name().into(),
        revision: own.revision,
        note: "该记录已离开本单位，上级丢失后尚无单位报来；请查明现在何处 (it left this unit, was lost here, and nobody has told it since: find out where it is)".into(),
        ..pb::Conflict::default()
    })?;
    Ok(())
}

/// Somebody has told the record. Words that it has are no question any more; others go on to be one, for the unit that
/// has the record now, and whoever holds it is told of them.
pub(in crate::writer) fn is_held_again(commit: &mut Commit<'_>, id: RecordId) -> Result<(), StoreError> {
    let (waited, told): (Vec<_>, Vec<_>) =
        revise::whole_history_of(commit, id)?.into_iter().partition(|entry| entry.rule == Rule::Left.name());
    let Some(record) = commit.record(id)?.filter(|_| !waited.is_empty()) else { return Ok(()) };
    let past: HashSet<(u32, bytes::Bytes)> =
        told.iter().flat_map(pb::Superseded::said).map(|field| (field.tag, field.bytes)).collect();
    let is_told = |field: &wire::Field| {
        let stands = record.bytes(field.tag).filter(|_| !field.bytes.is_empty());
        stands == Some(&field.bytes) || past.contains(&(field.tag, field.bytes.clone()))
    };
    // What was cleared is no question where nothing stands, and nobody waits with what it cleared.
    let untold: HashSet<u32> = waited
        .iter()
        .flat_map(pb::Superseded::said)
        .filter(|field| !field.bytes.is_empty() && !is_told(field))
        .map(|field| field.tag)
        .collect();
    let is_told = |field: &wire::Field| {
        let is_clear = field.bytes.is_empty() && record.bytes(field.tag).is_none_or(bytes::Bytes::is_empty);
        is_told(field) || (is_clear && !untold.contains(&field.tag))
    };
    let mut all_told = true;
    for entry in &waited {
        if entry.said().iter().all(is_told) {
            commit.set.remove(Space::History, rows::history_key(id, entry));
        } else {
            all_told = false;
        }
    }
    let is_asked = |open: &pb::Conflict| {
        let said = |claim: &pb::ClaimedValue| claim.said().iter().all(is_told);
        open.rule != Rule::Left.name()
            || !(all_told || (open.claims.len() < MOST_CLAIMS && open.claims.iter().skip(1).all(said)))
    };
    conflicts::pass_conflicts(commit, id, ConflictKind::AfterTransfer, is_asked)?;
    if all_told {
        return Ok(());
    }
    if let Some(home) = home_unit(&record) {
        conflicts::file_conflicts_at(commit, id, home)?;
    }
    let revision = commit.take_revisions(1);
    commit.note_lost(id, revision);
    Ok(())
}

/// An origin in a history that an office tells: by its own number, and marked where another office's word is told.
fn told(origin: &pb::Origin, (peer, author): (&Peer, Author), own: &pb::Origin) -> pb::Origin {
    let is_own = vouches(peer.unit, origin, OrgCode::new(origin.unit).ok());
    pb::Origin {
        received: origin.received.min(own.received),
        node: author.node,
        seal: bytes::Bytes::new(),
        told_by: if is_own { 0 } else { peer.unit.number() },
        by: if origin.by.len() > NAME_BYTES { String::new() } else { origin.by.clone() },
        ..origin.clone()
    }
}
