//! The reviewer's queue: listing, showing and settling conflicts. What a hub's own reviewers may ask for, and those of the
//! townships below it, each within itself, whatever the face. Invariant: lists read the queue's own rows, so
//! the district's page costs the same however many are open; nobody below the hub is shown what is not wholly theirs; the hub's
//! own reviewers see personal text masked unless they ask for names, and each such look is kept.

mod lately;
mod named;
mod show;

use crate::{
    reading::{HubDesk, keep_look, masked_conflict},
    rows::{self, meta, queue},
    shelf::Committed,
    state::Core,
    store::{Space, StoreError},
    writer::{Answer, Job, Review, Writer, choices, competence},
};
use lately::{Entry, Lately};
use prost::Message;
use std::{
    collections::{BTreeSet, HashSet},
    sync::Arc,
};
use taizhang_node::{
    caller::{Caller, Refusal},
    office::title::Titles,
};
use taizhang_proto::{
    OrgCode, RecordId,
    cell::{Shelf, doubt},
    pb::{self, ConflictState},
    register::{number, registers},
};
use tokio::task::block_in_place;

/// Lines on a page when the asker does not say.
const PAGE: usize = 50;
/// Most lines on a page.
const MAX_PAGE: usize = 1_000;
/// Conflicts of one call that are one job of the writer: others have their turn between such jobs, however many a call settles.
const SETTLED_AT_ONCE: usize = 32;
/// Most conflicts that one call settles.
const SETTLED_BY_A_CALL: usize = 20_000;
/// The same, of a call that a unit below makes: its line is not kept open for longer.
const SETTLED_FROM_BELOW: usize = 2_000;
/// Conflicts of a list that are looked at for one page: then it ends, and the asker goes on behind it.
const LOOKED_AT: usize = 20_000;
/// What a query asks for, read.
pub struct Query {
    kinds: Vec<i32>,
    unit: Option<OrgCode>,
    record: Option<RecordId>,
    register: Option<u32>,
    tag: Option<u32>,
    before: u64,
    after: u64,
    limit: usize,
    closed: bool,
    /// The unit below the hub that asks: only what lies wholly within it.
    of: Option<OrgCode>,
    /// How many conflicts are looked at for a page.
    looked_at: usize,
}

impl Query {
    /// Reads a query; `now` is in seconds since 1970, `of` the unit below the hub that asks.
    ///
    /// # Errors
    /// Names what it does not understand, or a unit that is not the asker's.
    pub fn read(query: &pb::ConflictQuery, now: u64, of: Option<OrgCode>) -> Result<Self, String> {
        let unit = match query.unit {
            0 => of,
            code => Some(OrgCode::new(code).map_err(|error| error.to_string())?),
        };
        if let (Some(unit), Some(of)) = (unit, of)
            && !of.covers(unit)
        {
            return Err(format!("{unit} 不在本单位之内 (not within this unit)"));
        }
        let record = match query.record.as_str() {
            "" => None,
            id => Some(id.parse().map_err(|_| format!("{id} 不是记录编号 (not a record id)"))?),
        };
        let def = match query.register.as_str() {
            "" => None,
            name => Some(registers().named(name).ok_or_else(|| format!("没有登记表 {name} (no such register)"))?),
        };
        let tag = match (query.field.as_str(), def) {
            ("", _) => None,
            (name, Some(def)) => Some(def.field_named(name).ok_or_else(|| def.no_field(name))?.tag),
            (_, None) => return Err("按栏目筛选时请一并指明登记表 (name the register too)".into()),
        };
        let kinds: BTreeSet<i32> = query.kinds.iter().copied().collect();
        Ok(Self {
            kinds: kinds.into_iter().collect(),
            unit,
            record,
            register: def.map(|def| def.number),
            tag,
            before: if query.older_than == 0 { u64::MAX } else { now.saturating_sub(query.older_than) },
            after: query.after,
            limit: if query.limit == 0 { PAGE } else { (query.limit as usize).min(MAX_PAGE) },
            closed: query.closed,
            of,
            looked_at: LOOKED_AT,
        })
    }

