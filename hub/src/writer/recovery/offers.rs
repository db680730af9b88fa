//! What an office says again to this hub, which was restored from an old backup and has lost it.
//! Invariant: what this hub had ruled or let pass is as good as before, however often it is restored, and only its own
//! seal shows what that was.

use crate::{
    store::StoreError,
    writer::{
        commit::{Commit, Known},
        conflicts,
        outcome::{Landing, is_for_everybody, standing_claim},
        quota, revise,
    },
};
use std::collections::{HashMap, HashSet, hash_map::Entry};
use taizhang_proto::{
    OrgCode, Record, RecordId,
    cell::home_unit,
    change::Edit,
    decide::HUB_NODE,
    lifecycle,
    limits::{NAME_BYTES, REASON_BYTES, RULE_BYTES},
    pb::{self, ConflictKind, Tier},
    record::Revision,
    register::{HOME_UNIT, is_for_below, registers},
    rule::Rule,
    seal,
    stamp::{MAX_AHEAD_MILLIS, Stamp},
    wire::{self, Field},
};

/// In whose name a word is this hub's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::writer) enum Speaker {
    /// The hub's.
    Hub,
    /// That of a unit below it that had ruled so.
    Below(OrgCode),
}

/// Who spoke where an origin's seal proves a field to be this hub's own word; none where it does not.
pub(in crate::writer) fn own_word(
    secret: &[u8; 32],
    id: RecordId,
    field: &Field,
    origin: &pb::Origin,
) -> Option<Speaker> {
    if origin.node != HUB_NODE {
        return None;
    }
    let below = seal::speaks_of(secret, id, field, origin)?;
    Some(below.and_then(|unit| OrgCode::new(unit).ok()).map_or(Speaker::Hub, Speaker::Below))
}

/// Whether an origin's seal proves a field: this hub's own word, or one that it had let pass.
pub(in crate::writer) fn proves(secret: &[u8; 32], id: RecordId, field: &Field, origin: &pb::Origin) -> bool {
    own_word(secret, id, field, origin).is_some() || seal::speaks_for(&seal::of_passing(secret), id, field, origin)
}

/// Whether the certificate of an office of `teller` proves that a word of `unit` is its own: of no hub, and nobody's whom another
/// office had only told of.
pub(in crate::writer) fn vouches(teller: OrgCode, origin: &pb::Origin, unit: Option<OrgCode>) -> bool {
    origin.node != HUB_NODE && origin.told_by == 0 && unit.is_some_and(|unit| teller.covers(unit))
}

/// Whether this hub's seal proves a field that is offered again.
pub(in crate::writer) fn is_sealed(secret: &[u8; 32], edit: &Edit, field: &Field) -> bool {
    sealed(secret, edit, field).next().is_some()
}

/// The origins of an offer whose seals prove a field.
fn sealed<'e>(secret: &'e [u8; 32], edit: &'e Edit, field: &'e Field) -> impl Iterator<Item = &'e pb::Origin> {
    let origins = edit.offer.iter().flat_map(|offer| &offer.origins);
    origins.filter(|origin| proves(secret, edit.id, field, origin))
}

/// Whether a word that stands was said after one that a seal proves, or may have been: an office's clock is believed when it is a
/// little ahead. The number under which a word is offered proves nothing.
pub(in crate::writer) fn may_be_later(standing: &pb::Origin, told: &pb::Origin) -> bool {
    let ahead = if told.node == HUB_NODE { 0 } else { MAX_AHEAD_MILLIS };
    standing.stamp.saturating_add(Stamp::at_millis(ahead).0) >= told.stamp
}

/// Whether this hub's seal proves that a field had come to stand after what stands now.
pub(in crate::writer) fn is_sealed_since(secret: &[u8; 32], edit: &Edit, field: &Field, standing: &pb::Origin) -> bool {
    sealed(secret, edit, field).any(|told| told.stamp > standing.stamp)
}

