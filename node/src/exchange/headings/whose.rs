//! Whose columns stand below the heading of a group, and which of them are somebody else's. Pure.

use super::super::layout::{Layout, Target, folded};
use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};
use taizhang_proto::{pb::Format, register::number, text};

/// What the heading of a group ends with that says nothing.
const GROUPS: [&str; 10] =
    ["基本情况", "基本信息", "基本资料", "自然情况", "情况", "信息", "资料", "简况", "一栏", "栏"];
/// What the labels of a form's frame end with, which may stand above its headings without a colon.
const FRAME: [&str; 26] = [
    "填表人",
    "填报人",
    "制表人",
    "审核人",
    "审批人",
    "复核人",
    "经办人",
    "负责人",
    "责任人",
    "联系人",
    "协理员",
    "填表",
    "审核",
    "负责",
    "单位",
    "机构",
    "区",
    "街道",
    "乡镇",
    "社区",
    "村",
    "名称",
    "日期",
    "时间",
    "电话",
    "盖章",
];
/// Of the family: whatever stands below is somebody else's.
const FAMILY: [&str; 12] =
    ["配偶", "爱人", "老伴", "丈夫", "妻子", "父亲", "母亲", "父母", "子女", "家属", "家庭成员", "亲属"];
/// What a spouse is called besides.
const SPOUSE: [&str; 4] = ["爱人", "老伴", "丈夫", "妻子"];
/// Who stands in a bracket behind a heading, besides.
const KIN: [&str; 12] = ["父", "母", "夫", "妻", "子", "女", "儿子", "女儿", "子女", "家人", "家长", "亲友"];
/// What headings of phones and of addresses end with.
const PHONES: [&str; 5] = ["电话", "手机", "手机号", "号码", "联系方式"];
const ADDRESSES: [&str; 2] = ["地址", "住址"];
/// Offices that stand in a bracket behind a phone; behind an address they are a part of it.
const OFFICES: [&str; 7] = ["村", "社区", "街道", "乡镇", "村委会", "居委会", "办公室"];
/// Somebody who acts for the person, or is to be asked about them: what a group's heading ends with.
const HELPERS: [&str; 28] = [
    "联系人",
    "联络人",
    "联系人员",
    "监护人",
    "监护人员",
    "担保人",
    "法定代表人",
    "法人代表",
    "介绍人",
    "推荐人",
    "经办人",
    "经办人员",
    "经手人",
    "承办人",
    "承办人员",
    "代办人",
    "代办人员",
    "委托人",
    "受托人",
    "代理人",
    "帮扶人",
    "责任人",
    "负责人",
    "干部",
    "领导",
    "帮扶",
    "结对",
    "包保",
];
/// Staff of the offices: somebody else in every register but their own.
const STAFF: [&str; 3] = ["协理员", "工作人员", "专干"];
/// Whom a register is about, in so many words.
const SUBJECTS: [&str; 12] = [
    "本人",
    "求职人",
    "求职者",
    "求职人员",
    "失业人员",
    "失业者",
    "登记人",
    "申请人",
    "应聘人",
    "应聘者",
    "学员",
    "对象",
];
/// Those that a register may be about.
const PEOPLE: [&str; 12] =
    ["个人", "人员", "职工", "学员", "劳动者", "毕业生", "农民工", "居民", "从业者", "学生", "青年", "妇女"];
/// The head of a household.
const HEADS: [&str; 2] = ["户主", "户代表"];
/// A unit: it has a phone and an address, too, and somebody to ask for. What a group's heading ends with.
const UNITS: [&str; 13] =
    ["单位", "企业", "公司", "雇主", "机构", "学校", "院校", "工厂", "去向", "用人方", "中心", "基地", "要求"];
/// More faintly, the columns of those that a register is about.
const FAINT: [&str; 7] = ["基本", "求职", "失业", "下岗", "就业", "登记", "申请"];
/// Longest heading of a group, characters; a title says more.
const GROUP_CHARS: usize = 10;

