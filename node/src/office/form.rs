//! A form that a clerk has filled in, saved at once, with what should be looked into.
//! Invariant: a form is saved whole or not at all; the same form sent twice in a moment is saved once.

use super::Office;
use crate::{
    caller::{Caller, Refusal},
    desk::{Desk, Draft, SaveError, find},
    exchange::note::Note,
    ledger::LedgerDesk,
    store::StoreError,
};
use bytes::Bytes;
use std::collections::BTreeMap;
use taizhang_proto::{
    RecordId,
    cell::is_active,
    pb::{self, Policy},
    register::{FieldDef, HOME_UNIT, IMPORT_NOTE, RegisterDef, VERIFIED_ON, Value, number, registered_on, registers},
};

/// A form that says what one of so long ago said is taken for a second click, milliseconds.
const MOMENT_MILLIS: u64 = 10 * 60 * 1_000;

/// Records that are looked at for that: a file may have brought many in a moment, and a second click comes right behind the first.
const LOOKED_AT: usize = 500;

/// The coded fields by whose values figures are counted.
const COUNTED: [(u32, &[&str]); 13] = [
    (number::RESIDENT, &["laidoff_kind", "hardship_claim", "emp_claim", "intent_kind"]),
    (number::MEMBER, &["relation"]),
    (number::UNEMPLOYMENT_SPELL, &["cause", "end_cause"]),
    (number::ZEF_CASE, &["exit_cause"]),
    (number::PLACEMENT, &["kind", "end_cause", "channel"]),
    (number::HARDSHIP_CASE, &["kind", "exit_cause"]),
    (number::SERVICE_RECORD, &["kind"]),
    (number::TRAINING_CLASS, &["kind"]),
    (number::TRAINEE, &["group"]),
    (number::POST, &["kind"]),
    (number::REFERRAL, &["result"]),
    (number::EVENT, &["kind"]),
    (number::HELD_CERTIFICATE, &["kind"]),
];

fn is_counted(def: &RegisterDef, field: &FieldDef) -> bool {
    COUNTED.iter().any(|(register, fields)| *register == def.number && fields.contains(&field.name.as_str()))
}

/// What is said to a word that a code list does not have.
fn allowed(field: &FieldDef) -> String {
    let words: Vec<&str> = field.codes.iter().flat_map(|list| list.codes.values()).map(String::as_str).collect();
    format!("{}只能填：{} (not in the code list: one of these words)", field.zh, words.join("、"))
}

