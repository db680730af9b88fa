//! Layouts: which headings clerks write, and which records a row stands for. Data files: `layouts.toml` (which says what
//! each key means) and `laodong99.toml` of this build, and over them those that an office keeps in its `mappings`.
//! Invariant: every target, register and field of a [`Layouts`] exists; what names another is refused when it is read.

mod compile;
mod file;
mod load;

pub use load::{FOLDER, Layouts, Mapped, MappingError};

pub(super) use file::Words;

use std::collections::HashMap;
use taizhang_proto::{
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

/// One kind of sheet.
#[derive(Debug)]
pub(super) struct Layout {
    /// What such a sheet is called.
    pub(super) name: String,
    pub(super) main: usize,
    pub(super) identify: Vec<Target>,
    pub(super) spill: HashMap<Place, u32>,
    pub(super) roles: Vec<Role>,
    headings: HashMap<String, Target>,
    codes: HashMap<Place, HashMap<String, String>>,
}

impl Layout {
    /// The field at a place.
    pub(super) fn field(&self, (role, tag): Place) -> Option<&'static FieldDef> {
        self.roles.get(role)?.register.field(tag)
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
