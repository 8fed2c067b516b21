//! The agent's half of cfg: how a machine is observed and changed, and how it talks to the server.

pub mod address;
pub mod client;
pub mod config;
pub mod error;
pub mod facts;
