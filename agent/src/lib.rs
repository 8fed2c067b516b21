//! The agent of cfg: how a machine is observed and brought to its role.

pub mod apt;
mod beneath;
pub mod effect;
pub mod machine;
pub mod run_as;
pub mod systemd;
