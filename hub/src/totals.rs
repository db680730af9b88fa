//! Live totals: read from sums that every commit keeps, never by counting.
//! Invariant: what a query answers was true at one revision, which it names.

pub mod aside;
pub mod audit;
mod bounds;
pub(crate) mod recount;
mod shares;
mod standing;
mod trend;
pub(crate) mod unheard;
pub(crate) mod years;

pub use bounds::{MAX_VALUES, MAX_WATCHED};
pub use shares::shares;
pub(crate) use standing::give_ranks;
pub use standing::{commend, draw, standard, standing};
pub use trend::{MAX_POINTS, trend};

use self::aside::{AsideRow, Left};
use crate::{
    gate::{Gate, Pass},
    rows::{self, NodeRow, OwnCell, meta},
    state::{Core, Peer, access::still_welcome},
    store::{Space, StoreError, View},
};
use prost::Message;
use std::{collections::HashMap, ops::RangeInclusive, pin::Pin, sync::Arc, time::Duration};
use taizhang_node::caller::Refusal;
use taizhang_proto::{
    OrgCode,
    cell::{CellKey, bounds as cell_bounds},
    date::{Day, SHANGHAI},
    indicator::{self, Class, Figure, Grain, Indicator, Kind, Part, Period, Span},
    org::UnitTree,
    pb::{self, Tier, totals_server::Totals},
};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

/// The sum of a part's cells of a unit's subtree over a range of dates, without what is set aside.
///
/// # Errors
/// When the store fails.
pub fn sum(view: &dyn View, unit: OrgCode, part: u16, dates: RangeInclusive<Day>) -> Result<i64, StoreError> {
    sum_without(view, &aside::row(view)?, (unit, part), dates)
}

/// The same, where what is set aside was read already.
fn sum_without(
    view: &dyn View,
    aside: &AsideRow,
    (unit, part): (OrgCode, u16),
    dates: RangeInclusive<Day>,
) -> Result<i64, StoreError> {
    let below = match aside.left_out(unit, part) {
        Left::All => return Ok(0),
        Left::None => Vec::new(),
        Left::Of(below) => below,
    };
    let mut total = sum_heard(view, unit, part, dates.clone())?;
    for child in below {
        total = total.saturating_sub(sum_heard(view, child, part, dates.clone())?);
    }
    Ok(total)
}

/// The same with what is set aside: as it was heard.
pub(crate) fn sum_heard(
    view: &dyn View,
    unit: OrgCode,
    part: u16,
    dates: RangeInclusive<Day>,
) -> Result<i64, StoreError> {
    let heard = years::sum(view, unit, part, dates.clone())?;
    Ok(heard.saturating_add(unheard::sum(view, unit, part, dates)?))
}

/// The sum of a part's cells of a unit alone, without those below it, and without what is set aside or out of bounds.
///
/// # Errors
/// When the store fails.
pub fn own_sum(view: &dyn View, unit: OrgCode, part: u16, dates: RangeInclusive<Day>) -> Result<i64, StoreError> {
    if matches!(aside::row(view)?.left_out(unit, part), Left::All) {
        return Ok(0);
    }
    sum_in(view, (Space::Own, &[]), (unit, part, dates), |key, value| {
        Some(cell_bounds::counted(CellKey::from_slice(key)?, OwnCell::from_slice(value)?.value))
    })
}

/// The sum of rows whose keys are a prefix and a cell's.
fn sum_in(
    view: &dyn View,
    (space, prefix): (Space, &[u8]),
    (unit, part, dates): (OrgCode, u16, RangeInclusive<Day>),
    read: impl Fn(&[u8], &[u8]) -> Option<i64>,
) -> Result<i64, StoreError> {
    let key = |date| [prefix, &CellKey { unit, part, date }.to_bytes()].concat();
    let mut to = key(*dates.end());
    to.push(0); // just after the last key
    let mut total: i64 = 0;
    for row in view.range(space, &key(*dates.start()), &to) {
        let (key, value) = row?;
        total = total.saturating_add(read(&key, &value).ok_or(StoreError::Row(space))?);
    }
    Ok(total)
}

/// One indicator of one unit in a period.
///
/// # Errors
/// When the store fails.
pub fn value(
    view: &dyn View,
    unit: OrgCode,
    indicator: &Indicator,
    period: &Period,
) -> Result<pb::TotalValue, StoreError> {
    Ok(total_value(unit, indicator, figure(view, unit, indicator, period)?))
}

