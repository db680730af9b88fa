//! Rows of what goes across districts, and their keys.

use prost::Message;
use taizhang_proto::{OrgCode, RecordId, pb};

/// A mark key: 32 random bytes that districts share and the city never sees.
#[derive(Clone, PartialEq, Message)]
#[prost(skip_debug)]
pub struct MarkKey {
    /// Which one; a later key has a greater number.
    #[prost(uint32, tag = "1")]
    pub generation: u32,
    /// The key.
    #[prost(bytes = "vec", tag = "2")]
    pub key: Vec<u8>,
}

impl std::fmt::Debug for MarkKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Whatever prints this must not print the key.
        f.debug_struct("MarkKey").field("generation", &self.generation).finish_non_exhaustive()
    }
}

/// What travels sealed in a KEY letter.
#[derive(Clone, PartialEq, Message)]
pub struct KeyRing {
    /// Every key that is in use.
    #[prost(message, repeated, tag = "1")]
    pub keys: Vec<MarkKey>,
}

/// A district's desk: what it knows of its parent's mail, and its mark keys.
#[derive(Clone, PartialEq, Message)]
pub struct DeskRow {
    /// Last mail of the parent that is on disk here.
    #[prost(uint64, tag = "1")]
    pub mailed: u64,
    /// The parent's epoch when that was written.
    #[prost(bytes = "vec", tag = "2")]
    pub epoch: Vec<u8>,
    /// Unit of the hub that makes the mark keys; 0: none does.
    #[prost(uint64, tag = "3")]
    pub key_holder: u64,
    /// Every hub has re-marked up to this one.
    #[prost(uint32, tag = "4")]
    pub generation: u32,
    /// Keys in use, ascending by generation.
    #[prost(message, repeated, tag = "5")]
    pub keys: Vec<MarkKey>,
    /// Revision of the records up to which marks have been worked out.
    #[prost(uint64, tag = "6")]
    pub indexed: u64,
    /// The last revision that changed a mark.
    #[prost(uint64, tag = "7")]
    pub marks: u64,
    /// Every record is marked under this generation, and the parent was told.
    #[prost(uint32, tag = "8")]
    pub remarked: u32,
}

/// What a city tells every child hub.
#[derive(Clone, PartialEq, Message)]
pub struct OfficeRow {
    /// Revision of the last change.
    #[prost(uint64, tag = "1")]
    pub revision: u64,
    /// Unit of the hub that makes the mark keys.
    #[prost(uint64, tag = "2")]
    pub key_holder: u64,
    /// Every hub has re-marked up to this one.
    #[prost(uint32, tag = "3")]
    pub generation: u32,
    /// How far each hub is.
    #[prost(message, repeated, tag = "4")]
    pub remarked: Vec<Remarked>,
}

/// How far one hub has re-marked.
#[derive(Clone, PartialEq, Message)]
pub struct Remarked {
    /// Its unit.
    #[prost(uint64, tag = "1")]
    pub unit: u64,
    /// The generation.
    #[prost(uint32, tag = "2")]
    pub generation: u32,
}

/// One piece of mail that waits for a child.
#[derive(Clone, PartialEq, Message)]
pub struct MailRow {
    /// A letter.
    #[prost(message, optional, tag = "1")]
    pub letter: Option<pb::Letter>,
    /// Or a ruling.
    #[prost(message, optional, tag = "2")]
    pub ruling: Option<pb::MarkRuling>,
    /// When it was put here, seconds since 1970.
    #[prost(uint64, tag = "3")]
    pub posted: u64,
}

/// A neighbour whose certificate was checked.
#[derive(Clone, PartialEq, Message)]
pub struct NeighbourRow {
    /// Its unit.
    #[prost(uint64, tag = "1")]
    pub unit: u64,
    /// Its public key.
    #[prost(bytes = "vec", tag = "2")]
    pub key: Vec<u8>,
    /// Since when its certificate is valid, seconds since 1970.
    #[prost(int64, tag = "3")]
    pub from: i64,
}

