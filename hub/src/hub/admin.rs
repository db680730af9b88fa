//! The calls of a hub's command line, on the open hub.

use super::Hub;
use crate::{
    audit_log, authority,
    backdated::{self, Asked},
    campaigns, draws, integrity,
    mail::marks::desk,
    months, orders, plans,
    reading::log,
    rows::{self, NodeRow, UnitRow, meta},
    session::serve::SyncService,
    state::{Core, readers},
    store::{Space, StoreError, View},
    totals::{
        self,
        aside::{self, AsideChild},
        audit, children, shares,
    },
    writer::{Answer, Decided, Job},
};
use std::{collections::HashMap, sync::Arc};
use taizhang_node::{identity::ends_words, show};
use taizhang_proto::{
    OrgCode, Record, RecordId,
    cell::home_unit,
    date::{self, Day},
    indicator::Part,
    limits::{self, AUDIT_LINES, LIST_LINES},
    month::Month,
    org::UnitTree,
    pb::{self, admin_server::Admin},
    register::{field, number},
};
use tokio::task::block_in_place;
use tonic::{Request, Response, Status};

/// The calls.
pub(super) struct Calls {
    hub: Arc<Hub>,
    sync: SyncService,
    advertised: String,
}

impl Calls {
    pub(super) fn new(hub: Arc<Hub>, sync: SyncService, advertised: String) -> Self {
        Self { hub, sync, advertised }
    }

    /// Keeps who did what is done to files beside the store.
    async fn log(&self, by: &str, what: &str, of: String) -> Result<(), Status> {
        log(&self.hub.core, &self.hub.writer, (audit_log::Role::Operator, by), what, of).await
    }
}

fn unsaid(error: limits::Unsaid) -> Status {
    Status::invalid_argument(limits::told(error))
}

fn refused(error: impl ToString) -> Status {
    Status::failed_precondition(limits::told(error))
}

/// The month and unit of a closing that is named by its id; none of any other record, and where it can't be read.
fn month_of(view: &dyn View, tree: &UnitTree, id: &str) -> Option<String> {
    let id: RecordId = id.parse().ok()?;
    let record = Record::decode(view.get(Space::Records, &id.0).ok()??).ok()?;
    let month = record.slice(field::period_close::MONTH).filter(|_| record.register == number::PERIOD_CLOSE)?;
    let unit = home_unit(&record).map(|unit| tree.name(unit)).unwrap_or_default();
    Some(format!("{} {unit}", String::from_utf8_lossy(month)))
}

/// Most units that are named.
const NAMED: usize = 5;

/// What is said of units that a new tree does not name: their offices could enter nothing any more.
fn left_out(core: &Core, new: &UnitTree) -> Result<Option<String>, StoreError> {
    let standing = core.tree();
    let gone: Vec<_> = standing.below(core.unit).filter(|unit| !new.contains(unit.code)).collect();
    if gone.is_empty() {
        return Ok(None);
    }
    let (view, today) = (core.view(), core.today());
    let on_register = |unit: OrgCode| totals::own_sum(view.as_ref(), unit, Part::Residents.number(), Day::MIN..=today);
    let people: i64 = gone.iter().map(|unit| on_register(unit.code)).sum::<Result<_, _>>()?;
    let names: Vec<&str> = gone.iter().take(NAMED).map(|unit| unit.name.as_str()).collect();
    let (named, more) = (names.join("、"), if gone.len() > NAMED { "等" } else { "" });
    Ok(Some(format!(
        "新的单位名单少了 {} 个单位（在册 {people} 人）：{named}{more}，它们将不能再登记；撤并的单位请保留其代码，写明 becomes、since；\
         确要去掉的加 --yes (the file leaves out units of the tree of {top}, with {people} people on their registers: their offices could \
         enter nothing; keep codes that were given up, with what they become and since when, or say --yes)",
        gone.len(),
        top = core.unit,
    )))
}

/// A unit's name; empty of none, and where the tree does not have it.
fn name_of(tree: &UnitTree, unit: u64) -> String {
    OrgCode::new(unit).ok().filter(|unit| tree.contains(*unit)).map(|unit| tree.name(unit)).unwrap_or_default()
}

