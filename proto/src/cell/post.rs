//! Who holds the places of a post: granted in the order in which placements arrived at the hub that owns it
//! (domain-detail 2.9; 4, case 11). Invariant: on no day do more placements hold a place than the post has.

use super::{
    Shelf, Subject, following, is_active, person_and_households,
    span::{Span, Spans},
    survivor,
};
use crate::{Record, RecordId, date::Day, register::number, wire};

/// Appends everybody who has a placement on a post.
pub(super) fn persons_of<S: Shelf>(shelf: &S, post: RecordId, found: &mut Vec<Subject>) -> Result<(), S::Error> {
    for placement in following(shelf, post, number::POST, number::PLACEMENT)? {
        let person = shelf
            .look(placement, |record| record.and_then(|record| record.slice(20).and_then(RecordId::from_slice)))?;
        if let Some(person) = person {
            person_and_households(shelf, survivor(shelf, person)?, found)?;
        }
    }
    Ok(())
}

/// The days of a placement.
pub(super) fn span_of(record: &Record) -> Option<Span> {
    let day = |tag| record.varint(tag).and_then(wire::unzigzag);
    Some(Span { from: day(25)?, to: day(26).unwrap_or(Day::MAX) })
}

/// The days on which a placement on a post has a place there.
pub(super) fn held<S: Shelf>(shelf: &S, placement: RecordId, post: RecordId) -> Result<Spans, S::Error> {
    let post = survivor(shelf, post)?;
    let places = shelf.look(post, |record| {
        let record = record.filter(|record| record.register == number::POST && is_active(record))?;
        record.varint(23)
    })?;
    // A post that is not known here, or void, has no place to give.
    let places = places.unwrap_or(0) as usize;
    let mut queue = Vec::new();
    for id in following(shelf, post, number::POST, number::PLACEMENT)? {
        let place = shelf.look(id, |record| {
            let record = record.filter(|record| is_active(record))?;
            Some((record.created, id, span_of(record)?))
        })?;
        queue.extend(place);
    }
    queue.sort_unstable_by_key(|(created, id, _)| (*created, *id));
    let mut holders: Vec<Spans> = Vec::new();
    for (_, id, span) in queue {
        let held = Spans::one(span.from, span.to).without(&Spans::shared_by(&holders, places));
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
    let mut waiting = Vec::new();
    for id in following(shelf, survivor(shelf, post)?, number::POST, number::PLACEMENT)? {
        let span = shelf.look(id, |record| record.filter(|record| is_active(record)).and_then(span_of))?;
        let Some(span) = span else { continue };
        if held(shelf, id, post)? != Spans::one(span.from, span.to) {
            waiting.push(id);
        }
    }
    Ok(waiting)
}
