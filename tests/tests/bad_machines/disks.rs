//! File systems that take nothing more.

use anyhow::{Result, ensure};
use cfg_tests::{Host, Local, Sandbox};
use serde_json::Value;

use crate::machine::{Failed, boot, is_tidy};

/// Each word of `/srv/disk` is 40 KiB, or some files.
fn role(word: &str, more: &str) -> String {
    let long = word.repeat(40 * 1024 / word.len());
    format!(
        "[file.'/srv/disk/large']\ncontent = \"{long}\"\n\
         [file.'/srv/disk/conf']\ncontent = \"{word}\\n\"\n\
         [edit.'/srv/disk/edited']\nformat = \"lines\"\nlines = [{{ line = \"{long}\" }}]\n\
         [directory.'/srv/disk/tree']\nsource = \"tree\"\n\
         [archive.'/srv/disk/archive']\nsource = \"app.tar\"\n\
         [file.'/srv/beside']\ncontent = \"{word}\"\n\
         [command.after]\nrun = \"touch /srv/ran\"\non = ['file:/srv/disk/large']\n{more}"
    )
}

/// A disk at `/srv/disk` with these options and an old version of what the role has there.
fn disk(host: &Host, local: &Local<'_>, options: &str) -> Result<()> {
    host.sh(&format!(
        "mkdir -p /srv/disk && mount -t tmpfs -o {options} tmpfs /srv/disk"
    ))?;
    host.sh("echo old >/srv/disk/large; echo old >/srv/disk/conf; echo old >/srv/disk/edited")?;
    for n in 0..30 {
        local.write(&format!("app/tree/{n}"), "x".repeat(5000))?;
    }
    host.sh("cd /tmp && head -c 400000 /dev/urandom >data && tar cf /root/roles/app/app.tar data")?;
    Ok(())
}

fn is_old(host: &Host, names: &[&str]) -> Result<()> {
    for name in names {
        let content = host.read_file(&format!("/srv/disk/{name}"))?;
        ensure!(content == "old\n", "{name} was touched: {content:.99}");
    }
    Ok(())
}

/// What waits for one of these files did not run.
fn is_skipped(host: &Host, failed: &Failed) -> Result<()> {
    failed.skipped("file:/srv/disk/large", &["command:after"])?;
    ensure!(!host.exists("/srv/ran")?, "it ran all the same");
    Ok(())
}

fn names(failed: &Failed) -> Vec<&str> {
    let failures = failed.run.document["failures"].as_array();
    failures
        .into_iter()
        .flatten()
        .filter_map(|failure| failure["resource"].as_str())
        .collect()
}

/// What stands there is whole: old or new, and of the tree all that is there at all.
fn is_whole(host: &Host) -> Result<()> {
    let torn = host.sh("find /srv/disk/tree -type f ! -size 5000c 2>/dev/null; find /srv/disk/archive 2>/dev/null || true")?;
    ensure!(torn.is_empty(), "half-written: {torn}");
    is_tidy(host, "/srv")
}

#[test]
fn a_full_disk_keeps_what_is_on_it_and_stops_nothing_else() -> Result<()> {
    Sandbox::run(|sandbox| {
        let host = boot(sandbox)?;
        let local = Local::on(&host)?;
        // Twelve pages: its three files take three, and each of the two long ones needs ten more.
        disk(&host, &local, "size=48k")?;
        local.write("app/role.toml", role("new ", ""))?;
        let failed = Failed::any(&local, &host, "app")?;
        let full = ["No space left on device", "free space (or inodes)"];
        for resource in [
            "file:/srv/disk/large",
            "edit:/srv/disk/edited",
            "archive:/srv/disk/archive",
        ] {
            failed.says(resource, &full)?;
        }
        let named = names(&failed);
        ensure!(
            named
                .iter()
                .any(|name| name.starts_with("file:/srv/disk/tree/")),
            "{named:?}"
        );
        ensure!(
            named.iter().all(|name| name.contains("/srv/disk/")),
            "{named:?}"
        );
        ensure!(
            failed
                .run
                .changes()
                .contains(&"file:/srv/beside create".to_owned())
        );
        is_skipped(&host, &failed)?;
        is_old(&host, &["large", "edited"])?;
        // A short one may have found room.
        let conf = host.read_file("/srv/disk/conf")?;
        ensure!(conf == "old\n" || conf == "new \n", "conf: {conf:?}");
        is_whole(&host)?;
        sandbox.step("full");

        host.sh("mount -o remount,size=4m /srv/disk")?;
        local.apply("app")?.expect(0)?;
        local.dry_run("app")?.expect(0)?;
        ensure!(host.exists("/srv/ran")?, "what was skipped is not made up");
        is_tidy(&host, "/srv")
    })
}

