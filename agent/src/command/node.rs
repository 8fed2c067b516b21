//! `cfg node`

use super::{fleet, output, runtime};
use crate::error::{Error, Exit};
use crate::operator::Desk;
use cfg_wire::{CreateTokenReply, ReplaceNodeRequest, RevokeNodeReply, RevokeNodeRequest};
use clap::{Args, Subcommand};
use serde_json::json;
use std::time::Duration;

#[derive(Subcommand, Debug)]
pub enum Node {
    /// What the server knows of a machine.
    Show(Show),
    /// Shuts a machine out, at once.
    Revoke(Revoke),
    /// Shuts a machine out, and makes a token for the one that takes its place, with its id.
    Replace(Replace),
    /// Not in this version.
    #[command(hide = true)]
    SetRole(super::later::Rest),
}

#[derive(Args, Debug)]
pub struct Show {
    /// The node's name.
    name: String,
    /// As one JSON document.
    #[arg(long)]
    json: bool,
}

#[derive(Args, Debug)]
pub struct Revoke {
    /// The node's name.
    name: String,
}

#[derive(Args, Debug)]
pub struct Replace {
    /// The name of the node that is to be replaced.
    name: String,
    /// How long the token lasts.
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = super::token::time)]
    ttl: Duration,
    /// As one JSON document.
    #[arg(long)]
    json: bool,
}

impl Node {
    pub fn run(self) -> Result<Exit, Error> {
        match self {
            Node::Show(show) => show.run(),
            Node::Revoke(revoke) => revoke.run(),
            Node::Replace(replace) => replace.run(),
            Node::SetRole(_) => Err(Error::later("`cfg node set-role`")),
        }
    }
}

impl Show {
    fn run(self) -> Result<Exit, Error> {
        let reply = fleet::ask()?;
        let node = reply.nodes.iter().find(|node| node.name == self.name);
        let node =
            node.ok_or_else(|| anyhow::anyhow!("there is no node \"{}\" in the fleet", self.name))?;
        let mut document = fleet::document(node);
        if self.json {
            document["version"] = 1.into();
            output::print_json(&document)?;
            return Ok(Exit::Done);
        }
        let mut text = String::new();
        for key in [
            "name", "role", "id", "address", "state", "slot", "result", "why", "release",
            "reported",
        ] {
            let value = match &document[key] {
                serde_json::Value::Null => "-".to_string(),
                serde_json::Value::String(word) => word.clone(),
                other => other.to_string(),
            };
            text.push_str(&format!("{key:9} {value}\n"));
        }
        output::print(&text)?;
        Ok(Exit::Done)
    }
}

impl Replace {
    fn run(self) -> Result<Exit, Error> {
        let request = ReplaceNodeRequest {
            name: self.name.clone(),
            ttl_seconds: self.ttl.as_secs(),
        };
        let made: CreateTokenReply = runtime()?.block_on(async {
            let desk = Desk::open().await?;
            desk.ask("/cfg.v1.Operators/ReplaceNode", request).await
        })?;
        if self.json {
            let name = &self.name;
            output::print_json(
                &json!({"version": 1, "replaces": name, "token": made.token, "id": made.id}),
            )?;
            return Ok(Exit::Done);
        }
        output::print(&format!("{}\n", made.token))?;
        output::note(&format!(
            "{} is revoked; who enrols with this token, once, takes its place and its id",
            self.name
        ));
        Ok(Exit::Done)
    }
}

impl Revoke {
    fn run(self) -> Result<Exit, Error> {
        let name = self.name.clone();
        let RevokeNodeReply {} = runtime()?.block_on(async {
            let desk = Desk::open().await?;
            let request = RevokeNodeRequest { name };
            desk.ask("/cfg.v1.Operators/RevokeNode", request).await
        })?;
        output::print(&format!("{} is revoked\n", self.name))?;
        Ok(Exit::Done)
    }
}
