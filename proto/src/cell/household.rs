//! What a household counts in: its cases, its children's training (K30), pairing (K33), visits in the campaign (K32),
//! freshness (K38).

use super::{
    Shelf, Tally,
    case::{self, Case, counted_members},
    contest,
    days::{cases_run, closed_on, on_register_since, registered, verified_on},
    home_unit, is_active, merged_into,
    person::{fresh, hardship},
    refs::{Refs, following},
    services::{Service, services_of, visits},
    span::{Span, Spans},
    training,
};
use crate::{
    Record, RecordId,
    date::Day,
    indicator::Part,
    pb,
    register::{field, number},
    text,
};

pub(super) fn count<S: Shelf>(shelf: &S, id: RecordId, tally: &mut Tally<'_>) -> Result<(), S::Error> {
    // A case may refer to anything well-formed; only a household moves it to its own unit.
    let household = shelf.record(id)?;
    if household.as_ref().and_then(merged_into).is_some() {
        return Ok(()); // what refers to it counts at the household that stands for it
    }
    let household = household.filter(|record| record.register == number::HOUSEHOLD);
    let refs = Refs::to(shelf, id, number::HOUSEHOLD)?;
    let household = household.filter(is_active);
    let contested = match &household {
        Some(record) => contest::turns(shelf, id, record)?.behind,
        None => Spans::default(),
    };
    let mut cases = Vec::new();
    for (case, record) in refs.active(shelf, number::ZEF_CASE, field::zef_case::HOUSEHOLD)? {
        cases.extend(case::read(shelf, id, (case, &record), tally.plans)?);
    }
    // Of two open cases of a kind, which a merge or two offices made, the earlier clock runs on.
    cases.sort_by_key(|case| (case.clock.recognised_on, case.clock.exit_on.unwrap_or(Day::MAX), case.id));
    let mut busy_until = [Day::MIN; 2];
    let mut open = Vec::new();
    for case in &cases {
        let busy = &mut busy_until[usize::from(case.graduate)];
        if case.clock.recognised_on < *busy {
            tally.behind = Spans::one(Day::MIN, Day::MAX);
        } else {
            tally.behind = contested.clone();
            *busy = case.clock.exit_on.unwrap_or(Day::MAX);
            if !case.graduate {
                open.push(case.open());
            }
        }
        at_home(household.as_ref(), case, tally);
        case::count(shelf, case, tally)?;
    }
    let Some(household) = household.filter(|record| home_unit(record).is_some()) else { return Ok(()) };
    tally.behind = contested;
    tally.at_home_of(&household);
    count_itself(shelf, (id, &household), &refs, &Spans::all(open), tally)
}

fn at_home(household: Option<&Record>, case: &Case, tally: &mut Tally<'_>) {
    match household {
        Some(household) => tally.at_home_of(household),
        None => tally.at(case.unit),
    }
}

/// What the household counts beside its cases; `open` are the days on which it is without employment by a case.
fn count_itself<S: Shelf>(
    shelf: &S,
    (id, household): (RecordId, &Record),
    refs: &Refs,
    open: &Spans,
    tally: &mut Tally<'_>,
) -> Result<(), S::Error> {
    let there = Spans::one(Day::MIN, closed_on(household).unwrap_or(Day::MAX));
    let registered = there.and(&Spans::one(on_register_since(household), Day::MAX));
    tally.during(Part::Households, &registered);

    let own_services =
        services_of(shelf, refs.active(shelf, number::SERVICE_RECORD, field::service_record::HOUSEHOLD)?)?;
    let fresh = fresh(&verified_on(household), &visits(&own_services), open, tally).and(&registered);
    tally.during(Part::Fresh, &fresh);
    for service in own_services.iter().filter(|service| service.campaign.is_some() && !service.of_person) {
        tally.step(Part::CampaignSends, service.on, service.sends);
    }
    let mut visited: Vec<Day> = campaign_visits(&own_services);
    let mut recognised = vec![open.clone()];
    let mut paired = vec![pairing_days(&refs.active(shelf, number::PAIRING, field::pairing::HOUSEHOLD)?)];
    for (person, belongs) in counted_members(shelf, id)? {
        let about = Refs::to(shelf, person, number::RESIDENT)?;
        let theirs = services_of(shelf, about.active(shelf, number::SERVICE_RECORD, field::service_record::PERSON)?)?;
        visited.extend(campaign_visits(&theirs).into_iter().filter(|day| belongs.days.has(*day)));
        let run = shelf.look(person, |record| record.map_or(Spans::one(Day::MIN, Day::MAX), cases_run))?;
        let cases = hardship(&about.active(shelf, number::HARDSHIP_CASE, field::hardship_case::PERSON)?);
        recognised.push(cases.and(&belongs.days).and(&run));
        paired.push(pairing_days(&about.active(shelf, number::PAIRING, field::pairing::PERSON)?).and(&belongs.days));
        if belongs.child && !open.is_empty() {
            count_child(shelf, person, &about, &open.and(&belongs.days), tally)?;
        }
    }
    tally.once((Some(Part::CampaignVisitedInYear), Some(Part::CampaignVisitedInMonth)), &visited);
    let recognised = Spans::all(recognised).and(&there);
    tally.during(Part::RecognisedHouseholds, &recognised);
    tally.during(Part::RecognisedPaired, &Spans::all(paired).and(&recognised));
    Ok(())
}

