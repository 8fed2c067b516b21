//! Runs without a server on real hosts: packages and their daemons, restarts as a state, and an agent that is killed.

mod drifted;
mod edits;
mod killed;
mod leftovers;
mod machine;
mod packages;
mod reverts;
mod secrets;
mod services;
mod sockets;
mod units;
