//! One box that finds: name, pinyin initials, the end of an id number, phone. Invariant: what was typed never stands in an address; in its
//! place stands a random word that only this session can follow.

use super::{Hall, Shown, trouble};
use crate::{
    caller::Refusal,
    web::{
        Words,
        login::{Posted, Visit},
        parts::{Tone, empty, sheet, tag},
    },
};
use axum::{
    extract::{Path, State},
    response::{IntoResponse, Redirect},
};
use maud::{Markup, html};
use taizhang_proto::pb;

/// Most hits of a page; who sees so many types another sign.
const HITS: u32 = 60;

/// The box.
pub(super) fn search_box(visit: &Visit, text: &str) -> Markup {
    let words = visit.words;
    html! {
        div.search.noprint role="search" {
            svg aria-hidden="true" width="18" height="18" viewBox="0 0 18 18" fill="none" stroke="#4d5761" stroke-width="2" {
                circle cx="7.5" cy="7.5" r="5.5" {}
                path d="M12 12l5 5" {}
            }
            form method="post" action="/find" {
                input type="hidden" name="csrf" value=(visit.session.csrf);
                input name="text" value=(text) placeholder=(words.say("find-what")) aria-label=(words.say("find")) data-search autocomplete="off" maxlength="200";
                kbd.dim.small { "/" }
                button.btn type="submit" { (words.say("find")) }
            }
        }
    }
}

/// People and households: the box, and where to begin.
pub(super) async fn people(State(hall): State<Hall>, visit: Visit) -> Shown {
    let words = visit.words;
    hall.page(&visit, ("/people", &words.say("menu-people")), || {
        Ok(html! {
            (search_box(&visit, ""))
            div.head {
                h1 { (words.say("menu-people")) }
                div.end {
                    a.btn href="/new/Household" { (words.say("new-household")) }
                    a.btn.go href="/new/Resident" data-key="N" { (words.say("new-person")) " " kbd { "N" } }
                }
            }
            (sheet(&words.say("find-how"), &html! {}, &html! {
                p.said { (words.say("find-help")) }
                p.said {
                    a href="/register/Resident" { (words.say("all-people")) } " · "
                    a href="/register/Household" { (words.say("all-households-list")) }
                }
            }))
        })
    })
}

/// Keeps what was typed, and leads to what is found.
pub(super) async fn find(State(hall): State<Hall>, posted: Posted) -> Shown {
    let text = posted.get("text").trim();
    if text.is_empty() {
        return Ok(Redirect::to("/people").into_response());
    }
    let word = hall.kit.sessions.keep(&posted.visit.session, text);
    Ok(Redirect::to(&format!("/find/{word}")).into_response())
}

/// What is found.
pub(super) async fn found(State(hall): State<Hall>, visit: Visit, Path(word): Path<String>) -> Shown {
    let words = visit.words;
    let Some(text) = hall.kit.sessions.kept(&visit.session, &word) else {
        return Ok(Redirect::to("/people").into_response());
    };
    let request = pb::SearchRequest { text: text.clone(), limit: HITS, ..pb::SearchRequest::default() };
    let answer = tokio::task::block_in_place(|| hall.office.search(&request));
    let (hits, said) = match answer {
        Ok(answer) => (answer, None),
        Err(why @ Refusal::Wrong(_)) => (pb::SearchAnswer::default(), Some(why.to_string())),
        Err(why) => return Err(trouble(&visit, why)),
    };
    // One person alone is who was meant.
    if let [one] = &hits.hits[..]
        && one.register == "Resident"
        && one.state.is_empty()
    {
        return Ok(Redirect::to(&format!("/card/{}", one.record)).into_response());
    }
    hall.page(&visit, ("/people", &words.say("find")), || {
        let beside = html! { (tag(Tone::Plain, &hits.total.to_string())) };
        Ok(html! {
            (search_box(&visit, &text))
            @if let Some(said) = said { p.note { (words.either(&said)) } }
            (sheet(&words.say("found"), &beside, &hit_table(words, &hits)))
        })
    })
}

fn href(hit: &pb::SearchHit) -> Option<String> {
    match hit.register.as_str() {
        "unit" => None,
        "Resident" if hit.state.is_empty() => Some(format!("/card/{}", hit.record)),
        _ if hit.state.contains("refused") => Some("/refused".into()),
        _ => Some(format!("/record/{}", hit.record)),
    }
}

fn hit_table(words: Words, answer: &pb::SearchAnswer) -> Markup {
    if answer.hits.is_empty() {
        return empty(&words.say("found-none"), Some(("/new/Resident", &words.say("new-person"))));
    }
    html! {
        table.fold {
            thead { tr {
                th { (words.say("name")) } th { (words.say("register")) } th { (words.say("number")) } th { (words.say("phone")) }
                th { (words.say("address")) } th { (words.say("unit")) }
            } }
            tbody {
                @for hit in &answer.hits {
                    tr class=(if hit.state.is_empty() { "" } else { "old" }) {
                        td {
                            @if let Some(href) = href(hit) { a href=(href) { (if hit.title.is_empty() { &hit.number } else { &hit.title }) } } @else { (hit.title) }
                            @if !hit.state.is_empty() { " " (tag(Tone::Soon, &words.either(&hit.state))) }
                        }
                        td data-l=(words.say("register")) { (words.lang.register(&hit.register_zh)) }
                        td.num data-l=(words.say("number")) { (hit.number) }
                        td.num data-l=(words.say("phone")) { (hit.phone) }
                        td data-l=(words.say("address")) { (hit.address) }
                        td data-l=(words.say("unit")) { (hit.unit_name) }
                    }
                }
            }
        }
        @if answer.total > answer.hits.len() as u64 { p.said.dim { (words.say("found-more")) } }
    }
}
