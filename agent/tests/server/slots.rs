//! Slots: taken, kept and given back; and what the server hears of a machine's health meanwhile.

use crate::peer::Peer;
use crate::server;
use crate::world::{World, role_of, stop, until};
use cfg_agent::client::slot::Slots;
use cfg_agent::run::StateDir;
use cfg_agent::run::slot::{Accord as _, NoSlot};
use cfg_wire::News;
use serde_json::Value;
use std::time::{Duration, Instant};

const NEWS: News = News {
    sequence: 4,
    view: 7,
    probe: 0,
};

/// What a run does on its own thread with the slots of this peer.
async fn blocking<T: Send + 'static>(
    peer: &Peer,
    run: impl FnOnce(Slots) -> T + Send + 'static,
) -> T {
    let folder = tempfile::tempdir().unwrap();
    let server = server(peer, folder.path()).await;
    let slots = Slots::of(&server, NEWS);
    tokio::task::spawn_blocking(move || run(slots))
        .await
        .unwrap()
}

fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < Duration::from_secs(20), "in vain: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[tokio::test]
async fn a_slot_is_kept_longer_than_its_lease_and_given_back() {
    let peer = Peer::start().await;
    peer.script.slots.grant(9, 3);
    let script = peer.script.clone();
    blocking(&peer, move |slots| {
        let mut slot = slots.take(true).unwrap();
        assert!(slot.is_held());
        wait_until("kept", || script.slots.kept.lock().unwrap().len() >= 4);
        assert!(slot.is_held());
        slot.give(true);
    })
    .await;
    let slots = &peer.script.slots;
    assert_eq!(*slots.taken.lock().unwrap(), [(4, 7, true)]);
    assert!(slots.kept.lock().unwrap().iter().all(|fence| *fence == 9));
    assert_eq!(*slots.given.lock().unwrap(), [(9, true)]);
}

