//! Commands of target assessment: standings, commendation, draws.

use super::Guarded;
use clap::{Args, ValueEnum};
use taizhang_node::{
    cli::parse_day,
    say,
    show::{self, Reader},
};
use taizhang_proto::{
    OrgCode,
    date::{self, Day},
    pb::{self, OrderKind, admin_client::AdminClient, totals_client::TotalsClient},
};

/// A tier below.
#[derive(Clone, Copy, ValueEnum)]
pub(super) enum By {
    District,
    Township,
    Community,
}

impl By {
    /// As it goes over the wire.
    pub(super) fn tier(this: Option<Self>) -> i32 {
        match this {
            None => pb::Tier::Unknown,
            Some(Self::District) => pb::Tier::District,
            Some(Self::Township) => pb::Tier::Township,
            Some(Self::Community) => pb::Tier::Community,
        }
        .into()
    }
}

/// Whose standing.
#[derive(Args)]
pub(super) struct Asked {
    #[command(flatten)]
    of: OnDay,
    /// 各县区、乡镇街道或社区的得分和名次 (scores and ranks of a tier below)
    #[arg(long)]
    by: Option<By>,
    /// 只看未达标的，差距大的在前 (only targets that are missed, the worst first)
    #[arg(long)]
    only_missed: bool,
}

/// Whose, and when.
#[derive(Args)]
pub(super) struct OnDay {
    /// 单位 (unit)
    #[arg(long)]
    unit: Option<OrgCode>,
    /// 哪一天 (as of)
    #[arg(long, value_parser = parse_day)]
    on: Option<Day>,
}

impl OnDay {
    fn request(&self, by: Option<By>) -> pb::StandingRequest {
        pb::StandingRequest { unit: self.unit.map_or(0, OrgCode::number), on: self.on.unwrap_or(0), by: By::tier(by) }
    }
}

/// Whom to commend.
#[derive(Args)]
pub(super) struct Commend {
    /// 评定日 (the day on which the title must be held)
    #[arg(long, value_parser = parse_day)]
    on: Option<Day>,
    /// 名额，默认按工作目标 (how many; the plan's by default)
    #[arg(long, default_value_t = 0)]
    count: u32,
}

/// Whom to check.
#[derive(Args)]
pub(super) struct Draw {
    /// 哪一天的达标社区 (those certified on the day)
    #[arg(long, value_parser = parse_day)]
    on: Option<Day>,
    /// 随机种子，默认随机 (the seed; random by default, and printed)
    #[arg(long, default_value = "")]
    seed: String,
    /// 抽查比例，默认按工作目标 (the share to draw; the plan's by default)
    #[arg(long, default_value_t = 0.0)]
    share: f64,
    /// 记录在案，写抽取人 (put it on record; by whom)
    #[arg(long)]
    record: Option<String>,
    /// 列出在案的抽取 (list the draws on record)
    #[arg(long, conflicts_with = "record")]
    list: bool,
}

impl Draw {
    /// Whether it is about the record of draws.
    pub(super) fn is_recorded(&self) -> bool {
        self.list || self.record.is_some()
    }

    fn request(&self) -> pb::DrawRequest {
        pb::DrawRequest { on: self.on.unwrap_or(0), seed: self.seed.clone(), share: self.share }
    }
}

/// Which backdated entries.
#[derive(Args)]
pub(super) struct Backdated {
    /// 此单位及下级 (this unit and below)
    #[arg(long)]
    unit: Option<OrgCode>,
    /// 收到的起日，默认当月1日 (first day of arrival)
    #[arg(long, value_parser = parse_day)]
    from: Option<Day>,
    /// 收到的止日，默认今天 (last day of arrival)
    #[arg(long, value_parser = parse_day)]
    to: Option<Day>,
}

/// What arrived long after it happened.
pub(super) async fn backdated(mut admin: AdminClient<Guarded>, asked: Backdated, reader: Reader) -> anyhow::Result<()> {
    let request = pb::BackdatedRequest {
        unit: asked.unit.map_or(0, OrgCode::number),
        from: asked.from.unwrap_or(0),
        to: asked.to.unwrap_or(0),
    };
    let row = |line: &pb::BackdatedLine| {
        vec![
            line.unit_name.clone(),
            line.unit.to_string(),
            line.register.clone(),
            date::iso(line.on),
            date::iso(line.arrived),
            line.days.to_string(),
            line.by.clone(),
            line.record.clone(),
        ]
    };
    let lines = admin.backdated(request).await?.into_inner().lines;
    let headings = [
        ("name", "单位"),
        ("unit", "编码"),
        ("register", "登记表"),
        ("on", "业务日期"),
        ("arrived", "收到"),
        ("days", "晚天数"),
        ("by", "录入人"),
        ("record", "记录"),
    ];
    show::table(reader, &headings, &lines.iter().map(row).collect::<Vec<_>>());
    Ok(())
}

