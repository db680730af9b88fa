//! Commands of target assessment: standings, commendation, draws.

use super::{Guarded, totals::By};
use clap::Args;
use taizhang_node::{
    cli::parse_day,
    show::{self, Reader},
};
use taizhang_proto::{
    OrgCode,
    date::{self, Day},
    pb::{self, admin_client::AdminClient, totals_client::TotalsClient},
};

/// Whose standing.
#[derive(Args)]
pub(super) struct Asked {
    #[command(flatten)]
    of: OnDay,
    /// 各县区、乡镇街道或社区的得分和名次 (scores and ranks of a tier below)
    #[arg(long)]
    by: Option<By>,
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
    /// 撤回任务，写任务号 (take back the task with this number)
    #[arg(long, conflicts_with = "give")]
    withdraw: Option<u32>,
}

/// Gives a task, takes one back, or lists them.
pub(super) async fn tasks(mut admin: AdminClient<Guarded>, asked: Tasks, reader: Reader) -> anyhow::Result<()> {
    let answer = match (asked.give, asked.withdraw) {
        (None, None) => admin.orders(pb::Empty {}).await?,
        (give, withdraw) => {
            let order = pb::TaskOrder {
                title: give.unwrap_or_default(),
                to: asked.to.into_iter().map(OrgCode::number).collect(),
                due_on: asked.due.unwrap_or_default(),
                demand: asked.demand,
                indicator: asked.indicator.to_uppercase(),
                ..pb::TaskOrder::default()
            };
            admin.order(pb::OrderRequest { order: Some(order), withdraw: withdraw.unwrap_or_default() }).await?
        }
    };
    let answer = answer.into_inner();
    let name = |unit: &u64| {
        let known = answer.names.iter().find(|name| name.unit == *unit);
        known.map_or_else(|| unit.to_string(), |known| known.name.clone())
    };
    let day = |day: Day| if day == 0 { String::new() } else { date::iso(day) };
    let row = |order: &pb::TaskOrder| {
        vec![
            order.no.to_string(),
            order.title.clone(),
            order.to.iter().map(name).collect::<Vec<_>>().join("、"),
            day(order.given_on),
            day(order.due_on),
            order.indicator.clone(),
            order.demand.clone(),
            day(order.withdrawn_on),
        ]
    };
    let headings = [
        ("no", "任务号"),
        ("title", "任务"),
        ("to", "承办单位"),
        ("given_on", "下达"),
        ("due_on", "期限"),
        ("indicator", "指标"),
        ("demand", "要求"),
        ("withdrawn_on", "撤回"),
    ];
    show::table(reader, &headings, &answer.orders.iter().map(row).collect::<Vec<_>>());
    Ok(())
}

/// A unit's targets, and the scores of those below.
pub(super) async fn standing(mut totals: TotalsClient<Guarded>, asked: Asked, reader: Reader) -> anyhow::Result<()> {
    let answer = totals.standing(asked.of.request(asked.by)).await?.into_inner();
    show::standing(reader, &answer);
    Ok(())
}

/// Communities against the standard.
pub(super) async fn standard(mut totals: TotalsClient<Guarded>, asked: OnDay, reader: Reader) -> anyhow::Result<()> {
    let answer = totals.standard(asked.request(None)).await?.into_inner();
    if reader == Reader::Person {
        println!("{}，{} 第{}版 (standard of the plan)", date::iso(answer.on), answer.plan, answer.plan_version);
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
        ("score", "得分"),
        ("overdue", "超期户"),
        ("in_time", "按期安置"),
        ("decided", "先于下一名的理由"),
    ];
    show::table(reader, &headings, &rows);
    if reader == Reader::Person {
        println!("评定日 {}；达标社区 {} 个 (certified on the day)", date::iso(answer.on), answer.candidates);
        if let Some(next) = &answer.next {
            println!("未入选的下一名：{}，得分 {:.2} (the next one)", next.name, next.score);
        }
    }
    Ok(())
}

/// A draw that anybody can replay.
pub(super) async fn draw(
    mut admin: AdminClient<Guarded>,
    mut totals: TotalsClient<Guarded>,
    asked: Draw,
    reader: Reader,
) -> anyhow::Result<()> {
    if asked.list {
        draws(&admin.draws(pb::Empty {}).await?.into_inner(), reader);
        return Ok(());
    }
    let request = pb::DrawRequest { on: asked.on.unwrap_or(0), seed: asked.seed, share: asked.share };
    let answer = match asked.record {
        Some(by) => {
            let request = pb::RecordDrawRequest { draw: Some(request), by };
            admin.record_draw(request).await?.into_inner().draw.unwrap_or_default()
        }
        None => totals.draw(request).await?.into_inner(),
    };
    let rows: Vec<Vec<String>> = answer.drawn.iter().map(|one| vec![one.name.clone(), one.unit.to_string()]).collect();
    show::table(reader, &[("name", "社区"), ("unit", "编码")], &rows);
    if reader == Reader::Person {
        println!(
            "{} 的达标社区 {} 个，抽出 {} 个；种子 {}，用 draw --on {} --seed {} 可复核 (replay it with this seed)",
            date::iso(answer.on),
            answer.candidates,
            answer.drawn.len(),
            answer.seed,
            date::iso(answer.on),
            answer.seed
        );
    } else {
        show::facts(reader, &[show::fact("seed", "", "", answer.seed)]);
    }
    Ok(())
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