fn failed(error: impl ToString) -> Status {
    Status::internal(limits::told(error))
}

impl Hub {
    fn facts(&self, online: usize) -> Result<Vec<pb::Fact>, crate::store::StoreError> {
        let core = &self.core;
        if let Some(fault) = core.store.fault() {
            // Its rows may not be readable now.
            return Ok(vec![show::fact("fault", "存储故障，暂停写入", "the store takes no writes", fault)]);
        }
        let view = core.view();
        let view = view.as_ref();
        let unit: UnitRow = rows::read(view, Space::Units, &core.unit.number().to_be_bytes())?.unwrap_or_default();
        let nodes = children(view)?;
        let now = core.now();
        let fresh = nodes.iter().filter(|node| node.last_sync + 86_400 >= now).count();
        let unit_of = |row: &NodeRow| OrgCode::new(row.unit).map(|unit| core.tree().name(unit)).unwrap_or_default();
        let twins: Vec<String> = nodes.iter().filter(|row| row.twins(now) > 0).map(unit_of).collect();
        let link = self.keeper.as_ref().map(|keeper| keeper.state()).unwrap_or_default();
        let (waits, last_error) = link.words(show::time);
        let (lines, strangers) = self.door.open_lines();
        let parent = match &self.parent {
            Some(identity) => format!("{} {}", identity.hub_unit, identity.address),
            None => "无 (none)".into(),
        };
        Ok(vec![
            show::unit_fact(&core.tree(), core.unit),
            show::fact("tier", "层级", "tier", core.tier.as_str_name().to_lowercase()),
            show::fact("address", "下级连接地址", "address for children", self.advertised(self.config.listen)),
            show::fact("parent", "上级", "parent", parent),
            show::fact(
                "certificate",
                "上级颁发的证书到期",
                "certificate from the parent ends",
                self.certificate_words(),
            ),
            show::fact("ca", "本级证书机构", "own authority", self.ca_words()),
            show::fact("mode", "同步方式", "mode", format!("{:?}", self.schedule.mode).to_lowercase()),
            show::fact("connected", "与上级在线", "connected to the parent", link.connected),
            show::fact("waiting_since", "等待上级答复", "waiting for the parent", waits),
            show::fact("last_up", "最近上报", "last told the parent", show::time(rows::counter(view, meta::UP_AT)?)),
            show::fact("records", "记录数", "records", unit.count),
            show::fact("revision", "修订号", "revision", rows::counter(view, meta::REVISION)?),
            show::fact("nodes", "下级数", "children", nodes.len()),
            show::fact("months", "已封账月份", "locked months", core.months().count()),
            show::fact("online", "在线", "online", online),
            show::fact("fresh", "一日内同步", "synced within a day", fresh),
            show::fact("twins", "两台电脑使用同一身份", "two computers with one identity", twins.join("，")),
            show::fact("lines", "连接数", "lines", lines),
            show::fact("strangers", "未出示证书的连接数", "lines without a certificate", strangers),
            show::fact("lines_refused", "拒绝的连接", "lines refused", self.door.refused()),
            show::fact("last_error", "最近错误", "last error", last_error),
            show::fact(
                "older",
                "早于下级，暂停登记",
                "older than its children: enrols nobody",
                core.older()?.unwrap_or_default(),
            ),
            show::fact("unreadable", "无法读取的记录", "records that can't be read", core.unreadable()),
            show::fact("incident", "存储事故", "what befell the store", &self.incident),
            show::fact(show::DISK, "占用磁盘", "on disk", core.store.size_on_disk()),
        ])
    }

    /// Reads every record and compares with the digest kept beside them.
    fn check(&self) -> Result<pb::VerifyAnswer, crate::store::StoreError> {
        let view = self.core.view();
        let view = view.as_ref();
        let mut checked = integrity::records(view, self.core.unit);
        integrity::rest(view, &mut checked);
        checked.problems.extend(crate::months::verify(&self.core)?);
        if !self.incident.is_empty() {
            checked.problems.push(self.incident.clone());
        }
        let (rows, months) = (checked.rows, self.core.months().count());
        Ok(pb::VerifyAnswer { checked: checked.records, problems: checked.problems, rows, months })
    }

