//! Sums of whole years beside those of days, at a city. A district may say something of every day from 1900 to 2199, and a register
//! fills year after year: who asks for a total reads the days of one year at either end, and between them one row a year.
//! Invariant: the sum of a part over a year is that of its days, in every commit; at each start what is not so is put right before
//! anybody reads it. (What one unit counts alone, and a trend, which shows days, are read by days: of one part or a few.)

use super::{read_cells, sum_in};
use crate::{
    rows::meta,
    store::{Space, StoreError, View, WriteSet},
};
use std::{collections::HashMap, ops::RangeInclusive};
use taizhang_proto::{
    OrgCode,
    cell::CellKey,
    date::{self, Day},
};

/// The first day of the year of a day, as far as there are years that a cell can lie in.
fn first_of_year(day: Day) -> Day {
    let day = day.clamp(*date::KNOWN.start(), *date::KNOWN.end());
    date::civil(day).map_or(day, |civil| date::day(civil.first_of_year()))
}

/// The first day of the year behind that of a day.
fn next_year(day: Day) -> Day {
    let day = day.clamp(*date::KNOWN.start(), *date::KNOWN.end());
    date::civil(day).map_or(day, |civil| date::day(civil.last_of_year()).saturating_add(1))
}

/// The year of a cell: its first day stands for it.
fn year_of(cell: CellKey) -> CellKey {
    CellKey { date: first_of_year(cell.date), ..cell }
}

/// Where the sum of such a year is kept.
pub(crate) fn key(year: CellKey) -> Vec<u8> {
    [meta::YEARS, &year.to_bytes()].concat()
}

fn read(_: &[u8], value: &[u8]) -> Option<i64> {
    value.try_into().ok().map(i64::from_be_bytes)
}

/// What steps of days come to in each year.
pub(crate) fn by_year<'s>(steps: impl IntoIterator<Item = (&'s CellKey, &'s i64)>) -> HashMap<CellKey, i64> {
    let mut years: HashMap<CellKey, i64> = HashMap::new();
    for (cell, step) in steps {
        let sum = years.entry(year_of(*cell)).or_default();
        *sum = i64::saturating_add(*sum, *step);
    }
    years.retain(|_, sum| *sum != 0);
    years
}

/// Adds steps of days, which a commit writes, to their years.
///
/// # Errors
/// When the store fails.
pub(crate) fn add(view: &dyn View, steps: &HashMap<CellKey, i64>, set: &mut WriteSet) -> Result<(), StoreError> {
    for (year, step) in by_year(steps) {
        let key = key(year);
        let row = view.get(Space::Meta, &key)?;
        let old = row.map_or(Some(0), |row| read(&key, &row)).ok_or(StoreError::Row(Space::Meta))?;
        match old.saturating_add(step) {
            0 => set.remove(Space::Meta, key),
            sum => set.put(Space::Meta, key, sum.to_be_bytes()),
        }
    }
    Ok(())
}

/// At a city's start: puts right what of the years is not what their days come to, because nobody kept them yet, a program that knows
/// nothing of them has counted since, or the disk has changed them.
///
/// # Errors
/// When the store fails.
pub(crate) fn begin(view: &dyn View, set: &mut WriteSet) -> Result<(), StoreError> {
    let (mut kept, mut wrong) = (view.prefix(Space::Meta, meta::YEARS).peekable(), 0u64);
    // Both come by unit, part and day, so one walk beside the other is enough, however many there are.
    let mut put_right = |year: Option<(CellKey, i64)>, set: &mut WriteSet| -> Result<(), StoreError> {
        let own = year.map(|(cell, sum)| (key(cell), sum));
        loop {
            let found = match kept.peek() {
                Some(Ok((found, _))) => Some(found.clone()),
                Some(Err(_)) => return kept.next().map_or(Ok(()), |row| row.map(drop)),
                None => None,
            };
            let Some(found) = found.filter(|found| own.as_ref().is_none_or(|(key, _)| found[..] <= key[..])) else {
                break;
            };
            let row = kept.next().transpose()?;
            if let Some((own, sum)) = own.as_ref().filter(|(key, _)| found[..] == key[..]) {
                if row.and_then(|(_, row)| read(own, &row)) != Some(*sum) {
                    set.put(Space::Meta, own.clone(), sum.to_be_bytes());
                    wrong += 1;
                }
                return Ok(());
            }
            set.remove(Space::Meta, found.to_vec());
            wrong += 1;
        }
        if let Some((key, sum)) = own {
            set.put(Space::Meta, key, sum.to_be_bytes());
            wrong += 1;
        }
        Ok(())
    };
    let mut year: Option<(CellKey, i64)> = None;
    for row in view.prefix(Space::Sums, &[]) {
        let (cell, value) = row?;
        let (cell, step) = CellKey::from_slice(&cell).zip(read(&cell, &value)).ok_or(StoreError::Row(Space::Sums))?;
        match &mut year {
            Some((own, sum)) if *own == year_of(cell) => *sum = sum.saturating_add(step),
            _ => {
                if let Some(done) = year.replace((year_of(cell), step)).filter(|(_, sum)| *sum != 0) {
                    put_right(Some(done), set)?;
                }
            }
        }
    }
    if let Some(done) = year.filter(|(_, sum)| *sum != 0) {
        put_right(Some(done), set)?;
    }
    put_right(None, set)?;
    if view.get(Space::Meta, meta::YEARLY)?.is_none() {
        set.put(Space::Meta, meta::YEARLY, [1]);
    } else if wrong > 0 {
        tracing::warn!(years = wrong, "sums of years were not those of their days: put right");
    }
    Ok(())
}

