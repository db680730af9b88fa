//! The registers, read at run time from their annotated descriptors: labels, rules, policies and code lists.
//! Invariant: a new field or register is a change of the `.proto` files only; forms, import, export, validation
//! and merging all go by what stands here.

mod codes;
mod value;

pub use codes::CodeList;
pub use value::{Value, ValueError};

use crate::pb::{FieldRule, Format, Policy, RegisterRule, Subject, Tier};
use prost_reflect::{DescriptorPool, DynamicMessage, ExtensionDescriptor, FieldDescriptor, Kind, MessageDescriptor};
use std::sync::OnceLock;

/// The tag of the owning unit, the same in every register.
pub const HOME_UNIT: u32 = 1;
/// The tag of the record state (L24), the same in every register.
pub const STATE: u32 = 2;
/// The tag of the business date.
pub const EFFECTIVE_ON: u32 = 4;
/// The tag of the day of the last verification.
pub const VERIFIED_ON: u32 = 5;
/// The tag of the source (L25).
pub const SOURCE: u32 = 6;
/// The tag of the reason for voiding.
pub const VOID_REASON: u32 = 3;
/// The tag of the record that this one was merged into, of the same register.
pub const MERGED_INTO: u32 = 12;
/// The tag of who reviewed the record last.
pub const REVIEWED_BY: u32 = 9;
/// The tag that says a reviewer found it no duplicate.
pub const DISTINCT: u32 = 13;
/// The tag of the district that counts this person or certificate, where another one does.
pub const COUNTED_AT: u32 = 14;
/// The tag that says this district counts a person whom another district has registered as well.
pub const ELSEWHERE_TOO: u32 = 17;
/// The tag that says from which day on which district counts a person or certificate that several have.
pub const COUNTING: u32 = 18;
/// The tag of the days on which a record was verified before the last.
pub const PAST_VERIFIED: u32 = 19;
/// The tag of the unit that a record is on its way to.
pub const TRANSFER_TO: u32 = 15;
/// The tag of the units that a record belonged to, each with the first day on which it no longer did.
pub const PAST_HOME: u32 = 16;
/// Fields from here on are a register's own; those before belong to every record for itself.
pub const FIRST_OWN: u32 = 20;
/// The tag of what an import could not place in a code list.
pub const IMPORT_NOTE: u32 = 8;

/// The tag of the day on which somebody, or a household, was put on the register; none for other registers.
pub fn registered_on(register: u32) -> Option<u32> {
    match register {
        number::RESIDENT => Some(field::resident::REGISTERED_ON),
        number::HOUSEHOLD => Some(field::household::REGISTERED_ON),
        _ => None,
    }
}

/// The tags of the registers' own fields, by register: `field::placement::START_ON`. They are made from `registers/*.proto`.
#[allow(missing_docs)]
pub mod field {
    include!(concat!(env!("OUT_DIR"), "/field.rs"));
}

/// The codes that rules name, by their list: `code::household_status::CLOSED`. They are made from `registers/codes.toml`.
#[allow(missing_docs)]
pub mod code {
    include!(concat!(env!("OUT_DIR"), "/code.rs"));
}

/// Whom a record of a register about persons is about: the same field in all of them.
pub const PERSON: u32 = field::placement::PERSON;

