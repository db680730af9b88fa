//! What sessions, totals and the writer share: the store, and what is read from its rows once.
//! Invariant: what is kept in memory beside the rows (tree, plans, months, orders, the roll) is replaced only by
//! [`Core::take_up`], after the commit that has it is on disk, and by [`Core::mend`], from the rows.

pub(crate) mod access;
pub(crate) mod months;
pub(crate) mod orders;
pub(crate) mod outside;
mod plan;
pub mod readers;

pub use access::Peer;
pub(crate) use plan::{Foreseen, PlanInForce};

use crate::{
    lineage::Lineage,
    roll,
    rows::{self, meta},
    store::{Space, Store, StoreError, View},
    turns::Turns,
};
use bytes::Bytes;
use months::Months;
use outside::Outside;
use prost::Message;
use ring::signature::{Ed25519KeyPair, KeyPair};
use std::{
    collections::{BTreeSet, HashMap},
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicI32, AtomicU64, Ordering},
    },
};
use taizhang_node::ledger::Clock;
use taizhang_proto::{
    OrgCode, RecordId,
    date::{self, Day},
    org::UnitTree,
    pb::{self, Roll, Tier},
    plan::Plans,
};
use tokio::sync::watch;

/// Most unreadable records that are told apart; the first already says that the store is damaged.
const MAX_UNREADABLE: usize = 10_000;

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
    plan: RwLock<PlanInForce>,
    /// The locked months that are known here.
    months: RwLock<Arc<Months>>,
    /// The city's task orders as they go down, under their version; none before the first.
    orders: RwLock<Option<(u64, Bytes)>>,
    /// Who was retired and which tokens were used, as it goes down.
    roll: RwLock<Arc<Roll>>,
    /// Where that is kept besides, outside the store.
    outside: Outside,
    /// With what this hub signs, where it is the city.
    signer: OnceLock<Ed25519KeyPair>,
    /// The stretches of this hub's history, the running one last.
    pub lineage: Lineage,
    /// What the writer knows of its commits.
    pub(crate) commits: Commits,
    /// Records whose rows can't be read.
    unreadable: Mutex<BTreeSet<RecordId>>,
    /// What is kept in memory may not be what the store says, which was opened anew.
    is_behind: AtomicBool,
    /// Districts that have said all the sheets of months that they hold, since this process began: what is missing then, they
    /// have not either.
    said_sheets: Mutex<BTreeSet<OrgCode>>,
    /// One child at a time is repaired: the list of a large scope takes memory.
    pub(crate) repairs: Arc<Turns>,
    revision: watch::Sender<u64>,
    /// How often somebody was retired: who is in a session looks whether it was them.
    retirements: watch::Sender<u64>,
    /// Which authority signs (0: none, in memory), and the digest of all that children may go by.
    authorities: RwLock<(u32, [u8; 8])>,
}

/// What the writer knows of its commits.
pub(crate) struct Commits {
    /// One at a time.
    lock: Mutex<()>,
    /// The running stretch is on disk: a process that writes nothing begins none, and nobody hears of it before.
    pub(crate) has_begun: AtomicBool,
    /// So many commits hold one job each, after one has panicked.
    pub(crate) careful: AtomicU64,
    /// The next day on which a code of the tree is given up.
    pub(crate) follow_on: AtomicI32,
    /// Most work that one commit takes on.
    pub(crate) most_work: AtomicU64,
    /// What all of them came to.
    pub(crate) work_done: AtomicU64,
    /// Whom a plan that has come counts otherwise, as far as somebody has looked.
    foreseen: Mutex<Option<Foreseen>>,
    /// The session by which each child hub greeted last.
    greeted: Mutex<HashMap<String, u64>>,
}

impl Commits {
    fn new(most_work: u64) -> Self {
        Self {
            lock: Mutex::new(()),
            has_begun: AtomicBool::new(false),
            careful: AtomicU64::new(0),
            follow_on: AtomicI32::new(i32::MIN), // looked at with the first commit
            most_work: AtomicU64::new(most_work),
            work_done: AtomicU64::new(0),
            foreseen: Mutex::new(None),
            greeted: Mutex::default(),
        }
    }

    /// Takes note that a child hub greets by a session: no earlier one speaks for it any more.
    pub(crate) fn note_greeted(&self, child: &str, session: u64) {
        self.greeted.lock().unwrap_or_else(PoisonError::into_inner).insert(child.to_owned(), session);
    }

    /// Whether a child hub has greeted anew since this session did.
    pub(crate) fn is_overtaken(&self, child: &str, session: u64) -> bool {
        let greeted = self.greeted.lock().unwrap_or_else(PoisonError::into_inner);
        session > 0 && greeted.get(child).is_some_and(|last| *last != session)
    }

