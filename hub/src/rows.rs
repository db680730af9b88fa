//! The rows that are not records: what stands in each space and how its key is made.

use crate::store::{Space, StoreError, View};
use prost::Message;
use taizhang_proto::{
    OrgCode, RecordId,
    cell::{CellKey, Contribution, Subject},
    digest::ScopeDigest,
    limits::RULE_BYTES,
    pb,
};

/// What is known of a child.
#[derive(Clone, PartialEq, Message)]
pub struct NodeRow {
    /// Its id, from the certificate.
    #[prost(string, tag = "1")]
    pub id: String,
    /// Its unit: the scope it may see and write.
    #[prost(uint64, tag = "2")]
    pub unit: u64,
    /// Whether it is a hub itself.
    #[prost(bool, tag = "3")]
    pub hub: bool,
    /// The hub's number for this node and incarnation.
    #[prost(uint32, tag = "4")]
    pub number: u32,
    /// The incarnation that the number and what follows belong to.
    #[prost(bytes = "vec", tag = "5")]
    pub incarnation: Vec<u8>,
    /// Last change on disk here.
    #[prost(uint64, tag = "6")]
    pub acknowledged: u64,
    /// Chain digest of its log there.
    #[prost(bytes = "vec", tag = "7")]
    pub log_digest: Vec<u8>,
    /// Seconds since 1970 of the last session that said everything.
    #[prost(uint64, tag = "8")]
    pub last_sync: u64,
    /// Seconds since 1970 when it was enrolled.
    #[prost(uint64, tag = "9")]
    pub enrolled: u64,
    /// Last revision it has pulled.
    #[prost(uint64, tag = "10")]
    pub pulled: u64,
    /// Whether its digest was the hub's when last compared.
    #[prost(bool, tag = "11")]
    pub equal: bool,
    /// Version of its program.
    #[prost(string, tag = "12")]
    pub software: String,
    /// How far its clock runs ahead, milliseconds.
    #[prost(sint64, tag = "13")]
    pub skew_millis: i64,
    /// Changes refused.
    #[prost(uint64, tag = "14")]
    pub refused: u64,
    /// Times its digest differed.
    #[prost(uint64, tag = "15")]
    pub incidents: u64,
    /// Logs that it went on from before, newest last: a backup of one of them may come back any day.
    #[prost(message, repeated, tag = "16")]
    pub past: Vec<PastLog>,
    /// Of a hub: its certificate, PEM, for its neighbours.
    #[prost(string, tag = "30")]
    pub certificate: String,
    /// Of a hub: the revision up to which its marks are here.
    #[prost(uint64, tag = "31")]
    pub marked: u64,
    /// Its scope is another one than when it last held all of it: everything is sent.
    #[prost(bool, tag = "32")]
    pub rescoped: bool,
    /// Last change of the log whose verdict was looked at for forgetting.
    #[prost(uint64, tag = "33")]
    pub forgotten: u64,
    /// Of a hub: the stretch of its history in which it said what is acknowledged.
    #[prost(bytes = "vec", tag = "34")]
    pub stretch: Vec<u8>,
    /// Runs of days on which it synced, ascending: first and last day of each.
    #[prost(sint32, repeated, tag = "35")]
    pub synced: Vec<i32>,
    /// Units that it belonged to before, in their order.
    #[prost(message, repeated, tag = "36")]
    pub homes: Vec<PastUnit>,
    /// Seconds since 1970 when it was retired: its certificate opens nothing any more; 0: it serves.
    #[prost(uint64, tag = "37")]
    pub retired: u64,
    /// Of a hub: how many cells it has here; 0: not counted yet.
    #[prost(uint64, tag = "38")]
    pub cells: u64,
    /// Of a hub: how many of them are out of bounds and add to no sum.
    #[prost(uint64, tag = "39")]
    pub beyond: u64,
    /// Of a hub: the last revision that it had to say when it greeted.
    #[prost(uint64, tag = "40")]
    pub announced: u64,
    /// Incarnations and fresh starts that it may still make; see `Allowance`.
    #[prost(message, optional, tag = "41")]
    pub allowance: Option<Allowance>,
    /// What it said on the last day on which it said anything.
    #[prost(message, optional, tag = "42")]
    pub said: Option<Said>,
    /// When its certificate ends, seconds since 1970; 0: not known yet.
    #[prost(uint64, tag = "43")]
    pub ends: u64,
    /// Which of the hub's authorities signed that.
    #[prost(uint32, tag = "44")]
    pub generation: u32,
    /// When it last came back with a log that another one had taken over from, seconds since 1970, ascending.
    #[prost(uint64, repeated, tag = "45")]
    pub returns: Vec<u64>,
    /// Who retired it, or took it back into service.
    #[prost(string, tag = "46")]
    pub retired_by: String,
    /// Why.
    #[prost(string, tag = "47")]
    pub retired_reason: String,
}

