//! An operator's desk: its identity, and its calls to the server.

pub mod publish;

use crate::address::ServerUrl;
use crate::client::channel::{self, CallError, Lack, Peer};
use crate::client::identity::{self, CertificateError, Identity, IdentityError};
use crate::client::{renew, tls, unary};
use crate::command::note;
use crate::error::Error;
use cfg_catalog::chain;
use cfg_wire::operators_client::OperatorsClient;
use cfg_wire::{Message, RenewRequest};
use rcgen::KeyPair;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};
use tonic::transport::Channel;
use tonic::{Response, Status};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// The server, as this desk's identity may call it.
#[derive(Clone, Debug)]
pub struct Desk {
    url: ServerUrl,
    channel: Channel,
}

/// Where this operator's identity lies: `$XDG_CONFIG_HOME/cfg/operator`, else `~/.config/cfg/operator`.
///
/// # Errors
/// Where neither is known.
pub fn folder() -> Result<PathBuf, Error> {
    let set = |name: &str| {
        std::env::var_os(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    set("XDG_CONFIG_HOME")
        .or_else(|| set("HOME").map(|home| home.join(".config")))
        .map(|folder| folder.join("cfg/operator"))
        .ok_or_else(|| {
            Error::config("neither XDG_CONFIG_HOME nor HOME says where the operator's key lies")
        })
}

impl Desk {
    /// Opens it. The server is called only where two thirds of the certificate's life are over, for a new one.
    ///
    /// # Errors
    /// [`Error::Config`] where this operator has no identity, or it has run out; [`Error::Away`] where a new
    /// certificate is due and the server cannot be reached.
    pub async fn open() -> Result<Self, Error> {
        let folder = folder()?;
        let identity = Identity::load(&folder).map_err(|error| match error {
            IdentityError::None(_) => Error::config(format!(
                "{error}; `cfg operator init` makes this desk known to a server, with the token of `cfg-server init`"
            )),
            error => Error::Config(error.into()),
        })?;
        let config = |error: anyhow::Error| Error::Config(error);
        let stated = identity.stated().map_err(|error| config(error.into()))?;
        if stated.until <= SystemTime::now() {
            return Err(Error::config(
                "this operator's certificate has run out: `cfg operator init` with a new token makes a new one",
            ));
        }
        let url = identity.server().map_err(|error| config(error.into()))?;
        let tls = tls::mutual(&identity).map_err(|error| config(error.into()))?;
        let channel = channel::open(&url, tls, Peer::default());
        let desk = Self { url, channel };
        if stated.renew_at() <= SystemTime::now() {
            match desk.renew(&folder, &identity).await {
                Ok(_renewed) => {}
                // What the call is for would fare no better.
                Err(CertificateError::Call(error @ CallError::Away { .. })) => {
                    return Err(of_call(error));
                }
                // The old one is good for this call.
                Err(error) => note(&format!(
                    "warning: this operator's certificate was not renewed: {}",
                    chain(&error)
                )),
            }
        }
        Ok(desk)
    }

    /// A new certificate for the key of this desk, kept in the place of the old one.
    async fn renew(
        &self,
        folder: &Path,
        identity: &Identity,
    ) -> Result<Identity, CertificateError> {
        let key = KeyPair::from_pem(&identity.key)?;
        let csr = identity::request(&key, &identity.name)?;
        let path = "/cfg.v1.Operators/Renew";
        let channel = self.channel.clone();
        let answer = unary::call(channel, PATIENCE, path, RenewRequest { csr }).await;
        let answer = answer.map_err(|status| CallError::of(&self.url, &status))?;
        renew::keep(folder, identity, &key, answer)
    }

    /// Asks by this call of `cfg.proto`, whose messages these must be, and waits for an answer, but not for ever.
    ///
    /// # Errors
    /// [`Error::Away`] where there is none, [`Error::Failed`] where the answer is no.
    pub async fn ask<A: Message + Default>(
        &self,
        path: &'static str,
        question: impl Message,
    ) -> Result<A, Error> {
        let answer = unary::call(self.channel.clone(), PATIENCE, path, question).await;
        answer.map_err(|status| of_call(CallError::of(&self.url, &status)))
    }

    /// The calls in which a desk says more than one thing.
    pub fn calls(&self) -> OperatorsClient<Channel> {
        OperatorsClient::new(self.channel.clone())
            .max_decoding_message_size(channel::MESSAGE_LIMIT)
            .max_encoding_message_size(channel::SEND_LIMIT)
    }

    /// Waits so long for an answer to one of them.
    ///
    /// # Errors
    /// As above.
    pub async fn answer_within<T>(
        &self,
        patience: Duration,
        call: impl Future<Output = Result<Response<T>, Status>>,
    ) -> Result<T, Error> {
        channel::within(patience, call)
            .await
            .map(Response::into_inner)
            .map_err(|status| of_call(CallError::of(&self.url, &status)))
    }
}

/// What a call that failed means for an operator's or an enrolling call.
pub fn of_call(error: CallError) -> Error {
    match error {
        CallError::Away {
            lack: Lack::Unreached | Lack::Unbelieved,
            ..
        } => Error::Away(error.into()),
        CallError::Away { .. } | CallError::Refused(_) | CallError::Said { .. } => {
            Error::Failed(error.into())
        }
    }
}
