//! What stands against certifying a full-employment community (notice, items 9 and 30; domain-detail 2.12).
//! Invariant: it refuses nothing by itself. Who certifies all the same says so, and what was missing stands in the record's
//! history beside the reason.

use crate::{shelf::Committed, store::StoreError, totals, writer::Core};
use taizhang_proto::{
    OrgCode, RecordId,
    cell::{Shelf, home_unit},
    date::Day,
    indicator, pb,
    register::{FieldDef, RegisterDef, Value, number, registers},
};

/// The day since which a community is certified, and the field of its case that says so.
const CERTIFIED_ON: &str = "certified_on";
const SCORE: &str = "score";

/// What a community that a request certifies lacks of the standard on that day, each criterion in words; nothing for any other
/// request, and for one that can't be read, which the writer refuses with the reason.
///
/// # Errors
/// When the store fails.
pub(crate) fn missing(core: &Core, request: &pb::ReviseRequest) -> Result<Vec<String>, StoreError> {
    let Some(case) = Case::read(core, request)? else { return Ok(Vec::new()) };
    let asked = pb::StandingRequest { unit: case.unit.number(), on: case.day, ..pb::StandingRequest::default() };
    // Beyond this hub, or beyond the calendar: the writer says so.
    let answer = match totals::standard(core, &asked, core.unit) {
        Ok(answer) => answer,
        Err(totals::QueryError::Store(error)) => return Err(error),
        Err(_) => return Ok(Vec::new()),
    };
    let mut missing: Vec<String> =
        answer.lines.iter().filter(|line| line.unit == case.unit.number()).filter_map(of_line).collect();
    let assessed = answer.scores.iter().find(|one| one.unit == case.unit.number() && one.measured).map(|one| one.score);
    match case.score.or(assessed) {
        Some(score) if score < answer.score_needed => {
            missing.push(format!("考核得分 {score:.1}（标准 ≥{}）", answer.score_needed));
        }
        Some(_) => {}
        None => missing.push(format!("未考核（标准 ≥{}分）", answer.score_needed)),
    }
    Ok(missing)
}

/// What is certified.
struct Case {
    unit: OrgCode,
    day: Day,
    /// The score that the same request gives.
    score: Option<f64>,
}

impl Case {
    fn read(core: &Core, request: &pb::ReviseRequest) -> Result<Option<Self>, StoreError> {
        let Some(def) = registers().named(&request.register).filter(|def| def.number == number::FEC_CASE) else {
            return Ok(None);
        };
        let held = match request.record.parse::<RecordId>() {
            Ok(id) => Committed { view: core.view().as_ref(), tree: core.tree() }.record(id)?,
            Err(_) => None,
        };
        let Some(Value::Day(day)) = given(def, request, CERTIFIED_ON) else { return Ok(None) };
        let before = def.field_named(CERTIFIED_ON).and_then(|field| held.as_ref()?.day(field.tag));
        let home = match given(def, request, "home_unit") {
            Some(Value::Uint(code)) => OrgCode::new(code).ok(),
            _ => held.as_ref().and_then(home_unit),
        };
        let (Some(unit), false) = (home, before == Some(day)) else { return Ok(None) };
        let score = match given(def, request, SCORE) {
            Some(Value::Uint(tenths)) => Some(tenths as f64 / 10.0), // one decimal
            _ => None,
        };
        Ok(Some(Self { unit, day, score }))
    }
}

/// The value that a request gives a field.
fn given(def: &RegisterDef, request: &pb::ReviseRequest, name: &str) -> Option<Value> {
    let field: &FieldDef = def.field_named(name)?;
    let written = request.fields.get(name).filter(|text| !text.trim().is_empty())?;
    Value::parse(field, written).ok().map(|(value, _)| value)
}

/// A criterion that is measured and not reached.
fn of_line(line: &pb::StandingLine) -> Option<String> {
    if line.reached || !line.measured {
        return None;
    }
    let name = indicator::by_code(&line.indicator).map_or("", |indicator| indicator.zh);
    Some(format!("{} {name} {}/{}", line.indicator, line.numerator, line.denominator))
}

/// The reason as it is kept of a community that is certified all the same, within what a reason may have.
pub(crate) fn reason_with(reason: &str, missing: &[String]) -> String {
    let codes: Vec<&str> = missing.iter().filter_map(|one| one.split_whitespace().next()).collect();
    format!("{}〔未达标准：{}〕", reason.trim(), codes.join("、"))
}

/// What is said to somebody who certifies below the standard.
pub(crate) fn refusal(missing: &[String]) -> String {
    format!(
        "未达到充分就业社区标准：{}；查看用 standard，仍要认定用 --despite 并写明理由 (below the standard: --despite, with the \
         reason, certifies all the same)",
        missing.join("；")
    )
}
