//! The one way in at a hub: a single writer with group commit. It drains the queue of all sessions, decides, writes
//! one batch over all spaces, syncs once, then answers everybody. A batch that is long work is cut: what is left of it
//! lets the other children go first.
//! Invariant: an answer is sent only after the batch that holds its effect is on disk; totals, digests, feed and the
//! child's acknowledged number change in the same batch as the records.

mod acts;
mod anew;
mod arrivals;
mod aside;
mod cells;
mod child;
mod clear;
mod commit;
pub(crate) mod competence;
mod conflicts;
mod decree;
mod enlist;
mod findings;
mod finish;
mod foresee;
mod group;
mod heard;
mod inspect;
mod job;
mod judge;
mod kinds;
mod mail;
mod merge;
mod moves;
mod order;
mod outcome;
mod push;
mod quota;
pub(crate) mod recovery;
mod rederive;
mod rehome;
mod reopen;
mod resolve;
mod revise;
mod transfers;

pub use crate::state::{Core, Peer};
pub use competence::settled_by;
pub(crate) use group::Done;
pub(crate) use job::RETRY_MILLIS;
pub use job::{Answer, Decided, Job, News, Paper, Pushed, Review, WriteError};
pub use kinds::choices;
pub(crate) use kinds::of as kind_of;
use std::sync::Arc;
use taizhang_proto::pb;
use tokio::sync::{mpsc, oneshot, watch};

/// Most changes that one commit takes, so that memory and the parent's batches stay bounded.
const MAX_COMMIT_CHANGES: usize = 8 * 1024;
/// Jobs that may wait for the writer.
const QUEUE: usize = 256;

type Waiting = (Job, oneshot::Sender<Result<Answer, WriteError>>);

/// A job that waits for its commit, or for the rest of it.
struct Pending {
    job: Job,
    asker: oneshot::Sender<Result<Answer, WriteError>>,
    /// Verdicts on what is on disk already.
    said: Vec<pb::Verdicts>,
    /// A part of it was in the last commit.
    was_cut: bool,
}

impl From<Waiting> for Pending {
    fn from((job, asker): Waiting) -> Self {
        Self { job, asker, said: Vec::new(), was_cut: false }
    }
}

