//! A layout as written into one whose every name has been looked up. What names nothing is told with its place.

use super::{Copied, Layout, Place, Role, Target, When, file, folded};
use std::collections::{BTreeMap, HashMap};
use taizhang_proto::register::{IMPORT_NOTE, RegisterDef, Value, registers};

/// What is wrong with a layout, and where in it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fault {
    /// Section and key.
    pub(super) place: String,
    /// What would be right.
    pub(super) why: String,
}

fn fault<T>(place: &str, why: impl Into<String>) -> Result<T, Fault> {
    Err(Fault { place: place.to_owned(), why: why.into() })
}

/// The names of a layout's roles with their registers, to look targets up in.
struct Names(Vec<(String, &'static RegisterDef)>);

impl Names {
    fn role(&self, at: &str, name: &str) -> Result<usize, Fault> {
        let found = self.0.iter().position(|(own, _)| own == name);
        found.map_or_else(|| fault(at, format!("没有角色 {name} (no such role)")), Ok)
    }

    fn tag(&self, at: &str, role: usize, field: &str) -> Result<u32, Fault> {
        let def = self.0[role].1;
        let found = def.field_named(field).map(|field| field.tag);
        found.map_or_else(|| fault(at, format!("{}没有栏目 {field} (no such field)", def.zh)), Ok)
    }

    fn tags(&self, at: &str, role: usize, fields: &[String]) -> Result<Vec<u32>, Fault> {
        fields.iter().map(|field| self.tag(at, role, field)).collect()
    }

    /// Values that the layout writes itself: what the field does not take is a fault of the file.
    fn values(&self, at: &str, role: usize, values: &BTreeMap<String, String>) -> Result<Vec<(u32, String)>, Fault> {
        let value = |(name, written): (&String, &String)| {
            let tag = self.tag(at, role, name)?;
            let field = self.0[role].1.field(tag);
            match field.map(|field| Value::parse(field, written)) {
                Some(Ok((_, None))) => Ok((tag, written.clone())),
                Some(Err(error)) => fault(at, format!("{name}：{}", error.why)),
                _ => fault(at, format!("{name}：代码表中没有此值 (not in the code list)")),
            }
        };
        values.iter().map(value).collect()
    }

    fn place(&self, at: &str, target: &str) -> Result<Place, Fault> {
        let Some((role, field)) = target.split_once('.') else {
            return fault(at, format!("{target} 应写成 角色.栏目 (write role.field)"));
        };
        let role = self.role(at, role)?;
        Ok((role, self.tag(at, role, field)?))
    }

    fn target(&self, at: &str, target: &str) -> Result<Target, Fault> {
        if let Some((place, code)) = target.split_once('=') {
            let (role, tag) = self.place(at, place)?;
            let list = self.0[role].1.field(tag).and_then(|field| field.codes);
            let known = list.and_then(|list| list.codes.get_key_value(code));
            return match known {
                Some((code, _)) => Ok(Target::Code { role, tag, code }),
                None => fault(at, format!("{target}：代码表中没有此代码 (not in the code list)")),
            };
        }
        match target.split_once('.') {
            None if target == "unit" => Ok(Target::Unit),
            Some((role, "sex")) => Ok(Target::Sex { role: self.role(at, role)? }),
            Some((role, "birth")) => Ok(Target::Birth { role: self.role(at, role)? }),
            _ => self.place(at, target).map(|(role, tag)| Target::Field { role, tag }),
        }
    }

    fn whens(&self, at: &str, all: &[file::When]) -> Result<Vec<When>, Fault> {
        all.iter().map(|one| Ok(When { place: self.place(at, &one.value)?, is: one.is.clone() })).collect()
    }
}

/// Looks up every name of a layout.
pub(super) fn layout(file: &file::Layout) -> Result<Layout, Fault> {
    let named = |role: &file::Role| {
        let Some(register) = &role.register else {
            return fault(&format!("role {}", role.name), "没有写登记表 register (names no register)");
        };
        match registers().named(register) {
            Some(def) => Ok((role.name.clone(), def)),
            None => fault(&format!("role {}", role.name), format!("没有登记表 {register} (no such register)")),
        }
    };
    let names = Names(file.role.iter().map(named).collect::<Result<_, _>>()?);
    let Some(main) = &file.main else { return fault("main", "没有写主角色 (names no main role)") };
    if file.identify.is_empty() {
        return fault("identify", "没有写识别栏目 (names nothing to know such a sheet by)");
    }
    let mut codes = HashMap::new();
    for (target, map) in &file.codes {
        let at = format!("codes.\"{target}\"");
        let (role, tag) = names.place(&at, target)?;
        let list = names.0[role].1.field(tag).and_then(|field| field.codes);
        if let Some(wrong) = map.values().find(|code| !list.is_some_and(|list| list.codes.contains_key(*code))) {
            return fault(&at, format!("代码表中没有 {wrong} (not in the code list)"));
        }
        codes.insert((role, tag), map.clone().into_iter().collect());
    }
    Ok(Layout {
        main: names.role("main", main)?,
        identify: file.identify.iter().map(|target| names.target("identify", target)).collect::<Result<_, _>>()?,
        spill: file.spill.iter().map(|pair| spill(&names, pair)).collect::<Result<_, _>>()?,
        roles: file.role.iter().enumerate().map(|(index, own)| role(&names, index, own)).collect::<Result<_, _>>()?,
        headings: headings(&names, file)?,
        others: others(&names, file)?,
        answers: file.answers.iter().map(|target| names.place("answers", target)).collect::<Result<_, _>>()?,
        exact: false,
        name: file.name.clone(),
        codes,
    })
}

fn headings(names: &Names, file: &file::Layout) -> Result<HashMap<String, Target>, Fault> {
    let mut labelled = HashMap::new();
    if let Some(role) = &file.labels {
        let role = names.role("labels", role)?;
        let fields = names.0[role].1.fields.iter();
        labelled.extend(fields.map(|field| (folded(&field.zh), Target::Field { role, tag: field.tag })));
    }
    let mut headings = HashMap::new();
    for (name, words) in &file.headings {
        let at = format!("headings.\"{name}\"");
        let target = names.target(&at, name)?;
        for word in words {
            let key = folded(word);
            if key.is_empty() {
                return fault(&at, "有空的栏目名 (an empty heading)");
            }
            if headings.insert(key, target).is_some_and(|other| other != target) {
                return fault(&at, format!("栏目“{word}”还写在别处 (the heading is given elsewhere, too)"));
            }
        }
    }
    labelled.extend(headings);
    // What an import could not take is kept beside the record; it does not come back as a column.
    labelled.retain(|_, target| !matches!(target, Target::Field { tag: IMPORT_NOTE, .. }));
    Ok(labelled)
}

fn others(names: &Names, file: &file::Layout) -> Result<HashMap<String, Vec<Target>>, Fault> {
    let coded = |at: &str, target: &String| {
        let place = names.place(at, target)?;
        let codes = names.0[place.0].1.field(place.1).and_then(|field| field.codes);
        match codes {
            Some(_) => Ok(Target::Field { role: place.0, tag: place.1 }),
            None => fault(at, format!("{target} 没有代码表 (has no code list)")),
        }
    };
    let one = |(heading, targets): (&String, &Vec<String>)| {
        let at = format!("either.\"{heading}\"");
        let targets = targets.iter().map(|target| coded(&at, target)).collect::<Result<_, _>>()?;
        Ok((folded(heading), targets))
    };
    file.either.iter().map(one).collect()
}

fn spill(names: &Names, (from, to): (&String, &String)) -> Result<(Place, u32), Fault> {
    let at = format!("spill.\"{from}\"");
    let (place, to) = (names.place(&at, from)?, names.place(&at, to)?);
    if place.0 != to.0 {
        return fault(&at, "两个栏目应属同一角色 (both must be of one role)");
    }
    Ok((place, to.1))
}

fn role(names: &Names, index: usize, role: &file::Role) -> Result<Role, Fault> {
    let at = format!("role {}", role.name);
    let earlier = |name: &String| match names.role(&at, name)? {
        before if before < index => Ok(before),
        _ => fault(&at, format!("角色 {name} 应写在前面 (must come before it)")),
    };
    let copied = |copy: &file::Copied| {
        Ok(Copied {
            tag: names.tag(&at, index, &copy.field)?,
            of: names.place(&at, &copy.of)?,
            map: copy.map.clone(),
            text: copy.text.clone(),
        })
    };
    let implied = |imply: &file::Imply| {
        let when = When { place: names.place(&at, &imply.value)?, is: imply.is.clone() };
        Ok((when, names.values(&at, index, &imply.set)?))
    };
    let link = |(field, to): (&String, &String)| Ok((names.tag(&at, index, field)?, earlier(to)?));
    Ok(Role {
        register: names.0[index].1,
        required: role.required,
        must: names.tags(&at, index, &role.must)?,
        needs: names.tags(&at, index, &role.needs)?,
        without: role.without.clone(),
        when: names.whens(&at, &role.when)?,
        unless: names.whens(&at, &role.unless)?,
        new_when: names.whens(&at, &role.new_when)?,
        links: role.links.iter().map(link).collect::<Result<_, Fault>>()?,
        home_of: role.home_of.as_ref().map(earlier).transpose()?,
        copy: role.copy.iter().map(copied).collect::<Result<_, Fault>>()?,
        dates: names.tags(&at, index, &role.dates)?,
        once_open: role.once_open.as_deref().map(|field| names.tag(&at, index, field)).transpose()?,
        constants: names.values(&at, index, &role.constants)?,
        imply: role.imply.iter().map(implied).collect::<Result<_, Fault>>()?,
        presumed: names.values(&at, index, &role.presumed)?,
        any: names.tags(&at, index, &role.any)?,
    })
}

/// What a target is called: register and field as people read them.
pub(super) fn described(layout: &Layout, target: Target) -> String {
    let label = |(role, tag): Place| {
        let def = layout.roles[role].register;
        let field = def.field(tag).map_or("", |field| field.zh.as_str());
        format!("{}.{field}", def.zh)
    };
    match target {
        Target::Field { role, tag } => label((role, tag)),
        Target::Code { role, tag, code } => {
            let list = layout.field((role, tag)).and_then(|field| field.codes);
            format!("{}={}", label((role, tag)), list.and_then(|list| list.meaning(code)).unwrap_or(code))
        }
        Target::Unit => "归属单位".to_owned(),
        Target::Sex { role } => format!("{}.性别（核对）", layout.roles[role].register.zh),
        Target::Birth { role } => format!("{}.出生日期（核对）", layout.roles[role].register.zh),
        Target::Record | Target::RefName { .. } | Target::RefNumber { .. } | Target::RefId { .. } => {
            "记录编号".to_owned()
        }
        Target::Ignore => "不导入".to_owned(),
    }
}
