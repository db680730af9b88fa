//! Target assessment (目标考核): how a unit stands against its targets, what is left to reach them, who is ahead, which
//! certified communities are checked, and which are proposed for commendation (notice, items 20, 32 and 35).
//! Invariant: everything follows from figures, the plan and a recorded seed, so anybody can work it out again.

use crate::{
    OrgCode,
    indicator::{self, Figure, Indicator},
    pb,
    plan::{Bound, Plan},
};

/// How one figure stands against its target.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Standing {
    /// The target.
    pub bound: Bound,
    /// Whether it is reached; none where there is nothing to measure.
    pub reached: Option<bool>,
    /// Of an `at least`: how many more are needed. Of an `at most`: how many are too many. 0 when it is reached.
    pub left: i64,
    /// How far it is reached, 0 to 1.
    pub attained: f64,
}

/// What separates a rounding error of a product of shares from a whole one.
const EPSILON: f64 = 1e-9;

/// How a figure stands against a target. Of a ratio the need is a whole number: 60 % of 54 communities are 33
/// (domain-detail 3, rule 2).
pub fn standing(indicator: &Indicator, figure: &Figure, bound: Bound) -> Standing {
    let base = if indicator.is_ratio() { figure.denominator as f64 } else { 1.0 };
    let value = figure.numerator;
    if indicator.is_ratio() && figure.denominator == 0 {
        return Standing { bound, reached: None, left: 0, attained: 0.0 };
    }
    let (left, attained) = match bound {
        Bound::AtLeast(share) => {
            let needed = (share * base - EPSILON).ceil() as i64;
            let attained = if needed <= 0 { 1.0 } else { value as f64 / needed as f64 };
            ((needed - value).max(0), attained)
        }
        Bound::AtMost(share) => {
            let allowed = (share * base + EPSILON).floor() as i64;
            // One too many halves it, two leave a third: no figure is so bad that mending it gains nothing.
            ((value - allowed).max(0), 1.0 / (1.0 + (value - allowed).max(0) as f64))
        }
    };
    Standing { bound, reached: Some(left == 0), left, attained: attained.clamp(0.0, 1.0) }
}

/// One target of a unit, what was counted, and how that stands against it.
#[derive(Debug, Clone, PartialEq)]
pub struct Assessed {
    /// Code of the indicator.
    pub code: String,
    /// What was counted in the year up to the day.
    pub figure: Figure,
    /// How it stands.
    pub standing: Standing,
}

impl Assessed {
    /// As it goes over the wire; what is asked of each district is left to who knows the districts.
    pub fn line(&self, unit: OrgCode) -> pb::StandingLine {
        let (target, at_most) = match self.standing.bound {
            Bound::AtLeast(value) => (value, false),
            Bound::AtMost(value) => (value, true),
        };
        pb::StandingLine {
            unit: unit.number(),
            indicator: self.code.clone(),
            target,
            at_most,
            numerator: self.figure.numerator,
            denominator: self.figure.denominator,
            measured: self.standing.reached.is_some(),
            reached: self.standing.reached == Some(true),
            left: self.standing.left,
            attained: self.standing.attained,
            ..pb::StandingLine::default()
        }
    }
}