    /// The record that is asked about, and those that refer to it: what befell a person's placement is about that person.
    fn about(&self, shelf: &Committed<'_>) -> Result<Option<HashSet<RecordId>>, StoreError> {
        let Some(record) = self.record else { return Ok(None) };
        let referring = shelf.about(record)?.into_iter().map(|(_, id)| id);
        Ok(Some(referring.chain([record]).collect()))
    }

    fn wants(&self, conflict: &pb::Conflict, about: Option<&HashSet<RecordId>>) -> bool {
        let in_scope = |unit: OrgCode| {
            [conflict.unit, conflict.other_unit, conflict.moved_to]
                .iter()
                .any(|code| OrgCode::new(*code).is_ok_and(|own| unit.covers(own)))
        };
        let is_about = |ids: &HashSet<RecordId>| {
            [&conflict.record, &conflict.other]
                .into_iter()
                .filter_map(|id| RecordId::from_slice(id))
                .any(|id| ids.contains(&id))
        };
        (self.kinds.is_empty() || self.kinds.contains(&conflict.kind))
            && self.unit.is_none_or(in_scope)
            && about.is_none_or(is_about)
            && self.register.is_none_or(|register| conflict.register == register)
            && self.tag.is_none_or(|tag| conflict.tags.contains(&tag))
            && conflict.found <= self.before
    }

    /// The list of the queue that holds what it asks for, and as little else as there is a list for.
    fn list(&self, hub: OrgCode) -> Vec<u8> {
        match (self.kinds.as_slice(), self.unit.filter(|unit| *unit != hub)) {
            (_, Some(unit)) => queue::of_unit(unit),
            ([kind], None) => queue::of_kind(*kind),
            _ => queue::ALL.to_vec(),
        }
    }
}

/// Whether a conflict lies wholly within the unit that asks, as its records are now.
fn is_theirs(shelf: &Committed<'_>, query: &Query, conflict: &pb::Conflict) -> Result<bool, StoreError> {
    let Some(of) = query.of else { return Ok(true) };
    Ok(competence::lies_within(&competence::units_of(shelf, conflict)?, of))
}

/// The open conflicts that a query finds, at most a page of them; and the number after which the next page begins,
/// 0 when there is none. A page ends early where so many were looked at that the asker has to ask again.
///
/// # Errors
/// When the store fails.
pub fn open_conflicts(core: &Core, query: &Query) -> Result<(Vec<pb::Conflict>, u64), StoreError> {
    let view = core.view();
    let shelf = Committed { view: view.as_ref(), tree: core.tree() };
    let list = query.list(core.unit);
    let from = queue::entry(&list, query.after.saturating_add(1));
    let to = queue::entry(&list, u64::MAX);
    let about = query.about(&shelf)?;
    let mut found: Vec<pb::Conflict> = Vec::new();
    for (looked_at, row) in view.range(Space::Queue, &from, &to).enumerate() {
        let number = queue::number(&row?.0).ok_or(StoreError::Row(Space::Queue))?;
        if looked_at == query.looked_at {
            return Ok((found, number - 1));
        }
        let conflict: Option<pb::Conflict> = rows::read(view.as_ref(), Space::Conflicts, &number.to_be_bytes())?;
        let conflict = conflict.ok_or(StoreError::Row(Space::Conflicts))?;
        if query.wants(&conflict, about.as_ref()) && is_theirs(&shelf, query, &conflict)? {
            found.push(conflict);
        }
        if found.len() > query.limit {
            break;
        }
    }
    let more = found.len() > query.limit;
    found.truncate(query.limit);
    let next = if more { found.last().map_or(0, |last| last.number) } else { 0 };
    Ok((found, next))
}

