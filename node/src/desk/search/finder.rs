//! Rows against a query, in any order, the best kept. Invariants: however many fit, no more are held than were asked for; a
//! household fits by its own words and its head's together.

use super::{
    Fit, Query,
    row::{Fits, Row},
};
use std::collections::{BinaryHeap, HashMap};
use taizhang_proto::{RecordId, register::number};

/// What was found: the best first, and of equals the older.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Records with how well they fit, as many as were asked for.
    pub hits: Vec<(RecordId, Fit)>,
    /// How many there are in all.
    pub total: u64,
}

/// What is sorted by: the fit, whether the record stands, the register, and the id, in which its age is.
type Place = (Fit, bool, u32, RecordId);

/// A search that is under way.
pub struct Finder<'q> {
    query: &'q Query,
    limit: usize,
    /// The worst on top.
    best: BinaryHeap<Place>,
    total: u64,
    /// Residents of whom some word is true, for the households that they head.
    heads: HashMap<RecordId, Fits>,
    households: Vec<(RecordId, RecordId, bool, Fits)>,
}

impl<'q> Finder<'q> {
    /// A search for at most so many.
    pub fn new(query: &'q Query, limit: usize) -> Self {
        let (best, heads) = (BinaryHeap::new(), HashMap::new());
        Self { query, limit, best, total: 0, heads, households: Vec::new() }
    }

    /// Looks at one row.
    pub fn look(&mut self, id: RecordId, row: &Row) {
        let fits = row.fits(self.query);
        if row.register == number::RESIDENT && fits.iter().any(Option::is_some) {
            self.heads.insert(id, fits);
        }
        if !row.is_asked(self.query) {
            return;
        }
        match row.head {
            Some(head) => self.households.push((id, head, row.stands, fits)),
            None => self.put(id, row.register, row.stands, fits),
        }
    }

    fn put(&mut self, id: RecordId, register: u32, stands: bool, fits: Fits) {
        let Some(fit) = whole(self.query, fits) else { return };
        self.total += 1;
        let place = (fit, !stands, register, id);
        if self.best.len() < self.limit {
            self.best.push(place);
        } else if let Some(mut worst) = self.best.peek_mut()
            && place < *worst
        {
            *worst = place;
        }
    }

    /// What was found.
    pub fn found(mut self) -> Found {
        for (id, head, stands, own) in std::mem::take(&mut self.households) {
            let mut fits = own;
            for (own, theirs) in fits.iter_mut().zip(self.heads.get(&head).into_iter().flatten()) {
                *own = own.iter().chain(theirs).min().copied();
            }
            self.put(id, number::HOUSEHOLD, stands, fits);
        }
        let best = std::mem::take(&mut self.best).into_sorted_vec();
        Found { hits: best.into_iter().map(|(fit, _, _, id)| (id, fit)).collect(), total: self.total }
    }
}

/// How the words fit together: as well as the worst of them; none where one does not.
pub(super) fn whole(query: &Query, fits: Fits) -> Option<Fit> {
    let all = fits.iter().take(query.words.len()).copied().collect::<Option<Vec<Fit>>>()?;
    all.into_iter().max()
}