#[tokio::test]
async fn a_slot_that_the_server_gave_to_another_is_lost() {
    let peer = Peer::start().await;
    peer.script.slots.grant(9, 3);
    *peer.script.slots.loses.lock().unwrap() = true;
    blocking(&peer, |slots| {
        let slot = slots.take(false).unwrap();
        assert!(slot.is_held());
        // Long before the lease is over.
        wait_until("lost", || !slot.is_held());
    })
    .await;
    assert_eq!(peer.script.slots.kept.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_slot_ends_while_the_server_is_away() {
    let peer = Peer::start().await;
    peer.script.slots.grant(9, 2);
    let folder = tempfile::tempdir().unwrap();
    let server = server(&peer, folder.path()).await;
    let slots = Slots::of(&server, NEWS);
    tokio::task::spawn_blocking(move || {
        let slot = slots.take(false).unwrap();
        drop(peer);
        wait_until("lost", || !slot.is_held());
        assert_eq!(slots.take(false).map(drop), Err(NoSlot::Away));
        assert_eq!(slots.mend().map(drop), Err(NoSlot::Away));
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn why_there_is_none_is_the_servers_word() {
    let peer = Peer::start().await;
    let refused = |slots: Slots| slots.take(false).map(drop);
    let no = |why: &str| Err(NoSlot::Refused(why.into()));
    let old = blocking(&peer, refused).await;
    assert_eq!(old, no("the server has no slots: upgrade it"));
    peer.script.slots.refuse("vm-2 is not healthy");
    let told = blocking(&peer, refused).await;
    assert_eq!(told, no("vm-2 is not healthy"));
}

#[tokio::test]
async fn who_mends_itself_says_so() {
    let peer = Peer::start().await;
    peer.script.slots.grant(9, 3);
    blocking(&peer, |slots| slots.mend().unwrap().give(true)).await;
    let slots = &peer.script.slots;
    assert_eq!(*slots.mended.lock().unwrap(), [(4, 7, false)]);
    assert_eq!(*slots.taken.lock().unwrap(), []);
    assert_eq!(*slots.given.lock().unwrap(), [(9, true)]);
}

impl World {
    /// The role is this text.
    fn offer_text(&self, sequence: u64, text: &str) {
        *self.peer.script.assignment.lock().unwrap() = Ok(role_of(sequence, text.into()));
        self.say(sequence, 0);
    }

    fn say(&self, sequence: u64, probe: u64) {
        let news = News {
            sequence,
            view: 1,
            probe,
        };
        self.peer.script.news.send_replace(news);
    }

    async fn wait_for_healths(&self, healths: &[(u64, bool)]) {
        let said = || self.peer.script.slots.healths.lock().unwrap().clone();
        until("a word on its health", || said() == healths).await;
    }
}

#[tokio::test]
async fn who_is_asked_for_its_health_says_it_and_runs_nothing() {
    let world = World::new("").await;
    world.offer(1, "one");
    let agent = world.agent();
    until("a report", || world.reported().len() == 1).await;
    world.say(1, 5);
    world.wait_for_healths(&[(5, true)]).await;
    world.say(1, 6);
    world.wait_for_healths(&[(5, true), (6, true)]).await;
    assert_eq!(world.reported().len(), 1, "no run for that");
    // What cannot be asked says nothing.
    world.offer_text(
        2,
        "[fleet]\nhealth = [\"/no/such/command\"]\n[file.\"/etc/motd\"]\ncontent = \"two\\n\"\n",
    );
    until("another", || world.reported().len() == 2).await;
    world.say(2, 7);
    world.offer(3, "three");
    until("a third", || world.reported().len() == 3).await;
    world.say(3, 8);
    world
        .wait_for_healths(&[(5, true), (6, true), (8, true)])
        .await;
    stop(agent).await;
}

#[tokio::test]
async fn who_is_asked_for_its_health_says_it_while_a_run_is_under_way() {
    let world = World::new("").await;
    // Takes the call, and says nothing: the run waits for the file.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/x", silent.local_addr().unwrap());
    let sha256 = "0".repeat(64);
    world.offer_text(
        1,
        &format!("[file.\"/etc/motd\"]\nurl = \"{url}\"\nsha256 = \"{sha256}\"\n"),
    );
    let mut agent = world.agent();
    let called = tokio::time::timeout(Duration::from_secs(20), silent.accept());
    let _line = called.await.expect("nobody fetches the file").unwrap();
    world.say(1, 3);
    world.wait_for_healths(&[(3, true)]).await;
    assert_eq!(world.reported(), [], "it is under way");
    agent.kill().await.unwrap();
}

/// A machine with a package that is to go, which takes a slot, and a file that does not.
fn to_be_removed(world: &World) {
    let dpkg = world.folder.path().join("root/var/lib/dpkg");
    std::fs::create_dir_all(&dpkg).unwrap();
    let status = "Package: app\nStatus: install ok installed\nVersion: 1\nArchitecture: all\n\
                  Maintainer: x <x@example.org>\nDescription: x\n\n";
    std::fs::write(dpkg.join("status"), status).unwrap();
    // Where there is none, that is the failure.
    let bin = world.folder.path().join("root/usr/bin");
    std::fs::create_dir_all(&bin).unwrap();
    std::fs::write(bin.join("apt-get"), "").unwrap();
    world.offer_text(
        1,
        "[fleet]\nmax_unavailable = 1\n[file.\"/etc/motd\"]\ncontent = \"one\\n\"\n\
         [package.app]\nstate = \"absent\"\n",
    );
}

#[tokio::test]
async fn who_gets_no_slot_does_what_is_harmless_says_why_and_asks_again_soon() {
    // Packages below another root are root's to move.
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let world = World::new("").await;
    let slots = &world.peer.script.slots;
    slots.refuse("vm-2 holds the slot\u{1b}[31m");
    to_be_removed(&world);
    let agent = world.agent();
    world.wait_for_motd("one").await;
    until("a report", || !world.reported().is_empty()).await;
    assert_eq!(world.reported(), [("waiting".into(), false)]);
    assert_eq!(*world.peer.script.settled.lock().unwrap(), []);
    let told = world.cfg(&["status"]).output().await.unwrap();
    let told = String::from_utf8(told.stdout).unwrap();
    let line = "waiting   package:app: vm-2 holds the slot\\u{1b}[31m\n";
    assert!(told.contains(line), "{told}");
    // The interval is five minutes.
    until("the next try", || slots.taken.lock().unwrap().len() >= 3).await;
    assert_eq!(slots.taken.lock().unwrap()[2], (1, 1, false));
    // The first had changed something; of the others one was told.
    assert_eq!(world.reported().len(), 2);
    stop(agent).await;
}

#[tokio::test]
async fn a_run_by_hand_asks_as_the_daemon_does_unless_a_person_says_why_not() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let world = World::new("").await;
    let slots = &world.peer.script.slots;
    slots.refuse("vm-2 holds the slot");
    to_be_removed(&world);
    let dry = world.cfg(&["apply", "--dry-run"]).output().await.unwrap();
    assert_eq!(dry.status.code(), Some(2), "{dry:?}");
    assert_eq!(slots.taken.lock().unwrap().len(), 0);
    let run = world.cfg(&["apply", "--json"]).output().await.unwrap();
    assert_eq!(run.status.code(), Some(3), "{run:?}");
    let document: Value = serde_json::from_slice(&run.stdout).unwrap();
    assert_eq!(
        document["held"],
        serde_json::json!([{ "resource": "package:app", "why": "slot", "detail": "vm-2 holds the slot" }])
    );
    assert_eq!(slots.taken.lock().unwrap().len(), 1);

    let why = "the other site is down";
    let without = ["apply", "--without-slot", "--why", why];
    let run = world
        .cfg(&without)
        .args(["--json", "--only", "file:/etc/motd"])
        .output()
        .await
        .unwrap();
    let document: Value = serde_json::from_slice(&run.stdout).unwrap();
    assert_eq!(document["without_slot"], why);
    assert_eq!(slots.taken.lock().unwrap().len(), 1, "nobody was asked");
    let told = world.cfg(&["status"]).output().await.unwrap();
    let told = String::from_utf8(told.stdout).unwrap();
    assert!(
        told.contains(&format!("no slot   taken by the last run: {why}\n")),
        "{told}"
    );
}

#[tokio::test]
async fn who_disrupts_without_a_slot_is_not_healthy_meanwhile() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let world = World::new("").await;
    to_be_removed(&world);
    let root = world.folder.path().join("root");
    let state = StateDir::new(root.join("state"));
    state.make().unwrap();
    // Who looks whether the machine is disrupted is waited for, and here it takes a while.
    let mark = std::fs::File::create(root.join("state/disrupting")).unwrap();
    rustix::fs::flock(&mark, rustix::fs::FlockOperation::LockShared).unwrap();
    assert!(!state.is_disrupted());
    let without = ["apply", "--without-slot", "--why", "x"];
    let mut run = world.cfg(&without).spawn().unwrap();
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(run.try_wait().unwrap().is_none(), "it marks itself first");
    assert!(
        !root.join("etc/motd").exists(),
        "and changes nothing before"
    );
    drop(mark);
    run.wait().await.unwrap();
    assert!(root.join("etc/motd").exists());
    assert!(!state.is_disrupted(), "and no more when it is over");
}

#[tokio::test]
async fn what_was_settled_is_told_anew_after_a_run_that_had_to_change_something() {
    let world = World::new("interval = \"1s\"").await;
    world.offer(1, "one");
    let agent = world.agent();
    let settled = || world.peer.script.settled.lock().unwrap().clone();
    until("what it has made", || settled() == [(1, 1)]).await;
    let before = world.reported().len();
    until("two runs", || world.reported().len() >= before + 2).await;
    assert_eq!(settled(), [(1, 1)], "nothing is new");
    std::fs::write(world.folder.path().join("root/etc/motd"), "by hand").unwrap();
    until("it again", || settled() == [(1, 1), (1, 1)]).await;
    stop(agent).await;
}
