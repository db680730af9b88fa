//! The kit of the consoles: what every page of an office, a district and the city is made of, and how it is served.
//! Invariant: a page asks for nothing from elsewhere, runs no script but the kit's own file, and works without it; what holds personal
//! data is never kept by a browser, and no such data stands in an address.

pub mod assets;
pub mod file;
pub mod form;
pub mod guard;
pub mod login;
pub mod parts;
pub mod serve;
pub mod sessions;
pub mod shell;
pub mod users;
pub mod words;

pub use words::Words;
