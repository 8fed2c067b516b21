//! Tests of whole plans: roles built by hand, and a small machine in memory that does what it is told.

mod build;
mod documents;
mod enact;
mod laws;
mod ledger;
mod machine;
mod orders;
mod scenarios;
mod tables;
