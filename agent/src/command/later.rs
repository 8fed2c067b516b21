//! Verbs that are named already and come with a later version.

use crate::error::Error;
use clap::{Args, Subcommand};
use std::ffi::OsString;

#[derive(Subcommand, Debug)]
#[command(hide = true)]
pub enum Later {
    /// Not in this version.
    #[command(hide = true)]
    History(Rest),
    /// Not in this version.
    #[command(hide = true)]
    Show(Rest),
    /// Not in this version.
    #[command(hide = true)]
    Undo(Rest),
    /// Not in this version.
    #[command(hide = true)]
    Pause(Rest),
    /// Not in this version.
    #[command(hide = true)]
    Resume(Rest),
    /// Not in this version.
    #[command(hide = true)]
    Preview(Rest),
    /// Not in this version.
    #[command(hide = true)]
    Rollout(Rest),
    /// Not in this version.
    #[command(hide = true)]
    Secret(Rest),
    /// Not in this version.
    #[command(hide = true)]
    Audit(Rest),
    /// Not in this version.
    #[command(hide = true)]
    Web(Rest),
}

/// Whatever follows: it is all refused.
#[derive(Args, Debug)]
pub struct Rest {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
    rest: Vec<OsString>,
}

impl Later {
    pub fn refusal(&self) -> Error {
        let (word, Rest { rest: _ }) = match self {
            Later::History(rest) => ("history", rest),
            Later::Show(rest) => ("show", rest),
            Later::Undo(rest) => ("undo", rest),
            Later::Pause(rest) => ("pause", rest),
            Later::Resume(rest) => ("resume", rest),
            Later::Preview(rest) => ("preview", rest),
            Later::Rollout(rest) => ("rollout", rest),
            Later::Secret(rest) => ("secret", rest),
            Later::Audit(rest) => ("audit", rest),
            Later::Web(rest) => ("web", rest),
        };
        Error::later(&format!("`cfg {word}`"))
    }
}
