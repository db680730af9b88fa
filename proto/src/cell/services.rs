//! Services to persons and households. Invariant: one that was taken back by a counter-entry counts nowhere.

use super::{Shelf, campaign, survivor};
use crate::{
    Record, RecordId,
    date::Day,
    pb,
    register::{code, field},
};

/// A service that stands: neither void nor taken back by a counter-entry.
pub(super) struct Service {
    pub(super) on: Day,
    pub(super) visit: bool,
    /// The campaign that it was part of.
    pub(super) campaign: Option<RecordId>,
    /// How many of the four sends it was.
    pub(super) sends: i64,
    /// What was offered was refused.
    pub(super) refused: bool,
    /// It speaks of a person, beside the household or not.
    pub(super) of_person: bool,
}

/// The days of the home visits among them.
pub(super) fn visits(services: &[Service]) -> Vec<Day> {
    services.iter().filter(|service| service.visit).map(|service| service.on).collect()
}

/// The services that stand among these records.
pub(super) fn services_of<S: Shelf>(shelf: &S, records: Vec<(RecordId, Record)>) -> Result<Vec<Service>, S::Error> {
    let mut found = Vec::new();
    let mut taken_back = Vec::new();
    for (id, record) in records {
        if let Some(countered) = record.reference(field::service_record::COUNTERS) {
            taken_back.extend([id, survivor(shelf, countered)?]);
            continue;
        }
        let service: pb::ServiceRecord = record.typed(|tag| {
            matches!(tag, field::service_record::KIND..=field::service_record::ON | field::service_record::REFUSED)
        });
        let Some(on) = service.on else { continue };
        let own = Service {
            on,
            visit: service.kind.as_deref() == Some(code::service::HOME_VISIT),
            campaign: record
                .reference(field::service_record::CAMPAIGN)
                .map(|named| campaign::on_day(shelf, named, on))
                .transpose()?
                .flatten(),
            sends: service.send_type.len() as i64,
            refused: service.refused == Some(true),
            of_person: record.bytes(field::service_record::PERSON).is_some(),
        };
        found.push((id, own));
    }
    found.retain(|(id, _)| !taken_back.contains(id));
    Ok(found.into_iter().map(|(_, service)| service).collect())
}