/// The closed conflicts that a query finds, newest first. `query.after` is the last number of the page before. A page ends
/// early where so many were looked at that the asker has to ask again.
fn closed_conflicts(core: &Core, query: &Query) -> Result<(Vec<pb::Conflict>, u64), StoreError> {
    const STEP: u64 = 512;
    let view = core.view();
    let view = view.as_ref();
    let shelf = Committed { view, tree: core.tree() };
    let about = query.about(&shelf)?;
    let newest = rows::counter(view, meta::CONFLICT)?;
    let mut upto = if query.after == 0 { newest + 1 } else { query.after.min(newest + 1) };
    let last = upto.saturating_sub(query.looked_at as u64);
    let mut found = Vec::new();
    while upto > 1 && upto > last && found.len() <= query.limit {
        let from = upto.saturating_sub(STEP).max(1);
        let rows: Vec<_> = view.range(Space::Conflicts, &from.to_be_bytes(), &upto.to_be_bytes()).collect();
        for row in rows.into_iter().rev() {
            let conflict = pb::Conflict::decode(row?.1).map_err(|_| StoreError::Row(Space::Conflicts))?;
            let fits = conflict.state() != ConflictState::Unsettled && query.wants(&conflict, about.as_ref());
            if fits && found.len() <= query.limit && is_theirs(&shelf, query, &conflict)? {
                found.push(conflict);
            }
        }
        upto = from;
    }
    let more = found.len() > query.limit;
    found.truncate(query.limit);
    let next = match found.last() {
        Some(last) if more => last.number,
        _ if upto > 1 => upto,
        _ => 0,
    };
    Ok((found, next))
}

/// The calls of reviewers: the hub's own, and those of a unit below it, each within that unit.
#[derive(Clone)]
pub(crate) struct Reviews {
    core: Arc<Core>,
    writer: Writer,
    /// Held while a new record is entered.
    lately: Arc<tokio::sync::Mutex<Lately>>,
}

impl Reviews {
    pub(crate) fn new(core: Arc<Core>, writer: Writer) -> Self {
        Self { core, writer, lately: Arc::default() }
    }

    /// The unit of the hub.
    pub(crate) fn unit(&self) -> OrgCode {
        self.core.unit
    }

    /// The unit below the hub within which a caller sees and settles; none for the hub's own.
    fn within(&self, caller: &Caller) -> Option<OrgCode> {
        (caller.unit != self.core.unit).then_some(caller.unit)
    }

    /// The open conflicts that a query finds, or the closed ones; with `names` as they stand, and else masked.
    pub(crate) async fn conflicts(
        &self,
        caller: &Caller,
        names: bool,
        mut query: pb::ConflictQuery,
    ) -> Result<pb::ConflictPage, Refusal> {
        if self.within(caller).is_none() {
            named::about(&self.core, &self.writer, caller, &mut query).await?;
        }
        let names = self.names(caller, names, "conflicts", String::new()).await?;
        block_in_place(|| self.page(caller, &query, names))
    }

    /// One conflict with its records; with `names` as they stand, and else masked.
    pub(crate) async fn show(&self, caller: &Caller, names: bool, number: u64) -> Result<pb::ConflictDetail, Refusal> {
        let names = self.names(caller, names, "show", format!("Conflict {number}")).await?;
        block_in_place(|| self.detail(caller, number, names))
    }

    /// Settles conflicts, those of a list or those that a query finds.
    pub(crate) async fn resolve(
        &self,
        caller: &Caller,
        mut request: pb::ResolveRequest,
    ) -> Result<pb::ResolveAnswer, Refusal> {
        let of = self.within(caller);
        request.by.clone_from(&caller.name);
        if let Some(like) = request.like.as_mut().filter(|_| of.is_none()) {
            named::about(&self.core, &self.writer, caller, like).await?;
        }
        let numbers = match request.like.take() {
            Some(like) => block_in_place(|| self.numbers(&like, of))?,
            None => std::mem::take(&mut request.numbers),
        };
        let mut all = pb::ResolveAnswer::default();
        let most = if of.is_some() { SETTLED_FROM_BELOW } else { SETTLED_BY_A_CALL };
        if numbers.len() > most {
            let words = format!("一次最多裁定{most}件，请分次办理 (too many at once: settle some of them)");
            return Err(Refusal::wrong(words));
        }
        for numbers in numbers.chunks(SETTLED_AT_ONCE) {
            let part = pb::ResolveRequest { numbers: numbers.to_vec(), ..request.clone() };
            let answer = self.ask(caller, Review::Resolve(part)).await?;
            all.settled += answer.settled;
            all.failed.extend(answer.failed);
        }
        tracing::info!(settled = all.settled, failed = all.failed.len(), "conflicts were ruled on");
        Ok(all)
    }

