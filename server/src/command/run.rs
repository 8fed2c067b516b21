//! `cfg-server run`.

use crate::config::Config;
use crate::server::Running;
use anyhow::{Context, bail};
use sd_notify::NotifyState;
use tokio::signal::unix::{SignalKind, signal};
use tracing::{info, warn};

pub(super) async fn run(config: &Config) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("SIGINT")?;
    let mut running = Running::start(config).await?;
    // Without systemd there is nobody to tell.
    if let Err(error) = sd_notify::notify(&[NotifyState::Ready]) {
        warn!("systemd was not told: {error}");
    }
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        () = running.ended() => bail!("a part of the server ended"),
    }
    info!("stopping");
    Ok(())
}
