//! How each kind is done that is no matter of files and accounts: packages, services, commands.

pub mod command;
pub mod package;
pub mod service;
