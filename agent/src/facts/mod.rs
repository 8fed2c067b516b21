//! What the agent finds out about its machine: files of /proc, /sys and /etc, and the kernel's routes. No name service is asked.

mod azure;
mod local;
mod network;
mod system;

pub(crate) use system::arch;

use cfg_catalog::facts::Facts;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

/// Where facts are looked for.
#[derive(Clone, Debug)]
pub struct Sources {
    /// The folder of `*.toml` for `facts.local`.
    pub local: PathBuf,
    /// The machine's address, where the operator gave it.
    pub address: Option<IpAddr>,
    /// Which route says the machine's address.
    pub route: Route,
}

/// Which route says the machine's address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// The one to the server. Without it there are no facts: a wrong address would reach configuration files.
    To(SocketAddr),
    /// The one to anywhere; a machine without any has its first interface's address, or 127.0.0.1.
    Anywhere,
}

/// Why a fact could not be had.
#[derive(Debug, thiserror::Error)]
pub enum FactError {
    /// A file could not be read.
    #[error("facts: {}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file of `facts.d`, which the machine's operators write, is not one to go by.
    #[error("facts: {}: {why}", path.display())]
    Local {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// A file of the system holds what it should not.
    #[error("facts: {}: {why}", path.display())]
    Bad {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The kernel knows no route.
    #[error(
        "facts: no route to the server at {to}, so the machine's address is not known (`address` in agent.toml would give it)"
    )]
    NoRoute {
        /// Where to.
        to: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// The kernel did not answer.
    #[error("facts: {what}")]
    System {
        /// What was asked.
        what: &'static str,
        /// Why.
        source: std::io::Error,
    },
}

/// The machine's name, up to the first dot.
///
/// # Errors
/// Where the kernel has none.
pub fn hostname() -> Result<String, FactError> {
    Ok(system::short(&system::hostname()?).to_string())
}

/// All facts of this machine, now.
///
/// # Errors
/// Where one cannot be had: no fact is ever made up. What Azure's metadata service does not say fails whoever reads it.
pub fn gather(sources: &Sources) -> Result<Facts, FactError> {
    let hostname = system::hostname()?;
    let hosts = std::fs::read_to_string("/etc/hosts").unwrap_or_default();
    let address = match (sources.address, sources.route) {
        (Some(given), _) => given,
        (None, Route::To(server)) => network::source_towards(server)?,
        (None, Route::Anywhere) => network::any_address()?,
    };
    Ok(Facts {
        fqdn: system::fqdn(&hostname, &hosts),
        hostname: system::short(&hostname).to_string(),
        address: address.to_string(),
        os: system::os()?,
        arch: arch().into(),
        cpus: system::cpus()?,
        memory_mb: system::memory_mb()?,
        interfaces: network::interfaces(address)?,
        local: local::read(&sources.local)?,
        azure: azure::read(),
    })
}

/// A file's text, or which file it was that could not be read.
fn text(path: &Path) -> Result<String, FactError> {
    std::fs::read_to_string(path).map_err(|source| FactError::Read {
        path: path.to_path_buf(),
        source,
    })
}

fn bad(path: impl Into<PathBuf>, why: impl Into<String>) -> FactError {
    FactError::Bad {
        path: path.into(),
        why: why.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_this_machine() {
        let folder = tempfile::tempdir().unwrap();
        let sources = Sources {
            local: folder.path().into(),
            address: None,
            route: Route::To("127.0.0.1:7443".parse().unwrap()),
        };
        let facts = gather(&sources).unwrap();
        assert_eq!(facts.address, "127.0.0.1");
        assert!(!facts.hostname.is_empty() && !facts.hostname.contains('.'));
        assert!(facts.fqdn.starts_with(&facts.hostname));
        assert!(facts.cpus > 0 && facts.memory_mb > 0);
        assert!(!facts.os.id.is_empty());
        assert!(!facts.interfaces.contains_key("lo"));
        assert_eq!(facts, gather(&sources).unwrap(), "facts are steady");
    }

    #[test]
    fn an_address_that_was_given_is_believed() {
        let facts = gather(&Sources {
            local: "/nonexistent".into(),
            address: Some("192.0.2.9".parse().unwrap()),
            route: Route::Anywhere,
        })
        .unwrap();
        assert_eq!(facts.address, "192.0.2.9");
    }
}
