//! `cfg check`

use super::{local, output};
use crate::error::{Error, Exit};
use clap::Args;
use std::path::PathBuf;

#[derive(Args, Debug)]
pub struct Check {
    /// The catalog: the folder that holds a folder for each role.
    #[arg(value_name = "DIR")]
    catalog: PathBuf,
    /// What was found as one JSON document.
    #[arg(long)]
    json: bool,
}

impl Check {
    pub fn run(self) -> Result<Exit, Error> {
        let catalog = local::load(&self.catalog, &Default::default())?;
        let roles = local::roles(&catalog);
        if self.json {
            output::print_json(&serde_json::json!({"version": 1, "result": "ok", "roles": roles}))?;
        } else {
            let plural = if roles.len() == 1 { "role" } else { "roles" };
            output::print(&format!("{} {plural}: {}\n", roles.len(), roles.join(", ")))?;
        }
        Ok(Exit::Done)
    }
}
