//! The one way in at a hub: a single writer with group commit. It drains the queue of all sessions, decides, writes
//! one batch over all spaces, syncs once, then answers everybody.
//! Invariant: an answer is sent only after the batch that holds its effect is on disk; totals, digests, feed and the
//! child's acknowledged number change in the same batch as the records.

mod again;
mod cells;
mod child;
mod commit;
pub(crate) mod competence;
mod conflicts;
mod decree;
mod inspect;
mod job;
mod late;
mod mail;
mod merge;
mod moves;
mod order;
mod pad;
mod push;
pub(crate) mod recover;
mod rederive;
mod rehome;
mod reopen;
mod resolve;
mod revise;
mod seen;
mod unique;

pub use commit::Core;
pub use competence::settled_by;
pub use job::{Answer, Job, Peer, Pushed, WriteError};
pub(crate) use mail::is_counted;
pub use mail::{MarkBatch, News};
pub use resolve::{Review, choices};
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot, watch};

/// Most changes that one commit takes, so that memory and the parent's batches stay bounded.
const MAX_COMMIT_CHANGES: usize = 8 * 1024;
/// Jobs that may wait for the writer.
const QUEUE: usize = 256;

type Waiting = (Job, oneshot::Sender<Result<Answer, WriteError>>);

/// The queue to the writer's thread.
#[derive(Clone)]
pub struct Writer {
    queue: mpsc::Sender<Waiting>,
    alive: watch::Receiver<()>,
}

impl Writer {
    /// Starts the writer's thread; it ends when the last clone of the queue is dropped.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn start(core: Arc<Core>) -> std::io::Result<Self> {
        let (queue, mut waiting) = mpsc::channel::<Waiting>(QUEUE);
        let (lives, alive) = watch::channel(());
        std::thread::Builder::new().name("writer".into()).spawn(move || {
            let _lives = lives; // dropped when the thread ends, whichever way
            while let Some(first) = waiting.blocking_recv() {
                let mut changes = size(&first.0);
                let mut group = vec![first];
                while changes < MAX_COMMIT_CHANGES
                    && let Ok(next) = waiting.try_recv()
                {
                    changes += size(&next.0);
                    group.push(next);
                }
                let (jobs, askers): (Vec<_>, Vec<_>) = group.into_iter().unzip();
                for (asker, answer) in askers.into_iter().zip(core.commit(jobs)) {
                    if let Err(Err(WriteError::Store(error))) = asker.send(answer) {
                        tracing::error!(%error, "commit failed and nobody waited for it");
                    }
                }
            }
        })?;
        Ok(Self { queue, alive })
    }

    /// Fails once the writer's thread has ended.
    pub fn alive(&self) -> watch::Receiver<()> {
        self.alive.clone()
    }

    /// Hands a job over; the answer comes once it is on disk.
    ///
    /// # Errors
    /// When the writer has stopped.
    pub async fn submit(&self, job: Job) -> Result<oneshot::Receiver<Result<Answer, WriteError>>, WriteError> {
        let (asker, answer) = oneshot::channel();
        self.queue.send((job, asker)).await.map_err(|_| WriteError::Stopped)?;
        Ok(answer)
    }

    /// Does a job and waits for it.
    ///
    /// # Errors
    /// As the job.
    pub async fn write(&self, job: Job) -> Result<Answer, WriteError> {
        self.submit(job).await?.await.map_err(|_| WriteError::Stopped)?
    }
}

fn size(job: &Job) -> usize {
    match job {
        Job::Push { changes, .. } => changes.len(),
        Job::Cells { cells, .. } => cells.len() / 4,
        _ => 1,
    }
}
