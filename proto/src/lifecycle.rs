//! The ways of a case: which states there are, which moves lead from one to another, who may make them, and what must
//! be in the record for it (notice, items 11 to 13 and 30 to 34; domain-detail 2.4, 2.5, 2.12, 2.13).
//! Invariant: a state follows from the record's own fields, so no two fields can say different things; the tables here
//! are the only place that knows the moves.

mod tables;

pub use tables::LIFECYCLES;

use crate::{
    Record,
    check::{Violation, violation},
    pb::{Policy, Tier},
    register::{self, RegisterDef, registers},
};
use bytes::Bytes;

/// A state of a case.
#[derive(Debug)]
pub struct State {
    /// Its name for programs; empty for 'not there yet'.
    pub code: &'static str,
    /// Chinese name.
    pub zh: &'static str,
    /// English name.
    pub en: &'static str,
}

/// In which role somebody acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Enters and edits.
    Clerk,
    /// Decides, and answers for it by name.
    Reviewer,
}

/// Who acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Actor {
    /// Tier of the unit.
    pub tier: Tier,
    /// Role.
    pub role: Role,
}

impl Actor {
    /// Who enters something at a unit of a tier: a reviewer where the entry itself names one (审核人), else a clerk.
    pub fn entering(tier: Tier, value_of: impl FnOnce(u32) -> Option<Bytes>) -> Self {
        let named = value_of(register::REVIEWED_BY).is_some_and(|bytes| !bytes.is_empty());
        Self { tier, role: if named { Role::Reviewer } else { Role::Clerk } }
    }

    /// Somebody who decides at a hub; their name is kept with the decision.
    pub fn deciding(tier: Tier) -> Self {
        Self { tier, role: Role::Reviewer }
    }

    fn may(self, step: &Move) -> bool {
        step.by.contains(&self.tier) && step.role <= self.role
    }
}

/// A move from one state to another.
#[derive(Debug)]
pub struct Move {
    /// From this state.
    pub from: &'static str,
    /// To this one.
    pub to: &'static str,
    /// Tiers that may make it.
    pub by: &'static [Tier],
    /// In which role at least.
    pub role: Role,
    /// Fields that must have a value.
    pub evidence: &'static [&'static str],
}

/// The way of one register's cases.
#[derive(Debug)]
pub struct Lifecycle {
    /// The register.
    pub register: u32,
    /// All states, in the usual order.
    pub states: &'static [State],
    /// All moves.
    pub moves: &'static [Move],
    /// Names of the fields from which the state follows.
    pub fields: &'static [&'static str],
    /// The state of a record.
    pub state_of: fn(&Record) -> &'static str,
}

/// The way of a register's cases; none for a register without one.
pub fn of(register: u32) -> Option<&'static Lifecycle> {
    LIFECYCLES.iter().find(|own| own.register == register)
}

