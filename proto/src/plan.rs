//! The plan (工作目标): every number of the notice and every assumption, as data that the city publishes in versions.
//! Invariant: a plan takes effect on its day. What a clock was started under it runs by to its end; what is measured day
//! by day is measured by the plan of that day. So a figure of a past day does not move when a new plan comes.

mod calendar;
mod signed;
mod target;

pub use calendar::{Calendar, Counting};
pub use signed::{Published, read_list};
pub use target::{Bound, Breakdown, Target};

use crate::{
    date::{self, Day},
    indicator::Class,
};
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, sync::OnceLock};

/// What starts the clock of a zero-employment household.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClockStart {
    /// The day of recognition (domain-detail 2.5).
    Recognition,
    /// The day of application, so that recognising late gains nothing (rule G1).
    Application,
}

/// Zero-employment households (notice, items 12 and 13).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ZefPlan {
    /// Days to one member employed.
    pub days: i32,
    /// Which days count.
    pub counting: Counting,
    /// What starts the clock.
    pub start: ClockStart,
    /// Months from asking to two members employed.
    pub dual_months: i32,
    /// Days ahead that count as falling due soon (K09).
    pub due_soon_days: i32,
    /// Working days from application to recognition (rule G1).
    pub recognition_days: i32,
    /// Months out of contact that are a reason to exit.
    pub silent_months: i32,
    /// Refusals of what was recommended that are a reason to exit.
    #[serde(default = "refusals")]
    pub refusals: u32,
    /// Months of a contract that make a job a stable one.
    #[serde(default = "stable_months")]
    pub stable_months: i32,
    /// Youngest age at which somebody counts in a household, years.
    #[serde(default = "age_from")]
    pub age_from: i32,
    /// Oldest age at which a man counts.
    #[serde(default = "age_male")]
    pub age_male: i32,
    /// Oldest age at which a woman counts.
    #[serde(default = "age_female")]
    pub age_female: i32,
    /// Least wage of stable work on one's own account, yuan a month.
    #[serde(default = "minimum_wage")]
    pub minimum_wage: u32,
}

fn refusals() -> u32 {
    3
}

fn stable_months() -> i32 {
    12
}

fn age_from() -> i32 {
    16
}

fn age_male() -> i32 {
    59
}

fn age_female() -> i32 {
    54
}

fn transfer_days() -> i32 {
    10
}

fn minimum_wage() -> u32 {
    580
}

/// Assistants (notice, items 14 to 16; domain-detail 2.10).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct AssistantPlan {
    /// Months of a level 4 certificate before level 3.
    pub level4_months: i32,
    /// Days between two assignments of one person that are a move, and no leaving (K17).
    pub pause_days: i32,
}

impl Default for AssistantPlan {
    fn default() -> Self {
        Self { level4_months: 12, pause_days: 31 }
    }
}

/// Registered unemployment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UnemploymentPlan {
    /// Months without contact that are a reason to deregister (K40).
    pub silent_months: i32,
    /// Months that make it long (K39).
    pub long_months: i32,
    /// Age from which a man belongs to the 4050, years.
    pub elderly_male: i32,
    /// Age from which a woman belongs to the 4050, years.
    pub elderly_female: i32,
    /// The day on which the age of the 4050 had to be reached, where a province froze it; none: on any day (2.4).
    #[serde(default)]
    pub elderly_cutoff_on: Option<Date>,
    /// Age at which a man retires, years.
    pub retire_male: i32,
    /// Age at which a woman retires, years.
    pub retire_female: i32,
    /// Days after the fact from which an entry is backdated (补录).
    pub backdated_days: i32,
}

/// Public-welfare posts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PostPlan {
    /// Days before the end of the subsidy that count as expiring (K28).
    pub expiring_days: i32,
    /// Years of support.
    pub support_years: i32,
}

/// Premises (notice, items 7 to 10, 39).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PremisesPlan {
    /// Least area of a township office, square metres.
    pub office_area_m2: u32,
    /// Mean points of the three-izations that a street or community needs.
    pub three_urban: u32,
    /// The same of a rural township.
    pub three_rural: u32,
    /// The same of a resettlement community.
    pub three_shanty: u32,
}

