//! `refused`: what came back from the hub, and what the clerk does about it.

use super::{Client, review};
use crate::{
    say,
    show::{self, Reader},
};
use clap::Subcommand;
use std::process::ExitCode;
use taizhang_proto::pb;

/// What to do about them; without it, they are listed.
#[derive(Subcommand)]
pub(super) enum Command {
    /// 改正后重新上报，如 send 17 name=张三；不写编号为全部 (mend fields and send again; without numbers, all that wait)
    Send {
        /// 编号，或 栏目=值 (numbers, and field=value for what is mended)
        what: Vec<String>,
        /// 经办人 (who)
        #[arg(long, env = "TAIZHANG_BY", default_value = "")]
        by: String,
    },
    /// 放弃：不再上报，内容留在历史中 (let go; the words stay in the history)
    LetGo {
        /// 编号 (numbers)
        #[arg(required = true)]
        numbers: Vec<String>,
        /// 理由 (why)
        #[arg(long)]
        reason: String,
        /// 经办人 (who)
        #[arg(long, env = "TAIZHANG_BY", default_value = "")]
        by: String,
    },
}

pub(super) async fn run(
    mut client: Client,
    what: Option<Command>,
    all: bool,
    reader: Reader,
) -> anyhow::Result<ExitCode> {
    let steps = match what {
        None => {
            let answer = client.refused(pb::RefusedRequest { all }).await?.into_inner();
            list(&answer.items, reader);
            return Ok(ExitCode::SUCCESS);
        }
        Some(Command::Send { what, by }) => {
            let (fields, numbers): (Vec<_>, Vec<_>) = what.into_iter().partition(|word| word.contains('='));
            let fields = review::pairs(&fields)?;
            client.resend(pb::ResendRequest { numbers, fields, by }).await?.into_inner().steps
        }
        Some(Command::LetGo { numbers, reason, by }) => {
            client.let_go(pb::LetGoRequest { numbers, by, reason }).await?.into_inner().steps
        }
    };
    let rows: Vec<Vec<String>> = steps
        .iter()
        .map(|step| {
            let outcome = match (step.error.as_str(), step.seq) {
                ("", 0) => "已放弃，内容留在历史中 (let go)".to_owned(),
                ("", seq) => format!("已重新保存为变更 {seq}，等待上报 (saved again)"),
                (error, _) => format!("未能保存 (not saved): {error}"),
            };
            vec![step.number.clone(), outcome]
        })
        .collect();
    show::table(reader, &[("number", "编号"), ("outcome", "结果")], &rows);
    let failed = steps.iter().filter(|step| !step.error.is_empty()).count();
    Ok(match failed {
        0 => ExitCode::SUCCESS,
        failed if failed == steps.len() => ExitCode::from(1),
        _ => ExitCode::from(3),
    })
}

/// Each with its fields beneath it for a person, since a clerk has to read them to mend them; one row each for a program.
fn list(items: &[pb::RefusedItem], reader: Reader) {
    if reader == Reader::Program {
        let row = |item: &pb::RefusedItem| {
            let why = item.why.clone().unwrap_or_default();
            let fields: Vec<String> = item.fields.iter().map(|fact| format!("{}={}", fact.key, fact.value)).collect();
            vec![
                item.number.clone(),
                item.register.clone(),
                item.record.clone(),
                fields.join("\n"),
                why.field,
                why.rule,
                why.message,
                item.by.clone(),
                show::time(item.since),
                item.reason.clone(),
            ]
        };
        let headings = [
            ("number", "编号"),
            ("register", "登记表"),
            ("record", "记录编号"),
            ("fields", "栏目"),
            ("field", "有误栏目"),
            ("rule", "规则"),
            ("why", "原因"),
            ("by", "录入人"),
            ("since", "退回时间"),
            ("reason", "放弃理由"),
        ];
        return show::table(reader, &headings, &items.iter().map(row).collect::<Vec<_>>());
    }
    say!("被退回 {} 项 (refused)", items.len());
    for item in items {
        let why = item.why.clone().unwrap_or_default();
        say!("");
        say!(
            "第 {} 号  {} {}  {}  录入 {} {}，退回 {}",
            item.number,
            item.register,
            item.title,
            item.unit_name,
            item.by,
            show::time(item.entered),
            if item.since == 0 { "时间不详 (unknown)".to_owned() } else { show::time(item.since) }
        );
        say!("  原因 (why): {} [{}]", why.message, why.rule);
        for fact in &item.fields {
            let mark = if fact.key == why.field { "→" } else { " " };
            say!("  {mark} {} {}: {}", fact.zh, fact.key, fact.value);
        }
        say!("    记录编号 (record): {}", item.record);
        if item.ended > 0 {
            let how = match item.sent_as {
                0 => format!("已放弃：{} (let go)", item.reason),
                seq => format!("已重新上报为变更 {seq} (sent again)"),
            };
            say!("    {how} {} {}", item.ended_by, show::time(item.ended));
        }
    }
    if items.iter().any(|item| item.ended == 0) {
        say!("");
        say!(
            "改正重报：refused send <编号> 栏目=值；放弃：refused let-go <编号> --reason <理由> (mend and send, or let go)"
        );
    }
}
