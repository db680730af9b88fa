//! What sessions, totals and the writer share: the rows with what is read from them once, and the commit.
//! Invariant: what is kept in memory beside the rows (tree, plans, months, orders) is replaced only after the batch that
//! has it is on disk.

use super::{
    job::{Answer, Job, WriteError},
    pad::Pad,
    rederive,
};
use crate::{
    lineage::Lineage,
    months::{self, Months},
    orders, readers,
    rows::{self, meta},
    session::turns::Turns,
    store::{Space, Store, StoreError, View, WriteSet},
};
use bytes::Bytes;
use prost::Message;
use ring::signature::{Ed25519KeyPair, KeyPair};
use std::sync::{
    Arc, Mutex, OnceLock, PoisonError, RwLock,
    atomic::{AtomicI32, Ordering},
};
use std::{
    cell::{Cell, RefCell},
    panic::{self, AssertUnwindSafe},
};
use taizhang_node::ledger::Clock;
use taizhang_proto::{
    OrgCode, date,
    month::short_digest,
    org::UnitTree,
    pb::{self, Tier},
    plan::{self, Plans},
};
use tokio::sync::watch;

/// The plan as it stands at a hub.
#[derive(Clone)]
pub(super) struct Standing {
    pub(super) plans: Arc<Plans>,
    /// The published list and its version, as it goes down; none before the city has published one.
    pub(super) published: Option<(u64, Bytes)>,
    /// The short digest of that list; empty without one.
    pub(super) digest: Bytes,
    /// The city's key as it was first heard.
    pub(super) key: Option<Bytes>,
}

impl Standing {
    /// Version of the published list; 0 before the first.
    pub(super) fn version(&self) -> u64 {
        self.published.as_ref().map_or(0, |(version, _)| *version)
    }

    pub(super) fn read(list: Option<Bytes>) -> Result<Self, StoreError> {
        let Some(list) = list else {
            let plans = Arc::new(Plans::notice_2008().clone());
            return Ok(Self { plans, published: None, digest: Bytes::new(), key: None });
        };
        let read = plan::read_list(&list, None).map_err(|_| StoreError::Row(Space::Documents))?;
        Ok(Self::of(read, list))
    }

    /// A list that was read.
    pub(super) fn of(read: plan::Published, list: Bytes) -> Self {
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
    pub(super) follow_on: AtomicI32,
    committing: Mutex<()>,
    /// One child at a time is repaired: the list of a large scope takes memory.
    pub(crate) repairs: Arc<Turns>,
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
            repairs: Arc::default(),
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
        let (is_written, doing) = (Cell::new(false), RefCell::new(String::new()));
        let outcome = panic::catch_unwind(AssertUnwindSafe(|| self.try_commit(jobs, (&is_written, &doing))));
        let outcome = outcome.unwrap_or_else(|panicked| {
            if is_written.get() {
                // What is in memory no longer follows from the rows: only a new start reads them anew.
                panic::resume_unwind(panicked);
            }
            let node = doing.take();
            tracing::error!(%node, "a commit panicked: nothing of it was written, and its jobs failed");
            Err(StoreError::Engine(
                "写入时程序出错，本批未写入 (the commit panicked; nothing of it was written)".into(),
            ))
        });
        outcome.unwrap_or_else(|error| {
            let message = error.to_string();
            (0..count).map(|_| Err(StoreError::Engine(message.clone()).into())).collect()
        })
    }

    fn try_commit(
        &self,
        jobs: Vec<Job>,
        (is_written, doing): (&Cell<bool>, &RefCell<String>),
    ) -> Result<Vec<Result<Answer, WriteError>>, StoreError> {
        let view = self.store.view();
        let mut pad = Pad::new(self, view.as_ref())?;
        let mut answers = Vec::with_capacity(jobs.len());
        let (mut new_tree, mut new_plans, mut new_months, mut retired) = (None, None, None, false);
        if self.tier != Tier::City && self.today() >= self.follow_on.load(Ordering::Relaxed) {
            pad.follow_tree()?;
        }
        for job in jobs {
            doing.replace(job.child().unwrap_or_default().to_owned());
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
        doing.take(); // what fails from here on is nobody's alone
        let new_orders = pad.new_orders.take();
        let (set, revision) = pad.finish()?;
        if !set.is_empty() {
            is_written.set(true);
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
