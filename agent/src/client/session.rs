//! An enrolled machine: its configuration, its identity, its server, and what it keeps.

use super::assignment::For;
use super::channel::Peer;
use super::identity::{CertificateError, Identity, IdentityError};
use super::kept::Kept;
use super::record::Record;
use super::renew;
use super::server::Server;
use super::spool::Spool;
use crate::address::ServerUrl;
use crate::config::Config;
use crate::error::Error;
use crate::facts::{self, FactError, Route, Sources};
use cfg_catalog::facts::Facts;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// All that a call of an enrolled machine needs.
#[derive(Debug)]
pub struct Session {
    config: Config,
    /// Who this machine is.
    pub identity: Identity,
    url: ServerUrl,
    /// The server.
    pub server: Server,
    peer: Peer,
    /// The state folder.
    pub state: PathBuf,
    /// What is kept there of the server's answers.
    pub kept: Kept,
    /// Reports that wait.
    pub spool: Spool,
}

impl Session {
    /// Opens it, with the state in this folder. Nobody is called.
    ///
    /// # Errors
    /// [`Error::Away`] where the machine is not enrolled, [`Error::NeedsRoot`] where its identity is another's to read,
    /// [`Error::Config`] where it is none.
    pub fn open(config: &Config, state: &Path) -> Result<Self, Error> {
        let identity = Identity::load(&config.identity).map_err(of_identity)?;
        if identity.is_copied() {
            return Err(of_identity(IdentityError::Copied(identity.name)));
        }
        let url = match &config.server {
            Some(url) => url.clone(),
            None => identity
                .server()
                .map_err(|error| Error::Config(error.into()))?,
        };
        let peer = Peer::default();
        let server = Server::open(&url, &identity, peer.clone())
            .map_err(|error| Error::Config(error.into()))?;
        Ok(Self {
            config: config.clone(),
            identity,
            url,
            server,
            peer,
            state: state.to_path_buf(),
            kept: Kept::new(state),
            spool: Spool::new(state),
        })
    }

    /// The session of another identity, where the machine has got one since: it enrolled again, or another process renewed its
    /// certificate. None where that cannot be used.
    pub fn anew(&self) -> Option<Self> {
        let identity = Identity::load(&self.config.identity).ok()?;
        let other = identity != self.identity;
        other.then(|| Self::open(&self.config, &self.state).ok())?
    }

    /// Whom the server's documents must be for.
    pub fn whose(&self) -> For<'_> {
        For {
            fleet: &self.identity.fleet,
            name: &self.identity.name,
        }
    }

    /// Where the server is.
    pub fn url(&self) -> &ServerUrl {
        &self.url
    }

    /// Where the server was last reached in this process.
    pub fn peer(&self) -> Option<SocketAddr> {
        *self
            .peer
            .lock()
            .unwrap_or_else(|broken| broken.into_inner())
    }

    /// The facts of this machine, now.
    ///
    /// # Errors
    /// Where one cannot be had.
    pub async fn facts(&self) -> Result<Facts, Error> {
        let recorded = Record::load(&self.state)
            .ok()
            .and_then(|record| record.peer);
        facts_towards(&self.config, &self.url, self.peer().or(recorded)).await
    }

    /// Renews the certificate where it is time; says whether it did.
    ///
    /// # Errors
    /// Where it is time and could not be done: the old one goes on.
    pub async fn renew_when_due(&mut self) -> Result<bool, CertificateError> {
        if !renew::is_due(&self.identity, SystemTime::now())? {
            return Ok(false);
        }
        let folder = &self.config.identity;
        self.identity = renew::renew(folder, &self.identity, &self.server).await?;
        self.server = Server::open(&self.url, &self.identity, self.peer.clone())?;
        Ok(true)
    }
}

/// What a missing or unreadable identity means for a call.
pub fn of_identity(error: IdentityError) -> Error {
    match &error {
        IdentityError::Disk { source, .. }
            if source.kind() == std::io::ErrorKind::PermissionDenied =>
        {
            Error::NeedsRoot(error.into())
        }
        // No server, and nothing that one has given.
        IdentityError::None(_) => Error::Away(anyhow::anyhow!(
            "{error}; `cfg enroll` makes this machine known to a server"
        )),
        _ => Error::Config(error.into()),
    }
}

/// The facts of this machine, enrolled or not, as far as this caller may know.
///
/// # Errors
/// Where one cannot be had.
pub async fn facts_of(config: &Config) -> Result<Facts, Error> {
    let identity = Identity::load(&config.identity).ok();
    let enrolled = identity.and_then(|identity| identity.server().ok());
    match config.server.clone().or(enrolled) {
        Some(url) => {
            let recorded = Record::load(&config.state)
                .ok()
                .and_then(|record| record.peer);
            facts_towards(config, &url, recorded).await
        }
        None => gather(config, Route::Anywhere).await,
    }
}

/// With the address on the route to the server: where its name leads now, else where it was last reached.
///
/// # Errors
/// Where a fact cannot be had.
pub async fn facts_towards(
    config: &Config,
    url: &ServerUrl,
    last: Option<SocketAddr>,
) -> Result<Facts, Error> {
    let route = match (config.address, url.resolve().await) {
        (Some(_), _) => Route::Anywhere,
        (None, Ok(addresses)) => match addresses.first() {
            Some(first) => Route::To(
                last.filter(|last| addresses.contains(last))
                    .unwrap_or(*first),
            ),
            None => Route::Anywhere,
        },
        (None, Err(error)) => match last {
            Some(last) => Route::To(last),
            None => {
                return Err(Error::Failed(anyhow::Error::new(error).context(
                    "facts: the machine's address is that towards the server (`address` in agent.toml would give it)",
                )));
            }
        },
    };
    gather(config, route).await
}

async fn gather(config: &Config, route: Route) -> Result<Facts, Error> {
    let sources = Sources {
        local: config.folder.join("facts.d"),
        address: config.address,
        route,
    };
    tokio::task::spawn_blocking(move || facts::gather(&sources))
        .await
        .map_err(|error| Error::Failed(error.into()))?
        .map_err(|error| match error {
            FactError::Local { .. } => Error::Config(error.into()),
            error => Error::of_files(error.into()),
        })
}