/// Whose the columns of a group are, by its heading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whose {
    /// Of whom the register is about, in so many words.
    Subject,
    /// The person's that the row is about, by what it seems.
    Own,
    /// The head of the household.
    Head,
    /// Somebody else's.
    Another,
    /// Of somebody who works for the offices.
    Staff,
    /// A unit's.
    Unit,
    /// It does not say.
    Unsaid,
}

impl Whose {
    /// By the words of a heading; none of a title, and of a label with what it says behind it.
    pub(super) fn of(over: &str) -> Option<Self> {
        let over = text::no_space(over);
        if over.chars().count() > GROUP_CHARS
            || over.contains([':', '：'])
            || over.ends_with(['册', '账', '帐', '单'])
            || (over.ends_with('表') && !over.ends_with("代表"))
        {
            return None;
        }
        let name = short(&over);
        let name = name.trim_end_matches(|sign: char| sign.is_ascii_digit() || "一二三四五()（）".contains(sign));
        let ends = |words: &[&str]| words.iter().any(|word| name.ends_with(word));
        let has = |words: &[&str]| words.iter().any(|word| name.contains(word));
        Some(match () {
            // 被帮扶人 is who is helped.
            () if name.starts_with('被') => Self::Own,
            () if ends(&HELPERS) || has(&FAMILY) => Self::Another,
            () if ends(&STAFF) => Self::Staff,
            () if ends(&SUBJECTS) => Self::Subject,
            () if ends(&HEADS) => Self::Head,
            () if ends(&UNITS) => Self::Unit,
            () if has(&PEOPLE) || has(&FAINT) => Self::Own,
            () => Self::Unsaid,
        })
    }
}

/// The heading of a group without what says nothing, and a spouse by the name that the layouts know.
pub(super) fn short(over: &str) -> String {
    let over = text::no_space(over);
    // 一、户主
    let over =
        over.split_once('、').filter(|(number, _)| number.chars().count() <= 2).map_or(over.as_str(), |(_, rest)| rest);
    let name = GROUPS.iter().find_map(|word| over.strip_suffix(word)).filter(|name| !name.is_empty()).unwrap_or(over);
    if SPOUSE.contains(&name) { "配偶".to_owned() } else { name.to_owned() }
}

/// Whether a heading by itself names somebody else than the row is about: 联系人, 介绍人姓名, 配偶. A phone behind it may be that one's.
pub(super) fn is_of_stranger(heading: &str) -> bool {
    let heading = folded(heading);
    let name = heading.strip_suffix("姓名").filter(|name| !name.is_empty()).unwrap_or(&heading);
    let is_helper = HELPERS.iter().any(|word| name.ends_with(word)) && name.ends_with(['人', '员', '部', '导', '表']);
    is_helper || FAMILY.contains(&name) || SPOUSE.contains(&name)
}

/// A heading with a bracket that says whose it is, where that is somebody else.
pub(super) struct Bracketed {
    /// What stands in the bracket.
    pub(super) over: String,
    pub(super) whose: Whose,
    /// The heading without it.
    pub(super) text: String,
}

/// Of 电话（配偶）, 身份证号(监护人), 手机（单位） whose they are. A bracket that says anything else, as 身份证号（18位）, 家庭人口（含配偶） or
/// 住址（村、组）, says nothing of that.
pub(super) fn bracketed(heading: &str) -> Option<Bracketed> {
    let heading =
        text::half_width(&text::no_space(heading)).replace(['[', '【', '〔'], "(").replace([']', '】', '〕'], ")");
    let (name, rest) = heading.split_once('(')?;
    let over = rest.strip_suffix(')').filter(|over| !name.is_empty() && !over.contains(['(', ')']))?;
    let label = ["请填写", "请填", "填写", "填", "其"].iter().find_map(|word| over.strip_prefix(word)).unwrap_or(over);
    let ends = |words: &[&str]| words.iter().any(|word| name.ends_with(word));
    let is_unit = UNITS.contains(&label);
    // Of who somebody is, or how to reach them: 年龄（女） and 人员类别（军转干部） say no other person.
    let reaches = names(name) || ends(&PHONES) || ends(&ADDRESSES) || ends(&["证号", "证号码", "身份证"]);
    let whose = match () {
        () if FAMILY.contains(&label) || (reaches && KIN.contains(&label)) => Whose::Another,
        // A column for a unit may say whom to ask for there: what is a person's is not its.
        () if reaches && HELPERS.iter().any(|word| label.ends_with(word)) => Whose::Unit,
        () if STAFF.contains(&label) => Whose::Staff,
        () if ends(&PHONES) && (is_unit || OFFICES.contains(&label)) => Whose::Unit,
        () if ends(&ADDRESSES) && is_unit => Whose::Unit,
        () => return None,
    };
    Some(Bracketed { over: label.to_owned(), whose, text: name.to_owned() })
}

