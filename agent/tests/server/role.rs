//! Fetching a role: all of it is checked, and what was kept stays until all of it is there.

use crate::peer::Peer;
use crate::server;
use crate::world::assignment;
use cfg_agent::client::assignment::{For, Rejection};
use cfg_agent::client::channel::CallError;
use cfg_agent::client::kept::Kept;
use cfg_agent::client::record::Standing;
use cfg_agent::client::server::Server;
use cfg_agent::client::spool::Spool;
use cfg_agent::client::sync::{SyncError, look, update};
use cfg_agent::client::{report, spool::Weight};
use cfg_catalog::digest::Digest;
use cfg_catalog::release::{FORMAT, Manifest, nodes};
use cfg_wire::AssignmentReply;
use std::collections::BTreeMap;
use std::io::Read as _;
use tonic::Status;

const VM1: For<'static> = For {
    fleet: "fleet",
    name: "vm-1",
};

/// Role `web` with these files, as release number `sequence`.
fn role(sequence: u64, files: &[(&str, &[u8])]) -> AssignmentReply {
    let files: serde_json::Map<_, _> = files
        .iter()
        .map(|(path, bytes)| {
            let blob = serde_json::json!({"digest": Digest::of(bytes), "size": bytes.len()});
            (path.to_string(), blob)
        })
        .collect();
    let part = serde_json::json!({
        "format": FORMAT, "role": "web", "nodes": nodes::root(&BTreeMap::new()), "params": {}, "values": {},
        "resources": [], "files": files, "reads": [], "health": null,
    })
    .to_string();
    let manifest = serde_json::to_vec(&Manifest {
        format: FORMAT,
        roles: [("web".to_string(), Digest::of(part.as_bytes()))].into(),
    })
    .unwrap();
    assignment(sequence, manifest, part.into_bytes())
}

struct World {
    peer: Peer,
    server: Server,
    folder: tempfile::TempDir,
    kept: Kept,
}

impl World {
    async fn new() -> Self {
        let peer = Peer::start().await;
        let folder = tempfile::tempdir().unwrap();
        let server = server(&peer, &folder.path().join("identity")).await;
        Self {
            kept: Kept::new(&folder.path().join("state")),
            peer,
            server,
            folder,
        }
    }

    fn offer(&self, sequence: u64, files: &[(&str, &[u8])]) {
        *self.peer.script.assignment.lock().unwrap() = Ok(role(sequence, files));
        let mut blobs = self.peer.script.blobs.lock().unwrap();
        for (_, bytes) in files {
            blobs.insert(Digest::of(bytes).to_string(), bytes.to_vec());
        }
    }

    async fn update(&self) -> Result<u64, SyncError> {
        let assignment = update(&self.server, VM1, &self.kept).await?;
        Ok(assignment.envelope.sequence)
    }

    fn kept_sequence(&self) -> Option<u64> {
        Some(self.kept.load(VM1).unwrap()?.envelope.sequence)
    }
}

#[tokio::test]
async fn a_role_is_kept_with_its_files() {
    let world = World::new().await;
    let long = b"more than one chunk of it".repeat(10);
    world.offer(
        1,
        &[("web/a", b"a"), ("web/empty", b""), ("web/long", &long)],
    );
    assert_eq!(world.update().await.unwrap(), 1);
    let mut content = Vec::new();
    let mut file = world.kept.open(&Digest::of(&long)).unwrap();
    file.read_to_end(&mut content).unwrap();
    assert_eq!(content, long);

    world.offer(2, &[("web/b", b"b")]);
    assert_eq!(world.update().await.unwrap(), 2);
    assert!(
        world.kept.has(&Digest::of(b"a"), 1),
        "a run may still use it"
    );
    world.offer(3, &[("web/b", b"b")]);
    assert_eq!(world.update().await.unwrap(), 3);
    assert!(
        !world.kept.has(&Digest::of(b"a"), 1),
        "nobody can use it now"
    );
    assert!(world.kept.has(&Digest::of(b"b"), 1));
}

