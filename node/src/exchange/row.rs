//! One row's cells read into values by its form. Every fault of the row is told, each with its column and remedy.
//! Pure, except that units are looked up in the tree.

use super::{
    cells::Cell,
    excel::EPOCH_1904,
    form::Form,
    headings::{Column, role_of},
    layout::{Place, Target},
    note::chinese,
    phones::phones,
    survey::Months,
};
use crate::desk::units::Units;
use std::collections::{BTreeMap, BTreeSet};
use taizhang_proto::{
    OrgCode, RecordId,
    citizen_id::{self, Facts, Fault},
    date,
    pb::Format,
    register::{FieldDef, Shape, Value, field, number},
    text::{self, Moment, Written},
};

/// What a row says.
#[derive(Debug, Default)]
pub(super) struct Row {
    /// Values by role and tag.
    pub(super) values: BTreeMap<Place, Value>,
    /// Headings of the columns they came from.
    pub(super) headings: BTreeMap<Place, String>,
    /// Where something stands that could not be read, and is kept as text.
    pub(super) unread: BTreeSet<Place>,
    /// What no field holds, by role.
    pub(super) notes: Vec<(usize, String)>,
    /// Unknown columns that were filled.
    pub(super) unknown: Vec<String>,
    /// The unit that the row itself names.
    pub(super) unit: Option<OrgCode>,
    /// The record that the row itself names, in a file that the export wrote.
    pub(super) record: Option<RecordId>,
    /// Whom its references lead to, by tag.
    pub(super) leads: BTreeMap<u32, Lead>,
    /// What is wrong, in Chinese.
    pub(super) faults: Vec<String>,
    /// What the clerk should know besides.
    pub(super) findings: Vec<String>,
}

/// Whom a reference leads to, as an export says it.
#[derive(Debug, Default, Clone)]
pub(super) struct Lead {
    pub(super) name: Option<String>,
    pub(super) number: Option<String>,
    pub(super) id: Option<RecordId>,
}

/// A row as it is meant: the cells above in the place of 同上, the one to the left in the place of 同左, days instead of the
/// bare numbers that a column of days holds.
pub(super) fn resolved(form: &Form<'_>, row: &[Cell], above: Option<&Vec<Cell>>) -> Vec<Cell> {
    // What a program wrote is meant as it stands.
    if form.layout.exact {
        return row.to_vec();
    }
    let mut cells: Vec<Cell> = Vec::with_capacity(row.len());
    for (index, cell) in row.iter().enumerate() {
        let meant = match (cell, above) {
            (Cell::Text(written), Some(above)) if text::is_ditto(written) => {
                above.get(index).cloned().unwrap_or(Cell::Empty)
            }
            (Cell::Text(written), _) if text::no_space(written) == "同左" => left(form, index, &cells),
            (Cell::Number(number), _) if is_dated(form, index) => dated(*number, form.survey.is_1904),
            _ => cell.clone(),
        };
        cells.push(meant);
    }
    cells
}

/// The cell to the left of a column, where both are of one kind; nothing otherwise.
fn left(form: &Form<'_>, index: usize, cells: &[Cell]) -> Cell {
    let kind = |index: usize| match form.columns.get(index)?.target {
        Some(Target::Field { role, tag }) => form
            .layout
            .field((role, tag))
            .map(|field| (field.format, field.shape, field.codes.map(|list| list.id.as_str()))),
        _ => None,
    };
    let same = index > 0 && kind(index).is_some() && kind(index) == kind(index - 1);
    cells.last().filter(|_| same).cloned().unwrap_or(Cell::Empty)
}

/// Whether a column holds days.
fn is_dated(form: &Form<'_>, index: usize) -> bool {
    match form.columns.get(index).and_then(|column| column.target) {
        Some(Target::Birth { .. }) => true,
        Some(Target::Field { role, tag }) => {
            form.layout.field((role, tag)).is_some_and(|field| field.format == Format::Date)
        }
        _ => false,
    }
}