/// Does as much as one commit holds, answers it, and returns what is left. Whoever had a part of its batch written lets
/// the others go first, with everything else of its own: the order of one child stays.
fn write_some(core: &Core, mut group: Vec<Pending>) -> Vec<Pending> {
    let cut = group.iter().find(|pending| pending.was_cut).and_then(|pending| pending.job.child()).map(str::to_owned);
    if let Some(cut) = cut {
        group.sort_by_key(|pending| pending.job.child() == Some(&cut));
    }
    let (mut jobs, mut askers) = (Vec::with_capacity(group.len()), Vec::with_capacity(group.len()));
    for Pending { job, asker, said, .. } in group {
        jobs.push(job);
        askers.push((asker, said));
    }
    let mut left = Vec::new();
    for ((asker, mut said), done) in askers.into_iter().zip(core.commit_some(jobs)) {
        let mut answer = match done {
            Done::Answered(answer) => answer,
            Done::Cut(job, verdicts) => {
                said.extend(verdicts);
                left.push(Pending { job, asker, said, was_cut: true });
                continue;
            }
            Done::Waiting(job) => {
                left.push(Pending { job, asker, said, was_cut: false });
                continue;
            }
        };
        if let Ok(Answer::Verdicts(verdicts)) = &mut answer {
            verdicts.splice(0..0, said);
        }
        if let Err(Err(WriteError::Store(error))) = asker.send(answer) {
            tracing::error!(%error, "commit failed and nobody waited for it");
        }
    }
    left
}

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
            let mut group: Vec<Pending> = Vec::new();
            loop {
                if group.is_empty() {
                    let Some(first) = waiting.blocking_recv() else { break };
                    group.push(first.into());
                }
                let mut changes: usize = group.iter().map(|pending| size(&pending.job)).sum();
                while changes < MAX_COMMIT_CHANGES
                    && !core.is_careful()
                    && let Ok(next) = waiting.try_recv()
                {
                    changes += size(&next.0);
                    group.push(next.into());
                }
                group = write_some(&core, group);
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
pub(crate) mod tests {
    use super::*;
    use crate::engine::FjallStore;
    use taizhang_node::ledger::system_clock;
    use taizhang_proto::{
        OrgCode, RecordId, change,
        pb::{OutcomeKind, Tier},
        register::{HOME_UNIT, number},
        stamp::Stamp,
        wire::{Field, put_bytes, put_varint},
    };

    /// The login of a change on which the hub fails in these tests.
    pub(crate) const PANICS: &str = "panics";
    /// The login of a change of which a row can't be read.
    pub(crate) const FAILS: &str = "fails";

    /// Fails as a fault of the program would, or a damaged row.
    pub(crate) fn trip(word: &[u8]) -> Result<(), crate::store::StoreError> {
        assert_ne!(word, PANICS.as_bytes(), "as a fault of the program would");
        if word == FAILS.as_bytes() { Err(crate::store::StoreError::Row(crate::store::Space::Records)) } else { Ok(()) }
    }

    const DISTRICT: u64 = 210_402_000_000;

    fn push(peer: &Peer, node: u32, by: &str, serial: u8) -> Job {
        batch(peer, node, &[(by, serial)])
    }

    /// A batch of registrations, each by somebody and with a number of its own.
    fn batch(peer: &Peer, node: u32, said: &[(&str, u8)]) -> Job {
        let mut home = Vec::new();
        put_varint(HOME_UNIT, peer.unit.number(), &mut home);
        let text = |tag: u32, value: &[u8]| {
            let mut bytes = Vec::new();
            put_bytes(tag, value, &mut bytes);
            (Field { tag, bytes: bytes.into() }, 0)
        };
        let home = (Field { tag: HOME_UNIT, bytes: home.into() }, 0);
        let fields = [home, text(20, b"3"), text(30, b"1")];
        let change = |(by, serial): &(&str, u8)| {
            let change = change::write(RecordId([*serial; 16]), number::FACILITY, &fields, Stamp::at_millis(1), by);
            Pushed::read(prost::Message::encode_to_vec(&change).into())
        };
        let changes = said.iter().map(change).collect();
        Job::Push { peer: peer.clone(), node, first: 1, changes, skew: None, room: None }
    }

    fn outcomes(answer: Result<Answer, WriteError>) -> Vec<OutcomeKind> {
        let Ok(Answer::Verdicts(verdicts)) = answer else { panic!("no verdicts") };
        verdicts.iter().flat_map(|one| one.outcomes.iter().map(pb::Outcome::kind)).collect()
    }

    /// A district with two offices, and the numbers of their logs.
    fn with_two_offices(dir: &std::path::Path) -> (Arc<Core>, [Peer; 2], [u32; 2]) {
        let store = FjallStore::open(&dir.join("store")).unwrap();
        let district = OrgCode::new(DISTRICT).unwrap();
        let core = Core::open(district, Tier::District, Box::new(store), system_clock()).unwrap();
        let peers = [210_402_011_003_u64, 210_402_011_004].map(|unit| Peer {
            id: unit.to_string(),
            unit: OrgCode::new(unit).unwrap(),
            hub: false,
        });
        let nodes = peers.each_ref().map(|peer| {
            let hello = pb::Hello { incarnation: vec![7; 16].into(), ..pb::Hello::default() };
            let job = Job::greet(peer.clone(), hello);
            let Some(Ok(Answer::Greeted(row))) = core.commit(vec![job]).pop() else { panic!("not greeted") };
            row.number
        });
        (core, peers, nodes)
    }

    #[test]
    fn a_batch_on_which_the_hub_fails_is_set_aside_and_costs_nobody_else_anything() {
        let dir = tempfile::tempdir().unwrap();
        let (core, peers, nodes) = with_two_offices(dir.path());
        let both = || vec![push(&peers[0], nodes[0], PANICS, 1), push(&peers[1], nodes[1], "clerk", 2)];
        for answer in core.commit(both()) {
            assert!(matches!(answer, Err(WriteError::Store(_))), "nothing of the group was written");
        }
        assert!(core.is_careful(), "from now on one by one");
        let answers: Vec<_> = both().into_iter().map(|job| core.commit(vec![job]).pop().unwrap()).collect();
        let mut answers = answers.into_iter();
        assert_eq!(outcomes(answers.next().unwrap()), [OutcomeKind::Refused]);
        assert!(!outcomes(answers.next().unwrap()).contains(&OutcomeKind::Refused), "the other's is taken");
        // The same push is known now, also after a new start.
        assert_eq!(
            outcomes(core.commit(vec![push(&peers[0], nodes[0], PANICS, 1)]).pop().unwrap()),
            [OutcomeKind::Refused]
        );
        let row: crate::rows::NodeRow =
            crate::rows::read(core.view().as_ref(), crate::store::Space::Nodes, peers[0].id.as_bytes())
                .unwrap()
                .unwrap();
        assert_eq!((row.incidents, row.acknowledged), (1, 1));
    }

    #[test]
    fn of_a_batch_that_is_set_aside_all_is_taken_but_what_the_hub_fails_on() {
        for fails in [PANICS, FAILS] {
            let dir = tempfile::tempdir().unwrap();
            let (core, peers, nodes) = with_two_offices(dir.path());
            let said = [("a", 1), ("b", 2), (fails, 3), ("d", 4), (fails, 5), ("f", 6), ("g", 7)];
            let both = || vec![batch(&peers[0], nodes[0], &said), push(&peers[1], nodes[1], "clerk", 9)];
            assert!(core.commit(both()).iter().all(|answer| matches!(answer, Err(WriteError::Store(_)))));
            assert!(core.store.fault().is_none() && core.is_careful(), "from now on one by one");
            let mut answers = both().into_iter().map(|job| core.commit(vec![job]).pop().unwrap());
            let (own, other) = (answers.next().unwrap(), answers.next().unwrap());
            assert!(!outcomes(other).contains(&OutcomeKind::Refused), "the other's is taken");
            let Ok(Answer::Verdicts(verdicts)) = own else { panic!("no verdicts") };
            assert_eq!((verdicts[0].first, verdicts.last().unwrap().last), (1, 7));
            let refused =
                verdicts.iter().flat_map(|one| &one.outcomes).filter(|one| one.kind() == OutcomeKind::Refused);
            assert_eq!(refused.map(|one| one.seq).collect::<Vec<_>>(), [3, 5], "{fails}");
            let view = core.view();
            let held = |serial: u8| view.get(crate::store::Space::Records, &[serial; 16]).unwrap().is_some();
            assert_eq!((1..8).filter(|serial| held(*serial)).collect::<Vec<u8>>(), [1, 2, 4, 6, 7]);
        }
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig { cases: 12, ..Default::default() })]

        /// Whatever is said, and by whomever: a commit in which it was only judged, however often, writes nothing and gives no
        /// revision away, and each time the same becomes of it.
        #[test]
        fn judging_changes_nothing(
            said in proptest::collection::vec(
                (0_u8..4, 0_usize..4, "[0-9]{0,2}", 0_u64..4, proptest::bool::ANY, proptest::bool::ANY), 20..60)
        ) {
            let dir = tempfile::tempdir().unwrap();
            let (core, peers, nodes) = with_two_offices(dir.path());
            for answer in core.commit(vec![batch(&peers[0], nodes[0], &[("a", 1), ("b", 2)])]) {
                answer.unwrap();
            }
            let view = core.view();
            let commit = commit::Commit::new(&core, view.as_ref()).unwrap();
            let before = commit.newest_revision();
            for (serial, unit, kind, base, asks, is_told) in said {
                // Of its own unit, another one, none that there is, or nowhere.
                let home = [Some(210_402_011_003), Some(210_402_011_004), Some(999_999_999_999), None][unit];
                let mut fields = Vec::new();
                if let Some(home) = home {
                    let mut bytes = Vec::new();
                    put_varint(HOME_UNIT, home, &mut bytes);
                    fields.push((Field { tag: HOME_UNIT, bytes: bytes.into() }, base));
                }
                let mut bytes = Vec::new();
                put_bytes(20, kind.as_bytes(), &mut bytes);
                fields.push((Field { tag: 20, bytes: bytes.into() }, base));
                let change = change::write(RecordId([serial; 16]), number::FACILITY, &fields, Stamp::at_millis(9), "c");
                let offer = is_told.then(|| pb::Offer { created: base, changes: 1, ..pb::Offer::default() });
                let change = pb::Change { seen: base, offer, ..change };
                let Ok(edit) = change::Edit::read(change) else { continue };
                let peer = &peers[usize::from(asks)];
                let author = taizhang_proto::decide::Author { node: nodes[usize::from(asks)], tier: Tier::Community };
                let origin = pb::Origin { revision: before + 1, unit: peer.unit.number(), ..Default::default() };
                let judged = || {
                    let known = commit.known();
                    let arrived =
                        judge::Arrived { edit: edit.clone(), is_sound: false, author, origin: origin.clone() };
                    let judged = if is_told { known.judge_told(peer, arrived) } else { known.judge(peer, arrived) };
                    known.findings(RecordId([serial; 16])).unwrap();
                    match judged.unwrap() {
                        outcome::Judgement::Refused(why) => format!("{why:?}"),
                        outcome::Judgement::Known => "known".into(),
                        outcome::Judgement::Note { .. } => "note".into(),
                        outcome::Judgement::Unheld { .. } => "unheld".into(),
                        outcome::Judgement::Taken(taken) => format!("{:?} {:?}", taken.decision, taken.applied.record),
                    }
                };
                let first = judged();
                proptest::prop_assert_eq!(&first, &judged());
            }
            proptest::prop_assert_eq!(commit.newest_revision(), before);
            let (set, _) = finish::finish(commit, &std::sync::atomic::AtomicU64::new(0)).unwrap();
            proptest::prop_assert!(set.is_empty());
        }
    }

    #[test]
    fn answers_are_given_again_up_to_a_bound() {
        let dir = tempfile::tempdir().unwrap();
        let (core, peers, nodes) = with_two_offices(dir.path());
        // A name that no hub reads: each is refused, with words.
        let name = "x".repeat(300);
        let said: Vec<(&str, u8)> = (1..60).map(|serial| (name.as_str(), serial)).collect();
        let both = |from: u64, upto: usize| {
            let Job::Push { peer, node, changes, skew, room, .. } = batch(&peers[0], nodes[0], &said[..upto]) else {
                panic!("a push")
            };
            Job::Push { peer, node, first: from, changes, skew, room }
        };
        for round in 0..2 {
            assert!(!outcomes(core.commit(vec![both(round * 59 + 1, 59)]).pop().unwrap()).is_empty());
        }
        // One row of answers is always given again.
        assert!(!outcomes(core.commit(vec![both(60, 59)]).pop().unwrap()).is_empty());
        let Job::Push { peer, node, mut changes, skew, room, .. } = both(1, 59) else { panic!("a push") };
        let Job::Push { changes: more, .. } = both(1, 59) else { panic!("a push") };
        changes.extend(more);
        let all = Job::Push { peer, node, first: 1, changes, skew, room };
        assert!(matches!(core.commit(vec![all]).pop().unwrap(), Err(WriteError::Repeated)));
    }
}
