//! What a person counts in: the register (K00), resettled laid-off (K03), registered unemployed (K24).

use super::{
    Shelf, Tally, home_unit, is_active,
    span::{Span, Spans},
};
use crate::{RecordId, date::Day, indicator::Part, pb, register::number};

pub(super) fn count<S: Shelf>(shelf: &S, id: RecordId, tally: &mut Tally<'_>) -> Result<(), S::Error> {
    // A spell may refer to anything well-formed; only a resident counts.
    let resident = shelf.look(id, |record| {
        let record = record.filter(|record| record.register == number::RESIDENT && is_active(record))?;
        let person: pb::Resident = record.typed(|tag| matches!(tag, 4 | 38..=41 | 43 | 46..=47));
        Some((home_unit(record)?, person))
    })?;
    let Some((unit, person)) = resident else { return Ok(()) };
    let leaves = [person.death_on, person.moveout_on].into_iter().flatten().min().unwrap_or(Day::MAX);
    let present = Spans::one(Day::MIN, leaves);
    tally.during(unit, Part::Residents, &present);

    let mut spells = Vec::new();
    for spell in shelf.referring(id, number::UNEMPLOYMENT_SPELL)? {
        let Some(record) = shelf.record(spell)?.filter(is_active) else { continue };
        let spell: pb::UnemploymentSpell = record.typed(|tag| matches!(tag, 23 | 26));
        spells.extend(spell.reg_on.map(|from| Span { from, to: spell.end_on.unwrap_or(Day::MAX) }));
    }
    tally.during(unit, Part::Unemployed, &Spans::union(spells).and(&present));

    let laid_off = person.laidoff_kind.is_some() || person.laidoff_on.is_some();
    let counts = person.shanty_resettled == Some(true)
        && laid_off
        && person.labour_able == Some(true)
        && person.job_willing == Some(true);
    if counts {
        tally.during(unit, Part::ShantyLabour, &present);
        tally.during(unit, Part::ShantyEmployed, &employed(shelf, id)?.and(&present));
    }
    Ok(())
}

/// The days on which a person has an open placement.
pub(super) fn employed<S: Shelf>(shelf: &S, person: RecordId) -> Result<Spans, S::Error> {
    let mut spans = Vec::new();
    for placement in shelf.referring(person, number::PLACEMENT)? {
        let Some(record) = shelf.record(placement)?.filter(is_active) else { continue };
        let placement: pb::Placement = record.typed(|tag| matches!(tag, 25 | 26));
        spans.extend(placement.start_on.map(|from| Span { from, to: placement.end_on.unwrap_or(Day::MAX) }));
    }
    Ok(Spans::union(spans))
}
