//! What stands against certifying a full-employment community (notice, items 9 and 30; domain-detail 2.12).
//! Invariant: it refuses nothing by itself. Who certifies all the same says so, and what was missing stands in the record's
//! history beside the reason.

use crate::{state::Core, store::StoreError, totals};
use taizhang_proto::{OrgCode, date::Day, indicator, pb};

/// What a community that is certified lacks of the standard on that day, each criterion in words. `score` is what its case was
/// assessed with.
///
/// # Errors
/// When the store fails.
pub(crate) fn missing(core: &Core, unit: OrgCode, on: Day, score: Option<f64>) -> Result<Vec<String>, StoreError> {
    let asked = pb::StandingRequest { unit: unit.number(), on, ..pb::StandingRequest::default() };
    // Beyond this hub, or beyond the calendar: the writer says so.
    let answer = match totals::standard(core, &asked, core.unit) {
        Ok(answer) => answer,
        Err(totals::QueryError::Store(error)) => return Err(error),
        Err(_) => return Ok(Vec::new()),
    };
    let of_unit = answer.lines.iter().filter(|line| line.unit == unit.number());
    let mut missing: Vec<String> = of_unit.filter_map(of_line).collect();
    match score {
        Some(score) if score < answer.score_needed => {
            missing.push(format!("考核得分 {score:.1}（标准 ≥{}）", answer.score_needed));
        }
        Some(_) => {}
        None => missing.push(format!("未考核（标准 ≥{}分）", answer.score_needed)),
    }
    Ok(missing)
}

/// A criterion that is measured and not reached.
fn of_line(line: &pb::StandingLine) -> Option<String> {
    if line.reached || !line.measured {
        return None;
    }
    let name = indicator::by_code(&line.indicator).map_or("", |indicator| indicator.zh);
    Some(format!("{} {name} {}/{}", line.indicator, line.numerator, line.denominator))
}

/// What is kept beside the reason of a community that is certified all the same.
pub(crate) fn note(missing: &[String]) -> String {
    format!("未达标准仍予认定：{} (below the standard)", missing.join("；"))
}

/// What is said to somebody who certifies below the standard.
pub(crate) fn refusal(missing: &[String]) -> String {
    format!(
        "未达到充分就业社区标准：{}；查看用 standard，仍要认定用 --despite 并写明理由 (below the standard: --despite, with the \
         reason, certifies all the same)",
        missing.join("；")
    )
}
