//! One row's cells read into values by its form. Every fault of the row is told, each with its column and remedy.
//! Pure, except that units are looked up in the tree.

use super::{
    cells::Cell,
    form::{Column, Form, digit_groups},
    layout::{Place, Target},
    note::chinese,
    units::Units,
};
use std::collections::BTreeMap;
use taizhang_proto::{
    OrgCode,
    check::citizen_id::{self, Facts, Fault},
    date,
    pb::Format,
    register::{FieldDef, Value},
    text,
};

/// What a row says.
#[derive(Debug, Default)]
pub(super) struct Row {
    /// Values by role and tag.
    pub(super) values: BTreeMap<Place, Value>,
    /// Headings of the columns they came from.
    pub(super) headings: BTreeMap<Place, String>,
    /// What no field holds, by role.
    pub(super) notes: Vec<(usize, String)>,
    /// Unknown columns that were filled.
    pub(super) unknown: Vec<String>,
    /// The unit that the row itself names.
    pub(super) unit: Option<OrgCode>,
    /// What is wrong, in Chinese.
    pub(super) faults: Vec<String>,
    /// What the clerk should know besides.
    pub(super) findings: Vec<String>,
}

/// Puts the cells above in the place of 同上.
pub(super) fn resolved(row: &[Cell], above: Option<&Vec<Cell>>) -> Vec<Cell> {
    let copied = |(index, cell): (usize, &Cell)| match (cell, above) {
        (Cell::Text(written), Some(above)) if text::is_ditto(written) => {
            above.get(index).cloned().unwrap_or(Cell::Empty)
        }
        _ => cell.clone(),
    };
    row.iter().enumerate().map(copied).collect()
}

/// Reads a row.
pub(super) fn read(form: &Form<'_>, cells: &[Cell], units: &Units<'_>) -> Row {
    let mut row = Row::default();
    let mut compared = Vec::new();
    for (index, cell) in cells.iter().enumerate().filter(|(_, cell)| !cell.is_blank()) {
        let Some(column) = form.columns.get(index) else {
            row.keep(form, &format!("第{}列", index + 1), cell);
            continue;
        };
        if matches!(cell, Cell::Text(written) if text::is_ditto(written)) {
            row.fault(&column.heading, "上面没有可以照抄的内容，请写出全文");
            continue;
        }
        match column.target {
            Some(Target::Ignore) => {}
            None => row.keep(form, &column.heading, cell),
            Some(Target::Unit) => row.read_unit(column, cell, units),
            Some(Target::Field { role, tag }) => row.read_field(form, (role, tag), column, cell, units),
            Some(Target::Code { role, tag, code }) => row.read_yes(form, (role, tag), code, column, cell),
            Some(target @ (Target::Sex { .. } | Target::Birth { .. })) => compared.push((target, column, cell)),
        }
    }
    for (target, column, cell) in compared {
        row.compare(form, target, column, cell);
    }
    row
}

impl Row {
    fn fault(&mut self, heading: &str, why: &str) {
        self.faults.push(format!("“{heading}”：{why}"));
    }

    /// Keeps the cell of a column that we do not know as text.
    fn keep(&mut self, form: &Form<'_>, heading: &str, cell: &Cell) {
        self.notes.push((form.layout.main, format!("{heading}：{}", text::half_width(&cell.text()))));
        self.unknown.push(heading.to_owned());
    }

    fn read_unit(&mut self, column: &Column, cell: &Cell, units: &Units<'_>) {
        match units.named(&cell.text()) {
            Some(unit) => self.unit = Some(unit),
            None => self.fault(&column.heading, "不是本单位所辖的单位，请填写全称或12位编码"),
        }
    }

    fn read_field(&mut self, form: &Form<'_>, place: Place, column: &Column, cell: &Cell, units: &Units<'_>) {
        let Some(field) = form.layout.field(place) else { return };
        let mut written = vec![cell.text()];
        if field.format == Format::Phone {
            written = phones(&written[0]);
        }
        for (index, text) in written.iter().enumerate() {
            let (place, field) = self.free_place(form, place, field, index);
            if field.format == Format::Code {
                self.read_coded(form, place, column, text);
                continue;
            }
            match parse(field, cell, text, units) {
                Err(why) => self.fault(&column.heading, chinese(&why)),
                Ok(Parsed { value, fifteen }) => {
                    if let Some((text, tag)) = fifteen.zip(form.layout.roles[place.0].register.field_named("id_no_15"))
                    {
                        self.values.insert((place.0, tag.tag), Value::Text(text));
                    }
                    self.set(place, value, column, text);
                }
            }
        }
    }

