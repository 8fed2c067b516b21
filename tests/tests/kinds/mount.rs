//! File systems on a real host: in memory, and folders shown at another place.

use anyhow::{Context as _, Result, ensure};
use cfg_tests::{Host, Local, Run, Sandbox};

const TABLE: &str = "# of this host\nnone /mnt/other tmpfs noauto 0 0\n";

fn role(options: &str, device: &str, more: &str) -> String {
    format!(
        r#"
[mount."/srv/data"]
device = "tmpfs"
fstype = "tmpfs"
options = "{options}"

[directory."/srv/data"]
mode = "0750"

[file."/srv/data/deep/file"]
content = "in memory\n"

[directory."/srv/one"]
[directory."/srv/two"]

[mount."/srv/shown"]
device = "{device}"
fstype = "none"
options = "bind"

[mount."/linked/far"]
device = "/srv/one"
fstype = "none"
options = "bind,noatime"
{more}
"#
    )
}

fn flags(host: &Host, point: &str) -> Result<String> {
    let told = host.exec(["findmnt", "--noheadings", "--output", "OPTIONS", point])?;
    Ok(told.stdout)
}

fn by(run: &Run, resource: &str) -> Vec<String> {
    let changes = run.document["changes"].as_array();
    let of = changes
        .into_iter()
        .flatten()
        .filter(|change| change["resource"] == resource);
    of.map(|change| {
        change["after"]["by"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    })
    .collect()
}

#[test]
fn file_systems_are_mounted_changed_and_unmounted() -> Result<()> {
    Sandbox::run(|sandbox| {
        let host = sandbox.host("vm-1", "10.77.0.11")?;
        host.write_file("/etc/fstab", TABLE)?;
        host.boot()?;
        host.run(["ln", "-s", "srv", "/linked"])?;
        let local = Local::on(&host)?;
        let put = |options: &str, device: &str, more: &str| {
            local.write("store/role.toml", role(options, device, more))
        };
        put("size=1m", "/srv/one", "")?;
        let dry = local.dry_run("store")?.expect(2)?;
        let run = local.apply("store")?.expect(0)?;
        ensure!(run.document["unforeseen"].is_null(), "{:#}", run.document);
        ensure!(
            run.changes()
                .iter()
                .all(|change| dry.changes().contains(change)),
            "{:#}",
            run.document
        );
        local.dry_run("store")?.expect(0)?;
        ensure!(host.read_file("/etc/fstab")?.starts_with(TABLE));
        let stat = host.run(["stat", "-f", "-c", "%T", "/srv/data/deep/file"])?;
        assert_eq!(stat.trim(), "tmpfs", "the file lies below the mount");
        host.sh("echo shown >/srv/one/file && grep -q shown /srv/shown/file /srv/far/file")?;
        let units = host.run(["systemctl", "is-active", "srv-data.mount"])?;
        assert_eq!(units.trim(), "active");
        sandbox.step("mounted");

        put("size=1m,noexec", "/srv/one", "")?;
        let run = local.apply("store")?.expect(0)?;
        assert_eq!(by(&run, "mount:/srv/data"), ["remount"]);
        ensure!(flags(&host, "/srv/data")?.contains("noexec"));
        host.run(["mount", "-o", "remount,exec", "/srv/data"])?;
        assert_eq!(local.converge("store")?, ["mount:/srv/data update"]);
        put("size=1m", "/srv/two", "")?;
        let run = local.apply("store")?.expect(0)?;
        assert_eq!(by(&run, "mount:/srv/shown"), ["unmount, then mount"]);
        assert_eq!(by(&run, "mount:/srv/data"), ["remount"]);
        ensure!(!flags(&host, "/srv/data")?.contains("noexec"));
        ensure!(
            !host.exists("/srv/shown/file")?,
            "it shows the other folder"
        );
        host.run(["umount", "/srv/shown"])?;
        assert_eq!(local.converge("store")?, ["mount:/srv/shown update"]);
        sandbox.step("changed");

        host.reboot()?;
        ensure!(
            flags(&host, "/srv/shown")?.contains("rw"),
            "not mounted at boot"
        );
        local.apply("store")?.expect(0)?;
        gone(&host, &local)
    })
}

/// What could not be changed is known for what it is, whatever its device is called.
fn left_over(host: &Host, local: &Local<'_>) -> Result<()> {
    let bound = |from: &str| {
        format!(
            "[mount.\"/srv/busy\"]\ndevice = \"{from}\"\nfstype = \"none\"\noptions = \"bind\"\n"
        )
    };
    local.write("busy/role.toml", bound("/srv/one"))?;
    local.apply("busy")?.expect(0)?;
    let holder = host.spawn(["sh", "-c", "cd /srv/busy && exec sleep 1000"])?;
    local.write("busy/role.toml", bound("/srv/two"))?;
    local.apply("busy")?.expect(1)?;
    host.run(["pkill", "-x", "sleep"])?;
    holder.wait(std::time::Duration::from_secs(10))?;
    let none = "leftovers = \"revert\"\n";
    local.write("busy/role.toml", none)?;
    let changes = local.converge("busy")?;
    ensure!(
        changes.contains(&"mount:/srv/busy remove".to_owned()),
        "{changes:?}"
    );
    Ok(())
}

/// What is in use stays, and is named; then it goes.
fn gone(host: &Host, local: &Local<'_>) -> Result<()> {
    let role = "[mount.\"/srv/data\"]\nstate = \"absent\"\n\
                [mount.\"/srv/shown\"]\nstate = \"unmounted\"\ndevice = \"/srv/two\"\nfstype = \"none\"\noptions = \"bind\"\n\
                [mount.\"/linked/far\"]\nstate = \"absent\"\n";
    local.write("store/role.toml", role)?;
    let holder = host.spawn(["sh", "-c", "cd /srv/data && exec sleep 1000"])?;
    let run = local.apply("store")?.expect(1)?;
    let told = run.document["failures"][0]["message"]
        .as_str()
        .context("no failure")?;
    ensure!(told.contains("busy") && told.contains("sleep ("), "{told}");
    let others = ["mount:/linked/far remove", "mount:/srv/shown update"];
    assert_eq!(run.changes(), others);
    host.run(["pkill", "-x", "sleep"])?;
    holder.wait(std::time::Duration::from_secs(10))?;
    assert_eq!(local.converge("store")?, ["mount:/srv/data remove"]);
    let table = host.read_file("/etc/fstab")?;
    ensure!(
        !table.contains("/srv/data") && table.contains("/srv/shown"),
        "{table}"
    );
    ensure!(table.starts_with(TABLE), "{table}");
    ensure!(flags(host, "/srv/data")?.is_empty() && flags(host, "/srv/shown")?.is_empty());
    left_over(host, local)
}

#[test]
fn what_cannot_be_mounted_is_not_in_the_table_and_a_purge_stops_at_mounts() -> Result<()> {
    Sandbox::run(|sandbox| {
        let host = sandbox.host("vm-1", "10.77.0.11")?;
        host.write_file("/etc/fstab", TABLE)?;
        host.boot()?;
        let local = Local::on(&host)?;
        local.write(
            "store/role.toml",
            "[mount.\"/srv/data\"]\ndevice = \"/dev/nothing\"\nfstype = \"ext4\"\n[file.\"/srv/data/x\"]\ncontent = \"\"\n",
        )?;
        let run = local.apply("store")?.expect(1)?;
        let failure = &run.document["failures"][0];
        let told = failure["message"].to_string();
        ensure!(
            told.contains("mount: it exited with 32, and said last:")
                && told.contains("/dev/nothing"),
            "{failure:#}"
        );
        ensure!(
            failure["skipped"].to_string().contains("file:/srv/data/x"),
            "{failure:#}"
        );
        assert_eq!(host.read_file("/etc/fstab")?, TABLE);

        local.write(
            "store/role.toml",
            "[directory.\"/srv\"]\npurge = true\n[mount.\"/srv/data\"]\ndevice = \"tmpfs\"\nfstype = \"tmpfs\"\n",
        )?;
        local.apply("store")?.expect(0)?;
        host.sh("echo kept >/srv/data/file && mkdir -p /srv/stray")?;
        assert_eq!(local.converge("store")?, ["directory:/srv/stray remove"]);
        assert_eq!(host.read_file("/srv/data/file")?, "kept\n");
        Ok(())
    })
}
