//! The reviewer's commands, at a district's hub and at the office of a township: the queue, one conflict, rulings.

use crate::{
    say,
    show::{self, Reader, lang},
};
use clap::{Args, Subcommand, ValueEnum};
use std::{collections::HashMap, process::ExitCode};
use taizhang_proto::{
    OrgCode,
    pb::{self, review_client::ReviewClient},
    register::{FieldDef, registers},
    rule::Rule,
};
use tonic::transport::Channel;

/// Which conflicts.
#[derive(Args, Clone, Default)]
pub struct Filter {
    /// 类别，可多次：field claim duplicate same-household same-job closed-edited after-transfer double-booked
    /// recognition left-but-placed cross-district certificate two-households (kinds)
    #[arg(long = "kind", value_parser = parse_kind)]
    kinds: Vec<pb::ConflictKind>,
    /// 此单位及下级 (this unit and below)
    #[arg(long)]
    unit: Option<OrgCode>,
    /// 涉及此记录：身份证号、姓名、编号 (about this record, as people name it)
    #[arg(long, default_value = "")]
    record: String,
    /// 登记表 (register)
    #[arg(long, default_value = "")]
    register: String,
    /// 栏目，与 --register 同用 (field, with --register)
    #[arg(long, default_value = "")]
    field: String,
    /// 至少几天前发现的 (found at least so many days ago)
    #[arg(long, default_value_t = 0)]
    older_than: u64,
}

impl Filter {
    fn query(&self) -> pb::ConflictQuery {
        pb::ConflictQuery {
            kinds: self.kinds.iter().map(|kind| (*kind).into()).collect(),
            unit: self.unit.map_or(0, OrgCode::number),
            record: self.record.clone(),
            register: self.register.clone(),
            field: self.field.clone(),
            older_than: self.older_than * 86_400,
            ..pb::ConflictQuery::default()
        }
    }

    fn is_empty(&self) -> bool {
        self.query() == pb::ConflictQuery::default()
    }
}

/// Whether a district shows names, and who looks.
#[derive(Args)]
pub struct Who {
    /// 显示姓名、证号、电话、住址；记入查阅记录 (names and numbers as they stand; the look is kept)
    #[arg(long)]
    names: bool,
    /// 查阅人 (who looks)
    #[arg(long, env = "TAIZHANG_BY", default_value = "")]
    by: String,
}

impl Who {
    /// As it is asked.
    pub fn looker(self) -> pb::Looker {
        pb::Looker { by: self.by, names: self.names }
    }
}

fn parse_kind(written: &str) -> Result<pb::ConflictKind, String> {
    let name = written.to_uppercase().replace('-', "_");
    pb::ConflictKind::from_str_name(&name).ok_or_else(|| format!("没有 {written} 这一类 (no such kind)"))
}

/// What a reviewer decides.
#[derive(Clone, Copy, ValueEnum)]
pub enum Decision {
    /// 现值不变 (what stands stays)
    Keep,
    /// 采纳主张；重新打开 (take the claim; reopen what was closed)
    Take,
    /// 另写一值 (write another value)
    Write,
    /// 并入先登记的一条 (merge into the earlier record)
    Merge,
    /// 并非重复，都计入 (two different ones: both count)
    Distinct,
    /// 撤销 (revoke: the recognition, the placement, the second membership)
    Revoke,
}

impl From<Decision> for pb::Choice {
    fn from(decision: Decision) -> Self {
        match decision {
            Decision::Keep => Self::Keep,
            Decision::Take => Self::Take,
            Decision::Write => Self::Write,
            Decision::Merge => Self::Merge,
            Decision::Distinct => Self::Distinct,
            Decision::Revoke => Self::Revoke,
        }
    }
}

