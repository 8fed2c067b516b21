//! Who is told of whom: one member at a time, and nobody by another's address.

use crate::logged;
use crate::place::{Kind, Place};
use crate::release::Release;
use crate::world::{Machine, World, address, csr, facts, refused};
use cfg_catalog::fleet::{FleetView, Me};
use cfg_wire::*;
use rcgen::KeyPair;
use tonic::Code;

async fn world() -> (Place, World) {
    let place = Place::new(Kind::Directory);
    let world = World::begin(&place).await;
    (place, world)
}

/// What it sees of zk: names, and whether it is among them.
async fn sees(machine: &Machine) -> (Vec<String>, bool) {
    let told = machine.assignment().await.expect("its role");
    let view: FleetView = serde_json::from_slice(&told.view).expect("a view");
    let names = view.roles["zk"].iter().map(|member| member.name.clone());
    (names.collect(), me(machine).await.admitted)
}

async fn me(machine: &Machine) -> Me {
    let told = machine.assignment().await.expect("its role");
    serde_json::from_slice(&told.me).expect("who it is")
}

#[tokio::test]
async fn who_comes_later_leaves_from_its_first_run_what_joins_last() {
    let (_place, world) = world().await;
    world.desk.publish(&Release::of(&["zk"], 1)).await;
    let first = world.machine("zk", "zk-1").await;
    let second = world.machine("zk", "zk-2").await;
    assert!(!me(&first).await.joining);
    for (settles, admitted, joining) in [
        (&[][..], false, true),
        (&[&first, &second], true, true),
        (&[&first], true, false),
    ] {
        for machine in settles {
            machine.settles().await;
        }
        let told = me(&second).await;
        assert_eq!((told.admitted, told.joining), (admitted, joining));
    }
}

#[tokio::test]
async fn members_come_one_at_a_time_and_the_fleet_says_so() {
    let (_place, world) = world().await;
    world.desk.publish(&Release::of(&["zk"], 1)).await;
    let first = world.machine("zk", "zk-1").await;
    let second = world.machine("zk", "zk-2").await;
    let third = world.machine("zk", "zk-3").await;
    let _stream = third.watches().await.expect("it watches");
    assert_eq!(sees(&second).await, (vec!["zk-1".into()], false));
    let state = |fleet: FleetReply, name: &str| {
        let node = fleet.nodes.into_iter().find(|node| node.name == name);
        node.map(|node| (node.member, node.connected))
    };
    assert_eq!(state(world.desk.fleet().await, "zk-3"), Some((false, true)));
    first.settles().await;
    assert!(!sees(&second).await.1, "it has not said that it is ready");
    second.settles().await;
    third.settles().await;
    assert!(sees(&second).await.1);
    assert!(!sees(&third).await.1);
    first.settles().await;
    assert!(!sees(&third).await.1, "zk-2 has not made anything of it");
    second.settles().await;
    assert_eq!(
        sees(&third).await,
        (vec!["zk-1".into(), "zk-2".into(), "zk-3".into()], true)
    );
}

#[tokio::test]
async fn a_machine_takes_the_place_of_another() {
    let (_place, world) = world().await;
    world.desk.publish(&Release::of(&["zk"], 1)).await;
    let first = world.machine("zk", "zk-1").await;
    first.settles().await;
    let second = world.machine("zk", "zk-2").await;
    second.settles().await;
    let mut stream = second.watches().await.expect("it watches");
    let request = ReplaceNodeRequest {
        name: "zk-2".into(),
        ttl_seconds: 600,
    };
    let made = world.desk.0.clone().replace_node(request.clone()).await;
    let token = made.expect("a token").into_inner().token;
    let end = crate::world::end(&mut stream).await;
    refused::<()>(Err(end), Code::PermissionDenied, "zk-2 is revoked");
    assert_eq!(sees(&first).await.0, ["zk-1", "zk-2"], "its place is kept");
    let key = KeyPair::generate().expect("a key");
    let certificate = world.enrol(&token, "vm-9", &key).await.expect("it enrols");
    assert_eq!((certificate.role.as_str(), certificate.id), ("zk", 2));
    assert_eq!(sees(&first).await.0, ["zk-1", "zk-2"], "it is not ready");
    let third = world.of("vm-9", certificate, &key);
    assert!(!sees(&third).await.1);
    third.settles().await;
    assert_eq!(sees(&first).await.0, ["zk-1", "vm-9"]);
    refused(
        world.enrol(&token, "vm-8", &key).await,
        Code::Unauthenticated,
        "is spent",
    );
    refused(
        world.desk.0.clone().replace_node(request).await,
        Code::InvalidArgument,
        "the place of zk-2 is taken already",
    );
    let nobody = ReplaceNodeRequest {
        name: "vm-7".into(),
        ttl_seconds: 600,
    };
    refused(
        world.desk.0.clone().replace_node(nobody).await,
        Code::NotFound,
        "there is no machine \"vm-7\"",
    );
}

#[tokio::test]
async fn a_machine_is_shown_no_report_of_who_had_its_name_before() {
    let (_place, world) = world().await;
    world.desk.publish(&Release::of(&["zk"], 1)).await;
    let first = world.machine("zk", "zk-1").await;
    first.report("applied").await.expect("it is taken");
    let shown = async || world.desk.fleet().await.nodes[0].result.clone();
    assert_eq!(shown().await, "applied");
    world.desk.revoke("zk-1").await;
    assert_eq!(shown().await, "applied", "it is still that one");
    let second = world.machine("zk", "zk-1").await;
    assert_eq!(shown().await, "");
    second.report("converged").await.expect("it is taken");
    assert_eq!(shown().await, "converged");
}

#[tokio::test]
async fn nobody_has_an_address_that_is_not_its_own() {
    let (_place, world) = world().await;
    world.desk.publish(&Release::of(&["zk"], 1)).await;
    let machine = world.machine("zk", "zk-1").await;
    let before = sees(&machine).await;
    let other = world.machine("zk", "zk-2").await;
    for (claimed, code, words) in [
        (
            "192.0.2.7",
            Code::InvalidArgument,
            "is not the one that it calls from, 127.0.0.1",
        ),
        ("zk-1", Code::InvalidArgument, "is not an IP address"),
        (&address("zk-1"), Code::AlreadyExists, "is that of zk-1"),
    ] {
        refused(other.watch(claimed).await, code, words);
        logged::expect(&["WARN", "node zk-2", "watching", words]).await;
        let token = world.desk.token("zk", 1, 600).await;
        let key = KeyPair::generate().expect("a key");
        let request = EnrollRequest {
            token,
            name: "zk-3".into(),
            csr: csr("zk-3", &key),
            facts: facts(claimed),
        };
        refused(world.guest().enroll(request).await, code, words);
        logged::expect(&["WARN", "node zk-3", words]).await;
    }
    assert_eq!(sees(&machine).await, before, "no view has changed");
    // Where it calls from is its own in any case.
    other.watch("127.0.0.1").await.expect("it watches");
}

#[tokio::test]
async fn what_nobody_has_made_is_not_believed() {
    let (_place, world) = world().await;
    world.desk.publish(&Release::of(&["zk"], 1)).await;
    let machine = world.machine("zk", "zk-1").await;
    let request = SettleRequest {
        sequence: 1,
        view: 1_000_000,
    };
    refused(
        machine.agents.clone().settle(request).await,
        Code::InvalidArgument,
        "there is no release 1 with view 1000000",
    );
    logged::expect(&["WARN", "node zk-1", "there is no release 1"]).await;
}
