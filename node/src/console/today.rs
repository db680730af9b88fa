//! 今日待办: what a clerk sees first, useful offline.

use super::{
    Hall, Shown,
    figures::{Picture, WITHIN},
    find, link,
};
use crate::web::{
    Words,
    login::Visit,
    parts::{Tone, days, empty, meter, sheet, tag},
};
use axum::extract::State;
use maud::{Markup, html};
use std::time::Duration;
use taizhang_proto::{RecordId, cell::worklist::Clock, date, pb};

/// How long the first page after a start waits for its figures before it is shown without.
pub(super) const PATIENCE: Duration = Duration::from_millis(60);
/// Rows of a list on Today; its own page has all.
const ROWS: usize = 12;

/// The page.
pub(super) async fn show(State(hall): State<Hall>, visit: Visit) -> Shown {
    let picture = hall.figures.soon(PATIENCE).await;
    let words = visit.words;
    hall.page(&visit, ("/", &words.say("menu-today")), || {
        let day = hall.office.ledger.business_day();
        Ok(html! {
            (find::search_box(&visit, ""))
            div.head {
                h1 { (words.say("today")) " " span.dim.small data-live="day" { (long_day(words, day)) } }
                div.end {
                    button.btn.noprint type="button" data-print { (words.say("print")) }
                    a.btn.go href="/new/Resident" data-key="N" { (words.say("new-person")) " " kbd { "N" } }
                }
            }
            div data-live="today" {
                @if let Some((picture, is_now)) = &picture {
                    @if !is_now || picture.on != day { p.note role="status" { (words.say("counting")) } }
                    (drawn(&hall, words, picture))
                } @else {
                    p.note role="status" { (words.say("counting-first")) }
                }
            }
        })
    })
}

/// A day with its weekday.
pub(super) fn long_day(words: Words, day: date::Day) -> String {
    let Some(civil) = date::civil(day) else { return date::iso(day) };
    let weekday = ["一", "二", "三", "四", "五", "六", "日"][civil.weekday().to_monday_zero_offset() as usize];
    words
        .lang
        .word(
            &format!("{}年{}月{}日 星期{weekday}", civil.year(), civil.month(), civil.day()),
            &format!("{:?} {}", civil.weekday(), date::iso(day)),
        )
        .to_owned()
}

/// What a clock asks for.
fn asks(words: Words, item: &pb::WorkItem) -> String {
    let known = Clock::ALL.iter().find(|clock| clock.code() == item.clock);
    match known {
        Some(clock) if clock.zh() == item.what || words.lang == crate::show::lang::Lang::En => {
            words.lang.word(clock.zh(), clock.en()).to_owned()
        }
        _ => words.either(&item.what),
    }
}

fn drawn(hall: &Hall, words: Words, picture: &Picture) -> Markup {
    let late = picture.due.iter().filter(|case| case.days_left < 0).count();
    let soon = picture.due.iter().filter(|case| (0..=5).contains(&case.days_left)).count();
    let beside = html! {
        @if late > 0 { (tag(Tone::Late, &words.count("households-late", late))) }
        @if soon > 0 { (tag(Tone::Soon, &words.count("households-soon", soon))) }
        a.end.small href="/cases" { (words.count("all-households", picture.due.len())) }
    };
    let today = picture.work.iter().filter(|item| item.days_left <= 0).count();
    let week = picture.work.iter().filter(|item| item.days_left <= 7).count();
    html! {
        div.cols {
            div.stack {
                (sheet(&words.say("case-clocks"), &beside, &cases(words, &picture.due[..picture.due.len().min(ROWS)])))
                (sheet(
                    &words.say("visits"),
                    &html! {
                        @if today > 0 { (tag(Tone::Soon, &words.count("due-today", today))) }
                        (tag(Tone::Plain, &words.count("due-week", week)))
                        span.end.small.dim { (words.count("within-days", WITHIN)) }
                    },
                    &work(words, picture),
                ))
            }
            div.stack {
                (refused(words, &picture.refused))
                (link::sheet_of(hall, words))
                (targets(words, picture))
                @if picture.doubts.total > 0 {
                    (sheet(&words.say("doubts"), &html! { (tag(Tone::Soon, &picture.doubts.total.to_string())) },
                        &html! { p.said { a href="/station#doubts" { (words.say("doubts-look")) } } }))
                }
            }
        }
    }
}

