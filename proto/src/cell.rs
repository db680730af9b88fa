//! Contributions: a pure function from a subject to the cells it counts in.
//! Invariant: a cell's value is the sum of its subjects' contributions, so totals equal a recount after any writes.
//!
//! A contribution is a step: `delta` from `date` on. A case that will be overdue from Friday unless someone is placed
//! contributes its step for Friday today, so midnight needs no write.

mod archive;
mod assignment;
mod backdated;
pub mod bounds;
pub mod campaign;
mod case;
mod contest;
mod days;
mod derived;
pub mod doubt;
mod facility;
mod filing;
mod home;
mod household;
pub mod once;
mod person;
mod post;
mod proof;
mod reach;
mod refs;
mod remember;
mod resident;
mod services;
mod span;
mod spell;
mod station;
mod subjects;
mod tally;
mod title;
mod training;
mod unit;
mod work;
pub mod worklist;

pub use crate::record::home_unit;
pub use archive::Filing;
pub use backdated::{Backdated, backdated};
pub use case::{CaseClock, DualClock, clock_of, contradicts_recognition};
pub use contest::{
    Claim, ContestKey, Counting, Stay, claim, contest_key, indexed_fields, is_contested, meet, stays, unique_fields,
};
pub use days::{is_closed, left_on};
pub use derived::{Derived, FIVE_KNOWNS, derived};
pub use filing::{FILED, filing};
pub use home::{PastHome, is_from_above, is_held_at, past_homes};
pub use household::{keeps_open, still_open};
pub use post::{Kept, without_place};
pub use reach::visited;
pub use refs::following;
pub use remember::{is_memory, remembered, with_one_more};
pub use subjects::{Root, all_subjects, itself, roots_of, subjects_of, subjects_under};
pub use title::{not_commendable, not_revocable, reapplies_from};

use crate::{
    OrgCode, Record, RecordId,
    date::Day,
    indicator, pb,
    plan::Plans,
    register::{self, registers},
};
use tally::Tally;

/// Where a contribution counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CellKey {
    /// The unit it counts in (and every ancestor).
    pub unit: OrgCode,
    /// Part number; kept as a number so that a newer build's parts travel through.
    pub part: u16,
    /// Date bucket.
    pub date: Day,
}

impl CellKey {
    /// 14 bytes that sort by unit, part, date.
    pub fn to_bytes(self) -> [u8; 14] {
        let mut bytes = [0; 14];
        bytes[..8].copy_from_slice(&self.unit.number().to_be_bytes());
        bytes[8..10].copy_from_slice(&self.part.to_be_bytes());
        // Flipping the sign bit makes negative days sort before positive ones.
        bytes[10..].copy_from_slice(&((self.date as u32) ^ 0x8000_0000).to_be_bytes());
        bytes
    }

    /// The key in these bytes; none when they are no key.
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; 14] = bytes.try_into().ok()?;
        Some(Self {
            unit: OrgCode::new(u64::from_be_bytes(bytes[..8].try_into().ok()?)).ok()?,
            part: u16::from_be_bytes(bytes[8..10].try_into().ok()?),
            date: (u32::from_be_bytes(bytes[10..].try_into().ok()?) ^ 0x8000_0000) as Day,
        })
    }
}

/// Grows when the rules of counting change: what a subject contributes, what refers to what, what is indexed. A hub counts anew
/// what was counted by others. `tests/rules/golden.rs` fails until it has grown.
pub const RULES: u32 = 12;

/// One step of one subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Contribution {
    /// Where it counts.
    pub key: CellKey,
    /// By how much.
    pub delta: i64,
}

/// Whose contributions are computed together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    /// A person, by the resident record.
    Person(RecordId),
    /// A household, by its record.
    Household(RecordId),
    /// A unit.
    Unit(OrgCode),
    /// One record that counts by itself.
    Record(RecordId),
}

impl Subject {
    /// The id under which records refer to the subject; a unit's code is padded to 16 bytes.
    pub fn id(self) -> RecordId {
        match self {
            Self::Person(id) | Self::Household(id) | Self::Record(id) => id,
            Self::Unit(code) => unit_id(code),
        }
    }
}

/// A unit's code as the target of references. No UUIDv7 of this century begins with eight zero bytes.
pub fn unit_id(code: OrgCode) -> RecordId {
    let mut id = [0; 16];
    id[8..].copy_from_slice(&code.number().to_be_bytes());
    RecordId(id)
}

/// The records that a replica holds, as far as contributions need them.
pub trait Shelf {
    /// What reading can fail with.
    type Error;

    /// A record.
    ///
    /// # Errors
    /// When the store fails.
    fn record(&self, id: RecordId) -> Result<Option<Record>, Self::Error>;

    /// Looks at a record; a shelf that holds it in memory need not copy it for that.
    ///
    /// # Errors
    /// When the store fails.
    fn look<R>(&self, id: RecordId, read: impl FnOnce(Option<&Record>) -> R) -> Result<R, Self::Error> {
        Ok(read(self.record(id)?.as_ref()))
    }

    /// The records that refer to a target (a record, or a unit by [`unit_id`]), each with its register.
    ///
    /// # Errors
    /// When the store fails.
    fn about(&self, target: RecordId) -> Result<Vec<(u32, RecordId)>, Self::Error>;

