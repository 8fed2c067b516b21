//! The roles that come with cfg are a catalog without errors, and render to what a machine needs.

use crate::common::{facts, member, repository, text};
use cfg_catalog::fleet::{FleetView, Me};
use cfg_catalog::resource::{Body, Desired, Shell};
use cfg_catalog::{Catalog, CatalogFiles, Inputs, Secrets, render};
use std::path::Path;

fn read(dir: &Path, below: &str, files: &mut CatalogFiles) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let entry = entry.unwrap();
        let name = format!("{below}{}", entry.file_name().to_str().unwrap());
        if entry.file_type().unwrap().is_dir() {
            read(&entry.path(), &format!("{name}/"), files);
        } else {
            files
                .bytes
                .insert(name, std::fs::read(entry.path()).unwrap());
        }
    }
}

pub fn files() -> CatalogFiles {
    let mut files = CatalogFiles::default();
    let roles = Path::new(env!("CARGO_MANIFEST_DIR")).join("../roles");
    read(&roles, "", &mut files);
    files
}

pub fn shipped() -> Catalog {
    let (catalog, warnings) = Catalog::load(&files()).unwrap_or_else(|wrong| panic!("\n{wrong}"));
    assert!(warnings.is_empty(), "\n{warnings}");
    catalog
}

/// As many ZooKeepers as masters.
fn fleet(ids: &[u32]) -> FleetView {
    let members: Vec<_> = ids.iter().map(|id| member(*id, "vm")).collect();
    FleetView {
        number: 7,
        roles: ["zookeeper", "zk-master"]
            .map(|role| (role.into(), members.clone()))
            .into(),
        formed: Default::default(),
    }
}

pub fn rendered(catalog: &Catalog, role: &str, ids: &[u32], set: &[(&str, &str)]) -> Desired {
    let set = set
        .iter()
        .map(|(k, v)| ((*k).into(), (*v).into()))
        .collect();
    let me = Me {
        name: "vm-3".into(),
        id: 3,
        admitted: true,
        joining: false,
    };
    let inputs = Inputs {
        facts: &facts(),
        fleet: &fleet(ids),
        me: Some(&me),
        node: "vm-3",
        leaf: None,
        set: &set,
        secrets: &Secrets::default(),
    };
    let part = catalog.part(role).unwrap();
    render(part, &inputs, catalog.files()).unwrap_or_else(|wrong| panic!("\n{wrong}"))
}

#[test]
fn roles_and_descriptions() {
    let catalog = shipped();
    let names: Vec<_> = catalog.roles().map(|(name, _)| name).collect();
    assert_eq!(names, ["demo", "mesos-agent", "zk-master", "zookeeper"]);
}

#[test]
fn zookeeper_of_three() {
    let desired = rendered(&shipped(), "zookeeper", &[1, 2, 3], &[]);
    let ids: Vec<String> = desired.resources.iter().map(|r| r.id.to_string()).collect();
    assert_eq!(
        ids,
        [
            "package:netcat-openbsd",
            "package:zookeeperd",
            "file:/etc/cloud/cloud.cfg.d/99-cfg-hosts.cfg",
            "file:/etc/hosts",
            "file:/etc/zookeeper/conf/myid",
            "file:/etc/zookeeper/conf/zoo.cfg",
            "service:zookeeper",
        ]
    );
    assert_eq!(text(&desired, "file:/etc/zookeeper/conf/myid"), "3\n");
    let config = text(&desired, "file:/etc/zookeeper/conf/zoo.cfg");
    for line in [
        "tickTime=2000",
        "initLimit=10",
        "syncLimit=5",
        "dataDir=/var/lib/zookeeper",
        "clientPort=2181",
        "maxClientCnxns=50",
        "server.1=10.0.0.1:2888:3888",
        "server.2=10.0.0.2:2888:3888",
    ] {
        assert!(config.lines().any(|l| l == line), "{line}");
    }
    assert!(
        config.ends_with(
            "
server.3=10.0.0.3:2888:3888
"
        ),
        "{config}"
    );
    let health = desired.health.unwrap();
    assert_eq!(health.timeout_s, 120);
    assert!(matches!(health.command, Shell::Line(line) if line.contains("127.0.0.1 2181 |")));
}

#[test]
fn zookeeper_of_one() {
    let desired = rendered(&shipped(), "zookeeper", &[3], &[("client_port", "2182")]);
    let config = text(&desired, "file:/etc/zookeeper/conf/zoo.cfg");
    assert!(config.contains("clientPort=2182\n"));
    assert!(
        config.ends_with("\nserver.3=10.0.0.3:2888:3888\n"),
        "{config}"
    );
}

#[test]
fn a_repository_by_param() {
    let mut files = files();
    let key = b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n".to_vec();
    let fingerprint = "0123456789ABCDEF0123456789ABCDEF01234567";
    let path = format!("base/keys/{fingerprint}.asc");
    files.bytes.insert(path, key);
    let own = "[role.base]\napt_uri = 'http://10.0.0.9/debs'\napt_key = '";
    let fleet = files.bytes.entry("fleet.toml".into()).or_default();
    fleet.extend(format!("{own}{fingerprint}'\n").bytes());
    let catalog = Catalog::load(&files)
        .unwrap_or_else(|wrong| panic!("\n{wrong}"))
        .0;
    let desired = rendered(&catalog, "zookeeper", &[3], &[]);
    assert_eq!(
        String::from_utf8_lossy(&repository(&desired, "repository:site").sources),
        "Types: deb\nURIs: http://10.0.0.9/debs\nSuites: stable\nComponents: main\n\
         Signed-By: /etc/apt/keyrings/cfg-site.asc\n"
    );
}

#[test]
fn the_demo_asks_for_nothing_that_a_user_cannot_do() {
    let desired = rendered(&shipped(), "demo", &[], &[("greeting", "Moin")]);
    for resource in &desired.resources {
        match &resource.body {
            Body::File(file) => assert_eq!(file.attributes.owner, None),
            Body::Directory(directory) => assert_eq!(directory.attributes.owner, None),
            Body::Link(_) => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(
        text(&desired, "file:/srv/demo/motd"),
        "Moin from vm-3.
This machine runs debian 12 on amd64.
Visits: monday, friday.
"
    );
    assert!(
        desired
            .resources
            .iter()
            .any(|r| r.id.to_string() == "file:/srv/demo/site/style.css")
    );
}
