//! How each kind is done that is no matter of files and accounts: packages, file systems,
//! services, commands.

pub mod command;
pub mod mount;
pub mod package;
pub mod repository;
pub mod service;
pub mod unit;
