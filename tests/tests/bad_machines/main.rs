//! Machines on which something is wrong: each is told what, why and what to do, nothing is left half-done, and all that
//! does not hang on it comes. An interrupted dpkg, and packages that are not to be had, are in `packages.rs` and `hosts_run`.

mod clock;
mod commands;
mod disks;
mod machine;
mod no_bus;
mod packages;
mod paths;
mod state;
