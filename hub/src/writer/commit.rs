//! What sessions, totals and the writer share: the rows with what is read from them once, and the commit.
//! Invariant: what is kept in memory beside the rows (tree, plans, months, orders) is replaced only after the batch that
//! has it is on disk.

use super::{
    acts, aside,
    job::{Answer, Job, WriteError},
    outside::Outside,
    pad::Pad,
    rederive,
};
use crate::{
    audit_log,
    lineage::Lineage,
    months::{self, Months},
    orders, readers, roll,
    rows::{self, meta},
    session::turns::Turns,
    store::{Space, Store, StoreError, View, WriteSet},
};
use bytes::Bytes;
use prost::Message;
use ring::signature::{Ed25519KeyPair, KeyPair};
use std::{
    cell::{Cell, RefCell},
    collections::BTreeSet,
    panic::{self, AssertUnwindSafe},
    sync::{
        Arc, Mutex, OnceLock, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicI32, AtomicU64, Ordering},
    },
};
use taizhang_node::ledger::Clock;
use taizhang_proto::{
    OrgCode, RecordId, date,
    month::short_digest,
    org::UnitTree,
    pb::{self, Roll, Tier},
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

/// Commits of one job each after one has panicked: enough for everybody who was in it to come back.
const CAREFUL: u64 = 1_024;

/// Most unreadable records that are told apart; the first already says that the store is damaged.
const MAX_UNREADABLE: usize = 10_000;

/// Most work that one commit takes on: records and links that are looked at, about a second of it.
const MAX_WORK: u64 = 1_000_000;

/// What became of a job in one commit.
pub(super) enum Done {
    /// It is done.
    Answered(Result<Answer, WriteError>),
    /// A part of its batch is written, with these verdicts; the rest is another job.
    Cut(Job, Vec<pb::Verdicts>),
    /// The commit was full before it.
    Waiting(Job),
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
    /// Who was retired and which tokens were used, as it goes down.
    roll: RwLock<Arc<Roll>>,
    /// Where that is kept besides, outside the store.
    pub(super) outside: Outside,
    /// With what this hub signs, where it is the city.
    signer: OnceLock<Ed25519KeyPair>,
    /// The stretches of this hub's history, the running one last.
    pub lineage: Lineage,
    /// The running stretch is on disk: a process that writes nothing begins none, and nobody hears of it before.
    begun: AtomicBool,
    /// So many commits hold one job each, after one has panicked.
    careful: AtomicU64,
    /// Records whose rows can't be read.
    unreadable: Mutex<BTreeSet<RecordId>>,
    /// Districts that have said all the sheets of months that they hold, since this process began: what is missing then, they
    /// have not either.
    said_sheets: Mutex<BTreeSet<OrgCode>>,
    /// The next day on which a code of the tree is given up.
    follow_on: AtomicI32,
    committing: Mutex<()>,
    /// Most work that one commit takes on, and what all of them came to.
    work_in_commit: AtomicU64,
    work_done: AtomicU64,
    /// One child at a time is repaired: the list of a large scope takes memory.
    pub(crate) repairs: Arc<Turns>,
    revision: watch::Sender<u64>,
    /// How often somebody was retired: who is in a session looks whether it was them.
    retirements: watch::Sender<u64>,
    /// Which authority signs (0: none, in memory), and the digest of all that children may go by.
    authorities: RwLock<(u32, [u8; 8])>,
}

fn read_tree(view: &dyn View) -> Result<UnitTree, StoreError> {
    let Some(csv) = view.get(Space::Documents, b"units")? else { return Ok(UnitTree::default()) };
    UnitTree::from_csv(&String::from_utf8_lossy(&csv)).map_err(|_| StoreError::Row(Space::Documents))
}

impl Core {
    /// Takes note of the authorities that this hub goes by now.
    pub(crate) fn go_by(&self, authorities: (u32, [u8; 8])) {
        *self.authorities.write().unwrap_or_else(PoisonError::into_inner) = authorities;
    }

    /// Which authority signs (0 where there is none, in memory), and the short digest of all that children may go by.
    pub(crate) fn authorities(&self) -> (u32, [u8; 8]) {
        *self.authorities.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// A hub's core on a store.
    ///
    /// # Errors
    /// When the store fails.
    pub fn open(unit: OrgCode, tier: Tier, store: Box<dyn Store>, clock: Clock) -> Result<Arc<Self>, StoreError> {
        Self::open_sealing(unit, tier, store, clock, None)
    }

    /// The same with the secret of the hub's seals, as it is kept outside the store.
    ///
    /// # Errors
    /// When the store fails.
    pub fn open_sealing(
        unit: OrgCode,
        tier: Tier,
        store: Box<dyn Store>,
        clock: Clock,
        secret: Option<[u8; 32]>,
    ) -> Result<Arc<Self>, StoreError> {
        let view = store.view();
        let revision = rows::counter(view.as_ref(), meta::REVISION)?;
        let tree = read_tree(view.as_ref())?;
        if view.get(Space::Meta, meta::EPOCH)?.is_none() {
            let mut set = WriteSet::default();
            set.put(Space::Meta, meta::EPOCH, rand::random::<[u8; 16]>());
            store.commit(set)?;
        }
        let tree_version = rows::counter(view.as_ref(), meta::TREE)?;
        let lineage = Lineage::read(view.as_ref())?.sealing(secret).begin(revision);
        let roll = roll::of_store(view.as_ref(), &lineage.secret())?;
        let standing = Standing::read(view.get(Space::Documents, b"plan")?)?;
        let recount = tier != Tier::City
            && view.get(Space::Meta, meta::RULES)?.as_deref() != Some(&rederive::rules(&standing.plans));
        let months = Months::read(view.as_ref())?;
        let orders = orders::read(view.as_ref())?;
        if tier == Tier::City {
            let mut set = WriteSet::default();
            aside::begin(view.as_ref(), unit, &mut set)?;
            if !set.is_empty() {
                store.commit(set)?;
            }
        }
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
            roll: RwLock::new(Arc::new(roll)),
            outside: Outside::default(),
            signer: OnceLock::new(),
            begun: AtomicBool::new(false),
            unreadable: Mutex::default(),
            said_sheets: Mutex::default(),
            lineage,
            follow_on: AtomicI32::new(i32::MIN), // looked at with the first commit
            committing: Mutex::new(()),
            careful: AtomicU64::new(0),
            work_in_commit: AtomicU64::new(MAX_WORK),
            work_done: AtomicU64::new(0),
            repairs: Arc::default(),
            revision: watch::Sender::new(revision),
            retirements: watch::Sender::new(0),
            authorities: RwLock::default(),
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

    /// Opens the store anew after a fault, and reads again what is kept in memory beside it: a commit that failed may be
    /// there all the same.
    ///
    /// # Errors
    /// While the store can't be opened.
    pub fn mend(&self) -> Result<(), StoreError> {
        let _one_at_a_time = self.committing.lock().unwrap_or_else(PoisonError::into_inner);
        self.store.mend()?;
        let view = self.store.view();
        let view = view.as_ref();
        let tree = read_tree(view)?;
        let version = rows::counter(view, meta::TREE)?;
        let standing = Standing::read(view.get(Space::Documents, b"plan")?)?;
        *self.tree.write().unwrap_or_else(PoisonError::into_inner) = (version, Arc::new(tree));
        *self.plans.write().unwrap_or_else(PoisonError::into_inner) = standing;
        *self.months.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(Months::read(view)?);
        *self.orders.write().unwrap_or_else(PoisonError::into_inner) = orders::read(view)?;
        *self.roll.write().unwrap_or_else(PoisonError::into_inner) =
            Arc::new(roll::of_store(view, &self.lineage.secret())?);
        self.revision.send_replace(rows::counter(view, meta::REVISION)?);
        Ok(())
    }

    /// Counts everything anew by these plans, in one commit.
    fn rederive(&self, plans: &Plans) -> Result<(), StoreError> {
        let view = self.store.view();
        let mut pad = Pad::new(self, view.as_ref())?;
        pad.rederive(plans)?;
        let (set, revision) = pad.finish(&self.work_done)?;
        self.put(set)?;
        self.revision.send_replace(revision);
        Ok(())
    }

    /// Puts a write set on disk, with the first one the stretch of history that it begins.
    fn put(&self, mut set: WriteSet) -> Result<(), StoreError> {
        if !self.begun.load(Ordering::Acquire) {
            set.put(Space::Meta, meta::LINEAGE, self.lineage.encode_to_vec());
        }
        self.store.commit(set)?;
        self.begun.store(true, Ordering::Release);
        Ok(())
    }

    /// Puts the running stretch on disk before anybody hears of it.
    ///
    /// # Errors
    /// When the store fails.
    pub fn begin_stretch(&self) -> Result<(), StoreError> {
        let _one_at_a_time = self.committing.lock().unwrap_or_else(PoisonError::into_inner);
        if self.begun.load(Ordering::Acquire) { Ok(()) } else { self.put(WriteSet::default()) }
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
    pub(super) fn units_document(&self) -> Option<(u64, String)> {
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
    pub(super) fn note_said_sheets(&self, unit: OrgCode) {
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

    /// How much work one commit takes on.
    pub(super) fn work_in_commit(&self) -> u64 {
        self.work_in_commit.load(Ordering::Relaxed)
    }

    /// Has commits take on this much work at most, beyond the change that reaches it.
    pub fn limit_work(&self, work: u64) {
        self.work_in_commit.store(work, Ordering::Relaxed);
    }

    /// The work of all commits since the start, as [`Core::limit_work`] counts it.
    pub fn work_done(&self) -> u64 {
        self.work_done.load(Ordering::Relaxed)
    }

    /// Does a group of jobs, in their order, in as many commits as it takes, and answers each in its place. When a batch
    /// can't be written, every job that was in it or behind it fails.
    pub fn commit(&self, jobs: Vec<Job>) -> Vec<Result<Answer, WriteError>> {
        let mut answers: Vec<Option<Result<Answer, WriteError>>> = jobs.iter().map(|_| None).collect();
        let mut said: Vec<Vec<pb::Verdicts>> = jobs.iter().map(|_| Vec::new()).collect();
        let (mut places, mut open): (Vec<usize>, Vec<Job>) = jobs.into_iter().enumerate().unzip();
        loop {
            let mut left = (Vec::new(), Vec::new());
            for (place, done) in places.into_iter().zip(self.commit_some(open)) {
                match done {
                    Done::Answered(mut answer) => {
                        if let Ok(Answer::Verdicts(verdicts)) = &mut answer {
                            verdicts.splice(0..0, std::mem::take(&mut said[place]));
                        }
                        answers[place] = Some(answer);
                    }
                    Done::Cut(job, verdicts) => {
                        said[place].extend(verdicts);
                        left.0.push(place);
                        left.1.push(job);
                    }
                    Done::Waiting(job) => {
                        left.0.push(place);
                        left.1.push(job);
                    }
                }
            }
            if left.0.is_empty() {
                return answers.into_iter().flatten().collect();
            }
            (places, open) = left;
        }
    }

    /// Does as much of a group of jobs as one commit holds, with one batch and one sync. When the batch can't be written,
    /// every job fails.
    pub(super) fn commit_some(&self, jobs: Vec<Job>) -> Vec<Done> {
        let _one_at_a_time = self.committing.lock().unwrap_or_else(PoisonError::into_inner);
        let count = jobs.len();
        self.careful.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).ok();
        // Alone in its commit, a batch on which it fails can be named and set aside.
        let aside = if let [job] = &jobs[..] { job.set_aside() } else { None };
        let outcome = match (self.commit_or_panic(jobs), aside) {
            (Err(()), Some(aside)) => self.commit_or_panic(vec![aside]),
            (outcome, _) => outcome,
        };
        let outcome = outcome.unwrap_or_else(|()| {
            self.careful.store(CAREFUL, Ordering::Relaxed);
            Err(StoreError::Engine(
                "写入时程序出错，本批未写入 (the commit panicked; nothing of it was written)".into(),
            ))
        });
        outcome.unwrap_or_else(|error| {
            let message = error.to_string();
            (0..count).map(|_| Done::Answered(Err(StoreError::Engine(message.clone()).into()))).collect()
        })
    }

    /// Nothing was written where it panicked.
    fn commit_or_panic(&self, jobs: Vec<Job>) -> Result<Result<Vec<Done>, StoreError>, ()> {
        let (is_written, doing) = (Cell::new(false), RefCell::new(String::new()));
        let outcome = panic::catch_unwind(AssertUnwindSafe(|| self.try_commit(jobs, (&is_written, &doing))));
        outcome.map_err(|panicked| {
            if is_written.get() {
                // What is in memory no longer follows from the rows: only a new start reads them anew.
                panic::resume_unwind(panicked);
            }
            let node = doing.take();
            tracing::error!(%node, "a commit panicked: nothing of it was written, and its jobs failed");
        })
    }

    /// Whether a commit has panicked lately: jobs are then done one by one, so that nobody's fault is another's.
    pub(super) fn is_careful(&self) -> bool {
        self.careful.load(Ordering::Relaxed) > 0
    }

    fn try_commit(
        &self,
        jobs: Vec<Job>,
        (is_written, doing): (&Cell<bool>, &RefCell<String>),
    ) -> Result<Vec<Done>, StoreError> {
        let view = self.store.view();
        let mut pad = Pad::new(self, view.as_ref())?;
        let mut answers = Vec::with_capacity(jobs.len());
        let (mut new_tree, mut new_plans, mut new_months, mut retired) = (None, None, None, false);
        if self.tier != Tier::City && self.today() >= self.follow_on.load(Ordering::Relaxed) {
            pad.follow_tree()?;
        }
        for job in jobs {
            if !answers.is_empty() && pad.is_full() {
                answers.push(Done::Waiting(job));
                continue;
            }
            doing.replace(job.child().unwrap_or_default().to_owned());
            let act = acts::act_of(&job, self.unit, self.now(), self.signer().is_some());
            let answer = match job {
                Job::Greet { peer, hello } => pad.greet(&peer, &hello),
                Job::Push { peer, node, first, changes, skew, room } => {
                    let count = changes.len() as u64;
                    match pad.push(&peer, (node, first), changes, skew) {
                        Ok((verdicts, left)) if left.is_empty() => Ok(Answer::Verdicts(verdicts)),
                        Ok((verdicts, changes)) => {
                            let first = first + count - changes.len() as u64;
                            answers.push(Done::Cut(Job::Push { peer, node, first, changes, skew, room }, verdicts));
                            continue;
                        }
                        Err(error) => Err(error),
                    }
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
                    pad.put_token(&hash, &row);
                    Ok(Answer::Done)
                }
                Job::Roll(sealed) => pad.recover_roll(&sealed).map(|()| Answer::Done).map_err(WriteError::from),
                Job::ParentsRoll(version, sealed) => {
                    pad.set.put(Space::Documents, roll::PARENTS, sealed);
                    pad.set.put(Space::Meta, meta::PARENTS_ROLL, version.to_be_bytes());
                    Ok(Answer::Done)
                }
                Job::Older(why) => pad.find_older(&why, None).map(|()| Answer::Done).map_err(WriteError::from),
                Job::Confirm(_) => {
                    pad.set.put(Space::Meta, meta::OLDER, Vec::new());
                    pad.set.put(Space::Meta, meta::CONFIRMED, self.lineage.current());
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
                    match self.hear_again(&mut pad, standing, (peer.unit, &document)) {
                        Err(WriteError::Store(error)) => return Err(error),
                        Err(error) => {
                            let kind = &document.kind;
                            tracing::warn!(unit = %peer.unit, kind, %error, "what a child said again was left");
                        }
                        Ok(()) => {}
                    }
                    Ok(Answer::Again(pb::Document { content: Bytes::new(), ..document }))
                }
                Job::Retire { id, undo, decided } => {
                    retired |= !undo;
                    pad.retire(id, undo, decided)
                }
                Job::Aside { child, undo } => pad.decide_aside(child, undo),
                Job::Forget(rows) => {
                    for (space, key) in rows {
                        pad.set.remove(space, key);
                    }
                    Ok(Answer::Done)
                }
                Job::Log(entry) => {
                    audit_log::put(&mut pad.set, &entry);
                    Ok(Answer::Done)
                }
                Job::Settle => pad.settle_all(),
                Job::Reader(hash, row, reader) => {
                    pad.put_token(&hash, &row);
                    readers::put(&mut pad.set, &reader);
                    Ok(Answer::Done)
                }
                Job::Certificate(id, paper) => pad.learn_certificate(&id, paper),
                Job::Enrolled(row, token) => {
                    if let Some((hash, token)) = token {
                        pad.put_token(&hash, &token);
                    }
                    let told = pad.note_enrolled(&row);
                    pad.put_node(*row);
                    told.map(|()| Answer::Done).map_err(WriteError::from)
                }
            };
            if let Err(WriteError::Store(error)) = answer {
                return Err(error); // the pad may hold half of the job
            }
            if let Some(act) = act.filter(|_| acts::is_done(&answer)) {
                audit_log::put(&mut pad.set, &act);
            }
            answers.push(Done::Answered(answer));
        }
        doing.take(); // what fails from here on is nobody's alone
        let new_orders = pad.new_orders.take();
        let new_roll = pad.new_roll.take();
        let follow_next = pad.follow_next;
        retired |= new_roll.is_some();
        let (set, revision) = pad.finish(&self.work_done)?;
        if !set.is_empty() {
            is_written.set(true);
            self.put(set)?;
        }
        if let Some(day) = follow_next {
            self.follow_on.store(day, Ordering::Relaxed);
        }
        let moved = new_roll.is_some()
            || new_orders.is_some()
            || new_tree.is_some()
            || new_plans.is_some()
            || new_months.is_some();
        if let Some(roll) = new_roll {
            *self.roll.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(roll);
            self.write_roll();
        }
        if new_orders.is_some() {
            *self.orders.write().unwrap_or_else(PoisonError::into_inner) = new_orders;
        }
        if let Some(months) = new_months {
            *self.months.write().unwrap_or_else(PoisonError::into_inner) = months;
        }
        if let Some(tree) = new_tree {
            *self.tree.write().unwrap_or_else(PoisonError::into_inner) = tree;
            self.write_units();
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