/// The sums of years that are not zero, for the recount; none where they are not kept.
pub(crate) fn kept(view: &dyn View) -> Result<HashMap<CellKey, i64>, StoreError> {
    read_cells(view, (Space::Meta, meta::YEARS), |value| read(&[], value))
}

/// The sum of a part's cells of a unit's subtree over a range of dates, as it was heard.
///
/// # Errors
/// When the store fails.
pub(super) fn sum(view: &dyn View, unit: OrgCode, part: u16, dates: RangeInclusive<Day>) -> Result<i64, StoreError> {
    let days = |dates: RangeInclusive<Day>| {
        if dates.is_empty() { Ok(0) } else { sum_in(view, (Space::Sums, &[]), (unit, part, dates), read) }
    };
    let (from, to) = (*dates.start(), *dates.end());
    // No sum lies outside the years that are known.
    let first = if from <= *date::KNOWN.start() { *date::KNOWN.start() } else { next_year(from.saturating_sub(1)) };
    let last = if to >= *date::KNOWN.end() { next_year(to) } else { first_of_year(to) };
    if first >= last || view.get(Space::Meta, meta::YEARLY)?.is_none() {
        return days(dates);
    }
    let years = sum_in(view, (Space::Meta, meta::YEARS), (unit, part, first..=last - 1), read)?;
    let before = if from < first { days(from.max(*date::KNOWN.start())..=first - 1)? } else { 0 };
    Ok(years.saturating_add(before).saturating_add(days(last..=to)?))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::{
        engine::FjallStore,
        store::{Rows, Store},
    };
    use proptest::prelude::*;
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    };
    use taizhang_proto::date::ymd;

    const PART: u16 = 1;

    fn unit() -> OrgCode {
        OrgCode::new(210_402_011_003).unwrap()
    }

    fn cell(date: Day) -> CellKey {
        CellKey { unit: unit(), part: PART, date }
    }

    /// A store with these steps, written in several commits, of which `late` are by a program that knows nothing of years.
    fn store(steps: &[(Day, i64)], late: usize) -> (tempfile::TempDir, FjallStore) {
        let dir = tempfile::tempdir().unwrap();
        let store = FjallStore::open(dir.path()).unwrap();
        let mut set = WriteSet::default();
        begin(store.view().as_ref(), &mut set).unwrap();
        store.commit(set).unwrap();
        for (at, (day, step)) in (1..).zip(steps) {
            let (view, mut set) = (store.view(), WriteSet::default());
            let old = view.get(Space::Sums, &cell(*day).to_bytes()).unwrap().map_or(0, |row| read(&[], &row).unwrap());
            set.put(Space::Sums, cell(*day).to_bytes(), (old + step).to_be_bytes());
            if at + late <= steps.len() {
                add(view.as_ref(), &HashMap::from([(cell(*day), *step)]), &mut set).unwrap();
            }
            drop(view);
            store.commit(set).unwrap();
        }
        let mut set = WriteSet::default();
        begin(store.view().as_ref(), &mut set).unwrap();
        assert!(late > 0 || set.is_empty(), "put right where that is needed, and nowhere else");
        if !set.is_empty() {
            store.commit(set).unwrap();
        }
        (dir, store)
    }

    /// Days at the ends of years, and at those of what is known, more often than others.
    fn day() -> impl Strategy<Value = Day> {
        let near = (1_900i16..2_200, -2i32..3).prop_map(|(year, off)| ymd(year, 1, 1).unwrap() + off);
        prop_oneof![near, Just(*date::KNOWN.start()), Just(*date::KNOWN.end()), 13_000i32..21_000]
            .prop_map(|day| day.clamp(*date::KNOWN.start(), *date::KNOWN.end()))
    }

    fn end() -> impl Strategy<Value = Day> {
        prop_oneof![4 => day(), 1 => Just(Day::MIN), 1 => Just(Day::MAX), 1 => any::<Day>()]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn a_sum_by_years_is_that_of_its_days(
            steps in prop::collection::vec((day(), -9i64..10), 0..40),
            ranges in prop::collection::vec((end(), end()), 1..20),
            late in prop_oneof![2 => Just(0usize), 1 => 1usize..4],
        ) {
            let (_dir, store) = store(&steps, late);
            let view = store.view();
            for (from, to) in ranges {
                let expected: i64 =
                    steps.iter().filter(|(day, _)| (from..=to).contains(day)).map(|(_, step)| step).sum();
                prop_assert_eq!(sum(view.as_ref(), unit(), PART, from..=to).unwrap(), expected, "{}..={}", from, to);
            }
            let sums = read_cells(view.as_ref(), (Space::Sums, &[]), |value| read(&[], value)).unwrap();
            prop_assert_eq!(kept(view.as_ref()).unwrap(), by_year(&sums));
        }
    }

    /// A view that counts what is read of it.
    struct Counting(Box<dyn View>, Arc<AtomicUsize>);

    impl Counting {
        fn note<T>(&self) -> impl FnMut(&T) + Send + 'static + use<T> {
            let looks = self.1.clone();
            move |_| {
                looks.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    impl View for Counting {
        fn get(&self, space: Space, key: &[u8]) -> Result<Option<bytes::Bytes>, StoreError> {
            self.note()(&());
            self.0.get(space, key)
        }

        fn range(&self, space: Space, from: &[u8], to: &[u8]) -> Rows<'_> {
            Box::new(self.0.range(space, from, to).inspect(self.note()))
        }

        fn prefix(&self, space: Space, prefix: &[u8]) -> Rows<'_> {
            Box::new(self.0.prefix(space, prefix).inspect(self.note()))
        }
    }

    #[test]
    fn a_year_that_the_disk_has_changed_is_put_right_at_the_next_start() {
        let steps = [(13_000, 4), (14_000, 5), (20_000, -2)];
        let (_dir, store) = store(&steps, 0);
        let (one, other) = (key(year_of(cell(13_000))), key(year_of(cell(14_000))));
        let mut set = WriteSet::default();
        set.put(Space::Meta, one, [7]);
        set.put(Space::Meta, other, 6i64.to_be_bytes());
        set.put(Space::Meta, key(year_of(cell(30_000))), 1i64.to_be_bytes());
        set.put(Space::Meta, [meta::YEARS, b"none"].concat(), 1i64.to_be_bytes());
        set.remove(Space::Meta, key(year_of(cell(20_000))));
        store.commit(set).unwrap();
        let mut set = WriteSet::default();
        begin(store.view().as_ref(), &mut set).unwrap();
        assert_eq!(set.len(), 5);
        store.commit(set).unwrap();
        let view = store.view();
        assert_eq!(kept(view.as_ref()).unwrap(), by_year(&HashMap::from(steps.map(|(day, step)| (cell(day), step)))));
        assert_eq!(sum(view.as_ref(), unit(), PART, Day::MIN..=Day::MAX).unwrap(), 7);
    }

    #[test]
    fn who_says_something_of_every_day_of_three_centuries_makes_no_total_slow() {
        let dir = tempfile::tempdir().unwrap();
        let store = FjallStore::open(dir.path()).unwrap();
        let mut set = WriteSet::default();
        for day in date::KNOWN {
            set.put(Space::Sums, cell(day).to_bytes(), 1i64.to_be_bytes());
        }
        store.commit(set).unwrap();
        let mut set = WriteSet::default();
        begin(store.view().as_ref(), &mut set).unwrap();
        store.commit(set).unwrap();
        let today = ymd(2_026, 11, 30).unwrap();
        for (dates, most) in [(Day::MIN..=today, 127 + 366), (Day::MIN..=Day::MAX, 300), (10_000..=today, 25 + 2 * 366)]
        {
            let counting = Counting(store.view(), Arc::default());
            let days = *dates.end().min(date::KNOWN.end()) - *dates.start().max(date::KNOWN.start()) + 1;
            assert_eq!(sum(&counting, unit(), PART, dates.clone()).unwrap(), i64::from(days));
            let looks = counting.1.load(Ordering::Relaxed);
            assert!(looks <= most + 8, "{looks} rows for {dates:?}");
        }
    }
}
