//! The server wants to know whether this machine is healthy, since another one would be disrupted.

use super::server::Server;
use cfg_catalog::chain;
use tokio::sync::watch::Receiver;
use tracing::debug;

/// Answers whoever asks, one after the other; who asked in between is the last one's business. `healthy` finds out; where
/// nobody can tell, nothing is said.
pub async fn answer<F>(server: Server, mut asked: Receiver<u64>, healthy: impl Fn() -> F)
where
    F: Future<Output = Option<bool>>,
{
    while asked.changed().await.is_ok() {
        let probe = *asked.borrow_and_update();
        let Some(healthy) = healthy().await else {
            debug!("whether this machine is healthy cannot be told");
            continue;
        };
        debug!("probe {probe}: healthy is {healthy}");
        if let Err(error) = server.health(probe, healthy).await {
            debug!("probe {probe} is not answered: {}", chain(&error));
        }
    }
}
