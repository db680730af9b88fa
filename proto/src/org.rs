//! Org codes and the tree of units. A unit's scope is a prefix of its code, so a scope is one number range.
//! Codes are those of the national statistics bureau: 2 + 2 + 2 + 3 + 3 digits (GB/T 2260, GB/T 10114).

mod handed;

use crate::{
    date::{self, Day},
    pb::Tier,
};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fmt, str::FromStr};

/// A 12-digit org code such as 210402011003. In a configuration it may be a number or a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "Written")]
pub struct OrgCode(u64);

/// A code as somebody wrote it.
#[derive(Deserialize)]
#[serde(untagged)]
enum Written {
    Number(u64),
    Text(String),
}

impl TryFrom<Written> for OrgCode {
    type Error = OrgCodeError;

    fn try_from(written: Written) -> Result<Self, OrgCodeError> {
        match written {
            Written::Number(number) => Self::new(number),
            Written::Text(text) => text.parse(),
        }
    }
}

/// Why a text or number is no org code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0} 不是12位单位编码，请按单位名单填写，如 210402011003 (not a 12-digit unit code)")]
pub struct OrgCodeError(String);

/// Size of the number range below each level, top level first: province, city, district, township, community.
const SPANS: [u64; 5] = [10_000_000_000, 100_000_000, 1_000_000, 1_000, 1];

impl OrgCode {
    /// The code with this number.
    ///
    /// # Errors
    /// When the number has not exactly 12 digits.
    pub fn new(number: u64) -> Result<Self, OrgCodeError> {
        if (100_000_000_000..1_000_000_000_000).contains(&number) {
            Ok(Self(number))
        } else {
            Err(OrgCodeError(number.to_string()))
        }
    }

    /// The code as a number.
    pub fn number(self) -> u64 {
        self.0
    }

    /// How many codes, this one included, lie in its scope.
    pub fn span(self) -> u64 {
        SPANS.into_iter().find(|span| self.0.is_multiple_of(*span)).unwrap_or(1)
    }

    /// Whether `other` is this unit or below it.
    pub fn covers(self, other: OrgCode) -> bool {
        other.0 >= self.0 && other.0 - self.0 < self.span()
    }

    /// The last code of the scope, inclusive.
    pub fn last(self) -> u64 {
        self.0 + self.span() - 1
    }

    /// The unit one level up, none above a province.
    pub fn parent(self) -> Option<Self> {
        let own = self.span();
        let up = SPANS.into_iter().rev().find(|span| *span > own)?;
        Some(Self(self.0 - self.0 % up))
    }

    /// This unit and its ancestors, itself first, up to and including `top` (nothing beyond it).
    pub fn up_to(self, top: OrgCode) -> impl Iterator<Item = OrgCode> {
        std::iter::successors(Some(self), |unit| unit.parent()).take_while(move |unit| top.covers(*unit))
    }

    /// The tier that the code's level stands for.
    pub fn tier(self) -> Tier {
        match self.span() {
            1 => Tier::Community,
            1_000 => Tier::Township,
            1_000_000 => Tier::District,
            _ => Tier::City,
        }
    }

    /// Whether this is an urban community: residents' committees are numbered 001 to 199, villages 200 to 399.
    pub fn is_urban_community(self) -> bool {
        (1..200).contains(&(self.0 % 1_000))
    }

    /// Whether this is a village: numbered from 200 on within its township.
    pub fn is_village(self) -> bool {
        self.0 % 1_000 >= 200
    }

    /// Whether this is a street.
    pub fn is_street(self) -> bool {
        self.tier() == Tier::Township && !self.is_rural_township()
    }

    /// Whether this is a rural township: streets are numbered below 100, towns and townships from 100 on.
    pub fn is_rural_township(self) -> bool {
        self.tier() == Tier::Township && self.0 / 1_000 % 1_000 >= 100
    }
}

impl fmt::Display for OrgCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:012}", self.0)
    }
}

impl FromStr for OrgCode {
    type Err = OrgCodeError;