    /// Puts a conflict back into the queue.
    pub(crate) async fn reopen(
        &self,
        caller: &Caller,
        request: pb::ReopenRequest,
    ) -> Result<pb::ResolveAnswer, Refusal> {
        self.ask(caller, Review::Reopen(pb::ReopenRequest { by: caller.name.clone(), ..request })).await
    }

    /// Merges two records, or takes a merge back.
    pub(crate) async fn merge(
        &self,
        caller: &Caller,
        mut request: pb::MergeRequest,
    ) -> Result<pb::ResolveAnswer, Refusal> {
        request.by.clone_from(&caller.name);
        if self.within(caller).is_none() {
            named::merge(&self.core, &self.writer, caller, &mut request).await?;
        }
        self.ask(caller, Review::Merge(request)).await
    }

    /// Edits a record by the hub's own hand, or enters one.
    pub(crate) async fn revise(
        &self,
        caller: &Caller,
        mut request: pb::ReviseRequest,
    ) -> Result<pb::SaveAnswer, Refusal> {
        if registers().named(&request.register).is_some_and(|def| def.number == number::PERIOD_CLOSE) {
            return Err(Refusal::wrong(
                "月份由各单位用 close 封账，县区用 approve 审核或退回，数字由程序清点，不能手工登记 (months are closed by `close`, and approved \
                 or sent back by `approve`)",
            ));
        }
        request.by.clone_from(&caller.name);
        if self.within(caller).is_none() {
            named::revise(&self.core, &self.writer, caller, &mut request).await?;
        }
        let answer = match Entry::of(&request) {
            None => self.write(caller, Review::Revise(request)).await?,
            Some(entry) => {
                // Whoever asked may be gone before it is written, and ask again.
                let (own, caller) = (self.clone(), caller.clone());
                let written = tokio::spawn(async move { own.enter(&caller, entry, request).await });
                written.await.map_err(Refusal::failed)??
            }
        };
        let Answer::Revised(record) = answer else { return Err(something_else()) };
        // It stands, whatever can't be read after that.
        let doubts = block_in_place(|| self.doubts_of(record)).unwrap_or_else(|error| {
            tracing::warn!(%error, "what is doubtful about a revised record can't be told");
            Vec::new()
        });
        Ok(pb::SaveAnswer { record: record.to_string(), seq: 0, doubts })
    }

    /// Enters a new record, unless the same was entered a moment ago.
    async fn enter(&self, caller: &Caller, entry: Entry, request: pb::ReviseRequest) -> Result<Answer, Refusal> {
        let mut lately = self.lately.lock().await;
        if let Some(made) = lately.made(&entry, (self.core.clock)()) {
            return Err(Refusal::wrong(format!(
                "刚才已登记，见记录 {made}；确要再登记一条，加 --despite (entered a moment ago: --despite enters another)"
            )));
        }
        let answer = self.write(caller, Review::Revise(request)).await?;
        if let Answer::Revised(record) = &answer {
            lately.put(entry, (self.core.clock)(), record.to_string());
        }
        Ok(answer)
    }

    /// Whether what is personal is shown as it stands: what lies within a township is its own to read; at the hub who asks for names
    /// is kept first.
    async fn names(&self, caller: &Caller, names: bool, what: &'static str, about: String) -> Result<bool, Refusal> {
        if self.within(caller).is_some() {
            return Ok(true);
        }
        if names {
            keep_look(&self.core, &self.writer, caller, what, about).await?;
        }
        Ok(names)
    }

    fn page(&self, caller: &Caller, query: &pb::ConflictQuery, names: bool) -> Result<pb::ConflictPage, Refusal> {
        let of = self.within(caller);
        let read = Query::read(query, self.core.now(), of).map_err(Refusal::wrong)?;
        let list = if read.closed { closed_conflicts } else { open_conflicts };
        let (mut found, next) = list(&self.core, &read)?;
        if !names {
            found.iter_mut().for_each(masked_conflict);
        }
        let open = match of {
            None => rows::counter(self.core.view().as_ref(), meta::OPEN)?,
            Some(_) => self.open_at(of)?,
        };
        let view = self.core.view();
        let desk = HubDesk::new(&self.core, view.as_ref(), names).within(of);
        let mut titles = Titles::new(&desk);
        let lines = found.into_iter().map(|one| show::line(&mut titles, one)).collect::<Result<_, _>>()?;
        Ok(pb::ConflictPage { lines, open, next })
    }

