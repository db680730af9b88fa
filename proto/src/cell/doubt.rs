//! What may stand as it is entered, and should be looked into: second jobs, exits for a cause that the records do not bear
//! out, a level 3 certificate without level 4 before it (domain-detail 2.5, 2.6, 2.10), and what an import could not place.
//! Invariant: a doubt refuses nothing and counts in nothing; it follows from the records, so it goes by itself.

use super::{
    Backdated, Shelf, backdated, case,
    days::{between, is_closed, left_on, on_register_since, open_on},
    derived, is_active,
    person::employed,
    refs::Refs,
    remember::{PAST_RECOGNISED, recognised_on, texts_in},
    services::services_of,
    span::Spans,
    station, survivor,
    worklist::last_contact,
};
use crate::{
    OrgCode, Record, RecordId,
    check::{self, area, born},
    date::{self, Day, add_months},
    pb::{self, Format, Tier},
    plan::{Plan, Plans},
    register::{
        EFFECTIVE_ON, IMPORT_NOTE, PERSON, REVIEWED_BY, SOURCE, STATE, code, field, number, registered_on, registers,
    },
    stamp::Stamp,
};

/// Something to look into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doubt {
    /// Another job of the same person is open; part-time work is allowed.
    SecondJob,
    /// Another spell of the same person's registered unemployment runs on some of its days.
    TwoSpells,
    /// Registered as unemployed, and employed.
    Employed,
    /// A public-welfare job that names no post.
    NoPost,
    /// A counted member of the household is not of working age, or neither able nor willing (2.5).
    Uncountable,
    /// The household is not urban (2.5).
    Rural,
    /// Decided before publicity had ended.
    Unpublished,
    /// Decided without a step that has to come before it, by the name of the step.
    Missing(&'static str),
    /// Deregistered for work, and no job is on record: it counts as none.
    NoJob,
    /// It happened on or after the day on which the person died or moved away: it counts nowhere.
    AfterLeaving,
    /// It happened before the person was put on the register: it does not count before that day.
    BeforeRegistered,
    /// The household had such a case before, and this one does not name it.
    Relapse,
    /// It left because nobody could reach it, and somebody had.
    Reached,
    /// It left for want of ability or wish to work, and its members have both.
    Able,
    /// Of the 4050 by its form, not by age (L06).
    NotElderly,
    /// The form says another employment status than the records.
    Contradicted,
    /// Certified with fewer points than the standard asks for (2.12).
    BelowStandard,
    /// Entered so many days after it happened, and not reviewed since (补录; 2.6, rule G2).
    Backdated(Day),
    /// A score of the case is not the sum of its score sheet.
    SheetDiffers,
    /// The person holds another valid certificate of this kind.
    TwoOfAKind,
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
    /// A day of this field of this register has not come though it tells of what has happened, or is older than any register.
    UnlikelyDay(u32, u32, Day),
    /// This other household has the same head: the two count as two.
    HeadOfTwo(RecordId),
    /// The import kept text that no field or code list takes.
    Imported,
    /// The id number begins with the code of no area that there is or was.
    NoArea,
    /// Recognised by an earlier word on another day; and the last day of its clock, where that had passed with nobody in a
    /// job.
    Redated(Day, Option<Day>),
}

/// The codes of all kinds ([`Doubt::code`]).
pub const KINDS: [&str; 31] = [
    "second_job",
    "two_spells",
    "employed",
    "no_post",
    "uncountable",
    "rural",
    "unpublished",
    "missing_step",
    "no_job",
    "after_leaving",
    "before_registered",
    "relapse",
    "reached",
    "able",
    "not_elderly",
    "contradicted",
    "below_standard",
    "sheet_differs",
    "backdated",
    "two_of_a_kind",
    "without_level4",
    "refused",
    "not_refused",
    "stable",
    "not_stable",
    "wrong_clock",
    "unlikely_day",
    "head_of_two",
    "imported",
    "no_area",
    "redated",
];

