//! What a sandbox promises: a test cannot pass without it, and nothing outlives it.

use std::env;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use cfg_tests::{Sandbox, becomes, eventually, output};

fn no_test() -> Result<()> {
    Sandbox::run(|_| Ok(()))
}

#[test]
fn a_body_that_never_ran_is_a_failure() {
    let error = no_test().unwrap_err().to_string();
    assert!(error.contains("never ran in its sandbox"), "{error}");
}

#[test]
fn a_failure_inside_is_a_failure_outside() -> Result<()> {
    let result = Sandbox::run(|_| bail!("on purpose"));
    if env::var_os("CFG_SANDBOX").is_some() {
        return result;
    }
    let error = result.unwrap_err().to_string();
    assert!(error.contains("failed in its sandbox"), "{error}");
    Ok(())
}

#[test]
fn nothing_survives_when_a_sandbox_is_killed() -> Result<()> {
    let hosts = Path::new(env!("CARGO_MANIFEST_DIR")).join("hosts");
    let boots =
        "\"$0\"/plug.sh vm-1 10.77.0.11 && exec \"$0\"/boot.sh vm-1 \"$CFG_JAVA:$CFG_BASE\"";
    let mut sandbox = Command::new(hosts.join("sandbox.sh"))
        .args(["killed", "bash", "-c", boots])
        .arg(&hosts)
        .stdin(Stdio::null())
        .spawn()
        .context("sandbox.sh")?;
    let id = sandbox.id();
    let mounted =
        output(Command::new("findmnt").args(["-n", "-t", "cgroup2", "-o", "TARGET"]))?.success()?;
    let cgroup2 = mounted
        .lines()
        .next()
        .context("no cgroup2 on this machine")?;
    let cgroup = Path::new(cgroup2).join(format!("cfg-tests.{id}"));

    let journal = cgroup.join("vm-1/payload/system.slice/systemd-journald.service/cgroup.events");
    let booted = eventually("the host boots", Duration::from_secs(300), || {
        let ended = sandbox.try_wait()?.is_some();
        let runs = fs::read_to_string(&journal).is_ok_and(|text| text.contains("populated 1"));
        ensure!(ended || runs, "no journald in it");
        Ok(runs)
    });
    sandbox.kill()?;
    sandbox.wait()?;
    assert!(booted?, "the sandbox ended by itself");
    becomes(
        "all its processes are gone",
        Duration::from_secs(10),
        true,
        || {
            // Another sandbox that starts just now removes the empty cgroup.
            let events = fs::read_to_string(cgroup.join("cgroup.events"));
            Ok(events.map_or(true, |text| text.contains("populated 0")))
        },
    )
}
