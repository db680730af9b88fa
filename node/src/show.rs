//! What commands print: tables for people, JSON for programs.

mod audit;
mod json;
pub mod lang;
pub mod paper;
mod standing;

pub use audit::{act, audit_log};
pub use standing::{figure, span_names, standard, standing};

use comfy_table::{ColumnConstraint, ContentArrangement, Table, Width, presets::UTF8_FULL_CONDENSED};
use std::{
    io::Write,
    sync::atomic::{AtomicBool, Ordering},
};
use taizhang_proto::{
    OrgCode,
    date::{self, SHANGHAI},
    org::{Unit, UnitTree},
    pb,
    register::registers,
};

/// The office that an origin names; where a hub that had lost its store was only told so by another one, that too.
pub fn office_of(units: &UnitTree, origin: &pb::Origin) -> String {
    told(units, &name(units, origin.unit), origin.told_by)
}

/// The reviewer that a ruling names, told likewise.
pub fn reviewer_of(units: &UnitTree, ruling: &pb::Ruling) -> String {
    told(units, &ruling.by, ruling.told_by)
}

fn name(units: &UnitTree, unit: u64) -> String {
    OrgCode::new(unit).map(|unit| units.name(unit)).unwrap_or_default()
}

fn told(units: &UnitTree, whose: &str, teller: u64) -> String {
    match teller {
        0 => whose.to_owned(),
        by => format!("{whose}（{} 转述，未经核实 told by another office, unproven）", name(units, by)),
    }
}

/// Prints a line, if anybody still reads: `println!` would end a program whose output goes to `head`.
#[macro_export]
macro_rules! say {
    ($($text:tt)*) => { $crate::show::say_line(format_args!($($text)*)) };
}

/// The output could not be written.
static FAILED: AtomicBool = AtomicBool::new(false);

/// Nobody reads the output any more.
static UNREAD: AtomicBool = AtomicBool::new(false);

/// What [`say!`] does.
pub fn say_line(text: std::fmt::Arguments<'_>) {
    match writeln!(std::io::stdout().lock(), "{text}") {
        Ok(()) => {}
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => UNREAD.store(true, Ordering::Relaxed),
        Err(error) => {
            if !FAILED.swap(true, Ordering::Relaxed) {
                eprintln!("输出失败 (the output can't be written): {error}");
            }
        }
    }
}

/// Whether something could not be written: a file of half an answer is no answer.
pub fn has_failed() -> bool {
    FAILED.load(Ordering::Relaxed)
}

/// Whether somebody reads the output, as far as the last line showed.
pub fn is_read() -> bool {
    !UNREAD.load(Ordering::Relaxed)
}

/// Who reads the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reader {
    /// A person: tables.
    Person,
    /// A program: one JSON value.
    Program,
}

/// Every column is shown, however wide the terminal.
static WIDE: AtomicBool = AtomicBool::new(false);

/// Shows every column from now on (`--wide`).
pub fn set_wide(wide: bool) {
    WIDE.store(wide, Ordering::Relaxed);
}

/// Whether every column is asked for.
pub fn is_wide() -> bool {
    WIDE.load(Ordering::Relaxed)
}

/// How many columns of text a table may take; none where no terminal shows it, or everything is asked for.
pub fn width() -> Option<usize> {
    if is_wide() { None } else { Table::new().width().map(usize::from) }
}

/// An empty table that is never wider than the terminal.
pub fn new_table() -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED);
    table.set_content_arrangement(match width() {
        Some(_) => ContentArrangement::Dynamic,
        None => ContentArrangement::Disabled,
    });
    table
}

/// A line for people. What a program gets stands alone on stdout, so it is told on stderr there.
pub fn line(reader: Reader, text: &str) {
    match reader {
        Reader::Person => say!("{text}"),
        Reader::Program => eprintln!("{text}"),
    }
}

/// A value as a program reads it, by its key.
pub fn typed(key: &str, value: &str) -> serde_json::Value {
    json::typed(key, value)
}

