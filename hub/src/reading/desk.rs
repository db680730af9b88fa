//! A hub's records as a desk that nobody enters at: what lists, cards, histories and exports are made from.
//! Invariants: it is one view; without the right to names, no personal text leaves it but in a form that names nobody.

use super::mask;
use crate::{
    shelf::Committed,
    state::Core,
    store::{Space, StoreError},
};
use std::sync::Arc;
use taizhang_node::desk::{
    Desk, Draft, SaveError,
    search::{Finder, Found, Query, Row},
};
use taizhang_proto::{
    OrgCode, Record, RecordId,
    cell::{Shelf, home_unit, is_active},
    date::Day,
    org::UnitTree,
    register::{Value, is_for_below, registers},
};

/// The desk.
pub(crate) struct HubDesk<'a> {
    core: &'a Core,
    /// The records, unmasked: for what is derived from them.
    pub(super) shelf: Committed<'a>,
    tree: Arc<UnitTree>,
    names: bool,
    /// Whose names are shown; none: everybody's.
    within: Option<OrgCode>,
}

impl<'a> HubDesk<'a> {
    pub(crate) fn new(core: &'a Core, view: &'a dyn crate::store::View, names: bool) -> Self {
        let tree = core.tree();
        Self { core, shelf: Committed { view, tree: tree.clone() }, tree, names, within: None }
    }

    /// The same for somebody who reads the names of one unit's records, of what lies below it, and of what is for everybody.
    pub(crate) fn within(self, unit: Option<OrgCode>) -> Self {
        Self { within: unit, ..self }
    }

    /// A record as it may be seen.
    fn shown(&self, record: Record) -> Record {
        if self.names { record } else { mask::masked(record) }
    }

    /// Whether somebody who reads one unit's names may see a record at all.
    fn is_seen(&self, record: &Record) -> bool {
        self.within.is_none_or(|within| {
            is_for_below(record.register) || home_unit(record).is_some_and(|home| within.covers(home))
        })
    }

    /// What fits a query, by a scan that holds no record: of each resident and household some word of which is true, how it fits.
    pub(super) fn search(&self, query: &Query, limit: usize) -> Result<Found, StoreError> {
        let mut finder = Finder::new(query, limit);
        self.each_own(|id, record| {
            if let Some(row) = Row::of(&record) {
                finder.look(id, &row);
            }
        })?;
        Ok(finder.found())
    }

    /// Every record of this hub's own that is chosen, as it stands.
    fn own(&self, mut choose: impl FnMut(&Record) -> bool) -> Result<Vec<(RecordId, Record)>, StoreError> {
        let mut chosen = Vec::new();
        self.each_own(|id, record| {
            if choose(&record) {
                chosen.push((id, record));
            }
        })?;
        Ok(chosen)
    }

    fn each_own(&self, mut look: impl FnMut(RecordId, Record)) -> Result<(), StoreError> {
        for row in self.shelf.view.prefix(Space::Records, &[]) {
            let (key, value) = row?;
            // A row that can't be read is an incident of its own, and hides no other.
            let (Some(id), Ok(record)) = (RecordId::from_slice(&key), Record::decode(value)) else { continue };
            let is_own = home_unit(&record).is_none_or(|home| self.core.unit.covers(home));
            if is_own {
                look(id, record);
            }
        }
        Ok(())
    }
}

fn failed(error: StoreError) -> SaveError {
    SaveError::Store(error.to_string())
}

impl Desk for HubDesk<'_> {
    fn unit(&self) -> OrgCode {
        self.core.unit
    }

    fn tree(&self) -> &UnitTree {
        &self.tree
    }

    fn today(&self) -> Day {
        self.core.today()
    }

    fn new_id(&self) -> RecordId {
        RecordId::create((self.core.clock)(), rand::random())
    }

    fn view(&self, id: RecordId) -> Result<Option<Record>, SaveError> {
        let record = self.shelf.record(id).map_err(failed)?.filter(|record| self.is_seen(record));
        Ok(record.map(|record| self.shown(record)))
    }

    fn find(&self, register: u32, key: &[Value]) -> Result<Vec<RecordId>, SaveError> {
        let Some(def) = registers().get(register) else { return Ok(Vec::new()) };
        let fields: Vec<_> = def.key.iter().filter_map(|tag| def.field(*tag)).zip(key).collect();
        if let [(field, value)] = fields[..]
            && (field.unique || field.indexed)
        {
            return self.shelf.sharing(register, field.tag, &value.encode(field)).map_err(failed);
        }
        let is = |record: &Record| {
            let has = |(field, value): &(&taizhang_proto::register::FieldDef, &Value)| {
                record.bytes(field.tag).is_some_and(|held| *held == value.encode(field))
            };
            record.register == register && is_active(record) && fields.iter().all(has)
        };
        Ok(self.own(is).map_err(failed)?.into_iter().map(|(id, _)| id).collect())
    }

    fn list(&self, register: u32) -> Result<Vec<(RecordId, Record)>, SaveError> {
        let own = self.own(|record| record.register == register).map_err(failed)?;
        Ok(own.into_iter().map(|(id, record)| (id, self.shown(record))).collect())
    }

    fn matching(&self, register: Option<u32>, is: &dyn Fn(&Record) -> bool) -> Result<Vec<RecordId>, SaveError> {
        let own = self.own(|record| register.is_none_or(|wanted| wanted == record.register) && is(record));
        Ok(own.map_err(failed)?.into_iter().map(|(id, _)| id).collect())
    }

    fn save(&self, groups: Vec<Vec<Draft>>, _: &str) -> Vec<Result<(), SaveError>> {
        let refused = || SaveError::Store("在此只能查看 (this desk is for reading)".into());
        groups.iter().map(|_| Err(refused())).collect()
    }
}
