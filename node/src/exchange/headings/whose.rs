//! Whose columns stand below the heading of a group, and which of them are somebody else's. Pure.

use super::super::layout::{Layout, Target};
use std::collections::{BTreeMap, BTreeSet};
use taizhang_proto::{pb::Format, register::number, text};

/// What the heading of a group ends with that says nothing.
pub(super) const GROUPS: [&str; 4] = ["情况", "信息", "资料", "简况"];
/// In the heading of a group: what stands below it is of somebody else.
const OTHERS: [&str; 27] = [
    "配偶",
    "联系人",
    "父亲",
    "母亲",
    "父母",
    "子女",
    "家属",
    "监护人",
    "担保人",
    "家庭成员",
    "亲属",
    "法定代表人",
    "介绍人",
    "推荐人",
    "经办人",
    "经手人",
    "承办人",
    "代办人",
    "委托人",
    "受托人",
    "代理人",
    "帮扶人",
    "帮扶干部",
    "责任人",
    "负责人",
    "工作人员",
    "协理员",
];
/// Those that the register is about.
const PEOPLE: [&str; 18] = [
    "本人",
    "个人",
    "人员",
    "职工",
    "学员",
    "户主",
    "户代表",
    "求职人",
    "求职者",
    "失业者",
    "登记人",
    "申请人",
    "应聘",
    "劳动者",
    "毕业生",
    "农民工",
    "居民",
    "从业者",
];
/// A unit: it has a phone and an address, too, and somebody to ask for.
const UNITS: [&str; 8] = ["单位", "企业", "公司", "雇主", "机构", "用工", "学校", "厂"];
/// More faintly, the columns of those that the register is about.
const FAINT: [&str; 7] = ["基本", "求职", "失业", "下岗", "就业", "登记", "申请"];
/// Longest heading of a group, characters; a title says more.
const GROUP_CHARS: usize = 8;

/// Whose the columns of a group are, by its heading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whose {
    /// The person's that the row is about.
    Own,
    /// Somebody else's.
    Another,
    /// A unit's.
    Unit,
    /// It does not say.
    Unsaid,
}

impl Whose {
    /// By the words of a heading: no title, and no label with what it says behind it.
    pub(super) fn of(over: &str) -> Self {
        let over = text::no_space(over);
        let is_group = over.chars().count() <= GROUP_CHARS
            && !over.contains([':', '：'])
            && !over.ends_with(['表', '册', '账', '单']);
        let says = |words: &[&str]| words.iter().any(|word| over.contains(word));
        match () {
            () if !is_group => Self::Unsaid,
            // 被帮扶人 is who is helped.
            () if over.starts_with('被') => Self::Own,
            () if says(&OTHERS) => Self::Another,
            () if says(&PEOPLE) => Self::Own,
            () if says(&UNITS) => Self::Unit,
            () if says(&FAINT) => Self::Own,
            () => Self::Unsaid,
        }
    }
}

/// What a column's heading was found to mean.
pub(super) enum Met {
    /// As a whole, so that nothing is open.
    Whole(Target),
    /// By itself, below the heading of a group that begins in some column.
    Below(usize, Whose, Target),
}

impl Met {
    pub(super) const fn target(&self) -> Target {
        match self {
            Self::Whole(target) | Self::Below(_, _, target) => *target,
        }
    }
}

/// What a target says of a person.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Says {
    /// Who it is.
    Who,
    /// What is that person's alone: phone, address, sex.
    Personal,
    /// Anything else.
    Else,
}

fn says(layout: &Layout, target: Target) -> Says {
    match target {
        Target::Field { role, tag } if layout.roles[role].register.number == number::RESIDENT => {
            layout.field((role, tag)).map_or(Says::Else, |field| match field.format {
                Format::CitizenId | Format::PersonName => Says::Who,
                _ if field.personal => Says::Personal,
                _ => Says::Else,
            })
        }
        Target::Sex { .. } | Target::Birth { .. } => Says::Personal,
        _ => Says::Else,
    }
}

/// The columns that mean something by themselves and stand below a group of somebody else's: by its heading, or because another group
/// names the person. Of two that could, the one is the person's whose heading says so, else the first.
pub(super) fn of_somebody_else(layout: &Layout, met: &[Option<Met>]) -> BTreeSet<usize> {
    let below = || {
        met.iter().enumerate().filter_map(|(column, met)| match met {
            Some(Met::Below(group, whose, target)) if *target != Target::Ignore => {
                Some((column, *group, *whose, *target))
            }
            _ => None,
        })
    };
    let by_word = below().filter(|(_, _, whose, target)| match whose {
        Whose::Another => true,
        Whose::Unit => says(layout, *target) != Says::Else,
        Whose::Own | Whose::Unsaid => false,
    });
    let mut withheld: BTreeSet<usize> = by_word.map(|(column, ..)| column).collect();
    // Who says each of these in their own right, by the place of the group: those whose heading says that they may come first.
    let mut claims: BTreeMap<Target, BTreeSet<(bool, usize)>> = BTreeMap::new();
    for (column, group, whose, target) in below() {
        if !withheld.contains(&column) && says(layout, target) != Says::Else {
            claims.entry(target).or_default().insert((whose != Whose::Own, group));
        }
    }
    let is_said_as_a_whole = |target| met.iter().any(|met| matches!(met, Some(Met::Whole(whole)) if *whole == target));
    let mut others = BTreeSet::new();
    for (target, claims) in claims {
        let lost = claims.into_iter().skip(usize::from(!is_said_as_a_whole(target))).map(|(_, group)| group);
        for group in lost {
            if says(layout, target) == Says::Who {
                others.insert(group);
            } else {
                withheld.extend(below().filter(|one| one.1 == group && one.3 == target).map(|(column, ..)| column));
            }
        }
    }
    withheld.extend(below().filter(|(_, group, ..)| others.contains(group)).map(|(column, ..)| column));
    withheld
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_heading_says_whose_columns_stand_below_it() {
        let cases = [
            ("介绍人", Whose::Another),
            ("被介绍人", Whose::Own),
            ("用工单位负责人", Whose::Another),
            ("用人单位", Whose::Unit),
            ("企业职工", Whose::Own),
            ("下岗企业", Whose::Unit),
            ("就业情况", Whose::Own),
            ("求职人情况", Whose::Own),
            ("其他", Whose::Unsaid),
            ("永安台社区配偶就业情况登记", Whose::Unsaid),
            ("联系人：李红", Whose::Unsaid),
            ("家庭成员花名册", Whose::Unsaid),
        ];
        for (over, whose) in cases {
            assert_eq!(Whose::of(over), whose, "{over}");
        }
    }
}
