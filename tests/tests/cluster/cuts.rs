//! Cables that are whole, over which not everything gets through.

use std::process::Command;

use anyhow::Result;
use cfg_tests::{Host, output};

/// A host that somebody cannot be reached from, until it is healed.
#[must_use]
pub struct Cut {
    table: [String; 2],
}

impl Cut {
    /// It hears nothing of the server, and the server nothing of it; all else gets through.
    pub fn from_the_server(host: &Host) -> Result<Cut> {
        Cut::by(
            "inet",
            host,
            "hook input",
            &[format!(
                "ip saddr {} tcp dport {{ 7443, 7444 }} drop",
                host.address()
            )],
        )
    }

    /// It hears nothing of the other hosts, nor they of it; the test and its server get through.
    pub fn from_its_peers(host: &Host) -> Result<Cut> {
        Cut::by(
            "bridge",
            host,
            "hook forward",
            &["saddr", "daddr"].map(|end| format!("ip {end} {} drop", host.address())),
        )
    }

    fn by(family: &str, host: &Host, hook: &str, rules: &[String]) -> Result<Cut> {
        let table = format!("cut-{}", host.name());
        let rules = rules.join("\n");
        nft(&format!(
            "table {family} {table} {{\nchain cut {{\ntype filter {hook} priority 0;\n{rules}\n}}\n}}"
        ))?;
        Ok(Cut {
            table: [family.to_owned(), table],
        })
    }

    /// Everything gets through again.
    pub fn heal(self) -> Result<()> {
        nft(&format!("delete table {} {}", self.table[0], self.table[1]))
    }
}

/// In the network of the sandbox, which is the switch.
fn nft(rules: &str) -> Result<()> {
    output(Command::new("nft").arg(rules))?.success().map(drop)
}
