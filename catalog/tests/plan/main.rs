//! Tests of whole plans: roles built by hand, and a small machine in memory that does what it is told.

mod build;
mod documents;
mod laws;
mod ledger;
mod leftovers;
#[path = "../model/mod.rs"]
mod model;
mod orders;
mod running;
mod runs;
mod secrets;
mod shown;
mod slots;
mod tables;