/// Within how many seconds a second return shows that two computers use one identity. A backup comes back once.
const TWINS_WITHIN: u64 = 30 * 86_400;

impl NodeRow {
    /// Notes that it came back with a log that another one had taken over from.
    pub(crate) fn note_return(&mut self, now: u64) {
        self.returns.push(now);
        let over = self.returns.len().saturating_sub(2);
        self.returns.drain(..over);
    }

    /// Whether nothing was ever heard of the child under this certificate: an office that is enrolled anew in its old directory has had its
    /// answers under another.
    pub fn is_unheard(&self) -> bool {
        self.acknowledged == 0 && self.past.iter().all(|past| past.acknowledged == 0)
    }

    /// Up to which change the hub has the log of a child that greets, for asking whether it has lost any of its answers
    /// ([`crate::lineage::Lineage::floor`]).
    pub fn answered(&self, hello: &pb::Hello) -> u64 {
        // An office of an older build does not say what it has heard beside what it has pulled.
        if self.is_unheard() && hello.says_heard { hello.settled } else { self.acknowledged }
    }

    /// When two computers were last seen to use its identity, seconds since 1970; 0: not so within thirty days of `now`. Each
    /// goes on with its own log, so their logs take turns.
    pub fn twins(&self, now: u64) -> u64 {
        match self.returns[..] {
            [first, last] if last.saturating_sub(first) <= TWINS_WITHIN && now.saturating_sub(last) <= TWINS_WITHIN => {
                last
            }
            _ => 0,
        }
    }

    /// Whether a certificate with this end, of this authority, is newer than what is known here.
    pub(crate) fn is_news(&self, ends: u64, generation: u32) -> bool {
        let unknown = self.hub && self.certificate.is_empty();
        unknown || (generation, ends) > (self.generation, self.ends)
    }
}

/// A unit that a child belonged to.
#[derive(Clone, PartialEq, Message)]
pub struct PastUnit {
    /// Its code.
    #[prost(uint64, tag = "1")]
    pub unit: u64,
    /// The first day on which the child did not belong to it.
    #[prost(sint32, tag = "2")]
    pub until: i32,
}

/// How often a child may begin anew: a bucket that fills with time.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct Allowance {
    /// What is left.
    #[prost(uint32, tag = "1")]
    pub left: u32,
    /// Seconds since 1970 up to which it was filled.
    #[prost(uint64, tag = "2")]
    pub filled: u64,
}

/// How much a child said on one day, in bytes of changes as they are before they are packed.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct Said {
    /// The day.
    #[prost(sint32, tag = "1")]
    pub day: i32,
    /// How much.
    #[prost(uint64, tag = "2")]
    pub bytes: u64,
}

/// Most past logs that are remembered of a child.
const MAX_PAST: usize = 64;

/// Where a log of a child stood when a new incarnation took over.
#[derive(Clone, PartialEq, Message)]
pub struct PastLog {
    /// The incarnation.
    #[prost(bytes = "vec", tag = "1")]
    pub incarnation: Vec<u8>,
    /// The hub's number for it.
    #[prost(uint32, tag = "2")]
    pub number: u32,
    /// Last change on disk here.
    #[prost(uint64, tag = "3")]
    pub acknowledged: u64,
    /// Chain digest there.
    #[prost(bytes = "vec", tag = "4")]
    pub log_digest: Vec<u8>,
}

