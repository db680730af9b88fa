//! What must hold: totals are the recount at any step; when everything is calm, all replicas are equal, no value that
//! was promised is lost, and none was taken twice. Nothing here asks who won.

use super::{
    model::{Promise, Saved, changes_after, read_change},
    session::Child,
    tell,
    world::World,
};
use bytes::Bytes;
use prost::Message;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use taizhang_hub::{
    rows::{self, UnitRow},
    scope::Scope,
    store::Space,
    totals::audit,
};
use taizhang_proto::{
    Record, RecordId,
    cell::{self, home_unit},
    change::Edit,
    decide::{FOREIGN_NODE, HUB_NODE},
    pb,
    register::{MERGED_INTO, registers},
    wire::{self, Field},
};

/// Every value that a hub knows of a record, standing or not.
#[derive(Default)]
struct Values {
    by_tag: HashMap<u32, HashSet<Bytes>>,
    /// The records that stand for this one, or did before a merge was taken back.
    survivors: Vec<RecordId>,
}

impl Values {
    fn add(&mut self, entry: &pb::Superseded) {
        for field in entry.said() {
            self.by_tag.entry(field.tag).or_default().insert(field.bytes);
        }
    }

    /// What an edit sets, and the history that it offers.
    fn add_edit(&mut self, edit: &Edit) {
        for field in &edit.fields {
            self.by_tag.entry(field.tag).or_default().insert(field.bytes.clone());
        }
        for entry in edit.offer.iter().flat_map(|offer| &offer.history) {
            self.add(entry);
        }
    }

    fn holds(&self, field: &Field) -> bool {
        self.by_tag.get(&field.tag).is_some_and(|values| values.contains(&field.bytes))
    }

    /// Takes note of who stands for the record.
    fn stand_in(&mut self, message: &Bytes) {
        for field in wire::split(message).unwrap_or_default().iter().filter(|field| field.tag == MERGED_INTO) {
            if let Some(wire::Raw::Bytes(id)) = wire::occurrences(&field.bytes).last() {
                self.survivors.extend(RecordId::from_slice(id));
            }
        }
    }
}

type Known = HashMap<RecordId, Values>;

fn text(error: impl ToString) -> String {
    error.to_string()
}

impl World {
    /// Totals = recount, at every district.
    pub(super) fn audit_districts(&self) -> Result<(), String> {
        for hub in 1..self.hubs.len() {
            self.audit(hub)?;
            self.check_queue(hub)?;
        }
        Ok(())
    }

    /// Totals = recount, at a hub.
    pub(super) fn audit(&self, hub: usize) -> Result<(), String> {
        let audit = audit::audit(&self.hubs[hub].core).map_err(text)?;
        match audit.differences.first() {
            None => Ok(()),
            Some(first) => {
                Err(format!("hub {hub}: totals are not the recount in {} cells: {first:?}", audit.differences.len()))
            }
        }
    }

    /// Everything that must hold once all is calm.
    pub(super) fn check_everything(&mut self) -> Result<(), String> {
        self.audit_districts()?;
        self.audit(0)?;
        self.check_city()?;
        self.check_refusals()?;
        self.check_replicas()?;
        self.check_nothing_lost()?;
        self.check_nothing_twice()
    }

    /// The city's cells are those of its districts.
    fn check_city(&self) -> Result<(), String> {
        let mut expected = HashMap::new();
        for hub in &self.hubs[1..] {
            expected.extend(audit::own_cells(&hub.core).map_err(text)?);
            let key = hub.unit.number().to_be_bytes();
            let digest = |core: &taizhang_hub::writer::Core| -> Result<_, String> {
                let row: Option<UnitRow> = rows::read(core.view().as_ref(), Space::Units, &key).map_err(text)?;
                Ok(row.unwrap_or_default().cells_digest())
            };
            if digest(&hub.core)? != digest(&self.hubs[0].core)? {
                return Err(format!("the city has another digest of the cells of {}", hub.name));
            }
        }
        let at_city = audit::own_cells(&self.hubs[0].core).map_err(text)?;
        if at_city != expected {
            return Err("the city's cells are not those of its districts".into());
        }
        self.check_people()
    }

