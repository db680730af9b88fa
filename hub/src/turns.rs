//! Who may be repaired: one child at a time, since the list of a large scope takes memory.
//! Invariant: who was turned away first comes first; who just had a turn waits behind everybody who is still asking, and nobody's lasts
//! without an end while somebody waits.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// Who was turned away and has not asked again for so long has lost its place.
const STILL_ASKING: Duration = Duration::from_secs(60);

/// How long a turn may last while somebody waits: with a slow line, megabytes of ranges.
const LONGEST: Duration = Duration::from_secs(600);

#[derive(Default)]
struct Queue {
    /// The number of the turn that is taken, and since when.
    taken: Option<(u64, Instant)>,
    given: u64,
    waiting: VecDeque<(String, Instant)>,
}

/// The turns.
#[derive(Default)]
pub(crate) struct Turns(Mutex<Queue>);

/// A turn; it is over when this is dropped, or has lasted too long.
pub(crate) struct Turn(Arc<Turns>, u64);

impl Turn {
    /// Whether somebody else has the turn by now.
    pub(crate) fn is_over(&self) -> bool {
        self.0.queue().taken.is_none_or(|(number, _)| number != self.1)
    }
}

impl Turns {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A turn for a child, or a place in the queue.
    pub(crate) fn ask(self: &Arc<Self>, child: &str) -> Option<Turn> {
        self.ask_at(child, Instant::now())
    }

    fn ask_at(self: &Arc<Self>, child: &str, now: Instant) -> Option<Turn> {
        let mut queue = self.queue();
        if let Some((_, asked)) = queue.waiting.iter_mut().find(|(one, _)| one == child) {
            *asked = now;
        }
        queue.waiting.retain(|(_, asked)| now.saturating_duration_since(*asked) < STILL_ASKING);
        let is_first = queue.waiting.front().is_none_or(|(first, _)| first == child);
        let is_taken = queue.taken.is_some_and(|(_, since)| now.saturating_duration_since(since) < LONGEST);
        if is_taken || !is_first {
            if !queue.waiting.iter().any(|(one, _)| one == child) {
                queue.waiting.push_back((child.to_owned(), now));
            }
            return None;
        }
        queue.waiting.pop_front();
        queue.given += 1;
        queue.taken = Some((queue.given, now));
        Some(Turn(self.clone(), queue.given))
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.queue().taken.take_if(|(number, _)| *number == self.1);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn who_had_a_turn_waits_behind_whoever_still_asks() {
        let turns = Arc::new(Turns::default());
        let now = Instant::now();
        let turn = turns.ask_at("greedy", now).unwrap();
        assert!(turns.ask_at("honest", now).is_none());
        drop(turn);
        assert!(turns.ask_at("greedy", now).is_none(), "somebody was turned away before");
        let turn = turns.ask_at("honest", now).unwrap();
        drop(turn);
        assert!(turns.ask_at("greedy", now).is_some());
    }

    #[test]
    fn a_turn_that_lasts_too_long_goes_to_whoever_waits() {
        let turns = Arc::new(Turns::default());
        let now = Instant::now();
        let greedy = turns.ask_at("greedy", now).unwrap();
        let late = now + LONGEST;
        assert!(turns.ask_at("honest", now + LONGEST / 2).is_none());
        assert!(!greedy.is_over(), "nobody could take it yet");
        let honest = turns.ask_at("honest", late).unwrap();
        assert!(greedy.is_over() && !honest.is_over());
        drop(greedy);
        assert!(!honest.is_over(), "what was over ends nobody else's");
        assert!(turns.ask_at("third", late).is_none());
    }

    #[test]
    fn who_asks_no_more_loses_its_place() {
        let turns = Arc::new(Turns::default());
        let now = Instant::now();
        let turn = turns.ask_at("first", now).unwrap();
        assert!(turns.ask_at("gone", now).is_none());
        drop(turn);
        assert!(turns.ask_at("second", now + STILL_ASKING).is_some());
    }
}