/// How often a child may begin anew at once, and seconds after which it may once more: many restores in one day, and a few
/// each hour after them.
const ANEW_AT_ONCE: u32 = 64;
const ANEW_EVERY: u64 = 900;

impl NodeRow {
    /// The child begins anew, seconds since 1970: under another incarnation, or by saying everything again. Returns whether
    /// this was the last time for now; nothing when it has done so too often.
    pub fn begin_anew(&mut self, now: u64) -> Option<bool> {
        let mut own = self.allowance.unwrap_or(Allowance { left: ANEW_AT_ONCE, filled: now });
        let more = now.saturating_sub(own.filled) / ANEW_EVERY;
        own.left = own.left.saturating_add(u32::try_from(more).unwrap_or(u32::MAX)).min(ANEW_AT_ONCE);
        own.filled = if now < own.filled { now } else { own.filled + more * ANEW_EVERY };
        let left = own.left.checked_sub(1);
        own.left = left.unwrap_or_default();
        self.allowance = Some(own);
        left.map(|left| left == 0)
    }

    /// Bytes of changes that it has said on a day.
    pub fn said_on(&self, day: i32) -> u64 {
        self.said.filter(|said| said.day == day).map_or(0, |said| said.bytes)
    }

    /// It has said so many bytes of changes more on a day.
    pub fn note_said(&mut self, day: i32, bytes: usize) {
        self.said = Some(Said { day, bytes: self.said_on(day).saturating_add(bytes as u64) });
    }

    /// It has said and heard everything, seconds since 1970. A clock that was put back takes nothing from the past.
    pub fn note_sync(&mut self, now: u64) {
        self.last_sync = now;
        let day = taizhang_proto::date::shanghai_of_seconds(now);
        match self.synced.last_mut() {
            Some(last) if day <= last.saturating_add(1) => *last = day.max(*last),
            _ => self.synced.extend([day, day]),
        }
    }

    /// The runs of days on which it synced, ascending, each with its first and last day.
    pub fn sync_spans(&self) -> impl Iterator<Item = (i32, i32)> {
        self.synced.chunks_exact(2).map(|run| (run[0], run[1]))
    }

    /// Goes on with another log and remembers the one that stood.
    pub fn switch_to(&mut self, log: PastLog) {
        let stood = PastLog {
            incarnation: std::mem::replace(&mut self.incarnation, log.incarnation),
            number: std::mem::replace(&mut self.number, log.number),
            acknowledged: std::mem::replace(&mut self.acknowledged, log.acknowledged),
            log_digest: std::mem::replace(&mut self.log_digest, log.log_digest),
        };
        self.forgotten = 0;
        if stood.number != 0 {
            self.past.push(stood);
        }
        let surplus = self.past.len().saturating_sub(MAX_PAST);
        self.past.drain(..surplus);
    }
}

/// Digest, count and newest revision of a unit's subtree; for cells likewise.
#[derive(Clone, PartialEq, Message)]
pub struct UnitRow {
    /// Digest of its records.
    #[prost(bytes = "vec", tag = "1")]
    pub records: Vec<u8>,
    /// How many.
    #[prost(uint64, tag = "2")]
    pub count: u64,
    /// Newest revision that touched the subtree.
    #[prost(uint64, tag = "3")]
    pub head: u64,
    /// Digest of its own cells.
    #[prost(bytes = "vec", tag = "4")]
    pub cells: Vec<u8>,
    /// What the unit itself has for everybody below it.
    #[prost(message, optional, tag = "5")]
    pub below: Option<BelowRow>,
}

/// Digest, count and newest revision of what one unit has for everybody below it: its records of the registers that say so.
#[derive(Clone, PartialEq, Message)]
pub struct BelowRow {
    /// Digest of the records.
    #[prost(bytes = "vec", tag = "1")]
    pub records: Vec<u8>,
    /// How many.
    #[prost(uint64, tag = "2")]
    pub count: u64,
    /// Newest revision that touched one of them, or with which one left.
    #[prost(uint64, tag = "3")]
    pub head: u64,
}

