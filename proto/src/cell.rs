//! Contributions: a pure function from a subject to the cells it counts in.
//! Invariant: a cell's value is the sum of its subjects' contributions, so totals equal a recount after any writes.
//!
//! A contribution is a step: `delta` from `date` on. A case that will be overdue from Friday unless someone is placed
//! contributes its step for Friday today, so midnight needs no write.

mod archive;
mod backdated;
pub mod campaign;
mod case;
mod contest;
mod derived;
pub mod doubt;
mod facility;
mod home;
mod household;
mod person;
mod post;
mod proof;
mod refs;
mod span;
mod spell;
mod station;
mod title;
mod training;
mod unit;
mod work;
pub mod worklist;

pub use archive::{FILED, Filing, filing};
pub use backdated::{Backdated, backdated};
pub use case::{CaseClock, DualClock, clock_of, contradicts_recognition};
pub use contest::{ContestKey, contest_key, indexed_fields, is_contested, unique_fields};
pub use derived::{Derived, FIVE_KNOWNS, derived};
pub use home::{PastHome, past_homes};
pub use person::{born, left_on};
pub use post::without_place;
pub use refs::following;
pub use title::{not_commendable, reapplies_from};

use crate::{
    OrgCode, Record, RecordId,
    date::{self, Day},
    indicator::{self, DUPLICATES, Part},
    pb,
    plan::{Plan, Plans},
    register::{self, number, registers},
};
use std::collections::HashSet;

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

/// The owning unit of a record.
pub fn home_unit(record: &Record) -> Option<OrgCode> {
    record.varint(register::HOME_UNIT).and_then(|code| OrgCode::new(code).ok())
}

/// Whether a record counts at all: neither void nor merged into another.
pub fn is_active(record: &Record) -> bool {
    record.slice(register::STATE) != Some(b"2") && record.bytes(register::MERGED_INTO).is_none()
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
    let to = |tag| record.reference(tag);
    match record.register {
        number::RESIDENT => {
            found.push(Subject::Person(id));
            person_and_all(shelf, id, found)?;
            if let Some(into) = merged_into(record) {
                person_and_all(shelf, survivor(shelf, into)?, found)?;
            }
        }
        number::UNEMPLOYMENT_SPELL => {
            if let Some(person) = to(20) {
                found.push(Subject::Person(survivor(shelf, person)?));
            }
        }
        number::PLACEMENT => {
            if let Some(person) = to(20) {
                person_and_households(shelf, survivor(shelf, person)?, found)?;
            }
            if let Some(post) = to(35) {
                post::subjects(shelf, survivor(shelf, post)?, found)?;
            }
        }
        number::POST => post::subjects(shelf, survivor(shelf, id)?, found)?,
        number::HARDSHIP_CASE | number::TRAINEE => {
            if let Some(person) = to(20) {
                person_and_households(shelf, survivor(shelf, person)?, found)?;
            }
        }
        number::SERVICE_RECORD | number::PAIRING => {
            let (person, household) =
                if record.register == number::PAIRING { (to(21), to(20)) } else { (to(20), to(21)) };
            named_subjects(shelf, person, household, found)?;
            // What names nobody is said of everybody in the household.
            if let (None, Some(household)) = (person, household) {
                members_of(shelf, survivor(shelf, household)?, found)?;
            }
        }
        number::HOUSEHOLD => {
            found.push(Subject::Household(id));
            members_of(shelf, id, found)?;
            if let Some(into) = merged_into(record) {
                let into = survivor(shelf, into)?;
                found.push(Subject::Household(into));
                members_of(shelf, into, found)?;
            }
        }
        number::MEMBER => {
            if let Some(household) = to(20) {
                found.push(Subject::Household(survivor(shelf, household)?));
            }
            if let Some(person) = to(21) {
                found.push(Subject::Person(survivor(shelf, person)?));
            }
        }
        number::ZEF_CASE => {
            if let Some(household) = to(21) {
                found.push(Subject::Household(survivor(shelf, household)?));
            }
        }
        number::TRAINING_CLASS => training::subjects(shelf, id, found)?,
        number::CAMPAIGN => campaign::subjects(shelf, id, found)?,
        number::CREDENTIAL => {
            if let Some(assistant) = to(20) {
                station::subjects(shelf, assistant, found)?;
            }
        }
        number::ARCHIVE_ENTRY => {
            found.push(Subject::Record(id));
            if let Some(filed) = to(23)
                && let Some(record) = shelf.record(filed)?.filter(|record| archive::is_case(record.register))
            {
                subjects_of(shelf, filed, &record, found)?;
            }
        }
        _ => {
            found.extend(itself(record.register, id));
            let subject = registers().get(record.register).map(|def| def.subject);
            if subject == Some(pb::Subject::UnitSubject) {
                found.extend(home::units_of(record).map(Subject::Unit));
            }
        }
    }
    if archive::is_case(record.register) {
        archive::entries(shelf, id, found)?;
    }
    Ok(())
}

