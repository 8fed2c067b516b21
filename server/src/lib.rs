//! The server: enrols machines and operators, keeps releases, serves each machine its own part.
//!
//! What it knows is one value in memory ([`state::State`]), folded from a log in the store
//! ([`log::Log`]); whatever it acknowledges was created there first. Bytes that are named by their
//! content, and reports, lie in the store beside the log.

pub mod clock;
pub mod command;
pub mod config;
pub mod download;
pub mod folder;
pub mod founding;
pub mod listen;
pub mod log;
pub mod pki;
pub mod refusal;
pub mod release;
pub mod reports;
pub mod server;
pub mod service;
pub mod state;
pub mod store;
pub mod told;
