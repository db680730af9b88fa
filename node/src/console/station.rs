//! 本站: assistants, premises, published documents, the titles of communities, tasks and campaigns, what is to be filed, and what is to be
//! looked into.

use super::{Hall, Shown, today};
use crate::web::{
    login::Visit,
    parts::{Tone, days, empty, sheet, tag},
};
use axum::extract::State;
use maud::html;
use taizhang_proto::{
    date,
    register::{number, registers},
};

/// The registers of the office itself.
const OWN: [u32; 9] = [
    number::ASSISTANT,
    number::FACILITY,
    number::PUBLISHED_DOC,
    number::POLICY_DOCUMENT,
    number::CREDENTIAL,
    number::FEC_CASE,
    number::SCORE_ITEM,
    number::ARCHIVE_ENTRY,
    number::COMPLAINT,
];
/// Rows of each list.
const ROWS: usize = 50;

/// The page.
pub(super) async fn show(State(hall): State<Hall>, visit: Visit) -> Shown {
    let words = visit.words;
    let picture = hall.figures.soon(today::PATIENCE).await.map(|(picture, _)| picture);
    hall.page(&visit, ("/station", &words.say("menu-station")), || {
        let mut own = Vec::new();
        for register in OWN {
            if let Some(def) = registers().get(register) {
                own.push((def, hall.office.ledger.ids(register)?.len()));
            }
        }
        Ok(html! {
            div.head { h1 { (words.say("menu-station")) } div.end { a.btn href="/notice" { (words.say("notice")) } } }
            section.sheet {
                header { h2 { (words.say("station-registers")) } }
                div.choice {
                    @for (def, count) in own {
                        a href=(format!("/register/{}", def.name)) { (words.lang.word(&def.zh, &def.en)) small.num { (words.count("records", count)) } }
                    }
                }
            }
            div data-live="station" {
            @if let Some(picture) = &picture {
                (super::months::tables(words, &picture.tasks))
                (super::months::tables(words, &picture.campaigns))
                (sheet(&words.say("to-file"), &html! { (tag(Tone::Plain, &picture.to_file.items.len().to_string())) }, &html! {
                    @if picture.to_file.items.is_empty() { (empty(&words.say("nothing-to-file"), None)) } @else {
                        table.fold { tbody {
                            @for item in picture.to_file.items.iter().take(ROWS) {
                                tr {
                                    td { a href=(format!("/record/{}", item.record)) { (if item.title.is_empty() { &item.register } else { &item.title }) } }
                                    td data-l=(words.say("register")) { (words.lang.register(&item.register)) }
                                    td.num data-l=(words.say("due-on")) { (date::iso(item.due_on)) }
                                    td.r data-l=(words.say("days-left")) { (days(words, item.days_left)) }
                                }
                            }
                        } }
                    }
                }))
                div #doubts {
                    (sheet(&words.say("doubts"), &html! { (tag(Tone::Plain, &picture.doubts.total.to_string())) }, &html! {
                        @if picture.doubts.items.is_empty() { (empty(&words.say("no-doubts"), None)) } @else {
                            table.fold { tbody {
                                @for item in picture.doubts.items.iter().take(ROWS * 2) {
                                    tr {
                                        td { a href=(format!("/record/{}", item.record)) { (if item.title.is_empty() { &item.unit_name } else { &item.title }) } }
                                        td data-l=(words.say("what-to-do")) { (words.either(&item.what)) }
                                        td data-l=(words.say("unit")) { (item.unit_name) }
                                    }
                                }
                            } }
                        }
                    }))
                }
            } @else {
                p.note role="status" { (words.say("counting-first")) }
            }
            }
        })
    })
}
