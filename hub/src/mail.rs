//! Everything across districts: letters that the parent relays and can't read, blinded marks of persons and
//! certificates, and transfers that are counted exactly once. A district's side and the city's side.
//! Invariants: what the parent must not read is sealed before it leaves ([`envelope`]); a letter that arrives twice
//! changes nothing; what a letter says of totals is applied in the commit of the cells that it belongs to.

pub mod envelope;
pub mod marks;
pub mod outbox;
pub mod post;
pub mod rows;

#[cfg(test)]
mod tests;
