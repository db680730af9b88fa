//! Machines that fail: deaths, clocks, lines, backups that come back, stores that are lost.
#![allow(clippy::unnecessary_wraps)] // every action has the shape of the table

use super::{
    clock::skew,
    copy::copy,
    mem_store::Tables,
    model::{Promise, Saved, changes_after},
    network::Event,
    process::Backup,
    session::Child,
    world::{World, chance},
};
use rand::RngExt;
use std::collections::HashSet;
use taizhang_hub::writer::Job;
use taizhang_proto::pb;

/// Most messages of one run to the end; no session of the simulation comes near it.
const MOST_MESSAGES: usize = 20_000;

impl World {
    /// One of the offices.
    pub(super) fn any_office(&mut self) -> usize {
        self.random.random_range(0..self.offices.len())
    }

    /// One of the districts.
    pub(super) fn any_district(&mut self) -> usize {
        self.random.random_range(1..self.hubs.len())
    }

    pub(super) fn start_office_session(&mut self) -> Result<bool, String> {
        let office = self.any_office();
        if self.offices[office].cut_off {
            return Ok(false);
        }
        let live = chance(&mut self.random, 2, 5);
        self.note(|world| format!("  {} calls, live: {live}", world.offices[office].name));
        self.open_session(Child::Office(office), live)?;
        Ok(true)
    }

    pub(super) fn start_district_session(&mut self) -> Result<bool, String> {
        let district = self.any_district();
        let live = chance(&mut self.random, 1, 2);
        self.note(|_| format!("  district {district} calls, live: {live}"));
        self.open_session(Child::District(district), live)?;
        Ok(true)
    }

    /// A few messages of any sessions arrive, a few commits happen.
    pub(super) fn messages_travel(&mut self) -> Result<bool, String> {
        let mut any = false;
        for _ in 0..self.random.random_range(1..24) {
            let events = self.events();
            if events.is_empty() {
                break;
            }
            let event = events[self.random.random_range(0..events.len())];
            self.happen(event)?;
            any = true;
        }
        Ok(any)
    }

    /// One child syncs without being disturbed by others, though not safe from crashes.
    pub(super) fn run_one_session(&mut self) -> Result<bool, String> {
        let office = self.any_office();
        if self.offices[office].cut_off {
            return Ok(false);
        }
        self.note(|world| format!("  {} syncs to the end", world.offices[office].name));
        if let Some(id) = self.open_session(Child::Office(office), false)? {
            self.run_to_end(id)?;
        }
        Ok(true)
    }

    /// Lets everything happen, in the order in which it stands, until a session is over.
    pub(super) fn run_to_end(&mut self, id: u64) -> Result<Option<pb::SyncReport>, String> {
        for _ in 0..MOST_MESSAGES {
            let Some(session) = self.sessions.get(&id) else { return Ok(self.reports.remove(&id)) };
            let hub = session.hub;
            let events = self.events();
            let own = |event: &&Event| {
                **event == Event::Up(id) || **event == Event::Down(id) || **event == Event::Commit(hub)
            };
            let Some(event) = events.iter().find(own).copied() else {
                return if self.sessions[&id].server.is_some() && self.sessions[&id].client.is_some() {
                    Err(format!(
                        "the session of {:?} is stuck: both sides wait for the other",
                        self.sessions[&id].child
                    ))
                } else {
                    Ok(None)
                };
            };
            self.happen(event)?;
        }
        Err("a session does not end".into())
    }

    pub(super) fn break_session(&mut self) -> Result<bool, String> {
        if self.sessions.is_empty() {
            return Ok(false);
        }
        let place = self.random.random_range(0..self.sessions.len());
        let arriving = self.random.random_range(0..5);
        let how = self.random.random_range(0..3);
        let Some(session) = self.sessions.values_mut().nth(place) else { return Ok(false) };
        let child = session.child;
        match how {
            0 => session.lose_client(arriving),
            1 => session.lose_server(arriving),
            _ => {
                session.lose_client(0);
                session.lose_server(0);
            }
        }
        self.note(|_| format!("  of {child:?}, side {how} first, {arriving} messages still arrive"));
        self.sweep();
        Ok(true)
    }

    pub(super) fn cut_off(&mut self) -> Result<bool, String> {
        let office = self.any_office();
        let cut = !self.offices[office].cut_off;
        self.offices[office].cut_off = cut;
        self.note(|world| format!("  {}: {cut}", world.offices[office].name));
        if cut {
            for session in self.sessions.values_mut().filter(|session| session.child == Child::Office(office)) {
                session.lose_client(1);
            }
            self.sweep();
        }
        Ok(true)
    }

