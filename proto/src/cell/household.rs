//! The clocks of zero-employment households (K05 to K12): twenty days for one member employed, and where dual
//! employment is asked for, one month for two (notice, items 4 and 5; domain-detail 2.5).

use super::{
    Shelf, Tally, home_unit, is_active,
    person::employed,
    span::{Span, Spans},
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
    clock: CaseClock,
    placed: Spans,
}

pub(super) fn count<S: Shelf>(shelf: &S, id: RecordId, tally: &mut Tally<'_>) -> Result<(), S::Error> {
    let cases = shelf.referring(id, number::ZEF_CASE)?;
    if cases.is_empty() {
        return Ok(());
    }
    // A case may refer to anything well-formed; only a household moves it to its own unit.
    let household = shelf.record(id)?.filter(|record| record.register == number::HOUSEHOLD && is_active(record));
    let home = household.and_then(|household| home_unit(&household));
    for case in cases {
        let Some((unit, case)) = read_case(shelf, id, case, tally.plan)? else { continue };
        count_case(home.unwrap_or(unit), &case, tally);
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
    Ok(read_case(shelf, household, case, plan)?.map(|(_, case)| case.clock))
}

fn read_case<S: Shelf>(
    shelf: &S,
    household: RecordId,
    case: RecordId,
    plan: &Plan,
) -> Result<Option<(OrgCode, Case)>, S::Error> {
    let Some(record) = shelf.record(case)?.filter(is_active) else { return Ok(None) };
    let case: pb::ZefCase = record.typed(|tag| matches!(tag, 22 | 27 | 29 | 30 | 34));
    let graduate = case.kind.as_deref() == Some("2");
    let (Some(unit), Some(recognised_on), false) = (home_unit(&record), case.recognised_on, graduate) else {
        return Ok(None);
    };
    let open = Spans::one(recognised_on, case.exit_on.unwrap_or(Day::MAX));
    let mut placed = Vec::new();
    let mut first_days = Vec::new();
    for (person, belongs) in counted_members(shelf, household)? {
        let jobs = employed(shelf, person)?.and(&open).and(&Spans::union(belongs));
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
    Ok(Some((unit, Case { clock, placed: Spans::union(placed) })))
}

/// The persons who count in a household, each once, with the days on which they belong to it.
fn counted_members<S: Shelf>(shelf: &S, household: RecordId) -> Result<BTreeMap<RecordId, Vec<Span>>, S::Error> {
    let mut persons: BTreeMap<RecordId, Vec<Span>> = BTreeMap::new();
    for member in shelf.referring(household, number::MEMBER)? {
        let Some(record) = shelf.record(member)?.filter(is_active) else { continue };
        let member: pb::Member = record.typed(|tag| matches!(tag, 20 | 21 | 23..=25));
        // A member record is also listed under its person; only the ones of this household belong here.
        let here = member.household.as_deref() == Some(&household.0[..]);
        let person = member.person.as_deref().and_then(RecordId::from_slice);
        if let (Some(person), true) = (person, here && member.counted != Some(false)) {
            let belongs = Span { from: member.from_on.unwrap_or(Day::MIN), to: member.to_on.unwrap_or(Day::MAX) };
            persons.entry(person).or_default().push(belongs);
        }
    }
    Ok(persons)
}

fn count_case(unit: OrgCode, case: &Case, tally: &mut Tally<'_>) {
    let clock = &case.clock;
    let exit = clock.exit_on.unwrap_or(Day::MAX);
    let open = Spans::one(clock.recognised_on, exit);
    tally.during(unit, Part::ZefUnplaced, &open.without(&case.placed));
    tally.step(unit, Part::ZefRecognised, clock.recognised_on, 1);

    let placed = clock.first_placed_on.unwrap_or(Day::MAX);
    // A case that left before its last day fell due for nobody.
    if exit > clock.due_one || placed <= clock.due_one {
        tally.step(unit, Part::ZefDue, clock.due_one, 1);
        if placed <= clock.due_one {
            tally.step(unit, Part::ZefDueMet, clock.due_one, 1);
        }
    }
    tally.during(unit, Part::ZefOverdue, &Spans::one(clock.due_one + 1, placed.min(exit)));
    let soon = clock.recognised_on.max(clock.due_one - tally.plan.due_soon_days);
    tally.during(unit, Part::ZefDueSoon, &Spans::one(soon, (clock.due_one + 1).min(placed).min(exit)));

    let Some(dual) = clock.dual else { return };
    let second = dual.second_placed_on.unwrap_or(Day::MAX);
    tally.during(unit, Part::DualAsked, &Spans::union([Span { from: dual.asked_on, to: exit }]));
    if exit > dual.due || second <= dual.due {
        tally.step(unit, Part::DualDue, dual.due, 1);
        if second <= dual.due {
            tally.step(unit, Part::DualDueMet, dual.due, 1);
        }
    }
    tally.during(unit, Part::DualOverdue, &Spans::one(dual.due + 1, second.min(exit)));
}
