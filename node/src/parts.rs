//! The named parts of a running process, of an office or a hub. Invariant: a part that ends or panics while nobody asked it
//! to is told to whoever runs the process, once: one that lacks a part does not go on as if it served.

use std::{future::Future, sync::Arc};
use tokio::{sync::watch, task::JoinHandle};

/// What became of a task, as if it had been this one: a panic of it goes on.
pub fn as_own(outcome: Result<(), tokio::task::JoinError>) {
    if let Err(error) = outcome
        && error.is_panic()
    {
        std::panic::resume_unwind(error.into_panic());
    }
}

/// The parts.
pub struct Parts {
    ended: watch::Sender<Option<String>>,
}

impl Parts {
    /// No parts yet.
    pub fn new() -> Arc<Self> {
        Arc::new(Self { ended: watch::Sender::new(None) })
    }

    /// Which part ended first, and why.
    pub fn ended(&self) -> watch::Receiver<Option<String>> {
        self.ended.subscribe()
    }

    /// Runs a part that may end only after `stop` has turned true.
    pub fn run(
        self: &Arc<Self>,
        name: &'static str,
        stop: watch::Receiver<bool>,
        part: impl Future<Output = ()> + Send + 'static,
    ) -> JoinHandle<()> {
        let parts = self.clone();
        tokio::spawn(async move {
            let outcome = tokio::spawn(part).await;
            if *stop.borrow() {
                return;
            }
            let why = match outcome {
                Ok(()) => "自行结束 (it ended)",
                Err(_) => "程序出错 (it panicked)", // what it said is in the log already
            };
            parts.report(name, why);
        })
    }

    fn report(&self, name: &str, why: &str) {
        self.ended.send_if_modified(|first| {
            let is_first = first.is_none();
            if is_first {
                tracing::error!(part = name, why, "a part of this process is gone");
                *first = Some(format!("{name}: {why}"));
            }
            is_first
        });
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_first_part_that_ends_unasked_is_told() {
        let (stop, stopped) = watch::channel(false);
        let parts = Parts::new();
        let mut ended = parts.ended();
        let stays = parts.run("stays", stopped.clone(), std::future::pending());
        parts.run("breaks", stopped.clone(), async { panic!("as the test wants") });
        let first = ended.wait_for(Option::is_some).await.unwrap().clone().unwrap();
        assert!(first.starts_with("breaks") && first.contains("panicked"), "{first}");
        parts.run("later", stopped, async {}).await.unwrap();
        assert!(parts.ended().borrow().as_ref().unwrap().starts_with("breaks"), "the first is kept");
        stays.abort();
        drop(stop);
    }

    #[tokio::test]
    async fn a_part_that_ends_when_asked_is_no_fault() {
        let (stop, stopped) = watch::channel(false);
        let parts = Parts::new();
        let mut asked = stopped.clone();
        let part = parts.run("part", stopped, async move {
            let _ = asked.wait_for(|stop| *stop).await;
        });
        stop.send(true).unwrap();
        part.await.unwrap();
        assert!(parts.ended().borrow().is_none());
    }
}