/// As [`value`], but as a closed month has it: without placements that nothing proves.
///
/// # Errors
/// When the store fails.
pub fn proven_value(
    view: &dyn View,
    unit: OrgCode,
    indicator: &Indicator,
    period: &Period,
) -> Result<pb::TotalValue, StoreError> {
    let aside = aside::row(view)?;
    let figure = indicator.proven_figure(period, |part, dates| sum_without(view, &aside, (unit, part), dates))?;
    Ok(total_value(unit, indicator, figure))
}

/// One indicator of one unit in a period, from the sums.
fn figure(view: &dyn View, unit: OrgCode, indicator: &Indicator, period: &Period) -> Result<Figure, StoreError> {
    let aside = aside::row(view)?;
    indicator.figure(period, |part, dates| sum_without(view, &aside, (unit, part), dates))
}

/// A figure as it goes over the wire.
pub(crate) fn total_value(unit: OrgCode, indicator: &Indicator, figure: Figure) -> pb::TotalValue {
    pb::TotalValue {
        unit: unit.number(),
        indicator: indicator.code.to_owned(),
        numerator: figure.numerator,
        denominator: figure.denominator,
        ratio: indicator.is_ratio(),
        duplicates: figure.duplicates,
        duplicate_base: figure.duplicate_base,
        span: pb::TotalSpan::Year.into(),
    }
}

/// Answers a query from one view.
///
/// # Errors
/// When the store fails.
pub fn answer(core: &Core, request: &pb::TotalsRequest) -> Result<pb::TotalsAnswer, QueryError> {
    answer_within(core, request, core.unit)
}

/// Answers a query of somebody who may see `scope` only; without a unit in the request, the scope itself.
///
/// # Errors
/// When the store fails, or the unit is beyond the scope.
pub fn answer_within(core: &Core, request: &pb::TotalsRequest, scope: OrgCode) -> Result<pb::TotalsAnswer, QueryError> {
    answer_of(core, request, (scope, MAX_VALUES))
}

/// The same, with at most so many figures.
fn answer_of(
    core: &Core,
    request: &pb::TotalsRequest,
    (scope, most): (OrgCode, usize),
) -> Result<pb::TotalsAnswer, QueryError> {
    let started = std::time::Instant::now();
    let view = core.view();
    let view = view.as_ref();
    let unit = unit_within(request.unit, scope)?;
    let on = day_asked(core, request.on)?;
    let chosen = bounds::chosen(&request.indicators)?;
    let tree = core.tree();
    let period = Period::up_to(on, span_asked(request.span()));
    let mut units = vec![unit];
    if request.children {
        units.extend(tree.children(unit).map(|child| child.code));
    }
    if request.by != Tier::Unknown as i32 {
        units.extend(below_of_tier(&tree, unit, request.by));
    }
    bounds::answerable((units.len(), chosen.len()), most)?;
    let mut answer = pb::TotalsAnswer {
        on,
        revision: rows::counter(view, meta::REVISION)?,
        as_of: core.now(),
        ..pb::TotalsAnswer::default()
    };
    for unit in units {
        answer.units.push(unit_name(&tree, unit));
        for indicator in &chosen {
            answer.values.push(value(view, unit, indicator, &period)?);
        }
    }
    let silent_after = u64::from(core.plans().on(on).work.silent_hours) * 3_600;
    let mut hubs = Vec::new();
    let nodes = children(view)?;
    if core.tier == Tier::City {
        for own in unheard::districts(&tree, core.unit, &nodes) {
            let enrolled = nodes.iter().any(|node| node.hub && node.retired == 0 && node.unit == own.number());
            if enrolled || !(unit.covers(own) || own.covers(unit)) {
                continue;
            }
            hubs.push((own, false));
            answer.children += 1;
            let unit_name = tree.name(own);
            answer.silent.push(pb::ChildFreshness { unit: own.number(), unit_name, ..pb::ChildFreshness::default() });
        }
    }
    for node in nodes.into_iter().filter(|node| node.retired == 0) {
        let Ok(own) = OrgCode::new(node.unit) else { continue };
        if !unit.covers(own) && !own.covers(unit) {
            continue;
        }
        let fresh = node.last_sync + silent_after >= answer.as_of;
        if node.hub {
            hubs.push((own, fresh));
        }
        answer.children += 1;
        if fresh {
            answer.fresh += 1;
        } else {
            answer.silent.push(pb::ChildFreshness {
                unit: node.unit,
                unit_name: tree.name(own),
                node: node.id,
                last_sync: node.last_sync,
                revision: node.pulled,
                equal: node.equal,
            });
        }
    }
    let set_aside = aside::row(view)?;
    answer.aside = set_aside.around(unit).into_iter().map(|child| tree.name(child)).collect();
    // An office far below is known by what its district counts of its nodes; that district by when it was heard itself.
    for name in &mut answer.units {
        let Ok(unit) = OrgCode::new(name.unit) else { continue };
        let stock = |part: Part| sum(view, unit, part.number(), Day::MIN..=on);
        let (nodes, online) = (stock(Part::Nodes)?, stock(Part::NodesOnline)?);
        let above = hubs.iter().filter(|(hub, _)| unit.covers(*hub) || hub.covers(unit));
        let (mut heard, mut silent) = (0, 0);
        for (_, fresh) in above {
            heard += 1;
            silent += i64::from(!fresh);
        }
        name.nodes = nodes + heard;
        name.silent = nodes - online + silent;
        name.aside = set_aside.at(unit) as u32;
    }
    answer.micros = started.elapsed().as_micros() as u64;
    Ok(answer)
}

