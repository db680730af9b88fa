//! What a hub has heard of its children and counts in no total: a child that somebody set aside, and a part of a child in
//! which what it says can't be true.
//! Invariant: it is read with the figures, from the same view, and nothing that was heard is lost by it: what is counted
//! again counts as it stands.

use crate::{
    rows::{self, meta},
    store::{Space, StoreError, View},
};
use prost::Message;
use std::collections::HashSet;
use taizhang_proto::{OrgCode, date::Day};

/// What is set aside at a hub.
#[derive(Clone, PartialEq, Message)]
pub struct AsideRow {
    /// Whole children.
    #[prost(message, repeated, tag = "1")]
    pub children: Vec<AsideChild>,
    /// Parts of children, each with a unit of theirs in which it can't be true.
    #[prost(message, repeated, tag = "2")]
    pub refuted: Vec<Refuted>,
    /// Units and parts that have changed and were not looked at yet, 10 bytes each, as an older build kept them; now each has a row
    /// ([`meta::UNJUDGED`]), so that nobody who asks for a figure reads them.
    #[prost(bytes = "vec", tag = "3")]
    pub unjudged: Vec<u8>,
    /// Commits since they were last looked at.
    #[prost(uint32, tag = "4")]
    pub waited: u32,
    /// When a child last began or ceased to count, by revision.
    #[prost(message, repeated, tag = "5")]
    pub turned: Vec<Turned>,
    /// Children that were set aside, or taken back, and whose marks are still to be ruled on anew.
    #[prost(message, repeated, tag = "6")]
    pub unruled: Vec<Unruled>,
}

/// A child whose marks are ruled on anew, some of them in a commit.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Unruled {
    /// Its unit.
    #[prost(uint64, tag = "1")]
    pub unit: u64,
    /// The last mark that was looked at; empty: none yet.
    #[prost(bytes = "vec", tag = "2")]
    pub after: Vec<u8>,
}

/// A child that counts in nothing.
#[derive(Clone, PartialEq, Message)]
pub struct AsideChild {
    /// Its unit.
    #[prost(uint64, tag = "1")]
    pub unit: u64,
    /// Who decided; empty: a rule.
    #[prost(string, tag = "2")]
    pub by: String,
    /// Why.
    #[prost(string, tag = "3")]
    pub reason: String,
    /// Seconds since 1970.
    #[prost(uint64, tag = "4")]
    pub at: u64,
    /// By a rule, while it was still saying things: looked at again once it has said them all.
    #[prost(bool, tag = "5")]
    pub early: bool,
}

/// A part of a child's that counts in nothing.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct Refuted {
    /// The child's unit.
    #[prost(uint64, tag = "1")]
    pub child: u64,
    /// The unit in which it falls below zero on some day.
    #[prost(uint64, tag = "2")]
    pub unit: u64,
    /// The part.
    #[prost(uint32, tag = "3")]
    pub part: u32,
}

/// A child whose figures began or ceased to count at a revision.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct Turned {
    /// Its unit.
    #[prost(uint64, tag = "1")]
    pub unit: u64,
    /// The revision.
    #[prost(uint64, tag = "2")]
    pub revision: u64,
}

impl AsideRow {
    /// A whole child's entry, where it is set aside.
    pub fn child(&self, unit: u64) -> Option<&AsideChild> {
        self.children.iter().find(|child| child.unit == unit)
    }

    /// The children whose cells of a part count in nothing.
    fn without(&self, part: u16) -> Vec<OrgCode> {
        let whole = self.children.iter().map(|child| child.unit);
        let parts = self.refuted.iter().filter(|one| one.part == u32::from(part)).map(|one| one.child);
        let mut units: Vec<OrgCode> = whole.chain(parts).filter_map(|unit| OrgCode::new(unit).ok()).collect();
        units.sort_unstable();
        units.dedup();
        units
    }

