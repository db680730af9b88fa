//! The room's tests: the rosters of an office, files with other habits, hostile ones, and the way back.

#![allow(clippy::unwrap_used)]

mod books;
mod codes;
mod desk;
mod every_register;
mod exports;
mod files;
mod habits;
mod hostile;
mod rosters;
mod together;
