//! The agent of cfg: how a machine is observed and brought to its role, and how it talks to the server.

pub mod address;
pub mod apt;
mod beneath;
pub mod client;
pub mod config;
mod durable;
pub mod effect;
pub mod error;
pub mod facts;
pub mod guard;
pub mod hidden;
pub mod machine;
pub mod resource;
pub mod run;
pub mod run_as;
pub mod systemd;