    fn detail(&self, caller: &Caller, number: u64, names: bool) -> Result<pb::ConflictDetail, Refusal> {
        let of = self.within(caller);
        let (view, tree) = (self.core.view(), self.core.tree());
        let desk = HubDesk::new(&self.core, view.as_ref(), names).within(of);
        let unknown = || Refusal::unknown(format!("没有冲突 {number} (no such conflict)"));
        let conflict: Option<pb::Conflict> = rows::read(view.as_ref(), Space::Conflicts, &number.to_be_bytes())?;
        let mut conflict = conflict.ok_or_else(unknown)?;
        let shelf = Committed { view: view.as_ref(), tree: tree.clone() };
        let units = competence::units_of(&shelf, &conflict)?;
        // Whoever asks for somebody else's is not told that there is one.
        if of.is_some_and(|of| !competence::lies_within(&units, of)) {
            return Err(unknown());
        }
        if !names {
            masked_conflict(&mut conflict);
        }
        let sides = show::sides(&desk, &conflict)?;
        let open = conflict.state() == ConflictState::Unsettled;
        let theirs = of.is_none_or(|of| competence::refusal(&conflict, &units, of).is_none());
        let choices = if open && theirs { choices(&conflict) } else { Vec::new() };
        Ok(pb::ConflictDetail {
            line: Some(show::line(&mut Titles::new(&desk), conflict)?),
            sides,
            choices: choices.into_iter().map(Into::into).collect(),
        })
    }

    /// How many open conflicts lie within a unit, counted up to a page of them.
    fn open_at(&self, of: Option<OrgCode>) -> Result<u64, Refusal> {
        let mut all = Query::read(&pb::ConflictQuery::default(), self.core.now(), of).map_err(Refusal::wrong)?;
        all.limit = MAX_PAGE;
        Ok(open_conflicts(&self.core, &all)?.0.len() as u64)
    }

    /// Does what a reviewer asks, in one commit.
    async fn write(&self, caller: &Caller, review: Review) -> Result<Answer, Refusal> {
        let of = self.within(caller);
        let job = match of {
            None => Job::Review(review),
            Some(of) => Job::ReviewBelow(of, review),
        };
        match self.writer.write(job).await? {
            Answer::Refused(why) if of.is_some() => Err(Refusal::NotTheirs(why)),
            Answer::Refused(why) => Err(Refusal::Wrong(why)),
            answer => Ok(answer),
        }
    }

    async fn ask(&self, caller: &Caller, review: Review) -> Result<pb::ResolveAnswer, Refusal> {
        match self.write(caller, review).await? {
            Answer::Reviewed(answer) => Ok(answer),
            _ => Err(something_else()),
        }
    }

    /// The numbers of all open conflicts that a query finds.
    fn numbers(&self, query: &pb::ConflictQuery, of: Option<OrgCode>) -> Result<Vec<u64>, Refusal> {
        let mut read = Query::read(query, self.core.now(), of).map_err(Refusal::wrong)?;
        (read.closed, read.limit) = (false, MAX_PAGE);
        let mut numbers = Vec::new();
        loop {
            let (found, next) = open_conflicts(&self.core, &read)?;
            numbers.extend(found.into_iter().map(|conflict| conflict.number));
            if next == 0 || numbers.len() > SETTLED_BY_A_CALL {
                return Ok(numbers);
            }
            read.after = next;
        }
    }

    /// What is to be looked into in a record that was just revised.
    fn doubts_of(&self, id: RecordId) -> Result<Vec<String>, StoreError> {
        let view = self.core.view();
        let shelf = Committed { view: view.as_ref(), tree: self.core.tree() };
        let Some(record) = shelf.record(id)? else { return Ok(Vec::new()) };
        let found = doubt::doubts(&shelf, (id, &record), &self.core.plans(), self.core.today())?;
        Ok(found.into_iter().map(doubt::Doubt::words).collect())
    }
}

fn something_else() -> Refusal {
    Refusal::failed("the writer answered something else")
}
