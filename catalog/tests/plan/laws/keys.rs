//! No key of any kind goes without a law: what it manages drifts, is found alone and is mended alone.

use super::drift::seen;
use crate::build::path;
use crate::model::machine::{Machine, Node, Unit, What};
use crate::model::run::words;
use crate::running::{dry, run};
use cfg_catalog::id::{Kind, ResourceId};
use cfg_catalog::plan::{Certainty, Ledger};
use cfg_catalog::resource::account::Present;
use cfg_catalog::resource::fstab::{self, Entry, FSTAB};
use cfg_catalog::resource::package::DpkgState;
use cfg_catalog::resource::{Body, Desired, Mode};
use cfg_catalog::text::keys;
use cfg_catalog::{Catalog, CatalogFiles, Inputs, Secrets, render};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

const ROLE: &str = include_str!("../../every_key/role.toml");

/// Keys that are no attribute of a machine, and why.
const NO_ATTRIBUTE: &[(&str, &str, &str)] = &[
    ("file", "validate", "judges the new content"),
    ("file", "sensitive", "says what is shown"),
    (
        "file",
        "create_only",
        "takes the content out of what counts",
    ),
    ("edit", "path", "says which file"),
    ("edit", "format", "says how it is read"),
    ("service", "restart_on", "a tie to what drifts, see `runs`"),
    ("service", "reload_on", "a tie to what drifts, see `runs`"),
    ("user", "system", "counts for a new one"),
    ("group", "system", "counts for a new one"),
    ("command", "run", "what is done, not what is there"),
    (
        "command",
        "only_if",
        "a condition, which a run does not bring about",
    ),
    ("command", "on", "a tie to what drifts, see `runs`"),
    ("command", "user", "how it is done"),
    ("command", "cwd", "how it is done"),
    ("command", "env", "how it is done"),
    ("command", "timeout", "how it is done"),
];

/// One key of one resource, and what somebody does to what it manages.
struct Row {
    of: &'static str,
    key: &'static str,
    /// Whose change puts it back.
    found: &'static str,
    drift: fn(&mut Machine),
}

fn row(of: &'static str, key: &'static str, drift: fn(&mut Machine)) -> Row {
    found(of, key, of, drift)
}

fn found(of: &'static str, key: &'static str, found: &'static str, drift: fn(&mut Machine)) -> Row {
    Row {
        of,
        key,
        found,
        drift,
    }
}

impl Row {
    /// What does not hold of it on a machine that has all of the role.
    fn wrong(
        &self,
        desired: &Desired,
        ledger: &Ledger,
        mut machine: Machine,
        settled: &BTreeSet<String>,
    ) -> Option<String> {
        machine.tick();
        (self.drift)(&mut machine);
        if seen(&machine) == *settled {
            return Some("nothing drifted".into());
        }
        let plan = dry(&machine, desired, ledger);
        // Whatever changes, a guard behind it may give another answer. What is fetched, or judged, shows what it is only then.
        let judged = |id: &ResourceId| match desired.get(id).map(|resource| &resource.body) {
            Some(Body::File(file)) => file.validate.is_some(),
            _ => id.kind == Kind::Archive,
        };
        let open = |id: &ResourceId| id.to_string() == self.found && judged(id);
        let certain = plan.changes.iter();
        let certain = certain
            .filter(|change| change.certainty == Certainty::Certain || open(&change.resource));
        let found: BTreeSet<String> = certain.map(|change| change.resource.to_string()).collect();
        if found != BTreeSet::from([self.found.to_owned()]) || !plan.failures.is_empty() {
            return Some(format!("found {found:?}, {:?}", plan.failures));
        }
        let ran = run(&mut machine, desired, ledger);
        let now = seen(&machine);
        let differs: Vec<_> = settled.symmetric_difference(&now).collect();
        let again = words(&dry(&machine, desired, &ran.ledger));
        let mended = differs.is_empty() && again.is_empty();
        (!mended).then(|| format!("left {differs:#?}, {again:?}"))
    }
}

fn node<'a>(machine: &'a mut Machine, at: &str) -> &'a mut Node {
    machine.nodes.get_mut(at).unwrap()
}

fn user<'a>(machine: &'a mut Machine, name: &str) -> &'a mut Present {
    machine.users.get_mut(name).unwrap()
}

fn unit<'a>(machine: &'a mut Machine, name: &str) -> &'a mut Unit {
    machine.units.get_mut(name).unwrap()
}

fn text(machine: &mut Machine, at: &str, old: &str, new: &str) {
    let node = node(machine, at);
    let What::File(bytes) = &node.what else {
        panic!("{at} is no file");
    };
    let text = String::from_utf8(bytes.clone()).unwrap();
    assert!(text.contains(old), "{old:?} is not in {text:?}");
    node.what = What::File(text.replace(old, new).into_bytes());
}

