//! The points between which a crash leaves different things on disk. Nothing watches them outside of tests: a watcher
//! that copies the data directory at a point has what `kill -9` would leave there.

use std::cell::RefCell;

/// Where a write has got to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Point {
    /// The journal is about to write entries.
    Writing,
    /// They are written, not synced.
    Written,
    /// They are on disk; nobody was told yet.
    Synced,
    /// A new segment is whole under its temporary name.
    Begun,
    /// It has its name.
    Renamed,
    /// A file is gone.
    Removed,
    /// The store is about to take a batch.
    Applying,
    /// It has the batch, perhaps not on disk.
    Applied,
    /// All of it is on disk.
    Flushed,
}

type Watcher = Box<dyn FnMut(Point)>;

thread_local! {
    static WATCHER: RefCell<Option<Watcher>> = const { RefCell::new(None) };
}

/// Has this thread's points watched, or no longer.
pub fn watch_points(watcher: Option<Box<dyn FnMut(Point)>>) {
    WATCHER.with_borrow_mut(|place| *place = watcher);
}

/// Tells the watcher, if there is one.
pub fn reached(point: Point) {
    WATCHER.with_borrow_mut(|place| {
        if let Some(watcher) = place {
            watcher(point);
        }
    });
}
