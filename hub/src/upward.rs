//! The hub as a node towards its parent: what it pushes are its own cells, by value, blinded marks, and letters to its
//! neighbours; records never leave a district but in a sealed letter.
//! Invariant: personal data can't go up: nothing here reads a record, and a letter's text is sealed before it goes.

use crate::{
    mail::{
        envelope::{EnvelopeError, Envelopes},
        marks::{self, desk},
        outbox,
        rows::NeighbourRow,
    },
    roll,
    rows::{self, OwnCell, UnitRow, meta},
    state::{Core, months, orders},
    store::{Space, StoreError, View},
    writer::{Job, News, WriteError},
};
use prost::Message;
use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicBool, Ordering},
};
use taizhang_node::{
    ledger::LedgerError,
    upstream::{self, Comparison, Greeting, Replica, SessionError, VerdictCount},
};
use taizhang_proto::{
    OrgCode,
    cell::CellKey,
    month::short_digest,
    pb,
    session::{MAX_ROLL_BYTES, PROTOCOL_MAX, PROTOCOL_MIN},
};
use tokio::sync::watch;

/// A hub's totals as a replica.
pub struct Upward {
    core: Arc<Core>,
    /// The parent holds what this hub does not: everything is said anew, and what is not said again goes there.
    anew: AtomicBool,
    /// How this hub seals and opens; none where it can't.
    envelopes: Option<Envelopes>,
    said: Mutex<Said>,
}

/// What this session has said and heard.
#[derive(Default)]
struct Said {
    /// Up to which row of the feed of cells they were sent: letters may hold the batch's own number back, and one revision may be
    /// more than a batch.
    cells: Vec<u8>,
    /// Revision up to which marks were sent.
    marks: u64,
    /// The parent's epoch.
    epoch: Vec<u8>,
}

/// Cells in one batch; whole revisions are kept together where they fit, so a batch may be larger. Small in unit tests, so
/// that they cross it.
const MAX_CELLS: usize = if cfg!(test) { 2 } else { 20_000 };
/// Cells of one batch whatever their revisions: a message has a bound, and one commit may change more. A cell takes some 20 bytes.
const MAX_CELLS_OF_ONE: usize = if cfg!(test) { 3 } else { 60_000 };

/// Cells to be said.
struct Cells {
    list: pb::CellList,
    /// All of the feed up to and with this revision is in the list, or was said before.
    reached: u64,
    /// The last row that is in it.
    row: Vec<u8>,
    /// Nothing comes behind them.
    whole: bool,
}

fn failed(error: impl ToString) -> SessionError {
    SessionError::Ledger(LedgerError::Peer(error.to_string()))
}

impl Upward {
    /// The totals of a hub, with what it seals letters with.
    pub fn new(core: Arc<Core>, envelopes: Option<Envelopes>) -> Arc<Self> {
        Arc::new(Self { core, anew: AtomicBool::new(false), envelopes, said: Mutex::default() })
    }

