//! The clocks of zero-employment households (K05 to K13) and of hardship graduates (K34): twenty days for one member
//! employed, and where dual employment is asked for, one month for two (notice, items 12 and 13; domain-detail 2.5).

use super::{
    Shelf, Tally, archive, backdated, following, home_unit, is_active,
    person::employed,
    span::{Span, Spans},
    survivor,
};
use crate::{
    OrgCode, Record, RecordId,
    date::{self, Day, add_months},
    indicator::Part,
    pb,
    plan::{ClockStart, Plans},
    register::{code, field, number},
};
use std::collections::BTreeMap;

/// The clocks of one case. Derived, never stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CaseClock {
    /// Recognised on.
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

/// A recognised case with the days its counted members are in a job.
pub(super) struct Case {
    pub(super) id: RecordId,
    pub(super) unit: OrgCode,
    pub(super) clock: CaseClock,
    /// Of a hardship graduate's household; of a zero-employment household otherwise.
    pub(super) graduate: bool,
    applied_on: Option<Day>,
    /// The day on which a recognition arrived that was entered too late.
    backdated: Option<Day>,
    exit_cause: Option<String>,
    /// Days since recognition on which a counted member has a job, also after the exit.
    placed: Spans,
}

impl Case {
    /// The day on which it is completed: the household leaves it.
    pub(super) fn completed_on(&self) -> Option<Day> {
        self.clock.exit_on
    }

    /// The days on which it is open.
    pub(super) fn open(&self) -> Spans {
        Spans::one(self.clock.recognised_on, self.clock.exit_on.unwrap_or(Day::MAX))
    }
}

/// The clocks of a case; none when it is not recognised, void, or another kind of case.
///
/// # Errors
/// When the shelf fails.
pub fn clock_of<S: Shelf>(shelf: &S, case: RecordId, plans: &Plans) -> Result<Option<CaseClock>, S::Error> {
    let household = shelf.record(case)?.and_then(|record| record.reference(field::zef_case::HOUSEHOLD));
    let (Some(household), Some(record)) = (household, shelf.record(case)?.filter(is_active)) else { return Ok(None) };
    let household = survivor(shelf, household)?;
    Ok(read(shelf, household, (case, &record), plans)?.filter(|case| !case.graduate).map(|case| case.clock))
}

/// The case's household members who had a job when the household was recognised as without employment: each member
/// with the day on which the job began. Empty for a case that a reviewer has confirmed.
///
/// # Errors
/// When the shelf fails.
pub fn contradicts_recognition<S: Shelf>(shelf: &S, case: RecordId) -> Result<Vec<(RecordId, Day)>, S::Error> {
    let Some(record) = shelf.record(case)?.filter(is_active) else { return Ok(Vec::new()) };
    let case: pb::ZefCase = record.typed(|tag| {
        matches!(
            tag,
            field::zef_case::HOUSEHOLD
                | field::zef_case::KIND
                | field::zef_case::RECOGNISED_ON
                | field::zef_case::EXIT_CAUSE
                | field::zef_case::CONFIRMED
        )
    });
    let household = case.household.as_deref().and_then(RecordId::from_slice);
    let (Some(household), Some(recognised_on)) = (household, case.recognised_on) else { return Ok(Vec::new()) };
    let graduate = case.kind.as_deref() == Some(code::case_kind::FAMILY_OF_A_GRADUATE_IN_HARDSHIP);
    if graduate
        || case.confirmed == Some(true)
        || case.exit_cause.as_deref() == Some(code::case_exit::RECOGNISED_BY_MISTAKE)
    {
        return Ok(Vec::new());
    }
    let mut working = Vec::new();
    for (person, belongs) in counted_members(shelf, survivor(shelf, household)?)? {
        let jobs = employed(shelf, person)?.and(&belongs.days);
        let job = jobs.iter().find(|span| span.from < recognised_on && recognised_on < span.to);
        working.extend(job.map(|span| (person, span.from)));
    }
    Ok(working)
}

