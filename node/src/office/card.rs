//! A person on one page, as far as it follows from the records: what nobody types in (domain-detail 2.1, 5).
//! Invariant: it is for the office's own eyes, and says the same as the totals count.

use super::history;
use crate::{
    desk::{Desk, SaveError},
    show,
};
use taizhang_proto::{
    RecordId,
    cell::{FIVE_KNOWNS, Shelf, clock_of, derived, doubt, following, survivor},
    date::{self, Day},
    pb,
    plan::Plans,
    register::{field, number, registers},
};

/// The word of a code of L09.
fn status(code: &str) -> &'static str {
    let list = registers().get(number::RESIDENT).and_then(|def| def.field_named("emp_claim")?.codes);
    list.and_then(|list| list.codes.get(code)).map_or("", String::as_str)
}

/// A person's card: what the record says, then what follows of it, as [`card`] found; none when there is no such record.
///
/// # Errors
/// When the desk fails.
pub fn page<D: Desk>(desk: &D, id: RecordId, derived: Vec<pb::Fact>) -> Result<Option<Vec<pb::Fact>>, SaveError> {
    let Some(record) = desk.view(id)? else { return Ok(None) };
    let mut facts = history::row(desk, id, &record)?.fields;
    facts.extend(derived);
    facts.push(show::fact("record", "记录编号", "record", id));
    Ok(Some(facts))
}

/// What follows of a person on a day, and the clocks of the households it belongs to; none when there is no such person
/// here.
///
/// # Errors
/// When the store fails.
pub fn card<S: Shelf>(shelf: &S, plans: &Plans, id: RecordId, on: Day) -> Result<Option<Vec<pb::Fact>>, S::Error> {
    let Some(person) = derived(shelf, id, on, plans)? else { return Ok(None) };
    // GB/T 2261.1.
    let (sex, code) = person.male.map_or(("未知", "0"), |male| if male { ("男", "1") } else { ("女", "2") });
    let day = |day: Option<Day>| day.map(date::iso).unwrap_or_default();
    let yes = |so: bool| if so { "是" } else { "否" };
    let missing: Vec<_> =
        FIVE_KNOWNS.iter().zip(person.known).filter(|(_, known)| !known).map(|(one, _)| one).collect();
    let names = |of: fn(&(&'static str, &'static str)) -> &'static str, between: &str| {
        missing.iter().map(|one| of(one)).collect::<Vec<_>>().join(between)
    };
    let knowns = match missing.len() {
        0 => "齐全 (all)".to_owned(),
        _ => format!("缺{} (without {})", names(|(zh, _)| zh, "、"), names(|(_, en)| en, ", ")),
    };
    let mut facts = vec![
        show::fact("on", "业务日", "as of", date::iso(on)),
        pb::Fact { code: code.into(), ..show::fact("sex", "性别", "sex", sex) },
        show::fact("born", "出生日期", "born on", day(person.born)),
        show::fact("age", "年龄", "age", person.age.map(|age| age.to_string()).unwrap_or_default()),
        show::fact("elderly", "4050", "of the 4050", yes(person.elderly)),
        pb::Fact {
            code: person.employment.to_string(),
            ..show::fact("employment", "就业状况", "employment status", status(person.employment))
        },
    ];
    if let Some(claim) = &person.contradicted {
        let claim = format!("表报为 {}，请核实 (a form says otherwise: look into it)", status(claim));
        facts.push(show::fact("contradicted", "与表报不符", "a form says", claim));
    }
    facts.push(show::fact("hardship", "就业困难人员", "hard to employ", yes(person.hardship)));
    facts.push(show::fact("five_knowns", "五清", "five knowns", knowns));
    for member in following(shelf, id, number::RESIDENT, number::MEMBER)? {
        let household = shelf.record(member)?.and_then(|member| member.reference(field::member::HOUSEHOLD));
        let Some(household) = household else { continue };
        for case in following(shelf, household, number::HOUSEHOLD, number::ZEF_CASE)? {
            let Some(clock) = clock_of(shelf, case, plans)?.filter(|clock| clock.exit_on.is_none()) else { continue };
            let stable = doubt::is_stable(shelf, survivor(shelf, household)?, plans.on(on), on)?;
            let stage = match (clock.first_placed_on, clock.dual.as_ref().map(|dual| dual.second_placed_on)) {
                (None, _) => ("未安置", "nobody placed"),
                // A second one may be due although the first has kept the job for long.
                (Some(_), Some(Some(_))) if stable => ("双就业，已稳定", "two employed, stably"),
                (Some(_), Some(Some(_))) => ("双就业", "two employed"),
                _ if stable => ("一人就业，已稳定", "one employed, stably"),
                (Some(_), _) => ("一人就业", "one employed"),
            };
            let first = date::iso(clock.due_one);
            let dual = clock
                .dual
                .map(|dual| date::iso(dual.due))
                .map_or_else(Default::default, |due| (format!("，双就业期限 {due}"), format!(", the second by {due}")));
            let words =
                format!("{}，20日期限 {first}{} ({}; the first by {first}{})", stage.0, dual.0, stage.1, dual.1);
            facts.push(show::fact("case", "零就业家庭", "zero-employment household", words));
        }
    }
    Ok(Some(facts))
}
