//! Registered unemployment: how many (K24), how long (K39), how many found work (K25), and who is to be deregistered:
//! without contact for months (K40) or past the age of retirement (domain-detail 2.3).

use super::{
    Tally,
    resident::Person,
    span::{Span, Spans},
};
use crate::{
    Record, RecordId,
    date::{self, Day},
    indicator::Part,
    pb,
    register::field,
};

/// One spell, on the days on which the person is on the register and has not retired.
struct Spell {
    open: Spans,
    registered: Day,
    lost: Day,
}

/// Counts the spells of a person that somebody was in contact with on some days, and who is employed on others.
pub(super) fn count(
    person: &Person,
    spells: &[(RecordId, Record)],
    (contacts, employed): (&[Day], &Spans),
    tally: &mut Tally<'_>,
) {
    let counts = person.registered.and(&person.before_retirement());
    let mut found = Vec::new();
    for (_, record) in spells {
        let spell: pb::UnemploymentSpell = record.typed(|tag| {
            matches!(
                tag,
                field::unemployment_spell::LOST_ON
                    | field::unemployment_spell::REG_ON
                    | field::unemployment_spell::END_ON
            )
        });
        let Some(registered) = spell.reg_on else { continue };
        let open = Spans::one(registered, spell.end_on.unwrap_or(Day::MAX)).and(&counts);
        if open.is_empty() {
            continue;
        }
        found.push(Spell { registered, lost: spell.lost_on.unwrap_or(registered), open });
    }
    if found.is_empty() {
        return;
    }
    let open = Spans::all(found.iter().map(|spell| spell.open.clone()));
    tally.during(Part::Unemployed, &open);
    let aged = |plan: &crate::plan::UnemploymentPlan| {
        let since = person.since_age(plan.elderly_male, plan.elderly_female);
        let cutoff = plan.elderly_cutoff_on.map_or(Day::MAX, date::day);
        if since.first().is_some_and(|day| day <= cutoff) { since.and(&open) } else { Spans::default() }
    };
    let elderly = tally.by_plan(|plan| aged(&plan.unemployment));
    tally.during(Part::ElderlyUnemployed, &elderly);
    let past = |plan: &crate::plan::UnemploymentPlan| person.since_age(plan.retire_male, plan.retire_female).and(&open);
    let retired = tally.by_plan(|plan| past(&plan.unemployment));
    tally.during(Part::RetiredUnemployed, &retired);

    let long = Spans::all(found.iter().map(|spell| {
        let months = tally.plans.on(spell.lost).unemployment.long_months;
        spell.open.and(&Spans::one(date::add_months(spell.lost, months), Day::MAX))
    }));
    tally.during(Part::UnemployedLong, &long);
    let silent = Spans::all(found.iter().map(|spell| silent(spell, contacts, tally)));
    tally.during(Part::UnemployedSilent, &silent);

    // Who was registered when the period began is in its opening stock; who registers in it is counted once.
    let starts: Vec<Day> = open.iter().map(|span| span.from).collect();
    let new = |first: Day| !open.has(first - 1);
    let firsts = |begin: fn(jiff::civil::Date) -> jiff::civil::Date| -> Vec<Day> {
        let period = |day: Day| date::civil(day).map_or(day, |civil| date::day(begin(civil)));
        starts.iter().copied().filter(|day| new(period(*day))).collect()
    };
    let in_year = firsts(jiff::civil::Date::first_of_year);
    let in_month = firsts(jiff::civil::Date::first_of_month);
    tally.once((Some(Part::RegisteredInYear), None), &in_year);
    tally.once((None, Some(Part::RegisteredInMonth)), &in_month);
    // Who became employed follows from the jobs, whatever ends the registration, and whether anything does: a job begins
    // after a day of the period on which the person was registered, or on one.
    let began = |begin: fn(jiff::civil::Date) -> jiff::civil::Date| -> Vec<Day> {
        let since = |day: Day| date::civil(day).map_or(day, |civil| date::day(begin(civil))) - 1;
        let registered = |day: Day| !open.and(&Spans::one(since(day), day + 1)).is_empty();
        let days = employed.iter().map(|span| span.from).filter(|day| *day != Day::MIN && counts.has(*day));
        days.filter(|day| registered(*day)).collect()
    };
    let (in_year, in_month) = (began(jiff::civil::Date::first_of_year), began(jiff::civil::Date::first_of_month));
    tally.once((Some(Part::ReemployedInYear), None), &in_year);
    tally.once((None, Some(Part::ReemployedInMonth)), &in_month);
}

/// The days of a spell on which nobody has been in contact for the plan's months; registering is a contact.
fn silent(spell: &Spell, contacts: &[Day], tally: &Tally<'_>) -> Spans {
    let mut heard: Vec<Day> = contacts.iter().copied().filter(|day| *day > spell.registered).collect();
    heard.push(spell.registered);
    heard.sort_unstable();
    let next = heard.iter().copied().skip(1).chain([Day::MAX]);
    let gaps = heard.iter().zip(next).map(|(last, next)| {
        let months = tally.plans.on(*last).unemployment.silent_months;
        Span { from: date::add_months(*last, months).saturating_add(1), to: next }
    });
    Spans::union(gaps).and(&spell.open)
}