    /// Reads codes and the words for them. What is in no list keeps its text beside the record, never a row's fault: as
    /// the list's 'other' code where it has one, without a value else.
    fn read_coded(&mut self, form: &Form<'_>, place: Place, column: &Column, written: &str) {
        let Some((field, list)) = form.layout.field(place).and_then(|field| Some((field, field.codes?))) else {
            return;
        };
        let parts: Vec<&str> = if field.many { written.split(SEPARATORS).collect() } else { vec![written] };
        let mut values = Vec::new();
        let mut unknown = Vec::new();
        for part in parts.into_iter().filter(|part| !part.trim().is_empty()) {
            let code = form.layout.translated(place, part).or_else(|| list.code(part));
            if code.is_none() {
                unknown.push(text::half_width(part));
            }
            values.extend(code.or(list.other.as_deref()).map(|code| Value::Text(code.to_owned())));
        }
        if !unknown.is_empty() {
            self.note_unknown(place.0, column, &format!("{}：{}", field.zh, unknown.join("; ")));
        }
        values.dedup();
        match values.first().cloned() {
            Some(_) if field.many => self.set(place, Value::Many(values), column, written),
            Some(value) => self.set(place, value, column, written),
            None => {}
        }
    }

    /// Reads a yes or no to one code.
    fn read_yes(&mut self, form: &Form<'_>, place: Place, code: &str, column: &Column, cell: &Cell) {
        let Some(field) = form.layout.field(place) else { return };
        let (written, code) = (cell.text(), Value::Text(code.to_owned()));
        match text::parse_bool(&written) {
            Some(true) => {
                let value = if field.many { Value::Many(vec![code]) } else { code };
                self.set(place, value, column, &written);
            }
            Some(false) => {}
            None => {
                let note = format!("{}：{}", column.heading, text::half_width(&written));
                self.note_unknown(place.0, column, &note);
            }
        }
    }

    fn note_unknown(&mut self, role: usize, column: &Column, note: &str) {
        self.notes.push((role, note.to_owned()));
        let finding = format!("栏目“{}”有代码表中没有的内容，原文保存在“导入存疑”中", column.heading);
        if !self.findings.contains(&finding) {
            self.findings.push(finding);
        }
    }

    /// Where a value goes: a second one of a kind to the field it spills into.
    fn free_place<'f>(
        &self,
        form: &Form<'_>,
        place: Place,
        field: &'f FieldDef,
        index: usize,
    ) -> (Place, &'f FieldDef) {
        let spilled = form.layout.spill.get(&place).filter(|_| index > 0 || self.values.contains_key(&place));
        let Some(tag) = spilled else { return (place, field) };
        match form.layout.roles[place.0].register.field(*tag) {
            Some(spare) => ((place.0, *tag), spare),
            None => (place, field),
        }
    }

    fn set(&mut self, place: Place, value: Value, column: &Column, written: &str) {
        if let (Some(Value::Many(held)), Value::Many(more)) = (self.values.get_mut(&place), &value) {
            held.extend(more.iter().filter(|one| !held.contains(one)).cloned().collect::<Vec<_>>());
            return;
        }
        match self.values.get(&place) {
            Some(held) if *held != value => {
                self.notes.push((place.0, format!("{}：{}", column.heading, text::half_width(written))));
            }
            Some(_) => {}
            None => {
                self.values.insert(place, value);
                self.headings.insert(place, column.heading.clone());
            }
        }
    }

    /// Compares a column with what the citizen id says; without a valid id there is nothing to compare.
    fn compare(&mut self, form: &Form<'_>, target: Target, column: &Column, cell: &Cell) {
        let (Target::Sex { role } | Target::Birth { role }) = target else { return };
        let id =
            form.layout.roles[role].register.field_named("id_no").and_then(|field| self.values.get(&(role, field.tag)));
        let Some(Value::Text(id)) = id else { return };
        let Ok(facts) = citizen_id::check(id) else { return };
        let verdict = match target {
            Target::Sex { .. } => compare_sex(facts, &cell.text()),
            _ => compare_birth(facts, cell),
        };
        if let Err(why) = verdict {
            self.fault(&column.heading, why);
        }
    }
}

