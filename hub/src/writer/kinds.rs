//! The kinds of conflict as one table: what a kind is called, who may settle it, what a reviewer may choose, what a choice does, and
//! how that is undone. Invariant: each choice that a kind offers stands beside its way back, so whatever was ruled can be reopened.

use super::revise::{day, nothing, number as numbered, text, yes};
use taizhang_proto::{
    Record,
    date::Day,
    pb::{self, Choice, ConflictKind},
    register::{DISTINCT, STATE, VOID_REASON, code, field, number},
    wire::{self, Field},
};

/// A kind of conflict.
pub(crate) struct Kind {
    /// What people call it.
    pub(crate) zh: &'static str,
    /// It follows from how records stand, so that it is found whenever they are looked at.
    pub(super) is_finding: bool,
    /// Whether a township may settle one that lies wholly within it; every tier above may.
    pub(super) settled: Settled,
    /// Fields that settling writes beside those that it is about.
    pub(super) writes: &'static [u32],
    /// What may be chosen.
    pub(super) ways: &'static [Way],
    /// What reopening one does that nobody chose anything in.
    pub(super) unchosen: Back,
}

/// Who settles a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Settled {
    /// A township, too.
    Township,
    /// A township, where none of its fields is the district's.
    Owner,
    /// The district alone.
    District,
}

/// One choice.
pub(super) struct Way {
    /// As it is asked for.
    pub(super) choice: Choice,
    /// What it does.
    pub(super) does: Does,
    /// What takes it back.
    pub(super) back: Back,
}

