//! What a person counts in: the register (K00), resettled laid-off (K03), the labour force (K04), hard to employ (K26), the
//! campaign (K32), freshness (K38), duplicates (K43); spells and training in their own modules.

use super::{
    Shelf, Tally, archive, backdated, contest,
    days::{between, left_hardship_on, left_on, recognition, span_of},
    home_unit, is_active, post,
    refs::Refs,
    resident::Person,
    services::{services_of, visits},
    span::{Span, Spans},
    spell, survivor, training,
};
use crate::{
    Record, RecordId,
    date::Day,
    indicator::Part,
    pb,
    register::{code, field, number},
};

pub(super) fn count<S: Shelf>(shelf: &S, id: RecordId, tally: &mut Tally<'_>) -> Result<(), S::Error> {
    // A spell may refer to anything well-formed; only a resident counts.
    let resident = shelf.look(id, |record| {
        let record = record.filter(|record| record.register == number::RESIDENT && is_active(record))?;
        home_unit(record)?;
        tally.at_home_of(record);
        Some((Person::of(record), contest::turns(shelf, id, record)))
    })?;
    let Some((person, turns)) = resident else { return Ok(()) };
    let turns = turns?;
    tally.behind = turns.behind;
    tally.during(Part::Residents, &person.registered);
    tally.during(Part::DuplicatePersons, &turns.first.and(&person.registered));
    let refs = Refs::to(shelf, id, number::RESIDENT)?;
    let services = services_of(shelf, refs.active(shelf, number::SERVICE_RECORD, field::service_record::PERSON)?)?;
    let spells = refs.active(shelf, number::UNEMPLOYMENT_SPELL, field::unemployment_spell::PERSON)?;
    let cases = refs.active(shelf, number::HARDSHIP_CASE, field::hardship_case::PERSON)?;
    for (_, record) in spells.iter().chain(&cases) {
        backdated::count(record, tally);
    }
    let placements = placements_of(shelf, id)?;
    let employed = jobs(shelf, &placements)?;
    if !spells.is_empty() {
        let mut contacts: Vec<Day> = services.iter().map(|service| service.on).collect();
        contacts.extend(family_contacts(shelf, &refs)?);
        spell::count(&person, &spells, (&contacts, &employed), tally);
    }
    training::count(shelf, &refs.active(shelf, number::TRAINEE, field::trainee::PERSON)?, &person.registered, tally)?;
    let hardship = count_hardship(shelf, &cases, &person, tally)?;
    count_fresh(&person, &visits(&services), &hardship, tally);
    for service in services.iter().filter(|service| service.campaign.is_some()) {
        tally.step(Part::CampaignSends, service.on, service.sends);
    }
    for (_, record) in refs.active(shelf, number::PLACEMENT, field::placement::PERSON)? {
        backdated::count(&record, tally);
    }
    count_employed(shelf, (&refs, &placements), (&person, &employed), &hardship, tally)
}

/// What needs to know on which days somebody is employed.
fn count_employed<S: Shelf>(
    shelf: &S,
    (refs, placements): (&Refs, &[(RecordId, Record)]),
    (person, employed): (&Person, &Spans),
    hardship: &Spans,
    tally: &mut Tally<'_>,
) -> Result<(), S::Error> {
    for (id, record) in placements.iter().filter(|(_, record)| {
        record.slice(field::placement::CHANNEL) == Some(code::channel::ASSISTANCE_MONTH.as_bytes())
    }) {
        // Who waits for a place is not placed yet.
        let first = jobs(shelf, &[(*id, record.clone())])?.first();
        // It is said of each of the person's registrations, and counts where the person does.
        if let Some(day) = first.filter(|day| person.registered.has(*day) && !tally.behind.has(*day)) {
            tally.step(Part::CampaignPlaced, day, 1);
        }
    }
    let facts = &person.facts;
    let labour = facts.labour_able == Some(true) && facts.job_willing == Some(true);
    let laid_off = facts.laidoff_kind.is_some() || facts.laidoff_on.is_some();
    if !labour {
        return Ok(());
    }
    // What is dated ahead counts from its day on (rule 7); what has no day has been so all along.
    let since = |day: Option<Day>| between(day, None);
    let resettled = match (laid_off, facts.shanty_resettled) {
        (false, _) | (_, Some(false)) => Spans::default(),
        (true, Some(true)) => since(facts.shanty_moved_on),
        (true, None) => resettled_household(shelf, refs)?,
    };
    let resettled = resettled.and(&since(facts.laidoff_on));
    let hard = !hardship.is_empty();
    let employed = employed.and(&person.registered);
    // The standard of a full-employment community asks for it (domain-detail 2.12).
    let counts = person.registered.and(&person.before_retirement());
    tally.during(Part::Labour, &counts);
    tally.during(Part::LabourEmployed, &employed.and(&counts));
    let resettled = resettled.and(&person.registered);
    tally.during(Part::ShantyLabour, &resettled);
    tally.during(Part::ShantyEmployed, &employed.and(&resettled));
    if hard {
        tally.during(Part::HardshipLabour, hardship);
        tally.during(Part::HardshipEmployed, &hardship.and(&employed));
    }
    Ok(())
}

