//! Who may be repaired: one child at a time, since the list of a large scope takes memory.
//! Invariant: who was turned away first comes first; who just had a turn waits behind everybody who is still asking.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// Who was turned away and has not asked again for so long has lost its place.
const STILL_ASKING: Duration = Duration::from_secs(60);

#[derive(Default)]
struct Queue {
    is_taken: bool,
    waiting: VecDeque<(String, Instant)>,
}

/// The turns.
#[derive(Default)]
pub(crate) struct Turns(Mutex<Queue>);

/// A turn; it is over when this is dropped.
pub(crate) struct Turn(Arc<Turns>);

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
        if queue.is_taken || !is_first {
            if !queue.waiting.iter().any(|(one, _)| one == child) {
                queue.waiting.push_back((child.to_owned(), now));
            }
            return None;
        }
        queue.waiting.pop_front();
        queue.is_taken = true;
        Some(Turn(self.clone()))
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.queue().is_taken = false;
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
    fn who_asks_no_more_loses_its_place() {
        let turns = Arc::new(Turns::default());
        let now = Instant::now();
        let turn = turns.ask_at("first", now).unwrap();
        assert!(turns.ask_at("gone", now).is_none());
        drop(turn);
        assert!(turns.ask_at("second", now + STILL_ASKING).is_some());
    }
}
