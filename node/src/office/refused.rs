//! 被退回: what the district did not take, for the clerk to read, mend and send again, or let go.
//! Invariant: nothing is let go without a name and a reason; what was sent again is a new change like any other, and is saved
//! before the refusal ends.

use super::{Office, history, title::title};
use crate::{
    caller::{Caller, Refusal},
    desk::{Desk, Draft, SaveError},
    exchange::People,
    ledger::{
        LedgerDesk,
        filled::{draft_of, filled, put_right},
        read_edit,
        refused::{number_of, read_number},
    },
    store::{RefusalEnd, RefusedChange},
};
use std::collections::{HashMap, HashSet};
use taizhang_proto::{
    RecordId,
    cell::home_unit,
    change::Edit,
    date::{self, Day},
    limits,
    pb::{self, Format},
    register::{FieldDef, RegisterDef, Value, field, number, registers},
    text,
};

/// A refusal that carries a name or number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Carried {
    /// Its number in the journal.
    pub seq: u64,
    /// The record that it is about.
    pub record: RecordId,
    /// Whether it waits for somebody.
    pub waits: bool,
}

/// Most changes that one line of the audit log names.
const NAMED: usize = 20;

impl Office {
    /// What the hub refused, the oldest first.
    ///
    /// # Errors
    /// When the store fails.
    pub fn refused(&self, all: bool) -> Result<Vec<pb::RefusedItem>, SaveError> {
        let mut refusals = self.ledger.refusals()?;
        let desk = LedgerDesk::new(&self.ledger);
        let mut people = People::new(&desk);
        // Somebody whose registration was refused is on no register: the name is in what was refused.
        let mut names = HashMap::new();
        for (_, refusal) in &refusals {
            let edit = read_edit(&refusal.change)?;
            let name = edit.field(field::resident::NAME).filter(|_| edit.register == number::RESIDENT);
            let def = registers().get(edit.register).and_then(|def| def.field(field::resident::NAME));
            if let Some(Value::Text(name)) = name.zip(def).and_then(|(one, def)| Value::decode(def, &one.bytes))
                && !name.is_empty()
            {
                names.insert(edit.id, name);
            }
        }
        refusals.retain(|(_, refusal)| all || refusal.end.is_none());
        refusals.into_iter().map(|(seq, refusal)| self.item(&desk, (&mut people, &names), seq, refusal)).collect()
    }

    /// The refusals whose own words carry a name, number or phone, with the records that they are about: who was refused at once is on no
    /// register, and is found by nothing else. Those that wait come before those that ended.
    ///
    /// # Errors
    /// When the store fails.
    pub fn refused_as(&self, written: &str) -> Result<Vec<Carried>, SaveError> {
        let written = text::no_space(written);
        self.carrying(|held| held == written)
    }

    /// The same of those that hold a part of a name or number, of two characters at least.
    ///
    /// # Errors
    /// When the store fails.
    pub(super) fn refused_like(&self, part: &str) -> Result<Vec<Carried>, SaveError> {
        let part = text::no_space(part);
        if part.chars().count() < 2 {
            return Ok(Vec::new());
        }
        self.carrying(|held| held.contains(&part))
    }

    fn carrying(&self, is_it: impl Fn(&str) -> bool) -> Result<Vec<Carried>, SaveError> {
        let mut found = Vec::new();
        for (seq, refusal) in self.ledger.refusals()? {
            let edit = read_edit(&refusal.change)?;
            let Some(def) = registers().get(edit.register) else { continue };
            let names = |field: &FieldDef| {
                matches!(field.format, Format::PersonName | Format::CitizenId | Format::Phone)
                    || field.name.ends_with("_no")
            };
            let has = |field: &FieldDef, bytes: &[u8]| {
                names(field) && matches!(Value::decode(field, bytes), Some(Value::Text(held)) if is_it(&held))
            };
            let carries = edit.fields.iter().any(|one| def.field(one.tag).is_some_and(|field| has(field, &one.bytes)));
            found.extend(carries.then_some(Carried { seq, record: edit.id, waits: refusal.end.is_none() }));
        }
        found.sort_by_key(|one| !one.waits);
        Ok(found)
    }

