//! `fields`: what a register asks for, read from its declaration. Needs no office and no line.

use crate::{
    say,
    show::{self, Reader, lang},
};
use anyhow::bail;
use serde_json::{Map, Value, json};
use taizhang_proto::{
    pb::{Format, Policy, Tier},
    register::{FIRST_OWN, FieldDef, Refers, RegisterDef, Shape, registers},
};

/// Prints a register's fields, or the registers that there are.
///
/// # Errors
/// When there is no such register.
pub fn print(register: Option<&str>, reader: Reader) -> anyhow::Result<()> {
    let Some(name) = register else {
        let told =
            |def: &RegisterDef| json!({ "register": def.name, "zh": def.zh, "en": def.en, "fields": def.fields.len() });
        show::document(reader, show::listed(registers().iter().map(told).collect()));
        if reader == Reader::Person {
            registers().iter().for_each(|def| say!("{}  {}  {}", def.zh, def.name, def.en));
        }
        return Ok(());
    };
    let Some(def) = registers().named(name) else {
        bail!("没有登记表 {name}；不带参数运行 fields 可列出全部 (no such register: run `fields` alone to list them)");
    };
    show::document(reader, show::listed(def.fields.iter().map(|field| object(def, field)).collect()));
    if reader == Reader::Person {
        // What a clerk fills comes first; much of what every register has is written by programs.
        let (everywhere, own): (Vec<_>, Vec<_>) = def.fields.iter().partition(|field| field.tag < FIRST_OWN);
        for field in own {
            say!("{}", line(def, field));
        }
        say!("{}", lang::word("—— 各登记表共有的栏目 (in every register)", "-- in every register"));
        for field in everywhere {
            say!("{}", line(def, field));
        }
    }
    Ok(())
}

fn line(def: &RegisterDef, field: &FieldDef) -> String {
    let (kind, policy) = (kind(field), policy(field));
    let mut parts =
        vec![lang::word(&field.zh, &field.en).to_owned(), field.name.clone(), lang::word(kind.0, kind.1).into()];
    let marks = [
        (field.required, "必填", "required"),
        (field.many, "可多值", "several"),
        (field.unique, "不得重复", "unique"),
        (def.key.contains(&field.tag), "识别栏", "key"),
        (field.personal, "个人信息", "personal"),
        (field.reason, "更改须写理由", "a change needs a reason"),
    ];
    parts.extend(marks.into_iter().filter(|(holds, ..)| *holds).map(|(_, zh, en)| lang::word(zh, en).to_owned()));
    parts.push(lang::word(policy.0, policy.1).to_owned());
    if let Some(list) = field.codes {
        let word = |code: &str, zh: &str| lang::word(zh, list.english(code).unwrap_or(zh)).to_owned();
        let codes: Vec<String> =
            list.codes.iter().map(|(code, meaning)| format!("{code} {}", word(code, meaning))).collect();
        parts.push(format!("{}{}{}", list.id, lang::word("：", ": "), codes.join(lang::word("，", ", "))));
    }
    if let Some(target) = target(field) {
        parts.push(format!("→ {}", lang::word(&target.zh, &target.en)));
    }
    parts.join("  ")
}

fn object(def: &RegisterDef, field: &FieldDef) -> Value {
    let codes = field.codes.map(|list| {
        let codes: Map<String, Value> =
            list.codes.iter().map(|(code, meaning)| (code.clone(), Value::from(meaning.as_str()))).collect();
        let english: Map<String, Value> =
            list.codes.keys().map(|code| (code.clone(), list.english(code).into())).collect();
        json!({ "list": list.id, "other": list.other, "codes": codes, "en": english })
    });
    json!({
        "register": def.name,
        "field": field.name,
        "zh": field.zh,
        "en": field.en,
        "type": kind(field).1,
        "required": field.required,
        "many": field.many,
        "unique": field.unique,
        "key": def.key.contains(&field.tag),
        "personal": field.personal,
        "reason": field.reason,
        "policy": policy(field).1,
        "owner": (field.policy == Policy::Owned).then(|| tier(field.owner)),
        "max": (field.shape == Shape::Text && field.codes.is_none()).then_some(field.max),
        "decimals": field.decimals,
        "codes": codes,
        "refers": target(field).map(|def| def.name.clone()),
    })
}

fn target(field: &FieldDef) -> Option<&'static RegisterDef> {
    match field.refers? {
        Refers::To(number) => registers().get(number),
        Refers::Any => None,
    }
}

/// How a value is written: for people and for programs.
fn kind(field: &FieldDef) -> (&'static str, &'static str) {
    match (field.format, field.shape) {
        (Format::Date, _) => ("日期", "date"),
        (Format::Unit, _) => ("单位编码", "unit"),
        (Format::Ref, _) => ("记录编号", "reference"),
        (Format::Code, _) => ("代码", "code"),
        (Format::CitizenId, _) => ("公民身份号码", "citizen_id"),
        (Format::PersonName, _) => ("姓名", "name"),
        (Format::Phone, _) => ("电话", "phone"),
        (Format::Money, _) => ("金额(元)", "money"),
        (_, Shape::Bool) => ("是/否", "bool"),
        (_, Shape::Uint | Shape::Sint) => ("数字", "number"),
        _ => ("文字", "text"),
    }
}

/// What concurrent edits lead to: for people and for programs.
fn policy(field: &FieldDef) -> (&'static str, &'static str) {
    match field.policy {
        Policy::Review => ("冲突待审", "review"),
        Policy::Fixed => ("只填一次", "fixed"),
        Policy::Union => ("合并", "union"),
        Policy::Owned => ("上级填写", "owned"),
        Policy::Senior => ("上级优先", "senior"),
        Policy::Latest => ("后写为准", "latest"),
    }
}

fn tier(tier: Tier) -> &'static str {
    match tier {
        Tier::City => "city",
        Tier::District => "district",
        Tier::Township => "township",
        Tier::Community => "community",
        Tier::Unknown => "",
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn every_field_of_every_register_can_be_told() {
        for def in registers().iter() {
            for field in &def.fields {
                let object = object(def, field);
                assert_eq!(object["field"], field.name.as_str());
                assert!(!object["type"].as_str().unwrap().is_empty() && line(def, field).contains(&field.zh));
            }
        }
        let placement = registers().named("placement").unwrap();
        let kind = object(placement, placement.field_named("kind").unwrap());
        assert_eq!((&kind["type"], &kind["codes"]["codes"]["2"]), (&json!("code"), &json!("公益性岗位")));
        assert!(print(Some("nothing"), Reader::Person).is_err());
    }
}
