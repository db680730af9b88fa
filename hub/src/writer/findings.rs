//! What a changed record means for its surroundings, as values: who looks at it (`inspect`) brings them about.
//! Invariant: nothing is changed here, so that the same records give the same findings however often they are looked at.

mod duplicates;
mod households;
mod placements;

use super::{
    commit::{Known, Reading, pending::Look},
    outcome::standing_claim,
};
use crate::store::StoreError;
use std::collections::HashSet;
use taizhang_proto::{
    OrgCode, Record, RecordId,
    cell::{following, home_unit, left_on},
    pb::{self, ConflictKind},
    register::{TRANSFER_TO, field, number},
    rule::Rule,
    wire::Field,
};

/// What was found when a record was looked at.
pub(super) enum Finding {
    /// A reviewer is asked, or told.
    Ask(Box<pb::Conflict>),
    /// What was asked about a record and has no reason any more is over.
    Over {
        /// The record.
        id: RecordId,
        /// What was asked.
        kind: ConflictKind,
        /// What still has one.
        stays: Stays,
    },
    /// One job, entered twice: of these pairs the first that can be one is made one.
    OneJob(Vec<Twins>),
    /// Somebody was sent to another unit, or is no longer.
    Sent(RecordId),
    /// A unit has answered whether it takes somebody in.
    Answered(RecordId),
    /// A certified community was found wanting.
    Wanting(RecordId),
    /// A title was restored.
    Restored(RecordId),
    /// Another record is to be looked at.
    Also(RecordId),
    /// Something is to be looked at once for all that ask.
    Look(Look),
}

/// Which open questions about a record still have their reason.
#[derive(Default)]
pub(super) struct Stays {
    /// Those about a field, by the other record.
    pub(super) by_field: HashSet<RecordId>,
    /// Those about no field, by the other record.
    pub(super) by_whole: HashSet<RecordId>,
}

impl Stays {
    /// Whether one stays.
    pub(super) fn holds(&self, open: &pb::Conflict) -> bool {
        let among = if open.tags.is_empty() { &self.by_whole } else { &self.by_field };
        RecordId::from_slice(&open.other).is_some_and(|other| among.contains(&other))
    }
}

/// Two placements that are one job.
pub(super) struct Twins {
    /// The one that came first: it stands.
    pub(super) first: RecordId,
    /// The other one.
    pub(super) second: RecordId,
    /// What the one that stands says from then on.
    pub(super) says: Vec<Field>,
    /// What a reviewer is asked, or told.
    pub(super) ask: Box<pb::Conflict>,
}

impl Known<'_, '_> {
    /// What a record that has changed means.
    pub(super) fn findings(self, id: RecordId) -> Result<Vec<Finding>, StoreError> {
        let Some(record) = self.record(id)? else { return Ok(Vec::new()) };
        let mut found = Vec::new();
        match record.register {
            number::RESIDENT => {
                self.find_duplicates(id, record.register, &mut found)?;
                // Who was never sent anywhere has never been asked for: as almost everybody.
                found.extend(record.origin(TRANSFER_TO).map(|_| Finding::Sent(id)));
                found.extend(left_on(&record).map(|_| Finding::Look(Look::PlacementsOf(id))));
            }
            number::HOUSEHOLD => {
                self.find_duplicates(id, record.register, &mut found)?;
                found.extend(record.origin(TRANSFER_TO).map(|_| Finding::Sent(id)));
            }
            number::CREDENTIAL | number::HELD_CERTIFICATE => {
                self.find_duplicates(id, record.register, &mut found)?;
            }
            number::ASSISTANT => {
                for credential in following(&Reading(&self), id, number::ASSISTANT, number::CREDENTIAL)? {
                    self.find_duplicates(credential, number::CREDENTIAL, &mut found)?;
                }
            }
            number::PLACEMENT => self.find_around_placement(id, &record, &mut found)?,
            number::POST => found.push(Finding::Look(Look::Post(id))),
            number::MEMBER => self.find_around_member(id, &record, &mut found)?,
            number::ZEF_CASE => self.find_contradiction(id, &mut found)?,
            number::FEC_CASE => found.push(Finding::Restored(id)),
            number::SPOT_CHECK => found.push(Finding::Wanting(id)),
            number::TRANSFER => found.push(Finding::Answered(id)),
            _ => {}
        }
        Ok(found)
    }

    /// What is found where several records have asked to look.
    pub(super) fn look_at(self, look: Look) -> Result<Vec<Finding>, StoreError> {
        let mut found = Vec::new();
        match look {
            Look::Post(post) => self.find_double_booking(post, &mut found)?,
            Look::PlacementsOf(person) => {
                let mut posts = HashSet::new();
                for placement in following(&Reading(&self), person, number::RESIDENT, number::PLACEMENT)? {
                    self.find_placed_after_leaving(placement, &mut found)?;
                    let post = self.record(placement)?.and_then(|job| job.reference(field::placement::POST));
                    posts.extend(post);
                }
                // Whoever has left keeps no place.
                found.extend(posts.into_iter().map(|post| Finding::Look(Look::Post(post))));
            }
            Look::MembersOf(household) => self.find_around_members(household, &mut found)?,
            Look::MembershipsOf(person) => self.find_two_households(person, &mut found)?,
            Look::CasesOf(person) => {
                // A job of another registration is the same person's.
                for registered in self.registrations(person)? {
                    for member in self.memberships(registered)? {
                        found.extend(self.cases_around(member)?);
                    }
                }
            }
            Look::HouseholdsOf(person) => {
                let around = self.households_of(person)?.into_iter().chain(self.memberships(person)?);
                found.extend(around.map(Finding::Also));
            }
            Look::CasesIn(household) => {
                for case in following(&Reading(&self), household, number::HOUSEHOLD, number::ZEF_CASE)? {
                    self.find_contradiction(case, &mut found)?;
                }
            }
            Look::Adults(one, two) => self.find_same_household(one, two, &mut found)?,
        }
        Ok(found)
    }

    /// What a reviewer is asked about a record, with the other one where there is one.
    pub(super) fn question(
        self,
        kind: ConflictKind,
        id: RecordId,
        other: Option<RecordId>,
        tags: &[u32],
        note: &str,
    ) -> Result<Box<pb::Conflict>, StoreError> {
        let record = self.record(id)?.unwrap_or_default();
        let unit_of = |record: &Record| home_unit(record).map_or(0, OrgCode::number);
        let mut conflict = pb::Conflict {
            kind: kind.into(),
            register: record.register,
            record: id.0.to_vec().into(),
            unit: unit_of(&record),
            tags: tags.to_vec(),
            claims: vec![standing_claim(&record, tags)],
            rule: Rule::from(kind).name().to_owned(),
            revision: record.revision(),
            note: note.to_owned(),
            ..pb::Conflict::default()
        };
        if let Some(other) = other {
            conflict.other = other.0.to_vec().into();
            if let Some(record) = self.record(other)? {
                conflict.other_unit = unit_of(&record);
                if record.register == conflict.register {
                    conflict.claims.push(standing_claim(&record, tags));
                }
            }
        }
        Ok(Box::new(conflict))
    }

    /// What was asked about a record and has no reason any more; about a new one nothing was asked.
    fn over(self, id: RecordId, kind: ConflictKind, stays: Stays) -> Option<Finding> {
        (!self.is_new(id)).then_some(Finding::Over { id, kind, stays })
    }
}
