//! Districts of the tree that have told the city nothing: their communities, villages and offices are there all the same,
//! so every ratio over units has them below the line (notice, item 9: the share of 320 communities, not of those that are
//! connected). Invariant: a unit counts by what its district says once the district has said something, and until then by
//! the tree, as a district without a record would count it; never by both.

use super::sum_in;
use crate::{
    rows::{NodeRow, meta},
    store::{Space, StoreError, View},
};
use std::{
    collections::{BTreeSet, HashMap},
    ops::RangeInclusive,
    sync::Arc,
};
use taizhang_proto::{
    OrgCode, Record, RecordId,
    cell::{CellKey, Shelf, Subject, contributions},
    date::Day,
    org::UnitTree,
    pb::Tier,
    plan::Plans,
};

/// A tree and no record.
struct TreeAlone(Arc<UnitTree>);

impl Shelf for TreeAlone {
    type Error = std::convert::Infallible;

    fn record(&self, _: RecordId) -> Result<Option<Record>, Self::Error> {
        Ok(None)
    }

    fn about(&self, _: RecordId) -> Result<Vec<(u32, RecordId)>, Self::Error> {
        Ok(Vec::new())
    }

    fn sharing(&self, _: u32, _: u32, _: &[u8]) -> Result<Vec<RecordId>, Self::Error> {
        Ok(Vec::new())
    }

    fn given_up_on(&self, unit: OrgCode) -> Option<Day> {
        self.0.given_up_on(unit)
    }

    fn founded_on(&self, unit: OrgCode) -> Option<Day> {
        self.0.founded_on(unit)
    }
}

/// The districts below a hub that none of its children has told anything of.
pub(crate) fn districts<'n>(
    tree: &UnitTree,
    hub: OrgCode,
    nodes: impl IntoIterator<Item = &'n NodeRow>,
) -> BTreeSet<OrgCode> {
    let mut found: BTreeSet<OrgCode> =
        tree.children(hub).map(|unit| unit.code).filter(|unit| unit.tier() == Tier::District).collect();
    // Under any of its logs: one that begins anew has been heard all the same.
    let heard = |node: &&NodeRow| {
        node.hub && (node.acknowledged > 0 || node.cells > 0 || node.past.iter().any(|past| past.acknowledged > 0))
    };
    for node in nodes.into_iter().filter(heard) {
        found.retain(|unit| unit.number() != node.unit);
    }
    found
}

/// What these districts count by the tree, in each unit and all above it.
pub(crate) fn sums(
    tree: &Arc<UnitTree>,
    hub: OrgCode,
    districts: &BTreeSet<OrgCode>,
    plans: &Plans,
) -> HashMap<CellKey, i64> {
    let shelf = TreeAlone(tree.clone());
    let mut sums = HashMap::new();
    for unit in districts.iter().flat_map(|district| tree.below(*district)).map(|unit| unit.code) {
        let Ok(steps) = contributions(&shelf, Subject::Unit(unit), plans);
        for step in steps {
            for above in unit.up_to(hub) {
                *sums.entry(CellKey { unit: above, ..step.key }).or_default() += step.delta;
            }
        }
    }
    sums.retain(|_, value| *value != 0);
    sums
}

/// Where such a sum is kept.
pub(crate) fn key(cell: CellKey) -> Vec<u8> {
    [meta::UNHEARD, &cell.to_bytes()].concat()
}

/// The sum of a part over dates that districts which were never heard count by the tree.
///
/// # Errors
/// When the store fails.
pub(crate) fn sum(view: &dyn View, unit: OrgCode, part: u16, dates: RangeInclusive<Day>) -> Result<i64, StoreError> {
    sum_in(view, (Space::Meta, meta::UNHEARD), (unit, part, dates), |_, value| {
        value.try_into().ok().map(i64::from_be_bytes)
    })
}