    /// What was looked for of a plan that has come.
    pub(crate) fn foreseen(&self) -> MutexGuard<'_, Option<Foreseen>> {
        self.foreseen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Nobody else commits while this is held.
    pub(crate) fn one_at_a_time(&self) -> MutexGuard<'_, ()> {
        self.lock.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a commit brings that is kept in memory beside the rows.
#[derive(Default)]
pub(crate) struct Fresh {
    /// The tree of units under its version.
    pub(crate) tree: Option<(u64, Arc<UnitTree>)>,
    /// The plan.
    pub(crate) plan: Option<PlanInForce>,
    /// The locked months.
    pub(crate) months: Option<Arc<Months>>,
    /// The task orders under their version.
    pub(crate) orders: Option<(u64, Bytes)>,
    /// Who was retired and which tokens were used.
    pub(crate) roll: Option<Roll>,
    /// The next day on which a code of the tree is given up.
    pub(crate) follow_on: Option<Day>,
}

impl Fresh {
    /// Whether somebody who waits for news has some.
    pub(crate) fn is_news(&self) -> bool {
        self.tree.is_some()
            || self.plan.is_some()
            || self.months.is_some()
            || self.orders.is_some()
            || self.roll.is_some()
    }

    /// What the rows say now.
    fn read(view: &dyn View, lineage: &Lineage) -> Result<Self, StoreError> {
        Ok(Self {
            tree: Some((rows::counter(view, meta::TREE)?, Arc::new(read_tree(view)?))),
            plan: Some(PlanInForce::read(view.get(Space::Documents, b"plan")?)?),
            months: Some(Arc::new(Months::read(view)?)),
            orders: orders::read(view)?,
            roll: Some(roll::of_store(view, &lineage.secret())?),
            follow_on: None,
        })
    }
}

fn read_tree(view: &dyn View) -> Result<UnitTree, StoreError> {
    let Some(csv) = view.get(Space::Documents, b"units")? else { return Ok(UnitTree::default()) };
    UnitTree::from_csv(&String::from_utf8_lossy(&csv)).map_err(|_| StoreError::Row(Space::Documents))
}

fn replace<T>(place: &RwLock<T>, fresh: Option<T>) {
    if let Some(fresh) = fresh {
        *place.write().unwrap_or_else(PoisonError::into_inner) = fresh;
    }
}

impl Core {
    /// What a store says, with a new stretch of its history begun in memory. `secret` is that of the hub's seals, as it is kept
    /// outside the store; a commit takes on `most_work`.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) fn read(
        (unit, tier): (OrgCode, Tier),
        store: Box<dyn Store>,
        clock: Clock,
        secret: Option<[u8; 32]>,
        most_work: u64,
    ) -> Result<Self, StoreError> {
        let view = store.view();
        let revision = rows::counter(view.as_ref(), meta::REVISION)?;
        let lineage = Lineage::read(view.as_ref())?.sealing(secret).begin(revision);
        let Fresh { tree, plan, months, orders, roll, .. } = Fresh::read(view.as_ref(), &lineage)?;
        drop(view);
        Ok(Self {
            unit,
            tier,
            store,
            clock,
            tree: RwLock::new(tree.unwrap_or_default()),
            plan: RwLock::new(plan.unwrap_or_else(PlanInForce::of_the_notice)),
            months: RwLock::new(months.unwrap_or_default()),
            orders: RwLock::new(orders),
            roll: RwLock::new(Arc::new(roll.unwrap_or_default())),
            outside: Outside::default(),
            signer: OnceLock::new(),
            lineage,
            commits: Commits::new(most_work),
            unreadable: Mutex::default(),
            is_behind: AtomicBool::new(false),
            said_sheets: Mutex::default(),
            repairs: Arc::default(),
            revision: watch::Sender::new(revision),
            retirements: watch::Sender::new(0),
            authorities: RwLock::default(),
        })
    }

    /// Opens the store anew after a fault, and reads again what is kept in memory beside it: a commit that failed may be
    /// there all the same.
    ///
    /// # Errors
    /// While the store can't be opened.
    pub fn mend(&self) -> Result<(), StoreError> {
        let _one_at_a_time = self.commits.one_at_a_time();
        if self.store.fault().is_some() {
            self.store.mend()?;
            // Only now: as long as it can't be opened, what is told is why.
            self.is_behind.store(true, Ordering::Release);
        }
        let view = self.store.view();
        let mut fresh = Fresh::read(view.as_ref(), &self.lineage)?;
        // A commit brings orders or leaves them; here there may be none.
        *self.orders.write().unwrap_or_else(PoisonError::into_inner) = fresh.orders.take();
        self.keep_in_memory(fresh);
        self.revision.send_replace(rows::counter(view.as_ref(), meta::REVISION)?);
        self.is_behind.store(false, Ordering::Release);
        Ok(())
    }

    /// Whether the store was opened anew, and could not be read then.
    pub fn is_behind_store(&self) -> bool {
        self.is_behind.load(Ordering::Acquire)
    }