    fn from_str(text: &str) -> Result<Self, OrgCodeError> {
        let number = text.trim().parse().map_err(|_| OrgCodeError(text.to_owned()))?;
        Self::new(number).map_err(|_| OrgCodeError(text.to_owned()))
    }
}

/// One unit of the tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unit {
    /// Its code.
    pub code: OrgCode,
    /// Its name, Chinese.
    pub name: String,
}

/// What a code stands for since a day: its unit was merged into another, or got another code with another parent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Alias {
    /// The code that the unit has now.
    pub becomes: OrgCode,
    /// First day on which it does.
    pub since: Day,
}

/// The tree of units: which codes exist, what they are called, and which are only other names of later ones.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct UnitTree {
    units: BTreeMap<OrgCode, Unit>,
    aliases: BTreeMap<OrgCode, Alias>,
    /// First days on which codes were no longer what they became beyond this part of the tree.
    ended: BTreeMap<OrgCode, Day>,
    /// First days of codes that there were not always.
    founded: BTreeMap<OrgCode, Day>,
}

/// Longest chain of codes that is followed.
const MAX_ALIASES: usize = 8;

/// Why a file is no tree of units.
#[derive(Debug, thiserror::Error)]
pub enum TreeError {
    /// A line that can't be read.
    #[error(
        "单位名单第{line}行：{why}；每行为 编码,名称,上级编码,层级 (tree of units: each line is code,name,parent,tier)"
    )]
    Line {
        /// 1-based line number.
        line: usize,
        /// What is wrong.
        why: String,
    },
    /// Nothing in it.
    #[error("单位名单是空的 (the tree of units is empty)")]
    Empty,
    /// Not the hub's own.
    #[error("单位名单中没有本级单位 {0}，请核对文件或 --unit (the tree of units does not have the hub's own unit)")]
    Without(OrgCode),
}

impl UnitTree {
    /// Reads `code,name,parent,tier,becomes,since,founded` lines with a heading, UTF-8. `becomes` and `since` are there for
    /// a code that was given up: the code that the unit has since that day; `since` alone says that it is nothing below
    /// this hub any more. `founded` is the first day of a code that there was not always.
    ///
    /// # Errors
    /// Names the first line that is wrong.
    pub fn from_csv(text: &str) -> Result<Self, TreeError> {
        let mut units = BTreeMap::new();
        let (mut aliases, mut ended, mut founded) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        for (index, line) in text.lines().enumerate().skip(1).filter(|(_, line)| !line.trim().is_empty()) {
            let wrong = |why: String| TreeError::Line { line: index + 1, why };
            let mut cells = line.split(',');
            let code: OrgCode =
                cells.next().unwrap_or_default().parse().map_err(|error: OrgCodeError| wrong(error.to_string()))?;
            let name = cells.next().map(str::trim).filter(|name| !name.is_empty());
            let name = name.ok_or_else(|| wrong("没有名称 (no name)".into()))?.to_owned();
            units.insert(code, Unit { code, name });
            let becomes = cells.nth(2).map(str::trim).filter(|becomes| !becomes.is_empty());
            let mut day = |what: &str| -> Result<Option<Day>, TreeError> {
                let Some(text) = cells.next().map(str::trim).filter(|text| !text.is_empty()) else { return Ok(None) };
                let day = text.parse::<jiff::civil::Date>();
                day.map(|day| Some(date::day(day)))
                    .map_err(|_| wrong(format!("{what}：不是 2008-03-20 这样的日期 (no day)")))
            };
            let (since, first) = (day("since")?, day("founded")?);
            founded.extend(first.map(|day| (code, day)));
            match (becomes, since) {
                (Some(becomes), Some(since)) => {
                    let becomes: OrgCode = becomes.parse().map_err(|error: OrgCodeError| wrong(error.to_string()))?;
                    aliases.insert(code, Alias { becomes, since });
                }
                (Some(_), None) => {
                    return Err(wrong(
                        "没有写明自哪一天起改为另一编码，如 2008-03-20 (no day since when it is another code)".into(),
                    ));
                }
                (None, Some(since)) => drop(ended.insert(code, since)),
                (None, None) => {}
            }
        }
        let known = |alias: &Alias| units.contains_key(&alias.becomes);
        if let Some((code, _)) = aliases.iter().find(|(_, alias)| !known(alias)) {
            return Err(TreeError::Line {
                line: 0,
                why: format!("{code} 改成的编码不在名单中 (it becomes a code that the file does not name)"),
            });
        }
        if units.is_empty() { Err(TreeError::Empty) } else { Ok(Self { units, aliases, ended, founded }) }
    }

