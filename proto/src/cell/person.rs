//! What a person counts in: the register (K00), resettled laid-off (K03), registered unemployed (K24).

use super::{
    Shelf, Tally, following, home_unit, is_active, is_contested, post,
    span::{Span, Spans},
};
use crate::{Record, RecordId, date::Day, indicator::Part, pb, register::number, wire};

pub(super) fn count<S: Shelf>(shelf: &S, id: RecordId, tally: &mut Tally<'_>) -> Result<(), S::Error> {
    // A spell may refer to anything well-formed; only a resident counts.
    let resident = shelf.look(id, |record| {
        let record = record.filter(|record| record.register == number::RESIDENT && is_active(record))?;
        let person: pb::Resident = record.typed(|tag| matches!(tag, 38..=41 | 43));
        home_unit(record)?;
        tally.at_home_of(record);
        Some((person, left_on(record), is_contested(shelf, id, record)))
    })?;
    let Some((person, left, contested)) = resident else { return Ok(()) };
    tally.duplicate = contested?;
    let present = Spans::one(Day::MIN, left.unwrap_or(Day::MAX));
    tally.during(Part::Residents, &present);

    let mut spells = Vec::new();
    for spell in following(shelf, id, number::RESIDENT, number::UNEMPLOYMENT_SPELL)? {
        let Some(record) = shelf.record(spell)?.filter(is_active) else { continue };
        let spell: pb::UnemploymentSpell = record.typed(|tag| matches!(tag, 23 | 26));
        spells.extend(spell.reg_on.map(|from| Span { from, to: spell.end_on.unwrap_or(Day::MAX) }));
    }
    tally.during(Part::Unemployed, &Spans::union(spells).and(&present));

    let laid_off = person.laidoff_kind.is_some() || person.laidoff_on.is_some();
    let counts = person.shanty_resettled == Some(true)
        && laid_off
        && person.labour_able == Some(true)
        && person.job_willing == Some(true);
    if counts {
        tally.during(Part::ShantyLabour, &present);
        tally.during(Part::ShantyEmployed, &employed(shelf, id)?.and(&present));
    }
    Ok(())
}

/// The day on which a resident died or moved away.
pub fn left_on(record: &Record) -> Option<Day> {
    [46, 47].into_iter().filter_map(|tag| record.varint(tag).and_then(wire::unzigzag)).min()
}

/// The days on which a person has an open placement, with a place where it is on a post, and before the person left.
/// `person` is a survivor.
pub(super) fn employed<S: Shelf>(shelf: &S, person: RecordId) -> Result<Spans, S::Error> {
    let mut spans = Vec::new();
    for id in following(shelf, person, number::RESIDENT, number::PLACEMENT)? {
        let placement = shelf.look(id, |record| {
            let record = record.filter(|record| is_active(record))?;
            Some((post::span_of(record)?, record.slice(35).and_then(RecordId::from_slice)))
        })?;
        match placement {
            Some((_, Some(on))) => spans.extend(post::held(shelf, id, on)?.iter().copied()),
            Some((span, None)) => spans.push(span),
            None => {}
        }
    }
    if spans.is_empty() {
        return Ok(Spans::default());
    }
    let left = shelf.look(person, |record| record.and_then(left_on))?;
    Ok(Spans::union(spans).and(&Spans::one(Day::MIN, left.unwrap_or(Day::MAX))))
}
