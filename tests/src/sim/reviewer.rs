//! What reviewers at a district do: rule, reopen, merge, edit. Their jobs wait for the writer like everybody's.
#![allow(clippy::unnecessary_wraps)] // every action has the shape of the table

use super::{
    forms::{citizen, field},
    world::{World, chance},
};
use prost::Message;
use rand::RngExt;
use taizhang_hub::{
    rows::queue,
    store::Space,
    writer::{Job, Review, choices},
};
use taizhang_proto::{
    OrgCode, Record, RecordId,
    pb::{self, Choice, ConflictState, Tier},
    register::{MERGED_INTO, number, registers},
};

/// Login of every reviewer.
const REVIEWER: &str = "reviewer";

impl World {
    fn ask(&mut self, hub: usize, review: Review) {
        self.hubs[hub].queue.push_back((0, Job::Review(review)));
    }

    fn ask_below(&mut self, hub: usize, township: OrgCode, review: Review) {
        self.hubs[hub].queue.push_back((0, Job::ReviewBelow(township, review)));
    }

    /// The conflicts of a hub, by number.
    fn conflicts(&self, hub: usize, state: ConflictState) -> Result<Vec<pb::Conflict>, String> {
        let view = self.hubs[hub].core.view();
        let mut found = Vec::new();
        for row in view.prefix(Space::Conflicts, &[]) {
            let (_, value) = row.map_err(|error| error.to_string())?;
            let conflict = pb::Conflict::decode(value).map_err(|error| error.to_string())?;
            if conflict.state() == state {
                found.push(conflict);
            }
        }
        Ok(found)
    }

    pub(super) fn rule(&mut self) -> Result<bool, String> {
        let hub = self.any_district();
        let open = self.conflicts(hub, ConflictState::Unsettled)?;
        if open.is_empty() {
            return Ok(false);
        }
        let conflict = &open[self.random.random_range(0..open.len())];
        let choices = choices(conflict);
        if choices.is_empty() {
            return Ok(false);
        }
        let choice = choices[self.random.random_range(0..choices.len())];
        let mut request = pb::ResolveRequest {
            numbers: vec![conflict.number],
            reason: "核实".into(),
            by: REVIEWER.into(),
            despite: true,
            ..pb::ResolveRequest::default()
        };
        request.set_choice(choice);
        if choice == Choice::Write && conflict.register == number::RESIDENT {
            let drawn: u32 = self.random.random_range(0..1_000);
            let def = registers().get(number::RESIDENT).ok_or("no register of residents")?;
            let about =
                conflict.tags.iter().find_map(|tag| def.field(*tag)).map_or("name", |field| field.name.as_str());
            let value = match about {
                "phone" => format!("139{drawn:08}"),
                "id_no" => citizen(drawn % 14),
                _ => format!("王{drawn}"),
            };
            request.fields.insert(about.into(), value);
        }
        self.note(|world| {
            let of = RecordId::from_slice(&conflict.record).map(|id| world.model.name(id)).unwrap_or_default();
            format!(
                "  at {hub}: {} of {of} {:?}: {}",
                conflict.kind().as_str_name(),
                conflict.tags,
                choice.as_str_name()
            )
        });
        // Now and then its township tries; what is not the township's to settle is refused and stays open.
        let township = OrgCode::new(conflict.unit).ok().and_then(|unit| unit.up_to(self.hubs[hub].core.unit).nth(1));
        match township.filter(|unit| unit.tier() == Tier::Township && chance(&mut self.random, 1, 3)) {
            Some(township) => self.ask_below(hub, township, Review::Resolve(request)),
            None => self.ask(hub, Review::Resolve(request)),
        }
        Ok(true)
    }

    pub(super) fn reopen_ruling(&mut self) -> Result<bool, String> {
        let hub = self.any_district();
        let ruled = self.conflicts(hub, ConflictState::Ruled)?;
        if ruled.is_empty() {
            return Ok(false);
        }
        let one = &ruled[self.random.random_range(0..ruled.len())];
        let number = one.number;
        let request = pb::ReopenRequest { number, reason: "复查".into(), by: REVIEWER.into() };
        let of = one.ruling.as_ref().and_then(|ruling| OrgCode::new(ruling.unit).ok());
        match of.filter(|unit| unit.tier() == Tier::Township && chance(&mut self.random, 1, 2)) {
            Some(township) => self.ask_below(hub, township, Review::Reopen(request)),
            None => self.ask(hub, Review::Reopen(request)),
        }
        Ok(true)
    }

    /// Records of one register at a hub, in the order in which they were made.
    fn at_hub(&self, hub: usize, register: u32) -> Result<Vec<(RecordId, Record)>, String> {
        let view = self.hubs[hub].core.view();
        let mut found = Vec::new();
        for known in self.model.records.iter().filter(|known| known.register == register) {
            if let Some(row) = view.get(Space::Records, &known.id.0).map_err(|error| error.to_string())? {
                found.push((known.id, Record::decode(row).map_err(|error| error.to_string())?));
            }
        }
        Ok(found)
    }

