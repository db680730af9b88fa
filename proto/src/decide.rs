//! The hub's decision on a change, field by field, as a pure function; and its effect on the record.
//! Invariant: every value that was ever current or lost is either current after `apply` or in what it returns as
//! superseded. Detection of concurrency goes by bases alone, never by a clock.

use crate::{
    OrgCode, Record,
    change::Edit,
    pb::{self, Policy, Tier},
    record::Revision,
    register::{FieldDef, registers},
    stamp::Stamp,
    wire::{self, Field, Raw},
};
use bytes::Bytes;

/// What becomes of one edited field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// The author had seen what stands, or nothing stood.
    Accepted,
    /// The value stands already.
    Equal,
    /// Concurrent, and the edit wins by this policy: what stood becomes history.
    Won(Policy),
    /// What stands wins by this policy: the edit becomes history, under REVIEW and OWNED as a claim.
    Lost(Policy),
    /// Concurrent additions and removals of a repeated field, together: these bytes stand.
    Joined(Bytes),
    /// A claim on what a senior tier owns, where nothing stands: these bytes, an application, stand until it is
    /// decided.
    Opened(Bytes),
}

impl Fate {
    /// Whether a reviewer has to decide: the value is a claim, or stands only until then.
    pub fn needs_review(&self) -> bool {
        matches!(
            self,
            Self::Won(Policy::Review) | Self::Lost(Policy::Review | Policy::Owned | Policy::Fixed) | Self::Opened(_)
        )
    }
}

/// The decision on a whole change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// In the order of the edit's fields.
    pub fates: Vec<Fate>,
}

impl Decision {
    /// Whether every field was simply accepted, so that the author can apply the edit without seeing the record.
    pub fn is_plain(&self) -> bool {
        self.fates.iter().all(|fate| *fate == Fate::Accepted)
    }

    /// Whether any field of the record changes.
    pub fn changes_record(&self) -> bool {
        self.fates.iter().any(|fate| matches!(fate, Fate::Accepted | Fate::Won(_) | Fate::Joined(_) | Fate::Opened(_)))
    }

    /// The decision of an author's own replica once the hub has said 'accepted'.
    pub fn accepted(edit: &Edit) -> Self {
        Self { fates: vec![Fate::Accepted; edit.fields.len()] }
    }
}

/// The number of the hub itself among the authors of its records: no child ever gets it.
pub const HUB_NODE: u32 = u32::MAX;

/// The number under which stands what offices of another hub wrote, of records that were taken in from there.
pub const FOREIGN_NODE: u32 = u32::MAX - 1;

/// Who offers an edit, as far as a decision depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Author {
    /// The hub's number for the node and incarnation, or [`HUB_NODE`].
    pub node: u32,
    /// The tier of the author's office.
    pub tier: Tier,
}

impl Author {
    /// The author of a value that stands. A hub's word is the district's, whoever below it ruled.
    fn of(origin: &pb::Origin) -> Self {
        let tier = tier_of(origin);
        let tier = if origin.node == HUB_NODE { tier.max(Tier::District) } else { tier };
        Self { node: origin.node, tier }
    }
}

/// The tier of the unit that a value names.
pub fn tier_of(origin: &pb::Origin) -> Tier {
    OrgCode::new(origin.unit).map_or(Tier::Unknown, OrgCode::tier)
}

/// Whether a value is a reviewer's word: not an office's, and not a rule's, which nobody signed.
fn is_ruling(origin: &pb::Origin) -> bool {
    origin.node == HUB_NODE && !origin.by.is_empty()
}

/// Decides on an edit of `current`. The edit's stamp is one that the hub believes ([`crate::stamp::Stamp::believed`]).
///
/// A field set last by the same node counts as seen: a node's changes arrive in its own order, and its clerks see
/// their own pending edits.
pub fn decide(current: Option<&Record>, edit: &Edit, author: Author) -> Decision {
    decide_as(current, edit, |_| author)
}

/// As [`decide`], where some fields have another author: what a hub once said itself and is offered again.
pub fn decide_as(current: Option<&Record>, edit: &Edit, author: impl Fn(&Field) -> Author) -> Decision {
    let def = registers().get(edit.register);
    let fate =
        |field: &Field| decide_field(current, edit, field, def.and_then(|def| def.field(field.tag)), author(field));
    Decision { fates: edit.fields.iter().map(fate).collect() }
}

