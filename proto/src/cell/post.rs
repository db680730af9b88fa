//! Who holds the places of a post: granted in the order in which placements arrived at the hub that owns it
//! (domain-detail 2.9; 4, case 11). Invariant: on no day do more placements hold a place than the post has.

use super::{
    Shelf, Tally,
    days::{between, is_unproven, left_on, span_of},
    following, is_active,
    refs::Refs,
    span::{Span, Spans},
    survivor,
};
use crate::{
    Record, RecordId,
    date::{self, Day, add_months},
    indicator::Part,
    pb,
    plan::Plans,
    register::{code, field, number},
};
use std::{
    collections::{BTreeSet, HashMap, HashSet},
    sync::{Arc, Mutex, PoisonError},
};

/// K27 and K28: the places of a public-welfare post, who holds them, and how long it is supported.
pub(super) fn count<S: Shelf>(shelf: &S, id: RecordId, record: &Record, tally: &mut Tally<'_>) -> Result<(), S::Error> {
    let post: pb::Post = record.typed(|tag| {
        matches!(tag, field::post::KIND | field::post::PLACES..=field::post::TO_ON | field::post::SUBSIDY_UNTIL)
    });
    if post.kind.as_deref().is_none_or(|kind| kind == code::post::ORDINARY_POST) {
        return Ok(());
    }
    let there = between(post.from_on, post.to_on);
    tally.during_many(Part::PostPlaces, &there, post.places.unwrap_or(0).into());
    for (placement, _) in Refs::to(shelf, id, number::POST)?.active(shelf, number::PLACEMENT, field::placement::POST)? {
        tally.during(Part::PostOccupied, &held(shelf, placement, id)?);
    }
    if let Some(until) = post.subsidy_until {
        let soon = tally.plans.on(until).posts.expiring_days;
        tally.during(Part::SubsidyEnding, &Spans::one(until.saturating_sub(soon), until.saturating_add(1)).and(&there));
        tally.during(Part::SubsidyOver, &Spans::one(until.saturating_add(1), Day::MAX).and(&there));
    }
    Ok(())
}

/// Who has no more than so many years to retirement stays on a public-welfare post until then (domain-detail 2.9).
const NEAR_RETIREMENT_YEARS: i32 = 5;

/// Until when somebody who begins on a day is supported on public-welfare posts.
fn support_ends(start: Day, years: i32, retires: Option<Day>) -> Day {
    let near = |day: &Day| *day > start && date::years_between(start, *day) < NEAR_RETIREMENT_YEARS;
    retires.filter(near).unwrap_or_else(|| add_months(start, years.saturating_mul(12)))
}

/// Until when a placement on a public-welfare post is supported; none on a vacancy or on no post. `retires` is the day on
/// which the person reaches the age of retirement.
pub(super) fn supported_until<S: Shelf>(
    shelf: &S,
    placement: &Record,
    plans: &Plans,
    retires: Option<Day>,
) -> Result<Option<Day>, S::Error> {
    let (true, Some(start)) = (on_welfare_post(shelf, placement)?, placement.day(field::placement::START_ON)) else {
        return Ok(None);
    };
    let until = support_ends(start, plans.on(start).posts.support_years, retires);
    if retires == Some(until) {
        return Ok(Some(until));
    }
    // Who changes posts goes on with the years that are left.
    let Some(person) =
        placement.reference(field::placement::PERSON).map(|person| survivor(shelf, person)).transpose()?
    else {
        return Ok(Some(until));
    };
    let mut before = Vec::new();
    for (_, other) in
        Refs::to(shelf, person, number::RESIDENT)?.active(shelf, number::PLACEMENT, field::placement::PERSON)?
    {
        let earlier = span_of(&other).filter(|span| span.from < start);
        if let Some(span) = earlier
            && on_welfare_post(shelf, &other)?
        {
            before.push(Span { to: span.to.min(start), ..span });
        }
    }
    let used: Day = Spans::union(before).iter().map(|span| span.to - span.from).sum();
    Ok(Some(until.saturating_sub(used).max(start)))
}

/// Whether a placement is on a public-welfare post.
fn on_welfare_post<S: Shelf>(shelf: &S, placement: &Record) -> Result<bool, S::Error> {
    let Some(post) = placement.reference(field::placement::POST) else { return Ok(false) };
    shelf.look(survivor(shelf, post)?, |post| {
        post.filter(|post| post.register == number::POST && is_active(post))
            .and_then(|post| post.slice(field::post::KIND))
            .is_some_and(|kind| kind != code::post::ORDINARY_POST.as_bytes())
    })
}

