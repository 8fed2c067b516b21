//! What the daemon hears from systemd and tells it.

use crate::error::Error;
use sd_notify::NotifyState;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tracing::debug;

/// Turns true when it is time to end.
pub fn stop_signal() -> Result<watch::Receiver<bool>, Error> {
    let failed = |error: std::io::Error| Error::Failed(error.into());
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    let (says, hears) = watch::channel(false);
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        says.send_replace(true);
        notify(&[
            NotifyState::Stopping,
            NotifyState::Status("finishing the run"),
        ]);
        // Dropping the sender would look like the end of all signals.
        std::future::pending::<()>().await;
    });
    Ok(hears)
}

/// What `systemctl status` shows.
pub fn status(text: &str) {
    notify(&[NotifyState::Status(text)]);
}

/// Tells systemd, where it asked to be told.
pub fn notify(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        debug!("systemd was not told: {error}");
    }
}
