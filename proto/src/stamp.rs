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

    /// This stamp as a hub whose clock reads `now` believes it: set right by `skew`, how far the office's clock was off
    /// when that is too far ([`distrusted_skew`]), and over five minutes ahead counts as now.
    #[must_use]
    pub fn believed(self, now: Stamp, skew: i64) -> Self {
        let right = Self::at_millis(self.millis().saturating_add_signed(skew.saturating_neg()).min(u64::MAX >> 16));
        let right = if skew == 0 { self } else { Self(right.0 | (self.0 & 0xffff)) };
        if right.millis() > now.millis() + MAX_AHEAD_MILLIS { now } else { right }
    }
}

/// How far off an office's clock may be, either way, before its stamps are set right (domain-detail 4, case 6).
pub const MAX_SKEW_MILLIS: i64 = 10 * 60 * 1000;

/// A clock's error, milliseconds ahead, when it is too large to believe its stamps; else 0.
pub fn distrusted_skew(millis: i64) -> i64 {
    if millis.saturating_abs() > MAX_SKEW_MILLIS { millis } else { 0 }
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
        assert_eq!(Stamp::at_millis(10_000_000_000).believed(now, 0), now);
        let near = Stamp::at_millis(1_000_000 + MAX_AHEAD_MILLIS);
        assert_eq!(near.believed(now, 0), near);
    }

    #[test]
    fn a_clock_years_behind_is_set_right_by_what_is_known_of_its_error() {
        let now = Stamp::at_millis(2_000_000_000);
        let year = -31_536_000_000;
        let written = Stamp((1_000_000_000 << 16) | 7);
        assert_eq!(written.believed(now, distrusted_skew(year)), now, "31 years after 1970 is ahead of this hub");
        assert_eq!(written.believed(now, -900_000), Stamp((1_000_900_000 << 16) | 7), "and keeps its counter");
        assert_eq!(distrusted_skew(-60_000), 0);
        assert_eq!(Stamp(u64::MAX).believed(now, i64::MIN), now);
        assert_eq!(Stamp(0).believed(now, i64::MAX), Stamp(0));
    }
}
