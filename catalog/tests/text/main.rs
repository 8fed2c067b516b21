//! From a catalog's bytes to what a machine must be.

mod bounds;
mod common;
mod laws;
mod layers;
mod rendering;
mod shipped;
mod stories;
