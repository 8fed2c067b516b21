//! `cfg schema`

use super::output;
use crate::error::{Error, Exit};
use cfg_catalog::text::schema;
use clap::Args;

#[derive(Args, Debug)]
pub struct Schema {
    /// That of fleet.toml.
    #[arg(long)]
    fleet: bool,
}

impl Schema {
    pub fn run(self) -> Result<Exit, Error> {
        output::print_json(&match self.fleet {
            true => schema::fleet(),
            false => schema::role(),
        })?;
        Ok(Exit::Done)
    }
}
