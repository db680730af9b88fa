//! Standings, ranks, proposals and draws, from the sums that every commit keeps (notice, items 20, 32 and 35).
//! Invariant: they are worked out from figures of one view and the plan of the day, so asking again gives the same.

use super::{QueryError, aside, below_of_tier, day_asked, unheard, unit_name, unit_within};
use crate::{
    rows::{self, SubjectRow},
    state::Core,
    store::{Space, StoreError, View},
};
use taizhang_proto::{
    OrgCode, Record,
    assess::{self, Assessed, Candidate, Decided},
    cell::{home_unit, is_active, unit_id},
    date::Day,
    indicator::{self, Figure, Part, Period, Span},
    pb::{self, Tier},
    plan::{Bound, Plan},
    register::{field, number},
};

/// An indicator of the catalogue, by its code, in the year up to a day; nothing for a code that it does not have.
fn figure(view: &dyn View, unit: OrgCode, code: &str, on: Day) -> Result<Figure, StoreError> {
    let Some(indicator) = indicator::by_code(code) else { return Ok(Figure::default()) };
    super::figure(view, unit, indicator, &Period::up_to(on, Span::Year))
}

/// Every target of a unit with how it stands.
fn standings(view: &dyn View, plan: &Plan, unit: OrgCode, on: Day) -> Result<Vec<Assessed>, StoreError> {
    let period = Period::up_to(on, Span::Year);
    assess::standings(plan, unit, |indicator| super::figure(view, unit, indicator, &period))
}

/// How a unit, and on request those of a tier below it, stand against their targets.
///
/// # Errors
/// When the store fails, or the unit is beyond the scope.
pub fn standing(core: &Core, request: &pb::StandingRequest, scope: OrgCode) -> Result<pb::StandingAnswer, QueryError> {
    let unit = unit_within(request.unit, scope)?;
    let on = day_asked(core, request.on)?;
    let (view, plans, tree) = (core.view(), core.plans(), core.tree());
    let plan = plans.on(on);
    let mut units = vec![unit];
    if request.by != Tier::Unknown as i32 {
        units.extend(below_of_tier(&tree, unit, request.by));
    }
    let districts: Vec<OrgCode> = below_of_tier(&tree, unit, Tier::District.into()).collect();
    let mut answer =
        pb::StandingAnswer { on, plan: plan.name.clone(), plan_version: plan.version, ..pb::StandingAnswer::default() };
    // Who was never heard has nothing by which it could be ranked.
    let unheard = unheard::districts(&tree, core.unit, &super::children(view.as_ref())?);
    for own in units {
        let standings = standings(view.as_ref(), plan, own, on)?;
        for assessed in &standings {
            let code = assessed.code.as_str();
            let mut line = assessed.line(own);
            if own == unit && plan.targets.get(code).is_some_and(|target| target.each) {
                let indicator = indicator::by_code(code);
                for district in &districts {
                    let (Some(indicator), Some(bound)) = (indicator, plan.bound_of(*district, code)) else { continue };
                    let theirs = self::figure(view.as_ref(), *district, code, on)?;
                    if let Some(reached) = assess::standing(indicator, &theirs, bound).reached {
                        line.each += 1;
                        line.each_reached += u32::from(reached);
                    }
                }
            }
            answer.lines.push(line);
        }
        let mut score = assess::unit_score(plan, own, tree.name(own), &standings);
        score.measured &= !unheard.contains(&own);
        answer.scores.push(score);
    }
    give_ranks(&mut answer.scores[1..]);
    answer.aside = aside::row(view.as_ref())?.around(unit).into_iter().map(|child| tree.name(child)).collect();
    Ok(answer)
}

/// How communities stand against the standard of a full-employment community: one, or those below the unit that is asked
/// for. Nothing is decided by it: a reviewer certifies, and says why.
///
/// # Errors
/// When the store fails, or the unit is beyond the scope.
pub fn standard(core: &Core, request: &pb::StandingRequest, scope: OrgCode) -> Result<pb::StandardAnswer, QueryError> {
    let unit = unit_within(request.unit, scope)?;
    let on = day_asked(core, request.on)?;
    let (view, plans, tree) = (core.view(), core.plans(), core.tree());
    let plan = plans.on(on);
    let mut answer = pb::StandardAnswer {
        on,
        plan: plan.name.clone(),
        plan_version: plan.version,
        score_needed: f64::from(plan.fec.standard.score),
        ..pb::StandardAnswer::default()
    };
    for own in tree.below(unit).map(|unit| unit.code).filter(|code| code.is_urban_community()) {
        for (code, bound) in assess::standard(plan) {
            let Some(indicator) = indicator::by_code(code) else { continue };
            let figure = figure(view.as_ref(), own, code, on)?;
            let standing = assess::standing(indicator, &figure, bound);
            answer.lines.push(Assessed { code: code.to_owned(), figure, standing }.line(own));
        }
        let score = assessed_score(view.as_ref(), own, on)?;
        answer.scores.push(pb::UnitScore {
            unit: own.number(),
            name: tree.name(own),
            measured: score.is_some(),
            score: score.unwrap_or_default(),
            rank: 0,
        });
    }
    Ok(answer)
}