/// The one document of a command, with the time at which it was so; nothing for a person, who is told otherwise.
pub fn document(reader: Reader, mut document: serde_json::Value) {
    if reader != Reader::Program {
        return;
    }
    if let Some(told) = document.as_object_mut() {
        told.entry("at").or_insert_with(now);
    }
    say!("{}", json::with_texts_for_codes(document));
}

/// Rows as the one document of a command: with the time at which they were so.
pub fn listed(rows: serde_json::Value) -> serde_json::Value {
    serde_json::json!({ "at": now(), "rows": rows })
}

/// This computer's time, as programs read it.
fn now() -> serde_json::Value {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_secs());
    moment(now)
}

/// A text in a document; none where nothing is said.
pub fn some(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

/// A time in seconds since 1970 as programs read it; null where there is none.
pub fn moment(seconds: u64) -> serde_json::Value {
    match seconds {
        0 => serde_json::Value::Null,
        seconds => json::typed("at", &time(seconds)),
    }
}

/// Columns of text that borders and the space beside a cell take.
const PADDING: usize = 2;
/// Texts longer than this are broken over several lines where there is no room.
const BREAKS: usize = 8;
/// Widest column that is kept whole.
const WIDEST: usize = 200;
/// Most columns that are named when they are left out.
const NAMED: usize = 8;

/// Columns of text that a sign takes on a terminal: those beyond Latin take two.
fn cells_of(text: &str) -> usize {
    text.chars().map(|sign| if (sign as u32) < 0x1100 { 1 } else { 2 }).sum()
}

/// How wide each column has to be: a number, a day or an id is never broken, other texts are.
fn needs(heads: &[String], rows: &[Vec<String>]) -> Vec<usize> {
    let longest = |text: &str| {
        let whole = text.split(|sign: char| !sign.is_ascii_graphic()).map(str::len).max().unwrap_or(0);
        whole.max(cells_of(text).min(BREAKS))
    };
    let of = |(place, head): (usize, &String)| {
        let cells = rows.iter().filter_map(|row| row.get(place)).map(|cell| longest(cell));
        cells.chain([longest(head)]).max().unwrap_or(0)
    };
    heads.iter().enumerate().map(of).collect()
}

/// The columns that have room, in their order: the first two always, and of the others each that there is room for, and that is not
/// empty where not all have room; all where no terminal shows them.
fn fitting(needs: &[usize], width: Option<usize>, is_empty: impl Fn(usize) -> bool) -> Vec<usize> {
    let Some(width) = width else { return (0..needs.len()).collect() };
    if needs.iter().map(|need| need + PADDING + 1).sum::<usize>() < width {
        return (0..needs.len()).collect();
    }
    let mut taken = 1;
    let fits = |(place, need): (usize, &usize)| {
        let with = taken + need + PADDING + 1;
        if place >= 2 && (with > width || is_empty(place)) {
            return None;
        }
        taken = with;
        Some(place)
    };
    needs.iter().enumerate().filter_map(fits).collect()
}

/// Prints rows under headings, or the same as objects whose keys are `names` ([`listed`]).
pub fn table(reader: Reader, headings: &[(&str, &str)], rows: &[Vec<String>]) {
    match reader {
        Reader::Person => {
            let heads: Vec<String> = headings.iter().map(|(name, heading)| lang::heading(name, heading)).collect();
            let needs = needs(&heads, rows);
            let is_empty =
                |place: usize| place >= 2 && rows.iter().all(|row| row.get(place).is_none_or(String::is_empty));
            let shown = fitting(&needs, width(), is_empty);
            let of = |cells: &[String]| -> Vec<String> {
                shown.iter().filter_map(|place| cells.get(*place)).cloned().collect()
            };
            let mut table = new_table();
            table.set_header(of(&heads));
            let registers = headings.iter().position(|(name, _)| *name == "register");
            for row in rows {
                let mut row = row.clone();
                if let Some(cell) = registers.and_then(|place| row.get_mut(place)) {
                    *cell = lang::register(cell).to_owned();
                }
                table.add_row(of(&row));
            }
            for (place, column_of) in shown.iter().enumerate() {
                // Where there is no room, a number, a day or an id is not what is broken.
                let least = needs[*column_of] + PADDING;
                if let (Some(column), true) = (table.column_mut(place), least <= WIDEST) {
                    column.set_constraint(ColumnConstraint::LowerBoundary(Width::Fixed(least as u16)));
                }
            }
            say!("{table}");
            let left_out: Vec<&str> =
                (0..heads.len()).filter(|place| !shown.contains(place)).map(|place| heads[place].as_str()).collect();
            if !left_out.is_empty() {
                let more = if left_out.len() > NAMED { "……" } else { "" };
                let named = left_out[..left_out.len().min(NAMED)].join("、");
                say!("{}：{named}{more}", lang::word("其余各栏见 --wide", "more columns: --wide"));
            }
        }
        Reader::Program => document(reader, listed(objects(headings, rows))),
    }
}

/// A register as a program reads it, by any of its names: the one on the wire.
pub fn register(named: &str) -> &str {
    registers().named(named).map_or(named, |def| def.name.as_str())
}

/// A field of a record as a program reads it: what is told by a word with its code beside it, numbers as numbers, a list as one.
pub fn field(register: &str, fact: &pb::Fact) -> serde_json::Value {
    if fact.value == NOTHING {
        return serde_json::Value::Null;
    }
    if let Some(coded) = coded(fact) {
        return coded;
    }
    if !fact.items.is_empty() {
        let item = |item: &pb::Item| match item.code.as_str() {
            "" => serde_json::Value::from(item.value.as_str()),
            code => code_of(code, &item.value),
        };
        return fact.items.iter().map(item).collect();
    }
    let def = registers().named(register).and_then(|def| def.field_named(&fact.key));
    json::of_field(def, &fact.value)
}

/// A value that stands for a code, with it; none of any other.
fn coded(fact: &pb::Fact) -> Option<serde_json::Value> {
    // For people the code of a unit or a record stands behind its name.
    let label = fact.value.strip_suffix(&format!("({})", fact.code)).unwrap_or(&fact.value).trim_end();
    (!fact.code.is_empty()).then(|| code_of(&fact.code, label))
}

/// A word that stands for a code, as a program reads it.
pub fn code_of(code: impl ToString, label: &str) -> serde_json::Value {
    serde_json::json!({ "code": code.to_string(), "label": label })
}

/// A unit's fact: people read its name with the code behind it.
pub fn unit_fact(tree: &UnitTree, unit: OrgCode) -> pb::Fact {
    let value = if tree.contains(unit) { format!("{}({unit})", tree.name(unit)) } else { unit.to_string() };
    pb::Fact { code: unit.to_string(), ..fact("unit", "单位", "unit", value) }
}

/// A unit that people read as its name with its code behind it, as a program reads it; null for none.
pub fn unit(named: &str) -> serde_json::Value {
    let (name, code) = named.strip_suffix(')').and_then(|named| named.rsplit_once('(')).unwrap_or((named, named));
    if named.is_empty() { serde_json::Value::Null } else { code_of(code, name) }
}

/// Rows as a JSON array of objects whose keys are the names of the headings.
pub fn objects(headings: &[(&str, &str)], rows: &[Vec<String>]) -> serde_json::Value {
    let object = |row: &Vec<String>| {
        let pairs = headings.iter().zip(row).map(|((name, _), cell)| ((*name).to_owned(), json::typed(name, cell)));
        serde_json::Value::Object(pairs.collect())
    };
    rows.iter().map(object).collect()
}

/// Prints a configuration as it is in force: one JSON document for everybody.
///
/// # Errors
/// When it can't be written as JSON.
pub fn config(reader: Reader, config: &impl serde::Serialize) -> anyhow::Result<()> {
    let value = json::with_texts_for_codes(serde_json::to_value(config)?);
    match reader {
        Reader::Person => say!("{}", serde_json::to_string_pretty(&value)?),
        Reader::Program => document(reader, value),
    }
    Ok(())
}

/// The fact of how many bytes a store takes.
pub const DISK: &str = "disk";

/// Prints facts, one a line, or one JSON object.
pub fn facts(reader: Reader, facts: &[pb::Fact]) {
    match reader {
        Reader::Person => {
            for fact in facts {
                let size = fact.value.parse().ok().filter(|_| fact.key == DISK).map(bytes);
                let value = size.unwrap_or_else(|| lang::told(fact));
                if lang::is_english() {
                    say!("{}: {value}", fact.en);
                } else {
                    say!("{} ({}): {value}", fact.zh, fact.en);
                }
            }
        }
        Reader::Program => {
            document(reader, object(facts).into());
        }
    }
}

/// What a field says that was cleared.
pub const NOTHING: &str = "（空）(nothing)";

/// Facts as an object for programs: what is told by a word with its code beside it.
pub fn object(facts: &[pb::Fact]) -> serde_json::Map<String, serde_json::Value> {
    let value = |fact: &pb::Fact| coded(fact).unwrap_or_else(|| json::typed(&fact.key, &fact.value));
    facts.iter().map(|fact| (fact.key.clone(), value(fact))).collect()
}

/// Rows as objects, each mended by what its row is of, as where a column has more to say than its word.
pub fn objects_of<T>(
    headings: &[(&str, &str)],
    rows: &[Vec<String>],
    of: impl IntoIterator<Item = T>,
    mend: impl Fn(&mut serde_json::Value, T),
) -> serde_json::Value {
    let mut objects = objects(headings, rows);
    objects.as_array_mut().into_iter().flatten().zip(of).for_each(|(object, of)| mend(object, of));
    objects
}

/// Rows as objects, whose column `unit` has the code of the unit beside its name.
pub fn objects_of_units(
    headings: &[(&str, &str)],
    rows: &[Vec<String>],
    units: impl Iterator<Item = u64>,
) -> serde_json::Value {
    objects_of(headings, rows, units, |object, unit| {
        object["unit"] = serde_json::json!({ "code": unit.to_string(), "label": object["unit"] });
    })
}

/// What a reviewer chose, in words, with the word that `--choice` takes.
pub fn choice(choice: pb::Choice) -> &'static str {
    match choice {
        pb::Choice::Unknown => "已撤回，重新提出 (taken back: reopened)",
        pb::Choice::Keep => "维持现值 (keep)",
        pb::Choice::Take => "采纳主张 (take)",
        pb::Choice::Write => "另行填写 (write)",
        pb::Choice::Merge => "合并 (merge)",
        pb::Choice::Distinct => "并非重复 (distinct)",
        pb::Choice::Revoke => "撤销认定 (revoke)",
    }
}

