//! A record as every replica holds it: fields at wire level, each with the origin that set it.
//! Invariant: the encoding is canonical, so two replicas hold the same record exactly when the bytes are equal.

use crate::{
    OrgCode,
    date::Day,
    pb,
    register::HOME_UNIT,
    wire::{self, Field, WireError},
};
use bytes::Bytes;
use prost::Message;
use std::{fmt, str::FromStr};

/// A record's id: a UUIDv7 made where the record was created.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordId(pub [u8; 16]);

impl RecordId {
    /// The id for a record created at `millis` since 1970, with the caller's random bits.
    pub fn create(millis: u64, random: [u8; 10]) -> Self {
        Self(uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid().into_bytes())
    }

    /// When the record was created, milliseconds since 1970, as its id says.
    pub fn millis(&self) -> u64 {
        self.0[..6].iter().fold(0, |millis, byte| millis << 8 | u64::from(*byte))
    }

    /// The id that follows from what it is made of alone: the same on every machine.
    pub fn derived(day: Day, seed: &[u8]) -> Self {
        let mut own = [0; 10];
        own.copy_from_slice(&blake3::hash(seed).as_bytes()[..10]);
        Self::create(u64::try_from(day).unwrap_or(0) * 86_400_000, own)
    }

    /// When the record was made by the clock of whoever made it, milliseconds since 1970: it never changes, whoever edits
    /// the record.
    pub fn made(self) -> u64 {
        self.0[..6].iter().fold(0, |millis, byte| (millis << 8) | u64::from(*byte))
    }

    /// The id in these bytes, none when they are not 16.
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }
}

impl fmt::Display for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        uuid::Uuid::from_bytes(self.0).fmt(f)
    }
}

impl fmt::Debug for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for RecordId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, uuid::Error> {
        text.parse::<uuid::Uuid>().map(|id| Self(id.into_bytes()))
    }
}

/// A hub's number for an accepted change; 0 is before the first.
pub type Revision = u64;

/// A field as it stands in a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Tag and raw bytes; empty bytes: cleared.
    pub field: Field,
    /// Index into [`Record::origins`].
    pub origin: usize,
}

/// One record: register, fields and where each came from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Record {
    /// Register number.
    pub register: u32,
    /// Fields, ascending by tag.
    pub fields: Vec<Standing>,
    /// Origins, ascending by revision, each used by a field. Their `tags` are left empty here.
    pub origins: Vec<pb::Origin>,
    /// How many changes were accepted.
    pub changes: u32,
    /// Revision of its first change; 0 for a record older than this was kept.
    pub created: Revision,
}