/// Register numbers, for code that computes with a particular register.
#[allow(missing_docs)]
pub mod number {
    pub const RESIDENT: u32 = 1;
    pub const HOUSEHOLD: u32 = 2;
    pub const MEMBER: u32 = 3;
    pub const UNEMPLOYMENT_SPELL: u32 = 4;
    pub const ZEF_CASE: u32 = 5;
    pub const PLACEMENT: u32 = 6;
    pub const FACILITY: u32 = 7;
    pub const ASSISTANT: u32 = 8;
    pub const CREDENTIAL: u32 = 9;
    pub const FEC_CASE: u32 = 10;
    pub const POST: u32 = 11;
    pub const TRANSFER: u32 = 12;
    pub const HARDSHIP_CASE: u32 = 13;
    pub const SERVICE_RECORD: u32 = 14;
    pub const TRAINING_CLASS: u32 = 15;
    pub const TRAINEE: u32 = 16;
    pub const REFERRAL: u32 = 17;
    pub const EXAM: u32 = 18;
    pub const PUBLISHED_DOC: u32 = 19;
    pub const SPOT_CHECK: u32 = 20;
    pub const RECTIFICATION: u32 = 21;
    pub const COMMENDATION: u32 = 22;
    pub const CAMPAIGN: u32 = 23;
    pub const EVENT: u32 = 24;
    pub const PAIRING: u32 = 25;
    pub const TASK: u32 = 26;
    pub const ISSUE: u32 = 27;
    pub const COMPLAINT: u32 = 28;
    pub const ARCHIVE_ENTRY: u32 = 29;
    pub const INSPECTION: u32 = 30;
    pub const POLICY_DOCUMENT: u32 = 31;
    pub const PERIOD_CLOSE: u32 = 32;
    pub const HELD_CERTIFICATE: u32 = 33;
    pub const PERSON_SKILL: u32 = 34;
    pub const SCORE_ITEM: u32 = 35;
}

/// The wire shape of a field's values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// UTF-8 text.
    Text,
    /// Unsigned number.
    Uint,
    /// Zigzag number, days since 1970-01-01 where the format is DATE.
    Sint,
    /// Yes or no.
    Bool,
    /// Bytes: a record id.
    Bytes,
}

/// Where a reference points.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refers {
    /// Into the register with this number.
    To(u32),
    /// Into any register.
    Any,
}

impl Refers {
    /// Whether a record of a register may be the target.
    pub fn allows(self, register: u32) -> bool {
        match self {
            Self::To(number) => number == register,
            Self::Any => true,
        }
    }
}

/// One field of a register.
#[derive(Debug)]
pub struct FieldDef {
    /// Field number.
    pub tag: u32,
    /// Name on the wire.
    pub name: String,
    /// Chinese label.
    pub zh: String,
    /// English label.
    pub en: String,
    /// Wire shape.
    pub shape: Shape,
    /// Whether it may occur many times.
    pub many: bool,
    /// Whether a record needs it.
    pub required: bool,
    /// Its code list.
    pub codes: Option<&'static CodeList>,
    /// How a value is written.
    pub format: Format,
    /// What concurrent edits lead to.
    pub policy: Policy,
    /// The tier that owns it, under [`Policy::Owned`].
    pub owner: Tier,
    /// Personal data.
    pub personal: bool,
    /// At most one record carries a value.
    pub unique: bool,
    /// Records with an equal value are found from each other.
    pub indexed: bool,
    /// Longest text, characters.
    pub max: usize,
    /// The number counts 10^-decimals of the unit.
    pub decimals: u32,
    /// Where a reference points.
    pub refers: Option<Refers>,
    /// The code that prevails in a concurrent edit and that only a district may leave.
    pub prevails: Option<String>,
    /// What a reviewer has ruled, an office can only dispute.
    pub ruled: bool,
    /// A clerk who changes it in a form says why.
    pub reason: bool,
    /// It starts a legal clock: what stands is changed by a township or a district, a community's word is a claim.
    pub clock: bool,
    /// Under [`Policy::Review`]: of two days the later stands until a reviewer decides.
    pub later: bool,
    /// Under [`Policy::Owned`]: the code that any office may set where none stands.
    pub open: Option<String>,
}

/// One register.
#[derive(Debug)]
pub struct RegisterDef {
    /// Number on the wire.
    pub number: u32,
    /// Name, such as `Resident`.
    pub name: String,
    /// Chinese label.
    pub zh: String,
    /// English label.
    pub en: String,
    /// Whose totals its records change.
    pub subject: Subject,
    /// Tags that tell a clerk two rows are the same entry.
    pub key: Vec<u32>,
    /// Its records are for everybody below their owner: every office there holds them, to read and to refer to.
    pub for_below: bool,
    /// Tags of the fields that at most one record may carry.
    pub unique: Vec<u32>,
    /// Tags of the fields by whose value records are found from each other, the unique ones included.
    pub indexed: Vec<u32>,
    /// Tags of the references to records of other registers.
    pub refs: Vec<u32>,
    /// Fields, ascending by tag.
    pub fields: Vec<FieldDef>,
    by_tag: Vec<Option<usize>>,
}

