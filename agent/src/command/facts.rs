//! `cfg facts`

use super::{Call, output, runtime};
use crate::client::session;
use crate::error::{Error, Exit};
use clap::Args;

#[derive(Args, Debug)]
pub struct Facts {
    /// As one JSON document.
    #[arg(long)]
    json: bool,
}

impl Facts {
    pub fn run(self, call: &Call) -> Result<Exit, Error> {
        let config = call.config()?;
        let facts = runtime()?.block_on(session::facts_of(&config))?;
        if let Some(Err(why)) = &facts.azure {
            output::note(&format!("warning: facts.azure could not be had: {why}"));
        }
        if self.json {
            output::print_json(&facts)?;
        } else {
            let text = toml::to_string(&facts)
                .map_err(|error| Error::Failed(anyhow::Error::new(error).context("facts")))?;
            output::print(&text)?;
        }
        Ok(Exit::Done)
    }
}