/// Bytes in hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |text, byte| text + &format!("{byte:02x}"))
}

/// A fact.
pub fn fact(key: &str, zh: &str, en: &str, value: impl ToString) -> pb::Fact {
    pb::Fact { key: key.into(), zh: zh.into(), en: en.into(), value: value.to_string(), ..pb::Fact::default() }
}

/// Seconds since 1970 as people read them, in Shanghai; a word for never.
pub fn time(seconds: u64) -> String {
    if seconds == 0 {
        return "从未 (never)".into();
    }
    let local = jiff::Timestamp::from_second((seconds + SHANGHAI) as i64).map(|time| time.to_string());
    local.map_or_else(|_| seconds.to_string(), |text| text.trim_end_matches('Z').replace('T', " "))
}

/// Prints what a check found, one line each, or as one document.
pub fn verified(reader: Reader, answer: &pb::VerifyAnswer) {
    if reader == Reader::Program {
        return document(
            reader,
            serde_json::json!({
                "checked": answer.checked, "problems": answer.problems, "rows": answer.rows, "months": answer.months,
            }),
        );
    }
    say!("已检查 {} 条 (checked)", answer.checked);
    if answer.rows > 0 {
        say!(
            "已读取全部 {} 行，核对 {} 个已封账月份的签名和数字 (rows read, locked months checked)",
            answer.rows,
            answer.months
        );
    }
    for problem in &answer.problems {
        say!("{problem}");
    }
}

