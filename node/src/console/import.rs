//! The import wizard: a file, what its columns mean and its counts in a dry run, then the import with progress, and the rows that were
//! refused as a file in the same layout. Invariant: nothing is saved before somebody has seen the counts and said so; what was seen is
//! what is saved, by the same bytes.

use super::{Hall, Shown, trouble};
use crate::{
    caller::{Caller, Refusal},
    exchange::{MAX_FILE, reasons_table},
    web::{
        Words, file,
        login::{Visit, visits_own_form},
        parts::{Tone, sheet, tag},
        sessions::secret,
        shell::Trouble,
    },
};
use axum::{
    extract::{DefaultBodyLimit, FromRequest, Multipart, Path, Request, State},
    response::{IntoResponse, Redirect},
};
use maud::{Markup, html};
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use taizhang_proto::{OrgCode, pb};

/// Files that are looked at and not imported yet; the oldest gives way.
const MOST: usize = 2;
/// Rows of the reasons that a page shows; the file has all.
const SHOWN: usize = 200;

/// How far a file is.
enum Stage {
    /// It is read; how far, and what is waited for.
    Reading(pb::Progress),
    /// It was read, and nothing is saved.
    Looked(pb::ImportReport),
    /// It is being saved.
    Saving(pb::Progress),
    /// It is saved.
    Done(pb::ImportReport),
    /// It can't be read.
    Failed(String),
}

/// A file of somebody.
struct Job {
    id: String,
    user: String,
    file_name: String,
    /// Its bytes go once it is imported.
    request: Mutex<pb::ImportRequest>,
    stage: Mutex<Stage>,
}

impl Job {
    /// What the office is asked: to look at the file, or to import it, which is asked once.
    fn asked(&self, dry_run: bool) -> pb::ImportRequest {
        let mut held = self.request.lock().unwrap_or_else(PoisonError::into_inner);
        let request = pb::ImportRequest { dry_run, ..held.clone() };
        if !dry_run {
            held.content.clear();
        }
        request
    }

    fn stage(&self) -> MutexGuard<'_, Stage> {
        self.stage.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The files that are being looked at.
#[derive(Default)]
pub(super) struct Imports(Mutex<VecDeque<Arc<Job>>>);

impl Imports {
    fn jobs(&self) -> MutexGuard<'_, VecDeque<Arc<Job>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, job: Arc<Job>) {
        let mut jobs = self.jobs();
        while jobs.len() >= MOST {
            // One that is being saved goes on; only its page is gone.
            jobs.pop_front();
        }
        jobs.push_back(job);
    }

    fn get(&self, visit: &Visit, id: &str) -> Result<Arc<Job>, Refusal> {
        let found = self.jobs().iter().find(|job| job.id == id && job.user == visit.user.name).cloned();
        found.ok_or_else(|| Refusal::unknown("此文件已不在，请重新选择 (this file is no longer here: choose it again)"))
    }
}

/// Where a file is chosen.
pub(super) async fn choose(State(hall): State<Hall>, visit: Visit) -> Shown {
    let words = visit.words;
    hall.page(&visit, ("/import", &words.say("menu-import")), || {
        hall.clerk(&visit)?;
        let units = hall.office.find_units("").units;
        Ok(html! {
            (steps(words, 1))
            div.head { h1 { (words.say("import")) } }
            form method="post" action="/import" enctype="multipart/form-data" {
                input type="hidden" name="csrf" value=(visit.session.csrf);
                div.drop data-drop {
                    p { (words.say("import-drop")) }
                    p { input type="file" name="file" required accept=".xlsx,.xls,.csv,.txt" aria-label=(words.say("import-file")); }
                    p.dim.small data-chosen {}
                    @if units.len() > 1 {
                        p {
                            label for="unit" { (words.say("import-unit")) " " }
                            select #unit name="unit" {
                                option value="" { (words.say("import-unit-own")) }
                                @for unit in units.iter().filter(|unit| unit.given_up == 0).take(300) { option value=(unit.unit) { (unit.name) } }
                            }
                        }
                    }
                    p { button.btn.go type="submit" { (words.say("import-look")) } }
                }
            }
            p.dim { (words.say("import-help")) " " a href="/registers" { (words.say("template")) } }
        })
    })
}

fn steps(words: Words, at: usize) -> Markup {
    let says = ["import-step-1", "import-step-2", "import-step-3"];
    html! {
        ol.steps {
            @for (place, says) in says.iter().enumerate() {
                li.done[place + 1 < at] aria-current=[(place + 1 == at).then_some("step")] { (place + 1) " " (words.say(says)) }
            }
        }
    }
}