/// What a community is assessed against (domain-detail 2.12), shares between 0 and 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FecStandard {
    /// Employed among those able and willing.
    pub labour_employed: f64,
    /// Employed among the registered unemployed.
    pub unemployed_employed: f64,
    /// Employed among the hard to employ.
    pub hardship_employed: f64,
    /// Records verified in time.
    pub fresh: f64,
    /// Least score, points of 100.
    pub score: u32,
}

/// Full-employment communities (notice, items 9 and 30 to 35).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FecPlan {
    /// Whether a title under rectification still counts in K01.
    pub rectifying_counts: bool,
    /// Months after a revocation before a community may apply again.
    pub reapply_months: i32,
    /// Days given to rectify.
    pub rectify_days: i32,
    /// How many are commended.
    pub commended: u32,
    /// The standard.
    pub standard: FecStandard,
}

/// How old a verification may be (K38), days.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FreshPlan {
    /// Of persons and households in hardship.
    pub hardship_days: i32,
    /// Of all others.
    pub other_days: i32,
}

/// What one office may make of one record, and say in a day. Far above what honest work comes to: a record of 2 KB that is
/// edited every working day makes 100 KB of history a year, and a street of 60,000 people can say all it has in a day.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct LimitPlan {
    /// Bytes of history that one office's own words may fill in one record.
    pub history_bytes: u64,
    /// Bytes of fields that the hub's program does not know, of one office in one record.
    pub unknown_bytes: u64,
    /// Bytes of changes, before they are packed, that one office's computer may say in a day. More waits until tomorrow.
    pub day_bytes: u64,
}

impl Default for LimitPlan {
    fn default() -> Self {
        Self { history_bytes: 4 << 20, unknown_bytes: 16 << 10, day_bytes: 512 << 20 }
    }
}

/// The work itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WorkPlan {
    /// Working days from completion to the archive (K37).
    pub archive_days: i32,
    /// Working days that a conflict may stay open (K42).
    pub conflict_days: i32,
    /// The working day of the next month by which an office closes its month.
    pub month_close_day: i32,
    /// Days in which a transfer is answered (domain-detail 4, case 5).
    #[serde(default = "transfer_days")]
    pub transfer_days: i32,
    /// Hours after which a node is silent (K41).
    pub silent_hours: u32,
}

/// One version of the plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Name shown with figures.
    pub name: String,
    /// Grows with every version that the city publishes.
    pub version: u32,
    /// Documents that it rests on.
    #[serde(default)]
    pub basis: Vec<String>,
    /// First day on which it holds.
    pub effective_on: Date,
    /// First day of the history: what happened before counts as standing on the day before.
    pub history_from: Date,
    /// Zero-employment households.
    pub zef: ZefPlan,
    /// Registered unemployment.
    pub unemployment: UnemploymentPlan,
    /// Assistants.
    #[serde(default)]
    pub assistants: AssistantPlan,
    /// Public-welfare posts.
    pub posts: PostPlan,
    /// Premises.
    pub premises: PremisesPlan,
    /// Full-employment communities.
    pub fec: FecPlan,
    /// Freshness.
    pub fresh: FreshPlan,
    /// The work.
    pub work: WorkPlan,
    /// What one office may make of one record, and say in a day.
    #[serde(default)]
    pub limits: LimitPlan,
    /// Working days.
    pub calendar: Calendar,
    /// Targets by indicator.
    #[serde(default)]
    pub targets: BTreeMap<String, Target>,
    /// What single units are asked for instead.
    #[serde(default)]
    pub breakdown: Vec<Breakdown>,
}

/// Why a text is no plan. Names the place.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// Not the format.
    #[error("工作目标文件格式不对 (the plan can't be read): {0}")]
    Format(#[from] Box<toml::de::Error>),
    /// A number that makes no sense.
    #[error("工作目标 {place}: {why}")]
    Value {
        /// Section and key.
        place: String,
        /// What would be right.
        why: &'static str,
    },
}

/// Longest text of a plan, bytes.
pub const MAX_PLAN: usize = 1 << 20;

