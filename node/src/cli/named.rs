//! Units by their names on a command line: `--unit 永安台` for `--unit 210402011000`.
//! Invariant: a name stands for a unit only where it is the only one in use that has it, or whose name begins so; a code is left as it
//! is written.

use std::{ffi::OsString, path::Path};
use taizhang_proto::{OrgCode, pb};

/// The flags that name a unit.
const FLAGS: [&str; 2] = ["--unit", "--to"];
/// The commands that are followed by units, each with the command that it is a part of.
const COMMANDS: [(&str, &str); 3] = [("decide", "revoke"), ("decide", "commend"), ("", "aside")];
/// Flags that no value follows.
const ALONE: [&str; 5] = ["--undo", "--yes", "--json", "--wide", "--names"];
/// Most units that are offered where a name fits several.
const OFFERED: usize = 8;

/// A program whose commands name units.
pub trait Units: clap::Parser {
    /// Its directory.
    fn dir(&self) -> &Path;

    /// Whether a program reads what it says.
    fn is_for_program(&self) -> bool;

    /// The units that a word fits, asked of what runs in a directory or of its data.
    ///
    /// # Errors
    /// When there is no tree of units.
    fn find(dir: &Path, word: String) -> impl Future<Output = anyhow::Result<pb::UnitsAnswer>>;
}

/// A unit by its name on a command line.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Named {
    flag: &'static str,
    /// Which argument.
    place: usize,
    /// What stands before the name in that argument: nothing, or the flag and its sign.
    before: String,
    name: String,
}

/// The command that is followed by units, where one stands at a place: a word of its own, and no value of a flag.
fn command_at(arguments: &[OsString], place: usize) -> Option<&'static str> {
    let word = |place: usize| arguments.get(place).and_then(|argument| argument.to_str());
    let is_flag = |place: usize| {
        word(place).is_some_and(|word| word.starts_with("--") && !ALONE.contains(&word) && !word.contains('='))
    };
    let mut before =
        (1..place).filter(|place| !word(*place).is_some_and(|word| word.starts_with('-')) && !is_flag(place - 1));
    let (first, second) = (before.next().and_then(word), before.next());
    let written = word(place)?;
    let fits =
        |(of, command): &(&str, &str)| *command == written && first.unwrap_or_default() == *of && second.is_none();
    COMMANDS
        .iter()
        .find(|command| fits(command))
        .map(|(_, command)| *command)
        .filter(|_| place > 0 && !is_flag(place - 1))
}

/// The words behind a command that name units: what is no flag, and no flag's value, and no code.
fn units_after(arguments: &[OsString], command: usize) -> impl Iterator<Item = (usize, String)> {
    let mut is_value = false;
    arguments.iter().enumerate().skip(command + 1).filter_map(move |(place, argument)| {
        let word = argument.to_str()?;
        let is_flag = word.starts_with('-');
        let of_flag = std::mem::replace(&mut is_value, is_flag && !ALONE.contains(&word) && !word.contains('='));
        (!is_flag && !of_flag && !word.is_ascii()).then(|| (place, word.to_owned()))
    })
}

/// The names on a command line. What has letters and digits of ASCII alone is a code, or wrong.
fn names(arguments: &[OsString]) -> Vec<Named> {
    let written = |place: usize| arguments.get(place).and_then(|argument| argument.to_str());
    let mut named = Vec::new();
    for place in 0..arguments.len() {
        if let Some(command) = command_at(arguments, place) {
            named.extend(units_after(arguments, place).map(|(place, name)| Named {
                flag: command,
                place,
                before: String::new(),
                name,
            }));
        }
        let of = FLAGS.iter().find_map(|flag| Some((*flag, written(place)?.strip_prefix(flag)?)));
        let (flag, place, before, name) = match of {
            Some((flag, "")) => (flag, place + 1, String::new(), written(place + 1)),
            Some((flag, rest)) => (flag, place, format!("{flag}="), rest.strip_prefix('=')),
            None => continue,
        };
        let name = name.filter(|name| !name.is_ascii() && !name.starts_with('-'));
        named.extend(name.map(|name| Named { flag, place, before, name: name.to_owned() }));
    }
    named
}

