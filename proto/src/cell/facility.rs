//! Premises, windows, papers and the three-izations (notice, items 4, 7 to 10, 24 to 28, 37 to 41; domain-detail 2.11).

use super::{Shelf, Tally, refs::Refs, span::Spans};
use crate::{
    OrgCode, Record, RecordId,
    date::Day,
    indicator::Part,
    pb,
    plan::Plan,
    register::{number, registers},
};
use std::collections::BTreeSet;

/// One version of a facility: what it says holds from its day until the next version's (domain-detail 2.11).
struct Premises {
    says: pb::Facility,
    since: Spans,
}

impl Premises {
    fn days(&self, so: bool) -> Spans {
        if so { self.since.clone() } else { Spans::default() }
    }

    /// Whether the mean of the three scores reaches a mark; fewer than three reach none.
    fn three_reach(&self, mark: u32) -> bool {
        let scores = &self.says.three_score;
        let sum: u64 = scores.iter().map(|score| u64::from(*score)).sum();
        scores.len() >= 3 && sum >= u64::from(mark) * scores.len() as u64
    }

    /// Each of the six is there (L29): the district has verified it, and there is evidence that begins with its code or
    /// name (notice, item 41).
    fn six(&self) -> bool {
        let list = registers().get(number::FACILITY).and_then(|def| def.field_named("six_verified")?.codes);
        ["1", "2", "3", "4", "5", "6"].iter().all(|item| {
            let name = list.and_then(|list| list.meaning(item)).unwrap_or(item);
            let proves = |paper: &String| paper.starts_with(item) || paper.starts_with(name);
            self.says.six_verified.iter().any(|code| code == item) && self.says.six_evidence.iter().any(proves)
        })
    }
}

pub(super) fn count<S: Shelf>(
    shelf: &S,
    unit: OrgCode,
    refs: &Refs,
    staffed: &Spans,
    tally: &mut Tally<'_>,
) -> Result<(), S::Error> {
    let mut versions = Vec::new();
    for (id, record, here) in refs.of_unit(shelf, number::FACILITY, unit)? {
        let says: pb::Facility = record.typed(|tag| matches!(tag, 4 | 20 | 21 | 25 | 28 | 29 | 31..=36 | 40));
        let from = says.checked_on.or(says.effective_on).or(says.opened_on).unwrap_or(Day::MIN);
        versions.push((says.kind.clone(), from, id, (says, here)));
    }
    // Premises that came with another unit are more of them, and no new version of the unit's own.
    let own: BTreeSet<Option<String>> =
        versions.iter().filter(|version| version.3.1.has(Day::MIN)).map(|version| version.0.clone()).collect();
    versions.retain(|version| version.3.1.has(Day::MIN) || !own.contains(&version.0));
    // A unit may have a hall beside its office: each kind has its own versions; of two of one day the one made later stands.
    versions.sort_unstable_by(|one, two| (&one.0, one.1, one.2).cmp(&(&two.0, two.1, two.2)));
    let next: Vec<Day> = (1..=versions.len())
        .map(|place| versions.get(place).filter(|next| next.0 == versions[place - 1].0).map_or(Day::MAX, |next| next.1))
        .collect();
    let found: Vec<Premises> = versions
        .into_iter()
        .zip(next)
        .map(|((_, from, .., (says, here)), next)| Premises { says, since: Spans::one(from, next).and(&here) })
        .collect();
    let when = |so: &dyn Fn(&Premises) -> bool| Spans::all(found.iter().map(|one| one.days(so(one))));
    let reach = |mark: fn(&Plan) -> u32, tally: &Tally<'_>| {
        tally.by_plan(|plan| Spans::all(found.iter().map(|one| one.days(one.three_reach(mark(plan))))))
    };
    let platform = when(&|_| true);
    tally.during(Part::Platforms, &platform);
    let papers = papers(&refs.of_unit(shelf, number::PUBLISHED_DOC, unit)?);
    tally.during(Part::DocsComplete, &papers.and(&platform));
    if unit.is_rural_township() {
        let large = tally.by_plan(|plan| {
            let least = u64::from(plan.premises.office_area_m2) * 100;
            let enough = |one: &Premises| u64::from(one.says.area_m2.unwrap_or(0)) >= least;
            when(&|one| enough(one) && one.says.area_verified == Some(true))
        });
        tally.during(Part::OfficesLargeEnough, &large);
        tally.during(Part::OfficesSixInPlace, &when(&Premises::six));
        tally.during(Part::ThreeRural, &reach(|plan| plan.premises.three_rural, tally));
    }
    if unit.is_urban_community() || unit.is_street() {
        tally.during(Part::ThreeUrban, &reach(|plan| plan.premises.three_urban, tally));
    }
    if unit.is_urban_community() {
        let shanty = when(&|one| one.says.shanty == Some(true));
        let fit = when(&|one| one.says.premises_fit == Some(true)).without(&shanty);
        let window = when(&|one| one.says.one_stop_window == Some(true));
        tally.during(Part::ShantyCommunities, &shanty);
        tally.during(Part::ShantyWindows, &shanty.and(&window));
        tally.during(Part::FitCommunities, &fit);
        tally.during(Part::FitWindows, &fit.and(&window));
        tally.during(Part::ThreeShanty, &reach(|plan| plan.premises.three_shanty, tally).and(&shanty));
    }
    if unit.is_village() {
        let fixed = when(&|one| one.says.fixed_place == Some(true));
        tally.during(Part::VillagesCovered, &fixed.and(staffed));
    }
    Ok(())
}

/// The days on which a paper of each of the four kinds (L22) is in force.
fn papers(docs: &[(RecordId, Record, Spans)]) -> Spans {
    let mut by_kind: [Vec<Spans>; 4] = Default::default();
    for (_, record, here) in docs {
        let doc: pb::PublishedDoc = record.typed(|tag| matches!(tag, 20 | 22 | 24));
        let kind = doc.kind.as_deref().and_then(|kind| kind.parse::<usize>().ok());
        let (Some(from), Some(kind)) = (doc.published_on, kind.and_then(|kind| by_kind.get_mut(kind.wrapping_sub(1))))
        else {
            continue;
        };
        // It is in force on its last day.
        kind.push(Spans::one(from, doc.until.map_or(Day::MAX, |until| until.saturating_add(1))).and(here));
    }
    let kinds = by_kind.into_iter().map(Spans::all);
    kinds.reduce(|one, two| one.and(&two)).unwrap_or_default()
}
