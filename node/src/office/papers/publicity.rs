//! 公示名单: the recognised zero-employment households, as a list to post up.
//! Invariant: what may be public is the head's name, the community, the day and the number of people. No number of any paper, no
//! address, no phone, and nobody else's name goes into it.

use super::{name, standing, table};
use crate::{
    ledger::Ledger,
    office::head::{self, Known},
    store::StoreError,
};
use std::ops::RangeInclusive;
use taizhang_proto::{
    RecordId,
    cell::{Shelf, following, is_active, survivor},
    date::{self, Day},
    pb,
    register::{code, field, number},
};

/// Households recognised in a span of days whose case has not ended by its last day.
pub(super) fn households(ledger: &Ledger, days: RangeInclusive<Day>) -> Result<pb::Paper, StoreError> {
    let on = *days.end();
    let mut found = Vec::new();
    for (id, home, record) in standing(ledger, number::ZEF_CASE, false)? {
        let case: pb::ZefCase = record.typed(|tag| {
            matches!(
                tag,
                field::zef_case::HOUSEHOLD
                    | field::zef_case::KIND
                    | field::zef_case::RECOGNISED_ON
                    | field::zef_case::EXIT_ON
                    | field::zef_case::REFUSED_ON
            )
        });
        let is_over = case.exit_on.or(case.refused_on).is_some_and(|over| over <= on);
        let Some(recognised) =
            case.recognised_on.filter(|day| *day <= on && (*days.start() == 0 || days.contains(day)))
        else {
            continue;
        };
        // A case without a kind is one of these, too.
        if is_over || case.kind.as_deref().is_some_and(|kind| kind != code::case_kind::ZERO_EMPLOYMENT_HOUSEHOLD) {
            continue;
        }
        let Some(household) = record.reference(field::zef_case::HOUSEHOLD) else { continue };
        let head = Known::public_name(head::of(ledger, household)?.as_ref());
        found.push((home, recognised, id, head, people(ledger, survivor(ledger, household)?, on)?));
    }
    found.sort();
    let row = |(place, (home, recognised, _, head, people)): (usize, (_, Day, RecordId, String, usize))| {
        let people = if people == 0 { String::new() } else { people.to_string() };
        vec![(place + 1).to_string(), head, name(ledger, home), date::iso(recognised), people]
    };
    let rows: Vec<Vec<String>> = found.into_iter().enumerate().map(row).collect();
    let columns = [
        ("no", "序号"),
        ("head", "户主姓名"),
        ("name", "所在社区"),
        ("recognised_on", "认定日期"),
        ("people", "家庭人口"),
    ];
    Ok(pb::Paper {
        title: format!("{}零就业家庭认定公示", name(ledger, ledger.unit())),
        notes: vec![
            "下列家庭经审核认定为零就业家庭，现予公示，接受社会监督。".into(),
            format!("截至 (as of) {}，共 {} 户 (households)", date::iso(on), rows.len()),
        ],
        tables: vec![table("households", "名单 (households)", &columns, rows)],
        foot: "公示期：　　年　　月　　日至　　年　　月　　日　　监督电话：　　　　　　　　（盖章）".into(),
    })
}

/// How many people a household has on a day.
fn people(ledger: &Ledger, household: RecordId, on: Day) -> Result<usize, StoreError> {
    let mut people = std::collections::BTreeSet::new();
    for id in following(ledger, household, number::HOUSEHOLD, number::MEMBER)? {
        let Some(record) = ledger.record(id)?.filter(is_active) else { continue };
        let member: pb::Member = record.typed(|tag| matches!(tag, field::member::FROM_ON | field::member::TO_ON));
        let there = member.from_on.is_none_or(|from| from <= on) && member.to_on.is_none_or(|to| to > on);
        if let Some(person) = record.reference(field::member::PERSON).filter(|_| there) {
            people.insert(survivor(ledger, person)?);
        }
    }
    Ok(people.len())
}
