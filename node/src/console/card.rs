//! A person, a household, or any record on one page, with everything around it and the story of each field.

use super::{Hall, Shown, find, id_of, now};
use crate::{
    caller::Refusal,
    office::browse::{Around, Line},
    show,
    web::{
        Words,
        login::Visit,
        parts::{Tone, empty, sheet, tag},
    },
};
use axum::{
    extract::{Path, State},
    response::{IntoResponse, Redirect},
};
use maud::{Markup, html};
use taizhang_proto::{
    RecordId, date, pb,
    register::{FIRST_OWN, RegisterDef, number, registers},
};

/// A value among facts; empty where it is not there.
fn said<'f>(facts: &'f [pb::Fact], key: &str) -> &'f str {
    facts.iter().find(|fact| fact.key == key).map_or("", |fact| fact.value.as_str())
}

/// What is told of a register's record in a line: what is its own, in order, without what it refers to.
pub(super) fn in_short(words: Words, def: &RegisterDef, line: &Line) -> String {
    let own = line.facts.iter().filter(|fact| {
        def.field_named(&fact.key).is_some_and(|field| field.tag >= FIRST_OWN && field.refers.is_none())
    });
    own.take(5).map(|fact| words.lang.told(fact)).collect::<Vec<_>>().join(" · ")
}

/// What the office may do about a person or a household, as it is offered on its page.
const ERRANDS: [(&str, &str, &str); 6] = [
    ("ServiceRecord", "errand-contact", "L"),
    ("Placement", "errand-place", "A"),
    ("UnemploymentSpell", "errand-unemployed", "S"),
    ("HardshipCase", "errand-hardship", "K"),
    ("Referral", "errand-refer", ""),
    ("HeldCertificate", "errand-certificate", ""),
];

/// The page of a person.
pub(super) async fn show(State(hall): State<Hall>, visit: Visit, Path(record): Path<String>) -> Shown {
    let words = visit.words;
    let id = now(&visit, || id_of(&record))?;
    hall.page(&visit, ("/people", &words.say("card")), || {
        let (def, held, line) = hall.office.record(id)?;
        if def.number != number::RESIDENT {
            return Err(Refusal::wrong("此记录不是居民登记 (not a person's record)"));
        }
        let facts = hall.office.card(&pb::CardRequest { record: id.to_string(), on: 0 })?.facts;
        let around = hall.office.around(id)?;
        let family = hall.office.family(id)?;
        let name = said(&facts, "name").to_owned();
        let derived = |key: &str| facts.iter().rfind(|fact| fact.key == key).map(|fact| words.lang.told(fact)).unwrap_or_default();
        let cases: Vec<&pb::Fact> = facts.iter().filter(|fact| fact.key == "case").collect();
        Ok(html! {
            (find::search_box(&visit, ""))
            p.note data-changed-note="" hidden {}
            div.head data-watch=(seen(&held)) {
                h1 { (name) }
                @if !line.stands { (tag(Tone::Late, &words.say("void"))) }
                (tag(if derived("employment").is_empty() { Tone::Plain } else { Tone::Good }, &derived("employment")))
                @if said(&facts, "elderly") == "是" { (tag(Tone::Plain, "4050")) }
                @if said(&facts, "hardship") == "是" { (tag(Tone::Soon, &words.say("hardship"))) }
                @for case in &cases { (tag(Tone::Late, &words.say("zero-employment"))) span.small.dim { (words.either(&words.lang.told(case))) } }
                span.dim.small { (derived("sex")) " · " (words.of("age", &derived("age"))) " · " (line.unit) }
                div.end {
                    @for (register, says, key) in ERRANDS.iter().take(2) {
                        a.btn.go[*register == "Placement"] href=(format!("/new/{register}?of={id}")) data-key=(key) { (words.say(says)) " " kbd { (key) } }
                    }
                }
            }
            div.cols {
                div.stack {
                    (sheet(&words.say("registered"), &html! {
                        span.dim.small { (words.say("five-knowns")) (words.either(&derived("five_knowns"))) }
                        a.end.btn href=(format!("/edit/{id}")) data-key="E" { (words.say("edit")) " " kbd { "E" } }
                    }, &facts_table(words, def, &line, &facts)))
                    (sheet(&words.say("story"), &html! { a.end.small href=(format!("/history/{id}")) { (words.say("whole-story")) } }, &story_of(words, &around)))
                }
                div.stack {
                    (sheet(&words.say("family"), &html! { a.end.small href=(format!("/new/Household?of={id}")) { (words.say("new-household")) } }, &family_of(words, id, &family)))
                    (sheet(&words.say("errands"), &html! {}, &html! {
                        table { tbody {
                            @for (register, says, key) in ERRANDS {
                                tr {
                                    td { a href=(format!("/new/{register}?of={id}")) data-key=[(!key.is_empty()).then_some(key)] { (words.say(says)) } }
                                    td.r { @if !key.is_empty() { kbd.dim.small { (key) } } }
                                }
                            }
                            tr { td { a href=(format!("/edit/{id}?move=1")) data-key="Z" { (words.say("errand-move")) } } td.r { kbd.dim.small { "Z" } } }
                        } }
                    }))
                }
            }
        })
    })
}

