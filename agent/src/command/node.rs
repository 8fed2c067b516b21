//! `cfg node`

use super::{fleet, output, runtime};
use crate::error::{Error, Exit};
use crate::operator::Desk;
use cfg_wire::RevokeNodeRequest;
use clap::{Args, Subcommand};

#[derive(Subcommand, Debug)]
pub enum Node {
    /// What the server knows of a machine.
    Show(Show),
    /// Shuts a machine out, at once.
    Revoke(Revoke),
    /// Not in this version.
    #[command(hide = true)]
    Replace(super::later::Rest),
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

impl Node {
    pub fn run(self) -> Result<Exit, Error> {
        match self {
            Node::Show(show) => show.run(),
            Node::Revoke(revoke) => revoke.run(),
            Node::Replace(_) => Err(Error::later("`cfg node replace`")),
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
            "name", "role", "id", "address", "state", "result", "release", "reported",
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

impl Revoke {
    fn run(self) -> Result<Exit, Error> {
        let name = self.name.clone();
        runtime()?.block_on(async {
            let desk = Desk::open().await?;
            let mut calls = desk.calls();
            desk.answer(calls.revoke_node(RevokeNodeRequest { name }))
                .await
        })?;
        output::print(&format!("{} is revoked\n", self.name))?;
        Ok(Exit::Done)
    }
}
