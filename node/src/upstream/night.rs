//! When a node in nightly mode calls: at its slot when it is on by then, else soon after it is on again.
//! Invariant: a slot in which nothing was heard is owed until something is. Whether one is owed follows from the wall clock
//! and from when the hub was last heard, never from how long the process has run: computers are switched off at night,
//! sleep, and have their clocks set.

/// A slot that is noticed so late is one that this computer has slept through, seconds.
const ON_TIME: u64 = 150;
/// So much may a clock be put back without what was heard before counting as heard in the future, seconds.
const PUT_BACK: u64 = 300;

/// What is planned for the slot that is owed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Planned {
    slot: u64,
    at: u64,
}

/// The plan.
#[derive(Debug, Default)]
pub struct Night(Option<Planned>);

impl Night {
    /// Whether it is time to call, where `slot` is the last one up to `now` and the hub was last heard at `heard`: seconds since
    /// 1970. A slot that was slept through is made up for within `catch_up` seconds, at a moment that `random` (0 to 1) draws,
    /// so that a street that comes to work at eight does not call at once.
    pub fn is_time(
        &mut self,
        slot: u64,
        (now, heard): (u64, u64),
        catch_up: u64,
        random: impl FnOnce() -> f64,
    ) -> bool {
        let in_the_future = heard > now.saturating_add(PUT_BACK);
        if heard >= slot && !in_the_future {
            self.0 = None;
            return false;
        }
        let stands = |planned: &Planned| planned.slot == slot && planned.at <= now.saturating_add(catch_up);
        let planned = self.0.filter(stands).unwrap_or_else(|| {
            let is_late = now.saturating_sub(slot) > ON_TIME;
            let wait = if is_late { (catch_up as f64 * random().clamp(0.0, 1.0)) as u64 } else { 0 };
            Planned { slot, at: now.saturating_add(wait) }
        });
        self.0 = Some(planned);
        now >= planned.at
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::upstream::schedule::{Mode, Schedule, last_slot};
    use proptest::prelude::*;

    const HOUR: u64 = 3_600;
    const DAY: u64 = 24 * HOUR;
    const CATCH_UP: u64 = 900;

    fn schedule() -> Schedule {
        Schedule { mode: Mode::Nightly, opens: 22 * HOUR, window: 4 * HOUR, catch_up: CATCH_UP }
    }

    /// Midnight in Shanghai of some day.
    fn midnight() -> u64 {
        1_790_000_000 / DAY * DAY - 8 * HOUR
    }

    /// A computer that is on in these spans of wall-clock seconds and ticks every minute; when it calls. Every call is heard.
    fn calls(spans: &[(u64, u64)], random: f64) -> Vec<u64> {
        let mut heard = midnight() - HOUR; // before the first day
        let mut found = Vec::new();
        for (on, off) in spans {
            let mut night = Night::default();
            for now in (*on..*off).step_by(60) {
                if night.is_time(last_slot(schedule(), "n1", now), (now, heard), CATCH_UP, || random) {
                    heard = now;
                    found.push(now);
                }
            }
        }
        found
    }

    #[test]
    fn an_office_that_is_on_by_day_alone_is_heard_every_morning() {
        let spans: Vec<_> =
            (0..5).map(|day| midnight() + day * DAY).map(|day| (day + 8 * HOUR, day + 17 * HOUR)).collect();
        for random in [0.0, 0.5, 1.0] {
            let calls = calls(&spans, random);
            assert_eq!(calls.len(), 5, "{random}: {calls:?}");
            for ((on, _), call) in spans.iter().zip(&calls) {
                assert!((*on..=on + CATCH_UP + 60).contains(call), "{random}: {} s after it is on", call - on);
            }
        }
    }

    #[test]
    fn an_office_that_is_always_on_calls_at_its_slot() {
        let calls = calls(&[(midnight(), midnight() + 5 * DAY)], 0.9);
        for call in &calls[1..] {
            assert!(call - last_slot(schedule(), "n1", *call) < 60, "{calls:?}");
        }
        assert!((5..=6).contains(&calls.len()), "{calls:?}");
    }

    #[test]
    fn who_sleeps_in_the_middle_of_a_process_is_heard_after_it() {
        // One process; its ticks stop while the lid is closed.
        let mut night = Night::default();
        let (mut heard, mut found) = (midnight() - HOUR, 0);
        for day in 0..5 {
            let (from, to) = (midnight() + day * DAY + 8 * HOUR, midnight() + day * DAY + 17 * HOUR);
            for now in (from..to).step_by(60) {
                if night.is_time(last_slot(schedule(), "n1", now), (now, heard), CATCH_UP, || 0.7) {
                    (heard, found) = (now, found + 1);
                }
            }
        }
        assert_eq!(found, 5);
    }

    #[test]
    fn a_clock_that_was_years_ahead_keeps_nobody_silent() {
        let mut night = Night::default();
        let now = midnight() + 10 * HOUR;
        let heard = now + 365 * DAY;
        let times = (now..now + 1_000)
            .step_by(60)
            .filter(|now| night.is_time(last_slot(schedule(), "n1", *now), (*now, heard), CATCH_UP, || 0.5));
        assert!(times.count() > 0);
    }

    proptest! {
        /// However the clock jumps, on the day that follows the last jump the office is heard once it has been on for the
        /// time to catch up.
        #[test]
        fn a_clock_that_jumps_ends_no_calls(jumps in prop::collection::vec(-40 * 86_400_i64..40 * 86_400, 0..6), random in 0.0..1.0_f64) {
            let mut night = Night::default();
            let mut now = midnight() + 9 * HOUR;
            let mut heard = now - DAY;
            for jump in jumps {
                for _ in 0..7 {
                    if night.is_time(last_slot(schedule(), "n1", now), (now, heard), CATCH_UP, || random) {
                        heard = now;
                    }
                    now += 60;
                }
                now = now.saturating_add_signed(jump);
            }
            let slot = last_slot(schedule(), "n1", now);
            for _ in 0..=CATCH_UP / 60 + 1 {
                if night.is_time(last_slot(schedule(), "n1", now), (now, heard), CATCH_UP, || random) {
                    heard = now;
                }
                now += 60;
            }
            prop_assert!(heard >= slot && heard <= now + PUT_BACK, "heard {heard}, slot {slot}, now {now}");
        }
    }
}
