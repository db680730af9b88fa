//! What an offer says of each field: who entered it, where and when, as it stood before this hub lost it.
//! Invariant: every field gets back the author, unit, times and seal that it had; what neither this hub's seal nor the
//! certificate of the office that offers it proves is marked as told by that office.

use crate::{
    store::StoreError,
    writer::{
        Peer,
        commit::Known,
        outcome::Landing,
        recovery::offers::{Speaker, is_same, may_be_later, own_word, proves, vouches},
    },
};
use std::{collections::HashMap, rc::Rc};
use taizhang_proto::{
    OrgCode, Record,
    change::Edit,
    decide::{Applied, Author, Decision, Fate, HUB_NODE, apply, decide},
    lifecycle,
    limits::NAME_BYTES,
    pb::{self, Policy},
    register::{HOME_UNIT, registers},
    seal,
    stamp::Stamp,
    wire::Field,
};

/// The most changes that a record is believed to have had.
const MOST_CHANGES: u32 = 1 << 24;

/// The fields of an offer that one change had set, as an edit of their own.
struct Part {
    edit: Edit,
    author: Author,
    origin: pb::Origin,
}

impl Known<'_, '_> {
    /// Decides and applies an offer: each of its changes by itself, in their old order and under revisions of their own.
    /// `origin` is the offer's own; what it says nothing more of stands under that. Also how many revisions it takes beside its own.
    pub(in crate::writer) fn apply_offer(
        self,
        peer: &Peer,
        edit: &Edit,
        author: Author,
        (origin, landing): (&pb::Origin, &Landing),
    ) -> Result<(Decision, Applied, u64), StoreError> {
        let before = self.record(edit.id)?;
        let mut standing = before.clone();
        let mut superseded = Vec::new();
        let mut fates = vec![Fate::Equal; edit.fields.len()];
        let (mut revision, own) = (origin.revision, self.newest_revision());
        let mut newest = own;
        for mut part in self.parts(peer, edit, author, origin) {
            let mut decision = decide(standing.as_deref(), &part.edit, part.author);
            if let Some(record) = &standing {
                vouch(record, &part, &mut decision);
                outdated(record, &part, landing, &mut decision);
                let secret = self.core.lineage.secret();
                moved_again(&secret, record, &part, landing, &mut decision);
                if before.is_some() {
                    moved_by_others(&secret, record, &part, &mut decision);
                }
            }
            if decision.changes_record() && standing.as_ref().is_some_and(|record| record.revision() >= revision) {
                newest += 1;
                revision = newest;
            }
            part.origin.revision = revision;
            let applied = apply(standing.as_deref(), &part.edit, &decision, &part.origin);
            // Nothing is replaced where its author's own office says what was only told.
            let says = |word: &Field| part.edit.field(word.tag).is_some_and(|field| field.bytes == word.bytes);
            let vouched = |entry: &pb::Superseded| {
                let of_author = entry.origin.as_ref().is_some_and(|told| is_same(told, &part.origin));
                entry.rule.is_empty() && of_author && entry.said().iter().all(says)
            };
            superseded.extend(applied.superseded.into_iter().filter(|entry| !vouched(entry)));
            for (field, fate) in part.edit.fields.iter().zip(decision.fates) {
                if let Some(place) = edit.fields.iter().position(|own| own.tag == field.tag) {
                    fates[place] = fate;
                }
            }
            standing = Some(Rc::new(applied.record));
        }
        let new = || Record { register: edit.register, ..Record::default() };
        let mut record = standing.map_or_else(new, Rc::unwrap_or_clone);
        let offer = edit.offer.as_ref();
        if let Some(before) = &before {
            record.changes = before.changes + u32::from(record.changes > before.changes);
        } else {
            // Who came first goes on to be first.
            let created = offer.map_or(0, |offer| offer.created);
            record.created = if created == 0 { origin.revision } else { created.min(origin.revision) };
            // It is counted on from here: a number at the end of numbers would overflow.
            record.changes = offer.map_or(0, |offer| offer.changes).clamp(1, MOST_CHANGES);
        }
        Ok((Decision { fates }, Applied { record, superseded }, newest - own))
    }