impl Doubt {
    /// Its name for programs, one of [`KINDS`].
    pub fn code(self) -> &'static str {
        match self {
            Self::SecondJob => "second_job",
            Self::TwoSpells => "two_spells",
            Self::Employed => "employed",
            Self::NoPost => "no_post",
            Self::Uncountable => "uncountable",
            Self::Rural => "rural",
            Self::Unpublished => "unpublished",
            Self::Missing(_) => "missing_step",
            Self::NoJob => "no_job",
            Self::AfterLeaving => "after_leaving",
            Self::BeforeRegistered => "before_registered",
            Self::Relapse => "relapse",
            Self::Reached => "reached",
            Self::Able => "able",
            Self::NotElderly => "not_elderly",
            Self::Contradicted => "contradicted",
            Self::BelowStandard => "below_standard",
            Self::SheetDiffers => "sheet_differs",
            Self::Backdated(_) => "backdated",
            Self::TwoOfAKind => "two_of_a_kind",
            Self::WithoutLevel4 => "without_level4",
            Self::Refused(_) => "refused",
            Self::NotRefused(_) => "not_refused",
            Self::Stable => "stable",
            Self::NotStable => "not_stable",
            Self::WrongClock(_) => "wrong_clock",
            Self::UnlikelyDay(..) => "unlikely_day",
            Self::HeadOfTwo(_) => "head_of_two",
            Self::Imported => "imported",
            Self::NoArea => "no_area",
            Self::Redated(..) => "redated",
        }
    }

    /// What to do, in Chinese with English beside it.
    pub fn words(self) -> String {
        match self {
            Self::SecondJob => "此人另有在岗记录，请核实是否兼职 (another job is open)".into(),
            Self::TwoSpells => "与此人另一次失业登记的日期重叠 (two spells overlap)".into(),
            Self::Employed => "登记失业期间已在岗，请核实是否注销 (registered, and employed)".into(),
            Self::NoPost => "公益性岗位就业未写明岗位 (a public-welfare job without its post)".into(),
            Self::Uncountable => {
                "有计入成员不在劳动年龄，或无劳动能力、无就业愿望，应改为不计入 (a member should not be counted)".into()
            }
            Self::Rural => "户主为农业户口，请核实是否属于城镇家庭 (not an urban household)".into(),
            Self::Unpublished => "公示期未满即认定 (decided before publicity had ended)".into(),
            Self::Missing(step) => format!("认定前未登记“{step}”，请补登或核实 (decided without this step)"),
            Self::NoJob => {
                "注销原因为就业，登记中没有就业记录，不计为就业 (deregistered for work, no job on record)".into()
            }
            Self::AfterLeaving => {
                "日期在此人死亡或迁出之后，不计入，请核实 (after the person died or moved away: counts nowhere)".into()
            }
            Self::BeforeRegistered => {
                "日期早于此人入册日期，入册前不计入，请核实 (before the person was registered: not counted before it)"
                    .into()
            }
            Self::Redated(before, None) => {
                format!("认定日期由{}改来，请复核 (the day of recognition was changed)", date::iso(before))
            }
            Self::Redated(before, Some(due)) => format!(
                "认定日期由{}改来：按原日期应于{}前一人就业，曾超期 (the day of recognition was changed; by the earlier one it had \
                 been overdue)",
                date::iso(before),
                date::iso(due)
            ),
            Self::Relapse => "该户以前有过案件，请填写“原案” (name the earlier case)".into(),
            Self::Reached => {
                "以失去联系退出，退出前不久仍有服务记录 (left as out of contact, served shortly before)".into()
            }
            Self::Able => "以无就业愿望或能力退出，登记中成员均有 (left as unable, able by the records)".into(),
            Self::NotElderly => "按4050认定，申请时年龄不符 (not of the 4050 by age)".into(),
            Self::Contradicted => "表报就业状况与登记不符，见 card (the form says another status)".into(),
            Self::NoArea => {
                "身份证号码前六位不是已知的行政区划代码，请核对原件 (the id number begins with no known area code)"
                    .into()
            }
            Self::SheetDiffers => "得分与考核评分表各项之和不符 (a score is not the sum of its sheet)".into(),
            Self::BelowStandard => "达标得分低于标准 (certified below the standard's score)".into(),
            Self::Backdated(days) => format!("补录：晚{days}天录入，请审核并填写“审核人” (backdated: to be reviewed)"),
            Self::TwoOfAKind => "此人另有同种有效证件 (another one of the kind is valid)".into(),
            Self::WithoutLevel4 => {
                "三级证书：未见其持四级证书满规定月数，或大专以上学历 (level 3 without level 4 or a degree)".into()
            }
            Self::Refused(times) => format!("已拒绝推荐{times}次，可按规定退出 (may leave: refused)"),
            Self::NotRefused(times) => format!("以拒绝推荐退出，在案拒绝仅{times}次 (left for refusing)"),
            Self::Stable => "成员已稳定就业，可办理退出 (may leave: stably employed)".into(),
            Self::NotStable => "以就业稳定退出，登记中未见稳定就业依据 (left as stable, not by the records)".into(),
            Self::WrongClock(ahead) => format!(
                "录入时本机时钟{}{}天，请核对入册日期等日期，并填写“业务发生日期” (the clock was wrong: mend the day of registration, and say \
                 when it happened)",
                if ahead > 0 { "快" } else { "慢" },
                ahead.unsigned_abs()
            ),
            Self::UnlikelyDay(register, tag, day) => {
                let field = registers().get(register).and_then(|def| def.field(tag));
                let (zh, en) = field.map_or(("日期", "a day"), |field| (field.zh.as_str(), field.en.as_str()));
                format!(
                    "“{zh}”{}在今天之后，或早于1949年10月，请核对年份 ({en} lies ahead, or too far back: check the year)",
                    date::iso(day)
                )
            }
            Self::HeadOfTwo(other) => format!(
                "户主与另一户（记录编号{other}）相同，两户各计一户，请核实是否重复 (that household has the same head: both count)"
            ),
            Self::Imported => "导入时有无法归类的内容，见“导入存疑” (see the import finding)".into(),
        }
    }
}

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
    found.extend(unlikely_day(record, on));
    found.extend(backdated_unseen(record, plans).map(Doubt::Backdated));
    found.extend(beyond_register(shelf, record)?);
    found.extend(missing_steps(record).map(Doubt::Missing));
    match record.register {
        number::RESIDENT => {
            let number = record.slice(field::resident::ID_NO).and_then(|id| std::str::from_utf8(id).ok());
            found.extend(number.is_some_and(|number| !area::is_known(number)).then_some(Doubt::NoArea));
            // Where no record says what somebody does the form says more, not otherwise.
            let so = derived(shelf, id, on, plans)?.is_some_and(|person| {
                let known =
                    !matches!(person.employment, code::employment::UNEMPLOYED_NOT_REGISTERED | code::employment::OTHER);
                known
                    && person.contradicted.is_some_and(|claim| claim.bytes().next() != person.employment.bytes().next())
            });
            found.extend(so.then_some(Doubt::Contradicted));
        }
        number::PLACEMENT => {
            found.extend(second_job(shelf, id, record, on)?.then_some(Doubt::SecondJob));
            let unnamed = record.slice(field::placement::KIND) == Some(code::job::PUBLIC_WELFARE_POST.as_bytes())
                && record.bytes(field::placement::POST).is_none();
            found.extend(unnamed.then_some(Doubt::NoPost));
        }
        number::HOUSEHOLD => found.extend(head_of_two(shelf, id, record)?.map(Doubt::HeadOfTwo)),
        number::UNEMPLOYMENT_SPELL => found.extend(of_spell(shelf, id, record, on)?),
        number::HELD_CERTIFICATE => {
            found.extend(two_of_a_kind(shelf, id, record)?.then_some(Doubt::TwoOfAKind));
        }
        number::HARDSHIP_CASE => {
            found.extend(
                unpublished(record, field::hardship_case::RECOGNISED_ON, field::hardship_case::PUBLICITY_TO)
                    .then_some(Doubt::Unpublished),
            );
            found.extend(not_elderly(shelf, record, plans)?.then_some(Doubt::NotElderly));
            found.extend(redated(shelf, id, record, plans, on)?);
        }
        number::FEC_CASE => {
            found.extend(
                unpublished(record, field::fec_case::CERTIFIED_ON, field::fec_case::PUBLICITY_TO)
                    .then_some(Doubt::Unpublished),
            );
            let least =
                record.day(field::fec_case::CERTIFIED_ON).map(|day| u64::from(plans.on(day).fec.standard.score) * 10);
            let below = least.zip(record.varint(field::fec_case::SCORE)).is_some_and(|(least, score)| score < least);
            found.extend(below.then_some(Doubt::BelowStandard));
            found.extend(sheet_differs(shelf, id, record)?.then_some(Doubt::SheetDiffers));
        }
        number::CREDENTIAL
            if record.slice(field::credential::LEVEL) == Some(code::assistant_level::GRADE_THREE.as_bytes()) =>
        {
            let months = plans.on(on).assistants.level4_months;
            found.extend((!station::may_rise(shelf, record, months)?).then_some(Doubt::WithoutLevel4));
        }
        number::ZEF_CASE => {
            found.extend(of_case(shelf, record, plans, on)?);
            found.extend(
                unpublished(record, field::zef_case::RECOGNISED_ON, field::zef_case::PUBLICITY_TO)
                    .then_some(Doubt::Unpublished),
            );
            found.extend(of_recognition(shelf, id, record, plans, on)?);
            found.extend(redated(shelf, id, record, plans, on)?);
        }
        _ => {}
    }
    Ok(found)
}

