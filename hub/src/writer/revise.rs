//! Edits by the hub's own hand: a reviewer's ruling, or a rule in a reviewer's place.
//! Invariant: such an edit is an ordinary one with its own revision, so it flows down to every office that holds the
//! record, and what it replaces is kept with who decided and why.

use super::commit::Commit;
use crate::{
    rows,
    store::{Space, StoreError},
};
use prost::Message;
use std::collections::BTreeMap;
use taizhang_proto::{
    OrgCode, Record, RecordId,
    cell::is_memory,
    change::{self, Edit},
    check::Size,
    decide::{Decision, HUB_NODE, apply, tier_of},
    limits::{self, REVIEW_BYTES, REVIEW_FIELDS, STORED_BYTES, STORED_FIELDS},
    pb::{self, Tier},
    record::Revision,
    register::COUNTING,
    rule::Rule,
    seal,
    stamp::Stamp,
    wire::{self, Field, put_bytes, put_varint, zigzag},
};

/// Whose hand it is.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Hand<'h> {
    /// Login of the reviewer; empty for a rule.
    pub(super) by: &'h str,
    /// Why.
    pub(super) reason: &'h str,
    /// Name of the rule or policy that what is replaced lost by.
    pub(super) rule: &'h str,
    /// The conflict that is settled; 0: none.
    pub(super) conflict: u64,
    /// The unit below the hub where the reviewer sits; none: at the hub. It is the hub's word all the same, of that unit.
    pub(super) of: Option<OrgCode>,
    /// When what is written arrived, seconds since 1970, where that was before; none: now.
    pub(super) received: Option<u64>,
    /// Certifies a community that misses the standard, and says so.
    pub(super) despite: bool,
    /// What is kept beside the reason.
    pub(super) note: &'h str,
}

impl Hand<'_> {
    /// A rule's.
    pub(super) fn rule(rule: Rule) -> Self {
        Self { rule: rule.name(), ..Self::default() }
    }
}

pub(super) fn ruling(commit: &Commit<'_>, hand: &Hand<'_>) -> pb::Ruling {
    pb::Ruling {
        by: hand.by.to_owned(),
        unit: hand.of.unwrap_or(commit.core.unit).number(),
        at: commit.core.now(),
        reason: hand.reason.to_owned(),
        conflict: hand.conflict,
        ..pb::Ruling::default()
    }
}

/// Writes into an entry of a record's history who ruled over it, under this hub's seal.
fn rule_over(commit: &Commit<'_>, id: RecordId, entry: &mut pb::Superseded, hand: &Hand<'_>) {
    hand.rule.clone_into(&mut entry.rule);
    entry.ruling = Some(ruling(commit, hand));
    let seal = seal::of_ruling(&commit.core.lineage.secret(), id, entry);
    entry.ruling.get_or_insert_default().seal = seal;
}

/// Sets fields of a record by the hub's own hand. Fields that stand already are left alone; none when all do.
pub(super) fn revise(
    commit: &mut Commit<'_>,
    id: RecordId,
    register: u32,
    mut fields: Vec<Field>,
    hand: &Hand<'_>,
) -> Result<Option<Revision>, StoreError> {
    let mut current = commit.record(id)?;
    let mut said = Vec::new();
    fields.retain(|field| {
        let standing = current.as_ref().and_then(|record| record.bytes(field.tag));
        let stands = standing.map_or(field.bytes.is_empty(), |bytes| *bytes == field.bytes);
        said.extend(stands.then_some(field.tag));
        !stands
    });
    // What a township has ruled becomes the district's word when somebody there says the same.
    said.retain(|tag| current.as_ref().is_some_and(|record| is_ruled_below(record, *tag)));
    if hand.of.is_none() && !hand.by.is_empty() && !said.is_empty() {
        affirm(commit, id, &said, hand)?;
        current = commit.record(id)?;
    }
    if fields.is_empty() {
        return Ok(None);
    }
    // A rule's hand never makes a record that can't be read again, and leaves room for a reviewer's.
    let held: usize = current.iter().flat_map(|record| &record.fields).map(|one| one.field.bytes.len()).sum();
    let more: usize = fields.iter().map(|field| field.bytes.len()).sum();
    let places = current.as_ref().map_or(0, |record| record.fields.len()) + fields.len();
    let (bytes, most) = (STORED_BYTES - REVIEW_BYTES, STORED_FIELDS - REVIEW_FIELDS);
    if hand.by.is_empty() && (held + more > bytes || places > most) {
        tracing::warn!(%id, rule = hand.rule, "a record is too full for what a rule would set");
        return Ok(None);
    }
    fields.sort_by_key(|field| field.tag);
    let base = |tag| current.as_ref().map_or(0, |record| record.revision_of(tag));
    let based: Vec<(Field, Revision)> = fields
        .into_iter()
        .map(|field| {
            let base = base(field.tag);
            (field, base)
        })
        .collect();
    put_own(commit, id, current.as_deref(), &based, register, hand)
}

