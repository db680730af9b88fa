//! The city's side of marks: which hub counts a mark that two or more hold, day by day.
//! Invariants: on each day exactly one of the hubs that hold the mark on it counts; a ruling follows from the holders alone, not from the order in which they were heard; every holder is
//! told whenever it changes; nothing here knows whose mark it is.

use crate::{
    mail::{
        marks::MAX_STAYS,
        rows::{CityMark, Holder, MARK, MailRow, digest_of, kind, mail_at, mark_key, under},
    },
    rows::NodeRow,
    store::{Space, StoreError},
    writer::{
        Peer, WriteError,
        commit::Commit,
        mail::{across, boxes},
    },
};
use taizhang_proto::{
    date::{self, Day},
    pb,
};

/// How far a hub's mark key may be ahead of what all hubs have.
pub(super) const MAX_AHEAD: u32 = 8;

/// Most turns that a ruling may have: as many as the field holds in which districts keep it.
const MAX_TURNS: usize = 64;
/// Most numbers in a rank.
const MAX_RANK: usize = 8;

/// The days on which a hub holds a mark, each with its rank: at home first, then who took in last, then who registered first
/// (`taizhang_proto::cell::stays`). A hub of an earlier build holds it on all days.
fn stays_of(holder: &Holder) -> Vec<pb::MarkStay> {
    if !holder.stays.is_empty() {
        return holder.stays.clone();
    }
    let seconds = i64::try_from(holder.since).unwrap_or(i64::MAX);
    let taken_in = if holder.taken_in { seconds / 86_400 } else { Day::MIN.into() };
    let rank = vec![i64::from(!holder.at_home), -taken_in, Day::MIN.into(), seconds.saturating_mul(1_000)];
    vec![pb::MarkStay { from: Day::MIN, to: Day::MAX, rank }]
}

/// Who counts from which day on: of the hubs that hold the mark on a day the one of the smallest rank, and of equal ones the
/// lowest unit. Nobody is named on days on which not more than one holds it.
fn turns_of(holders: &[Holder]) -> Vec<pb::MarkTurn> {
    let stays: Vec<(u64, pb::MarkStay)> =
        holders.iter().flat_map(|holder| stays_of(holder).into_iter().map(|stay| (holder.unit, stay))).collect();
    let mut days: Vec<Day> = stays.iter().flat_map(|(_, stay)| [stay.from, stay.to]).collect();
    days.sort_unstable();
    days.dedup();
    let mut turns: Vec<pb::MarkTurn> = Vec::new();
    for from in days.into_iter().filter(|day| *day != Day::MAX) {
        let there = || stays.iter().filter(|(_, stay)| stay.from <= from && from < stay.to);
        let first = there().min_by_key(|(unit, stay)| (&stay.rank, *unit)).map(|(unit, _)| *unit);
        let several = first.is_some_and(|first| there().any(|(unit, _)| *unit != first));
        let counts_at = first.filter(|_| several).unwrap_or(0);
        if turns.last().map_or(0, |turn| turn.counts_at) != counts_at {
            turns.push(pb::MarkTurn { from, counts_at });
        }
    }
    // Of more than that, the oldest become one.
    let over = turns.len().saturating_sub(MAX_TURNS);
    turns.drain(..over);
    if let Some(first) = turns.first_mut().filter(|_| over > 0) {
        first.from = Day::MIN;
    }
    turns
}

/// A stay with its ends within the calendar, or open.
fn within_the_calendar(mut stay: pb::MarkStay) -> pb::MarkStay {
    if stay.from < *date::KNOWN.start() {
        stay.from = Day::MIN;
    }
    if stay.to > *date::KNOWN.end() {
        stay.to = Day::MAX;
    }
    stay
}

/// Takes a child hub's marks, by value.
pub(in crate::writer) fn take_marks(
    commit: &mut Commit<'_>,
    peer: &Peer,
    marks: &[pb::MarkValue],
    marked: u64,
    node: &mut NodeRow,
) -> Result<(), WriteError> {
    let generation = boxes::office(commit)?.generation;
    for value in marks {
        let known = (generation.max(1)..=generation.saturating_add(MAX_AHEAD)).contains(&value.generation);
        let sound = |stay: &pb::MarkStay| stay.from < stay.to && stay.rank.len() <= MAX_RANK;
        let sound = value.stays.len() <= MAX_STAYS && value.stays.iter().all(sound);
        if value.mark.len() != MARK || !matches!(value.kind, 1 | 2) || !sound {
            node.refused += 1;
            continue;
        }
        if known {
            take_mark(commit, peer.unit.number(), value)?;
        }
    }
    node.marked = node.marked.max(marked);
    Ok(())
}

