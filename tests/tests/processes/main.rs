//! Real processes on a real disk: killed, damaged, out of space, and asked by command line. What was answered 'saved'
//! must be there afterwards, at the office and at the district, exactly once.

#![allow(clippy::unwrap_used, missing_docs, unreachable_pub)]

mod clerk;
mod commands;
mod damage;
mod demo;
mod enrol;
mod full_disk;
mod kill_hub;
mod kill_node;
mod lost_store;
mod nightly;
mod papers;
mod reading;
mod readme;
mod schema;
mod stranger;
mod strangers;
mod town;
mod words;