/// What a choice does.
pub(super) enum Does {
    /// What stands is right as it is.
    Nothing,
    /// What stands is right, and every claim is answered in the history.
    Answer,
    /// A claim comes to stand.
    Take,
    /// The reviewer's own words come to stand.
    Write,
    /// The record is merged into the other one.
    Merge,
    /// Fields of the record are set.
    Set(fn(&Case<'_>) -> Vec<Field>),
}

/// What takes a choice back.
#[derive(Clone, Copy)]
pub(super) enum Back {
    /// Nothing was written.
    Nothing,
    /// What stood before stands again.
    Before,
    /// The record stands for itself again.
    Unmerge,
    /// The other record does.
    UnmergeOther,
    /// Fields of the record are set.
    Set(fn() -> Vec<Field>),
}

/// What the fields that a choice sets follow from.
pub(super) struct Case<'c> {
    /// The record as it stands.
    pub(super) record: Option<&'c Record>,
    /// The business day.
    pub(super) today: Day,
    /// Why.
    pub(super) reason: &'c str,
}

const fn way(choice: Choice, does: Does, back: Back) -> Way {
    Way { choice, does, back }
}

const KEEP: Way = way(Choice::Keep, Does::Nothing, Back::Nothing);
const MERGE: Way = way(Choice::Merge, Does::Merge, Back::Unmerge);
const DISTINCT_ONES: Way =
    way(Choice::Distinct, Does::Set(|_| vec![yes(DISTINCT)]), Back::Set(|| vec![nothing(DISTINCT)]));

const JUST_KEEP: &[Way] = &[KEEP];
/// Values of one field, a claim, a word from after a hand-over.
const WORDS: &[Way] = &[
    way(Choice::Keep, Does::Answer, Back::Nothing),
    way(Choice::Take, Does::Take, Back::Before),
    way(Choice::Write, Does::Write, Back::Before),
];
const DOUBLES: &[Way] = &[MERGE, DISTINCT_ONES];
const CERTIFICATE: &[Way] = &[KEEP, MERGE, DISTINCT_ONES];
const PLACES: &[Way] = &[KEEP, way(Choice::Write, Does::Write, Back::Nothing)];
/// A recognition against the facts: the case ends on the day on which it was recognised, or is confirmed.
const RECOGNITION: &[Way] = &[
    way(
        Choice::Revoke,
        Does::Set(|case| {
            let recognised = case.record.and_then(|record| record.varint(field::zef_case::RECOGNISED_ON));
            let exit = recognised.and_then(wire::unzigzag).unwrap_or(case.today);
            vec![
                day(field::zef_case::EXIT_ON, exit),
                text(field::zef_case::EXIT_CAUSE, code::case_exit::RECOGNISED_BY_MISTAKE.as_bytes()),
            ]
        }),
        Back::Set(|| vec![nothing(field::zef_case::EXIT_ON), nothing(field::zef_case::EXIT_CAUSE)]),
    ),
    way(
        Choice::Keep,
        Does::Set(|_| vec![yes(field::zef_case::CONFIRMED)]),
        Back::Set(|| vec![nothing(field::zef_case::CONFIRMED)]),
    ),
];
/// A job of somebody who had left: it is void.
const LEFT: &[Way] = &[
    way(
        Choice::Revoke,
        Does::Set(|case| vec![text(STATE, code::state::VOID.as_bytes()), text(VOID_REASON, case.reason.as_bytes())]),
        Back::Set(|| vec![text(STATE, code::state::VALID.as_bytes()), nothing(VOID_REASON)]),
    ),
    KEEP,
];
/// Somebody in two households: counted in one.
const HOUSEHOLDS: &[Way] = &[
    way(
        Choice::Revoke,
        Does::Set(|_| vec![numbered(field::member::COUNTED, 0)]),
        Back::Set(|| vec![yes(field::member::COUNTED)]),
    ),
    KEEP,
];
/// A household that was closed while somebody joined it: it waits for this (L26: 5), and is closed (4) or not (1).
const CLOSED_HOUSEHOLD: &[Way] = &[
    way(
        Choice::Keep,
        Does::Set(|_| vec![text(field::household::STATUS, code::household_status::CLOSED.as_bytes())]),
        Back::Set(|| vec![text(field::household::STATUS, code::household_status::TO_BE_VERIFIED.as_bytes())]),
    ),
    way(
        Choice::Take,
        Does::Set(|_| {
            vec![
                text(field::household::STATUS, code::household_status::NORMAL.as_bytes()),
                nothing(field::household::CLOSED_ON),
                nothing(field::household::CLOSED_REASON),
            ]
        }),
        Back::Set(|| vec![text(field::household::STATUS, code::household_status::TO_BE_VERIFIED.as_bytes())]),
    ),
];
/// A record that was voided while somebody edited it.
const VOIDED: &[Way] = &[
    KEEP,
    way(
        Choice::Take,
        Does::Set(|_| vec![text(STATE, code::state::VALID.as_bytes())]),
        Back::Set(|| vec![text(STATE, code::state::VOID.as_bytes())]),
    ),
];

fn closed_edited(conflict: &pb::Conflict) -> Kind {
    let settled = if conflict.register == number::FEC_CASE { Settled::District } else { Settled::Township };
    let ways = match (conflict.register, conflict.tags.first()) {
        (number::HOUSEHOLD, Some(&field::household::STATUS)) => CLOSED_HOUSEHOLD,
        (number::FEC_CASE, _) => JUST_KEEP,
        (_, Some(&STATE)) => VOIDED,
        _ => JUST_KEEP,
    };
    let writes: &[u32] = match conflict.register {
        number::HOUSEHOLD => &[field::household::STATUS, field::household::CLOSED_ON, field::household::CLOSED_REASON],
        _ => &[],
    };
    Kind { writes, ..raised("注销后有录入", settled, ways) }
}

/// A kind that follows from what somebody said or did.
fn raised(zh: &'static str, settled: Settled, ways: &'static [Way]) -> Kind {
    Kind { zh, is_finding: false, settled, writes: &[], ways, unchosen: Back::Nothing }
}

/// A kind that follows from how records stand.
fn found(zh: &'static str, settled: Settled, ways: &'static [Way]) -> Kind {
    Kind { is_finding: true, ..raised(zh, settled, ways) }
}

/// The row of the table for a conflict.
pub(crate) fn of(conflict: &pb::Conflict) -> Kind {
    match conflict.kind() {
        ConflictKind::Field => raised("同栏异值", Settled::Owner, WORDS),
        ConflictKind::Claim => raised("越权主张", Settled::Owner, WORDS),
        ConflictKind::AfterTransfer => raised("移交后有录入", Settled::Owner, WORDS),
        ConflictKind::Duplicate => raised("重复登记", Settled::Township, DOUBLES),
        ConflictKind::SameHousehold => found("重复立户", Settled::Township, DOUBLES),
        // A rule has settled it.
        ConflictKind::SameJob => {
            Kind { unchosen: Back::UnmergeOther, ..raised("重复安置", Settled::Township, &[]) }
        }
        ConflictKind::ClosedEdited => closed_edited(conflict),
        ConflictKind::DoubleBooked => found("岗位超员", Settled::District, PLACES),
        ConflictKind::Recognition => raised("认定与就业不符", Settled::District, RECOGNITION),
        ConflictKind::LeftButPlaced => found("离开后安置", Settled::Township, LEFT),
        ConflictKind::CrossDistrict => raised("跨区重复", Settled::District, JUST_KEEP),
        ConflictKind::Certificate => found("一证两用", Settled::District, CERTIFICATE),
        ConflictKind::TwoHouseholds => {
            Kind { writes: &[field::member::COUNTED], ..found("一人两户", Settled::Township, HOUSEHOLDS) }
        }
    }
}

/// The choices that a reviewer has in a conflict.
pub fn choices(conflict: &pb::Conflict) -> Vec<Choice> {
    of(conflict).ways.iter().map(|way| way.choice).collect()
}

/// What a choice in a conflict does; none where it is not offered.
pub(super) fn chosen(conflict: &pb::Conflict, choice: Choice) -> Option<&'static Way> {
    of(conflict).ways.iter().find(|way| way.choice == choice)
}