impl Office {
    /// Saves a form that somebody filled in, for whom the answer's doubts are: what is saved and should be looked into.
    ///
    /// # Errors
    /// For people: a word or a record that is not known, a rule that is broken, a day that this clock can't say; the store.
    pub fn save_form(&self, caller: &Caller, request: &pb::SaveRequest) -> Result<pb::SaveAnswer, Refusal> {
        let def = find::register(&request.register)?;
        if def.number == number::PERIOD_CLOSE {
            return Err(Refusal::wrong(
                "月份用 close 封账，数字由程序清点，不能手工登记 (a month is closed by `close`, which counts it)",
            ));
        }
        let desk = LedgerDesk::new(&self.ledger);
        let above = |field: &&FieldDef| {
            field.required && field.policy == Policy::Owned && desk.unit().tier() < field.owner && field.open.is_none()
        };
        if let Some(field) = def.fields.iter().find(above).filter(|_| request.record.is_empty()) {
            let owner = if field.owner >= pb::Tier::District { "县区" } else { "街道" };
            return Err(Refusal::wrong(format!(
                "{}由{owner}登记：其{}由{owner}填写 (entered above this office: it fills in what is required)",
                def.zh, field.zh
            )));
        }
        let id = if request.record.is_empty() {
            desk.new_id()
        } else {
            match request.record.trim().parse() {
                Ok(id) => id,
                Err(_) => {
                    find::record(&desk, Some(def.number), &request.record).map_err(|why| self.unless_refused(why))?
                }
            }
        };
        let mut draft = Draft::new(id, def.number).because(&request.reason);
        let held = self.ledger.view(id)?;
        let (mut notes, mut asked) = (Vec::new(), Vec::new());
        for (name, written) in &request.fields {
            let field = def.field_named(name).ok_or_else(|| Refusal::wrong(def.no_field(name)))?;
            let parsed = match field.refers {
                _ if written.trim().is_empty() => None,
                // A record is named as elsewhere.
                Some(refers) if !field.many => {
                    let found = find::referred(&desk, refers, written)?;
                    Some((Value::Ref(found), None))
                }
                // So is a unit; of a code that is none it is said what a code is.
                None if field.format == pb::Format::Unit && !written.is_ascii() => {
                    let found = find::unit(&desk, written)?;
                    Some((Value::Uint(found.number()), None))
                }
                _ => Some(Value::parse(field, written).map_err(Refusal::wrong)?),
            };
            // A word that no code list has is kept, as an import keeps it; not where figures go by it.
            let unknown = parsed.as_ref().is_some_and(|(_, note)| note.is_some());
            if unknown && is_counted(def, field) {
                return Err(Refusal::wrong(allowed(field)));
            }
            notes.extend(unknown.then(|| format!("{}：{}", field.zh, written.trim())));
            let value = parsed.map(|(value, _)| value);
            let encoded = value.as_ref().map(|value| value.encode(field)).unwrap_or_default();
            let before = held.as_ref().and_then(|record| record.bytes(field.tag));
            if field.reason && before.is_some_and(|before| *before != encoded) && request.reason.trim().is_empty() {
                return Err(Refusal::wrong(format!("更改{}请写明理由，用 --reason (say why it changes)", field.zh)));
            }
            let is_claim = field.clock && desk.unit().tier() < pb::Tier::Township;
            if is_claim && before.is_some_and(|before| !before.is_empty() && *before != encoded) {
                asked.push(format!(
                    "{}已定，更改由街道或县区审核；审核前以原值为准 (what stands is changed by a reviewer: until then the old one counts)",
                    field.zh
                ));
            }
            let is_owned = field.policy == Policy::Owned && desk.unit().tier() < field.owner;
            let applies = field.open.as_deref().is_some_and(|open| written.trim() == open);
            if is_owned && !applies && before.is_none_or(|before| *before != encoded) && !encoded.is_empty() {
                asked.push(format!("{}由上级审定，审定前不生效 (decided above: until then this is a claim)", field.zh));
            }
            draft.edits.push((field.tag, value));
        }
        // Who is entered by a form that names no day is registered today; a file's rows may be old.
        let registered = registered_on(def.number).filter(|_| request.record.is_empty());
        if let Some(tag) =
            registered.filter(|tag| !draft.edits.iter().any(|(own, value)| own == tag && value.is_some()))
        {
            if let Some(clock) = self.ledger.clock_doubt() {
                return Err(Refusal::wrong(format!(
                    "{clock}；或写明入册日期 registered_on=年-月-日 (or say since when they are on the register)"
                )));
            }
            draft.edits.retain(|(own, _)| *own != tag);
            draft.edits.push((tag, Some(Value::Day(self.ledger.business_day()))));
        }
        self.verify_who_is_new(&mut draft, request.record.is_empty());
        let note = held.as_ref().and_then(|record| record.slice(IMPORT_NOTE)).map(String::from_utf8_lossy);
        if let Some(note) = Note::extended(&note.unwrap_or_default(), &notes).text {
            draft.edits.retain(|(tag, _)| *tag != IMPORT_NOTE);
            draft.edits.push((IMPORT_NOTE, Some(Value::Text(note))));
        }
        // One new form after the other, so that the second click finds what the first has saved.
        let is_new = request.record.is_empty() && !request.again;
        let one_at_a_time = is_new.then(|| self.one_at_a_time());
        if is_new && let Some(same) = self.saved_a_moment_ago(&draft)? {
            return Err(Refusal::Exists(format!(
                "刚才已保存过内容相同的一条：{same}；确须再登记一条，请加 --again (the same was saved a moment ago, as this record: \
                 --again enters another)"
            )));
        }
        // While a store that was lost comes back from the hub, an edit may come before the record that it edits.
        let is_missing = self.ledger.state().rebuild && held.is_none();
        for answer in desk.save(vec![vec![draft]], &caller.name) {
            answer.map_err(|error| match error {
                SaveError::Invalid(_) if is_missing => Refusal::unavailable(
                    "登记簿正在从上级恢复，此记录尚未取回，请稍后再改 (being rebuilt from the hub: try again later)",
                ),
                SaveError::Invalid(_) => Refusal::wrong(
                    self.ledger.clock_doubt().map_or_else(|| error.to_string(), |clock| format!("{error}；{clock}")),
                ),
                SaveError::Store(_) => error.into(),
            })?;
        }
        drop(one_at_a_time);
        // It is saved, whatever can't be read of the store after that: nobody may be told otherwise.
        let mut doubts = self.doubts_of(id).unwrap_or_else(|error| {
            tracing::warn!(%error, "what is doubtful about a saved record can't be told");
            Vec::new()
        });
        doubts.splice(0..0, asked.into_iter().chain(self.ledger.clock_doubt()));
        Ok(pb::SaveAnswer { record: id.to_string(), seq: self.ledger.state().head, doubts })
    }