/// The one unit in use that a word names: wholly, or as no other's name begins.
fn the_one<'a>(word: &str, answer: &'a pb::UnitsAnswer) -> anyhow::Result<&'a pb::UnitLine> {
    let in_use: Vec<&pb::UnitLine> = answer.units.iter().filter(|unit| unit.given_up == 0).collect();
    let exact: Vec<&pb::UnitLine> = in_use.iter().filter(|unit| unit.name == word).copied().collect();
    match (&exact[..], &in_use[..]) {
        ([one], _) => Ok(one),
        ([], [one]) if one.name.starts_with(word) => Ok(one),
        ([], []) => anyhow::bail!("没有名为“{word}”的单位，见 units find (no unit of this name)"),
        ([], several) | (several, _) => {
            let offered =
                several.iter().take(OFFERED).map(|unit| format!("{} {}（{}）", unit.unit, unit.name, unit.within));
            let offered: Vec<String> = offered.collect();
            let more = if several.len() > OFFERED { "；……" } else { "" };
            anyhow::bail!(
                "名为“{word}”的单位有 {} 个，请写编码或全名 (write the code, or the whole name)：{}{more}",
                several.len(),
                offered.join("；")
            )
        }
    }
}

/// A code in place of a name, until it is known which unit is meant.
const ANY: &str = "210400000000";

/// The command line with codes for names; none where it names no unit by its name. One that is wrong in something else has any code: so
/// it is told what that is, and not that a name is no code.
///
/// # Errors
/// When a name fits no unit, or several.
pub(super) fn with_codes<C: Units>(arguments: &[OsString]) -> anyhow::Result<Option<Vec<OsString>>> {
    let all = names(arguments);
    if all.is_empty() {
        return Ok(None);
    }
    let written = |names: &[Named], codes: &[String]| {
        let mut written = arguments.to_vec();
        for (named, code) in names.iter().zip(codes) {
            written[named.place] = format!("{}{code}", named.before).into();
        }
        written
    };
    // What names a unit in one command is a day in another, and stays as it is written there.
    let units: Vec<Named> = all.iter().filter(|named| named.flag == FLAGS[0]).cloned().collect();
    let mut wrong = None;
    for names in [all, units] {
        let any = written(&names, &vec![ANY.to_owned(); names.len()]);
        match C::try_parse_from(&any) {
            Ok(command) => return Ok(Some(written(&names, &codes::<C>(&command, &names)?))),
            Err(error) if !error.to_string().contains(ANY) => wrong = wrong.or(Some(any)),
            Err(_) => {}
        }
    }
    Ok(wrong)
}

