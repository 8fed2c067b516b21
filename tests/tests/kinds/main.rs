//! Kinds and keys of a role that only a real host can prove, each by a role of its own.

mod archive;
mod debconf;
mod mount;
mod sysctl;
mod url;