/// Whether a heading is that of somebody's name.
pub(super) fn names(heading: &str) -> bool {
    ["姓名", "名字"].contains(&folded(heading).as_str())
}

/// Whether a cell may be a label of a form's frame.
pub(super) fn is_of_frame(label: &str) -> bool {
    let label = text::half_width(&text::no_space(label));
    let name = label.split('(').next().filter(|name| !name.is_empty()).unwrap_or(&label);
    let name = name.trim_end_matches(':');
    FRAME.iter().any(|word| name.ends_with(word)) || label.contains("盖章")
}

/// Whether a heading names a unit, or somebody who acts for the person: a phone beside it is not the person's.
pub(super) fn is_of_unit(heading: &str) -> bool {
    let heading = folded(heading);
    let name = heading.strip_suffix("姓名").or(heading.strip_suffix("名称")).unwrap_or(&heading);
    heading == "名称" || UNITS.iter().chain(&HELPERS).any(|word| name.ends_with(word))
}

/// What a column's heading was found to mean.
pub(super) enum Met {
    /// As it stands, below no group.
    Alone(Target),
    /// Together with the heading of the group that begins in some column.
    Joined(usize, Target),
    /// By itself, below the heading of such a group.
    Below(usize, Whose, Target),
}

impl Met {
    pub(super) const fn target(&self) -> Target {
        match self {
            Self::Alone(target) | Self::Joined(_, target) | Self::Below(_, _, target) => *target,
        }
    }

    const fn group(&self) -> Option<usize> {
        match self {
            Self::Alone(_) => None,
            Self::Joined(group, _) | Self::Below(group, ..) => Some(*group),
        }
    }
}

/// What a target says of a person.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Says {
    /// Who it is.
    Who,
    /// What is that person's alone: phone, address, sex.
    Personal,
    /// Anything else.
    Else,
}

pub(super) fn says(layout: &Layout, target: Target) -> Says {
    match target {
        Target::Field { role, tag } => layout.field((role, tag)).map_or(Says::Else, |field| match field.format {
            Format::CitizenId | Format::PersonName => Says::Who,
            _ if field.personal => Says::Personal,
            _ => Says::Else,
        }),
        Target::Sex { .. } | Target::Birth { .. } => Says::Personal,
        _ => Says::Else,
    }
}

/// Which columns are somebody else's.
pub(super) struct Others {
    /// The columns.
    pub(super) columns: BTreeSet<usize>,
    /// Where nothing but their order says which group is meant, those that name somebody, whoever is taken first.
    pub(super) groups: Vec<usize>,
    /// Where nobody but somebody else by its words is named, that group: it is taken all the same.
    pub(super) only: Option<usize>,
}

/// The columns of a table by what their headings were found to mean.
struct Table<'t> {
    layout: &'t Layout,
    met: &'t [Option<Met>],
}

/// A column below the heading of a group that means something by itself.
struct Below {
    column: usize,
    group: usize,
    whose: Whose,
    target: Target,
}

/// A group, or what stands below none, that names somebody.
struct Namer {
    group: Option<usize>,
    /// The lower, the more it says that it is the person.
    rank: u8,
    /// What it says of who it is.
    who: BTreeSet<Target>,
}