    /// Every office holds what its hub has of its scope, byte for byte, and its lists name just that.
    fn check_replicas(&self) -> Result<(), String> {
        for office in &self.offices {
            let view = self.hubs[office.hub].core.view();
            let scope = Scope { unit: office.unit, hub: self.hubs[office.hub].unit, everybody: true };
            let row = scope.row(view.as_ref()).map_err(text)?;
            let state = office.ledger.state();
            if state.digest() != row.records_digest() || state.count != row.count {
                return Err(format!(
                    "{}: {} records, {} at the hub, or another digest",
                    office.name, state.count, row.count
                ));
            }
            let mut listed: BTreeMap<u32, BTreeSet<RecordId>> = BTreeMap::new();
            for row in view.prefix(Space::Records, &[]) {
                let (id, bytes) = row.map_err(text)?;
                let id = RecordId::from_slice(&id).ok_or("a row without an id")?;
                let record = Record::decode(bytes.clone()).map_err(text)?;
                if !scope.holds(&record) {
                    continue;
                }
                listed.entry(record.register).or_default().insert(id);
                let own = office.ledger.view(id).map_err(text)?.map(|own| own.encode());
                if own.as_deref() != Some(&bytes[..]) {
                    return Err(format!("{}: {} differs from the hub's", office.name, self.model.name(id)));
                }
            }
            for def in registers().iter() {
                let ids: BTreeSet<RecordId> = office.ledger.ids(def.number).map_err(text)?.into_iter().collect();
                if ids != listed.remove(&def.number).unwrap_or_default() {
                    return Err(format!("{}: its list of {} is wrong", office.name, def.name));
                }
            }
            office.ledger.verify().map_err(|error| format!("{}: {error}", office.name))?;
            if !office.damaged && state.incidents > 0 && !self.hubs[office.hub].restored {
                return Err(format!("{}: an incident without a cause: {}", office.name, state.last_incident));
            }
        }
        Ok(())
    }

    /// Takes into the trace how an office's copies differ from the hub's records.
    pub(super) fn note_differences(&self, child: Child) -> Result<(), String> {
        let Child::Office(office) = child else { return Ok(()) };
        let office = &self.offices[office];
        self.note(|_| format!("  {}: {}", office.name, office.ledger.state().last_incident));
        let state = office.ledger.state();
        self.note(|_| {
            format!("  pulled {}, settled {} of {}, {} records", state.pulled, state.settled, state.head, state.count)
        });
        let view = self.hubs[office.hub].core.view();
        for def in registers().iter() {
            for id in office.ledger.ids(def.number).map_err(text)? {
                if view.get(Space::Records, &id.0).map_err(text)?.is_none() {
                    let own = office.ledger.view(id).map_err(text)?;
                    self.note(|world| format!("  {} is not at the hub: {}", world.model.name(id), shown(own.as_ref())));
                }
            }
        }
        for row in view.prefix(Space::Records, &[]) {
            let (id, bytes) = row.map_err(text)?;
            let id = RecordId::from_slice(&id).ok_or("a row without an id")?;
            let hub = Record::decode(bytes).map_err(text)?;
            let own = office.ledger.view(id).map_err(text)?;
            let covered = cell::is_held_at(&hub, office.unit);
            let what = match (covered, &own) {
                (true, own) if own.as_ref() != Some(&hub) => String::new(),
                (false, Some(_)) => {
                    let home = home_unit(&hub).map(|unit| unit.to_string());
                    format!(" belongs to {home:?}, and is still there")
                }
                _ => continue,
            };
            self.note(|world| {
                let (name, hub, own) = (world.model.name(id), shown(Some(&hub)), shown(own.as_ref()));
                format!("  {name}{what}\n    hub {hub}\n    own {own}")
            });
        }
        Ok(())
    }

    fn check_refusals(&mut self) -> Result<(), String> {
        for office in 0..self.offices.len() {
            for (seq, refusal) in self.offices[office].ledger.refused().map_err(text)? {
                let why = refusal.why.filter(|why| !why.rule.is_empty() && !why.message.is_empty());
                if why.is_none() {
                    return Err(format!("{}: change {seq} was refused without a reason", self.offices[office].name));
                }
                self.count("refused changes");
                let edit = read_change(refusal.change)?;
                let (name, rule) = (self.offices[office].name, why.map(|why| why.rule).unwrap_or_default());
                self.note(|world| format!("{name}: {} of {} was refused: {rule}", edit.by, world.model.name(edit.id)));
            }
        }
        Ok(())
    }

