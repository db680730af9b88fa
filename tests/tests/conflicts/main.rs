//! The conflicts of domain-detail section 4, each between real offices and a real hub: what both sides enter while
//! apart, what the hub finds when they meet, what counts until somebody has decided, and what every office holds and
//! remembers afterwards.

#![allow(clippy::unwrap_used)]

mod households;
mod people;
mod periods;
mod places;
mod policies;
mod queue;
mod replicas;
mod township;
mod units;

use taizhang_tests::scene;