/// The days on which somebody belongs to a resettled household (domain-detail 2.1: it belongs to the household, and is
/// copied).
fn resettled_household<S: Shelf>(shelf: &S, refs: &Refs) -> Result<Spans, S::Error> {
    let mut days = Vec::new();
    for (household, belongs) in memberships(shelf, refs)? {
        let moved = shelf.look(household, |record| {
            let household = record
                .filter(|record| is_active(record) && record.varint(field::household::SHANTY_RESETTLED) == Some(1))?;
            Some(household.day(field::household::SHANTY_MOVED_ON).unwrap_or(Day::MIN))
        })?;
        days.extend(moved.map(|moved| belongs.and(&Spans::one(moved, Day::MAX))));
    }
    Ok(Spans::all(days))
}

/// Counts what the person's hardship cases count, and returns the days on which it is recognised.
fn count_hardship<S: Shelf>(
    shelf: &S,
    cases: &[(RecordId, Record)],
    person: &Person,
    tally: &mut Tally<'_>,
) -> Result<Spans, S::Error> {
    let mut recognised = Vec::new();
    for (id, record) in cases {
        recognised.extend(recognition(record));
        if let Some(on) = left_hardship_on(record) {
            archive::count_case(shelf, (*id, number::HARDSHIP_CASE), on, tally)?;
        }
    }
    // Dying, moving away and retiring close it (domain-detail 2.1).
    Ok(Spans::union(recognised).and(&person.registered).and(&person.before_retirement()))
}

/// The households that a person belongs to, each with the days.
fn memberships<S: Shelf>(shelf: &S, refs: &Refs) -> Result<Vec<(RecordId, Spans)>, S::Error> {
    let mut found = Vec::new();
    for (_, record) in refs.active(shelf, number::MEMBER, field::member::PERSON)? {
        let member: pb::Member =
            record.typed(|tag| matches!(tag, field::member::HOUSEHOLD | field::member::FROM_ON | field::member::TO_ON));
        let Some(household) = member.household.as_deref().and_then(RecordId::from_slice) else { continue };
        let belongs = between(member.from_on, member.to_on);
        found.push((survivor(shelf, household)?, belongs));
    }
    Ok(found)
}

/// The days on which somebody was in touch with the household of a person without naming one of its members (2.7).
fn family_contacts<S: Shelf>(shelf: &S, refs: &Refs) -> Result<Vec<Day>, S::Error> {
    let mut contacts = Vec::new();
    for (household, belongs) in memberships(shelf, refs)? {
        let about = Refs::to(shelf, household, number::HOUSEHOLD)?;
        let services =
            services_of(shelf, about.active(shelf, number::SERVICE_RECORD, field::service_record::HOUSEHOLD)?)?;
        let theirs = services.iter().filter(|service| !service.of_person && belongs.has(service.on));
        contacts.extend(theirs.map(|service| service.on));
    }
    Ok(contacts)
}

/// The days on which a person is recognised as hard to employ, by these cases.
pub(super) fn hardship(cases: &[(RecordId, Record)]) -> Spans {
    Spans::union(cases.iter().filter_map(|(_, record)| recognition(record)))
}

/// K38: verified within the plan's days, fewer of them while in hardship.
fn count_fresh(person: &Person, visits: &[Day], hardship: &Spans, tally: &mut Tally<'_>) {
    let fresh = fresh(&person.verified_on, visits, hardship, tally).and(&person.registered);
    tally.during(Part::Fresh, &fresh);
}

/// The days on which a record is verified in time.
pub(super) fn fresh(verified_on: &[Day], visits: &[Day], hardship: &Spans, tally: &Tally<'_>) -> Spans {
    let days: Vec<Day> = visits.iter().chain(verified_on).copied().collect();
    if days.is_empty() {
        return Spans::default();
    }
    tally.by_plan(|plan| {
        let within =
            |keep: i32| Spans::union(days.iter().map(|day| Span { from: *day, to: day.saturating_add(keep + 1) }));
        let others = within(plan.fresh.other_days).without(hardship);
        if hardship.is_empty() {
            return others;
        }
        Spans::all([others, within(plan.fresh.hardship_days).and(hardship)])
    })
}

/// The days on which a person has an open placement, with a place where it is on a post, and before the person left.
/// `person` is a survivor.
pub(super) fn employed<S: Shelf>(shelf: &S, person: RecordId) -> Result<Spans, S::Error> {
    let jobs = jobs(shelf, &placements_of(shelf, person)?)?;
    if jobs.is_empty() {
        return Ok(jobs);
    }
    let left = shelf.look(person, |record| record.and_then(left_on))?;
    Ok(jobs.and(&Spans::one(Day::MIN, left.unwrap_or(Day::MAX))))
}

/// The placements of a person, at whichever of its registrations they are known.
pub(super) fn placements_of<S: Shelf>(shelf: &S, person: RecordId) -> Result<Vec<(RecordId, Record)>, S::Error> {
    let mut found = Vec::new();
    for own in contest::registrations(shelf, person)? {
        found.extend(Refs::to(shelf, own, number::RESIDENT)?.active(
            shelf,
            number::PLACEMENT,
            field::placement::PERSON,
        )?);
    }
    Ok(found)
}

/// The days of these placements, those on a post while they have a place there.
fn jobs<S: Shelf>(shelf: &S, placements: &[(RecordId, Record)]) -> Result<Spans, S::Error> {
    let mut spans = Vec::new();
    for (id, record) in placements {
        match (span_of(record), record.reference(field::placement::POST)) {
            (Some(_), Some(post)) => spans.extend(post::held(shelf, *id, post)?.iter().copied()),
            (Some(span), None) => spans.push(span),
            (None, _) => {}
        }
    }
    Ok(Spans::union(spans))
}