    pub(super) fn office_dies(&mut self) -> Result<bool, String> {
        let office = self.any_office();
        self.note(|world| format!("  {}", world.offices[office].name));
        let dir = self.fresh_directory(self.offices[office].name);
        copy(&self.offices[office].dir, &dir).map_err(|error| error.to_string())?;
        // The power went: whatever the store was not asked to put on disk may be missing there.
        if let (Some(flushed), true) = (self.offices[office].flushed.clone(), chance(&mut self.random, 1, 2)) {
            std::fs::remove_dir_all(dir.join("store")).map_err(|error| error.to_string())?;
            copy(&flushed, &dir.join("store")).map_err(|error| error.to_string())?;
            self.count("stores behind their journal");
        }
        self.reopen(office, dir)?;
        Ok(true)
    }

    /// Sometimes keeps a store as it is right after a greeting, for which it was put on disk.
    pub(super) fn keep_flushed(&mut self, child: Child) -> Result<(), String> {
        let Child::Office(office) = child else { return Ok(()) };
        self.offices[office].flushed = None;
        if self.calm || !chance(&mut self.random, 1, 5) {
            return Ok(());
        }
        let kept = self.fresh_directory("flushed");
        copy(&self.offices[office].dir.join("store"), &kept).map_err(|error| error.to_string())?;
        self.offices[office].flushed = Some(kept);
        Ok(())
    }

    pub(super) fn hub_dies(&mut self) -> Result<bool, String> {
        let hub = self.random.random_range(0..self.hubs.len());
        self.note(|_| format!("  hub {hub}"));
        self.restart_hub(hub)?;
        Ok(true)
    }

    /// Rows that nobody needs are removed.
    pub(super) fn district_tidies(&mut self) -> Result<bool, String> {
        let district = self.any_district();
        let core = self.hubs[district].core.clone();
        let rows = taizhang_hub::tidy::stale(&core, 3).map_err(|error| error.to_string())?;
        if rows.is_empty() {
            return Ok(false);
        }
        self.note(|_| format!("  hub {district}: {} rows", rows.len()));
        for answer in core.commit(vec![Job::Forget(rows)]) {
            answer.map_err(|error| error.to_string())?;
        }
        Ok(true)
    }

    pub(super) fn clock_jumps(&mut self) -> Result<bool, String> {
        let office = self.any_office();
        let to = skew(&mut self.random);
        self.offices[office].clock.set(to);
        self.note(|world| format!("  {}: off by {} s", world.offices[office].name, to / 1_000));
        Ok(true)
    }

    pub(super) fn back_up_office(&mut self) -> Result<bool, String> {
        let office = self.any_office();
        let dir = self.fresh_directory("backup");
        copy(&self.offices[office].dir, &dir).map_err(|error| error.to_string())?;
        let said = self.said_by(office)?;
        let mut saves = vec![false; self.model.saves.len()];
        for (index, kept) in saves.iter_mut().enumerate() {
            let saved = &self.model.saves[index];
            let mine = saved.office == office && saved.promise == Promise::Saved;
            // What only the hub has, after an older backup of this disk, is in no backup of it.
            let waits = !said.contains(&(saved.record, saved.by.clone()));
            *kept = mine && (waits || self.is_held_by(office, index)?);
        }
        self.note(|world| format!("  {}", world.offices[office].name));
        self.offices[office].backups.push(Backup { dir, saves });
        Ok(true)
    }

    /// The disk is lost; a backup takes its place, and the clerks go on.
    pub(super) fn restore_office(&mut self) -> Result<bool, String> {
        let office = self.any_office();
        if self.offices[office].backups.is_empty() {
            return Ok(false);
        }
        let place = self.random.random_range(0..self.offices[office].backups.len());
        let Backup { dir: backup, saves } = &self.offices[office].backups[place];
        let (backup, saves) = (backup.clone(), saves.clone());
        self.note(|world| format!("  {}, from backup {place}", world.offices[office].name));
        let dir = self.fresh_directory(self.offices[office].name);
        copy(&backup, &dir).map_err(|error| error.to_string())?;
        self.offices[office].damaged = true;
        let before = self.held_anywhere()?;
        // What only the lost disk held is lost with it; what the hub has must come back.
        let held = self.held_by_hubs()?;
        for (index, saved) in self.model.saves.iter_mut().enumerate() {
            let backed_up = saves.get(index).copied().unwrap_or_default();
            if saved.office == office && saved.promise == Promise::Saved && !held[index] && !backed_up {
                saved.promise = Promise::Excused;
            }
        }
        self.reopen(office, dir)?;
        let ledger = self.offices[office].ledger.clone();
        let pending = changes_after(&ledger, ledger.state().settled)?;
        self.model.found_pending(office, &pending, true);
        self.excuse_what_is_gone(&before, |saved| saved.office != office)?;
        Ok(true)
    }

