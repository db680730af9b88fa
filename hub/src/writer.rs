//! The one way in at a hub: a single writer with group commit. It drains the queue of all sessions, decides, writes
//! one batch over all spaces, syncs once, then answers everybody.
//! Invariant: an answer is sent only after the batch that holds its effect is on disk; totals, digests, feed and the
//! child's acknowledged number change in the same batch as the records.

mod again;
mod cells;
mod child;
pub(crate) mod competence;
mod conflicts;
mod decree;
mod inspect;
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
mod resolve;
mod revise;
mod seen;
mod unique;

use crate::{
    lineage::Lineage,
    months::{self, Months},
    orders, readers,
    rows::{self, NodeRow, meta},
    store::{Space, Store, StoreError, View, WriteSet},
};
use bytes::Bytes;
pub use competence::settled_by;
pub(crate) use mail::is_counted;
pub use mail::{MarkBatch, News};
use pad::Pad;
use prost::Message;
pub use resolve::{Review, choices};
use ring::signature::{Ed25519KeyPair, KeyPair};
use std::sync::{
    Arc, Mutex, OnceLock, PoisonError, RwLock,
    atomic::{AtomicI32, Ordering},
};
use taizhang_node::ledger::Clock;
use taizhang_proto::{
    OrgCode,
    change::{ChangeError, Edit},
    date,
    month::short_digest,
    org::UnitTree,
    pb,
    pb::Tier,
    plan::{self, Plans},
};
use tokio::sync::{Semaphore, mpsc, oneshot, watch};

/// Who a child is, from its certificate.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Peer {
    /// Its id.
    pub id: String,
    /// Its unit: the scope it may see and write.
    pub unit: OrgCode,
    /// Whether it is a hub itself.
    pub hub: bool,
}

/// One change of a pushed batch: its bytes as sent, and what they say.
pub struct Pushed {
    /// As the log digest chains it.
    pub raw: Bytes,
    /// Read, or why it can't be.
    pub edit: Result<Edit, ChangeError>,
}

/// Something to write.
pub enum Job {
    /// A child opens a session.
    Greet {
        /// Who.
        peer: Peer,
        /// With what.
        hello: Box<pb::Hello>,
    },
    /// A child's batch of changes.
    Push {
        /// Who.
        peer: Peer,
        /// This hub's number for the child's log, as its session was greeted under.
        node: u32,
        /// Number of the first change.
        first: u64,
        /// The changes.
        changes: Vec<Pushed>,
        /// Room in memory for the batch, given back once it is written.
        room: Option<tokio::sync::OwnedSemaphorePermit>,
    },
    /// A child hub's cells.
    Cells {
        /// Who.
        peer: Peer,
        /// The child's revision that these reach.
        last: u64,
        /// Values.
        cells: Vec<pb::CellValue>,
        /// Letters that belong to those revisions.
        letters: Vec<pb::Letter>,
        /// Blinded marks.
        marks: Vec<pb::MarkValue>,
        /// The child's revision that the marks reach.
        marked: u64,
        /// The stretch of the child's history that runs.
        stretch: Bytes,
    },
    /// A child has everything up to a revision on its disk.
    Heard {
        /// Who.
        peer: Peer,
        /// What it says.
        heard: pb::Heard,
    },
    /// A child stays in its session with nothing to say.
    Present {
        /// Who.
        peer: Peer,
    },
    /// A child's records differ from the hub's without a reason.
    Differs {
        /// Who.
        peer: Peer,
    },
    /// A new tree of units, as CSV, and its version where the parent gave it one.
    Tree(String, Option<u64>),
    /// The published plans, as the city signed them.
    Plans(Bytes),
    /// The program counts by other rules than before: what it writes of its own accord is written anew.
    Settle,
    /// Somebody who may read figures, and the token that was used for it.
    Reader([u8; 32], rows::TokenRow, pb::ReaderInfo),
    /// A draw for the record, under its key.
    Draw(Vec<u8>, Vec<u8>),
    /// The tasks that the city has given, as it signed them.
    Orders(Bytes),
    /// A token for enrolment: hash of its secret, what it allows.
    Token([u8; 32], rows::TokenRow),
    /// The parent has acknowledged the cells up to a revision; seconds since 1970 when everything was said.
    Upward(u64, Option<u64>),
    /// The parent's mail, checked and opened.
    News(Vec<News>),
    /// Marks of records, worked out from a view.
    Marks(MarkBatch),
    /// Every mark under a generation has been sent.
    Remarked(u32),
    /// A new mark key, where this hub makes them.
    RotateKey,
    /// A child was enrolled.
    Enrolled(Box<NodeRow>),
    /// A child will not come back, or does after all.
    Retire {
        /// Its id.
        id: String,
        /// It serves again.
        undo: bool,
    },
    /// The certificate, PEM, of a child hub that was enrolled before its neighbours needed it.
    Certificate(Peer, String),
    /// A reviewer rules.
    Review(Review),
    /// A reviewer rules at a unit below, on what is its own to settle.
    ReviewBelow(OrgCode, Review),
    /// A month that the city has locked.
    Month {
        /// Its place among the months, from 1, where the parent says it; the city locks the next.
        place: Option<u64>,
        /// Its signed text.
        signed: Box<pb::SignedMonth>,
        /// Sheets: at the city every one, below it those that came along.
        sheets: Vec<Bytes>,
    },
    /// What this hub once signed and a child says again, because the store that had it was lost.
    Again {
        /// Who says it.
        peer: Peer,
        /// What.
        document: pb::Document,
    },
}