    /// Whose cells of a part are left out of a unit's sum.
    pub(super) fn left_out(&self, unit: OrgCode, part: u16) -> Left {
        if self.children.is_empty() && self.refuted.is_empty() {
            return Left::None;
        }
        let without = self.without(part);
        if without.iter().any(|child| child.covers(unit)) {
            return Left::All;
        }
        let below: Vec<OrgCode> = without.into_iter().filter(|child| unit.covers(*child)).collect();
        if below.is_empty() { Left::None } else { Left::Of(below) }
    }

    /// Whether a unit is a child whose cells of a part are left out of the sums above it.
    pub(crate) fn leaves_out(&self, unit: OrgCode, part: u16) -> bool {
        let number = unit.number();
        self.child(number).is_some()
            || self.refuted.iter().any(|one| one.child == number && one.part == u32::from(part))
    }

    /// Whether a unit is one of a child that counts in nothing.
    pub(crate) fn is_in_nothing(&self, unit: OrgCode) -> bool {
        self.children.iter().any(|child| OrgCode::new(child.unit).is_ok_and(|own| own.covers(unit)))
    }

    /// The children at, above or below a unit of which something does not count.
    pub fn at(&self, unit: OrgCode) -> usize {
        self.around(unit).len()
    }

    /// Those children.
    pub fn around(&self, unit: OrgCode) -> Vec<OrgCode> {
        let touched = self.children.iter().map(|child| child.unit).chain(self.refuted.iter().map(|one| one.child));
        let mut touched: Vec<OrgCode> = touched.filter_map(|own| OrgCode::new(own).ok()).collect();
        touched.sort_unstable();
        touched.dedup();
        touched.retain(|own| own.covers(unit) || unit.covers(*own));
        touched
    }

    /// The units of children that began or ceased to count after a revision.
    pub(crate) fn turned_since(&self, revision: u64) -> impl Iterator<Item = OrgCode> {
        self.turned.iter().filter(move |one| one.revision > revision).filter_map(|one| OrgCode::new(one.unit).ok())
    }
}

/// The units and parts that wait to be looked at.
///
/// # Errors
/// When the store fails.
pub(crate) fn unjudged(view: &dyn View, row: &AsideRow) -> Result<HashSet<(OrgCode, u16)>, StoreError> {
    let mut waiting: HashSet<(OrgCode, u16)> = pairs(&row.unjudged).collect();
    for found in view.prefix(Space::Meta, meta::UNJUDGED) {
        waiting.extend(pairs(&found?.0[meta::UNJUDGED.len()..]));
    }
    Ok(waiting)
}

/// What is set aside; almost always nothing.
///
/// # Errors
/// When the row can't be read.
pub fn row(view: &dyn View) -> Result<AsideRow, StoreError> {
    Ok(rows::read(view, Space::Meta, meta::ASIDE)?.unwrap_or_default())
}

/// Whose cells of a part have to be left out of a unit's sum.
pub(super) enum Left {
    /// Nobody's.
    None,
    /// The unit's own: it counts nothing.
    All,
    /// Those of these children below it.
    Of(Vec<OrgCode>),
}

/// A pair of unit and part as it stands in a row.
pub(crate) fn pair_bytes(unit: OrgCode, part: u16) -> [u8; 10] {
    let mut bytes = [0; 10];
    bytes[..8].copy_from_slice(&unit.number().to_be_bytes());
    bytes[8..].copy_from_slice(&part.to_be_bytes());
    bytes
}

/// The pairs in a row.
pub(crate) fn pairs(bytes: &[u8]) -> impl Iterator<Item = (OrgCode, u16)> {
    bytes.chunks_exact(10).filter_map(|pair| {
        let unit = OrgCode::new(u64::from_be_bytes(pair[..8].try_into().ok()?)).ok()?;
        Some((unit, u16::from_be_bytes(pair[8..].try_into().ok()?)))
    })
}

/// Whether the running sum of these steps, by day, is below zero on any: no count can be.
pub(crate) fn falls_below_zero(steps: impl IntoIterator<Item = (Day, i64)>) -> bool {
    let mut running = 0_i64;
    steps.into_iter().any(|(_, step)| {
        running = running.saturating_add(step);
        running < 0
    })
}