impl BelowRow {
    /// Digest of the records.
    pub fn records_digest(&self) -> ScopeDigest {
        ScopeDigest::from_slice(&self.records).unwrap_or_default()
    }
}

impl UnitRow {
    /// Digest of its records.
    pub fn records_digest(&self) -> ScopeDigest {
        ScopeDigest::from_slice(&self.records).unwrap_or_default()
    }

    /// Digest of its cells.
    pub fn cells_digest(&self) -> ScopeDigest {
        ScopeDigest::from_slice(&self.cells).unwrap_or_default()
    }
}

/// One contribution on disk.
#[derive(Clone, PartialEq, Message)]
pub struct StepRow {
    /// Unit.
    #[prost(uint64, tag = "1")]
    pub unit: u64,
    /// Part number.
    #[prost(uint32, tag = "2")]
    pub part: u32,
    /// Date bucket.
    #[prost(sint32, tag = "3")]
    pub date: i32,
    /// By how much.
    #[prost(sint64, tag = "4")]
    pub delta: i64,
}

/// Links to a target, and what it last contributed as a subject.
#[derive(Clone, PartialEq, Message)]
pub struct SubjectRow {
    /// Register number and id of each record that refers here: 20 bytes each.
    #[prost(bytes = "vec", tag = "1")]
    pub links: Vec<u8>,
    /// What it last contributed as a person.
    #[prost(message, repeated, tag = "2")]
    pub person: Vec<StepRow>,
    /// What it last contributed as a household: one id may be taken for both, whatever its record says.
    #[prost(message, repeated, tag = "3")]
    pub household: Vec<StepRow>,
    /// What it last contributed as a unit.
    #[prost(message, repeated, tag = "4")]
    pub unit: Vec<StepRow>,
    /// What it last contributed by itself.
    #[prost(message, repeated, tag = "5")]
    pub record: Vec<StepRow>,
}

/// Bytes of one link.
const LINK: usize = 20;

impl SubjectRow {
    /// The records that refer here, each with its register.
    pub fn about(&self) -> Vec<(u32, RecordId)> {
        let read =
            |link: &[u8]| Some((u32::from_be_bytes(link[..4].try_into().ok()?), RecordId::from_slice(&link[4..])?));
        self.links.chunks_exact(LINK).filter_map(read).collect()
    }

    /// How many records refer here.
    pub fn count(&self) -> usize {
        self.links.len() / LINK
    }

    /// Adds a link; one that stands is left alone.
    pub fn link(&mut self, register: u32, id: RecordId) {
        let link = link_bytes(register, id);
        if !self.links.chunks_exact(LINK).any(|own| own == link) {
            self.links.extend_from_slice(&link);
        }
    }

    /// Takes a link out.
    pub fn unlink(&mut self, register: u32, id: RecordId) {
        let link = link_bytes(register, id);
        if let Some(place) = self.links.chunks_exact(LINK).position(|own| own == link) {
            self.links.drain(place * LINK..(place + 1) * LINK);
        }
    }

    /// What it last contributed.
    pub fn contributions(&self, subject: Subject) -> Vec<Contribution> {
        let steps = match subject {
            Subject::Person(_) => &self.person,
            Subject::Household(_) => &self.household,
            Subject::Unit(_) => &self.unit,
            Subject::Record(_) => &self.record,
        };
        steps
            .iter()
            .filter_map(|step| {
                let unit = OrgCode::new(step.unit).ok()?;
                let key = CellKey { unit, part: step.part as u16, date: step.date };
                Some(Contribution { key, delta: step.delta })
            })
            .collect()
    }

    /// Replaces what it contributes.
    pub fn set_contributions(&mut self, subject: Subject, contributions: &[Contribution]) {
        let steps = match subject {
            Subject::Person(_) => &mut self.person,
            Subject::Household(_) => &mut self.household,
            Subject::Unit(_) => &mut self.unit,
            Subject::Record(_) => &mut self.record,
        };
        *steps = contributions
            .iter()
            .map(|one| StepRow {
                unit: one.key.unit.number(),
                part: u32::from(one.key.part),
                date: one.key.date,
                delta: one.delta,
            })
            .collect();
    }
}