    /// The part of the tree at and below `scope`, as the file format of [`UnitTree::from_csv`].
    pub fn to_csv(&self, scope: OrgCode) -> String {
        self.written(scope, |_| false)
    }

    /// The same as a child at `scope` is told it by the hub of `hub`: with the names of those that it deals with, which are the units
    /// of its district, and the districts. They are as they are now: of what becomes of them beyond its scope it has to know nothing.
    pub fn told_to(&self, scope: OrgCode, hub: OrgCode) -> String {
        let is_near = |unit: OrgCode| hub.tier() == Tier::District && hub.covers(unit);
        self.written(scope, |unit| unit.tier() >= Tier::District || is_near(unit))
    }

    fn written(&self, scope: OrgCode, also: impl Fn(OrgCode) -> bool) -> String {
        let mut text = String::from("code,name,parent,tier,becomes,since,founded\n");
        let inside = |unit: &&Unit| {
            let becomes = self.aliases.get(&unit.code).map(|alias| alias.becomes);
            scope.covers(unit.code) || becomes.is_some_and(|becomes| scope.covers(becomes))
        };
        let beside = |unit: &Unit| also(unit.code) && self.given_up_on(unit.code).is_none();
        let mut named: Vec<&Unit> = self.units.values().filter(|unit| inside(unit) || beside(unit)).collect();
        // A code of the scope that became one beyond it is nothing that the scope can follow: it ends.
        let followed = |code: &OrgCode| self.aliases.get(code).filter(|alias| scope.covers(alias.becomes));
        named.sort_by_key(|unit| unit.code);
        for unit in named {
            let parent = unit.code.parent().map(|parent| parent.to_string()).unwrap_or_default();
            let tier = unit.code.tier().as_str_name().to_lowercase();
            text.extend([unit.code.to_string().as_str(), ",", &unit.name, ",", &parent, ",", &tier]);
            let founded = self.founded.get(&unit.code).filter(|_| inside(&unit)).map(|day| date::iso(*day));
            let ended = self.given_up_on(unit.code).map(date::iso);
            if ended.is_some() || founded.is_some() {
                let becomes = followed(&unit.code).map(|alias| alias.becomes.to_string()).unwrap_or_default();
                text.extend([",", &becomes, ",", &ended.unwrap_or_default(), ",", &founded.unwrap_or_default()]);
            }
            text.push('\n');
        }
        text
    }

    /// The code that a code stands for on a day.
    pub fn current(&self, code: OrgCode, on: Day) -> OrgCode {
        let mut code = code;
        for _ in 0..MAX_ALIASES {
            match self.aliases.get(&code).filter(|alias| alias.since <= on) {
                Some(alias) => code = alias.becomes,
                None => break,
            }
        }
        code
    }

    /// The codes that were given up or will be, each with what it becomes.
    pub fn aliases(&self) -> impl Iterator<Item = (OrgCode, Alias)> {
        self.aliases.iter().map(|(code, alias)| (*code, *alias))
    }

    /// First day on which a code is no unit of its own; none for one that stays.
    pub fn given_up_on(&self, code: OrgCode) -> Option<Day> {
        self.aliases.get(&code).map(|alias| alias.since).or_else(|| self.ended.get(&code).copied())
    }

    /// First day of a code that there was not always.
    pub fn founded_on(&self, code: OrgCode) -> Option<Day> {
        self.founded.get(&code).copied()
    }