#[tokio::test]
async fn a_file_that_is_not_what_it_should_be_leaves_the_last_role() {
    let world = World::new().await;
    world.offer(1, &[]);
    world.update().await.unwrap();
    let name = Digest::of(b"right").to_string();
    for wrong in [&b"wrong"[..], b"righ", b"right and more", b""] {
        world.offer(2, &[("web/x", b"right")]);
        let blobs = &world.peer.script.blobs;
        blobs.lock().unwrap().insert(name.clone(), wrong.to_vec());
        let error = world.update().await.unwrap_err();
        assert!(error.is_passing(), "{error}");
        assert_eq!(world.kept_sequence(), Some(1));
        assert!(!world.kept.has(&Digest::of(b"right"), 5));
    }
    world.peer.script.blobs.lock().unwrap().clear();
    let error = world.update().await.unwrap_err().to_string();
    assert!(error.contains("not yours to read"), "{error}");
    assert_eq!(world.kept_sequence(), Some(1));
}

#[tokio::test]
async fn what_the_server_may_not_do_leaves_the_last_role() {
    let world = World::new().await;
    world.offer(5, &[]);
    world.update().await.unwrap();
    let reply = |change: fn(&mut AssignmentReply)| {
        let mut reply = role(6, &[]);
        change(&mut reply);
        Ok(reply)
    };
    let newer = reply(|r| r.manifest = b"{\"format\": 99}".to_vec());
    let cases = [
        (Ok(role(4, &[])), Standing::Rejected),
        (Ok(role(5, &[("web/a", b"a")])), Standing::Rejected),
        (reply(|r| r.part.push(b' ')), Standing::Rejected),
        (newer, Standing::Upgrade),
        (Err(Status::unimplemented("upgrade")), Standing::Upgrade),
        (Err(Status::permission_denied("revoked")), Standing::Refused),
        (
            Err(Status::failed_precondition("nothing yet")),
            Standing::Waiting,
        ),
        (Err(Status::unavailable("stopping")), Standing::Away),
    ];
    for (answer, standing) in cases {
        *world.peer.script.assignment.lock().unwrap() = answer;
        let error = world.update().await.unwrap_err();
        assert_eq!(Standing::of(&error), standing, "{error}");
        assert_eq!(world.kept_sequence(), Some(5));
    }
    let backwards = Rejection::Backwards {
        offered: 4,
        kept: 5,
    };
    assert!(backwards.to_string().contains("never go back"));
}

#[tokio::test]
async fn a_dry_run_keeps_nothing() {
    let world = World::new().await;
    world.offer(1, &[("web/a", b"a")]);
    let (assignment, memory) = look(&world.server, VM1, &world.kept).await.unwrap();
    assert_eq!(assignment.envelope.sequence, 1);
    assert_eq!(memory[&Digest::of(b"a")], b"a");
    assert!(!world.folder.path().join("state").exists());
    world.update().await.unwrap();
    let (_, memory) = look(&world.server, VM1, &world.kept).await.unwrap();
    assert!(memory.is_empty(), "what is kept is not fetched again");
}

#[tokio::test]
async fn reports_wait_for_the_server_and_go_in_order() {
    let world = World::new().await;
    let spool = Spool::new(&world.folder.path().join("state"));
    let run = |result: &str, n: u32| serde_json::json!({"result": result, "n": n});
    *world.peer.script.refuses_reports.lock().unwrap() = Some(Status::unavailable("away"));
    for (result, n) in [
        ("applied", 1),
        ("converged", 2),
        ("converged", 3),
        ("failed", 4),
    ] {
        report::keep(&spool, &run(result, n)).unwrap();
        report::flush(&world.server, &spool).await.unwrap();
    }
    assert_eq!(spool.len().unwrap(), 3);
    *world.peer.script.refuses_reports.lock().unwrap() = None;
    report::flush(&world.server, &spool).await.unwrap();
    assert!(spool.is_empty().unwrap());
    let told: Vec<u64> = world
        .peer
        .script
        .reports
        .lock()
        .unwrap()
        .iter()
        .map(|document| serde_json::from_slice::<serde_json::Value>(document).unwrap())
        .map(|document| document["n"].as_u64().unwrap())
        .collect();
    assert_eq!(told, [1, 3, 4]);

    // One that the server will never take does not hold up the others.
    spool.push(b"{}", Weight::Telling).unwrap();
    *world.peer.script.refuses_reports.lock().unwrap() = Some(Status::invalid_argument("bad"));
    assert!(report::flush(&world.server, &spool).await.is_err());
    assert!(spool.is_empty().unwrap());
}

#[tokio::test]
async fn calls_say_why_they_failed() {
    let world = World::new().await;
    let World { peer, server, .. } = world;
    drop(peer);
    let error = server.report(Vec::new()).await.unwrap_err();
    assert!(matches!(error, CallError::Away { .. }), "{error}");
}