    /// The changes that a late edit tells of, each with its origin: itself, or what it offers.
    pub(in crate::writer) fn told_parts(
        self,
        peer: &Peer,
        edit: &Edit,
        author: Author,
        origin: &pb::Origin,
    ) -> Vec<(Edit, pb::Origin)> {
        let parts = self.parts(peer, edit, author, origin).into_iter();
        parts.map(|part| (part.edit, pb::Origin { revision: origin.revision, ..part.origin })).collect()
    }

    /// The changes that an offer tells of, in their old order.
    fn parts(self, peer: &Peer, edit: &Edit, author: Author, own: &pb::Origin) -> Vec<Part> {
        let mut of_origin: HashMap<usize, Vec<Field>> = HashMap::new();
        let mut left = Vec::new();
        // A part says that it was offered, and no more of what else was.
        let mut bare = edit.clone();
        (bare.fields, bare.offer) = (Vec::new(), edit.offer.as_ref().map(|_| pb::Offer::default()));
        let mut parts = Vec::new();
        let mut told: Vec<&pb::Origin> = edit.offer.iter().flat_map(|offer| &offer.origins).collect();
        told.sort_by_key(|origin| origin.revision);
        let mut says: HashMap<u32, usize> = HashMap::new();
        for (place, origin) in told.iter().enumerate() {
            origin.tags.iter().for_each(|tag| {
                says.entry(*tag).or_insert(place);
            });
        }
        for field in &edit.fields {
            match says.get(&field.tag) {
                Some(place) => of_origin.entry(*place).or_default().push(field.clone()),
                None => left.push(field.clone()),
            }
        }
        for (place, origin) in told.into_iter().enumerate() {
            let Some(of) = of_origin.remove(&place) else { continue };
            let proven = |field: &Field| own_word(&self.core.lineage.secret(), edit.id, field, origin);
            let unit = of.iter().find_map(&proven);
            let (ours, theirs): (Vec<Field>, Vec<Field>) = of.into_iter().partition(|field| proven(field).is_some());
            if let (false, Some(unit)) = (ours.is_empty(), unit) {
                parts.push(self.own_part(&bare, ours, origin, (unit, own)));
            }
            if !theirs.is_empty() {
                parts.push(self.their_part(peer, &bare, theirs, (origin, own), author));
            }
        }
        if !left.is_empty() {
            parts.push(part(&bare, left, author, own.clone()));
        }
        parts
    }

    /// This hub's own word.
    fn own_part(
        self,
        edit: &Edit,
        fields: Vec<Field>,
        told: &pb::Origin,
        (speaker, own): (Speaker, &pb::Origin),
    ) -> Part {
        let unit = match speaker {
            Speaker::Hub => None,
            Speaker::Below(unit) => Some(unit),
        };
        let by = seal::named(&told.by, unit.map(OrgCode::number));
        let origin = pb::Origin {
            stamp: told.stamp,
            received: told.received.min(own.received),
            unit: unit.unwrap_or(self.core.unit).number(),
            node: HUB_NODE,
            by: told.by.clone(),
            seal: seal::seal(&self.core.lineage.secret(), edit.id, &fields, told.stamp, &by),
            ..pb::Origin::default()
        };
        part(edit, fields, Author { node: HUB_NODE, tier: self.core.unit.tier() }, origin)
    }

    /// An office's word, or one that nothing proves to be this hub's.
    fn their_part(
        self,
        peer: &Peer,
        edit: &Edit,
        fields: Vec<Field>,
        (told, own): (&pb::Origin, &pb::Origin),
        author: Author,
    ) -> Part {
        let unit = OrgCode::new(told.unit).ok().filter(|unit| self.core.unit.covers(*unit)).unwrap_or(peer.unit);
        let vouched = vouches(peer.unit, told, Some(unit));
        let by: String = if told.by.len() > NAME_BYTES { String::new() } else { told.by.clone() };
        let secret = self.core.lineage.secret();
        let again = |secret: [u8; 32]| {
            let proven = fields.iter().filter(|field| seal::speaks_for(&secret, edit.id, field, told));
            seal::seal(&secret, edit.id, proven, told.stamp, &by)
        };
        let sealed = [again(seal::of_passing(&secret)), again(seal::of_belonging(&secret))].concat().into();
        let origin = pb::Origin {
            stamp: Stamp(told.stamp).believed(Stamp::at_millis(own.received * 1_000), 0).0,
            received: if told.received == 0 { own.received } else { told.received.min(own.received) },
            unit: unit.number(),
            // By its own number the office's later changes know what they have seen.
            node: author.node,
            by,
            seal: sealed,
            told_by: if vouched { 0 } else { peer.unit.number() },
            ..pb::Origin::default()
        };
        part(edit, fields, author, origin)
    }
}