/// The first key of a text that a plan read from it knows nothing of.
fn unknown_key(text: &toml::Table, known: &toml::Table, under: &str) -> Option<String> {
    text.iter().find_map(|(key, value)| {
        let place = if under.is_empty() { key.clone() } else { format!("{under}.{key}") };
        let Some(own) = known.get(key) else { return Some(place) };
        match (value, own) {
            (toml::Value::Table(value), toml::Value::Table(own)) => unknown_key(value, own, &place),
            (toml::Value::Array(values), toml::Value::Array(all)) => {
                let tables = values.iter().zip(all).filter_map(|(value, own)| value.as_table().zip(own.as_table()));
                tables.into_iter().find_map(|(value, own)| unknown_key(value, own, &place))
            }
            _ => None,
        }
    })
}

impl Plan {
    /// Reads a plan that is to be published, and checks every key and number.
    ///
    /// # Errors
    /// When it is no plan; names the place.
    pub fn read(text: &str) -> Result<Self, PlanError> {
        let plan: Self = toml::from_str(text).map_err(Box::new)?;
        let written = toml::from_str(text).map_err(Box::new)?;
        let known = toml::Table::try_from(&plan)
            .map_err(|_| PlanError::Value {
                place: String::new(), why: "无法核对各项 (its keys can't be checked)"
            })?;
        if let Some(place) = unknown_key(&written, &known, "") {
            return Err(PlanError::Value { place, why: "没有此项 (no such key)" });
        }
        plan.checked()?.sensible()
    }

    /// What would be a slip of whoever writes it; of a plan that is in force nobody asks that any more.
    fn sensible(self) -> Result<Self, PlanError> {
        let place = |place: String, why| Err(PlanError::Value { place, why });
        let standard = &self.fec.standard;
        let shares = [
            ("labour_employed", standard.labour_employed),
            ("unemployed_employed", standard.unemployed_employed),
            ("hardship_employed", standard.hardship_employed),
            ("fresh", standard.fresh),
        ];
        if let Some((name, _)) = shares.iter().find(|(_, share)| !(0.0..=1.0).contains(share)) {
            return place(format!("fec.standard.{name}"), "应在0到1之间，如 0.95 (a share between 0 and 1)");
        }
        if standard.score > 100 {
            return place("fec.standard.score".into(), "满分为100 (of 100 points)");
        }
        if self.name.chars().count() > crate::limits::NAME_CHARS {
            return place("name".into(), "名称过长 (a name of more than 60 characters)");
        }
        let is_share = |code: &str| {
            let class = crate::indicator::by_code(code).map(|one| one.class);
            matches!(class, Some(Class::Ratio | Class::DistinctRatio))
        };
        let bounds = self.targets.iter().map(|(code, target)| (format!("targets.{code}"), code, target.bound()));
        let parts = self.breakdown.iter();
        let parts = parts.map(|own| (format!("breakdown {} {}", own.unit, own.indicator), &own.indicator, own.bound()));
        for (name, code, bound) in bounds.chain(parts) {
            if let Some(Bound::AtLeast(value) | Bound::AtMost(value)) = bound.filter(|_| is_share(code))
                && value > 1.0
            {
                return place(name, "比例应在0到1之间，如 0.95 (a share between 0 and 1)");
            }
        }
        Ok(self)
    }

    /// Reads a plan that the city has published: a newer city may ask for what this build does not know, and leaving that
    /// out is better than to stay with yesterday's plan.
    ///
    /// # Errors
    /// When it is no plan, or a number makes no sense; names the place.
    pub fn heard(text: &str) -> Result<Self, PlanError> {
        let mut plan: Self = toml::from_str(text).map_err(Box::new)?;
        let known = |code: &str| crate::indicator::by_code(code).is_some();
        plan.targets.retain(|code, _| known(code));
        plan.breakdown.retain(|own| known(&own.indicator));
        plan.checked()
    }

