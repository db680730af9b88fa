//! Layouts: which headings clerks write, and which records a row stands for. A data file; see `layouts.toml`.
//! Invariant: every target, register and field named there exists (the tests of this room read it whole).

use serde::Deserialize;
use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::OnceLock,
};
use taizhang_proto::{
    register::{FieldDef, RegisterDef, registers},
    text,
};

/// Where a column's cells go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Target {
    /// A field of a role's record.
    Field { role: usize, tag: u32 },
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
    /// Codes; none: any value.
    pub(super) is: Vec<String>,
}

/// A value taken over from another field.
#[derive(Debug)]
pub(super) struct Copied {
    pub(super) tag: u32,
    pub(super) of: Place,
    pub(super) map: HashMap<String, String>,
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
    pub(super) links: Vec<(u32, usize)>,
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
}

/// Words that forms use around their rows.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Words {
    ignore: Vec<String>,
    pub(super) unit: Vec<String>,
    pub(super) date: Vec<String>,
    pub(super) total: Vec<String>,
    pub(super) footer: Vec<String>,
}

/// The whole data file.
#[derive(Debug)]
pub(super) struct Layouts {
    pub(super) words: Words,
    pub(super) all: Vec<Layout>,
    ignored: HashSet<String>,
}

impl Layout {
    /// The field at a place.
    pub(super) fn field(&self, (role, tag): Place) -> Option<&'static FieldDef> {
        self.roles.get(role)?.register.field(tag)
    }

    /// What a heading means here.
    pub(super) fn target(&self, heading: &str) -> Option<Target> {
        let whole = folded(heading);
        let found = self.headings.get(&whole).copied();
        found.or_else(|| self.headings.get(&folded(&without_brackets(heading))).copied()).or_else(|| {
            let ignored = &layouts().ignored;
            (ignored.contains(&whole) || ignored.contains(&folded(&without_brackets(heading))))
                .then_some(Target::Ignore)
        })
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

/// The layouts of this build; a fault in the data file is a fault of the build.
pub(super) fn layouts() -> &'static Layouts {
    static LAYOUTS: OnceLock<Layouts> = OnceLock::new();
    LAYOUTS.get_or_init(|| {
        let file: file::File =
            toml::from_str(include_str!("layouts.toml")).expect("the layouts compiled into this program can be read");
        let ignored = file.words.ignore.iter().map(|word| folded(word)).collect();
        let all = file.layout.into_iter().map(compile).collect::<Result<_, _>>();
        Layouts { words: file.words, all: all.expect("the layouts name fields that exist"), ignored }
    })
}

/// The data file as it is written.
mod file {
    use super::{BTreeMap, Deserialize, HashMap, Words};

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    pub(super) struct File {
        pub(super) words: Words,
        pub(super) layout: Vec<Layout>,
    }

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    pub(super) struct Layout {
        pub(super) name: String,
        pub(super) identify: Vec<String>,
        pub(super) main: String,
        pub(super) labels: Option<String>,
        pub(super) headings: BTreeMap<String, Vec<String>>,
        #[serde(default)]
        pub(super) spill: BTreeMap<String, String>,
        pub(super) role: Vec<Role>,
    }

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    pub(super) struct Role {
        pub(super) name: String,
        pub(super) register: String,
        #[serde(default)]
        pub(super) required: bool,
        #[serde(default)]
        pub(super) must: Vec<String>,
        #[serde(default)]
        pub(super) needs: Vec<String>,
        pub(super) without: Option<String>,
        #[serde(default)]
        pub(super) when: Vec<When>,
        #[serde(default)]
        pub(super) links: BTreeMap<String, String>,
        #[serde(default)]
        pub(super) copy: Vec<Copied>,
        #[serde(default)]
        pub(super) dates: Vec<String>,
        pub(super) once_open: Option<String>,
        #[serde(default)]
        pub(super) constants: BTreeMap<String, String>,
        #[serde(default)]
        pub(super) imply: Vec<Imply>,
        #[serde(default)]
        pub(super) presumed: BTreeMap<String, String>,
        #[serde(default)]
        pub(super) any: Vec<String>,
    }

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    pub(super) struct When {
        pub(super) value: String,
        #[serde(default)]
        pub(super) is: Vec<String>,
    }

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    pub(super) struct Copied {
        pub(super) field: String,
        pub(super) of: String,
        #[serde(default)]
        pub(super) map: HashMap<String, String>,
    }

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    pub(super) struct Imply {
        pub(super) value: String,
        #[serde(default)]
        pub(super) is: Vec<String>,
        pub(super) set: BTreeMap<String, String>,
    }
}