    /// How the mark keys stand. Says nothing of the keys themselves.
    fn key_facts(&self) -> Result<Vec<pb::Fact>, crate::store::StoreError> {
        let desk = desk(self.core.view().as_ref())?;
        let name = |unit: u64| match OrgCode::new(unit) {
            Ok(unit) => format!("{} {unit}", self.core.tree().name(unit)),
            Err(_) => "无 (none)".into(),
        };
        let held: Vec<String> = desk.keys.iter().map(|key| key.generation.to_string()).collect();
        Ok(vec![
            show::fact("key_holder", "掌管密钥的县区", "makes the keys", name(desk.key_holder)),
            show::fact("held", "本级持有", "held here", held.join(" ")),
            show::fact("remarked", "本级已比对到", "marked here up to", desk.remarked),
            show::fact("generation", "各县区均已比对到", "marked everywhere up to", desk.generation),
        ])
    }

    /// When the certificate that the parent gave ends.
    fn certificate_words(&self) -> String {
        self.parent.as_ref().map(|identity| ends_words(identity.ends(), self.core.now())).unwrap_or_default()
    }

    /// Which authority signs and until when, and how many are still gone by.
    fn ca_words(&self) -> String {
        let generations = self.authority.generations();
        let Some(newest) = generations.first() else { return String::new() };
        let ends = date::iso(date::shanghai(newest.lifetime.1.saturating_mul(1_000)));
        format!(
            "第 {} 代，至 {ends}，到期前自动更换；仍认可的旧机构 {} 个 (no. {0}, until {ends}, replaced by itself in time; {1} former ones still gone by)",
            newest.number,
            generations.len() - 1
        )
    }

    fn authorities(&self) -> Result<pb::CaAnswer, crate::store::StoreError> {
        let mut answer = pb::CaAnswer::default();
        for (place, one) in self.authority.generations().into_iter().enumerate() {
            let left = authority::goes_by(&self.core, one.number)?;
            answer.authorities.push(pb::CaInfo {
                number: one.number,
                from: one.lifetime.0,
                ends: one.lifetime.1,
                signs: place == 0,
                left,
            });
        }
        Ok(answer)
    }

    /// The child or reader that an operator means: by its id, or by the code or name of a unit where only one serves (or, to be
    /// taken back, only one was retired).
    #[allow(clippy::result_large_err)] // tonic's own error type
    fn one_named(&self, named: &str, retired: bool) -> Result<String, Status> {
        let view = self.core.view();
        let (rows, readers) = (children(view.as_ref()).map_err(failed)?, readers::all(&self.core).map_err(failed)?);
        let is_known = rows.iter().any(|row| row.id == named) || readers.iter().any(|reader| reader.id == named);
        if is_known || self.core.roll().retired.iter().any(|one| one.id == named) {
            return Ok(named.to_owned());
        }
        let tree = self.core.tree();
        let unit = named.parse().ok().or_else(|| tree.by_name(self.core.unit, named)).map(OrgCode::number);
        let of_unit = rows.iter().filter(|row| Some(row.unit) == unit && (row.retired > 0) == retired);
        let of_name = readers.iter().filter(|reader| reader.name == named && (reader.retired > 0) == retired);
        let found: Vec<&str> = of_unit.map(|row| row.id.as_str()).chain(of_name.map(|one| one.id.as_str())).collect();
        match found[..] {
            [one] => Ok(one.to_owned()),
            [] if rows.iter().any(|row| Some(row.unit) == unit) => Err(Status::failed_precondition(if retired {
                format!("{named} 没有停用的电脑 (none of this unit is retired)")
            } else {
                format!("{named} 的电脑已经停用 (retired already)")
            })),
            [] => Err(Status::not_found(limits::told(format!(
                "没有 {named}，见 nodes (no such child or reader: see `nodes`)"
            )))),
            _ => Err(Status::failed_precondition(format!(
                "{named} 有 {} 台，请写明节点编号 (several: name the id): {}",
                found.len(),
                found.join(" ")
            ))),
        }
    }