impl RegisterDef {
    /// The field with this tag; none for one that only a newer build knows.
    pub fn field(&self, tag: u32) -> Option<&FieldDef> {
        self.by_tag.get(tag as usize).copied().flatten().map(|index| &self.fields[index])
    }

    /// The field with this name on the wire or this Chinese label; the unit in which it counts, 走访目标(户), need not be said.
    pub fn field_named(&self, name: &str) -> Option<&FieldDef> {
        let exact = self.fields.iter().find(|field| field.name == name || field.zh == name);
        exact.or_else(|| {
            let mut bare =
                self.fields.iter().filter(|field| field.zh.split_once('(').is_some_and(|(zh, _)| zh == name));
            bare.next().filter(|_| bare.next().is_none())
        })
    }

    /// What is said to somebody who names a field that there is not: those that are like it, and where all of them are listed.
    pub fn no_field(&self, name: &str) -> String {
        let is_like = |field: &&FieldDef| field.zh.contains(name) || name.contains(&field.zh);
        let like: Vec<&str> = self.fields.iter().filter(is_like).map(|field| field.zh.as_str()).collect();
        let like = if like.is_empty() { String::new() } else { format!("，相近的有：{}", like.join("、")) };
        format!("{}没有栏目 {name}{like}；全部栏目见 fields {} (no such field: see `fields`)", self.zh, self.name)
    }
}

/// All registers of this build.
#[derive(Debug)]
pub struct Registers {
    /// Ascending by number.
    defs: Vec<RegisterDef>,
}

impl Registers {
    /// The register with this number; none for one that only a newer build knows.
    pub fn get(&self, number: u32) -> Option<&RegisterDef> {
        self.defs.binary_search_by_key(&number, |def| def.number).ok().map(|place| &self.defs[place])
    }

    /// The register with this name (any case, `_` ignored) or Chinese label.
    pub fn named(&self, name: &str) -> Option<&RegisterDef> {
        let plain = name.replace('_', "");
        self.defs.iter().find(|def| def.name.eq_ignore_ascii_case(&plain) || def.zh == name)
    }

    /// A field by its register's name and its own, such as `Task.due_on`.
    pub fn field_of(&self, number: u32, name: &str) -> Option<&FieldDef> {
        self.get(number)?.fields.iter().find(|field| field.name == name)
    }

    /// The registers whose records go where a person or a household goes: those that are about one. What can't be
    /// without a household goes with the household only.
    pub fn about(&self, target: u32) -> impl Iterator<Item = u32> {
        let refers = |def: &RegisterDef, to: u32, must: bool| {
            def.fields.iter().any(|field| {
                field.refers == Some(Refers::To(to)) && field.tag != MERGED_INTO && (field.required || !must)
            })
        };
        self.defs
            .iter()
            .filter(move |def| {
                let personal = matches!(def.subject, Subject::Person | Subject::Household);
                let other = target == number::RESIDENT && refers(def, number::HOUSEHOLD, true);
                personal && def.number != number::HOUSEHOLD && refers(def, target, false) && !other
            })
            .map(|def| def.number)
    }

    /// All of them, by number.
    pub fn iter(&self) -> impl Iterator<Item = &RegisterDef> {
        self.defs.iter()
    }
}

/// The registers of this build. The descriptors are part of the program, so a fault in them is a fault of the
/// build; the tests of this module read them all.
pub fn registers() -> &'static Registers {
    static REGISTERS: OnceLock<Registers> = OnceLock::new();
    REGISTERS.get_or_init(|| read(&pool()).expect("the registers compiled into this program can be read"))
}

/// Whether a register's records are for everybody below the unit that owns them.
pub fn is_for_below(register: u32) -> bool {
    registers().get(register).is_some_and(|def| def.for_below)
}