fn take_mark(commit: &mut Commit<'_>, unit: u64, value: &pb::MarkValue) -> Result<(), StoreError> {
    let key = under(kind::HOLDERS, &mark_key(value.generation, value.kind, &value.mark));
    let mut row: CityMark = across::kept(commit, Space::Marks, &key)?.unwrap_or_default();
    let place = row.holders.binary_search_by_key(&unit, |holder| holder.unit);
    let mut holder = Holder {
        unit,
        at_home: value.at_home,
        since: value.since,
        taken_in: value.taken_in,
        told: 0,
        stays: value.stays.iter().cloned().map(within_the_calendar).filter(|stay| stay.from < stay.to).collect(),
    };
    let several = row.holders.len();
    match (place, value.gone) {
        (Ok(place), true) => {
            row.holders.remove(place);
        }
        (Ok(place), false) => {
            holder.told = row.holders[place].told;
            if row.holders[place] == holder {
                return correct(commit, unit, value, &key, row);
            }
            row.holders[place] = holder;
        }
        (Err(_), true) => return Ok(()),
        (Err(place), false) => row.holders.insert(place, holder),
    }
    rule(commit, &key, row, several)?;
    match across::kept(commit, Space::Marks, &key)? {
        Some(row) => correct(commit, unit, value, &key, row),
        None => Ok(()),
    }
}

/// Tells a hub what stands where it goes by another ruling: one that this hub has lost, or that its holders outlived.
fn correct(
    commit: &mut Commit<'_>,
    unit: u64,
    value: &pb::MarkValue,
    key: &[u8],
    mut row: CityMark,
) -> Result<(), StoreError> {
    let goes_by = value.counts_at != 0 || !value.ruled.is_empty();
    if goes_by && (value.counts_at != row.counts_at || value.ruled != digest_of(&row.turns)) {
        tell_holders(commit, key, &mut row, |holder| holder.unit == unit)?;
        across::keep_row(commit, Space::Marks, key.to_vec(), &row);
    }
    Ok(())
}

/// Rules on a mark whose holders have changed, and keeps it.
pub(in crate::writer) fn rule(
    commit: &mut Commit<'_>,
    key: &[u8],
    mut row: CityMark,
    several: usize,
) -> Result<(), StoreError> {
    // Who is set aside counts nobody: the mark is as if it did not hold it.
    let aside = across::aside(commit)?;
    let turns = if aside.children.is_empty() {
        turns_of(&row.holders)
    } else {
        let counting = row.holders.iter().filter(|holder| aside.child(holder.unit).is_none());
        turns_of(&counting.cloned().collect::<Vec<_>>())
    };
    if turns != row.turns || (row.holders.len() > 1 && row.holders.len() != several) {
        row.counts_at = turns.last().map_or(0, |turn| turn.counts_at);
        row.turns = turns;
        tell_holders(commit, key, &mut row, |_| true)?;
    }
    if row.holders.is_empty() {
        across::forget(commit, Space::Marks, key.to_vec());
    } else {
        across::keep_row(commit, Space::Marks, key.to_vec(), &row);
    }
    Ok(())
}

fn tell_holders(
    commit: &mut Commit<'_>,
    key: &[u8],
    row: &mut CityMark,
    whom: impl Fn(&Holder) -> bool,
) -> Result<(), StoreError> {
    let parts = key.get(1..).and_then(crate::mail::rows::parts_of).ok_or(StoreError::Row(Space::Marks))?;
    let ruling = pb::MarkRuling {
        generation: parts.0,
        kind: parts.1,
        mark: parts.2.to_vec().into(),
        counts_at: row.counts_at,
        holders: row.holders.iter().map(|holder| holder.unit).collect(),
        turns: row.turns.clone(),
    };
    for holder in row.holders.iter_mut().filter(|holder| whom(holder)) {
        if holder.told > 0 {
            across::forget(commit, Space::Mailbox, mail_at(holder.unit, holder.told));
        }
        holder.told = boxes::post(commit, holder.unit, MailRow { ruling: Some(ruling.clone()), ..MailRow::default() });
    }
    Ok(())
}

