//! Runs on a machine in memory: killed at every moment, failing everywhere.

mod consequences;
mod crash;
mod declared;
mod failing;
mod failures;
mod fake;
mod mending;
mod slots;