/// How far each campaign is.
pub(super) fn campaigns(answer: &pb::CampaignsAnswer, reader: Reader) {
    let is_program = reader == Reader::Program;
    let row = |line: &pb::CampaignLine| {
        let mut row = vec![line.title.clone(), line.unit_name.clone(), date::iso(line.from_on), date::iso(line.to_on)];
        let visited = line.visited.map(|visited| visited.to_string());
        row.extend(if is_program {
            let counts = [visited.unwrap_or_default(), line.placed.to_string()];
            counts.into_iter().chain([line.quota_visits, line.quota_placed].map(|quota| quota.to_string())).collect()
        } else {
            let visited = show::of_quota(visited.as_deref().unwrap_or("—"), line.quota_visits);
            vec![visited, show::of_quota(line.placed, line.quota_placed)]
        });
        row.push(line.record.clone());
        row
    };
    let mut headings = vec![
        ("title", "活动"),
        ("name", "单位"),
        ("from_on", "开始"),
        ("to_on", "结束"),
        ("visited", "走访户/目标"),
        ("placed", "帮扶就业/目标"),
    ];
    if is_program {
        headings.extend([("quota_visits", "走访目标"), ("quota_placed", "帮扶目标")]);
    }
    headings.push(("record", "记录"));
    show::table(reader, &headings, &answer.lines.iter().map(row).collect::<Vec<_>>());
}

/// Which task.
#[derive(Args)]
pub(super) struct Tasks {
    /// 下达：任务名称 (give a task with this title)
    #[arg(long, requires_all = ["to", "due"])]
    give: Option<String>,
    /// 承办单位，可多次 (units that have to do it)
    #[arg(long)]
    to: Vec<OrgCode>,
    /// 完成期限 (due on)
    #[arg(long, value_parser = parse_day)]
    due: Option<Day>,
    /// 要求 (what is demanded)
    #[arg(long, default_value = "")]
    demand: String,
    /// 对应指标 (the indicator that it is about)
    #[arg(long, default_value = "")]
    indicator: String,
    /// 下达人 (who gives it)
    #[arg(long, env = "TAIZHANG_BY", default_value = "")]
    by: String,
    /// 撤回任务，写任务号 (take back the task with this number)
    #[arg(long, conflicts_with = "give")]
    withdraw: Option<u32>,
    /// 查看一项任务各承办单位的进展，写任务号 (one task, unit by unit)
    #[arg(conflicts_with_all = ["give", "withdraw"])]
    no: Option<u32>,
}

impl Tasks {
    /// Which task is asked for, 0 for all; none where one is given or taken back.
    pub(super) fn reads(&self) -> Option<u32> {
        (self.give.is_none() && self.withdraw.is_none()).then(|| self.no.unwrap_or(0))
    }
}

/// One task unit by unit, or all of them.
pub(super) fn listed(answer: &pb::OrdersAnswer, no: u32, reader: Reader) {
    if no > 0 { one_task(answer, reader) } else { all_tasks(answer, reader) }
}

/// Gives a task, takes one back, or lists them.
pub(super) async fn tasks(mut admin: AdminClient<Guarded>, asked: Tasks, reader: Reader) -> anyhow::Result<()> {
    let answer = match (asked.give, asked.withdraw) {
        (None, None) => admin.orders(pb::OrdersRequest { no: asked.no.unwrap_or(0) }).await?,
        (give, withdraw) => {
            let order = pb::TaskOrder {
                title: give.unwrap_or_default(),
                to: asked.to.into_iter().map(OrgCode::number).collect(),
                due_on: asked.due.unwrap_or_default(),
                demand: asked.demand,
                indicator: asked.indicator.to_uppercase(),
                by: asked.by,
                ..pb::TaskOrder::default()
            };
            admin.order(pb::OrderRequest { order: Some(order), withdraw: withdraw.unwrap_or_default() }).await?
        }
    };
    listed(&answer.into_inner(), asked.no.unwrap_or(0), reader);
    Ok(())
}

pub(super) fn name_in(answer: &pb::OrdersAnswer, unit: u64) -> String {
    let known = answer.names.iter().find(|name| name.unit == unit);
    known.map_or_else(|| unit.to_string(), |known| known.name.clone())
}

