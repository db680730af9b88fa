//! Between the processes: sessions are opened, their messages delivered one by one in any order across sessions, jobs
//! committed in groups, sides lost.
#![allow(clippy::unnecessary_wraps)] // every action has the shape of the table

use super::{
    mem_store::Fate,
    model::changes_after,
    session::{Child, Session, cut},
    tell::{name_down, name_up},
    world::{World, chance},
};
use rand::RngExt;
use std::sync::Arc;
use taizhang_hub::{
    session::{Fault, Server},
    writer::WriteError,
};
use taizhang_node::{
    ledger::LedgerError,
    upstream::{Client, Replica, SessionError},
};
use taizhang_proto::{
    pb::{self, down, up},
    session::IN_FLIGHT,
};

/// Messages on their way to a child before the hub waits, as on the wire.
const DOWN_QUEUE: usize = 4;

/// Something that can happen next in the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Event {
    Up(u64),
    Down(u64),
    Commit(usize),
}

impl World {
    /// Opens a session; an older one of the same child has been given up by it.
    pub(super) fn open_session(&mut self, child: Child, live: bool) -> Result<Option<u64>, String> {
        self.close_client(child);
        let (hub, replica): (usize, Arc<dyn Replica>) = match child {
            Child::Office(office) => (self.offices[office].hub, self.offices[office].ledger.clone()),
            Child::District(district) => {
                let upward = self.hubs[district].upward.clone().ok_or("a city has no parent here")?;
                (0, upward)
            }
        };
        let peer = match child {
            Child::Office(office) => self.offices[office].peer(),
            Child::District(district) => self.hubs[district].peer(),
        };
        let mut client = Client::new(replica, live);
        let (hello, crashed) = self.at_risk(child, |_| client.open())?;
        if crashed {
            return Ok(None);
        }
        let hello = hello.map_err(|error| format!("hello: {error}"))?;
        self.keep_flushed(child)?;
        let incarnation = match &hello.it {
            Some(up::It::Hello(hello)) => hello.incarnation.clone(),
            _ => return Err("a session that does not open with a greeting".into()),
        };
        let lists = if self.random.random_bool(0.5) { self.random.random_range(1..4) } else { usize::MAX };
        self.last_session += 1;
        let session = Session {
            child,
            hub,
            client: Some(client),
            server: Some(Server::new(peer).with_lists_of(lists)),
            up: [hello].into(),
            down: std::collections::VecDeque::new(),
            waiting: 0,
            greeted: false,
            incarnation,
            meddled: false,
        };
        self.sessions.insert(self.last_session, session);
        self.count(if live { "live sessions" } else { "nightly sessions" });
        Ok(Some(self.last_session))
    }

    /// The child gives up what it has open; what it had sent still arrives.
    pub(super) fn close_client(&mut self, child: Child) {
        for session in self.sessions.values_mut().filter(|session| session.child == child) {
            session.lose_client(usize::MAX);
        }
        self.sweep();
    }

    /// Everything that can happen next, in a fixed order.
    pub(super) fn events(&self) -> Vec<Event> {
        let mut events = Vec::new();
        for (id, session) in &self.sessions {
            if session.server.is_some() && !session.up.is_empty() && session.waiting <= IN_FLIGHT {
                events.push(Event::Up(*id));
            }
            if session.client.is_some() && !session.down.is_empty() {
                events.push(Event::Down(*id));
            }
        }
        let waiting = |hub: &usize| !self.hubs[*hub].queue.is_empty();
        events.extend((0..self.hubs.len()).filter(waiting).map(Event::Commit));
        events
    }

    /// Lets one thing happen.
    pub(super) fn happen(&mut self, event: Event) -> Result<(), String> {
        match event {
            Event::Up(id) => self.deliver_up(id)?,
            Event::Down(id) => self.deliver_down(id)?,
            Event::Commit(hub) => self.commit(hub)?,
        }
        self.sweep();
        Ok(())
    }

    fn deliver_up(&mut self, id: u64) -> Result<(), String> {
        let Some(session) = self.sessions.get_mut(&id) else { return Ok(()) };
        let (Some(server), Some(message)) = (&mut session.server, session.up.pop_front()) else { return Ok(()) };
        let line = format!("    {id} {:?} says {}", session.child, name_up(&message, &self.model));
        if let (Child::Office(office), Some(up::It::Push(_))) = (session.child, &message.it) {
            self.offices[office].last_push = Some((session.incarnation.to_vec(), message.clone()));
        }
        match server.receive(message) {
            Ok(Some(job)) => {
                session.waiting += 1;
                self.hubs[session.hub].queue.push_back((id, job));
            }
            Ok(None) => {}
            Err(fault) => return self.server_failed(id, &fault),
        }
        self.note(|_| line);
        self.pull(id)
    }

