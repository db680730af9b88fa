//! Sets of days as half-open spans: what 'employed', 'unemployed' or 'certified' means over time.
//! Invariant: spans are ascending, disjoint, not adjacent and not empty.

use crate::date::Day;

/// Days from `from` up to but without `to`; `Day::MAX` has no end, `Day::MIN` no beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) from: Day,
    pub(super) to: Day,
}

/// A set of days.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Spans(Vec<Span>);

impl Spans {
    /// The days of the given spans together.
    pub(super) fn union(spans: impl IntoIterator<Item = Span>) -> Self {
        let mut all: Vec<Span> = spans.into_iter().filter(|span| span.from < span.to).collect();
        all.sort_unstable_by_key(|span| span.from);
        let mut joined: Vec<Span> = Vec::with_capacity(all.len());
        for span in all {
            match joined.last_mut() {
                Some(last) if span.from <= last.to => last.to = last.to.max(span.to),
                _ => joined.push(span),
            }
        }
        Self(joined)
    }

    /// The days of all of these sets.
    pub(super) fn all(sets: impl IntoIterator<Item = Self>) -> Self {
        Self::union(sets.into_iter().flat_map(|set| set.0))
    }

    /// Whether it has a day.
    pub(super) fn has(&self, day: Day) -> bool {
        self.0.iter().any(|span| span.from <= day && day < span.to)
    }

    /// Whether it has none.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn one(from: Day, to: Day) -> Self {
        Self::union([Span { from, to }])
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Span> {
        self.0.iter()
    }

    /// The first day in the set.
    pub(super) fn first(&self) -> Option<Day> {
        self.0.first().map(|span| span.from)
    }

    /// The days that at least `count` of the sets have.
    #[cfg(test)]
    pub(super) fn shared_by(sets: &[Self], count: usize) -> Self {
        if count == 0 {
            return Self::one(Day::MIN, Day::MAX);
        }
        let mut turns: Vec<(Day, i32)> =
            sets.iter().flat_map(Self::iter).flat_map(|span| [(span.from, 1), (span.to, -1)]).collect();
        turns.sort_unstable();
        let mut having = 0;
        let mut from = None;
        let mut shared = Vec::new();
        for (day, turn) in turns {
            having += turn;
            match from {
                None if having >= count as i32 => from = Some(day),
                Some(start) if having < count as i32 => {
                    shared.push(Span { from: start, to: day });
                    from = None;
                }
                _ => {}
            }
        }
        Self::union(shared)
    }

    /// The days in both sets.
    pub(super) fn and(&self, other: &Self) -> Self {
        let pairs = self.0.iter().flat_map(|one| {
            other.0.iter().map(move |two| Span { from: one.from.max(two.from), to: one.to.min(two.to) })
        });
        Self::union(pairs)
    }

    /// The days of this set that are not in the other.
    pub(super) fn without(&self, other: &Self) -> Self {
        let mut left = Vec::new();
        for span in &self.0 {
            let mut from = span.from;
            for hole in other.0.iter().filter(|hole| hole.to > span.from && hole.from < span.to) {
                left.push(Span { from, to: hole.from });
                from = hole.to;
            }
            left.push(Span { from, to: span.to });
        }
        Self::union(left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn spans() -> impl Strategy<Value = Vec<(Day, Day)>> {
        prop::collection::vec((0..40, 0..12).prop_map(|(from, length)| (from, from + length)), 0..6)
    }

    fn set(spans: &[(Day, Day)]) -> Spans {
        Spans::union(spans.iter().map(|(from, to)| Span { from: *from, to: *to }))
    }

    fn has(spans: &Spans, day: Day) -> bool {
        spans.has(day)
    }

    proptest! {
        #[test]
        fn set_algebra_holds_on_every_day(one in spans(), two in spans()) {
            let (a, b) = (set(&one), set(&two));
            for day in -1..60 {
                prop_assert_eq!(has(&a, day), one.iter().any(|(from, to)| *from <= day && day < *to));
                prop_assert_eq!(has(&a.and(&b), day), has(&a, day) && has(&b, day));
                prop_assert_eq!(has(&a.without(&b), day), has(&a, day) && !has(&b, day));
                let both = [a.clone(), b.clone(), a.clone()];
                let having = both.iter().filter(|set| has(set, day)).count();
                for count in 0..4 {
                    prop_assert_eq!(has(&Spans::shared_by(&both, count), day), having >= count);
                }
            }
        }
    }
}
