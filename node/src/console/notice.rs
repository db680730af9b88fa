//! 公示栏: public, without login: what is published, and the households in publicity. Invariant: it holds nothing but what the list that is
//! posted up holds, and the titles of what was published.

use super::Hall;
use crate::web::{
    Words,
    parts::{empty, sheet},
    shell::{self, Frame, Trouble},
};
use axum::{
    extract::State,
    http::HeaderMap,
    response::{Html, IntoResponse, Response},
};
use maud::{Markup, html};
use taizhang_proto::register::{number, registers};

/// The page.
pub(super) async fn show(State(hall): State<Hall>, headers: HeaderMap) -> Response {
    let words = shell::words_of(&headers);
    match tokio::task::block_in_place(|| drawn(&hall, words)) {
        Ok(body) => {
            let frame =
                Frame { words, unit: &hall.kit.unit, menu: &[], here: "", line: None, user: None, told: Vec::new() };
            Html(shell::page(&frame, &words.say("notice"), &body).into_string()).into_response()
        }
        Err(why) => Trouble::new(words, why).into_response(),
    }
}

fn drawn(hall: &Hall, words: Words) -> Result<Markup, crate::caller::Refusal> {
    let households = hall.office.posted_up()?;
    let mut published = Vec::new();
    for register in [number::PUBLISHED_DOC, number::POLICY_DOCUMENT] {
        let Some(def) = registers().get(register) else { continue };
        let wanted = crate::office::browse::Browse { take: 100, descending: true, ..Default::default() };
        for line in hall.office.browse(def, &wanted)?.0 {
            let own = line.facts.iter().filter(|fact| {
                def.field_named(&fact.key).is_some_and(|field| {
                    !field.personal && field.refers.is_none() && field.tag >= taizhang_proto::register::FIRST_OWN
                })
            });
            published.push(own.map(|fact| words.lang.told(fact)).collect::<Vec<_>>().join(" · "));
        }
    }
    Ok(html! {
        div.head { h1 { (words.say("notice")) } div.end.noprint { button.btn type="button" data-print { (words.say("print")) } a.btn href="/" { (words.say("log-in")) } } }
        (sheet(&words.say("notice-published"), &html! {}, &html! {
            @if published.is_empty() { (empty(&words.say("notice-none"), None)) }
            ul.plain { @for one in &published { li { (one) } } }
        }))
        (super::months::tables(words, &households))
    })
}