    /// Whoever is entered today is there today, since whatever day they are on the register: they are to be verified from now on, as those are
    /// whom a file brings.
    fn verify_who_is_new(&self, draft: &mut Draft, is_new: bool) {
        let Some(tag) = registered_on(draft.register).filter(|_| is_new && self.ledger.clock_doubt().is_none()) else {
            return;
        };
        let today = self.ledger.business_day();
        let said =
            |wanted: u32| draft.edits.iter().find(|(own, _)| *own == wanted).and_then(|(_, value)| value.as_ref());
        let before = matches!(said(tag), Some(Value::Day(since)) if *since < today);
        if before && said(VERIFIED_ON).is_none() {
            draft.edits.retain(|(own, _)| *own != VERIFIED_ON);
            draft.edits.push((VERIFIED_ON, Some(Value::Day(today))));
        }
    }

    /// A record made a moment ago, here or by a file, of which was said what this form says, and nothing else.
    fn saved_a_moment_ago(&self, draft: &Draft) -> Result<Option<RecordId>, StoreError> {
        let Some(def) = registers().get(draft.register) else { return Ok(None) };
        let mut said: BTreeMap<u32, Bytes> = BTreeMap::new();
        let home = (HOME_UNIT, Some(Value::Uint(self.ledger.unit().number())));
        for (tag, value) in [&home].into_iter().chain(&draft.edits) {
            let bytes = value.as_ref().zip(def.field(*tag)).map(|(value, field)| value.encode(field));
            said.extend(bytes.map(|bytes| (*tag, bytes)));
        }
        let said = |one: &mut dyn Iterator<Item = (u32, Bytes)>| {
            one.filter(|(_, bytes)| !bytes.is_empty()).collect::<BTreeMap<_, _>>() == said
        };
        let now = self.ledger.now_millis();
        let moment = now.saturating_sub(MOMENT_MILLIS)..=now.saturating_add(MOMENT_MILLIS);
        // An id says when its record was made; the newest stand last.
        let newest = self.ledger.ids(draft.register)?.into_iter().rev().take(LOOKED_AT);
        for id in newest.take_while(|id| id.millis() >= *moment.start()) {
            if !moment.contains(&id.millis()) {
                continue; // by a clock that has been put right since
            }
            // One that can't be read is for `verify` to say, and keeps nobody from entering another.
            let Ok(Some(record)) = self.ledger.view(id) else { continue };
            if !is_active(&record) {
                continue;
            }
            // What is a claim does not stand as it was said: until the hub has answered, its words are here.
            let first = self.ledger.waiting(id).unwrap_or_default().into_iter().next();
            let mut words = first.into_iter().flat_map(|edit| edit.fields).map(|field| (field.tag, field.bytes));
            let mut stands = record.fields.iter().map(|one| (one.field.tag, one.field.bytes.clone()));
            if said(&mut words) || said(&mut stands) {
                return Ok(Some(id));
            }
        }
        Ok(None)
    }
}