/// One field's fate by its policy.
fn decide_field(current: Option<&Record>, edit: &Edit, field: &Field, rule: Option<&FieldDef>, author: Author) -> Fate {
    let policy = rule.map_or(Policy::Latest, |rule| rule.policy);
    let standing = current.and_then(|record| Some((record, record.standing(field.tag)?)));
    let standing = standing.map(|(record, standing)| (&standing.field.bytes, &record.origins[standing.origin]));
    if let Some(rule) = rule.filter(|rule| rule.policy == Policy::Owned && author.tier < rule.owner) {
        return claim(rule, field, standing.map(|(bytes, _)| bytes));
    }
    let base = edit.base(field.tag);
    let Some((bytes, origin)) = standing else {
        return if base == 0 { Fate::Accepted } else { Fate::Won(Policy::Latest) };
    };
    // Said again to a hub that lost it: its author had seen all that the hub still has from before.
    let saw_it = origin.revision == base || (edit.offer.is_some() && origin.revision <= edit.seen);
    let seen = saw_it || origin.node == author.node;
    if *bytes == field.bytes {
        return if seen { Fate::Accepted } else { Fate::Equal };
    }
    if let Some(rule) = rule.filter(|_| author.tier < Tier::District) {
        let closed = code(bytes).is_some_and(|code| rule.prevails.as_deref().map(str::as_bytes) == Some(code));
        let runs = rule.clock && !bytes.is_empty() && author.tier < Tier::Township;
        if closed || runs || (rule.ruled && is_ruling(origin)) {
            return Fate::Lost(Policy::Review);
        }
        if policy == Policy::Fixed && !bytes.is_empty() && edit.reason.is_empty() {
            return Fate::Lost(Policy::Fixed);
        }
    }
    if policy == Policy::Union
        && !saw_it
        && let Some(joined) = union(field, bytes, edit.seen_values(field.tag), origin.node == author.node)
    {
        return match joined {
            joined if joined == field.bytes && origin.node == author.node => Fate::Accepted,
            // Not plainly accepted: the author's copy lacks the other's edit, which leaves no origin in the record.
            joined if joined == field.bytes => Fate::Won(Policy::Union),
            joined if joined == *bytes => Fate::Lost(Policy::Union),
            joined => Fate::Joined(joined),
        };
    }
    if seen { Fate::Accepted } else { settle(policy, rule, edit, field, (bytes, origin), author) }
}

/// A word on a field that belongs to a senior tier: an application may stand, everything else is a claim.
fn claim(rule: &FieldDef, field: &Field, standing: Option<&Bytes>) -> Fate {
    let standing = standing.filter(|bytes| !bytes.is_empty());
    match standing {
        Some(bytes) if *bytes == field.bytes => Fate::Equal,
        None if field.bytes.is_empty() => Fate::Equal,
        None => match rule.open.as_deref() {
            Some(open) if code(&field.bytes) == Some(open.as_bytes()) => Fate::Accepted,
            Some(open) => {
                let mut bytes = Vec::new();
                wire::put_bytes(field.tag, open.as_bytes(), &mut bytes);
                Fate::Opened(bytes.into())
            }
            None => Fate::Lost(Policy::Owned),
        },
        Some(_) => Fate::Lost(Policy::Owned),
    }
}

/// Who wins a concurrent edit. Ties go to what stands, so that the answer does not depend on the order in which equal
/// stamps arrive twice.
fn settle(
    policy: Policy,
    rule: Option<&FieldDef>,
    edit: &Edit,
    field: &Field,
    (bytes, origin): (&Bytes, &pb::Origin),
    author: Author,
) -> Fate {
    let by = |wins: bool| if wins { Fate::Won(policy) } else { Fate::Lost(policy) };
    let is_later = edit.stamp > Stamp(origin.stamp);
    let other = Author::of(origin);
    match policy {
        Policy::Latest | Policy::Union => by(is_later),
        Policy::Senior => by(if author.tier == other.tier { is_later } else { author.tier > other.tier }),
        Policy::Owned => {
            let owner = rule.map_or(Tier::Unknown, |rule| rule.owner);
            by(other.tier < owner || is_later)
        }
        Policy::Review => {
            let prevails = rule.and_then(|rule| rule.prevails.as_deref()).map(str::as_bytes);
            let closes = prevails.is_some() && code(&field.bytes) == prevails;
            let is_later_day = rule.is_some_and(|rule| rule.later) && day(&field.bytes) > day(bytes);
            by(closes || is_later_day)
        }
        Policy::Fixed => Fate::Lost(Policy::Fixed),
    }
}