/// Leaves of an offer what this hub's seals prove, and what the office entered itself where the record is its own as far as this
/// hub knows: nobody below the owner of a record that is for everybody can make it say something else, or belong to anybody. Of
/// what was replaced the words are left, and who ruled, by which rule and why, where a seal proves that.
pub(in crate::writer) fn keep_proven(secret: &[u8; 32], edit: &mut Edit, own: Option<OrgCode>, is_here: bool) {
    let Some(mut offer) = edit.offer.take() else { return };
    let (id, belonging) = (edit.id, seal::of_belonging(secret));
    let is_proven = |field: &Field, origin: &pb::Origin| {
        let by_office = own.is_some_and(|own| vouches(own, origin, OrgCode::new(origin.unit).ok()));
        (by_office && field.tag != HOME_UNIT)
            || proves(secret, id, field, origin)
            || (field.tag == HOME_UNIT && seal::speaks_for(&belonging, id, field, origin))
    };
    edit.fields.retain(|field| {
        offer.origins.iter().any(|origin| origin.tags.contains(&field.tag) && is_proven(field, origin))
    });
    if !is_here && edit.field(HOME_UNIT).is_none() {
        // Nothing proves whose it is.
        edit.fields.clear();
        offer.history.clear();
    }
    offer.history.retain_mut(|entry| {
        if !seal::proves_ruling(secret, id, entry) {
            (entry.rule, entry.ruling) = (Rule::Told.name().into(), None);
        }
        entry.reason.clear();
        let Some(origin) = &entry.origin else { return false };
        let fields = entry.said();
        !fields.is_empty() && fields.iter().all(|field| is_proven(field, origin))
    });
    edit.offer = Some(offer);
}

/// Whether a word of the past that somebody else tells can be kept: it can be read, and nothing in it is longer than any hub writes.
pub(in crate::writer) fn is_sound(entry: &pb::Superseded) -> bool {
    let ruling = entry.ruling.clone().unwrap_or_default();
    entry.origin.as_ref().is_none_or(|origin| origin.by.len() <= NAME_BYTES)
        && wire::split(&entry.message).is_ok()
        && entry.rule.len() <= RULE_BYTES
        && entry.reason.len() <= REASON_BYTES
        && ruling.by.len() <= NAME_BYTES
        && ruling.reason.len() <= REASON_BYTES
}

/// The words of an entry or a record, each as it is known by whoever said it: field, value, when, by whom.
fn words<'a>(origin: &'a pb::Origin, fields: &'a [Field]) -> impl Iterator<Item = Word> + 'a {
    let of =
        |tag: u32| fields.iter().find(|field| field.tag == tag).map(|field| field.bytes.clone()).unwrap_or_default();
    origin.tags.iter().map(move |tag| Word { tag: *tag, bytes: of(*tag), stamp: origin.stamp, by: origin.by.clone() })
}

/// One value of one field, by whom and when it was said: a seal binds no more than that, so no more tells two words apart.
#[derive(PartialEq, Eq, Hash)]
struct Word {
    tag: u32,
    bytes: bytes::Bytes,
    stamp: u64,
    by: String,
}

/// The fields that an offer shows to have been decided, each with the last revision and the last time, seconds since 1970, at which:
/// by a ruling of what it tells that is proven, or by a word that is this hub's own by what it has itself. What was told to a hub
/// before has a revision of that day: then the time says what came after what.
fn decided_after<'o>(
    told: &[pb::Superseded],
    offered: &[pb::Origin],
    own: impl Iterator<Item = &'o pb::Origin>,
) -> HashMap<u32, (Revision, u64)> {
    let mut decided: HashMap<u32, (Revision, u64)> = HashMap::new();
    let mut note = |tag: u32, revision: Revision, at: u64| {
        let last = decided.entry(tag).or_default();
        *last = (revision.max(last.0), at.max(last.1));
    };
    for entry in told {
        let ruling = entry.ruling.as_ref().filter(|ruling| ruling.told_by == 0);
        if let (Some(origin), Some(ruling)) = (&entry.origin, ruling) {
            origin.tags.iter().for_each(|tag| note(*tag, entry.replaced_by, ruling.at));
        }
    }
    let own = own.filter(|origin| origin.node == HUB_NODE && origin.told_by == 0);
    let own: HashSet<(u32, u64, &str)> =
        own.flat_map(|origin| origin.tags.iter().map(|tag| (*tag, origin.stamp, origin.by.as_str()))).collect();
    for origin in offered.iter().filter(|origin| origin.node == HUB_NODE) {
        let spoken = origin.tags.iter().filter(|tag| own.contains(&(**tag, origin.stamp, origin.by.as_str())));
        spoken.for_each(|tag| note(*tag, origin.revision, Stamp(origin.stamp).millis() / 1_000));
    }
    decided
}