/// Days since 1904 that are days of ours.
const DAYS_1904: std::ops::Range<f64> = 9_000.0..73_050.0;

/// A number in a column of days. One that counts from 1904 is a day of its workbook only.
fn dated(number: f64, is_1904: bool) -> Cell {
    if !is_1904 || !DAYS_1904.contains(&number) {
        return Cell::Number(number);
    }
    match text::excel_moment(number + EPOCH_1904) {
        Some(Moment::Day(day)) => Cell::Day(day),
        Some(Moment::Late(_)) => Cell::Late(number + EPOCH_1904),
        None => Cell::Number(number),
    }
}

/// Reads a row.
pub(super) fn read(form: &Form<'_>, cells: &[Cell], units: &Units<'_>) -> Row {
    let mut row = Row::default();
    let mut compared = Vec::new();
    let absent = absent(form, cells);
    for (index, cell) in cells.iter().enumerate().filter(|(_, cell)| !cell.is_blank() || cell.failed().is_some()) {
        let Some(column) = form.columns.get(index) else {
            row.keep(form, &format!("第{}列", index + 1), cell);
            continue;
        };
        if let Some(why) = cell.failed() {
            row.miss(form, column, why);
            continue;
        }
        if !form.layout.exact && matches!(cell, Cell::Text(written) if text::is_ditto(written)) {
            row.fault(&column.heading, "上面没有可以照抄的内容，请写出全文");
            continue;
        }
        if form.layout.exact && is_masked(cell) {
            continue; // a district's export without names says nothing of it
        }
        if !form.layout.exact && says_nothing(form, column.target, cell) {
            continue;
        }
        if column.target.and_then(role_of).is_some_and(|role| absent.contains(&role)) {
            row.notes.push((form.layout.main, note_of(column, &cell.text())));
            continue;
        }
        match column.target {
            Some(Target::Ignore) => {}
            None => row.keep(form, &column.heading, cell),
            Some(Target::Unit) => row.read_unit(column, cell, units),
            Some(Target::Record) => match text::no_space(&cell.text()).parse() {
                Ok(id) => row.record = Some(id),
                Err(_) => row.fault(&column.heading, "不是记录编号"),
            },
            Some(Target::RefName { tag }) => {
                row.headings.insert((0, tag), column.heading.clone());
                row.leads.entry(tag).or_default().name = Some(cell.text());
            }
            Some(Target::RefNumber { tag }) => {
                row.leads.entry(tag).or_default().number = Some(text::no_space(&cell.text()));
            }
            Some(Target::RefId { tag }) => match text::no_space(&cell.text()).parse() {
                Ok(id) => row.leads.entry(tag).or_default().id = Some(id),
                Err(_) => row.fault(&column.heading, "不是记录编号"),
            },
            Some(Target::Field { role, tag }) => row.read_field(form, (role, tag), (index, column), cell, units),
            Some(Target::Code { role, tag, code }) => row.read_yes(form, (role, tag), code, column, cell),
            Some(target @ (Target::Sex { .. } | Target::Birth { .. })) => compared.push((target, index, cell)),
        }
    }
    for (target, index, cell) in compared {
        row.compare(form, target, index, cell);
    }
    row
}

/// The roles of which a row says in the place of the name that there is nobody, as 离异 or 丧偶: whatever else stands there is of nobody.
fn absent(form: &Form<'_>, cells: &[Cell]) -> BTreeSet<usize> {
    let named = |(column, cell): (&Column, &Cell)| match column.target {
        Some(Target::Field { role, tag }) if !form.layout.exact && !form.layout.roles[role].required => {
            let is_name = form.layout.field((role, tag)).is_some_and(|field| field.format == Format::PersonName);
            (is_name && form.is_nobody(&cell.text())).then_some(role)
        }
        _ => None,
    };
    form.columns.iter().zip(cells).filter_map(named).collect()
}

