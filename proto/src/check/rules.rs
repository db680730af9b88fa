//! Rules that span the fields of one record (domain-detail section 2). Each names its field and what would be right.

use super::{ORDER, Violation, born, violation};
use crate::{
    Record,
    date::{self, Day},
    month::Month,
    pb,
    register::{RegisterDef, VERIFIED_ON, code, field, number},
};

/// Youngest age on the register, years (2.1).
pub const WORKING_AGE: i32 = 16;
/// Fewest characters of a card's number; what clerks write for want of one is shorter.
const SHORTEST_CARD: usize = 5;
/// The day of a resident's death.
pub(super) const DEATH_ON: u32 = field::resident::DEATH_ON;
/// Days of what has happened when it is entered: registration, joining a household, deaths, applications, visits, complaints, a title
/// that was given or revoked. Nothing of the kind lies ahead, and a day that does would count, or begin a clock, before it has come.
const HAPPENED: [(u32, &[u32]); 11] = [
    (number::RESIDENT, &[DEATH_ON, field::resident::REGISTERED_ON]),
    (number::HARDSHIP_CASE, &[field::hardship_case::APPLIED_ON, field::hardship_case::REFUSED_ON]),
    (number::ZEF_CASE, &[field::zef_case::APPLIED_ON, field::zef_case::VISITED_ON, field::zef_case::REFUSED_ON]),
    (number::TRAINEE, &[field::trainee::ENROLLED_ON]),
    (number::REFERRAL, &[field::referral::ON]),
    (number::COMPLAINT, &[field::complaint::RECEIVED_ON]),
    (number::ISSUE, &[field::issue::RAISED_ON]),
    (number::HOUSEHOLD, &[field::household::CLOSED_ON, field::household::REGISTERED_ON]),
    (number::MEMBER, &[field::member::FROM_ON]),
    (number::FEC_CASE, &[field::fec_case::CERTIFIED_ON, field::fec_case::REVOKED_ON]),
    (number::PERIOD_CLOSE, &[field::period_close::CLOSED_ON]),
];

/// Whether a field tells a day of what has happened.
pub(crate) fn has_happened(register: u32, tag: u32) -> bool {
    tag == VERIFIED_ON || HAPPENED.iter().any(|(of, tags)| *of == register && tags.contains(&tag))
}

/// Whether a resident died before the birth that its id number tells.
pub(super) fn died_before_birth(record: &Record) -> bool {
    let birth = born(record).filter(|_| record.register == number::RESIDENT).map(|facts| facts.birth);
    birth.zip(record.day(DEATH_ON)).is_some_and(|(birth, died)| died < birth)
}

/// How far ahead a placement may start, days (2.6).
const PLACEMENT_AHEAD: Day = 30;

/// Highest rank of a commendation that is plausible; how many are commended is the plan's to say.
const MOST_COMMENDED: u32 = 100;

