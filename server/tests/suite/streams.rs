//! What machines are told, and what they do and get, when nobody attacks.

use crate::logged;
use crate::place::{Kind, Place};
use crate::release::Release;
use crate::world::{World, csr, refused};
use cfg_catalog::digest::Digest;
use cfg_catalog::fleet::{FleetView, Me};
use cfg_catalog::release::nodes::Proof;
use cfg_catalog::release::part::Part;
use cfg_catalog::release::{Envelope, Manifest};
use cfg_server::server::Running;
use cfg_wire::*;
use rcgen::KeyPair;
use std::time::Duration;
use tonic::{Code, Streaming};

async fn world() -> (Place, World) {
    let place = Place::new(Kind::Directory);
    let world = World::begin(&place).await;
    (place, world)
}

async fn next(stream: &mut Streaming<News>) -> News {
    let news = tokio::time::timeout(Duration::from_secs(5), stream.message()).await;
    let news = news.expect("within seconds").expect("no refusal");
    news.expect("the stream goes on")
}

/// That nothing is said for a while; ticks come more seldom.
async fn silent(stream: &mut Streaming<News>) {
    let said = tokio::time::timeout(Duration::from_millis(700), stream.message()).await;
    assert!(said.is_err(), "{said:?}");
}

#[tokio::test]
async fn news_for_those_whom_it_concerns() {
    let (_place, world) = world().await;
    let zk = world.machine("zk", "zk-1").await;
    let lone = world.machine("lone", "lone-1").await;
    let mut zk_stream = zk.watches().await.expect("it watches");
    let mut lone_stream = lone.watches().await.expect("it watches");
    for stream in [&mut zk_stream, &mut lone_stream] {
        let first = next(stream).await;
        assert_eq!((first.sequence, first.view), (0, 0), "nothing is published");
    }
    refused(
        zk.assignment().await,
        Code::FailedPrecondition,
        "nothing is published yet",
    );

    let mut release = Release::of(&["zk", "lone"], 1);
    release
        .roles
        .get_mut("lone")
        .expect("it is in it")
        .reads
        .clear();
    world.desk.publish(&release).await;
    let view = next(&mut zk_stream).await.view;
    assert!(view > 0);
    assert_eq!(
        next(&mut lone_stream).await,
        News {
            sequence: 1,
            view: 0,
            probe: 0,
        }
    );

    zk.settles().await;
    let second = world.machine("zk", "zk-2").await;
    second.settles().await;
    let grown = next(&mut zk_stream).await;
    assert!(grown.sequence == 1 && grown.view > view, "{grown:?}");
    silent(&mut lone_stream).await;
    let assigned = zk.assignment().await.expect("its role");
    let seen: FleetView = serde_json::from_slice(&assigned.view).expect("a view");
    assert_eq!(seen.number, grown.view);
    let members = &seen.roles["zk"];
    let short: Vec<(u32, &str)> = members.iter().map(|m| (m.id, m.name.as_str())).collect();
    assert_eq!(short, [(1, "zk-1"), (2, "zk-2")]);

    let _moved = second.watch("10.9.9.9").await.expect("it watches");
    assert!(next(&mut zk_stream).await.view > grown.view);
    let _same = second.watch("10.9.9.9").await.expect("it watches twice");
    silent(&mut zk_stream).await;
    zk.settles().await;
    world.desk.revoke("zk-2").await;
    next(&mut zk_stream).await;
    silent(&mut lone_stream).await;
}