/// What became of a job.
pub enum Answer {
    /// The child as it is known now, and the views it is greeted with.
    Greeted(Box<NodeRow>),
    /// Verdicts on a push, in order; the second and later are repeats of earlier answers.
    Verdicts(Vec<pb::Verdicts>),
    /// What became of a reviewer's request.
    Reviewed(pb::ResolveAnswer),
    /// The record that a reviewer edited.
    Revised(taizhang_proto::RecordId),
    /// Why a reviewer's edit was not taken.
    Refused(String),
    /// A document that a child said again was looked at.
    Again(pb::Document),
    /// Done.
    Done,
}

/// Why a job was not done.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The store failed; nothing of the batch may be relied on.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A batch does not follow the last one.
    #[error("batch begins at {first}, but {acknowledged} is the last that arrived")]
    Gap {
        /// First change of the batch.
        first: u64,
        /// Last change on disk.
        acknowledged: u64,
    },
    /// The child has greeted under another log since: this session is an old one.
    #[error("the node goes on in another session, under another log")]
    Superseded,
    /// A city holds no personal data.
    #[error("市级节点不接收个人登记，请在所属县区登记 (a city takes no records: enrol at the district)")]
    NoRecords,
    /// Only an enrolled child may write.
    #[error("unknown node {0}; enrol it")]
    Unknown(String),
    /// A reader wants to sync.
    #[error("只读证书只能查看数字，不能同步 (a reader's certificate opens figures alone: it can't sync)")]
    ReadOnly,
    /// A child that was retired.
    #[error("本机已停用，如需继续使用请向上级重新登记 (this node was retired: enrol anew to go on)")]
    Retired,
    /// The tree of units can't be read.
    #[error(transparent)]
    Tree(#[from] taizhang_proto::org::TreeError),
    /// The plan can't be taken.
    #[error(transparent)]
    Plan(#[from] plan::PlanError),
    /// A locked month can't be taken.
    #[error(transparent)]
    Month(#[from] taizhang_proto::month::MonthError),
    /// The task orders can't be taken.
    #[error(transparent)]
    Orders(#[from] taizhang_proto::orders::OrderError),
    /// Another hub makes the keys, or none does yet.
    #[error("本级不掌管比对密钥，请在掌管的县区操作 (this hub does not make the mark keys: ask the one that does)")]
    NoKey,
    /// A change of key is under way.
    #[error("上一次更换密钥尚未完成 (the last change of key is not through: wait until every district has synced)")]
    Rotating,
    /// The writer has stopped.
    #[error("the hub is shutting down")]
    Stopped,
}

/// Most changes that one commit takes, so that memory and the parent's batches stay bounded.
const MAX_COMMIT_CHANGES: usize = 8 * 1024;
/// Jobs that may wait for the writer.
const QUEUE: usize = 256;

/// The plan as it stands at a hub.
#[derive(Clone)]
struct Standing {
    plans: Arc<Plans>,
    /// The published list and its version, as it goes down; none before the city has published one.
    published: Option<(u64, Bytes)>,
    /// The short digest of that list; empty without one.
    digest: Bytes,
    /// The city's key as it was first heard.
    key: Option<Bytes>,
}

impl Standing {
    /// Version of the published list; 0 before the first.
    fn version(&self) -> u64 {
        self.published.as_ref().map_or(0, |(version, _)| *version)
    }

    fn read(list: Option<Bytes>) -> Result<Self, StoreError> {
        let Some(list) = list else {
            let plans = Arc::new(Plans::notice_2008().clone());
            return Ok(Self { plans, published: None, digest: Bytes::new(), key: None });
        };
        let read = plan::read_list(&list, None).map_err(|_| StoreError::Row(Space::Documents))?;
        Ok(Self::of(read, list))
    }

    /// A list that was read.
    fn of(read: plan::Published, list: Bytes) -> Self {
        let digest = short_digest(&list).into();
        Self { plans: Arc::new(read.plans), published: Some((read.version, list)), digest, key: Some(read.key) }
    }
}

/// What sessions, totals and the writer share.
pub struct Core {
    /// The hub's own unit.
    pub unit: OrgCode,
    /// District or city.
    pub tier: Tier,
    /// The rows.
    pub store: Box<dyn Store>,
    /// The hub's clock, milliseconds since 1970.
    pub clock: Clock,
    /// The tree of units under its version: the two are read together, or a child would keep an old tree as the new.
    tree: RwLock<(u64, Arc<UnitTree>)>,
    /// Every version of the plan that is known here.
    plans: RwLock<Standing>,
    /// The locked months that are known here.
    months: RwLock<Arc<Months>>,
    /// The city's task orders as they go down, under their version; none before the first.
    orders: RwLock<Option<(u64, Bytes)>>,
    /// With what this hub signs, where it is the city.
    signer: OnceLock<Ed25519KeyPair>,
    /// The stretches of this hub's history, the running one last.
    pub lineage: Lineage,
    /// The next day on which a code of the tree is given up.
    follow_on: AtomicI32,
    committing: Mutex<()>,
    /// One child at a time is repaired: the list of a large scope takes memory.
    pub(crate) repairs: Arc<Semaphore>,
    revision: watch::Sender<u64>,
    /// How often somebody was retired: who is in a session looks whether it was them.
    retirements: watch::Sender<u64>,
}

impl Core {
    /// A hub's core on a store.
    ///
    /// # Errors
    /// When the store fails.
    pub fn open(unit: OrgCode, tier: Tier, store: Box<dyn Store>, clock: Clock) -> Result<Arc<Self>, StoreError> {
        let view = store.view();
        let revision = rows::counter(view.as_ref(), meta::REVISION)?;
        let tree = match view.get(Space::Documents, b"units")? {
            Some(csv) => {
                UnitTree::from_csv(&String::from_utf8_lossy(&csv)).map_err(|_| StoreError::Row(Space::Documents))?
            }
            None => UnitTree::default(),
        };
        let mut set = WriteSet::default();
        if view.get(Space::Meta, meta::EPOCH)?.is_none() {
            set.put(Space::Meta, meta::EPOCH, rand::random::<[u8; 16]>());
        }
        let tree_version = rows::counter(view.as_ref(), meta::TREE)?;
        let lineage = Lineage::read(view.as_ref())?.begin(revision, &mut set);
        let standing = Standing::read(view.get(Space::Documents, b"plan")?)?;
        let recount = tier != Tier::City
            && view.get(Space::Meta, meta::RULES)?.as_deref() != Some(&rederive::rules(&standing.plans));
        let months = Months::read(view.as_ref())?;
        let orders = orders::read(view.as_ref())?;
        store.commit(set)?;
        drop(view);
        let core = Arc::new(Self {
            unit,
            tier,
            store,
            plans: RwLock::new(standing),
            months: RwLock::new(Arc::new(months)),
            orders: RwLock::new(orders),
            clock,
            tree: RwLock::new((tree_version, Arc::new(tree))),
            signer: OnceLock::new(),
            lineage,
            follow_on: AtomicI32::new(i32::MIN), // looked at with the first commit
            committing: Mutex::new(()),
            repairs: Arc::new(Semaphore::new(1)),
            revision: watch::Sender::new(revision),
            retirements: watch::Sender::new(0),
        });
        if recount {
            core.rederive(&core.plans())?;
            for answer in core.commit(vec![Job::Settle]) {
                if let Err(WriteError::Store(error)) = answer {
                    return Err(error);
                }
            }
        }
        Ok(core)
    }

    /// Counts everything anew by these plans, in one commit.
    fn rederive(&self, plans: &Plans) -> Result<(), StoreError> {
        let view = self.store.view();
        let mut pad = Pad::new(self, view.as_ref())?;
        pad.rederive(plans)?;
        let (set, revision) = pad.finish()?;
        self.store.commit(set)?;
        self.revision.send_replace(revision);
        Ok(())
    }

    /// The rows as they stand.
    pub fn view(&self) -> Box<dyn View> {
        self.store.view()
    }

    /// The tree of units.
    pub fn tree(&self) -> Arc<UnitTree> {
        self.versioned_tree().1
    }

    /// The tree of units and its version.
    pub fn versioned_tree(&self) -> (u64, Arc<UnitTree>) {
        self.tree.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Every version of the plan that is known here.
    pub fn plans(&self) -> Arc<Plans> {
        self.plans.read().unwrap_or_else(PoisonError::into_inner).plans.clone()
    }

    /// Version of the published plans; 0 before the city has published one.
    pub fn plan_version(&self) -> u64 {
        self.published_plans().map_or(0, |(version, _)| version)
    }

    /// The short digest of the list of published plans; empty before the city has published one.
    pub fn plan_digest(&self) -> Bytes {
        self.plans.read().unwrap_or_else(PoisonError::into_inner).digest.clone()
    }

    /// The published plans as they go down, with their version; none before the city has published one.
    pub fn published_plans(&self) -> Option<(u64, Bytes)> {
        self.plans.read().unwrap_or_else(PoisonError::into_inner).published.clone()
    }

    /// The locked months that are known here.
    pub fn months(&self) -> Arc<Months> {
        self.months.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The city's task orders as they go down, under their version; none before the first.
    pub fn orders(&self) -> Option<(u64, Bytes)> {
        self.orders.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Version of the task orders; 0 before the first.
    pub fn orders_version(&self) -> u64 {
        self.orders().map_or(0, |(version, _)| version)
    }

    /// Has this hub, the city, sign with a key; the first one stays.
    pub fn sign_with(&self, key: Ed25519KeyPair) {
        let _ = self.signer.set(key);
    }

    /// With what this hub signs, where it is the city.
    pub fn signer(&self) -> Option<&Ed25519KeyPair> {
        self.signer.get()
    }

    /// The key under which the city signs: its own; below it the one that was heard first, whatever it came with.
    pub fn city_key(&self) -> Option<Bytes> {
        let own = || self.signer().map(|key| Bytes::copy_from_slice(key.public_key().as_ref()));
        let of_plan = || self.plans.read().unwrap_or_else(PoisonError::into_inner).key.clone();
        let of_list = || pb::SignedOrders::decode(self.orders()?.1).ok().map(|list| list.key);
        own().or_else(of_plan).or_else(|| self.months().key().cloned()).or_else(of_list)
    }

    /// Changes with every commit.
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.revision.subscribe()
    }

    /// Changes whenever somebody was retired.
    pub fn retirements(&self) -> watch::Receiver<u64> {
        self.retirements.subscribe()
    }

    /// The business day in Shanghai.
    pub fn today(&self) -> date::Day {
        date::shanghai((self.clock)())
    }

    /// Seconds since 1970.
    pub fn now(&self) -> u64 {
        (self.clock)() / 1_000
    }

    /// Does a group of jobs with one batch and one sync, and answers each in its place. When the batch can't be
    /// written, every job fails.
    pub fn commit(&self, jobs: Vec<Job>) -> Vec<Result<Answer, WriteError>> {
        let _one_at_a_time = self.committing.lock().unwrap_or_else(PoisonError::into_inner);
        let count = jobs.len();
        self.try_commit(jobs).unwrap_or_else(|error| {
            let message = error.to_string();
            (0..count).map(|_| Err(StoreError::Engine(message.clone()).into())).collect()
        })
    }

    fn try_commit(&self, jobs: Vec<Job>) -> Result<Vec<Result<Answer, WriteError>>, StoreError> {
        let view = self.store.view();
        let mut pad = Pad::new(self, view.as_ref())?;
        let mut answers = Vec::with_capacity(jobs.len());
        let (mut new_tree, mut new_plans, mut new_months, mut retired) = (None, None, None, false);
        if self.tier != Tier::City && self.today() >= self.follow_on.load(Ordering::Relaxed) {
            pad.follow_tree()?;
        }
        for job in jobs {
            let answer = match job {
                Job::Greet { peer, hello } => pad.greet(&peer, &hello),
                Job::Push { peer, node, first, changes, room } => {
                    let answer = pad.push(&peer, (node, first), changes);
                    drop(room);
                    answer
                }
                Job::Cells { peer, last, cells, letters, marks, marked, stretch } => {
                    pad.take_cells(&peer, (last, &stretch), &cells, letters, (&marks, marked))
                }
                Job::News(news) => pad.take_news(news),
                Job::Marks(batch) => pad.take_index(batch),
                Job::Remarked(generation) => pad.say_remarked(generation),
                Job::RotateKey => pad.rotate_key(),
                Job::Heard { peer, heard } => pad.heard(&peer, heard),
                Job::Present { peer } => pad.present(&peer),
                Job::Differs { peer } => pad.differs(&peer),
                Job::Tree(csv, version) => match UnitTree::from_csv(&csv) {
                    Err(error) => Err(error.into()),
                    // One that is not newer than what stands is an old message.
                    Ok(_) if version.is_some_and(|version| pad.tree_version >= version) => Ok(Answer::Done),
                    Ok(tree) => pad.set_tree(&tree, csv, version).map(|()| {
                        new_tree = Some((pad.tree_version, Arc::new(tree)));
                        Answer::Done
                    }),
                },
                Job::Plans(list) => self.take_plans(&mut pad, &mut new_plans, list).map(|()| Answer::Done),
                Job::Draw(key, row) => {
                    pad.set.put(Space::Documents, key, row);
                    Ok(Answer::Done)
                }
                Job::Orders(list) => pad.take_orders(list),
                Job::Token(hash, row) => {
                    pad.set.put(Space::Tokens, hash, row.encode_to_vec());
                    Ok(Answer::Done)
                }
                Job::Upward(acknowledged, at) => {
                    pad.set.put(Space::Meta, meta::UP, acknowledged.to_be_bytes());
                    if let Some(at) = at {
                        pad.set.put(Space::Meta, meta::UP_AT, at.to_be_bytes());
                    }
                    Ok(Answer::Done)
                }
                Job::Review(review) => pad.review(review, None),
                Job::ReviewBelow(unit, review) => pad.review(review, Some(unit)),
                Job::Month { place, signed, sheets } => {
                    let before = new_months.clone().unwrap_or_else(|| self.months());
                    let place = place.unwrap_or(before.count() + 1);
                    let key = self.city_key().unwrap_or_else(|| signed.key.clone());
                    let taken = before.with(place, &signed, &key).and_then(|now| {
                        months::put(&mut pad.set, (&before, &now), place, &sheets)?;
                        Ok(now)
                    });
                    taken.map_err(WriteError::from).map(|now| {
                        new_months = Some(Arc::new(now));
                        Answer::Done
                    })
                }
                Job::Again { peer, document } => {
                    let standing = (&mut new_plans, &mut new_months);
                    match self.hear_again(&mut pad, standing, &document) {
                        Err(WriteError::Store(error)) => return Err(error),
                        Err(error) => {
                            let kind = &document.kind;
                            tracing::warn!(unit = %peer.unit, kind, %error, "what a child said again was left");
                        }
                        Ok(()) => {}
                    }
                    Ok(Answer::Again(pb::Document { content: Bytes::new(), ..document }))
                }
                Job::Retire { id, undo } => {
                    retired |= !undo;
                    pad.retire(id, undo)
                }
                Job::Settle => pad.settle_all(),
                Job::Reader(hash, row, reader) => {
                    pad.set.put(Space::Tokens, hash, row.encode_to_vec());
                    readers::put(&mut pad.set, &reader);
                    Ok(Answer::Done)
                }
                Job::Certificate(peer, certificate) => pad.learn_certificate(&peer, certificate),
                Job::Enrolled(row) => {
                    let told = pad.note_enrolled(&row);
                    pad.put_node(*row);
                    told.map(|()| Answer::Done).map_err(WriteError::from)
                }
            };
            if let Err(WriteError::Store(error)) = answer {
                return Err(error); // the pad may hold half of the job
            }
            answers.push(answer);
        }
        let new_orders = pad.new_orders.take();
        let (set, revision) = pad.finish()?;
        if !set.is_empty() {
            self.store.commit(set)?;
        }
        let moved = new_orders.is_some() || new_tree.is_some() || new_plans.is_some() || new_months.is_some();
        if new_orders.is_some() {
            *self.orders.write().unwrap_or_else(PoisonError::into_inner) = new_orders;
        }
        if let Some(months) = new_months {
            *self.months.write().unwrap_or_else(PoisonError::into_inner) = months;
        }
        if let Some(tree) = new_tree {
            *self.tree.write().unwrap_or_else(PoisonError::into_inner) = tree;
        }
        if let Some(standing) = new_plans {
            // A hub that is stopped before this finds at its start that it counted by other plans.
            if self.tier != Tier::City {
                self.rederive(&standing.plans)?;
            }
            *self.plans.write().unwrap_or_else(PoisonError::into_inner) = standing;
        }
        if retired {
            self.retirements.send_modify(|count| *count += 1);
        }
        let revision = revision.max(*self.revision.borrow());
        self.revision.send_if_modified(|known| std::mem::replace(known, revision) != revision || moved);
        Ok(answers)
    }
}

type Waiting = (Job, oneshot::Sender<Result<Answer, WriteError>>);

/// The queue to the writer's thread.
#[derive(Clone)]
pub struct Writer {
    queue: mpsc::Sender<Waiting>,
}

impl Writer {
    /// Starts the writer's thread; it ends when the last clone of the queue is dropped.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn start(core: Arc<Core>) -> std::io::Result<Self> {
        let (queue, mut waiting) = mpsc::channel::<Waiting>(QUEUE);
        std::thread::Builder::new().name("writer".into()).spawn(move || {
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
        Ok(Self { queue })
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
