//! The pure half of cfg: bytes in, values out.
//!
//! A catalog (the operators' `roles/` folder) becomes parts of a release; a part, with facts and
//! fleet, becomes the desired resources of one machine; those, with a snapshot of the machine,
//! become a plan. Nothing here knows a clock, a file system, a network or randomness.

mod chain;
pub mod digest;
pub mod edit;
pub mod facts;
pub mod few;
pub mod fleet;
pub mod glob;
pub mod id;
pub mod path;
pub mod plan;
pub mod release;
pub mod render;
pub mod resource;
pub mod role;
mod secrets;
pub mod text;
pub mod waiting;

pub use chain::chain;
pub use render::{Blobs, Inputs, render};
pub use role::Catalog;
pub use secrets::Secrets;
pub use text::CatalogFiles;
pub use text::diagnostic::{Diagnostic, Diagnostics, Fault};
