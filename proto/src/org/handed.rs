//! A tree of units as somebody hands it to a hub, in a file of their own making. Invariant: what a hub keeps names each unit once, each
//! below one that it names too; a tree that came from a hub is read as it is, by [`UnitTree::from_csv`].

use super::{OrgCode, TreeError, UnitTree};
use crate::limits::NAME_CHARS;
use std::collections::HashMap;

/// The words for the tiers.
const TIERS: [&str; 4] = ["city", "district", "township", "community"];

impl UnitTree {
    /// Reads a tree for the hub of `top`, as [`UnitTree::from_csv`] does.
    ///
    /// # Errors
    /// Names the first line that is wrong, that names a unit again, or whose unit lies below none of the file, or not below the one
    /// that the line says.
    pub fn handed(text: &str, top: OrgCode) -> Result<Self, TreeError> {
        if text
            .lines()
            .next()
            .and_then(|line| line.split(',').next())
            .is_some_and(|cell| cell.trim().parse::<OrgCode>().is_ok())
        {
            let why =
                "第一行应是标题 code,name,parent,tier，单位从第二行起 (a heading comes first, and units behind it)";
            return Err(TreeError::Line { line: 1, why: why.into() });
        }
        let tree = Self::from_csv(text)?;
        if !tree.contains(top) {
            return Err(TreeError::Without(top));
        }
        let mut named = HashMap::new();
        for (index, line) in text.lines().enumerate().skip(1).filter(|(_, line)| !line.trim().is_empty()) {
            let wrong = |why: String| Err(TreeError::Line { line: index + 1, why });
            let mut cells = line.split(',').map(str::trim);
            let Some(code) = cells.next().and_then(|code| code.parse::<OrgCode>().ok()) else { continue };
            if let Some(before) = named.insert(code, index + 1) {
                return wrong(format!("编码 {code} 已在第{before}行 (this code is on that line already)"));
            }
            let name = tree.name(code);
            if name.chars().count() > NAME_CHARS {
                return wrong(format!(
                    "{code} 的名称超过{NAME_CHARS}个字 (a name of more than {NAME_CHARS} characters)"
                ));
            }
            if name.chars().any(|sign| sign == '"' || sign.is_control()) {
                return wrong(format!(
                    "{code} 的名称中有引号或控制字符，请去掉 (no quotes or control characters in a name)"
                ));
            }
            let Some(parent) = code.parent().filter(|parent| code != top && top.covers(*parent)) else { continue };
            let said = cells.nth(1).filter(|said| !said.is_empty()); // behind its name
            if said.is_some_and(|said| said.parse() != Ok(parent)) {
                return wrong(format!("{code} 的上级编码应为 {parent} (its parent is this one, by its code)"));
            }
            // Words that are none of these say nothing: a code has its tier.
            let tier = code.tier().as_str_name().to_lowercase();
            let said = cells.next().map(str::to_lowercase).filter(|said| TIERS.contains(&said.as_str()));
            if said.is_some_and(|said| said != tier) {
                return wrong(format!("{code} 的层级应为 {tier} (its tier is this one, by its code)"));
            }
            // What a code that was given up lay below may be given up, too.
            if !tree.contains(parent) && tree.given_up_on(code).is_none() {
                return wrong(format!("{code} 的上级 {parent} 不在名单中 (its parent is not in the file)"));
            }
        }
        Ok(tree)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const TREE: &str = "code,name,parent,tier,becomes,since\n210402000000,新抚区,210400000000,district\n\
         210402011000,永安台街道,210402000000,township\n210402011003,友谊社区,210402011000,community\n\
         210402012004,永宁社区,210402012000,community,210402011003,2008-03-20\n";

    #[test]
    fn each_unit_is_named_once_and_below_one_that_is_named() {
        let top: OrgCode = "210402000000".parse().unwrap();
        assert_eq!(UnitTree::handed(TREE, top).unwrap(), UnitTree::from_csv(TREE).unwrap());
        let said = |text: &str| UnitTree::handed(text, top).unwrap_err().to_string();
        let cases = [
            (format!("{TREE}210402011003,友谊,210402011000,community\n"), "第6行", "已在第4行"),
            (format!("{TREE}210402013001,新东社区,210402013000,community\n"), "第6行", "210402013000 不在名单中"),
            (format!("{TREE}210402011005,新东社区,210402001000,community\n"), "第6行", "应为 210402011000"),
            (TREE.replace("210402011000,community\n", "210402011000,district\n"), "第4行", "应为 community"),
            (TREE.replace("210402000000,新抚区,210400000000,district\n", ""), "210402000000", "没有本级单位"),
            (TREE.replace("友谊社区", &"友".repeat(61)), "第4行", "超过60个字"),
            (TREE.replace("友谊社区", "\"友谊社区"), "第4行", "引号"),
            (TREE.split_once('\n').unwrap().1.to_owned(), "第1行", "标题"),
        ];
        for (text, place, why) in cases {
            let told = said(&text);
            assert!(told.contains(place) && told.contains(why), "{told}");
        }
    }

    #[test]
    fn a_city_is_below_nothing() {
        let text = include_str!("../../../tests/data/fushun-units.csv");
        assert!(UnitTree::handed(text, "210400000000".parse().unwrap()).is_ok());
    }
}