/// What is said again word for word by the same author changes nothing, but that an author's own office proves what another
/// one had only told.
fn vouch(record: &Record, part: &Part, decision: &mut Decision) {
    for (field, fate) in part.edit.fields.iter().zip(&mut decision.fates) {
        let Some(standing) = record.standing(field.tag).filter(|standing| standing.field.bytes == field.bytes) else {
            continue;
        };
        let (own, origin) = (&record.origins[standing.origin], &part.origin);
        if is_same(own, origin) {
            *fate = if own.told_by > 0 && origin.told_by == 0 { Fate::Accepted } else { Fate::Equal };
        }
    }
}

/// A word that this hub had said or let pass once does not stand again over a later one: the seal says when it was said, and the
/// number under which it is offered proves nothing. It is kept in the history; what only a ruling changes a reviewer is asked about,
/// since an office that had known of it could not have said otherwise.
fn outdated(record: &Record, part: &Part, landing: &Landing, decision: &mut Decision) {
    let def = registers().get(record.register);
    let is_ruled = |tag: u32| def.and_then(|def| def.field(tag)).is_some_and(|field| field.ruled);
    for (field, fate) in part.edit.fields.iter().zip(&mut decision.fates) {
        let standing = record.standing(field.tag).filter(|standing| standing.field.bytes != field.bytes);
        let Some(origin) = standing.map(|standing| &record.origins[standing.origin]) else { continue };
        let ours = part.author.node == HUB_NODE;
        if (ours || *landing == Landing::FromBelow) && may_be_later(origin, &part.origin) {
            let asks = ours && origin.node != HUB_NODE && is_ruled(field.tag);
            *fate = Fate::Lost(if asks { Policy::Review } else { Policy::Latest });
        }
    }
}

/// A move that this hub had made or let pass after the word by which the record is where it is: that word came again under a new
/// number, but did not undo it.
fn moved_again(secret: &[u8; 32], record: &Record, part: &Part, landing: &Landing, decision: &mut Decision) {
    for (field, fate) in part.edit.fields.iter().zip(&mut decision.fates) {
        let Some(origin) = record.origin(HOME_UNIT).filter(|_| field.tag == HOME_UNIT) else { continue };
        let is_later = part.origin.stamp > origin.stamp && proves(secret, part.edit.id, field, &part.origin);
        if *landing == Landing::Home && is_later && matches!(fate, Fate::Lost(_)) {
            *fate = Fate::Accepted;
        }
    }
}

/// A case that stood here is moved on by those who may: such a move that an office only tells of, and no seal proves, is a claim that
/// a reviewer decides on.
fn moved_by_others(secret: &[u8; 32], record: &Record, part: &Part, decision: &mut Decision) {
    let Some(way) = lifecycle::of(record.register).filter(|_| part.author.node != HUB_NODE) else { return };
    let moves =
        |field: &Field| way.tags().any(|tag| tag == field.tag) && !proves(secret, part.edit.id, field, &part.origin);
    if !part.edit.fields.iter().any(moves) {
        return;
    }
    let after = apply(Some(record), &part.edit, decision, &part.origin).record;
    let to = (way.state_of)(&after);
    if to == (way.state_of)(record) || way.leads_to(to, part.author.tier) {
        return;
    }
    for (field, fate) in part.edit.fields.iter().zip(&mut decision.fates) {
        let stands = !matches!(fate, Fate::Equal | Fate::Lost(_));
        if stands && moves(field) {
            *fate = Fate::Lost(Policy::Review);
        }
    }
}

fn part(edit: &Edit, fields: Vec<Field>, author: Author, origin: pb::Origin) -> Part {
    let mut edit = edit.clone();
    (edit.fields, edit.stamp, edit.by) = (fields, Stamp(origin.stamp), origin.by.clone());
    Part { edit, author, origin }
}
