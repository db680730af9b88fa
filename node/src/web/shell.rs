//! The frame of every page: the dark bar with seal, unit, menu, the state of the line, who is logged in, and the language.

use super::{Words, assets};
use crate::{caller::Refusal, show::lang::Lang};
use axum::{
    http::{HeaderMap, StatusCode, header},
    response::{Html, IntoResponse, Response},
};
use maud::{DOCTYPE, Markup, html};

/// An entry of the menu.
pub struct Entry {
    /// Where it leads.
    pub href: &'static str,
    /// What it says.
    pub says: &'static str,
}

/// What stands around a page.
pub struct Frame<'a> {
    /// In which language.
    pub words: Words,
    /// Whose console it is.
    pub unit: &'a str,
    /// The menu; empty for who is not logged in.
    pub menu: &'a [Entry],
    /// Where in the menu this page is.
    pub here: &'a str,
    /// The state of the line, and whether it is as it should be.
    pub line: Option<(bool, String)>,
    /// Who is logged in, and the secret of their forms.
    pub user: Option<(&'a str, &'a str)>,
    /// What is said once, above the page.
    pub told: Vec<String>,
}

/// The cookie that says the language.
pub const LANG_COOKIE: &str = "taizhang_lang";

/// A cookie's value.
pub fn cookie<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let all = headers.get_all(header::COOKIE).into_iter().filter_map(|line| line.to_str().ok());
    let mut pairs = all.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(own, _)| *own == name).map(|(_, value)| value)
}

/// The words of whoever asks: Chinese until they switch.
pub fn words_of(headers: &HeaderMap) -> Words {
    Words { lang: if cookie(headers, LANG_COOKIE) == Some("en") { Lang::En } else { Lang::Zh } }
}

/// A whole page.
pub fn page(frame: &Frame<'_>, title: &str, body: &Markup) -> Markup {
    let words = frame.words;
    let other = words.lang.word("en", "zh");
    html! {
        (DOCTYPE)
        html lang=(words.lang.word("zh-CN", "en")) {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) " · " (frame.unit) }
                link rel="stylesheet" href=(assets::css());
                link rel="icon" href="data:,";
                script src=(assets::js()) defer {}
            }
            body data-saved=(words.say("draft-saved")) data-changed=(words.say("changed-elsewhere")) {
                a.skip href="#main" { (words.say("skip")) }
                header.bar {
                    span.seal { (words.say("seal")) }
                    span.unit { (frame.unit) }
                    @if !frame.menu.is_empty() {
                        nav aria-label=(words.say("menu")) {
                            @for entry in frame.menu {
                                a href=(entry.href) aria-current=[(entry.href == frame.here).then_some("page")] { (words.say(entry.says)) }
                            }
                        }
                    }
                    div.end {
                        @if let Some((good, line)) = &frame.line {
                            a.line href="/sync" data-live="line" { i class=(if *good { "dot" } else { "dot off" }) {} span { (line) } }
                        }
                        @if let Some((name, csrf)) = frame.user {
                            a href="/account" { (name) }
                            form.inline method="post" action="/logout" {
                                input type="hidden" name="csrf" value=(csrf);
                                button.link type="submit" { (words.say("log-out")) }
                            }
                        }
                        form.inline method="post" action="/lang" {
                            input type="hidden" name="to" value=(other);
                            button.link type="submit" lang=(other) { (words.lang.word("EN", "中文")) }
                        }
                    }
                }
                main #main {
                    @for told in &frame.told { p.note.good role="status" { (words.either(told)) } }
                    (body)
                }
                div.toasts aria-live="polite" {}
            }
        }
    }
}

/// Why there is no page, with the remedy.
#[derive(Debug)]
pub struct Trouble {
    words: Words,
    why: Refusal,
}

impl Trouble {
    /// Of a refusal.
    pub fn new(words: Words, why: Refusal) -> Self {
        Self { words, why }
    }
}

/// A refusal's status.
pub fn status_of(why: &Refusal) -> StatusCode {
    match why {
        Refusal::Wrong(_) => StatusCode::UNPROCESSABLE_ENTITY,
        Refusal::Refused(_) | Refusal::Unsure(_) | Refusal::Exists(_) => StatusCode::CONFLICT,
        Refusal::Unknown(_) => StatusCode::NOT_FOUND,
        Refusal::NotTheirs(_) => StatusCode::FORBIDDEN,
        Refusal::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
        Refusal::Later(..) => StatusCode::TOO_MANY_REQUESTS,
        Refusal::Failed(_) => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

impl IntoResponse for Trouble {
    fn into_response(self) -> Response {
        let Self { words, why } = self;
        let status = status_of(&why);
        let frame = Frame { words, unit: "", menu: &[], here: "", line: None, user: None, told: Vec::new() };
        let body = html! {
            section.sheet.narrow {
                header { h1 { (words.say(if status.is_server_error() { "trouble-here" } else { "trouble-asked" })) } }
                p.said role="alert" { (words.either(&why.to_string())) }
                p.said { a.btn data-back="" href="/" { (words.say("back")) } }
            }
        };
        (status, Html(page(&frame, &words.say("trouble"), &body).into_string())).into_response()
    }
}