/// Prints where an export went.
pub fn exported(reader: Reader, rows: u64, file: &std::path::Path) {
    if reader == Reader::Program {
        return document(reader, serde_json::json!({ "rows": rows, "file": file.display().to_string() }));
    }
    say!("已导出 {rows} 行到 {} (rows exported)", file.display());
}

/// Asks before something that can't be undone: a person at a terminal says yes, a program said so beforehand.
///
/// # Errors
/// When nobody says yes.
pub fn confirmed(what: &str, yes: bool) -> anyhow::Result<()> {
    use std::io::{BufRead, IsTerminal};
    if yes {
        return Ok(());
    }
    if !std::io::stdin().is_terminal() {
        anyhow::bail!("{what}，不能撤回；确认请加 --yes (this can't be undone: say --yes if it is meant)");
    }
    eprint!("{what}，不能撤回。确认请输入 yes (this can't be undone; type yes)：");
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    if answer.trim().eq_ignore_ascii_case("yes") {
        return Ok(());
    }
    anyhow::bail!("未办理 (nothing was done)")
}

/// Says what is left out of figures, where something is, and that a day has not come.
pub fn beside_figures(aside: &[String], on: date::Day) {
    if !aside.is_empty() {
        say!("已搁置，部分或全部未计入：{}；原因见 nodes (set aside, in no figure: see `nodes`)", aside.join("、"));
    }
    let today = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_millis());
    if on > date::shanghai(u64::try_from(today).unwrap_or_default()) {
        say!("{} 在今天之后：按现有登记推算 (a day to come: as the registers stand now)", date::iso(on));
    }
}

