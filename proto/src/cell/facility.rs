//! Premises, windows, papers and the three-izations (notice, items 4, 7 to 10, 24 to 28, 37 to 41; domain-detail 2.11).

use super::{Shelf, Tally, refs::Refs, remember::Version, span::Spans};
use crate::{
    OrgCode, Record, RecordId,
    date::Day,
    indicator::Part,
    pb,
    plan::Plan,
    register::{field, number, registers},
};
use std::collections::BTreeSet;

/// One version of a facility: what it says holds from its day until the next version's (domain-detail 2.11). What the
/// district has verified of it, it verified on the day of the check.
struct Premises {
    says: Version,
    /// Paper that proves the six.
    evidence: Vec<String>,
    since: Spans,
    verified: Spans,
}

impl Premises {
    /// Whether the mean of the three scores reaches a mark; fewer than three reach none.
    fn three_reach(&self, mark: u32) -> bool {
        let scores = &self.says.three;
        scores.len() >= 3 && scores.iter().sum::<u64>() >= u64::from(mark) * scores.len() as u64
    }

    /// Each of the six is there (L29): the district has verified it, and there is evidence that begins with its code or
    /// name (notice, item 41).
    fn six(&self) -> bool {
        let list = registers().get(number::FACILITY).and_then(|def| def.field_named("six_verified")?.codes);
        ["1", "2", "3", "4", "5", "6"].iter().all(|item| {
            let name = list.and_then(|list| list.meaning(item)).unwrap_or(item);
            let proves = |paper: &String| paper.starts_with(item) || paper.starts_with(name);
            self.says.six.iter().any(|code| code == item) && self.evidence.iter().any(proves)
        })
    }
}

/// A version with its kind of premises, its first day, and its place among those of one day: the later stands.
type Dated = (Option<String>, Day, (RecordId, usize));

/// The versions that a unit's records of its premises make, each with its days.
fn versions<S: Shelf>(shelf: &S, unit: OrgCode, refs: &Refs) -> Result<Vec<Premises>, S::Error> {
    let mut versions: Vec<(Dated, Version, Vec<String>, Spans)> = Vec::new();
    for (id, record, here) in refs.of_unit(shelf, number::FACILITY, unit)? {
        let own: pb::Facility =
            record.typed(|tag| matches!(tag, field::facility::KIND | field::facility::SIX_EVIDENCE));
        for (place, says) in Version::before(&record).chain([Version::of(&record)]).enumerate() {
            // What is checked anew is another version from the check on.
            let from = if place > 0 { says.latest() } else { says.from.or(says.checked) };
            let dated = (own.kind.clone(), from.unwrap_or(Day::MIN), (id, place));
            versions.push((dated, says, own.six_evidence.clone(), here.clone()));
        }
    }
    // Premises that came with another unit are more of them, and no new version of the unit's own.
    let own: BTreeSet<Option<String>> =
        versions.iter().filter(|version| version.3.has(Day::MIN)).map(|version| version.0.0.clone()).collect();
    versions.retain(|version| version.3.has(Day::MIN) || !own.contains(&version.0.0));
    // A unit may have a hall beside its office: each kind has its own versions; of two of one day the one made later stands.
    versions.sort_unstable_by(|one, two| one.0.cmp(&two.0));
    let next: Vec<Day> = (1..=versions.len())
        .map(|place| {
            let next = versions.get(place).filter(|next| next.0.0 == versions[place - 1].0.0);
            next.map_or(Day::MAX, |next| next.0.1)
        })
        .collect();
    let found = versions.into_iter().zip(next).map(|(((_, from, _), says, evidence, here), next)| {
        let since = Spans::one(from, next).and(&here);
        let verified = since.and(&Spans::one(says.checked.unwrap_or(Day::MIN), Day::MAX));
        Premises { says, evidence, since, verified }
    });
    Ok(found.collect())
}

pub(super) fn count<S: Shelf>(
    shelf: &S,
    unit: OrgCode,
    refs: &Refs,
    staffed: &Spans,
    tally: &mut Tally<'_>,
) -> Result<(), S::Error> {
    let found = versions(shelf, unit, refs)?;
    let when =
        |so: &dyn Fn(&Premises) -> bool| Spans::all(found.iter().filter(|one| so(one)).map(|one| one.since.clone()));
    let verified =
        |so: &dyn Fn(&Premises) -> bool| Spans::all(found.iter().filter(|one| so(one)).map(|one| one.verified.clone()));
    let reach =
        |mark: fn(&Plan) -> u32, tally: &Tally<'_>| tally.by_plan(|plan| when(&|one| one.three_reach(mark(plan))));
    let platform = when(&|_| true);
    tally.during(Part::Platforms, &platform);
    let papers = papers(&refs.of_unit(shelf, number::PUBLISHED_DOC, unit)?);
    tally.during(Part::DocsComplete, &papers.and(&platform));
    if unit.is_rural_township() {
        let large = tally.by_plan(|plan| {
            let least = u64::from(plan.premises.office_area_m2) * 100;
            verified(&|one| one.says.area >= least && one.says.area_verified)
        });
        tally.during(Part::OfficesLargeEnough, &large);
        tally.during(Part::OfficesSixInPlace, &verified(&Premises::six));
        tally.during(Part::ThreeRural, &reach(|plan| plan.premises.three_rural, tally));
    }
    if unit.is_urban_community() || unit.is_street() {
        tally.during(Part::ThreeUrban, &reach(|plan| plan.premises.three_urban, tally));
    }
    if unit.is_urban_community() {
        let shanty = when(&|one| one.says.shanty);
        let fit = when(&|one| one.says.fit).without(&shanty);
        let window = when(&|one| one.says.window);
        tally.during(Part::ShantyCommunities, &shanty);
        tally.during(Part::ShantyWindows, &shanty.and(&window));
        tally.during(Part::FitCommunities, &fit);
        tally.during(Part::FitWindows, &fit.and(&window));
        tally.during(Part::ThreeShanty, &reach(|plan| plan.premises.three_shanty, tally).and(&shanty));
    }
    if unit.is_village() {
        let fixed = when(&|one| one.says.fixed);
        tally.during(Part::VillagesCovered, &fixed.and(staffed));
    }
    Ok(())
}

/// The days on which a paper of each of the four kinds (L22) is in force.
fn papers(docs: &[(RecordId, Record, Spans)]) -> Spans {
    let mut by_kind: [Vec<Spans>; 4] = Default::default();
    for (_, record, here) in docs {
        let doc: pb::PublishedDoc = record.typed(|tag| {
            matches!(tag, field::published_doc::KIND | field::published_doc::PUBLISHED_ON | field::published_doc::UNTIL)
        });
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
