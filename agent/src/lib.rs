//! What `cfg` does on a machine.

pub mod apt;
mod beneath;
pub mod effect;
pub mod run_as;
pub mod systemd;
