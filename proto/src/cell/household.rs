//! The clocks of zero-employment households (K05 to K12): twenty days for one member employed, and where dual
//! employment is asked for, one month for two (notice, items 4 and 5; domain-detail 2.5).

use super::{
    Shelf, Tally, following, home_unit, is_active, is_contested, merged_into,
    person::employed,
    span::{Span, Spans},
    survivor,
};
use crate::{
    OrgCode, RecordId,
    date::{Day, add_months},
    indicator::Part,
    pb,
    plan::Plan,
    register::number,
};
use std::collections::BTreeMap;

/// The clocks of one case. Derived, never stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CaseClock {
    /// The clock started.
    pub recognised_on: Day,
    /// Last day for one member employed.
    pub due_one: Day,
    /// A counted member's first day in a job since recognition.
    pub first_placed_on: Option<Day>,
    /// The second clock, where dual employment is asked for.
    pub dual: Option<DualClock>,
    /// First day on which the case is no longer open.
    pub exit_on: Option<Day>,
}

/// The clock of dual employment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DualClock {
    /// The clock started.
    pub asked_on: Day,
    /// Last day for two members employed.
    pub due: Day,
    /// A second counted member's first day in a job since recognition.
    pub second_placed_on: Option<Day>,
}

/// A recognised zero-employment case with the days its counted members are in a job.
struct Case {
    id: RecordId,
    unit: OrgCode,
    clock: CaseClock,
    placed: Spans,
}

pub(super) fn count<S: Shelf>(shelf: &S, id: RecordId, tally: &mut Tally<'_>) -> Result<(), S::Error> {
    let refs = following(shelf, id, number::HOUSEHOLD, number::ZEF_CASE)?;
    if refs.is_empty() {
        return Ok(());
    }
    // A case may refer to anything well-formed; only a household moves it to its own unit.
    let household = shelf.record(id)?.filter(|record| record.register == number::HOUSEHOLD);
    if household.as_ref().and_then(merged_into).is_some() {
        return Ok(()); // its cases count at the household that stands for it
    }
    let household = household.filter(is_active);
    let contested = match &household {
        Some(record) => is_contested(shelf, id, record)?,
        None => false,
    };
    let mut cases = Vec::new();
    for case in refs {
        cases.extend(read_case(shelf, id, case, tally.plan)?);
    }
    // Of two open cases, which a merge or two offices made, the earlier clock runs on.
    cases.sort_by_key(|case| (case.clock.recognised_on, case.clock.exit_on.unwrap_or(Day::MAX), case.id));
    let mut busy_until = Day::MIN;
    for case in cases {
        tally.duplicate = contested || case.clock.recognised_on < busy_until;
        if !tally.duplicate {
            busy_until = case.clock.exit_on.unwrap_or(Day::MAX);
        }
        match &household {
            Some(household) => tally.at_home_of(household),
            None => tally.at(case.unit),
        }
        count_case(&case, tally);
    }
    Ok(())
}

/// The clocks of a case; none when it is not recognised, void, or another kind of case.
///
/// # Errors
/// When the shelf fails.
pub fn clock_of<S: Shelf>(shelf: &S, case: RecordId, plan: &Plan) -> Result<Option<CaseClock>, S::Error> {
    let household = shelf.record(case)?.and_then(|record| record.slice(21).and_then(RecordId::from_slice));
    let Some(household) = household else { return Ok(None) };
    let household = survivor(shelf, household)?;
    Ok(read_case(shelf, household, case, plan)?.map(|case| case.clock))
}

/// The case's household members who had a job when the household was recognised as without employment: each member
/// with the day on which the job began. Empty for a case that a reviewer has confirmed.
///
/// # Errors
/// When the shelf fails.
pub fn contradicts_recognition<S: Shelf>(shelf: &S, case: RecordId) -> Result<Vec<(RecordId, Day)>, S::Error> {
    let Some(record) = shelf.record(case)?.filter(is_active) else { return Ok(Vec::new()) };
    let case: pb::ZefCase = record.typed(|tag| matches!(tag, 21 | 22 | 27 | 35 | 36));
    let household = case.household.as_deref().and_then(RecordId::from_slice);
    let (Some(household), Some(recognised_on)) = (household, case.recognised_on) else { return Ok(Vec::new()) };
    let graduate = case.kind.as_deref() == Some(GRADUATE);
    if graduate || case.confirmed == Some(true) || case.exit_cause.as_deref() == Some(WITHDRAWN) {
        return Ok(Vec::new());
    }
    let mut working = Vec::new();
    for (person, belongs) in counted_members(shelf, survivor(shelf, household)?)? {
        let jobs = employed(shelf, person)?.and(&Spans::union(belongs));
        let job = jobs.iter().find(|span| span.from < recognised_on && recognised_on < span.to);
        working.extend(job.map(|span| (person, span.from)));
    }
    Ok(working)
}

/// A case of a hardship graduate (L27).
const GRADUATE: &str = "2";
/// Recognised by mistake, withdrawn (L13).
const WITHDRAWN: &str = "7";

