//! Machines that nobody sees any more, in roles that say after how long such a one counts no more.

use crate::clock;
use crate::refusal::Refusal;
use crate::server::Server;
use crate::state::State;
use crate::state::slot::Slot;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tracing::warn;

/// How often is looked.
const LOOK: Duration = Duration::from_secs(5);
/// Who the log says it was.
const BY: &str = "cfg-server";

/// Looks for them until the server stops.
pub async fn watch(server: Arc<Server>) {
    // When each was last seen by this server: a machine that it never saw, when it began to look.
    let mut seen: BTreeMap<String, Instant> = BTreeMap::new();
    loop {
        tokio::time::sleep(LOOK).await;
        let state = server.log.state();
        // One that came back while it was being given up.
        for name in state.gone.iter().filter(|name| server.watching.has(name)) {
            if let Err(refusal) = back(&server, name).await {
                warn!("that {name} is back cannot be said: {refusal}");
            }
        }
        let is_there = |name: &str| server.watching.has(name);
        let missed = missed(&state, &mut seen, Instant::now(), is_there);
        if missed.is_empty() {
            continue;
        }
        if let Err(refusal) = gone(&server, missed).await {
            warn!("who is gone cannot be said: {refusal}");
        }
    }
}

/// Those whose time is over as far as this server has seen; notes all that it sees now.
fn missed(
    state: &State,
    seen: &mut BTreeMap<String, Instant>,
    now: Instant,
    is_there: impl Fn(&str) -> bool,
) -> BTreeSet<String> {
    let patient: Vec<(&String, u64)> = state.patient().collect();
    let names: BTreeSet<&str> = patient.iter().map(|(name, _)| name.as_str()).collect();
    seen.retain(|name, _| names.contains(name.as_str()));
    let mut missed = BTreeSet::new();
    for (name, seconds) in patient {
        let at = seen.entry(name.clone()).or_insert(now);
        if is_there(name) {
            *at = now;
        } else if now.saturating_duration_since(*at) >= Duration::from_secs(seconds) {
            missed.insert(name.clone());
        }
    }
    missed
}

/// Other servers may see them: then they report.
async fn gone(server: &Server, mut missed: BTreeSet<String>) -> Result<(), Refusal> {
    let state = server.log.state();
    let reports = server.reports.all(&state).await?;
    let now = clock::now();
    for (name, seconds) in state.patient() {
        let reported = reports.get(name).map(|report| report.received_ms / 1000);
        if reported.is_some_and(|at| now.saturating_sub(at) < seconds) {
            missed.remove(name);
        }
    }
    if missed.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = missed.iter().map(String::as_str).collect();
    warn!(
        "unseen for as long as their role allows: {}",
        names.join(", ")
    );
    let leases = server.leases.clone();
    let age = move |slot: &Slot| leases.age(slot);
    let decide = move |state: &State| Ok((state.lose(&missed, &age), ()));
    server.log.commit(BY, decide).await
}

/// A machine is there again.
///
/// # Errors
/// Where the store does not answer.
pub async fn back(server: &Server, name: &str) -> Result<(), Refusal> {
    if !server.log.state().gone.contains(name) {
        return Ok(());
    }
    let by = format!("node {name}");
    let name = name.to_owned();
    let decide = move |state: &State| Ok((state.find(&name), ()));
    server.log.commit(by, decide).await
}