    fn said(&self) -> MutexGuard<'_, Said> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, job: Job) -> Result<(), SessionError> {
        for answer in self.core.commit(vec![job]) {
            answer.map_err(failed)?;
        }
        Ok(())
    }

    /// Works out the marks of every record that changed since the last time. Returns whether there were any.
    ///
    /// # Errors
    /// When the store fails.
    pub fn mark(&self) -> Result<bool, SessionError> {
        let mut any = false;
        while let Some(batch) = marks::unmarked(&self.core).map_err(failed)? {
            self.write(Job::Marks(batch))?;
            any = true;
        }
        Ok(any)
    }

    fn digest_and_head(&self) -> Result<(Vec<u8>, u64), StoreError> {
        let view = self.core.view();
        let row: UnitRow =
            rows::read(view.as_ref(), Space::Units, &self.core.unit.number().to_be_bytes())?.unwrap_or_default();
        Ok((row.cells_digest().to_bytes().to_vec(), rows::counter(view.as_ref(), meta::CELLS)?))
    }

    /// The short digest of the last locked month.
    fn month_digest(&self) -> bytes::Bytes {
        let months = self.core.months();
        months.short_digest(months.count())
    }

    /// The short digest of the list of tasks.
    fn orders_digest(&self) -> Result<bytes::Bytes, StoreError> {
        let list = self.core.orders().map(|(_, list)| orders::short_digest(&list)).transpose()?;
        Ok(list.unwrap_or_default().into())
    }

    /// The parent's roll as it was last heard; it is held for the parent and says nothing to this hub.
    fn parents_roll(&self) -> Result<Option<bytes::Bytes>, StoreError> {
        self.core.view().get(Space::Documents, roll::PARENTS)
    }

    fn note(&self, acknowledged: u64, everything_said: Option<u64>) -> Result<(), SessionError> {
        self.write(Job::Upward(acknowledged, everything_said))
    }

    /// The cells of the feed behind a row of it.
    fn cells_after(view: &dyn View, row: Vec<u8>) -> Result<Cells, StoreError> {
        let wrong = || StoreError::Row(Space::CellFeed);
        let revision_of =
            |row: &[u8]| row.first_chunk().map(|revision| u64::from_be_bytes(*revision)).ok_or_else(wrong);
        let mut from = row.clone();
        from.push(0); // just behind it
        let mut found = Cells { reached: revision_of(&row)?, row, list: pb::CellList::default(), whole: true };
        for row in view.range(Space::CellFeed, &from, &[0xff; 9]) {
            let (row, _) = row?;
            let (revision, count) = (revision_of(&row)?, found.list.cells.len());
            if count >= MAX_CELLS && revision != found.reached {
                found.whole = false;
                break;
            }
            if count >= MAX_CELLS_OF_ONE {
                // Its other cells come with the next batch, and only then is the revision reached: cells go by value.
                found.whole = false;
                found.reached = revision.saturating_sub(1);
                break;
            }
            let cell = row.get(8..).ok_or_else(wrong)?;
            let own = view.get(Space::Own, cell)?.as_deref().and_then(OwnCell::from_slice).ok_or_else(wrong)?;
            let key = CellKey::from_slice(cell).ok_or_else(wrong)?;
            found.list.cells.push(pb::CellValue {
                unit: key.unit.number(),
                part: u32::from(key.part),
                date: key.date,
                value: own.value,
            });
            (found.reached, found.row) = (revision, row.to_vec());
        }
        Ok(found)
    }

    /// Letters as they go: sealed to the receiver's key. Those to a neighbour that is not known yet stay, and go once
    /// it is.
    fn sealed(&self, view: &dyn View, letters: Vec<pb::Letter>) -> Result<Vec<pb::Letter>, SessionError> {
        let mut sealed = Vec::with_capacity(letters.len());
        for mut letter in letters {
            if letter.to != 0 {
                let neighbour: Option<NeighbourRow> =
                    rows::read(view, Space::Neighbours, &letter.to.to_be_bytes()).map_err(failed)?;
                let (Some(neighbour), Some(envelopes)) = (neighbour, &self.envelopes) else { continue };
                let text = upstream::compress(&letter.sealed).map_err(failed)?;
                let mut whole = (letter.sealed.len() as u32).to_be_bytes().to_vec();
                whole.extend_from_slice(&text);
                letter.sealed = envelopes.seal(&letter, &neighbour.key, &whole).map_err(failed)?.into();
            }
            sealed.push(letter);
        }
        Ok(sealed)
    }

    /// A letter with its text in the clear.
    fn opened(&self, view: &dyn View, mut letter: pb::Letter) -> Result<pb::Letter, EnvelopeError> {
        let wrong = EnvelopeError::Sealed;
        let for_us = letter.to == self.core.unit.number() && letter.id.len() == 16;
        if !for_us || !matches!(letter.transfer.len(), 0 | 16) {
            return Err(wrong);
        }
        let neighbour: Option<NeighbourRow> =
            rows::read(view, Space::Neighbours, &letter.from.to_be_bytes()).map_err(|_| EnvelopeError::Sealed)?;
        let (Some(neighbour), Some(envelopes)) = (neighbour, &self.envelopes) else { return Err(wrong) };
        let whole = envelopes.open(&letter, &neighbour.key)?;
        let (length, text) = whole.split_at_checked(4).ok_or(EnvelopeError::Sealed)?;
        let length = u32::from_be_bytes(length.try_into().map_err(|_| EnvelopeError::Sealed)?);
        letter.sealed = upstream::decompress(text, length).map_err(|_| EnvelopeError::Sealed)?;
        Ok(letter)
    }

    /// Neighbours whose certificates the own authority gave.
    fn checked(&self, neighbours: Vec<pb::Neighbour>) -> Vec<NeighbourRow> {
        let Some(envelopes) = &self.envelopes else { return Vec::new() };
        let mut rows = Vec::with_capacity(neighbours.len());
        for neighbour in neighbours {
            let Ok(unit) = OrgCode::new(neighbour.unit) else { continue };
            match envelopes.check(unit, &neighbour.certificate) {
                Ok(good) => rows.push(NeighbourRow { unit: neighbour.unit, key: good.key, from: good.from }),
                Err(error) => tracing::warn!(%unit, %error, "a neighbour is not known"),
            }
        }
        rows
    }

    /// Marks that the parent has not got, as a batch of their own; when there are none, it is told so once.
    fn marks_batch(&self, view: &dyn View, after: u64) -> Result<Option<pb::Push>, SessionError> {
        let mut said = self.said();
        let (found, reached) = marks::marks_after(view, said.marks).map_err(failed)?;
        if found.is_empty() {
            return Ok(None);
        }
        said.marks = reached;
        Ok(Some(pb::Push { marks: found, marked: reached, ..self.push(after, after, &pb::CellList::default())? }))
    }

    /// A batch of cells behind one revision that reaches another.
    fn push(&self, after: u64, last: u64, list: &pb::CellList) -> Result<pb::Push, SessionError> {
        let raw = list.encode_to_vec();
        let cells = upstream::compress(&raw).map_err(failed)?;
        let (first, raw_len, stretch) = (after.saturating_add(1), raw.len() as u32, self.core.lineage.current().into());
        Ok(pb::Push { first, last, cells, raw_len, stretch, ..pb::Push::default() })
    }

    /// Once every record is marked under the newest key and all that has been sent, the parent is told.
    fn say_remarked(&self, view: &dyn View) -> Result<(), SessionError> {
        let desk = desk(view).map_err(failed)?;
        let Some(newest) = desk.keys.last().map(|key| key.generation).filter(|newest| *newest > desk.remarked) else {
            return Ok(());
        };
        if marks::unmarked(&self.core).map_err(failed)?.is_some() {
            return Ok(());
        }
        self.write(Job::Remarked(newest))
    }
}

