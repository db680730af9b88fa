//! The rules by which a value came to stand, or did not, without anybody's hand: the registers' policies, what follows between records,
//! and the kinds of conflict that a look at records finds.
//! Invariant: a rule's name on the wire never changes, and no two have one. What comes from the wire is a text: a newer build may know
//! more of them, so an unknown one is kept as it is, within [`crate::limits::RULE_BYTES`], and never becomes a part of a key as it is.

use crate::pb::{ConflictKind, Policy};

macro_rules! rules {
    ($($(#[$doc:meta])* $variant:ident = ($name:literal, $zh:literal, $en:literal),)+) => {
        /// A rule.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Rule {
            $($(#[$doc])* $variant,)+
        }

        impl Rule {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// Its name on the wire and in the store.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// What people call it: in Chinese, and in English.
            pub const fn words(self) -> (&'static str, &'static str) {
                match self { $(Self::$variant => ($zh, $en),)+ }
            }
        }
    };
}

rules! {
    /// Policy: the later entry stands.
    Latest = ("LATEST", "以后录入者为准", "the later entry"),
    /// Policy: the wider office's entry stands, then the later one.
    Senior = ("SENIOR", "以上级为准", "the wider office"),
    /// Policy: a reviewer decides.
    Review = ("REVIEW", "待审核裁定", "a reviewer decides"),
    /// Policy: what both added is kept.
    Union = ("UNION", "各项合并", "joined"),
    /// Policy: only the tier that owns the field writes it.
    Owned = ("OWNED", "由上级审定", "the tier above decides"),
    /// Policy: set once, corrected with a reason.
    Fixed = ("FIXED", "一次填定，更正需理由", "set once"),
    /// A household was closed while somebody joined it, or a record while it was edited (L26: 5).
    Closed = ("CLOSED", "注销与录入同时", "closed and edited at once"),
    /// A record was absorbed by another one.
    Merge = ("MERGE", "合并重复登记", "a merge"),
    /// A change of a record that had been absorbed.
    Merged = ("MERGED", "原记录已合并", "its record was merged"),
    /// A reviewer put a field right, without any conflict.
    Revised = ("REVISED", "上级更正", "put right by a reviewer"),
    /// A record moved to another unit.
    Transfer = ("TRANSFER", "随转移", "by a transfer"),
    /// A unit's code was given up.
    Units = ("UNITS", "单位编码变更", "the unit has another code"),
    /// Words on a record that is not held here, kept until it is told.
    Left = ("LEFT", "记录已迁出", "the record had left"),
    /// An offer's words that only another office tells.
    Told = ("TOLD", "由其他单位转述", "told by another office"),
    /// What a reviewer had ruled comes to stand again.
    Remembered = ("REMEMBERED", "恢复此前裁定", "as it was ruled before"),
    /// The city ordered it.
    Ordered = ("ORDERED", "上级下达", "ordered from above"),
    /// Kind: two offices wrote one field.
    Field = ("FIELD", "同栏异值", "two offices wrote one field"),
    /// Kind: a word on what a senior tier owns.
    Claim = ("CLAIM", "越权主张", "a claim"),
    /// Kind: one unique number in two records.
    Duplicate = ("DUPLICATE", "重复登记", "registered twice"),
    /// Kind: two households that are one.
    SameHousehold = ("SAME_HOUSEHOLD", "重复立户", "one household twice"),
    /// Kind: one job that was entered twice.
    SameJob = ("SAME_JOB", "重复安置", "one job twice"),
    /// Kind: edited while it was closed.
    ClosedEdited = ("CLOSED_EDITED", "注销后有录入", "edited while it was closed"),
    /// Kind: edited after it was handed over.
    AfterTransfer = ("AFTER_TRANSFER", "移交后有录入", "edited after it was handed over"),
    /// Kind: more placements than places.
    DoubleBooked = ("DOUBLE_BOOKED", "岗位超员", "more placed than there are places"),
    /// Kind: recognised while somebody had a job.
    Recognition = ("RECOGNITION", "认定与就业不符", "recognised while somebody had a job"),
    /// Kind: placed after leaving.
    LeftButPlaced = ("LEFT_BUT_PLACED", "离开后安置", "placed after leaving"),
    /// Kind: counted in another district.
    CrossDistrict = ("CROSS_DISTRICT", "跨区重复", "registered in two districts"),
    /// Kind: one certificate at two stations.
    Certificate = ("CERTIFICATE", "一证两用", "one certificate at two stations"),
    /// Kind: one person in two households.
    TwoHouseholds = ("TWO_HOUSEHOLDS", "一人两户", "one person in two households"),
}

impl Rule {
    /// The rule of a name; none of one that this build does not know.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|rule| rule.name() == name)
    }
}

impl From<Policy> for Rule {
    fn from(policy: Policy) -> Self {
        match policy {
            Policy::Latest => Self::Latest,
            Policy::Senior => Self::Senior,
            Policy::Review => Self::Review,
            Policy::Union => Self::Union,
            Policy::Owned => Self::Owned,
            Policy::Fixed => Self::Fixed,
        }
    }
}

impl From<ConflictKind> for Rule {
    fn from(kind: ConflictKind) -> Self {
        match kind {
            ConflictKind::Field => Self::Field,
            ConflictKind::Claim => Self::Claim,
            ConflictKind::Duplicate => Self::Duplicate,
            ConflictKind::SameHousehold => Self::SameHousehold,
            ConflictKind::SameJob => Self::SameJob,
            ConflictKind::ClosedEdited => Self::ClosedEdited,
            ConflictKind::AfterTransfer => Self::AfterTransfer,
            ConflictKind::DoubleBooked => Self::DoubleBooked,
            ConflictKind::Recognition => Self::Recognition,
            ConflictKind::LeftButPlaced => Self::LeftButPlaced,
            ConflictKind::CrossDistrict => Self::CrossDistrict,
            ConflictKind::Certificate => Self::Certificate,
            ConflictKind::TwoHouseholds => Self::TwoHouseholds,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::limits::RULE_BYTES;

    #[test]
    fn a_policy_and_a_kind_keep_the_names_that_the_wire_has_and_no_two_rules_share_one() {
        for policy in (0..64).filter_map(|number| Policy::try_from(number).ok()) {
            assert_eq!(Rule::from(policy).name(), policy.as_str_name());
        }
        for kind in (0..64).filter_map(|number| ConflictKind::try_from(number).ok()) {
            assert_eq!(Rule::from(kind).name(), kind.as_str_name());
        }
        for (place, rule) in Rule::ALL.iter().enumerate() {
            assert_eq!(Rule::named(rule.name()), Some(*rule));
            assert!(
                rule.name().len() <= RULE_BYTES && Rule::ALL[..place].iter().all(|other| other.name() != rule.name())
            );
        }
        assert_eq!(Rule::named("latest"), None);
    }
}
