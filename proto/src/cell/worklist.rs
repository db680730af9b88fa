//! What falls due, and what is late: the time-driven list of an office (domain-detail 3; notice, item 52: dynamic
//! management). Invariant: what a total counts as late on a day is what is listed as late on it, since both are read off
//! the same contributions; nothing is written when a day passes.

use super::{
    Contribution, Shelf, days::birthday, filing::filing, household, is_active, post, refs::Refs, services::services_of,
    survivor,
};
use crate::{
    Record, RecordId,
    check::born,
    date::{Day, add_months},
    indicator::Part,
    pb,
    plan::{Counting, Plans},
    register::{code, field, number},
};
use std::collections::BTreeMap;

macro_rules! clocks {
    ($($(#[doc = $doc:literal])* $name:ident = ($code:literal, $zh:literal, $en:literal),)+) => {
        /// What may fall due.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Clock { $($(#[doc = $doc])* $name,)+ }

        impl Clock {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// Its name for programs: the indicator that counts what is late, where there is one.
            pub fn code(self) -> &'static str {
                match self { $(Self::$name => $code,)+ }
            }

            /// What has to be done, in Chinese.
            pub fn zh(self) -> &'static str {
                match self { $(Self::$name => $zh,)+ }
            }

            /// The same in English.
            pub fn en(self) -> &'static str {
                match self { $(Self::$name => $en,)+ }
            }
        }
    };
}

clocks! {
    /// Item 12: within 20 days of the recognition.
    OneEmployed = ("K08", "零就业家庭一人就业", "one member employed"),
    /// Item 13: within a month of the application.
    DualEmployed = ("K12", "零就业家庭双就业", "two members employed"),
    /// Rule G1: within the plan's `recognition_days` working days of the application.
    Recognition = ("recognition", "零就业家庭申报待认定", "an application to decide on"),
    /// What was made public for long enough.
    Publicity = ("publicity", "公示期满待认定", "publicity ends: to decide on"),
    /// A case without contact for the plan's `zef.silent_months`: a reason to leave (domain-detail 2.5).
    CaseContact = ("contact", "零就业家庭久未联系，核实是否退出", "a household without contact: look whether it leaves"),
    /// Domain-detail 2.3.
    Deregistration = ("K40", "失业人员久未联系，应注销登记", "without contact: to be deregistered"),
    /// Twelve months registered as unemployed.
    LongUnemployed = ("K39", "长期失业，重点帮扶", "unemployed for long: to be helped first"),
    /// Past the age of retirement and still registered.
    Retirement = ("retirement", "已到退休年龄，应注销失业登记", "of the age of retirement: to be deregistered"),
    /// 30 days in hardship, 90 otherwise.
    Verification = ("K38", "台账待核实", "the record is to be verified"),
    /// Of a public-welfare post.
    Subsidy = ("K28b", "公益性岗位补贴到期", "a post's subsidy ends"),
    /// Three years on public-welfare posts, or until retirement (domain-detail 2.9).
    Support = ("support", "公益性岗位安置期满", "support on a public-welfare post ends"),
    /// Of a job.
    Contract = ("contract", "劳动合同到期", "a labour contract ends"),
    /// Item 33.
    Rectification = ("K35b", "责令整顿到期", "an order to rectify is due"),
    /// Four types of documents in force (item 28).
    Documents = ("K22", "四公开文件不全或失效", "public documents are missing or expired"),
    /// A station without a certified assistant.
    Certificate = ("K15", "工作站无持证协理员", "a station without a certified assistant"),
    /// Item 20.
    Task = ("K44b", "调度任务到期", "a task is due"),
    /// Items 43 to 45.
    Campaign = ("campaign", "援助月活动结束", "a campaign ends"),
    /// Item 52.
    Archive = ("K37", "待归档", "to be filed"),
    /// Of a service: when the next visit was to be (2.7).
    Visit = ("visit", "约定的下次走访", "the next visit that was agreed"),
    /// A problem that somebody is to solve (item 21).
    Issue = ("issue", "问题待解决", "an issue to be solved"),
    /// Somebody who was sent waits for the new office's word (domain-detail 4, case 5).
    Transfer = ("transfer", "转入待接收", "a transfer to be answered"),
    /// The month that an office closes.
    Month = ("month", "月报封账", "the month to close"),
}