fn compare_sex(facts: Facts, written: &str) -> Result<(), &'static str> {
    let male = match text::no_space(written).to_uppercase().as_str() {
        "1" | "01" | "男" | "男性" | "M" => true,
        "2" | "02" | "女" | "女性" | "F" => false,
        "0" | "9" | "00" | "09" | "未知" | "不详" => return Ok(()),
        _ => return Err("请填“男”或“女”"),
    };
    if male == facts.male {
        Ok(())
    } else {
        Err("与身份证号码不符，请核对身份证号码第17位（单数为男）")
    }
}

fn compare_birth(facts: Facts, cell: &Cell) -> Result<(), &'static str> {
    const DIFFERS: &str = "与身份证号码中的出生日期不符，请核对";
    let written = cell.text();
    let year_only =
        text::no_space(&written).trim_end_matches('年').parse::<i16>().ok().filter(|year| (1900..2100).contains(year));
    let born = date::civil(facts.birth).ok_or(DIFFERS)?;
    if let Some(year) = year_only {
        return if year == born.year() { Ok(()) } else { Err(DIFFERS) };
    }
    let day = text::parse_date(&written).and_then(date::civil).ok_or("不是日期，请写成 1965.3.20")?;
    let groups = digit_groups(&written);
    // A month typed into a cell with the format of a date became its first day.
    let month_only = groups == 2 && !cell.is_numeric()
        || groups == 1 && text::no_space(&written).len() == 6
        || cell.is_numeric() && day.day() == 1;
    let same = day.year() == born.year() && day.month() == born.month() && (month_only || day.day() == born.day());
    if same { Ok(()) } else { Err(DIFFERS) }
}

struct Parsed {
    value: Value,
    /// The former 15-digit number of a citizen id.
    fifteen: Option<String>,
}

/// Between the codes of one cell.
const SEPARATORS: [char; 5] = ['、', ',', '，', ';', '；'];

fn parse(field: &FieldDef, cell: &Cell, written: &str, units: &Units<'_>) -> Result<Parsed, String> {
    let plain = |value| Parsed { value, fifteen: None };
    match field.format {
        Format::CitizenId => parse_citizen_id(cell, written),
        Format::Unit => units
            .anywhere(written)
            .map(|unit| plain(Value::Uint(unit.number())))
            .ok_or_else(|| "不是市内单位，请填写全称或12位编码".to_owned()),
        Format::Date => match cell {
            Cell::Day(day) => Ok(plain(Value::Day(*day))),
            _ => parse_plain(field, written),
        },
        _ => parse_plain(field, written),
    }
}

fn parse_plain(field: &FieldDef, written: &str) -> Result<Parsed, String> {
    let (value, _) = Value::parse(field, written).map_err(|error| error.why)?;
    Ok(Parsed { value, fifteen: None })
}

fn parse_citizen_id(cell: &Cell, written: &str) -> Result<Parsed, String> {
    if cell.lost_digits() {
        return Err(Fault::LostDigits.to_string());
    }
    let written = text::no_space(written).to_ascii_uppercase();
    if let Some(full) = citizen_id::upgrade(&written) {
        return Ok(Parsed { value: Value::Text(full), fifteen: Some(written) });
    }
    citizen_id::check(&written).map_err(|fault| fault.to_string())?;
    Ok(Parsed { value: Value::Text(written), fifteen: None })
}

/// The numbers in a cell for telephones.
fn phones(written: &str) -> Vec<String> {
    let folded = text::half_width(written).replace('(', "").replace(')', "-");
    let folded = folded.replace(['—', '–', '－', '―'], "-");
    let parts: Vec<String> =
        folded.split(['/', '、', ',', ';', '；', '\n']).map(text::no_space).filter(|part| !part.is_empty()).collect();
    if parts.is_empty() { vec![folded] } else { parts }
}