/// Whether a place is the number of somebody's unemployment or other certificate.
fn is_number_of_paper(form: &Form<'_>, (role, tag): Place) -> bool {
    matches!(
        (form.layout.roles[role].register.number, tag),
        (number::UNEMPLOYMENT_SPELL, field::unemployment_spell::REG_NO)
            | (number::HELD_CERTIFICATE, field::held_certificate::NUMBER)
    )
}

/// Whether a text can be such a number: it has a digit, of whichever kind, that is no nought, and is longer than a sign with one.
fn can_be_a_number(written: &str) -> bool {
    let written = text::no_space(&text::half_width(written));
    written.chars().count() > 2 && written.contains(|sign| "123456789一二三四五六七八九十".contains(sign))
}

/// Whether a cell says that there is nothing to say. A no is an answer where yes is one, and so is 无 in columns that ask for
/// skills and wishes.
fn says_nothing(form: &Form<'_>, target: Option<Target>, cell: &Cell) -> bool {
    let written = cell.text();
    let nothing = text::is_nothing(&written);
    let zero = || text::no_space(&written).chars().all(|sign| sign == '0');
    match target {
        Some(Target::Field { role, tag }) => {
            let Some(field) = form.layout.field((role, tag)) else { return nothing };
            let answer = form.layout.answers.contains(&(role, tag)) && text::parse_bool(&written) == Some(false);
            match (field.shape, field.format) {
                (Shape::Bool, _) => nothing && text::parse_bool(&written).is_none(),
                (_, Format::Date) => nothing || is_zero_date(&written),
                (_, Format::Code) => {
                    let known = field.codes.is_some_and(|list| list.code(&written).is_some());
                    let known = known || form.layout.translated((role, tag), &written).is_some();
                    (nothing || zero()) && !known
                }
                (Shape::Uint, format) if format != Format::Unit => nothing,
                _ => (nothing || zero()) && !answer,
            }
        }
        Some(Target::Birth { .. }) => nothing || is_zero_date(&written),
        Some(Target::Code { .. }) => nothing && text::parse_bool(&written).is_none(),
        _ => nothing,
    }
}

/// The day that programs write for want of one: `0`, `0000-00-00`, `1900-01-00`.
fn is_zero_date(written: &str) -> bool {
    let folded = text::half_width(written);
    let date = folded.split([' ', 'T']).next().unwrap_or_default();
    let groups: Vec<&str> = date.split(|sign: char| !sign.is_ascii_digit()).filter(|part| !part.is_empty()).collect();
    let zero = |part: &&str| part.bytes().all(|byte| byte == b'0');
    let excel = matches!(groups[..], ["1900", "1" | "01", day] if zero(&day));
    !groups.is_empty()
        && (groups.iter().all(zero) || excel)
        && date.bytes().all(|byte| byte.is_ascii_digit() || b"-/.".contains(&byte))
}

impl Row {
    fn fault(&mut self, heading: &str, why: &str) {
        self.faults.push(format!("“{heading}”：{why}"));
    }

    /// Keeps the cell of a column that we do not know as text.
    fn keep(&mut self, form: &Form<'_>, heading: &str, cell: &Cell) {
        self.notes.push((form.layout.main, format!("{heading}：{}", text::as_written(&cell.text()))));
        self.unknown.push(heading.to_owned());
    }

    /// A formula without a value: what has to be there is asked for, and of the rest it is said that something is missing.
    fn miss(&mut self, form: &Form<'_>, column: &Column, why: &str) {
        match column.target {
            None | Some(Target::Ignore | Target::Sex { .. } | Target::Birth { .. }) => {}
            Some(Target::Field { role, tag } | Target::Code { role, tag, .. })
                if !form.layout.is_essential((role, tag)) =>
            {
                self.keep_unread((role, tag), column, why);
            }
            // Whose it is, and where it belongs, is nothing to guess.
            Some(_) => self.fault(&column.heading, why),
        }
    }

