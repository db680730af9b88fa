//! The indicators themselves, in the order of the catalogue.

use super::{
    Class::{Additive, Distinct, DistinctRatio, Mean, Ratio},
    Grain::{All, District, Township},
    Indicator,
    Kind::{Flow, Stock},
    Part, Term, Window,
};

const fn term(part: Part, monthly: Option<Part>, sign: i64, window: Window) -> Term {
    Term { part, monthly, sign, window }
}

/// As it stands.
const fn now(part: Part) -> Term {
    term(part, None, 1, Window::Stock)
}

/// Less what stands.
const fn less(part: Part) -> Term {
    term(part, None, -1, Window::Stock)
}

/// What happened in the period.
const fn within(part: Part) -> Term {
    term(part, None, 1, Window::Flow)
}

/// What stands of this year, whatever period is asked for.
const fn this_year(part: Part) -> Term {
    term(part, None, 1, Window::Year)
}

/// What happened in the period to distinct persons or households.
const fn once(year: Part, month: Part) -> Term {
    term(year, Some(month), 1, Window::Flow)
}

/// As it stood when the period began.
const fn opening(part: Part) -> Term {
    term(part, None, 1, Window::Opening)
}

macro_rules! catalogue {
    ($($code:literal $zh:literal $en:literal $kind:ident $class:ident $grain:ident $timed:literal $up:literal
        [$($top:expr),+] $(/ [$($base:expr),+])?;)+) => {
        /// The indicators that this build computes, in the order of the catalogue.
        pub static INDICATORS: &[Indicator] = &[$(Indicator {
            code: $code,
            zh: $zh,
            en: $en,
            kind: $kind,
            class: $class,
            timed: $timed,
            grain: $grain,
            numerator: &[$($top),+],
            denominator: &[$($($base),+)?],
            up: $up,
        }),+];
    };
}

use Part as P;