    fn item(
        &self,
        desk: &LedgerDesk<'_>,
        (people, names): (&mut People<'_, LedgerDesk<'_>>, &HashMap<RecordId, String>),
        seq: u64,
        refusal: RefusedChange,
    ) -> Result<pb::RefusedItem, SaveError> {
        let edit = read_edit(&refusal.change)?;
        let record = self.ledger.as_said(self.ledger.view(edit.id)?.as_ref(), &refusal.change)?;
        let def = registers().get(edit.register);
        let mut fields = Vec::new();
        if let Some(def) = def {
            let mut reader = history::Reader::new(def, desk);
            for field in &edit.fields {
                fields.extend(reader.fact(field.tag, &field.bytes)?);
            }
        }
        let unit = home_unit(&record).unwrap_or(self.ledger.unit());
        let end = refusal.end.unwrap_or_default();
        Ok(pb::RefusedItem {
            number: number_of(seq),
            register: def.map_or_else(|| edit.register.to_string(), |def| def.zh.clone()),
            record: edit.id.to_string(),
            // Whoever is on no register has an id alone for a name there.
            title: match title(people, (edit.id, &record))?.map(|title| (title.parse::<RecordId>().ok(), title)) {
                Some((None, title)) => title,
                other => {
                    let person = other.and_then(|(person, _)| person).unwrap_or(edit.id);
                    names.get(&person).cloned().unwrap_or_default()
                }
            },
            fields,
            why: refusal.why,
            by: edit.by,
            entered: edit.stamp.millis() / 1_000,
            since: refusal.at,
            ended: end.at,
            ended_by: end.by,
            reason: end.reason,
            sent_as: end.sent_as,
            unit: unit.number(),
            unit_name: self.ledger.units().name(unit),
        })
    }

    /// Sends refused changes again, each with the mended fields that its register has, in the order in which they were entered.
    /// One that can't be saved goes on waiting and hinders no other.
    ///
    /// # Errors
    /// When a number is no open refusal or a field can't be read; then nothing was sent.
    pub fn resend(&self, caller: &Caller, request: &pb::ResendRequest) -> Result<Vec<pb::RefusedStep>, Refusal> {
        let chosen = self.chosen(&request.numbers)?;
        let mut drafts = Vec::with_capacity(chosen.len());
        let mut used = HashSet::new();
        let today = self.ledger.business_day();
        for (_, refusal) in &chosen {
            // It was entered before the hub refused it: nobody knows how long.
            let heard = date::shanghai_of_seconds(refusal.at);
            let right = if refusal.at == 0 { today } else { heard.min(today) };
            drafts.push(mended(&read_edit(&refusal.change)?, &request.fields, &mut used, right)?);
        }
        if let Some(name) = request.fields.keys().find(|name| !used.contains(name.as_str())) {
            return Err(Refusal::wrong(format!("这些登记表没有栏目 {name} (no such field)")));
        }
        let by = caller.named()?;
        let mut steps = Vec::with_capacity(chosen.len());
        for ((seq, _), draft) in chosen.into_iter().zip(drafts) {
            let mut step = pb::RefusedStep { number: number_of(seq), ..pb::RefusedStep::default() };
            if draft.edits.is_empty() {
                step.error = "没有可重报的内容，如不再需要请放弃 (nothing of it is left to send: let it go)".into();
                steps.push(step);
                continue;
            }
            let saved = LedgerDesk::new(&self.ledger).save(vec![vec![draft]], by).pop().unwrap_or(Ok(()));
            match saved {
                Ok(()) => {
                    step.seq = self.ledger.state().head;
                    self.end(seq, by, "", step.seq)?;
                    self.note(caller, "refused resend", step.number.clone())?;
                }
                Err(error) => step.error = error.to_string(),
            }
            steps.push(step);
        }
        Ok(steps)
    }

