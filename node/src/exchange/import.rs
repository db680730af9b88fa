//! The walk through a file: sheets, rows, chunks saved with one sync each, and the account of it all.
//! Invariant: the result is as if every row were saved before the next is read, for a row that builds upon unsaved
//! records waits for them.

use super::{
    ImportError, Options, Report, Source,
    book::Book,
    cells::Cell,
    form::{self, Form, Kind, Owner},
    group::{self, Group, Scene, Stop},
    pending::Pending,
    read,
    reasons::{self, Wrong},
    row,
};
use crate::desk::{Desk, Draft, SaveError, TAKEN, units::Units};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use taizhang_proto::{
    Record, RecordId, cell,
    register::{HOME_UNIT, STATE, Value, code, number, registers},
};

/// Rows saved with one sync.
const CHUNK: usize = 256;
/// Rows that are named of those in which something was found.
const NAMED: usize = 5;

/// A row whose drafts wait to be saved.
struct Waiting {
    sheet: usize,
    row: usize,
    cells: Vec<Cell>,
    is_new: bool,
    drafts: Vec<Draft>,
    opened: Vec<(u32, RecordId)>,
    housed: Vec<(RecordId, RecordId)>,
}

struct Run<'a, D> {
    desk: &'a D,
    options: &'a Options,
    units: &'a Units<'a>,
    forms: &'a [Option<Form<'a>>],
    pending: Pending,
    open: HashSet<(u32, RecordId)>,
    homes: HashMap<RecordId, RecordId>,
    closed: HashSet<u64>,
    waiting: Vec<Waiting>,
    wrong: Vec<Wrong>,
    /// Rows that were saved without some of what they say.
    partial: Vec<Wrong>,
    /// Rows that met somebody else's entry of the same while they were saved, and are made once more.
    again: Vec<(usize, usize, Vec<Cell>)>,
    retried: HashSet<(usize, usize)>,
    /// Id numbers of the persons that rows are about.
    met: HashSet<String>,
    /// The records that rows have named by their own numbers.
    said: HashSet<RecordId>,
    /// What was found, in how many rows, and the first of these: their sheets and numbers.
    counted: BTreeMap<String, (u64, Vec<(usize, usize)>)>,
    report: Report,
}