/// Takes a file and begins to look at it.
pub(super) async fn upload(State(hall): State<Hall>, visit: Visit, request: Request) -> Shown {
    let caller = hall.clerk(&visit).map_err(|why| trouble(&visit, why))?;
    let asked = read_upload(&visit, request).await?;
    let job = Arc::new(Job {
        id: secret()[..16].to_owned(),
        user: visit.user.name.clone(),
        file_name: asked.file_name.clone(),
        request: Mutex::new(asked),
        stage: Mutex::new(Stage::Reading(pb::Progress::default())),
    });
    hall.imports.put(job.clone());
    begin(&hall, &job, &caller, true);
    Ok(Redirect::to(&format!("/import/{}", job.id)).into_response())
}

/// The parts of an upload: the form's secret comes before the file, and nothing of the file is read without it.
async fn read_upload(visit: &Visit, request: Request) -> Result<pb::ImportRequest, Trouble> {
    let wrong = |why: &dyn std::fmt::Display| {
        let said = format!(
            "文件没有收完整，请重试；文件不超过{}兆 (the file did not arrive: at most {} MiB): {why}",
            MAX_FILE >> 20,
            MAX_FILE >> 20
        );
        trouble(visit, Refusal::wrong(said))
    };
    let mut asked = pb::ImportRequest::default();
    let mut parts = Multipart::from_request(request, &()).await.map_err(|why| wrong(&why))?;
    let mut is_own = false;
    while let Some(mut part) = parts.next_field().await.map_err(|why| wrong(&why))? {
        match part.name() {
            Some("csrf") => {
                visits_own_form(visit, &part.text().await.map_err(|why| wrong(&why))?)?;
                is_own = true;
            }
            Some("unit") if is_own => {
                let text = part.text().await.map_err(|why| wrong(&why))?;
                let unit = (!text.is_empty()).then(|| text.parse::<OrgCode>()).transpose();
                asked.unit = unit.map_err(|why| wrong(&why))?.map_or(0, OrgCode::number);
            }
            Some("file") if is_own => {
                asked.file_name = part.file_name().unwrap_or("file").to_owned();
                let mut content = Vec::new();
                while let Some(piece) = part.chunk().await.map_err(|why| wrong(&why))? {
                    if content.len() + piece.len() > MAX_FILE {
                        return Err(wrong(&"too large"));
                    }
                    content.extend_from_slice(&piece);
                }
                asked.content = content.into();
            }
            _ => {}
        }
    }
    if !is_own {
        visits_own_form(visit, "")?;
    }
    if asked.content.is_empty() {
        return Err(trouble(visit, Refusal::wrong("没有选择文件，或文件是空的 (no file was chosen, or it is empty)")));
    }
    Ok(asked)
}

/// The bound of a file on its way in: a little more than a file may have, for what stands around it.
pub(super) fn bound() -> DefaultBodyLimit {
    DefaultBodyLimit::max(MAX_FILE + (1 << 20))
}

/// Reads or saves a file beside the pages.
fn begin(hall: &Hall, job: &Arc<Job>, caller: &Caller, dry_run: bool) {
    let started = hall.office.files.import(hall.office.clone(), caller.clone(), job.asked(dry_run));
    let job = job.clone();
    let mut stream = match started {
        Ok(stream) => stream,
        Err(why) => {
            *job.stage() = Stage::Failed(why.to_string());
            return;
        }
    };
    tokio::spawn(async move {
        while let Some(step) = stream.recv().await {
            let next = match step {
                Ok(pb::ImportStep { report: Some(report), .. }) if dry_run => Stage::Looked(report),
                Ok(pb::ImportStep { report: Some(report), .. }) => Stage::Done(report),
                Ok(pb::ImportStep { progress, .. }) if dry_run => Stage::Reading(progress.unwrap_or_default()),
                Ok(pb::ImportStep { progress, .. }) => Stage::Saving(progress.unwrap_or_default()),
                Err(why) => Stage::Failed(why.to_string()),
            };
            *job.stage() = next;
        }
        let mut stage = job.stage();
        if matches!(*stage, Stage::Reading(_) | Stage::Saving(_)) {
            // The reader is gone without a word, as when the program stops.
            *stage = Stage::Failed("处理中断，请重试 (it was broken off: try again)".into());
        }
    });
}

/// Imports what was looked at.
pub(super) async fn go(State(hall): State<Hall>, Path(id): Path<String>, posted: crate::web::login::Posted) -> Shown {
    let visit = &posted.visit;
    let caller = hall.clerk(visit).map_err(|why| trouble(visit, why))?;
    let job = hall.imports.get(visit, &id).map_err(|why| trouble(visit, why))?;
    let is_first = {
        let mut stage = job.stage();
        let looked = matches!(*stage, Stage::Looked(_));
        if looked {
            *stage = Stage::Saving(pb::Progress::default());
        }
        looked
    };
    // The second click of a double click finds it begun.
    if is_first {
        begin(&hall, &job, &caller, false);
    }
    Ok(Redirect::to(&format!("/import/{id}")).into_response())
}