fn link_bytes(register: u32, id: RecordId) -> [u8; LINK] {
    let mut link = [0; LINK];
    link[..4].copy_from_slice(&register.to_be_bytes());
    link[4..].copy_from_slice(&id.0);
    link
}

/// What an enrolment token allows.
#[derive(Clone, PartialEq, Message)]
pub struct TokenRow {
    /// Unit that the certificate will name.
    #[prost(uint64, tag = "1")]
    pub unit: u64,
    /// For a hub.
    #[prost(bool, tag = "2")]
    pub hub: bool,
    /// Seconds since 1970.
    #[prost(uint64, tag = "3")]
    pub expires: u64,
    /// Fingerprint of the key it was used for; empty while unused.
    #[prost(bytes = "vec", tag = "4")]
    pub used_for: Vec<u8>,
    /// The certificate that was given, PEM: the same key may ask again when the answer got lost.
    #[prost(string, tag = "5")]
    pub certificate: String,
    /// For a reader: who it is.
    #[prost(string, tag = "6")]
    pub reader: String,
}

/// A unit's own value in a cell, and the revision that set it: 16 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OwnCell {
    /// The value.
    pub value: i64,
    /// The revision.
    pub revision: u64,
}

impl OwnCell {
    /// As a row.
    pub fn to_bytes(self) -> [u8; 16] {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&self.value.to_be_bytes());
        bytes[8..].copy_from_slice(&self.revision.to_be_bytes());
        bytes
    }

    /// From a row.
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        Some(Self {
            value: i64::from_be_bytes(bytes.get(..8)?.try_into().ok()?),
            revision: u64::from_be_bytes(bytes.get(8..)?.try_into().ok()?),
        })
    }
}

/// Spaces without which no session begins or goes on, beside the records: they are read before a hub starts.
pub const NEEDED: [Space; 8] =
    [Space::Nodes, Space::Units, Space::Feed, Space::Verdicts, Space::CellFeed, Space::Own, Space::Sums, Space::Meta];

/// A unit's own cell; nothing where there is none.
///
/// # Errors
/// When the engine fails or the row can't be read.
pub fn own_cell(view: &dyn View, key: CellKey) -> Result<OwnCell, StoreError> {
    let row = view.get(Space::Own, &key.to_bytes())?;
    let cell = row.map(|row| OwnCell::from_slice(&row).ok_or(StoreError::Row(Space::Own))).transpose()?;
    Ok(cell.unwrap_or_default())
}

/// Reads a row as a message.
///
/// # Errors
/// When the engine fails or the row can't be read.
pub fn read<M: Message + Default>(view: &dyn View, space: Space, key: &[u8]) -> Result<Option<M>, StoreError> {
    view.get(space, key)?.map(|row| M::decode(row).map_err(|_| StoreError::Row(space))).transpose()
}

/// A counter in `Meta`; 0 when it was never written.
///
/// # Errors
/// When the engine fails or the row can't be read.
pub fn counter(view: &dyn View, name: &[u8]) -> Result<u64, StoreError> {
    let Some(row) = view.get(Space::Meta, name)? else { return Ok(0) };
    Ok(u64::from_be_bytes(row.as_ref().try_into().map_err(|_| StoreError::Row(Space::Meta))?))
}