    /// The name of a unit; its code where the tree does not know it.
    pub fn name(&self, code: OrgCode) -> String {
        self.units.get(&code).map_or_else(|| code.to_string(), |unit| unit.name.clone())
    }

    /// Whether the unit exists.
    pub fn contains(&self, code: OrgCode) -> bool {
        self.units.contains_key(&code)
    }

    /// How many units there are.
    pub fn len(&self) -> usize {
        self.units.len()
    }

    /// Whether no tree has been loaded.
    pub fn is_empty(&self) -> bool {
        self.units.is_empty()
    }

    /// All units at and below `scope`, in code order.
    pub fn below(&self, scope: OrgCode) -> impl Iterator<Item = &Unit> {
        self.units.range(scope..=OrgCode(scope.last())).map(|(_, unit)| unit)
    }

    /// The direct children of a unit, in code order.
    pub fn children(&self, parent: OrgCode) -> impl Iterator<Item = &Unit> {
        self.below(parent).filter(move |unit| unit.code.parent() == Some(parent))
    }

    /// The unit in `scope` that an office means by `name`: exact, or without its kind ('社区居委会').
    pub fn by_name(&self, scope: OrgCode, name: &str) -> Option<OrgCode> {
        let wanted = short_name(name);
        let mut hits = self.below(scope).filter(|unit| unit.name == name || short_name(&unit.name) == wanted);
        let hit = hits.next()?;
        // Two units of one short name: only the full name decides.
        match hits.next() {
            None => Some(hit.code),
            Some(_) => self.below(scope).find(|unit| unit.name == name).map(|unit| unit.code),
        }
    }
}

