//! The rules of `taizhang-proto` as properties: each module states one promise and lets proptest look for a
//! counterexample. One binary, so that it links once.
#![allow(clippy::unwrap_used)]

mod archive;
mod backdated;
mod contact;
mod decision;
mod digest;
mod figures;
mod fixture;
mod golden;
mod merged;
mod readings;
mod record;
mod totals;
mod wire;
