//! What happened in the simulated city, as plain facts: no records, no steps, no spans.

use std::collections::BTreeSet;
use taizhang_proto::{RecordId, date::Day};

/// From a day up to but without another.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lasting {
    pub(crate) from: Day,
    pub(crate) to: Option<Day>,
}

impl Lasting {
    pub(crate) fn on(&self, day: Day) -> bool {
        self.from <= day && self.to.is_none_or(|to| day < to)
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Person {
    pub(crate) id: RecordId,
    pub(crate) id_no: String,
    pub(crate) unit: u64,
    pub(crate) house: usize,
    pub(crate) child: bool,
    pub(crate) male: bool,
    pub(crate) born: (i16, i8, i8),
    pub(crate) labour: bool,
    pub(crate) resettled: bool,
    pub(crate) wishes_training: bool,
    pub(crate) verified: Vec<Day>,
    /// The day of registration, where the form says one.
    pub(crate) registered: Option<Day>,
    pub(crate) died: Option<Day>,
    /// The day on which this registration ends, since its holder moved away.
    pub(crate) moved: Option<Day>,
    pub(crate) retired: Option<Day>,
}

/// A second registration of somebody, at another office of the district.
#[derive(Debug, Clone)]
pub(crate) struct Double {
    pub(crate) id: RecordId,
    pub(crate) person: usize,
    pub(crate) unit: u64,
    pub(crate) verified: Option<Day>,
    pub(crate) registered: Option<Day>,
    pub(crate) moved: Option<Day>,
}

#[derive(Debug, Clone)]
pub(crate) struct House {
    pub(crate) id: RecordId,
    pub(crate) resettled: bool,
    pub(crate) unit: u64,
    pub(crate) verified: Option<Day>,
    pub(crate) registered: Option<Day>,
}

#[derive(Debug, Clone)]
pub(crate) struct Spell {
    pub(crate) id: RecordId,
    pub(crate) person: usize,
    pub(crate) lost: Day,
    pub(crate) days: Lasting,
}

#[derive(Debug, Clone)]
pub(crate) struct Job {
    pub(crate) id: RecordId,
    pub(crate) person: usize,
    pub(crate) days: Lasting,
    /// The day on which it was entered, and arrived.
    pub(crate) entered: Day,
    pub(crate) campaign: bool,
    pub(crate) post: Option<usize>,
    /// A contract, a licence or a pay slip was shown.
    pub(crate) proven: bool,
}

#[derive(Debug, Clone)]
pub(crate) struct Case {
    pub(crate) id: RecordId,
    pub(crate) house: usize,
    pub(crate) graduate: bool,
    pub(crate) applied: Day,
    pub(crate) recognised: Day,
    pub(crate) asked: Option<Day>,
    pub(crate) exit: Option<Day>,
    pub(crate) stable: bool,
    /// It left since nobody could reach the household any more.
    pub(crate) silent: bool,
}

#[derive(Debug, Clone)]
pub(crate) struct Hardship {
    pub(crate) id: RecordId,
    pub(crate) person: usize,
    pub(crate) days: Lasting,
}

#[derive(Debug, Clone)]
pub(crate) struct Service {
    pub(crate) person: Option<usize>,
    pub(crate) house: Option<usize>,
    pub(crate) on: Day,
    pub(crate) visit: bool,
    /// First and last day of the campaign that it was for.
    pub(crate) campaign: Option<(Day, Day)>,
    pub(crate) sends: i64,
}

#[derive(Debug, Clone)]
pub(crate) struct Training {
    pub(crate) person: usize,
    pub(crate) free: bool,
    pub(crate) on: Day,
}

#[derive(Debug, Clone)]
pub(crate) struct Pair {
    pub(crate) person: Option<usize>,
    pub(crate) house: Option<usize>,
    pub(crate) days: Lasting,
}

#[derive(Debug, Clone)]
pub(crate) struct Post {
    pub(crate) id: RecordId,
    pub(crate) unit: u64,
    pub(crate) places: i64,
    pub(crate) days: Lasting,
    pub(crate) subsidy_until: Day,
}

#[derive(Debug, Clone)]
pub(crate) struct Helper {
    pub(crate) id: RecordId,
    pub(crate) unit: u64,
    pub(crate) who: u32,
    pub(crate) days: Lasting,
    /// Level and days of the certificate.
    pub(crate) certificate: Option<(u8, Lasting)>,
}

/// What the district found when it checked premises.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Checked {
    pub(crate) on: Day,
    /// Hundredths of a square metre, verified.
    pub(crate) area: u64,
    pub(crate) six: bool,
}

#[derive(Debug, Clone)]
pub(crate) struct Premises {
    pub(crate) id: RecordId,
    pub(crate) unit: u64,
    pub(crate) from: Day,
    pub(crate) shanty: bool,
    pub(crate) fit: bool,
    pub(crate) window: bool,
    pub(crate) fixed: bool,
    /// Every check of it, oldest first.
    pub(crate) checks: Vec<Checked>,
    pub(crate) three: [u64; 3],
}

#[derive(Debug, Clone)]
pub(crate) struct Paper {
    pub(crate) unit: u64,
    pub(crate) kind: u8,
    pub(crate) from: Day,
    /// Last day in force.
    pub(crate) until: Option<Day>,
}

#[derive(Debug, Clone)]
pub(crate) struct Title {
    pub(crate) id: RecordId,
    pub(crate) unit: u64,
    pub(crate) certified: Day,
    pub(crate) rectify: Option<(Day, Day)>,
    pub(crate) restored: Option<Day>,
    pub(crate) revoked: Option<Day>,
}

#[derive(Debug, Clone)]
pub(crate) struct Check {
    pub(crate) unit: u64,
    pub(crate) on: Day,
}

#[derive(Debug, Clone)]
pub(crate) struct Task {
    pub(crate) id: RecordId,
    pub(crate) unit: u64,
    pub(crate) due: Day,
    pub(crate) closed: Option<Day>,
    pub(crate) withdrawn: Option<Day>,
}

#[derive(Debug, Clone)]
pub(crate) struct Fair {
    pub(crate) unit: u64,
    pub(crate) on: Day,
    pub(crate) in_community: bool,
    pub(crate) intents: i64,
    pub(crate) hired: i64,
}

/// What an archive entry files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Files {
    Paper,
    Case(usize),
}