/// Something with a last day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Due {
    /// The last day in time; it is late the day after.
    pub last: Day,
    /// What.
    pub clock: Clock,
}

/// What is late, as signed parts: a subject is late on the days on which their sum is above 0.
pub const LATE: &[(Clock, &[(Part, i64)])] = &[
    (Clock::OneEmployed, &[(Part::ZefOverdue, 1)]),
    (Clock::DualEmployed, &[(Part::DualOverdue, 1)]),
    (Clock::Deregistration, &[(Part::UnemployedSilent, 1)]),
    (Clock::LongUnemployed, &[(Part::UnemployedLong, 1)]),
    (Clock::Retirement, &[(Part::RetiredUnemployed, 1)]),
    (Clock::Verification, &[(Part::Residents, 1), (Part::Households, 1), (Part::Fresh, -1)]),
    (Clock::Subsidy, &[(Part::SubsidyOver, 1)]),
    (Clock::Rectification, &[(Part::RectifyOverdue, 1)]),
    (Clock::Documents, &[(Part::Platforms, 1), (Part::DocsComplete, -1)]),
    (Clock::Certificate, &[(Part::Stations, 1), (Part::StationsCertified, -1)]),
    (Clock::Task, &[(Part::TasksOverdue, 1)]),
];

/// What of a subject is late on a day, or will be within so many days if nothing is done.
pub fn of_contributions(steps: &[Contribution], on: Day, within: u32) -> Vec<Due> {
    let horizon = on.saturating_add_unsigned(within);
    let mut found = Vec::new();
    for (clock, parts) in LATE {
        let mut days: BTreeMap<Day, i64> = BTreeMap::new();
        for step in steps {
            let sign = parts.iter().find(|(part, _)| part.number() == step.key.part).map(|(_, sign)| sign);
            if let Some(sign) = sign {
                *days.entry(step.key.date).or_default() += sign * step.delta;
            }
        }
        // Late from the day after the last one: what falls due on the horizon's day is late the day after it.
        let (mut sum, mut since) = (0, None);
        for (day, delta) in days.range(..=horizon.saturating_add(1)) {
            if *day > on && since.is_some() {
                break; // late today, whatever tomorrow brings by itself
            }
            sum += delta;
            since = if sum > 0 { since.or(Some(*day)) } else { None };
        }
        found.extend(since.map(|since: Day| Due { last: since.saturating_sub(1), clock: *clock }));
    }
    found
}

/// Registers whose records have a last day by themselves.
pub const DATED: [u32; 9] = [
    number::SERVICE_RECORD,
    number::ISSUE,
    number::TRANSFER,
    number::ZEF_CASE,
    number::HARDSHIP_CASE,
    number::FEC_CASE,
    number::ARCHIVE_ENTRY,
    number::PLACEMENT,
    number::CAMPAIGN,
];