    /// Lets go of refused changes; their words stay in the record's history.
    ///
    /// # Errors
    /// When nobody says why, or a number is no open refusal; then none was let go.
    pub fn let_go(&self, caller: &Caller, request: &pb::LetGoRequest) -> Result<Vec<pb::RefusedStep>, Refusal> {
        let reason = limits::reason(&request.reason)?;
        if request.numbers.is_empty() {
            return Err(Refusal::wrong("请写明编号，见 refused (name the numbers, as `refused` lists them)"));
        }
        let by = caller.named()?;
        let mut steps = Vec::new();
        let chosen = self.chosen(&request.numbers)?;
        let mut of: Vec<String> = chosen.iter().take(NAMED).map(|(seq, _)| number_of(*seq)).collect();
        of.extend((chosen.len() > NAMED).then(|| format!("… {}", chosen.len())));
        self.note(caller, "refused let-go", of.join(" "))?;
        for (seq, _) in chosen {
            self.end(seq, by, reason, 0)?;
            steps.push(pb::RefusedStep { number: number_of(seq), ..pb::RefusedStep::default() });
        }
        Ok(steps)
    }

    fn end(&self, seq: u64, by: &str, reason: &str, sent_as: u64) -> Result<(), Refusal> {
        let at = self.ledger.now_millis() / 1_000;
        let end = RefusalEnd { at, by: by.to_owned(), reason: reason.to_owned(), sent_as };
        self.ledger.end_refusal(seq, end).map_err(Refusal::failed)?;
        Ok(())
    }

    /// The open refusals with these numbers, or all of them, in the order in which they were entered.
    fn chosen(&self, numbers: &[String]) -> Result<Vec<(u64, RefusedChange)>, Refusal> {
        let mut open = self.ledger.refused()?;
        let mut wanted = HashSet::new();
        for written in numbers {
            let seq = read_number(written).filter(|seq| open.iter().any(|(one, _)| one == seq));
            wanted.insert(seq.ok_or_else(|| {
                Refusal::wrong(format!("没有待处理的退回 {written}，见 refused (no refusal of this number waits)"))
            })?);
        }
        open.retain(|(seq, _)| wanted.is_empty() || wanted.contains(seq));
        let mut entered = Vec::with_capacity(open.len());
        for (seq, refusal) in open {
            entered.push((read_edit(&refusal.change)?.stamp, (seq, refusal)));
        }
        entered.sort_by_key(|(stamp, _)| *stamp);
        Ok(entered.into_iter().map(|(_, one)| one).collect())
    }
}

/// A refused change as a form again, with the mended fields on it, and with the day that is right, as far as that is known, in place of those
/// that a clock which was ahead has filled in: nobody wrote them, so nobody has to mend them.
fn mended<'a>(
    edit: &Edit,
    mended: &'a HashMap<String, String>,
    used: &mut HashSet<&'a str>,
    right: Day,
) -> Result<Draft, Refusal> {
    let def = registers().get(edit.register).ok_or_else(|| newer(edit.register.to_string()))?;
    // What can't be read must not become nothing.
    let mut draft = draft_of(edit).ok_or_else(|| newer(def.zh.clone()))?;
    put_right(&mut draft, &filled(edit, right));
    for (name, written) in mended {
        let Some(field) = def.field_named(name) else { continue };
        used.insert(name);
        draft.edits.retain(|(tag, _)| *tag != field.tag);
        if written.trim().is_empty() {
            continue;
        }
        let (value, note) =
            Value::parse(field, written).map_err(|error| Refusal::wrong(format!("{}：{error}", field.zh)))?;
        if note.is_some() {
            return Err(Refusal::wrong(unknown_word(def, field.zh.as_str(), written)));
        }
        draft.edits.push((field.tag, Some(value)));
    }
    Ok(draft)
}

fn newer(what: String) -> Refusal {
    Refusal::wrong(format!("本程序版本不认识 {what}，请升级后再报 (a newer build entered this: upgrade first)"))
}

fn unknown_word(def: &RegisterDef, field: &str, written: &str) -> String {
    format!("{}的{field}没有“{}”这一项 (no such word in the list)", def.zh, written.trim())
}
