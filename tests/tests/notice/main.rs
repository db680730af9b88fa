//! The notice 抚再办发〔2008〕4号, item by item: clerks enter what it asks for at their own offices, it travels to the
//! district and to the city over real sessions, and the figures of every tier say what the item says. `NOTICE.md` walks
//! the 52 items; `table` checks that it names every one of them and only tests that exist.
//! Invariant: what happened has a date of 2008, and figures are asked for on days of 2008, so no test depends on today.

#![allow(clippy::unwrap_used)]

mod archives_network;
mod assistance_month;
mod assistants;
mod certification;
mod decisions;
mod documents;
mod platforms;
mod table;
mod tasks_targets;
mod townships;
mod training_posts_fairs;
mod zero_employment;

use jiff::civil::Date;
use taizhang_hub::{plans, totals, writer::Job};
use taizhang_proto::{
    RecordId,
    date::{self, Day},
    pb::{self, Tier},
    register::registers,
};
use taizhang_tests::{
    books,
    scene::{Scene, unit},
    town::{TownHub, unheard, until},
};

/// The city.
const CITY: u64 = 210_400_000_000;
/// A rural township of the first district, and one of its villages.
const TOWNSHIP: u64 = 210_402_201_000;
const VILLAGE: u64 = 210_402_201_201;

/// A community that has the title since June, entered by its district as it stands.
async fn titled(scene: &Scene, code: u64) -> RecordId {
    let standard = "[2007]8号 FS2008-default";
    let fields = [("stage", "5"), ("applied_on", "2008-04-01"), ("certified_on", "2008-06-01"), ("rule_set", standard)];
    scene.record(code, "FecCase", &fields).await
}

/// The communities of a district, in the order of their codes.
fn communities(scene: &Scene, district: u64) -> Vec<u64> {
    let below = scene.town.tree.below(unit(district));
    below.filter(|unit| unit.code.is_urban_community()).map(|unit| unit.code.number()).collect()
}

/// A day as it is written in a register.
fn day(written: &str) -> Day {
    date::day(written.parse::<Date>().unwrap())
}

/// What each tier says of an indicator on a day, from a unit up to the city: numerator and denominator. The city says
/// the same of the lower ones as their district does, and of itself beside that the units of districts without a hub.
fn up(scene: &Scene, code: u64, indicator: &str, on: &str) -> Vec<(i64, i64)> {
    let (city, district) = (&scene.town.city, scene.hub_of(code));
    let said = |hub: &TownHub, unit| {
        let value = hub.value(unit, indicator, day(on)).unwrap();
        (value.numerator, value.denominator)
    };
    let path = unit(code).up_to(unit(CITY)).map(|unit| {
        let figure = said(city, unit);
        if district.unit.covers(unit) {
            assert_eq!(said(district, unit), figure, "{indicator} of {unit} at the district and at the city");
            return figure;
        }
        let more = unheard(&scene.town, indicator);
        (figure.0 - more.0, figure.1 - more.1)
    });
    path.collect()
}

/// The same of what is no ratio.
fn counts(scene: &Scene, code: u64, indicator: &str, on: &str) -> Vec<i64> {
    up(scene, code, indicator, on).into_iter().map(|(value, _)| value).collect()
}

/// A record stands at an office and at its district with these values; the city has no record, and nothing of what is
/// personal in this one.
fn stands(scene: &Scene, office: u64, id: RecordId, fields: &[(&str, &str)]) {
    let at_district = books::records_at(&scene.hub_of(office).hub).remove(&id).unwrap();
    for (name, value) in fields {
        assert_eq!(scene.says(office, id, name), *value, "{name} at {office}");
        assert_eq!(books::shown(&at_district, name), *value, "{name} at the district");
    }
    let city = &scene.town.city.hub;
    assert!(books::records_at(city).is_empty(), "the city has records");
    let rows = books::rows_at(city);
    let def = registers().get(at_district.register).unwrap();
    for field in def.fields.iter().filter(|field| field.personal) {
        let secret = books::shown(&at_district, &field.name);
        let found = secret.len() >= 6 && rows.windows(secret.len()).any(|place| place == secret.as_bytes());
        assert!(!found, "{} of {} is at the city", field.name, def.name);
    }
}

/// How a unit stands against a target on a day, at the city's hub.
fn standing(scene: &Scene, code: u64, indicator: &str, on: &str) -> pb::StandingLine {
    let asked = pb::StandingRequest { unit: code, on: day(on), by: Tier::Unknown.into() };
    let core = &scene.town.city.hub.core;
    let answer = totals::standing(core, &asked, core.unit).unwrap();
    answer.lines.into_iter().find(|line| line.indicator == indicator && line.unit == code).unwrap()
}

/// The city publishes a plan that takes effect today; it is at every office a moment later.
async fn publish(scene: &Scene, text: &str) {
    let city = &scene.town.city.hub;
    let list = plans::publish(&city.core, city.core.signer().unwrap(), text).unwrap();
    city.writer.write(Job::Plans(list)).await.unwrap();
    for district in &scene.town.districts {
        until("the district has the plan", || district.hub.core.plans().version() == 2).await.unwrap();
    }
    scene.meet().await;
    assert!(scene.town.offices.iter().all(|office| office.ledger().plans().version() == 2));
}

/// The notice's plan as version 2 of today.
fn second_plan(scene: &Scene) -> String {
    let today = scene.ago(0);
    include_str!("../../../proto/plan-2008.toml")
        .replace("version = 1\n", "version = 2\n")
        .replace("effective_on = \"2008-01-01\"", &format!("effective_on = \"{today}\""))
}
