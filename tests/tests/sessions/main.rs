//! Sessions between real ledgers on sled and a real hub core on fjall, with messages passed in memory: what happens
//! when a store was damaged in silence, and when an office's scope changes.
#![allow(clippy::unwrap_used)]

mod below;
mod clocks;
mod commits;
mod crowds;
mod damaged_hub;
mod forged;
mod full;
mod merges;
mod offered;
mod pair;
mod questions;
mod rebuilt;
mod refused;
mod remembered;
mod repair;
mod restored;
mod restored_city;
mod scope;
mod tidy;