#[tokio::test]
async fn an_assignment_holds_together() {
    let (_place, world) = world().await;
    let release = Release::of(&["zk", "web"], 1).with_leaf("zk", "zk-1", "{\"port\": 1}");
    let envelope = world.desk.publish(&release).await;
    let leafy = world.machine("zk", "zk-1").await;
    let plain = world.machine("zk", "zk-2").await;
    for (machine, leaf) in [(&leafy, true), (&plain, false)] {
        let got = machine.assignment().await.expect("its role");
        assert_eq!(
            (got.envelope.as_slice(), got.role.as_str()),
            (envelope.as_slice(), "zk")
        );
        let envelope: Envelope = serde_json::from_slice(&got.envelope).expect("an envelope");
        assert_eq!(envelope.release, Digest::of(&got.manifest));
        assert_eq!((envelope.fleet.as_str(), envelope.sequence), ("fleet", 1));
        let manifest: Manifest = serde_json::from_slice(&got.manifest).expect("a manifest");
        assert_eq!(manifest.roles["zk"], Digest::of(&got.part));
        let part: Part = serde_json::from_slice(&got.part).expect("a part");
        let proof: Proof = serde_json::from_slice(&got.proof).expect("a proof");
        let own = leaf.then_some(got.leaf.as_slice());
        assert_eq!(leaf, !got.leaf.is_empty());
        assert!(proof.verify(&part.nodes, &machine.name, own));
        let me: Me = serde_json::from_slice(&got.me).expect("me");
        assert_eq!(
            (me.name.as_str(), me.id),
            (machine.name.as_str(), machine.id)
        );
        for digest in part.blobs() {
            let blob = machine.fetch(&digest.to_string()).await.expect("its blob");
            assert_eq!(Digest::of(&blob), digest);
        }
    }
    let old = leafy
        .agents
        .clone()
        .assignment(AssignmentRequest { format: 0 })
        .await;
    refused(old, Code::Unimplemented, "upgrade cfg on this machine");
    world.desk.publish(&Release::of(&["web"], 2)).await;
    let gone = leafy.assignment().await;
    refused(
        gone,
        Code::FailedPrecondition,
        "release 2 has no role \"zk\"; it has web",
    );
    logged::expect(&["WARN", "refused node zk-1", "release 2 has no role"]).await;
}

#[tokio::test]
async fn large_blobs_come_whole() {
    let (_place, world) = world().await;
    let mut release = Release::of(&["web"], 1);
    let large: Vec<u8> = (0..3_000_000u32).map(|at| (at % 251) as u8).collect();
    let files = &mut release.roles.get_mut("web").expect("it is in it").files;
    files.insert("large", large.clone());
    files.insert("empty", Vec::new());
    let digests: Vec<String> = [&large[..], b""].map(|b| Digest::of(b).to_string()).into();
    let ask = MissingRequest {
        digests: digests.clone(),
    };
    let missing = world
        .desk
        .0
        .clone()
        .missing(ask.clone())
        .await
        .expect("an answer");
    assert_eq!(missing.into_inner().digests, digests);
    world.desk.publish(&release).await;
    let missing = world.desk.0.clone().missing(ask).await.expect("an answer");
    assert!(missing.into_inner().digests.is_empty());
    let machine = world.machine("web", "web-1").await;
    assert_eq!(machine.fetch(&digests[0]).await.expect("its blob"), large);
    assert_eq!(machine.fetch(&digests[1]).await.expect("its blob"), b"");
}

#[tokio::test]
async fn releases_that_do_not_hold_together() {
    let (_place, world) = world().await;
    let good = Release::of(&["web"], 1).with_leaf("web", "web-1", "{}");
    let sent = good.sent();
    let publish = async |request: PublishRequest| world.desk.0.clone().publish(request).await;
    let words = "its part";
    refused(
        publish(sent.request.clone()).await,
        Code::FailedPrecondition,
        words,
    );
    world.desk.upload(&sent.blobs[0]).await.expect("the part");
    let words = "1 of its blobs were not uploaded";
    refused(
        publish(sent.request.clone()).await,
        Code::FailedPrecondition,
        words,
    );
    world.desk.upload(&sent.blobs[1]).await.expect("the file");

    let mut without = sent.request.clone();
    without.layers.clear();
    let mut foreign = sent.request.clone();
    foreign.layers[0].role = "zk".into();
    let mut mixed = sent.request.clone();
    let leaf = mixed.layers[0].leaves["web-1"].clone();
    mixed.layers[0].leaves.insert("web-2".into(), leaf);
    let mut garbled = sent.request.clone();
    garbled.manifest = b"{}".to_vec();
    let mut newer = sent.request.clone();
    newer.manifest = b"{\"format\": 99, \"roles\": {}}".to_vec();
    for (request, words) in [
        (
            without,
            "its node layers are not those that its part was made with",
        ),
        (foreign, "its node layers are not those"),
        (mixed, "it says that it is of \"web-1\""),
        (garbled, "the manifest: missing field"),
        (newer, "upgrade cfg-server"),
    ] {
        refused(publish(request).await, Code::FailedPrecondition, words);
    }
    logged::expect(&[
        "WARN",
        "refused operator alice",
        "a publish",
        "upgrade cfg-server",
    ])
    .await;

    publish(sent.request.clone())
        .await
        .expect("it holds together");
}

