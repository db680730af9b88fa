//! `refused`: what came back from the hub, and what the clerk does about it.

use super::{Client, review};
use crate::{
    say,
    show::{self, Reader, lang},
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
            let outcome = match (step.error.as_str(), step.seq, lang::is_english()) {
                ("", 0, true) => "let go; its words stay in the history".to_owned(),
                ("", 0, false) => "已放弃，内容留在历史中 (let go)".to_owned(),
                ("", seq, true) => format!("saved again as change {seq}, waits to be sent"),
                ("", seq, false) => format!("已重新保存为变更 {seq}，等待上报 (saved again)"),
                (error, _, true) => format!("not saved: {error}"),
                (error, _, false) => format!("未能保存 (not saved): {error}"),
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

/// One of them as a program reads it.
fn object(item: &pb::RefusedItem) -> serde_json::Value {
    let named = show::register(&item.register);
    let why = item.why.clone().unwrap_or_default();
    let fields = item.fields.iter().map(|fact| (fact.key.clone(), show::field(named, fact)));
    let fields: serde_json::Map<_, _> = fields.collect();
    serde_json::json!({
        "number": item.number, "register": named, "record": item.record, "name": show::some(&item.title),
        "unit": show::code_of(item.unit, &item.unit_name), "fields": fields,
        "field": show::some(&why.field), "rule": why.rule, "why": why.message, "by": item.by,
        "entered": show::moment(item.entered), "since": show::moment(item.since),
        "ended": show::moment(item.ended), "ended_by": show::some(&item.ended_by), "reason": show::some(&item.reason),
        "sent_as": (item.sent_as > 0).then_some(item.sent_as),
    })
}

/// Each with its fields beneath it for a person, since a clerk has to read them to mend them; one row each for a program.
fn list(items: &[pb::RefusedItem], reader: Reader) {
    if reader == Reader::Program {
        return show::document(reader, show::listed(items.iter().map(object).collect()));
    }
    let (all, ended) = (items.len(), items.iter().filter(|item| item.ended > 0).count());
    match (ended, lang::is_english()) {
        (0, true) => say!("{all} refused"),
        (ended, true) => say!("{all} refused, {ended} of them dealt with"),
        (0, false) => say!("被退回 {all} 项 (refused)"),
        (ended, false) => say!("被退回 {all} 项，其中已办 {ended} 项 (refused; dealt with)"),
    }
    for item in items {
        one(item);
    }
    if items.iter().any(|item| item.ended == 0) {
        say!("");
        say!(
            "{}",
            lang::word(
                "改正重报：refused send <编号> 栏目=值；放弃：refused let-go <编号> --reason <理由> (mend and send, or let go)",
                "mend and send: refused send NUMBER field=value; let go: refused let-go NUMBER --reason WHY"
            )
        );
    }
}

/// One of them, with what was said.
fn one(item: &pb::RefusedItem) {
    let why = item.why.clone().unwrap_or_default();
    let (number, title, unit, by) = (&item.number, &item.title, &item.unit_name, &item.by);
    let (register, entered) = (lang::register(&item.register), show::time(item.entered));
    let since = match item.since {
        0 => lang::word("时间不详 (unknown)", "unknown").to_owned(),
        since => show::time(since),
    };
    say!("");
    if lang::is_english() {
        say!("No. {number}  {register} {title}  {unit}  entered by {by} {entered}, refused {since}");
    } else {
        say!("第 {number} 号  {register} {title}  {unit}  录入 {by} {entered}，退回 {since}");
    }
    say!("  {}: {} [{}]", lang::word("原因 (why)", "why"), lang::either(&why.message), why.rule);
    for fact in &item.fields {
        let mark = if fact.key == why.field { "→" } else { " " };
        say!("  {mark} {} {}: {}", lang::word(&fact.zh, &fact.en), fact.key, lang::told(fact));
    }
    say!("    {}: {}", lang::word("记录编号 (record)", "record"), item.record);
    if item.ended > 0 {
        let how = match (item.sent_as, lang::is_english()) {
            (0, true) => format!("let go: {}", item.reason),
            (0, false) => format!("已放弃：{} (let go)", item.reason),
            (seq, true) => format!("sent again as change {seq}"),
            (seq, false) => format!("已重新上报为变更 {seq} (sent again)"),
        };
        say!("    {how} {} {}", item.ended_by, show::time(item.ended));
    }
}