/// By how many days more than the plan allows something was entered after it happened; what a file brought was on paper
/// before, and what somebody has reviewed is no doubt any more.
fn backdated_unseen(record: &Record, plans: &Plans) -> Option<Day> {
    let seen = record.bytes(REVIEWED_BY).is_some() || record.slice(SOURCE) == Some(code::source::IMPORTED.as_bytes());
    backdated(record, plans).filter(|_| !seen).map(Backdated::days)
}

/// The day of what happened to a person, by register.
const HAPPENED: [(u32, u32); 4] = [
    (number::PLACEMENT, field::placement::START_ON),
    (number::UNEMPLOYMENT_SPELL, field::unemployment_spell::REG_ON),
    (number::HARDSHIP_CASE, field::hardship_case::RECOGNISED_ON),
    (number::TRAINEE, field::trainee::ENROLLED_ON),
];

/// Days that tell of what has happened, beside those that nobody may enter before it has ([`check::has_happened`]), by register.
const FACTS: [(u32, &[u32]); 4] = [
    (number::RESIDENT, &[field::resident::LAIDOFF_ON]),
    (number::UNEMPLOYMENT_SPELL, &[field::unemployment_spell::LOST_ON, field::unemployment_spell::REG_ON]),
    (number::HELD_CERTIFICATE, &[field::held_certificate::ISSUED_ON]),
    (number::CREDENTIAL, &[field::credential::ISSUED_ON]),
];
/// Of every register: when it happened, and when it was reviewed.
const FACTS_OF_ALL: [u32; 2] = [EFFECTIVE_ON, 10];