/// A layout names something that does not exist.
#[derive(Debug)]
struct Unknown(#[allow(dead_code)] String);

/// The names of a layout's roles with their registers, to look targets up in.
struct Names(Vec<(String, &'static RegisterDef)>);

impl Names {
    fn role(&self, name: &str) -> Result<usize, Unknown> {
        self.0.iter().position(|(own, _)| own == name).ok_or_else(|| Unknown(name.to_owned()))
    }

    fn tag(&self, role: usize, field: &str) -> Result<u32, Unknown> {
        self.0[role].1.field_named(field).map(|field| field.tag).ok_or_else(|| Unknown(field.to_owned()))
    }

    fn tags(&self, role: usize, fields: &[String]) -> Result<Vec<u32>, Unknown> {
        fields.iter().map(|field| self.tag(role, field)).collect()
    }

    fn values(&self, role: usize, values: &BTreeMap<String, String>) -> Result<Vec<(u32, String)>, Unknown> {
        values.iter().map(|(field, value)| Ok((self.tag(role, field)?, value.clone()))).collect()
    }

    fn place(&self, target: &str) -> Result<Place, Unknown> {
        let (role, field) = target.split_once('.').ok_or_else(|| Unknown(target.to_owned()))?;
        let role = self.role(role)?;
        Ok((role, self.tag(role, field)?))
    }

    fn target(&self, target: &str) -> Result<Target, Unknown> {
        match target.split_once('.') {
            None if target == "unit" => Ok(Target::Unit),
            Some((role, "sex")) => Ok(Target::Sex { role: self.role(role)? }),
            Some((role, "birth")) => Ok(Target::Birth { role: self.role(role)? }),
            _ => self.place(target).map(|(role, tag)| Target::Field { role, tag }),
        }
    }
}

fn compile(file: file::Layout) -> Result<Layout, Unknown> {
    let named = |role: &file::Role| {
        let def = registers().named(&role.register).ok_or_else(|| Unknown(role.register.clone()))?;
        Ok((role.name.clone(), def))
    };
    let names = Names(file.role.iter().map(named).collect::<Result<_, Unknown>>()?);
    let mut headings = HashMap::new();
    if let Some(role) = &file.labels {
        let role = names.role(role)?;
        let fields = names.0[role].1.fields.iter();
        headings.extend(fields.map(|field| (folded(&field.zh), Target::Field { role, tag: field.tag })));
    }
    for (target, words) in &file.headings {
        let target = names.target(target)?;
        headings.extend(words.iter().map(|word| (folded(word), target)));
    }
    headings.retain(|_, target| !matches!(target, Target::Field { tag: taizhang_proto::register::IMPORT_NOTE, .. }));
    let spill = file.spill.iter().map(|(from, to)| Ok((names.place(from)?, names.place(to)?.1)));
    Ok(Layout {
        main: names.role(&file.main)?,
        identify: file.identify.iter().map(|target| names.target(target)).collect::<Result<_, _>>()?,
        spill: spill.collect::<Result<_, Unknown>>()?,
        roles: file
            .role
            .iter()
            .enumerate()
            .map(|(index, role)| compile_role(&names, index, role))
            .collect::<Result<_, _>>()?,
        name: file.name,
        headings,
    })
}

fn compile_role(names: &Names, index: usize, role: &file::Role) -> Result<Role, Unknown> {
    let when = |value: &str, is: &[String]| Ok::<_, Unknown>(When { place: names.place(value)?, is: is.to_vec() });
    let copied = |copy: &file::Copied| {
        Ok(Copied { tag: names.tag(index, &copy.field)?, of: names.place(&copy.of)?, map: copy.map.clone() })
    };
    let implied = |imply: &file::Imply| Ok((when(&imply.value, &imply.is)?, names.values(index, &imply.set)?));
    let link = |(field, to): (&String, &String)| Ok((names.tag(index, field)?, names.role(to)?));
    Ok(Role {
        register: names.0[index].1,
        required: role.required,
        must: names.tags(index, &role.must)?,
        needs: names.tags(index, &role.needs)?,
        without: role.without.clone(),
        when: role.when.iter().map(|one| when(&one.value, &one.is)).collect::<Result<_, _>>()?,
        links: role.links.iter().map(link).collect::<Result<_, Unknown>>()?,
        copy: role.copy.iter().map(copied).collect::<Result<_, Unknown>>()?,
        dates: names.tags(index, &role.dates)?,
        once_open: role.once_open.as_deref().map(|field| names.tag(index, field)).transpose()?,
        constants: names.values(index, &role.constants)?,
        imply: role.imply.iter().map(implied).collect::<Result<_, Unknown>>()?,
        presumed: names.values(index, &role.presumed)?,
        any: names.tags(index, &role.any)?,
    })
}
