//! How a call of `cfg` ends when it does not end well.

use cfg_catalog::{Diagnostics, Fault, chain};
use std::process::ExitCode;

/// Why a call ended; one variant an exit code. Shown once, with its whole chain.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The call itself is wrong, or asks for what this version has not.
    #[error("{}", chain(.0.as_ref()))]
    Usage(anyhow::Error),
    /// The catalog is wrong; each line says where.
    #[error("{}", chain(.0.as_ref()))]
    Catalog(anyhow::Error),
    /// The server cannot be reached, or there is none, and nothing was kept to go on with.
    #[error("{}", chain(.0.as_ref()))]
    Away(anyhow::Error),
    /// Another run holds the lock.
    #[error("{}", chain(.0.as_ref()))]
    Busy(anyhow::Error),
    /// It takes root, or the owner of the files.
    #[error("{}", chain(.0.as_ref()))]
    NeedsRoot(anyhow::Error),
    /// agent.toml, a file of facts, or the identity is not usable.
    #[error("{}", chain(.0.as_ref()))]
    Config(anyhow::Error),
    /// Anything else.
    #[error("{}", chain(.0.as_ref()))]
    Failed(#[from] anyhow::Error),
}

impl Error {
    /// A wrong call.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::Usage(anyhow::Error::msg(message.into()))
    }

    /// Something the contract names and this version does not bring.
    pub fn later(what: &str) -> Self {
        Self::usage(format!("{what} is not in this version"))
    }

    /// Unusable configuration.
    pub fn config(message: impl Into<String>) -> Self {
        Self::Config(anyhow::Error::msg(message.into()))
    }

    /// What is wrong with a catalog, or with the values that the call gives to its params.
    pub fn of_diagnostics(wrong: Diagnostics) -> Self {
        match wrong.fault() {
            Fault::Catalog => Self::Catalog(wrong.into()),
            Fault::Call => Self::Usage(wrong.into()),
            Fault::Setup => Self::Config(wrong.into()),
        }
    }

    /// A failure to read or write what belongs to root counts as [`Error::NeedsRoot`], any other as it comes.
    pub fn of_files(error: anyhow::Error) -> Self {
        let denied = error
            .chain()
            .filter_map(|cause| cause.downcast_ref::<std::io::Error>())
            .any(|cause| cause.kind() == std::io::ErrorKind::PermissionDenied);
        if denied && !rustix::process::geteuid().is_root() {
            Self::NeedsRoot(error)
        } else {
            Self::Failed(error)
        }
    }

    /// What the process ends with.
    pub fn exit(&self) -> Exit {
        match self {
            Error::Failed(_) => Exit::Failed,
            Error::Usage(_) => Exit::Usage,
            Error::Catalog(_) => Exit::Catalog,
            Error::Away(_) => Exit::Away,
            Error::Busy(_) => Exit::Busy,
            Error::NeedsRoot(_) => Exit::NeedsRoot,
            Error::Config(_) => Exit::Config,
        }
    }
}

/// The exit codes that mean something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Converged, or all applied.
    Done = 0,
    /// Something failed.
    Failed = 1,
    /// A dry run found changes.
    Changes = 2,
    /// All that may be done is done, the rest is held.
    Held = 3,
    /// Wrong usage.
    Usage = 64,
    /// Bad catalog.
    Catalog = 65,
    /// No server and no role kept: not enrolled, for one.
    Away = 69,
    /// Another run is under way.
    Busy = 75,
    /// Needs root.
    NeedsRoot = 77,
    /// Bad configuration.
    Config = 78,
}

impl Exit {
    /// All of them, with what each means to whoever called.
    pub const ALL: [(Exit, &'static str); 10] = [
        (Exit::Done, "converged, or all applied"),
        (
            Exit::Failed,
            "a resource failed, or would (also in a dry run); or the call was refused, or failed",
        ),
        (Exit::Changes, "a dry run found changes"),
        (
            Exit::Held,
            "something is held; what was not held is done, or in a dry run shown",
        ),
        (
            Exit::Usage,
            "wrong usage, also a --fleet or --secrets that is missing or cannot be read; or not in this version",
        ),
        (Exit::Catalog, "bad catalog, or none"),
        (
            Exit::Away,
            "no server, and no role kept; so it is on a machine that is not enrolled",
        ),
        (Exit::Busy, "another run is under way"),
        (Exit::NeedsRoot, "needs root"),
        (
            Exit::Config,
            "bad configuration, also what stands in --fleet or --secrets; or a desk that is no operator's",
        ),
    ];

    /// The same for the help.
    pub fn help() -> String {
        let rows = Self::ALL.map(|(exit, means)| format!("  {:2}  {means}", exit as u8));
        format!("Exit codes:\n{}", rows.join("\n"))
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit as u8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context as _;

    #[test]
    fn each_error_has_the_code_of_the_contract() {
        let why = || anyhow::anyhow!("why");
        for (error, code) in [
            (Error::Failed(why()), 1),
            (Error::Usage(why()), 64),
            (Error::Catalog(why()), 65),
            (Error::Away(why()), 69),
            (Error::Busy(why()), 75),
            (Error::NeedsRoot(why()), 77),
            (Error::Config(why()), 78),
        ] {
            assert_eq!(error.exit() as u8, code, "{error:?}");
        }
    }

    #[test]
    fn the_whole_chain_is_shown_once() {
        let error: Error = Err::<(), _>(std::io::Error::other("disk gone"))
            .context("reading /x")
            .map_err(Error::of_files)
            .unwrap_err();
        assert_eq!(error.to_string(), "reading /x: disk gone");
        let repeated = anyhow::anyhow!("no key")
            .context("no key")
            .context("the store: no key");
        assert_eq!(Error::Failed(repeated).to_string(), "the store: no key");
    }
}
