//! Waiting for what must become true, never for a length of time.

use std::time::{Duration, Instant};

/// Longest wait for one thing to happen. What takes longer is broken, also on a slow machine.
const PATIENCE: Duration = Duration::from_secs(60);
/// Longest wait for a whole town to say everything.
pub(super) const GREAT_PATIENCE: Duration = Duration::from_secs(900);
/// Without any outside sign of change, how often one looks.
const LOOK: Duration = Duration::from_millis(10);

/// Waits until `holds`.
///
/// # Errors
/// When it does not within a minute; names what was waited for.
pub async fn until(what: &str, holds: impl FnMut() -> bool) -> anyhow::Result<()> {
    within(PATIENCE, what, holds).await
}

/// Waits until `holds`, at most so long.
pub(super) async fn within(patience: Duration, what: &str, mut holds: impl FnMut() -> bool) -> anyhow::Result<()> {
    let started = Instant::now();
    loop {
        if tokio::task::block_in_place(&mut holds) {
            return Ok(());
        }
        anyhow::ensure!(started.elapsed() < patience, "waited {} s in vain until {what}", patience.as_secs());
        tokio::time::sleep(LOOK).await;
    }
}