    fn read_unit(&mut self, column: &Column, cell: &Cell, units: &Units<'_>) {
        match units.named(&cell.text()) {
            Some(unit) => self.unit = Some(unit),
            None => self.fault(&column.heading, "不是本单位所辖的单位，请填写全称或12位编码"),
        }
    }

    fn read_field(
        &mut self,
        form: &Form<'_>,
        place: Place,
        (index, column): (usize, &Column),
        cell: &Cell,
        units: &Units<'_>,
    ) {
        let Some(field) = form.layout.field(place) else { return };
        let written = cell.text();
        match field.format {
            Format::Phone if !form.layout.exact => self.read_phones(form, place, column, &written),
            Format::Code => {
                let (place, _) = self.free_place(form, place, field, 0);
                self.read_coded(form, place, column, &written);
            }
            // 有, 丢失, 办理中 in the place of a certificate's number: nothing is opened by it.
            _ if !form.layout.exact && is_number_of_paper(form, place) && !can_be_a_number(&written) => {
                self.notes.push((form.layout.main, note_of(column, &written)));
            }
            _ => {
                let (place, field) = self.free_place(form, place, field, 0);
                match parse(form, field, index, cell, units) {
                    Err(why) if form.layout.is_essential(place) => self.fault(&column.heading, chinese(&why)),
                    Err(_) => self.keep_unread(place, column, &written),
                    Ok(Parsed { value, fifteen, note }) => {
                        self.take_fifteen(form, place, fifteen);
                        self.notes.extend(note.map(|note| (place.0, format!("{}：{note}", column.heading))));
                        self.set(place, value, column, &written);
                    }
                }
            }
        }
    }

    fn take_fifteen(&mut self, form: &Form<'_>, place: Place, fifteen: Option<String>) {
        let former = form.layout.roles[place.0].register.field_named("id_no_15");
        if let Some((text, field)) = fifteen.zip(former) {
            self.values.insert((place.0, field.tag), Value::Text(text));
        }
    }

    /// Reads the numbers of a cell; what is none, and what finds no field, is kept as text.
    fn read_phones(&mut self, form: &Form<'_>, place: Place, column: &Column, written: &str) {
        let Some(field) = form.layout.field(place) else { return };
        let found = phones(written);
        let before = self.notes.len();
        for (index, number) in found.numbers.iter().enumerate() {
            let (place, _) = self.free_place(form, place, field, index);
            self.set(place, Value::Text(number.clone()), column, number);
        }
        if found.has_rest || found.numbers.is_empty() {
            self.notes.truncate(before);
            self.keep_unread(place, column, written);
        }
    }

    /// Keeps a cell that is no value of its field as text beside the record: an optional cell refuses nobody.
    fn keep_unread(&mut self, place: Place, column: &Column, written: &str) {
        self.unread.insert(place);
        self.headings.entry(place).or_insert_with(|| column.heading.clone());
        self.notes.push((place.0, note_of(column, written)));
        let finding = format!("栏目“{}”有读不懂的内容，原文保存在“导入存疑”中", column.heading);
        if !self.findings.contains(&finding) {
            self.findings.push(finding);
        }
    }

    /// Reads codes and the words for them. What is in no list keeps its text beside the record, never a row's fault: as
    /// the list's 'other' code where it has one, without a value else.
    fn read_coded(&mut self, form: &Form<'_>, place: Place, column: &Column, written: &str) {
        let Some((field, list)) = form.layout.field(place).and_then(|field| Some((field, field.codes?))) else {
            return;
        };
        let many = field.many || !column.others.is_empty();
        let parts: Vec<&str> = if many { written.split(SEPARATORS).collect() } else { vec![written] };
        let mut values = Vec::new();
        let mut unknown = Vec::new();
        for part in parts.into_iter().filter(|part| !part.trim().is_empty()) {
            let code = form.layout.translated(place, part).or_else(|| list.code(part));
            if code.is_none() && self.read_elsewhere(form, column, part) {
                continue;
            }
            if code.is_none() {
                unknown.push(text::as_written(part));
            }
            values.extend(code.or(list.other.as_deref()).map(|code| Value::Text(code.to_owned())));
        }
        if !unknown.is_empty() {
            self.note_unknown(place.0, column, &format!("{}：{}", field.zh, unknown.join("; ")));
        }
        values.dedup();
        if field.many && !values.is_empty() {
            self.set(place, Value::Many(values), column, written);
            return;
        }
        for value in values {
            self.set(place, value, column, written);
        }
    }

