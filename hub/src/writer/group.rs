//! The commit: a group of jobs, done in their order, becomes one write set.
//! Invariant: jobs are answered, and what is kept in memory is replaced, only after the batch that has their effect is on disk.

use super::{
    acts, aside,
    cells::{self, CELLS_AT_ONCE},
    child, clear,
    commit::Commit,
    enlist,
    finish::finish,
    job::{Answer, Job, Pushed, WriteError},
    mail::{self, keys, marks, office},
    order, push, rederive, rehome, resolve,
};
use crate::{
    audit_log, roll,
    rows::{NEEDED, meta},
    state::{Core, Fresh, months, readers},
    store::{Space, Store, StoreError, View, WriteSet},
    totals,
};
use bytes::Bytes;
use prost::Message;
use std::{
    cell::{Cell, RefCell},
    panic::{self, AssertUnwindSafe},
    sync::{Arc, atomic::Ordering},
};
use taizhang_node::ledger::Clock;
use taizhang_proto::{
    OrgCode,
    org::UnitTree,
    pb::{self, Tier},
    plan::Plans,
};

/// Commits of one job each after one has panicked: enough for everybody who was in it to come back.
const CAREFUL: u64 = 1_024;

/// Most work that one commit takes on: records and links that are looked at, about a second of it.
const MAX_WORK: u64 = 1_000_000;

/// Spaces whose rows belong to one record or another: one that can't be read is the fault of nobody else.
const OF_RECORDS: [Space; 7] =
    [Space::Records, Space::Subjects, Space::History, Space::Conflicts, Space::Queue, Space::Uniques, Space::Departed];

/// What became of a job in one commit.
pub(crate) enum Done {
    /// It is done.
    Answered(Result<Answer, WriteError>),
    /// A part of its batch is written, with these verdicts; the rest is another job.
    Cut(Job, Vec<pb::Verdicts>),
    /// The commit was full before it.
    Waiting(Job),
}

/// What became of the jobs of a commit; nothing where it panicked.
type Outcome = Result<Result<Vec<Done>, StoreError>, ()>;

impl Done {
    /// What becomes of a batch whose first part is done and whose rest waits.
    fn before(self, rest: Job) -> Self {
        let Job::Push { changes: behind, .. } = &rest else { return self };
        match self {
            Self::Answered(Ok(Answer::Verdicts(verdicts))) if !behind.is_empty() => Self::Cut(rest, verdicts),
            Self::Cut(Job::Push { peer, node, first, mut changes, skew, room }, verdicts) => {
                if let Job::Push { changes: behind, .. } = rest {
                    changes.extend(behind);
                }
                Self::Cut(Job::Push { peer, node, first, changes, skew, room }, verdicts)
            }
            other => other,
        }
    }
}

/// Writes what a store of an older program lacks, if it does.
fn begin(
    store: &dyn Store,
    lacking: impl FnOnce(&dyn View, &mut WriteSet) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let mut set = WriteSet::default();
    lacking(store.view().as_ref(), &mut set)?;
    if set.is_empty() { Ok(()) } else { store.commit(set) }
}

