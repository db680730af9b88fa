//! An office: its registers on its own disk, and the way up to its hub.
//!
//! One way in for data: forms, imports and the session all end in [`ledger`]. A hub uses this crate for its own way
//! up, so nothing here knows what a hub does with what it receives.

pub mod audit_log;
pub mod caller;
pub mod cli;
pub mod config;
pub mod console;
pub mod control;
pub mod desk;
pub mod disk;
pub mod exchange;
pub mod identity;
pub mod journal;
pub mod ledger;
pub mod office;
pub mod panics;
pub mod parts;
pub mod replica;
pub mod show;
pub mod store;
pub mod timeouts;
pub mod upstream;
pub mod web;