/// Forgets marks under keys that no hub uses any more: every hub holds the rulings under the later ones.
pub(super) fn forget_marks_before(commit: &mut Commit<'_>, generation: u32) -> Result<(), StoreError> {
    let (from, to) = (under(kind::HOLDERS, &[]), under(kind::HOLDERS, &generation.to_be_bytes()));
    let old: Vec<_> = commit.view.range(Space::Marks, &from, &to).collect::<Result<_, _>>()?;
    for (key, _) in old {
        across::forget(commit, Space::Marks, key.to_vec());
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn holder(unit: u64, at_home: bool, taken_in: bool, since: u64) -> Holder {
        Holder { unit, at_home, since, taken_in, told: 0, stays: Vec::new() }
    }

    fn counts_at(holders: &[Holder]) -> Option<u64> {
        turns_of(holders).last().map(|turn| turn.counts_at)
    }

    #[test]
    fn home_comes_first_then_the_latest_transfer_then_the_earliest_registration_then_the_lowest_unit() {
        assert_eq!(counts_at(&[]), None);
        let mut holders = vec![holder(4, false, false, 10)];
        assert_eq!(counts_at(&holders), None, "it holds it alone");
        holders.push(holder(3, false, false, 10));
        assert_eq!(counts_at(&holders), Some(3));
        holders.push(holder(5, false, false, 9));
        assert_eq!(counts_at(&holders), Some(5));
        holders.extend([holder(6, false, true, 20 * 86_400), holder(7, false, true, 30 * 86_400)]);
        assert_eq!(counts_at(&holders), Some(7));
        holders.push(holder(8, true, false, 99));
        assert_eq!(counts_at(&holders), Some(8));
        holders.reverse();
        assert_eq!(counts_at(&holders), Some(8));
    }

    /// A hub that holds a mark on some days, by ranks.
    fn on_days(unit: u64, stays: &[(Day, Day, i64)]) -> Holder {
        let stay = |(from, to, rank): &(Day, Day, i64)| pb::MarkStay { from: *from, to: *to, rank: vec![*rank] };
        Holder { stays: stays.iter().map(stay).collect(), ..holder(unit, false, false, 0) }
    }

    #[test]
    fn who_is_registered_later_or_leaves_changes_no_other_day() {
        let turn = |from, counts_at| pb::MarkTurn { from, counts_at };
        let holders = [on_days(3, &[(35, 155, 35)]), on_days(4, &[(97, Day::MAX, 97)])];
        assert_eq!(turns_of(&holders), [turn(97, 3), turn(155, 0)]);
    }

    proptest! {
        #[test]
        fn on_each_day_the_smallest_of_several_counts_and_nobody_is_named_where_one_is_alone(
            all in prop::collection::vec(prop::collection::vec((0..30, 1..12, 0_i64..4), 1..3), 0..4),
        ) {
            let stays = |all: &[(Day, Day, i64)]| -> Vec<_> {
                all.iter().map(|(from, length, rank)| (*from, from + length, *rank)).collect()
            };
            let holders: Vec<Holder> = (3..).zip(&all).map(|(unit, all)| on_days(unit, &stays(all))).collect();
            let turns = turns_of(&holders);
            for day in -1..45 {
                let there: Vec<(i64, u64)> = holders
                    .iter()
                    .filter_map(|holder| {
                        let own = holder.stays.iter().filter(|stay| stay.from <= day && day < stay.to);
                        Some((own.map(|stay| stay.rank[0]).min()?, holder.unit))
                    })
                    .collect();
                let wanted = if there.len() > 1 { there.iter().min().unwrap().1 } else { 0 };
                let found = turns.iter().rev().find(|turn| turn.from <= day).map_or(0, |turn| turn.counts_at);
                prop_assert_eq!(found, wanted, "day {}", day);
            }
        }
    }
}
