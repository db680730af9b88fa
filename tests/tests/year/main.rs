//! A year of the city, day by day: on every day every indicator of every unit is what the catalogue says, at the
//! districts and at the city; and days pass without a write.
#![allow(clippy::unwrap_used)]

mod city;
mod model;
mod oracle;

use city::City;
use taizhang_proto::{
    date::{self, Day},
    indicator,
    month::Month,
};

/// The year that is lived by default: it has something of everything.
const SEED: u64 = 2_008;

pub(crate) fn on(month: i8, day: i8) -> Day {
    date::ymd(2008, month, day).unwrap()
}

#[test]
fn every_indicator_of_every_unit_is_what_the_catalogue_says_on_every_day_of_2008() {
    let seed = std::env::var("TAIZHANG_YEAR_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(SEED);
    println!("seed {seed}; another one: TAIZHANG_YEAR_SEED");
    let dir = tempfile::tempdir().unwrap();
    let mut city = City::open(dir.path(), seed, on(1, 1));
    city.sync(); // the units themselves count
    let (mut compared, mut corrections, mut moved_at_midnight, mut overdue) = (0, 0, 0, None);
    // Of an indicator that is never anything but 0 a comparison says nothing.
    let mut never: Vec<&str> = indicator::all().map(|one| one.code).collect();
    for day in on(1, 1)..=on(12, 31) {
        city.turn_to(day);
        let written = city.written();
        // Midnight has passed: the figures are the new day's, and nothing was written for it.
        compared += city.compare(day);
        assert_eq!(city.written(), written);
        let now = city.figure(city::CITY, "K08", day);
        moved_at_midnight += usize::from(overdue.is_some_and(|before| before != now));
        never.retain(|code| city.figure(city::CITY, code, day) == 0);
        city.live(if day < on(2, 1) { 12 } else { 4 });
        city.sync();
        if day % 5 == 0 {
            compared += city.compare(day);
        }
        let civil = date::civil(day).unwrap();
        if civil.day() == 6 && civil.month() > 1 {
            let (figures, lines) = city.lock(Month::of(day - 10).unwrap());
            compared += figures;
            corrections += lines;
        }
        if civil.last_of_month() == civil {
            compared += city.compare_proven(day);
        }
        overdue = Some(city.figure(city::CITY, "K08", day));
    }
    city.recount();
    assert!(never.is_empty() || seed != SEED, "never more than 0: {never:?}");
    let (found, ruled) = city.disputes();
    println!("{found} conflicts found, {ruled} settled");
    assert!(found > ruled && ruled > 0);
    println!("{corrections} lines of later months corrected locked ones");
    assert!(corrections > 10);
    println!("{compared} figures compared; 'overdue' moved at {moved_at_midnight} midnights without a write");
    assert!(moved_at_midnight > 10);
}