catalogue! {
    "K00" "在册劳动力人数" "Persons on the register" Stock Distinct All false true [now(P::Residents)];
    "K01" "充分就业社区比例" "Full-employment communities" Stock Ratio District false true
        [now(P::FecTitle)] / [now(P::UrbanCommunities)];
    "K02" "达标社区数" "Communities holding the title" Stock Additive Township false true [now(P::FecTitle)];
    "K02b" "其中整顿中" "of them rectifying" Stock Additive Township false false [now(P::FecRectifying)];
    "K03" "棚改回迁下岗失业人员就业率" "Resettled laid-off employed" Stock DistinctRatio All false true
        [now(P::ShantyEmployed)] / [now(P::ShantyLabour)];
    "K04" "有劳动能力和就业愿望人员就业率" "Able and willing, employed" Stock DistinctRatio All false true
        [now(P::LabourEmployed)] / [now(P::Labour)];
    "K05" "零就业家庭存量" "Zero-employment households unplaced" Stock Additive All true false [now(P::ZefUnplaced)];
    "K06" "本期新认定零就业家庭" "Newly recognised" Flow Additive All false true [within(P::ZefRecognised)];
    "K06b" "平均认定时限(工作日)" "Working days to recognition" Flow Mean All false false
        [within(P::RecognitionDays)] / [within(P::RecognitionsTimed)];
    "K07" "20日内一人就业率" "One employed within 20 days" Flow Ratio All true true
        [within(P::ZefDueMet)] / [within(P::ZefDue)];
    "K08" "20日超期未安置户" "Overdue past 20 days" Stock Additive All true false [now(P::ZefOverdue)];
    "K09" "5日内到期" "Due within 5 days" Stock Additive All true false [now(P::ZefDueSoon)];
    "K10" "双就业申请户" "Dual employment asked" Stock Additive All false true [now(P::DualAsked)];
    "K11" "双就业按期率" "Dual employment in time" Flow Ratio All true true
        [within(P::DualDueMet)] / [within(P::DualDue)];
    "K12" "双就业超期" "Dual employment overdue" Stock Additive All true false [now(P::DualOverdue)];
    "K13" "零就业家庭消除率" "Recognised households with somebody employed" Stock Ratio All false true
        [this_year(P::ZefClearedOfYear)] / [this_year(P::ZefOfYear)];
    "K14" "工作站持证覆盖率" "Stations with a certificate holder" Stock Ratio Township false true
        [now(P::StationsCertified)] / [now(P::Stations)];
    "K15" "无证工作站" "Stations without one" Stock Additive Township false false
        [now(P::Stations), less(P::StationsCertified)];
    "K16" "协理员人数" "Assistants" Stock Distinct All false true [now(P::Assistants)];
    "K16b" "三级协理员" "Assistants of level 3" Stock Distinct All false true [now(P::AssistantsLevel3)];
    "K16c" "四级协理员" "Assistants of level 4" Stock Distinct All false true [now(P::AssistantsLevel4)];
    "K17" "协理员流失率" "Assistants who left" Flow Ratio District false false
        [within(P::AssistantsLeft)] / [opening(P::Assistants)];
    "K18" "乡镇事务所面积达标率" "Township offices of 100 m2" Stock Ratio District false true
        [now(P::OfficesLargeEnough)] / [now(P::TownshipOffices)];
    "K19" "六到位达标率" "Six in place" Stock Ratio District false true
        [now(P::OfficesSixInPlace)] / [now(P::TownshipOffices)];
    "K20" "村平台覆盖率" "Villages with a place and an assistant" Stock Ratio Township false true
        [now(P::VillagesCovered)] / [now(P::Villages)];
    "K21a" "棚改社区一站式窗口覆盖率" "One-stop windows in resettlement communities" Stock Ratio Township false true
        [now(P::ShantyWindows)] / [now(P::ShantyCommunities)];
    "K21b" "其他具备条件社区一站式窗口覆盖率" "One-stop windows where premises allow" Stock Ratio Township false true
        [now(P::FitWindows)] / [now(P::FitCommunities)];
    "K22" "四公开达标率" "All four kinds published" Stock Ratio All true true
        [now(P::DocsComplete)] / [now(P::Platforms)];
    "K23a" "街道社区三化达标率" "Three-izations: streets and communities" Stock Ratio Township false true
        [now(P::ThreeUrban)] / [now(P::UrbanPlatforms)];
    "K23b" "乡镇三化达标率" "Three-izations: townships" Stock Ratio Township false true
        [now(P::ThreeRural)] / [now(P::TownshipOffices)];
    "K23c" "棚改社区三化达标率" "Three-izations: resettlement communities" Stock Ratio Township false true
        [now(P::ThreeShanty)] / [now(P::ShantyCommunities)];
    "K24" "登记失业人数" "Registered unemployed" Stock Distinct All true false [now(P::Unemployed)];
    "K24b" "其中4050人员" "of them 4050" Stock Distinct All true false [now(P::ElderlyUnemployed)];
    "K24c" "已达退休年龄待注销" "Past the age of retirement and registered" Stock Distinct All true false
        [now(P::RetiredUnemployed)];
    "K25" "登记失业人员就业率" "Registered unemployed who found work" Flow DistinctRatio All false true
        [once(P::ReemployedInYear, P::ReemployedInMonth)]
        / [opening(P::Unemployed), once(P::RegisteredInYear, P::RegisteredInMonth)];
    "K26" "就业困难人员就业率" "Hard to employ, employed" Stock DistinctRatio All false true
        [now(P::HardshipEmployed)] / [now(P::HardshipLabour)];
    "K27" "公益性岗位数" "Public-welfare places" Stock Additive All false true [now(P::PostPlaces)];
    "K27b" "公益性岗位在岗" "of them occupied" Stock Additive All false true [now(P::PostOccupied)];
    "K27c" "公益性岗位空岗" "of them free" Stock Additive All false false
        [now(P::PostPlaces), less(P::PostOccupied)];
    "K28" "公岗60日内到期" "Subsidies ending within 60 days" Stock Additive All true false [now(P::SubsidyEnding)];
    "K28b" "公岗补贴超期" "Subsidies over" Stock Additive All true false [now(P::SubsidyOver)];
    "K29" "免费培训人次" "Free training, enrolments" Flow Additive All false true [within(P::FreeEnrolments)];
    "K29b" "免费培训人数" "Free training, persons" Flow Distinct All false true
        [once(P::FreeTrainedInYear, P::FreeTrainedInMonth)];
    "K30" "零就业家庭子女培训率" "Children of such households trained" Stock DistinctRatio All false true
        [now(P::ZefChildrenTrained)] / [now(P::ZefChildrenWishing)];
    "K31" "洽谈会场次" "Job fairs" Flow Additive All false true [within(P::Fairs)];
    "K31b" "其中进社区" "of them in communities" Flow Additive All false true [within(P::FairsInCommunities)];
    "K31c" "洽谈会达成意向" "Intents at fairs" Flow Additive All false true [within(P::FairIntents)];
    "K31d" "洽谈会录用" "Hired at fairs" Flow Additive All false true [within(P::FairHired)];
    "K32" "援助月走访户数" "Households visited in the campaign" Flow Distinct All false true
        [once(P::CampaignVisitedInYear, P::CampaignVisitedInMonth)];
    "K32b" "援助月四送次数" "Four sends in the campaign" Flow Additive All false true [within(P::CampaignSends)];
    "K32c" "援助月帮助就业" "Employed through the campaign" Flow Additive All false true [within(P::CampaignPlaced)];
    "K33" "结对覆盖率" "Recognised households paired" Stock DistinctRatio District false true
        [now(P::RecognisedPaired)] / [now(P::RecognisedHouseholds)];
    "K34" "困难大学生家庭安置率" "Hardship graduates placed" Stock Ratio All false true
        [now(P::GraduatesPlaced)] / [now(P::GraduatesRecognised)];
    "K35" "抽查覆盖率" "Certified communities spot-checked" Flow Ratio District false true
        [once(P::CheckedInYear, P::CheckedInMonth)] / [now(P::FecTitle)];
    "K35b" "整顿超期" "Rectification overdue" Stock Additive District true false [now(P::RectifyOverdue)];
    "K36" "取消称号数" "Titles revoked" Flow Additive District false true [within(P::TitlesRevoked)];
    "K37" "归档及时率" "Archived in time" Flow Ratio All true true
        [within(P::ArchivedInTime)] / [within(P::ArchiveDue)];
    "K38" "数据鲜活率" "Records verified in time" Stock Ratio All true true
        [now(P::Fresh)] / [now(P::Residents), now(P::Households)];
    "K38b" "补录件数" "Entries long after they happened" Flow Additive All false false [within(P::Backdated)];
    "K39" "长期失业人数" "Unemployed for a year or more" Stock Distinct All true false [now(P::UnemployedLong)];
    "K40" "六个月无联系待注销" "Without contact for six months" Stock Distinct All true false
        [now(P::UnemployedSilent)];
    "K41" "节点在线率" "Nodes that synced in time" Stock Ratio Township true true
        [now(P::NodesOnline)] / [now(P::Nodes)];
    "K42" "未决冲突" "Open conflicts" Stock Additive All false false [now(P::ConflictsOpen)];
    "K42b" "超期未决冲突" "Conflicts open past their term" Stock Additive All true false [now(P::ConflictsOverdue)];
    "K42c" "转移未办结" "Transfers not done" Stock Additive All false false [now(P::TransfersOpen)];
    "K42d" "转移超期未办结" "Transfers not done in their term" Stock Additive All true false [now(P::TransfersOverdue)];
    "K43" "疑似重复人员" "Persons registered twice" Stock Distinct District false false [now(P::DuplicatePersons)];
    "K44" "调度任务按期率" "Tasks closed in time" Flow Ratio All true true
        [within(P::TasksClosedInTime)] / [within(P::TasksDue)];
    "K44b" "调度任务超期" "Tasks overdue" Stock Additive All true false [now(P::TasksOverdue)];
}