fn line(machine: &mut Machine, point: &str, change: impl FnOnce(&mut Entry)) {
    let (point, table) = (path(point), machine.fstab());
    let mut entry = fstab::entries(&table, &point).pop().unwrap_or(Entry {
        device: "/dev/c".into(),
        fstype: "ext4".into(),
        options: "defaults".into(),
        dump: 0,
        pass: 0,
    });
    change(&mut entry);
    machine.write(FSTAB, &fstab::with(&table, &point, Some(&entry)));
}

fn gone(machine: &mut Machine, at: &str) {
    machine.nodes.remove(at).unwrap();
}

const SOURCES: &str = "/etc/apt/sources.list.d/cfg-r.sources";

fn packages() -> Vec<Row> {
    vec![
        row("repository:r", "uris", |m| {
            text(m, SOURCES, "example.org", "elsewhere")
        }),
        row("repository:r", "suites", |m| {
            text(m, SOURCES, "bookworm", "sid")
        }),
        row("repository:r", "components", |m| {
            text(m, SOURCES, "main", "contrib")
        }),
        row("repository:r", "architectures", |m| {
            text(m, SOURCES, "amd64", "arm64")
        }),
        row("repository:r", "signed_by", |m| {
            text(m, "/etc/apt/keyrings/cfg-r.asc", "PUBLIC", "PRIVATE");
        }),
        row("package:exact", "version", |m| {
            let changed_us = m.tick();
            let version = "2".into();
            m.dpkg.get_mut("exact").unwrap().dpkg = DpkgState::Installed {
                version,
                changed_us,
            };
        }),
        row("package:exact", "state", |m| drop(m.dpkg.remove("exact"))),
        row("package:gone", "state", |m| m.unpack("gone", "1", false)),
        row("package:kept", "hold", |m| {
            m.dpkg.get_mut("kept").unwrap().held = false
        }),
        row("package:asking", "debconf", |m| {
            m.debconf.insert("asking/q".into(), "no".into());
        }),
    ]
}

fn paths() -> Vec<Row> {
    vec![
        row("file:/f/text", "content", |m| {
            text(m, "/f/text", "text", "other")
        }),
        row("file:/f/template", "template", |m| {
            text(m, "/f/template", "vm", "x")
        }),
        row("file:/f/source", "source", |m| {
            text(m, "/f/source", "s", "x")
        }),
        row("file:/f/url", "url", |m| {
            text(m, "/f/url", "fetched", "other")
        }),
        row("file:/f/url", "sha256", |m| text(m, "/f/url", "\n", "")),
        row("file:/f/text", "mode", |m| {
            node(m, "/f/text").ownership.mode = Mode(0o644)
        }),
        row("file:/f/text", "owner", |m| {
            node(m, "/f/text").ownership.owner = "x".into()
        }),
        row("file:/f/text", "group", |m| {
            node(m, "/f/text").ownership.group = "x".into()
        }),
        row("file:/f/text", "state", |m| gone(m, "/f/text")),
        row("file:/f/gone", "state", |m| m.write("/f/gone", "")),
        row("directory:/d", "mode", |m| {
            node(m, "/d").ownership.mode = Mode(0o755)
        }),
        row("directory:/d", "owner", |m| {
            node(m, "/d").ownership.owner = "x".into()
        }),
        row("directory:/d", "group", |m| {
            node(m, "/d").ownership.group = "x".into()
        }),
        found("directory:/tree", "source", "file:/tree/leaf", |m| {
            text(m, "/tree/leaf", "leaf", "other");
        }),
        found("directory:/purged", "purge", "file:/purged/stray", |m| {
            m.write("/purged/stray", "");
        }),
        row("directory:/d", "state", |m| gone(m, "/d")),
        row("directory:/gone", "state", |m| {
            m.put("/gone", What::Directory)
        }),
        row("link:/l/there", "target", |m| {
            m.put("/l/there", What::Link("two".into()))
        }),
        row("link:/l/there", "state", |m| gone(m, "/l/there")),
        row("link:/l/gone", "state", |m| {
            m.put("/l/gone", What::Link("two".into()))
        }),
        row("edit:set", "set", |m| text(m, "/e/set", "1", "2")),
        row("edit:remove", "remove", |m| {
            text(m, "/e/remove", "\n", "\nOLD=1\n")
        }),
        row("edit:lines", "lines", |m| text(m, "/e/lines", "a 1", "a 2")),
        row("edit:set", "create", |m| gone(m, "/e/set")),
        row("archive:/a/url", "url", |m| {
            text(m, "/a/url/.cfg-archive", "sha256 ", "sha256 0")
        }),
        row("archive:/a/url", "sha256", |m| {
            gone(m, "/a/url/.cfg-archive")
        }),
        row("archive:/a/source", "source", |m| {
            text(m, "/a/source/.cfg-archive", "sha256 ", "sha256 0");
        }),
        row("archive:/a/url", "strip", |m| {
            text(m, "/a/url/.cfg-archive", "strip 1", "strip 0")
        }),
        row("archive:/a/url", "owner", |m| {
            text(m, "/a/url/.cfg-archive", "owner keeper", "owner root");
        }),
        row("archive:/a/url", "group", |m| {
            text(m, "/a/url/.cfg-archive", "group keepers", "group root");
        }),
        row("archive:/a/gone", "state", |m| {
            m.write("/a/gone/.cfg-archive", "sha256 0\n")
        }),
    ]
}