/// Appends every broken rule.
pub(super) fn check(def: &RegisterDef, record: &Record, today: Day, found: &mut Vec<Violation>) {
    let mut rule = |holds: bool, field: &str, name: &'static str, message: &str| {
        if !holds {
            found.push(violation(def, field, name, message));
        }
    };
    match def.number {
        number::RESIDENT => {
            let of_age = born(record).is_none_or(|facts| date::years_between(facts.birth, today) >= WORKING_AGE);
            rule(of_age, "id_no", "age", "未满16周岁，不能登记 (under 16)");
            // An officer's or another card stands in place of the citizen id (L00).
            let other = [code::id_type::OFFICER_S_CARD, code::id_type::OTHER]
                .iter()
                .any(|kind| record.slice(field::resident::ID_TYPE) == Some(kind.as_bytes()))
                && record.bytes(field::resident::OTHER_NO).is_some();
            let known = record.bytes(field::resident::ID_NO).is_some() || other;
            let message =
                "须填写公民身份号码；无身份证的，填写证件类型和其他证件号码 (needs a citizen id, or another card)";
            rule(known, "id_no", "required", message);
            let card = record.slice(field::resident::OTHER_NO).map(String::from_utf8_lossy);
            let plausible =
                card.is_none_or(|card| card.chars().count() >= SHORTEST_CARD && card.chars().any(char::is_numeric));
            let message =
                "其他证件号码应照证件填写，至少5位并含数字 (as on the card: 5 characters or more, with a digit)";
            rule(plausible, "other_no", "card", message);
        }
        number::UNEMPLOYMENT_SPELL => {
            let spell: pb::UnemploymentSpell = record
                .typed(|tag| (field::unemployment_spell::LOST_ON..=field::unemployment_spell::END_ON).contains(&tag));
            rule(
                in_order(spell.lost_on, spell.reg_on),
                "reg_on",
                ORDER,
                "登记日期早于失业日期 (registered before the job was lost)",
            );
            rule(
                in_order(spell.reg_on, spell.end_on),
                "end_on",
                ORDER,
                "注销日期早于登记日期 (ended before it was registered)",
            );
        }
        number::PLACEMENT => {
            let placement: pb::Placement =
                record.typed(|tag| (field::placement::START_ON..=field::placement::CONTRACT_TO).contains(&tag));
            rule(
                in_order(placement.start_on, placement.end_on),
                "end_on",
                ORDER,
                "终止日期早于就业日期 (ended before it started)",
            );
            let near = placement.start_on.is_none_or(|start| start <= today + PLACEMENT_AHEAD);
            rule(near, "start_on", "ahead", "就业日期在30天之后 (starts over 30 days ahead)");
            rule(
                in_order(placement.contract_from, placement.contract_to),
                "contract_to",
                ORDER,
                "合同终止早于起始 (contract ends before it starts)",
            );
        }
        number::HOUSEHOLD => {
            let household: pb::Household =
                record.typed(|tag| (field::household::DIBAO_FROM..=field::household::REGISTERED_ON).contains(&tag));
            rule(
                in_order(household.dibao_from, household.dibao_to),
                "dibao_to",
                ORDER,
                "低保终止早于起始 (allowance ends before it starts)",
            );
            let closed = household.status.as_deref() != Some(code::household_status::CLOSED)
                || household.closed_reason.is_some();
            rule(closed, "closed_reason", "required", "销户必须写明原因 (closing needs a reason)");
            let dated =
                household.status.as_deref() != Some(code::household_status::CLOSED) || household.closed_on.is_some();
            rule(dated, "closed_on", "required", "销户必须写明日期 (closing needs its date)");
        }
        number::MEMBER => {
            let member: pb::Member = record.typed(|tag| (field::member::FROM_ON..=field::member::TO_ON).contains(&tag));
            rule(
                in_order(member.from_on, member.to_on),
                "to_on",
                ORDER,
                "终止日期早于起始日期 (ends before it starts)",
            );
        }
        number::ZEF_CASE => {
            check_case(def, record, "认定日期早于申报日期 (recognised before applied)", today, &mut rule);
        }
        number::ASSISTANT => {
            let assistant: pb::Assistant =
                record.typed(|tag| (field::assistant::FROM_ON..=field::assistant::TO_ON).contains(&tag));
            rule(
                in_order(assistant.from_on, assistant.to_on),
                "to_on",
                ORDER,
                "离岗日期早于上岗日期 (left before starting)",
            );
        }
        number::CREDENTIAL => {
            let credential: pb::Credential =
                record.typed(|tag| (field::credential::ISSUED_ON..=field::credential::VOID_ON).contains(&tag));
            rule(
                in_order(credential.issued_on, credential.void_on),
                "void_on",
                ORDER,
                "失效日期早于发证日期 (void before issued)",
            );
        }
        number::PERSON_SKILL => {
            let level = record.varint(field::person_skill::LEVEL);
            let within = level.is_none_or(|level| (1..=5).contains(&level));
            rule(within, "level", "range", "技能等级应为1至5 (a level from 1 to 5)");
        }
        number::HELD_CERTIFICATE => {
            let own: pb::HeldCertificate = record
                .typed(|tag| matches!(tag, field::held_certificate::ISSUED_ON | field::held_certificate::VOID_ON));
            rule(in_order(own.issued_on, own.void_on), "void_on", ORDER, "失效早于发证 (void before it was issued)");
        }
        number::FEC_CASE => {
            let case: pb::FecCase =
                record.typed(|tag| (field::fec_case::STAGE..=field::fec_case::REVOKE_REASON).contains(&tag));
            rule(
                in_order(case.applied_on, case.certified_on),
                "certified_on",
                ORDER,
                "达标日期早于申报日期 (certified before applied)",
            );
            rule(
                in_order(case.certified_on, case.revoked_on),
                "revoked_on",
                ORDER,
                "取消日期早于达标日期 (revoked before certified)",
            );
            let dated = case.stage.as_deref() != Some(code::title_stage::CERTIFIED) || case.certified_on.is_some();
            rule(dated, "certified_on", "required", "达标必须填写日期 (certified needs its date)");
        }
        number::SCORE_ITEM => {
            let full = record.varint(field::score_item::FULL).unwrap_or(u64::MAX);
            for (tag, name) in [(23, "self"), (24, "township"), (25, "district"), (26, "city")] {
                let within = record.varint(tag).is_none_or(|points| points <= full);
                rule(within, name, "range", "得分超过满分 (more points than there are)");
            }
        }
        number::HARDSHIP_CASE => {
            check_case(def, record, "认定日期早于申请日期 (recognised before applied)", today, &mut rule);
        }
        number::SERVICE_RECORD => {
            let about = record.bytes(field::service_record::PERSON).is_some()
                || record.bytes(field::service_record::HOUSEHOLD).is_some();
            rule(about, "person", "required", "须写明服务的人员或家庭 (needs a person or a household)");
            let service: pb::ServiceRecord = record.typed(|tag| {
                matches!(
                    tag,
                    field::service_record::ON | field::service_record::REFUSED | field::service_record::REFUSED_REASON
                )
            });
            rule(service.on.is_none_or(|day| day <= today + 1), "on", "ahead", "服务日期在今天之后 (in the future)");
            let explained = service.refused != Some(true) || service.refused_reason.is_some();
            rule(explained, "refused_reason", "required", "拒绝必须写明原因 (a refusal needs its reason)");
        }
        number::TRAINING_CLASS => {
            let class: pb::TrainingClass =
                record.typed(|tag| matches!(tag, field::training_class::FROM_ON | field::training_class::TO_ON));
            rule(in_order(class.from_on, class.to_on), "to_on", ORDER, "结业早于开班 (ends before it starts)");
        }
        number::PAIRING => {
            // The city's, which knows no household, waits for the unit to name one.
            let about = [field::pairing::HOUSEHOLD, field::pairing::PERSON, field::pairing::ORDER_NO]
                .iter()
                .any(|tag| record.bytes(*tag).is_some());
            rule(about, "household", "required", "须写明结对的家庭或人员 (needs a household or a person)");
            let pairing: pb::Pairing =
                record.typed(|tag| matches!(tag, field::pairing::FROM_ON | field::pairing::TO_ON));
            rule(in_order(pairing.from_on, pairing.to_on), "to_on", ORDER, "终止早于结对 (ends before it starts)");
        }
        number::PUBLISHED_DOC => {
            let doc: pb::PublishedDoc =
                record.typed(|tag| matches!(tag, field::published_doc::PUBLISHED_ON | field::published_doc::UNTIL));
            rule(
                in_order(doc.published_on, doc.until),
                "until",
                ORDER,
                "有效期早于公布日期 (ends before it is published)",
            );
        }
        number::RECTIFICATION => {
            let own: pb::Rectification =
                record.typed(|tag| matches!(tag, field::rectification::ORDERED_ON | field::rectification::DUE_ON));
            rule(
                in_order(own.ordered_on, own.due_on),
                "due_on",
                ORDER,
                "整顿期限早于责令日期 (due before it is ordered)",
            );
        }
        number::COMMENDATION => {
            let own: pb::Commendation = record.typed(|tag| tag == field::commendation::RANK);
            let within = own.rank.is_none_or(|rank| (1..=MOST_COMMENDED).contains(&rank));
            rule(within, "rank", "range", "名次应在1至100之间 (rank from 1 to 100)");
        }
        number::EXAM => {
            let own: pb::Exam = record.typed(|tag| matches!(tag, field::exam::ENROLLED_ON | field::exam::EXAM_ON));
            rule(in_order(own.enrolled_on, own.exam_on), "exam_on", ORDER, "考试早于报名 (examined before enrolled)");
        }
        number::ISSUE => {
            let own: pb::Issue = record.typed(|tag| matches!(tag, field::issue::RAISED_ON | field::issue::CLOSED_ON));
            rule(in_order(own.raised_on, own.closed_on), "closed_on", ORDER, "销号早于提出 (closed before raised)");
        }
        number::COMPLAINT => {
            let own: pb::Complaint =
                record.typed(|tag| matches!(tag, field::complaint::RECEIVED_ON | field::complaint::CLOSED_ON));
            rule(
                in_order(own.received_on, own.closed_on),
                "closed_on",
                ORDER,
                "办结早于受理 (closed before it was received)",
            );
        }
        number::CAMPAIGN => {
            let own: pb::Campaign =
                record.typed(|tag| matches!(tag, field::campaign::FROM_ON | field::campaign::TO_ON));
            rule(in_order(own.from_on, own.to_on), "to_on", ORDER, "结束早于开始 (ends before it starts)");
        }
        number::TASK => {
            let task: pb::Task = record.typed(|tag| {
                matches!(
                    tag,
                    field::task::GIVEN_ON
                        | field::task::DUE_ON
                        | field::task::INDICATOR
                        | field::task::PROGRESS
                        | field::task::CLOSED_ON
                )
            });
            rule(
                in_order(task.given_on, task.due_on),
                "due_on",
                ORDER,
                "完成期限早于下达日期 (due before it is given)",
            );
            rule(task.progress.is_none_or(|share| share <= 100), "progress", "range", "进度应在0至100之间 (0 to 100)");
            let known = task.indicator.as_deref().is_none_or(|code| crate::indicator::by_code(code).is_some());
            rule(known, "indicator", "indicator", "没有此指标 (no such indicator)");
        }
        number::PERIOD_CLOSE => {
            let close: pb::PeriodClose =
                record.typed(|tag| matches!(tag, field::period_close::MONTH | field::period_close::CLOSED_ON));
            let last = close.month.as_deref().and_then(Month::read).map(Month::last_day);
            rule(last.is_some(), "month", "month", "月份应写成 2008-03 (write the month as 2008-03)");
            let over = close.closed_on.zip(last).is_none_or(|(closed, last)| closed > last);
            rule(over, "closed_on", ORDER, "该月尚未结束，不能封账 (the month is not over)");
        }
        number::POST => {
            let post: pb::Post = record.typed(|tag| matches!(tag, field::post::FROM_ON | field::post::TO_ON));
            rule(in_order(post.from_on, post.to_on), "to_on", ORDER, "终止早于起始 (ends before it starts)");
        }
        number::ARCHIVE_ENTRY => {
            let entry: pb::ArchiveEntry =
                record.typed(|tag| matches!(tag, field::archive_entry::FORMED_ON | field::archive_entry::ARCHIVED_ON));
            rule(
                in_order(entry.formed_on, entry.archived_on),
                "archived_on",
                ORDER,
                "归档早于形成 (archived before it was formed)",
            );
        }
        _ => {}
    }
    let voided = record.slice(crate::register::STATE) != Some(code::state::VOID.as_bytes())
        || record.bytes(crate::register::VOID_REASON).is_some();
    rule(voided, "void_reason", "required", "作废必须写明原因 (voiding needs a reason)");
}

