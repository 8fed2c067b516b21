//! `cfg token`

use super::{output, runtime};
use crate::config::parse_duration;
use crate::error::{Error, Exit};
use crate::operator::Desk;
use cfg_wire::{
    CreateTokenReply, CreateTokenRequest, ListTokensReply, ListTokensRequest, RevokeTokenReply,
    RevokeTokenRequest, Token as Listed,
};
use clap::{Args, Subcommand};
use jiff::Timestamp;
use serde_json::json;
use std::ffi::OsString;
use std::time::Duration;

#[derive(Subcommand, Debug)]
pub enum Token {
    /// Makes a token that machines enrol with; it is shown once.
    Create(Create),
    /// The tokens that there are.
    List(List),
    /// Ends a token before its time.
    Revoke(Revoke),
}

#[derive(Args, Debug)]
pub struct Create {
    /// The role of the machines that enrol with it.
    #[arg(long, value_name = "NAME", required_unless_present = "operator")]
    role: Option<String>,
    /// For an operator's desk instead of a machine.
    #[arg(long, conflicts_with = "role")]
    operator: bool,
    /// How many may enrol with it.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    uses: u32,
    /// How long it lasts.
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = time)]
    ttl: Duration,
    /// As one JSON document.
    #[arg(long)]
    json: bool,
    #[arg(long, hide = true, value_name = "CIDR")]
    from: Option<OsString>,
    #[arg(long, hide = true)]
    approve: bool,
}

#[derive(Args, Debug)]
pub struct List {
    /// As one JSON document.
    #[arg(long)]
    json: bool,
}

#[derive(Args, Debug)]
pub struct Revoke {
    /// Its id, as `cfg token list` shows it.
    id: String,
}

/// How long a token is to last.
pub(super) fn time(text: &str) -> Result<Duration, String> {
    parse_duration(text)
        .filter(|time| !time.is_zero())
        .ok_or_else(|| "a time is wanted, as in 90s, 30m, 24h or 7d".into())
}

impl Token {
    pub fn run(self) -> Result<Exit, Error> {
        match self {
            Token::Create(create) => create.run(),
            Token::List(list) => list.run(),
            Token::Revoke(revoke) => revoke.run(),
        }
    }
}

impl Create {
    fn run(self) -> Result<Exit, Error> {
        if self.from.is_some() {
            return Err(Error::later("`cfg token create --from`"));
        }
        if self.approve {
            return Err(Error::later("`cfg token create --approve`"));
        }
        let request = CreateTokenRequest {
            role: self.role.unwrap_or_default(),
            uses: self.uses,
            ttl_seconds: self.ttl.as_secs(),
        };
        let made: CreateTokenReply = runtime()?.block_on(async {
            let desk = Desk::open().await?;
            desk.ask("/cfg.v1.Operators/CreateToken", request).await
        })?;
        if self.json {
            output::print_json(&json!({"version": 1, "token": made.token, "id": made.id}))?;
        } else {
            output::print(&format!("{}\n", made.token))?;
            output::note(&format!(
                "id {}; it is not shown again (`cfg token revoke {}` ends it)",
                made.id, made.id
            ));
        }
        Ok(Exit::Done)
    }
}

impl List {
    fn run(self) -> Result<Exit, Error> {
        let reply: ListTokensReply = runtime()?.block_on(async {
            let desk = Desk::open().await?;
            let request = ListTokensRequest {};
            desk.ask("/cfg.v1.Operators/ListTokens", request).await
        })?;
        let now = u64::try_from(Timestamp::now().as_second()).unwrap_or_default();
        if self.json {
            let tokens: Vec<_> = reply
                .tokens
                .iter()
                .map(|token| {
                    json!({"id": token.id, "role": word(&token.role), "replaces": replaces(token), "uses_left": token.uses_left,
                           "expires": output::time(token.expires), "revoked": token.revoked,
                           "state": state(token, now)})
                })
                .collect();
            output::print_json(&json!({"version": 1, "tokens": tokens}))?;
        } else {
            let rows: Vec<_> = reply
                .tokens
                .iter()
                .map(|token| {
                    vec![
                        token.id.clone(),
                        match replaces(token) {
                            Some(before) => format!("{} (for {before})", token.role),
                            None => word(&token.role).into(),
                        },
                        token.uses_left.to_string(),
                        output::time(token.expires),
                        state(token, now).into(),
                    ]
                })
                .collect();
            output::print(&output::table(
                &["ID", "ROLE", "USES LEFT", "EXPIRES", "STATE"],
                &rows,
            ))?;
        }
        Ok(Exit::Done)
    }
}

/// Whether it still lets anybody in.
fn state(token: &Listed, now: u64) -> &'static str {
    match token {
        Listed { revoked: true, .. } => "revoked",
        Listed { uses_left: 0, .. } => "spent",
        token if token.expires <= now => "expired",
        _ => "valid",
    }
}

/// The machine whose place may be taken with it.
fn replaces(token: &Listed) -> Option<&str> {
    Some(token.replaces.as_str()).filter(|name| !name.is_empty())
}

/// An operator's token has no role.
fn word(role: &str) -> &str {
    if role.is_empty() { "(operator)" } else { role }
}

impl Revoke {
    fn run(self) -> Result<Exit, Error> {
        let id = self.id.clone();
        let RevokeTokenReply {} = runtime()?.block_on(async {
            let desk = Desk::open().await?;
            let request = RevokeTokenRequest { id };
            desk.ask("/cfg.v1.Operators/RevokeToken", request).await
        })?;
        output::print(&format!("token {} is revoked\n", self.id))?;
        Ok(Exit::Done)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_that_lets_nobody_in_says_why() {
        for (uses_left, expires, revoked, expected) in [
            (1, 101, false, "valid"),
            (1, 100, false, "expired"),
            (0, 101, false, "spent"),
            (0, 99, false, "spent"),
            (1, 101, true, "revoked"),
            (0, 99, true, "revoked"),
        ] {
            let token = Listed {
                uses_left,
                expires,
                revoked,
                ..Listed::default()
            };
            assert_eq!(state(&token, 100), expected, "{token:?}");
        }
    }
}
