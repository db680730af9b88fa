//! A hub in this process under the hand of a measurement: the real writer on a real store, without a wire.
//! Invariant: what is pushed is taken, or the measurement fails.

use super::UNITS;
use anyhow::{Context, bail, ensure};
use bytes::Bytes;
use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};
use taizhang_hub::{
    engine::FjallStore,
    store::Space,
    writer::{Answer, Core, Job, Peer, Pushed},
};
use taizhang_node::ledger::system_clock;
use taizhang_proto::{
    OrgCode, Record, RecordId,
    pb::{self, Tier},
    session::MAX_BATCH_CHANGES,
};

/// Batches that the writer takes with one sync, as when several children push.
pub(super) const BATCHES_A_COMMIT: usize = 8;

/// A hub's core on a store of its own, with children that have greeted it.
pub(super) struct Bench<const CHILDREN: usize> {
    pub(super) core: Arc<Core>,
    pub(super) peers: [Peer; CHILDREN],
    logs: [u32; CHILDREN],
    said: [u64; CHILDREN],
}

impl<const CHILDREN: usize> Bench<CHILDREN> {
    /// A hub of a unit with children of others; it holds records, whatever its unit.
    pub(super) fn open(dir: &Path, unit: OrgCode, children: [(&str, OrgCode); CHILDREN]) -> anyhow::Result<Self> {
        let store = FjallStore::open(dir)?;
        let core = Core::open(unit, Tier::District, Box::new(store), system_clock())?;
        let peers = children.map(|(id, unit)| Peer { id: id.into(), unit, hub: false });
        let mut bench = Self { core, peers, logs: [0; CHILDREN], said: [0; CHILDREN] };
        bench.write(vec![Job::Tree(UNITS.to_owned(), None)])?;
        for (place, peer) in bench.peers.clone().into_iter().enumerate() {
            let hello = pb::Hello {
                incarnation: vec![place as u8 + 1; 16].into(),
                clock: (bench.core.clock)(),
                ..pb::Hello::default()
            };
            let answer = bench.write(vec![Job::greet(peer, hello)])?.pop();
            let Some(Answer::Greeted(row)) = answer else { bail!("a greeting is answered with a row") };
            bench.logs[place] = row.number;
        }
        Ok(bench)
    }

    fn write(&mut self, jobs: Vec<Job>) -> anyhow::Result<Vec<Answer>> {
        self.core.commit(jobs).into_iter().map(|answer| answer.context("commit")).collect()
    }

    /// Pushes changes by one child; returns how long it took. None may be refused.
    pub(super) fn push(&mut self, child: usize, changes: Vec<Bytes>) -> anyhow::Result<Duration> {
        let mut batches: Vec<Vec<Bytes>> = changes.chunks(MAX_BATCH_CHANGES).map(<[Bytes]>::to_vec).collect();
        let started = Instant::now();
        while !batches.is_empty() {
            let mut jobs = Vec::new();
            for batch in batches.drain(..BATCHES_A_COMMIT.min(batches.len())) {
                let first = self.said[child] + 1;
                self.said[child] += batch.len() as u64;
                let changes = batch.into_iter().map(Pushed::read).collect();
                jobs.push(Job::Push {
                    peer: self.peers[child].clone(),
                    node: self.logs[child],
                    first,
                    changes,
                    skew: None,
                    room: None,
                });
            }
            for answer in self.write(jobs)? {
                let Answer::Verdicts(verdicts) = answer else { bail!("a push is answered with verdicts") };
                let refused = verdicts.iter().flat_map(|list| &list.outcomes).find(|outcome| outcome.why.is_some());
                ensure!(refused.is_none(), "refused: {refused:?}");
            }
        }
        Ok(started.elapsed())
    }

    /// The records, in the order of their ids.
    pub(super) fn records(&self) -> anyhow::Result<Vec<(RecordId, Record)>> {
        let view = self.core.view();
        view.prefix(Space::Records, &[])
            .map(|row| {
                let (key, value) = row?;
                Ok((RecordId::from_slice(&key).context("id")?, Record::decode(value)?))
            })
            .collect()
    }
}