/// What takes back what was chosen in a conflict.
pub(super) fn back(conflict: &pb::Conflict) -> Back {
    chosen(conflict, conflict.choice()).map_or(of(conflict).unchosen, |way| way.back)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds() -> impl Iterator<Item = ConflictKind> {
        (0..64).filter_map(|number| ConflictKind::try_from(number).ok())
    }

    #[test]
    fn what_a_choice_sets_its_way_back_sets_again_and_no_choice_is_offered_twice() {
        let case = Case { record: None, today: 14_000, reason: "查验原件后确定" };
        assert_eq!(kinds().count(), 13, "all of them");
        for kind in kinds() {
            for (register, tag) in
                [(number::HOUSEHOLD, field::household::STATUS), (number::FEC_CASE, 20), (number::MEMBER, STATE)]
            {
                let conflict = pb::Conflict { kind: kind.into(), register, tags: vec![tag], ..pb::Conflict::default() };
                let offered = choices(&conflict);
                assert!(
                    offered.iter().enumerate().all(|(place, choice)| !offered[..place].contains(choice)),
                    "{kind:?}"
                );
                for choice in offered {
                    let ruled = pb::Conflict { choice: choice.into(), ..conflict.clone() };
                    let does = chosen(&conflict, choice).map(|way| &way.does);
                    match (does, back(&ruled)) {
                        (Some(Does::Set(set)), Back::Set(back)) => {
                            let (set, back): (Vec<u32>, Vec<u32>) = (tags(&set(&case)), tags(&back()));
                            // A household goes back to waiting with the day and the reason of its closing as the history has them.
                            assert!(back.iter().all(|tag| set.contains(tag)), "{kind:?} {choice:?}");
                        }
                        (Some(Does::Merge), Back::Unmerge)
                        | (Some(Does::Take), Back::Before)
                        | (Some(Does::Write), Back::Before | Back::Nothing)
                        | (Some(Does::Nothing | Does::Answer), Back::Nothing) => {}
                        _ => panic!("{kind:?} {choice:?} can't be taken back"),
                    }
                }
            }
        }
    }

    fn tags(fields: &[Field]) -> Vec<u32> {
        fields.iter().map(|field| field.tag).collect()
    }
}
