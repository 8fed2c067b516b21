//! Why the server says no: in words that an operator understands, with the code that a caller gets.

use crate::state::name::BadName;
use cfg_catalog::digest::Digest;
use std::net::IpAddr;
use std::sync::Arc;
use tonic::{Code, Status};

/// What is not done, and why.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Refusal {
    /// No token came with the request.
    #[error("no token was given")]
    NoToken,
    /// Nobody made this token, or it is long gone.
    #[error("the token is unknown: it was mistyped, or never made here")]
    UnknownToken,
    /// All its uses are used.
    #[error("token {0} is spent")]
    SpentToken(String),
    /// Its time is over.
    #[error("token {0} has expired")]
    ExpiredToken(String),
    /// An operator revoked it.
    #[error("token {0} was revoked")]
    RevokedToken(String),
    /// A token for one purpose, used for another.
    #[error("token {id} is for {made_for}, not for {used_for}")]
    TokenForOther {
        /// Its id.
        id: String,
        /// What it was made for.
        made_for: String,
        /// What it was used for.
        used_for: String,
    },
    /// A name that cannot be one.
    #[error(transparent)]
    Name(#[from] BadName),
    /// Somebody else has the name.
    #[error("{0} is enrolled already: revoke it before another machine takes its name")]
    NameTaken(String),
    /// A name that differs from another machine's by case alone.
    #[error("{name} is {known} to whoever looks it up: take another name, or spell it so")]
    NameSpelt {
        /// What was asked for.
        name: String,
        /// What there is.
        known: String,
    },
    /// The name of a member that is another than the one that is replaced.
    #[error("{0} is a member in a place of its own, and still in the list: take another name")]
    NameOfAnother(String),
    /// A revoked node comes back with a token from before.
    #[error("{0} was revoked: only a token made after that brings it back")]
    RevokedSince(String),
    /// A signing request that is not accepted.
    #[error("bad certificate signing request: {0}")]
    Request(String),
    /// Facts that are not accepted.
    #[error("bad facts: {0}")]
    Facts(String),
    /// An address that the machine does not call from.
    #[error(
        "the address {claimed} is not the one that it calls from, {from}: let machines have it by `addresses` in server.toml, or correct `address` in its agent.toml"
    )]
    Claim {
        /// What it said.
        claimed: IpAddr,
        /// Where it is.
        from: IpAddr,
    },
    /// Another machine's address.
    #[error("the address {address} is that of {of}: revoke or replace {of} first")]
    AddressTaken {
        /// Which.
        address: String,
        /// Whose it is.
        of: String,
    },
    /// The address of a machine that is shut out, and of which others are still told.
    #[error(
        "the address {address} is that of {of}, of which others are told until its place is taken: that one enrols first"
    )]
    AddressKept {
        /// Which.
        address: String,
        /// Whose it is.
        of: String,
    },
    /// The peer's certificate is no more good.
    #[error("{0} is revoked")]
    Revoked(String),
    /// The peer's certificate was followed by another enrolment of the same name.
    #[error("{0} has enrolled again since this certificate was made")]
    Superseded(String),
    /// The peer's certificate is of this CA, but nobody knows the name.
    #[error("{0} is not of this fleet")]
    Unknown(String),
    /// The peer's certificate has run out.
    #[error("the certificate of {0} has expired")]
    Expired(String),
    /// A machine calls what is for operators, or an operator what is for machines.
    #[error("{who} may not call what is for {audience}")]
    Audience {
        /// Who calls.
        who: String,
        /// Whom it is for.
        audience: &'static str,
    },
    /// A digest outside the closed set; the same whether it exists or not.
    #[error("not yours to read")]
    NotYours,
    /// No release yet.
    #[error("nothing is published yet")]
    NothingPublished,
    /// The release lacks the role.
    #[error("release {sequence} has no role \"{role}\"; it has {known}")]
    NoSuchRole {
        /// The role asked for.
        role: String,
        /// The current release.
        sequence: u64,
        /// The roles that there are.
        known: String,
    },
    /// The agent is older than the release.
    #[error(
        "the release is of format {release}, this agent reads up to {agent}: upgrade cfg on this machine"
    )]
    TooOld {
        /// The release's format.
        release: u32,
        /// What the agent reads.
        agent: u32,
    },
    /// Somebody else published meanwhile.
    #[error(
        "release {current} is current, not {expected}: somebody published meanwhile; look at it, then publish again"
    )]
    Stale {
        /// What is current.
        current: String,
        /// What the operator saw.
        expected: String,
    },
    /// Roles that machines have, each with their number, are not in what was to be published.
    #[error(
        "it lacks roles that machines have: {0}; add them, revoke those machines, or publish with --force: they then keep what they have, and none of them comes or goes until the role is back"
    )]
    WithoutRoles(String),
    /// What was sent to be published does not hold together.
    #[error("the release is not accepted: {0}")]
    Release(String),
    /// A request that makes no sense.
    #[error("{0}")]
    Invalid(String),
    /// A slot of this number is not, or no more, the caller's.
    #[error("slot {0} is lost: it was given back, or its time was over")]
    SlotLost(u64),
    /// A token or node that an operator names does not exist.
    #[error("there is no {0}")]
    NoSuch(String),
    /// More than one caller may have at a time.
    #[error("too many {0} at once")]
    TooMany(&'static str),
    /// The store does not answer, or is damaged: nothing was acknowledged.
    #[error("the store: {0}")]
    Store(Arc<crate::log::LogError>),
    /// The server stops.
    #[error("the server is stopping")]
    Stopping,
    /// A bug, or a CA that cannot sign.
    #[error("{0}")]
    Internal(String),
}