/// What tells one state of a record from another: who has a page of the one is told of the other.
pub(super) fn seen(record: &taizhang_proto::Record) -> String {
    blake3::hash(&record.encode()).to_hex()[..16].to_owned()
}

fn facts_table(words: Words, def: &RegisterDef, line: &Line, facts: &[pb::Fact]) -> Markup {
    let label = |fact: &pb::Fact| words.lang.word(&fact.zh, &fact.en).to_owned();
    let own = line.facts.iter().filter(|fact| def.field_named(&fact.key).is_some_and(|field| field.tag >= FIRST_OWN));
    let derived =
        facts.iter().filter(|fact| ["born", "contradicted"].contains(&fact.key.as_str()) && !fact.value.is_empty());
    html! {
        table.pairs { tbody {
            @for fact in own.chain(derived) {
                tr {
                    th scope="row" { (label(fact)) }
                    td { (value(words, fact)) }
                }
            }
        } }
    }
}

/// A value, with the way to what it refers to.
fn value(words: Words, fact: &pb::Fact) -> Markup {
    let is_record = fact.code.parse::<RecordId>().is_ok();
    let told = words.lang.told(fact);
    // The number of a record is for programs.
    let told = if is_record { told.replace(&format!(" ({})", fact.code), "") } else { told };
    let told = words.either(&told);
    html! { @if is_record { a href=(format!("/record/{}", fact.code)) { (told) } } @else { (told) } }
}

fn story_of(words: Words, around: &[Around]) -> Markup {
    let lines: Vec<&Around> = around.iter().filter(|one| one.register.number != number::MEMBER).collect();
    if lines.is_empty() {
        return empty(&words.say("no-story"), None);
    }
    html! {
        table.fold { tbody {
            @for one in lines {
                tr {
                    td.num.dim { (one.day.map(date::iso).unwrap_or_default()) }
                    td { a href=(format!("/record/{}", one.line.id)) { (words.lang.word(&one.register.zh, &one.register.en)) } }
                    td { (in_short(words, one.register, &one.line)) }
                    td.dim { (one.line.unit) }
                }
            }
        } }
    }
}

fn family_of(words: Words, person: RecordId, households: &[(RecordId, Vec<Around>)]) -> Markup {
    if households.is_empty() {
        return empty(
            &words.say("no-household"),
            Some((&format!("/new/Household?of={person}"), &words.say("new-household"))),
        );
    }
    html! {
        @for (household, members) in households {
            table { tbody {
                @for member in members {
                    @let of = member.line.facts.iter().find(|fact| fact.key == "person");
                    tr {
                        td {
                            @if let Some(of) = of { (value(words, of)) } @else { (member.title) }
                            br;
                            span.small.dim { (member.line.facts.iter().find(|fact| fact.key == "relation").map(|fact| words.lang.told(fact)).unwrap_or_default()) }
                        }
                        td.r { a.small href=(format!("/record/{}", member.line.id)) { (words.say("look")) } }
                    }
                }
            } }
            p.said.small {
                a href=(format!("/record/{household}")) { (words.say("open-household")) } " · "
                a href=(format!("/new/Member?of={household}")) { (words.say("new-member")) }
            }
        }
    }
}

/// The page of any record; a person's leads to the card.
pub(super) async fn record(State(hall): State<Hall>, visit: Visit, Path(record): Path<String>) -> Shown {
    let words = visit.words;
    let id = now(&visit, || id_of(&record))?;
    let (def, held, line) = now(&visit, || hall.office.record(id))?;
    if def.number == number::RESIDENT {
        return Ok(Redirect::to(&format!("/card/{id}")).into_response());
    }
    let title = words.lang.word(&def.zh, &def.en).to_owned();
    hall.page(&visit, ("/registers", &title), || {
        let whose = hall.office.title_of(id, &held)?;
        let around = hall.office.around(id)?;
        Ok(html! {
            (find::search_box(&visit, ""))
            p.note data-changed-note="" hidden {}
            div.head data-watch=(seen(&held)) {
                h1 { (whose) " " span.dim.small { (title) " · " (line.unit) } }
                @if !line.stands { (tag(Tone::Late, &words.say("void"))) }
                div.end {
                    @for register in next_of(def.number) {
                        @if let Some(next) = registers().get(*register) {
                            a.btn href=(format!("/new/{}?of={id}", next.name)) { (words.of("new-of", words.lang.word(&next.zh, &next.en))) }
                        }
                    }
                    a.btn.go href=(format!("/edit/{id}")) data-key="E" { (words.say("edit")) " " kbd { "E" } }
                }
            }
            div.cols {
                div.stack {
                    (sheet(&words.say("registered"), &html! { a.end.small href=(format!("/history/{id}")) { (words.say("whole-story")) } }, &facts_table(words, def, &line, &[])))
                    @if def.number == number::ZEF_CASE { (placed(words, &hall, &held)?) }
                }
                div.stack { (sheet(&words.say("around"), &html! {}, &story_of(words, &around))) }
            }
        })
    })
}