    /// The files of a store are gone; its journal is not.
    pub(super) fn lose_store(&mut self) -> Result<bool, String> {
        let office = self.any_office();
        self.note(|world| format!("  {}", world.offices[office].name));
        let dir = self.fresh_directory(self.offices[office].name);
        copy(&self.offices[office].dir, &dir).map_err(|error| error.to_string())?;
        std::fs::remove_dir_all(dir.join("store")).map_err(|error| error.to_string())?;
        self.offices[office].damaged = true;
        let (said, before) = (self.said_by(office)?, self.held_anywhere()?);
        self.reopen(office, dir)?;
        self.excuse_what_is_gone(&before, |saved| {
            saved.office != office || said.contains(&(saved.record, saved.by.clone()))
        })?;
        Ok(true)
    }

    /// The changes of an office that its hub has answered for: its journal holds them no more.
    fn said_by(&self, office: usize) -> Result<HashSet<(usize, String)>, String> {
        let ledger = &self.offices[office].ledger;
        let pending = changes_after(ledger, ledger.state().settled)?;
        let waits = |saved: &Saved| {
            let id = self.model.records[saved.record].id;
            pending.iter().any(|edit| edit.id == id && edit.by == saved.by)
        };
        let own = self.model.saves.iter().filter(|saved| saved.office == office && !waits(saved));
        Ok(own.map(|saved| (saved.record, saved.by.clone())).collect())
    }

    /// For each change, whether a hub or an office has all of it.
    fn held_anywhere(&self) -> Result<Vec<bool>, String> {
        let mut held = self.held_by_hubs()?;
        for (index, held) in held.iter_mut().enumerate() {
            *held = *held || self.held_by_offices(index)?;
        }
        Ok(held)
    }

    /// What was held before a store went, and is held nowhere now: nobody's promise. `may_be` says of which changes that may be
    /// so.
    fn excuse_what_is_gone(&mut self, before: &[bool], may_be: impl Fn(&Saved) -> bool) -> Result<(), String> {
        let now = self.held_anywhere()?;
        for (index, saved) in self.model.saves.iter_mut().enumerate() {
            if before.get(index) == Some(&true) && !now[index] && may_be(saved) {
                saved.promise = Promise::Excused;
            }
        }
        Ok(())
    }

    pub(super) fn back_up_hub(&mut self) -> Result<bool, String> {
        let hub = self.random.random_range(0..self.hubs.len());
        self.note(|_| format!("  hub {hub}"));
        let tables = self.hubs[hub].store.snapshot();
        self.hubs[hub].backups.push(tables);
        Ok(true)
    }

    /// A hub's disk is lost; a backup takes its place.
    pub(super) fn restore_hub(&mut self) -> Result<bool, String> {
        let hub = self.random.random_range(0..self.hubs.len());
        if self.hubs[hub].backups.is_empty() {
            return Ok(false);
        }
        let place = self.random.random_range(0..self.hubs[hub].backups.len());
        let tables = self.hubs[hub].backups[place].clone();
        self.note(|_| format!("  hub {hub}, from backup {place}"));
        self.hub_comes_back(hub, tables)
    }

    /// A district's store is lost without a backup: its offices tell it everything again.
    pub(super) fn lose_hub_store(&mut self) -> Result<bool, String> {
        let district = self.any_district();
        self.note(|_| format!("  hub {district}"));
        self.hub_comes_back(district, Tables::default())
    }

    fn hub_comes_back(&mut self, hub: usize, tables: Tables) -> Result<bool, String> {
        let before = self.held_by_hubs()?;
        self.restart_hub(hub)?;
        self.hubs[hub].restart(tables)?;
        self.hubs[hub].restored = true;
        let after = self.held_by_hubs()?;
        for index in 0..self.model.saves.len() {
            // Nobody but the lost disk had it.
            if before[index] && !after[index] && !self.held_by_offices(index)? {
                self.model.saves[index].promise = Promise::Excused;
            }
        }
        Ok(true)
    }
}
