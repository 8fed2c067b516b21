//! The agent of cfg: how a machine is observed and brought to its role, and how it talks to the server.

pub mod address;
pub mod apt;
mod beneath;
pub mod client;
mod clock;
pub mod command;
pub mod config;
pub mod contents;
pub mod daemon;
mod durable;
pub mod effect;
pub mod error;
pub mod facts;
pub mod folder;
pub mod guard;
pub mod hidden;
pub mod job;
mod journal;
pub mod machine;
pub mod operator;
pub mod resource;
pub mod run;
pub mod run_as;
pub mod systemd;
mod whole;
