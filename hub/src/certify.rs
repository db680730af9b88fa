//! What stands against certifying a full-employment community (notice, items 9 and 30; domain-detail 2.12).
//! Invariant: it refuses nothing by itself. Who certifies all the same says so, and what was missing stands in the record's
//! history beside the reason.

use crate::{state::Core, store::StoreError, totals};
use taizhang_proto::{
    OrgCode,
    date::{self, Day},
    indicator, pb,
};

/// What a community lacks of the standard.
pub(crate) struct Lack {
    /// On which day.
    on: Day,
    /// Each criterion, in words.
    criteria: Vec<String>,
}

/// What a community that is certified lacks of the standard on that day; none where it lacks nothing. `score` is what its case was
/// assessed with.
///
/// # Errors
/// When the store fails.
pub(crate) fn missing(core: &Core, unit: OrgCode, on: Day, score: Option<f64>) -> Result<Option<Lack>, StoreError> {
    let asked = pb::StandingRequest { unit: unit.number(), on, ..pb::StandingRequest::default() };
    // Beyond this hub, or beyond the calendar: the writer says so.
    let answer = match totals::standard(core, &asked, core.unit) {
        Ok(answer) => answer,
        Err(totals::QueryError::Store(error)) => return Err(error),
        Err(_) => return Ok(None),
    };
    let of_unit = answer.lines.iter().filter(|line| line.unit == unit.number());
    let mut criteria: Vec<String> = of_unit.filter_map(of_line).collect();
    match score {
        Some(score) if score < answer.score_needed => {
            criteria.push(format!("考核得分 {score:.1}（标准 ≥{}）", answer.score_needed));
        }
        Some(_) => {}
        None => criteria.push(format!("未考核（标准 ≥{}分）", answer.score_needed)),
    }
    Ok((!criteria.is_empty()).then_some(Lack { on, criteria }))
}

/// A criterion that is measured and not reached.
fn of_line(line: &pb::StandingLine) -> Option<String> {
    if line.reached || !line.measured {
        return None;
    }
    let name = indicator::by_code(&line.indicator).map_or("", |indicator| indicator.zh);
    Some(format!("{} {name} {}/{}", line.indicator, line.numerator, line.denominator))
}

impl Lack {
    fn words(&self) -> String {
        format!("{}：{}", date::iso(self.on), self.criteria.join("；"))
    }

    /// What is kept beside the reason of a community that is certified all the same.
    pub(crate) fn note(&self) -> String {
        format!("未达标准仍予认定，{} (below the standard)", self.words())
    }

    /// What is said to somebody who certifies below the standard.
    pub(crate) fn refusal(&self) -> String {
        format!(
            "未达到充分就业社区标准，{}；查看用 standard --on {}，仍要认定用 --despite 并写明理由 (below the standard on that day: --despite, \
             with the reason, certifies all the same)",
            self.words(),
            date::iso(self.on)
        )
    }
}
