//! A data file as it is written, and one laid over another: what a later file says of a heading holds, and what it adds
//! to a role is added. `layouts.toml` says what each key means.

use super::folded;
use serde::Deserialize;
use std::collections::{BTreeMap, HashMap, HashSet};

/// One file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    #[serde(default)]
    pub(super) words: Words,
    #[serde(default)]
    pub(super) layout: Vec<Layout>,
}

/// Words that forms use around their rows.
#[derive(Debug, Default, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::exchange) struct Words {
    pub(super) ignore: Vec<String>,
    pub(in crate::exchange) unit: Vec<String>,
    pub(in crate::exchange) date: Vec<String>,
    pub(in crate::exchange) total: Vec<String>,
    pub(in crate::exchange) footer: Vec<String>,
    pub(in crate::exchange) nobody: Vec<String>,
}

/// One layout of a file; all but its name may be left to the layout of that name in a file before.
#[derive(Deserialize, Clone, Default)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Layout {
    pub(super) name: String,
    pub(super) identify: Vec<String>,
    pub(super) main: Option<String>,
    pub(super) labels: Option<String>,
    pub(super) answers: Vec<String>,
    pub(super) either: BTreeMap<String, Vec<String>>,
    pub(super) headings: BTreeMap<String, Vec<String>>,
    pub(super) codes: BTreeMap<String, BTreeMap<String, String>>,
    pub(super) spill: BTreeMap<String, String>,
    pub(super) role: Vec<Role>,
}

/// One role of a layout; one of a name that there is adds to that.
#[derive(Deserialize, Clone, Default)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Role {
    pub(super) name: String,
    pub(super) register: Option<String>,
    pub(super) required: bool,
    pub(super) must: Vec<String>,
    pub(super) needs: Vec<String>,
    pub(super) without: Option<String>,
    pub(super) when: Vec<When>,
    pub(super) unless: Vec<When>,
    pub(super) new_when: Vec<When>,
    pub(super) links: BTreeMap<String, String>,
    pub(super) home_of: Option<String>,
    pub(super) copy: Vec<Copied>,
    pub(super) dates: Vec<String>,
    pub(super) once_open: Option<String>,
    pub(super) constants: BTreeMap<String, String>,
    pub(super) imply: Vec<Imply>,
    pub(super) presumed: BTreeMap<String, String>,
    pub(super) any: Vec<String>,
}

#[derive(Deserialize, Clone)]
#[serde(deny_unknown_fields)]
pub(super) struct When {
    pub(super) value: String,
    #[serde(default)]
    pub(super) is: Vec<String>,
}

#[derive(Deserialize, Clone)]
#[serde(deny_unknown_fields)]
pub(super) struct Copied {
    pub(super) field: String,
    pub(super) of: String,
    #[serde(default)]
    pub(super) map: HashMap<String, String>,
    pub(super) text: Option<String>,
}

#[derive(Deserialize, Clone)]
#[serde(deny_unknown_fields)]
pub(super) struct Imply {
    pub(super) value: String,
    #[serde(default)]
    pub(super) is: Vec<String>,
    pub(super) set: BTreeMap<String, String>,
}

impl Words {
    /// Adds the words of a later file.
    pub(super) fn add(&mut self, later: Self) {
        self.ignore.extend(later.ignore);
        self.unit.extend(later.unit);
        self.date.extend(later.date);
        self.total.extend(later.total);
        self.footer.extend(later.footer);
        self.nobody.extend(later.nobody);
    }
}

impl Layout {
    /// Lays a later file's layout of the same name over this one.
    pub(super) fn add(&mut self, later: Self) {
        let Self { name: _, identify, main, labels, answers, either, headings, codes, spill, role } = later;
        if !identify.is_empty() {
            self.identify = identify;
        }
        self.main = main.or_else(|| self.main.take());
        self.labels = labels.or_else(|| self.labels.take());
        self.answers.extend(answers);
        self.either.extend(either);
        let now: HashSet<String> = headings.values().flatten().map(|word| folded(word)).collect();
        for words in self.headings.values_mut() {
            words.retain(|word| !now.contains(&folded(word)));
        }
        for (target, words) in headings {
            self.headings.entry(target).or_default().extend(words);
        }
        for (target, map) in codes {
            self.codes.entry(target).or_default().extend(map);
        }
        self.spill.extend(spill);
        for later in role {
            match self.role.iter_mut().find(|own| own.name == later.name) {
                Some(own) => own.add(later),
                None => self.role.push(later),
            }
        }
    }
}

impl Role {
    fn add(&mut self, later: Self) {
        let Self { name: _, register, required, must, needs, without, when, unless, new_when, links, home_of, .. } =
            later;
        self.register = register.or_else(|| self.register.take());
        self.required |= required;
        self.must.extend(must);
        self.needs.extend(needs);
        self.without = without.or_else(|| self.without.take());
        self.when.extend(when);
        self.unless.extend(unless);
        self.new_when.extend(new_when);
        self.links.extend(links);
        self.home_of = home_of.or_else(|| self.home_of.take());
        self.copy.extend(later.copy);
        self.dates.extend(later.dates);
        self.once_open = later.once_open.or_else(|| self.once_open.take());
        self.constants.extend(later.constants);
        self.imply.extend(later.imply);
        self.presumed.extend(later.presumed);
        self.any.extend(later.any);
    }
}