    /// A word that another meaning of the column's heading knows goes there.
    fn read_elsewhere(&mut self, form: &Form<'_>, column: &Column, part: &str) -> bool {
        for target in &column.others {
            let Target::Field { role, tag } = *target else { continue };
            let Some(field) = form.layout.field((role, tag)) else { continue };
            let code = form.layout.translated((role, tag), part);
            if let Some(code) = code.or_else(|| field.codes.and_then(|list| list.code(part))) {
                let value = Value::Text(code.to_owned());
                let value = if field.many { Value::Many(vec![value]) } else { value };
                self.set((role, tag), value, column, part);
                return true;
            }
        }
        false
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
                let note = note_of(column, &written);
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
                self.notes.push((place.0, note_of(column, written)));
            }
            Some(_) => {}
            None => {
                self.values.insert(place, value);
                self.headings.insert(place, column.heading.clone());
            }
        }
    }

    /// Compares a column with what the citizen id says; without a valid id there is nothing to compare.
    fn compare(&mut self, form: &Form<'_>, target: Target, index: usize, cell: &Cell) {
        let (Target::Sex { role } | Target::Birth { role }) = target else { return };
        let Some(column) = form.columns.get(index) else { return };
        let id =
            form.layout.roles[role].register.field_named("id_no").and_then(|field| self.values.get(&(role, field.tag)));
        let Some(Value::Text(id)) = id else { return };
        let Ok(facts) = citizen_id::check(id) else { return };
        let verdict = match target {
            Target::Sex { .. } => compare_sex(facts, &cell.text()),
            _ => compare_birth(facts, cell, form.survey.tenth(index, cell)),
        };
        match verdict {
            Verdict::Same => {}
            Verdict::Differs(why) => self.fault(&column.heading, why),
            Verdict::Unread => {
                self.notes.push((role, note_of(column, &cell.text())));
                let finding = format!("栏目“{}”有读不懂的内容，原文保存在“导入存疑”中", column.heading);
                if !self.findings.contains(&finding) {
                    self.findings.push(finding);
                }
            }
        }
    }
}

fn note_of(column: &Column, written: &str) -> String {
    format!("{}：{}", column.heading, text::as_written(written))
}