/// Names of counters.
pub mod meta {
    /// The last revision given out.
    pub const REVISION: &[u8] = b"revision";
    /// The last revision that changed a cell.
    pub const CELLS: &[u8] = b"cells";
    /// The last number given to a node.
    pub const NODE: &[u8] = b"node";
    /// What the parent has acknowledged of the cells.
    pub const UP: &[u8] = b"up";
    /// When the parent was last told everything, seconds since 1970.
    pub const UP_AT: &[u8] = b"up-at";
    /// Version of the tree of units.
    pub const TREE: &[u8] = b"tree";
    /// The rules by which the totals were counted.
    pub const RULES: &[u8] = b"rules";
    /// The totals were counted anew; what the program writes of its own accord is still to be written anew.
    pub const UNSETTLED: &[u8] = b"unsettled";
    /// What a district knows of its parent's mail, and its mark keys.
    pub const DESK: &[u8] = b"mail-desk";
    /// What a city tells every child hub.
    pub const OFFICE: &[u8] = b"mail-office";
    /// Before a unit's number: the last revision of its mail.
    pub const MAIL: &[u8] = b"mail-head";
    /// The last number given to a conflict.
    pub const CONFLICT: &[u8] = b"conflict";
    /// How many conflicts are open.
    pub const OPEN: &[u8] = b"open";
    /// This store's epoch, 16 bytes.
    pub const EPOCH: &[u8] = b"epoch";
    /// Why this hub takes itself to be older than its children; nobody is enrolled until somebody has looked.
    pub const OLDER: &[u8] = b"older";
    /// The stretch of history in which somebody has looked.
    pub const CONFIRMED: &[u8] = b"confirmed";
    /// Version of the parent's roll.
    pub const PARENTS_ROLL: &[u8] = b"parents-roll";
    /// What was heard and counts in no total.
    pub const ASIDE: &[u8] = b"aside";
    /// Before a unit and a part: its count has changed and was not looked at yet.
    pub const UNJUDGED: &[u8] = b"unjudged-";
    /// Who is set aside at this city takes nobody from another.
    pub const RULED: &[u8] = b"ruled-aside";
    /// The sums of this city leave out what is out of bounds.
    pub const BOUNDED: &[u8] = b"bounded";
    /// Before a cell's key: what districts that were never heard count in it by the tree.
    pub const UNHEARD: &[u8] = b"unheard-";
    /// Those districts.
    pub const UNHEARD_LIST: &[u8] = b"unheard";
    /// Before a cell's key whose day is the first of a year: the sum of that year, at a city.
    pub const YEARS: &[u8] = b"years-";
    /// The sums of years are kept.
    pub const YEARLY: &[u8] = b"yearly";
    /// Before a unit's number: what of it is on its way to another hub and counts here.
    pub const TRANSIT: &[u8] = b"transit-";
    /// The stretches of this hub's history.
    pub const LINEAGE: &[u8] = b"lineage";

    /// How many bytes of history a record has, where that is much.
    pub fn history_size(id: taizhang_proto::RecordId) -> Vec<u8> {
        [b"history-size/", &id.0[..]].concat()
    }
}

/// Key of a row under a revision.
pub fn at_revision(revision: u64, rest: &[u8]) -> Vec<u8> {
    let mut key = revision.to_be_bytes().to_vec();
    key.extend_from_slice(rest);
    key
}

/// Key of a batch of verdicts.
pub fn verdict_key(node: u32, last: u64) -> [u8; 12] {
    let mut key = [0; 12];
    key[..4].copy_from_slice(&node.to_be_bytes());
    key[4..].copy_from_slice(&last.to_be_bytes());
    key
}

/// Key of a history entry.
pub fn history_key(id: RecordId, entry: &pb::Superseded) -> Vec<u8> {
    let mut key = id.0.to_vec();
    key.extend_from_slice(&entry.replaced_by.to_be_bytes());
    key.extend_from_slice(&entry.origin.as_ref().map_or(0, |origin| origin.revision).to_be_bytes());
    // A rule is a short word; whatever else stands there, a key has an end.
    let rule = entry.rule.as_bytes();
    if rule.len() <= RULE_BYTES {
        key.extend_from_slice(rule);
    } else {
        key.extend_from_slice(&blake3::hash(rule).as_bytes()[..16]);
    }
    // One edit may lose several values by one rule at once.
    key.extend_from_slice(&entry.value_key());
    key
}

/// Key of the records that carry a value in a unique field.
pub fn unique_key(register: u32, tag: u32, value: &[u8]) -> [u8; 24] {
    let mut key = [0; 24];
    key[..4].copy_from_slice(&register.to_be_bytes());
    key[4..8].copy_from_slice(&tag.to_be_bytes());
    key[8..].copy_from_slice(&blake3::hash(value).as_bytes()[..16]);
    key
}

/// The ids in a row of 16 bytes each.
pub fn ids_in(row: &[u8]) -> Vec<RecordId> {
    row.chunks_exact(16).filter_map(RecordId::from_slice).collect()
}

