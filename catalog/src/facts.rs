//! What the agent finds out about its machine.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// The facts of one machine, as `facts.*` in roles and as `cfg facts` prints them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Facts {
    /// The kernel's host name, up to the first dot.
    pub hostname: String,
    /// The full name, or the host name again where there is none.
    pub fqdn: String,
    /// The machine's own address on the route to the server (or to anywhere, without a server).
    pub address: String,
    /// The operating system.
    pub os: Os,
    /// Debian's word: amd64, arm64.
    pub arch: String,
    /// Processors online.
    pub cpus: u32,
    /// Memory in MiB.
    pub memory_mb: u64,
    /// Interfaces by name, without virtual ones.
    pub interfaces: BTreeMap<String, Interface>,
    /// `/etc/cfg/facts.d/*.toml`, by the file's name without its ending.
    pub local: BTreeMap<String, Value>,
    /// The cloud's instance metadata, or on a machine of that cloud why it could not be had; absent elsewhere.
    #[serde(default, skip_serializing_if = "is_not_there", with = "answered")]
    pub azure: Option<Result<Value, String>>,
}

impl Facts {
    /// What a server is told: nothing of what only the machine's own role reads, which may be large, and change often.
    pub fn for_server(&self) -> Facts {
        Facts {
            local: BTreeMap::new(),
            azure: None,
            ..self.clone()
        }
    }
}

fn is_not_there(azure: &Option<Result<Value, String>>) -> bool {
    !matches!(azure, Some(Ok(_)))
}

/// What was answered, as it was. Why there is no answer is for its own machine alone.
mod answered {
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};
    use serde_json::Value;

    type Answer = Option<Result<Value, String>>;

    pub fn serialize<S: Serializer>(answer: &Answer, to: S) -> Result<S::Ok, S::Error> {
        let value = answer.as_ref().and_then(|answer| answer.as_ref().ok());
        value.serialize(to)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Answer, D::Error> {
        Ok(Option::deserialize(from)?.map(Ok))
    }
}

/// `/etc/os-release`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Os {
    /// ID: debian.
    pub id: String,
    /// VERSION_ID: 12.
    pub version: String,
    /// VERSION_CODENAME: bookworm.
    pub codename: String,
}

/// One interface.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interface {
    /// Hardware address, colons between.
    pub mac: String,
    /// IPv4 and IPv6 addresses without prefix lengths, sorted.
    pub addresses: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn facts(azure: Option<Result<Value, String>>) -> Facts {
        Facts {
            local: BTreeMap::from([("rack".into(), json!({"row": 7}))]),
            azure,
            ..crate::role::sample::facts()
        }
    }

    #[test]
    fn what_was_answered_travels_and_why_nothing_was_does_not() {
        let there = facts(Some(Ok(json!({"compute": {"zone": "1"}}))));
        let written = serde_json::to_value(&there).unwrap();
        assert_eq!(written["azure"], json!({"compute": {"zone": "1"}}));
        assert_eq!(serde_json::from_value::<Facts>(written).unwrap(), there);
        let written = serde_json::to_value(facts(Some(Err("no".into())))).unwrap();
        assert_eq!(written, serde_json::to_value(facts(None)).unwrap());
        assert!(written.get("azure").is_none());
    }

    #[test]
    fn the_server_is_not_told_what_only_the_role_reads() {
        let told = facts(Some(Ok(json!({"compute": {"zone": "1"}})))).for_server();
        let written = serde_json::to_value(&told).unwrap();
        assert!(written.get("azure").is_none());
        assert_eq!(written["local"], json!({}));
        assert_eq!(told.hostname, facts(None).hostname);
    }
}