/// The code in a field's bytes.
fn code(bytes: &[u8]) -> Option<&[u8]> {
    match wire::occurrences(bytes).last()? {
        Raw::Bytes(code) => Some(code),
        _ => None,
    }
}

/// The day in a field's bytes; nothing is earlier than any day.
fn day(bytes: &[u8]) -> Option<i32> {
    match wire::occurrences(bytes).last()? {
        Raw::Varint(code) => wire::unzigzag(code),
        _ => None,
    }
}

/// What both added, without what either removed, as a field's bytes. `seen` is what the author had before: without it,
/// only additions are known; an author whose own value stands and who says nothing more replaces it.
fn union(field: &Field, standing: &[u8], seen: Option<&[u8]>, own: bool) -> Option<Bytes> {
    if seen.is_none() && own {
        return None;
    }
    let values = |bytes| -> Option<Vec<&[u8]>> {
        wire::occurrences(bytes).map(|raw| if let Raw::Bytes(value) = raw { Some(value) } else { None }).collect()
    };
    let (standing, wanted, seen) = (values(standing)?, values(&field.bytes)?, values(seen.unwrap_or_default())?);
    let mut joined: Vec<&[u8]> =
        standing.into_iter().filter(|value| wanted.contains(value) || !seen.contains(value)).collect();
    for value in wanted {
        if !seen.contains(&value) && !joined.contains(&value) {
            joined.push(value);
        }
    }
    let mut bytes = Vec::new();
    for value in joined {
        wire::put_bytes(field.tag, value, &mut bytes);
    }
    Some(bytes.into())
}

/// The record after a decision, and what no longer stands or never stood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// The record as it now stands.
    pub record: Record,
    /// History that this change made.
    pub superseded: Vec<pb::Superseded>,
}

/// Applies a decision. `origin` is the change's own: revision, author, times; its tags are ignored.
pub fn apply(current: Option<&Record>, edit: &Edit, decision: &Decision, origin: &pb::Origin) -> Applied {
    let mut record = current.cloned().unwrap_or_else(|| Record {
        register: edit.register,
        created: origin.revision,
        ..Record::default()
    });
    let mut superseded = Vec::new();
    let mut taken = Vec::with_capacity(edit.fields.len());
    for (field, fate) in edit.fields.iter().zip(&decision.fates) {
        match fate {
            Fate::Accepted | Fate::Won(_) | Fate::Joined(_) | Fate::Opened(_) => {
                if let Some(standing) = record.standing(field.tag) {
                    let old = record.origins[standing.origin].clone();
                    note(&mut superseded, &old, &standing.field, (origin.revision, fate, &edit.reason));
                }
                match fate {
                    Fate::Joined(bytes) | Fate::Opened(bytes) => {
                        note(&mut superseded, origin, field, (origin.revision, fate, &edit.reason));
                        taken.push(Field { tag: field.tag, bytes: bytes.clone() });
                    }
                    _ => taken.push(field.clone()),
                }
            }
            Fate::Lost(_) => note(&mut superseded, origin, field, (origin.revision, fate, &edit.reason)),
            Fate::Equal => {}
        }
    }
    if !taken.is_empty() {
        record.set(taken, pb::Origin { tags: Vec::new(), ..origin.clone() });
        record.changes += 1;
    }
    Applied { record, superseded }
}

/// Keeps a value in the history entry for its origin and rule.
fn note(
    history: &mut Vec<pb::Superseded>,
    origin: &pb::Origin,
    field: &Field,
    (replaced_by, fate, reason): (Revision, &Fate, &str),
) {
    let rule = match fate {
        Fate::Won(policy) | Fate::Lost(policy) => policy.as_str_name(),
        Fate::Joined(_) => Policy::Union.as_str_name(),
        Fate::Opened(_) => Policy::Owned.as_str_name(),
        Fate::Accepted | Fate::Equal => "",
    };
    let entry = history
        .iter_mut()
        .find(|entry| entry.rule == rule && entry.origin.as_ref().is_some_and(|own| own.revision == origin.revision));
    if let Some(entry) = entry {
        entry.message = wire::join([&entry.message, &field.bytes]);
        if let Some(own) = &mut entry.origin {
            own.tags.push(field.tag);
        }
        return;
    }
    history.push(pb::Superseded {
        origin: Some(pb::Origin { tags: vec![field.tag], ..origin.clone() }),
        message: field.bytes.clone(),
        replaced_by,
        rule: rule.to_owned(),
        ruling: None,
        reason: reason.to_owned(),
    });
}
