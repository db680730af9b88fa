//! Layouts: which headings clerks write, and which records a row stands for. Data files: `layouts.toml` (which says what
//! each key means) and `laodong99.toml` of this build, and over them those that an office keeps in its `mappings`.
//! Invariant: every target, register and field of a [`Layouts`] exists; what names another is refused when it is read.

mod compile;
pub(super) mod exact;
mod file;
mod load;

pub use load::{FOLDER, Layouts, Mapped, MappingError};

pub(super) use file::Words;

use std::collections::HashMap;
use taizhang_proto::{
    pb::Format,
    register::{FieldDef, RegisterDef},
    text,
};

/// Where a column's cells go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Target {
    /// A field of a role's record.
    Field { role: usize, tag: u32 },
    /// One code of a coded field of a role's record: the cell says yes or no to it.
    Code { role: usize, tag: u32, code: &'static str },
    /// The owning unit of the row.
    Unit,
    /// Compared with the citizen id of a role.
    Sex { role: usize },
    /// Compared with the citizen id of a role.
    Birth { role: usize },
    /// The record's own id, in a file that the export wrote.
    Record,
    /// The name of whom a reference leads to; the number and the record's id beside it say who it is.
    RefName { tag: u32 },
    /// The id number of whom a reference leads to.
    RefNumber { tag: u32 },
    /// The id of the record that a reference leads to.
    RefId { tag: u32 },
    /// Nowhere.
    Ignore,
}

/// A field of a role.
pub(super) type Place = (usize, u32);

/// When a role's record is made, or something is implied.
#[derive(Debug)]
pub(super) struct When {
    pub(super) place: Place,
    /// Codes, or 是 and 否; none: any value.
    pub(super) is: Vec<String>,
}

/// A value taken over from another field.
#[derive(Debug)]
pub(super) struct Copied {
    pub(super) tag: u32,
    pub(super) of: Place,
    pub(super) map: HashMap<String, String>,
    /// What is written, with the value in the place of `{}`.
    pub(super) text: Option<String>,
}

/// One record of a row.
#[derive(Debug)]
pub(super) struct Role {
    pub(super) register: &'static RegisterDef,
    pub(super) required: bool,
    pub(super) must: Vec<u32>,
    pub(super) needs: Vec<u32>,
    pub(super) without: Option<String>,
    pub(super) when: Vec<When>,
    pub(super) unless: Vec<When>,
    pub(super) new_when: Vec<When>,
    pub(super) links: Vec<(u32, usize)>,
    /// The household of which this role's person is a member, where there is one.
    pub(super) home_of: Option<usize>,
    pub(super) copy: Vec<Copied>,
    pub(super) dates: Vec<u32>,
    pub(super) once_open: Option<u32>,
    pub(super) constants: Vec<(u32, String)>,
    pub(super) imply: Vec<(When, Vec<(u32, String)>)>,
    pub(super) presumed: Vec<(u32, String)>,
    pub(super) any: Vec<u32>,
}

impl Role {
    /// A role that only stands for records of a register.
    fn of(register: &'static RegisterDef) -> Self {
        Self {
            register,
            required: false,
            must: Vec::new(),
            needs: Vec::new(),
            without: None,
            when: Vec::new(),
            unless: Vec::new(),
            new_when: Vec::new(),
            links: Vec::new(),
            home_of: None,
            copy: Vec::new(),
            dates: Vec::new(),
            once_open: None,
            constants: Vec::new(),
            imply: Vec::new(),
            presumed: Vec::new(),
            any: Vec::new(),
        }
    }
}

/// One kind of sheet.
#[derive(Debug)]
pub(super) struct Layout {
    /// What such a sheet is called.
    pub(super) name: String,
    pub(super) main: usize,
    pub(super) identify: Vec<Target>,
    pub(super) spill: HashMap<Place, u32>,
    pub(super) roles: Vec<Role>,
    /// Fields in which 无 is an answer.
    pub(super) answers: Vec<Place>,
    /// Whether a program wrote such a sheet, so that every cell is meant as it stands.
    pub(super) exact: bool,
    headings: HashMap<String, Target>,
    /// What a heading may mean besides.
    others: HashMap<String, Vec<Target>>,
    codes: HashMap<Place, HashMap<String, String>>,
}

impl Layout {
    /// The field at a place.
    pub(super) fn field(&self, (role, tag): Place) -> Option<&'static FieldDef> {
        self.roles.get(role)?.register.field(tag)
    }

    /// What a heading may mean besides its target.
    pub(super) fn others(&self, heading: &str) -> Option<&[Target]> {
        let found = self.others.get(&folded(heading)).or_else(|| self.others.get(&folded(&without_brackets(heading))));
        found.map(Vec::as_slice)
    }

    /// Whether no record is right without the field: a row whose cell for it can't be read is refused.
    pub(super) fn is_essential(&self, (role, tag): Place) -> bool {
        let Some((role, field)) = self.roles.get(role).zip(self.field((role, tag))) else { return true };
        field.required
            || field.format == Format::CitizenId
            || role.must.contains(&tag)
            || role.needs.contains(&tag)
            || role.register.key.contains(&tag)
    }

    /// Our code for a code of other software, at a place.
    pub(super) fn translated(&self, place: Place, written: &str) -> Option<&str> {
        self.codes.get(&place)?.get(&text::no_space(written)).map(String::as_str)
    }
}

/// A heading as it is compared: half width, lower case, without blanks, brackets and signs.
pub(super) fn folded(heading: &str) -> String {
    text::no_space(heading)
        .to_lowercase()
        .chars()
        .filter(|sign| !"()[]{}【】〔〕*:、。,._-/\\\"'“”?!".contains(*sign))
        .collect()
}

fn without_brackets(heading: &str) -> String {
    let mut depth = 0_usize;
    text::half_width(heading)
        .chars()
        .filter(|sign| match sign {
            '(' | '[' | '【' | '〔' => {
                depth += 1;
                false
            }
            ')' | ']' | '】' | '〕' => {
                depth = depth.saturating_sub(1);
                false
            }
            _ => depth == 0,
        })
        .collect()
}
