//! `cfg enroll`

use super::operator::{TokenSource, of_enrolment};
use super::{Call, is_root, output, runtime, start};
use crate::address::ServerUrl;
use crate::client::channel::Peer;
use crate::client::enrol::{Terms, Who, enrol};
use crate::client::identity::Identity;
use crate::client::kept::Kept;
use crate::client::record::Record;
use crate::client::session;
use crate::config::Config;
use crate::error::{Error, Exit};
use anyhow::Context as _;
use cfg_catalog::chain;
use cfg_catalog::digest::Digest;
use clap::Args;
use std::time::SystemTime;

#[derive(Args, Debug)]
pub struct Enroll {
    /// The server: https://HOST or https://HOST:PORT; `server` of agent.toml where not given.
    #[arg(long, value_name = "URL")]
    server: Option<ServerUrl>,
    #[command(flatten)]
    token: TokenSource,
    /// SHA-256 of the server's CA certificate.
    #[arg(long, value_name = "HEX")]
    ca_sha256: Digest,
    /// The node's name; `node` of agent.toml or the host name where not given.
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Install and start the agent as a systemd unit.
    #[arg(long)]
    start: bool,
}

impl Enroll {
    pub fn run(self, call: &Call) -> Result<Exit, Error> {
        let config = call.config()?;
        if self.start && !is_root() {
            return Err(Error::NeedsRoot(anyhow::anyhow!(
                "--start installs a systemd unit: that takes root"
            )));
        }
        let server = self.server.clone().or_else(|| config.server.clone());
        let server = server.ok_or_else(|| {
            Error::usage("which server? Give --server URL, or `server` in agent.toml")
        })?;
        let old = match Identity::load(&config.identity) {
            Ok(identity) => Some(identity),
            Err(error @ crate::client::identity::IdentityError::Disk { .. }) => {
                return Err(session::of_identity(error));
            }
            Err(_) => None,
        };
        match &old {
            Some(identity) if self.is_enrolled(identity)? => {
                self.agrees(identity)?;
                output::note(&format!(
                    "already enrolled as {} in fleet {}",
                    identity.name, identity.fleet
                ));
            }
            _ => self.ask(&config, &server, old.as_ref())?,
        }
        self.token.erase()?;
        if self.start {
            start::install_and_start(call.config.as_deref())?;
        }
        Ok(Exit::Done)
    }

    /// Whether this very call was answered before: then it is done, however often it is repeated.
    fn is_enrolled(&self, identity: &Identity) -> Result<bool, Error> {
        let ca = crate::client::tls::certificate("CA certificate", &identity.ca)
            .map_err(|error| Error::Config(error.into()))?;
        let stated = identity
            .stated()
            .map_err(|error| Error::Config(error.into()))?;
        let same_server = Digest::of(&ca) == self.ca_sha256 && stated.until > SystemTime::now();
        Ok(same_server
            && !identity.is_copied()
            && (self.token.is_gone()
                || Digest::of(self.token.read()?.as_bytes()) == identity.token_sha256))
    }

    /// That what is asked for is what the machine has.
    fn agrees(&self, identity: &Identity) -> Result<(), Error> {
        let server = self.server.as_ref().map(ToString::to_string);
        let known = identity.server().map(|url| url.to_string());
        let known = known.map_err(|error| Error::Config(error.into()))?;
        let other = |asked: &Option<String>, known: &str| {
            let other = |asked: &&String| !asked.eq_ignore_ascii_case(known);
            asked.as_ref().filter(other).cloned()
        };
        let asked = other(&self.name, &identity.name).or_else(|| other(&server, &known));
        let Some(asked) = asked else { return Ok(()) };
        Err(Error::usage(format!(
            "this machine is enrolled as {} at {known} with this token, not as or at {asked}: another enrolment takes a new token",
            identity.name
        )))
    }

    fn ask(
        &self,
        config: &Config,
        server: &ServerUrl,
        old: Option<&Identity>,
    ) -> Result<(), Error> {
        let token = self.token.read()?;
        let enrol_url = config.enrol.clone().unwrap_or_else(|| server.enrolment());
        let (identity, peer) = runtime()?.block_on(async {
            let facts = session::facts_towards(config, &enrol_url, None).await?;
            let name = self.name.clone().or_else(|| config.node.clone());
            let name = name.unwrap_or_else(|| facts.hostname.clone());
            let terms = Terms {
                server,
                enrol: &enrol_url,
                token: &token,
                ca: self.ca_sha256,
                name: &name,
            };
            let facts = serde_json::to_vec(&facts.for_server()).context("facts")?;
            let peer = Peer::default();
            let identity = enrol(&config.identity, &terms, Who::Node { facts }, peer.clone())
                .await
                .map_err(of_enrolment)?;
            Ok::<_, Error>((identity, peer))
        })?;
        let peer = *peer.lock().unwrap_or_else(|broken| broken.into_inner());
        // The machine is enrolled all the same: what is kept for another is never believed, and the rest is found out anew.
        if let Err(error) = begin_anew(config, old, &identity, peer) {
            output::note(&format!("warning: {}", chain(error.as_ref())));
        }
        output::print(&format!(
            "enrolled as {} in fleet {}: role {}, id {}\n",
            identity.name, identity.fleet, identity.role, identity.id
        ))
    }
}

/// A role that was kept from another fleet is none of this one's; where the server was reached says this machine's address.
fn begin_anew(
    config: &Config,
    old: Option<&Identity>,
    new: &Identity,
    peer: Option<std::net::SocketAddr>,
) -> anyhow::Result<()> {
    if old.is_none_or(|old| old.ca != new.ca || old.fleet != new.fleet || old.name != new.name) {
        Kept::new(&config.state).forget()?;
    }
    let mut record = Record::load(&config.state)?;
    record.peer = peer;
    record.contact = None;
    record.store(&config.state).context("the state folder")
}
