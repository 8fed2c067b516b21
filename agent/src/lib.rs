//! What `cfg` does on a machine.

pub mod apt;
pub mod effect;
pub mod run_as;
