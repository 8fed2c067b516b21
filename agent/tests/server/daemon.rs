//! The daemon as a process, on a scratch root, against the scripted server.

use crate::enrolled;
use crate::peer::Peer;
use crate::world::{World, role, role_of, stop, until};
use cfg_agent::client::identity::Identity;
use cfg_catalog::digest::Digest;
use cfg_catalog::release::FORMAT;
use cfg_wire::{AssignmentReply, News};
use serde_json::Value;
use std::path::Path;
use std::time::{Duration, Instant};
use tokio::process::Command;

#[tokio::test]
async fn news_are_applied_at_once_and_reported() {
    let world = World::new("").await;
    let agent = world.agent();
    world.offer(1, "one");
    world.wait_for_motd("one").await;
    world.offer(2, "two");
    world.wait_for_motd("two").await;
    until("reports", || world.reported().len() == 2).await;
    assert_eq!(
        world.reported(),
        [("applied".into(), false), ("applied".into(), false)]
    );
    let status = world.status().await;
    assert_eq!(
        (&status["sequence"], &status["role"]),
        (&2.into(), &"web".into())
    );
    assert_eq!(status["contact"]["standing"], "current");
    assert_eq!(status["last_run"]["result"], "applied");
    let settled = || world.peer.script.settled.lock().unwrap().clone();
    until("what it has made", || settled() == [(1, 1), (2, 1)]).await;
    stop(agent).await;
}

#[tokio::test]
async fn runs_are_an_interval_and_some_splay_apart() {
    let world = World::new("interval = \"1s\"\nsplay = \"2s\"").await;
    world.offer(1, "one");
    let agent = world.agent();
    until("the first run", || !world.reported().is_empty()).await;
    let mut at = vec![Instant::now()];
    while at.len() < 6 {
        let next = at.len() + 1;
        until("the next run", || world.reported().len() >= next).await;
        at.push(Instant::now());
    }
    stop(agent).await;
    let gaps: Vec<Duration> = at.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let ms = Duration::from_millis;
    // A busy machine is late.
    let bounds = ms(900)..ms(5000);
    assert!(gaps.iter().all(|gap| bounds.contains(gap)), "{gaps:?}");
    // Seven of eight splays are longer than this, and five of them are hardly all shorter.
    assert!(gaps.iter().any(|gap| *gap > ms(1250)), "{gaps:?}");
}

#[tokio::test]
async fn while_the_line_says_nothing_new_it_asks_only_after_a_run_that_failed() {
    let world = World::new("interval = \"1s\"").await;
    world.offer(1, "one");
    let agent = world.agent();
    world.wait_for_motd("one").await;
    // A server says what is new on the line; so the agent cannot know of this.
    *world.peer.script.assignment.lock().unwrap() = Ok(role(2, "two"));
    let before = world.reported().len();
    until("three runs", || world.reported().len() >= before + 3).await;
    assert_eq!(std::fs::read_to_string(world.motd()).unwrap(), "one\n");
    std::fs::write(world.motd(), "drifted").unwrap();
    world.wait_for_motd("one").await;

    // A file lies where the folder must be: whatever the reason is, it may be that what is kept is damaged.
    let folder = world.motd().parent().unwrap().to_path_buf();
    let aside = folder.with_extension("aside");
    std::fs::rename(&folder, &aside).unwrap();
    std::fs::write(&folder, "").unwrap();
    let failed = || {
        world
            .reported()
            .iter()
            .any(|(result, _)| result == "failed")
    };
    until("a run that fails", failed).await;
    std::fs::remove_file(&folder).unwrap();
    std::fs::rename(&aside, &folder).unwrap();
    world.wait_for_motd("two").await;
    stop(agent).await;
}

#[tokio::test]
async fn a_server_that_was_restored_is_asked_again_and_what_to_do_is_told() {
    let world = World::new("interval = \"1s\"").await;
    world.offer(5, "five");
    let agent = world.agent();
    world.wait_for_motd("five").await;
    // Of the same number, so that the line says nothing new.
    *world.peer.script.assignment.lock().unwrap() = Ok(role(5, "other"));
    world.refuse(Some(tonic::Status::unavailable("it restarts")));
    world.wait_for_contact("away", "it restarts").await;
    world.refuse(None);
    let goes_on = "`cfg publish DIR --above 5` goes on";
    world.wait_for_contact("rejected", goes_on).await;
    let told = || {
        let reports = world.peer.script.reports.lock().unwrap();
        let last = serde_json::from_slice::<Value>(reports.last().unwrap()).unwrap();
        last["rejected"].as_str().unwrap_or_default().to_string()
    };
    until("a report of it", || told().contains(goes_on)).await;
    world.offer(4, "four");
    until("another report", || {
        told().contains("4 was offered after 5")
    })
    .await;
    assert!(told().contains(goes_on), "{}", told());
    assert_eq!(std::fs::read_to_string(world.motd()).unwrap(), "five\n");
    world.offer(6, "six");
    world.wait_for_motd("six").await;
    until("a report of none", || told().is_empty()).await;
    stop(agent).await;
}