/// A city's note of a transfer between two districts: what counts here while neither counts it.
#[derive(Clone, PartialEq, Message)]
pub struct TransitRow {
    /// Unit that lets go; 0: not heard.
    #[prost(uint64, tag = "1")]
    pub from: u64,
    /// Unit that takes in; 0: not heard.
    #[prost(uint64, tag = "2")]
    pub to: u64,
    /// The one has let go.
    #[prost(bool, tag = "3")]
    pub released: bool,
    /// The other has taken in.
    #[prost(bool, tag = "4")]
    pub taken: bool,
    /// What counts here in between.
    #[prost(message, repeated, tag = "5")]
    pub cells: Vec<pb::CellValue>,
    /// How many heads that is, at the most.
    #[prost(uint64, tag = "6")]
    pub weight: u64,
    /// Up to which revision of its own the one that lets go had counted when it said so.
    #[prost(uint64, tag = "7")]
    pub revision: u64,
}

/// How many heads of one district are between two at a time.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct TransitSum {
    /// The sum of the transits' weights.
    #[prost(uint64, tag = "1")]
    pub weight: u64,
}

/// How a transfer stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
pub enum Step {
    /// Not begun.
    None = 0,
    /// Offered to the other district.
    Offered = 1,
    /// The other district wants it.
    Wanted = 2,
    /// Handed over; nobody's hands but the letter's.
    Released = 3,
    /// On the other district's disk.
    Taken = 4,
    /// Sent back, or withdrawn.
    Returned = 5,
}

/// A transfer, at the district that lets go and at the one that takes in.
#[derive(Clone, PartialEq, Message)]
pub struct TransferRow {
    /// Unit of the other district.
    #[prost(uint64, tag = "1")]
    pub other: u64,
    /// Unit that it goes to.
    #[prost(uint64, tag = "2")]
    pub target: u64,
    /// The person or household.
    #[prost(bytes = "vec", tag = "3")]
    pub subject: Vec<u8>,
    /// How it stands.
    #[prost(enumeration = "Step", tag = "4")]
    pub step: i32,
    /// Where it is taken in: the record in the register of transfers.
    #[prost(bytes = "vec", tag = "5")]
    pub record: Vec<u8>,
    /// Where it is taken in: the bundle as it was offered.
    #[prost(bytes = "vec", tag = "6")]
    pub bundle: Vec<u8>,
}

/// What one record is marked with.
#[derive(Clone, PartialEq, Message)]
pub struct RecordMarks {
    /// Keys of its marks ([`mark_key`]), newest generation last.
    #[prost(bytes = "vec", repeated, tag = "1")]
    pub marks: Vec<Vec<u8>>,
    /// Its hukou is here.
    #[prost(bool, tag = "2")]
    pub at_home: bool,
    /// When it was registered or taken in, seconds since 1970.
    #[prost(uint64, tag = "3")]
    pub since: u64,
    /// By a transfer.
    #[prost(bool, tag = "4")]
    pub taken_in: bool,
    /// The days on which it is active, each with its rank.
    #[prost(message, repeated, tag = "5")]
    pub stays: Vec<pb::MarkStay>,
}

/// Which records carry one mark, and what the parent said of it.
#[derive(Clone, PartialEq, Message)]
pub struct MarkRow {
    /// Record ids, 16 bytes each.
    #[prost(bytes = "vec", tag = "1")]
    pub records: Vec<u8>,
    /// The revision that last changed it.
    #[prost(uint64, tag = "2")]
    pub revision: u64,
    /// Which hub counts it now; 0: nobody else holds it.
    #[prost(uint64, tag = "3")]
    pub counts_at: u64,
    /// Which hub counts it from which day on.
    #[prost(message, repeated, tag = "4")]
    pub turns: Vec<pb::MarkTurn>,
}

/// A mark at the city: who holds it.
#[derive(Clone, PartialEq, Message)]
pub struct CityMark {
    /// Holders, by unit.
    #[prost(message, repeated, tag = "1")]
    pub holders: Vec<Holder>,
    /// What was ruled last; 0: nothing had to be.
    #[prost(uint64, tag = "2")]
    pub counts_at: u64,
    /// What was ruled last, day by day.
    #[prost(message, repeated, tag = "3")]
    pub turns: Vec<pb::MarkTurn>,
}

/// Names a ruling, so that a hub can say by which it goes.
pub fn digest_of(turns: &[pb::MarkTurn]) -> Vec<u8> {
    let mut hasher = blake3::Hasher::new();
    for turn in turns {
        hasher.update(&turn.from.to_be_bytes());
        hasher.update(&turn.counts_at.to_be_bytes());
    }
    if turns.is_empty() { Vec::new() } else { hasher.finalize().as_bytes()[..16].to_vec() }
}

