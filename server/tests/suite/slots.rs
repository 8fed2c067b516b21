//! Who may disrupt what it does, over the wire.

use crate::logged;
use crate::place::{Kind, Place};
use crate::release::Release;
use crate::world::{Machine, World, refused};
use cfg_catalog::fleet::FleetView;
use cfg_wire::*;
use std::time::Duration;
use tokio::task::JoinHandle;
use tonic::Code;

/// Three members of zk, of whom one at a time may be disrupted.
async fn three() -> (Place, World, [Machine; 3]) {
    let place = Place::new(Kind::Directory);
    let world = World::begin(&place).await;
    let release = Release::of(&["zk"], 1).with_slots("zk");
    world.desk.publish(&release).await;
    let machines = [
        world.machine("zk", "zk-1").await,
        world.machine("zk", "zk-2").await,
        world.machine("zk", "zk-3").await,
    ];
    // Each comes when all before have made of themselves what they had to.
    for _ in 0..4 {
        for machine in &machines {
            machine.settles().await;
        }
    }
    (place, world, machines)
}

/// It watches, and says whenever it is asked that it is healthy, or not.
async fn says(machine: &Machine, healthy: bool) -> JoinHandle<()> {
    says_after(machine, healthy, Duration::ZERO).await
}

/// The same of one whose health takes so long to be found out. Who asked meanwhile is the last one's business.
async fn says_after(machine: &Machine, healthy: bool, time: Duration) -> JoinHandle<()> {
    let mut stream = machine.watches().await.expect("it watches");
    let mut agents = machine.agents.clone();
    let (asks, mut asked) = tokio::sync::watch::channel(0);
    tokio::spawn(async move {
        let hears = async move {
            while let Ok(Some(news)) = stream.message().await {
                asks.send_if_modified(|last| std::mem::replace(last, news.probe) != news.probe);
            }
        };
        let answers = async move {
            while asked.changed().await.is_ok() {
                let probe = *asked.borrow_and_update();
                tokio::time::sleep(time).await;
                agents.health(HealthRequest { probe, healthy }).await.ok();
            }
        };
        tokio::join!(hears, answers);
    })
}

async fn takes(machine: &Machine) -> TakeSlotReply {
    asks(machine, false).await
}

/// The same; it says whether it leads.
async fn asks(machine: &Machine, leads: bool) -> TakeSlotReply {
    let told = machine.assignment().await.expect("its role");
    let view: FleetView = serde_json::from_slice(&told.view).expect("a view");
    let envelope: cfg_catalog::release::Envelope =
        serde_json::from_slice(&told.envelope).expect("an envelope");
    let request = TakeSlotRequest {
        sequence: envelope.sequence,
        view: view.number,
        leads,
        mending: false,
    };
    let taken = machine.agents.clone().take_slot(request).await;
    taken.expect("an answer").into_inner()
}

/// It is not healthy, and wants to mend itself.
async fn mends(machine: &Machine) -> TakeSlotReply {
    let request = TakeSlotRequest {
        mending: true,
        ..TakeSlotRequest::default()
    };
    let taken = machine.agents.clone().take_slot(request).await;
    taken.expect("an answer").into_inner()
}

async fn gives(machine: &Machine, fence: u64, healthy: bool) -> Result<(), tonic::Status> {
    let request = GiveSlotRequest { fence, healthy };
    machine.agents.clone().give_slot(request).await.map(drop)
}

async fn slot_of(world: &World, name: &str) -> String {
    let nodes = world.desk.fleet().await.nodes;
    let node = nodes.into_iter().find(|node| node.name == name);
    node.expect("it is in the fleet").slot
}

#[tokio::test]
async fn one_goes_while_the_others_say_that_they_are_healthy() {
    let (_place, world, [first, second, third]) = three().await;
    assert_eq!(
        takes(&first).await.refused,
        "zk-2 is not connected to this server, zk-3 is not connected to this server"
    );
    let lines = [
        says(&first, true).await,
        says(&second, true).await,
        says(&third, true).await,
    ];
    let taken = takes(&first).await;
    assert_eq!(taken.refused, "");
    assert_eq!(taken.lease_seconds, 60);
    assert_eq!(slot_of(&world, "zk-1").await, "held");
    assert_eq!(takes(&second).await.refused, "zk-1 has the slot");

    let fence = taken.fence;
    let keeper = first.agents.clone();
    let kept = keeper.clone().keep_slot(KeepSlotRequest { fence }).await;
    kept.expect("it is kept");
    refused(
        gives(&second, fence, true).await,
        Code::FailedPrecondition,
        "is lost",
    );
    gives(&first, fence, true).await.expect("it gives it back");
    refused(
        keeper.clone().keep_slot(KeepSlotRequest { fence }).await,
        Code::FailedPrecondition,
        "is lost",
    );
    assert_eq!(slot_of(&world, "zk-1").await, "");
    let next = takes(&second).await;
    assert!(next.fence > fence, "{next:?}");

    // Not healthy after it: the wave stops, until it has made good.
    gives(&second, next.fence, false)
        .await
        .expect("it gives it back");
    assert_eq!(slot_of(&world, "zk-2").await, "failed");
    let why = "zk-2 was not healthy after its last change";
    assert_eq!(takes(&third).await.refused, why);
    second.settles().await;
    assert_eq!(takes(&third).await.refused, "");
    for line in lines {
        line.abort();
    }
}

