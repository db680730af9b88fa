//! Crashes of an office in the middle of an operation: its data directory is copied as it is on disk at the point
//! where the process would have died. What the operation does afterwards never happened: the process is opened again
//! from the copy.

use super::copy::copy;
use std::{cell::RefCell, io, path::PathBuf, rc::Rc};
use taizhang_node::disk::{Point, watch_points};

/// A crash that may come while this lives.
pub(super) struct Armed(Rc<RefCell<Plan>>);

struct Plan {
    left: u32,
    from: PathBuf,
    to: PathBuf,
    reached: Option<(Point, io::Result<()>)>,
}

impl Armed {
    /// A crash at the point with this number, counted from 0, of whatever this thread does next.
    pub(super) fn at(point: u32, from: PathBuf, to: PathBuf) -> Self {
        let plan = Rc::new(RefCell::new(Plan { left: point, from, to, reached: None }));
        let watched = plan.clone();
        watch_points(Some(Box::new(move |point| {
            let mut plan = watched.borrow_mut();
            if plan.reached.is_some() {
                return;
            }
            if plan.left > 0 {
                plan.left -= 1;
                return;
            }
            plan.reached = Some((point, copy(&plan.from, &plan.to)));
        })));
        Self(plan)
    }

    /// Where it crashed, if it came to that.
    pub(super) fn fired(self) -> io::Result<Option<Point>> {
        watch_points(None);
        let reached = self.0.borrow_mut().reached.take();
        reached.map(|(point, copied)| copied.map(|()| point)).transpose()
    }
}

impl Drop for Armed {
    fn drop(&mut self) {
        watch_points(None);
    }
}
