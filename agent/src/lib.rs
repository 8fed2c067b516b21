//! The agent of cfg: how a machine is observed and brought to its role.

pub mod apt;
mod beneath;
mod durable;
pub mod effect;
pub mod guard;
pub mod hidden;
pub mod machine;
pub mod resource;
pub mod run;
pub mod run_as;
pub mod systemd;
