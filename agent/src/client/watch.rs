//! The line to the server: held open, made again when it breaks, with less and less hurry.

use super::backoff::{Backoff, random};
use super::channel::CallError;
use super::record::Standing;
use super::server::Server;
use cfg_wire::News;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::watch::Sender;

/// Between two tries, at first and at most.
const FIRST: Duration = Duration::from_secs(1);
const MOST: Duration = Duration::from_secs(120);

/// What is heard.
#[derive(Clone, Debug, PartialEq)]
pub enum Line {
    /// Nothing yet.
    Dialling,
    /// The newest news, on a line that stands. No probe is among them: it asks for no run.
    Hears(News),
    /// The line is broken, or was never made.
    Broken {
        /// In words.
        why: String,
        /// What that means for the standing.
        standing: Standing,
    },
}

/// Keeps the line for as long as it is polled, and says what is heard; probes apart, each once, and the last one again
/// where the line was made again: nobody knows whether its answer arrived. Counts how often it broke.
pub async fn follow(
    server: Server,
    facts: Vec<u8>,
    (heard, probes): (Sender<Line>, Sender<u64>),
    breaks: Arc<AtomicU64>,
) {
    let mut backoff = Backoff::new(FIRST, MOST);
    loop {
        let error = listen(&server, &facts, (&heard, &probes), &mut backoff).await;
        breaks.fetch_add(1, Ordering::Relaxed);
        heard.send_replace(Line::Broken {
            why: error.to_string(),
            standing: Standing::of_call(&error),
        });
        tokio::time::sleep(backoff.wait(random())).await;
    }
}

async fn listen(
    server: &Server,
    facts: &[u8],
    (heard, probes): (&Sender<Line>, &Sender<u64>),
    backoff: &mut Backoff,
) -> CallError {
    let mut stream = match server.watch(facts.to_vec()).await {
        Ok(stream) => stream,
        Err(error) => return error,
    };
    let mut asked = 0;
    loop {
        match stream.message().await {
            Ok(Some(News {
                sequence,
                view,
                probe,
            })) => {
                backoff.reset();
                if probe != 0 && probe != asked {
                    asked = probe;
                    probes.send_replace(probe);
                }
                let news = News {
                    sequence,
                    view,
                    probe: 0,
                };
                heard.send_if_modified(|line| {
                    let new = Line::Hears(news);
                    let differs = *line != new;
                    *line = new;
                    differs
                });
            }
            Ok(None) => return server.meaning(&tonic::Status::cancelled("it closed the line")),
            Err(status) => return server.meaning(&status),
        }
    }
}
