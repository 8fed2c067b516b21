//! The log and what lies beside it, on every kind of store.

use crate::azurite::Azurite;
use crate::on_every_store;
use crate::place::{Kind, Place, azure};
use crate::release::Release;
use crate::world::{Desk, World};
use bytes::Bytes;
use cfg_catalog::digest::Digest;
use cfg_server::founding;
use cfg_server::log::Log;
use cfg_server::refusal::Refusal;
use cfg_server::server::{Running, Server};
use cfg_server::state::State;
use cfg_server::state::event::{Event, Purpose};
use cfg_server::state::token::Wanted;
use cfg_server::store::{Created, Store};
use futures::TryStreamExt;
use std::collections::BTreeSet;
use std::time::Duration;

async fn store(place: &Place) -> Store {
    Store::open(place.store()).await.expect("the store opens")
}

async fn log(place: &Place) -> Log {
    Log::open(store(place).await).await.expect("the log opens")
}

/// One event that always can be.
fn token(text: String) -> impl FnMut(&State) -> Result<(Vec<Event>, ()), Refusal> + Send + 'static {
    let event = Event::TokenCreated {
        hash: Digest::of(text.as_bytes()),
        purpose: Purpose::Operator,
        uses: 1,
        expires: u64::MAX / 2,
    };
    move |_: &State| Ok((vec![event.clone()], ()))
}

fn entry(number: u64) -> String {
    format!("log/{number:020}")
}