/// Everybody and everything that counts in a recount: these units, and the subjects of all these records.
///
/// # Errors
/// When the shelf fails.
pub fn all_subjects<S: Shelf>(
    shelf: &S,
    units: impl IntoIterator<Item = OrgCode>,
    records: impl IntoIterator<Item = RecordId>,
) -> Result<HashSet<Subject>, S::Error> {
    let mut subjects: HashSet<Subject> = units.into_iter().map(Subject::Unit).collect();
    let mut found = Vec::new();
    for id in records {
        if let Some(record) = shelf.record(id)? {
            subjects_of(shelf, id, &record, &mut found)?;
            subjects.extend(found.drain(..));
        }
    }
    Ok(subjects)
}

/// The subject that a record is itself; none for one that only changes what others contribute.
pub fn itself(register: u32, id: RecordId) -> Option<Subject> {
    match register {
        number::RESIDENT => Some(Subject::Person(id)),
        number::HOUSEHOLD => Some(Subject::Household(id)),
        number::TASK
        | number::EVENT
        | number::PERIOD_CLOSE
        | number::POST
        | number::ARCHIVE_ENTRY
        | number::TRANSFER => Some(Subject::Record(id)),
        _ => None,
    }
}

/// Appends whoever these records name in their first reference (field 20), a person, with the households.
fn persons_of<S: Shelf>(
    shelf: &S,
    records: impl IntoIterator<Item = RecordId>,
    found: &mut Vec<Subject>,
) -> Result<(), S::Error> {
    for id in records {
        let person = shelf.look(id, |record| record.and_then(|record| record.reference(20)))?;
        if let Some(person) = person {
            person_and_households(shelf, survivor(shelf, person)?, found)?;
        }
    }
    Ok(())
}

/// The records that keep a household open beyond a day: members who have not left, and cases that are neither left nor
/// refused (domain-detail 2.2).
///
/// # Errors
/// When the shelf fails.
pub fn keeps_open<S: Shelf>(
    shelf: &S,
    household: RecordId,
    closed_on: Option<Day>,
) -> Result<Vec<(u32, RecordId)>, S::Error> {
    let mut open = Vec::new();
    for (register, ends) in [(number::ZEF_CASE, &[34, 37][..]), (number::MEMBER, &[24])] {
        for id in following(shelf, household, number::HOUSEHOLD, register)? {
            let over = shelf.look(id, |record| {
                record.filter(|record| is_active(record)).is_none_or(|record| {
                    let ended = ends.iter().find_map(|tag| record.day(*tag));
                    ended.is_some_and(|day| closed_on.is_none_or(|closed| day <= closed))
                })
            })?;
            if !over {
                open.push((register, id));
            }
        }
    }
    Ok(open)
}

/// What to say to somebody who closes a household that a record of this register keeps open.
pub fn still_open(register: u32) -> &'static str {
    if register == number::ZEF_CASE {
        "尚有未结的零就业家庭案件，不能销户 (a case is open: close it first)"
    } else {
        "尚有在册成员，不能销户 (members are left: end their membership first)"
    }
}

/// Appends the persons who belong to a household: what it says of itself may count for them.
fn members_of<S: Shelf>(shelf: &S, household: RecordId, found: &mut Vec<Subject>) -> Result<(), S::Error> {
    for member in following(shelf, household, number::HOUSEHOLD, number::MEMBER)? {
        let person = shelf.look(member, |record| record.and_then(|record| record.reference(21)))?;
        if let Some(person) = person {
            found.push(Subject::Person(survivor(shelf, person)?));
        }
    }
    Ok(())
}

/// Appends whom a record speaks of: a person, a household, or both.
fn named_subjects<S: Shelf>(
    shelf: &S,
    person: Option<RecordId>,
    household: Option<RecordId>,
    found: &mut Vec<Subject>,
) -> Result<(), S::Error> {
    if let Some(person) = person {
        person_and_households(shelf, survivor(shelf, person)?, found)?;
    }
    if let Some(household) = household {
        found.push(Subject::Household(survivor(shelf, household)?));
    }
    Ok(())
}

