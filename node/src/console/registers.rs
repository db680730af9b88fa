//! The registers: list, filter, sort, choose columns, print as the paper form, save as a file, and templates to fill in.

use super::{Hall, Shown, now};
use crate::{
    caller::Refusal,
    desk::find,
    office::browse::{Browse, Line},
    web::{
        Words, file,
        login::{Posted, Visit},
        parts::{Tone, empty, page_of, pager, tag},
        shell::Trouble,
    },
};
use axum::{
    extract::{Path, Query, State},
    response::{IntoResponse, Redirect},
};
use maud::{Markup, html};
use serde::Deserialize;
use std::fmt::Write as _;
use taizhang_proto::{
    date, pb,
    register::{FIRST_OWN, FieldDef, RegisterDef, registers},
};

/// Rows of a page.
const ROWS: u64 = 50;
/// Columns that are shown where nobody has chosen.
const COLUMNS: usize = 7;
/// Rows that are printed at a time: a file holds all.
const PRINTED: usize = 2_000;
/// Hits of a filter.
const HITS: u32 = 500;

/// How a list is asked for. What is searched for stands here by a word that only the session can follow.
#[derive(Debug, Default, Clone, Deserialize)]
pub(super) struct Asked {
    #[serde(default)]
    q: String,
    page: Option<u64>,
    #[serde(default)]
    sort: String,
    #[serde(default)]
    desc: String,
    #[serde(default)]
    unit: String,
    #[serde(default)]
    cols: String,
    #[serde(default)]
    only: String,
    #[serde(default)]
    all: String,
}

impl Asked {
    /// The address of the same list with something else in it.
    fn with(&self, def: &RegisterDef, change: impl FnOnce(&mut Self)) -> String {
        let mut own = self.clone();
        change(&mut own);
        let mut href = format!("/register/{}", def.name);
        let page = own.page.filter(|page| *page > 1).map(|page| page.to_string()).unwrap_or_default();
        let pairs = [
            ("q", &own.q),
            ("page", &page),
            ("sort", &own.sort),
            ("desc", &own.desc),
            ("unit", &own.unit),
            ("cols", &own.cols),
            ("only", &own.only),
            ("all", &own.all),
        ];
        let mut between = '?';
        for (name, value) in pairs.into_iter().filter(|(_, value)| !value.is_empty()) {
            _ = write!(href, "{between}{name}={}", plain(value));
            between = '&';
        }
        href
    }

    /// The one coded field that the list is narrowed by: `field:code`.
    fn only(&self, def: &RegisterDef) -> Option<(u32, String)> {
        let (field, code) = self.only.split_once(':')?;
        Some((def.field_named(field)?.tag, code.to_owned()))
    }
}

/// What may stand in an address: names, codes and numbers are all of these signs.
fn plain(value: &str) -> String {
    value.chars().filter(|sign| sign.is_ascii_alphanumeric() || "_,:.-".contains(*sign)).collect()
}

/// All registers, by what they are about.
pub(super) async fn all(State(hall): State<Hall>, visit: Visit) -> Shown {
    let words = visit.words;
    hall.page(&visit, ("/registers", &words.say("menu-registers")), || {
        let desk = &hall.office.ledger;
        let groups = [
            (pb::Subject::Person, "group-person"),
            (pb::Subject::Household, "group-household"),
            (pb::Subject::UnitSubject, "group-unit"),
            (pb::Subject::Record, "group-record"),
        ];
        let mut drawn = Vec::new();
        for (subject, says) in groups {
            let mut defs = Vec::new();
            for def in registers().iter().filter(|def| def.subject == subject) {
                defs.push((def, desk.ids(def.number)?.len()));
            }
            drawn.push((says, defs));
        }
        Ok(html! {
            div.head { h1 { (words.say("menu-registers")) } }
            @for (says, defs) in drawn {
                section.sheet {
                    header { h2 { (words.say(says)) } }
                    div.choice {
                        @for (def, count) in defs {
                            a href=(format!("/register/{}", def.name)) { (words.lang.word(&def.zh, &def.en)) small.num { (words.count("records", count)) } }
                        }
                    }
                }
            }
        })
    })
}

