//! The README's first command, in a fresh clone, as root and as an ordinary user.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use cfg_tests::{output, server_binary};

/// Clones the project for `user`, and runs the tour there. The build is warm: it is the tour that is tested.
fn tour(user: &str, port: u16) -> Result<String> {
    let dir = tempfile::tempdir().context("scratch folder")?;
    let project = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let built = server_binary()?;
    let target = built.ancestors().nth(2).context("target folder")?;
    let script = r#"
        set -e
        cd "$1"
        git clone --quiet --no-hardlinks -c safe.directory='*' "$2" clone
        cp -a "$3" target
        chown -R "$4": .
        chmod 755 .
        exec setpriv --reuid "$4" --regid "$4" --clear-groups env HOME="$1" CARGO_TARGET_DIR="$1/target" CFG_TOUR="$1/tour" CFG_TOUR_PORT="$5" clone/tests/tour
    "#;
    let out = output(
        Command::new("bash")
            .args(["-c", script, "tour"])
            .arg(dir.path())
            .arg(&project)
            .arg(target)
            .arg(user)
            .arg(port.to_string()),
    )?;
    let shown = out.success()?;
    ensure!(
        shown.contains("(exit code 2)") && shown.contains("(exit code 0)"),
        "{shown}"
    );
    Ok(shown)
}

#[test]
fn as_root() -> Result<()> {
    tour("root", 17443).map(drop)
}

#[test]
fn as_an_ordinary_user() -> Result<()> {
    tour("nobody", 17453).map(drop)
}
