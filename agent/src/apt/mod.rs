//! Debian packages: what dpkg has, what the index offers, and changes through as few calls of apt-get as can be.

pub mod available;
pub mod get;
pub mod index;
pub mod policy;
pub mod status;
pub mod words;