/// The columns that somebody has chosen; else whose it is, what tells one record from another, and what most of these say.
fn columns(def: &'static RegisterDef, asked: &str, lines: &[Line]) -> Vec<&'static FieldDef> {
    let chosen: Vec<_> = asked.split(',').filter_map(|name| def.field_named(name)).take(30).collect();
    if !chosen.is_empty() {
        return chosen;
    }
    let said =
        |field: &FieldDef| lines.iter().filter(|line| line.facts.iter().any(|fact| fact.key == field.name)).count();
    let is_name =
        |field: &FieldDef| field.format == pb::Format::PersonName || ["name", "title"].contains(&field.name.as_str());
    let mut own: Vec<&FieldDef> = def.fields.iter().filter(|field| field.tag >= FIRST_OWN).collect();
    own.sort_by_cached_key(|field| {
        let needed = field.required || def.key.contains(&field.tag);
        (!is_name(field), field.refers.is_none() || !field.required, !needed, std::cmp::Reverse(said(field)))
    });
    own.truncate(COLUMNS);
    own
}

/// A page of a register: its rows, how many there are in all, and the page's number of how many.
type Page = (Vec<Line>, u64, (u64, u64));

/// The wanted page of a register.
fn wanted(hall: &Hall, visit: &Visit, def: &'static RegisterDef, asked: &Asked, rows: u64) -> Result<Page, Refusal> {
    if let Some(text) = hall.kit.sessions.kept(&visit.session, &asked.q) {
        let request =
            pb::SearchRequest { text, register: def.name.clone(), limit: HITS, ..pb::SearchRequest::default() };
        let answer = hall.office.search(&request)?;
        let total = answer.hits.len() as u64;
        let (page, pages) = page_of(asked.page, total, rows);
        let ids = answer.hits.iter().skip(((page - 1) * rows) as usize).take(rows as usize);
        let lines = ids.filter_map(|hit| hit.record.parse().ok()).map(|id| Ok(hall.office.record(id)?.2));
        return Ok((lines.collect::<Result<_, Refusal>>()?, answer.total, (page, pages)));
    }
    let unit = (!asked.unit.is_empty()).then(|| asked.unit.parse().map_err(Refusal::wrong)).transpose()?;
    let browse = |page: u64| Browse {
        sort: def.field_named(&asked.sort).map(|field| field.tag),
        descending: !asked.desc.is_empty(),
        unit,
        only: asked.only(def),
        all: !asked.all.is_empty(),
        skip: ((page - 1) * rows) as usize,
        take: rows as usize,
    };
    let page = asked.page.unwrap_or(1).clamp(1, 1 << 32);
    let (mut lines, total) = hall.office.browse(def, &browse(page))?;
    let (own, pages) = page_of(Some(page), total, rows);
    if own != page {
        lines = hall.office.browse(def, &browse(own))?.0;
    }
    Ok((lines, total, (own, pages)))
}

fn cell(words: Words, line: &Line, field: &FieldDef) -> String {
    let fact = line.facts.iter().find(|fact| fact.key == field.name);
    fact.map(|fact| {
        let told = words.lang.told(fact);
        let told = if fact.code.len() > 30 { told.replace(&format!(" ({})", fact.code), "") } else { told };
        // A unit's number stands in the file.
        if field.format == pb::Format::Unit {
            told.replace(&format!("({})", fact.code), "").trim().to_owned()
        } else {
            told
        }
    })
    .unwrap_or_default()
}

/// The register that an address names, and what it is called.
fn named(visit: &Visit, name: &str) -> Result<(&'static RegisterDef, String), Trouble> {
    let def = now(visit, || Ok(find::register(name)?))?;
    Ok((def, visit.words.lang.word(&def.zh, &def.en).to_owned()))
}

/// The list.
pub(super) async fn list(
    State(hall): State<Hall>,
    visit: Visit,
    Path(name): Path<String>,
    Query(asked): Query<Asked>,
) -> Shown {
    let words = visit.words;
    let (def, title) = named(&visit, &name)?;
    hall.page(&visit, ("/registers", &title), || {
        let (lines, total, pages) = wanted(&hall, &visit, def, &asked, ROWS)?;
        let shown = columns(def, &asked.cols, &lines);
        let units = hall.office.find_units("").units;
        let text = hall.kit.sessions.kept(&visit.session, &asked.q).unwrap_or_default();
        let coded: Vec<&FieldDef> = def.fields.iter().filter(|field| field.tag >= FIRST_OWN && field.codes.is_some_and(|list| list.codes.len() <= 30)).take(6).collect();
        Ok(html! {
            div.head {
                h1 { (title) " " (tag(Tone::Plain, &total.to_string())) }
                div.end {
                    a.btn href=(asked.with(def, |_| {}).replacen(&format!("/register/{}", def.name), &format!("/register/{}/print", def.name), 1)) { (words.say("paper-form")) }
                    form.inline method="post" action=(format!("/register/{}/file", def.name)) {
                        input type="hidden" name="csrf" value=(visit.session.csrf);
                        button.btn type="submit" name="format" value="xlsx" { (words.say("save-xlsx")) }
                        " "
                        button.btn type="submit" name="format" value="csv" { "CSV" }
                    }
                    a.btn href=(format!("/register/{}/template", def.name)) { (words.say("template")) }
                    a.btn.go href=(format!("/new/{}", def.name)) data-key="N" { (words.say("new")) " " kbd { "N" } }
                }
            }
            section.sheet {
                div.filters.noprint {
                    form.inline method="post" action=(format!("/register/{}/filter", def.name)) {
                        input type="hidden" name="csrf" value=(visit.session.csrf);
                        input name="text" value=(text) placeholder=(words.say("filter-by")) aria-label=(words.say("filter-by")) data-search maxlength="200";
                        " " button.btn type="submit" { (words.say("find")) }
                    }
                    @if !asked.q.is_empty() || !asked.only.is_empty() || !asked.unit.is_empty() {
                        a href=(format!("/register/{}", def.name)) { (words.say("filter-off")) }
                    }
                    form.inline method="get" action=(format!("/register/{}", def.name)) {
                        @if !asked.cols.is_empty() { input type="hidden" name="cols" value=(plain(&asked.cols)); }
                        @if units.len() > 1 {
                            select name="unit" aria-label=(words.say("unit")) {
                                option value="" { (words.say("all-units")) }
                                @for unit in units.iter().take(300) {
                                    option value=(unit.unit) selected[asked.unit == unit.unit.to_string()] { (unit.name) }
                                }
                            }
                            " "
                        }
                        @if !coded.is_empty() {
                            select name="only" aria-label=(words.say("kind")) {
                                option value="" { (words.say("all-kinds")) }
                                @for field in &coded {
                                    optgroup label=(words.lang.word(&field.zh, &field.en)) {
                                        @if let Some(list) = field.codes {
                                            @for (code, meaning) in &list.codes {
                                                @let value = format!("{}:{code}", field.name);
                                                option value=(value) selected[asked.only == value] { (words.lang.word(meaning, list.english(code).unwrap_or(meaning))) }
                                            }
                                        }
                                    }
                                }
                            }
                            " "
                        }
                        label { input type="checkbox" name="all" value="1" checked[!asked.all.is_empty()]; " " (words.say("with-void")) }
                        " " button.btn type="submit" { (words.say("narrow")) }
                    }
                    details {
                        summary { (words.say("choose-columns")) }
                        ul.plain {
                            @for field in def.fields.iter().filter(|field| field.tag >= FIRST_OWN) {
                                @let chosen = shown.iter().any(|one| one.tag == field.tag);
                                li {
                                    a href=(asked.with(def, |own| {
                                        let names = shown.iter().filter(|one| one.tag != field.tag).map(|one| one.name.as_str());
                                        let added = (!chosen).then_some(field.name.as_str());
                                        own.cols = names.chain(added).collect::<Vec<_>>().join(",");
                                    })) { (if chosen { "☑ " } else { "☐ " }) (words.lang.word(&field.zh, &field.en)) }
                                }
                            }
                        }
                    }
                }
                @if lines.is_empty() {
                    (empty(&words.say("no-records"), Some((&format!("/new/{}", def.name), &words.say("new")))))
                } @else {
                    div.wide { (table(words, def, &asked, &shown, &lines)) }
                }
                (pager(words, pages, &|page| asked.with(def, |own| own.page = Some(page))))
            }
        })
    })
}

fn table(words: Words, def: &'static RegisterDef, asked: &Asked, shown: &[&FieldDef], lines: &[Line]) -> Markup {
    let sorted = |field: &FieldDef| match (field.name == asked.sort, asked.desc.is_empty()) {
        (false, _) => "none",
        (true, true) => "ascending",
        (true, false) => "descending",
    };
    html! {
        table.fold {
            thead { tr {
                @for field in shown {
                    th aria-sort=(sorted(field)) {
                        a href=(asked.with(def, |own| {
                            own.desc = if own.sort == field.name && own.desc.is_empty() { "1".into() } else { String::new() };
                            own.sort.clone_from(&field.name);
                            own.page = None;
                        })) { (words.lang.word(&field.zh, &field.en)) }
                    }
                }
                th { (words.say("unit")) }
            } }
            tbody {
                @for line in lines {
                    tr class=(if line.stands { "" } else { "old" }) {
                        @for (place, field) in shown.iter().enumerate() {
                            @let told = cell(words, line, field);
                            td data-l=(words.lang.word(&field.zh, &field.en)) {
                                @if place == 0 {
                                    a href=(format!("/record/{}", line.id)) { (if told.is_empty() { words.say("nameless") } else { told }) }
                                    @if !line.stands { " " (tag(Tone::Late, &words.say("void"))) }
                                } @else { (told) }
                            }
                        }
                        td data-l=(words.say("unit")) { (line.unit) }
                    }
                }
            }
        }
    }
}

/// Keeps what a list is narrowed by, and leads to it.
pub(super) async fn filter(State(hall): State<Hall>, Path(name): Path<String>, posted: Posted) -> Shown {
    let (def, _) = named(&posted.visit, &name)?;
    let text = posted.get("text").trim();
    let q = if text.is_empty() { String::new() } else { hall.kit.sessions.keep(&posted.visit.session, text) };
    Ok(Redirect::to(&Asked { q, ..Asked::default() }.with(def, |_| {})).into_response())
}

/// The same list as the paper form: A4 landscape, with who fills it in, who looks it over, and the day.
pub(super) async fn print(
    State(hall): State<Hall>,
    visit: Visit,
    Path(name): Path<String>,
    Query(asked): Query<Asked>,
) -> Shown {
    let words = visit.words;
    let (def, title) = named(&visit, &name)?;
    hall.page(&visit, ("/registers", &title), || {
        let caller = hall.caller(&visit)?;
        let (lines, total, _) = wanted(&hall, &visit, def, &asked, PRINTED as u64)?;
        hall.office.note(&caller, "print", format!("{} {}", def.name, hall.office.ledger.unit()))?;
        let shown = columns(def, &asked.cols, &lines);
        Ok(paper(
            &hall,
            &visit,
            &title,
            &shown.iter().map(|field| words.lang.word(&field.zh, &field.en).to_owned()).collect::<Vec<_>>(),
            &lines
                .iter()
                .map(|line| shown.iter().map(|field| cell(words, line, field)).collect())
                .collect::<Vec<Vec<String>>>(),
            total,
        ))
    })
}

/// A paper form of one table.
pub(super) fn paper(
    hall: &Hall,
    visit: &Visit,
    title: &str,
    heads: &[String],
    rows: &[Vec<String>],
    total: u64,
) -> Markup {
    let words = visit.words;
    let today = hall.office.ledger.business_day();
    html! {
        div.head.noprint {
            div.end { a.btn data-back="" href="/registers" { (words.say("back")) } button.btn.go type="button" data-print { (words.say("print")) } }
        }
        div.paper {
            h1 { (title) }
            div.meta { span { (words.say("paper-unit")) (hall.kit.unit) } span { (super::today::long_day(words, today)) } span { (words.count("records", total)) } }
            table {
                thead { tr { th { (words.say("number-in-row")) } @for head in heads { th { (head) } } } }
                tbody {
                    @for (place, row) in rows.iter().enumerate() {
                        tr { td.num { (place + 1) } @for cell in row { td { (cell) } } }
                    }
                }
            }
            @if total > rows.len() as u64 { p { (words.count("paper-first", rows.len())) } }
            div.sign {
                span { (words.say("paper-by")) (visit.user.name) } span { (words.say("paper-looked")) } span { (words.say("paper-day")) (date::iso(today)) }
            }
        }
    }
}

/// The register as a file.
pub(super) async fn file(State(hall): State<Hall>, Path(name): Path<String>, posted: Posted) -> Shown {
    let visit = &posted.visit;
    let _place = hall.office.files.place().await;
    let made = now(visit, || {
        let caller = hall.caller(visit)?;
        let def = find::register(&name)?;
        let format = if posted.get("format") == "csv" { "csv" } else { "xlsx" };
        let request = pb::ExportRequest { register: def.name.clone(), format: format.into(), unit: 0 };
        let answer = hall.office.export(&caller, &request)?;
        Ok((format!("{}.{format}", def.zh), answer.content))
    });
    let (name, content) = made?;
    Ok(file::saved(&name, content.into()))
}

/// An empty sheet to fill in, with the codes as lists to choose from.
pub(super) async fn template(State(_hall): State<Hall>, visit: Visit, Path(name): Path<String>) -> Shown {
    let made = now(&visit, || {
        let def = find::register(&name)?;
        Ok((format!("{}.xlsx", def.zh), crate::exchange::template(def).map_err(Refusal::failed)?))
    });
    let (name, content) = made?;
    Ok(file::saved(&name, content))
}