/// Why bytes are no record.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// Not protobuf.
    #[error("记录解不开 (the record can't be decoded)：{0}")]
    Decode(#[from] prost::DecodeError),
    /// The register's message is not a message.
    #[error("记录的栏目读不出 (the record's fields can't be read)：{0}")]
    Wire(#[from] WireError),
    /// A field has no origin, or an origin is out of order.
    #[error("记录第{0}栏来历不明 (field {0} of the record has no single origin)")]
    Origin(u32),
}

impl Record {
    /// The field with this tag, cleared ones included.
    pub fn standing(&self, tag: u32) -> Option<&Standing> {
        self.fields.binary_search_by_key(&tag, |standing| standing.field.tag).ok().map(|place| &self.fields[place])
    }

    /// A field's bytes; none when it is absent or cleared.
    pub fn bytes(&self, tag: u32) -> Option<&Bytes> {
        self.standing(tag).map(|standing| &standing.field.bytes).filter(|bytes| !bytes.is_empty())
    }

    /// The origin of a field.
    pub fn origin(&self, tag: u32) -> Option<&pb::Origin> {
        self.standing(tag).map(|standing| &self.origins[standing.origin])
    }

    /// The revision that last set a field; 0 when nothing has.
    pub fn revision_of(&self, tag: u32) -> Revision {
        self.origin(tag).map_or(0, |origin| origin.revision)
    }

    /// The newest revision in the record; 0 when it has none.
    pub fn revision(&self) -> Revision {
        self.origins.last().map_or(0, |origin| origin.revision)
    }

    /// A single varint field's value.
    pub fn varint(&self, tag: u32) -> Option<u64> {
        match wire::occurrences(self.bytes(tag)?).last()? {
            wire::Raw::Varint(value) => Some(value),
            _ => None,
        }
    }

    /// A single date field's day.
    pub fn day(&self, tag: u32) -> Option<Day> {
        self.varint(tag).and_then(wire::unzigzag)
    }

    /// The record that a field refers to.
    pub fn reference(&self, tag: u32) -> Option<RecordId> {
        self.slice(tag).and_then(RecordId::from_slice)
    }

    /// A single text or bytes field's value.
    pub fn slice(&self, tag: u32) -> Option<&[u8]> {
        match wire::occurrences(self.bytes(tag)?).last()? {
            wire::Raw::Bytes(value) => Some(value),
            _ => None,
        }
    }

    /// The register's message, fields in tag order.
    pub fn message(&self) -> Bytes {
        wire::join(self.fields.iter().map(|standing| &standing.field.bytes))
    }

    /// The record as its register's generated type, reading only the tags that `wanted` names. Fields of another
    /// wire type than the build expects are left out.
    pub fn typed<M: Message + Default>(&self, wanted: impl Fn(u32) -> bool) -> M {
        let mut message = M::default();
        let mut read: Vec<&[u8]> = Vec::with_capacity(self.fields.len());
        for standing in self.fields.iter().filter(|standing| wanted(standing.field.tag)) {
            let bytes = standing.field.bytes.as_ref();
            // A newer build may have given the tag another type; such a field does not count here. One that can't be read may
            // have left a zero in its place.
            if message.merge(bytes).is_ok() {
                read.push(bytes);
            } else {
                message = M::default();
                for bytes in &read {
                    let _ = message.merge(*bytes);
                }
            }
        }
        message
    }

    /// The canonical state.
    pub fn state(&self) -> pb::RecordState {
        let mut origins = self.origins.clone();
        for standing in &self.fields {
            origins[standing.origin].tags.push(standing.field.tag);
        }
        pb::RecordState {
            register: self.register,
            message: self.message(),
            origins,
            changes: self.changes,
            created: self.created,
        }
    }

    /// The canonical encoding.
    pub fn encode(&self) -> Vec<u8> {
        self.state().encode_to_vec()
    }

    /// Reads a canonical encoding.
    ///
    /// # Errors
    /// When the bytes are no record, or a field has no single origin.
    pub fn decode(bytes: impl Into<Bytes>) -> Result<Self, RecordError> {
        Self::from_state(pb::RecordState::decode(bytes.into())?)
    }

    /// The record of a state.
    ///
    /// # Errors
    /// When the state is not canonical.
    pub fn from_state(state: pb::RecordState) -> Result<Self, RecordError> {
        let mut fields: Vec<Standing> =
            wire::split(&state.message)?.into_iter().map(|field| Standing { field, origin: usize::MAX }).collect();
        let mut origins = state.origins;
        for (index, origin) in origins.iter_mut().enumerate() {
            for tag in std::mem::take(&mut origin.tags) {
                match fields.binary_search_by_key(&tag, |standing| standing.field.tag) {
                    Ok(place) if fields[place].origin == usize::MAX => fields[place].origin = index,
                    Ok(_) => return Err(RecordError::Origin(tag)),
                    Err(place) => {
                        let field = Field { tag, bytes: Bytes::new() };
                        fields.insert(place, Standing { field, origin: index });
                    }
                }
            }
        }
        if let Some(orphan) = fields.iter().find(|standing| standing.origin == usize::MAX) {
            return Err(RecordError::Origin(orphan.field.tag));
        }
        if origins.windows(2).any(|pair| pair[0].revision >= pair[1].revision) {
            return Err(RecordError::Origin(0));
        }
        Ok(Self { register: state.register, fields, origins, changes: state.changes, created: state.created })
    }

    /// Sets fields from one origin, newer than all that stand, and drops origins that no field uses any more.
    pub fn set(&mut self, fields: impl IntoIterator<Item = Field>, origin: pb::Origin) {
        let index = self.origins.len();
        self.origins.push(origin);
        for field in fields {
            match self.fields.binary_search_by_key(&field.tag, |standing| standing.field.tag) {
                Ok(place) => self.fields[place] = Standing { field, origin: index },
                Err(place) => self.fields.insert(place, Standing { field, origin: index }),
            }
        }
        self.drop_unused_origins();
    }

    fn drop_unused_origins(&mut self) {
        let mut used = vec![false; self.origins.len()];
        for standing in &self.fields {
            used[standing.origin] = true;
        }
        if used.iter().all(|used| *used) {
            return;
        }
        let mut place = 0;
        let renumbered: Vec<usize> = used
            .iter()
            .map(|used| {
                let own = place;
                place += usize::from(*used);
                own
            })
            .collect();
        let mut used = used.into_iter();
        self.origins.retain(|_| used.next().unwrap_or(false));
        for standing in &mut self.fields {
            standing.origin = renumbered[standing.origin];
        }
    }
}

/// The fields of a message, and those of an origin's tags that the message lacks: they were cleared. Ascending by tag; of bytes
/// that are no message the cleared ones alone.
fn said(message: &Bytes, origin: Option<&pb::Origin>) -> Vec<Field> {
    let mut fields = wire::split(message).unwrap_or_default();
    let is_set = |tag: &u32| fields.binary_search_by_key(tag, |field| field.tag).is_ok();
    let mut cleared: Vec<u32> =
        origin.iter().flat_map(|origin| &origin.tags).copied().filter(|tag| !is_set(tag)).collect();
    cleared.sort_unstable();
    cleared.dedup();
    fields.extend(cleared.into_iter().map(|tag| Field { tag, bytes: Bytes::new() }));
    fields.sort_by_key(|field| field.tag);
    fields
}

/// The owning unit of a record.
pub fn home_unit(record: &Record) -> Option<OrgCode> {
    record.varint(HOME_UNIT).and_then(|code| OrgCode::new(code).ok())
}

impl pb::Superseded {
    /// What a word of the past says: the fields that it set, and with empty bytes those that it cleared; ascending by tag.
    pub fn said(&self) -> Vec<Field> {
        said(&self.message, self.origin.as_ref())
    }

    /// What tells two words apart that one edit said and one rule replaced: their values, of two clears their fields, and what was ruled
    /// over them, since a claim and each ruling over it may come under one number when they are told again.
    pub fn value_key(&self) -> [u8; 8] {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&self.message);
        if self.message.is_empty() {
            for tag in self.origin.iter().flat_map(|origin| &origin.tags) {
                hasher.update(&tag.to_be_bytes());
            }
        }
        if let Some(ruling) = &self.ruling {
            hasher.update(&ruling.at.to_be_bytes()).update(ruling.by.as_bytes()).update(&[0]);
            hasher.update(ruling.reason.as_bytes());
        }
        let mut key = [0; 8];
        key.copy_from_slice(&hasher.finalize().as_bytes()[..8]);
        key
    }
}