#[tokio::test]
async fn nobody_goes_while_another_is_not_healthy_or_does_not_say() {
    let (_place, _world, [first, second, third]) = three().await;
    let _healthy = says(&second, true).await;
    let sick = says(&third, false).await;
    assert_eq!(takes(&first).await.refused, "zk-3 is not healthy");
    sick.abort();
    // What it said a moment ago is good enough for a moment.
    tokio::time::sleep(Duration::from_millis(1500)).await;
    let _silent = third.watches().await.expect("it watches");
    let why = "zk-3 does not say whether it is healthy";
    assert_eq!(takes(&first).await.refused, why);
}

/// Who asks each second has everybody asked anew.
#[tokio::test]
async fn a_slow_answer_counts_for_who_asked_for_it_while_others_ask() {
    let (_place, world, [first, second, third]) = three().await;
    let release = Release::of(&["zk"], 2).with_leader("zk");
    world.desk.publish(&release).await;
    let slow = Duration::from_secs(3);
    let _lines = [
        says(&first, true).await,
        says(&second, true).await,
        says_after(&third, true, slow).await,
    ];
    // The leader has to wait, and cannot know before it has asked.
    let others = tokio::spawn(async move {
        let mut calls = tokio::task::JoinSet::new();
        loop {
            let second = second.clone();
            calls.spawn(async move { asks(&second, true).await });
            tokio::time::sleep(Duration::from_millis(1050)).await;
        }
    });
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert_eq!(takes(&first).await.refused, "");
    others.abort();
}

#[tokio::test]
async fn two_who_lead_do_not_wait_for_each_other() {
    let (_place, world, [first, second, third]) = three().await;
    let release = Release::of(&["zk"], 2).with_leader("zk");
    world.desk.publish(&release).await;
    let _lines = [
        says(&first, true).await,
        says(&second, true).await,
        says(&third, true).await,
    ];
    let waits = |name: &str| format!("the leader goes last, and {name} has not come so far");
    for machine in [&second, &third] {
        assert_eq!(asks(machine, true).await.refused, waits("zk-1"));
    }
    first.settles().await;
    let taken = asks(&second, true).await;
    assert_eq!(taken.refused, "");
    assert_eq!(asks(&third, true).await.refused, "zk-2 has the slot");
    gives(&second, taken.fence, true)
        .await
        .expect("it gives it back");
    // It leads no more, and is behind: the other one waits.
    let again = asks(&second, false).await;
    gives(&second, again.fence, true)
        .await
        .expect("it gives it back");
    assert_eq!(asks(&third, true).await.refused, waits("zk-2"));
    second.settles().await;
    assert_eq!(asks(&third, true).await.refused, "");
}

#[tokio::test]
async fn a_slot_outlives_its_server() {
    let (_place, world, [first, second, third]) = three().await;
    let lines = [says(&second, true).await, says(&third, true).await];
    let fence = takes(&first).await.fence;
    assert!(fence > 0);
    for line in lines {
        line.abort();
    }
    let world = world.restarted().await;
    let again = |machine: &Machine| Machine {
        agents: world.agents(&machine.identity),
        ..machine.clone()
    };
    let [first, second, third] = [&first, &second, &third].map(again);
    let _lines = [
        says(&first, true).await,
        says(&second, true).await,
        says(&third, true).await,
    ];
    assert_eq!(takes(&second).await.refused, "zk-1 has the slot");
    gives(&first, fence, true).await.expect("it gives it back");
    assert_eq!(takes(&second).await.refused, "");
}

#[tokio::test]
async fn two_that_are_not_healthy_mend_themselves_one_after_the_other() {
    let (_place, world, [first, second, third]) = three().await;
    let _lines = [
        says(&first, false).await,
        says(&second, false).await,
        says(&third, true).await,
    ];
    let refusal = takes(&first).await.refused;
    assert_eq!(refusal, "zk-2 is not healthy");
    let taken = mends(&first).await;
    assert_eq!((taken.refused.as_str(), taken.lease_seconds), ("", 60));
    assert_eq!(slot_of(&world, "zk-1").await, "held");
    assert_eq!(mends(&second).await.refused, "zk-1 has the slot");
    gives(&first, taken.fence, false)
        .await
        .expect("it gives it back");
    assert_eq!(slot_of(&world, "zk-1").await, "failed");
    let next = mends(&second).await;
    assert!(next.fence > taken.fence, "{next:?}");
    assert_eq!(mends(&first).await.refused, "zk-2 has the slot");
}