/// Puts fields on a record by the hub's own hand, each with the revision that stands. None where the record would be one that
/// nobody can read: nobody else's jobs fail for that.
fn put_own(
    commit: &mut Commit<'_>,
    id: RecordId,
    current: Option<&Record>,
    fields: &[(Field, Revision)],
    register: u32,
    hand: &Hand<'_>,
) -> Result<Option<Revision>, StoreError> {
    let stamp = Stamp::at_millis(commit.core.now() * 1_000);
    // An entrance has refused what is longer; were there one that has not, nobody else's jobs fail for it.
    let mut change = change::write(id, register, fields, stamp, limits::fitting(hand.by, limits::NAME_CHARS));
    limits::fitting(hand.reason, limits::REASON_CHARS).clone_into(&mut change.reason);
    let edit = match Edit::read(change) {
        Ok(edit) => edit,
        Err(error) => {
            tracing::error!(%id, %error, rule = hand.rule, "an edit by the hub's own hand can't be read: it is left out");
            return Ok(None);
        }
    };
    let revision = commit.take_revisions(1);
    let origin = own_origin(commit, &edit, revision, hand);
    let mut applied = apply(current, &edit, &Decision::accepted(&edit), &origin);
    if !Size::of(Some(&applied.record)).can_be_read() {
        tracing::error!(%id, rule = hand.rule, "a record is too full for an edit by the hub's own hand: it is left out");
        return Ok(None);
    }
    applied.superseded.retain_mut(|entry| leave_out_what_only_grows(register, entry));
    for entry in &mut applied.superseded {
        rule_over(commit, id, entry, hand);
        hand.note.clone_into(&mut entry.reason); // the ruling has its own
    }
    keep_history(commit, id, &applied.superseded);
    commit.put_record(id, applied.record)?;
    Ok(Some(revision))
}

/// Makes what stands in these fields the reviewer's own word.
pub(super) fn affirm(commit: &mut Commit<'_>, id: RecordId, tags: &[u32], hand: &Hand<'_>) -> Result<(), StoreError> {
    let Some(record) = commit.record(id)? else { return Ok(()) };
    let fields: Vec<(Field, Revision)> = tags
        .iter()
        .filter(|tag| record.bytes(**tag).is_some())
        .map(|tag| (field_of(&record, *tag), record.revision_of(*tag)))
        .collect();
    if fields.is_empty() {
        return Ok(());
    }
    // Standing values do not arrive anew.
    let received = tags.iter().filter_map(|tag| record.origin(*tag)).map(|origin| origin.received).max();
    let hand = Hand { received: hand.received.or(received), ..*hand };
    put_own(commit, id, Some(&record), &fields, record.register, &hand)?;
    Ok(())
}

/// The origin of an edit by the hub's own hand.
fn own_origin(commit: &Commit<'_>, edit: &Edit, revision: Revision, hand: &Hand<'_>) -> pb::Origin {
    let by = seal::named(&edit.by, hand.of.map(OrgCode::number));
    pb::Origin {
        revision,
        stamp: edit.stamp.0,
        received: hand.received.unwrap_or_else(|| commit.core.now()),
        unit: hand.of.unwrap_or(commit.core.unit).number(),
        node: HUB_NODE,
        by: edit.by.clone(),
        seal: seal::seal(&commit.core.lineage.secret(), edit.id, &edit.fields, edit.stamp.0, &by),
        ..pb::Origin::default()
    }
}

/// Puts what no longer stands into a record's history.
pub(super) fn keep_history(commit: &mut Commit<'_>, id: RecordId, entries: &[pb::Superseded]) {
    for entry in entries {
        commit.added_history.entry(id).or_default().push(commit.set.rows.len());
        commit.set.put(Space::History, rows::history_key(id, entry), entry.encode_to_vec());
    }
}

/// Takes a row out of a record's history, whether it stood before this commit or was added in it.
pub(super) fn drop_history(commit: &mut Commit<'_>, id: RecordId, row_key: Vec<u8>) {
    commit.count_work(commit.added_history.get(&id).map_or(0, |places| places.len() as u64));
    for place in commit.added_history.get(&id).into_iter().flatten() {
        // Put and removed in one batch, a row might come back.
        if let Some((_, _, value)) = commit.set.rows.get_mut(*place).filter(|(_, key, _)| *key == row_key) {
            *value = None;
        }
    }
    commit.added_history.entry(id).or_default().push(commit.set.rows.len());
    commit.set.remove(Space::History, row_key);
}

/// A record's history as it stood before this commit.
pub(super) fn history_of(commit: &Commit<'_>, id: RecordId) -> Result<Vec<pb::Superseded>, StoreError> {
    let read = |row: bytes::Bytes| pb::Superseded::decode(row).map_err(|_| StoreError::Row(Space::History));
    let found: Vec<_> = commit.view.prefix(Space::History, &id.0).map(|row| read(row?.1)).collect::<Result<_, _>>()?;
    commit.count_work(found.len() as u64);
    Ok(found)
}

