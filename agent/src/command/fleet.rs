//! `cfg fleet`

use super::{output, runtime};
use crate::error::{Error, Exit};
use crate::operator::Desk;
use cfg_wire::{FleetReply, FleetRequest, Node};
use clap::Args;
use serde_json::{Value, json};

#[derive(Args, Debug)]
pub struct Fleet {
    /// As one JSON document.
    #[arg(long)]
    json: bool,
}

impl Fleet {
    pub fn run(self) -> Result<Exit, Error> {
        let reply = ask()?;
        if self.json {
            let nodes: Vec<Value> = reply.nodes.iter().map(document).collect();
            output::print_json(&json!({
                "version": 1, "sequence": reply.sequence, "release": some(&reply.release), "nodes": nodes,
            }))?;
            return Ok(Exit::Done);
        }
        let rows: Vec<_> = reply.nodes.iter().map(row).collect();
        let release = match some(&reply.release) {
            Some(release) => format!("release {} ({})", reply.sequence, short(release)),
            None => "nothing is published yet".into(),
        };
        let header = [
            "NAME", "ROLE", "ID", "ADDRESS", "STATE", "RESULT", "RELEASE", "REPORTED",
        ];
        output::print(&format!("{release}\n{}", output::table(&header, &rows)))?;
        Ok(Exit::Done)
    }
}

/// Every node.
pub fn ask() -> Result<FleetReply, Error> {
    runtime()?.block_on(async {
        let desk = Desk::open().await?;
        let mut calls = desk.calls();
        desk.answer(calls.fleet(FleetRequest {})).await
    })
}

/// A node as JSON.
pub fn document(node: &Node) -> Value {
    json!({
        "name": node.name, "role": node.role, "id": node.id, "address": node.address,
        "state": state(node), "result": some(&node.result), "release": some(&node.release),
        "reported": (node.last_report > 0).then(|| output::time(node.last_report)),
    })
}

fn row(node: &Node) -> Vec<String> {
    vec![
        node.name.clone(),
        node.role.clone(),
        node.id.to_string(),
        node.address.clone(),
        state(node).into(),
        some(&node.result).unwrap_or("-").into(),
        some(&node.release).map_or("-", short).into(),
        output::time(node.last_report),
    ]
}

/// One word on how a node stands to the server.
pub fn state(node: &Node) -> &'static str {
    match (node.revoked, node.member, node.connected) {
        // Others are told of it still.
        (true, true, _) => "leaving",
        (true, false, _) => "revoked",
        (false, true, true) => "connected",
        // Others are not told of it yet.
        (false, false, true) => "joining",
        (false, _, false) => "away",
    }
}

fn some(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.is_empty())
}

/// As much of a digest as people read.
pub fn short(digest: &str) -> &str {
    digest.get(..12).unwrap_or(digest)
}