    fn check_nothing_lost(&mut self) -> Result<(), String> {
        let known = self.known_at_hubs()?;
        let mut kept: HashSet<(usize, RecordId, String)> = HashSet::new();
        // What several said in one offer, because the rest of the record is gone from every disk.
        let mut offered: HashMap<(usize, RecordId), Values> = HashMap::new();
        for (office, one) in self.offices.iter().enumerate() {
            for (_, refusal) in one.ledger.refused().map_err(text)? {
                let edit = read_change(refusal.change)?;
                if edit.offer.is_some() {
                    offered.entry((office, edit.id)).or_default().add_edit(&edit);
                }
                kept.insert((office, edit.id, edit.by));
            }
        }
        for saved in self.model.saves.iter().filter(|saved| saved.promise == Promise::Saved) {
            let id = self.model.records[saved.record].id;
            // Clearing what was never there leaves no trace.
            let nothing_to_clear = |field: &Field| {
                let values = known.get(&id).and_then(|values| values.by_tag.get(&field.tag));
                field.bytes.is_empty() && values.is_none()
            };
            let lost = saved.fields.iter().find(|field| !holds(&known, id, field) && !nothing_to_clear(field));
            let Some(lost) = lost else { continue };
            let in_offer = |values: &Values| saved.fields.iter().all(|field| values.holds(field));
            if kept.contains(&(saved.office, id, saved.by.clone()))
                || offered.get(&(saved.office, id)).is_some_and(in_offer)
            {
                continue;
            }
            self.note_known(id)?;
            let known = known.get(&id).and_then(|values| values.by_tag.get(&lost.tag));
            return Err(format!(
                "lost: {} of r{} (register {}) field {} = {:?}, saved at {}; known values: {known:?}",
                saved.by,
                saved.record,
                self.model.records[saved.record].register,
                lost.tag,
                lost.bytes,
                self.offices[saved.office].name
            ));
        }
        let excused = self.model.saves.iter().filter(|saved| saved.promise == Promise::Excused).count();
        let firm = self.model.saves.iter().filter(|saved| saved.promise == Promise::Saved).count();
        *self.counts.entry("changes that only a lost disk had").or_default() += excused as u64;
        *self.counts.entry("changes promised").or_default() += firm as u64;
        Ok(())
    }

    /// A change has one revision in a record, wherever its values stand or stood.
    fn check_nothing_twice(&self) -> Result<(), String> {
        // One save may hold a change of a record and one of another that was merged into it.
        let mut most: HashMap<&str, usize> = HashMap::new();
        for saved in &self.model.saves {
            let count = most.entry(saved.by.as_str()).or_default();
            *count = count.saturating_add(if saved.reoffered { usize::MAX } else { 1 });
        }
        for hub in self.hubs[1..].iter().filter(|hub| !hub.restored) {
            let view = hub.core.view();
            let mut seen: HashMap<(RecordId, String), BTreeSet<u64>> = HashMap::new();
            let mut see = |id: RecordId, origin: &pb::Origin| {
                if ![HUB_NODE, FOREIGN_NODE].contains(&origin.node) {
                    seen.entry((id, origin.by.clone())).or_default().insert(origin.revision);
                }
            };
            for row in view.prefix(Space::Records, &[]) {
                let (id, bytes) = row.map_err(text)?;
                let id = RecordId::from_slice(&id).ok_or("a row without an id")?;
                let record = Record::decode(bytes).map_err(text)?;
                record.origins.iter().for_each(|origin| see(id, origin));
            }
            for row in view.prefix(Space::History, &[]) {
                let (key, bytes) = row.map_err(text)?;
                let id = key.get(..16).and_then(RecordId::from_slice).ok_or("a row without an id")?;
                let entry = pb::Superseded::decode(bytes).map_err(text)?;
                entry.origin.iter().for_each(|origin| see(id, origin));
            }
            for ((id, by), revisions) in &seen {
                if most.get(by.as_str()).is_some_and(|most| revisions.len() > *most) {
                    return Err(format!(
                        "{by} of {} was taken {} times: {revisions:?}",
                        self.model.name(*id),
                        revisions.len()
                    ));
                }
            }
        }
        Ok(())
    }

    /// Every value that any district knows.
    fn known_at_hubs(&self) -> Result<Known, String> {
        let mut known = Known::new();
        for hub in &self.hubs[1..] {
            let view = hub.core.view();
            for row in view.prefix(Space::Records, &[]) {
                let (id, bytes) = row.map_err(text)?;
                let id = RecordId::from_slice(&id).ok_or("a row without an id")?;
                let record = Record::decode(bytes).map_err(text)?;
                let values = known.entry(id).or_default();
                for standing in &record.fields {
                    values.by_tag.entry(standing.field.tag).or_default().insert(standing.field.bytes.clone());
                }
                values.stand_in(&record.message());
            }
            for row in view.prefix(Space::History, &[]) {
                let (key, bytes) = row.map_err(text)?;
                let id = key.get(..16).and_then(RecordId::from_slice).ok_or("a row without an id")?;
                let entry = pb::Superseded::decode(bytes).map_err(text)?;
                let values = known.entry(id).or_default();
                values.add(&entry);
                values.stand_in(&entry.message);
            }
        }
        Ok(known)
    }

