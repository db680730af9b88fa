//! What one request for figures may ask, and how much the answer may hold.
//! Invariant: work and memory follow from the catalogue, the tree and these bounds, never from the length of a request.

use super::QueryError;
use taizhang_proto::{
    date::{self, Day},
    indicator::{self, Indicator},
};

/// Most codes that a request may name, each as often as it likes: several times the catalogue.
const MAX_CODES: usize = 512;
/// Most figures in one answer: every unit of a city with every indicator fits.
pub const MAX_VALUES: usize = 100_000;
/// Most figures that a watcher may ask for: they are kept for as long as it watches.
pub const MAX_WATCHED: usize = 10_000;

/// The indicators that are asked for, each once, in the order in which they are named; none named: all.
pub(super) fn chosen(codes: &[String]) -> Result<Vec<&'static Indicator>, QueryError> {
    if codes.is_empty() {
        return Ok(indicator::all().collect());
    }
    if codes.len() > MAX_CODES {
        return Err(QueryError::Codes(codes.len()));
    }
    let mut chosen: Vec<&'static Indicator> = Vec::new();
    for code in codes {
        let one = indicator::by_code(code).ok_or_else(|| unknown(code))?;
        if !chosen.iter().any(|known| known.code == one.code) {
            chosen.push(one);
        }
    }
    Ok(chosen)
}

/// What is said of a code that is not in the catalogue; as much of it as a code may be long.
pub(super) fn unknown(code: &str) -> QueryError {
    QueryError::Indicator(code.chars().take(20).collect())
}

/// Refuses an answer of these units and indicators that would hold more than `most` figures.
pub(super) fn answerable((units, indicators): (usize, usize), most: usize) -> Result<(), QueryError> {
    let asked = units.saturating_mul(indicators);
    if asked > most { Err(QueryError::Values { asked, most }) } else { Ok(()) }
}

/// Refuses a day for which nothing can be counted.
pub(super) fn day(on: Day) -> Result<Day, QueryError> {
    if date::KNOWN.contains(&on) { Ok(on) } else { Err(QueryError::Day) }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_code_that_is_named_often_is_asked_once() {
        let codes: Vec<String> = ["K00", "k00", "K24", "K00"].map(str::to_owned).to_vec();
        let chosen: Vec<&str> = chosen(&codes).unwrap().into_iter().map(|one| one.code).collect();
        assert_eq!(chosen, ["K00", "K24"]);
        assert!(matches!(super::chosen(&vec!["K00".into(); 20_000]), Err(QueryError::Codes(20_000))));
    }

    #[test]
    fn a_day_beyond_every_calendar_is_refused() {
        assert!(day(Day::MIN).is_err() && day(Day::MAX).is_err() && day(14_000).is_ok());
    }
}