/// What of a record has a last day and is open on a day, beside what [`of_contributions`] finds of its subject.
///
/// # Errors
/// When the shelf fails.
pub fn of_record<S: Shelf>(
    shelf: &S,
    (id, record): (RecordId, &Record),
    plans: &Plans,
    on: Day,
) -> Result<Vec<Due>, S::Error> {
    let mut found = Vec::new();
    if !is_active(record) {
        return Ok(found);
    }
    let mut due = |clock: Clock, last: Option<Day>| found.extend(last.map(|last| Due { last, clock }));
    match record.register {
        number::ZEF_CASE => {
            let own: pb::ZefCase = record.typed(|tag| {
                matches!(
                    tag,
                    field::zef_case::HOUSEHOLD
                        | field::zef_case::APPLIED_ON
                        | field::zef_case::PUBLICITY_TO
                        | field::zef_case::RECOGNISED_ON
                        | field::zef_case::EXIT_ON
                        | field::zef_case::REFUSED_ON
                )
            });
            let by = |day: Option<Day>| day.is_some_and(|day| day <= on);
            if !by(own.recognised_on) && !by(own.refused_on) && !by(own.exit_on) {
                let plan = |day: Day| {
                    let plan = plans.on(day);
                    plan.calendar.after(day, plan.zef.recognition_days, Counting::Working)
                };
                due(Clock::Recognition, own.applied_on.filter(|day| *day <= on).map(plan));
                due(Clock::Publicity, own.publicity_to);
            } else if by(own.recognised_on) && !by(own.exit_on) {
                let household = own.household.as_deref().and_then(RecordId::from_slice);
                let known = household.map(|id| last_contact(shelf, id, on)).transpose()?.flatten();
                let last = own.recognised_on.max(known);
                due(Clock::CaseContact, last.map(|day| add_months(day, plans.on(day).zef.silent_months)));
            }
        }
        number::HARDSHIP_CASE => {
            let own: pb::HardshipCase = record.typed(|tag| {
                matches!(
                    tag,
                    field::hardship_case::PUBLICITY_TO
                        | field::hardship_case::RECOGNISED_ON
                        | field::hardship_case::EXIT_ON
                        | field::hardship_case::REFUSED_ON
                )
            });
            let decided = [own.recognised_on, own.exit_on, own.refused_on];
            due(Clock::Publicity, own.publicity_to.filter(|_| !decided.into_iter().flatten().any(|day| day <= on)));
        }
        number::PLACEMENT => {
            let own: pb::Placement = record.typed(|tag| {
                matches!(tag, field::placement::START_ON | field::placement::END_ON | field::placement::CONTRACT_TO)
            });
            let open = own.start_on.is_some_and(|start| start <= on) && own.end_on.is_none_or(|end| on < end);
            due(Clock::Contract, own.contract_to.filter(|_| open));
            if open {
                due(
                    Clock::Support,
                    post::supported_until(shelf, record, plans, retires_on(shelf, record, plans, on)?)?,
                );
            }
        }
        number::FEC_CASE => {
            let own: pb::FecCase =
                record.typed(|tag| matches!(tag, field::fec_case::STAGE | field::fec_case::PUBLICITY_TO));
            due(
                Clock::Publicity,
                own.publicity_to.filter(|_| own.stage.as_deref() == Some(code::title_stage::PUBLICISED)),
            );
        }
        number::SERVICE_RECORD => due(Clock::Visit, next_visit(shelf, record)?),
        number::ISSUE => {
            let own: pb::Issue = record
                .typed(|tag| matches!(tag, field::issue::RAISED_ON | field::issue::DUE_ON | field::issue::CLOSED_ON));
            let open =
                own.closed_on.is_none_or(|closed| on < closed) && own.raised_on.is_none_or(|raised| raised <= on);
            due(Clock::Issue, own.due_on.filter(|_| open));
        }
        number::TRANSFER => {
            let own: pb::Transfer = record.typed(|tag| {
                matches!(tag, field::transfer::ASKED_ON | field::transfer::DECISION | field::transfer::DONE_ON)
            });
            let open = own.decision.is_none() && own.done_on.is_none();
            let asked = own.asked_on.filter(|asked| open && *asked <= on);
            due(Clock::Transfer, asked.map(|asked| asked.saturating_add(plans.on(asked).work.transfer_days)));
        }
        number::CAMPAIGN => {
            let own: pb::Campaign =
                record.typed(|tag| matches!(tag, field::campaign::FROM_ON | field::campaign::TO_ON));
            let runs = own.from_on.is_some_and(|from| from <= on) && own.to_on.is_some_and(|to| on <= to);
            due(Clock::Campaign, own.to_on.filter(|_| runs));
        }
        _ => {}
    }
    if let Some(filing) = filing(shelf, (id, record), plans)?.filter(|filing| filing.is_open_on(on)) {
        due(Clock::Archive, Some(filing.due));
    }
    Ok(found)
}