/// A unit with its name.
pub(crate) fn unit_name(tree: &UnitTree, unit: OrgCode) -> pb::UnitName {
    pb::UnitName { unit: unit.number(), name: tree.name(unit), ..pb::UnitName::default() }
}

/// The cells that are not zero of a space, under keys that begin with a prefix.
fn read_cells(
    view: &dyn View,
    (space, prefix): (Space, &[u8]),
    read: impl Fn(&[u8]) -> Option<i64>,
) -> Result<HashMap<CellKey, i64>, StoreError> {
    let mut cells = HashMap::new();
    for row in view.prefix(space, prefix) {
        let (key, value) = row?;
        let key = key.get(prefix.len()..).and_then(CellKey::from_slice).ok_or(StoreError::Row(space))?;
        let value = read(&value).ok_or(StoreError::Row(space))?;
        if value != 0 {
            cells.insert(key, value);
        }
    }
    Ok(cells)
}

/// The unit that is asked for, or the scope itself.
fn unit_within(asked: u64, scope: OrgCode) -> Result<OrgCode, QueryError> {
    if asked == 0 {
        return Ok(scope);
    }
    OrgCode::new(asked).ok().filter(|unit| scope.covers(*unit)).ok_or(QueryError::Unit(asked))
}

/// The day that is asked for, or today.
pub(crate) fn day_asked(core: &Core, on: Day) -> Result<Day, QueryError> {
    if on == 0 { Ok(core.today()) } else { bounds::day(on) }
}

fn span_asked(span: pb::TotalSpan) -> Span {
    match span {
        pb::TotalSpan::Year => Span::Year,
        pb::TotalSpan::Month => Span::Month,
    }
}

/// The units of a tier below a unit, itself left out.
fn below_of_tier(tree: &UnitTree, unit: OrgCode, tier: i32) -> impl Iterator<Item = OrgCode> {
    let below = tree.below(unit).map(|below| below.code);
    below.filter(move |below| *below != unit && below.tier() as i32 == tier)
}

/// All children, by id.
///
/// # Errors
/// When the store fails.
pub fn children(view: &dyn View) -> Result<Vec<NodeRow>, StoreError> {
    view.prefix(Space::Nodes, &[])
        .map(|row| NodeRow::decode(row?.1).map_err(|_| StoreError::Row(Space::Nodes)))
        .collect()
}

/// Why a query can't be answered.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// Not below this hub.
    #[error("没有此单位，或不在本级辖区内 (no such unit below this hub): {0}")]
    Unit(u64),
    /// Too many days, or none.
    #[error("时段应为1至{MAX_POINTS}天，起止日期勿颠倒 (a trend has 1 to {MAX_POINTS} days)")]
    Days,
    /// Not between 0 and 1.
    #[error("抽查比例应大于0且不超过1 (the share to draw is above 0 and at most 1)")]
    Share,
    /// A day of no year that is counted.
    #[error("日期应在1900年至2199年之间 (a day between 1900 and 2199)")]
    Day,
    /// Too many codes.
    #[error("一次列出了{0}个指标，过多；不列即为全部指标 (too many codes: name none to have all)")]
    Codes(usize),
    /// Too large an answer.
    #[error("一次查询{asked}个数字，最多{most}个，请缩小单位或指标范围 (too many figures at once: ask for fewer)")]
    Values {
        /// How many were asked for.
        asked: usize,
        /// How many may be.
        most: usize,
    },
    /// Not in the catalogue.
    #[error("没有此指标 (no such indicator): {0}")]
    Indicator(String),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<QueryError> for Refusal {
    fn from(error: QueryError) -> Self {
        match error {
            QueryError::Store(_) => Self::failed(error),
            QueryError::Day | QueryError::Codes(_) | QueryError::Values { .. } => Self::wrong(error),
            _ => Self::unknown(error),
        }
    }
}