/// Units whose name holds a word, or whose code begins with it, by code; all of them for an empty word. Those of the whole city that
/// are known here, of which `top` is one.
pub fn find_units(tree: &UnitTree, top: OrgCode, word: &str) -> pb::UnitsAnswer {
    let mut above = std::iter::successors(Some(top), |unit| unit.parent());
    let top = above.find(|unit| unit.tier() == pb::Tier::City).unwrap_or(top);
    let word = word.trim();
    let is = |unit: &&Unit| unit.name.contains(word) || unit.code.to_string().starts_with(word);
    let line = |unit: &Unit| {
        let mut within: Vec<String> = unit.code.up_to(top).skip(1).map(|code| tree.name(code)).collect();
        within.reverse();
        pb::UnitLine {
            unit: unit.code.number(),
            name: unit.name.clone(),
            within: within.join(" "),
            given_up: tree.given_up_on(unit.code).unwrap_or(0),
        }
    };
    pb::UnitsAnswer { units: tree.below(top).filter(is).map(line).collect() }
}

/// Prints units.
pub fn units(answer: &pb::UnitsAnswer, reader: Reader) {
    let row = |unit: &pb::UnitLine| {
        let given_up = if unit.given_up == 0 { String::new() } else { date::iso(unit.given_up) };
        vec![unit.unit.to_string(), unit.name.clone(), unit.within.clone(), given_up]
    };
    let headings = [("unit", "编码"), ("name", "单位"), ("within", "所属"), ("given_up", "撤销日期")];
    table(reader, &headings, &answer.units.iter().map(row).collect::<Vec<_>>());
}

/// Says what failed, on stderr: a line, or one document for a program.
pub fn error(reader: Reader, message: &str) {
    match reader {
        Reader::Person => eprintln!("{message}"),
        Reader::Program => eprintln!("{}", serde_json::json!({ "error": message })),
    }
}

/// How far a computer's clock is off its hub's, with what to do. `skew` is how far it is ahead, milliseconds.
pub fn wrong_clock(skew: i64) -> String {
    format!("时钟异常：{}，请校准；期限按上级时间计算 (wrong: set it right; days count by the hub's)", off(skew))
}

/// How far a clock is off, in words. `skew` is how far it is ahead, milliseconds.
pub fn off(skew: i64) -> String {
    let word = lang::word;
    let way = if skew > 0 { word("快 (ahead)", "ahead by") } else { word("慢 (behind)", "behind by") };
    let minutes = skew.unsigned_abs() / 60_000;
    let span = match minutes {
        // In whole tenths: nothing is -0.0.
        0..2 => return format!("{:.1} {}", (skew / 100) as f64 / 10.0, word("秒 (s)", "s")),
        2..120 => format!("{minutes} {}", word("分钟 (minutes)", "minutes")),
        120..2_880 => format!("{} {}", minutes / 60, word("小时 (hours)", "hours")),
        2_880..1_051_200 => format!("{} {}", minutes / 1_440, word("天 (days)", "days")),
        _ => format!("{} {}", minutes / 525_960, word("年 (years)", "years")),
    };
    format!("{way} {span}")
}