/// The codes of the units that are named. Whoever wrote a part of a name is told which unit was taken.
fn codes<C: Units>(command: &C, names: &[Named]) -> anyhow::Result<Vec<String>> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut codes = Vec::with_capacity(names.len());
        for Named { name, .. } in names {
            let found = C::find(command.dir(), name.clone()).await?;
            let unit = the_one(name, &found)?;
            if unit.name != *name && !command.is_for_program() {
                eprintln!("{name}：{} {}", unit.unit, unit.name);
            }
            codes.push(OrgCode::new(unit.unit)?.to_string());
        }
        Ok(codes)
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use clap::Parser;

    fn line(unit: u64, name: &str, given_up: i32) -> pb::UnitLine {
        pb::UnitLine { unit, name: name.into(), within: "新抚区".into(), given_up }
    }

    #[test]
    fn names_are_found_and_codes_left() {
        let written =
            ["x", "list", "--unit", "永安台", "--unit=210402011003", "--to=新抚区", "--to", "12", "--unit", "-x"];
        let found = names(&written.map(OsString::from));
        let named =
            |flag, place, before: &str, name: &str| Named { flag, place, before: before.into(), name: name.into() };
        assert_eq!(found, [named("--unit", 3, "", "永安台"), named("--to", 5, "--to=", "新抚区")]);
        assert_eq!(names(&["x", "--unit"].map(OsString::from)), []);
        // Behind a command that is followed by units, whatever flags stand between; and behind no other word.
        let of = |words: &[&str]| names(&words.iter().map(OsString::from).collect::<Vec<_>>());
        let revoke = ["x", "--dir", "city", "decide", "revoke", "友谊社区", "--reason", "到期", "--by", "王"];
        assert_eq!(of(&revoke), [named("revoke", 5, "", "友谊社区")]);
        let commend = ["x", "decide", "commend", "友谊社区", "210402011003", "永宁社区", "--by", "王"];
        assert_eq!(of(&commend), [named("commend", 3, "", "友谊社区"), named("commend", 5, "", "永宁社区")]);
        assert_eq!(of(&["x", "aside", "--by", "张三", "新抚区"]), [named("aside", 4, "", "新抚区")]);
        assert_eq!(of(&["x", "aside", "--undo", "新抚区"]), [named("aside", 3, "", "新抚区")]);
        for other in
            [&["x", "search", "aside", "张三"][..], &["x", "--dir", "aside", "list", "居民"], &["x", "revoke", "张"]]
        {
            assert_eq!(of(other), [], "{other:?}");
        }
    }

    /// A program with a flag for a unit and one for a number.
    #[derive(Debug, clap::Parser)]
    struct Program {
        #[arg(long)]
        unit: Option<OrgCode>,
        #[arg(long)]
        to: Option<u32>,
        #[arg(long, default_value = "data")]
        dir: std::path::PathBuf,
    }

    impl Units for Program {
        fn dir(&self) -> &Path {
            &self.dir
        }

        fn is_for_program(&self) -> bool {
            true
        }

        async fn find(_: &Path, word: String) -> anyhow::Result<pb::UnitsAnswer> {
            let units = if word == "永安台" { vec![line(210_402_011_000, "永安台", 0)] } else { Vec::new() };
            Ok(pb::UnitsAnswer { units })
        }
    }

    #[test]
    fn what_else_is_wrong_is_told_and_not_the_name() {
        let written = |written: &[&str]| -> Vec<OsString> { written.iter().map(OsString::from).collect() };
        let told = |asked: &[&str]| {
            let with_codes = with_codes::<Program>(&written(asked)).unwrap().unwrap_or_else(|| written(asked));
            Program::try_parse_from(with_codes).map(|program| program.unit).map_err(|wrong| wrong.to_string())
        };
        assert_eq!(told(&["x", "--unit", "永安台"]).unwrap().map(OrgCode::number), Some(210_402_011_000));
        assert!(with_codes::<Program>(&written(&["x", "--unit", "没有"])).is_err());
        let wrong = told(&["x", "--unit", "永安台", "--to", "x"]).unwrap_err();
        assert!(wrong.contains("'x' for '--to"), "{wrong}");
        let wrong = told(&["x", "--unit=永安台", "--jsn"]).unwrap_err();
        assert!(wrong.contains("--jsn"), "{wrong}");
        assert_eq!(told(&["x", "--unit", "永安台", "--to", "12"]).unwrap().map(OrgCode::number), Some(210_402_011_000));
        let wrong = told(&["x", "--to", "明天"]).unwrap_err();
        assert!(wrong.contains("明天"), "{wrong}");
    }

    #[test]
    fn a_name_stands_for_the_only_unit_that_has_it() {
        let street = line(210_402_011_000, "永安台街道", 0);
        let community = line(210_402_011_003, "永安台社区", 0);
        let former = line(210_402_011_001, "永安台街道", 14_000);
        let one = |word: &str, units: &[&pb::UnitLine]| {
            let units = units.iter().map(|unit| (*unit).clone()).collect();
            the_one(word, &pb::UnitsAnswer { units }).map(|unit| unit.unit)
        };
        assert_eq!(one("永安台街道", &[&street, &community, &former]).unwrap(), street.unit);
        assert_eq!(one("永安", &[&street, &former]).unwrap(), street.unit);
        let several = one("永安台", &[&street, &community]).unwrap_err().to_string();
        assert!(several.contains("210402011000") && several.contains("210402011003"), "{several}");
        assert!(one("永安台", &[&former]).is_err());
        assert!(one("台街", &[&street]).is_err(), "a part from the middle is offered, not taken");
    }
}
