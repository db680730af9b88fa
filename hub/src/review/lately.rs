//! What was entered a moment ago: the same entry again is a second click. Kept in memory, since a moment does not outlast a restart.
//! Invariant: it is told with the record that the first one made, and whoever means it says so.

use std::collections::VecDeque;
use taizhang_proto::pb::ReviseRequest;

/// How long a moment is, milliseconds.
const MOMENT: u64 = 10 * 60 * 1_000;
/// Entries that are remembered.
const MOST: usize = 256;

/// One entry of a new record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    register: String,
    fields: Vec<(String, String)>,
    by: String,
}

impl Entry {
    /// What a request enters; none where it changes a record, or says that it is meant.
    pub(super) fn of(request: &ReviseRequest) -> Option<Self> {
        let mut fields: Vec<_> = request.fields.clone().into_iter().collect();
        fields.sort_unstable();
        let entry = Self { register: request.register.clone(), fields, by: request.by.trim().to_owned() };
        (request.record.is_empty() && !request.despite).then_some(entry)
    }
}

/// The entries of the last moment, the oldest first, each with when it was made and the record.
#[derive(Debug, Default)]
pub(super) struct Lately(VecDeque<(u64, Entry, String)>);

impl Lately {
    /// The record that the same entry made a moment ago; `now` in milliseconds since 1970.
    pub(super) fn made(&self, entry: &Entry, now: u64) -> Option<&str> {
        let same = |(at, other, _): &&(u64, Entry, String)| other == entry && now.abs_diff(*at) < MOMENT;
        self.0.iter().rev().find(same).map(|(.., record)| record.as_str())
    }

    /// Keeps an entry that was made.
    pub(super) fn put(&mut self, entry: Entry, now: u64, record: String) {
        if self.0.len() == MOST {
            self.0.pop_front();
        }
        self.0.push_back((now, entry, record));
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn request(phone: &str) -> ReviseRequest {
        let fields = [("name", "甲"), ("phone", phone)].map(|(name, value)| (name.to_owned(), value.to_owned()));
        ReviseRequest {
            register: "Resident".into(),
            fields: fields.into(),
            by: "王".into(),
            ..ReviseRequest::default()
        }
    }

    #[test]
    fn the_same_entry_within_a_moment_is_the_same() {
        let mut lately = Lately::default();
        let entry = Entry::of(&request("1")).unwrap();
        lately.put(entry.clone(), 1_000_000, "a".into());
        assert_eq!(lately.made(&entry, 1_000_000 + MOMENT - 1), Some("a"));
        assert_eq!(lately.made(&entry, 1_000_000 + MOMENT), None);
        assert_eq!(lately.made(&Entry::of(&request("2")).unwrap(), 1_000_001), None);
        assert_eq!(Entry::of(&ReviseRequest { despite: true, ..request("1") }), None);
        assert_eq!(Entry::of(&ReviseRequest { record: "x".into(), ..request("1") }), None);
        for nth in 0..MOST {
            lately.put(Entry::of(&request(&format!("{nth}x"))).unwrap(), 1_000_000, String::new());
        }
        assert_eq!((lately.made(&entry, 1_000_001), lately.0.len()), (None, MOST));
    }
}