    /// For each change saved so far, whether a district has all of it.
    pub(super) fn held_by_hubs(&self) -> Result<Vec<bool>, String> {
        let known = self.known_at_hubs()?;
        let held = |saved: &Saved| {
            let id = self.model.records[saved.record].id;
            known.contains_key(&id) && saved.fields.iter().all(|field| holds(&known, id, field))
        };
        Ok(self.model.saves.iter().map(held).collect())
    }

    /// Whether an office has all of a change, pending, standing or in a history.
    pub(super) fn held_by_offices(&self, index: usize) -> Result<bool, String> {
        for office in 0..self.offices.len() {
            if self.is_held_by(office, index)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether an office's registers have all of a change.
    pub(super) fn is_held_by(&self, office: usize, index: usize) -> Result<bool, String> {
        let office = &self.offices[office];
        let saved = &self.model.saves[index];
        let id = self.model.records[saved.record].id;
        let mut values = Values::default();
        // A word of somebody else that waits may say the same, and be refused: it holds nothing of this one.
        let says_this = |origin: &pb::Origin| origin.revision != u64::MAX || origin.by == saved.by;
        let record = office.ledger.view(id).map_err(text)?;
        for (record, standing) in record.iter().flat_map(|record| record.fields.iter().map(move |one| (record, one))) {
            if says_this(&record.origins[standing.origin]) {
                values.by_tag.entry(standing.field.tag).or_default().insert(standing.field.bytes.clone());
            }
        }
        // What an own word that waits replaces stands in the store until the hub has answered.
        for (tag, bytes, origin) in office.ledger.replaced_here(id).map_err(text)? {
            if says_this(&origin) {
                values.by_tag.entry(tag).or_default().insert(bytes);
            }
        }
        // Of what waits to be said again, its own words: they may be in no history of the store any more.
        for offer in changes_after(&office.ledger, office.ledger.state().settled)?.iter().filter(|edit| edit.id == id) {
            for entry in offer.offer.iter().flat_map(|offer| &offer.history) {
                if entry.origin.as_ref().is_some_and(|origin| origin.by == saved.by) {
                    values.add(entry);
                }
            }
        }
        for word in office.ledger.own_words().map_err(text)?.into_iter().filter(|word| word.id == id) {
            values.add_edit(&word);
        }
        for entry in office.ledger.history(id).map_err(text)? {
            values.add(&entry);
        }
        Ok(saved.fields.iter().all(|field| values.holds(field)))
    }
}

impl World {
    /// Takes into the trace all that any hub knows of a record.
    fn note_known(&self, id: RecordId) -> Result<(), String> {
        for hub in &self.hubs[1..] {
            let view = hub.core.view();
            if let Some(bytes) = view.get(Space::Records, &id.0).map_err(text)? {
                let record = Record::decode(bytes).map_err(text)?;
                let home = home_unit(&record);
                self.note(|_| format!("  {} has it, at {home:?}: {}", hub.name, shown(Some(&record))));
            }
            for row in view.prefix(Space::History, &id.0) {
                let entry = pb::Superseded::decode(row.map_err(text)?.1).map_err(text)?;
                self.note(|_| format!("  {} keeps {}", hub.name, tell::entry(&entry)));
            }
        }
        Ok(())
    }
}

/// A record in one line: how many changes, and which revision set which fields.
fn shown(record: Option<&Record>) -> String {
    let Some(record) = record else { return "none".into() };
    let origins = record.state().origins;
    let set: Vec<String> = origins
        .iter()
        .map(|one| {
            format!("{}{}:{:?}", one.revision, if one.node == HUB_NODE { "hub" } else { one.by.as_str() }, one.tags)
        })
        .collect();
    format!("{} changes, created {}, {}", record.changes, record.created, set.join(" "))
}

/// Whether a value is known of a record or of one that stands for it, or did.
fn holds(known: &Known, id: RecordId, field: &Field) -> bool {
    let (mut open, mut seen) = (vec![id], HashSet::new());
    while let Some(id) = open.pop() {
        let Some(values) = known.get(&id).filter(|_| seen.insert(id)) else { continue };
        if values.holds(field) {
            return true;
        }
        open.extend(&values.survivors);
    }
    false
}
