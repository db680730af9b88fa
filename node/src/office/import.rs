//! Files of clerks into an open office: checked before anything is read, in turn, with progress.
//! Invariant: of the files that save one is read at a time, so that the second finds what the first has entered; whoever waits is told
//! so, and who has gone away meanwhile has nothing read.

use super::{Office, calls::unit_or_none};
use crate::{
    caller::{Caller, Refusal},
    exchange::{self, Layouts, Options, Source},
    ledger::LedgerDesk,
};
use std::sync::Arc;
use taizhang_proto::{OrgCode, date, pb};
use tokio::{
    sync::{Mutex, OwnedMutexGuard, OwnedSemaphorePermit, Semaphore, mpsc},
    task::block_in_place,
};

/// Said where rows can't name their units yet.
const NO_TREE: &str = "尚未从上级收到单位树，文件未读取；请接通上级后重试，或加 --wait 等待 (no tree of units has come from the hub yet, and \
                       nothing was read: try again once the line is up, or wait for it with --wait)";
/// Said while others have their turn.
const WAITS: &str = "前面还有文件在处理，排队等待 (other files come first: waiting)";
/// Files that are read or written at a time; others wait in turn.
const FILES: usize = 2;

/// What an import answers with: progress, and at its end the report, or what is wrong with the file.
pub(crate) type Steps = mpsc::Receiver<Result<pb::ImportStep, Refusal>>;

/// The turns of files in and out.
#[derive(Clone)]
pub(crate) struct Files {
    /// Imports and exports: each holds a whole file.
    places: Arc<Semaphore>,
    /// Imports that save.
    saving: Arc<Mutex<()>>,
}

impl Default for Files {
    fn default() -> Self {
        Self { places: Arc::new(Semaphore::new(FILES)), saving: Arc::default() }
    }
}

/// A turn, until it is dropped.
struct Turn {
    _saving: Option<OwnedMutexGuard<()>>,
    _place: Option<OwnedSemaphorePermit>,
}

impl Files {
    /// A place for one file.
    pub(crate) async fn place(&self) -> Option<OwnedSemaphorePermit> {
        self.places.clone().acquire_owned().await.ok()
    }

    /// The turn of an import that `saves` or does not; `waits` is called once where it does not come at once.
    async fn turn(&self, saves: bool, waits: impl FnOnce()) -> Turn {
        let mut waits = Some(waits);
        let mut tell = || {
            if let Some(waits) = waits.take() {
                waits();
            }
        };
        // The turn first: who waits for it takes nobody's place.
        let saving = if !saves {
            None
        } else if let Ok(turn) = self.saving.clone().try_lock_owned() {
            Some(turn)
        } else {
            tell();
            Some(self.saving.clone().lock_owned().await)
        };
        let place = if let Ok(place) = self.places.clone().try_acquire_owned() {
            Some(place)
        } else {
            tell();
            self.place().await
        };
        Turn { _saving: saving, _place: place }
    }

    /// Imports a file.
    ///
    /// # Errors
    /// When it can't be begun; what is wrong with the file is told in the stream.
    pub(crate) fn import(
        &self,
        office: Arc<Office>,
        caller: Caller,
        request: pb::ImportRequest,
    ) -> Result<Steps, Refusal> {
        let unit = unit_or_none(request.unit)?;
        if office.identity.is_some() && office.ledger.units().is_empty() {
            // No row could name its unit: nothing is read of the file.
            return Err(Refusal::unavailable(NO_TREE));
        }
        if let Some(day) =
            request.registered_on.filter(|day| !(date::OLDEST..=office.ledger.business_day()).contains(day))
        {
            return Err(Refusal::wrong(format!(
                "入册日期 {} 在今天之后，或早于1949年10月，请核对年份 (--registered-on lies ahead, or too far back)",
                date::iso(day)
            )));
        }
        if let Some(clock) = office.ledger.clock_doubt().filter(|_| request.registered_on.is_none()) {
            return Err(Refusal::wrong(format!(
                "{clock}；或用 --registered-on 写明表中未写的入册日期 (or say with --registered-on since when those are on the register of whom \
                 the file does not say it)"
            )));
        }
        // Read anew for each file, so that a mapping file is in force once it is in its folder.
        let layouts = block_in_place(|| Layouts::load(office.ledger.data_dir())).map_err(Refusal::wrong)?;
        let registered_on = request.registered_on;
        let by = caller.name.clone();
        let options = Options { unit, moves: request.moves, dry_run: request.dry_run, by, layouts, registered_on };
        let (sender, receiver) = mpsc::channel(64);
        let files = self.clone();
        tokio::spawn(async move {
            // Who goes away while waiting has nothing read, and keeps nothing.
            let turn = tokio::select! {
                turn = files.turn(!options.dry_run, || tell(&sender, WAITS, (0, 0))) => turn,
                () = sender.closed() => return,
            };
            tokio::task::spawn_blocking(move || {
                let _turn = turn;
                let source = Source { file_name: &request.file_name, content: &request.content };
                let _ = sender.blocking_send(read(&office, &caller, &source, &options, &sender));
            });
        });
        Ok(receiver)
    }
}

