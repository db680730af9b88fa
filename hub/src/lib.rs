//! A hub: a district, which holds every record of its offices, or a city, which holds totals.
//!
//! Towards its parent a hub is a node and uses that crate's client; everything that enters goes through [`writer`].

pub mod advertise;
pub mod audit_log;
pub mod authority;
pub mod backdated;
pub mod campaigns;
mod certificate;
mod certify;
pub mod cli;
pub mod config;
pub mod draws;
pub mod engine;
pub mod gate;
pub mod hub;
pub mod integrity;
pub mod lineage;
pub mod mail;
pub mod months;
pub mod orders;
pub mod plans;
mod reading;
pub mod review;
pub mod roll;
pub mod rows;
pub mod scope;
pub mod session;
mod shelf;
pub mod state;
pub mod store;
pub mod tidy;
pub mod totals;
mod turns;
pub mod upkeep;
pub mod upward;
pub mod writer;
