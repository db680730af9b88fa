//! 月份: what was closed, approved and locked, the figures of one, and closing the next in its order.

use super::{Hall, Shown, trouble};
use crate::{
    caller::Refusal,
    web::{
        Words,
        login::{Posted, Visit},
        parts::{empty, sheet},
    },
};
use axum::{
    extract::{Path, State},
    response::{IntoResponse, Redirect},
};
use maud::{Markup, html};
use taizhang_proto::{date, pb};

/// A paper's tables on a page.
pub(super) fn tables(words: Words, paper: &pb::Paper) -> Markup {
    html! {
        @for note in &paper.notes { p.note { (words.either(note)) } }
        @for table in &paper.tables {
            section.sheet.wide {
                @if !table.title.is_empty() { header { h2 { (words.either(&table.title)) } } }
                @if table.rows.is_empty() { (empty(&words.say("nothing"), None)) } @else {
                    table.fold {
                        thead { tr { @for column in &table.columns { th { (words.lang.heading(&column.key, &column.name)) } } } }
                        tbody {
                            @for row in &table.rows {
                                tr { @for (cell, column) in row.cells.iter().zip(&table.columns) { td data-l=(words.lang.heading(&column.key, &column.name)) { (words.either(cell)) } } }
                            }
                        }
                    }
                }
            }
        }
        @if !paper.foot.is_empty() { p.dim { (words.either(&paper.foot)) } }
    }
}

fn paper(hall: &Hall, visit: &Visit, request: &pb::PaperRequest) -> Result<pb::Paper, Refusal> {
    hall.office.paper(&hall.caller(visit)?, request)
}

/// The page.
pub(super) async fn show(State(hall): State<Hall>, visit: Visit) -> Shown {
    let words = visit.words;
    hall.page(&visit, ("/months", &words.say("menu-months")), || {
        let paper = paper(&hall, &visit, &pb::PaperRequest { kind: pb::PaperKind::PaperMonths.into(), ..Default::default() })?;
        let waiting = crate::office::close::waiting(&hall.office.ledger)?;
        let beside = html! {};
        let body = html! {
            @match waiting {
                Some((month, due)) => {
                    div.body {
                        p { (words.with("month-waits", &[("month", month.to_string().into()), ("day", date::iso(due).into())])) }
                        div.acts {
                            a.btn href=(format!("/months/{month}")) { (words.say("month-figures")) }
                            (close_form(words, &visit, &month.to_string(), false))
                        }
                    }
                }
                None => (empty(&words.say("no-month"), None)),
            }
        };
        Ok(html! {
            div.head { h1 { (words.say("menu-months")) } div.end { a.btn href="/register/PeriodClose" { (words.say("look")) } } }
            (sheet(&words.say("month-next"), &beside, &body))
            (tables(words, &paper))
        })
    })
}

fn close_form(words: Words, visit: &Visit, month: &str, sure: bool) -> Markup {
    html! {
        form.inline method="post" action=(format!("/months/{month}/close")) {
            input type="hidden" name="csrf" value=(visit.session.csrf);
            @if sure { input type="hidden" name="sure" value="1"; }
            button.btn.go type="submit" { (words.of(if sure { "month-close-sure" } else { "month-close" }, month)) }
        }
    }
}

/// The figures of one month.
pub(super) async fn figures(State(hall): State<Hall>, visit: Visit, Path(month): Path<String>) -> Shown {
    let words = visit.words;
    hall.page(&visit, ("/months", &words.say("menu-months")), || {
        let request = pb::PaperRequest { kind: pb::PaperKind::PaperMonth.into(), month: month.clone(), ..Default::default() };
        let paper = paper(&hall, &visit, &request)?;
        Ok(html! {
            div.head { h1 { (words.either(&paper.title)) } div.end { a.btn href="/months" { (words.say("back")) } button.btn type="button" data-print { (words.say("print")) } } }
            (tables(words, &paper))
        })
    })
}

/// Closes a month.
pub(super) async fn close(State(hall): State<Hall>, Path(month): Path<String>, posted: Posted) -> Shown {
    let visit = &posted.visit;
    let words = visit.words;
    let request = pb::MonthRequest { month: month.clone(), sure: posted.get("sure") == "1", ..Default::default() };
    let closed = tokio::task::block_in_place(|| hall.office.close(&hall.head(visit)?, &request));
    match closed {
        Ok(answer) => {
            let gaps = [("month", month.into()), ("n", answer.rows.into())];
            hall.tell(visit, words.with("month-closed", &gaps));
            Ok(Redirect::to("/months").into_response())
        }
        // Somebody has to be sure: the same with a button that says so.
        Err(Refusal::Unsure(why)) => hall.page(visit, ("/months", &words.say("menu-months")), || {
            let said = words.either(&why).replace("；确认请加 --yes", "");
            Ok(sheet(&words.of("month-close", &month), &html! {}, &html! {
                div.body { p.bad role="alert" { (said) } div.acts { a.btn href="/months" { (words.say("cancel")) } (close_form(words, visit, &month, true)) } }
            }))
        }),
        Err(why) => Err(trouble(visit, why)),
    }
}