/// Marks in an entry that an office tells what neither this hub's seals nor that office's certificate prove: whose word it was, and
/// who ruled over it. What this hub had said itself was said by `hub`.
fn mark_unproven(secret: &[u8; 32], id: RecordId, entry: &mut pb::Superseded, (teller, hub): (OrgCode, OrgCode)) {
    let ruled = seal::proves_ruling(secret, id, entry);
    let fields = entry.said();
    if let Some(origin) = &mut entry.origin {
        let ours: Option<Vec<Speaker>> = fields.iter().map(|field| own_word(secret, id, field, origin)).collect();
        let ours = ours.filter(|speakers| !speakers.is_empty());
        if ours.as_ref().is_some_and(|speakers| speakers.iter().all(|speaker| *speaker == Speaker::Hub)) {
            origin.unit = hub.number();
        }
        let is_own = vouches(teller, origin, OrgCode::new(origin.unit).ok());
        origin.told_by = if ours.is_some() || is_own { 0 } else { teller.number() };
    }
    if let Some(ruling) = &mut entry.ruling {
        ruling.told_by = if ruled { 0 } else { teller.number() };
    }
}

impl Known<'_, '_> {
    /// The proof that this hub let pass what an office holding the record could not have made, a wider one did: references
    /// beyond it, that it moved there, and how its case moved on; and all of what is for everybody, since those who read it
    /// may be the last to have it. Empty where there is none.
    pub(in crate::writer) fn passing_seal(
        self,
        edit: &Edit,
        record: &Record,
        (stamp, by): (u64, Tier),
    ) -> Result<bytes::Bytes, StoreError> {
        let Some(def) = registers().get(record.register) else { return Ok(bytes::Bytes::new()) };
        let Some(home) = home_unit(record) else { return Ok(bytes::Bytes::new()) };
        let mut beyond = Vec::new();
        let stood = self.record(edit.id)?.as_deref().and_then(home_unit);
        let for_below = is_for_below(record.register);
        let (moved, new) = (stood.is_some_and(|stood| stood != home), stood.is_none());
        beyond.extend(edit.field(HOME_UNIT).filter(|_| moved));
        let whose = edit.field(HOME_UNIT).filter(|_| for_below && new);
        let way = lifecycle::of(record.register).filter(|_| !new && by > home.tier());
        for field in &edit.fields {
            let refers = def.field(field.tag).and_then(|rule| rule.refers);
            if for_below {
                beyond.extend(Some(field).filter(|field| field.tag != HOME_UNIT));
                continue;
            }
            if way.is_some_and(|way| way.tags().any(|tag| tag == field.tag)) {
                beyond.push(field);
                continue;
            }
            if refers.is_none_or(is_for_everybody) || field.bytes.is_empty() {
                continue;
            }
            let target = record.reference(field.tag);
            let target = target.map(|target| self.record(target)).transpose()?.flatten();
            if target.as_deref().and_then(home_unit).is_none_or(|owner| !home.covers(owner)) {
                beyond.push(field);
            }
        }
        if beyond.is_empty() && whose.is_none() {
            return Ok(bytes::Bytes::new()); // as almost always: no secret is worked out for it
        }
        let secret = self.core.lineage.secret();
        let passing = seal::seal(&seal::of_passing(&secret), edit.id, beyond, stamp, &edit.by);
        let belonging = seal::seal(&seal::of_belonging(&secret), edit.id, whose, stamp, &edit.by);
        Ok([passing, belonging].concat().into())
    }