/// Most letters, rulings and neighbours in one message of the parent.
const MAX_NEWS: usize = 20_000;

impl Replica for Upward {
    fn last_heard(&self) -> u64 {
        rows::counter(self.core.view().as_ref(), meta::UP_AT).unwrap_or_default()
    }

    fn hello(&self, live: bool) -> Result<pb::Hello, SessionError> {
        self.mark()?;
        self.core.begin_stretch().map_err(failed)?;
        let (digest, head) = self.digest_and_head().map_err(failed)?;
        let view = self.core.view();
        let desk = desk(view.as_ref()).map_err(failed)?;
        let counter = |name| rows::counter(view.as_ref(), name).map_err(failed);
        Ok(pb::Hello {
            protocol_min: PROTOCOL_MIN,
            protocol_max: PROTOCOL_MAX,
            software: env!("CARGO_PKG_VERSION").to_owned(),
            incarnation: view.get(Space::Meta, meta::EPOCH).map_err(failed)?.unwrap_or_default(),
            head,
            settled: counter(meta::UP)?,
            scope_digest: digest.into(),
            live,
            rebuild: self.anew.load(Ordering::Relaxed),
            tree_version: counter(meta::TREE)?,
            plan_version: self.core.plan_version(),
            plan_digest: self.core.plan_digest(),
            months: self.core.months().count(),
            orders: self.core.orders_version(),
            month_digest: self.month_digest(),
            orders_digest: self.orders_digest().map_err(failed)?,
            clock: (self.core.clock)(),
            mailed: desk.mailed,
            epoch: desk.epoch.into(),
            roll: Some(counter(meta::PARENTS_ROLL)?),
            roll_digest: self
                .parents_roll()
                .map_err(failed)?
                .map(|roll| short_digest(&roll).into())
                .unwrap_or_default(),
            released: outbox::released(view.as_ref()).map_err(failed)?,
            ..pb::Hello::default()
        })
    }