fn read_case<S: Shelf>(shelf: &S, household: RecordId, id: RecordId, plan: &Plan) -> Result<Option<Case>, S::Error> {
    let Some(record) = shelf.record(id)?.filter(is_active) else { return Ok(None) };
    let case: pb::ZefCase = record.typed(|tag| matches!(tag, 22 | 27 | 29 | 30 | 34..=36));
    let graduate = case.kind.as_deref() == Some(GRADUATE);
    let withdrawn = case.exit_cause.as_deref() == Some(WITHDRAWN);
    let (Some(unit), Some(recognised_on), false) = (home_unit(&record), case.recognised_on, graduate || withdrawn)
    else {
        return Ok(None);
    };
    let open = Spans::one(recognised_on, case.exit_on.unwrap_or(Day::MAX));
    let mut placed = Vec::new();
    let mut first_days = Vec::new();
    for (person, belongs) in counted_members(shelf, household)? {
        let belongs = Spans::union(belongs);
        let jobs = employed(shelf, person)?.and(&belongs);
        // A household with a job was not without employment: until a reviewer decides, no clock runs.
        let had_one = jobs.iter().any(|span| span.from < recognised_on && recognised_on < span.to);
        if had_one && case.confirmed != Some(true) {
            return Ok(None);
        }
        let jobs = jobs.and(&open);
        first_days.extend(jobs.first());
        placed.extend(jobs.iter().copied());
    }
    first_days.sort_unstable();
    let dual = (case.want_dual == Some(true)).then(|| {
        let asked_on = case.asked_on.map_or(recognised_on, |asked| asked.max(recognised_on));
        DualClock {
            asked_on,
            due: add_months(asked_on, plan.dual_months),
            second_placed_on: first_days.get(1).copied(),
        }
    });
    // Nobody can ask for a case that has left.
    let dual = dual.filter(|dual| case.exit_on.is_none_or(|exit| dual.asked_on < exit));
    let clock = CaseClock {
        recognised_on,
        due_one: recognised_on + plan.zef_days,
        first_placed_on: first_days.first().copied(),
        dual,
        exit_on: case.exit_on,
    };
    Ok(Some(Case { id, unit, clock, placed: Spans::union(placed) }))
}

/// The persons who count in a household, each once, with the days on which they belong to it.
fn counted_members<S: Shelf>(shelf: &S, household: RecordId) -> Result<BTreeMap<RecordId, Vec<Span>>, S::Error> {
    let mut persons: BTreeMap<RecordId, Vec<Span>> = BTreeMap::new();
    for member in following(shelf, household, number::HOUSEHOLD, number::MEMBER)? {
        let Some(record) = shelf.record(member)?.filter(is_active) else { continue };
        let member: pb::Member = record.typed(|tag| matches!(tag, 20 | 21 | 23..=25));
        // A member record is also listed under its person; only the ones of this household belong here.
        let of = |id: Option<&[u8]>| id.and_then(RecordId::from_slice).map(|id| survivor(shelf, id)).transpose();
        let here = of(member.household.as_deref())? == Some(household);
        let person = of(member.person.as_deref())?;
        if let (Some(person), true) = (person, here && member.counted != Some(false)) {
            let belongs = Span { from: member.from_on.unwrap_or(Day::MIN), to: member.to_on.unwrap_or(Day::MAX) };
            persons.entry(person).or_default().push(belongs);
        }
    }
    Ok(persons)
}

fn count_case(case: &Case, tally: &mut Tally<'_>) {
    let clock = &case.clock;
    let exit = clock.exit_on.unwrap_or(Day::MAX);
    let open = Spans::one(clock.recognised_on, exit);
    tally.during(Part::ZefUnplaced, &open.without(&case.placed));
    tally.step(Part::ZefRecognised, clock.recognised_on, 1);

    let placed = clock.first_placed_on.unwrap_or(Day::MAX);
    // A case that left before its last day fell due for nobody.
    if exit > clock.due_one || placed <= clock.due_one {
        tally.step(Part::ZefDue, clock.due_one, 1);
        if placed <= clock.due_one {
            tally.step(Part::ZefDueMet, clock.due_one, 1);
        }
    }
    tally.during(Part::ZefOverdue, &Spans::one(clock.due_one + 1, placed.min(exit)));
    let soon = clock.recognised_on.max(clock.due_one - tally.plan.due_soon_days);
    tally.during(Part::ZefDueSoon, &Spans::one(soon, (clock.due_one + 1).min(placed).min(exit)));

    let Some(dual) = clock.dual else { return };
    let second = dual.second_placed_on.unwrap_or(Day::MAX);
    tally.during(Part::DualAsked, &Spans::union([Span { from: dual.asked_on, to: exit }]));
    if exit > dual.due || second <= dual.due {
        tally.step(Part::DualDue, dual.due, 1);
        if second <= dual.due {
            tally.step(Part::DualDueMet, dual.due, 1);
        }
    }
    tally.during(Part::DualOverdue, &Spans::one(dual.due + 1, second.min(exit)));
}
