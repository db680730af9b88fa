//! What an office has already, said when it is entered again: a person by the id number, a household, case or post by its
//! number, a second open case of a household, a person or a community, a member twice.
//! Invariant: looked at under the lock that saves, against what this batch has saved so far, so of two entries at once the
//! second is told. Registrations in two units, and entries of other offices, are the district's to compare: they stand, and are
//! told as doubtful.

use super::{Ledger, Source, broken, views::Views};
use crate::{
    desk::{Draft, TAKEN},
    ledger::numbers,
    store::StoreError,
};
use bytes::Bytes;
use taizhang_proto::{
    Record, RecordId,
    cell::{Shelf, home_unit, is_active, survivor, unit_id},
    check::Violation,
    register::{HOME_UNIT, MERGED_INTO, Value, code, field, number, registers},
};

/// Where a case or a membership says what it is about, and what ends it.
struct Rule {
    register: u32,
    /// What must be equal: whom it is about first, or the unit that it is of; then, where cases of several kinds go side by side,
    /// the kind, if both say it.
    same: &'static [u32],
    /// Fields that end it when they are filled.
    ends: &'static [u32],
    /// A field whose values end it, and these values.
    over: Option<(u32, &'static [&'static str])>,
    field: &'static str,
    message: &'static str,
}

const RULES: [Rule; 4] = [
    Rule {
        register: number::ZEF_CASE,
        same: &[field::zef_case::HOUSEHOLD, field::zef_case::KIND],
        ends: &[field::zef_case::EXIT_ON, field::zef_case::REFUSED_ON],
        over: None,
        field: "household",
        message: "该户已有未结的零就业家庭案件，请在该案上登记；确须另立的，先结原案 (the household has an open case)",
    },
    Rule {
        register: number::HARDSHIP_CASE,
        same: &[field::hardship_case::PERSON],
        ends: &[field::hardship_case::EXIT_ON, field::hardship_case::REFUSED_ON],
        over: None,
        field: "person",
        message: "此人已有未结的就业困难认定，请在该案上登记；确须另立的，先结原案 (the person has an open case)",
    },
    Rule {
        register: number::MEMBER,
        same: &[field::member::HOUSEHOLD, field::member::PERSON],
        ends: &[field::member::TO_ON],
        over: None,
        field: "person",
        message: "此人已是该户成员 (a member of this household already)",
    },
    Rule {
        register: number::FEC_CASE,
        same: &[HOME_UNIT],
        ends: &[field::fec_case::REVOKED_ON],
        over: Some((field::fec_case::STAGE, &[code::title_stage::REVOKED, code::title_stage::NOT_PASSED])),
        field: "home_unit",
        message: "该社区已有未结的充分就业社区创建，请在该案上登记 (the community has an open case)",
    },
];

/// The fields by which records of a register are compared with others of a batch.
pub(super) fn asked_by(register: u32) -> impl Iterator<Item = u32> {
    let rule = RULES.iter().find(|rule| rule.register == register);
    let about = rule.and_then(|rule| rule.same.first()).copied();
    about
        .into_iter()
        .chain((register == number::RESIDENT).then_some(field::resident::ID_NO))
        .chain(numbers::given_in(register))
}