    fn checked(self) -> Result<Self, PlanError> {
        let plan = self;
        let days = [
            ("zef.days", plan.zef.days, 1..=366),
            ("zef.dual_months", plan.zef.dual_months, 1..=24),
            ("zef.due_soon_days", plan.zef.due_soon_days, 0..=60),
            ("zef.recognition_days", plan.zef.recognition_days, 1..=366),
            ("zef.silent_months", plan.zef.silent_months, 1..=120),
            ("zef.stable_months", plan.zef.stable_months, 1..=120),
            ("zef.age_from", plan.zef.age_from, 10..=30),
            ("zef.age_male", plan.zef.age_male, 40..=100),
            ("zef.age_female", plan.zef.age_female, 40..=100),
            ("work.transfer_days", plan.work.transfer_days, 1..=366),
            ("zef.refusals", i32::try_from(plan.zef.refusals).unwrap_or(i32::MAX), 1..=100),
            ("zef.minimum_wage", i32::try_from(plan.zef.minimum_wage).unwrap_or(i32::MAX), 1..=1_000_000),
            ("assistants.level4_months", plan.assistants.level4_months, 0..=120),
            ("unemployment.silent_months", plan.unemployment.silent_months, 1..=120),
            ("unemployment.long_months", plan.unemployment.long_months, 1..=120),
            ("unemployment.elderly_male", plan.unemployment.elderly_male, 16..=100),
            ("unemployment.elderly_female", plan.unemployment.elderly_female, 16..=100),
            ("unemployment.retire_male", plan.unemployment.retire_male, 16..=100),
            ("unemployment.retire_female", plan.unemployment.retire_female, 16..=100),
            ("posts.expiring_days", plan.posts.expiring_days, 0..=366),
            ("fec.reapply_months", plan.fec.reapply_months, 0..=120),
            ("fec.rectify_days", plan.fec.rectify_days, 1..=366),
            ("fresh.hardship_days", plan.fresh.hardship_days, 1..=366),
            ("fresh.other_days", plan.fresh.other_days, 1..=366),
            ("work.archive_days", plan.work.archive_days, 0..=366),
            ("work.conflict_days", plan.work.conflict_days, 0..=366),
        ];
        let place = |place: &str, why| PlanError::Value { place: place.to_owned(), why };
        for (name, value, range) in days {
            if !range.contains(&value) {
                return Err(place(name, "超出合理范围 (out of range)"));
            }
        }
        if plan.version == 0 {
            return Err(place("version", "版本从1开始 (versions begin with 1)"));
        }
        for (code, target) in &plan.targets {
            let known = crate::indicator::by_code(code).is_some();
            if !known {
                return Err(place(&format!("targets.{code}"), "没有此指标 (no such indicator)"));
            }
            target.bound().ok_or_else(|| place(&format!("targets.{code}"), target::ONE_BOUND))?;
        }
        for own in &plan.breakdown {
            let name = format!("breakdown {} {}", own.unit, own.indicator);
            if !plan.targets.contains_key(&own.indicator) {
                return Err(place(&name, "全市没有此指标的目标 (the city has no target for it)"));
            }
            own.bound().ok_or_else(|| place(&name, target::ONE_BOUND))?;
        }
        Ok(plan)
    }

    /// First day on which it holds.
    pub fn from(&self) -> Day {
        date::day(self.effective_on)
    }
}

/// Every version of the plan that is known, in the order of their days.
#[derive(Debug, Clone, PartialEq)]
pub struct Plans(Vec<Plan>);