/// Every target of a unit with how it stands; `figure` reads an indicator of the unit in the year up to the day.
///
/// # Errors
/// When `figure` fails.
pub fn standings<E>(
    plan: &Plan,
    unit: OrgCode,
    mut figure: impl FnMut(&'static Indicator) -> Result<Figure, E>,
) -> Result<Vec<Assessed>, E> {
    let mut found = Vec::new();
    for code in plan.targets.keys() {
        let (Some(indicator), Some(bound)) = (indicator::by_code(code), plan.bound_of(unit, code)) else { continue };
        let figure = figure(indicator)?;
        found.push(Assessed { code: code.clone(), figure, standing: standing(indicator, &figure, bound) });
    }
    Ok(found)
}

/// What the plan's standard asks of a full-employment community beside the assessed score, in the order in which it is
/// told: work for the labour force, the unemployed and those in hardship, no household overdue, records that are fresh, a
/// certified assistant, public documents (domain-detail 2.12). That everybody is registered can't be counted.
pub fn standard(plan: &Plan) -> [(&'static str, Bound); 7] {
    let standard = &plan.fec.standard;
    [
        ("K04", Bound::AtLeast(standard.labour_employed)),
        ("K25", Bound::AtLeast(standard.unemployed_employed)),
        ("K26", Bound::AtLeast(standard.hardship_employed)),
        ("K08", Bound::AtMost(0.0)),
        ("K38", Bound::AtLeast(standard.fresh)),
        ("K14", Bound::AtLeast(1.0)),
        ("K22", Bound::AtLeast(1.0)),
    ]
}

/// A unit's score by its standings, without a rank.
pub fn unit_score(plan: &Plan, unit: OrgCode, name: String, standings: &[Assessed]) -> pb::UnitScore {
    let points = score(plan, standings.iter().map(|one| (one.code.as_str(), &one.standing)));
    pb::UnitScore { unit: unit.number(), name, measured: points.is_some(), score: points.unwrap_or_default(), rank: 0 }
}

/// A unit's score: its attainments by the plan's weights, of those with something to measure, out of 100; none when
/// nothing can be measured.
pub fn score<'a>(plan: &Plan, standings: impl IntoIterator<Item = (&'a str, &'a Standing)>) -> Option<f64> {
    let (mut points, mut weights) = (0.0, 0.0);
    for (code, standing) in standings {
        let weight = plan.targets.get(code).map_or(0, |target| target.weight);
        if weight > 0 && standing.reached.is_some() {
            points += f64::from(weight) * standing.attained;
            weights += f64::from(weight);
        }
    }
    (weights > 0.0).then(|| points * 100.0 / weights)
}

/// Draws `count` of the units by a seed: the ones whose hash under it is smallest. The same seed and units give the same
/// draw on any machine, and no unit's chance depends on another's name (notice, item 32).
pub fn draw(seed: &str, units: &[OrgCode], count: usize) -> Vec<OrgCode> {
    let mut all: Vec<([u8; 32], OrgCode)> = units
        .iter()
        .map(|unit| {
            let mut hasher = blake3::Hasher::new();
            hasher.update(seed.as_bytes());
            hasher.update(&[0]);
            hasher.update(&unit.number().to_be_bytes());
            (*hasher.finalize().as_bytes(), *unit)
        })
        .collect();
    all.sort_unstable();
    all.dedup();
    all.into_iter().take(count).map(|(_, unit)| unit).collect()
}

/// A certified community that may be commended.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    /// The community.
    pub unit: OrgCode,
    /// Its score.
    pub score: f64,
    /// Overdue households (K08): fewer come first among equal scores.
    pub overdue: i64,
    /// Share of households placed in time (K07), numerator and denominator: more come first after that.
    pub in_time: (i64, i64),
}

/// What put a candidate before the next one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decided {
    /// Its score.
    Score,
    /// As many points, fewer overdue households.
    Overdue,
    /// Equal in that, more households placed in time.
    InTime,
    /// Equal in all; the smaller code comes first, and a person should look.
    Code,
}

