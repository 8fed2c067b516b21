//! From a catalog's bytes to what a machine must be.
#![allow(
    clippy::disallowed_methods,
    reason = "the tests read roles and stories that lie beside them"
)]

mod bounds;
mod cluster;
mod cohorts;
mod common;
mod laws;
mod layers;
mod machine;
mod reference;
mod rendering;
mod schema;
mod secrets;
mod shipped;
mod stories;
mod trees;