/// The descriptor pool of every message, for reflection.
pub fn pool() -> DescriptorPool {
    DescriptorPool::decode(crate::DESCRIPTORS).expect("the descriptors compiled into this program can be read")
}

/// Why the annotated descriptors are no registers.
#[derive(Debug, thiserror::Error)]
#[error("{message}: {why}")]
struct DescriptorFault {
    message: String,
    why: String,
}

fn read(pool: &DescriptorPool) -> Result<Registers, DescriptorFault> {
    let fault = |message: &str, why: &str| DescriptorFault { message: message.to_owned(), why: why.to_owned() };
    let extension = |name: &str| pool.get_extension_by_name(name).ok_or_else(|| fault(name, "no such extension"));
    let register = extension("taizhang.v1.register")?;
    let field = extension("taizhang.v1.f")?;
    let marked: Vec<(MessageDescriptor, RegisterRule)> = pool
        .all_messages()
        .filter_map(|message| rule::<RegisterRule>(&message.options(), &register).map(|rule| (message, rule)))
        .collect();
    let number_of = |name: &str| marked.iter().find(|(message, _)| message.name() == name).map(|(_, rule)| rule.number);
    let mut defs = Vec::with_capacity(marked.len());
    for (message, rule) in &marked {
        let mut fields = message
            .fields()
            .map(|one| field_def(&one, &field, rule.number, &number_of))
            .collect::<Result<Vec<_>, _>>()
            .map_err(|why| fault(message.name(), &why))?;
        fields.sort_by_key(|field| field.tag);
        let mut by_tag = vec![None; fields.last().map_or(0, |last| last.tag as usize + 1)];
        for (index, field) in fields.iter().enumerate() {
            by_tag[field.tag as usize] = Some(index);
        }
        let key = rule
            .key
            .iter()
            .map(|name| fields.iter().find(|field| field.name == *name).map(|field| field.tag))
            .collect::<Option<Vec<_>>>()
            .ok_or_else(|| fault(message.name(), "its key names a field it has not"))?;
        defs.push(RegisterDef {
            number: rule.number,
            name: message.name().to_owned(),
            zh: rule.zh.clone(),
            en: rule.en.clone(),
            subject: rule.subject(),
            key,
            for_below: rule.for_below,
            unique: fields.iter().filter(|field| field.unique).map(|field| field.tag).collect(),
            indexed: fields.iter().filter(|field| field.unique || field.indexed).map(|field| field.tag).collect(),
            refs: fields
                .iter()
                .filter(|field| field.refers.is_some_and(|refers| refers != Refers::To(rule.number)))
                .map(|field| field.tag)
                .collect(),
            fields,
            by_tag,
        });
    }
    defs.sort_by_key(|def| def.number);
    Ok(Registers { defs })
}

/// An option's value as its generated type.
fn rule<R: prost::Message + Default>(options: &DynamicMessage, extension: &ExtensionDescriptor) -> Option<R> {
    if !options.has_extension(extension) {
        return None;
    }
    let value = options.get_extension(extension);
    value.as_message()?.transcode_to().ok()
}

