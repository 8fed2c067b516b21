//! A machine whose disk is copied: the copy is another machine, and does nothing by the identity that it found there.

use std::time::Duration;

use anyhow::{Result, ensure};
use cfg_tests::{CFG, Catalog, Host, Installation, Sandbox, becomes, eventually, status};

const SOON: Duration = Duration::from_secs(60);
/// Two intervals and more.
const A_WHILE: &str = "7";
const WORD: &str = "/etc/word";
const ROLE: &str = "[file.\"/etc/word\"]\ncontent = \"declared\\n\"\n";

#[test]
fn a_copy_stops_and_asks_to_be_enrolled() -> Result<()> {
    Sandbox::run(|sandbox| {
        let installation = Installation::start(sandbox)?;
        let catalog = Catalog::shipped(sandbox)?;
        catalog.write("probe/role.toml", ROLE)?;
        installation.publish(catalog.dir())?;
        let original = sandbox.host("original", "10.77.0.11")?;
        original.boot()?;
        original.write_file("/etc/cfg/agent.toml", "interval = \"3s\"\nsplay = \"0s\"\n")?;
        installation.enroll_with(&original, "probe", &["--start"])?;
        does_its_role(&original)?;
        original.stop()?;

        let copy = sandbox.host("copy", "10.77.0.12")?;
        original.copy_disk(&copy)?;
        // What a cloud takes out of an image, and the first boot makes anew.
        copy.write_file("/etc/machine-id", "00112233445566778899aabbccddeeff\n")?;
        for host in [&original, &copy] {
            host.write_file(WORD, "drifted\n")?;
            host.start()?;
        }
        original.wait_until_up()?;
        copy.wait_until_booted()?;
        does_its_role(&original)?;
        asks_to_be_enrolled(&copy)?;
        assert_eq!(names(&installation)?, ["original 10.77.0.11"]);
        sandbox.step("the copy has stopped, and says why; the original goes on");

        installation.enroll_with(&copy, "probe", &["--start"])?;
        does_its_role(&copy)?;
        assert_eq!(
            names(&installation)?,
            ["copy 10.77.0.12", "original 10.77.0.11"]
        );
        original.write_file(WORD, "drifted\n")?;
        does_its_role(&original)?;
        sandbox.step("enrolled, it is a machine of its own");
        Ok(())
    })
}

fn does_its_role(host: &Host) -> Result<()> {
    becomes(
        "its file is as declared",
        SOON,
        "declared\n".to_owned(),
        || host.read_file(WORD),
    )
}

/// Its agent has ended, in words, and no run was made: not by itself, and not when somebody calls for one.
fn asks_to_be_enrolled(host: &Host) -> Result<()> {
    let words = "is a copy of original, which has this identity: enrol it as a machine of its own, with a token";
    eventually("its agent says so and ends", SOON, || {
        let ended = host.run([
            "systemctl",
            "show",
            "--property=ActiveState,ExecMainStatus",
            "cfg-agent",
        ])?;
        ensure!(
            ended.contains("ActiveState=failed") && ended.contains("ExecMainStatus=78"),
            "{ended}"
        );
        let told = host.run([
            "journalctl",
            "--no-pager",
            "-b",
            "-o",
            "cat",
            "-u",
            "cfg-agent",
        ])?;
        ensure!(told.contains(words), "{told}");
        Ok(())
    })?;
    let before = status(host)?;
    assert_eq!(before["copied"], true, "{before:#}");
    let run = host.exec([CFG, "apply"])?;
    ensure!(run.status == 78 && run.stderr.contains(words), "{run}");
    host.run(["sleep", A_WHILE])?;
    assert_eq!(status(host)?["last_run"], before["last_run"]);
    assert_eq!(
        host.read_file(WORD)?,
        "drifted\n",
        "it did what it is not asked to"
    );
    let told = host.run([CFG, "status"])?;
    ensure!(told.contains("copied    this machine is a copy"), "{told}");
    Ok(())
}

/// Who is in the fleet, and where.
fn names(installation: &Installation) -> Result<Vec<String>> {
    let fleet = installation.desk(&["fleet", "--json"])?.json()?;
    let word =
        |node: &serde_json::Value, key: &str| node[key].as_str().unwrap_or_default().to_owned();
    let nodes = fleet["nodes"].as_array().into_iter().flatten();
    let mut names: Vec<String> = nodes
        .map(|node| format!("{} {}", word(node, "name"), word(node, "address")))
        .collect();
    names.sort();
    Ok(names)
}
