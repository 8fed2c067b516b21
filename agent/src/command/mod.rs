//! The command line: one file a verb, one match from how it ended to the exit code.

mod agent;
mod apply;
mod check;
mod enroll;
mod explain;
mod explained;
mod facts;
mod fleet;
mod later;
mod left;
mod local;
mod meant;
mod node;
mod operator;
mod others;
mod output;
mod place;
mod publish;
mod render;
mod schema;
mod shown;
mod start;
mod status;
mod token;
#[cfg(test)]
mod told;

pub use output::note;

use crate::config::Config;
use crate::error::{Error, Exit};
use clap::error::ErrorKind;
use clap::{Parser, Subcommand};
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

/// Brings this machine to its role, shows first what it would change, and changes only that.
#[derive(Parser, Debug)]
#[command(
    name = "cfg",
    version,
    max_term_width = 100,
    after_help = Exit::help(),
    subcommand_required = true
)]
struct Cli {
    /// The agent's configuration.
    #[arg(long, global = true, env = unless_empty("CFG_CONFIG"), value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand, Debug)]
enum Verb {
    /// One run, now.
    Apply(apply::Apply),
    /// The daemon: applies at once when the server has news, and at every interval.
    Agent(agent::Agent),
    /// Makes a key and gets a certificate for this machine.
    Enroll(enroll::Enroll),
    /// How this machine stands to its role and its server.
    Status(status::Status),
    /// What cfg finds out about this machine.
    Facts(facts::Facts),
    /// Where a resource is declared, what it comes to, what it waits for, and whether it would change.
    Explain(explain::Explain),
    /// Checks a catalog: every role, with sample facts.
    Check(check::Check),
    /// Prints the JSON Schema of role.toml, by which editors complete and check it.
    Schema(schema::Schema),
    /// Shows what a role makes of this machine's facts.
    Render(render::Render),
    /// This desk's own access to the server.
    #[command(subcommand)]
    Operator(operator::Operator),
    /// Checks a catalog and makes it the fleet's release.
    Publish(publish::Publish),
    /// Tokens that machines and operators enrol with.
    #[command(subcommand)]
    Token(token::Token),
    /// One machine of the fleet.
    #[command(subcommand)]
    Node(node::Node),
    /// Every machine of the fleet.
    Fleet(fleet::Fleet),
    #[command(flatten)]
    Later(later::Later),
}

/// All that `cfg` can be called with, for what describes it.
pub fn definition() -> clap::Command {
    <Cli as clap::CommandFactory>::command()
}

/// What every verb is called with.
struct Call {
    config: Option<PathBuf>,
}

impl Call {
    fn config(&self) -> Result<Config, Error> {
        Config::load(self.config.as_deref())
    }
}

/// Runs `cfg` with the arguments of this process.
pub fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let ended = match Cli::try_parse_from(&arguments) {
        Ok(cli) => run(cli),
        Err(error) => match error.kind() {
            ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => output::help(&error),
            _ => Err(output::wrong_usage(&error)),
        },
    };
    match ended {
        Ok(exit) => exit.into(),
        Err(error) => {
            output::show_error(&error, &arguments);
            error.exit().into()
        }
    }
}

fn run(cli: Cli) -> Result<Exit, Error> {
    let call = Call { config: cli.config };
    match cli.verb {
        Verb::Apply(verb) => verb.run(&call),
        Verb::Agent(verb) => verb.run(&call),
        Verb::Enroll(verb) => verb.run(&call),
        Verb::Status(verb) => verb.run(&call),
        Verb::Facts(verb) => verb.run(&call),
        Verb::Explain(verb) => verb.run(&call),
        Verb::Check(verb) => verb.run(),
        Verb::Render(verb) => verb.run(&call),
        Verb::Schema(verb) => verb.run(),
        Verb::Operator(verb) => verb.run(),
        Verb::Publish(verb) => verb.run(),
        Verb::Token(verb) => verb.run(),
        Verb::Node(verb) => verb.run(),
        Verb::Fleet(verb) => verb.run(),
        Verb::Later(verb) => Err(verb.refusal()),
    }
}

