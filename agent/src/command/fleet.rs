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
            "NAME", "ROLE", "ID", "ADDRESS", "STATE", "SLOT", "RESULT", "RELEASE", "REPORTED",
        ];
        let table = output::table(&header, &rows);
        output::print(&format!("{release}\n{table}{}", reasons(&reply.nodes)))?;
        Ok(Exit::Done)
    }
}

/// Every node.
pub fn ask() -> Result<FleetReply, Error> {
    runtime()?.block_on(async {
        let desk = Desk::open().await?;
        desk.ask("/cfg.v1.Operators/Fleet", FleetRequest {}).await
    })
}

/// A node as JSON.
pub fn document(node: &Node) -> Value {
    json!({
        "name": node.name, "role": node.role, "id": node.id, "address": node.address,
        "state": state(node), "slot": some(&node.slot), "gone": node.gone, "result": some(&node.result),
        "why": some(&node.why), "release": some(&node.release),
        "reported": (node.last_report > 0).then(|| output::time(node.last_report)),
    })
}

/// Why runs failed, or what they wait for: a line a node.
fn reasons(nodes: &[Node]) -> String {
    let line = |node: &Node| {
        let why = some(&node.why)?;
        Some(format!("{} {}: {why}\n", node.name, node.result))
    };
    let lines: String = nodes
        .iter()
        .filter(|node| !node.revoked)
        .filter_map(line)
        .collect();
    match lines.is_empty() {
        true => lines,
        false => format!("\n{lines}"),
    }
}

fn row(node: &Node) -> Vec<String> {
    vec![
        node.name.clone(),
        node.role.clone(),
        node.id.to_string(),
        node.address.clone(),
        state(node).into(),
        some(&node.slot).unwrap_or("-").into(),
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
        // It counts no more until it is back.
        (false, _, false) if node.gone => "gone",
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_and_those_who_are_gone() {
        let node = Node {
            name: "vm-1".into(),
            member: true,
            slot: "failed".into(),
            gone: true,
            ..Node::default()
        };
        assert_eq!(row(&node)[4..6], ["gone", "failed"]);
        let told = document(&node);
        assert_eq!(
            (&told["state"], &told["slot"], &told["gone"]),
            (&json!("gone"), &json!("failed"), &json!(true))
        );
        let back = Node {
            connected: true,
            gone: false,
            slot: String::new(),
            ..node
        };
        assert_eq!(row(&back)[4..6], ["connected", "-"]);
        assert_eq!(document(&back)["slot"], Value::Null);
        assert_eq!(reasons(std::slice::from_ref(&back)), "");
        let waits = Node {
            result: "waiting".into(),
            why: "vm-2 is not healthy".into(),
            ..back
        };
        assert_eq!(document(&waits)["why"], "vm-2 is not healthy");
        assert_eq!(reasons(&[waits]), "\nvm-1 waiting: vm-2 is not healthy\n");
    }
}