/// A unit's name without the words for its kind.
fn short_name(name: &str) -> &str {
    const KINDS: [&str; 8] =
        ["社区居民委员会", "社区居委会", "社区", "居民委员会", "居委会", "村民委员会", "村委会", "村"];
    let name = name.trim();
    KINDS.iter().find_map(|kind| name.strip_suffix(kind)).unwrap_or(name)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_is_the_prefix_of_the_code() {
        let street: OrgCode = "210402011000".parse().unwrap();
        let community: OrgCode = "210402011003".parse().unwrap();
        let district: OrgCode = "210402000000".parse().unwrap();
        let city: OrgCode = "210400000000".parse().unwrap();
        assert!(street.covers(community) && district.covers(street) && city.covers(district));
        assert!(!community.covers(street) && !street.covers("210402012003".parse().unwrap()));
        let up: Vec<_> = community.up_to(city).collect();
        assert_eq!(up, [community, street, district, city]);
        assert_eq!(community.tier(), Tier::Community);
        assert_eq!(city.tier(), Tier::City);
    }

    #[test]
    fn urban_and_rural_follow_the_numbering_rule() {
        let unit = |text: &str| text.parse::<OrgCode>().unwrap();
        assert!(unit("210402011003").is_urban_community());
        assert!(!unit("210402201200").is_urban_community());
        assert!(!unit("210402011000").is_rural_township());
        assert!(unit("210421101000").is_rural_township());
    }

    #[test]
    fn a_code_given_up_stands_for_its_new_one_from_its_day_on() {
        let text = "code,name,parent,tier,becomes,since\n210402011000,永安台街道,210402000000,township\n\
             210402011003,友谊社区居委会,210402011000,community,210402011004,2008-03-20\n\
             210402011004,和平社区居委会,210402011000,community\n";
        let tree = UnitTree::from_csv(text).unwrap();
        let (old, new) = ("210402011003".parse().unwrap(), "210402011004".parse().unwrap());
        let day = date::ymd(2008, 3, 20).unwrap();
        assert_eq!((tree.current(old, day - 1), tree.current(old, day), tree.current(new, day)), (old, new, new));
        assert_eq!(UnitTree::from_csv(&tree.to_csv("210402000000".parse().unwrap())).unwrap(), tree);
        assert!(UnitTree::from_csv(&text.replace(",2008-03-20", "")).is_err(), "no day");
        assert!(UnitTree::from_csv(&text.replace("210402011004,2008", "210402011009,2008")).is_err(), "no such unit");
    }

    #[test]
    fn a_code_handed_to_another_district_ends_in_its_own_and_a_new_one_begins_on_its_day() {
        let text = "code,name,parent,tier,becomes,since,founded\n210402011000,永安台街道,210402000000,township\n\
             210402011003,高湾社区,210402011000,community,210471001001,2008-03-20\n\
             210471001001,高湾社区,210471001000,community,,,2008-03-20\n";
        let tree = UnitTree::from_csv(text).unwrap();
        let (old, new) = ("210402011003".parse().unwrap(), "210471001001".parse().unwrap());
        let day = date::ymd(2008, 3, 20).unwrap();
        assert_eq!((tree.current(old, day), tree.founded_on(new), tree.founded_on(old)), (new, Some(day), None));
        let theirs = UnitTree::from_csv(&tree.to_csv("210402000000".parse().unwrap())).unwrap();
        assert_eq!((theirs.current(old, day), theirs.given_up_on(old)), (old, Some(day)), "its records stay, it ends");
        assert_eq!(UnitTree::from_csv(&theirs.to_csv("210402000000".parse().unwrap())).unwrap(), theirs);
        let zone = UnitTree::from_csv(&tree.to_csv("210471000000".parse().unwrap())).unwrap();
        assert_eq!((zone.founded_on(new), zone.current(old, day)), (Some(day), new));
        assert!(UnitTree::from_csv(&text.replace(",,,2008-03-20", ",,,soon")).is_err());
    }

    #[test]
    fn a_child_is_told_its_own_units_those_of_its_district_and_the_districts() {
        let text = "code,name,parent,tier,becomes,since,founded\n210400000000,抚顺市,,city\n210402000000,新抚区,210400000000,district\n\
             210402011000,永安台街道,210402000000,township\n210402011003,友谊社区,210402011000,community\n\
             210402001000,站前街道,210402000000,township\n210402001002,东八路社区,210402001000,community,,2008-03-20\n\
             210402001003,新东社区,210402001000,community,,,2008-03-20\n210403000000,东洲区,210400000000,district\n\
             210403002000,东洲街道,210403000000,township\n";
        let tree = UnitTree::from_csv(text).unwrap();
        let unit = |text: &str| text.parse::<OrgCode>().unwrap();
        let office = UnitTree::from_csv(&tree.told_to(unit("210402011003"), unit("210402000000"))).unwrap();
        assert_eq!(office.by_name(unit("210400000000"), "新东"), Some(unit("210402001003")));
        assert_eq!(office.name(unit("210403000000")), "东洲区");
        for unknown in ["210403002000", "210402001002"] {
            assert!(!office.contains(unit(unknown)), "{unknown}");
        }
        assert_eq!(office.founded_on(unit("210402001003")), None, "of no concern there");
        // A district is told no unit of another one.
        let district = UnitTree::from_csv(&tree.told_to(unit("210402000000"), unit("210400000000"))).unwrap();
        assert!(district.contains(unit("210403000000")) && !district.contains(unit("210403002000")));
        assert_eq!(district.below(unit("210402000000")).count(), tree.below(unit("210402000000")).count());
    }

    #[test]
    fn a_short_name_finds_its_community() {
        let tree = UnitTree::from_csv(
            "code,name,parent,tier\n210402011000,永安台街道,210402000000,township\n\
             210402011003,友谊社区居委会,210402011000,community\n",
        )
        .unwrap();
        let street = "210402011000".parse().unwrap();
        assert_eq!(tree.by_name(street, "友谊社区").unwrap().to_string(), "210402011003");
        assert_eq!(tree.by_name(street, "友谊").unwrap().to_string(), "210402011003");
        assert_eq!(tree.by_name(street, "无此社区"), None);
        assert_eq!(UnitTree::from_csv(&tree.to_csv(street)).unwrap(), tree);
    }
}