/// The commands.
#[derive(Subcommand)]
pub enum Command {
    /// 待处理的冲突，先发现的在前 (open conflicts, oldest first)
    Conflicts {
        /// Which ones.
        #[command(flatten)]
        filter: Filter,
        /// 已处理的，新的在前 (those that are settled, newest first)
        #[arg(long)]
        closed: bool,
        /// 从此编号之后 (the page after this number)
        #[arg(long, default_value_t = 0)]
        after: u64,
        /// 每页几条 (lines on a page)
        #[arg(long, default_value_t = 50)]
        limit: u32,
        /// Whose eyes.
        #[command(flatten)]
        who: Who,
    },
    /// 一个冲突的各方 (one conflict, side by side)
    Show {
        /// 冲突编号 (its number)
        number: u64,
        /// Whose eyes.
        #[command(flatten)]
        who: Who,
    },
    /// 裁定：指定编号，或按条件批量 (settle: by number, or all that a filter finds)
    Resolve {
        /// 冲突编号 (numbers)
        numbers: Vec<u64>,
        /// Which ones.
        #[command(flatten)]
        filter: Filter,
        /// 裁定 (decision)
        #[arg(long)]
        choice: Decision,
        /// 采纳第几个主张，默认最后一个 (which claim; by default the last)
        #[arg(long, default_value_t = 0)]
        claim: u32,
        /// 另写的值：字段=值 (with `write`: field=value)
        #[arg(long = "set")]
        set: Vec<String>,
        /// 理由，必填 (why)
        #[arg(long)]
        reason: String,
        /// 审核人，必填 (who decides)
        #[arg(long, env = "TAIZHANG_BY")]
        by: String,
        /// 认定未达标准的社区：仍要认定，理由随记录保存 (certify below the standard all the same)
        #[arg(long)]
        despite: bool,
    },
    /// 重开已裁定的冲突 (put a settled conflict back)
    Reopen {
        /// 冲突编号 (its number)
        number: u64,
        /// 理由，必填 (why)
        #[arg(long)]
        reason: String,
        /// 审核人，必填 (who decides)
        #[arg(long, env = "TAIZHANG_BY")]
        by: String,
    },
}

/// A way to whoever answers reviewers.
pub type Client = ReviewClient<Channel>;

/// Fields on a command line.
///
/// # Errors
/// When one is not `field=value`.
pub fn pairs(written: &[String]) -> anyhow::Result<HashMap<String, String>> {
    let mut read = HashMap::new();
    for pair in written {
        let (name, value) =
            pair.split_once('=').ok_or_else(|| anyhow::anyhow!("请写成 字段=值 (field=value): {pair}"))?;
        if read.insert(name.to_owned(), value.to_owned()).is_some() {
            anyhow::bail!("{name} 写了两次 (written twice)");
        }
    }
    Ok(read)
}