    fn deliver_down(&mut self, id: u64) -> Result<(), String> {
        let Some(session) = self.sessions.get_mut(&id) else { return Ok(()) };
        let child = session.child;
        let (Some(mut client), Some(message)) = (session.client.take(), session.down.pop_front()) else {
            return Ok(());
        };
        let line = format!("    {id} {child:?} hears {}", name_down(&message));
        let mut differs = false;
        if let (Child::Office(office), Some(down::It::Caught(caught))) = (child, &message.it) {
            self.offices[office].flushed = None; // it is all put on disk then
            differs = self.offices[office].ledger.state().scope_digest[..] != caught.scope_digest[..];
        }
        session.greeted |= matches!(message.it, Some(down::It::Welcome(_)));
        self.note(|_| line);
        if differs {
            self.note_differences(child)?; // while they are there
        }
        let (received, crashed) = self.at_risk(child, |_| client.receive(message))?;
        if crashed {
            return Ok(());
        }
        if let Err(error) = received {
            return self.client_failed(id, &error);
        }
        if let Some(session) = self.sessions.get_mut(&id) {
            session.client = Some(client);
        }
        self.speak(id)?;
        self.pull(id)
    }

    /// Has the child say what it can.
    pub(super) fn speak(&mut self, id: u64) -> Result<(), String> {
        loop {
            let Some(session) = self.sessions.get_mut(&id) else { return Ok(()) };
            let Some(client) = &mut session.client else { return Ok(()) };
            match client.poll() {
                Ok(Some(message)) if session.server.is_some() => {
                    session.up.extend(cut(message, &mut self.random));
                }
                Ok(Some(_)) => {}
                Ok(None) => return Ok(()),
                Err(error) => return self.client_failed(id, &error),
            }
        }
    }

    /// Has the hub send what it can.
    pub(super) fn pull(&mut self, id: u64) -> Result<(), String> {
        loop {
            let Some(session) = self.sessions.get_mut(&id) else { return Ok(()) };
            let Some(server) = session.server.as_mut().filter(|_| session.down.len() < DOWN_QUEUE) else {
                return Ok(());
            };
            match server.pull(&self.hubs[session.hub].core) {
                Ok(Some(message)) if session.client.is_some() => session.down.push_back(message),
                Ok(Some(_)) => {}
                Ok(None) => return Ok(()),
                Err(fault) => return self.server_failed(id, &fault),
            }
        }
    }

    /// The hub's writer takes a group of jobs.
    fn commit(&mut self, hub: usize) -> Result<(), String> {
        let most = self.hubs[hub].queue.len();
        let count = if self.calm { most } else { self.random.random_range(1..=most) };
        let fate = match self.calm {
            false if chance(&mut self.random, 1, 120) => Fate::Lost,
            false if chance(&mut self.random, 1, 120) => Fate::Unanswered,
            _ => Fate::Sound,
        };
        self.note(|_| format!("    hub {hub} commits {count} of {most} jobs"));
        let (ids, jobs): (Vec<u64>, Vec<_>) = self.hubs[hub].queue.drain(..count).unzip();
        self.hubs[hub].store.set_fate(fate);
        let answers = self.hubs[hub].core.commit(jobs);
        if fate != Fate::Sound {
            self.count(if fate == Fate::Lost { "hub crashes before a commit" } else { "hub crashes after a commit" });
            self.note(|_| format!("hub {hub} dies in a commit: {fate:?}"));
            return self.restart_hub(hub);
        }
        if self.options.audit_commits {
            self.audit(hub)?;
        }
        for (id, answer) in ids.into_iter().zip(answers) {
            if id == 0 {
                match answer {
                    Ok(_) | Err(WriteError::NoKey | WriteError::Rotating) => continue,
                    Err(error) => return Err(format!("a reviewer's job failed: {error}")),
                }
            }
            let Some(session) = self.sessions.get_mut(&id) else { continue };
            session.waiting -= 1;
            let Some(server) = &mut session.server else { continue };
            let core = self.hubs[hub].core.clone();
            match answer.map_err(Fault::from).and_then(|answer| server.answered(&core, answer)) {
                Ok(messages) if session.client.is_some() => session.down.extend(messages),
                Ok(_) => {}
                Err(fault) => self.server_failed(id, &fault)?,
            }
        }
        let concerned: Vec<u64> =
            self.sessions.iter().filter(|(_, session)| session.hub == hub).map(|(id, _)| *id).collect();
        for id in concerned {
            self.pull(id)?;
        }
        Ok(())
    }

