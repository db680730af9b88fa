//! The city in a box: what the demo, the end-to-end tests and the load tool share.

pub mod books;
pub mod demo;
pub mod fuzz;
pub mod hostile;
pub mod load;
pub mod scene;
pub mod sim;
pub mod synth;
pub mod talk;
pub mod town;
