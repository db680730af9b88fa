//! The catalogue of indicators (domain-detail section 3) and the parts that they are made of.
//! Invariant: parts are additive over units and dates; an indicator is a sum of parts, divided last when it is a
//! ratio. A stock on a day is the sum of a part's cells up to that day; a flow in a period is the sum inside it.

use crate::date::Day;

/// An additive part. The number is its name on the wire and on disk.
#[allow(missing_docs)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u16)]
pub enum Part {
    Residents = 1,
    FecTitle = 11,
    UrbanCommunities = 12,
    FecRectifying = 21,
    ShantyEmployed = 31,
    ShantyLabour = 32,
    ZefUnplaced = 51,
    ZefRecognised = 61,
    ZefDueMet = 71,
    ZefDue = 72,
    ZefOverdue = 81,
    ZefDueSoon = 91,
    DualAsked = 101,
    DualDueMet = 111,
    DualDue = 112,
    DualOverdue = 121,
    StationsCertified = 141,
    Stations = 142,
    OfficesLargeEnough = 181,
    TownshipOffices = 182,
    OfficesSixInPlace = 191,
    Unemployed = 241,
}

/// How far the number of a part's duplicates is from the part's own.
pub const DUPLICATES: u16 = 1_000;

/// All parts.
pub const PARTS: [Part; 22] = [
    Part::Residents,
    Part::FecTitle,
    Part::UrbanCommunities,
    Part::FecRectifying,
    Part::ShantyEmployed,
    Part::ShantyLabour,
    Part::ZefUnplaced,
    Part::ZefRecognised,
    Part::ZefDueMet,
    Part::ZefDue,
    Part::ZefOverdue,
    Part::ZefDueSoon,
    Part::DualAsked,
    Part::DualDueMet,
    Part::DualDue,
    Part::DualOverdue,
    Part::StationsCertified,
    Part::Stations,
    Part::OfficesLargeEnough,
    Part::TownshipOffices,
    Part::OfficesSixInPlace,
    Part::Unemployed,
];

impl Part {
    /// The number on the wire.
    pub fn number(self) -> u16 {
        self as u16
    }

    /// The number under which the same is counted for records that another one counts in place of: what is shown as
    /// raw is what counts and the duplicates together.
    pub fn duplicates(self) -> u16 {
        self.number() + DUPLICATES
    }

    /// The part with this number; none for one that only a newer build counts.
    pub fn from_number(number: u16) -> Option<Self> {
        PARTS.into_iter().find(|part| part.number() == number)
    }
}

/// Whether an indicator is read at a day or over a period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// As it stands on a day.
    Stock,
    /// What happened in a period.
    Flow,
}

/// One indicator.
#[derive(Debug)]
pub struct Indicator {
    /// Its code, such as `K08`.
    pub code: &'static str,
    /// Chinese name.
    pub zh: &'static str,
    /// English name.
    pub en: &'static str,
    /// Stock or flow.
    pub kind: Kind,
    /// Parts that add up to the value or numerator, with their sign.
    pub numerator: &'static [(Part, i64)],
    /// The denominator of a ratio.
    pub denominator: Option<Part>,
    /// Whether more is better.
    pub up: bool,
}

macro_rules! indicator {
    ($code:literal, $zh:literal, $en:literal, $kind:ident, $up:literal, [$($part:ident $sign:literal),+] $(, $den:ident)?) => {
        Indicator {
            code: $code,
            zh: $zh,
            en: $en,
            kind: Kind::$kind,
            numerator: &[$((Part::$part, $sign)),+],
            denominator: [$(Some(Part::$den),)? None][0],
            up: $up,
        }
    };
}

/// The indicators that this build computes, in the order of the catalogue.
pub static INDICATORS: [Indicator; 18] = [
    indicator!("K00", "在册劳动力人数", "Persons on the register", Stock, true, [Residents 1]),
    indicator!("K01", "充分就业社区比例", "Full-employment communities", Stock, true, [FecTitle 1], UrbanCommunities),
    indicator!("K02", "达标社区数", "Communities holding the title", Stock, true, [FecTitle 1]),
    indicator!("K02b", "其中整顿中", "of them rectifying", Stock, false, [FecRectifying 1]),
    indicator!("K03", "棚改回迁下岗失业人员就业率", "Resettled laid-off employed", Stock, true, [ShantyEmployed 1], ShantyLabour),
    indicator!("K05", "零就业家庭存量", "Zero-employment households unplaced", Stock, false, [ZefUnplaced 1]),
    indicator!("K06", "本期新认定零就业家庭", "Newly recognised", Flow, true, [ZefRecognised 1]),
    indicator!("K07", "20日内一人就业率", "One employed within 20 days", Flow, true, [ZefDueMet 1], ZefDue),
    indicator!("K08", "20日超期未安置户", "Overdue past 20 days", Stock, false, [ZefOverdue 1]),
    indicator!("K09", "5日内到期", "Due within 5 days", Stock, false, [ZefDueSoon 1]),
    indicator!("K10", "双就业申请户", "Dual employment asked", Stock, true, [DualAsked 1]),
    indicator!("K11", "双就业按期率", "Dual employment in time", Flow, true, [DualDueMet 1], DualDue),
    indicator!("K12", "双就业超期", "Dual employment overdue", Stock, false, [DualOverdue 1]),
    indicator!("K14", "工作站持证覆盖率", "Stations with a certificate holder", Stock, true, [StationsCertified 1], Stations),
    indicator!("K15", "无证工作站", "Stations without one", Stock, false, [Stations 1, StationsCertified -1]),
    indicator!("K18", "乡镇事务所面积达标率", "Township offices of 100 m2", Stock, true, [OfficesLargeEnough 1], TownshipOffices),
    indicator!("K19", "六到位达标率", "Six in place", Stock, true, [OfficesSixInPlace 1], TownshipOffices),
    indicator!("K24", "登记失业人数", "Registered unemployed", Stock, false, [Unemployed 1]),
];

/// All indicators, in the order of the catalogue.
pub fn all() -> impl Iterator<Item = &'static Indicator> {
    INDICATORS.iter()
}

/// The indicator with this code.
pub fn by_code(code: &str) -> Option<&'static Indicator> {
    all().find(|indicator| indicator.code.eq_ignore_ascii_case(code))
}

/// The dates over which a part's cells are summed for a figure on `on`: everything up to the day for a stock, the
/// calendar year up to the day for a flow.
pub fn dates(kind: Kind, on: Day) -> std::ops::RangeInclusive<Day> {
    match kind {
        Kind::Stock => Day::MIN..=on,
        Kind::Flow => {
            let year = crate::date::civil(on).map_or(1970, jiff::civil::Date::year);
            crate::date::ymd(year, 1, 1).unwrap_or(on)..=on
        }
    }
}