/// The first field whose day can't be right: one to come of what has happened, or one before there were such registers.
fn unlikely_day(record: &Record, on: Day) -> Option<Doubt> {
    let own = FACTS.iter().find(|(register, _)| *register == record.register).map_or(&[][..], |(_, tags)| tags);
    let is_fact =
        |tag: u32| check::has_happened(record.register, tag) || own.contains(&tag) || FACTS_OF_ALL.contains(&tag);
    let def = registers().get(record.register)?;
    let days = def.fields.iter().filter(|field| field.format == Format::Date);
    let mut days = days.filter_map(|field| Some((field.tag, record.day(field.tag)?)));
    let wrong = days.find(|(tag, day)| *day < date::OLDEST || (is_fact(*tag) && *day > on.saturating_add(1)));
    wrong.map(|(tag, day)| Doubt::UnlikelyDay(record.register, tag, day))
}

/// Whether something happened to a person who was not on the register then, so that it does not count. A job may have begun
/// before.
fn beyond_register<S: Shelf>(shelf: &S, record: &Record) -> Result<Option<Doubt>, S::Error> {
    let day = HAPPENED.iter().find(|(register, _)| *register == record.register).and_then(|(_, tag)| record.day(*tag));
    let (Some(day), Some(person)) = (day, record.reference(PERSON)) else { return Ok(None) };
    let person = survivor(shelf, person)?;
    shelf.look(person, |person| {
        let person = person?;
        if left_on(person).is_some_and(|left| left <= day) {
            return Some(Doubt::AfterLeaving);
        }
        let before = record.register != number::PLACEMENT && day < on_register_since(person);
        before.then_some(Doubt::BeforeRegistered)
    })
}