/// Reads an active case of a household, with its clocks; none when it is not recognised, or withdrawn.
pub(super) fn read<S: Shelf>(
    shelf: &S,
    household: RecordId,
    (id, record): (RecordId, &Record),
    plans: &Plans,
) -> Result<Option<Case>, S::Error> {
    let case: pb::ZefCase = record.typed(|tag| {
        matches!(
            tag,
            field::zef_case::KIND
                | field::zef_case::APPLIED_ON
                | field::zef_case::RECOGNISED_ON
                | field::zef_case::WANT_DUAL
                | field::zef_case::ASKED_ON
                | field::zef_case::EXIT_ON..=field::zef_case::CONFIRMED
        )
    });
    let graduate = case.kind.as_deref() == Some(code::case_kind::FAMILY_OF_A_GRADUATE_IN_HARDSHIP);
    let withdrawn = case.exit_cause.as_deref() == Some(code::case_exit::RECOGNISED_BY_MISTAKE);
    let (Some(unit), Some(recognised_on), false) = (home_unit(record), case.recognised_on, withdrawn) else {
        return Ok(None);
    };
    let open = Spans::one(recognised_on, case.exit_on.unwrap_or(Day::MAX));
    let since = Spans::one(recognised_on, Day::MAX);
    let mut placed = Vec::new();
    let mut first_days = Vec::new();
    for (person, belongs) in counted_members(shelf, household)? {
        let jobs = employed(shelf, person)?.and(&belongs.days);
        // A household with a job was not without employment: until a reviewer decides, no clock runs.
        let had_one = jobs.iter().any(|span| span.from < recognised_on && recognised_on < span.to);
        if had_one && !graduate && case.confirmed != Some(true) {
            return Ok(None);
        }
        first_days.extend(jobs.and(&open).first());
        placed.push(jobs.and(&since));
    }
    first_days.sort_unstable();
    let dual = (case.want_dual == Some(true)).then(|| {
        let asked_on = case.asked_on.map_or(recognised_on, |asked| asked.max(recognised_on));
        DualClock {
            asked_on,
            due: add_months(asked_on, plans.on(asked_on).zef.dual_months),
            second_placed_on: first_days.get(1).copied(),
        }
    });
    // Nobody can ask for a case that has left.
    let dual = dual.filter(|dual| case.exit_on.is_none_or(|exit| dual.asked_on < exit));
    let clock = CaseClock {
        recognised_on,
        due_one: due_one(plans, recognised_on, case.applied_on),
        first_placed_on: first_days.first().copied(),
        dual,
        exit_on: case.exit_on,
    };
    let (applied_on, exit_cause) = (case.applied_on, case.exit_cause);
    let backdated = backdated(record, plans).map(|late| late.arrived);
    Ok(Some(Case { id, unit, clock, graduate, applied_on, backdated, exit_cause, placed: Spans::all(placed) }))
}

/// The last day for one member employed, of a household recognised on a day.
fn due_one(plans: &Plans, recognised_on: Day, applied_on: Option<Day>) -> Day {
    let plan = plans.on(recognised_on);
    let start = match plan.zef.start {
        ClockStart::Recognition => recognised_on,
        ClockStart::Application => applied_on.unwrap_or(recognised_on).min(recognised_on),
    };
    plan.calendar.after(start, plan.zef.days, plan.zef.counting)
}

/// By an earlier word on when a household was recognised: the last day for one member employed, and whether it had passed
/// with nobody in a job, on a day and before the household left.
pub(super) fn ran_by<S: Shelf>(
    shelf: &S,
    household: RecordId,
    record: &Record,
    (recognised_on, on): (Day, Day),
    plans: &Plans,
) -> Result<(Day, bool), S::Error> {
    let case: pb::ZefCase = record.typed(|tag| matches!(tag, field::zef_case::APPLIED_ON | field::zef_case::EXIT_ON));
    let due = due_one(plans, recognised_on, case.applied_on);
    let until = case.exit_on.unwrap_or(Day::MAX).min(on.saturating_add(1));
    let in_time = Spans::one(recognised_on, due.saturating_add(1).min(until));
    for (person, belongs) in counted_members(shelf, household)? {
        if employed(shelf, person)?.and(&belongs.days).and(&in_time).first().is_some() {
            return Ok((due, false));
        }
    }
    Ok((due, due.saturating_add(1) < until))
}

/// How somebody belongs to a household.
pub(super) struct Belongs {
    /// On which days.
    pub(super) days: Spans,
    /// As a child of the head (L10).
    pub(super) child: bool,
}

/// The persons who count in a household, each once, with the days on which they belong to it.
pub(super) fn counted_members<S: Shelf>(
    shelf: &S,
    household: RecordId,
) -> Result<BTreeMap<RecordId, Belongs>, S::Error> {
    let mut persons: BTreeMap<RecordId, (Vec<Span>, bool)> = BTreeMap::new();
    for member in following(shelf, household, number::HOUSEHOLD, number::MEMBER)? {
        let Some(record) = shelf.record(member)?.filter(is_active) else { continue };
        let member: pb::Member = record.typed(|tag| matches!(tag, field::member::HOUSEHOLD..=field::member::COUNTED));
        // A member record is also listed under its person; only the ones of this household belong here.
        let of = |id: Option<&[u8]>| id.and_then(RecordId::from_slice).map(|id| survivor(shelf, id)).transpose();
        let here = of(member.household.as_deref())? == Some(household);
        let person = of(member.person.as_deref())?;
        if let (Some(person), true) = (person, here && member.counted != Some(false)) {
            let belongs = Span { from: member.from_on.unwrap_or(Day::MIN), to: member.to_on.unwrap_or(Day::MAX) };
            let (spans, child) = persons.entry(person).or_default();
            spans.push(belongs);
            *child |= matches!(member.relation.as_deref(), Some("20" | "30"));
        }
    }
    let belongs = |(spans, child)| Belongs { days: Spans::union(spans), child };
    Ok(persons.into_iter().map(|(person, found)| (person, belongs(found))).collect())
}

