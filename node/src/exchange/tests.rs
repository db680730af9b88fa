//! The room's tests: the rosters of an office, files with other habits, hostile ones, and the way back.

#![allow(clippy::unwrap_used)]

mod codes;
mod desk;
mod exports;
mod files;
mod hostile;
mod rosters;