/// The cases with their clocks, and the next step in each row.
pub(super) fn cases(words: Words, due: &[pb::DueCase]) -> Markup {
    if due.is_empty() {
        return empty(&words.say("no-cases"), Some(("/register/ZefCase", &words.say("cases-all"))));
    }
    html! {
        table.fold {
            thead { tr {
                th { (words.say("head")) } th { (words.say("unit")) } th { (words.say("recognised")) } th { (words.say("due-on")) }
                th.r { (words.say("days-left")) } th { (words.say("next-step")) }
            } }
            tbody {
                @for case in due {
                    @let record = RecordId::from_slice(&case.record).map(|id| id.to_string()).unwrap_or_default();
                    tr {
                        td {
                            a href=(format!("/record/{record}")) { (if case.head.is_empty() { words.say("nameless") } else { case.head.clone() }) }
                            @if case.clock == "K12" { " " (tag(Tone::Plain, &words.say("dual"))) }
                            @if !case.phone.is_empty() { br; span.small.dim.num { (case.phone) } }
                        }
                        td data-l=(words.say("unit")) { (case.unit_name) }
                        td.num data-l=(words.say("recognised")) { (date::iso(case.recognised_on)) }
                        td.num data-l=(words.say("due-on")) { (date::iso(case.due_on)) }
                        td.r data-l=(words.say("days-left")) { (days(words, case.days_left)) }
                        td data-l=(words.say("next-step")) {
                            a href=(format!("/record/{record}#placed")) { (words.say("enter-placement")) }
                            " · "
                            a href=(format!("/new/ServiceRecord?of={record}")) { (words.say("enter-visit")) }
                        }
                    }
                }
            }
        }
    }
}

fn work(words: Words, picture: &Picture) -> Markup {
    if picture.work.is_empty() {
        return empty(&words.say("nothing-due"), None);
    }
    html! {
        table.fold {
            tbody {
                @for item in picture.work.iter().take(ROWS * 2) {
                    tr {
                        td {
                            @if item.record.is_empty() { (item.title) } @else { a href=(format!("/record/{}", item.record)) { (if item.title.is_empty() { &item.unit_name } else { &item.title }) } }
                        }
                        td data-l=(words.say("what-to-do")) { (asks(words, item)) }
                        td data-l=(words.say("unit")) { (item.unit_name) }
                        td.r data-l=(words.say("days-left")) { (days(words, item.days_left)) }
                    }
                }
            }
        }
        @if picture.work.len() > ROWS * 2 { p.said.dim { (words.count("and-more", picture.work.len() - ROWS * 2)) } }
    }
}

fn refused(words: Words, items: &[pb::RefusedItem]) -> Markup {
    let beside = html! { @if !items.is_empty() { (tag(Tone::Late, &items.len().to_string())) } a.end.small href="/refused" { (words.say("all")) } };
    let body = html! {
        @if items.is_empty() { (empty(&words.say("none-refused"), None)) } @else {
            table { tbody {
                @for item in items.iter().take(ROWS / 2) {
                    tr { td {
                        a href="/refused" { (if item.title.is_empty() { item.register.clone() } else { item.title.clone() }) }
                        br;
                        span.small.dim { (item.why.as_ref().map(|why| words.either(&why.message)).unwrap_or_default()) }
                    } }
                }
            } }
        }
    };
    sheet(&words.say("refused"), &beside, &body)
}

fn targets(words: Words, picture: &Picture) -> Markup {
    let lines = &picture.standing.lines;
    let beside = html! { span.end.small.dim { (picture.standing.plan) } };
    let body = html! {
        @if lines.is_empty() { (empty(&words.say("no-plan"), None)) } @else {
            table { tbody {
                @for line in lines.iter().take(8) {
                    tr {
                        td { (words.lang.indicator(&line.indicator)) }
                        td.r.num {
                            @if line.denominator > 0 { (meter(line.numerator.max(0).unsigned_abs(), line.denominator.unsigned_abs(), line.reached)) } @else { (line.numerator) }
                            " "
                            @if !line.measured { (tag(Tone::Plain, &words.say("not-measured"))) }
                            @else if line.reached { (tag(Tone::Good, &words.say("reached"))) }
                            @else { (tag(Tone::Late, &words.count(if line.at_most { "too-many" } else { "still-needed" }, line.left))) }
                        }
                    }
                }
            } }
        }
    };
    sheet(&words.say("targets"), &beside, &body)
}