impl Table<'_> {
    fn all(&self) -> impl Iterator<Item = (usize, &Met)> {
        self.met.iter().enumerate().filter_map(|(column, met)| Some((column, met.as_ref()?)))
    }

    fn below(&self) -> impl Iterator<Item = Below> {
        self.all().filter_map(|(column, met)| match met {
            Met::Below(group, whose, target) => Some(Below { column, group: *group, whose: *whose, target: *target }),
            _ => None,
        })
    }

    fn says(&self, target: Target) -> Says {
        says(self.layout, target)
    }

    /// Whether a target is what a person has, and no day: a unit asks for schooling, too.
    fn is_of_person(&self, target: Target) -> bool {
        match target {
            Target::Field { role, tag } => {
                self.layout.roles[role].register.number == number::RESIDENT
                    && self.layout.field((role, tag)).is_some_and(|field| field.format != Format::Date)
            }
            _ => false,
        }
    }

    /// Whether a target names whom the row is about.
    fn is_main(&self, target: Target) -> bool {
        let Target::Field { role, .. } = target else { return false };
        self.says(target) == Says::Who && self.layout.roles[role].required
    }

    /// The columns that are somebody else's by the words of their groups; and a group that is nevertheless taken, since nobody else is named.
    fn by_word(&self) -> (BTreeSet<usize>, Option<usize>) {
        let is_of_staff = self.layout.roles[self.layout.main].register.number == number::ASSISTANT;
        let is_anothers = |below: &Below| match below.whose {
            Whose::Another => true,
            Whose::Staff => !is_of_staff,
            Whose::Unit => self.says(below.target) != Says::Else || self.is_of_person(below.target),
            Whose::Subject | Whose::Own | Whose::Head | Whose::Unsaid => false,
        };
        let mut columns: BTreeSet<usize> = self.below().filter(is_anothers).map(|below| below.column).collect();
        if self.all().any(|(column, met)| !columns.contains(&column) && self.is_main(met.target())) {
            return (columns, None);
        }
        // There is nobody else: 随军家属, 军转干部 are whom such a register is about.
        let naming = self.below().filter(|below| self.is_main(below.target));
        let somebody: BTreeSet<usize> = naming.map(|below| below.group).collect();
        let own = self.below().filter(|below| somebody.contains(&below.group));
        own.for_each(|below| _ = columns.remove(&below.column));
        (columns, somebody.first().copied())
    }

    /// Who names somebody outside some columns, first who says most that it is the person.
    fn namers(&self, withheld: &BTreeSet<usize>) -> Vec<Namer> {
        let mut named: BTreeMap<Option<usize>, Namer> = BTreeMap::new();
        for (_, met) in self.all().filter(|(column, met)| !withheld.contains(column) && self.is_main(met.target())) {
            let rank = match met {
                Met::Joined(..) => 0,
                Met::Below(_, Whose::Subject, _) => 1,
                Met::Alone(_) => 2,
                Met::Below(_, Whose::Own | Whose::Staff, _) => 3,
                Met::Below(_, Whose::Head, _) => 5,
                Met::Below(..) => 4,
            };
            let group = met.group();
            let held = named.entry(group).or_insert_with(|| Namer { group, rank, who: BTreeSet::new() });
            held.rank = rank.min(held.rank);
            held.who.insert(met.target());
        }
        let mut namers: Vec<Namer> = named.into_values().collect();
        // Of two alike the one that says more of who it is; then the one that stands before.
        namers.sort_by_key(|namer| (namer.rank, Reverse(namer.who.len())));
        namers
    }
}