impl Core {
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
        if tier == Tier::City {
            // Sums of years are made of what the first leaves.
            begin(store.as_ref(), |view, set| aside::begin(view, unit, set))?;
            begin(store.as_ref(), aside::begin_marks)?;
            begin(store.as_ref(), totals::years::begin)?;
        }
        let view = store.view();
        let mut set = WriteSet::default();
        if view.get(Space::Meta, meta::EPOCH)?.is_none() {
            set.put(Space::Meta, meta::EPOCH, rand::random::<[u8; 16]>());
        }
        let mut is_settled = view.get(Space::Meta, meta::UNSETTLED)?.is_none();
        drop(view);
        if !set.is_empty() {
            store.commit(set)?;
        }
        let core = Arc::new(Self::read((unit, tier), store, clock, secret, MAX_WORK)?);
        if tier != Tier::City && !core.is_counted_by_plan(core.store.view().as_ref())? {
            core.rederive(&core.plans(), true)?;
            is_settled = false;
        }
        if !is_settled {
            for answer in core.commit(vec![Job::Settle]) {
                match answer {
                    Err(WriteError::Store(error)) if core.store.fault().is_some() => return Err(error),
                    // A fault of the program: it is tried again at the next start, and the hub serves until then.
                    Err(error) => {
                        tracing::error!(%error, "what this program writes of its own accord is not written anew");
                    }
                    Ok(_) => {}
                }
            }
        }
        Ok(core)
    }

    /// Counts everything anew by these plans, in one commit: at every moment a total is a recount. Where the program's own rules are
    /// others, what it writes of its own accord `follows`, also when the hub is stopped before that.
    pub(super) fn rederive(&self, plans: &Plans, follows: bool) -> Result<(), StoreError> {
        let view = self.store.view();
        let mut commit = Commit::new(self, view.as_ref())?;
        rederive::rederive(&mut commit, plans)?;
        if follows {
            commit.set.put(Space::Meta, meta::UNSETTLED, Vec::new());
        }
        let (set, revision) = finish(commit, &self.commits.work_done)?;
        self.put(set)?;
        self.tell(revision, false);
        Ok(())
    }

    /// Puts a write set on disk, with the first one the stretch of history that it begins.
    pub(super) fn put(&self, mut set: WriteSet) -> Result<(), StoreError> {
        if self.is_behind_store() {
            return Err(StoreError::Engine(
                "存储刚重新打开，尚未读完 (the store was opened anew and is being read)".into(),
            ));
        }
        if !self.commits.has_begun.load(Ordering::Acquire) {
            set.put(Space::Meta, meta::LINEAGE, self.lineage.encode_to_vec());
        }
        self.store.commit(set)?;
        self.commits.has_begun.store(true, Ordering::Release);
        Ok(())
    }

    /// Puts the running stretch on disk before anybody hears of it.
    ///
    /// # Errors
    /// When the store fails.
    pub fn begin_stretch(&self) -> Result<(), StoreError> {
        let _one_at_a_time = self.commits.one_at_a_time();
        if self.commits.has_begun.load(Ordering::Acquire) { Ok(()) } else { self.put(WriteSet::default()) }
    }

    /// How much work one commit takes on.
    pub(super) fn work_in_commit(&self) -> u64 {
        self.commits.most_work.load(Ordering::Relaxed)
    }

    /// Has commits take on this much work at most, beyond the change that reaches it.
    pub fn limit_work(&self, work: u64) {
        self.commits.most_work.store(work, Ordering::Relaxed);
    }

    /// The work of all commits since the start, as [`Core::limit_work`] counts it.
    pub fn work_done(&self) -> u64 {
        self.commits.work_done.load(Ordering::Relaxed)
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
    pub(crate) fn commit_some(&self, mut jobs: Vec<Job>) -> Vec<Done> {
        let _one_at_a_time = self.commits.one_at_a_time();
        let count = jobs.len();
        self.commits.careful.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).ok();
        // Alone in its commit, what it fails on can be named and left out.
        let (mut spare, mut room) = (None, None);
        if let [job] = &mut jobs[..] {
            (spare, room) = (job.spare(), job.room().and_then(Option::take));
        }
        let mut outcome = match (self.commit_or_panic(jobs), spare) {
            (outcome, Some(spare)) if self.has_failed(&outcome) => self.without_what_fails(spare),
            (outcome, _) => outcome,
        };
        self.note_damage(&outcome);
        if let Ok(Ok(done)) = &mut outcome
            && let [Done::Cut(rest, _)] = &mut done[..]
            && let Some(place) = rest.room()
        {
            *place = room.take();
        }
        let outcome = outcome.unwrap_or_else(|()| {
            self.commits.careful.store(CAREFUL, Ordering::Relaxed);
            Err(StoreError::Engine(
                "写入时程序出错，本批未写入 (the commit panicked; nothing of it was written)".into(),
            ))
        });
        outcome.unwrap_or_else(|error| {
            if count > 1 && self.store.fault().is_none() {
                // It may be one job's own: alone in its commit, it fails nobody else.
                self.commits.careful.store(CAREFUL, Ordering::Relaxed);
            }
            let message = error.to_string();
            (0..count).map(|_| Done::Answered(Err(StoreError::Engine(message.clone()).into()))).collect()
        })
    }

    /// Whether a commit has failed for what is in it, and not for its store: it panicked, or met a row that can't be read of a record or
    /// beside one.
    fn has_failed(&self, outcome: &Outcome) -> bool {
        let is_record = matches!(outcome, Ok(Err(StoreError::Row(space))) if OF_RECORDS.contains(space));
        outcome.is_err() || (is_record && self.store.fault().is_none())
    }

    /// Notes that a row can't be read which the start has read, and without which nothing goes on: nobody's batch is at fault.
    fn note_damage(&self, outcome: &Outcome) {
        if let Ok(Err(StoreError::Row(space))) = outcome
            && NEEDED.contains(space)
        {
            self.store.note_damage(&StoreError::Row(*space).to_string());
        }
    }

    /// Does a job on which the hub has failed without what it fails on.
    fn without_what_fails(&self, spare: Job) -> Outcome {
        match spare {
            Job::Push { peer, node, first, changes, skew, .. } => self.without_the_first(
                |first, changes| Job::Push { peer: peer.clone(), node, first, changes, skew, room: None },
                first,
                &changes,
            ),
            Job::Cells { peer, session, last, cells, letters, marks, marked, stretch } => {
                // Each by itself, what is counted last: only then is the batch heard.
                let part = |cells, letters, marks| {
                    let (peer, stretch) = (peer.clone(), stretch.clone());
                    Job::Cells { peer, session, last: 0, cells, letters, marks, marked: 0, stretch }
                };
                for letter in letters {
                    let (kind, to) = (letter.kind(), letter.to);
                    if self.has_failed(&self.commit_or_panic(vec![part(Vec::new(), vec![letter], Vec::new())])) {
                        tracing::error!(node = %peer.id, ?kind, to, "a letter on which the hub fails is left out");
                    }
                }
                let said = self.commit_or_panic(vec![part(Vec::new(), Vec::new(), marks)]);
                if self.has_failed(&said) {
                    tracing::error!(node = %peer.id, "marks on which the hub fails are left out");
                }
                for some in cells.chunks(CELLS_AT_ONCE) {
                    let counted = self.commit_or_panic(vec![part(some.to_vec(), Vec::new(), Vec::new())]);
                    if self.has_failed(&counted) {
                        tracing::error!(node = %peer.id, unit = %peer.unit, "cells on which the hub fails are left out");
                    }
                }
                self.commit_or_panic(vec![Job::Skipped { peer, last, marked, stretch }])
            }
            spare => {
                if let Job::Unread(letter) = &spare {
                    let (from, kind) = (letter.from, letter.kind());
                    tracing::error!(
                        from,
                        ?kind,
                        "a letter on which this hub fails is kept unread until the next start"
                    );
                }
                self.commit_or_panic(vec![spare])
            }
        }
    }

    /// Does a batch without the first of its changes that can't be done, which is found by halves: what comes before it is taken, and
    /// what comes behind is another job.
    fn without_the_first(&self, batch: impl Fn(u64, Vec<Pushed>) -> Job, first: u64, changes: &[Pushed]) -> Outcome {
        let again = |some: &[Pushed]| some.iter().map(|change| Pushed::read(change.raw.clone())).collect::<Vec<_>>();
        let mut taken = changes.len() / 2;
        let outcome = loop {
            if taken == 0 {
                tracing::error!(seq = first, "a change on which the hub fails is set aside");
                break self.commit_or_panic(vec![batch(first, changes[..1].iter().map(Pushed::set_aside).collect())]);
            }
            let outcome = self.commit_or_panic(vec![batch(first, again(&changes[..taken]))]);
            if !self.has_failed(&outcome) {
                break outcome;
            }
            taken /= 2;
        };
        let done = taken.max(1);
        let rest = batch(first + done as u64, again(&changes[done..]));
        Ok(outcome?.map(|mut done| done.pop().map(|one| one.before(rest)).into_iter().collect()))
    }

    /// Nothing was written where it panicked.
    fn commit_or_panic(&self, jobs: Vec<Job>) -> Outcome {
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
        self.commits.careful.load(Ordering::Relaxed) > 0
    }

    fn try_commit(
        &self,
        jobs: Vec<Job>,
        (is_written, doing): (&Cell<bool>, &RefCell<String>),
    ) -> Result<Vec<Done>, StoreError> {
        let view = self.store.view();
        let mut commit = Commit::new(self, view.as_ref())?;
        let mut answers = Vec::with_capacity(jobs.len());
        let (mut new_tree, mut new_plan, mut new_months, mut retired) = (None, None, None, false);
        if self.tier != Tier::City && self.today() >= self.commits.follow_on.load(Ordering::Relaxed) {
            rehome::follow_tree(&mut commit)?;
        }
        // Behind a batch that is cut nobody comes: what its child said next would be older than its rest.
        let mut is_cut = false;
        for job in jobs {
            if !answers.is_empty() && (is_cut || commit.is_full()) {
                answers.push(Done::Waiting(job));
                continue;
            }
            doing.replace(job.child().unwrap_or_default().to_owned());
            let act = acts::act_of(&job, self.unit, self.now(), self.signer().is_some());
            let answer = match job.itself() {
                Job::Greet { peer, session, hello, mut cleared } => {
                    if peer.hub {
                        self.commits.note_greeted(&peer.id, session);
                    }
                    if !clear::is_cleared(&mut commit, &peer, &hello, &mut cleared)? {
                        answers.push(Done::Cut(Job::Greet { peer, session, hello, cleared }, Vec::new()));
                        continue;
                    }
                    child::greet(&mut commit, &peer, &hello, &cleared)
                }
                Job::Push { peer, node, first, changes, skew, room } => {
                    let count = changes.len() as u64;
                    match push::push(&mut commit, &peer, (node, first), changes, skew) {
                        Ok((verdicts, left)) if left.is_empty() => Ok(Answer::Verdicts(verdicts)),
                        Ok((verdicts, changes)) => {
                            let first = first + count - changes.len() as u64;
                            answers.push(Done::Cut(Job::Push { peer, node, first, changes, skew, room }, verdicts));
                            continue;
                        }
                        Err(error) => Err(error),
                    }
                }
                // What it says by value is older than what the later session says: it would stand for good.
                Job::Cells { peer, session, .. } if self.commits.is_overtaken(&peer.id, session) => {
                    Err(WriteError::Superseded)
                }
                Job::Cells { peer, session, last, mut cells, letters, marks, marked, stretch }
                    if cells.len() > CELLS_AT_ONCE =>
                {
                    let rest = cells.split_off(CELLS_AT_ONCE);
                    match cells::take_some_cells(&mut commit, &peer, last, &cells) {
                        Ok(()) => {
                            let rest = Job::Cells { peer, session, last, cells: rest, letters, marks, marked, stretch };
                            answers.push(Done::Cut(rest, Vec::new()));
                            is_cut = true;
                            continue;
                        }
                        Err(error) => Err(error),
                    }
                }
                Job::Cells { peer, last, cells, letters, marks, marked, stretch, .. } => {
                    cells::take_cells(&mut commit, &peer, (last, &stretch), &cells, letters, (&marks, marked))
                }
                Job::Unread(letter) => {
                    mail::leave_unread(&mut commit, &letter);
                    Ok(Answer::Done)
                }
                Job::Skipped { peer, last, marked, stretch } => {
                    cells::pass_by(&mut commit, &peer, (last, &stretch), marked)
                }
                Job::News(news) => mail::take_news(&mut commit, news),
                Job::Marks(batch) => marks::take_index(&mut commit, batch),
                Job::Remarked(generation) => keys::say_remarked(&mut commit, generation),
                Job::RotateKey => keys::rotate_key(&mut commit),
                Job::Heard { peer, heard } => child::heard(&mut commit, &peer, heard),
                Job::Present { peer } => child::present(&mut commit, &peer),
                Job::Differs { peer } => child::differs(&mut commit, &peer),
                Job::Tree(csv, version) => match UnitTree::from_csv(&csv) {
                    Err(error) => Err(error.into()),
                    // One that is not newer than what stands is an old message.
                    Ok(_) if version.is_some_and(|version| commit.tree_version >= version) => Ok(Answer::Done),
                    Ok(tree) => {
                        rehome::set_tree(&mut commit, &tree, csv, version).map_err(WriteError::from).map(|()| {
                            new_tree = Some((commit.tree_version, Arc::new(tree)));
                            Answer::Done
                        })
                    }
                },
                Job::Plans(list) => self.take_plans(&mut commit, &mut new_plan, list).map(|()| Answer::Done),
                Job::By(..) => Ok(Answer::Done), // none is left: see `itself`
                Job::Draw(key, row) => {
                    commit.set.put(Space::Documents, key, row);
                    Ok(Answer::Done)
                }
                Job::Orders(list) => order::take_orders(&mut commit, list),
                Job::Token(hash, row) => {
                    enlist::put_token(&mut commit, &hash, &row);
                    Ok(Answer::Done)
                }
                Job::Roll(sealed) => {
                    enlist::recover_roll(&mut commit, &sealed).map(|()| Answer::Done).map_err(WriteError::from)
                }
                Job::ParentsRoll(version, sealed) => {
                    commit.set.put(Space::Documents, roll::PARENTS, sealed);
                    commit.set.put(Space::Meta, meta::PARENTS_ROLL, version.to_be_bytes());
                    Ok(Answer::Done)
                }
                Job::Older(why) => {
                    enlist::find_older(&mut commit, &why, None).map(|()| Answer::Done).map_err(WriteError::from)
                }
                Job::Confirm(_) => {
                    commit.set.put(Space::Meta, meta::OLDER, Vec::new());
                    commit.set.put(Space::Meta, meta::CONFIRMED, self.lineage.current());
                    Ok(Answer::Done)
                }
                Job::Upward(acknowledged, at) => {
                    commit.set.put(Space::Meta, meta::UP, acknowledged.to_be_bytes());
                    if let Some(at) = at {
                        commit.set.put(Space::Meta, meta::UP_AT, at.to_be_bytes());
                    }
                    Ok(Answer::Done)
                }
                Job::Review(review) => resolve::review(&mut commit, review, None),
                Job::ReviewBelow(unit, review) => resolve::review(&mut commit, review, Some(unit)),
                Job::Month { place, signed, sheets } => {
                    let before = new_months.clone().unwrap_or_else(|| self.months());
                    let place = place.unwrap_or(before.count() + 1);
                    let key = self.city_key().unwrap_or_else(|| signed.key.clone());
                    let taken = before.with(place, &signed, &key).and_then(|now| {
                        months::put(&mut commit.set, (&before, &now), place, &sheets)?;
                        Ok(now)
                    });
                    taken.map_err(WriteError::from).map(|now| {
                        new_months = Some(Arc::new(now));
                        Answer::Done
                    })
                }
                Job::Again { peer, document } => {
                    let standing = (&mut new_plan, &mut new_months);
                    match self.hear_again(&mut commit, standing, (peer.unit, &document)) {
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
                    child::retire(&mut commit, id, undo, decided)
                }
                Job::Aside { child, undo } => aside::decide_aside(&mut commit, child, undo),
                Job::Forget(rows) => {
                    for (space, key) in rows {
                        commit.set.remove(space, key);
                    }
                    Ok(Answer::Done)
                }
                Job::Log(entry) => {
                    audit_log::put(&mut commit.set, &entry);
                    Ok(Answer::Done)
                }
                Job::Settle => marks::settle_all(&mut commit),
                Job::Reader(hash, row, reader) => {
                    enlist::put_token(&mut commit, &hash, &row);
                    readers::put(&mut commit.set, &reader);
                    Ok(Answer::Done)
                }
                Job::Certificate(id, paper) => child::learn_certificate(&mut commit, &id, paper),
                Job::Enrolled(row, token) => {
                    if let Some((hash, token)) = token {
                        enlist::put_token(&mut commit, &hash, &token);
                    }
                    let told = office::note_enrolled(&mut commit, &row);
                    commit.put_node(*row);
                    told.map(|()| Answer::Done).map_err(WriteError::from)
                }
            };
            if let Err(WriteError::Store(error)) = answer {
                return Err(error); // the commit may hold half of the job
            }
            if let Some(act) = acts::done(act, &answer) {
                audit_log::put(&mut commit.set, &act);
            }
            answers.push(Done::Answered(answer));
        }
        doing.take(); // what fails from here on is nobody's alone
        let fresh = Fresh {
            tree: new_tree,
            months: new_months,
            orders: commit.new_orders.take(),
            roll: commit.new_roll.take(),
            follow_on: commit.follow_next,
            plan: None,
        };
        retired |= fresh.roll.is_some();
        let (set, revision) = finish(commit, &self.commits.work_done)?;
        if !set.is_empty() {
            is_written.set(true);
            self.put(set)?;
        }
        let is_news = fresh.is_news() || new_plan.is_some();
        self.take_up(fresh);
        if let Some(plan) = new_plan {
            // A hub that is stopped before this finds at its start that it counted by other plans.
            if self.tier != Tier::City {
                self.count_by(&plan)?;
            }
            self.take_up(Fresh { plan: Some(plan), ..Fresh::default() });
        }
        if retired {
            self.tell_retired();
        }
        self.tell(revision, is_news);
        Ok(answers)
    }
}
