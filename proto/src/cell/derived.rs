//! What follows of a person from the records, and is never typed in: employment status (L09), sex, age, the 4050, whether
//! the five knowns (五清: family, cause, skill, training wish, job wish) are known (domain-detail 2.1).
//! Invariant: it is read from the same spans that the totals count, so a card and a figure can't disagree.

use super::{
    Shelf,
    days::open_on,
    person,
    refs::Refs,
    span::{Span, Spans},
};
use crate::{
    Record, RecordId, citizen_id,
    date::{self, Day},
    pb,
    plan::Plans,
    register::{
        code::{employment, job},
        field, number,
    },
};

/// The five knowns, in their order.
pub const FIVE_KNOWNS: [(&str, &str); 5] = [
    ("家庭情况", "family"),
    ("失业原因", "cause"),
    ("技能", "skill"),
    ("培训愿望", "training wish"),
    ("择业意向", "job wish"),
];

/// What follows of a person on a day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Derived {
    /// Male, by the id number; none without a valid one.
    pub male: Option<bool>,
    /// Born on, by the id number.
    pub born: Option<Day>,
    /// Full years.
    pub age: Option<i32>,
    /// 4050: of the age by the plan of the day.
    pub elderly: bool,
    /// Employment status, code of L09.
    pub employment: &'static str,
    /// Employment as a form claimed it (L09), where that says otherwise.
    pub contradicted: Option<String>,
    /// Recognised as hard to employ.
    pub hardship: bool,
    /// Which of the five are known.
    pub known: [bool; 5],
}

/// What follows of a resident on a day; none when there is no such resident, or the record stands for another.
///
/// # Errors
/// When the shelf fails.
pub fn derived<S: Shelf>(shelf: &S, id: RecordId, on: Day, plans: &Plans) -> Result<Option<Derived>, S::Error> {
    let Some(record) =
        shelf.record(id)?.filter(|record| record.register == number::RESIDENT && super::is_active(record))
    else {
        return Ok(None);
    };
    let facts: pb::Resident = record.typed(|_| true);
    let born = facts.id_no.as_deref().and_then(|id| citizen_id::check(id).ok());
    let age = born.map(|born| date::years_between(born.birth, on));
    let plan = &plans.on(on).unemployment;
    let judged = plan.elderly_cutoff_on.map_or(on, |cutoff| on.min(date::day(cutoff)));
    let elderly = born.is_some_and(|born| {
        let from = if born.male { plan.elderly_male } else { plan.elderly_female };
        date::years_between(born.birth, judged) >= from
    });
    let refs = Refs::to(shelf, id, number::RESIDENT)?;
    let spells = refs.active(shelf, number::UNEMPLOYMENT_SPELL, field::unemployment_spell::PERSON)?;
    let employment = employment(shelf, id, &facts, &refs, &spells, on)?;
    let hardship = person::hardship(&refs.active(shelf, number::HARDSHIP_CASE, field::hardship_case::PERSON)?).has(on);
    let member = refs.active(shelf, number::MEMBER, field::member::PERSON)?;
    let known = [
        member.iter().any(|(_, member)| member.day(field::member::TO_ON).is_none_or(|left| on < left)),
        facts.laidoff_kind.is_some()
            || spells.iter().any(|(_, spell)| spell.bytes(field::unemployment_spell::CAUSE).is_some()),
        !facts.skill.is_empty() || refs.of(number::PERSON_SKILL).next().is_some(),
        facts.train_wish.is_some(),
        !facts.intent_job.is_empty() || facts.intent_kind.is_some(),
    ];
    Ok(Some(Derived {
        male: born.map(|born| born.male),
        born: born.map(|born| born.birth),
        age,
        elderly,
        contradicted: facts.emp_claim.filter(|claim| claim != employment),
        employment,
        hardship,
        known,
    }))
}

/// The employment status, code of L09: who has left or retired first, then who studies, serves or is in prison, then work,
/// then registered unemployment, then why not.
fn employment<S: Shelf>(
    shelf: &S,
    id: RecordId,
    facts: &pb::Resident,
    refs: &Refs,
    spells: &[(RecordId, Record)],
    on: Day,
) -> Result<&'static str, S::Error> {
    let since = |day: Option<Day>| day.is_some_and(|day| day <= on);
    let until = |day: Option<Day>| day.is_some_and(|day| on <= day);
    let away = [
        (since(facts.death_on), "90"),
        (since(facts.moveout_on), "91"),
        (since(facts.retire_on), "32"),
        (until(facts.school_until), "31"),
        (until(facts.service_until), "35"),
        (until(facts.prison_until), "36"),
    ];
    if let Some((_, code)) = away.into_iter().find(|(so, _)| *so) {
        return Ok(code);
    }
    if person::employed(shelf, id)?.has(on) {
        let placements = refs.active(shelf, number::PLACEMENT, field::placement::PERSON)?;
        let open = |record: &Record| open_on(record, on).is_some();
        let kinds: Vec<&[u8]> = placements
            .iter()
            .filter(|(_, record)| open(record))
            .filter_map(|(_, record)| record.slice(field::placement::KIND))
            .collect();
        // Of several, the one that binds most (L14).
        let order = [
            (job::EMPLOYED_AT_A_UNIT, employment::EMPLOYED_AT_A_UNIT),
            (job::PUBLIC_WELFARE_POST, employment::PUBLIC_WELFARE_POST),
            (job::SELF_EMPLOYED, employment::SELF_EMPLOYED),
            (job::LABOUR_EXPORT, employment::LABOUR_EXPORT),
            (job::FLEXIBLY_EMPLOYED, employment::FLEXIBLY_EMPLOYED),
        ];
        let found = order.into_iter().find(|(kind, _)| kinds.contains(&kind.as_bytes()));
        return Ok(found.map_or(employment::EMPLOYED_AT_A_UNIT, |(_, status)| status));
    }
    let registered = Spans::union(spells.iter().filter_map(|(_, spell)| {
        let from = spell.day(field::unemployment_spell::REG_ON)?;
        Some(Span { from, to: spell.day(field::unemployment_spell::END_ON).unwrap_or(Day::MAX) })
    }));
    Ok(match (registered.has(on), facts.labour_able, facts.job_willing) {
        (true, ..) => "20",
        (false, Some(false), _) => "33",
        (false, _, Some(false)) => "34",
        (false, Some(true), Some(true)) => "21",
        _ => "99",
    })
}