    /// Takes out of an offer what this hub has not lost after all: it stands, or somebody who saw it has replaced it. What another
    /// office had only told, the author's own may still prove.
    pub(in crate::writer) fn forget_known(self, edit: &mut Edit, landing: &Landing) -> Result<(), StoreError> {
        let Some(mut offer) = edit.offer.take() else { return Ok(()) };
        let (record, history) = (self.record(edit.id)?, revise::history_of(&self, edit.id)?);
        let mut known: Vec<pb::Origin> = record.as_ref().map(|record| record.state().origins).unwrap_or_default();
        known.extend(history.iter().filter_map(|entry| entry.origin.clone()));
        let same = |one: &pb::Origin, two: &pb::Origin, tag: u32| {
            one.revision == two.revision && one.stamp == two.stamp && one.tags.contains(&tag)
        };
        let offered = |tag: u32| offer.origins.iter().find(|origin| origin.tags.contains(&tag));
        // What a reviewer has put out since it was told, under whatever number, is not asked anew.
        let ruled = history.iter().filter(|entry| entry.ruling.is_some());
        let ruled =
            ruled.filter_map(|entry| Some((entry.origin.as_ref().filter(|origin| origin.told_by == 0)?, entry.said())));
        let ruled: Vec<(&pb::Origin, Vec<Field>)> = ruled.collect();
        let is_ruled = |field: &Field, offered: &pb::Origin| {
            ruled.iter().any(|(origin, said)| is_same(origin, offered) && said.contains(field))
        };
        if record.is_some() {
            edit.fields.retain(|field| {
                let is_known = |offered: &pb::Origin| {
                    known.iter().any(|known| same(known, offered, field.tag)) || is_ruled(field, offered)
                };
                !offered(field.tag).is_some_and(is_known)
            });
        }
        if *landing == Landing::FromBelow {
            // No number from below tells words apart, and each is heard once.
            let mut heard: HashSet<Word> = HashSet::new();
            if let Some(record) = &record {
                let fields: Vec<Field> = record.fields.iter().map(|standing| standing.field.clone()).collect();
                heard.extend(record.state().origins.iter().flat_map(|origin| words(origin, &fields)));
            }
            for entry in &history {
                let fields = wire::split(&entry.message).unwrap_or_default();
                heard.extend(entry.origin.iter().flat_map(|origin| words(origin, &fields)));
            }
            edit.fields.retain(|field| {
                offered(field.tag).is_none_or(|origin| {
                    let (tag, bytes) = (field.tag, field.bytes.clone());
                    heard.insert(Word { tag, bytes, stamp: origin.stamp, by: origin.by.clone() })
                })
            });
            offer.history.retain(|entry| {
                let fields = wire::split(&entry.message).unwrap_or_default();
                // Of an entry some of whose words are new, all are kept together, as one change had set them.
                let news = |origin: &pb::Origin| words(origin, &fields).any(|word| !heard.contains(&word));
                let is_news = entry.origin.as_ref().is_some_and(news);
                heard.extend(entry.origin.iter().flat_map(|origin| words(origin, &fields)));
                is_news
            });
        }
        edit.offer = Some(offer);
        Ok(())
    }
}

