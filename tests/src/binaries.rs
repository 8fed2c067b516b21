//! The programs under test.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

use anyhow::{Result, bail};

/// The agent that hosts run: `$CFG_AGENT_BIN`, else `target/release/cfg`.
pub fn agent_binary() -> Result<PathBuf> {
    binary("CFG_AGENT_BIN", "cfg")
}

/// The server: `$CFG_SERVER_BIN`, else `target/release/cfg-server`.
pub fn server_binary() -> Result<PathBuf> {
    binary("CFG_SERVER_BIN", "cfg-server")
}

/// Copies a program that is to be run at once. By a process of its own: what another thread starts while this process has the
/// copy open for writing has it open too until it is loaded, and so long the kernel runs it for nobody ("text file busy").
///
/// # Panics
/// Where it cannot be copied.
pub fn copy_program(from: impl AsRef<Path>, to: impl AsRef<Path>) {
    let (from, to) = (from.as_ref(), to.as_ref());
    let copied = Command::new("cp").arg(from).arg(to).status();
    assert!(
        copied.as_ref().is_ok_and(ExitStatus::success),
        "{} to {}: {copied:?}",
        from.display(),
        to.display()
    );
}

fn binary(variable: &str, name: &str) -> Result<PathBuf> {
    let path = match env::var_os(variable) {
        Some(path) => PathBuf::from(path),
        None => {
            let target = env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
            target
                .unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../target"))
                .join("release")
                .join(name)
        }
    };
    if !path.is_file() {
        bail!(
            "no program under test at {}: build it with `tests/build`, or say where it is in {variable}",
            path.display()
        );
    }
    Ok(path)
}