/// As gRPC says it.
impl From<QueryError> for Status {
    fn from(error: QueryError) -> Self {
        Refusal::from(error).into()
    }
}

/// How long an answer waits for a reader that takes none.
const UNREAD: std::time::Duration = std::time::Duration::from_secs(180);
/// Requests that are worked on at a time, and that may wait.
const WORKING: usize = 4;
const WAITING: usize = 60;
/// Requests of one certificate at a time.
const EACH: usize = 4;
/// Watchers that are looked for at a time; those in all, and of one certificate.
const LOOKING: usize = 2;
const WATCHERS: usize = 128;
const WATCHERS_EACH: usize = 8;
/// A watcher rests so many times as long as its last look took: however many there are, the others go before.
const REST: u32 = 4;

/// The totals service.
#[derive(Clone)]
pub struct TotalsService {
    core: Arc<Core>,
    stop: watch::Receiver<bool>,
    queries: Gate,
    watchers: Gate,
    /// The looks of watchers, apart from queries: neither waits behind the other.
    looks: Arc<Semaphore>,
}

impl TotalsService {
    /// A service on a core. Watchers are sent away when `stop` turns true.
    pub fn new(core: Arc<Core>, stop: watch::Receiver<bool>) -> Self {
        let queries = Gate::new(WORKING, WAITING, EACH);
        let watchers = Gate::new(0, WATCHERS, WATCHERS_EACH);
        Self { core, stop, queries, watchers, looks: Arc::new(Semaphore::new(LOOKING)) }
    }
}

impl TotalsService {
    /// What the asker may see: a child its own subtree, the hub's own command line everything.
    fn scope_of<T>(&self, request: &Request<T>) -> OrgCode {
        request.extensions().get::<Peer>().map_or(self.core.unit, |peer| peer.unit)
    }

    /// Works out one answer, in turn, within the asker's share.
    async fn answer<Q, A>(
        &self,
        request: Request<Q>,
        work: impl FnOnce(&Core, &Q, OrgCode) -> Result<A, QueryError>,
    ) -> Result<Response<A>, Status> {
        let scope = self.scope_of(&request);
        let _pass: Pass = self.queries.enter(asker(&request)).await?;
        let answer = tokio::task::block_in_place(|| work(&self.core, request.get_ref(), scope))?;
        Ok(Response::new(answer))
    }
}

/// By what certificate somebody asks; empty for the hub's own command line.
fn asker<T>(request: &Request<T>) -> &str {
    request.extensions().get::<Peer>().map_or("", |peer| peer.id.as_str())
}

/// The figures that are not as they were shown.
fn moved(fresh: &[pb::TotalValue], shown: &[pb::TotalValue]) -> Vec<pb::TotalValue> {
    let key = |value: &pb::TotalValue| (value.unit, value.indicator.clone());
    let shown: HashMap<_, _> = shown.iter().map(|value| (key(value), value)).collect();
    fresh.iter().filter(|value| shown.get(&key(value)) != Some(value)).cloned().collect()
}

/// How long it is to the next business day.
fn until_midnight(core: &Core) -> Duration {
    const DAY: u64 = 86_400_000;
    let of_day = ((core.clock)() + SHANGHAI * 1_000) % DAY;
    Duration::from_millis(DAY - of_day + 1)
}

type WatchStream = Pin<Box<dyn tokio_stream::Stream<Item = Result<pb::TotalsAnswer, Status>> + Send>>;

#[tonic::async_trait]
impl Totals for TotalsService {
    type WatchStream = WatchStream;

    async fn query(&self, request: Request<pb::TotalsRequest>) -> Result<Response<pb::TotalsAnswer>, Status> {
        self.answer(request, answer_within).await
    }

    async fn standing(&self, request: Request<pb::StandingRequest>) -> Result<Response<pb::StandingAnswer>, Status> {
        self.answer(request, standing).await
    }

    async fn standard(&self, request: Request<pb::StandingRequest>) -> Result<Response<pb::StandardAnswer>, Status> {
        self.answer(request, standard).await
    }

    async fn commend(&self, request: Request<pb::CommendRequest>) -> Result<Response<pb::CommendAnswer>, Status> {
        self.answer(request, commend).await
    }

    async fn draw(&self, request: Request<pb::DrawRequest>) -> Result<Response<pb::DrawAnswer>, Status> {
        self.answer(request, draw).await
    }

