//! What cfg remembers cannot be written: a run says so before it touches anything.

use anyhow::{Result, ensure};
use cfg_tests::{Host, Local, Sandbox};

use crate::machine::boot;

const STATE: &str = "/var/lib/cfg";

/// A run that must fail as a whole with these words, and must have left the file alone.
fn refused(host: &Host, local: &Local<'_>, words: &[&str]) -> Result<()> {
    changes_nothing(host, local, words)?;
    // Looking needs no room.
    local.dry_run("app")?.expect(2)?;
    Ok(())
}

fn changes_nothing(host: &Host, local: &Local<'_>, words: &[&str]) -> Result<()> {
    let before = host.read_file("/srv/file")?;
    let told = host.exec(local.words("app", &[]))?;
    ensure!(told.status == 1, "{told}");
    for word in words {
        ensure!(told.stderr.contains(word), "no {word:?} in {told}");
    }
    ensure!(host.read_file("/srv/file")? == before, "it was touched");
    let run = local.apply("app")?.expect(1)?;
    ensure!(run.document["result"] == "failed", "{:#}", run.document);
    Ok(())
}

#[test]
fn a_run_that_could_not_be_remembered_touches_nothing() -> Result<()> {
    Sandbox::run(|sandbox| {
        let host = boot(sandbox)?;
        let local = Local::on(&host)?;
        let role = "[package]\nhello = \"*\"\n[file.'/srv/file']\ncontent = \"new\\n\"\n[command.run]\nrun = \"true\"\non = ['file:/srv/file']\n";
        local.write("app/role.toml", role)?;
        host.write_file("/srv/file", "old\n")?;
        let fill = "dd if=/dev/zero of=/var/lib/cfg/filler bs=4k 2>/dev/null; true";

        host.sh(&format!(
            "mkdir -p {STATE} && mount -t tmpfs -o size=64k tmpfs {STATE} && {fill}"
        ))?;
        let full = [STATE, "No space left on device", "free space (or inodes)"];
        refused(&host, &local, &full)?;
        sandbox.step("full");
        host.sh(&format!("umount {STATE} && mount -t tmpfs -o size=8m,nr_inodes=3 tmpfs {STATE} && mkdir -p {STATE}/runs"))?;
        refused(&host, &local, &full)?;
        sandbox.step("no inodes");
        host.sh(&format!(
            "umount {STATE} && mount -t tmpfs -o ro tmpfs {STATE}"
        ))?;
        refused(
            &host,
            &local,
            &[STATE, "Read-only file system", "mounted read-only"],
        )?;
        sandbox.step("read-only");
        host.sh(&format!("umount {STATE} && rmdir {STATE} && touch {STATE}"))?;
        changes_nothing(&host, &local, &[STATE, "Not a directory"])?;
        host.sh(&format!("rm {STATE}"))?;

        // With all that it must remember already there, it could begin, and not end.
        local.apply("app")?.expect(0)?;
        host.sh(&format!("cp -a {STATE} /srv/kept && mount -t tmpfs -o size=200k tmpfs {STATE} && cp -a /srv/kept/. {STATE} && {fill}"))?;
        host.write_file("/srv/file", "stray\n")?;
        refused(&host, &local, &full)?;
        host.sh(&format!(
            "rm {STATE}/filler && mount -o remount,size=8m {STATE}"
        ))?;
        local.apply("app")?.expect(0)?;
        local.dry_run("app")?.expect(0)?;
        let left = host.sh(&format!("ls -A {STATE} {STATE}/effects"))?;
        ensure!(
            !left.contains("reserve") && !left.contains("cfg-effect"),
            "{left}"
        );
        Ok(())
    })
}