/// Keeps the history of a record that this hub lost with a backup and is offered again by an office of `teller`, and brings up
/// anew what a reviewer had not decided.
pub(in crate::writer) fn take_offered_history(
    commit: &mut Commit<'_>,
    teller: OrgCode,
    (id, record): (RecordId, &Record),
    offer: &pb::Offer,
    revision: Revision,
) -> Result<(), StoreError> {
    let mut entries: Vec<pb::Superseded> =
        offer.history.iter().filter(|entry| entry.origin.is_some() && is_sound(entry)).cloned().collect();
    let secret = commit.core.lineage.secret();
    for entry in &mut entries {
        mark_unproven(&secret, id, entry, (teller, commit.core.unit));
    }
    // Another office may have said the same before, in this very commit too, as after a loss all of them call at once; what it had
    // only told, the author's own proves.
    let before = revise::history_rows(commit, id)?;
    let standing = record.state().origins;
    let own = standing.iter().chain(before.values().filter_map(|entry| entry.origin.as_ref()));
    let decided_after = decided_after(&entries, &offer.origins, own);
    // Of each word is found out whose it is.
    let words = |entry: &pb::Superseded| entry.origin.as_ref().map_or(0, |origin| origin.tags.len());
    commit.count_work(entries.iter().map(|entry| 1 + 3 * words(entry) as u64).sum());
    let mut known: HashMap<_, _> =
        before.iter().map(|(row_key, entry)| (entry.word(), (entry.unproven(), Some(row_key)))).collect();
    let (mut proven, mut replaced) = (Vec::new(), Vec::new());
    entries.retain(|entry| match known.entry(entry.word()) {
        Entry::Vacant(vacant) => {
            vacant.insert((entry.unproven(), None));
            true
        }
        Entry::Occupied(mut told) if entry.unproven() < told.get().0 => {
            replaced.extend(told.insert((entry.unproven(), None)).1.cloned());
            proven.push(entry.clone());
            false
        }
        Entry::Occupied(_) => false,
    });
    quota::keep_what_fits(commit, teller, id, &mut entries)?;
    for row_key in replaced {
        revise::drop_history(commit, id, row_key);
    }
    let is_news = !entries.is_empty() || !proven.is_empty();
    // What it asks was asked when it was told, and may be settled since.
    for entry in proven {
        revise::keep_history(commit, id, &[pb::Superseded { replaced_by: revision, ..entry }]);
    }
    for entry in &entries {
        // Under this hub's own number it comes before all offices that have not heard it.
        let kept = pb::Superseded { replaced_by: revision, ..entry.clone() };
        revise::keep_history(commit, id, std::slice::from_ref(&kept));
        let tags = entry.origin.as_ref().map(|origin| origin.tags.clone()).unwrap_or_default();
        let received = entry.origin.as_ref().map_or(u64::MAX, |origin| origin.received);
        let is_after = |last: &(Revision, u64)| last.0 > entry.replaced_by || last.1 >= received;
        let is_decided = |tag: &u32| decided_after.get(tag).is_some_and(is_after);
        let ruled = entry.ruling.as_ref().is_some_and(|ruling| ruling.told_by == 0);
        let decided = ruled || tags.iter().any(is_decided);
        let rule = Rule::named(&entry.rule);
        let asks = matches!(rule, Some(Rule::Review | Rule::Owned | Rule::Fixed));
        if decided || !asks || tags.is_empty() {
            continue;
        }
        let kind = if rule == Some(Rule::Owned) { ConflictKind::Claim } else { ConflictKind::Field };
        let claim = pb::ClaimedValue {
            message: entry.message.clone(),
            origin: entry.origin.clone(),
            reason: entry.reason.clone(),
        };
        conflicts::raise(
            commit,
            pb::Conflict {
                kind: kind.into(),
                register: record.register,
                record: id.0.to_vec().into(),
                unit: home_unit(record).map_or(0, OrgCode::number),
                claims: vec![standing_claim(record, &tags), claim],
                tags,
                rule: entry.rule.clone(),
                revision,
                note: "上级恢复旧备份后重新提出 (said again after the hub was restored)".into(),
                ..pb::Conflict::default()
            },
        )?;
    }
    if is_news {
        commit.note_lost(id, revision);
    }
    Ok(())
}

/// Whether two origins are those of one word.
pub(in crate::writer) fn is_same(one: &pb::Origin, two: &pb::Origin) -> bool {
    (one.stamp, &one.by, one.unit) == (two.stamp, &two.by, two.unit)
}