/// Keys of the queue of open conflicts: what follows the first byte sorts as the reviewer reads it.
pub mod queue {
    use taizhang_proto::{OrgCode, RecordId};

    /// All of them, oldest first.
    pub const ALL: &[u8] = b"o";

    /// Of one kind, oldest first.
    pub fn of_kind(kind: i32) -> Vec<u8> {
        [b"k", &kind.to_be_bytes()[..]].concat()
    }

    /// Of one unit.
    pub fn of_unit(unit: OrgCode) -> Vec<u8> {
        [b"u", &unit.number().to_be_bytes()[..]].concat()
    }

    /// The row with the numbers of those about a record.
    pub fn of_record(id: RecordId) -> Vec<u8> {
        [b"r", &id.0[..]].concat()
    }

    /// The row with the numbers of those about a record that a reviewer has let stand.
    pub fn let_stand(id: RecordId) -> Vec<u8> {
        [b"s", &id.0[..]].concat()
    }

    /// A list's entry.
    pub fn entry(list: &[u8], number: u64) -> Vec<u8> {
        [list, &number.to_be_bytes()[..]].concat()
    }

    /// The number at the end of an entry.
    pub fn number(key: &[u8]) -> Option<u64> {
        let start = key.len().checked_sub(8)?;
        Some(u64::from_be_bytes(key[start..].try_into().ok()?))
    }
}

/// What the feed says of a revision: 28 bytes, and one more where the record is for everybody below its unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FeedRow {
    /// The record.
    pub id: RecordId,
    /// Its unit.
    pub unit: OrgCode,
    /// The node that made the record's only change; 0 when there were several. It need not be sent its own record.
    pub sole_author: u32,
    /// It is for everybody below its unit.
    pub for_below: bool,
}

impl FeedRow {
    /// As a row.
    pub fn to_bytes(self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(29);
        bytes.extend_from_slice(&self.id.0);
        bytes.extend_from_slice(&self.unit.number().to_be_bytes());
        bytes.extend_from_slice(&self.sole_author.to_be_bytes());
        bytes.extend(self.for_below.then_some(1));
        bytes
    }

    /// From a row.
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        Some(Self {
            id: RecordId::from_slice(bytes.get(..16)?)?,
            unit: OrgCode::new(u64::from_be_bytes(bytes.get(16..24)?.try_into().ok()?)).ok()?,
            sole_author: u32::from_be_bytes(bytes.get(24..28)?.try_into().ok()?),
            for_below: bytes.len() > 28,
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn logs_that_take_turns_are_two_computers_and_a_backup_is_not() {
        let (day, mut row) = (86_400, NodeRow::default());
        row.note_return(100 * day);
        assert_eq!(row.twins(100 * day), 0, "a backup comes back once");
        row.note_return(150 * day);
        assert_eq!(row.twins(150 * day), 0, "and another one long after it");
        row.note_return(151 * day);
        assert_eq!(row.twins(152 * day), 151 * day);
        assert_eq!(row.twins(190 * day), 0, "it is over once only one of them comes");
    }

    #[test]
    fn a_child_may_begin_anew_many_times_a_day_and_not_for_ever() {
        let mut row = NodeRow::default();
        let now = 1_790_000_000;
        let taken = (0..1_000).take_while(|_| row.begin_anew(now).is_some()).count();
        assert_eq!(taken as u32, ANEW_AT_ONCE);
        assert!(row.begin_anew(now + ANEW_EVERY - 1).is_none());
        assert_eq!(row.begin_anew(now + ANEW_EVERY), Some(true), "the last for now");
        let day = (1..=96).filter(|turn| row.begin_anew(now + (turn + 1) * ANEW_EVERY).is_some()).count();
        assert_eq!(day, 96);
        // A clock that was put back, or far ahead, shuts nobody out and lets nobody in for ever.
        assert!(row.begin_anew(5).is_none());
        assert!(row.begin_anew(5 + ANEW_EVERY).is_some());
        assert!(row.begin_anew(u64::MAX).is_some());
        assert_eq!(row.allowance.unwrap().left, ANEW_AT_ONCE - 1);
    }
}