/// The steps that come before a decision: the field of the decision, and each step with the fields that show it.
type Steps = (u32, u32, &'static [(&'static [u32], &'static str)]);
const STEPS: [Steps; 3] = [
    (
        number::ZEF_CASE,
        field::zef_case::RECOGNISED_ON,
        &[
            (&[field::zef_case::VISITED_ON], "核实 (visit)"),
            (&[field::zef_case::PUBLICITY_FROM, field::zef_case::PUBLICITY_TO], "公示 (publicity)"),
        ],
    ),
    (
        number::HARDSHIP_CASE,
        field::hardship_case::RECOGNISED_ON,
        &[
            (&[field::hardship_case::CHECKED_ON], "初审 (first review)"),
            (&[field::hardship_case::PUBLICITY_FROM, field::hardship_case::PUBLICITY_TO], "公示 (publicity)"),
        ],
    ),
    (
        number::FEC_CASE,
        field::fec_case::CERTIFIED_ON,
        &[
            (&[field::fec_case::REVIEWED_BY_STREET_ON], "街道初审 (review by the street)"),
            (&[field::fec_case::ASSESSED_ON], "县区考核 (assessment)"),
            (&[field::fec_case::PUBLICITY_FROM, field::fec_case::PUBLICITY_TO], "公示 (publicity)"),
        ],
    ),
];

/// The steps before its decision that a record says nothing of. What a file brought was decided on paper.
fn missing_steps(record: &Record) -> impl Iterator<Item = &'static str> + '_ {
    let own =
        STEPS.iter().find(|(register, decided, _)| *register == record.register && record.day(*decided).is_some());
    let steps = own
        .filter(|_| record.slice(SOURCE) != Some(code::source::IMPORTED.as_bytes()))
        .map_or(&[][..], |(_, _, steps)| steps);
    steps.iter().filter(|(tags, _)| tags.iter().all(|tag| record.bytes(*tag).is_none())).map(|(_, step)| *step)
}

/// Whether something was decided before the last day of its publicity was over.
fn unpublished(record: &Record, decided: u32, public_to: u32) -> bool {
    record.day(decided).zip(record.day(public_to)).is_some_and(|(decided, last)| decided <= last)
}

/// Whether one of a case's four scores is another than the points of its score sheet come to. A column that nobody has
/// filled in says nothing; nor does a case without a sheet.
fn sheet_differs<S: Shelf>(shelf: &S, id: RecordId, case: &Record) -> Result<bool, S::Error> {
    let items =
        Refs::to(shelf, id, number::FEC_CASE)?.active(shelf, number::SCORE_ITEM, field::score_item::FEC_CASE)?;
    let columns = [
        (field::fec_case::SCORE_SELF, field::score_item::SELF),
        (field::fec_case::SCORE_TOWNSHIP, field::score_item::TOWNSHIP),
        (field::fec_case::SCORE, field::score_item::DISTRICT),
        (field::fec_case::SCORE_CITY, field::score_item::CITY),
    ];
    Ok(columns.into_iter().any(|(total, points)| {
        let filled: Vec<u64> = items.iter().filter_map(|(_, item)| item.varint(points)).collect();
        !filled.is_empty() && case.varint(total).is_some_and(|total| total != filled.iter().sum::<u64>())
    }))
}

/// Whether somebody is hard to employ as one of the 4050 without having been of the age when that was applied for.
fn not_elderly<S: Shelf>(shelf: &S, record: &Record, plans: &Plans) -> Result<bool, S::Error> {
    let own: pb::HardshipCase =
        record.typed(|tag| matches!(tag, field::hardship_case::KIND | field::hardship_case::APPLIED_ON));
    let (Some(person), Some(applied)) = (record.reference(field::hardship_case::PERSON), own.applied_on) else {
        return Ok(false);
    };
    if !own.kind.iter().any(|kind| kind == code::hardship::AGE_40_OR_50_AND_OVER) {
        return Ok(false);
    }
    let person = derived(shelf, survivor(shelf, person)?, applied, plans)?;
    Ok(person.is_some_and(|person| person.age.is_some() && !person.elderly))
}

/// Whether a person holds another valid certificate of a kind; told of the later.
fn two_of_a_kind<S: Shelf>(shelf: &S, id: RecordId, record: &Record) -> Result<bool, S::Error> {
    let (Some(person), Some(kind)) =
        (record.reference(field::held_certificate::PERSON), record.slice(field::held_certificate::KIND))
    else {
        return Ok(false);
    };
    let person = survivor(shelf, person)?;
    let valid = |record: &Record| {
        between(record.day(field::held_certificate::ISSUED_ON), record.day(field::held_certificate::VOID_ON))
    };
    let alike = |other: RecordId, twin: &Record| {
        (twin.day(field::held_certificate::ISSUED_ON), other) < (record.day(field::held_certificate::ISSUED_ON), id)
            && is_active(twin)
            && twin.slice(field::held_certificate::KIND) == Some(kind)
    };
    let held = Refs::to(shelf, person, number::RESIDENT)?.active(
        shelf,
        number::HELD_CERTIFICATE,
        field::held_certificate::PERSON,
    )?;
    let two = held.iter().any(|(other, twin)| {
        alike(*other, twin)
            && twin.slice(field::held_certificate::NUMBER) != record.slice(field::held_certificate::NUMBER)
            && !valid(twin).and(&valid(record)).is_empty()
    });
    Ok(two)
}

/// Another household that stands and has the same head; told of the later.
fn head_of_two<S: Shelf>(shelf: &S, id: RecordId, record: &Record) -> Result<Option<RecordId>, S::Error> {
    let Some(head) = record.reference(field::household::HEAD_PERSON).filter(|_| !is_closed(record)) else {
        return Ok(None);
    };
    let head = survivor(shelf, head)?;
    let households =
        Refs::to(shelf, head, number::RESIDENT)?.active(shelf, number::HOUSEHOLD, field::household::HEAD_PERSON)?;
    Ok(households.iter().find(|(other, household)| *other < id && !is_closed(household)).map(|(other, _)| *other))
}

fn of_spell<S: Shelf>(shelf: &S, id: RecordId, record: &Record, on: Day) -> Result<Vec<Doubt>, S::Error> {
    let mut found = Vec::new();
    let days = |record: &Record| {
        let from = record.day(field::unemployment_spell::REG_ON)?;
        Some(Spans::one(from, record.day(field::unemployment_spell::END_ON).unwrap_or(Day::MAX)))
    };
    let (Some(own), Some(person)) = (days(record), record.reference(field::unemployment_spell::PERSON)) else {
        return Ok(found);
    };
    let person = survivor(shelf, person)?;
    for (other, twin) in Refs::to(shelf, person, number::RESIDENT)?.active(
        shelf,
        number::UNEMPLOYMENT_SPELL,
        field::unemployment_spell::PERSON,
    )? {
        // Told of the later one.
        let earlier =
            (twin.day(field::unemployment_spell::REG_ON), other) < (record.day(field::unemployment_spell::REG_ON), id);
        if earlier && days(&twin).is_some_and(|theirs| !theirs.and(&own).is_empty()) {
            found.push(Doubt::TwoSpells);
            break;
        }
    }
    let jobs = employed(shelf, person)?;
    if own.has(on) && jobs.has(on) {
        found.push(Doubt::Employed);
    }
    let for_work = record.slice(field::unemployment_spell::END_CAUSE)
        == Some(code::registration_end::EMPLOYED.as_bytes())
        && record.day(field::unemployment_spell::END_ON).is_some_and(|end| end <= on);
    let since =
        record.day(field::unemployment_spell::REG_ON).map_or_else(Spans::default, |from| Spans::one(from, Day::MAX));
    if for_work && jobs.and(&since).is_empty() {
        found.push(Doubt::NoJob);
    }
    Ok(found)
}

/// What a recognition says against the definition of a zero-employment household (2.5), and of the case before it.
fn of_recognition<S: Shelf>(
    shelf: &S,
    id: RecordId,
    record: &Record,
    plans: &Plans,
    on: Day,
) -> Result<Vec<Doubt>, S::Error> {
    let own: pb::ZefCase = record.typed(|tag| {
        matches!(
            tag,
            field::zef_case::HOUSEHOLD
                | field::zef_case::KIND
                | field::zef_case::RECOGNISED_ON
                | field::zef_case::EXIT_ON
                | field::zef_case::RELAPSE_OF
        )
    });
    let mut found = Vec::new();
    let household = own.household.as_deref().and_then(RecordId::from_slice);
    let (Some(household), Some(recognised)) = (household, own.recognised_on.filter(|day| *day <= on)) else {
        return Ok(found);
    };
    let household = survivor(shelf, household)?;
    let refs = Refs::to(shelf, household, number::HOUSEHOLD)?;
    for (other, earlier) in refs.active(shelf, number::ZEF_CASE, field::zef_case::HOUSEHOLD)? {
        let before = earlier.slice(field::zef_case::KIND) == record.slice(field::zef_case::KIND)
            && earlier.day(field::zef_case::EXIT_ON).is_some_and(|exit| exit <= recognised);
        if other != id && before && own.relapse_of.is_none() {
            found.push(Doubt::Relapse);
            break;
        }
    }
    if own.exit_on.is_some_and(|exit| exit <= on) {
        return Ok(found);
    }
    let head =
        shelf.look(household, |record| record.and_then(|record| record.reference(field::household::HEAD_PERSON)))?;
    let head = head.map(|head| survivor(shelf, head)).transpose()?;
    if let Some(head) = head
        && shelf.look(head, |record| {
            record.is_some_and(|record| {
                record.slice(field::resident::HUKOU_KIND) == Some(code::hukou::AGRICULTURAL.as_bytes())
            })
        })?
    {
        found.push(Doubt::Rural);
    }
    let plan = &plans.on(recognised).zef;
    for (person, belongs) in case::counted_members(shelf, household)? {
        let out = shelf.look(person, |record| {
            let Some(record) = record.filter(|record| is_active(record)) else { return false };
            let unable = record.varint(field::resident::LABOUR_ABLE) == Some(0)
                || record.varint(field::resident::JOB_WILLING) == Some(0);
            let of_age = born(record).is_none_or(|born| {
                let last = if born.male { plan.age_male } else { plan.age_female };
                (plan.age_from..=last).contains(&date::years_between(born.birth, recognised))
            });
            unable || !of_age
        })?;
        if out && belongs.days.has(recognised) {
            found.push(Doubt::Uncountable);
            break;
        }
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
    let made = date::shanghai(id.made());
    let ahead = made.saturating_sub(date::shanghai(Stamp(first.stamp).millis()));
    // The day that the office filled in by that clock is wrong as long as it stands, whatever else is said.
    let filled = registered_on(record.register).is_some_and(|tag| record.day(tag) == Some(made));
    let said = record.day(EFFECTIVE_ON).is_some() && record.revision_of(EFFECTIVE_ON) > first.revision && !filled;
    (ahead.saturating_abs() > OFF && !said).then_some(ahead)
}

/// Whether a person's other job, which began before this one, is open beside it.
fn second_job<S: Shelf>(shelf: &S, id: RecordId, record: &Record, on: Day) -> Result<bool, S::Error> {
    let Some(own) = open_on(record, on) else { return Ok(false) };
    let Some(person) = record.reference(field::placement::PERSON).map(|person| survivor(shelf, person)).transpose()?
    else {
        return Ok(false);
    };
    let others =
        Refs::to(shelf, person, number::RESIDENT)?.active(shelf, number::PLACEMENT, field::placement::PERSON)?;
    Ok(others.iter().any(|(other, record)| {
        let theirs = open_on(record, on);
        *other != id && theirs.is_some_and(|span| (span.from, *other) < (own.from, id))
    }))
}

fn of_case<S: Shelf>(shelf: &S, record: &Record, plans: &Plans, on: Day) -> Result<Option<Doubt>, S::Error> {
    let own: pb::ZefCase = record.typed(|tag| {
        matches!(
            tag,
            field::zef_case::HOUSEHOLD
                | field::zef_case::RECOGNISED_ON
                | field::zef_case::EXIT_ON
                | field::zef_case::EXIT_CAUSE
        )
    });
    let household = own.household.as_deref().and_then(RecordId::from_slice);
    let (Some(household), Some(recognised)) = (household, own.recognised_on.filter(|day| *day <= on)) else {
        return Ok(None);
    };
    let household = survivor(shelf, household)?;
    let left = own.exit_on.filter(|exit| *exit <= on);
    let plan = plans.on(left.unwrap_or(on));
    let until = left.unwrap_or(on);
    Ok(match (left, own.exit_cause.as_deref()) {
        (Some(exit), Some(code::case_exit::STEADILY_EMPLOYED)) => {
            (!is_stable(shelf, household, plan, exit)?).then_some(Doubt::NotStable)
        }
        (Some(_), Some(code::case_exit::REFUSED_THREE_OFFERS)) => {
            let times = refusals(shelf, household, recognised, until)?;
            (times < plan.zef.refusals).then_some(Doubt::NotRefused(times))
        }
        (Some(exit), Some(code::case_exit::CONTACT_LOST)) => {
            let last = last_contact(shelf, household, exit)?.filter(|last| *last > recognised);
            let due = last.map(|last| add_months(last, plan.zef.silent_months));
            due.is_some_and(|due| exit < due).then_some(Doubt::Reached)
        }
        (Some(_), Some(code::case_exit::NOT_WILLING_OR_ABLE_TO_WORK)) => {
            everybody_able(shelf, household)?.then_some(Doubt::Able)
        }
        (Some(_), _) => None,
        (None, _) if is_stable(shelf, household, plan, on)? => Some(Doubt::Stable),
        (None, _) => {
            let times = refusals(shelf, household, recognised, until)?;
            (times >= plan.zef.refusals).then_some(Doubt::Refused(times))
        }
    })
}

/// The earlier days by which the clock of a case ran: by what the case itself had said, or another one of the same kind in whose
/// place it was entered. What had been late stays told.
fn redated<S: Shelf>(shelf: &S, id: RecordId, record: &Record, plans: &Plans, on: Day) -> Result<Vec<Doubt>, S::Error> {
    let household = record.register == number::ZEF_CASE;
    let (of, whose, matter) = if household {
        (field::zef_case::HOUSEHOLD, number::HOUSEHOLD, field::zef_case::KIND)
    } else {
        (field::hardship_case::PERSON, number::RESIDENT, field::hardship_case::APPLIED_ON)
    };
    let tag = recognised_on(record.register);
    let (Some(target), Some(tag)) = (record.reference(of), tag) else { return Ok(Vec::new()) };
    let Some(now) = record.day(tag) else { return Ok(Vec::new()) };
    let target = survivor(shelf, target)?;
    let said = |case: &Record| -> Vec<Day> {
        let past = texts_in(case, PAST_RECOGNISED).filter_map(|text| text.parse().ok().map(date::day));
        past.chain(case.day(tag)).collect()
    };
    let mut days = said(record);
    for other in Refs::to(shelf, target, whose)?.of(record.register).filter(|other| *other != id) {
        // The kind of a household's case, the day of somebody's application: another one is another matter.
        let void = |case: &Record| {
            case.slice(STATE) == Some(code::state::VOID.as_bytes()) && case.bytes(matter) == record.bytes(matter)
        };
        days.extend(shelf.look(other, |case| case.filter(|case| void(case)).map(said))?.unwrap_or_default());
    }
    days.retain(|day| *day != now);
    days.sort_unstable();
    days.dedup();
    let mut found = Vec::new();
    for before in days {
        let passed = if household {
            let (due, passed) = case::ran_by(shelf, target, record, (before, on), plans)?;
            passed.then_some(due)
        } else {
            None
        };
        found.push(Doubt::Redated(before, passed));
    }
    Ok(found)
}

/// Whether every counted member of a household is able and willing to work by its record, of those of whom it is known.
fn everybody_able<S: Shelf>(shelf: &S, household: RecordId) -> Result<bool, S::Error> {
    let mut able = false;
    for person in case::counted_members(shelf, household)?.into_keys() {
        let says = shelf.look(person, |record| {
            let of = |tag| record.and_then(|record: &Record| record.varint(tag));
            (of(field::resident::LABOUR_ABLE), of(field::resident::JOB_WILLING))
        })?;
        match says {
            (Some(1), Some(1)) => able = true,
            (Some(0), _) | (_, Some(0)) => return Ok(false),
            _ => {}
        }
    }
    Ok(able)
}

/// How often one member of a household, or the household itself, refused what was recommended: of several members the one
/// who did most often.
fn refusals<S: Shelf>(shelf: &S, household: RecordId, from: Day, to: Day) -> Result<u32, S::Error> {
    let within = Spans::one(from, to.saturating_add(1));
    let refs = Refs::to(shelf, household, number::HOUSEHOLD)?;
    let of_household =
        services_of(shelf, refs.active(shelf, number::SERVICE_RECORD, field::service_record::HOUSEHOLD)?)?;
    let together = of_household.iter().filter(|one| one.refused && !one.of_person && within.has(one.on)).count();
    let mut most = 0;
    for (person, belongs) in case::counted_members(shelf, household)? {
        let days = within.and(&belongs.days);
        let about = Refs::to(shelf, person, number::RESIDENT)?;
        let referrals = about.active(shelf, number::REFERRAL, field::referral::PERSON)?;
        let declined = referrals.iter().filter(|(_, record)| {
            record.slice(field::referral::RESULT) == Some(code::referral::REFUSED_BY_THE_PERSON.as_bytes())
                && record.day(field::referral::ON).is_some_and(|on| days.has(on))
        });
        let services = services_of(shelf, about.active(shelf, number::SERVICE_RECORD, field::service_record::PERSON)?)?;
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
        let placements =
            Refs::to(shelf, person, number::RESIDENT)?.active(shelf, number::PLACEMENT, field::placement::PERSON)?;
        let open = |record: &Record| open_on(record, on).is_some();
        if belongs.days.has(on) && placements.iter().any(|(_, record)| open(record) && stable(record, plan)) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// A contract of a year or more; or a business licence and the minimum wage; or flexible work, the minimum wage, and social
/// insurance (domain-detail 2.5).
fn stable(placement: &Record, plan: &Plan) -> bool {
    let own: pb::Placement = placement.typed(|tag| {
        matches!(
            tag,
            field::placement::KIND | field::placement::START_ON | field::placement::CONTRACT_KIND
                ..=field::placement::SOCIAL_INS | field::placement::LICENSED_ON
        )
    });
    let earns = own.wage_month.is_some_and(|wage| wage >= plan.zef.minimum_wage);
    let contract = own.contract_from.or(own.start_on).zip(own.contract_to);
    let for_long = contract.is_some_and(|(from, to)| to.saturating_add(1) >= add_months(from, plan.zef.stable_months));
    let without_end = own.contract_kind.as_deref().is_some_and(|kind| kind.contains("无固定"));
    let flexible = own.kind.as_deref() == Some(code::job::FLEXIBLY_EMPLOYED) && own.social_ins == Some(true);
    for_long || without_end || (earns && (own.licensed_on.is_some() || flexible))
}
