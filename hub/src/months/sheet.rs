//! What is on the sheets of a month. Invariant: each figure of a unit is on one of them.

use taizhang_proto::{
    OrgCode,
    indicator::{self, Kind, Period, Span},
    month::Month,
    pb::TotalSpan,
};

/// Whether a unit's figures are on the sheet of another: the city's has the city's own, a district's all below it.
pub(super) fn is_on_sheet(sheet: u64, unit: OrgCode, city: OrgCode) -> bool {
    OrgCode::new(sheet).is_ok_and(|sheet| if sheet == city { unit == city } else { sheet.covers(unit) })
}

/// What a month's report has of each unit.
pub(super) fn asked(month: Month) -> impl Iterator<Item = (&'static indicator::Indicator, Period, TotalSpan)> {
    let on = month.last_day();
    indicator::all().flat_map(move |one| {
        let year = (one, Period::up_to(on, Span::Year), TotalSpan::Year);
        let month = (one.kind == Kind::Flow).then(|| (one, Period::up_to(on, Span::Month), TotalSpan::Month));
        std::iter::once(year).chain(month)
    })
}
