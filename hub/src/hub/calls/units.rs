//! The tree of units as an operator hands it over.

use super::Calls;
use crate::{state::Core, store::StoreError, totals, writer::Job};
use taizhang_node::{
    caller::{Caller, Refusal},
    show,
};
use taizhang_proto::{OrgCode, date::Day, indicator::Part, org::UnitTree, pb};
use tokio::task::block_in_place;

/// Most units that are named.
const NAMED: usize = 5;

/// What is said of units that a new tree does not name: their offices could enter nothing any more.
fn left_out(core: &Core, new: &UnitTree) -> Result<Option<String>, StoreError> {
    let standing = core.tree();
    let gone: Vec<_> = standing.below(core.unit).filter(|unit| !new.contains(unit.code)).collect();
    if gone.is_empty() {
        return Ok(None);
    }
    let (view, today) = (core.view(), core.today());
    let on_register = |unit: OrgCode| totals::own_sum(view.as_ref(), unit, Part::Residents.number(), Day::MIN..=today);
    let people: i64 = gone.iter().map(|unit| on_register(unit.code)).sum::<Result<_, _>>()?;
    let names: Vec<&str> = gone.iter().take(NAMED).map(|unit| unit.name.as_str()).collect();
    let (named, more) = (names.join("、"), if gone.len() > NAMED { "等" } else { "" });
    Ok(Some(format!(
        "新的单位名单少了 {} 个单位（在册 {people} 人）：{named}{more}，它们将不能再登记；撤并的单位请保留其代码，写明 becomes、since；\
         确要去掉的加 --yes (the file leaves out units of the tree of {top}, with {people} people on their registers: their offices could \
         enter nothing; keep codes that were given up, with what they become and since when, or say --yes)",
        gone.len(),
        top = core.unit,
    )))
}

impl Calls {
    /// The units that a word names.
    pub(in crate::hub) fn find_units(&self, word: &str) -> pb::UnitsAnswer {
        let core = &self.hub.core;
        show::find_units(&core.tree(), core.unit, word)
    }

    /// Takes a tree; one that leaves out units only where the caller is `sure`.
    pub(in crate::hub) async fn take_units(&self, caller: &Caller, csv: String, sure: bool) -> Result<(), Refusal> {
        let tree = UnitTree::handed(&csv, self.hub.core.unit).map_err(Refusal::refused)?;
        if !sure && let Some(why) = block_in_place(|| left_out(&self.hub.core, &tree))? {
            return Err(Refusal::refused(why));
        }
        self.write(caller, Job::Tree(csv, None)).await
    }
}
