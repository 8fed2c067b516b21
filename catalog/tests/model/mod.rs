//! A small machine in memory, and runs over it.

pub mod enact;
pub mod machine;
pub mod refusals;
pub mod reverting;
pub mod run;