/// A case that is applied for, publicised, recognised and left, of whichever register: its fields have the same names.
fn check_case(
    def: &RegisterDef,
    record: &Record,
    before: &str,
    today: Day,
    rule: &mut impl FnMut(bool, &str, &'static str, &str),
) {
    let tag = |name| def.field_named(name).map(|field| field.tag);
    let day = |name| tag(name).and_then(|tag| record.day(tag));
    let (recognised, exit) = (day("recognised_on"), day("exit_on"));
    rule(in_order(day("applied_on"), recognised), "recognised_on", ORDER, before);
    rule(in_order(recognised, exit), "exit_on", ORDER, "退出日期早于认定日期 (exit before recognition)");
    rule(
        in_order(day("publicity_from"), day("publicity_to")),
        "publicity_to",
        ORDER,
        "公示终止早于起始 (publicity ends before it starts)",
    );
    let past = recognised.is_none_or(|day| day <= today + 1);
    rule(past, "recognised_on", "ahead", "认定日期在今天之后 (recognised in the future)");
    let caused = exit.is_none() || tag("exit_cause").is_some_and(|tag| record.bytes(tag).is_some());
    rule(caused, "exit_cause", "required", "退出必须写明原因 (exit needs a cause)");
}

fn in_order(first: Option<Day>, second: Option<Day>) -> bool {
    match (first, second) {
        (Some(first), Some(second)) => first <= second,
        _ => true,
    }
}
