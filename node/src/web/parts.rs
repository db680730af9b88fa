//! Pieces of pages: tags, tables, meters, empty states, what a toast says. Invariant: a colour never says alone what a word beside it does not.

use super::Words;
use maud::{Markup, html};

/// How urgent something is: red, amber and green, or neither.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// Too late, or wrong.
    Late,
    /// Soon.
    Soon,
    /// As it should be.
    Good,
    /// Neither.
    Plain,
}

impl Tone {
    /// The class in the stylesheet.
    pub fn class(self) -> &'static str {
        match self {
            Self::Late => "late",
            Self::Soon => "soon",
            Self::Good => "good",
            Self::Plain => "plain",
        }
    }

    /// Of something that has so many days left.
    pub fn of_days(left: i32) -> Self {
        match left {
            ..0 => Self::Late,
            0..=5 => Self::Soon,
            _ => Self::Plain,
        }
    }
}

/// A short word in a frame.
pub fn tag(tone: Tone, word: &str) -> Markup {
    html! { span class={ "tag " (tone.class()) } { (word) } }
}

/// Days that are left, the largest thing in their row.
pub fn days(words: Words, left: i32) -> Markup {
    html! {
        span class={ "days num " (Tone::of_days(left).class()) } {
            (if left < 0 { format!("−{}", left.unsigned_abs()) } else { left.to_string() })
            small { " " (words.count("days", left.unsigned_abs())) }
        }
    }
}

/// A sheet of paper with a heading, what stands beside the heading, and its content.
pub fn sheet(title: &str, beside: &Markup, body: &Markup) -> Markup {
    html! { section.sheet { header { h2 { (title) } (beside) } (body) } }
}

/// What is said where a list is empty: that it is, and what to do.
pub fn empty(said: &str, next: Option<(&str, &str)>) -> Markup {
    html! { p.empty { (said) @if let Some((href, word)) = next { " " a href=(href) { (word) } } } }
}

/// A part of a whole as a bar, with both numbers beside it; `good` where that is as much as it should be.
pub fn meter(part: u64, whole: u64, good: bool) -> Markup {
    let wide = part.min(whole) * 100 / whole.max(1);
    html! {
        span.num { (part) " / " (whole) }
        svg.meter viewBox="0 0 100 8" preserveAspectRatio="none" role="img" aria-label=(format!("{part} / {whole}")) {
            rect.ground width="100" height="8" {}
            rect class=(if good { "good" } else { "late" }) width=(wide) height="8" {}
        }
    }
}

/// Pages of a list: which one this is, and the ways to its neighbours. `href` makes the address of a page, from 1.
pub fn pager(words: Words, (page, pages): (u64, u64), href: &dyn Fn(u64) -> String) -> Markup {
    html! {
        @if pages > 1 {
            nav.pager aria-label=(words.say("pages")) {
                @if page > 1 { a.btn rel="prev" href=(href(page - 1)) { (words.say("page-before")) } }
                span.num { (page) " / " (pages) }
                @if page < pages { a.btn rel="next" href=(href(page + 1)) { (words.say("page-after")) } }
            }
        }
    }
}

/// A number of a list as it is asked for in an address: from 1, and no further than there is.
pub fn page_of(asked: Option<u64>, total: u64, size: u64) -> (u64, u64) {
    let pages = total.div_ceil(size).max(1);
    (asked.unwrap_or(1).clamp(1, pages), pages)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_that_is_none_is_the_nearest_one() {
        assert_eq!(page_of(None, 0, 50), (1, 1));
        assert_eq!(page_of(Some(0), 101, 50), (1, 3));
        assert_eq!(page_of(Some(9), 101, 50), (3, 3));
        assert_eq!(page_of(Some(2), 100, 50), (2, 2));
    }

    #[test]
    fn days_are_told_by_a_word_as_well_as_by_a_colour() {
        assert_eq!((Tone::of_days(-1), Tone::of_days(0), Tone::of_days(6)), (Tone::Late, Tone::Soon, Tone::Plain));
    }
}