/// What a column says beside the citizen id.
enum Verdict {
    Same,
    Differs(&'static str),
    Unread,
}

fn compare_sex(facts: Facts, written: &str) -> Verdict {
    let male = match text::no_space(written).to_uppercase().as_str() {
        "1" | "01" | "男" | "男性" | "M" => true,
        "2" | "02" | "女" | "女性" | "F" => false,
        "0" | "9" | "00" | "09" | "未知" | "不详" | "未说明" => return Verdict::Same,
        _ => return Verdict::Unread,
    };
    if male == facts.male {
        Verdict::Same
    } else {
        Verdict::Differs("与身份证号码不符，请核对身份证号码第17位（单数为男）")
    }
}

fn compare_birth(facts: Facts, cell: &Cell, tenth: Option<Months>) -> Verdict {
    const DIFFERS: &str = "与身份证号码中的出生日期不符，请核对";
    let so = |same: bool| if same { Verdict::Same } else { Verdict::Differs(DIFFERS) };
    let Some(born) = date::civil(facts.birth) else { return Verdict::Unread };
    let written = cell.text();
    let plain = text::no_space(&written);
    if let Some(year) = plain.trim_end_matches('年').parse::<i16>().ok().filter(|year| (1900..2100).contains(year)) {
        return so(year == born.year());
    }
    // A count of days, or a year and a month: the id tells which.
    if plain.len() == 5
        && let Ok(serial) = plain.parse::<f64>()
    {
        let as_month = plain[..4] == born.year().to_string() && plain[4..] == born.month().to_string();
        return so(as_month || text::excel_day(serial) == Some(facts.birth));
    }
    // A month whose zero may be gone.
    if let Some(months) = tenth {
        let month = match months {
            Months::TwoDigits => born.month() == 10,
            Months::AsWritten => born.month() == 1,
            Months::Unsaid => matches!(born.month(), 1 | 10),
        };
        return so(month && plain.starts_with(&born.year().to_string()));
    }
    // A day so late that the next one may be meant.
    if let Cell::Late(serial) = cell {
        return match text::excel_day(*serial) {
            Some(day) => so(facts.birth == day || facts.birth == day + 1),
            None => Verdict::Unread,
        };
    }
    let (day, is_month) = match (cell, text::read_date(&written)) {
        // A month typed into a cell with the format of a date became its first day.
        (Cell::Day(day), _) => (*day, date::civil(*day).is_some_and(|date| date.day() == 1)),
        (_, Some(Written::Month(day))) => (day, true),
        (_, Some(Written::Day(day))) => {
            (day, cell.is_numeric() && date::civil(day).is_some_and(|date| date.day() == 1))
        }
        _ => return Verdict::Unread,
    };
    let Some(day) = date::civil(day) else { return Verdict::Unread };
    so(day.year() == born.year() && day.month() == born.month() && (is_month || day.day() == born.day()))
}

struct Parsed {
    value: Value,
    /// The former 15-digit number of a citizen id.
    fifteen: Option<String>,
    /// What should be looked into.
    note: Option<String>,
}

/// Most signs that a mask leaves: of an id number. A remark that ends in stars has more.
const MOST_UNMASKED: usize = 4;

/// Whether a cell holds what a district's export masks: stars, behind a few signs at most.
fn is_masked(cell: &Cell) -> bool {
    let written = cell.text();
    let kept = written.chars().take_while(|one| *one != '*').count();
    kept <= MOST_UNMASKED && written.ends_with("**") && written.chars().skip(kept).all(|one| one == '*')
}

impl From<Value> for Parsed {
    fn from(value: Value) -> Self {
        Self { value, fifteen: None, note: None }
    }
}

/// Between the codes of one cell.
const SEPARATORS: [char; 5] = ['、', ',', '，', ';', '；'];

fn parse(form: &Form<'_>, field: &FieldDef, index: usize, cell: &Cell, units: &Units<'_>) -> Result<Parsed, String> {
    let written = cell.text();
    match field.format {
        Format::CitizenId => parse_citizen_id(cell, &written, form.survey.is_cut(index), form.layout.exact),
        Format::Unit => units
            .anywhere(&written)
            .map(|unit| Value::Uint(unit.number()).into())
            .ok_or_else(|| "不是市内单位，请填写全称或12位编码".to_owned()),
        Format::Date => parse_day(form, field, index, cell),
        // As the export wrote it.
        _ if form.layout.exact && field.shape == Shape::Text && field.codes.is_none() => {
            if !field.many {
                return Ok(Value::Text(written).into());
            }
            let parts = written.split(SEPARATORS).map(str::trim).filter(|part| !part.is_empty());
            Ok(Value::Many(parts.map(|part| Value::Text(part.to_owned())).collect()).into())
        }
        _ if field.shape == Shape::Uint && !field.many => {
            let amount = if field.format == Format::Money { amount(&written) } else { None };
            parse_plain(field, amount.as_deref().unwrap_or(&written))
        }
        _ => parse_plain(field, &written),
    }
}

fn parse_day(form: &Form<'_>, field: &FieldDef, index: usize, cell: &Cell) -> Result<Parsed, String> {
    const TENTH: &str = "可能是1月或10月（数字格式丢掉末位的0），请写成 2008.10.1 这样的日期";
    let year = || cell.text().chars().take(4).collect::<String>();
    match (cell, form.survey.tenth(index, cell)) {
        (Cell::Day(day), _) => Ok(Value::Day(*day).into()),
        (Cell::Late(_), _) => Err("时间在夜里，不能确定是当天还是次日，请只写日期".to_owned()),
        (_, Some(Months::Unsaid)) => Err(TENTH.to_owned()),
        (_, Some(Months::TwoDigits)) => parse_plain(field, &format!("{}.10", year())),
        _ => {
            let written = cell.text();
            let (value, _) = Value::parse(field, &written).map_err(|error| error.why)?;
            // A remark behind the day is kept.
            let folded = text::half_width(&written);
            let remark = folded.contains('(').then(|| text::as_written(&written));
            let is_time = folded.contains(':');
            Ok(Parsed { value, fifteen: None, note: remark.filter(|_| !is_time) })
        }
    }
}

fn parse_plain(field: &FieldDef, written: &str) -> Result<Parsed, String> {
    let (value, _) = Value::parse(field, written).map_err(|error| error.why)?;
    match &value {
        Value::Text(text) if text.chars().count() > field.max => Err(format!("超过{}个字", field.max)),
        Value::Many(parts)
            if parts.iter().any(|part| matches!(part, Value::Text(text) if text.chars().count() > field.max)) =>
        {
            Err(format!("每项最多{}个字", field.max))
        }
        _ => Ok(value.into()),
    }
}

/// An amount without the words that say what it is: `￥1200`, `1200元/月`, `1.2E+03`.
fn amount(written: &str) -> Option<String> {
    let folded = text::no_space(written).to_uppercase();
    let mut text = folded.as_str();
    for sign in ["人民币", "RMB", "￥", "¥", "$"] {
        text = text.strip_prefix(sign).unwrap_or(text);
    }
    for word in ["/月", "每月", "一个月", "/人", "元整", "元", "块钱", "块"] {
        text = text.strip_suffix(word).unwrap_or(text);
    }
    let bare = if text.contains('.') { text.trim_end_matches(".00").trim_end_matches(".0") } else { text };
    if bare.contains('E') {
        let number: f64 = bare.parse().ok()?;
        return (number.fract() == 0.0 && (0.0..1e9).contains(&number)).then(|| format!("{number:.0}"));
    }
    Some(bare.to_owned())
}

/// Why an id number that passes the check is not believed, and what is noted of one that may be.
const CUT: &str = "末三位为000，同栏多个号码被 Excel 截去末位，请核对原件";
const MAYBE_CUT: &str = "末三位为000，可能被 Excel 截去末位，请核对原件";

fn parse_citizen_id(cell: &Cell, written: &str, is_cut: bool, is_exact: bool) -> Result<Parsed, String> {
    if cell.lost_digits() {
        return Err(Fault::LostDigits.to_string());
    }
    let written = text::no_space(written).to_ascii_uppercase();
    // Apostrophes, brackets and quotes that were to keep it a text; hyphens within; a cross for an X.
    let bare: String = written
        .trim_matches(|sign: char| !sign.is_ascii_alphanumeric() && !matches!(sign, '×' | 'Х' | 'Χ'))
        .chars()
        .filter(|sign| !matches!(sign, '-' | '—' | '–'))
        .map(|sign| if matches!(sign, '×' | 'Х' | 'Χ') { 'X' } else { sign })
        .collect();
    if let Some(full) = citizen_id::upgrade(&bare) {
        return Ok(Parsed { value: Value::Text(full), fifteen: Some(bare), note: None });
    }
    citizen_id::check(&bare).map_err(|fault| fault.to_string())?;
    let ends = !is_exact && bare.ends_with("000");
    if ends && is_cut {
        return Err(CUT.to_owned());
    }
    Ok(Parsed { value: Value::Text(bare), fifteen: None, note: ends.then(|| MAYBE_CUT.to_owned()) })
}