    /// Those of one register.
    ///
    /// # Errors
    /// When the store fails.
    fn referring(&self, target: RecordId, register: u32) -> Result<Vec<RecordId>, Self::Error> {
        let about = self.about(target)?;
        Ok(about.into_iter().filter(|(own, _)| *own == register).map(|(_, id)| id).collect())
    }

    /// The records of one register that carry these bytes in an indexed field, in any order.
    ///
    /// # Errors
    /// When the store fails.
    fn sharing(&self, register: u32, tag: u32, bytes: &[u8]) -> Result<Vec<RecordId>, Self::Error>;

    /// First day on which a unit's code is another one's; none for a unit that stays.
    fn given_up_on(&self, _: OrgCode) -> Option<Day> {
        None
    }

    /// First day of a unit that there was not always.
    fn founded_on(&self, _: OrgCode) -> Option<Day> {
        None
    }

    /// What was worked out for several subjects while the records stood as they do, where a shelf keeps it; and whether
    /// placements that nothing proves are hidden.
    fn kept(&self) -> (Option<&Kept>, bool) {
        (None, false)
    }
}

/// Longest chain of merges that is followed; the hub makes no longer one.
pub const MAX_MERGES: usize = 16;

/// The record that stands for this one: itself, or the one it was merged into.
///
/// # Errors
/// When the shelf fails.
pub fn survivor<S: Shelf>(shelf: &S, id: RecordId) -> Result<RecordId, S::Error> {
    let mut id = id;
    for _ in 0..MAX_MERGES {
        match shelf.look(id, |record| record.and_then(merged_into))? {
            Some(next) => id = next,
            None => break,
        }
    }
    Ok(id)
}

/// The record that this one was merged into.
pub fn merged_into(record: &Record) -> Option<RecordId> {
    record.reference(register::MERGED_INTO)
}

/// What a record refers to, for the index behind [`Shelf::about`]: the records of other registers that its references
/// name, what it was merged into, and the units for which it counts, or did.
pub fn links(record: &Record) -> Vec<RecordId> {
    let Some(def) = registers().get(record.register) else { return Vec::new() };
    let mut links: Vec<RecordId> = def.refs.iter().filter_map(|tag| record.reference(*tag)).collect();
    if def.subject == pb::Subject::UnitSubject {
        links.extend(home::units_of(record).map(unit_id));
    }
    links.extend(merged_into(record));
    links.dedup();
    links
}

/// Whether a field refers to a target, or to what was merged into it. The index says only that some field does.
pub(crate) fn is_about<S: Shelf>(shelf: &S, record: &Record, tag: u32, target: RecordId) -> Result<bool, S::Error> {
    match record.reference(tag) {
        Some(named) => Ok(named == target || survivor(shelf, named)? == target),
        None => Ok(false),
    }
}

/// Whether a record counts at all: neither void nor merged into another.
pub fn is_active(record: &Record) -> bool {
    record.slice(register::STATE) != Some(register::code::state::VOID.as_bytes())
        && record.bytes(register::MERGED_INTO).is_none()
}

/// What a subject contributes now: sorted, one entry a cell, zeros left out. What it contributes only by placements that
/// nothing proves stands once more in the parts' pending ones, which a closed month takes off.
///
/// # Errors
/// When the shelf fails.
pub fn contributions<S: Shelf>(shelf: &S, subject: Subject, plans: &Plans) -> Result<Vec<Contribution>, S::Error> {
    let noting = proof::Proofs::noted(shelf);
    let live = counted(&noting, subject, plans)?;
    if !noting.found_any() {
        return Ok(live);
    }
    let proven = counted(&proof::Proofs::demanded(shelf), subject, plans)?;
    let pending = |one: &Contribution, sign: i64| Contribution {
        key: CellKey { part: one.key.part + indicator::PENDING, ..one.key },
        delta: sign * one.delta,
    };
    let differing = live.iter().map(|one| pending(one, 1)).chain(proven.iter().map(|one| pending(one, -1)));
    let differing: Vec<_> = differing.collect();
    Ok(merged(live.into_iter().chain(differing).collect()))
}

fn counted<S: Shelf>(shelf: &S, subject: Subject, plans: &Plans) -> Result<Vec<Contribution>, S::Error> {
    let mut tally = Tally { plans, steps: Vec::new(), homes: home::Homes::default(), behind: span::Spans::default() };
    match subject {
        Subject::Person(id) => person::count(shelf, id, &mut tally)?,
        Subject::Household(id) => household::count(shelf, id, &mut tally)?,
        Subject::Unit(code) => unit::count(shelf, code, &mut tally)?,
        Subject::Record(id) => work::count(shelf, id, &mut tally)?,
    }
    Ok(merged(tally.steps))
}

/// Steps sorted, one a cell, zeros left out.
fn merged(mut steps: Vec<Contribution>) -> Vec<Contribution> {
    if steps.len() > 1 {
        steps.sort_unstable_by_key(|step| step.key);
        steps.dedup_by(|next, kept| {
            let same = next.key == kept.key;
            if same {
                kept.delta += next.delta;
            }
            same
        });
        steps.retain(|step| step.delta != 0);
    }
    steps
}