#[tokio::test]
async fn without_its_server_it_goes_on_with_its_last_role_also_after_a_restart() {
    let mut world = World::new("interval = \"1s\"").await;
    world.offer(1, "one");
    let agent = world.agent();
    world.wait_for_motd("one").await;
    // Another peer takes the script's place, so that the reports of this one are known to be over.
    world.peer = Peer::start().await;
    std::fs::write(world.motd(), "broken by hand").unwrap();
    world.wait_for_motd("one").await;
    stop(agent).await;
    let agent = world.agent();
    std::fs::remove_file(world.motd()).unwrap();
    world.wait_for_motd("one").await;
    let state = world.folder.path().join("root/state");
    until("reports that wait", || spooled(&state) > 0).await;
    let status = world.status().await;
    assert_eq!(status["contact"]["standing"], "away");
    stop(agent).await;
}

#[tokio::test]
async fn a_certificate_that_is_due_is_renewed_and_the_line_goes_on_with_it() {
    let world = World::new("interval = \"1s\"").await;
    let identity = world.folder.path().join("identity");
    let hour = Duration::from_secs(3600);
    *world.peer.script.life.lock().unwrap() = (hour, hour * 3 / 4);
    let old = enrolled(&world.peer, &identity).await;
    *world.peer.script.life.lock().unwrap() = (hour, Duration::ZERO);
    world.offer(1, "one");
    let agent = world.agent();
    world.wait_for_motd("one").await;
    let new = Identity::load(&identity).unwrap();
    assert_ne!((&new.key, &new.certificate), (&old.key, &old.certificate));
    world.offer(2, "two");
    world.wait_for_motd("two").await;
    // Renewed once, not at every interval.
    assert_eq!(world.peer.script.keys.lock().unwrap().len(), 3);
    stop(agent).await;
}

#[tokio::test]
async fn a_machine_that_enrols_again_goes_on_without_a_restart() {
    let world = World::new("interval = \"1h\"").await;
    world.offer(1, "one");
    let agent = world.agent();
    world.wait_for_motd("one").await;
    world.refuse(Some(tonic::Status::permission_denied("vm-1 is revoked")));
    world.wait_for_contact("refused", "is revoked").await;
    // Another server, so that nothing of the former identity could do.
    let other = Peer::start().await;
    *other.script.assignment.lock().unwrap() = Ok(role(2, "two"));
    enrolled(&other, &world.folder.path().join("identity")).await;
    world.wait_for_motd("two").await;
    assert!(!other.script.facts.lock().unwrap().is_empty(), "it watches");
    world.wait_for_contact("current", "").await;
    stop(agent).await;
}

#[tokio::test]
async fn a_run_by_hand_renews_a_certificate_that_is_due_and_a_dry_run_does_not() {
    let world = World::new("").await;
    world.offer(1, "one");
    let identity = world.folder.path().join("identity");
    let hour = Duration::from_secs(3600);
    *world.peer.script.life.lock().unwrap() = (hour, hour * 3 / 4);
    let old = enrolled(&world.peer, &identity).await;
    *world.peer.script.life.lock().unwrap() = (hour, Duration::ZERO);
    let dry = world.cfg(&["apply", "--dry-run"]).output().await.unwrap();
    assert_eq!(dry.status.code(), Some(2), "{dry:?}");
    assert_eq!(Identity::load(&identity).unwrap(), old);
    let run = world.cfg(&["apply"]).output().await.unwrap();
    assert_eq!(run.status.code(), Some(0), "{run:?}");
    assert_ne!(Identity::load(&identity).unwrap(), old);
    let again = world.cfg(&["apply"]).output().await.unwrap();
    assert_eq!(again.status.code(), Some(0), "{again:?}");
    assert_eq!(world.reported().len(), 2, "the new one is good");
}

