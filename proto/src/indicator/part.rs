//! The additive parts that indicators are made of. Invariant: a part's number never changes its meaning, since it
//! stands on disks and wires; a new meaning takes a new number.

macro_rules! parts {
    ($($(#[doc = $doc:literal])* $name:ident = $number:literal,)+) => {
        /// An additive part. The number is its name on the wire and on disk.
        #[allow(missing_docs)]
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u16)]
        pub enum Part { $($(#[doc = $doc])* $name = $number,)+ }

        /// All parts.
        pub const PARTS: &[Part] = &[$(Part::$name),+];
    };
}

parts! {
    Residents = 1,
    Households = 2,
    FecTitle = 11,
    UrbanCommunities = 12,
    FecRectifying = 21,
    ShantyEmployed = 31,
    ShantyLabour = 32,
    /// Able and willing to work, not retired, with a job.
    LabourEmployed = 41,
    Labour = 42,
    ZefUnplaced = 51,
    ZefRecognised = 61,
    /// Working days from application to recognition, summed on the day of recognition.
    RecognitionDays = 63,
    /// Recognitions of which the day of application is known.
    RecognitionsTimed = 64,
    ZefDueMet = 71,
    ZefDue = 72,
    ZefOverdue = 81,
    ZefDueSoon = 91,
    DualAsked = 101,
    DualDueMet = 111,
    DualDue = 112,
    DualOverdue = 121,
    /// Of the households recognised in a year, those with somebody employed; inside that year only, where they are at home
    /// then. (131 counted them where they were recognised.)
    ZefClearedOfYear = 132,
    /// The households recognised in a year; inside that year only, where they are at home then.
    ZefOfYear = 133,
    StationsCertified = 141,
    Stations = 142,
    Assistants = 161,
    AssistantsLevel3 = 162,
    AssistantsLevel4 = 163,
    AssistantsLeft = 171,
    OfficesLargeEnough = 181,
    TownshipOffices = 182,
    OfficesSixInPlace = 191,
    VillagesCovered = 201,
    Villages = 202,
    ShantyWindows = 211,
    ShantyCommunities = 212,
    FitWindows = 213,
    FitCommunities = 214,
    DocsComplete = 221,
    Platforms = 222,
    ThreeUrban = 231,
    UrbanPlatforms = 232,
    ThreeRural = 233,
    ThreeShanty = 235,
    Unemployed = 241,
    ElderlyUnemployed = 242,
    /// Past the age of retirement and still registered.
    RetiredUnemployed = 243,
    /// Persons registered who found work; each once a year.
    ReemployedInYear = 251,
    /// Persons newly registered who were not registered when the year began; each once a year.
    RegisteredInYear = 252,
    ReemployedInMonth = 253,
    RegisteredInMonth = 254,
    HardshipEmployed = 261,
    HardshipLabour = 262,
    PostPlaces = 271,
    PostOccupied = 272,
    SubsidyEnding = 281,
    SubsidyOver = 282,
    FreeEnrolments = 291,
    FreeTrainedInYear = 292,
    FreeTrainedInMonth = 293,
    ZefChildrenTrained = 301,
    ZefChildrenWishing = 302,
    Fairs = 311,
    FairsInCommunities = 312,
    FairIntents = 313,
    FairHired = 314,
    CampaignVisitedInYear = 321,
    CampaignVisitedInMonth = 322,
    CampaignSends = 323,
    CampaignPlaced = 324,
    RecognisedPaired = 331,
    RecognisedHouseholds = 332,
    GraduatesPlaced = 341,
    GraduatesRecognised = 342,
    CheckedInYear = 351,
    CheckedInMonth = 352,
    RectifyOverdue = 353,
    TitlesRevoked = 361,
    /// Commended, on the day of the decision: how many there are in the whole city, districts can't tell.
    Commended = 362,
    /// Ordered to rectify, and a recheck has failed.
    RecheckFailed = 363,
    ArchivedInTime = 371,
    ArchiveDue = 372,
    Fresh = 381,
    /// Entries that arrived more than the plan's days after what they say happened, on the day of arrival.
    Backdated = 382,
    UnemployedLong = 391,
    UnemployedSilent = 401,
    NodesOnline = 411,
    Nodes = 412,
    ConflictsOpen = 421,
    ConflictsOverdue = 422,
    /// Transfers that were asked for and are not done.
    TransfersOpen = 423,
    /// Of them, those whose term is over.
    TransfersOverdue = 424,
    DuplicatePersons = 431,
    TasksClosedInTime = 441,
    TasksDue = 442,
    TasksOverdue = 443,
    MonthsClosed = 901,
    MonthsApproved = 902,
    /// Sent back, and not closed again.
    MonthsReturned = 903,
}

impl From<Part> for u16 {
    fn from(part: Part) -> Self {
        part.number()
    }
}

/// How far the number of a part's duplicates is from the part's own.
pub const DUPLICATES: u16 = 1_000;

/// How far the number of a part's pending ones is from the part's own, or from its duplicates': what counts live and,
/// for want of proof, not in a closed month.
pub const PENDING: u16 = 2_000;

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

    /// Whether somebody may count in this part because of another record than its own: among the duplicates, as one of
    /// several, or by what refers to it or to another registration of the same person.
    pub fn depends_on_others(number: u16) -> bool {
        let by_itself = [Self::Residents, Self::Labour, Self::ShantyLabour, Self::Fresh];
        by_itself.into_iter().all(|own| own.number() != number)
    }

    /// Whether a hub counts it of its own work, and not of records: no office can.
    pub fn is_of_hubs(self) -> bool {
        matches!(self, Self::Nodes | Self::NodesOnline | Self::ConflictsOpen | Self::ConflictsOverdue)
    }

    /// The part with this number; none for one that only a newer build counts.
    pub fn from_number(number: u16) -> Option<Self> {
        PARTS.iter().copied().find(|part| part.number() == number)
    }
}
