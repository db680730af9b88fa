//! What may stand as it is entered, and should be looked into: second jobs, exits for a cause that the records do not bear
//! out, a level 3 certificate without level 4 before it (domain-detail 2.5, 2.6, 2.10), and what an import could not place.
//! Invariant: a doubt refuses nothing and counts in nothing; it follows from the records, so it goes by itself.

use super::{
    Shelf, case, is_active,
    person::{WITHDRAWN, services_of},
    post,
    refs::Refs,
    span::Spans,
    station, survivor,
};
use crate::{
    OrgCode, Record, RecordId,
    date::{self, Day, add_months},
    pb::{self, Tier},
    plan::{Plan, Plans},
    register::{EFFECTIVE_ON, IMPORT_NOTE, number},
    stamp::Stamp,
};

/// Something to look into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doubt {
    /// Another job of the same person is open; part-time work is allowed.
    SecondJob,
    /// Level 3 without level 4 for long enough, or a degree.
    WithoutLevel4,
    /// So many refusals of what was recommended: the household may leave.
    Refused(u32),
    /// It left for refusing, and so many refusals are on record.
    NotRefused(u32),
    /// Somebody is stably employed: the household may leave.
    Stable,
    /// It left as stably employed, and nobody was by the records.
    NotStable,
    /// The office's clock was wrong when it was entered, so many days ahead, or behind: its business day may be, too
    /// (domain-detail 4, case 6).
    WrongClock(Day),
    /// The import kept text that no field or code list takes.
    Imported,
}

impl Doubt {
    /// Its name for programs.
    pub fn code(self) -> &'static str {
        match self {
            Self::SecondJob => "second_job",
            Self::WithoutLevel4 => "without_level4",
            Self::Refused(_) => "refused",
            Self::NotRefused(_) => "not_refused",
            Self::Stable => "stable",
            Self::NotStable => "not_stable",
            Self::WrongClock(_) => "wrong_clock",
            Self::Imported => "imported",
        }
    }

    /// What to do, in Chinese with English beside it.
    pub fn words(self) -> String {
        match self {
            Self::SecondJob => "此人另有在岗记录，请核实是否兼职 (another job is open)".into(),
            Self::WithoutLevel4 => {
                "三级证书：未见其持四级证书满规定月数，或大专以上学历 (level 3 without level 4 or a degree)".into()
            }
            Self::Refused(times) => format!("已拒绝推荐{times}次，可按规定退出 (may leave: refused)"),
            Self::NotRefused(times) => format!("以拒绝推荐退出，在案拒绝仅{times}次 (left for refusing)"),
            Self::Stable => "成员已稳定就业，可办理退出 (may leave: stably employed)".into(),
            Self::NotStable => "以就业稳定退出，登记中未见稳定就业依据 (left as stable, not by the records)".into(),
            Self::WrongClock(ahead) => format!(
                "录入时本机时钟{}{}天，请核对日期并填写“业务发生日期” (the clock was wrong: say when it happened)",
                if ahead > 0 { "快" } else { "慢" },
                ahead.unsigned_abs()
            ),
            Self::Imported => "导入时有无法归类的内容，见“导入存疑” (see the import finding)".into(),
        }
    }
}

/// Left because stably employed; left because of refusals (L13).
const STABLE: &str = "1";
const REFUSED: &str = "2";
/// Level 3 (L21).
const LEVEL3: &[u8] = b"3";
/// The person's own refusal (L39).
const DECLINED: &[u8] = b"3";

/// Registers of which a record may be in doubt beside what an import left.
pub const DOUBTED: [u32; 3] = [number::PLACEMENT, number::CREDENTIAL, number::ZEF_CASE];

/// What is to be looked into in a record on a day.
///
/// # Errors
/// When the shelf fails.
pub fn doubts<S: Shelf>(
    shelf: &S,
    (id, record): (RecordId, &Record),
    plans: &Plans,
    on: Day,
) -> Result<Vec<Doubt>, S::Error> {
    let mut found = Vec::new();
    if !is_active(record) {
        return Ok(found);
    }
    if record.slice(IMPORT_NOTE).is_some_and(|note| !note.is_empty()) {
        found.push(Doubt::Imported);
    }
    found.extend(wrong_clock(id, record).map(Doubt::WrongClock));
    match record.register {
        number::PLACEMENT => found.extend(second_job(shelf, id, record, on)?.then_some(Doubt::SecondJob)),
        number::CREDENTIAL if record.slice(21) == Some(LEVEL3) => {
            let months = plans.on(on).assistants.level4_months;
            found.extend((!station::may_rise(shelf, record, months)?).then_some(Doubt::WithoutLevel4));
        }
        number::ZEF_CASE => found.extend(of_case(shelf, record, plans, on)?),
        _ => {}
    }
    Ok(found)
}

/// Days by which an office's clock and the right time may differ.
const OFF: Day = 1;

/// How many days the clock of the office was ahead that made a record, where that can't be; until somebody has said when
/// it happened.
fn wrong_clock(id: RecordId, record: &Record) -> Option<Day> {
    // Its id has the office's clock as it was; the stamp of what came with it was set right when it arrived.
    let first = record.origins.first().filter(|origin| origin.received > 0 && origin.revision == record.created)?;
    // What a hub made follows from an order or a check, and so does its id.
    OrgCode::new(first.unit).ok().filter(|unit| unit.tier() < Tier::District)?;
    let ahead = date::shanghai(id.made()).saturating_sub(date::shanghai(Stamp(first.stamp).millis()));
    let said = record.day(EFFECTIVE_ON).is_some() && record.revision_of(EFFECTIVE_ON) > first.revision;
    (ahead.saturating_abs() > OFF && !said).then_some(ahead)
}