/// The day of the next visit that was agreed with a service, until somebody has been there again; none for one that was
/// taken back.
fn next_visit<S: Shelf>(shelf: &S, service: &Record) -> Result<Option<Day>, S::Error> {
    let own: pb::ServiceRecord =
        service.typed(|tag| matches!(tag, field::service_record::ON | field::service_record::NEXT_ON));
    let (Some(on), Some(next)) = (own.on, own.next_on) else { return Ok(None) };
    let of = |tag, register| match service.reference(tag) {
        Some(whom) => {
            let refs = Refs::to(shelf, survivor(shelf, whom)?, register)?;
            services_of(shelf, refs.active(shelf, number::SERVICE_RECORD, tag)?)
        }
        None => Ok(Vec::new()),
    };
    let mut services = of(field::service_record::PERSON, number::RESIDENT)?;
    services.extend(of(field::service_record::HOUSEHOLD, number::HOUSEHOLD)?);
    let stands = services.iter().any(|service| service.on == on);
    let again = services.iter().any(|service| service.on > on);
    Ok(Some(next).filter(|_| stands && !again))
}

/// The last day by `on` on which anybody served the household or a member of it.
pub(super) fn last_contact<S: Shelf>(shelf: &S, household: RecordId, on: Day) -> Result<Option<Day>, S::Error> {
    let services = household::services_to(shelf, survivor(shelf, household)?)?;
    Ok(services.iter().map(|service| service.on).filter(|day| *day <= on).max())
}

/// The birthday on which whoever a placement is of reaches the age of retirement; none without a valid number.
fn retires_on<S: Shelf>(shelf: &S, placement: &Record, plans: &Plans, on: Day) -> Result<Option<Day>, S::Error> {
    let Some(person) = placement.reference(field::placement::PERSON).map(|id| survivor(shelf, id)).transpose()? else {
        return Ok(None);
    };
    let plan = &plans.on(on).unemployment;
    let born = shelf.look(person, |record| record.and_then(born))?;
    Ok(born.map(|born| birthday(born, plan.retire_male, plan.retire_female)))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::{OrgCode, cell::CellKey};

    fn step(part: Part, date: Day, delta: i64) -> Contribution {
        Contribution { key: CellKey { unit: OrgCode::new(210_402_011_003).unwrap(), part: part.number(), date }, delta }
    }

    #[test]
    fn what_is_late_on_the_day_is_listed_by_its_last_day_and_what_will_be_within_the_days() {
        let steps = [step(Part::ZefOverdue, 100, 1), step(Part::ZefOverdue, 120, -1)];
        let at = |on, within| of_contributions(&steps, on, within);
        let due = vec![Due { last: 99, clock: Clock::OneEmployed }];
        assert_eq!((at(91, 7), at(92, 7), at(99, 0)), (vec![], due.clone(), due.clone()), "the last day is within");
        assert_eq!((at(100, 0), at(119, 7), at(120, 7)), (due.clone(), due, vec![]), "late until it is done");
    }

    #[test]
    fn a_record_is_to_be_verified_from_the_day_after_it_was_fresh() {
        let steps = [step(Part::Residents, 10, 1), step(Part::Fresh, 20, 1), step(Part::Fresh, 50, -1)];
        let at = |on, within| of_contributions(&steps, on, within).first().map(|due| due.last);
        assert_eq!(
            [at(15, 0), at(20, 7), at(42, 7), at(49, 0), at(60, 0)],
            [Some(9), None, Some(49), Some(49), Some(49)]
        );
    }

    #[test]
    fn every_clock_has_its_own_name() {
        let codes: std::collections::BTreeSet<&str> = Clock::ALL.iter().map(|clock| clock.code()).collect();
        assert_eq!(codes.len(), Clock::ALL.len());
    }
}
