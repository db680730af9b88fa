//! Assistants and their certificates (notice, items 14 to 16; domain-detail 2.10; K14 to K17).
//! Invariant: somebody who serves two offices counts in one of them on each day, and among the duplicates of the other.

use super::{
    Shelf, Tally,
    assignment::{assignment, assignments, others, valid},
    contest, following, is_about, is_active,
    refs::Refs,
    span::Spans,
    survivor,
};
use crate::{
    OrgCode, Record, RecordId,
    date::add_months,
    indicator::Part,
    register::{code, field, number},
};
use std::collections::BTreeMap;

/// Counts the assistants of a unit and, for an urban community, those who hold a certificate. Returns the days with an
/// assistant. A certificate is the person's, under whichever assignment it was entered, and counts where the person does.
pub(super) fn count<S: Shelf>(shelf: &S, unit: OrgCode, refs: &Refs, tally: &mut Tally<'_>) -> Result<Spans, S::Error> {
    let mut staffed = Vec::new();
    let mut certified = Vec::new();
    for (id, record, here) in refs.of_unit(shelf, number::ASSISTANT, unit)? {
        let Some((turn, days, to)) = assignment(id, &record) else { continue };
        let days = days.and(&here);
        let mut levels = levels(shelf, id)?;
        let (mut elsewhere, mut before) = (Vec::new(), Vec::new());
        for (other, theirs, their_days) in assignments(shelf, id, &record)? {
            if other == id {
                continue;
            }
            levels.join(self::levels(shelf, other)?);
            if theirs < turn {
                before.push(their_days.clone());
            }
            elsewhere.push(their_days);
        }
        let (elsewhere, before) = (Spans::all(elsewhere), Spans::all(before));
        tally.behind = before;
        let (three, four) = (levels.of("3").and(&days), levels.of("4").and(&days));
        tally.during(Part::Assistants, &days);
        tally.during(Part::AssistantsLevel4, &four.without(&three));
        tally.during(Part::AssistantsLevel3, &three);
        let before = std::mem::take(&mut tally.behind);
        certified.push(levels.any().and(&days).without(&before));
        // Who goes from one office to another has not left, if there is a pause between them or not.
        let to = to.filter(|to| days.has(to - 1) && !before.has(to - 1));
        if let Some(to) = to {
            let pause = tally.plans.on(to).assistants.pause_days;
            let again = Spans::one(to, to.saturating_add(pause).saturating_add(1));
            if elsewhere.and(&again).is_empty() {
                tally.step(Part::AssistantsLeft, to, 1);
            }
        }
        staffed.push(days);
    }
    if unit.is_urban_community() {
        tally.during(Part::StationsCertified, &Spans::all(certified));
    }
    Ok(Spans::all(staffed))
}

/// The days on which an assistant's certificates are valid, those on which one counts for another holder left out: one
/// certificate is one person's (domain-detail 2.10).
#[derive(Default)]
struct Levels {
    /// By level (L21).
    by_level: BTreeMap<String, Vec<Spans>>,
}

impl Levels {
    fn of(&self, level: &str) -> Spans {
        Spans::all(self.by_level.get(level).into_iter().flatten().cloned())
    }

    fn any(&self) -> Spans {
        Spans::all(self.by_level.values().flatten().cloned())
    }

    /// Takes over the levels of the same person's other record.
    fn join(&mut self, other: Self) {
        for (level, days) in other.by_level {
            self.by_level.entry(level).or_default().extend(days);
        }
    }
}

/// Whether the holder of a level 3 certificate had level 4 so many months before it, or has a degree (domain-detail 2.10).
pub(super) fn may_rise<S: Shelf>(shelf: &S, certificate: &Record, months: i32) -> Result<bool, S::Error> {
    let (Some(assistant), Some(issued)) =
        (certificate.reference(field::credential::ASSISTANT), certificate.day(field::credential::ISSUED_ON))
    else {
        return Ok(true);
    };
    let assistant = survivor(shelf, assistant)?;
    let Some(holder) = shelf.record(assistant)? else { return Ok(true) };
    let mut own = levels(shelf, assistant)?;
    let mut degree = has_degree(holder.slice(field::assistant::EDU));
    for other in others(shelf, assistant, &holder)? {
        own.join(levels(shelf, other)?);
        degree |=
            shelf.look(other, |record| has_degree(record.and_then(|record| record.slice(field::assistant::EDU))))?;
    }
    let before = add_months(issued, -months);
    Ok(degree || own.of("4").iter().any(|valid| valid.from <= before))
}

/// Graduates of colleges and universities (L03).
fn has_degree(edu: Option<&[u8]>) -> bool {
    let degrees = [code::education::POSTGRADUATE, code::education::BACHELOR, code::education::JUNIOR_COLLEGE];
    edu.is_some_and(|edu| degrees.iter().any(|degree| degree.as_bytes() == edu))
}

fn levels<S: Shelf>(shelf: &S, assistant: RecordId) -> Result<Levels, S::Error> {
    let mut levels = Levels::default();
    for id in following(shelf, assistant, number::ASSISTANT, number::CREDENTIAL)? {
        let Some(record) = shelf.record(id)?.filter(is_active) else { continue };
        if !is_about(shelf, &record, field::credential::ASSISTANT, assistant)? {
            continue;
        }
        let Some(valid) = valid(&record) else { continue };
        let own = valid.without(&contest::turns(shelf, id, &record)?.behind);
        let level = String::from_utf8_lossy(record.slice(field::credential::LEVEL).unwrap_or_default()).into_owned();
        levels.by_level.entry(level).or_default().push(own);
    }
    Ok(levels)
}