/// One thread does: the agent waits for the server most of its life.
fn runtime() -> Result<tokio::runtime::Runtime, Error> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Error::Failed(anyhow::Error::new(error).context("starting the runtime")))
}

/// The variable's name where it is set to something: an empty one counts as unset.
fn unless_empty(variable: &'static str) -> Option<&'static str> {
    std::env::var_os(variable)
        .is_none_or(|value| !value.is_empty())
        .then_some(variable)
}

/// Whether this process is root's.
fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(line: &str) -> Error {
        let arguments = std::iter::once("cfg").chain(line.split_whitespace());
        match Cli::try_parse_from(arguments) {
            Ok(cli) => run(cli).expect_err(line),
            Err(error) => output::wrong_usage(&error),
        }
    }

    #[test]
    fn the_definitions_hold() {
        use clap::CommandFactory as _;
        Cli::command().debug_assert();
    }

    #[test]
    fn what_comes_later_is_refused_and_never_ignored() {
        for line in [
            "apply --plan x",
            "apply --save-plan x",
            "history",
            "show 12",
            "undo 12 --yes",
            "pause --for 2h --why x",
            "resume",
            "preview roles",
            "rollout status",
            "secret set NAME",
            "audit",
            "web",
            "operator add x",
            "operator remove x",
            "node set-role x y",
            "publish roles --canary 10%",
            "token create --role r --uses 1 --ttl 1h --from 10.0.0.0/8",
            "token create --role r --uses 1 --ttl 1h --approve",
        ] {
            let error = ended(line);
            assert_eq!(error.exit(), Exit::Usage, "{line}");
            assert!(
                error.to_string().contains("not in this version"),
                "{line}: {error}"
            );
        }
    }

    #[test]
    fn a_wrong_call_says_what_may_be_meant() {
        for (line, told) in [
            ("plan", "cfg apply --dry-run"),
            ("lint roles", "cfg check DIR"),
            ("apply --noop", "by --dry-run"),
            ("apply --check", "by --dry-run"),
            ("apply --tags x", "--only KIND:GLOB"),
            ("apply roles", "--catalog DIR --role NAME"),
            ("check --catalog roles", "cfg check DIR"),
        ] {
            let error = ended(line);
            assert_eq!(error.exit(), Exit::Usage, "{line}");
            assert!(error.to_string().contains(told), "{line}: {error}");
        }
        assert!(!ended("status x").to_string().contains("--role"));
        // What the environment says of the configuration is no part of the call.
        let config = "check --config x";
        let error = ended(config).to_string();
        assert!(error.contains("Usage: cfg check <DIR>"), "{error}");
    }

    #[test]
    fn wrong_calls_are_64() {
        for line in [
            "",
            "aply",
            "apply --dryrun",
            "apply --role r",
            "apply --catalog d",
            "apply --catalog d --role r --set nonsense",
            "apply --catalog d --role r --set x=1 --set x=2",
            "apply --only nonsense",
            "apply --only nokind:x",
            "apply --set x=1",
            "apply --without-slot",
            "apply --why x",
            "apply --without-slot --why x --dry-run",
            "apply --without-slot --why x --catalog d --role r",
            "enroll --ca-sha256 00",
            "enroll --server https://h --token t --ca-sha256 00",
            "enroll --server http://h --token t --ca-sha256 9c1185a5c5e9fc54612808977ee8f548b2258d31c0ffee00000000000000beef",
            "token create --role r --uses 0 --ttl 1h",
            "token create --role r --uses 1 --ttl soon",
            "node revoke",
        ] {
            let error = ended(line);
            assert_eq!(error.exit(), Exit::Usage, "{line}: {error}");
        }
    }
}