    fn client_failed(&mut self, id: u64, error: &SessionError) -> Result<(), String> {
        let Some(session) = self.sessions.get_mut(&id) else { return Ok(()) };
        session.lose_client(usize::MAX);
        let (child, restored) = (session.child, self.hubs[session.hub].restored);
        match error {
            SessionError::NewIncarnation => {
                if let Child::Office(office) = child {
                    self.renumbered(office)?;
                }
                self.count("new incarnations");
            }
            SessionError::ClockSet => self.count("sessions in which an office's clock was set"),
            SessionError::Different => self.count("sessions that ended in a difference"),
            SessionError::Ledger(LedgerError::Peer(_)) if restored => {}
            _ => return Err(format!("{child:?}: the child broke off: {error}")),
        }
        self.note(|_| format!("{child:?} breaks off: {error}"));
        Ok(())
    }

    /// An office goes on under a new incarnation: what it still has to say may have been heard under the old one.
    fn renumbered(&mut self, office: usize) -> Result<(), String> {
        let office_state = &mut self.offices[office];
        office_state.flushed = None;
        if !office_state.damaged && !self.hubs[office_state.hub].restored {
            return Err(format!("{}: a new incarnation without a cause", office_state.name));
        }
        let ledger = office_state.ledger.clone();
        let pending = changes_after(&ledger, ledger.state().settled)?;
        self.model.found_pending(office, &pending, true);
        Ok(())
    }

    fn server_failed(&mut self, id: u64, fault: &Fault) -> Result<(), String> {
        let Some(session) = self.sessions.get_mut(&id) else { return Ok(()) };
        let orphan = session.client.is_none() || session.meddled;
        let gap = matches!(fault, Fault::Write(WriteError::Gap { .. }));
        let old = matches!(fault, Fault::Write(WriteError::Superseded));
        session.lose_server(usize::MAX);
        let child = session.child;
        self.note(|_| format!("the hub ends the session of {child:?}: {fault}"));
        if old || (orphan && gap) { Ok(()) } else { Err(format!("{child:?}: the hub broke off: {fault}")) }
    }

    /// Forgets sessions in which nothing more can happen.
    pub(super) fn sweep(&mut self) {
        let reports = &mut self.reports;
        self.sessions.retain(|id, session| {
            let over = session.is_over();
            if let (true, Some(client)) = (over, session.client.as_ref().filter(|client| client.is_finished())) {
                reports.insert(*id, client.report.clone());
            }
            !over
        });
    }

    /// A hub's process dies and starts again on what was on its disk.
    pub(super) fn restart_hub(&mut self, hub: usize) -> Result<(), String> {
        let tables = self.hubs[hub].store.snapshot();
        self.hubs[hub].restart(tables)?;
        let ids: Vec<u64> = self.sessions.keys().copied().collect();
        for id in ids {
            let arriving = self.random.random_range(0..4);
            let Some(session) = self.sessions.get_mut(&id) else { continue };
            if session.hub == hub {
                session.lose_server(arriving);
                session.waiting = 0;
            }
            if session.child == Child::District(hub) {
                session.lose_client(arriving);
            }
        }
        self.sweep();
        Ok(())
    }

    /// Repeats the last batch that a child's hub got, in another session of the same log.
    pub(super) fn repeat_batch(&mut self) -> Result<bool, String> {
        let fits = |session: &Session, push: &Option<(Vec<u8>, pb::Up)>| {
            let open = session.server.is_some() && session.client.is_some() && session.greeted;
            open && push.as_ref().is_some_and(|(incarnation, _)| incarnation[..] == session.incarnation[..])
        };
        for session in self.sessions.values_mut() {
            let Child::Office(office) = session.child else { continue };
            let push = &self.offices[office].last_push;
            if let (true, Some((_, message))) = (fits(session, push), push) {
                session.up.push_front(message.clone());
                session.meddled = true;
                return Ok(true);
            }
        }
        Ok(false)
    }
}
