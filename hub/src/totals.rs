//! Live totals: read from sums that every commit keeps, never by counting.
//! Invariant: what a query answers was true at one revision, which it names.

pub mod audit;
pub(crate) mod recount;
mod standing;
mod trend;

pub use standing::{commend, draw, standard, standing};
pub use trend::{MAX_POINTS, trend};

use crate::{
    rows::{self, NodeRow, OwnCell, meta},
    session::serve::still_welcome,
    store::{Space, StoreError, View},
    writer::{Core, Peer},
};
use prost::Message;
use std::{ops::RangeInclusive, pin::Pin, sync::Arc, time::Duration};
use taizhang_proto::{
    OrgCode,
    cell::CellKey,
    date::{Day, SHANGHAI},
    indicator::{self, Class, Figure, Grain, Indicator, Kind, Part, Period, Span},
    org::UnitTree,
    pb::{self, Tier, totals_server::Totals},
};
use tokio::sync::{mpsc, watch};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

/// The sum of a part's cells of a unit's subtree over a range of dates.
///
/// # Errors
/// When the store fails.
pub fn sum(view: &dyn View, unit: OrgCode, part: u16, dates: RangeInclusive<Day>) -> Result<i64, StoreError> {
    sum_in(view, Space::Sums, (unit, part, dates), |value| value.try_into().ok().map(i64::from_be_bytes))
}

/// The sum of a part's cells of a unit alone, without those below it.
///
/// # Errors
/// When the store fails.
pub fn own_sum(view: &dyn View, unit: OrgCode, part: u16, dates: RangeInclusive<Day>) -> Result<i64, StoreError> {
    sum_in(view, Space::Own, (unit, part, dates), |value| OwnCell::from_slice(value).map(|cell| cell.value))
}

fn sum_in(
    view: &dyn View,
    space: Space,
    (unit, part, dates): (OrgCode, u16, RangeInclusive<Day>),
    read: impl Fn(&[u8]) -> Option<i64>,
) -> Result<i64, StoreError> {
    let key = |date| CellKey { unit, part, date }.to_bytes();
    let mut to = key(*dates.end()).to_vec();
    to.push(0); // just after the last key
    let mut total = 0;
    for row in view.range(space, &key(*dates.start()), &to) {
        total += read(&row?.1).ok_or(StoreError::Row(space))?;
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
    let figure = indicator.proven_figure(period, |part, dates| sum(view, unit, part, dates))?;
    Ok(total_value(unit, indicator, figure))
}

/// One indicator of one unit in a period, from the sums.
fn figure(view: &dyn View, unit: OrgCode, indicator: &Indicator, period: &Period) -> Result<Figure, StoreError> {
    indicator.figure(period, |part, dates| sum(view, unit, part, dates))
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
    let started = std::time::Instant::now();
    let view = core.view();
    let view = view.as_ref();
    let unit = unit_within(request.unit, scope)?;
    let on = day_asked(core, request.on);
    let chosen: Vec<&Indicator> = if request.indicators.is_empty() {
        indicator::all().collect()
    } else {
        let find = |code: &String| indicator::by_code(code).ok_or_else(|| QueryError::Indicator(code.clone()));
        request.indicators.iter().map(find).collect::<Result<_, _>>()?
    };
    let tree = core.tree();
    let period = Period::up_to(on, span_asked(request.span()));
    let mut units = vec![unit];
    if request.children {
        units.extend(tree.children(unit).map(|child| child.code));
    }
    if request.by != Tier::Unknown as i32 {
        units.extend(below_of_tier(&tree, unit, request.by));
    }
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
    for node in children(view)?.into_iter().filter(|node| node.retired == 0) {
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
                node: node.id,
                last_sync: node.last_sync,
                revision: node.pulled,
                equal: node.equal,
            });
        }
    }
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
    }
    answer.micros = started.elapsed().as_micros() as u64;
    Ok(answer)
}

/// A unit with its name.
pub(crate) fn unit_name(tree: &UnitTree, unit: OrgCode) -> pb::UnitName {
    pb::UnitName { unit: unit.number(), name: tree.name(unit), ..pb::UnitName::default() }
}

/// The unit that is asked for, or the scope itself.
fn unit_within(asked: u64, scope: OrgCode) -> Result<OrgCode, QueryError> {
    if asked == 0 {
        return Ok(scope);
    }
    OrgCode::new(asked).ok().filter(|unit| scope.covers(*unit)).ok_or(QueryError::Unit(asked))
}