/// Whether a person's other job, which began before this one, is open beside it.
fn second_job<S: Shelf>(shelf: &S, id: RecordId, record: &Record, on: Day) -> Result<bool, S::Error> {
    let Some(own) = post::span_of(record).filter(|span| span.from <= on && on < span.to) else { return Ok(false) };
    let Some(person) = record.reference(20).map(|person| survivor(shelf, person)).transpose()? else {
        return Ok(false);
    };
    let others = Refs::to(shelf, person, number::RESIDENT)?.active(shelf, number::PLACEMENT, 20)?;
    Ok(others.iter().any(|(other, record)| {
        let theirs = post::span_of(record).filter(|span| span.from <= on && on < span.to);
        *other != id && theirs.is_some_and(|span| (span.from, *other) < (own.from, id))
    }))
}

fn of_case<S: Shelf>(shelf: &S, record: &Record, plans: &Plans, on: Day) -> Result<Option<Doubt>, S::Error> {
    let own: pb::ZefCase = record.typed(|tag| matches!(tag, 21 | 27 | 34 | 35));
    let household = own.household.as_deref().and_then(RecordId::from_slice);
    let (Some(household), Some(recognised)) = (household, own.recognised_on.filter(|day| *day <= on)) else {
        return Ok(None);
    };
    let household = survivor(shelf, household)?;
    let left = own.exit_on.filter(|exit| *exit <= on);
    let plan = plans.on(left.unwrap_or(on));
    let until = left.unwrap_or(on);
    Ok(match (left, own.exit_cause.as_deref()) {
        (Some(_), Some(WITHDRAWN)) => None,
        (Some(exit), Some(STABLE)) => (!is_stable(shelf, household, plan, exit)?).then_some(Doubt::NotStable),
        (Some(_), Some(REFUSED)) => {
            let times = refusals(shelf, household, recognised, until)?;
            (times < plan.zef.refusals).then_some(Doubt::NotRefused(times))
        }
        (Some(_), _) => None,
        (None, _) if is_stable(shelf, household, plan, on)? => Some(Doubt::Stable),
        (None, _) => {
            let times = refusals(shelf, household, recognised, until)?;
            (times >= plan.zef.refusals).then_some(Doubt::Refused(times))
        }
    })
}

/// How often one member of a household, or the household itself, refused what was recommended: of several members the one
/// who did most often.
fn refusals<S: Shelf>(shelf: &S, household: RecordId, from: Day, to: Day) -> Result<u32, S::Error> {
    let within = Spans::one(from, to.saturating_add(1));
    let refs = Refs::to(shelf, household, number::HOUSEHOLD)?;
    let of_household = services_of(shelf, refs.active(shelf, number::SERVICE_RECORD, 21)?)?;
    let together = of_household.iter().filter(|one| one.refused && !one.of_person && within.has(one.on)).count();
    let mut most = 0;
    for (person, belongs) in case::counted_members(shelf, household)? {
        let days = within.and(&belongs.days);
        let about = Refs::to(shelf, person, number::RESIDENT)?;
        let referrals = about.active(shelf, number::REFERRAL, 20)?;
        let declined = referrals
            .iter()
            .filter(|(_, record)| record.slice(23) == Some(DECLINED) && record.day(22).is_some_and(|on| days.has(on)));
        let services = services_of(shelf, about.active(shelf, number::SERVICE_RECORD, 20)?)?;
        most = most.max(declined.count() + services.iter().filter(|one| one.refused && days.has(one.on)).count());
    }
    Ok((most + together) as u32)
}

/// Whether a counted member of a household has a stable job on a day.
///
/// # Errors
/// When the shelf fails.
pub fn is_stable<S: Shelf>(shelf: &S, household: RecordId, plan: &Plan, on: Day) -> Result<bool, S::Error> {
    for (person, belongs) in case::counted_members(shelf, household)? {
        let placements = Refs::to(shelf, person, number::RESIDENT)?.active(shelf, number::PLACEMENT, 20)?;
        let open = |record: &Record| post::span_of(record).is_some_and(|span| span.from <= on && on < span.to);
        if belongs.days.has(on) && placements.iter().any(|(_, record)| open(record) && stable(record, plan)) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// On one's own account without a licence (L14).
const FLEXIBLE: &str = "3";

/// A contract of a year or more; or a business licence and the minimum wage; or flexible work, the minimum wage, and social
/// insurance (domain-detail 2.5).
fn stable(placement: &Record, plan: &Plan) -> bool {
    let own: pb::Placement = placement.typed(|tag| matches!(tag, 21 | 25 | 28..=32 | 36));
    let earns = own.wage_month.is_some_and(|wage| wage >= plan.zef.minimum_wage);
    let contract = own.contract_from.or(own.start_on).zip(own.contract_to);
    let for_long = contract.is_some_and(|(from, to)| to.saturating_add(1) >= add_months(from, plan.zef.stable_months));
    let without_end = own.contract_kind.as_deref().is_some_and(|kind| kind.contains("无固定"));
    let flexible = own.kind.as_deref() == Some(FLEXIBLE) && own.social_ins == Some(true);
    for_long || without_end || (earns && (own.licensed_on.is_some() || flexible))
}