/// One holder of a mark.
#[derive(Clone, PartialEq, Message)]
pub struct Holder {
    /// Unit of the hub.
    #[prost(uint64, tag = "1")]
    pub unit: u64,
    /// As in the message.
    #[prost(bool, tag = "2")]
    pub at_home: bool,
    /// As in the message.
    #[prost(uint64, tag = "3")]
    pub since: u64,
    /// As in the message.
    #[prost(bool, tag = "4")]
    pub taken_in: bool,
    /// Where the ruling that it was sent last stands in its mail.
    #[prost(uint64, tag = "5")]
    pub told: u64,
    /// As in the message.
    #[prost(message, repeated, tag = "6")]
    pub stays: Vec<pb::MarkStay>,
}

/// Bytes of a mark.
pub const MARK: usize = 16;
/// Bytes of a mark's key.
pub const MARK_KEY: usize = 21;

/// Generation, kind and mark: what a mark is kept under.
pub fn mark_key(generation: u32, kind: u32, mark: &[u8]) -> Vec<u8> {
    let mut key = generation.to_be_bytes().to_vec();
    key.push(kind as u8);
    key.extend_from_slice(mark);
    key
}

/// Generation, kind and mark in a key.
pub fn parts_of(key: &[u8]) -> Option<(u32, u32, &[u8])> {
    let (generation, rest) = key.split_at_checked(4)?;
    let (kind, mark) = rest.split_first()?;
    let generation = u32::from_be_bytes(generation.try_into().ok()?);
    (mark.len() == MARK).then_some((generation, u32::from(*kind), mark))
}

/// A key under a first byte that tells rows of one space apart.
pub fn under(kind: u8, rest: &[u8]) -> Vec<u8> {
    let mut key = Vec::with_capacity(rest.len() + 1);
    key.push(kind);
    key.extend_from_slice(rest);
    key
}

/// A key with a revision in it.
pub fn under_revision(kind: u8, revision: u64, rest: &[u8]) -> Vec<u8> {
    let mut key = under(kind, &revision.to_be_bytes());
    key.extend_from_slice(rest);
    key
}

/// First bytes of keys.
pub mod kind {
    /// Outbox: a letter by its id.
    pub const LETTER: u8 = b'l';
    /// Outbox: a letter by its revision.
    pub const BY_REVISION: u8 = b'r';
    /// Transfers: out of this hub, by transfer.
    pub const OUT: u8 = b'o';
    /// Transfers: the open one of a record, by record.
    pub const SUBJECT: u8 = b's';
    /// Transfers: into this hub, by transfer.
    pub const IN: u8 = b'i';
    /// Transfers: into this hub, by the record in the register of transfers.
    pub const RECORD: u8 = b't';
    /// Transfers: between two hubs below this one.
    pub const TRANSIT: u8 = b'c';
    /// Transfers: notes that were taken, by letter.
    pub const NOTE: u8 = b'n';
    /// Transfers: letters that could not be taken, by sender and id.
    pub const UNREAD: u8 = b'u';
    /// Marks: of a record.
    pub const OF_RECORD: u8 = b'r';
    /// Marks: a mark's records.
    pub const MARK: u8 = b'm';
    /// Marks: in the order in which they changed.
    pub const CHANGED: u8 = b'f';
    /// Marks: a mark's holders, at the city.
    pub const HOLDERS: u8 = b'c';
}

/// The key of a child's mail head.
pub fn mail_head(unit: OrgCode) -> Vec<u8> {
    [crate::rows::meta::MAIL, &unit.number().to_be_bytes()[..]].concat()
}

/// The key of a piece of mail.
pub fn mail_at(unit: u64, revision: u64) -> Vec<u8> {
    [unit.to_be_bytes(), revision.to_be_bytes()].concat()
}

/// The key under which a letter in the mail is found.
pub fn mail_of(letter: &[u8]) -> Vec<u8> {
    [&[0; 8][..], letter].concat()
}

/// The ids in a row of 16 bytes each.
pub fn ids_in(row: &[u8]) -> Vec<RecordId> {
    row.chunks_exact(16).filter_map(RecordId::from_slice).collect()
}

/// A letter's id: the same for the same thing said again.
pub fn letter_id(kind: pb::LetterKind, parts: &[&[u8]]) -> Vec<u8> {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&i32::from(kind).to_be_bytes());
    for part in parts {
        hasher.update(&(part.len() as u64).to_be_bytes()).update(part);
    }
    hasher.finalize().as_bytes()[..16].to_vec()
}
