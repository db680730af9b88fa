//! The plan: every number of the notice and every assumption, as data.

use crate::date::{self, Day};
use serde::{Deserialize, Serialize};
use std::sync::OnceLock;

/// Parameters of the rules and clocks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// Name shown with figures.
    pub name: String,
    /// First day of the history: what happened before counts as standing on the day before.
    pub history_from: jiff::civil::Date,
    /// Calendar days from recognition to one member employed (notice, item 4).
    pub zef_days: i32,
    /// Months from asking to two members employed (notice, item 5).
    pub dual_months: i32,
    /// Days ahead that count as falling due soon (K09).
    pub due_soon_days: i32,
    /// Least area of a township office, square metres (notice, item 9).
    pub office_area_m2: u32,
    /// Whether a title under rectification still counts in K01.
    pub rectifying_counts: bool,
}

impl Plan {
    /// The plan with the notice's own numbers.
    pub fn notice_2008() -> &'static Plan {
        static PLAN: OnceLock<Plan> = OnceLock::new();
        PLAN.get_or_init(|| {
            toml::from_str(include_str!("../plan-2008.toml")).expect("the plan compiled into this program can be read")
        })
    }

    /// The bucket of a day: the day itself, or the day before the history for all that is older.
    pub fn bucket(&self, day: Day) -> Day {
        day.max(date::day(self.history_from) - 1)
    }
}
