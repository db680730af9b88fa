//! A person on one page, as far as it follows from the records: what nobody types in (domain-detail 2.1, 5).
//! Invariant: it is for the office's own eyes, and says the same as the totals count.

use crate::show;
use taizhang_proto::{
    RecordId,
    cell::{FIVE_KNOWNS, Shelf, clock_of, derived, doubt, following, survivor},
    date::{self, Day},
    pb,
    plan::Plans,
    register::{field, number, registers},
};

/// A code of L09 with its name.
fn status(code: &str) -> String {
    let list = registers().get(number::RESIDENT).and_then(|def| def.field_named("emp_claim")?.codes);
    let name = list.and_then(|list| list.codes.get(code)).map_or("", String::as_str);
    format!("{code} {name}")
}

/// What follows of a person on a day, and the clocks of the households it belongs to; none when there is no such person
/// here.
///
/// # Errors
/// When the store fails.
pub fn card<S: Shelf>(shelf: &S, plans: &Plans, id: RecordId, on: Day) -> Result<Option<Vec<pb::Fact>>, S::Error> {
    let Some(person) = derived(shelf, id, on, plans)? else { return Ok(None) };
    let sex = person.male.map_or("不详", |male| if male { "男" } else { "女" });
    let day = |day: Option<Day>| day.map(date::iso).unwrap_or_default();
    let yes = |so: bool| if so { "是" } else { "否" };
    let missing: Vec<&str> =
        FIVE_KNOWNS.iter().zip(person.known).filter(|(_, known)| !known).map(|((zh, _), _)| *zh).collect();
    let knowns = match missing.len() {
        0 => "齐全".to_owned(),
        _ => format!("缺{}", missing.join("、")),
    };
    let mut facts = vec![
        show::fact("on", "业务日", "as of", date::iso(on)),
        show::fact("sex", "性别", "sex", sex),
        show::fact("born", "出生日期", "born on", day(person.born)),
        show::fact("age", "年龄", "age", person.age.map(|age| age.to_string()).unwrap_or_default()),
        show::fact("elderly", "4050", "of the 4050", yes(person.elderly)),
        show::fact("employment", "就业状况", "employment status", status(person.employment)),
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
                (None, _) => "未安置",
                _ if stable => "稳定",
                (Some(_), Some(Some(_))) => "双就业",
                (Some(_), _) => "一人就业",
            };
            let dual = clock.dual.map(|dual| format!("，双就业期限 {}", date::iso(dual.due))).unwrap_or_default();
            let words = format!("{stage}，20日期限 {}{dual}", date::iso(clock.due_one));
            facts.push(show::fact("case", "零就业家庭", "zero-employment household", words));
        }
    }
    Ok(Some(facts))
}
