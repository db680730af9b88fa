//! Who holds the places of a post: granted in the order in which placements arrived at the hub that owns it
//! (domain-detail 2.9; 4, case 11). Invariant: on no day do more placements hold a place than the post has.

use super::{
    Shelf, Subject, Tally, following, is_active,
    person::left_on,
    persons_of,
    refs::Refs,
    span::{Span, Spans},
    survivor,
    work::between,
};
use crate::{
    Record, RecordId,
    date::{self, Day, add_months},
    indicator::Part,
    pb,
    plan::Plans,
    register::number,
};

/// Appends a post and everybody who has a placement on it.
pub(super) fn subjects<S: Shelf>(shelf: &S, post: RecordId, found: &mut Vec<Subject>) -> Result<(), S::Error> {
    found.push(Subject::Record(post));
    persons_of(shelf, following(shelf, post, number::POST, number::PLACEMENT)?, found)
}

/// An ordinary vacancy (L20); every other kind is a public-welfare post.
const VACANCY: &str = "10";

/// K27 and K28: the places of a public-welfare post, who holds them, and how long it is supported.
pub(super) fn count<S: Shelf>(shelf: &S, id: RecordId, record: &Record, tally: &mut Tally<'_>) -> Result<(), S::Error> {
    let post: pb::Post = record.typed(|tag| matches!(tag, 21 | 23..=25 | 28));
    if post.kind.as_deref().is_none_or(|kind| kind == VACANCY) {
        return Ok(());
    }
    let there = between(post.from_on, post.to_on);
    tally.during_many(Part::PostPlaces, &there, post.places.unwrap_or(0).into());
    for (placement, _) in Refs::to(shelf, id, number::POST)?.active(shelf, number::PLACEMENT, 35)? {
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
    let (true, Some(start)) = (on_welfare_post(shelf, placement)?, placement.day(25)) else { return Ok(None) };
    let until = support_ends(start, plans.on(start).posts.support_years, retires);
    if retires == Some(until) {
        return Ok(Some(until));
    }
    // Who changes posts goes on with the years that are left.
    let Some(person) = placement.reference(20).map(|person| survivor(shelf, person)).transpose()? else {
        return Ok(Some(until));
    };
    let mut before = Vec::new();
    for (_, other) in Refs::to(shelf, person, number::RESIDENT)?.active(shelf, number::PLACEMENT, 20)? {
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
    let Some(post) = placement.reference(35) else { return Ok(false) };
    shelf.look(survivor(shelf, post)?, |post| {
        post.filter(|post| post.register == number::POST && is_active(post))
            .and_then(|post| post.slice(21))
            .is_some_and(|kind| kind != VACANCY.as_bytes())
    })
}

/// The days of a placement.
pub(super) fn span_of(record: &Record) -> Option<Span> {
    Some(Span { from: record.day(25)?, to: record.day(26).unwrap_or(Day::MAX) })
}

/// The days of a placement that is open on a day.
pub(super) fn open_on(record: &Record, on: Day) -> Option<Span> {
    span_of(record).filter(|span| span.from <= on && on < span.to)
}

/// The places of a post and its days; none at all where it is not known here, or void.
fn places<S: Shelf>(shelf: &S, post: RecordId) -> Result<(usize, Spans), S::Error> {
    let post = shelf.look(post, |record| {
        let record = record.filter(|record| record.register == number::POST && is_active(record))?;
        Some((record.varint(23)?, between(record.day(24), record.day(25))))
    })?;
    Ok(post.map_or((0, Spans::default()), |(places, there)| (places as usize, there)))
}

/// The days on which a placement on a post has a place there: while there is the post.
pub(super) fn held<S: Shelf>(shelf: &S, placement: RecordId, post: RecordId) -> Result<Spans, S::Error> {
    let post = survivor(shelf, post)?;
    let (places, there) = places(shelf, post)?;
    let mut queue = Vec::new();
    for (id, record) in Refs::to(shelf, post, number::POST)?.active(shelf, number::PLACEMENT, 35)? {
        let Some(span) = span_of(&record) else { continue };
        // Whoever has died or moved away holds no place.
        let left = match record.reference(20) {
            Some(person) => shelf.look(survivor(shelf, person)?, |person| person.and_then(left_on))?,
            None => None,
        };
        queue.push((record.created, id, Span { to: span.to.min(left.unwrap_or(Day::MAX)), ..span }));
    }
    queue.sort_unstable_by_key(|(created, id, _)| (*created, *id));
    let mut holders: Vec<Spans> = Vec::new();
    for (_, id, span) in queue {
        let held = Spans::one(span.from, span.to).and(&there).without(&Spans::shared_by(&holders, places));
        if id == placement {
            return Ok(held);
        }
        holders.push(held);
    }
    Ok(Spans::default())
}

/// The placements on a post that have no place on some of their days, in the order of arrival.
///
/// # Errors
/// When the shelf fails.
pub fn without_place<S: Shelf>(shelf: &S, post: RecordId) -> Result<Vec<RecordId>, S::Error> {
    let post = survivor(shelf, post)?;
    let (mut waiting, (_, there)) = (Vec::new(), places(shelf, post)?);
    for (id, record) in Refs::to(shelf, post, number::POST)?.active(shelf, number::PLACEMENT, 35)? {
        let Some(span) = span_of(&record) else { continue };
        let asked = Spans::one(span.from, span.to).and(&there);
        if held(shelf, id, post)? != asked || there.is_empty() {
            waiting.push(id);
        }
    }
    Ok(waiting)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

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