type Teller = mpsc::Sender<Result<pb::ImportStep, Refusal>>;

/// Says how far it is. A slow screen must not slow the import: a step that does not fit is left out.
fn tell(steps: &Teller, what: &str, (done, total): (u64, u64)) {
    let progress = pb::Progress { done, total, what: what.to_owned() };
    let _ = steps.try_send(Ok(pb::ImportStep { progress: Some(progress), report: None }));
}

/// Reads the file, and keeps in the audit log that it was.
fn read(
    office: &Office,
    caller: &Caller,
    source: &Source<'_>,
    options: &Options,
    steps: &Teller,
) -> Result<pb::ImportStep, Refusal> {
    let into: OrgCode = options.unit.unwrap_or(office.ledger.unit());
    if !options.dry_run {
        // Whatever ends it, somebody sees that it was begun.
        office.note(caller, "import", format!("{into} begun"))?;
    }
    let mut progress = |done, total| tell(steps, "", (done, total));
    let report = exchange::import(&LedgerDesk::new(&office.ledger), source, options, &mut progress);
    if !options.dry_run {
        let of = match &report {
            Ok(report) => format!("{into} new {} changed {}", report.new_rows, report.changed_rows),
            Err(_) => format!("{into} broken off"),
        };
        // What was read of it stands, and each record says by whom: it does not fail for the log.
        if let Err(error) = office.note(caller, "import", of) {
            tracing::error!(%error, "a file was imported, and the audit log can't be written");
        }
    }
    let report = report.map_err(Refusal::wrong)?;
    let (reasons_name, reasons) = report.reasons.unwrap_or_default();
    let report = pb::ImportReport {
        rows: report.rows,
        new_rows: report.new_rows,
        same_rows: report.same_rows,
        changed_rows: report.changed_rows,
        wrong_rows: report.wrong_rows,
        skipped_rows: report.skipped_rows,
        reasons: reasons.into(),
        reasons_name,
        findings: office.ledger.clock_doubt().into_iter().chain(report.findings).collect(),
    };
    Ok(pb::ImportStep { progress: None, report: Some(report) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};

    #[tokio::test]
    async fn who_does_not_have_the_turn_at_once_is_told_and_takes_no_place_of_others() {
        let (files, told) = (Files::default(), Arc::new(AtomicU32::new(0)));
        let asked = |saves| {
            let (files, told) = (files.clone(), told.clone());
            async move { files.turn(saves, || _ = told.fetch_add(1, Ordering::Relaxed)).await }
        };
        let first = asked(true).await;
        let second = tokio::spawn(asked(true));
        let trial = asked(false).await;
        assert!(!second.is_finished());
        let third = tokio::spawn(asked(false));
        while told.load(Ordering::Relaxed) < 2 {
            tokio::task::yield_now().await;
        }
        drop(trial);
        assert!(third.await.is_ok());
        drop(first);
        assert!(second.await.is_ok());
        assert_eq!(told.load(Ordering::Relaxed), 2);
    }
}
