//! What a cell can be, whoever says it: bounds that no honest count reaches.
//! Invariant: a pure function of the cell, so who recounts leaves out the same. A part that this build does not know is
//! bounded like the largest: it is kept for the build that knows it, and no figure of this one reads it.

use super::CellKey;
use crate::{
    date,
    indicator::{DUPLICATES, PENDING, Part},
};

/// No unit counts so many persons, households or cases on one day.
const MAX_HEADS: u64 = 1 << 20;
/// No unit's sums of what people write (places, intents, days) reach this on one day. So many cells of this size as a hub
/// takes of all its children stay within the numbers that sums are kept in.
const MAX_AMOUNT: u64 = 1 << 34;
/// The parts of the city's tasks, one by one ([`crate::orders::Progress::part`]).
const TASKS: std::ops::RangeInclusive<u16> = 10_000..=49_999;

/// What is known of a part by its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Heads, counted from a day up to but without another: never below zero on any day.
    Heads,
    /// Sums of what people write: never below zero either.
    Amount,
    /// What counts live and not in a closed month: a difference, of either sign.
    Difference,
    /// A newer build's.
    Unknown,
}

/// The part that another one is of, and whether that is what counts live and not in a closed month.
fn own_part(part: u16) -> (bool, u16) {
    let (pending, rest) = if part >= PENDING { (true, part - PENDING) } else { (false, part) };
    (pending, if rest >= DUPLICATES { rest - DUPLICATES } else { rest })
}

/// Whether a part can count something of a person or household, which moves with them; what only a unit, a post, an event or a task counts
/// stays where that is.
pub fn moves_with_persons(part: u16) -> bool {
    if TASKS.contains(&part) {
        return false;
    }
    let Some(own) = Part::from_number(own_part(part).1) else { return true };
    !matches!(
        own,
        Part::FecTitle
            | Part::UrbanCommunities
            | Part::FecRectifying
            | Part::StationsCertified
            | Part::Stations
            | Part::OfficesLargeEnough
            | Part::TownshipOffices
            | Part::OfficesSixInPlace
            | Part::VillagesCovered
            | Part::Villages
            | Part::ShantyWindows
            | Part::ShantyCommunities
            | Part::FitWindows
            | Part::FitCommunities
            | Part::DocsComplete
            | Part::Platforms
            | Part::ThreeUrban
            | Part::UrbanPlatforms
            | Part::ThreeRural
            | Part::ThreeShanty
            | Part::PostPlaces
            | Part::Fairs
            | Part::FairsInCommunities
            | Part::FairIntents
            | Part::FairHired
            | Part::CheckedInYear
            | Part::CheckedInMonth
            | Part::RectifyOverdue
            | Part::TitlesRevoked
            | Part::Commended
            | Part::RecheckFailed
            | Part::NodesOnline
            | Part::Nodes
            | Part::ConflictsOpen
            | Part::ConflictsOverdue
            | Part::TasksClosedInTime
            | Part::TasksDue
            | Part::TasksOverdue
            | Part::MonthsClosed
            | Part::MonthsApproved
            | Part::MonthsReturned
    )
}

fn kind(part: u16) -> Kind {
    if TASKS.contains(&part) {
        return Kind::Heads;
    }
    let (pending, own) = own_part(part);
    match Part::from_number(own) {
        None => Kind::Unknown,
        Some(_) if pending => Kind::Difference,
        Some(Part::RecognitionDays | Part::PostPlaces | Part::FairIntents | Part::FairHired | Part::CampaignSends) => {
            Kind::Amount
        }
        Some(_) => Kind::Heads,
    }
}

/// Whether a part counts one for each person, household, unit or case.
pub fn counts_heads(part: u16) -> bool {
    kind(part) == Kind::Heads
}

/// Whether the sum of a part's cells of one unit up to a day is below zero on no day.
pub fn is_never_negative(part: u16) -> bool {
    matches!(kind(part), Kind::Heads | Kind::Amount)
}

/// Whether an honest hub can say this; nothing can be said anywhere.
pub fn is_plausible(key: CellKey, value: i64) -> bool {
    let most = if counts_heads(key.part) { MAX_HEADS } else { MAX_AMOUNT };
    value == 0 || (date::KNOWN.contains(&key.date) && value.unsigned_abs() <= most)
}

/// What a cell adds to sums: nothing where it is out of bounds.
pub fn counted(key: CellKey, value: i64) -> i64 {
    if is_plausible(key, value) { value } else { 0 }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::OrgCode;

    fn key(part: u16, date: i32) -> CellKey {
        CellKey { unit: OrgCode::new(210_402_011_003).unwrap(), part, date }
    }

    #[test]
    fn heads_amounts_and_days_have_bounds_and_unknown_parts_are_kept() {
        let residents = Part::Residents.number();
        assert!(is_plausible(key(residents, 14_000), -(1 << 20)) && !is_plausible(key(residents, 14_000), -(1 << 21)));
        assert!(
            is_plausible(key(Part::FairIntents.number(), 14_000), i64::from(u32::MAX)),
            "as an office may write it"
        );
        for day in [i32::MIN, -30_000, 90_000, 9_000_000, i32::MAX] {
            assert_eq!(counted(key(residents, day), 1), 0);
            assert!(is_plausible(key(residents, day), 0) && !is_plausible(key(residents, day), 1));
        }
        assert!(is_plausible(key(777, 14_000), 1 << 30), "a newer build's");
        assert!(!is_plausible(key(777, 14_000), i64::MIN));
    }

    #[test]
    fn what_a_person_carries_is_told_from_what_a_unit_has() {
        for part in [Part::Residents, Part::Unemployed, Part::ZefRecognised, Part::RecognitionDays, Part::PostOccupied]
        {
            assert!(moves_with_persons(part.number()) && moves_with_persons(part.number() + DUPLICATES + PENDING));
        }
        for part in [Part::PostPlaces, Part::FairIntents, Part::FecTitle, Part::Nodes, Part::MonthsClosed] {
            assert!(!moves_with_persons(part.number()) && !moves_with_persons(part.number() + PENDING), "{part:?}");
        }
        assert!(!moves_with_persons(10_003) && moves_with_persons(777));
    }

    #[test]
    fn a_difference_may_be_negative_and_a_count_may_not() {
        let residents = Part::Residents.number();
        assert!(is_never_negative(residents) && is_never_negative(residents + DUPLICATES) && is_never_negative(10_003));
        assert!(!is_never_negative(residents + PENDING) && !is_never_negative(residents + DUPLICATES + PENDING));
        assert!(!is_never_negative(777));
    }
}