    fn nodes(&self, online: &[String]) -> Result<pb::NodesAnswer, crate::store::StoreError> {
        let tree = self.core.tree();
        let view = self.core.view();
        let set_aside = aside::row(view.as_ref())?;
        let now = self.core.now();
        let whole = |row: &NodeRow| set_aside.child(row.unit).filter(|_| row.hub).cloned().unwrap_or_default();
        let refuted = |row: &NodeRow| set_aside.refuted.iter().filter(|one| row.hub && one.child == row.unit).count();
        let mut nodes: Vec<pb::NodeInfo> = children(view.as_ref())?
            .into_iter()
            .map(|row| (whole(&row), refuted(&row), row))
            .map(|(aside, refuted, row)| pb::NodeInfo {
                twins: row.twins(now),
                aside: aside.at,
                aside_by: aside.by,
                aside_reason: aside.reason,
                beyond: row.beyond,
                refuted: refuted as u32,
                unit: row.unit,
                unit_name: OrgCode::new(row.unit).map(|unit| tree.name(unit)).unwrap_or_default(),
                hub: row.hub,
                enrolled: row.enrolled,
                last_sync: row.last_sync,
                acknowledged: row.acknowledged,
                pulled: row.pulled,
                equal: row.equal,
                software: row.software,
                skew_millis: row.skew_millis,
                refused: row.refused,
                retired: row.retired,
                retired_by: row.retired_by,
                retired_reason: row.retired_reason,
                incidents: row.incidents,
                online: online.contains(&row.id),
                ends: row.ends,
                generation: row.generation,
                node: row.id,
            })
            .collect();
        let readers = readers::all(&self.core)?;
        // Of whom the roll alone still knows: the row was lost with a store.
        let is_known = |id: &str| nodes.iter().any(|one| one.node == id) || readers.iter().any(|one| one.id == id);
        let roll = self.core.roll();
        let lost = roll.retired.iter().filter(|one| one.at > 0 && !is_known(&one.id));
        let lost: Vec<pb::NodeInfo> =
            lost.map(|one| pb::NodeInfo { node: one.id.clone(), retired: one.at, ..pb::NodeInfo::default() }).collect();
        nodes.extend(lost);
        // Silent ones first: they are why somebody looks. Of retired ones nobody expects anything.
        nodes.sort_by_key(|node| (node.retired > 0, node.last_sync, node.unit));
        Ok(pb::NodesAnswer { nodes, readers })
    }
}

#[tonic::async_trait]
impl Admin for Calls {
    async fn status(&self, _: Request<pb::Empty>) -> Result<Response<pb::StatusAnswer>, Status> {
        let online = self.sync.online().len();
        let facts = block_in_place(|| self.hub.facts(online)).map_err(failed)?;
        Ok(Response::new(pb::StatusAnswer { facts }))
    }

    async fn token(&self, request: Request<pb::TokenRequest>) -> Result<Response<pb::TokenAnswer>, Status> {
        let hub = &self.hub;
        authority::make_token(&hub.core, &hub.writer, &hub.authority, &self.advertised, request.get_ref())
            .await
            .map(Response::new)
    }

    async fn nodes(&self, _: Request<pb::Empty>) -> Result<Response<pb::NodesAnswer>, Status> {
        let online = self.sync.online();
        block_in_place(|| self.hub.nodes(&online)).map(Response::new).map_err(failed)
    }

    async fn retire(&self, request: Request<pb::RetireRequest>) -> Result<Response<pb::NodesAnswer>, Status> {
        let pb::RetireRequest { node, undo, by, reason } = request.into_inner();
        let (by, reason) = limits::who_and_why(&by, &reason).map_err(unsaid)?;
        let decided = Decided { by: by.to_owned(), reason: reason.to_owned() };
        let id = block_in_place(|| self.hub.one_named(&node, undo))?;
        let job = Job::Retire { id: id.clone(), undo, decided };
        if let Answer::Refused(why) = self.hub.writer.write(job).await.map_err(crate::session::Fault::from)? {
            return Err(Status::failed_precondition(why));
        }
        tracing::info!(node = %id, undo, "a child or reader was retired, or serves again");
        self.nodes(Request::new(pb::Empty {})).await
    }