fn spooled(state: &Path) -> usize {
    std::fs::read_dir(state.join("spool")).map_or(0, |entries| entries.count())
}

#[tokio::test]
async fn in_observe_mode_nothing_is_changed_and_all_is_told() {
    let world = World::new("mode = \"observe\"").await;
    world.offer(1, "one");
    let agent = world.agent();
    until("a report", || !world.reported().is_empty()).await;
    assert_eq!(world.reported(), [("changes".into(), true)]);
    assert!(!world.motd().exists());
    assert_eq!(*world.peer.script.settled.lock().unwrap(), []);
    assert_eq!(world.status().await["mode"], "observe");
    stop(agent).await;
}

#[tokio::test]
async fn who_waits_for_a_cohort_goes_on_when_it_is_complete() {
    let world = World::new("").await;
    let text = "[fleet]\nwait_for = { web = 2 }\n[file.\"/etc/motd\"]\n\
                content = \"{{ fleet.peers()[1].address }}\\n\"\n";
    let enrolled = |count: u64| {
        let member = |id| {
            serde_json::json!({
                "id": id, "name": format!("vm-{id}"), "address": format!("10.0.0.{id}"), "os": "debian",
                "arch": "amd64", "cpus": 1, "memory_mb": 512,
            })
        };
        let members: Vec<Value> = (1..=count).map(member).collect();
        let view = serde_json::json!({ "number": count, "roles": { "web": members } });
        let reply = AssignmentReply {
            view: view.to_string().into_bytes(),
            ..role_of(1, text.into())
        };
        *world.peer.script.assignment.lock().unwrap() = Ok(reply);
        world.peer.script.news.send_replace(News {
            sequence: 1,
            view: count,
            probe: 0,
        });
    };
    enrolled(1);
    let agent = world.agent();
    until("a report", || !world.reported().is_empty()).await;
    assert_eq!(world.reported(), [("waiting".into(), false)]);
    assert!(!world.motd().exists());
    let output = world.cfg(&["status"]).output().await.unwrap();
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(told.contains("waiting for web: 1 of 2"), "{told}");
    let settled = || world.peer.script.settled.lock().unwrap().clone();
    until("that it waits for nothing else", || settled() == [(1, 1)]).await;
    enrolled(2);
    world.wait_for_motd("10.0.0.2").await;
    until("a report", || world.reported().len() == 2).await;
    assert_eq!(world.reported()[1], ("applied".into(), false));
    stop(agent).await;
}

#[tokio::test]
async fn a_release_that_is_too_new_leaves_the_last_role_and_says_so() {
    let world = World::new("interval = \"1s\"").await;
    world.offer(1, "one");
    let agent = world.agent();
    world.wait_for_motd("one").await;
    let newer = AssignmentReply {
        manifest: b"{\"format\": 99}".to_vec(),
        ..role(2, "two")
    };
    *world.peer.script.assignment.lock().unwrap() = Ok(newer);
    world.peer.script.news.send_replace(News {
        sequence: 2,
        view: 1,
        probe: 0,
    });
    std::fs::remove_file(world.motd()).unwrap();
    world.wait_for_motd("one").await;
    let status = world.status().await;
    assert_eq!(status["upgrade_me"], true);
    assert_eq!(status["sequence"], 1);
    stop(agent).await;
}

#[tokio::test]
async fn a_role_that_does_not_render_here_is_reported_and_touches_nothing() {
    let world = World::new("").await;
    let mut reply = role(1, "one");
    let text = String::from_utf8(reply.part.clone()).unwrap();
    // As if a fact were there at the desk that this machine does not have.
    reply.part = text
        .replace("one\\n", "{{ facts.azure.zone }}")
        .into_bytes();
    let manifest = format!(
        "{{\"format\":{FORMAT},\"roles\":{{\"web\":\"{}\"}}}}",
        Digest::of(&reply.part)
    );
    let mut envelope: Value = serde_json::from_slice(&reply.envelope).unwrap();
    envelope["release"] = Digest::of(manifest.as_bytes()).to_string().into();
    reply.envelope = envelope.to_string().into_bytes();
    reply.manifest = manifest.into_bytes();
    *world.peer.script.assignment.lock().unwrap() = Ok(reply);
    let agent = world.agent();
    until("a report", || !world.reported().is_empty()).await;
    assert_eq!(world.reported(), [("failed".into(), false)]);
    assert!(!world.motd().exists());
    assert_eq!(*world.peer.script.settled.lock().unwrap(), []);
    stop(agent).await;
}