#[derive(Debug, Clone)]
pub(crate) struct Filed {
    pub(crate) unit: u64,
    pub(crate) files: Files,
    pub(crate) formed: Day,
    pub(crate) archived: Option<Day>,
}

/// An office's computer, and on which days it has synced.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) unit: u64,
    pub(crate) since: Day,
    pub(crate) synced: BTreeSet<Day>,
}

/// Somebody whom an office sends to another one, which sends everybody back.
#[derive(Debug, Clone)]
pub(crate) struct Transfer {
    pub(crate) person: usize,
    pub(crate) to: u64,
    pub(crate) asked: Day,
    pub(crate) answered: Option<Day>,
}

/// Something that a reviewer has to decide.
#[derive(Debug, Clone)]
pub(crate) struct Dispute {
    pub(crate) unit: u64,
    pub(crate) found: Day,
    pub(crate) closed: Option<Day>,
}

/// Everything.
#[derive(Debug, Clone, Default)]
pub(crate) struct Model {
    pub(crate) persons: Vec<Person>,
    pub(crate) doubles: Vec<Double>,
    pub(crate) houses: Vec<House>,
    pub(crate) spells: Vec<Spell>,
    pub(crate) jobs: Vec<Job>,
    pub(crate) cases: Vec<Case>,
    pub(crate) hardships: Vec<Hardship>,
    pub(crate) services: Vec<Service>,
    pub(crate) trainings: Vec<Training>,
    pub(crate) pairs: Vec<Pair>,
    pub(crate) posts: Vec<Post>,
    pub(crate) helpers: Vec<Helper>,
    pub(crate) premises: Vec<Premises>,
    pub(crate) papers: Vec<Paper>,
    pub(crate) titles: Vec<Title>,
    pub(crate) checks: Vec<Check>,
    pub(crate) tasks: Vec<Task>,
    pub(crate) fairs: Vec<Fair>,
    pub(crate) filed: Vec<Filed>,
    pub(crate) nodes: Vec<Node>,
    pub(crate) transfers: Vec<Transfer>,
    pub(crate) disputes: Vec<Dispute>,
}

impl Model {
    /// The facts as a closed month has them: without the jobs that nobody proved.
    pub(crate) fn proven(&self) -> Self {
        let jobs = self.jobs.iter().filter(|job| job.proven).cloned().collect();
        Self { jobs, ..self.clone() }
    }

    /// A node of a unit has synced: it is enrolled with its first time.
    pub(crate) fn note_sync(&mut self, unit: u64, on: Day) {
        match self.nodes.iter_mut().find(|node| node.unit == unit) {
            Some(node) => drop(node.synced.insert(on)),
            None => self.nodes.push(Node { unit, since: on, synced: BTreeSet::from([on]) }),
        }
    }
}