/// What is usually entered next about a record of this register.
fn next_of(register: u32) -> &'static [u32] {
    match register {
        number::HOUSEHOLD => &[number::MEMBER, number::ZEF_CASE, number::SERVICE_RECORD],
        number::ZEF_CASE => &[number::SERVICE_RECORD],
        number::POST => &[number::REFERRAL],
        number::TRAINING_CLASS => &[number::TRAINEE],
        _ => &[],
    }
}

/// Who of a household may be placed: the next step of a case.
fn placed(words: Words, hall: &Hall, case: &taizhang_proto::Record) -> Result<Markup, Refusal> {
    let household = case.reference(taizhang_proto::register::field::zef_case::HOUSEHOLD);
    let Some(household) = household else { return Ok(html! {}) };
    let members = hall.office.around(household)?;
    let members: Vec<&Around> = members.iter().filter(|one| one.register.number == number::MEMBER).collect();
    let person = |member: &Around| member.line.facts.iter().find(|fact| fact.key == "person").cloned();
    Ok(html! {
        section.sheet #placed {
            header { h2 { (words.say("who-placed")) } }
            @if members.is_empty() { (empty(&words.say("no-members"), Some((&format!("/new/Member?of={household}"), &words.say("new-member"))))) }
            table { tbody {
                @for member in members {
                    @if let Some(person) = person(member) {
                        tr {
                            td { (value(words, &person)) }
                            td.r { a href=(format!("/new/Placement?of={}", person.code)) { (words.say("enter-placement")) } }
                        }
                    }
                }
            } }
        }
    })
}

/// The whole story of a record: each value, who, when, which office, which value lost and why.
pub(super) async fn story(State(hall): State<Hall>, visit: Visit, Path(record): Path<String>) -> Shown {
    let words = visit.words;
    let id = now(&visit, || id_of(&record))?;
    hall.page(&visit, ("/people", &words.say("whole-story")), || {
        let caller = hall.caller(&visit)?;
        let request = pb::HistoryRequest { record: id.to_string(), to_file: false };
        let story = hall.office.history(&caller, &request)?;
        let def = registers().named(&story.register);
        let label = |line: &pb::HistoryLine| {
            let field = def.and_then(|def| def.field_named(&line.field));
            field.map_or_else(|| line.label.clone(), |field| words.lang.word(&field.zh, &field.en).to_owned())
        };
        let shown = |line: &pb::HistoryLine| {
            let field = def.and_then(|def| def.field_named(&line.field));
            words.lang.value(field, &line.value)
        };
        Ok(html! {
            div.head {
                h1 { (words.say("whole-story")) " " span.dim.small { (words.lang.register(&story.register)) " · " (story.unit) } }
                div.end { a.btn href=(format!("/record/{id}")) { (words.say("back")) } }
            }
            section.sheet.wide {
                table.fold {
                    thead { tr { th { (words.say("field")) } th { (words.say("value")) } th { (words.say("by-whom")) } th { (words.say("when")) } th { (words.say("what-became")) } } }
                    tbody {
                        @for line in &story.lines {
                            tr class=(if line.stands { "" } else { "old" }) {
                                td { (label(line)) }
                                td data-l=(words.say("value")) { (shown(line)) }
                                td data-l=(words.say("by-whom")) { (line.by) " " span.dim.small { (line.office) } }
                                td.num data-l=(words.say("when")) { (if line.at == 0 { words.say("not-sent") } else { show::time(line.at) }) }
                                td data-l=(words.say("what-became")) {
                                    @if line.stands { (tag(Tone::Good, &words.say("stands"))) } @else {
                                        (words.lang.rule(&line.rule)) " " (line.decided_by)
                                        @if !line.reason.is_empty() { "：" (words.either(&line.reason)) }
                                    }
                                }
                            }
                        }
                    }
                }
            }
        })
    })
}