/// See [`super::import`].
pub(super) fn run<D: Desk>(
    desk: &D,
    source: &Source<'_>,
    options: &Options,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Report, ImportError> {
    let mut book = read::read(source)?;
    let units = Units::new(desk.tree(), desk.unit());
    if let Some(unit) = options.unit.filter(|unit| !units.owns(*unit)) {
        return Err(ImportError::Unit(unit));
    }
    let layouts = &options.layouts;
    let mut forms: Vec<Option<Form<'_>>> = Vec::with_capacity(book.sheets.len());
    for index in 0..book.sheets.len() {
        forms.push(form::find(&mut book, index, layouts, &units)?);
    }
    if forms.iter().all(Option::is_none) {
        return Err(ImportError::NoHeader);
    }
    let mut findings = book.findings.clone();
    findings.extend(book.stray.clone());
    findings.extend(forms.iter().flatten().flat_map(|form| form.findings.clone()));
    if units.are_missing() {
        if options.unit.is_none() && forms.iter().flatten().any(|form| matches!(form.owner, Owner::Unknown(_))) {
            return Err(ImportError::NoTree);
        }
        findings.push("本机还没有单位名单：没有写单位的行都登记在所选单位名下 (no tree of units yet)".into());
    }
    let mut run = Run {
        desk,
        options,
        units: &units,
        forms: &forms,
        pending: Pending::default(),
        open: open(desk, &forms)?,
        homes: homes(desk, &forms)?,
        closed: closed(desk, &forms)?,
        waiting: Vec::new(),
        wrong: Vec::new(),
        partial: Vec::new(),
        again: Vec::new(),
        retried: HashSet::new(),
        met: HashSet::new(),
        said: HashSet::new(),
        counted: BTreeMap::new(),
        report: Report { findings, ..Report::default() },
    };
    run.walk(&book, progress)?;
    run.finish(&book, source)
}

/// Persons with an open record in the registers of which a person has one at a time.
fn open<D: Desk>(desk: &D, forms: &[Option<Form<'_>>]) -> Result<HashSet<(u32, RecordId)>, ImportError> {
    let roles = forms.iter().flatten().flat_map(|form| &form.layout.roles);
    let wanted: HashSet<u32> = roles.filter(|role| role.once_open.is_some()).map(|role| role.register.number).collect();
    let mut open = HashSet::new();
    for register in wanted {
        let all = desk.list(register).map_err(|error| ImportError::Store(error.to_string()))?;
        open.extend(all.iter().filter_map(|(_, record)| opens(record)));
    }
    Ok(open)
}

/// The person for whom this record stands open, with its register.
fn opens(record: &Record) -> Option<(u32, RecordId)> {
    let spans = [number::UNEMPLOYMENT_SPELL, number::PLACEMENT, number::HARDSHIP_CASE];
    let def = registers().get(record.register).filter(|def| spans.contains(&def.number))?;
    let ended = ["end_on", "exit_on", "refused_on"]
        .iter()
        .filter_map(|name| def.field_named(name))
        .any(|field| record.bytes(field.tag).is_some());
    let voided = record.slice(STATE) == Some(code::state::VOID.as_bytes());
    let person = def.field_named("person").and_then(|field| record.slice(field.tag)).and_then(RecordId::from_slice)?;
    (!ended && !voided).then_some((def.number, person))
}

/// The units whose closings stand, where a form brings some.
fn closed<D: Desk>(desk: &D, forms: &[Option<Form<'_>>]) -> Result<HashSet<u64>, ImportError> {
    let mut roles = forms.iter().flatten().flat_map(|form| &form.layout.roles);
    if !roles.any(|role| role.register.number == number::PERIOD_CLOSE) {
        return Ok(HashSet::new());
    }
    let all = desk.list(number::PERIOD_CLOSE).map_err(|error| ImportError::Store(error.to_string()))?;
    Ok(all.iter().filter_map(|(_, record)| record.varint(HOME_UNIT)).collect())
}

/// The household of each person who is a member of one, where a form asks for it.
fn homes<D: Desk>(desk: &D, forms: &[Option<Form<'_>>]) -> Result<HashMap<RecordId, RecordId>, ImportError> {
    let asked = forms.iter().flatten().any(|form| form.layout.roles.iter().any(|role| role.home_of.is_some()));
    if !asked {
        return Ok(HashMap::new());
    }
    let all = desk.list(number::MEMBER).map_err(|error| ImportError::Store(error.to_string()))?;
    Ok(all.iter().filter_map(|(_, record)| houses(record)).collect())
}

/// The person whom this record makes a member of a household, with the household.
fn houses(record: &Record) -> Option<(RecordId, RecordId)> {
    let def = registers().get(record.register).filter(|def| def.number == number::MEMBER)?;
    let reference = |name: &str| def.field_named(name).and_then(|field| record.reference(field.tag));
    let left = def.field_named("to_on").is_some_and(|field| record.bytes(field.tag).is_some());
    let stays = cell::is_active(record) && !left;
    reference("person").zip(reference("household")).filter(|_| stays)
}

impl<D: Desk> Run<'_, D> {
    fn walk(&mut self, book: &Book<'_>, progress: &mut dyn FnMut(u64, u64)) -> Result<(), ImportError> {
        let forms = self.forms;
        let with_form =
            || book.sheets.iter().enumerate().zip(forms).filter_map(|(sheet, form)| Some((sheet, form.as_ref()?)));
        let total: usize = with_form().map(|(_, form)| form.length - form.body.min(form.length)).sum();
        let mut done = 0;
        for (sheet, _) in book.sheets.iter().zip(forms).filter(|(sheet, form)| form.is_none() && !sheet.rows.is_empty())
        {
            self.report.findings.push(format!("工作表“{}”没有表头，未导入", sheet.name));
        }
        for ((index, sheet), form) in with_form() {
            let name = &form.layout.name;
            self.report.findings.push(format!("工作表“{}”按“{name}”读取", sheet.name));
            if let Owner::Unknown(_) = form.owner {
                let why = if self.units.are_missing() {
                    "还没有单位名单可查，各行登记在所选单位名下"
                } else {
                    "不是本单位所辖的单位"
                };
                self.report.findings.push(format!("工作表“{}”的填报单位{why}", sheet.name));
            }
            let mut unknown = BTreeSet::new();
            let mut above: Option<Vec<Cell>> = None;
            book.walk(index, &mut |number, written| {
                if number < form.body {
                    return Ok(true);
                }
                done += 1;
                if form.kind(&written) == Kind::Other {
                    self.report.skipped_rows += 1;
                    return Ok(true);
                }
                let cells = row::resolved(form, &written, above.as_ref());
                self.take(form, index, number, cells.clone(), &mut unknown)?;
                above = Some(cells);
                if self.waiting.len() >= CHUNK {
                    self.flush()?;
                    self.make_again()?;
                }
                if done % CHUNK as u64 == 0 {
                    progress(done, total as u64);
                }
                Ok(true)
            })?;
            if !unknown.is_empty() {
                let headings: Vec<&str> = unknown.iter().map(String::as_str).collect();
                let headings = headings.join("、");
                self.report
                    .findings
                    .push(format!("工作表“{}”的栏目{headings}没有对应的登记项，内容保存在“导入存疑”中", sheet.name));
            }
        }
        self.flush()?;
        self.make_again()?;
        progress(total as u64, total as u64);
        Ok(())
    }

    /// Makes the rows once more that met another entry of the same person or case, which stands by now.
    fn make_again(&mut self) -> Result<(), ImportError> {
        let forms = self.forms;
        while !self.again.is_empty() {
            (self.open, self.homes) = (open(self.desk, forms)?, homes(self.desk, forms)?);
            for (sheet, row, cells) in std::mem::take(&mut self.again) {
                let Some(form) = &forms[sheet] else { continue };
                self.report.rows -= 1;
                self.take(form, sheet, row, cells, &mut BTreeSet::new())?;
            }
            self.flush()?;
        }
        Ok(())
    }

    /// One row to its group, and the group to those that wait.
    fn take(
        &mut self,
        form: &Form<'_>,
        sheet: usize,
        number: usize,
        cells: Vec<Cell>,
        unknown: &mut BTreeSet<String>,
    ) -> Result<(), ImportError> {
        self.report.rows += 1;
        let read = row::read(form, &cells, self.units);
        let group = match self.group(form, &read) {
            Err(Stop::SaveFirst) => {
                self.flush()?;
                self.group(form, &read)
            }
            other => other,
        };
        let group = group.map_err(|stop| match stop {
            Stop::Store(error) => ImportError::Store(error.to_string()),
            Stop::SaveFirst => ImportError::Store("内部错误：行间引用未能保存".into()),
        })?;
        unknown.extend(read.unknown.iter().cloned());
        self.said.extend(read.record);
        self.tell_twice(form, (sheet, number), &read);
        if !group.faults.is_empty() {
            self.wrong.push(Wrong { sheet, row: number, cells, why: group.faults.join("；") });
            return Ok(());
        }
        for finding in group.findings.into_iter().chain(read.findings) {
            self.note(finding, (sheet, number));
        }
        if !group.left_out.is_empty() {
            let parts = group.left_out.join("；");
            let why = format!("已登记，但“导入存疑”放不下这些内容，没有保存：{parts}");
            self.partial.push(Wrong { sheet, row: number, cells: cells.clone(), why });
        }
        if group.drafts.is_empty() {
            self.report.same_rows += 1;
            return Ok(());
        }
        let opened: Vec<_> = group.made.iter().filter_map(|made| opens(&made.record)).collect();
        let housed: Vec<_> = group.made.iter().filter_map(|made| houses(&made.record)).collect();
        for made in group.made {
            self.pending.put(made.def, made.id, made.record);
        }
        if self.options.dry_run {
            self.open.extend(opened);
            self.homes.extend(housed);
            self.count(group.is_new);
            return Ok(());
        }
        let (is_new, drafts) = (group.is_new, group.drafts);
        self.waiting.push(Waiting { sheet, row: number, cells, is_new, drafts, opened, housed });
        Ok(())
    }

    /// Tells that a person stands in the file more than once.
    fn tell_twice(&mut self, form: &Form<'_>, place: (usize, usize), read: &row::Row) {
        for (index, role) in form.layout.roles.iter().enumerate() {
            let person = role.required && role.register.number == number::RESIDENT;
            let field = role.register.field_named("id_no").filter(|_| person);
            let Some(Value::Text(id)) = field.and_then(|field| read.values.get(&(index, field.tag))) else { continue };
            if !self.met.insert(id.clone()) {
                let finding = "同一身份证号码在文件中前面已经出现过，请核对".to_owned();
                self.note(finding, place);
            }
        }
    }

    /// Counts what was found in a row of a sheet.
    fn note(&mut self, finding: String, place: (usize, usize)) {
        let (count, first) = self.counted.entry(finding).or_default();
        *count += 1;
        if first.len() < NAMED {
            first.push(place);
        }
    }

    fn group(&self, form: &Form<'_>, read: &row::Row) -> Result<Group, Stop> {
        let scene = Scene {
            desk: self.desk,
            pending: &self.pending,
            said: &self.said,
            closed: &self.closed,
            open: &self.open,
            homes: &self.homes,
            fallback: self.options.unit.unwrap_or(self.desk.unit()),
            chosen: self.options.unit.is_some(),
            moves: self.options.moves,
            registered_on: self.options.registered_on,
            trial: self.options.dry_run,
        };
        group::make(&scene, form, read)
    }

    fn count(&mut self, is_new: bool) {
        if is_new {
            self.report.new_rows += 1;
        } else {
            self.report.changed_rows += 1;
        }
    }

    /// Saves what waits.
    fn flush(&mut self) -> Result<(), ImportError> {
        let mut waiting = std::mem::take(&mut self.waiting);
        if waiting.is_empty() {
            return Ok(());
        }
        let groups = waiting.iter_mut().map(|one| std::mem::take(&mut one.drafts)).collect();
        let answers = self.desk.save_rows(groups, &self.options.by);
        self.pending.clear();
        for (one, answer) in waiting.into_iter().zip(answers) {
            match answer {
                Ok(()) => {
                    self.open.extend(one.opened);
                    self.homes.extend(one.housed);
                    self.count(one.is_new);
                }
                // Somebody else entered the same since the row was made.
                Err(SaveError::Invalid(violations))
                    if violations.iter().all(|violation| violation.rule == TAKEN)
                        && self.retried.insert((one.sheet, one.row)) =>
                {
                    self.again.push((one.sheet, one.row, one.cells));
                }
                Err(SaveError::Invalid(violations)) => {
                    let form = self.forms[one.sheet].as_ref();
                    let why = form.map(|form| group::refused(form, &violations)).unwrap_or_default();
                    self.wrong.push(Wrong { sheet: one.sheet, row: one.row, cells: one.cells, why });
                }
                Err(error @ SaveError::Store(_)) => return Err(ImportError::Store(error.to_string())),
            }
        }
        Ok(())
    }

    fn finish(mut self, book: &Book<'_>, source: &Source<'_>) -> Result<Report, ImportError> {
        self.wrong.sort_by_key(|wrong| (wrong.sheet, wrong.row));
        self.report.wrong_rows = self.wrong.len() as u64;
        let many = self.forms.iter().flatten().count() > 1;
        let row = |(sheet, row): &(usize, usize)| match book.sheets.get(*sheet).filter(|_| many) {
            Some(sheet) => format!("“{}”{}", sheet.name, row + 1),
            None => (row + 1).to_string(),
        };
        for (finding, (count, first)) in &self.counted {
            let rows = first.iter().map(row).collect::<Vec<_>>().join("、");
            let more = if *count > first.len() as u64 { "等" } else { "" };
            self.report.findings.push(format!("{finding}（{count}行：第{rows}{more}行）"));
        }
        if !self.partial.is_empty() {
            let finding =
                format!("有{}行已登记，但部分栏目放不下，见原因文件 (saved without some columns)", self.partial.len());
            self.report.findings.push(finding);
            self.wrong.append(&mut self.partial);
            self.wrong.sort_by_key(|wrong| (wrong.sheet, wrong.row));
        }
        if !self.wrong.is_empty() {
            self.report.reasons = Some(reasons::write(book, self.forms, &self.wrong, source.file_name)?);
        }
        Ok(self.report)
    }
}
