//! 零就业家庭台账: every case with its clocks, and its paper form.

use super::{Hall, Shown, registers, today};
use crate::web::{
    Words,
    login::Visit,
    parts::{Tone, sheet, tag},
};
use axum::extract::State;
use maud::html;
use taizhang_proto::{date, pb};

/// Days that the ledger looks ahead: every case that is open has its last day within them.
const WITHIN: u32 = 3_660;

fn due(hall: &Hall, visit: &Visit, to_file: bool) -> Result<pb::DueAnswer, crate::caller::Refusal> {
    hall.office.due(&hall.caller(visit)?, &pb::DueRequest { on: 0, within: WITHIN, to_file })
}

/// The page.
pub(super) async fn show(State(hall): State<Hall>, visit: Visit) -> Shown {
    let words = visit.words;
    hall.page(&visit, ("/cases", &words.say("menu-cases")), || {
        let due = due(&hall, &visit, false)?;
        let late = due.cases.iter().filter(|case| case.days_left < 0).count();
        let beside = html! {
            @if late > 0 { (tag(Tone::Late, &words.count("households-late", late))) }
            (tag(Tone::Plain, &words.count("households-open", due.cases.len())))
            a.end.small href="/register/ZefCase" { (words.say("cases-all")) }
        };
        Ok(html! {
            div.head {
                h1 { (words.say("menu-cases")) " " span.dim.small { (today::long_day(words, due.on)) } }
                div.end {
                    a.btn href="/cases/print" { (words.say("paper-form")) }
                    a.btn.go href="/new/ZefCase" data-key="N" { (words.say("new-case")) " " kbd { "N" } }
                }
            }
            div data-live="cases" { (sheet(&words.say("case-clocks"), &beside, &today::cases(words, &due.cases))) }
        })
    })
}

/// The paper form.
pub(super) async fn print(State(hall): State<Hall>, visit: Visit) -> Shown {
    let words = visit.words;
    hall.page(&visit, ("/cases", &words.say("menu-cases")), || {
        let due = due(&hall, &visit, true)?;
        let heads = heads(words);
        let row = |case: &pb::DueCase| {
            vec![
                case.head.clone(),
                case.phone.clone(),
                case.address.clone(),
                case.unit_name.clone(),
                case.clock.clone(),
                date::iso(case.recognised_on),
                date::iso(case.due_on),
                (-case.days_left).max(0).to_string(),
                case.responsible.clone(),
            ]
        };
        let rows: Vec<Vec<String>> = due.cases.iter().map(row).collect();
        Ok(registers::paper(&hall, &visit, &words.say("cases-paper"), &heads, &rows, rows.len() as u64))
    })
}

fn heads(words: Words) -> Vec<String> {
    vec![
        words.say("head"),
        words.say("phone"),
        words.say("address"),
        words.say("unit"),
        words.say("clock"),
        words.say("recognised"),
        words.say("due-on"),
        words.say("days-over"),
        words.say("responsible"),
    ]
}