/// Appends a person, the households that it belongs to, and the posts on which it has a place.
fn person_and_all<S: Shelf>(shelf: &S, person: RecordId, found: &mut Vec<Subject>) -> Result<(), S::Error> {
    found.push(Subject::Person(person));
    let refs = refs::Refs::to(shelf, person, number::RESIDENT)?;
    households_in(shelf, refs.of(number::MEMBER), found)?;
    for placement in refs.of(number::PLACEMENT) {
        let post = shelf.look(placement, |record| record.and_then(|record| record.reference(35)))?;
        if let Some(post) = post {
            post::subjects(shelf, survivor(shelf, post)?, found)?;
        }
    }
    Ok(())
}

/// Appends a person and the households that it belongs to.
fn person_and_households<S: Shelf>(shelf: &S, person: RecordId, found: &mut Vec<Subject>) -> Result<(), S::Error> {
    found.push(Subject::Person(person));
    households_in(shelf, following(shelf, person, number::RESIDENT, number::MEMBER)?, found)
}

/// Appends the households that memberships name.
fn households_in<S: Shelf>(
    shelf: &S,
    members: impl IntoIterator<Item = RecordId>,
    found: &mut Vec<Subject>,
) -> Result<(), S::Error> {
    for member in members {
        let household = shelf.look(member, |record| record.and_then(|record| record.reference(20)))?;
        if let Some(household) = household {
            found.push(Subject::Household(survivor(shelf, household)?));
        }
    }
    Ok(())
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
    let mut tally = Tally { plans, steps: Vec::new(), homes: home::Homes::default(), duplicate: false };
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

/// Collects one subject's steps.
struct Tally<'a> {
    plans: &'a Plans,
    steps: Vec<Contribution>,
    /// Where the subject counts, day by day.
    homes: home::Homes,
    /// The subject counts among the duplicates: another record counts in its place.
    duplicate: bool,
}

impl Tally<'_> {
    /// What follows counts where this record is at home, and was before.
    fn at_home_of(&mut self, record: &Record) {
        self.homes = home::Homes::of(record);
    }

    /// What follows counts at one unit.
    fn at(&mut self, unit: OrgCode) {
        self.at_during(unit, Day::MIN, Day::MAX);
    }

    /// What follows counts at one unit from a day up to but without another.
    fn at_during(&mut self, unit: OrgCode, from: Day, until: Day) {
        self.homes = home::Homes::during(unit, from, until);
    }

    /// Counts one in `part` for as long as the unit is one.
    fn always(&mut self, part: Part) {
        self.during(part, &span::Spans::one(Day::MIN, Day::MAX));
    }

    fn put(&mut self, unit: OrgCode, part: impl Into<u16>, date: Day, delta: i64) {
        let part = part.into() + if self.duplicate { DUPLICATES } else { 0 };
        let key = CellKey { unit, part, date: self.plans.bucket(date) };
        self.steps.push(Contribution { key, delta });
    }

    /// Counts `delta` of what happened on a day, where the subject was at home then.
    fn step(&mut self, part: Part, date: Day, delta: i64) {
        if let Some(unit) = self.homes.on(date) {
            self.put(unit, part, date, delta);
        }
    }

    /// Counts one in `part` on every day of the spans, where the subject was at home on that day.
    fn during(&mut self, part: impl Into<u16>, spans: &span::Spans) {
        self.during_many(part, spans, 1);
    }

    /// As [`Tally::during`], but `count` instead of one.
    fn during_many(&mut self, part: impl Into<u16>, spans: &span::Spans, count: i64) {
        let part = part.into();
        let stays: Vec<(OrgCode, span::Span)> = self.homes.stays().collect();
        for span in spans.iter() {
            for (unit, stay) in &stays {
                let (from, to) = (span.from.max(stay.from), span.to.min(stay.to));
                if from >= to {
                    continue;
                }
                self.put(*unit, part, from, count);
                if to != Day::MAX {
                    self.put(*unit, part, to, -count);
                }
            }
        }
    }

    /// The days on which something measured by the plan of each day is so.
    fn by_plan(&self, so: impl Fn(&Plan) -> span::Spans) -> span::Spans {
        let parts = self.plans.periods().map(|(from, to, plan)| so(plan).and(&span::Spans::one(from, to)));
        span::Spans::all(parts)
    }

    /// Counts the first of these days in each year in one part, and the first in each month in another.
    fn once(&mut self, (yearly, monthly): (Option<Part>, Option<Part>), days: &mut [Day]) {
        days.sort_unstable();
        let mut last: Option<(i16, i8)> = None;
        for (day, date) in days.iter().filter_map(|day| Some((*day, date::civil(*day)?))) {
            let (year, month) = (date.year(), date.month());
            if let Some(part) = yearly.filter(|_| last.is_none_or(|(last, _)| last != year)) {
                self.step(part, day, 1);
            }
            if let Some(part) = monthly.filter(|_| last != Some((year, month))) {
                self.step(part, day, 1);
            }
            last = Some((year, month));
        }
    }
}