fn system() -> Vec<Row> {
    vec![
        row("sysctl:net.ipv4.ip_forward", "value", |m| {
            m.kernel.insert("net.ipv4.ip_forward".into(), "0".into());
        }),
        row("sysctl:net.ipv4.ip_forward", "value", |m| {
            text(m, "/etc/sysctl.d/90-cfg-net.ipv4.ip_forward.conf", "1", "0");
        }),
        row("sysctl:net.ipv4.ip_forward", "state", |m| {
            gone(m, "/etc/sysctl.d/90-cfg-net.ipv4.ip_forward.conf");
        }),
        row("sysctl:net.ipv4.tcp_sack", "state", |m| {
            m.write(
                "/etc/sysctl.d/90-cfg-net.ipv4.tcp_sack.conf",
                "net.ipv4.tcp_sack = 1\n",
            );
        }),
        row("mount:/m/there", "device", |m| {
            line(m, "/m/there", |e| e.device = "/dev/c".into())
        }),
        row("mount:/m/there", "fstype", |m| {
            line(m, "/m/there", |e| e.fstype = "xfs".into())
        }),
        row("mount:/m/there", "options", |m| {
            line(m, "/m/there", |e| e.options = "ro".into())
        }),
        row("mount:/m/there", "options", |m| {
            m.mounted.get_mut("/m/there").unwrap().options = "relatime".into();
        }),
        row("mount:/m/there", "dump", |m| {
            line(m, "/m/there", |e| e.dump = 0)
        }),
        row("mount:/m/there", "pass", |m| {
            line(m, "/m/there", |e| e.pass = 0)
        }),
        row("mount:/m/there", "state", |m| {
            drop(m.mounted.remove("/m/there"))
        }),
        row("mount:/m/gone", "state", |m| line(m, "/m/gone", |_| ())),
        row("service:shipped", "state", |m| {
            unit(m, "shipped.service").start = None
        }),
        row("service:own", "state", |m| m.start_by_hand("own.service")),
        row("service:shipped", "enabled", |m| {
            unit(m, "shipped.service").enabled = false
        }),
        row("service:hidden", "masked", |m| {
            unit(m, "hidden.service").masked = false
        }),
        row("service:shown", "masked", |m| {
            unit(m, "shown.service").masked = true
        }),
        row("service:own", "unit", |m| {
            text(m, "/etc/systemd/system/own.service", "Service", "Unit");
        }),
        row("command:unless", "unless", |m| gone(m, "/var/unless")),
        row("command:creates", "creates", |m| gone(m, "/var/creates")),
    ]
}

fn accounts() -> Vec<Row> {
    vec![
        row("group:keepers", "gid", |m| {
            m.groupmod("keepers", 9);
        }),
        row("group:extra", "state", |m| {
            m.groups.remove("extra");
        }),
        row("group:gone", "state", |m| {
            m.groups.insert("gone".into(), 9);
        }),
        row("user:keeper", "uid", |m| m.usermod("keeper", 9)),
        row("user:keeper", "gid", |m| {
            user(m, "keeper").group = "x".into()
        }),
        row("user:keeper", "groups", |m| {
            user(m, "keeper").groups.clear()
        }),
        row("user:member", "exact_groups", |m| {
            user(m, "member").groups.push("x".into())
        }),
        row("user:keeper", "shell", |m| {
            user(m, "keeper").shell = "/bin/x".into()
        }),
        row("user:keeper", "home", |m| {
            user(m, "keeper").home = "/x".into()
        }),
        row("user:keeper", "authorized_keys", |m| {
            user(m, "keeper").authorized_keys = None
        }),
        row("user:keeper", "password_hash", |m| {
            user(m, "keeper").password_hash = Some("$6$x$x".into());
        }),
        row("user:system", "state", |m| drop(m.users.remove("system"))),
        row("user:gone", "state", |m| {
            let somebody = user(m, "system").clone();
            m.users.insert("gone".into(), somebody);
        }),
    ]
}