/// Runs a command.
///
/// # Errors
/// What the hub answers, or a field that can't be read.
pub async fn run(mut review: Client, command: Command, reader: Reader) -> anyhow::Result<ExitCode> {
    match command {
        Command::Conflicts { filter, closed, after, limit, who } => {
            let query = pb::ConflictQuery { closed, after, limit, who: Some(who.looker()), ..filter.query() };
            print_page(&review.conflicts(query).await?.into_inner(), reader);
        }
        Command::Show { number, who } => {
            let request = pb::ConflictNumber { number, who: Some(who.looker()) };
            print_detail(&review.show(request).await?.into_inner(), reader);
        }
        Command::Resolve { numbers, filter, choice, claim, set, reason, by, despite } => {
            if numbers.is_empty() == filter.is_empty() {
                anyhow::bail!("请指定编号，或用筛选条件批量，二者取一 (give numbers, or a filter for all like cases)");
            }
            let like = numbers.is_empty().then(|| filter.query());
            let choice = pb::Choice::from(choice).into();
            let fields = pairs(&set)?;
            let request = pb::ResolveRequest { numbers, like, choice, claim, fields, reason, by, despite };
            return Ok(print_settled(&review.resolve(request).await?.into_inner(), reader));
        }
        Command::Reopen { number, reason, by } => {
            let answer = review.reopen(pb::ReopenRequest { number, reason, by }).await?.into_inner();
            return Ok(print_settled(&answer, reader));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Who may settle a conflict: this tier and those above it.
fn tier_name(tier: pb::Tier) -> &'static str {
    match tier {
        pb::Tier::Township => lang::word("街道乡镇", "township"),
        _ => lang::word("县区", "district"),
    }
}

/// The fields that a conflict is about, by their names on the wire.
fn fields_of(conflict: &pb::Conflict) -> Vec<&'static FieldDef> {
    let def = registers().get(conflict.register);
    conflict.tags.iter().filter_map(|tag| def.and_then(|def| def.field(*tag))).collect()
}

/// The same for people.
fn fields_named(line: &pb::ConflictLine, conflict: &pb::Conflict) -> String {
    if !lang::is_english() {
        return line.fields.clone();
    }
    fields_of(conflict).iter().map(|field| field.en.as_str()).collect::<Vec<_>>().join(", ")
}

/// A page as a program reads it: what was chosen, by whom and why, each by itself.
fn page_object(page: &pb::ConflictPage) -> serde_json::Value {
    let row = |line: &pb::ConflictLine| {
        let conflict = line.conflict.as_ref()?;
        let ruling = conflict.ruling.as_ref();
        let choice = ruling.map(|_| conflict.choice()).filter(|choice| *choice != pb::Choice::Unknown);
        Some(serde_json::json!({
            "number": conflict.number, "kind": conflict.kind().as_str_name().to_lowercase(), "kind_zh": line.kind,
            "state": conflict.state().as_str_name().to_lowercase(), "about": show::some(&line.about),
            "unit": show::code_of(conflict.unit, &line.unit_name),
            "register": show::register(&line.register),
            "fields": fields_of(conflict).iter().map(|field| field.name.as_str()).collect::<Vec<_>>(),
            "settled_by": line.settled_by().as_str_name().to_lowercase(),
            "found": show::moment(conflict.found), "rule": conflict.rule, "note": show::some(&conflict.note),
            "choice": choice.map(|choice| choice.as_str_name().to_lowercase()), "by": ruling.map(|ruling| &ruling.by),
            "reason": ruling.map(|ruling| &ruling.reason),
            "decided_at": show::moment(ruling.map_or(0, |ruling| ruling.at)), "revision": conflict.revision,
        }))
    };
    let mut told = show::listed(page.lines.iter().filter_map(row).collect());
    told["open"] = page.open.into();
    told["next"] = (page.next > 0).then_some(page.next).into();
    told
}

fn print_page(page: &pb::ConflictPage, reader: Reader) {
    if reader == Reader::Program {
        return show::document(reader, page_object(page));
    }
    let rows: Vec<Vec<String>> = page
        .lines
        .iter()
        .filter_map(|line| {
            let conflict = line.conflict.as_ref()?;
            let decided = match (&conflict.ruling, conflict.state()) {
                // Its ruling was taken back.
                (Some(_), pb::ConflictState::Unsettled) => lang::word("重新提出 (reopened)", "reopened").into(),
                (Some(ruling), _) => {
                    format!("{} {}：{}", lang::either(show::choice(conflict.choice())), ruling.by, ruling.reason)
                }
                (None, pb::ConflictState::ByRule) => lang::rule(&conflict.rule).to_owned(),
                (None, pb::ConflictState::Passed) => lang::word("已消除", "gone").into(),
                _ => String::new(),
            };
            Some(vec![
                conflict.number.to_string(),
                lang::word(&line.kind, Rule::from(conflict.kind()).words().1).to_owned(),
                conflict.kind().as_str_name().to_lowercase(),
                line.about.clone(),
                line.unit_name.clone(),
                lang::register(&line.register).to_owned(),
                fields_named(line, conflict),
                tier_name(line.settled_by()).to_owned(),
                show::time(conflict.found),
                decided,
                lang::either(&conflict.note).to_owned(),
            ])
        })
        .collect();
    let headings = [
        ("number", "编号"),
        ("kind_zh", "类别"),
        ("kind", "kind"),
        ("about", "何人"),
        ("unit", "单位"),
        ("register", "登记表"),
        ("fields", "栏目"),
        ("settled_by", "裁定"),
        ("found", "发现"),
        ("decided", "处理"),
        ("note", "说明"),
    ];
    show::table(reader, &headings, &rows);
    let (open, next) = (page.open, page.next);
    match (next, lang::is_english()) {
        (0, true) => say!("{open} open"),
        (next, true) => say!("{open} open; next page: --after {next}"),
        (0, false) => say!("待处理 {open} 个 (open)"),
        (next, false) => say!("待处理 {open} 个 (open)；下一页 (next page): --after {next}"),
    }
}

fn print_detail(detail: &pb::ConflictDetail, reader: Reader) {
    if reader == Reader::Program {
        let sides: Vec<_> = detail
            .sides
            .iter()
            .map(|side| {
                let values = side.values.iter().map(|fact| (fact.key.clone(), show::field(&side.register, fact)));
                let (values, at) = (values.collect::<serde_json::Map<_, _>>(), show::moment(side.at));
                serde_json::json!({"title": side.title, "who": side.who, "office": side.office, "at": at,
                    "register": show::some(&side.register), "values": values})
            })
            .collect();
        let choices: Vec<_> = detail.choices().map(|choice| choice.as_str_name().to_lowercase()).collect();
        let conflict = detail.line.as_ref().and_then(|line| line.conflict.as_ref());
        return show::document(
            reader,
            serde_json::json!({
                "number": conflict.map(|one| one.number), "kind": conflict.map(|one| one.kind().as_str_name().to_lowercase()),
                "state": conflict.map(|one| one.state().as_str_name().to_lowercase()), "sides": sides, "choices": choices,
            }),
        );
    }
    if let Some(line) = &detail.line
        && let Some(conflict) = &line.conflict
    {
        let kind = lang::word(&line.kind, Rule::from(conflict.kind()).words().1);
        let fields = fields_named(line, conflict);
        let words = [kind, &line.about, &line.unit_name, lang::register(&line.register), &fields];
        let words: Vec<&str> = words.into_iter().filter(|word| !word.is_empty()).collect();
        say!("{} {} {}", lang::word("冲突", "Conflict"), conflict.number, words.join(" "));
        say!("{}", lang::either(&conflict.note));
        let (rule, found) = (lang::rule(&conflict.rule), show::time(conflict.found));
        if lang::is_english() {
            say!("rule: {rule}; found: {found}");
        } else {
            say!("规则 (rule): {rule}；发现 (found): {found}");
        }
    }
    for side in &detail.sides {
        let at = if side.at == 0 { String::new() } else { show::time(side.at) };
        say!("\n— {}  {} {} {at}", lang::either(&side.title), side.office, side.who);
        for value in &side.values {
            say!("    {}: {}", lang::word(&value.zh, &value.en), lang::told(value));
        }
    }
    let choices: Vec<_> = detail.choices().map(|choice| choice.as_str_name().to_lowercase()).collect();
    if !choices.is_empty() {
        say!("\n{}: {}", lang::word("可裁定 (resolve --choice)", "resolve --choice"), choices.join(", "));
    }
    if detail.sides.iter().flat_map(|side| &side.values).any(|fact| fact.value.ends_with("**")) {
        say!(
            "\n{}",
            lang::word(
                "带 * 的已遮盖；加 --names --by 您的姓名 照原样显示，并记入查阅记录 (masked: --names shows it, and the look is kept)",
                "masked: --names --by YOUR NAME shows it, and the look is kept"
            )
        );
    }
}

/// Prints what became of a reviewer's request; the exit code says whether all, some or none of it was done.
pub fn print_settled(answer: &pb::ResolveAnswer, reader: Reader) -> ExitCode {
    match reader {
        Reader::Person => {
            let (settled, failed) = (answer.settled, answer.failed.len());
            if lang::is_english() {
                say!("{settled} settled, {failed} failed");
            } else {
                say!("已处理 {settled} 个，未成 {failed} 个 (settled, failed)");
            }
            answer.failed.iter().for_each(|why| say!("  {why}"));
        }
        Reader::Program => {
            show::document(reader, serde_json::json!({"settled": answer.settled, "failed": answer.failed}));
        }
    }
    match (answer.settled, answer.failed.is_empty()) {
        (_, true) => ExitCode::SUCCESS,
        (0, false) => ExitCode::from(1),
        (_, false) => ExitCode::from(3),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_written_once() {
        let written = |pairs_of: &[&str]| pairs(&pairs_of.iter().map(|one| (*one).to_owned()).collect::<Vec<_>>());
        assert_eq!(written(&["name=赵四", "phone=1=2"]).unwrap()["phone"], "1=2");
        assert!(written(&["name=赵四", "name=赵五"]).unwrap_err().to_string().contains("name"));
        assert!(written(&["name"]).is_err());
    }
}