#[tokio::test]
async fn what_the_server_answers_between_two_runs_is_in_the_status() {
    let world = World::new("").await;
    world.offer(1, "one");
    let agent = world.agent();
    world.wait_for_motd("one").await;
    world.wait_for_contact("current", "").await;
    until("a report", || world.reported().len() == 1).await;
    world.refuse(Some(tonic::Status::unavailable("it goes down")));
    world.wait_for_contact("away", "it goes down").await;
    world.refuse(Some(tonic::Status::permission_denied("vm-1 is revoked")));
    world.wait_for_contact("refused", "vm-1 is revoked").await;
    world.refuse(None);
    world.wait_for_contact("current", "").await;
    assert_eq!(world.reported().len(), 1, "no run for that");
    stop(agent).await;
}

#[tokio::test]
async fn a_copied_machine_stops_and_asks_for_enrolment() {
    let world = World::new("").await;
    world.offer(1, "one");
    let identity = world.folder.path().join("identity");
    let copied = Identity {
        machine: Some(Digest::of(b"another machine")),
        ..Identity::load(&identity).unwrap()
    };
    copied.store(&identity).unwrap();
    for call in ["agent", "apply"] {
        let output = world.cfg(&[call]).output().await.unwrap();
        assert_eq!(output.status.code(), Some(78), "{call}: {output:?}");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains("is a copy of vm-1"), "{call}: {said}");
        assert!(said.contains("cfg enroll"), "{call}: {said}");
    }
    assert!(!world.motd().exists());
    assert_eq!(world.status().await["copied"], true);
    enrolled(&world.peer, &identity).await;
    let output = world.cfg(&["apply"]).output().await.unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
}

#[tokio::test]
async fn of_two_daemons_with_one_state_the_second_ends() {
    let world = World::new("interval = \"1h\"").await;
    world.offer(1, "one");
    let agent = world.agent();
    world.wait_for_motd("one").await;
    let second = world.cfg(&["agent"]).output().await.unwrap();
    assert_eq!(second.status.code(), Some(75), "{second:?}");
    let said = String::from_utf8_lossy(&second.stderr);
    assert!(
        said.contains("another cfg agent runs with the state folder"),
        "{said}"
    );
    stop(agent).await;
    let third = world.agent();
    world.offer(2, "two");
    world.wait_for_motd("two").await;
    stop(third).await;
}

#[tokio::test]
async fn an_enrolment_that_was_made_is_not_made_otherwise() {
    let world = World::new("").await;
    let config = world.folder.path().join("agent.toml");
    let ca = world.peer.ca_sha256.to_string();
    let server = world.peer.agents.clone();
    for (given, code) in [
        (&["--name", "vm-1"][..], 0),
        (&["--server", &server, "--name", "VM-1"], 0),
        (&["--server", &server, "--name", "vm-2"], 64),
        (&["--server", "https://192.0.2.1"], 64),
    ] {
        let mut enroll = Command::new(env!("CARGO_BIN_EXE_cfg"));
        enroll
            .env("CFG_CONFIG", &config)
            .args(["enroll", "--token", "good"]);
        enroll.args(["--ca-sha256", &ca]).args(given);
        if !given.contains(&"--server") {
            enroll.args(["--server", &server]);
        }
        let output = enroll.output().await.unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{given:?}: {said}");
        assert!(said.contains("enrolled as vm-1"), "{said}");
    }
}

#[tokio::test]
async fn who_left_something_undone_looks_again_when_the_line_is_mended() {
    let world = World::new("interval = \"1h\"").await;
    // A folder is in the way, which a person removes while the server is away.
    std::fs::create_dir_all(world.motd().join("in/the/way")).unwrap();
    world.offer(1, "one");
    let agent = world.agent();
    until("a report", || !world.reported().is_empty()).await;
    assert_eq!(world.reported()[0].0, "failed");
    world.refuse(Some(tonic::Status::unavailable("it restarts")));
    world.wait_for_contact("away", "it restarts").await;
    std::fs::remove_dir_all(world.motd()).unwrap();
    world.refuse(None);
    world.wait_for_motd("one").await;
    let settled = || world.peer.script.settled.lock().unwrap().clone();
    until("that it is as it should be", || settled() == [(1, 1)]).await;
    stop(agent).await;
}