    async fn audit_log(&self, request: Request<pb::AuditLogRequest>) -> Result<Response<pb::AuditLogAnswer>, Status> {
        let limit = match request.get_ref().limit {
            0 => AUDIT_LINES,
            asked => asked.min(LIST_LINES),
        };
        let core = &self.hub.core;
        let (view, tree) = (core.view(), core.tree());
        let entries = block_in_place(|| {
            let newest = audit_log::newest(view.as_ref(), limit as usize, |_| true)?;
            let of_units = children(view.as_ref())?.into_iter().map(|row| (row.id, name_of(&tree, row.unit)));
            let of_readers = readers::all(core)?.into_iter().map(|reader| (reader.id, reader.name));
            let computers: HashMap<_, _> = of_units.chain(of_readers).collect();
            let named = |word: &str| match (word.parse::<OrgCode>(), computers.get(word)) {
                (Ok(unit), _) => tree.name(unit),
                (_, Some(name)) => format!("{name}({word})"),
                _ => month_of(view.as_ref(), &tree, word).unwrap_or_else(|| word.to_owned()),
            };
            let line = |entry: audit_log::Entry| {
                let words: Vec<String> = entry.of.split(' ').map(named).collect();
                pb::AuditEntry {
                    role: entry.role().code().to_owned(),
                    at: entry.at,
                    by: entry.by,
                    unit: entry.unit,
                    what: entry.what,
                    reason: entry.reason,
                    unit_name: name_of(&tree, entry.unit),
                    named: words.join(" "),
                    of: entry.of,
                }
            };
            Ok::<_, crate::store::StoreError>(newest.into_iter().map(line).collect())
        });
        Ok(Response::new(pb::AuditLogAnswer { entries: entries.map_err(failed)? }))
    }

    async fn shares(&self, request: Request<pb::SharesRequest>) -> Result<Response<pb::SharesAnswer>, Status> {
        let answer = block_in_place(|| shares(&self.hub.core, request.get_ref()))?;
        Ok(Response::new(answer))
    }

    async fn aside(&self, request: Request<pb::AsideRequest>) -> Result<Response<pb::NodesAnswer>, Status> {
        let pb::AsideRequest { unit, by, reason, undo } = request.into_inner();
        let child = AsideChild { unit, by, reason, ..AsideChild::default() };
        let answer = self.hub.writer.write(Job::Aside { child, undo }).await.map_err(crate::session::Fault::from)?;
        match answer {
            Answer::Refused(why) => Err(refused(why)),
            _ => self.nodes(Request::new(pb::Empty {})).await,
        }
    }

    async fn audit(&self, _: Request<pb::Empty>) -> Result<Response<pb::AuditAnswer>, Status> {
        block_in_place(|| audit::audit(&self.hub.core)).map(Response::new).map_err(failed)
    }

    async fn verify(&self, _: Request<pb::Empty>) -> Result<Response<pb::VerifyAnswer>, Status> {
        block_in_place(|| self.hub.check()).map(Response::new).map_err(failed)
    }

    async fn keys(&self, _: Request<pb::Empty>) -> Result<Response<pb::StatusAnswer>, Status> {
        let facts = block_in_place(|| self.hub.key_facts()).map_err(failed)?;
        Ok(Response::new(pb::StatusAnswer { facts }))
    }

    async fn rotate_key(&self, _: Request<pb::Empty>) -> Result<Response<pb::StatusAnswer>, Status> {
        self.hub.writer.write(Job::RotateKey).await.map_err(crate::session::Fault::from)?;
        let facts = block_in_place(|| self.hub.key_facts()).map_err(failed)?;
        Ok(Response::new(pb::StatusAnswer { facts }))
    }