/// The day that is asked for, or today.
fn day_asked(core: &Core, on: Day) -> Day {
    if on == 0 { core.today() } else { on }
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
    /// Not in the catalogue.
    #[error("没有此指标 (no such indicator): {0}")]
    Indicator(String),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<QueryError> for Status {
    fn from(error: QueryError) -> Self {
        match error {
            QueryError::Store(_) => Status::internal(error.to_string()),
            _ => Status::not_found(error.to_string()),
        }
    }
}

/// The totals service.
#[derive(Clone)]
pub struct TotalsService {
    core: Arc<Core>,
    stop: watch::Receiver<bool>,
}

impl TotalsService {
    /// A service on a core. Watchers are sent away when `stop` turns true.
    pub fn new(core: Arc<Core>, stop: watch::Receiver<bool>) -> Self {
        Self { core, stop }
    }
}

impl TotalsService {
    /// What the asker may see: a child its own subtree, the hub's own command line everything.
    fn scope_of<T>(&self, request: &Request<T>) -> OrgCode {
        request.extensions().get::<Peer>().map_or(self.core.unit, |peer| peer.unit)
    }
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
        let answer = {
            let scope = self.scope_of(&request);
            tokio::task::block_in_place(|| answer_within(&self.core, request.get_ref(), scope))?
        };
        Ok(Response::new(answer))
    }

    async fn standing(&self, request: Request<pb::StandingRequest>) -> Result<Response<pb::StandingAnswer>, Status> {
        let scope = self.scope_of(&request);
        let answer = tokio::task::block_in_place(|| standing(&self.core, request.get_ref(), scope))?;
        Ok(Response::new(answer))
    }

    async fn standard(&self, request: Request<pb::StandingRequest>) -> Result<Response<pb::StandardAnswer>, Status> {
        let scope = self.scope_of(&request);
        let answer = tokio::task::block_in_place(|| standard(&self.core, request.get_ref(), scope))?;
        Ok(Response::new(answer))
    }

    async fn commend(&self, request: Request<pb::CommendRequest>) -> Result<Response<pb::CommendAnswer>, Status> {
        let scope = self.scope_of(&request);
        let answer = tokio::task::block_in_place(|| commend(&self.core, request.get_ref(), scope))?;
        Ok(Response::new(answer))
    }

    async fn draw(&self, request: Request<pb::DrawRequest>) -> Result<Response<pb::DrawAnswer>, Status> {
        let scope = self.scope_of(&request);
        let answer = tokio::task::block_in_place(|| draw(&self.core, request.get_ref(), scope))?;
        Ok(Response::new(answer))
    }

    async fn trend(&self, request: Request<pb::TrendRequest>) -> Result<Response<pb::TrendAnswer>, Status> {
        let scope = self.scope_of(&request);
        let answer = tokio::task::block_in_place(|| trend(&self.core, request.get_ref(), scope))?;
        Ok(Response::new(answer))
    }

    async fn watch(&self, request: Request<pb::TotalsRequest>) -> Result<Response<WatchStream>, Status> {
        let scope = self.scope_of(&request);
        let peer = request.extensions().get::<Peer>().cloned();
        let request = request.into_inner();
        let mut revision = self.core.subscribe();
        let mut retirements = self.core.retirements();
        let welcome = move |core: &Core| {
            let check = |peer: &Peer| tokio::task::block_in_place(|| still_welcome(core, &peer.id));
            peer.as_ref().map_or(Ok(()), check)
        };
        welcome(&self.core)?;
        let first = tokio::task::block_in_place(|| answer_within(&self.core, &request, scope))?;
        let (sender, receiver) = mpsc::channel(2);
        let core = self.core.clone();
        let mut stop = self.stop.clone();
        tokio::spawn(async move {
            let mut shown = first.values.clone();
            let mut next = Ok(first);
            loop {
                let failed = next.is_err();
                tokio::select! {
                    biased;
                    sent = sender.send(next) => if sent.is_err() || failed { return },
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
                    match tokio::task::block_in_place(|| answer_within(&core, &request, scope)) {
                        Ok(mut fresh) => {
                            let moved: Vec<_> =
                                fresh.values.iter().filter(|value| !shown.contains(value)).cloned().collect();
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
