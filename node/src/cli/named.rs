//! Units by their names on a command line: `--unit 永安台` for `--unit 210402011000`.
//! Invariant: a name stands for a unit only where it is the only one in use that has it; a code is left as it is written.

use std::{ffi::OsString, path::Path};
use taizhang_proto::{OrgCode, pb};

/// The flags that name a unit.
const FLAGS: [&str; 2] = ["--unit", "--to"];
/// Most units that are offered where a name fits several.
const OFFERED: usize = 8;

/// A program whose commands name units.
pub trait Units: clap::Parser {
    /// Its directory.
    fn dir(&self) -> &Path;

    /// The units that a word fits, asked of what runs in a directory or of its data.
    ///
    /// # Errors
    /// When there is no tree of units.
    fn find(dir: &Path, word: String) -> impl Future<Output = anyhow::Result<pb::UnitsAnswer>>;
}

/// A unit by its name on a command line.
#[derive(Debug, PartialEq, Eq)]
struct Named {
    /// Which argument.
    place: usize,
    /// What stands before the name in that argument: nothing, or the flag and its sign.
    before: String,
    name: String,
}

/// The names on a command line. What has letters and digits of ASCII alone is a code, or wrong.
fn names(arguments: &[OsString]) -> Vec<Named> {
    let written = |place: usize| arguments.get(place).and_then(|argument| argument.to_str());
    let mut named = Vec::new();
    for place in 0..arguments.len() {
        let flag = FLAGS.iter().find_map(|flag| Some((*flag, written(place)?.strip_prefix(flag)?)));
        let (place, before, name) = match flag {
            Some((_, "")) => (place + 1, String::new(), written(place + 1)),
            Some((flag, rest)) => (place, format!("{flag}="), rest.strip_prefix('=')),
            None => continue,
        };
        let name = name.filter(|name| !name.is_ascii() && !name.starts_with('-'));
        named.extend(name.map(|name| Named { place, before, name: name.to_owned() }));
    }
    named
}

/// The one unit in use that a word names.
fn the_one(word: &str, answer: &pb::UnitsAnswer) -> anyhow::Result<OrgCode> {
    let in_use: Vec<&pb::UnitLine> = answer.units.iter().filter(|unit| unit.given_up == 0).collect();
    let exact: Vec<&pb::UnitLine> = in_use.iter().filter(|unit| unit.name == word).copied().collect();
    match (&exact[..], &in_use[..]) {
        ([one], _) | ([], [one]) => Ok(OrgCode::new(one.unit)?),
        ([], []) => anyhow::bail!("没有名为“{word}”的单位，见 units find (no unit of this name)"),
        ([], several) | (several, _) => {
            let offered =
                several.iter().take(OFFERED).map(|unit| format!("{} {}（{}）", unit.unit, unit.name, unit.within));
            let offered: Vec<String> = offered.collect();
            anyhow::bail!(
                "名为“{word}”的单位有 {} 个，请写编码 (several units: write the code)：{}",
                several.len(),
                offered.join("；")
            )
        }
    }
}

/// The command line with codes for names; none where it names no unit by its name, or is wrong in something else.
///
/// # Errors
/// When a name fits no unit, or several.
pub(super) fn with_codes<C: Units>(arguments: &[OsString]) -> anyhow::Result<Option<Vec<OsString>>> {
    let names = names(arguments);
    if names.is_empty() {
        return Ok(None);
    }
    let written = |codes: &[String]| {
        let mut written = arguments.to_vec();
        for (named, code) in names.iter().zip(codes) {
            written[named.place] = format!("{}{code}", named.before).into();
        }
        written
    };
    // What else is wrong is clap's to say; any code shows which directory is meant.
    let any = vec!["210400000000".to_owned(); names.len()];
    let Ok(command) = C::try_parse_from(written(&any)) else { return Ok(None) };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let codes = runtime.block_on(async {
        let mut codes = Vec::with_capacity(names.len());
        for Named { name, .. } in &names {
            codes.push(the_one(name, &C::find(command.dir(), name.clone()).await?)?.to_string());
        }
        anyhow::Ok(codes)
    })?;
    Ok(Some(written(&codes)))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn line(unit: u64, name: &str, given_up: i32) -> pb::UnitLine {
        pb::UnitLine { unit, name: name.into(), within: "新抚区".into(), given_up }
    }

    #[test]
    fn names_are_found_and_codes_left() {
        let written =
            ["x", "list", "--unit", "永安台", "--unit=210402011003", "--to=新抚区", "--to", "12", "--unit", "-x"];
        let found = names(&written.map(OsString::from));
        let named = |place, before: &str, name: &str| Named { place, before: before.into(), name: name.into() };
        assert_eq!(found, [named(3, "", "永安台"), named(5, "--to=", "新抚区")]);
        assert_eq!(names(&["x", "--unit"].map(OsString::from)), []);
    }

    #[test]
    fn a_name_stands_for_the_only_unit_that_has_it() {
        let street = line(210_402_011_000, "永安台街道", 0);
        let community = line(210_402_011_003, "永安台社区", 0);
        let former = line(210_402_011_001, "永安台街道", 14_000);
        let one = |word: &str, units: &[&pb::UnitLine]| {
            let units = units.iter().map(|unit| (*unit).clone()).collect();
            the_one(word, &pb::UnitsAnswer { units }).map(OrgCode::number)
        };
        assert_eq!(one("永安台街道", &[&street, &community, &former]).unwrap(), street.unit);
        assert_eq!(one("永安", &[&street, &former]).unwrap(), street.unit);
        let several = one("永安台", &[&street, &community]).unwrap_err().to_string();
        assert!(several.contains("210402011000") && several.contains("210402011003"), "{several}");
        assert!(one("永安台", &[&former]).is_err());
    }
}