/// The city's orders, each with how far it is.
pub(super) fn all_tasks(answer: &pb::OrdersAnswer, reader: Reader) {
    let day = |day: Day| if day == 0 { String::new() } else { date::iso(day) };
    let row = |order: &pb::TaskOrder| {
        let progress = answer.progress.iter().find(|one| one.no == order.no && one.unit == 0);
        let progress = progress.copied().unwrap_or_default();
        let to: Vec<String> = order.to.iter().take(3).map(|unit| name_in(answer, *unit)).collect();
        let more = if order.to.len() > to.len() { format!(" 等{}个", order.to.len()) } else { String::new() };
        vec![
            order.no.to_string(),
            kind_name(order.kind).to_owned(),
            order.title.clone(),
            to.join("、") + &more,
            day(order.given_on),
            day(order.due_on),
            order.indicator.clone(),
            order.demand.clone(),
            day(order.withdrawn_on),
            if order.kind() == OrderKind::Entry {
                String::new()
            } else {
                match reader {
                    Reader::Program => progress.given.to_string(),
                    Reader::Person => format!("{}/{}", progress.given, order.to.len()),
                }
            },
            progress.reported.to_string(),
            progress.closed.to_string(),
            progress.overdue.to_string(),
            order.to.len().to_string(),
        ]
    };
    let headings = [
        ("no", "任务号"),
        ("kind", "类别"),
        ("title", "任务"),
        ("to", "承办单位"),
        ("given_on", "下达"),
        ("due_on", "期限"),
        ("indicator", "指标"),
        ("demand", "要求"),
        ("withdrawn_on", "撤回"),
        ("given", "已到"),
        ("reported", "报完成"),
        ("closed", "销号"),
        ("overdue", "超期"),
        ("asked", "承办数"),
    ];
    let rows: Vec<Vec<String>> = answer.orders.iter().map(row).collect();
    if reader == Reader::Person {
        return show::table(reader, &headings, &rows);
    }
    let told = show::objects_of(&headings, &rows, &answer.orders, |object, order| {
        object["kind"] = kind_for_program(order.kind);
        object["to"] = to_for_program(order, answer);
    });
    show::document(reader, show::listed(told));
}

/// The units that an order is for, as a program reads them.
pub(super) fn to_for_program(order: &pb::TaskOrder, answer: &pb::OrdersAnswer) -> serde_json::Value {
    order.to.iter().map(|unit| show::code_of(unit, &name_in(answer, *unit))).collect()
}

fn kind_for_program(kind: i32) -> serde_json::Value {
    let code = OrderKind::try_from(kind).map_or_else(|_| kind.to_string(), |kind| kind.as_str_name().to_lowercase());
    show::code_of(code, kind_name(kind))
}

/// What an order is, which a newer city may name otherwise.
fn kind_name(kind: i32) -> &'static str {
    match OrderKind::try_from(kind) {
        Ok(OrderKind::Task) => "任务",
        Ok(OrderKind::Commend) => "表彰",
        Ok(OrderKind::Revoke) => "取消称号",
        Ok(OrderKind::Entry) => "市级登记",
        Err(_) => "?",
    }
}

/// How far each unit is that has to do one task.
fn one_task(answer: &pb::OrdersAnswer, reader: Reader) {
    let is_task = answer.orders.iter().all(|order| order.kind() == OrderKind::Task);
    let state = |one: &pb::OrderProgress| match (one.given, one.reported, one.closed) {
        (1.., ..) if !is_task => ("recorded", "已记录"),
        (0, ..) => ("not_there", "未到县区，或已撤回"),
        (_, 0, _) => ("open", "未报完成"),
        (.., 0) => ("reported", "已报完成"),
        _ => ("closed", "销号"),
    };
    let row = |one: &pb::OrderProgress| {
        let overdue = if one.overdue > 0 { "超期" } else { "" };
        vec![name_in(answer, one.unit), one.unit.to_string(), state(one).1.to_owned(), overdue.to_owned()]
    };
    let units = answer.progress.iter().filter(|one| one.unit > 0);
    if reader == Reader::Program {
        let row = |one: &pb::OrderProgress| {
            let (code, label) = state(one);
            serde_json::json!({
                "unit": show::code_of(one.unit, &name_in(answer, one.unit)), "state": show::code_of(code, label), "overdue": one.overdue > 0,
            })
        };
        return show::document(reader, show::listed(units.map(row).collect()));
    }
    let headings = [("name", "承办单位"), ("unit", "编码"), ("state", "进展"), ("overdue", "超期")];
    show::table(reader, &headings, &units.map(row).collect::<Vec<_>>());
}

/// A unit's targets, and the scores of those below.
pub(super) async fn standing(mut totals: TotalsClient<Guarded>, asked: Asked, reader: Reader) -> anyhow::Result<()> {
    let answer = totals.standing(asked.of.request(asked.by)).await?.into_inner();
    show::standing(reader, &answer, asked.only_missed);
    Ok(())
}

