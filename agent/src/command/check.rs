//! `cfg check`

use super::{local, output};
use crate::error::{Error, Exit};
use cfg_catalog::plan::document::Failure;
use cfg_catalog::{Diagnostic, Diagnostics};
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

/// As errors are told: the whole text, with its place.
fn warning(warning: Diagnostic) -> Failure {
    Failure::of_none(Diagnostics::from(warning).to_string())
}

impl Check {
    pub fn run(self) -> Result<Exit, Error> {
        let (catalog, warnings) = local::checked(&self.catalog, &Default::default())?;
        let roles = local::roles(&catalog);
        if self.json {
            let warnings: Vec<Failure> = warnings.into_iter().map(warning).collect();
            output::print_json(&serde_json::json!({
                "version": 1, "result": "ok", "roles": roles, "warnings": warnings,
            }))?;
        } else {
            let plural = if roles.len() == 1 { "role" } else { "roles" };
            output::print(&format!("{} {plural}: {}\n", roles.len(), roles.join(", ")))?;
        }
        Ok(Exit::Done)
    }
}
