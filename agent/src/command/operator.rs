//! `cfg operator`

use super::{output, runtime};
use crate::address::ServerUrl;
use crate::client::channel::Peer;
use crate::client::enrol::{Terms, Who, enrol};
use crate::client::identity::CertificateError;
use crate::error::{Error, Exit};
use crate::operator::{folder, of_call};
use cfg_catalog::digest::Digest;
use clap::{Args, Subcommand};
use std::path::PathBuf;

#[derive(Subcommand, Debug)]
pub enum Operator {
    /// Makes a key at this desk and gets an operator's certificate for it.
    Init(Init),
    /// Not in this version.
    #[command(hide = true)]
    Add(super::later::Rest),
    /// Not in this version.
    #[command(hide = true)]
    Remove(super::later::Rest),
}

#[derive(Args, Debug)]
pub struct Init {
    /// The server: https://HOST or https://HOST:PORT.
    #[arg(long, value_name = "URL")]
    server: ServerUrl,
    /// Where it takes enrolments; the port after the server's where not given.
    #[arg(long, value_name = "URL")]
    enrol: Option<ServerUrl>,
    #[command(flatten)]
    token: TokenSource,
    /// SHA-256 of the server's CA certificate, as `cfg-server init` prints it.
    #[arg(long, value_name = "HEX")]
    ca_sha256: Digest,
    /// The operator's name; the login name where not given.
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
}

/// A token, given so that it need not stand in the list of processes.
#[derive(Args, Debug)]
#[group(required = true, multiple = false)]
pub struct TokenSource {
    /// The token; visible to everybody in the list of processes.
    #[arg(long, env = super::unless_empty("CFG_TOKEN"), hide_env_values = true, value_name = "TOKEN")]
    token: Option<String>,
    /// A file that holds the token; removed when it is spent.
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
}

impl TokenSource {
    /// The token itself.
    pub fn read(&self) -> Result<String, Error> {
        let token = match (&self.token, &self.token_file) {
            (Some(token), _) => token.clone(),
            (None, Some(path)) => std::fs::read_to_string(path).map_err(|error| {
                Error::of_files(anyhow::Error::new(error).context(path.display().to_string()))
            })?,
            (None, None) => String::new(),
        };
        let token = token.trim();
        if token.is_empty() || token.chars().any(char::is_control) {
            return Err(Error::usage("the token is empty, or is more than one line"));
        }
        Ok(token.into())
    }

    /// The file, if the token came from one, and it is still there.
    pub fn is_gone(&self) -> bool {
        self.token_file.as_ref().is_some_and(|path| !path.exists())
    }

    /// The token is spent: nobody shall find it.
    pub fn erase(&self) -> Result<(), Error> {
        let Some(path) = &self.token_file else {
            return Ok(());
        };
        crate::durable::remove(path).map_err(|error| {
            let context = format!("removing the spent token {}", path.display());
            Error::of_files(anyhow::Error::new(error).context(context))
        })
    }
}

impl Operator {
    pub fn run(self) -> Result<Exit, Error> {
        match self {
            Operator::Init(init) => init.run(),
            Operator::Add(_) => Err(Error::later("`cfg operator add`")),
            Operator::Remove(_) => Err(Error::later("`cfg operator remove`")),
        }
    }
}

impl Init {
    fn run(self) -> Result<Exit, Error> {
        let token = self.token.read()?;
        let name = match self.name {
            Some(name) => name,
            None => login_name()?,
        };
        let terms = Terms {
            server: &self.server,
            enrol: &self.enrol.unwrap_or_else(|| self.server.enrolment()),
            token: &token,
            ca: self.ca_sha256,
            name: &name,
        };
        let folder = folder()?;
        let made = enrol(&folder, &terms, Who::Operator, Peer::default());
        let identity = runtime()?.block_on(made).map_err(of_enrolment)?;
        self.token.erase()?;
        output::print(&format!(
            "operator {} of fleet {}; key and certificate lie in {}\n",
            identity.name,
            identity.fleet,
            folder.display()
        ))?;
        Ok(Exit::Done)
    }
}

/// What a failed enrolment means for the call.
pub fn of_enrolment(error: CertificateError) -> Error {
    match error {
        CertificateError::Call(error) => of_call(error),
        CertificateError::Identity(error) => Error::of_files(error.into()),
        error => Error::Failed(error.into()),
    }
}

fn login_name() -> Result<String, Error> {
    ["USER", "LOGNAME"]
        .iter()
        .find_map(|name| std::env::var(name).ok().filter(|name| !name.is_empty()))
        .ok_or_else(|| Error::usage("no login name is known here: give --name"))
}