/// Communities against the standard.
pub(super) async fn standard(mut totals: TotalsClient<Guarded>, asked: OnDay, reader: Reader) -> anyhow::Result<()> {
    let answer = totals.standard(asked.request(None)).await?.into_inner();
    if reader == Reader::Person {
        say!("{}，{} 第{}版 (standard of the plan)", date::iso(answer.on), answer.plan, answer.plan_version);
    }
    show::standard(reader, &answer);
    Ok(())
}

/// Those proposed for commendation.
pub(super) async fn commend(mut totals: TotalsClient<Guarded>, asked: Commend, reader: Reader) -> anyhow::Result<()> {
    let request = pb::CommendRequest { on: asked.on.unwrap_or(0), count: asked.count };
    let answer = totals.commend(request).await?.into_inner();
    let row = |one: &pb::Commended| {
        let decided = match one.decided.as_str() {
            "overdue" => "同分，超期户较少",
            "in_time" => "同分，按期率较高",
            "code" => "各项相同，按编码，须人工定夺",
            _ => "得分",
        };
        vec![
            one.rank.to_string(),
            one.name.clone(),
            one.unit.to_string(),
            format!("{:.2}", one.score),
            one.overdue.to_string(),
            format!("{}/{}", one.in_time, one.due),
            decided.to_owned(),
        ]
    };
    let rows: Vec<Vec<String>> = answer.proposed.iter().map(row).collect();
    let headings = [
        ("rank", "名次"),
        ("name", "社区"),
        ("unit", "编码"),
        ("score", "指标得分"),
        ("overdue", "超期户"),
        ("in_time", "按期安置"),
        ("decided", "先于下一名的理由"),
    ];
    show::table(reader, &headings, &rows);
    if reader == Reader::Person {
        say!("评定日 {}；达标社区 {} 个 (certified on the day)", date::iso(answer.on), answer.candidates);
        let over = if answer.recorded > i64::from(answer.places) { "，超过名额 (too many)" } else { "" };
        say!("本年度已记录表彰 {} 个，名额 {} 个{over} (on record, places)", answer.recorded, answer.places);
        if let Some(next) = &answer.next {
            say!("未入选的下一名：{}，得分 {:.2} (the next one)", next.name, next.score);
        }
    }
    Ok(())
}

/// A draw that anybody can replay.
pub(super) async fn draw(mut totals: TotalsClient<Guarded>, asked: Draw, reader: Reader) -> anyhow::Result<()> {
    show_draw(&totals.draw(asked.request()).await?.into_inner(), reader);
    Ok(())
}

/// A draw that is put on record, or those that are.
pub(super) async fn recorded_draw(mut admin: AdminClient<Guarded>, asked: Draw, reader: Reader) -> anyhow::Result<()> {
    if asked.list {
        draws(&admin.draws(pb::Empty {}).await?.into_inner(), reader);
        return Ok(());
    }
    let request = pb::RecordDrawRequest { draw: Some(asked.request()), by: asked.record.unwrap_or_default() };
    show_draw(&admin.record_draw(request).await?.into_inner().draw.unwrap_or_default(), reader);
    Ok(())
}

fn show_draw(answer: &pb::DrawAnswer, reader: Reader) {
    let rows: Vec<Vec<String>> = answer.drawn.iter().map(|one| vec![one.name.clone(), one.unit.to_string()]).collect();
    let headings = [("name", "社区"), ("unit", "编码")];
    if reader == Reader::Person {
        show::table(reader, &headings, &rows);
        say!(
            "{} 的达标社区 {} 个，抽出 {} 个；种子 {}，用 draw --on {} --seed {} 可复核 (replay it with this seed)",
            date::iso(answer.on),
            answer.candidates,
            answer.drawn.len(),
            answer.seed,
            date::iso(answer.on),
            answer.seed
        );
    } else {
        let told = serde_json::json!({
            "on": date::iso(answer.on), "candidates": answer.candidates, "seed": answer.seed,
            "drawn": show::objects(&headings, &rows),
        });
        show::document(reader, told);
    }
}

/// The draws on record.
fn draws(answer: &pb::DrawsAnswer, reader: Reader) {
    let row = |one: &pb::RecordedDraw| {
        let draw = one.draw.clone().unwrap_or_default();
        let names: Vec<String> = draw.drawn.into_iter().map(|unit| unit.name).collect();
        vec![
            show::time(one.at),
            one.by.clone(),
            date::iso(draw.on),
            format!("{}/{}", names.len(), draw.candidates),
            names.join("、"),
            draw.seed,
        ]
    };
    let headings = [
        ("at", "抽取时间"),
        ("by", "抽取人"),
        ("on", "评定日"),
        ("drawn", "抽出/达标"),
        ("names", "社区"),
        ("seed", "种子"),
    ];
    show::table(reader, &headings, &answer.draws.iter().map(row).collect::<Vec<_>>());
}
