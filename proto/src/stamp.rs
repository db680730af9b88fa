//! Time as an argument: hybrid logical clock stamps that order edits of one field.
//! Invariant: detection of concurrency never looks at a stamp; only the choice of a winner does.

use serde::{Deserialize, Serialize};

/// A hybrid logical clock reading: milliseconds since 1970 in the upper 48 bits, a counter in the lower 16.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Stamp(pub u64);

/// How far an office's clock may run ahead of the hub's before its stamps count as 'now' (sync.md).
pub const MAX_AHEAD_MILLIS: u64 = 5 * 60 * 1000;

impl Stamp {
    /// The stamp of a wall-clock reading, counter zero.
    pub fn at_millis(millis: u64) -> Self {
        Self(millis << 16)
    }

    /// Milliseconds since 1970.
    pub fn millis(self) -> u64 {
        self.0 >> 16
    }

    /// The next stamp of a clock that last gave `self` and now reads `millis`: always greater than `self`.
    #[must_use]
    pub fn tick(self, millis: u64) -> Self {
        let wall = Self::at_millis(millis);
        if wall > self { wall } else { Self(self.0.saturating_add(1)) }
    }

    /// This stamp as a hub whose clock reads `now` believes it: over five minutes ahead counts as now.
    #[must_use]
    pub fn believed(self, now: Stamp) -> Self {
        if self.millis() > now.millis() + MAX_AHEAD_MILLIS { now } else { self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_stands_still_still_ticks() {
        let first = Stamp::at_millis(1_000);
        assert!(first.tick(1_000) > first);
        assert!(first.tick(10) > first);
        assert_eq!(first.tick(2_000), Stamp::at_millis(2_000));
    }

    #[test]
    fn a_clock_years_ahead_counts_as_now() {
        let now = Stamp::at_millis(1_000_000);
        assert_eq!(Stamp::at_millis(10_000_000_000).believed(now), now);
        let near = Stamp::at_millis(1_000_000 + MAX_AHEAD_MILLIS);
        assert_eq!(near.believed(now), near);
    }
}