/// The columns that mean something by themselves and are of somebody else: by the heading of their group, or because another group names the
/// person. `units` are the groups with a column for a unit. Of several that do, the person's is the one that says so together with its
/// heading or in so many words, then what stands below no group, then the one whose heading seems to, then the first.
pub(super) fn of_somebody_else(layout: &Layout, met: &[Option<Met>], units: &BTreeSet<usize>) -> Others {
    let table = Table { layout, met };
    let (mut withheld, only) = table.by_word();
    let namers = table.namers(&withheld);
    // Groups that name somebody together are one person's; who names the same once more is another.
    let mut who: BTreeSet<Target> = BTreeSet::new();
    let (mut own, mut lost) = (BTreeSet::new(), BTreeSet::new());
    for namer in &namers {
        if who.is_disjoint(&namer.who) {
            who.extend(&namer.who);
            own.insert(namer.group);
        } else {
            lost.insert(namer.group);
        }
    }
    withheld.extend(table.below().filter(|below| lost.contains(&Some(below.group))).map(|below| below.column));
    // What the person's group says stands nowhere else.
    let is_own = |group: Option<usize>| own.contains(&group) || own.is_empty();
    let mut taken: BTreeSet<Target> = table
        .all()
        .filter(|(column, met)| {
            is_own(met.group()) && !withheld.contains(column) && table.says(met.target()) != Says::Else
        })
        .map(|(_, met)| met.target())
        .collect();
    if lost.contains(&None) {
        let stranger = |met: &Met| matches!(met, Met::Alone(target) if taken.contains(target));
        withheld.extend(table.all().filter(|(_, met)| stranger(met)).map(|(column, _)| column));
    }
    // Groups that name nobody: what is one person's stands once, and beside a unit it is that one's.
    let names = |group: usize| own.contains(&Some(group)) || lost.contains(&Some(group));
    for Below { column, group, target, .. } in table.below() {
        if names(group) || withheld.contains(&column) || table.says(target) == Says::Else {
            continue;
        }
        if units.contains(&group) || !taken.insert(target) {
            withheld.insert(column);
        }
    }
    let first = namers.first().map(|first| (first.rank, first.group));
    let is_alike = |namer: &&Namer| {
        first.is_some_and(|(rank, taken)| rank == namer.rank && (taken == namer.group || lost.contains(&namer.group)))
    };
    let groups = namers.iter().filter(is_alike).filter_map(|namer| namer.group).collect();
    Others { columns: withheld, groups, only }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_heading_says_whose_columns_stand_below_it() {
        let cases = [
            ("介绍人", Some(Whose::Another)),
            ("被介绍人", Some(Whose::Own)),
            ("用工单位负责人", Some(Whose::Another)),
            ("家庭成员1", Some(Whose::Another)),
            ("爱人情况", Some(Whose::Another)),
            ("就业帮扶情况", Some(Whose::Another)),
            ("法人代表", Some(Whose::Another)),
            ("户代表", Some(Whose::Head)),
            ("包保干部", Some(Whose::Another)),
            ("协理员情况", Some(Whose::Staff)),
            ("用人单位", Some(Whose::Unit)),
            ("下岗企业", Some(Whose::Unit)),
            ("就业单位信息", Some(Whose::Unit)),
            ("企业职工", Some(Whose::Own)),
            ("企业下岗失业", Some(Whose::Own)),
            ("代理人员", Some(Whose::Own)),
            ("用工情况", Some(Whose::Unsaid)),
            ("就业情况", Some(Whose::Own)),
            ("求职人情况", Some(Whose::Subject)),
            ("帮扶对象", Some(Whose::Subject)),
            ("户主", Some(Whose::Head)),
            ("其他", Some(Whose::Unsaid)),
            ("永安台社区配偶就业情况登记", None),
            ("联系人：李红", None),
            ("家庭成员花名册", None),
        ];
        for (over, whose) in cases {
            assert_eq!(Whose::of(over), whose, "{over}");
        }
        for (heading, whose) in [
            ("电话（配偶）", Some(Whose::Another)),
            ("电话（请填亲属）", Some(Whose::Another)),
            ("手机号码(监护人)", Some(Whose::Unit)),
            ("联系方式【村】", Some(Whose::Unit)),
            ("家庭住址（村）", None),
            ("家庭人口（含配偶）", None),
            ("身份证号（18位）", None),
            ("姓名（本人）", None),
            ("困难类别（抚养未成年子女）", None),
        ] {
            assert_eq!(bracketed(heading).map(|bracketed| bracketed.whose), whose, "{heading}");
        }
        for (heading, is) in
            [("联系人", true), ("介绍人姓名", true), ("配偶", true), ("就业帮扶", false), ("姓名", false)]
        {
            assert_eq!(is_of_stranger(heading), is, "{heading}");
        }
        assert_eq!(
            (short("爱人情况"), short("情况"), short("就业情况")),
            ("配偶".into(), "情况".into(), "就业".into())
        );
        for (heading, is) in
            [("名称", true), ("就业单位名称", true), ("经办人姓名", true), ("姓名", false), ("联系电话", false)]
        {
            assert_eq!(is_of_unit(heading), is, "{heading}");
        }
    }
}