/// How far a file is, and what was found in it.
pub(super) async fn look(State(hall): State<Hall>, visit: Visit, Path(id): Path<String>) -> Shown {
    let words = visit.words;
    let job = hall.imports.get(&visit, &id).map_err(|why| trouble(&visit, why))?;
    hall.page(&visit, ("/import", &words.say("menu-import")), || {
        let name = html! { h1 { (job.file_name) } };
        let stage = job.stage();
        Ok(match &*stage {
            Stage::Reading(progress) => html! { (steps(words, 2)) div.head { (name) } (working(words, "import-reading", progress)) },
            Stage::Saving(progress) => html! { (steps(words, 3)) div.head { (name) } (working(words, "import-saving", progress)) },
            Stage::Failed(why) => html! {
                (steps(words, 1))
                div.head { (name) }
                section.sheet { header { h2 { (words.say("import-failed")) } } p.said role="alert" { (words.either(why)) } p.said { a.btn.go href="/import" { (words.say("import-other")) } } }
            },
            Stage::Looked(report) => html! {
                (steps(words, 2))
                div.head {
                    (name)
                    div.end {
                        a.btn href="/import" { (words.say("import-other")) }
                        @if report.new_rows + report.changed_rows > 0 {
                            form.inline method="post" action=(format!("/import/{id}/go")) {
                                input type="hidden" name="csrf" value=(visit.session.csrf);
                                button.btn.go type="submit" data-key="I" { (words.count("import-go", report.new_rows + report.changed_rows)) " " kbd { "I" } }
                            }
                        }
                    }
                }
                (counts(words, &id, report))
                @if report.new_rows + report.changed_rows == 0 { p.note { (words.say("import-nothing")) } }
                (findings(words, report))
                (wrong_rows(words, report))
            },
            Stage::Done(report) => html! {
                (steps(words, 4))
                div.head { (name) div.end { a.btn href="/import" { (words.say("import-other")) } a.btn.go href="/" { (words.say("menu-today")) } } }
                p.note.good role="status" { (words.count("import-done", report.new_rows + report.changed_rows)) }
                (counts(words, &id, report))
                (findings(words, report))
                (wrong_rows(words, report))
            },
        })
    })
}

fn working(words: Words, says: &str, progress: &pb::Progress) -> Markup {
    html! {
        section.sheet data-works {
            p.said role="status" {
                (words.say(says))
                @if progress.total > 0 { " " span.num { (progress.done) " / " (progress.total) } }
                @if !progress.what.is_empty() { " " (words.either(&progress.what)) }
            }
            p.said { @if progress.total > 0 { progress value=(progress.done) max=(progress.total) {} } @else { progress {} } }
            noscript { p.said { a.btn href="" { (words.say("look-again")) } } }
        }
    }
}

fn counts(words: Words, id: &str, report: &pb::ImportReport) -> Markup {
    let tile = |says: &str, count: u64| html! { div.tile { div.k { (words.say(says)) } div.v.num { (count) } } };
    html! {
        div.tiles {
            (tile("import-new", report.new_rows))
            (tile("import-changed", report.changed_rows))
            (tile("import-same", report.same_rows))
            div.tile {
                div.k { (words.say("import-wrong")) }
                div class=(if report.wrong_rows > 0 { "v num bad" } else { "v num" }) { (report.wrong_rows) }
                @if !report.reasons.is_empty() { div.t { a href=(format!("/import/{id}/reasons")) { (words.say("import-reasons")) } } }
            }
        }
        p.dim.small { (words.count("import-rows", report.rows)) @if report.skipped_rows > 0 { " · " (words.count("import-skipped", report.skipped_rows)) } }
    }
}

fn findings(words: Words, report: &pb::ImportReport) -> Markup {
    html! {
        @if !report.findings.is_empty() {
            (sheet(&words.say("import-findings"), &html! { (tag(Tone::Soon, &report.findings.len().to_string())) },
                &html! { ul.plain { @for finding in &report.findings { li { (words.either(finding)) } } } }))
        }
    }
}

/// The rows that are wrong, as the file for Excel has them: the reason beside each.
fn wrong_rows(words: Words, report: &pb::ImportReport) -> Markup {
    if report.reasons.is_empty() {
        return html! {};
    }
    let Some(table) = reasons_table(&report.reasons_name, &report.reasons, SHOWN) else { return html! {} };
    html! {
        section.sheet.wide {
            header { h2 { (words.say("import-wrong-rows")) } }
            table {
                tbody { @for row in &table { tr { @for cell in row { td { (cell) } } } } }
            }
        }
    }
}

/// The rows that were refused, in the layout of the file, with the reason of each.
pub(super) async fn reasons(State(hall): State<Hall>, visit: Visit, Path(id): Path<String>) -> Shown {
    let job = hall.imports.get(&visit, &id).map_err(|why| trouble(&visit, why))?;
    let stage = job.stage();
    match &*stage {
        Stage::Looked(report) | Stage::Done(report) if !report.reasons.is_empty() => {
            Ok(file::saved(&report.reasons_name, report.reasons.to_vec()))
        }
        _ => Err(trouble(&visit, Refusal::unknown("没有退回的行 (no row was refused)"))),
    }
}
