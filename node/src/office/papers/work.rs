//! What an office is asked to do: its tasks, and the campaigns of its own and of the units above it, with what was done here.

use super::{
    super::standing::{Registers, Sums},
    day, name, shown, standing, table,
};
use crate::{ledger::Ledger, store::StoreError};
use taizhang_proto::{
    OrgCode,
    cell::{self, campaign},
    date::{self, Day},
    indicator::Part,
    pb,
    register::number,
};

/// Tasks of the office and of what is below it: what is open by the day it is due, then with `all` what is over.
pub(super) fn tasks(ledger: &Ledger, on: Day, all: bool) -> Result<pb::Paper, StoreError> {
    let mut rows = Vec::new();
    for (id, home, record) in standing(ledger, number::TASK, false)? {
        let task: pb::Task = record.typed(|tag| tag >= 20);
        let over = task.closed_on.or(task.withdrawn_on).is_some_and(|over| over <= on);
        if over && !all {
            continue;
        }
        let due = task.due_on.unwrap_or(Day::MAX);
        let state = match (task.withdrawn_on, task.closed_on, task.reported_on) {
            (Some(_), ..) => "已撤回 (withdrawn)".to_owned(),
            (_, Some(closed), _) => format!("已销号 (closed) {}", day(Some(closed))),
            (_, _, Some(reported)) => format!("已报完成 (reported) {}", day(Some(reported))),
            _ if due < on => format!("超期{}天 (late)", on - due),
            _ => format!("剩{}天 (days left)", due - on),
        };
        let row = vec![
            id.to_string(),
            name(ledger, home),
            shown(&record, "title"),
            task.from_unit.and_then(|unit| OrgCode::new(unit).ok()).map(|unit| name(ledger, unit)).unwrap_or_default(),
            day(task.given_on),
            day(task.due_on),
            state,
            shown(&record, "indicator"),
            shown(&record, "demand"),
            task.progress.map(|progress| format!("{progress}%")).unwrap_or_default(),
            shown(&record, "report"),
        ];
        rows.push(((over, due, home, id), row));
    }
    rows.sort();
    let columns = [
        ("record", "记录编号"),
        ("name", "承办单位"),
        ("title", "任务"),
        ("from", "下达单位"),
        ("given_on", "下达日期"),
        ("due_on", "完成期限"),
        ("state", "状态"),
        ("indicator", "对应指标"),
        ("demand", "要求"),
        ("progress", "进度"),
        ("report", "完成情况"),
    ];
    Ok(pb::Paper {
        title: format!("{}调度任务", name(ledger, ledger.unit())),
        tables: vec![table("tasks", "任务 (tasks)", &columns, rows.into_iter().map(|(_, row)| row).collect())],
        ..pb::Paper::default()
    })
}

/// Campaigns, the latest first, each with what the office and those below it have done for it.
pub(super) fn campaigns(ledger: &Ledger, on: Day) -> Result<pb::Paper, StoreError> {
    let sums = Sums::count(&Registers::read(ledger)?, &ledger.plans())?;
    let mut rows = Vec::new();
    for (id, home, record) in standing(ledger, number::CAMPAIGN, true)? {
        let own: pb::Campaign = record.typed(|tag| tag >= 20);
        let days = campaign::days_of(&record);
        let days = *days.start()..=on.min(*days.end());
        let visited = cell::visited(ledger, id, ledger.unit(), on)?;
        let placed = sums.sum(Part::CampaignPlaced.number(), days);
        // A quota is its owner's: what one office of many did stands beside it, not against it.
        let quota = |quota: Option<u32>| quota.filter(|quota| *quota > 0).map(|quota| quota.to_string());
        let row = vec![
            id.to_string(),
            name(ledger, home),
            shown(&record, "title"),
            day(own.from_on),
            day(own.to_on),
            visited.to_string(),
            quota(own.quota_visits).unwrap_or_default(),
            placed.to_string(),
            quota(own.quota_placed).unwrap_or_default(),
            shown(&record, "plan"),
        ];
        rows.push(((std::cmp::Reverse(own.from_on), home, id), row));
    }
    rows.sort();
    let columns = [
        ("record", "记录编号"),
        ("owner", "组织单位"),
        ("title", "活动名称"),
        ("from_on", "开始日期"),
        ("to_on", "结束日期"),
        ("visited", "本单位走访(户)"),
        ("quota_visits", "走访目标(户)"),
        ("placed", "本单位帮扶就业(人)"),
        ("quota_placed", "就业目标(人)"),
        ("plan", "活动方案"),
    ];
    Ok(pb::Paper {
        title: format!("{}援助月活动", name(ledger, ledger.unit())),
        notes: vec![format!("截至 (as of) {}", date::iso(on))],
        tables: vec![table("campaigns", "活动 (campaigns)", &columns, rows.into_iter().map(|(_, row)| row).collect())],
        ..pb::Paper::default()
    })
}