/// What is said of a clock that reads a time before this program was built, milliseconds since 1970.
pub fn impossible_clock(now: u64) -> String {
    format!(
        "时钟异常：{} 早于本程序的编译时间，请校准 (before this program was built: set it right)",
        time(now / 1_000)
    )
}

/// What was done of a quota; alone where there is none.
pub fn of_quota(done: impl std::fmt::Display, quota: u32) -> String {
    if quota == 0 { done.to_string() } else { format!("{done}/{quota}") }
}

/// Bytes as people read them.
pub fn bytes(count: u64) -> String {
    indicatif::HumanBytes(count).to_string()
}

/// A sync report as facts.
pub fn sync_facts(report: &pb::SyncReport) -> Vec<pb::Fact> {
    let mut facts = vec![
        fact("ok", "完成", "done", report.ok),
        fact("pushed", "上报", "pushed", report.pushed),
        fact("accepted", "接受", "accepted", report.accepted),
        fact("settled", "按规则处理或待审核", "settled by rule or left to a reviewer", report.settled),
        fact("refused", "退回", "refused", report.refused),
        fact("pulled", "下载", "pulled", report.pulled),
        fact("round_trips", "往返次数", "round trips", report.round_trips),
        fact("bytes_up", "上行字节", "bytes up", report.bytes_up),
        fact("bytes_down", "下行字节", "bytes down", report.bytes_down),
        fact("equal", "与上级一致", "equal to the hub", report.equal),
        fact("millis", "毫秒", "milliseconds", report.millis),
        fact("pending", "待上报", "waiting for the hub", report.pending),
    ];
    if !report.clock.is_empty() {
        facts.push(fact("clock", "时钟", "clock", &report.clock));
    }
    if !report.error.is_empty() {
        facts.push(fact("error", "错误", "error", &report.error));
    }
    facts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_a_list_for_programs_with_the_codes_beside_their_words() {
        let items =
            [("残疾", "03"), ("电工", "")].map(|(value, code)| pb::Item { value: value.into(), code: code.into() });
        let fact = |items: &[pb::Item]| pb::Fact {
            items: items.to_vec(),
            ..fact("hardship_claim", "困难类别", "Hardship as claimed", "残疾、电工")
        };
        let told = serde_json::json!([{ "code": "03", "label": "残疾" }, "电工"]);
        assert_eq!(field("Resident", &fact(&items)), told);
        assert_eq!(field("Resident", &fact(&[])), "残疾、电工");
        assert_eq!((register("居民登记"), register("Resident"), register("没有")), ("Resident", "Resident", "没有"));
    }

    #[test]
    fn a_number_or_an_id_is_never_broken_and_what_has_no_room_is_left_out() {
        let heads = ["姓名", "身份证号", "住址", "记录编号"].map(str::to_owned);
        let rows =
            [["张三", "210402197001011234", "新华街道永安台社区3号楼2单元", "01a0b1c2-0000-7000-8000-000000000001"]
                .map(str::to_owned)
                .to_vec()];
        let needs = needs(&heads, &rows);
        assert_eq!(needs, [4, 18, 8, 36]);
        assert_eq!(fitting(&needs, None, |_| false), [0, 1, 2, 3]);
        assert_eq!(fitting(&needs, Some(80), |_| false), [0, 1, 2, 3]);
        assert_eq!(fitting(&needs, Some(78), |_| false), [0, 1, 2]);
        assert_eq!(fitting(&needs, Some(39), |_| false), [0, 1]);
        assert_eq!(fitting(&needs, Some(80), |place| place == 2), [0, 1, 2, 3], "all have room");
        assert_eq!(fitting(&needs, Some(78), |place| place == 2), [0, 1, 3], "what says nothing gives way first");
        assert_eq!(fitting(&[4, 18, 64, 3], Some(40), |_| false), [0, 1, 3], "what comes behind a wide one has room");
    }
}
