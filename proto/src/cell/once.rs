//! What there is one of at a time: an open case of a household, a person, a community; a membership. Pure.
//! Invariant: two records are of one thing only where both are open, and say nothing of each other that differs.

use super::{Shelf, home_unit, is_active, survivor, unit_id};
use crate::{
    Record, RecordId,
    register::{HOME_UNIT, MERGED_INTO, code, field, number},
};

/// Where a case or a membership says what it is about, and what ends it.
pub struct Rule {
    register: u32,
    /// What must be equal: whom it is about first, or the unit that it is of; then, where cases of several kinds go side by side,
    /// the kind, if both say it.
    same: &'static [u32],
    /// Fields that end it when they are filled.
    ends: &'static [u32],
    /// A field whose values end it, and these values.
    over: Option<(u32, &'static [&'static str])>,
    /// The field that says what it is about, by its name.
    pub field: &'static str,
    /// What is said to whoever enters a second one, Chinese with English beside.
    message: &'static str,
}

const RULES: [Rule; 4] = [
    Rule {
        register: number::ZEF_CASE,
        same: &[field::zef_case::HOUSEHOLD, field::zef_case::KIND],
        ends: &[field::zef_case::EXIT_ON, field::zef_case::REFUSED_ON],
        over: None,
        field: "household",
        message: "该户已有未结的零就业家庭案件，请在该案上登记；确须另立的，先结原案 (the household has an open case)",
    },
    Rule {
        register: number::HARDSHIP_CASE,
        same: &[field::hardship_case::PERSON],
        ends: &[field::hardship_case::EXIT_ON, field::hardship_case::REFUSED_ON],
        over: None,
        field: "person",
        message: "此人已有未结的就业困难认定，请在该案上登记；确须另立的，先结原案 (the person has an open case)",
    },
    Rule {
        register: number::MEMBER,
        same: &[field::member::HOUSEHOLD, field::member::PERSON],
        ends: &[field::member::TO_ON],
        over: None,
        field: "person",
        message: "此人已是该户成员 (a member of this household already)",
    },
    Rule {
        register: number::FEC_CASE,
        same: &[HOME_UNIT],
        ends: &[field::fec_case::REVOKED_ON],
        over: Some((field::fec_case::STAGE, &[code::title_stage::REVOKED, code::title_stage::NOT_PASSED])),
        field: "home_unit",
        message: "该社区已有未结的充分就业社区创建，请在该案上登记 (the community has an open case)",
    },
];

/// The rule of a register of which there is one at a time.
pub fn rule_of(register: u32) -> Option<&'static Rule> {
    RULES.iter().find(|rule| rule.register == register)
}

/// Whether a record stands: it is neither voided nor merged into another.
pub fn stands(record: &Record) -> bool {
    is_active(record) && record.bytes(MERGED_INTO).is_none()
}

impl Rule {
    /// The field that says first what one is about.
    pub fn about_tag(&self) -> Option<u32> {
        self.same.first().copied()
    }

    /// What a record is about: a person, a household, or a unit by [`unit_id`].
    pub fn about(&self, record: &Record) -> Option<RecordId> {
        let of_unit = || self.same.contains(&HOME_UNIT).then(|| home_unit(record).map(unit_id)).flatten();
        self.about_tag().and_then(|tag| record.reference(tag)).or_else(of_unit)
    }

    /// Whether one is open.
    pub fn is_open(&self, record: &Record) -> bool {
        let is_over = self.over.is_some_and(|(tag, values)| {
            record.slice(tag).is_some_and(|held| values.iter().any(|value| value.as_bytes() == held))
        });
        stands(record) && !is_over && self.ends.iter().all(|tag| record.bytes(*tag).is_none())
    }

    /// Whether a record, as it will be, is open, and was not before, or was of something else.
    pub fn opens(&self, old: Option<&Record>, new: &Record) -> bool {
        let was = |old: &Record| self.is_open(old) && self.same.iter().all(|tag| old.bytes(*tag) == new.bytes(*tag));
        self.is_open(new) && !old.is_some_and(was)
    }

    /// Whether another one is of the same, and open. A case of which the kind is not said may be of any kind.
    pub fn is_same(&self, new: &Record, other: &Record) -> bool {
        let equal = |(place, tag): (usize, &u32)| match (other.bytes(*tag), new.bytes(*tag)) {
            (one, two) if one == two => true,
            (one, two) => place > 0 && (one.is_none() || two.is_none()),
        };
        self.is_open(other) && self.same.iter().enumerate().all(equal)
    }

    /// What is said of a second one beside `other`.
    pub fn words(&self, other: RecordId) -> String {
        self.message.replacen(" (", &format!("：{other} ("), 1)
    }
}

/// The open one that stands on the shelf already, where a record would be opened as another.
///
/// # Errors
/// When the shelf fails.
pub fn opened_already<S: Shelf>(
    shelf: &S,
    id: RecordId,
    (old, new): (Option<&Record>, &Record),
) -> Result<Option<(&'static Rule, RecordId)>, S::Error> {
    let Some(rule) = rule_of(new.register).filter(|rule| rule.opens(old, new)) else { return Ok(None) };
    let Some(about) = rule.about(new) else { return Ok(None) };
    for (register, other) in shelf.about(survivor(shelf, about)?)? {
        if register == rule.register
            && other != id
            && shelf.look(other, |other| other.is_some_and(|other| rule.is_same(new, other)))?
        {
            return Ok(Some((rule, other)));
        }
    }
    Ok(None)
}