    fn welcome(&self, welcome: &pb::Welcome) -> Result<Greeting, SessionError> {
        let (digest, head) = self.digest_and_head().map_err(failed)?;
        let equal = digest[..] == welcome.scope_digest[..];
        // Marks come with no number of their own, and may have reached further than the cells before the disk was lost.
        let told = welcome.acknowledged.max(welcome.marked);
        if welcome.acknowledged > head || !self.core.lineage.reaches(&welcome.stretch, told) {
            // This hub was restored from a backup, and may have given the lost numbers out again.
            self.anew.store(true, Ordering::Relaxed);
            return Err(SessionError::NewIncarnation);
        }
        let view = self.core.view();
        let mut desk = desk(view.as_ref()).map_err(failed)?;
        let lost = welcome.acknowledged < rows::counter(view.as_ref(), meta::UP).map_err(failed)?;
        if desk.mailed > 0 && (lost || welcome.floor > 0) {
            // The parent was restored from a backup: what it sent since, it may send again under the same numbers.
            if lost {
                self.note(welcome.acknowledged, None)?;
            }
            self.write(Job::News(vec![News::Forget]))?;
            desk = super::mail::marks::desk(self.core.view().as_ref()).map_err(failed)?;
        }
        let marked = if welcome.marked > desk.marks { 0 } else { welcome.marked };
        *self.said() = Said { cells: Vec::new(), marks: marked, epoch: welcome.epoch.to_vec() };
        let wants_tree = welcome.tree_version > rows::counter(view.as_ref(), meta::TREE).map_err(failed)?;
        let own_plan = self.core.plan_version();
        let other_plan = !welcome.plan_digest.is_empty() && welcome.plan_digest != self.core.plan_digest();
        let wants_plan = welcome.plan_version > own_plan || (welcome.plan_version == own_plan && other_plan);
        let other_month = !welcome.month_digest.is_empty() && welcome.month_digest != self.month_digest();
        let wants_months = welcome.months > self.core.months().count() || other_month;
        let wants_orders = welcome.orders > self.core.orders_version();
        let wants_roll = welcome.roll > rows::counter(view.as_ref(), meta::PARENTS_ROLL).map_err(failed)?;
        let told = marked == desk.marks && desk.keys.last().is_none_or(|key| key.generation <= desk.remarked);
        let heard = welcome.head <= desk.mailed && welcome.floor == 0;
        if welcome.acknowledged == head
            && equal
            && !wants_tree
            && !wants_plan
            && !wants_months
            && !wants_orders
            && !wants_roll
            && welcome.wanted.is_empty()
            && told
            && heard
        {
            self.note(head, Some(self.core.now()))?;
            return Ok(Greeting::Quiet);
        }
        // Cells travel by value, so where the two sides differ without a reason everything is simply said again.
        let differs = welcome.acknowledged >= head && !equal;
        let acknowledged = if differs { 0 } else { welcome.acknowledged };
        Ok(Greeting::Talk { acknowledged })
    }

    fn batch(&self, after: u64) -> Result<Option<pb::Push>, SessionError> {
        let view = self.core.view();
        let view = view.as_ref();
        let outbox::Outgoing { mut letters, mut counted, more } = outbox::after(view, after).map_err(failed)?;
        // That everything is re-marked is said only behind the marks.
        if letters.iter().any(|letter| letter.kind() == pb::LetterKind::Remarked)
            && let Some(push) = self.marks_batch(view, after)?
        {
            return Ok(Some(push));
        }
        // Behind all rows of what is acknowledged, or behind the last that was said.
        let acknowledged = rows::at_revision(after, &[0xff; 15]);
        let from = self.said().cells.clone().max(acknowledged);
        let Cells { list, reached, row, whole } = Self::cells_after(view, from).map_err(failed)?;
        if list.cells.is_empty() && letters.is_empty() {
            if let Some(marks) = self.marks_batch(view, after)? {
                return Ok(Some(marks));
            }
            self.say_remarked(view)?;
            // A letter that was taken back leaves a revision in which nothing is said; the parent is told of that.
            let head = rows::counter(view, meta::CELLS).map_err(failed)?;
            return (head > after).then(|| self.push(after, head, &list)).transpose();
        }
        self.said().cells = row;
        let last = if whole {
            letters.last().map_or(reached, |last| if more { last.revision } else { last.revision.max(reached) })
        } else {
            // Letters go with the last of the cells: what they say of totals belongs to all of them.
            let first = letters.first().map_or(u64::MAX, |first| first.revision);
            letters.clear();
            counted.clear();
            reached.min(first - 1).max(after)
        };
        let mut letters = self.sealed(view, letters)?;
        letters.append(&mut counted);
        Ok(Some(pb::Push { letters, ..self.push(after, last, &list)? }))
    }

    fn verdicts(&self, verdicts: pb::Verdicts) -> Result<VerdictCount, SessionError> {
        self.note(verdicts.last, None)?;
        Ok(VerdictCount {
            accepted: verdicts.last.saturating_add(1).saturating_sub(verdicts.first),
            ..VerdictCount::default()
        })
    }

    fn records(&self, _: pb::Records) -> Result<u64, SessionError> {
        Ok(0) // a parent of this build sends none to a hub
    }

