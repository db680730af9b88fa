//! Units as clerks name them, found in the office's tree. Invariant: what `named` and `mentioned` find is the office's
//! own unit or below it.

use std::{cell::RefCell, cmp::Reverse, collections::HashMap};
use taizhang_proto::{OrgCode, org::UnitTree, pb::Tier, text};

/// The tree with the office's place in it.
pub(crate) struct Units<'a> {
    tree: &'a UnitTree,
    top: OrgCode,
    known: RefCell<HashMap<String, Option<OrgCode>>>,
}

impl<'a> Units<'a> {
    /// The units that an office at `top` may name.
    pub(crate) fn new(tree: &'a UnitTree, top: OrgCode) -> Self {
        Self { tree, top, known: RefCell::default() }
    }

    /// Whether no tree has come yet, so that a unit is known by its code alone.
    pub(crate) fn are_missing(&self) -> bool {
        self.tree.is_empty()
    }

    /// The unit of the office that a cell names: by code, by name, or by its street's name and its own.
    pub(crate) fn named(&self, written: &str) -> Option<OrgCode> {
        if let Some(found) = self.known.borrow().get(written) {
            return *found;
        }
        let found = self.look_up(written, self.top);
        self.known.borrow_mut().insert(written.to_owned(), found);
        found
    }

    /// The unit anywhere in the city that a cell names.
    pub(crate) fn anywhere(&self, written: &str) -> Option<OrgCode> {
        let city = std::iter::successors(Some(self.top), |unit| unit.parent()).find(|unit| unit.tier() == Tier::City);
        self.named(written).or_else(|| self.look_up(written, city?))
    }

    /// Whether the office may enter data for a unit.
    pub(crate) fn owns(&self, unit: OrgCode) -> bool {
        self.top.covers(unit) && (self.tree.is_empty() || self.tree.contains(unit))
    }

    fn look_up(&self, written: &str, scope: OrgCode) -> Option<OrgCode> {
        let written = text::no_space(written);
        if let Some(code) = code_in(&written) {
            return (scope.covers(code) && (self.tree.is_empty() || self.tree.contains(code))).then_some(code);
        }
        let found = self.tree.by_name(scope, &written);
        found.or_else(|| self.best(scope, |name| written.ends_with(name), &written))
    }

    /// The lowest unit of the office whose name a title holds.
    pub(crate) fn mentioned(&self, title: &str) -> Option<OrgCode> {
        let title = text::no_space(title);
        self.best(self.top, |name| title.contains(name), &title)
    }

    /// The one best unit whose name fits: the lowest, then the one whose street is named too, then the longest name.
    fn best(&self, scope: OrgCode, fits: impl Fn(&str) -> bool, whole: &str) -> Option<OrgCode> {
        let mut best: Option<(_, OrgCode)> = None;
        let mut tied = false;
        for unit in self.tree.below(scope) {
            let Some(name) = spoken(&unit.name).into_iter().find(|name| fits(name)) else { continue };
            let street = unit.code.parent().is_some_and(|parent| whole.contains(&self.tree.name(parent)));
            let rank = (Reverse(unit.code.span()), street, name.len());
            match &best {
                Some((held, _)) if *held > rank => {}
                Some((held, _)) if *held == rank => tied = true,
                _ => {
                    best = Some((rank, unit.code));
                    tied = false;
                }
            }
        }
        best.filter(|_| !tied).map(|(_, code)| code)
    }
}

/// The 12-digit code in a text such as `友谊社区居委会(210402011003)`.
fn code_in(written: &str) -> Option<OrgCode> {
    written.split(|sign: char| !sign.is_ascii_digit()).find(|digits| digits.len() == 12)?.parse().ok()
}

/// Whether a cell names a unit by a code.
pub(crate) fn has_code(written: &str) -> bool {
    code_in(&text::no_space(written)).is_some()
}

/// The ways in which titles speak of a unit, the fullest first; too short ones would be found by chance.
fn spoken(name: &str) -> Vec<&str> {
    let mut ways = vec![name];
    let short = ["居民委员会", "居委会", "民委员会", "委会"].iter().find_map(|kind| name.strip_suffix(kind));
    ways.extend(short.filter(|short| short.chars().count() >= 3));
    ways
}
