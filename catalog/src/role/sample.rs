//! The machine and the fleet that a check renders for.

use crate::facts::{Facts, Interface, Os};
use crate::fleet::{FleetView, Me, Member};
use crate::render::values::each_of;
use minijinja::value::{Enumerator, Object, Serde, Value};
use std::collections::BTreeMap;
use std::fmt;
use std::net::Ipv4Addr;
use std::sync::Arc;

/// So many members a role has in the made-up fleet, where nobody waits for more or fewer.
const COHORT: u32 = 3;

/// A made-up machine.
pub fn facts() -> Facts {
    let interface = Interface {
        mac: "02:00:00:00:00:01".into(),
        addresses: vec!["192.0.2.1".into()],
    };
    Facts {
        hostname: "sample-1".into(),
        fqdn: "sample-1.example.org".into(),
        address: "192.0.2.1".into(),
        os: Os {
            id: "debian".into(),
            version: "12".into(),
            codename: "bookworm".into(),
        },
        arch: "amd64".into(),
        cpus: 2,
        memory_mb: 4096,
        interfaces: BTreeMap::from([("eth0".into(), interface)]),
        local: BTreeMap::new(),
        azure: None,
    }
}

/// Its facts as expressions see them: what only a machine can know has every name.
pub fn facts_value(facts: &Facts) -> Value {
    let mut all = each_of(&Value::from(Serde(facts)));
    let interfaces = all.remove("interfaces").unwrap_or_default();
    all.insert("interfaces".into(), Value::from_object(Open(interfaces)));
    for name in ["local", "azure"] {
        all.insert(name.into(), Value::from_object(Open(Value::UNDEFINED)));
    }
    Value::from_pairs(all)
}

/// A table that has what it has, and something under every other name.
struct Open(Value);

impl fmt::Debug for Open {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sample")
    }
}

impl Object for Open {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let known = self.0.get_item(key).ok().filter(|v| !v.is_undefined());
        Some(known.unwrap_or_else(|| Value::from_object(Open(Value::UNDEFINED))))
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        match self.0.try_iter() {
            Ok(keys) => Enumerator::Values(keys.collect()),
            Err(_) => Enumerator::Empty,
        }
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sample")
    }
}

/// A made-up fleet: so many members of each role as are waited for, the machine itself the first of its own.
pub fn fleet<'a>(
    roles: impl Iterator<Item = &'a String>,
    wait_for: &BTreeMap<String, u32>,
) -> FleetView {
    let member = |id: u32, role: &str| Member {
        id,
        name: format!("{role}-{id}"),
        address: address(id).to_string(),
        os: "debian".into(),
        arch: "amd64".into(),
        cpus: 2,
        memory_mb: 4096,
    };
    let members = |role: &String| {
        let count = wait_for.get(role).copied().unwrap_or(COHORT);
        let members = (1..=count).map(|id| member(id, role)).collect();
        (role.clone(), members)
    };
    FleetView {
        number: 1,
        roles: roles.map(members).collect(),
        formed: Default::default(),
    }
}

/// Of the networks for documentation, and for benchmarks where there are many.
fn address(id: u32) -> Ipv4Addr {
    let network = if id < 255 {
        [192, 0, 2, 0]
    } else {
        [198, 18, 0, 0]
    };
    Ipv4Addr::from(u32::from_be_bytes(network) + id)
}

/// Which member the made-up machine is.
pub fn me(role: &str) -> Me {
    Me {
        name: format!("{role}-1"),
        id: 1,
        admitted: true,
        joining: false,
    }
}