    fn keep_in_memory(&self, fresh: Fresh) {
        replace(&self.roll, fresh.roll.map(Arc::new));
        replace(&self.orders, fresh.orders.map(Some));
        replace(&self.months, fresh.months);
        replace(&self.tree, fresh.tree);
        replace(&self.plan, fresh.plan);
        if let Some(day) = fresh.follow_on {
            self.commits.follow_on.store(day, Ordering::Relaxed);
        }
    }

    /// Keeps in memory what a commit has brought, which is on disk now; the roll and the tree in their files, too.
    pub(crate) fn take_up(&self, fresh: Fresh) {
        let (is_roll, is_tree) = (fresh.roll.is_some(), fresh.tree.is_some());
        self.keep_in_memory(fresh);
        if is_roll {
            self.write_roll();
        }
        if is_tree {
            self.write_units();
        }
    }

    /// Has everybody who waits look: a commit has come to this revision, or brought other news.
    pub(crate) fn tell(&self, revision: u64, is_news: bool) {
        let revision = revision.max(*self.revision.borrow());
        self.revision.send_if_modified(|known| std::mem::replace(known, revision) != revision || is_news);
    }

    /// Has everybody who is in a session look whether they were retired.
    pub(crate) fn tell_retired(&self) {
        self.retirements.send_modify(|count| *count += 1);
    }

    /// Takes note of the authorities that this hub goes by now.
    pub(crate) fn go_by(&self, authorities: (u32, [u8; 8])) {
        *self.authorities.write().unwrap_or_else(PoisonError::into_inner) = authorities;
    }

    /// Which authority signs (0 where there is none, in memory), and the short digest of all that children may go by.
    pub(crate) fn authorities(&self) -> (u32, [u8; 8]) {
        *self.authorities.read().unwrap_or_else(PoisonError::into_inner)
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
        self.plan.read().unwrap_or_else(PoisonError::into_inner).plans.clone()
    }

    /// Version of the published plans; 0 before the city has published one.
    pub fn plan_version(&self) -> u64 {
        self.published_plans().map_or(0, |(version, _)| version)
    }

    /// The short digest of the list of published plans; empty before the city has published one.
    pub fn plan_digest(&self) -> Bytes {
        self.plan.read().unwrap_or_else(PoisonError::into_inner).digest.clone()
    }

    /// The published plans as they go down, with their version; none before the city has published one.
    pub fn published_plans(&self) -> Option<(u64, Bytes)> {
        self.plan.read().unwrap_or_else(PoisonError::into_inner).published.clone()
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

    /// Who was retired and which tokens were used.
    pub fn roll(&self) -> Arc<Roll> {
        self.roll.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether a child or a reader was retired, by its id.
    pub fn is_retired(&self, id: &str) -> bool {
        roll::is_retired(&self.roll(), id)
    }

    /// The roll as it goes down.
    pub fn sealed_roll(&self) -> Bytes {
        let roll = self.roll();
        if roll.version == 0 { Bytes::new() } else { roll::seal(&self.lineage.secret(), &roll) }
    }

    /// The tree of units with its number; none where there is none yet, or it can't be read now.
    pub(crate) fn units_document(&self) -> Option<(u64, String)> {
        let view = self.store.view();
        let csv = view.get(Space::Documents, b"units").ok()??;
        let version = rows::counter(view.as_ref(), meta::TREE).ok()?;
        String::from_utf8(csv.to_vec()).ok().map(|csv| (version, csv))
    }

    /// Takes note that a record's row can't be read: it is an incident of that record, and ends nobody's session.
    pub(crate) fn note_unreadable(&self, id: RecordId) {
        let mut unreadable = self.unreadable.lock().unwrap_or_else(PoisonError::into_inner);
        if unreadable.len() < MAX_UNREADABLE && unreadable.insert(id) {
            tracing::error!(record = %id, "a record's row can't be read; the store is set aside at the next start");
        }
    }

    /// Whether a district has said every sheet that it holds since this process began.
    pub(crate) fn has_said_sheets(&self, unit: OrgCode) -> bool {
        self.said_sheets.lock().unwrap_or_else(PoisonError::into_inner).contains(&unit)
    }

    /// A district has said every sheet that it holds: it is not asked again for what it lacks, too.
    pub(crate) fn note_said_sheets(&self, unit: OrgCode) {
        self.said_sheets.lock().unwrap_or_else(PoisonError::into_inner).insert(unit);
    }

    /// How many records were met whose rows can't be read.
    pub fn unreadable(&self) -> usize {
        self.unreadable.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Why this hub takes itself to be older than its children, until somebody has looked; none where it does not.
    ///
    /// # Errors
    /// When the store fails.
    pub fn older(&self) -> Result<Option<String>, StoreError> {
        let why = self.view().get(Space::Meta, meta::OLDER)?.filter(|why| !why.is_empty());
        Ok(why.map(|why| String::from_utf8_lossy(&why).into_owned()))
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
        let of_plan = || self.plan.read().unwrap_or_else(PoisonError::into_inner).key.clone();
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
}
