//! Targets: what an indicator has to reach, for the whole and broken down to single units.

use crate::OrgCode;
use serde::{Deserialize, Serialize};

/// Which way a target bounds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Bound {
    /// The value must not be lower.
    AtLeast(f64),
    /// The value must not be higher.
    AtMost(f64),
}

/// What to say of a target without exactly one sane bound.
pub(super) const ONE_BOUND: &str =
    "应有 at_least 或 at_most 之一，且不小于0 (needs one of at_least and at_most, not below 0)";

/// The target of one indicator. Shares between 0 and 1, counts as they are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Target {
    /// Least value.
    pub at_least: Option<f64>,
    /// Greatest value.
    pub at_most: Option<f64>,
    /// Asked of every district beside the whole (notice: "各县区").
    #[serde(default)]
    pub each: bool,
    /// Its share of the score, points.
    #[serde(default)]
    pub weight: u32,
    /// The notice's item (domain-detail, section 1).
    pub item: Option<u32>,
}

fn one_of(at_least: Option<f64>, at_most: Option<f64>) -> Option<Bound> {
    let sane = |value: f64| value.is_finite() && (0.0..1e12).contains(&value);
    match (at_least, at_most) {
        (Some(value), None) if sane(value) => Some(Bound::AtLeast(value)),
        (None, Some(value)) if sane(value) => Some(Bound::AtMost(value)),
        _ => None,
    }
}

impl Target {
    /// Its bound; none when it has none or two.
    pub fn bound(&self) -> Option<Bound> {
        one_of(self.at_least, self.at_most)
    }
}

/// What one unit and those below it are asked for instead of what their parent is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Breakdown {
    /// The unit.
    pub unit: OrgCode,
    /// The indicator.
    pub indicator: String,
    /// Least value.
    pub at_least: Option<f64>,
    /// Greatest value.
    pub at_most: Option<f64>,
}

impl Breakdown {
    /// Its bound; none when it has none or two.
    pub fn bound(&self) -> Option<Bound> {
        one_of(self.at_least, self.at_most)
    }
}

impl super::Plan {
    /// What a unit has to reach in an indicator: its own entry, or that of the nearest unit above it, or the city's.
    pub fn bound_of(&self, unit: OrgCode, indicator: &str) -> Option<Bound> {
        let of = |above: OrgCode| self.breakdown.iter().find(|own| own.unit == above && own.indicator == indicator);
        let own = std::iter::successors(Some(unit), |unit| unit.parent()).find_map(of);
        match own {
            Some(own) => own.bound(),
            None => self.targets.get(indicator)?.bound(),
        }
    }
}
