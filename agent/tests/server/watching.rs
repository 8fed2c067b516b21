//! The line to the server.

use crate::peer::Peer;
use crate::server;
use cfg_agent::client::record::Standing;
use cfg_agent::client::watch::{Line, follow};
use cfg_wire::News;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::watch;

async fn next(heard: &mut watch::Receiver<Line>) -> Line {
    let changed = tokio::time::timeout(Duration::from_secs(10), heard.changed());
    changed.await.expect("nothing is heard").unwrap();
    heard.borrow_and_update().clone()
}

#[tokio::test]
async fn news_are_heard_at_once_and_ticks_wake_nobody() {
    let peer = Peer::start().await;
    let folder = tempfile::tempdir().unwrap();
    let server = server(&peer, folder.path()).await;
    let (says, mut heard) = watch::channel(Line::Dialling);
    let (probes, mut asked) = watch::channel(0);
    let line = tokio::spawn(follow(
        server,
        b"{\"facts\": 1}".to_vec(),
        (says, probes),
        Default::default(),
    ));
    assert_eq!(next(&mut heard).await, Line::Hears(News::default()));
    assert_eq!(
        *peer.script.facts.lock().unwrap(),
        [b"{\"facts\": 1}".to_vec()]
    );

    peer.script.news.send_replace(News::default());
    let tick = tokio::time::timeout(Duration::from_millis(300), heard.changed());
    assert!(tick.await.is_err(), "the same news again is none");

    let news = News {
        sequence: 2,
        view: 7,
        probe: 0,
    };
    peer.script.news.send_replace(news);
    assert_eq!(next(&mut heard).await, Line::Hears(news));

    // A probe is no news, and is heard apart.
    peer.script.news.send_replace(News { probe: 3, ..news });
    let probe = tokio::time::timeout(Duration::from_secs(10), asked.changed());
    probe.await.expect("the probe is not heard").unwrap();
    assert_eq!(*asked.borrow_and_update(), 3);
    assert!(!heard.has_changed().unwrap());
    line.abort();
}

#[tokio::test]
async fn a_line_that_breaks_says_so_and_goes_on_trying() {
    let peer = Peer::start().await;
    let folder = tempfile::tempdir().unwrap();
    let server = server(&peer, folder.path()).await;
    let (says, mut heard) = watch::channel(Line::Dialling);
    let (probes, _asked) = watch::channel(0);
    let breaks = Arc::<AtomicU64>::default();
    let line = tokio::spawn(follow(server, Vec::new(), (says, probes), breaks.clone()));
    assert!(matches!(next(&mut heard).await, Line::Hears(_)));
    drop(peer);
    let broken = next(&mut heard).await;
    assert!(
        matches!(
            broken,
            Line::Broken {
                standing: Standing::Away,
                ..
            }
        ),
        "{broken:?}"
    );
    assert!(!line.is_finished() && breaks.load(Ordering::Relaxed) > 0);
    line.abort();
}
