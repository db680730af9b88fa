//! How much one asker, and all of them together, may have a hub work on at a time.
//! Invariant: an asker holds at most its share, so a certificate that only reads can't keep the others waiting; who waits is
//! served in turn, and who would have to wait behind too many is told to come back later.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};
use taizhang_node::caller::Refusal;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// When somebody who is sent away should come back, milliseconds.
const RETRY_MILLIS: u64 = 2_000;

/// A gate: so many at work, so many waiting, so many of either for each asker.
#[derive(Debug, Clone)]
pub struct Gate(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    working: Arc<Semaphore>,
    /// Those at work and those waiting.
    inside: Arc<Semaphore>,
    each: usize,
    askers: Mutex<HashMap<String, usize>>,
}

/// The right to be worked for; given back when it is dropped.
#[derive(Debug)]
pub struct Pass {
    _inside: OwnedSemaphorePermit,
    _working: Option<OwnedSemaphorePermit>,
    _share: Share,
}

/// One of an asker's places.
#[derive(Debug)]
struct Share {
    gate: Gate,
    asker: String,
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut askers = self.gate.0.askers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = askers.get_mut(&self.asker) {
            *count -= 1;
            if *count == 0 {
                askers.remove(&self.asker);
            }
        }
    }
}

fn later(message: &str) -> Refusal {
    Refusal::Later(message.to_owned(), RETRY_MILLIS)
}

impl Gate {
    /// A gate that lets `working` be worked for, `waiting` more wait, and gives each asker `each` places. Who has no name is
    /// the hub's own command line, on a gate of its own: it may have every place.
    pub fn new(working: usize, waiting: usize, each: usize) -> Self {
        let (inside, working) = (Arc::new(Semaphore::new(working + waiting)), Arc::new(Semaphore::new(working)));
        Self(Arc::new(Inner { working, inside, each, askers: Mutex::default() }))
    }

    /// A place for an asker, for as long as the pass is kept: for those who stay without being worked for.
    ///
    /// # Errors
    /// When the asker has its share, or there is no place left.
    pub fn place(&self, asker: &str) -> Result<Pass, Refusal> {
        let share = self.share(asker)?;
        let inside = self.0.inside.clone().try_acquire_owned();
        let inside = inside.map_err(|_| later("上级正忙，请稍后再试 (too many are asking: come back later)"))?;
        Ok(Pass { _inside: inside, _working: None, _share: share })
    }

    /// Waits in turn to be worked for.
    ///
    /// # Errors
    /// As [`Gate::place`].
    pub async fn enter(&self, asker: &str) -> Result<Pass, Refusal> {
        let place = self.place(asker)?;
        let working = self.0.working.clone().acquire_owned().await;
        Ok(Pass { _working: working.ok(), ..place })
    }

    fn share(&self, asker: &str) -> Result<Share, Refusal> {
        let mut askers = self.0.askers.lock().unwrap_or_else(PoisonError::into_inner);
        let count = askers.entry(asker.to_owned()).or_default();
        if *count >= self.0.each && !asker.is_empty() {
            return Err(later(
                "同一证书同时查询过多，请等前面的查询结束 (too many questions of one certificate at once)",
            ));
        }
        *count += 1;
        Ok(Share { gate: self.clone(), asker: asker.to_owned() })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_asker_has_its_share_and_the_next_is_served_in_turn() {
        let gate = Gate::new(1, 2, 2);
        let first = gate.enter("a").await.unwrap();
        let waiting = tokio::spawn({
            let gate = gate.clone();
            async move { gate.enter("a").await.map(drop) }
        });
        while gate.0.askers.lock().unwrap().get("a") != Some(&2) {
            tokio::task::yield_now().await;
        }
        let third = gate.enter("a").await.unwrap_err();
        assert!(matches!(third, Refusal::Later(..)));
        assert!(tonic::Status::from(third).metadata().contains_key("retry-after-ms"));
        let other = gate.place("b").unwrap();
        assert!(matches!(gate.place("c").unwrap_err(), Refusal::Later(..)), "the house is full");
        drop(first);
        waiting.await.unwrap().unwrap();
        drop(other);
        assert!(gate.0.askers.lock().unwrap().is_empty(), "nothing is kept of who has gone");
        drop(gate.enter("c").await.unwrap());
    }
}