/// A record's history, what this commit adds to it included.
pub(super) fn whole_history_of(commit: &Commit<'_>, id: RecordId) -> Result<Vec<pb::Superseded>, StoreError> {
    Ok(history_rows(commit, id)?.into_values().collect())
}

/// The same, each entry with the key of its row, which an earlier build may have made in its own way.
pub(super) fn history_rows(commit: &Commit<'_>, id: RecordId) -> Result<BTreeMap<Vec<u8>, pb::Superseded>, StoreError> {
    let read = |row: bytes::Bytes| pb::Superseded::decode(row).map_err(|_| StoreError::Row(Space::History));
    let mut found = BTreeMap::new();
    for row in commit.view.prefix(Space::History, &id.0) {
        let (key, value) = row?;
        found.insert(key.to_vec(), read(value)?);
    }
    for place in commit.added_history.get(&id).into_iter().flatten() {
        match commit.set.rows.get(*place) {
            Some((_, key, Some(value))) => {
                found.insert(key.clone(), read(bytes::Bytes::copy_from_slice(value))?);
            }
            Some((_, key, None)) => {
                found.remove(key);
            }
            None => {}
        }
    }
    commit.count_work(found.len() as u64);
    Ok(found)
}

/// Notes in a record's history that a value was looked at and did not come to stand; whoever holds the record is
/// told.
pub(super) fn note_ruling(
    commit: &mut Commit<'_>,
    id: RecordId,
    claim: &pb::ClaimedValue,
    hand: &Hand<'_>,
) -> Result<Revision, StoreError> {
    let revision = commit.take_revisions(1);
    let mut entry = pb::Superseded {
        origin: claim.origin.clone(),
        message: claim.message.clone(),
        replaced_by: revision,
        reason: claim.reason.clone(),
        ..pb::Superseded::default()
    };
    rule_over(commit, id, &mut entry, hand);
    keep_history(commit, id, std::slice::from_ref(&entry));
    commit.record(id)?;
    commit.note_lost(id, revision);
    Ok(revision)
}

/// The fields of a record that another one took over when it was merged, with the values they had before.
pub(super) fn replaced_by(
    commit: &Commit<'_>,
    id: RecordId,
    revision: Revision,
) -> Result<Vec<pb::Superseded>, StoreError> {
    let mut found = whole_history_of(commit, id)?;
    found.retain(|entry| entry.replaced_by == revision);
    Ok(found)
}

/// Whether what stands in a field is a ruling of somebody below the district.
pub(super) fn is_ruled_below(record: &Record, tag: u32) -> bool {
    record.origin(tag).is_some_and(|origin| origin.node == HUB_NODE && tier_of(origin) < Tier::District)
}

/// A record as it would stand with these fields.
pub(super) fn with(record: Option<&Record>, register: u32, fields: &[Field]) -> Record {
    let mut after = record.cloned().unwrap_or_else(|| Record { register, ..Record::default() });
    after.set(fields.to_vec(), pb::Origin { revision: u64::MAX, ..pb::Origin::default() });
    after
}

/// A field that says yes.
pub(super) fn yes(tag: u32) -> Field {
    number(tag, 1)
}

/// A field without a value.
pub(super) fn nothing(tag: u32) -> Field {
    Field { tag, bytes: bytes::Bytes::new() }
}

/// A field with a number: a unit's code, a count.
pub(super) fn number(tag: u32, value: u64) -> Field {
    let mut bytes = Vec::new();
    put_varint(tag, value, &mut bytes);
    Field { tag, bytes: bytes.into() }
}

/// A field with a day.
pub(super) fn day(tag: u32, day: taizhang_proto::date::Day) -> Field {
    number(tag, zigzag(day))
}

/// A field with a text, a code or a record's id.
pub(super) fn text(tag: u32, value: &[u8]) -> Field {
    let mut bytes = Vec::new();
    put_bytes(tag, value, &mut bytes);
    Field { tag, bytes: bytes.into() }
}

/// A field as it stands in a record, cleared where it does not.
pub(super) fn field_of(record: &Record, tag: u32) -> Field {
    Field { tag, bytes: record.bytes(tag).cloned().unwrap_or_default() }
}

/// Takes out of what was replaced the fields that a hub only adds to, or derives: a list that grows by one would put all of it into
/// the history each time. False where nothing else was in it.
fn leave_out_what_only_grows(register: u32, entry: &mut pb::Superseded) -> bool {
    let grows = |tag: u32| tag == COUNTING || is_memory(register, tag);
    let Some(origin) = entry.origin.as_mut().filter(|origin| origin.tags.iter().any(|tag| grows(*tag))) else {
        return true;
    };
    origin.tags.retain(|tag| !grows(*tag));
    let kept = wire::split(&entry.message).unwrap_or_default();
    let kept: Vec<_> = kept.into_iter().filter(|field| !grows(field.tag)).map(|field| field.bytes).collect();
    entry.message = wire::join(kept.iter());
    !origin.tags.is_empty()
}