/// A word of the past by what it says, and what was ruled over it, whatever number it has come under since.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PastWord {
    message: Bytes,
    rule: String,
    tags: Vec<u32>,
    stamp: u64,
    unit: u64,
    by: String,
    reason: String,
    /// Who ruled, when and why; a claim and the ruling over it say the same otherwise.
    ruled: Option<(String, u64, String)>,
}

impl pb::Superseded {
    /// By what it says; of two clears of one form the fields tell which is which.
    pub fn word(&self) -> PastWord {
        let (tags, stamp, unit, by) = match &self.origin {
            Some(origin) => (origin.tags.clone(), origin.stamp, origin.unit, origin.by.clone()),
            None => Default::default(),
        };
        let ruled = self.ruling.as_ref().map(|ruling| (ruling.by.clone(), ruling.at, ruling.reason.clone()));
        let (message, rule, reason) = (self.message.clone(), self.rule.clone(), self.reason.clone());
        PastWord { message, rule, tags, stamp, unit, by, reason, ruled }
    }

    /// How much of it, whose word it was and who ruled, only another office has told.
    pub fn unproven(&self) -> usize {
        let word = self.origin.iter().filter(|origin| origin.told_by > 0).count();
        word + self.ruling.iter().filter(|ruling| ruling.told_by > 0).count()
    }
}

impl pb::ClaimedValue {
    /// What a claim says: the fields that it sets, and with empty bytes those that it clears; ascending by tag.
    pub fn said(&self) -> Vec<Field> {
        said(&self.message, self.origin.as_ref())
    }
}
