//! What a scenario's folder holds, read.

use super::Story;
use crate::model::machine::Machine;
use crate::model::reverting::{Kept, converge};
use crate::told::Told;
use cfg_catalog::facts::Facts;
use cfg_catalog::fleet::{FleetView, Me};
use cfg_catalog::resource::Desired;
use cfg_catalog::{Catalog, CatalogFiles, Inputs, Secrets, render};
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

/// What `facts.toml` need not say.
const USUAL: &str = r#"
hostname = "vm-1"
fqdn = "vm-1.example.org"
address = "10.0.0.1"
os = { id = "debian", version = "12", codename = "bookworm" }
arch = "amd64"
cpus = 2
memory_mb = 4096
interfaces = {}
local = {}
"#;

/// All that a scenario's folder can hold.
const NAMES: [&str; 10] = [
    "README",
    "roles",
    "facts.toml",
    "fleet.toml",
    "before.toml",
    "since.toml",
    "earlier",
    "plan.txt",
    "plan.json",
    "after.toml",
];

/// So large may a blob be that is worth a diff.
const TEXT: usize = 1 << 20;

impl Story {
    /// The scenario in this folder.
    pub fn read(folder: &Path) -> Self {
        for entry in std::fs::read_dir(folder).unwrap() {
            let name = entry.unwrap().file_name();
            assert!(NAMES.iter().any(|known| name == *known), "{name:?}?");
        }
        let readme = std::fs::read_to_string(folder.join("README")).unwrap();
        assert_eq!(readme.lines().count(), 1, "a README is one line");
        let before = told(folder, "before.toml");
        let mut machine = Machine::blank();
        before.onto(&mut machine);
        let setting = Setting::read(folder, before.role);
        let mut kept = Kept::default();
        let since = folder.join("since.toml").exists();
        if since {
            let earlier = folder.join("earlier").exists();
            let catalog = if earlier { "earlier" } else { "roles" };
            let desired = setting.desired(&folder.join(catalog), &mut machine);
            converge(&mut machine, &desired, &mut kept, usize::MAX);
            told(folder, "since.toml").onto(&mut machine);
        }
        let desired = setting.desired(&folder.join("roles"), &mut machine);
        machine.log.clear();
        Self {
            machine,
            desired,
            kept,
            host: setting.facts.hostname,
        }
    }
}

/// What a rendering reads beside the catalog.
struct Setting {
    facts: Facts,
    fleet: FleetView,
    /// Where the catalog has several.
    role: Option<String>,
}

impl Setting {
    fn read(folder: &Path, role: Option<String>) -> Self {
        let mut facts: toml::Table = toml::from_str(USUAL).unwrap();
        facts.extend(parsed::<toml::Table>(&folder.join("facts.toml")));
        let fleet = folder.join("fleet.toml");
        Self {
            facts: facts.try_into().unwrap(),
            fleet: match fleet.exists() {
                true => parsed(&fleet),
                false => FleetView::default(),
            },
            role,
        }
    }

    /// What the machine must be by this catalog. The role's files come to it as an agent fetches them.
    fn desired(&self, catalog: &Path, machine: &mut Machine) -> Desired {
        let mut files = CatalogFiles::default();
        read_below(catalog, "", &mut files);
        let (catalog, said) = Catalog::load(&files).unwrap_or_else(|wrong| panic!("\n{wrong}"));
        assert_eq!(said.to_string(), "", "warnings");
        let role = self.role_of(&catalog);
        let part = catalog.part(role).unwrap();
        for digest in part.blobs() {
            let bytes = catalog.files().bytes(&digest).unwrap();
            assert!(bytes.len() <= TEXT, "too large for a scenario");
            machine.host.blobs.insert(digest, bytes.to_vec());
        }
        let mut members = self.fleet.roles.get(role).into_iter().flatten();
        let me = members.find(|member| member.name == self.facts.hostname);
        let me = me.map(|member| Me {
            name: member.name.clone(),
            id: member.id,
            admitted: true,
            joining: false,
        });
        let inputs = Inputs {
            facts: &self.facts,
            fleet: &self.fleet,
            me: me.as_ref(),
            node: "vm-3",
            leaf: None,
            set: &BTreeMap::new(),
            secrets: &Secrets::default(),
        };
        render(part, &inputs, catalog.files()).unwrap_or_else(|wrong| panic!("\n{wrong}"))
    }

    fn role_of<'a>(&'a self, catalog: &'a Catalog) -> &'a str {
        let roles: Vec<&str> = catalog.roles().map(|(name, _)| name).collect();
        match (&self.role, &roles[..]) {
            (Some(role), _) => role,
            (None, [role]) => role,
            (None, _) => panic!("before.toml says which role of {roles:?}"),
        }
    }
}

fn read_below(folder: &Path, prefix: &str, files: &mut CatalogFiles) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        let name = format!("{prefix}{name}");
        if path.is_dir() {
            read_below(&path, &format!("{name}/"), files);
        } else {
            let mode = path.metadata().unwrap().permissions().mode();
            if mode & 0o100 != 0 {
                files.executable.insert(name.clone());
            }
            files.bytes.insert(name, std::fs::read(&path).unwrap());
        }
    }
}

fn told(folder: &Path, name: &str) -> Told {
    parsed(&folder.join(name))
}

fn parsed<T: DeserializeOwned>(path: &Path) -> T {
    let text = std::fs::read_to_string(path).unwrap_or_else(|why| panic!("{path:?}: {why}"));
    toml::from_str(&text).unwrap_or_else(|why| panic!("{path:?}: {why}"))
}