on_every_store! {
    async fn bytes_by_path(place) {
        let store = store(&place).await;
        assert_eq!(store.read("a/b").await.unwrap(), None);
        assert_eq!(store.size("a/b").await.unwrap(), None);
        assert_eq!(store.create("a/b", "one".into()).await.unwrap(), Created::Now);
        assert_eq!(store.create("a/b", "two".into()).await.unwrap(), Created::Before);
        assert_eq!(store.read("a/b").await.unwrap(), Some(Bytes::from("one")));
        store.write("a/b", "three".into()).await.unwrap();
        store.write("a/c/d", "".into()).await.unwrap();
        store.write("ab", "".into()).await.unwrap();
        assert_eq!(store.size("a/b").await.unwrap(), Some(5));
        let paths = |listed: Vec<cfg_server::store::Listed>| {
            listed.into_iter().map(|found| found.path).collect::<BTreeSet<_>>()
        };
        let listed = store.list("a").try_collect().await.unwrap();
        assert_eq!(paths(listed), BTreeSet::from(["a/b".into(), "a/c/d".into()]));
        let listed = store.list_after("a", "a/b").try_collect().await.unwrap();
        assert_eq!(paths(listed), BTreeSet::from(["a/c/d".into()]));
        let stream = store.stream("a/b").await.unwrap().unwrap();
        let bytes: Vec<Bytes> = stream.try_collect().await.unwrap();
        assert_eq!(bytes.concat(), b"three");
        assert!(store.stream("nothing").await.unwrap().is_none());
        store.remove("a/b").await.unwrap();
        store.remove("a/b").await.unwrap();
        assert_eq!(store.read("a/b").await.unwrap(), None);
    }

    async fn only_one_creates(place) {
        let (one, other) = (store(&place).await, store(&place).await);
        for number in 0..20 {
            let path = format!("race/{number}");
            let (first, second) = tokio::join!(
                one.create(&path, "one".into()),
                other.create(&path, "other".into()),
            );
            let winner = match (first.unwrap(), second.unwrap()) {
                (Created::Now, Created::Before) => "one",
                (Created::Before, Created::Now) => "other",
                both => panic!("{both:?}"),
            };
            assert_eq!(one.read(&path).await.unwrap(), Some(Bytes::from(winner)));
        }
    }

    async fn two_writers_lose_nothing(place) {
        let logs = [log(&place).await, log(&place).await];
        let mut tasks = tokio::task::JoinSet::new();
        for (writer, log) in logs.iter().enumerate() {
            for at in 0..40 {
                let log = log.clone();
                tasks.spawn(async move {
                    let text = format!("{writer}-{at}");
                    log.commit("test", token(text.clone())).await.map(|()| text)
                });
            }
        }
        let mut acknowledged = BTreeSet::new();
        while let Some(done) = tasks.join_next().await {
            let text = done.unwrap().expect("it is acknowledged");
            acknowledged.insert(Digest::of(text.as_bytes()));
        }
        assert_eq!(acknowledged.len(), 80);
        let again = Log::open(store(&place).await).await.unwrap();
        let states = [
            again.state(),
            logs[0].level().await.unwrap(),
            logs[1].level().await.unwrap(),
        ];
        for state in states {
            assert_eq!(state.tokens.keys().copied().collect::<BTreeSet<_>>(), acknowledged);
            assert_eq!(state.events, 80, "none counted twice");
        }
    }

    async fn a_use_is_spent_once_by_two_servers(place) {
        let logs = [log(&place).await, log(&place).await];
        let spend = |log: Log, name: String| async move {
            let decide = move |state: &State| {
                // Five places, first come, first served.
                if state.tokens.len() >= 5 {
                    return Err(Refusal::SpentToken("t".into()));
                }
                token(name.clone())(state)
            };
            log.commit("test", decide).await
        };
        let rush = (0..30).map(|at| spend(logs[at % 2].clone(), format!("t{at}")));
        let outcomes = futures::future::join_all(rush).await;
        assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 5);
        let refused = outcomes.iter().filter(|outcome| matches!(outcome, Err(Refusal::SpentToken(_))));
        assert_eq!(refused.count(), 25);
        assert_eq!(logs[0].level().await.unwrap().tokens.len(), 5);
    }

    async fn a_follower_hears_of_it(place) {
        let (writer, follower) = (log(&place).await, log(&place).await);
        let mut states = follower.subscribe();
        states.borrow_and_update();
        writer.commit("test", token("t".into())).await.unwrap();
        let heard = tokio::time::timeout(Duration::from_secs(5), states.changed()).await;
        heard.expect("within seconds").expect("it follows");
        assert_eq!(follower.state().tokens.len(), 1);
    }

    async fn a_refusal_counts_only_when_level(place) {
        let (writer, follower) = (log(&place).await, log(&place).await);
        writer.commit("test", token("t".into())).await.unwrap();
        let look = |state: &State| match state.tokens.len() {
            0 => Err(Refusal::UnknownToken),
            count => Ok(count),
        };
        // No second has passed: it looks before it says no.
        assert_eq!(follower.look(look).await.unwrap(), 1);
    }

    async fn snapshots_shorten_the_start(place) {
        let log = log(&place).await;
        for at in 0..300 {
            log.commit("test", token(at.to_string())).await.unwrap();
        }
        let store = store(&place).await;
        let deadline = std::time::Instant::now() + Duration::from_secs(10);
        let snapshot = loop {
            let listed: Vec<_> = store.list("snapshot").try_collect().await.unwrap();
            if let [only] = &listed[..] {
                break only.path.clone();
            }
            assert!(std::time::Instant::now() < deadline, "no snapshot: {listed:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        };
        // What the snapshot holds need not be read again ...
        let first = store.read(&entry(1)).await.unwrap().unwrap();
        store.remove(&entry(1)).await.unwrap();
        let again = Log::open(store.clone()).await.unwrap();
        assert_eq!(*again.state(), *log.state());
        assert_eq!(again.state().tokens.len(), 300);
        // ... but a snapshot is only a help: damaged, all is read from the beginning.
        store.write(&snapshot, "torn".into()).await.unwrap();
        let error = Log::open(store.clone()).await.unwrap_err().to_string();
        assert!(error.contains(&entry(1)) && error.contains("is missing"), "{error}");
        store.write(&entry(1), first).await.unwrap();
        assert_eq!(*Log::open(store).await.unwrap().state(), *log.state());
    }

    async fn damage_is_seen_and_said(place) {
        let writer = log(&place).await;
        for at in 0..4 {
            writer.commit("test", token(at.to_string())).await.unwrap();
        }
        drop(writer);
        let store = store(&place).await;
        let good = store.read(&entry(3)).await.unwrap().unwrap();
        let other = store.read(&entry(2)).await.unwrap().unwrap();
        let mut flipped = good.to_vec();
        flipped[100] ^= 1;
        for (bytes, words) in [
            (Bytes::new(), "is damaged: it has 0 bytes"),
            (good.slice(..good.len() / 2), "is damaged: its content is not what its digest says"),
            (flipped.into(), "is damaged"),
            (other, "is damaged: it does not follow the entry before"),
        ] {
            store.write(&entry(3), bytes).await.unwrap();
            let error = Log::open(store.clone()).await.unwrap_err().to_string();
            assert!(error.contains(&entry(3)) && error.contains(words), "{error}");
        }
        store.remove(&entry(3)).await.unwrap();
        let error = Log::open(store.clone()).await.unwrap_err().to_string();
        assert!(error.contains(&entry(3)) && error.contains("is missing"), "{error}");
        store.write(&entry(3), good).await.unwrap();
        assert_eq!(Log::open(store).await.unwrap().state().tokens.len(), 4);
    }

    async fn a_restart_finds_all_of_it(place) {
        let world = World::begin(&place).await;
        let release = Release::of(&["web"], 1).with_leaf("web", "keeper-1", "{\"a\": 1}");
        world.desk.publish(&release).await;
        world.desk.publish(&Release::of(&["web"], 2)).await;
        let before = world.desk.publish(&release).await;
        let keeper = world.machine("web", "keeper-1").await;
        let gone = world.machine("web", "goner-1").await;
        world.desk.revoke("goner-1").await;
        let token = world.desk.token("web", 1, 600).await;
        keeper.report("applied").await.expect("reported");
        let state = world.running.server.log.state();
        let fleet = world.desk.fleet().await;

        let world = world.restarted().await;
        assert_eq!(*world.running.server.log.state(), *state);
        assert_eq!(world.desk.fleet().await, fleet);
        assert_eq!(fleet.nodes[1].result, "applied");
        let keeper = world.agents(&keeper.identity);
        let request = cfg_wire::AssignmentRequest { format: 1 };
        let assigned = keeper.clone().assignment(request).await.expect("its role").into_inner();
        assert_eq!(assigned.envelope, before);
        assert_eq!(assigned.leaf, release.roles["web"].leaves["keeper-1"]);
        assert!(world.agents(&gone.identity).assignment(request).await.is_err());
        let key = rcgen::KeyPair::generate().unwrap();
        let id = world.enrol(&token, "new-1", &key).await.expect("the token works").id;
        assert_eq!(id, 3, "ids go on");
    }

    async fn reports_are_no_entries_and_every_server_finds_them(place) {
        let world = World::begin(&place).await;
        world.desk.publish(&Release::of(&["web"], 1)).await;
        let machine = world.machine("web", "web-1").await;
        let store = store(&place).await;
        let entries = || async { store.list("log").try_collect::<Vec<_>>().await.unwrap().len() };
        let (before, state) = (entries().await, world.running.server.log.state());
        let results = ["applied", "converged", "failed"];
        for number in 0..60 {
            machine.report(results[number % 3]).await.expect("it is taken");
        }
        assert_eq!(entries().await, before);
        assert_eq!(*world.running.server.log.level().await.unwrap(), *state);
        // Forty of them told something; an entry more would be seen.
        let runs: Vec<_> = store.list("runs/web-1").try_collect().await.unwrap();
        assert_eq!(runs.len(), 40);
        world.desk.token("web", 1, 600).await;
        assert_eq!(entries().await, before + 1);

        let other = Running::start(&world.config).await.expect("another server");
        let desk = Desk::at(other.address, &world.ca, &world.alice);
        let there = desk.fleet().await;
        assert_eq!(there.nodes[0].result, "failed");
        machine.report("applied").await.expect("it is taken");
        assert_eq!(desk.fleet().await.nodes[0].result, "applied", "of a server beside it");
        drop(other);
        let fleet = world.desk.fleet().await;
        let world = world.restarted().await;
        assert_eq!(world.desk.fleet().await, fleet);
    }

    async fn a_fleet_begins_once(place) {
        let config = place.config();
        let founded = founding::found(&config, "fleet").await.unwrap();
        let again = founding::found(&config, "other").await.err().unwrap();
        assert!(again.to_string().contains("left as it is"), "{again:#}");
        let server = Server::open(&config).await.unwrap();
        assert_eq!(server.fleet.name, "fleet");
        assert_eq!(server.fleet.ca, founded.ca.digest());
        // With another CA, nobody serves this store.
        std::fs::remove_dir_all(config.data.join("pki")).unwrap();
        cfg_server::pki::ca::Ca::create(&config.data, "fleet", cfg_server::pki::ca::LIFE).unwrap();
        let error = Server::open(&config).await.err().unwrap();
        assert!(error.to_string().contains("another CA"), "{error:#}");
    }

    async fn an_init_cut_short_is_taken_up(place) {
        let config = place.config();
        let ca = cfg_server::pki::ca::Ca::create(&config.data, "fleet", cfg_server::pki::ca::LIFE).unwrap();
        let error = Running::start(&config).await.err().unwrap();
        assert!(format!("{error:#}").contains("run cfg-server init first"), "{error:#}");
        let founded = founding::found(&config, "fleet").await.unwrap();
        assert_eq!(founded.ca.digest(), ca.digest());
    }

    async fn a_token_made_beside_a_running_server_works(place) {
        let world = World::begin(&place).await;
        // As cfg-server cloud-init does it: another process, the same store.
        let wanted = Wanted { purpose: Purpose::Role("web".into()), uses: 1, ttl_s: 600 };
        let (secret, warning) = log(&place).await.create_token("test", wanted).await.unwrap();
        assert!(warning.is_some_and(|text| text.contains("nothing is published yet")));
        let key = rcgen::KeyPair::generate().unwrap();
        world.enrol(secret.text(), "beside-1", &key).await.expect("it enrols at once");
    }
}

#[tokio::test]
async fn a_container_that_is_not_there() {
    let place = Place::new(Kind::Directory);
    let config = azure("not-there", place.folder());
    let error = Store::open(&config).await.err().unwrap().to_string();
    assert!(error.contains("az storage container create"), "{error}");
    Azurite::get();
}

#[tokio::test]
async fn a_wrong_key() {
    let place = Place::new(Kind::Azurite);
    let config = place.store().clone();
    for (key, words) in [
        ("d3Jvbmc=", "refuses the credentials"),
        ("no base64", "azure://"),
    ] {
        std::fs::write(config.key_file.as_ref().unwrap(), key).unwrap();
        let error = Store::open(&config).await.err().unwrap();
        assert!(error.to_string().contains(words), "{error:?}");
        assert!(!format!("{error:?}").contains(key), "{error:?}");
    }
    let both = cfg_server::config::StoreConfig {
        sas_file: config.key_file.clone(),
        ..config
    };
    let error = Store::open(&both).await.err().unwrap().to_string();
    assert!(error.contains("one of them"), "{error}");
}

#[tokio::test]
async fn urls_that_are_none() {
    for (url, words) in [
        ("", "is wanted"),
        ("/var/lib", "is wanted"),
        ("s3://bucket", "is wanted"),
        ("file://relative", "not absolute"),
        ("azure://", "names no container"),
    ] {
        let config = cfg_server::config::StoreConfig {
            url: url.into(),
            ..Default::default()
        };
        let error = Store::open(&config).await.err().unwrap().to_string();
        assert!(error.contains(words), "{url}: {error}");
    }
}