impl Plans {
    /// The plan of the notice alone.
    pub fn notice_2008() -> &'static Self {
        static PLANS: OnceLock<Plans> = OnceLock::new();
        PLANS.get_or_init(|| {
            let plan = Plan::read(include_str!("../plan-2008.toml"));
            Self(vec![plan.expect("the plan compiled into this program can be read")])
        })
    }

    /// These versions together; of two for the same day the higher version counts. The first one also holds before
    /// its day. None when there is none.
    pub fn of(mut versions: Vec<Plan>) -> Option<Self> {
        versions.sort_by_key(|plan| (plan.effective_on, plan.version));
        versions.dedup_by(|next, kept| {
            let same = next.effective_on == kept.effective_on;
            if same {
                std::mem::swap(next, kept);
            }
            same
        });
        (!versions.is_empty()).then_some(Self(versions))
    }

    /// The plan that holds on a day.
    pub fn on(&self, day: Day) -> &Plan {
        self.0.iter().rev().find(|plan| plan.from() <= day).unwrap_or(&self.0[0])
    }

    /// Each version with the days on which it holds: from the first up to but without the second.
    pub fn periods(&self) -> impl Iterator<Item = (Day, Day, &Plan)> {
        let starts = std::iter::once(Day::MIN).chain(self.0.iter().skip(1).map(Plan::from));
        let ends = self.0.iter().skip(1).map(Plan::from).chain([Day::MAX]);
        self.0.iter().zip(starts.zip(ends)).map(|(plan, (from, to))| (from, to, plan))
    }

    /// All versions.
    pub fn iter(&self) -> impl Iterator<Item = &Plan> {
        self.0.iter()
    }

    /// The highest version.
    pub fn version(&self) -> u32 {
        self.0.iter().map(|plan| plan.version).max().unwrap_or_default()
    }

    /// The bucket of a day: the day itself, or the day before the history for all that is older.
    pub fn bucket(&self, day: Day) -> Day {
        let from = self.0.iter().map(|plan| plan.history_from).min().map_or(0, date::day);
        day.max(from - 1)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_plan_of_the_notice_says_what_the_notice_says() {
        let plan = Plans::notice_2008().on(date::ymd(2008, 3, 20).unwrap());
        assert_eq!((plan.zef.days, plan.zef.dual_months, plan.premises.office_area_m2), (20, 1, 100));
        assert_eq!(plan.targets["K01"].bound(), Some(Bound::AtLeast(0.60)));
        assert_eq!(plan.targets["K03"].bound(), Some(Bound::AtLeast(0.95)));
        assert_eq!(plan.fec.commended, 10);
        let weights: u32 = plan.targets.values().map(|target| target.weight).sum();
        assert_eq!(weights, 100);
    }

    #[test]
    fn a_plan_holds_from_its_day() {
        let first = Plans::notice_2008().on(0).clone();
        let day = date::ymd(2008, 7, 1).unwrap();
        let second = Plan { version: 2, effective_on: Date::constant(2008, 7, 1), ..first.clone() };
        let plans = Plans::of(vec![second, first]).unwrap();
        assert_eq!((plans.on(day - 1).version, plans.on(day).version), (1, 2));
        assert_eq!(plans.on(Day::MIN).version, 1);
        let periods: Vec<_> = plans.periods().map(|(from, to, plan)| (from, to, plan.version)).collect();
        assert_eq!(periods, [(Day::MIN, day, 1), (day, Day::MAX, 2)]);
    }

    #[test]
    fn a_wrong_number_is_named() {
        let text = include_str!("../plan-2008.toml");
        let wrong = Plan::read(&text.replace("days = 20 ", "days = -1 ")).unwrap_err();
        assert!(wrong.to_string().contains("zef.days"), "{wrong}");
        let wrong = Plan::read(&text.replace("K44b = { at_most = 0.0 }", "K99 = { at_most = 0.0 }")).unwrap_err();
        assert!(wrong.to_string().contains("targets.K99"), "{wrong}");
        for (typed, place) in [
            ("zef.silent_month", text.replacen("silent_months = 3", "silent_months = 3\nsilent_month = 3", 1)),
            ("targets.K01.atleast", text.replace("K01 = { at_least", "K01 = { atleast = 1, at_least")),
            ("breakdown.unti", text.replace("[[breakdown]]", "[[breakdown]]\nunti = 1")),
            ("fec.standard.scor", text.replace("score = 85", "score = 85\nscor = 1")),
            ("fec.standard.score", text.replace("score = 85", "score = 850")),
            ("fec.standard.fresh", text.replace("fresh = 0.9", "fresh = 9")),
            ("targets.K01", text.replace("K01 = { at_least = 0", "K01 = { at_least = 95")),
            ("name", text.replacen("name = \"", &format!("name = \"{}", "长".repeat(60)), 1)),
        ] {
            let wrong = Plan::read(&place).unwrap_err().to_string();
            assert!(wrong.contains(typed), "{wrong}");
        }
    }

    #[test]
    fn what_a_newer_city_asks_for_is_left_out_and_the_rest_holds() {
        let newer = include_str!("../plan-2008.toml")
            .replace("K44b = { at_most = 0.0 }", "K44b = { at_most = 0.0 }\nK99 = { at_most = 0.0, by = 3 }")
            .replace("days = 20 ", "grace_days = 3\ndays = 15 ");
        assert!(Plan::read(&newer).is_err());
        let plan = Plan::heard(&newer).unwrap();
        assert_eq!((plan.zef.days, plan.targets.contains_key("K99")), (15, false));
        assert!(Plan::heard(&newer.replace("days = 15 ", "days = -1 ")).is_err(), "nonsense is still refused");
        // One of before a parameter had a name means what everybody did then.
        let older = newer.replace("refusals = 3", "").replace("level4_months = 12", "");
        assert_eq!(Plan::heard(&older).unwrap(), plan);
    }
}
