//! Damage of the store's files that is met while the hub runs: a block whose sum is wrong, wherever it is read.
//! Invariant: it is on record beside the store before anybody hears of it, so the next start reads every row, and sets the store aside
//! where it finds the damage again. Met once more within a day though every row can be read, it sets the store aside all the same: a
//! hub that ends again and again serves nobody.

use crate::store::StoreError;
use std::{
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, SystemTime},
};

/// For how long a suspicion that was not borne out is remembered.
const REMEMBERED: Duration = Duration::from_secs(86_400);

/// What is known of a running store's files.
#[derive(Debug)]
pub(super) struct Damage {
    store: PathBuf,
    found: AtomicBool,
    fault: Arc<Mutex<Option<String>>>,
}

/// Beside the store: damage was met, and every row is to be read.
fn suspected(store: &Path) -> PathBuf {
    beside(store, "suspected")
}

/// Beside the store: every row could be read.
fn unconfirmed(store: &Path) -> PathBuf {
    beside(store, "unconfirmed")
}

fn beside(store: &Path, what: &str) -> PathBuf {
    let name = store.file_name().and_then(|name| name.to_str()).unwrap_or("store");
    store.with_file_name(format!("{name}-damage-{what}"))
}

impl Damage {
    /// Of a store; its fault says so, too.
    pub(super) fn of(store: &Path, fault: Arc<Mutex<Option<String>>>) -> Arc<Self> {
        Arc::new(Self { store: store.to_owned(), found: AtomicBool::new(false), fault })
    }

    /// Whether any was met.
    pub(super) fn is_found(&self) -> bool {
        self.found.load(Ordering::Acquire)
    }

    /// Puts it on record, where an error says that there is damage.
    pub(super) fn seen(&self, error: StoreError) -> StoreError {
        if error.is_damage() {
            self.note(&error.to_string());
        }
        error
    }

    /// Puts damage on record.
    pub(super) fn note(&self, why: &str) {
        if self.found.swap(true, Ordering::AcqRel) {
            return;
        }
        if let Err(error) = fs::write(suspected(&self.store), why) {
            tracing::error!(%error, "that the store is damaged can't be noted beside it");
        }
        let words = format!(
            "存储文件有损坏，重新启动时逐行检查，损坏的移开并由下级重新上报 (the store's files are damaged: the next start reads every row, \
             and sets aside what is damaged): {why}"
        );
        tracing::error!(%why, "the store's files are damaged");
        *self.fault.lock().unwrap_or_else(PoisonError::into_inner) = Some(words);
    }
}

/// Whether damage was met in a store when it ran last.
pub(super) fn is_suspected(store: &Path) -> bool {
    suspected(store).exists()
}

/// Notes that every row could be read. Returns whether that is not believed any more.
pub(super) fn is_met_again(store: &Path) -> bool {
    let before = fs::metadata(unconfirmed(store)).and_then(|file| file.modified());
    let is_recent = |at: SystemTime| SystemTime::now().duration_since(at).is_ok_and(|since| since < REMEMBERED);
    if before.is_ok_and(is_recent) {
        return true;
    }
    let noted = fs::write(unconfirmed(store), "").and_then(|()| fs::remove_file(suspected(store)));
    if let Err(error) = noted {
        tracing::warn!(%error, "what was suspected of the store can't be taken back");
    }
    false
}

/// Forgets what was known of a store that is no longer here.
pub(super) fn forget(store: &Path) {
    for file in [suspected(store), unconfirmed(store)] {
        if let Err(error) = fs::remove_file(file)
            && error.kind() != std::io::ErrorKind::NotFound
        {
            tracing::warn!(%error, "what was suspected of the store that was set aside can't be taken back");
        }
    }
}
