//! What the roles of the cluster come to: masters and agents, of any number, wherever they are.

use crate::common::{command, directory, ids, text};
use crate::shipped::{files, rendered, shipped};
use cfg_catalog::Catalog;
use cfg_catalog::resource::service::Activity;
use cfg_catalog::resource::{Body, Desired};

/// Each service with what is to become of it.
fn services(desired: &Desired) -> Vec<String> {
    let bodies = desired.resources.iter().map(|resource| &resource.body);
    let word = |body: &Body| match body {
        Body::Service(service) => {
            let name = service.unit.trim_end_matches(".service");
            Some(match (service.state, service.enabled, service.masked) {
                (Some(Activity::Running), Some(true), None) => format!("{name} runs"),
                (Some(Activity::Stopped), None, Some(true)) => format!("{name} is masked"),
                other => panic!("{name}: {other:?}"),
            })
        }
        _ => None,
    };
    bodies.filter_map(word).collect()
}

/// The packages that are held at the version that the role says.
fn held(desired: &Desired) -> Vec<&str> {
    let packages = desired.resources.iter().filter_map(|r| match &r.body {
        Body::Package(package) => Some(package),
        _ => None,
    });
    let held = packages.filter(|package| package.hold == Some(true));
    held.map(|package| package.name.as_str()).collect()
}

/// The files below a folder, by name, without their last line's end.
fn flags(desired: &Desired, folder: &str) -> Vec<String> {
    let below = |id: &String| id.strip_prefix(folder).map(str::to_owned);
    ids(desired)
        .iter()
        .filter_map(below)
        .map(|name| {
            format!(
                "{name}={}",
                text(desired, &format!("{folder}{name}")).trim_end()
            )
        })
        .collect()
}

#[test]
fn a_master_of_three() {
    let desired = rendered(&shipped(), "zk-master", &[1, 2, 3], &[]);
    assert_eq!(
        services(&desired),
        [
            "marathon runs",
            "mesos-master runs",
            "mesos-slave is masked",
            "zookeeper runs"
        ]
    );
    assert_eq!(held(&desired), ["marathon", "mesos", "zookeeperd"]);
    assert_eq!(
        flags(&desired, "file:/etc/mesos-master/"),
        [
            "cluster=mesos",
            "hostname=10.0.0.3",
            "ip=10.0.0.3",
            "quorum=2",
            "work_dir=/var/lib/mesos",
        ]
    );
    assert!(directory(&desired, "directory:/etc/mesos-master").purge);
    assert_eq!(
        text(&desired, "file:/etc/mesos/zk"),
        "zk://10.0.0.1:2181,10.0.0.2:2181,10.0.0.3:2181/mesos\n"
    );
    assert_eq!(
        text(&desired, "file:/etc/default/marathon"),
        "# Written by cfg from the role marathon; changes made here are put back.\n\
         MARATHON_MASTER=zk://10.0.0.1:2181,10.0.0.2:2181,10.0.0.3:2181/mesos\n\
         MARATHON_ZK=zk://10.0.0.1:2181,10.0.0.2:2181,10.0.0.3:2181/marathon\n\
         MARATHON_HOSTNAME=10.0.0.3\n"
    );
    let config = text(&desired, "file:/etc/zookeeper/conf/zoo.cfg");
    assert!(config.ends_with(
        "\nserver.1=10.0.0.1:2888:3888\nserver.2=10.0.0.2:2888:3888\nserver.3=10.0.0.3:2888:3888\n"
    ));
}

#[test]
fn an_agent() {
    let set = [
        ("mesos_attributes", "{ rack = 'r1', disk = 'ssd' }"),
        ("mesos_resources", "{ cpus = 4 }"),
    ];
    let desired = rendered(&shipped(), "mesos-agent", &[1, 2, 3], &set);
    assert_eq!(
        services(&desired),
        [
            "docker runs",
            "mesos-master is masked",
            "mesos-slave runs",
            "zookeeper is masked"
        ]
    );
    assert_eq!(held(&desired), ["docker.io", "mesos"]);
    assert_eq!(
        flags(&desired, "file:/etc/mesos-slave/"),
        [
            "attributes/disk=ssd",
            "attributes/rack=r1",
            "containerizers=docker,mesos",
            "executor_registration_timeout=5mins",
            "hostname=10.0.0.3",
            "ip=10.0.0.3",
            "resources/cpus=4",
            "work_dir=/var/lib/mesos",
        ]
    );
    for folder in ["", "/attributes", "/resources"] {
        let id = format!("directory:/etc/mesos-slave{folder}");
        assert!(directory(&desired, &id).purge, "{id}");
    }
    let masters = rendered(&shipped(), "zk-master", &[1, 2, 3], &[]);
    let zk = "file:/etc/mesos/zk";
    assert_eq!(text(&desired, zk), text(&masters, zk));
    let forget = command(&desired, "command:forget-the-agent-and-kill-its-tasks");
    assert_eq!(forget.on.len(), 3, "{:?}", forget.on);
}

