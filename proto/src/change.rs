//! A change as it travels: the edited fields of one record with the revision of the value its author saw.
//! Invariant: what is read from the wire here is bounded and well-formed; nothing later checks it again.

use crate::{
    RecordId,
    limits::{CHANGE_FIELDS, NAME_BYTES, REASON_BYTES, RULE_BYTES, STORED_BYTES, STORED_FIELDS},
    pb,
    record::Revision,
    seal,
    stamp::Stamp,
    wire::{self, Field, WireError},
};
use bytes::Bytes;

/// A change whose bytes have been read.
#[derive(Debug, Clone, PartialEq)]
pub struct Edit {
    /// The record it edits.
    pub id: RecordId,
    /// Its register.
    pub register: u32,
    /// Edited fields, ascending by tag; empty bytes clear a field.
    pub fields: Vec<Field>,
    bases: Vec<pb::FieldBase>,
    /// The author's clock.
    pub stamp: Stamp,
    /// Login of the author.
    pub by: String,
    /// Why, where it is a correction.
    pub reason: String,
    /// Last hub revision that the author's office had heard when this was saved.
    pub seen: Revision,
    /// What the hub once said of it, when a hub that lost it is offered it again.
    pub offer: Option<pb::Offer>,
}

/// Why a change can't be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChangeError {
    /// The record id has not 16 bytes.
    #[error("记录编号为{0}字节，应为16字节 (a record id of {0} bytes instead of 16)")]
    Id(usize),
    /// The fields are no message.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// Tag zero, or a field both set and cleared.
    #[error("第{0}栏同时填写又清除，或超出范围 (field {0} is both set and cleared, or out of range)")]
    Tag(u32),
    /// Nothing edited.
    #[error("没有任何改动 (the change edits nothing)")]
    Empty,
    /// The hub failed on it, or on another of its batch, and has set it aside.
    #[error(
        "上级程序处理本批时出错，已搁置，请联系管理员 (the hub failed on this batch and has set it aside: tell its operator)"
    )]
    SetAside,
    /// Too many fields or a login that is too long.
    #[error("改动过大 (the change is too large)")]
    TooLarge,
}

/// Most origins, and most history entries, of an offer.
const MAX_OFFER: usize = 512;

/// Longest seal of an origin, bytes: of what was let pass there are two kinds, each with a part for each field.
const MAX_SEAL: usize = 2 * seal::PART * CHANGE_FIELDS;

/// Brings the origins of an offer, those of its history too, to the shape that a hub once gave them: each tag once, ascending. A name
/// or a seal that is longer than any of a hub's proves nothing, and is let go.
fn tidy(offer: &mut pb::Offer) -> Result<(), ChangeError> {
    for entry in &mut offer.history {
        let ruling = entry.ruling.as_ref().map_or((0, 0), |ruling| (ruling.by.len(), ruling.reason.len()));
        let is_long = entry.reason.len().max(ruling.1) > REASON_BYTES
            || ruling.0 > NAME_BYTES
            || entry.rule.len() > RULE_BYTES
            || entry.message.len() > STORED_BYTES;
        if is_long {
            *entry = pb::Superseded::default(); // nothing that a hub wrote; without an origin it is left out
        }
    }
    let past = offer.history.iter_mut().filter_map(|entry| entry.origin.as_mut());
    for origin in offer.origins.iter_mut().chain(past) {
        origin.tags.sort_unstable();
        origin.tags.dedup();
        if origin.tags.len() > CHANGE_FIELDS {
            return Err(ChangeError::TooLarge);
        }
        if origin.by.len() > NAME_BYTES {
            origin.by.clear();
        }
        if origin.seal.len() > MAX_SEAL {
            origin.seal.clear();
        }
    }
    // Each field of a record has one origin.
    if offer.origins.iter().map(|origin| origin.tags.len()).sum::<usize>() > STORED_FIELDS {
        return Err(ChangeError::TooLarge);
    }
    Ok(())
}