/// The places of a post and its days; none at all where it is not known here, or void.
fn places<S: Shelf>(shelf: &S, post: RecordId) -> Result<(usize, Spans), S::Error> {
    let post = shelf.look(post, |record| {
        let record = record.filter(|record| record.register == number::POST && is_active(record))?;
        Some((
            record.varint(field::post::PLACES)?,
            between(record.day(field::post::FROM_ON), record.day(field::post::TO_ON)),
        ))
    })?;
    Ok(post.map_or((0, Spans::default()), |(places, there)| (places as usize, there)))
}

/// Who has which of a post's places, worked out once for everybody who has a placement there.
pub(super) struct Places {
    /// The days of the post itself.
    there: Spans,
    /// Each placement with the days on which it has a place, while there is the post.
    held: HashMap<RecordId, Spans>,
    /// A placement in the queue that nothing proves: who counts by this queue depends on it.
    unproven: Option<RecordId>,
}

/// What was worked out for several subjects, kept while the records stand as they are.
#[derive(Default)]
pub struct Kept {
    places: Mutex<HashMap<(RecordId, bool), Arc<Places>>>,
}

impl Kept {
    /// Forgets everything: a record has changed.
    pub fn forget(&mut self) {
        self.places.get_mut().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn places(&self, post: RecordId, proven: bool) -> Option<Arc<Places>> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner).get(&(post, proven)).cloned()
    }

    fn keep(&self, post: RecordId, proven: bool, places: &Arc<Places>) {
        self.places.lock().unwrap_or_else(PoisonError::into_inner).insert((post, proven), places.clone());
    }
}

impl Places {
    /// Of a post that stands, as it is kept or read from the shelf.
    fn of<S: Shelf>(shelf: &S, post: RecordId) -> Result<Arc<Self>, S::Error> {
        let (kept, proven) = shelf.kept();
        if let Some(places) = kept.and_then(|kept| kept.places(post, proven)) {
            if let Some(unproven) = places.unproven {
                shelf.look(unproven, |_| ())?; // whoever notes such placements is told of it again
            }
            return Ok(places);
        }
        let places = Arc::new(Self::read(shelf, post)?);
        if let Some(kept) = kept {
            kept.keep(post, proven, &places);
        }
        Ok(places)
    }

    fn read<S: Shelf>(shelf: &S, post: RecordId) -> Result<Self, S::Error> {
        let (count, there) = places(shelf, post)?;
        let mut queue = Vec::new();
        let mut unproven = None;
        for (id, record) in
            Refs::to(shelf, post, number::POST)?.active(shelf, number::PLACEMENT, field::placement::POST)?
        {
            if is_unproven(&record) {
                unproven = Some(id);
            }
            let Some(span) = span_of(&record) else { continue };
            // Whoever has died or moved away holds no place.
            let left = match record.reference(field::placement::PERSON) {
                Some(person) => shelf.look(survivor(shelf, person)?, |person| person.and_then(left_on))?,
                None => None,
            };
            queue.push((record.created, id, Span { to: span.to.min(left.unwrap_or(Day::MAX)), ..span }));
        }
        queue.sort_unstable_by_key(|(created, id, _)| (*created, *id));
        let spans: Vec<Span> = queue.iter().map(|(_, _, span)| *span).collect();
        let held = queue.into_iter().zip(holders(&spans, count)).map(|((_, id, _), held)| (id, held)).collect();
        Ok(Self { there, held, unproven })
    }

    /// The days on which a placement has a place.
    fn held(&self, placement: RecordId) -> Spans {
        self.held.get(&placement).map_or_else(Spans::default, |held| held.and(&self.there))
    }
}