/// The least number of masters that is more than half of them.
#[test]
fn a_quorum_of_any_number() {
    for (masters, quorum) in [
        (1, 1),
        (2, 2),
        (3, 2),
        (4, 3),
        (5, 3),
        (6, 4),
        (7, 4),
        (9, 5),
    ] {
        let mut catalog = files();
        let role = catalog.bytes.get_mut("zk-master/role.toml").unwrap();
        let said = String::from_utf8(role.clone()).unwrap();
        let wanted = said.replace("{ zk-master = 3 }", &format!("{{ zk-master = {masters} }}"));
        *role = wanted.into_bytes();
        let (catalog, _) = Catalog::load(&catalog).unwrap_or_else(|wrong| panic!("\n{wrong}"));
        let ids: Vec<u32> = (1..=masters).collect();
        let desired = rendered(&catalog, "zk-master", &ids, &[]);
        assert_eq!(
            text(&desired, "file:/etc/mesos-master/quorum"),
            format!("{quorum}\n"),
            "of {masters}"
        );
    }
}

/// Ids are given for life: a list that is shorter, or has another address in it, renumbers nobody.
#[test]
fn a_master_keeps_its_number() {
    let desired = rendered(&shipped(), "zk-master", &[3, 7, 9], &[]);
    assert_eq!(text(&desired, "file:/etc/zookeeper/conf/myid"), "3\n");
    let config = text(&desired, "file:/etc/zookeeper/conf/zoo.cfg");
    for line in [
        "server.3=10.0.0.3",
        "server.7=10.0.0.7",
        "server.9=10.0.0.9",
    ] {
        assert!(
            config.contains(&format!("\n{line}:2888:3888\n")),
            "{config}"
        );
    }
}

#[test]
fn a_machine_is_itself_under_its_own_address() {
    for role in ["zookeeper", "zk-master", "mesos-agent"] {
        let desired = rendered(&shipped(), role, &[1, 2, 3], &[]);
        let hosts = text(&desired, "file:/etc/hosts");
        assert!(
            hosts.ends_with("\n10.0.0.3 vm-3.example.org vm-3\n"),
            "{hosts}"
        );
        let own = hosts.lines().filter(|line| line.contains("vm-3"));
        assert_eq!(own.count(), 1, "{hosts}");
    }
}

#[test]
fn lines_of_ones_own_in_etc_hosts() {
    let set = [("hosts", "[\"10.0.0.7 printer\"]")];
    let desired = rendered(&shipped(), "zookeeper", &[3], &set);
    let hosts = text(&desired, "file:/etc/hosts");
    assert!(hosts.ends_with(" vm-3\n10.0.0.7 printer\n"), "{hosts}");
}

/// By its whole fingerprint: a short id could be anybody's.
#[test]
fn a_key_by_a_short_id_is_refused() {
    for (line, id) in [
        ("mesos_key", "E56151BF"),
        ("mesos_key", "DF7D54CBE56151BF"),
        ("apt_key", "E56151BF"),
    ] {
        let mut catalog = files();
        let fleet = format!(
            "[params]\nmesos_repository = 'https://x.example.org'\nmesos_key = '{}'\n",
            "A".repeat(40)
        );
        let fleet = match fleet.contains(line) {
            true => fleet.replace(&"A".repeat(40), id),
            false => format!("{fleet}{line} = '{id}'\n"),
        };
        catalog
            .bytes
            .insert("fleet.toml".into(), fleet.into_bytes());
        let wrong = Catalog::load(&catalog).map(drop).unwrap_err().to_string();
        assert!(wrong.contains(line) && wrong.contains(id), "{wrong}");
    }
}

/// Without a repository no machine could have the roles of the cluster, and none is made up.
#[test]
fn the_repository_of_mesos_must_be_given() {
    let mut catalog = files();
    catalog.bytes.insert("fleet.toml".into(), Vec::new());
    let wrong = Catalog::load(&catalog).map(drop).unwrap_err().to_string();
    for param in ["mesos_repository", "mesos_key"] {
        let said = format!("the param `{param}` has no value");
        assert!(wrong.contains(&said), "{wrong}");
    }
}