/// The score that the district gave a community's last application by a day; the city has no cases.
fn assessed_score(view: &dyn View, unit: OrgCode, on: Day) -> Result<Option<f64>, StoreError> {
    let row: SubjectRow = rows::read(view, Space::Subjects, &unit_id(unit).0)?.unwrap_or_default();
    let mut last: Option<(Day, f64)> = None;
    for (_, id) in row.about().into_iter().filter(|(register, _)| *register == number::FEC_CASE) {
        let Some(row) = view.get(Space::Records, &id.0)? else { continue };
        let record = Record::decode(row).map_err(|_| StoreError::Row(Space::Records))?;
        let case: pb::FecCase =
            record.typed(|tag| matches!(tag, field::fec_case::ASSESSED_ON | field::fec_case::SCORE));
        let here = is_active(&record) && home_unit(&record) == Some(unit);
        if let (Some(assessed), Some(score)) = (case.assessed_on.filter(|day| here && *day <= on), case.score)
            && last.is_none_or(|(before, _)| before <= assessed)
        {
            last = Some((assessed, f64::from(score) / 10.0)); // one decimal
        }
    }
    Ok(last.map(|(_, score)| score))
}

/// Ranks the units of one tier: equal scores, to two decimals, share a rank; what is not measured has none.
pub(crate) fn give_ranks(scores: &mut [pb::UnitScore]) {
    let hundredths = |one: &pb::UnitScore| if one.measured { (one.score * 100.0).round() as i64 } else { -1 };
    scores.sort_by_key(|one| (-hundredths(one), one.unit));
    let mut rank = 0;
    let mut last = None;
    for (place, one) in (1..).zip(scores) {
        let points = hundredths(one);
        if last != Some(points) {
            rank = place;
        }
        one.rank = if one.measured { rank } else { 0 };
        last = Some(points);
    }
}

/// The communities in a scope that hold the title on a day.
fn certified(core: &Core, view: &dyn View, scope: OrgCode, on: Day) -> Result<Vec<OrgCode>, StoreError> {
    let mut found = Vec::new();
    for unit in core.tree().below(scope).map(|unit| unit.code).filter(|unit| unit.is_urban_community()) {
        if figure(view, unit, "K02", on)?.numerator > 0 {
            found.push(unit);
        }
    }
    Ok(found)
}

/// Proposes those to commend: certified on the day, ranked, ties explained.
///
/// # Errors
/// When the store fails.
pub fn commend(core: &Core, request: &pb::CommendRequest, scope: OrgCode) -> Result<pb::CommendAnswer, QueryError> {
    let on = day_asked(core, request.on)?;
    let (view, plans, tree) = (core.view(), core.plans(), core.tree());
    let plan = plans.on(on);
    let mut candidates = Vec::new();
    for unit in certified(core, view.as_ref(), scope, on)? {
        // Who is ordered to rectify on the day keeps the title, and is not commended.
        if figure(view.as_ref(), unit, "K02b", on)?.numerator > 0 {
            continue;
        }
        let points = assess::unit_score(plan, unit, String::new(), &standings(view.as_ref(), plan, unit, on)?);
        let in_time = figure(view.as_ref(), unit, "K07", on)?;
        candidates.push(Candidate {
            unit,
            score: points.score,
            overdue: figure(view.as_ref(), unit, "K08", on)?.numerator,
            in_time: (in_time.numerator, in_time.denominator),
        });
    }
    let count = if request.count == 0 { plan.fec.commended } else { request.count } as usize;
    let total = candidates.len() as u32;
    let line = |(rank, (one, decided)): (u32, (Candidate, Decided))| pb::Commended {
        rank,
        unit: one.unit.number(),
        name: tree.name(one.unit),
        score: one.score,
        overdue: one.overdue,
        in_time: one.in_time.0,
        due: one.in_time.1,
        decided: match decided {
            Decided::Score => "score",
            Decided::Overdue => "overdue",
            Decided::InTime => "in_time",
            Decided::Code => "code",
        }
        .into(),
    };
    let mut ranked = (1..).zip(assess::rank(candidates)).map(line);
    let proposed = ranked.by_ref().take(count).collect();
    // Each district sees its own awards; whoever sees several sees whether they are too many together.
    let year = Period::up_to(on, Span::Year);
    let recorded = super::sum(view.as_ref(), scope, Part::Commended.number(), year.from()..=on)?;
    let places = plan.fec.commended;
    Ok(pb::CommendAnswer { on, candidates: total, proposed, next: ranked.next(), recorded, places })
}

/// Draws certified communities to check. A seed that is not given is random, and is in the answer.
///
/// # Errors
/// When the store fails, or the share is none.
pub fn draw(core: &Core, request: &pb::DrawRequest, scope: OrgCode) -> Result<pb::DrawAnswer, QueryError> {
    let on = day_asked(core, request.on)?;
    let (view, plans, tree) = (core.view(), core.plans(), core.tree());
    let share = match plans.on(on).bound_of(scope, "K35") {
        Some(Bound::AtLeast(target)) if request.share <= 0.0 => target,
        _ => request.share,
    };
    if !(share > 0.0 && share <= 1.0) {
        return Err(QueryError::Share);
    }
    let seed = match request.seed.as_str() {
        "" => format!("{:032x}", rand::random::<u128>()),
        own => own.chars().take(64).collect(),
    };
    let candidates = certified(core, view.as_ref(), scope, on)?;
    let count = (share * candidates.len() as f64 - 1e-9).ceil() as usize;
    let drawn = assess::draw(&seed, &candidates, count);
    let name = |unit: OrgCode| unit_name(&tree, unit);
    Ok(pb::DrawAnswer { on, seed, candidates: candidates.len() as u32, drawn: drawn.into_iter().map(name).collect() })
}
