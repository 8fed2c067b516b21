//! `cfg agent`

use super::place::Place;
use super::{Call, is_root};
use crate::daemon;
use crate::error::{Error, Exit};
use cfg_catalog::text::words;
use clap::Args;
use std::path::PathBuf;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::prelude::*;

#[derive(Args, Debug)]
#[command(after_help = words::help("Keys of agent.toml", crate::config::KEYS))]
pub struct Agent {
    /// Take this folder for `/`.
    #[arg(long, value_name = "DIR")]
    root: Option<PathBuf>,
}

impl Agent {
    pub fn run(self, call: &Call) -> Result<Exit, Error> {
        let config = call.config()?;
        let place = Place::of(&config, self.root.as_deref())?;
        if !is_root() && place.is_machine && config.mode == crate::config::Mode::Enforce {
            return Err(Error::NeedsRoot(anyhow::anyhow!(
                "the agent changes this machine: that takes root (`mode = \"observe\"` does not)"
            )));
        }
        log()?;
        // The agent waits for most of its life: one thread does, and few more for what blocks.
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(4)
            .thread_keep_alive(std::time::Duration::from_secs(2))
            .build()
            .map_err(|error| Error::Failed(error.into()))?;
        runtime.block_on(daemon::run(config, place.root, place.state))?;
        Ok(Exit::Done)
    }
}

/// To stderr, where systemd's journal adds the time by itself. `CFG_LOG` says how much: `debug`, `cfg_agent=trace`.
fn log() -> Result<(), Error> {
    let wanted = std::env::var("CFG_LOG").unwrap_or_else(|_| "warn,cfg_agent=info".into());
    let targets: Targets = wanted
        .parse()
        .map_err(|error| Error::config(format!("CFG_LOG=\"{wanted}\": {error}")))?;
    let in_journal = std::env::var_os("JOURNAL_STREAM").is_some();
    let layer = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_target(false)
        .with_ansi(!in_journal && std::io::IsTerminal::is_terminal(&std::io::stderr()));
    let layer = if in_journal {
        layer.without_time().boxed()
    } else {
        layer.boxed()
    };
    tracing_subscriber::registry()
        .with(layer.with_filter(targets))
        .with(LevelFilter::TRACE)
        .try_init()
        .map_err(|error| Error::Failed(error.into()))
}