impl Ledger {
    /// The rule that a draft breaks by entering what the office has; `own` and `views` are records as they will be.
    pub(super) fn taken(
        &self,
        source: Source,
        draft: &Draft,
        (old, new): (Option<&Record>, &Record),
        (own, views): (&Views, &Views),
    ) -> Result<Option<Violation>, StoreError> {
        let unsaved = |id: RecordId| own.get(id).or_else(|| views.get(id));
        let fresh_with = |register: u32, tag: u32, bytes: &Bytes| {
            own.holding(register, tag, bytes).chain(views.holding(register, tag, bytes)).collect::<Vec<_>>()
        };
        let is_so = |id: RecordId, so: &dyn Fn(&Record) -> bool| match unsaved(id) {
            Some(view) => Ok(so(view)),
            None => self.look(id, |view| view.is_some_and(so)),
        };
        let other_of =
            |held: &mut dyn Iterator<Item = RecordId>, asked: Option<(u32, &Bytes)>, so: &dyn Fn(&Record) -> bool| {
                let fresh = asked.into_iter().flat_map(|(tag, bytes)| fresh_with(new.register, tag, bytes));
                let mut others = held.chain(fresh).filter(|id| *id != draft.id);
                others.find_map(|id| is_so(id, so).map(|so| so.then_some(id)).transpose()).transpose()
            };
        if !stands(new) {
            return Ok(None);
        }
        if new.register == number::RESIDENT {
            let number = new.slice(field::resident::ID_NO).and_then(|bytes| std::str::from_utf8(bytes).ok());
            let before = old.and_then(|old| old.bytes(field::resident::ID_NO));
            let Some(number) = number.filter(|_| before != new.bytes(field::resident::ID_NO)) else { return Ok(None) };
            let held = self.find(number::RESIDENT, &[Value::Text(number.to_owned())])?;
            let home = home_unit(new);
            let same = |view: &Record| {
                stands(view) && view.slice(field::resident::ID_NO) == Some(number.as_bytes()) && home_unit(view) == home
            };
            let asked = new.bytes(field::resident::ID_NO).map(|bytes| (field::resident::ID_NO, bytes));
            let other = other_of(&mut held.into_iter(), asked, &same)?;
            return Ok(other.map(|id| broken(draft, "id_no", TAKEN, already("身份证号码", id))));
        }
        for (tag, carried) in numbers::given(new).filter(|_| source == Source::Form) {
            if old.is_some_and(|old| stands(old) && old.bytes(tag) == Some(carried)) {
                continue; // it carried that number before
            }
            let same =
                |view: &Record| stands(view) && view.bytes(tag) == Some(carried) && home_unit(view) == home_unit(new);
            let carriers = self.carriers(new.register, tag, carried)?;
            if let Some(id) = other_of(&mut carriers.into_iter(), Some((tag, carried)), &same)? {
                let field = registers().get(new.register).and_then(|def| def.field(tag));
                let (zh, name) = field.map(|field| (field.zh.as_str(), field.name.as_str())).unwrap_or_default();
                return Ok(Some(broken(draft, name, TAKEN, already(zh, id))));
            }
        }
        let Some(rule) = RULES.iter().find(|rule| rule.register == new.register) else { return Ok(None) };
        // One that was open before is no second one.
        if !rule.is_open(new)
            || old
                .is_some_and(|old| rule.is_open(old) && rule.same.iter().all(|tag| old.bytes(*tag) == new.bytes(*tag)))
        {
            return Ok(None);
        }
        let of_unit = || rule.same.contains(&HOME_UNIT).then(|| home_unit(new).map(unit_id)).flatten();
        let Some(about) = rule.same.first().and_then(|tag| new.reference(*tag)).or_else(of_unit) else {
            return Ok(None);
        };
        let held = self.about(survivor(self, about)?)?.into_iter().filter(|(register, _)| *register == rule.register);
        // A case of which the kind is not said may be of any kind.
        let is_same = |tag: u32, first: bool, view: &Record| match (view.bytes(tag), new.bytes(tag)) {
            (one, other) if one == other => true,
            (one, other) => !first && (one.is_none() || other.is_none()),
        };
        let same = |view: &Record| {
            rule.is_open(view) && rule.same.iter().enumerate().all(|(place, tag)| is_same(*tag, place == 0, view))
        };
        let first = rule.same.first().and_then(|tag| Some((*tag, new.bytes(*tag)?)));
        let other = other_of(&mut held.map(|(_, id)| id), first, &same)?;
        Ok(other.map(|id| {
            let message = rule.message.replacen(" (", &format!("：{id} ("), 1);
            broken(draft, rule.field, TAKEN, message)
        }))
    }
}

/// What is said of a number that another record has.
fn already(number: &str, other: RecordId) -> String {
    format!("此{number}已登记，请在该记录上修改：{other} (registered already, as this record)")
}

fn stands(record: &Record) -> bool {
    is_active(record) && record.bytes(MERGED_INTO).is_none()
}

impl Rule {
    fn is_open(&self, record: &Record) -> bool {
        let is_over = self.over.is_some_and(|(tag, values)| {
            record.slice(tag).is_some_and(|held| values.iter().any(|value| value.as_bytes() == held))
        });
        stands(record) && !is_over && self.ends.iter().all(|tag| record.bytes(*tag).is_none())
    }
}
