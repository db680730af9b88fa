//! The city's own entries: it holds no records, so they are signed orders that become records at the districts.

use super::{Guarded, assess};
use anyhow::{Context, bail};
use clap::Subcommand;
use std::collections::BTreeMap;
use taizhang_node::{
    cli::review::pairs,
    show::{self, Reader},
};
use taizhang_proto::{
    OrgCode, date,
    orders::{ENTRIES, entry},
    pb::{self, OrderKind, admin_client::AdminClient},
    register::{FieldDef, RegisterDef, Value, registers},
    wire::Field,
};

/// The commands.
#[derive(Subcommand)]
pub(super) enum Command {
    /// 登记一件：登记表 字段=值 (enter one: register, field=value)
    Give {
        /// 登记表：campaign 援助月活动、policy_document 政策文件、pairing 结对子、inspection 指导检查 (register)
        register: String,
        /// 字段=值 (field=value)
        #[arg(required = true)]
        fields: Vec<String>,
        /// 归属单位，可多次；援助月活动和政策文件默认各县区 (units that it is for; every district by default, where it is for
        /// everybody)
        #[arg(long)]
        to: Vec<OrgCode>,
        /// 登记人，必填 (who)
        #[arg(long, env = "TAIZHANG_BY")]
        by: String,
    },
    /// 列出，写编号则逐栏显示 (list them, or one of them field by field)
    List {
        /// 编号 (number)
        no: Option<u32>,
    },
    /// 撤回：县区的记录随之作废 (take one back: the districts' records are void with it)
    Withdraw {
        /// 编号 (number)
        no: u32,
        /// 经办人 (who takes it back)
        #[arg(long, env = "TAIZHANG_BY", default_value = "")]
        by: String,
    },
}

/// Runs one of them.
pub(super) async fn run(mut admin: AdminClient<Guarded>, command: Command, reader: Reader) -> anyhow::Result<()> {
    let answer = match command {
        Command::Give { register, fields, to, by } => {
            let order = written(&register, &fields, to, by)?;
            admin.order(pb::OrderRequest { order: Some(order), withdraw: 0 }).await?.into_inner()
        }
        Command::Withdraw { no, by } => {
            let known = admin.orders(pb::OrdersRequest { no }).await?.into_inner();
            if known.orders.iter().any(|order| order.kind() != OrderKind::Entry) {
                bail!(
                    "{no} 不是市级登记，任务和决定请用 tasks --withdraw 撤回 (no entry: take a task back with `tasks`)"
                );
            }
            let order = Some(pb::TaskOrder { by, ..pb::TaskOrder::default() });
            admin.order(pb::OrderRequest { order, withdraw: no }).await?.into_inner()
        }
        Command::List { no: Some(no) } => {
            let answer = admin.orders(pb::OrdersRequest { no }).await?.into_inner();
            let order = answer.orders.iter().find(|order| order.kind() == OrderKind::Entry);
            one(order.with_context(|| format!("没有市级登记 {no} (no such entry)"))?, &answer, reader);
            return Ok(());
        }
        Command::List { no: None } => admin.orders(pb::OrdersRequest { no: 0 }).await?.into_inner(),
    };
    all(&answer, reader);
    Ok(())
}

/// An entry as it was written on the command line.
fn written(register: &str, fields: &[String], to: Vec<OrgCode>, by: String) -> anyhow::Result<pb::TaskOrder> {
    let def = registers().named(register).filter(|def| ENTRIES.contains(&def.number));
    let def = def.with_context(|| {
        let known = ENTRIES.iter().filter_map(|number| registers().get(*number));
        let known: Vec<String> = known.map(|def| format!("{} ({})", def.name, def.zh)).collect();
        format!("市级登记的有：{} (the city's own registers)", known.join("、"))
    })?;
    let mut own: BTreeMap<u32, Vec<u8>> = BTreeMap::new();
    for (name, written) in pairs(fields)? {
        let field = def.field_named(&name).with_context(|| def.no_field(&name))?;
        let (value, unknown) = Value::parse(field, &written)?;
        if unknown.is_some() {
            bail!("{}没有 {written} 这一项 (not in the code list)", field.zh);
        }
        own.insert(field.tag, value.encode(field).to_vec());
    }
    let message: Vec<u8> = own.into_values().flatten().collect();
    let order = pb::TaskOrder {
        kind: OrderKind::Entry.into(),
        register: def.number,
        message: message.into(),
        to: to.into_iter().map(OrgCode::number).collect(),
        by,
        ..pb::TaskOrder::default()
    };
    // A list shows an entry by its title, or whatever names it.
    let shown = shown(def, &order);
    let title = ["title", "subject", "leader"]
        .iter()
        .find_map(|name| shown.iter().find(|(field, _)| field.name == *name).map(|(_, text)| text.clone()));
    let title = title.unwrap_or_else(|| def.zh.clone()).chars().take(100).collect();
    Ok(pb::TaskOrder { title, ..order })
}

/// The fields of an entry as people read them.
fn shown<'d>(def: &'d RegisterDef, order: &pb::TaskOrder) -> Vec<(&'d FieldDef, String)> {
    let text = |field: &Field| {
        let rule = def.field(field.tag)?;
        Some((rule, Value::decode(rule, &field.bytes)?.show(rule)))
    };
    entry(order).unwrap_or_default().iter().filter_map(text).collect()
}

fn to(order: &pb::TaskOrder, answer: &pb::OrdersAnswer) -> String {
    order.to.iter().map(|unit| assess::name_in(answer, *unit)).collect::<Vec<_>>().join("、")
}

fn all(answer: &pb::OrdersAnswer, reader: Reader) {
    let row = |order: &pb::TaskOrder| {
        let register = registers().get(order.register).map_or("?", |def| def.zh.as_str());
        let withdrawn = if order.withdrawn_on == 0 { String::new() } else { date::iso(order.withdrawn_on) };
        let (title, by) = (order.title.clone(), order.by.clone());
        let given = date::iso(order.given_on);
        vec![order.no.to_string(), register.to_owned(), title, to(order, answer), given, by, withdrawn]
    };
    let headings = [
        ("no", "编号"),
        ("register", "登记表"),
        ("title", "名称"),
        ("to", "归属单位"),
        ("given_on", "登记日期"),
        ("by", "登记人"),
        ("withdrawn_on", "撤回"),
    ];
    let entries = || answer.orders.iter().filter(|order| order.kind() == OrderKind::Entry);
    let rows: Vec<Vec<String>> = entries().map(row).collect();
    if reader == Reader::Person {
        return show::table(reader, &headings, &rows);
    }
    let told = show::objects_of(&headings, &rows, entries(), |object, order| {
        object["to"] = assess::to_for_program(order, answer);
    });
    show::document(reader, show::listed(told));
}

fn one(order: &pb::TaskOrder, answer: &pb::OrdersAnswer, reader: Reader) {
    let Some(def) = registers().get(order.register) else { return };
    let mut facts = vec![
        show::fact("no", "编号", "number", order.no),
        show::fact("register", "登记表", "register", &def.zh),
        show::fact("to", "归属单位", "for", to(order, answer)),
        show::fact("given_on", "登记日期", "given on", date::iso(order.given_on)),
        show::fact("by", "登记人", "by", &order.by),
    ];
    facts
        .extend(shown(def, order).into_iter().map(|(field, text)| show::fact(&field.name, &field.zh, &field.en, text)));
    show::facts(reader, &facts);
}