#[test]
fn without_inodes_nothing_is_half_made() -> Result<()> {
    Sandbox::run(|sandbox| {
        let host = boot(sandbox)?;
        let local = Local::on(&host)?;
        // The disk itself and its three files.
        disk(&host, &local, "nr_inodes=4")?;
        local.write("app/role.toml", role("new ", ""))?;
        let failed = Failed::any(&local, &host, "app")?;
        for resource in [
            "file:/srv/disk/large",
            "file:/srv/disk/conf",
            "edit:/srv/disk/edited",
            "directory:/srv/disk/tree",
            "archive:/srv/disk/archive",
        ] {
            failed.says(
                resource,
                &["/srv/disk", "No space left on device", "(or inodes)"],
            )?;
        }
        failed.made(&["file:/srv/beside create"])?;
        is_skipped(&host, &failed)?;
        is_old(&host, &["large", "conf", "edited"])?;
        is_whole(&host)?;
        host.sh("mount -o remount,nr_inodes=100 /srv/disk")?;
        local.apply("app")?.expect(0)?;
        local.dry_run("app")?.expect(0)?;
        Ok(())
    })
}

#[test]
fn a_read_only_file_system_says_so() -> Result<()> {
    Sandbox::run(|sandbox| {
        let host = boot(sandbox)?;
        let local = Local::on(&host)?;
        disk(&host, &local, "size=4m")?;
        host.sh("mount -o remount,ro /srv/disk")?;
        let more = "[user.app]\nsystem = true\n[link.'/srv/disk/link']\ntarget = \"x\"\n";
        local.write("app/role.toml", role("new ", more))?;
        let failed = Failed::foretold(&local, &host, "app")?;
        for resource in [
            "file:/srv/disk/large",
            "file:/srv/disk/conf",
            "edit:/srv/disk/edited",
            "directory:/srv/disk/tree",
            "archive:/srv/disk/archive",
            "link:/srv/disk/link",
        ] {
            failed.says(
                resource,
                &["/srv/disk", "Read-only file system", "mounted read-only"],
            )?;
        }
        failed.made(&["user:app create", "file:/srv/beside create"])?;
        is_skipped(&host, &failed)?;
        is_old(&host, &["large", "conf", "edited"])?;
        is_whole(&host)?;
        sandbox.step("a part of it");

        // All of /etc: accounts cannot be made either, and the tool's own words say why.
        host.sh("mount --bind /etc /etc && mount -o remount,ro,bind /etc")?;
        local.write("etc/role.toml", "[user.late]\nsystem = true\n[group.late]\n[package]\nhello = \"*\"\n[sysctl]\nnet.ipv4.ip_forward = 1\n[file.'/srv/x']\ncontent = \"\"\n\
             [mount.'/srv/mnt']\ndevice = \"tmpfs\"\nfstype = \"tmpfs\"\n[service.own]\nunit = \"own.service\"\nenabled = true\n")?;
        local.write(
            "etc/own.service",
            "[Service]\nExecStart=/bin/sleep 1000\n[Install]\nWantedBy=multi-user.target\n",
        )?;
        let dry = local.dry_run("etc")?.expect(1)?;
        let failed = Failed::any(&local, &host, "etc")?;
        let of = |document: &Value| -> Vec<Value> {
            let failures = document["failures"].as_array().into_iter().flatten();
            failures
                .map(|failure| failure["resource"].clone())
                .collect()
        };
        assert_eq!(of(&dry.document), of(&failed.run.document));
        assert_eq!(dry.changes(), failed.run.changes());
        for resource in ["mount:/srv/mnt", "service:own"] {
            failed.says(resource, &["/etc", "mounted read-only"])?;
        }
        failed.says("group:late", &["groupadd", "/etc/group"])?;
        failed.says("user:late", &["/etc", "mounted read-only"])?;
        failed.says(
            "sysctl:net.ipv4.ip_forward",
            &["/etc/sysctl.d", "mounted read-only"],
        )?;
        failed.made(&["package:hello install", "file:/srv/x create"])?;
        host.sh("umount /etc")?;
        is_tidy(&host, "/etc /srv")?;
        local.apply("etc")?.expect(0)?;
        local.dry_run("etc")?.expect(0)?;
        Ok(())
    })
}
