//! How far each campaign of a district is against its quotas (notice, items 43 and 45).
//! Invariant: what counts for a campaign happened inside its days, and at or below the unit that it belongs to.

use crate::{
    orders,
    shelf::Committed,
    state::Core,
    store::{Space, StoreError, View},
    totals,
};
use prost::Message;
use taizhang_proto::{
    Record, RecordId,
    cell::{self, campaign, home_unit, is_active},
    date::Day,
    indicator::Part,
    pb,
    register::{field, number},
};

/// The campaigns as they stand on a day, or today where it is 0.
///
/// # Errors
/// When the store fails.
pub fn answer(core: &Core, on: Day) -> Result<pb::CampaignsAnswer, StoreError> {
    let on = if on == 0 { core.today() } else { on };
    Ok(pb::CampaignsAnswer { lines: campaigns(core, on)? })
}

/// Every campaign as it stands on a day, the latest first. It reads every record: a report, not a page.
///
/// # Errors
/// When the store fails.
pub fn campaigns(core: &Core, on: Day) -> Result<Vec<pb::CampaignLine>, StoreError> {
    let (view, tree) = (core.view(), core.tree());
    let view = view.as_ref();
    let shelf = Committed { view, tree: tree.clone() };
    let mut found = citys_own(core, view, on)?;
    for row in view.prefix(Space::Records, &[]) {
        let (key, value) = row?;
        let record = Record::decode(value).map_err(|_| StoreError::Row(Space::Records))?;
        if record.register != number::CAMPAIGN || !is_active(&record) {
            continue;
        }
        let unit = home_unit(&record).filter(|unit| core.unit.covers(*unit));
        let (Some(unit), Some(id)) = (unit, RecordId::from_slice(&key)) else { continue };
        let own: pb::Campaign =
            record.typed(|tag| matches!(tag, field::campaign::TITLE..=field::campaign::QUOTA_PLACED));
        let days = campaign::days_of(&record);
        let days = *days.start()..=on.min(*days.end());
        found.push(pb::CampaignLine {
            record: id.to_string(),
            unit: unit.number(),
            unit_name: tree.name(unit),
            title: own.title.unwrap_or_default(),
            from_on: own.from_on.unwrap_or_default(),
            to_on: own.to_on.unwrap_or_default(),
            visited: Some(cell::visited(&shelf, id, unit, on)? as u64),
            placed: totals::sum(view, unit, Part::CampaignPlaced.number(), days)?,
            quota_visits: own.quota_visits.unwrap_or_default(),
            quota_placed: own.quota_placed.unwrap_or_default(),
        });
    }
    found.sort_by(|one, two| (two.from_on, one.unit, &one.record).cmp(&(one.from_on, two.unit, &two.record)));
    Ok(found)
}

/// The city's own campaigns, which its districts carry out: whom they placed is in the city's cells, whom they visited in no figure of it.
fn citys_own(core: &Core, view: &dyn View, on: Day) -> Result<Vec<pb::CampaignLine>, StoreError> {
    if core.tier != pb::Tier::City {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    let stands = |order: &pb::TaskOrder| order.register == number::CAMPAIGN && order.withdrawn_on == 0;
    for order in orders::standing(core)?.orders.into_iter().filter(stands) {
        let Ok(own) = pb::Campaign::decode(order.message) else { continue };
        let (from_on, to_on) = (own.from_on.unwrap_or_default(), own.to_on.unwrap_or_default());
        found.push(pb::CampaignLine {
            record: format!("#{}", order.no),
            unit: core.unit.number(),
            unit_name: core.tree().name(core.unit),
            title: own.title.unwrap_or(order.title),
            from_on,
            to_on,
            visited: None,
            placed: totals::sum(view, core.unit, Part::CampaignPlaced.number(), from_on..=on.min(to_on))?,
            quota_visits: own.quota_visits.unwrap_or_default(),
            quota_placed: own.quota_placed.unwrap_or_default(),
        });
    }
    Ok(found)
}