    async fn trend(&self, request: Request<pb::TrendRequest>) -> Result<Response<pb::TrendAnswer>, Status> {
        self.answer(request, trend).await
    }

    async fn watch(&self, request: Request<pb::TotalsRequest>) -> Result<Response<WatchStream>, Status> {
        let scope = self.scope_of(&request);
        let peer = request.extensions().get::<Peer>().cloned();
        let peer_id = asker(&request).to_owned();
        let request = request.into_inner();
        let mut revision = self.core.subscribe();
        let mut retirements = self.core.retirements();
        let welcome = move |core: &Core| {
            let check = |peer: &Peer| tokio::task::block_in_place(|| still_welcome(core, &peer.id));
            peer.as_ref().map_or(Ok(()), check)
        };
        welcome(&self.core)?;
        let place = self.watchers.place(&peer_id)?;
        let first = {
            let _pass = self.queries.enter(&peer_id).await?;
            tokio::task::block_in_place(|| answer_of(&self.core, &request, (scope, MAX_WATCHED)))?
        };
        let (sender, receiver) = mpsc::channel(2);
        let core = self.core.clone();
        let mut stop = self.stop.clone();
        let looks = self.looks.clone();
        tokio::spawn(async move {
            let _place = place;
            let mut rested = tokio::time::Instant::now();
            let mut shown = first.values.clone();
            let mut next = Ok(first);
            loop {
                let failed = next.is_err();
                tokio::select! {
                    biased;
                    // Who does not read gives its place to others.
                    sent = tokio::time::timeout(UNREAD, sender.send(next)) => {
                        if failed || !matches!(sent, Ok(Ok(()))) { return }
                    }
                    _ = stop.wait_for(|stop| *stop) => return,
                }
                // Only what moved is sent: a commit that touches no asked figure is silent.
                next = loop {
                    tokio::select! {
                        biased;
                        // Before anything that the retirement itself may have moved.
                        Ok(()) = retirements.changed() => match welcome(&core) {
                            Ok(()) => continue,
                            Err(status) => break Err(status),
                        },
                        // Nobody may be left waiting for the next change: neither this task nor a hub that stops.
                        () = sender.closed() => return,
                        _ = stop.wait_for(|stop| *stop) => {
                            break Err(Status::unavailable("上级正在停止 (the hub is shutting down)"));
                        }
                        changed = revision.changed() => if changed.is_err() { return },
                        // What is overdue moves at midnight, without a commit.
                        () = tokio::time::sleep(until_midnight(&core)), if request.on == 0 => {}
                    }
                    tokio::select! {
                        () = tokio::time::sleep_until(rested) => {}
                        () = sender.closed() => return,
                        _ = stop.wait_for(|stop| *stop) => continue,
                    }
                    let looked = {
                        let _look = looks.acquire().await;
                        if retirements.has_changed().unwrap_or(false) {
                            retirements.mark_unchanged();
                            if let Err(status) = welcome(&core) {
                                break Err(status);
                            }
                        }
                        let began = tokio::time::Instant::now();
                        // What was committed meanwhile is seen by this look.
                        revision.mark_unchanged();
                        let looked = tokio::task::block_in_place(|| answer_of(&core, &request, (scope, MAX_WATCHED)));
                        rested = tokio::time::Instant::now() + began.elapsed() * REST;
                        looked
                    };
                    match looked {
                        Ok(mut fresh) => {
                            let moved = moved(&fresh.values, &shown);
                            if !moved.is_empty() {
                                shown = std::mem::replace(&mut fresh.values, moved);
                                break Ok(fresh);
                            }
                        }
                        Err(error) => break Err(error.into()),
                    }
                };
            }
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(receiver))))
    }

    async fn indicators(&self, _: Request<pb::IndicatorsRequest>) -> Result<Response<pb::IndicatorsAnswer>, Status> {
        let indicators = indicator::all()
            .map(|one| pb::IndicatorInfo {
                code: one.code.into(),
                zh: one.zh.into(),
                en: one.en.into(),
                ratio: one.is_ratio(),
                flow: one.kind == Kind::Flow,
                up: one.up,
                distinct: matches!(one.class, Class::Distinct | Class::DistinctRatio),
                timed: one.timed,
                grain: match one.grain {
                    Grain::All => Tier::Community,
                    Grain::Township => Tier::Township,
                    Grain::District => Tier::District,
                }
                .into(),
            })
            .collect();
        Ok(Response::new(pb::IndicatorsAnswer { indicators }))
    }
}