#[tokio::test]
async fn a_publish_that_comes_too_late() {
    let (_place, world) = world().await;
    let lie = UploadRequest {
        digest: Digest::of(b"y").to_string(),
        data: b"x".to_vec(),
    };
    let outcome = world.desk.0.clone().upload(tokio_stream::iter([lie])).await;
    refused(outcome, Code::InvalidArgument, "what was uploaded is not");

    world.desk.publish(&Release::of(&["web"], 1)).await;
    let sent = Release::of(&["web"], 2).sent();
    for blob in &sent.blobs {
        world.desk.upload(blob).await.expect("a blob is taken");
    }
    let stale = PublishRequest {
        force: false,
        ..sent.request
    };
    let outcome = world.desk.0.clone().publish(stale.clone()).await;
    let words = "somebody published meanwhile";
    refused(outcome, Code::FailedPrecondition, words);
    assert_eq!(world.desk.fleet().await.sequence, 1);
    let seen = PublishRequest {
        expected: world.desk.fleet().await.release,
        ..stale
    };
    let outcome = world.desk.0.clone().publish(seen).await;
    outcome.expect("it follows what was seen");
    assert_eq!(world.desk.fleet().await.sequence, 2);
}

#[tokio::test]
async fn a_release_goes_above_what_machines_have_seen_of_a_server_that_was_restored() {
    let place = Place::new(Kind::Directory);
    let world = World::begin(&place).await;
    let release = Release::of(&["web"], 1);
    world.desk.publish(&release).await;
    let machine = world.machine("web", "web-1").await;
    let mut stream = machine.watches().await.expect("it watches");
    let request = PublishRequest {
        above: 41,
        ..release.sent().request
    };
    let published = world.desk.0.clone().publish(request).await;
    published.expect("it is published");
    assert_eq!(world.desk.fleet().await.sequence, 42);
    loop {
        let news = stream.message().await.expect("news").expect("news");
        if news.sequence == 42 {
            break;
        }
    }
}

#[tokio::test]
async fn certificates_are_renewed() {
    let (_place, world) = world().await;
    let machine = world.machine("web", "web-1").await;
    let key = KeyPair::generate().expect("a key");
    let request = RenewRequest {
        csr: csr("web-1", &key),
    };
    let renewed = machine
        .agents
        .clone()
        .renew(request)
        .await
        .expect("renewed")
        .into_inner();
    assert_eq!((renewed.role.as_str(), renewed.id), ("web", 1));
    let fresh = world.of("web-1", renewed, &key);
    fresh.report("converged").await.expect("the new one works");
    machine
        .report("converged")
        .await
        .expect("the old one too, for a crash between");
    let other = RenewRequest {
        csr: csr("web-2", &key),
    };
    let outcome = machine.agents.clone().renew(other).await;
    refused(outcome, Code::InvalidArgument, "it names \"web-2\"");
    world.desk.revoke("web-1").await;
    refused(
        fresh.report("converged").await,
        Code::PermissionDenied,
        "is revoked",
    );
}