    async fn ca(&self, request: Request<pb::CaRequest>) -> Result<Response<pb::CaAnswer>, Status> {
        let pb::CaRequest { rotate, drop, by } = request.into_inner();
        let hub = &self.hub;
        if rotate || drop != 0 {
            limits::name(&by).map_err(unsaid)?;
        }
        if rotate {
            let number = block_in_place(|| hub.authority.rotate(hub.core.now())).map_err(failed)?;
            tracing::warn!(number, "a new authority signs from now on");
            self.log(&by, "ca rotate", format!("#{number}")).await?;
        }
        if drop != 0 {
            block_in_place(|| hub.authority.drop_former(drop)).map_err(refused)?;
            tracing::warn!(number = drop, "a former authority was let go of");
            self.log(&by, "ca drop", format!("#{drop}")).await?;
        }
        hub.core.go_by(hub.authority.in_force());
        block_in_place(|| hub.authorities()).map(Response::new).map_err(failed)
    }

    async fn confirm(&self, request: Request<pb::ConfirmRequest>) -> Result<Response<pb::StatusAnswer>, Status> {
        let by = request.into_inner().by;
        let by = limits::name(&by).map_err(unsaid)?.to_owned();
        self.hub.writer.write(Job::Confirm(by)).await.map_err(crate::session::Fault::from)?;
        tracing::warn!("somebody has looked after the restored store; this hub enrols again");
        self.status(Request::new(pb::Empty {})).await
    }

    async fn find_units(&self, request: Request<pb::FindUnitsRequest>) -> Result<Response<pb::UnitsAnswer>, Status> {
        let core = &self.hub.core;
        Ok(Response::new(show::find_units(&core.tree(), core.unit, &request.get_ref().word)))
    }

    async fn units(&self, request: Request<pb::UnitsRequest>) -> Result<Response<pb::Empty>, Status> {
        let pb::UnitsRequest { csv, sure } = request.into_inner();
        let tree = UnitTree::handed(&csv, self.hub.core.unit).map_err(refused)?;
        if !sure && let Some(why) = block_in_place(|| left_out(&self.hub.core, &tree)).map_err(failed)? {
            return Err(refused(why));
        }
        let job = Job::Tree(csv, None);
        self.hub.writer.write(job).await.map_err(crate::session::Fault::from)?;
        Ok(Response::new(pb::Empty {}))
    }

    async fn publish_plan(&self, request: Request<pb::PlanText>) -> Result<Response<pb::PlanText>, Status> {
        let list = block_in_place(|| {
            let key = self.hub.core.signer().ok_or(plans::PublishError::NotCity)?;
            plans::publish(&self.hub.core, key, &request.get_ref().text)
        });
        let list = list.map_err(|error| Status::failed_precondition(error.to_string()))?;
        self.hub.writer.write(Job::Plans(list)).await.map_err(crate::session::Fault::from)?;
        self.plan(Request::new(pb::Empty {})).await
    }

    async fn plan(&self, _: Request<pb::Empty>) -> Result<Response<pb::PlanText>, Status> {
        let plans = self.hub.core.plans();
        let Some(newest) = plans.iter().max_by_key(|plan| plan.version) else {
            return Err(Status::not_found("没有工作目标 (no plan)"));
        };
        let text = toml::to_string(newest).map_err(failed)?;
        Ok(Response::new(pb::PlanText { text, version: newest.version, effective_on: newest.from() }))
    }

    async fn order(&self, request: Request<pb::OrderRequest>) -> Result<Response<pb::OrdersAnswer>, Status> {
        let hub = &self.hub;
        let key = hub.core.signer().ok_or(orders::GiveError::NotCity).map_err(refused)?;
        orders::change(&hub.core, &hub.writer, key, request.get_ref()).await.map_err(refused)?;
        let pb::OrderRequest { order, withdraw } = request.into_inner();
        let standing = orders::standing(&hub.core).map_err(failed)?.orders;
        let of = match withdraw {
            0 => standing.last().map(|order| format!("give {}", order.no)).unwrap_or_default(),
            no => format!("withdraw {no}"),
        };
        self.log(&order.unwrap_or_default().by, "tasks", of).await?;
        self.orders(Request::new(pb::OrdersRequest::default())).await
    }