impl Edit {
    /// Reads a change from the wire.
    ///
    /// # Errors
    /// When it is malformed or exceeds a bound.
    pub fn read(change: pb::Change) -> Result<Self, ChangeError> {
        let id = RecordId::from_slice(&change.record).ok_or(ChangeError::Id(change.record.len()))?;
        let mut fields = wire::split(&change.message)?;
        let counts = [fields.len(), change.cleared.len(), change.bases.len()];
        if counts.iter().any(|count| *count > CHANGE_FIELDS) || change.by.len() > NAME_BYTES {
            return Err(ChangeError::TooLarge);
        }
        let offered = change.offer.as_ref().map_or(0, |offer| offer.origins.len().max(offer.history.len()));
        if change.reason.len() > REASON_BYTES || offered > MAX_OFFER {
            return Err(ChangeError::TooLarge);
        }
        for tag in change.cleared {
            match fields.binary_search_by_key(&tag, |field| field.tag) {
                Err(place) if (1..1 << 29).contains(&tag) => fields.insert(place, Field { tag, bytes: Bytes::new() }),
                _ => return Err(ChangeError::Tag(tag)),
            }
        }
        if fields.is_empty() {
            return Err(ChangeError::Empty);
        }
        let mut offer = change.offer;
        offer.as_mut().map(tidy).transpose()?;
        let stamp = Stamp(change.stamp);
        Ok(Self {
            id,
            register: change.register,
            fields,
            bases: change.bases,
            stamp,
            by: change.by,
            reason: change.reason,
            seen: change.seen,
            offer,
        })
    }

    /// The revision of the value the author saw in a field; 0 when there was none.
    pub fn base(&self, tag: u32) -> Revision {
        self.bases.iter().find(|base| base.tag == tag).map_or(0, |base| base.revision)
    }

    /// The values of a repeated field that the author saw; none where it was not said.
    pub fn seen_values(&self, tag: u32) -> Option<&[u8]> {
        let base = self.bases.iter().find(|base| base.tag == tag)?;
        (!base.seen.is_empty()).then_some(&base.seen)
    }

    /// Puts the revisions that the author saw of another record's fields out of force: it edits a record that the
    /// author never saw.
    pub fn forget_bases(&mut self) {
        self.bases.clear();
    }

    /// Puts the revisions that the author can't have seen out of force: those from one on.
    pub fn forget_bases_from(&mut self, revision: Revision) {
        self.bases.retain(|base| base.revision < revision);
    }

    /// The edited field with this tag.
    pub fn field(&self, tag: u32) -> Option<&Field> {
        self.fields.binary_search_by_key(&tag, |field| field.tag).ok().map(|place| &self.fields[place])
    }
}

/// Puts a change together for the wire. `fields` are ascending by tag, each with the revision its author saw.
pub fn write(id: RecordId, register: u32, fields: &[(Field, Revision)], stamp: Stamp, by: &str) -> pb::Change {
    pb::Change {
        record: Bytes::copy_from_slice(&id.0),
        register,
        message: wire::join(fields.iter().map(|(field, _)| &field.bytes)),
        cleared: fields.iter().filter(|(field, _)| field.bytes.is_empty()).map(|(field, _)| field.tag).collect(),
        bases: fields
            .iter()
            .filter(|(_, base)| *base > 0)
            .map(|(field, base)| pb::FieldBase { tag: field.tag, revision: *base, ..pb::FieldBase::default() })
            .collect(),
        stamp: stamp.0,
        by: by.to_owned(),
        ..pb::Change::default()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_origins_of_an_offer_name_each_field_once_and_so_many_and_no_more() {
        let read = |tags: Vec<u32>, by: &str| {
            let mut bytes = Vec::new();
            wire::put_bytes(20, b"x", &mut bytes);
            let field = Field { tag: 20, bytes: bytes.into() };
            let mut change = write(RecordId([7; 16]), 1, &[(field, 0)], Stamp(9), "clerk");
            let origin =
                pb::Origin { tags, by: by.into(), seal: vec![0; MAX_SEAL + 1].into(), ..pb::Origin::default() };
            let entry = pb::Superseded { origin: Some(origin.clone()), ..pb::Superseded::default() };
            change.offer = Some(pb::Offer { origins: vec![origin], history: vec![entry], ..pb::Offer::default() });
            Edit::read(change).map(|edit| edit.offer.unwrap())
        };
        let offer = read(vec![30, 20, 30, 20], &"x".repeat(NAME_BYTES + 1)).unwrap();
        let past = offer.history[0].origin.clone().unwrap();
        for origin in [&offer.origins[0], &past] {
            assert_eq!((&origin.tags[..], origin.by.as_str(), origin.seal.len()), (&[20, 30][..], "", 0));
        }
        assert_eq!(read(vec![20; 1_000_000], "clerk").unwrap().origins[0].tags, [20], "said a million times");
        assert_eq!(read((1..=CHANGE_FIELDS as u32).collect(), "clerk").unwrap().origins[0].by, "clerk");
        assert_eq!(read((0..=CHANGE_FIELDS as u32).collect(), "clerk").unwrap_err(), ChangeError::TooLarge);
    }
}
