//! What hosts boot from.

use anyhow::{Context, Result};

/// The read-only layers below a host's own disk. `tests/hosts/prepare.sh` makes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Image {
    /// Debian 12 as a cloud boots it: systemd, cloud-init, apt without a source; no curl, no Java.
    Debian,
    /// The same with a Java runtime, so that ZooKeeper is installed in seconds.
    DebianWithJava,
}

impl Image {
    /// The layers as overlayfs names them, topmost first.
    pub(crate) fn layers(self) -> Result<String> {
        let base = from_sandbox("CFG_BASE")?;
        Ok(match self {
            Image::Debian => base,
            Image::DebianWithJava => format!("{}:{base}", from_sandbox("CFG_JAVA")?),
        })
    }
}

/// What `sandbox.sh` tells those inside.
pub(crate) fn from_sandbox(variable: &str) -> Result<String> {
    std::env::var(variable)
        .with_context(|| format!("{variable} is not set: this runs outside of a sandbox"))
}
