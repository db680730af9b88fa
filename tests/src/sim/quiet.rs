//! The end of a seed: nothing fails any more, everybody syncs, and after a bounded number of rounds nobody has
//! anything left to say.

use super::{session::Child, world::World};

/// Rounds after which everybody must be quiet.
const ROUNDS: usize = 16;

impl World {
    /// Heals everything and has everybody sync until a whole round is quiet.
    pub(super) fn calm_down(&mut self) -> Result<(), String> {
        self.calm = true;
        self.note(|_| "calm".into());
        for _ in 0..20_000 {
            let Some(event) = self.events().first().copied() else { break };
            self.happen(event)?;
        }
        self.sessions.clear();
        for round in 0..ROUNDS {
            let mut quiet = true;
            for office in 0..self.offices.len() {
                quiet &= self.sync(Child::Office(office))?;
            }
            for district in 1..self.hubs.len() {
                quiet &= self.sync(Child::District(district))?;
            }
            self.note(|_| format!("calm round {round}, quiet: {quiet}"));
            if quiet {
                return Ok(());
            }
        }
        let unsettled: Vec<String> = self
            .offices
            .iter()
            .map(|office| {
                let state = office.ledger.state();
                let (pending, equal) = (office.ledger.pending(), state.equal);
                format!(
                    "{}: pending {pending}, equal {equal}, rebuild {}, {}",
                    office.name, state.rebuild, state.last_incident
                )
            })
            .collect();
        Err(format!("not quiet after {ROUNDS} rounds: {}", unsettled.join("; ")))
    }

    /// One session to its end. Returns whether it was a single equal round trip.
    pub(super) fn sync(&mut self, child: Child) -> Result<bool, String> {
        let Some(id) = self.open_session(child, false)? else { return Ok(false) };
        let report = self.run_to_end(id)?;
        self.sweep();
        self.sessions.remove(&id);
        Ok(report.is_some_and(|report| report.equal && report.round_trips == 1))
    }
}