    fn document(&self, document: pb::Document) -> Result<(), SessionError> {
        let pb::Document { kind, version, content } = document;
        let is_plan = kind == "plan";
        let _foresight = is_plan.then(|| self.core.foresight());
        if is_plan && let Err(error) = self.core.foresee(&content) {
            tracing::warn!(version, %error, "what a plan changes was not looked for beside the writer");
        }
        let job = match kind.as_str() {
            "units" => Ok(Job::Tree(String::from_utf8_lossy(&content).into_owned(), Some(version))),
            "plan" => Ok(Job::Plans(content)),
            "orders" => Ok(Job::Orders(content)),
            roll::KIND if content.len() <= MAX_ROLL_BYTES => Ok(Job::ParentsRoll(version, content)),
            "month" => months::read_document(content, self.core.city_key().as_deref())
                .map(|(signed, sheets)| Job::Month { place: Some(version), signed: Box::new(signed), sheets }),
            _ => return Ok(()),
        };
        for answer in job.map_or_else(|error| vec![Err(error.into())], |job| self.core.commit(vec![job])) {
            match answer {
                Ok(_) => {}
                Err(WriteError::Store(error)) => return Err(failed(error)),
                // What can't be taken is told, and does not keep the totals from going up.
                Err(error) => {
                    tracing::warn!(kind, version, %error, "a document was left untaken");
                }
            }
        }
        Ok(())
    }

    fn said_again(&self, kind: &str) -> Result<Vec<pb::Document>, SessionError> {
        let view = self.core.view();
        let document = |(version, content)| pb::Document { kind: kind.to_owned(), version, content };
        let parent = self.core.unit.parent();
        let sheets: Vec<OrgCode> = [self.core.unit].into_iter().chain(parent).collect();
        match kind {
            "plan" => Ok(self.core.published_plans().map(document).into_iter().collect()),
            "orders" => Ok(self.core.orders().map(document).into_iter().collect()),
            roll::KIND => {
                let version = rows::counter(view.as_ref(), meta::PARENTS_ROLL).map_err(failed)?;
                Ok(self.parents_roll().map_err(failed)?.map(|roll| document((version, roll))).into_iter().collect())
            }
            "month" => (1..=self.core.months().count())
                .filter_map(|place| months::document(&self.core, view.as_ref(), place, &sheets).transpose())
                .collect::<Result<_, _>>()
                .map_err(failed),
            _ => Ok(Vec::new()), // a newer hub's
        }
    }

    fn mail(&self, mail: pb::Mail) -> Result<(), SessionError> {
        if mail.letters.len().max(mail.rulings.len()).max(mail.neighbours.len()) > MAX_NEWS {
            return Err(SessionError::Protocol("mail over the size bound"));
        }
        let pb::Mail { letters, rulings, neighbours, key_holder, generation, upto, .. } = mail;
        let mut news = Vec::new();
        if !neighbours.is_empty() {
            news.push(News::Neighbours(self.checked(neighbours)));
        }
        // Marks of the keys that go are only let go once every ruling under later ones has come.
        news.extend([News::Rulings(rulings), News::Keys { key_holder, generation }]);
        if !letters.is_empty() {
            // They are opened, and their keys taken, by what was said so far.
            self.write(Job::News(std::mem::take(&mut news)))?;
        }
        for letter in letters {
            let (from, kind) = (letter.from, letter.kind());
            let opened = self.opened(self.core.view().as_ref(), letter);
            match opened {
                // One commit each: what one letter moves goes up as one.
                Ok(letter) => self.write(Job::News(vec![News::Letter(letter)]))?,
                Err(error) => tracing::warn!(from, ?kind, %error, "a letter was left unread"),
            }
        }
        let epoch = self.said().epoch.clone();
        news.push(News::Heard { upto, epoch });
        self.write(Job::News(news))
    }

    fn caught(&self, caught: &pb::Caught) -> Result<Comparison, SessionError> {
        let (digest, head) = self.digest_and_head().map_err(failed)?;
        if caught.acknowledged != head {
            return Ok(Comparison::Equal); // more has been counted since; that is compared later
        }
        let equal = digest[..] == caught.scope_digest[..];
        self.anew.store(!equal, Ordering::Relaxed);
        if equal {
            self.note(head, Some(self.core.now()))?;
        }
        Ok(if equal { Comparison::Equal } else { Comparison::Different })
    }

    fn pending(&self) -> u64 {
        let view = self.core.view();
        let counter = |name| rows::counter(view.as_ref(), name).unwrap_or(0);
        counter(meta::CELLS).saturating_sub(counter(meta::UP))
    }

    fn changed(&self) -> watch::Receiver<u64> {
        self.core.subscribe()
    }
}