fn field_def(
    field: &FieldDescriptor,
    extension: &ExtensionDescriptor,
    own: u32,
    number_of: &impl Fn(&str) -> Option<u32>,
) -> Result<FieldDef, String> {
    let name = field.name().to_owned();
    let rule: FieldRule = rule(&field.options(), extension).ok_or_else(|| format!("field {name} declares nothing"))?;
    let shape = match field.kind() {
        Kind::String => Shape::Text,
        Kind::Uint32 | Kind::Uint64 => Shape::Uint,
        Kind::Sint32 => Shape::Sint,
        Kind::Bool => Shape::Bool,
        Kind::Bytes => Shape::Bytes,
        other => return Err(format!("field {name} has the wire type {other:?}, which no register uses")),
    };
    let codes = match rule.codes.as_str() {
        "" => None,
        list => Some(codes::list(list).ok_or_else(|| format!("field {name} names the unknown code list {list}"))?),
    };
    let refers = match rule.refers.as_str() {
        "" => None,
        "*" => Some(Refers::Any),
        "Common" => Some(Refers::To(own)),
        target => {
            Some(Refers::To(number_of(target).ok_or_else(|| format!("field {name} refers to the unknown {target}"))?))
        }
    };
    Ok(FieldDef {
        tag: field.number(),
        many: field.is_list(),
        required: rule.required,
        format: rule.format(),
        policy: rule.policy(),
        owner: rule.owner(),
        prevails: (!rule.prevails.is_empty()).then(|| rule.prevails.clone()),
        ruled: rule.ruled,
        reason: rule.reason,
        clock: rule.clock,
        later: rule.later,
        open: (!rule.open.is_empty()).then(|| rule.open.clone()),
        personal: rule.personal,
        unique: rule.unique,
        indexed: rule.indexed,
        max: if rule.max == 0 { 200 } else { rule.max as usize },
        decimals: rule.decimals,
        zh: rule.zh,
        en: rule.en,
        name,
        shape,
        codes,
        refers,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn fields_that_are_named_in_code_are_the_registers_own() {
        let tag = |register: u32, name: &str| registers().get(register).unwrap().field_named(name).unwrap().tag;
        assert_eq!(field::zef_case::RECOGNISED_ON, tag(number::ZEF_CASE, "recognised_on"));
        assert_eq!(field::fec_case::SCORE, tag(number::FEC_CASE, "score"));
        for def in registers().iter().filter(|def| def.subject == Subject::Person && def.number != number::RESIDENT) {
            assert_eq!(def.field_named("person").unwrap().tag, PERSON, "{}", def.name);
        }
        // Both keep what they were recognised by under one tag.
        assert_eq!(field::zef_case::PAST_RECOGNISED, field::hardship_case::PAST_RECOGNISED);
    }

    #[test]
    fn every_register_can_be_read_and_shares_the_common_fields() {
        let all: Vec<_> = registers().iter().map(|def| def.number).collect();
        assert_eq!(all, (1..=35).collect::<Vec<_>>());
        for def in registers().iter() {
            assert_eq!(def.field(HOME_UNIT).unwrap().name, "home_unit", "{}", def.name);
            assert_eq!(def.field(STATE).unwrap().codes.unwrap().id, "L24");
            assert_eq!(def.field(IMPORT_NOTE).unwrap().name, "import_note");
            assert!(def.fields.iter().all(|field| !field.zh.is_empty() && !field.en.is_empty()));
            assert!(def.fields.iter().all(|field| (field.format == Format::Ref) == field.refers.is_some()));
            assert!(def.fields.iter().all(|field| (field.format == Format::Code) == field.codes.is_some()));
        }
        let common = |tag: u32| tag < 20;
        for def in registers().iter().filter(|def| def.for_below) {
            // Offices hold what is for everybody beyond their own scope: nothing of a person may be among it.
            assert!(def.fields.iter().all(|field| common(field.tag) || !field.personal), "{}", def.name);
            assert_eq!(def.subject, Subject::Record, "{}", def.name);
        }
        let about = |register| registers().about(register).collect::<Vec<_>>();
        let (member, case) = (number::MEMBER, number::ZEF_CASE);
        let (visit, pairing) = (number::SERVICE_RECORD, number::PAIRING);
        assert_eq!(about(number::HOUSEHOLD), [member, case, visit, pairing]);
        let (spell, job, hardship) = (number::UNEMPLOYMENT_SPELL, number::PLACEMENT, number::HARDSHIP_CASE);
        let (training, referral) = (number::TRAINEE, number::REFERRAL);
        let (held, skill) = (number::HELD_CERTIFICATE, number::PERSON_SKILL);
        let all = [spell, job, hardship, visit, training, referral, pairing, held, skill];
        assert_eq!(about(number::RESIDENT), all);
        assert_eq!(registers().named("unemployment_spell").unwrap().number, number::UNEMPLOYMENT_SPELL);
        assert_eq!(registers().named("居民登记").unwrap().number, number::RESIDENT);
    }
}
