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
    cell::{
        Shelf, home_unit,
        once::{self, stands},
        survivor,
    },
    check::Violation,
    register::{Value, field, number, registers},
};

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
        let Some(rule) = once::rule_of(new.register).filter(|rule| rule.opens(old, new)) else { return Ok(None) };
        let Some(about) = rule.about(new) else { return Ok(None) };
        let held = self.about(survivor(self, about)?)?.into_iter().filter(|(register, _)| *register == new.register);
        let same = |view: &Record| rule.is_same(new, view);
        let first = rule.about_tag().and_then(|tag| Some((tag, new.bytes(tag)?)));
        let other = other_of(&mut held.map(|(_, id)| id), first, &same)?;
        Ok(other.map(|id| broken(draft, rule.field, TAKEN, rule.words(id))))
    }
}

/// What is said of a number that another record has.
fn already(number: &str, other: RecordId) -> String {
    format!("此{number}已登记，请在该记录上修改：{other} (registered already, as this record)")
}