/// The days on which each of a set of spans, which are in the order of arrival, is among the first `count` of those that are there. One
/// walk over the days, however many of them there are: each who comes or goes lets one other have a place, or takes it.
fn holders(spans: &[Span], count: usize) -> Vec<Spans> {
    let mut changes: Vec<(Day, usize, bool)> = Vec::with_capacity(2 * spans.len());
    for (place, span) in spans.iter().enumerate().filter(|(_, span)| span.from < span.to && count > 0) {
        changes.extend([(span.from, place, true), (span.to, place, false)]);
    }
    changes.sort_unstable();
    let mut held: Vec<Vec<Span>> = vec![Vec::new(); spans.len()];
    let mut since: HashMap<usize, Day> = HashMap::new();
    // The first `count` of those who are there hold, the others wait.
    let (mut holding, mut waiting) = (BTreeSet::new(), BTreeSet::new());
    for of_day in changes.chunk_by(|one, two| one.0 == two.0) {
        let mut touched = Vec::new();
        for (_, place, comes) in of_day {
            touched.push(*place);
            if *comes {
                waiting.insert(*place);
            } else if !holding.remove(place) {
                waiting.remove(place);
            }
        }
        // Whoever arrived earlier takes the place of who came later.
        while let Some(next) = waiting.first().copied()
            && (holding.len() < count || holding.last().is_some_and(|last| next < *last))
        {
            waiting.pop_first();
            holding.insert(next);
            touched.push(next);
            if holding.len() > count {
                let gone = holding.pop_last();
                touched.extend(gone);
                waiting.extend(gone);
            }
        }
        let Some((day, ..)) = of_day.first() else { continue };
        for place in touched {
            if holding.contains(&place) {
                since.entry(place).or_insert(*day);
            } else if let Some(from) = since.remove(&place) {
                held[place].push(Span { from, to: *day });
            }
        }
    }
    held.into_iter().map(Spans::union).collect()
}

/// The days on which a placement on a post has a place there: while there is the post.
pub(super) fn held<S: Shelf>(shelf: &S, placement: RecordId, post: RecordId) -> Result<Spans, S::Error> {
    Ok(Places::of(shelf, survivor(shelf, post)?)?.held(placement))
}

/// The placements on a post that have no place on some of their days, in the order of arrival.
///
/// # Errors
/// When the shelf fails.
pub fn without_place<S: Shelf>(shelf: &S, post: RecordId) -> Result<HashSet<RecordId>, S::Error> {
    let post = survivor(shelf, post)?;
    let places = Places::of(shelf, post)?;
    let mut waiting = HashSet::new();
    for id in following(shelf, post, number::POST, number::PLACEMENT)? {
        if !places.held.contains_key(&id) {
            continue;
        }
        let said = |record: Option<&Record>| {
            record.and_then(|record| Some((span_of(record)?, record.reference(field::placement::PERSON))))
        };
        let Some((span, person)) = shelf.look(id, said)? else { continue };
        // Whoever has left asks for no place from then on.
        let left = match person {
            Some(person) => shelf.look(survivor(shelf, person)?, |person| person.and_then(left_on))?,
            None => None,
        };
        let asked = Spans::one(span.from, span.to.min(left.unwrap_or(Day::MAX))).and(&places.there);
        if places.there.is_empty() || places.held(id) != asked {
            waiting.insert(id);
        }
    }
    Ok(waiting)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What the places come to one placement after the other.
    fn one_by_one(spans: &[Span], count: usize) -> Vec<Spans> {
        let mut holders: Vec<Spans> = Vec::new();
        for span in spans {
            let held = Spans::one(span.from, span.to).without(&Spans::shared_by(&holders, count));
            holders.push(held);
        }
        holders
    }

    proptest! {
        #[test]
        fn places_worked_out_once_are_those_given_one_after_the_other(
            spans in prop::collection::vec((0..40, -2..12), 0..12),
            count in 0_usize..4,
        ) {
            let spans: Vec<Span> = spans.into_iter().map(|(from, length)| Span { from, to: from + length }).collect();
            let found = holders(&spans, count);
            for (place, held) in one_by_one(&spans, count).into_iter().enumerate() {
                prop_assert_eq!(&found[place], &held, "{}", place);
            }
        }
    }

    #[test]
    fn many_on_one_post_are_worked_out_in_one_walk_over_their_days() {
        let day = |place: i32| 10_000 + place;
        let spans: Vec<Span> = (0..20_000).map(|place| Span { from: day(place), to: Day::MAX }).collect();
        let all = holders(&spans, 50_000);
        assert!(spans.iter().zip(&all).all(|(span, held)| *held == Spans::one(span.from, span.to)), "there is room");
        let few = holders(&spans, 3);
        assert_eq!(few.iter().filter(|held| !held.is_empty()).count(), 3, "who arrived first stays");
    }

    #[test]
    fn support_lasts_three_years_or_until_a_retirement_that_is_near() {
        let day = |year, month, day| date::ymd(year, month, day).unwrap();
        let start = day(2008, 3, 1);
        assert_eq!(support_ends(start, 3, None), day(2011, 3, 1));
        assert_eq!(support_ends(start, 3, Some(day(2013, 2, 28))), day(2013, 2, 28), "not yet five years");
        assert_eq!(support_ends(start, 3, Some(day(2013, 3, 1))), day(2011, 3, 1));
        assert_eq!(support_ends(start, 3, Some(day(2008, 2, 1))), day(2011, 3, 1), "who is past it has the years");
    }
}