impl Lifecycle {
    /// A state by its code.
    pub fn state(&self, code: &str) -> Option<&'static State> {
        self.states.iter().find(|state| state.code == code)
    }

    /// The moves that somebody may make from a state.
    pub fn allowed(&self, from: &str, actor: Actor) -> impl Iterator<Item = &'static Move> {
        self.moves.iter().filter(move |own| own.from == from && actor.may(own))
    }

    /// Whether somebody at a tier may lead a case to a state, from any other.
    pub fn leads_to(&self, to: &str, tier: Tier) -> bool {
        self.moves.iter().any(|own| own.to == to && !own.from.is_empty() && own.by.contains(&tier))
    }

    /// The tags of the fields from which the state follows.
    pub fn tags(&self) -> impl Iterator<Item = u32> {
        let def = registers().get(self.register);
        self.fields.iter().filter_map(move |name| def?.field_named(name).map(|field| field.tag))
    }

    /// Whether what moves is a field that a senior tier owns: then the edit is a claim, and the field's policy decides.
    fn is_claim(&self, def: &RegisterDef, before: Option<&Record>, after: &Record, tier: Tier) -> bool {
        self.tags().filter_map(|tag| def.field(tag)).any(|field| {
            let changed = before.and_then(|record| record.bytes(field.tag)) != after.bytes(field.tag);
            changed && field.policy == Policy::Owned && tier < field.owner
        })
    }

    fn label(&self, code: &str) -> String {
        self.state(code).map_or_else(|| code.to_owned(), |state| format!("{} {}", state.zh, state.en))
    }

    /// What leads from a state, for somebody who was refused another move.
    fn choices(&self, from: &str, actor: Actor) -> String {
        let choices: Vec<String> = self.allowed(from, actor).map(|own| self.label(own.to)).collect();
        if choices.is_empty() { "无 none".to_owned() } else { choices.join("、") }
    }

    /// Why somebody can't make the move from `before` to `after`; says which moves they can.
    pub fn refusal(&self, before: Option<&Record>, after: &Record, actor: Actor) -> Option<Violation> {
        let tier = actor.tier;
        let def = registers().get(self.register)?;
        let (from, to) = (before.map_or("", |record| (self.state_of)(record)), (self.state_of)(after));
        if from == to || self.is_claim(def, before, after, tier) {
            return None;
        }
        let place = self.fields.first().copied().unwrap_or_default();
        let mut ways = self.moves.iter().filter(|own| own.from == from && own.to == to).peekable();
        let (was, wanted) = (self.label(from), self.label(to));
        if ways.peek().is_none() {
            let message = format!(
                "不能由“{was}”转为“{wanted}”；可以转为：{} (no such move; allowed ones are named)",
                self.choices(from, actor)
            );
            return Some(violation(def, place, "move", message));
        }
        let Some(way) = ways.find(|own| own.by.contains(&tier)) else {
            let message = format!(
                "由“{was}”转为“{wanted}”不由本级办理；本级可以转为：{} (not for this tier)",
                self.choices(from, actor)
            );
            return Some(violation(def, place, "move_by", message));
        };
        if !actor.may(way) {
            let message = format!(
                "由“{was}”转为“{wanted}”须由审核人办理：请同时填写“审核人”；经办人可以转为：{} (a reviewer's move: name \
                 who reviewed it)",
                self.choices(from, actor)
            );
            return Some(violation(def, "reviewed_by", "move_role", message));
        }
        let missing: Vec<&str> = way.evidence.iter().copied().filter(|name| !tables::has(after, name)).collect();
        let first = missing.first()?;
        let labels: Vec<&str> =
            missing.iter().filter_map(|name| def.field_named(name)).map(|field| field.zh.as_str()).collect();
        let message = format!("转为“{wanted}”须先填写：{} (needed for this move)", labels.join("、"));
        Some(violation(def, first, "evidence", message))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::{register::number, wire};
    use proptest::prelude::*;

    fn clerk(tier: Tier) -> Actor {
        Actor { tier, role: Role::Clerk }
    }

    fn record(register: u32, values: &[(&str, &str)]) -> Record {
        let def = registers().get(register).unwrap();
        let fields = values.iter().map(|(name, text)| {
            let field = def.field_named(name).unwrap();
            let value = crate::register::Value::parse(field, text).unwrap();
            wire::Field { tag: field.tag, bytes: value.0.encode(field) }
        });
        let mut record = Record { register, ..Record::default() };
        record.set(fields.collect::<Vec<_>>(), crate::pb::Origin { revision: 1, ..crate::pb::Origin::default() });
        record
    }

    #[test]
    fn the_tables_name_states_and_fields_that_there_are_and_no_state_is_out_of_reach() {
        for own in LIFECYCLES {
            let def = registers().get(own.register).unwrap();
            for step in own.moves {
                assert!(own.state(step.from).is_some() && own.state(step.to).is_some(), "{}: {step:?}", def.name);
                assert!(!step.by.is_empty() && step.from != step.to);
                for name in step.evidence {
                    assert!(def.field_named(name).is_some(), "{}: no field {name}", def.name);
                }
            }
            assert_eq!(own.tags().count(), own.fields.len(), "{}", def.name);
            for state in own.states.iter().filter(|state| !state.code.is_empty()) {
                assert!(
                    own.moves.iter().any(|step| step.to == state.code),
                    "{}: {} is never reached",
                    def.name,
                    state.code
                );
            }
        }
    }

    #[test]
    fn a_refused_move_names_the_allowed_ones() {
        let way = of(number::FEC_CASE).unwrap();
        let certified = record(number::FEC_CASE, &[("stage", "5"), ("certified_on", "2008-03-01")]);
        let revoked = record(number::FEC_CASE, &[("stage", "7"), ("revoked_on", "2008-04-01")]);
        let why = way.refusal(Some(&certified), &revoked, Actor::deciding(Tier::District)).unwrap();
        assert_eq!(why.rule, "move");
        assert!(why.message.contains("责令整顿"), "{}", why.message);
        let rectifying = record(number::FEC_CASE, &[("stage", "6")]);
        let why = way.refusal(Some(&certified), &rectifying, Actor::deciding(Tier::District)).unwrap();
        assert_eq!((why.rule, why.field.as_str()), ("evidence", "rectify_from"));
        assert_eq!(
            way.refusal(Some(&certified), &rectifying, clerk(Tier::Community)),
            None,
            "a claim, for its policy to decide"
        );
        let way = of(number::HARDSHIP_CASE).unwrap();
        let applied = record(number::HARDSHIP_CASE, &[("applied_on", "2008-03-01")]);
        let checked = record(number::HARDSHIP_CASE, &[("applied_on", "2008-03-01"), ("checked_on", "2008-03-02")]);
        let why = way.refusal(Some(&applied), &checked, clerk(Tier::Community)).unwrap();
        assert_eq!(why.rule, "move_by");
        assert_eq!(way.refusal(Some(&applied), &checked, clerk(Tier::Township)), None);
    }

    #[test]
    fn a_reviewers_move_is_refused_to_an_entry_that_names_none() {
        let way = of(number::TASK).unwrap();
        let given = [("title", "核查"), ("given_on", "2008-03-01"), ("reported_on", "2008-03-05"), ("report", "已查")];
        let reported = record(number::TASK, &given);
        let closed = record(number::TASK, &[&given[..], &[("closed_on", "2008-03-06")]].concat());
        assert_eq!(way.refusal(Some(&reported), &closed, clerk(Tier::Township)), None);
        let why = way.refusal(Some(&closed), &reported, clerk(Tier::Township)).unwrap();
        assert_eq!((why.rule, why.field.as_str()), ("move_role", "reviewed_by"));
        assert!(why.message.contains("可以转为：无"), "{}", why.message);
        let named = Actor::entering(Tier::Township, |tag| (tag == register::REVIEWED_BY).then(|| "李".into()));
        assert_eq!(way.refusal(Some(&closed), &reported, named), None);
        let why = way.refusal(Some(&closed), &reported, Actor { tier: Tier::Community, ..named }).unwrap();
        assert_eq!(why.rule, "move_by", "a name makes no tier");
        let erased = Actor::entering(Tier::Township, |_| Some(Bytes::new()));
        assert_eq!(erased.role, Role::Clerk);
    }

    proptest! {
        #[test]
        fn what_does_not_move_is_never_refused(own in 0..LIFECYCLES.len(), tier in 1..=4_i32) {
            let way = &LIFECYCLES[own];
            let record = Record { register: way.register, ..Record::default() };
            let tier = Tier::try_from(tier).unwrap();
            prop_assert!(way.refusal(Some(&record), &record, clerk(tier)).is_none());
        }
    }
}