impl Refusal {
    /// What gRPC calls it.
    pub fn code(&self) -> Code {
        match self {
            Self::NoToken
            | Self::UnknownToken
            | Self::SpentToken(_)
            | Self::ExpiredToken(_)
            | Self::RevokedToken(_) => Code::Unauthenticated,
            Self::TokenForOther { .. }
            | Self::RevokedSince(_)
            | Self::Revoked(_)
            | Self::Superseded(_)
            | Self::Unknown(_)
            | Self::Expired(_)
            | Self::Audience { .. } => Code::PermissionDenied,
            Self::NameTaken(_)
            | Self::NameOfAnother(_)
            | Self::NameSpelt { .. }
            | Self::AddressTaken { .. }
            | Self::AddressKept { .. } => Code::AlreadyExists,
            Self::Claim { .. }
            | Self::Name(_)
            | Self::Request(_)
            | Self::Facts(_)
            | Self::Invalid(_) => Code::InvalidArgument,
            Self::NotYours | Self::NoSuch(_) => Code::NotFound,
            Self::NothingPublished
            | Self::NoSuchRole { .. }
            | Self::Stale { .. }
            | Self::SlotLost(_)
            | Self::WithoutRoles(_)
            | Self::Release(_) => Code::FailedPrecondition,
            // Agents take this code for "upgrade me".
            Self::TooOld { .. } => Code::Unimplemented,
            Self::TooMany(_) => Code::ResourceExhausted,
            Self::Store(_) | Self::Stopping => Code::Unavailable,
            Self::Internal(_) => Code::Internal,
        }
    }

    /// That a publish was meant to follow another release than the one that is current.
    pub fn stale(current: Option<Digest>, expected: Option<Digest>) -> Self {
        let word = |release: Option<Digest>| match release {
            Some(digest) => digest.to_string()[..12].to_owned(),
            None => "none".to_owned(),
        };
        Self::Stale {
            current: word(current),
            expected: word(expected),
        }
    }
}

impl From<crate::log::LogError> for Refusal {
    fn from(error: crate::log::LogError) -> Self {
        Self::Store(Arc::new(error))
    }
}

impl From<crate::store::StoreError> for Refusal {
    fn from(error: crate::store::StoreError) -> Self {
        crate::log::LogError::from(error).into()
    }
}

impl From<Refusal> for Status {
    fn from(refusal: Refusal) -> Self {
        Status::new(refusal.code(), refusal.to_string())
    }
}
