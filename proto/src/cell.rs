//! Contributions: a pure function from a subject to the cells it counts in.
//! Invariant: a cell's value is the sum of its subjects' contributions, so totals equal a recount after any writes.
//!
//! A contribution is a step: `delta` from `date` on. A case that will be overdue from Friday unless someone is placed
//! contributes its step for Friday today, so midnight needs no write.

mod household;
mod person;
mod span;
mod unit;

pub use household::{CaseClock, DualClock, clock_of};

use crate::{
    OrgCode, Record, RecordId,
    date::Day,
    indicator::Part,
    plan::Plan,
    register::{self, number},
};

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
}

impl Subject {
    /// The id under which records refer to the subject; a unit's code is padded to 16 bytes.
    pub fn id(self) -> RecordId {
        match self {
            Self::Person(id) | Self::Household(id) => id,
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

    /// The records of one register that refer to a target (a record, or a unit by [`unit_id`]).
    ///
    /// # Errors
    /// When the store fails.
    fn referring(&self, target: RecordId, register: u32) -> Result<Vec<RecordId>, Self::Error>;
}

/// What a record refers to, for the index behind [`Shelf::referring`]. A record of a unit register refers to its
/// unit.
pub fn links(record: &Record) -> Vec<RecordId> {
    let reference = |tag| record.slice(tag).and_then(RecordId::from_slice);
    match record.register {
        number::UNEMPLOYMENT_SPELL | number::PLACEMENT | number::CREDENTIAL => reference(20).into_iter().collect(),
        number::MEMBER => reference(20).into_iter().chain(reference(21)).collect(),
        number::ZEF_CASE => reference(21).into_iter().collect(),
        number::FACILITY | number::ASSISTANT | number::FEC_CASE => home_unit(record).map(unit_id).into_iter().collect(),
        _ => Vec::new(),
    }
}

/// The owning unit of a record.
pub fn home_unit(record: &Record) -> Option<OrgCode> {
    record.varint(register::HOME_UNIT).and_then(|code| OrgCode::new(code).ok())
}

/// Whether a record counts at all.
fn is_active(record: &Record) -> bool {
    record.slice(register::STATE) != Some(b"2")
}

/// Appends the subjects whose contributions a record takes part in, as it stands.
///
/// # Errors
/// When the shelf fails.
pub fn subjects_of<S: Shelf>(
    shelf: &S,
    id: RecordId,
    record: &Record,
    found: &mut Vec<Subject>,
) -> Result<(), S::Error> {
    let reference = |tag| record.slice(tag).and_then(RecordId::from_slice);
    match record.register {
        number::RESIDENT => found.push(Subject::Person(id)),
        number::UNEMPLOYMENT_SPELL => found.extend(reference(20).map(Subject::Person)),
        number::PLACEMENT => {
            if let Some(person) = reference(20) {
                found.push(Subject::Person(person));
                for member in shelf.referring(person, number::MEMBER)? {
                    let member = shelf.record(member)?;
                    let household = member.as_ref().and_then(|member| member.slice(20)).and_then(RecordId::from_slice);
                    found.extend(household.map(Subject::Household));
                }
            }
        }
        number::HOUSEHOLD => found.push(Subject::Household(id)),
        number::MEMBER => found.extend(reference(20).map(Subject::Household)),
        number::ZEF_CASE => found.extend(reference(21).map(Subject::Household)),
        number::FACILITY | number::ASSISTANT | number::FEC_CASE => found.extend(home_unit(record).map(Subject::Unit)),
        number::CREDENTIAL => {
            if let Some(assistant) = reference(20)
                && let Some(assistant) = shelf.record(assistant)?
            {
                found.extend(home_unit(&assistant).map(Subject::Unit));
            }
        }
        _ => {}
    }
    Ok(())
}

/// What a subject contributes now: sorted, one entry a cell, zeros left out.
///
/// # Errors
/// When the shelf fails.
pub fn contributions<S: Shelf>(shelf: &S, subject: Subject, plan: &Plan) -> Result<Vec<Contribution>, S::Error> {
    let mut tally = Tally { plan, steps: Vec::new() };
    match subject {
        Subject::Person(id) => person::count(shelf, id, &mut tally)?,
        Subject::Household(id) => household::count(shelf, id, &mut tally)?,
        Subject::Unit(code) => unit::count(shelf, code, &mut tally)?,
    }
    Ok(tally.finish())
}

/// Collects one subject's steps.
struct Tally<'a> {
    plan: &'a Plan,
    steps: Vec<Contribution>,
}

impl Tally<'_> {
    fn step(&mut self, unit: OrgCode, part: Part, date: Day, delta: i64) {
        let key = CellKey { unit, part: part.number(), date: self.plan.bucket(date) };
        self.steps.push(Contribution { key, delta });
    }

    /// Counts one in `part` on every day of the spans.
    fn during(&mut self, unit: OrgCode, part: Part, spans: &span::Spans) {
        for span in spans.iter() {
            self.step(unit, part, span.from, 1);
            if span.to != Day::MAX {
                self.step(unit, part, span.to, -1);
            }
        }
    }

    fn finish(mut self) -> Vec<Contribution> {
        if self.steps.len() > 1 {
            self.steps.sort_unstable_by_key(|step| step.key);
            self.steps.dedup_by(|next, kept| {
                let same = next.key == kept.key;
                if same {
                    kept.delta += next.delta;
                }
                same
            });
            self.steps.retain(|step| step.delta != 0);
        }
        self.steps
    }
}
