//! 同步: the state of the line in words, syncing now, and what the district sent back: read, mended and sent again, or let go.

use super::{Hall, Shown, now, trouble};
use crate::{
    office::Office,
    show,
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
use taizhang_proto::{pb, register::registers};

/// The state of the line, as the bar says it, and whether all is well.
pub(super) fn line(office: &Office, words: Words) -> (bool, String) {
    let state = office.ledger.state();
    let Some(keeper) = &office.keeper else { return (false, words.say("line-none")) };
    let link = keeper.state();
    let waits = state.head - state.settled;
    let time = show::time(state.last_sync);
    let clock = time.split(' ').nth(1).unwrap_or_default().chars().take(5).collect::<String>();
    match (link.last_error.is_empty(), state.last_sync, waits) {
        (false, ..) => (false, words.say("line-down")),
        (_, 0, _) => (false, words.say("line-never")),
        (.., 0) if state.equal => (true, words.of("line-equal", &clock)),
        (.., 0) => (true, words.of("line-last", &clock)),
        (.., waits) => (true, words.count("line-waits", waits)),
    }
}

/// The sheet of Today.
pub(super) fn sheet_of(hall: &Hall, words: Words) -> Markup {
    let facts = hall.office.facts();
    let wanted = ["pending", "last_sync", "equal", "month", "certificate"];
    let body = html! {
        table { tbody {
            @for key in wanted {
                @if let Some(fact) = facts.iter().find(|fact| fact.key == key) {
                    tr {
                        td { (words.lang.word(&fact.zh, &fact.en)) }
                        td.r.num {
                            @if key == "equal" { (tag(if fact.value == "true" { Tone::Good } else { Tone::Plain }, &words.lang.told(fact))) }
                            @else { (words.either(&fact.value)) }
                        }
                    }
                }
            }
        } }
    };
    sheet(&words.say("menu-sync"), &html! { a.end.small href="/sync" { (words.say("look")) } }, &body)
}

/// The page.
pub(super) async fn show(State(hall): State<Hall>, visit: Visit) -> Shown {
    let words = visit.words;
    hall.page(&visit, ("/sync", &words.say("menu-sync")), || {
        let facts = hall.office.facts();
        let (good, said) = line(&hall.office, words);
        let report = hall.office.keeper.as_ref().map(|keeper| keeper.state().report).unwrap_or_default();
        Ok(html! {
            div.head {
                h1 { (words.say("menu-sync")) }
                span data-live="state" { (tag(if good { Tone::Good } else { Tone::Soon }, &said)) }
                div.end {
                    a.btn href="/refused" { (words.say("refused")) }
                    form.inline method="post" action="/sync/now" {
                        input type="hidden" name="csrf" value=(visit.session.csrf);
                        button.btn.go type="submit" data-key="S" { (words.say("sync-now")) " " kbd { "S" } }
                    }
                }
            }
            @if hall.office.keeper.is_none() { p.note { (words.say("line-none-remedy")) } }
            div.cols data-live="link" {
                (sheet(&words.say("state"), &html! {}, &html! {
                    table.pairs { tbody {
                        @for fact in facts.iter().filter(|fact| !fact.value.is_empty()) {
                            tr { th scope="row" { (words.lang.word(&fact.zh, &fact.en)) } td { (words.either(&words.lang.told(fact))) } }
                        }
                    } }
                }))
                (sheet(&words.say("last-session"), &html! {}, &report_table(words, &report)))
            }
        })
    })
}

fn report_table(words: Words, report: &pb::SyncReport) -> Markup {
    if *report == pb::SyncReport::default() {
        return empty(&words.say("no-session"), None);
    }
    html! {
        table.pairs { tbody {
            @for fact in crate::show::sync_facts(report) {
                tr { th scope="row" { (words.lang.word(&fact.zh, &fact.en)) } td.num { (words.either(&words.lang.told(&fact))) } }
            }
        } }
    }
}

/// Calls the hub now.
pub(super) async fn sync_now(State(hall): State<Hall>, posted: Posted) -> Shown {
    let visit = &posted.visit;
    hall.clerk(visit).map_err(|why| trouble(visit, why))?;
    match hall.office.sync_now().await {
        Ok(report) if report.error.is_empty() => {
            let gaps = [("up", report.pushed.into()), ("down", report.pulled.into())];
            hall.tell(visit, visit.words.with("synced", &gaps));
        }
        Ok(report) => hall.tell(visit, report.error),
        Err(why) => hall.tell(visit, why.to_string()),
    }
    Ok(Redirect::to("/sync").into_response())
}

/// What was sent back.
pub(super) async fn refused(State(hall): State<Hall>, visit: Visit) -> Shown {
    let words = visit.words;
    hall.page(&visit, ("/sync", &words.say("refused")), || {
        let items = hall.office.refused(false)?;
        Ok(html! {
            div.head { h1 { (words.say("refused")) " " (tag(if items.is_empty() { Tone::Good } else { Tone::Late }, &items.len().to_string())) } }
            @if items.is_empty() { (sheet(&words.say("refused"), &html! {}, &empty(&words.say("none-refused"), Some(("/", &words.say("menu-today")))))) }
            @for item in &items { (refused_item(words, &visit, item)) }
        })
    })
}

fn refused_item(words: Words, visit: &Visit, item: &pb::RefusedItem) -> Markup {
    let def = registers().named(&item.register);
    let label = |fact: &pb::Fact| words.lang.word(&fact.zh, &fact.en).to_owned();
    let why = item.why.as_ref().map(|why| words.either(&why.message)).unwrap_or_default();
    let csrf = &visit.session.csrf;
    html! {
        section.sheet {
            header {
                h2 { (words.lang.register(&item.register)) " " (item.title) }
                (tag(Tone::Late, &why))
                span.end.small.dim { (item.by) " · " (show::time(item.entered)) " · " (words.of("refusal", &item.number)) }
            }
            form.body method="post" action=(format!("/refused/{}/send", item.number)) data-form="" {
                input type="hidden" name="csrf" value=(csrf);
                @for fact in &item.fields {
                    @let is_coded = def.and_then(|def| def.field_named(&fact.key)).is_some_and(|field| field.refers.is_some());
                    @if is_coded {
                        div.field { label { (label(fact)) } span { (fact.value.replace(&format!(" ({})", fact.code), "")) } }
                    } @else {
                        div.field {
                            label for=(format!("{}-{}", item.number, fact.key)) { (label(fact)) }
                            input #(format!("{}-{}", item.number, fact.key)) name=(fact.key) value=(fact.value) size="40";
                        }
                        input type="hidden" name=(format!("was.{}", fact.key)) value=(fact.value);
                    }
                }
                div.acts { button.btn.go type="submit" { (words.say("send-again")) } }
            }
            form.acts method="post" action=(format!("/refused/{}/drop", item.number)) {
                input type="hidden" name="csrf" value=(csrf);
                input name="reason" required maxlength="200" placeholder=(words.say("let-go-why")) aria-label=(words.say("let-go-why"));
                button.btn type="submit" { (words.say("let-go")) }
            }
        }
    }
}

/// Sends one again, mended.
pub(super) async fn resend(State(hall): State<Hall>, Path(number): Path<String>, posted: Posted) -> Shown {
    let visit = &posted.visit;
    let done = now(visit, || {
        let caller = hall.clerk(visit)?;
        let mended = posted.fields().filter(|(name, _)| *name != "csrf" && !name.starts_with("was."));
        let was = |name: &str| posted.get(&format!("was.{name}")).to_owned();
        let fields =
            mended.filter(|(name, value)| was(name) != *value).map(|(name, value)| (name.to_owned(), value.to_owned()));
        let request = pb::ResendRequest { numbers: vec![number], fields: fields.collect(), by: String::new() };
        hall.office.resend(&caller, &request)
    });
    Ok(told_of(&hall, visit, done?, "sent-again").into_response())
}

/// Lets one go, with a reason.
pub(super) async fn let_go(State(hall): State<Hall>, Path(number): Path<String>, posted: Posted) -> Shown {
    let visit = &posted.visit;
    let done = now(visit, || {
        let caller = hall.clerk(visit)?;
        let request =
            pb::LetGoRequest { numbers: vec![number], by: String::new(), reason: posted.get("reason").to_owned() };
        hall.office.let_go(&caller, &request)
    });
    Ok(told_of(&hall, visit, done?, "let-gone").into_response())
}

fn told_of(hall: &Hall, visit: &Visit, done: Vec<pb::RefusedStep>, says: &str) -> Redirect {
    for step in done {
        hall.tell(visit, if step.error.is_empty() { visit.words.say(says) } else { step.error });
    }
    Redirect::to("/refused")
}