/// Counts a case where the tally stands.
pub(super) fn count<S: Shelf>(shelf: &S, case: &Case, tally: &mut Tally<'_>) -> Result<(), S::Error> {
    if let Some(on) = case.completed_on() {
        archive::count_case(shelf, (case.id, number::ZEF_CASE), on, tally)?;
    }
    if let Some(arrived) = case.backdated {
        tally.step(Part::Backdated, arrived, 1);
    }
    if case.graduate {
        count_graduate(case, tally);
        return Ok(());
    }
    let clock = &case.clock;
    let exit = clock.exit_on.unwrap_or(Day::MAX);
    let open = case.open();
    tally.during(Part::ZefUnplaced, &open.without(&case.placed));
    tally.step(Part::ZefRecognised, clock.recognised_on, 1);
    count_cleared(case, tally);
    if let Some(applied) = case.applied_on {
        let taken = tally.plans.on(applied).calendar.working_between(applied, clock.recognised_on);
        tally.step(Part::RecognitionDays, clock.recognised_on, taken);
        tally.step(Part::RecognitionsTimed, clock.recognised_on, 1);
    }

    let placed = clock.first_placed_on.unwrap_or(Day::MAX);
    // A case that left before its last day fell due for nobody; one that nobody can reach any more stays in until its day, or
    // losing sight of a household would stretch the clock (G1).
    let silent = case.exit_cause.as_deref() == Some(code::case_exit::CONTACT_LOST);
    if exit > clock.due_one || placed <= clock.due_one || silent {
        tally.step(Part::ZefDue, clock.due_one, 1);
        if placed <= clock.due_one {
            tally.step(Part::ZefDueMet, clock.due_one, 1);
        }
    }
    let late = clock.recognised_on.max(clock.due_one.saturating_add(1));
    tally.during(Part::ZefOverdue, &Spans::one(late, placed.min(exit)));
    let due_soon = tally.plans.on(clock.recognised_on).zef.due_soon_days;
    let soon = clock.recognised_on.max(clock.due_one - due_soon);
    tally.during(Part::ZefDueSoon, &Spans::one(soon, (clock.due_one + 1).min(placed).min(exit)));

    let Some(dual) = clock.dual else { return Ok(()) };
    let second = dual.second_placed_on.unwrap_or(Day::MAX);
    tally.during(Part::DualAsked, &Spans::union([Span { from: dual.asked_on, to: exit }]));
    if exit > dual.due || second <= dual.due || silent {
        tally.step(Part::DualDue, dual.due, 1);
        if second <= dual.due {
            tally.step(Part::DualDueMet, dual.due, 1);
        }
    }
    tally.during(Part::DualOverdue, &Spans::one(dual.due + 1, second.min(exit)));
    Ok(())
}

/// K13: the households recognised in a year, and of them those with somebody employed, inside that year: a stock, so it
/// goes where the household goes.
fn count_cleared(case: &Case, tally: &mut Tally<'_>) {
    let recognised = case.clock.recognised_on;
    let next_year = date::civil(recognised).and_then(|civil| date::ymd(civil.year() + 1, 1, 1)).unwrap_or(Day::MAX);
    let year = Spans::one(recognised, next_year);
    tally.during_year(Part::ZefOfYear, &year, next_year);
    tally.during_year(Part::ZefClearedOfYear, &case.placed.and(&year), next_year);
}

/// K34: recognised, and placed while somebody has a job, or since the case left as stably employed and somebody had had one:
/// the typed cause alone places nobody.
fn count_graduate(case: &Case, tally: &mut Tally<'_>) {
    let exit = case.clock.exit_on.unwrap_or(Day::MAX);
    let stable = case.exit_cause.as_deref() == Some(code::case_exit::STEADILY_EMPLOYED);
    let open = case.open();
    let after = if stable { Spans::one(exit, Day::MAX) } else { Spans::default() };
    tally.during(Part::GraduatesRecognised, &Spans::all([open.clone(), after.clone()]));
    let after = if case.clock.first_placed_on.is_some() { after } else { Spans::default() };
    tally.during(Part::GraduatesPlaced, &Spans::all([case.placed.and(&open), after]));
}
