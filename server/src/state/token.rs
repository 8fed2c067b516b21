//! Tokens: 160 random bits, shown once, kept as a hash, bound to a purpose, counted, expiring.

#[cfg(test)]
mod tests;

use super::State;
use super::event::{Event, Purpose};
use super::name;
use crate::refusal::Refusal;
use cfg_catalog::digest::Digest;
use serde::{Deserialize, Serialize};

/// How long an expired token is still called expired rather than unknown.
pub const REMEMBERED_S: u64 = 30 * 24 * 3600;
/// No token lives longer.
pub const LONGEST_S: u64 = 366 * 24 * 3600;
/// No token has more uses.
pub const MOST_USES: u32 = 100_000;

/// What is kept of a token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// What it may be used for.
    pub purpose: Purpose,
    /// How often still.
    pub uses_left: u32,
    /// Until when, seconds since 1970.
    pub expires: u64,
    /// When it was made, as a count of events.
    pub made: u64,
    /// Whether an operator took it back.
    pub revoked: bool,
}

/// A token's secret, as it is shown once.
pub struct Secret(String);

impl Secret {
    /// A new one.
    ///
    /// # Errors
    /// Where the kernel gives no randomness.
    pub fn new() -> Result<Self, Refusal> {
        let mut bytes = [0; 20];
        getrandom::fill(&mut bytes)
            .map_err(|error| Refusal::Internal(format!("no randomness: {error}")))?;
        Ok(Self(format!("cfg-{}", hex::encode(bytes))))
    }

    /// What is shown.
    pub fn text(&self) -> &str {
        &self.0
    }

    /// What is kept.
    pub fn hash(&self) -> Digest {
        hash(&self.0)
    }
}

/// The hash by which a token is found. The look-up compares hashes, so its time tells nothing of the token.
pub fn hash(text: &str) -> Digest {
    Digest::of(text.trim().as_bytes())
}

/// The name of a token in lists and log lines.
pub fn id(hash: &Digest) -> String {
    hash.to_string()[..12].to_owned()
}

/// A token that is wished for.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// What for.
    pub purpose: Purpose,
    /// How often.
    pub uses: u32,
    /// How long, in seconds.
    pub ttl_s: u64,
}

impl State {
    /// A token is made. For a role that the current release lacks it is refused; before the first release
    /// any role may be named, since there is nothing to compare with.
    ///
    /// # Errors
    /// Where the wish makes no sense.
    pub fn create_token(
        &self,
        hash: Digest,
        wanted: &Wanted,
        now: u64,
    ) -> Result<Vec<Event>, Refusal> {
        if wanted.uses == 0 || wanted.uses > MOST_USES {
            let why = format!("a token has from 1 to {MOST_USES} uses");
            return Err(Refusal::Invalid(why));
        }
        if wanted.ttl_s == 0 || wanted.ttl_s > LONGEST_S {
            return Err(Refusal::Invalid(
                "a token lives from one second to a year".into(),
            ));
        }
        if let Purpose::Role(role) = &wanted.purpose {
            name::role(role)?;
            self.knows_role(role)?;
        }
        Ok(vec![Event::TokenCreated {
            hash,
            purpose: wanted.purpose.clone(),
            uses: wanted.uses,
            expires: now.saturating_add(wanted.ttl_s),
        }])
    }

    /// A token is taken back. Twice is as good as once.
    ///
    /// # Errors
    /// Where there is none of this id.
    pub fn revoke_token(&self, wanted: &str) -> Result<Vec<Event>, Refusal> {
        let found = self.tokens.iter().find(|(hash, _)| id(hash) == wanted);
        match found {
            Some((_, token)) if token.revoked => Ok(Vec::new()),
            Some((hash, _)) => Ok(vec![Event::TokenRevoked { hash: *hash }]),
            None => Err(Refusal::NoSuch(format!("token {wanted:?}"))),
        }
    }

    /// The token of this hash, if it is neither revoked nor expired. Whether it is spent is not asked here.
    ///
    /// # Errors
    /// Where it is unknown, revoked or expired.
    pub(super) fn living_token(&self, hash: &Digest, now: u64) -> Result<&Token, Refusal> {
        let token = self.tokens.get(hash).ok_or(Refusal::UnknownToken)?;
        if token.revoked {
            return Err(Refusal::RevokedToken(id(hash)));
        }
        if token.expires <= now {
            return Err(Refusal::ExpiredToken(id(hash)));
        }
        Ok(token)
    }

    fn knows_role(&self, role: &str) -> Result<(), Refusal> {
        match &self.release {
            Some(release) if !release.reads.contains_key(role) => {
                let known: Vec<&str> = release.reads.keys().map(String::as_str).collect();
                Err(Refusal::NoSuchRole {
                    role: role.to_owned(),
                    sequence: release.sequence,
                    known: known.join(", "),
                })
            }
            _ => Ok(()),
        }
    }
}