    pub(super) fn merge_records(&mut self) -> Result<bool, String> {
        let hub = self.any_district();
        let register = if chance(&mut self.random, 2, 3) { number::RESIDENT } else { number::HOUSEHOLD };
        let found = self.at_hub(hub, register)?;
        if found.len() < 2 {
            return Ok(false);
        }
        let one = &found[self.random.random_range(0..found.len())];
        let same: Vec<_> = found
            .iter()
            .filter(|other| other.0 != one.0 && (register != number::RESIDENT || other.1.bytes(21) == one.1.bytes(21)))
            .collect();
        let Some(other) = (!same.is_empty()).then(|| same[self.random.random_range(0..same.len())]) else {
            return Ok(false);
        };
        let take = if chance(&mut self.random, 1, 2) { vec!["phone".to_owned()] } else { Vec::new() };
        self.note(|world| format!("  at {hub}: {} absorbs {}", world.model.name(one.0), world.model.name(other.0)));
        let request = pb::MergeRequest {
            survivor: one.0.to_string(),
            absorbed: other.0.to_string(),
            take: if register == number::RESIDENT { take } else { Vec::new() },
            reason: "同一人".into(),
            by: REVIEWER.into(),
            undo: false,
            despite: true,
        };
        // Now and then a slip of the hand: taken back at once, and perhaps done again, all in one commit.
        let again = if chance(&mut self.random, 1, 4) { self.random.random_range(1..3) } else { 0 };
        self.ask(hub, Review::Merge(request.clone()));
        for time in 0..again {
            self.ask(hub, Review::Merge(pb::MergeRequest { undo: time == 0, ..request.clone() }));
        }
        Ok(true)
    }

    pub(super) fn unmerge_records(&mut self) -> Result<bool, String> {
        let hub = self.any_district();
        let mut found = self.at_hub(hub, number::RESIDENT)?;
        found.retain(|(_, record)| record.bytes(MERGED_INTO).is_some());
        if found.is_empty() {
            return Ok(false);
        }
        let (id, _) = &found[self.random.random_range(0..found.len())];
        self.note(|world| format!("  at {hub}: {}", world.model.name(*id)));
        let request = pb::MergeRequest {
            absorbed: id.to_string(),
            reason: "误并".into(),
            by: REVIEWER.into(),
            undo: true,
            despite: true,
            ..pb::MergeRequest::default()
        };
        self.ask(hub, Review::Merge(request));
        Ok(true)
    }

    pub(super) fn revise_record(&mut self) -> Result<bool, String> {
        let hub = self.any_district();
        let (register, fields): (u32, Vec<(&str, String)>) = match self.random.random_range(0..4) {
            0 => (number::FEC_CASE, vec![("stage", "5".into()), ("certified_on", "2026-09-01".into())]),
            1 => (number::FACILITY, vec![("six_verified", self.random.random_range(1..7).to_string())]),
            2 => (number::RESIDENT, vec![("phone", format!("139{:08}", self.random.random_range(0..100_000_000)))]),
            _ => (number::RESIDENT, vec![("id_no", citizen(self.random.random_range(0..14)))]),
        };
        let found = self.at_hub(hub, register)?;
        if found.is_empty() {
            return Ok(false);
        }
        let (id, record) = &found[self.random.random_range(0..found.len())];
        self.note(|world| {
            format!("  at {hub}: {} {}", world.model.name(*id), field(record.register, fields[0].0).name)
        });
        let request = pb::ReviseRequest {
            record: id.to_string(),
            register: registers().get(record.register).map(|def| def.name.clone()).unwrap_or_default(),
            fields: fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
            reason: "核验".into(),
            by: REVIEWER.into(),
            despite: true,
        };
        self.ask(hub, Review::Revise(request));
        Ok(true)
    }

    /// The district takes a post over, or gives it to one of its units.
    pub(super) fn hand_on_post(&mut self) -> Result<bool, String> {
        let hub = self.any_district();
        let found = self.at_hub(hub, number::POST)?;
        if found.is_empty() {
            return Ok(false);
        }
        let (id, _) = &found[self.random.random_range(0..found.len())];
        let (district, tree) = (self.hubs[hub].core.unit, self.hubs[hub].core.tree());
        let units: Vec<OrgCode> = tree.below(district).map(|unit| unit.code).collect();
        let to = if units.is_empty() || chance(&mut self.random, 1, 2) {
            district
        } else {
            units[self.random.random_range(0..units.len())]
        };
        self.note(|world| format!("  at {hub}: {} goes to {to}", world.model.name(*id)));
        let request = pb::ReviseRequest {
            record: id.to_string(),
            register: "Post".into(),
            fields: [("home_unit".to_owned(), to.to_string())].into(),
            reason: "统筹".into(),
            by: REVIEWER.into(),
            despite: true,
        };
        self.ask(hub, Review::Revise(request));
        Ok(true)
    }

    /// Asks a district to change the key of the marks; it may not be the one that makes them.
    pub(super) fn rotate_key(&mut self) -> Result<bool, String> {
        let hub = self.any_district();
        self.note(|_| format!("  at {hub}"));
        self.hubs[hub].queue.push_back((0, Job::RotateKey));
        Ok(true)
    }

    /// The queue of open conflicts is what its rows say, and so is their count.
    pub(super) fn check_queue(&self, hub: usize) -> Result<(), String> {
        let view = self.hubs[hub].core.view();
        let open: Vec<u64> =
            self.conflicts(hub, ConflictState::Unsettled)?.iter().map(|conflict| conflict.number).collect();
        let mut queued = Vec::new();
        for row in view.prefix(Space::Queue, queue::ALL) {
            let (key, _) = row.map_err(|error| error.to_string())?;
            queued.extend(queue::number(&key));
        }
        let counted = taizhang_hub::rows::counter(view.as_ref(), taizhang_hub::rows::meta::OPEN);
        let counted = counted.map_err(|error| error.to_string())?;
        if open == queued && counted == open.len() as u64 {
            return Ok(());
        }
        Err(format!("hub {hub}: open conflicts {open:?}, in the queue {queued:?}, counted {counted}"))
    }
}