#[tokio::test]
async fn an_enrolment_whose_answer_was_lost_is_repeated() {
    let (_place, world) = world().await;
    let token = world.desk.token("web", 1, 600).await;
    let key = KeyPair::generate().expect("a key");
    world.enrol(&token, "web-1", &key).await.expect("it enrols");
    let again = world
        .enrol(&token, "web-1", &key)
        .await
        .expect("the same again");
    assert_eq!((again.role.as_str(), again.id), ("web", 1));
    world
        .of("web-1", again, &key)
        .report("converged")
        .await
        .expect("it works");
}

#[tokio::test]
async fn the_fleet_as_operators_see_it() {
    let (_place, world) = world().await;
    world.desk.publish(&Release::of(&["web"], 1)).await;
    let one = world.machine("web", "web-1").await;
    let stream = one.watch("10.1.1.1").await.expect("it watches");
    let _two = world.machine("web", "web-2").await;
    world.desk.revoke("web-2").await;
    for result in ["applied", "converged"] {
        one.report(result).await.expect("reported");
    }
    let fleet = world.desk.fleet().await;
    assert_eq!(fleet.sequence, 1);
    let [first, second] = &fleet.nodes[..] else {
        panic!("{fleet:?}");
    };
    assert_eq!(
        (first.name.as_str(), first.address.as_str()),
        ("web-1", "10.1.1.1")
    );
    assert!(first.connected && !first.revoked && first.last_report > 1_700_000_000);
    assert_eq!(first.result, "converged");
    assert!(second.revoked && !second.connected && second.last_report == 0);
    drop(stream);
    let deadline = std::time::Instant::now() + Duration::from_secs(5);
    while world.desk.fleet().await.nodes[0].connected {
        assert!(
            std::time::Instant::now() < deadline,
            "it counts as connected for ever"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn tokens_as_operators_see_them() {
    let (_place, world) = world().await;
    world.desk.publish(&Release::of(&["web"], 1)).await;
    let wrong = CreateTokenRequest {
        role: "wbe".into(),
        uses: 1,
        ttl_seconds: 60,
    };
    let outcome = world.desk.0.clone().create_token(wrong).await;
    refused(
        outcome,
        Code::FailedPrecondition,
        "no role \"wbe\"; it has web",
    );
    let made = world.desk.token("web", 3, 60).await;
    world.machine("web", "web-1").await;
    let listed = world.desk.0.clone().list_tokens(ListTokensRequest {}).await;
    let tokens = listed.expect("a list").into_inner().tokens;
    let text = format!("{tokens:?}");
    assert!(!text.contains(&made), "a token is shown once");
    let mut short: Vec<(&str, u32)> = tokens
        .iter()
        .map(|token| (token.role.as_str(), token.uses_left))
        .collect();
    short.sort_unstable();
    assert_eq!(short, [("", 0), ("web", 0), ("web", 3)]);
    let none = RevokeTokenRequest { id: "x".into() };
    let outcome = world.desk.0.clone().revoke_token(none).await;
    refused(outcome, Code::NotFound, "there is no token \"x\"");
}

#[tokio::test]
async fn two_servers_serve_one_fleet() {
    let (_place, world) = world().await;
    // The second has the same CA and store, and ports of its own.
    let second = Running::start(&world.config).await.expect("started");
    let machine = world.machine("web", "web-1").await;
    let tls = crate::channel::tls(&world.ca, Some(&machine.identity));
    let channel = crate::channel::open(second.address, tls);
    let mut elsewhere = agents_client::AgentsClient::new(channel);
    let facts = crate::world::facts(&crate::world::address(&machine.name));
    let stream = elsewhere.watch(WatchRequest { facts }).await;
    let mut stream = stream.expect("it is known there at once").into_inner();
    next(&mut stream).await;
    world.desk.publish(&Release::of(&["web"], 1)).await;
    assert_eq!(
        next(&mut stream).await.sequence,
        1,
        "published at the other"
    );
    world.desk.revoke("web-1").await;
    let end = tokio::time::timeout(Duration::from_secs(5), stream.message()).await;
    refused(
        end.expect("within seconds"),
        Code::PermissionDenied,
        "is revoked",
    );
}
