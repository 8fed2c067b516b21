//! What `cfg-server` can be called with.

mod cloud_init;
mod init;
mod operator_token;
mod run;

use crate::config::{self, Config};
use crate::log::Log;
use crate::pki::ca::Ca;
use crate::state::name::BadName;
use crate::store::{Store, StoreError};
use anyhow::{Context, bail};
use cfg_catalog::chain;
use clap::{Parser, Subcommand};
use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;
use tracing_subscriber::EnvFilter;

/// Exit code of a wrong call.
pub const USAGE: u8 = 64;
/// Exit code of a wrong configuration.
const CONFIG: u8 = 78;

/// Serves roles to machines.
#[derive(Debug, Parser)]
#[command(name = "cfg-server", version, arg_required_else_help = true)]
pub struct Call {
    /// The configuration.
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        env = unless_empty("CFG_SERVER_CONFIG"),
        help = "The configuration [default: /etc/cfg/server.toml, if it is there]"
    )]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Makes the fleet: its CA, and a token for the first operator. Once.
    Init(init::Init),
    /// Serves, until it is stopped.
    #[command(after_help = config::help())]
    Run,
    /// Prints the whole user-data for machines of a role.
    CloudInit(cloud_init::CloudInit),
    /// Prints a new one-time token for an operator, for when the first one is lost.
    OperatorToken,
}

/// Runs the call.
pub fn main(call: Call) -> ExitCode {
    log_to_stderr();
    // Libraries below that make a TLS client of their own take the process's provider. A second call of
    // this function in one process finds it set already.
    drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
    let config = match Config::read(call.config.as_deref()) {
        Ok(config) => config,
        Err(error) => return failed(CONFIG, &error),
    };
    let runtime = match tokio::runtime::Runtime::new().context("the runtime") {
        Ok(runtime) => runtime,
        Err(error) => return failed(1, &error),
    };
    let outcome = runtime.block_on(async {
        match call.command {
            Command::Init(init) => init.run(&config).await,
            Command::Run => run::run(&config).await,
            Command::CloudInit(cloud_init) => cloud_init.run(&config).await,
            Command::OperatorToken => operator_token::run(&config).await,
        }
    });
    // What still runs is in no state that would be worth waiting for: all that counts is in the store.
    runtime.shutdown_timeout(Duration::from_millis(100));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(code(&error), &error),
    }
}

/// What an error means for whoever called.
fn code(error: &anyhow::Error) -> u8 {
    if error.is::<BadName>() {
        return USAGE;
    }
    match error.downcast_ref() {
        Some(StoreError::Url { .. }) => CONFIG,
        _ => 1,
    }
}

/// The variable's name where it is set to something: an empty one counts as unset.
fn unless_empty(variable: &'static str) -> Option<&'static str> {
    std::env::var_os(variable)
        .is_none_or(|value| !value.is_empty())
        .then_some(variable)
}

fn failed(code: u8, error: &anyhow::Error) -> ExitCode {
    anstream::eprintln!("cfg-server: {}", chain(error.as_ref()));
    ExitCode::from(code)
}

fn log_to_stderr() {
    let filter = EnvFilter::try_from_env("CFG_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    // journald has a clock of its own.
    let journal = std::env::var_os("JOURNAL_STREAM").is_some();
    let format = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_target(false)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    let set = match journal {
        true => tracing::subscriber::set_global_default(format.without_time().finish()),
        false => tracing::subscriber::set_global_default(format.finish()),
    };
    // Set already, by a test in the same process.
    drop(set);
}

/// Log and CA of a fleet that was made, beside a server that may be running.
async fn opened(config: &Config) -> anyhow::Result<(Log, Ca)> {
    let store = Store::open(&config.store).await.context("the store")?;
    let log = Log::open(store.clone()).await.context("the log")?;
    if log.state().fleet.is_none() {
        bail!(
            "there is no fleet in {}: run cfg-server init first",
            store.name()
        );
    }
    let ca = Ca::load(&config.data).context("the CA")?;
    Ok((log, ca))
}

/// A duration as people write it: 90s, 30m, 24h, 7d.
fn duration_s(text: &str) -> Result<u64, String> {
    let wrong = || format!("{text:?} is not a duration: 90s, 30m, 24h or 7d is wanted");
    let unit = text.chars().last().ok_or_else(wrong)?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 24 * 3600,
        _ => return Err(wrong()),
    };
    let number: u64 = text[..text.len() - 1].parse().map_err(|_| wrong())?;
    number.checked_mul(seconds).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn calls_are_well_formed() {
        Call::command().debug_assert();
    }

    #[test]
    fn manuals_and_completions_are_as_the_definitions_say() {
        let remedy = "UPDATE=1 cargo test -p cfg-server --lib manuals";
        cfg_tests::pages::compare(&Call::command(), "server/pages", remedy);
    }

    #[test]
    fn durations() {
        for (text, seconds) in [("90s", 90), ("30m", 1800), ("24h", 86400), ("7d", 604_800)] {
            assert_eq!(duration_s(text), Ok(seconds));
        }
        for text in [
            "",
            "h",
            "1",
            "1w",
            "-1h",
            "1.5h",
            "99999999999999999999d",
            "1é",
        ] {
            assert!(duration_s(text).is_err(), "{text}");
        }
    }
}