fn rows() -> Vec<Row> {
    [packages(), paths(), system(), accounts()]
        .into_iter()
        .flatten()
        .collect()
}

/// The role, and a machine that can have all of it.
fn world() -> (Desired, Machine) {
    let tar = vec![0; 1024];
    let mut files = CatalogFiles::default();
    for (name, bytes) in [
        ("role.toml", ROLE.as_bytes()),
        ("key.asc", b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n"),
        ("template.j2", b"{{ facts.hostname }}\n"),
        ("source", b"source\n"),
        ("tree/leaf", b"leaf\n"),
        ("own.service", b"[Service]\nExecStart=/bin/true\n"),
        ("a.tar", &tar),
    ] {
        files.bytes.insert(format!("all/{name}"), bytes.to_vec());
    }
    let (catalog, _) = Catalog::load(&files).unwrap_or_else(|wrong| panic!("\n{wrong}"));
    let part = catalog.part("all").unwrap();
    let facts = json!({
        "hostname": "vm-1", "fqdn": "vm-1.example.org", "address": "10.0.0.1",
        "os": { "id": "debian", "version": "12", "codename": "bookworm" },
        "arch": "amd64", "cpus": 2, "memory_mb": 4096, "interfaces": {}, "local": {},
    });
    let inputs = Inputs {
        facts: &serde_json::from_value(facts).unwrap(),
        fleet: &Default::default(),
        me: None,
        node: "vm-3",
        leaf: None,
        set: &BTreeMap::new(),
        secrets: &Secrets::default(),
    };
    let desired =
        render(part, &inputs, catalog.files()).unwrap_or_else(|wrong| panic!("\n{wrong}"));
    let mut machine = Machine::blank();
    for digest in part.blobs() {
        let bytes = catalog.files().bytes(&digest).unwrap();
        machine.host.blobs.insert(digest, bytes.to_vec());
    }
    for (name, versions) in [
        ("exact", &["2", "1"][..]),
        ("kept", &["1"]),
        ("gone", &["1"]),
        ("asking", &["1"]),
    ] {
        machine.offer(name, versions, |_| {});
    }
    machine.offer("ships", &["1"], |deb| {
        deb.units = ["shipped", "hidden", "shown"]
            .map(|unit| format!("{unit}.service"))
            .into();
    });
    machine.unpack("ships", "1", false);
    machine.unpack("gone", "1", false);
    machine.start_by_hand("own.service");
    machine
        .web
        .insert("https://example.org/f".into(), "fetched\n".into());
    machine.write("/e/remove", "A=1\n");
    for (command, touched) in [("unless", "/var/unless"), ("creates", "/var/creates")] {
        machine.touches.insert(command.into(), path(touched));
    }
    for setting in ["net.ipv4.ip_forward", "net.ipv4.tcp_sack"] {
        machine.kernel.insert(setting.into(), "0".into());
    }
    (desired, machine)
}

#[test]
fn what_each_key_manages_is_found_alone_and_mended_alone() {
    let (desired, mut machine) = world();
    let ran = run(&mut machine, &desired, &Ledger::default());
    assert_eq!(ran.document.failures, []);
    let ledger = run(&mut machine, &desired, &ran.ledger).ledger;
    assert_eq!(dry(&machine, &desired, &ledger).changes, []);
    let settled = seen(&machine);
    let wrong: Vec<String> = rows()
        .into_iter()
        .filter_map(|row| {
            let why = row.wrong(&desired, &ledger, machine.clone(), &settled)?;
            Some(format!("{} of {}: {why}\n", row.key, row.of))
        })
        .collect();
    assert!(wrong.is_empty(), "\n{}", wrong.concat());
}

#[test]
fn no_key_goes_without_a_law() {
    let role: toml::Table = toml::from_str(ROLE).unwrap();
    let mut told = BTreeSet::new();
    for Row { of, key, .. } in rows() {
        let (kind, name) = of.split_once(':').unwrap();
        let given = &role[kind][name];
        let plain = given.is_str() && key == "version";
        assert!(
            plain || key == "state" || given.get(key).is_some(),
            "{of} has no {key}"
        );
        told.insert((kind, key));
    }
    for (kind, key, why) in NO_ATTRIBUTE {
        assert!(
            told.insert((kind, key)),
            "{key} of {kind} has a row, and {why}"
        );
    }
    let all = Kind::ALL.into_iter();
    let all: BTreeSet<_> = all
        .flat_map(|kind| {
            keys::own(kind)
                .iter()
                .map(move |key| (kind.word(), key.name))
        })
        .collect();
    assert_eq!(told, all, "the keys with a law, and those that there are");
}