/// The days of the visits that belong to a campaign.
fn campaign_visits(services: &[Service]) -> Vec<Day> {
    services.iter().filter(|service| service.campaign.is_some() && service.visit).map(|service| service.on).collect()
}

/// The services to a household: to itself, and to each counted member on the days of the membership.
pub(super) fn services_to<S: Shelf>(shelf: &S, id: RecordId) -> Result<Vec<Service>, S::Error> {
    let refs = Refs::to(shelf, id, number::HOUSEHOLD)?;
    let mut found = services_of(shelf, refs.active(shelf, number::SERVICE_RECORD, field::service_record::HOUSEHOLD)?)?;
    for (person, belongs) in counted_members(shelf, id)? {
        let about = Refs::to(shelf, person, number::RESIDENT)?;
        let theirs = services_of(shelf, about.active(shelf, number::SERVICE_RECORD, field::service_record::PERSON)?)?;
        found.extend(theirs.into_iter().filter(|service| belongs.days.has(service.on)));
    }
    Ok(found)
}

/// Whether somebody visited the household, or a member of it, for a campaign by a day.
pub(super) fn visited_for<S: Shelf>(shelf: &S, id: RecordId, campaign: RecordId, by: Day) -> Result<bool, S::Error> {
    let of_it = |service: &Service| service.visit && service.campaign == Some(campaign) && service.on <= by;
    Ok(services_to(shelf, id)?.iter().any(of_it))
}

fn pairing_days(pairings: &[(RecordId, Record)]) -> Spans {
    Spans::union(pairings.iter().filter_map(|(_, record)| {
        let pairing: pb::Pairing = record.typed(|tag| matches!(tag, field::pairing::FROM_ON | field::pairing::TO_ON));
        Some(Span { from: pairing.from_on?, to: pairing.to_on.unwrap_or(Day::MAX) })
    }))
}

/// Whether a person wishes to be trained: forms have a wish there, or 无.
fn wishes_training(record: &Record) -> bool {
    let wish = record.slice(field::resident::TRAIN_WISH).map(String::from_utf8_lossy).unwrap_or_default();
    !wish.trim().is_empty() && text::parse_bool(&wish) != Some(false) && !wish.starts_with("不")
}

/// K30: a child who wishes to train, while the household is without employment, and from the first enrolment on.
fn count_child<S: Shelf>(
    shelf: &S,
    child: RecordId,
    about: &Refs,
    open: &Spans,
    tally: &mut Tally<'_>,
) -> Result<(), S::Error> {
    let wishes = shelf.look(child, |record| {
        let record = record.filter(|record| is_active(record) && wishes_training(record))?;
        Some(registered(record))
    })?;
    let Some(registered) = wishes else { return Ok(()) };
    let open = open.and(&registered);
    tally.during(Part::ZefChildrenWishing, &open);
    if let Some(first) = training::first_enrolled(&about.active(shelf, number::TRAINEE, field::trainee::PERSON)?) {
        tally.during(Part::ZefChildrenTrained, &open.and(&Spans::one(first, Day::MAX)));
    }
    Ok(())
}

/// The records that keep a household open beyond a day: members who have not left, and cases that are neither left nor
/// refused (domain-detail 2.2).
///
/// # Errors
/// When the shelf fails.
pub fn keeps_open<S: Shelf>(
    shelf: &S,
    household: RecordId,
    closed_on: Option<Day>,
) -> Result<Vec<(u32, RecordId)>, S::Error> {
    let mut open = Vec::new();
    for (register, ends) in [
        (number::ZEF_CASE, &[field::zef_case::EXIT_ON, field::zef_case::REFUSED_ON][..]),
        (number::MEMBER, &[field::member::TO_ON]),
    ] {
        for id in following(shelf, household, number::HOUSEHOLD, register)? {
            let over = shelf.look(id, |record| {
                record.filter(|record| is_active(record)).is_none_or(|record| {
                    let ended = ends.iter().find_map(|tag| record.day(*tag));
                    ended.is_some_and(|day| closed_on.is_none_or(|closed| day <= closed))
                })
            })?;
            if !over {
                open.push((register, id));
            }
        }
    }
    Ok(open)
}

/// What to say to somebody who closes a household that a record of this register keeps open.
pub fn still_open(register: u32) -> &'static str {
    if register == number::ZEF_CASE {
        "尚有未结的零就业家庭案件，不能销户 (a case is open: close it first)"
    } else {
        "尚有在册成员，不能销户 (members are left: end their membership first)"
    }
}
