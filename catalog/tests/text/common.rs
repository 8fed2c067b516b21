//! A catalog of a few lines, and a machine to render it for.

use cfg_catalog::facts::{Facts, Os};
use cfg_catalog::fleet::{FleetView, Me, Member};
use cfg_catalog::resource::command::Command;
use cfg_catalog::resource::directory::Directory;
use cfg_catalog::resource::file::{Content, File};
use cfg_catalog::resource::package::Package;
use cfg_catalog::resource::repository::Repository;
use cfg_catalog::resource::service::Service;
use cfg_catalog::resource::{Body, Desired};
use cfg_catalog::{Catalog, CatalogFiles, Diagnostics, Inputs, Secrets, render};
use std::collections::BTreeMap;

pub fn files(all: &[(&str, &str)]) -> CatalogFiles {
    let all = all
        .iter()
        .map(|(path, text)| ((*path).into(), text.as_bytes().to_vec()));
    all.collect()
}

pub fn catalog(all: &[(&str, &str)]) -> Catalog {
    match Catalog::load(&files(all)) {
        Ok((catalog, _)) => catalog,
        Err(wrong) => panic!("\n{wrong}"),
    }
}

pub fn facts() -> Facts {
    Facts {
        hostname: "vm-3".into(),
        fqdn: "vm-3.example.org".into(),
        address: "10.0.0.3".into(),
        os: Os {
            id: "debian".into(),
            version: "12".into(),
            codename: "bookworm".into(),
        },
        arch: "amd64".into(),
        cpus: 2,
        memory_mb: 2048,
        interfaces: BTreeMap::new(),
        local: BTreeMap::from([("rack".into(), serde_json::json!("r7"))]),
        azure: None,
    }
}

pub fn member(id: u32, role: &str) -> Member {
    Member {
        id,
        name: format!("{role}-{id}"),
        address: format!("10.0.0.{id}"),
        os: "debian".into(),
        arch: "amd64".into(),
        cpus: 2,
        memory_mb: 2048,
    }
}

/// The role `web` of this catalog on a machine, with this node layer and these `--set`.
pub fn on_machine(
    all: &[(&str, &str)],
    leaf: Option<&str>,
    set: &[(&str, &str)],
) -> Result<Desired, String> {
    in_catalog(&catalog(all), leaf, set)
}

/// The same of a catalog that is loaded.
pub fn in_catalog(
    catalog: &Catalog,
    leaf: Option<&str>,
    set: &[(&str, &str)],
) -> Result<Desired, String> {
    with_secrets(catalog, leaf, set, &Secrets::default()).map_err(|wrong| wrong.to_string())
}

/// The same with secrets.
pub fn with_secrets(
    catalog: &Catalog,
    leaf: Option<&str>,
    set: &[(&str, &str)],
    secrets: &Secrets,
) -> Result<Desired, Diagnostics> {
    rendered(catalog, leaf, set, secrets, false)
}

/// The same for a machine that is new among the members of its role, or is not.
pub fn as_member(catalog: &Catalog, joining: bool) -> Result<Desired, Diagnostics> {
    rendered(catalog, None, &[], &Secrets::default(), joining)
}

fn rendered(
    catalog: &Catalog,
    leaf: Option<&str>,
    set: &[(&str, &str)],
    secrets: &Secrets,
    joining: bool,
) -> Result<Desired, Diagnostics> {
    let fleet = FleetView {
        number: 1,
        roles: BTreeMap::from([
            ("web".into(), vec![member(3, "web"), member(1, "web")]),
            ("db".into(), vec![member(2, "db")]),
        ]),
        formed: Default::default(),
    };
    let me = Me {
        name: "web-3".into(),
        id: 3,
        admitted: true,
        joining,
    };
    let inputs = Inputs {
        facts: &facts(),
        fleet: &fleet,
        me: Some(&me),
        node: "vm-3",
        leaf: leaf.map(str::as_bytes),
        set: &set
            .iter()
            .map(|(k, v)| ((*k).into(), (*v).into()))
            .collect(),
        secrets,
    };
    render(catalog.part("web").unwrap(), &inputs, catalog.files())
}

pub fn role(text: &str) -> Desired {
    on_machine(&[("web/role.toml", text)], None, &[]).unwrap()
}

pub fn ids(desired: &Desired) -> Vec<String> {
    desired.resources.iter().map(|r| r.id.to_string()).collect()
}

pub fn body<'a>(desired: &'a Desired, id: &str) -> &'a Body {
    let found = desired.resources.iter().find(|r| r.id.to_string() == id);
    &found
        .unwrap_or_else(|| panic!("no {id} among {:?}", ids(desired)))
        .body
}

macro_rules! as_kind {
    ($name:ident, $kind:ident) => {
        pub fn $name<'a>(desired: &'a Desired, id: &str) -> &'a $kind {
            match body(desired, id) {
                Body::$kind(body) => body,
                other => panic!("{other:?}"),
            }
        }
    };
}

as_kind!(directory, Directory);
as_kind!(file, File);
as_kind!(package, Package);
as_kind!(service, Service);
as_kind!(command, Command);
as_kind!(repository, Repository);

pub fn text(desired: &Desired, id: &str) -> String {
    match file(desired, id).content.as_ref() {
        Some(Content::Text(text)) => String::from_utf8(text.clone()).unwrap(),
        other => panic!("{other:?}"),
    }
}