    async fn orders(&self, request: Request<pb::OrdersRequest>) -> Result<Response<pb::OrdersAnswer>, Status> {
        let answer = block_in_place(|| orders::progress(&self.hub.core, request.get_ref().no)).map_err(refused)?;
        Ok(Response::new(answer))
    }

    async fn record_draw(&self, request: Request<pb::RecordDrawRequest>) -> Result<Response<pb::RecordedDraw>, Status> {
        let pb::RecordDrawRequest { draw, by } = request.into_inner();
        let hub = &self.hub;
        let kept = draws::record(&hub.core, &hub.writer, &draw.unwrap_or_default(), &by).await;
        kept.map(Response::new).map_err(refused)
    }

    async fn draws(&self, _: Request<pb::Empty>) -> Result<Response<pb::DrawsAnswer>, Status> {
        let draws = block_in_place(|| draws::recorded(&self.hub.core)).map_err(failed)?;
        Ok(Response::new(pb::DrawsAnswer { draws }))
    }

    async fn backdated(&self, request: Request<pb::BackdatedRequest>) -> Result<Response<pb::BackdatedAnswer>, Status> {
        let core = &self.hub.core;
        let pb::BackdatedRequest { unit, from, to } = request.into_inner();
        let unit = if unit == 0 { Ok(core.unit) } else { OrgCode::new(unit).map_err(refused) }?;
        let to = if to == 0 { core.today() } else { to };
        let first = Month::of(to).map_or(to, Month::first_day);
        let asked = Asked { unit, from: if from == 0 { first } else { from }, to };
        let lines = block_in_place(|| backdated::backdated(core, asked)).map_err(failed)?;
        Ok(Response::new(pb::BackdatedAnswer { lines }))
    }

    async fn campaigns(&self, request: Request<pb::CampaignsRequest>) -> Result<Response<pb::CampaignsAnswer>, Status> {
        let answer = block_in_place(|| campaigns::answer(&self.hub.core, request.get_ref().on));
        answer.map(Response::new).map_err(failed)
    }

    async fn months(&self, request: Request<pb::MonthRequest>) -> Result<Response<pb::MonthsAnswer>, Status> {
        let answer = block_in_place(|| months::overview(&self.hub.core, request.get_ref()));
        answer.map(Response::new).map_err(refused)
    }

    async fn approve(&self, request: Request<pb::MonthRequest>) -> Result<Response<pb::ApproveAnswer>, Status> {
        let answer = months::approve(&self.hub.core, &self.hub.writer, request.get_ref()).await;
        answer.map(Response::new).map_err(refused)
    }

    async fn lock(&self, request: Request<pb::MonthRequest>) -> Result<Response<pb::MonthAnswer>, Status> {
        let hub = &self.hub;
        let key = hub.core.signer().ok_or(months::MonthsError::NotCity).map_err(refused)?;
        let answer = months::lock(&hub.core, &hub.writer, key, request.get_ref()).await;
        answer.map(Response::new).map_err(refused)
    }

    async fn report(&self, request: Request<pb::MonthRequest>) -> Result<Response<pb::MonthReport>, Status> {
        let report = block_in_place(|| months::report(&self.hub.core, request.get_ref()));
        report.map(Response::new).map_err(refused)
    }

    async fn adjustments(&self, request: Request<pb::MonthRequest>) -> Result<Response<pb::MonthAnswer>, Status> {
        let answer = block_in_place(|| months::adjustments(&self.hub.core, request.get_ref()));
        answer.map(Response::new).map_err(refused)
    }

    async fn sync_now(&self, _: Request<pb::Empty>) -> Result<Response<pb::SyncReport>, Status> {
        let keeper = self.hub.keeper.as_ref();
        let keeper = keeper.ok_or_else(|| Status::failed_precondition("没有上级 (no parent: enrol this hub first)"))?;
        let report = match keeper.sync_now().await {
            Ok(report) => report,
            Err(error) => pb::SyncReport { error: error.to_string(), ..pb::SyncReport::default() },
        };
        Ok(Response::new(report))
    }
}