#[tokio::test]
async fn a_slot_is_of_a_role_that_has_some_and_of_what_is_current() {
    let (_place, world, [first, second, third]) = three().await;
    let _lines = [says(&second, true).await, says(&third, true).await];
    let request = TakeSlotRequest {
        sequence: 1,
        view: 1,
        leads: false,
        mending: false,
    };
    let old = first.agents.clone().take_slot(request).await;
    let old = old.expect("an answer").into_inner().refused;
    assert_eq!(
        old,
        "there is a newer release, or a newer view of the fleet"
    );
    world.desk.publish(&Release::of(&["zk"], 2)).await;
    let told = first.assignment().await.expect("its role");
    let view: FleetView = serde_json::from_slice(&told.view).expect("a view");
    let request = TakeSlotRequest {
        sequence: 2,
        view: view.number,
        leads: false,
        mending: false,
    };
    let none = first.agents.clone().take_slot(request).await;
    refused(
        none,
        Code::InvalidArgument,
        "the role zk has no max_unavailable",
    );
}

#[tokio::test]
async fn a_run_without_a_slot_is_on_record() {
    let (_place, world, [first, ..]) = three().await;
    let document = br#"{"version": 1, "result": "failed", "without_slot": "the rack\u001b burns",
        "failures": [{"message": "exit status 1\nmore"}]}"#;
    let request = ReportRequest {
        document: document.to_vec(),
    };
    first
        .agents
        .clone()
        .report(request)
        .await
        .expect("it is taken");
    logged::expect(&[
        "WARN",
        "node zk-1 at ",
        " took no slot: the rack\\u{1b} burns",
    ])
    .await;
    let nodes = world.desk.fleet().await.nodes;
    let why = nodes
        .into_iter()
        .find(|node| node.name == "zk-1")
        .map(|node| node.why);
    assert_eq!(why.as_deref(), Some("exit status 1"));
}

#[tokio::test]
async fn no_member_fills_the_log() {
    let (_place, world, [first, second, third]) = three().await;
    let _lines = [says(&second, true).await, says(&third, true).await];
    let events = || world.running.server.log.state().events;
    for _ in 0..6 {
        let taken = takes(&first).await;
        assert_eq!(taken.refused, "");
        gives(&first, taken.fence, true).await.expect("it is given");
    }
    let before = events();
    let why = "this machine took too many slots, and has to wait until a minute is over";
    for _ in 0..30 {
        assert_eq!(takes(&first).await.refused, why);
    }
    assert_eq!(events(), before);
    logged::expect(&["WARN", "refused node zk-1 at ", why]).await;

    // A report that comes twice is one. More of them in a minute than any person makes are not taken.
    let without = |why: String| {
        let document = format!(r#"{{"result": "applied", "without_slot": "{why}"}}"#).into_bytes();
        let mut agents = second.agents.clone();
        async move { agents.report(ReportRequest { document }).await }
    };
    for (why, kept) in [("a", 1), ("a", 0), ("b", 1), ("a", 0)] {
        let before = events();
        without(why.into()).await.expect("it is taken");
        assert_eq!(events() - before, kept, "{why}");
    }
    let before = events();
    for at in 0..30 {
        let taken = without(at.to_string()).await;
        assert_eq!(taken.is_ok(), at < 4, "{at}: {taken:?}");
    }
    assert_eq!(events() - before, 4);
    // Another has its own turns.
    assert_eq!(
        takes(&second).await.refused,
        "zk-1 is not connected to this server"
    );
    let _line = says(&first, true).await;
    assert_eq!(takes(&second).await.refused, "");
}

#[tokio::test]
async fn who_is_unseen_for_long_leaves_until_it_is_back() {
    let place = Place::new(Kind::Directory);
    let world = World::begin(&place).await;
    let mut release = Release::of(&["web"], 1);
    release
        .roles
        .get_mut("web")
        .expect("it is in it")
        .gone_after_s = Some(1);
    release
        .roles
        .get_mut("web")
        .expect("it is in it")
        .reads
        .clear();
    world.desk.publish(&release).await;
    let there = world.machine("web", "web-1").await;
    let _line = there.watches().await.expect("it watches");
    let unseen = world.machine("web", "web-2").await;
    let state = || async {
        let nodes = world.desk.fleet().await.nodes.into_iter();
        nodes
            .map(|node| (node.name, node.gone, node.member))
            .collect::<Vec<_>>()
    };
    let gone = [("web-1".into(), false, true), ("web-2".into(), true, false)];
    let until_gone = async {
        while state().await != gone {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), until_gone)
        .await
        .expect("it is gone");
    logged::expect(&["WARN", "unseen for as long as their role allows: web-2"]).await;
    let _back = unseen.watches().await.expect("it watches");
    assert_eq!(state().await[1], ("web-2".into(), false, true));
}