/// The candidates in their order, each with what put it before the next one. Scores count to two decimals.
pub fn rank(mut candidates: Vec<Candidate>) -> Vec<(Candidate, Decided)> {
    let hundredths = |one: &Candidate| (one.score * 100.0).round() as i64;
    // Shares as cross products, so that 1 of 2 is 2 of 4; nothing due is as good as all in time.
    let share = |one: &Candidate| if one.in_time.1 == 0 { (1, 1) } else { one.in_time };
    let later = |one: &Candidate, two: &Candidate| {
        let ((a, b), (c, d)) = (share(one), share(two));
        (i128::from(c) * i128::from(b)).cmp(&(i128::from(a) * i128::from(d)))
    };
    candidates.sort_by(|one, two| {
        hundredths(two)
            .cmp(&hundredths(one))
            .then(one.overdue.cmp(&two.overdue))
            .then_with(|| later(one, two))
            .then(one.unit.cmp(&two.unit))
    });
    let decided = |one: &Candidate, two: Option<&Candidate>| match two {
        Some(two) if hundredths(one) == hundredths(two) && one.overdue == two.overdue && later(one, two).is_eq() => {
            Decided::Code
        }
        Some(two) if hundredths(one) == hundredths(two) && one.overdue == two.overdue => Decided::InTime,
        Some(two) if hundredths(one) == hundredths(two) => Decided::Overdue,
        _ => Decided::Score,
    };
    let reasons: Vec<Decided> =
        candidates.iter().enumerate().map(|(place, one)| decided(one, candidates.get(place + 1))).collect();
    candidates.into_iter().zip(reasons).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::{indicator::by_code, plan::Plans};
    use proptest::prelude::*;

    fn figure(numerator: i64, denominator: i64) -> Figure {
        Figure { numerator, denominator, ..Figure::default() }
    }

    #[test]
    fn what_is_left_to_60_percent_is_a_whole_number_of_communities() {
        let titles = by_code("K01").unwrap();
        let left = |has, of| standing(titles, &figure(has, of), Bound::AtLeast(0.60)).left;
        assert_eq!((left(31, 54), left(33, 54), left(3, 5), left(2, 5)), (2, 0, 0, 1));
        let none = standing(titles, &figure(0, 0), Bound::AtLeast(0.60));
        assert_eq!(none.reached, None);
        let overdue = standing(by_code("K08").unwrap(), &figure(3, 0), Bound::AtMost(0.0));
        assert_eq!((overdue.reached, overdue.left), (Some(false), 3));
    }

    #[test]
    fn a_score_weighs_what_can_be_measured() {
        let plan = Plans::notice_2008().on(0);
        let titles = standing(by_code("K01").unwrap(), &figure(3, 10), Bound::AtLeast(0.60));
        let overdue = standing(by_code("K08").unwrap(), &figure(0, 0), Bound::AtMost(0.0));
        let rural = standing(by_code("K20").unwrap(), &figure(0, 0), Bound::AtLeast(1.0));
        let own = score(plan, [("K01", &titles), ("K08", &overdue), ("K20", &rural)]).unwrap();
        assert!((own - (15.0 * 0.5 + 5.0) * 100.0 / 20.0).abs() < 1e-9, "{own}");
    }

    #[test]
    fn ties_are_explained() {
        let one = |unit: u64, score, overdue, in_time| Candidate {
            unit: OrgCode::new(unit).unwrap(),
            score,
            overdue,
            in_time,
        };
        let ranked = rank(vec![
            one(210_402_011_005, 90.0, 0, (1, 2)),
            one(210_402_011_004, 90.0, 0, (2, 4)),
            one(210_402_011_003, 90.0, 1, (4, 4)),
            one(210_402_011_002, 95.0, 9, (0, 1)),
            one(210_402_011_001, 90.0, 0, (3, 4)),
        ]);
        let found: Vec<_> = ranked.iter().map(|(one, why)| (one.unit.number() % 10, *why)).collect();
        let wanted =
            [(2, Decided::Score), (1, Decided::InTime), (4, Decided::Code), (5, Decided::Overdue), (3, Decided::Score)];
        assert_eq!(found, wanted);
    }

    proptest! {
        #[test]
        fn a_draw_can_be_replayed_and_does_not_depend_on_the_order(
            units in proptest::collection::btree_set(210_402_001_000_u64..210_402_001_200, 0..60),
            count in 0..70_usize,
            seed in "[a-z0-9]{1,12}",
        ) {
            let units: Vec<OrgCode> = units.into_iter().map(|code| OrgCode::new(code).unwrap()).collect();
            let drawn = draw(&seed, &units, count);
            let backward: Vec<OrgCode> = units.iter().rev().copied().collect();
            prop_assert_eq!(&drawn, &draw(&seed, &backward, count));
            prop_assert_eq!(drawn.len(), count.min(units.len()));
            prop_assert!(drawn.iter().all(|unit| units.contains(unit)));
            // More of the same draw only adds to it.
            prop_assert_eq!(&draw(&seed, &units, count + 1)[..drawn.len()], &drawn[..]);
        }
    }
}
