//! Packages whose scripts fail, locks that others hold, repositories that are not what they should be.

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use cfg_tests::{Host, Local, Sandbox, becomes, output};

use crate::machine::{Failed, boot};

/// A package in a repository of its own, with this as its postinst.
fn package(host: &Host, name: &str, postinst: &str) -> Result<()> {
    let control = format!(
        "Package: {name}\nVersion: 1\nArchitecture: all\nMaintainer: m <m@example.org>\nDescription: d\n"
    );
    host.write_file(&format!("/tmp/{name}/DEBIAN/control"), control)?;
    host.write_file(&format!("/tmp/{name}/DEBIAN/postinst"), postinst)?;
    host.sh(&format!(
        "mkdir -p /srv/more && cd /srv/more && chmod 755 /tmp/{name} /tmp/{name}/DEBIAN /tmp/{name}/DEBIAN/postinst && dpkg-deb --build /tmp/{name} {name}.deb >/dev/null && \
         {{ dpkg-deb -f {name}.deb; echo Filename: ./{name}.deb; echo Size: $(stat -c %s {name}.deb); \
         echo SHA256: $(sha256sum <{name}.deb | cut -d' ' -f1); echo; }} >>Packages && \
         echo 'deb [trusted=yes] file:/srv/more ./' >/etc/apt/sources.list.d/more.list"
    ))
    .map(drop)
}

#[test]
fn a_postinst_that_fails_is_quoted_and_tried_again() -> Result<()> {
    Sandbox::run(|sandbox| {
        let host = boot(sandbox)?;
        let local = Local::on(&host)?;
        package(
            &host,
            "licensed",
            "#!/bin/sh\nset -e\n[ \"$1\" = configure ] || exit 0\necho checking the licence\n[ -e /etc/licence ] || { echo 'no licence in /etc/licence' >&2; exit 3; }\n",
        )?;
        let role = "[package]\nhello = \"*\"\nlicensed = \"*\"\nnetcat-openbsd = { hold = true }\n[file.'/etc/licensed.conf']\ncontent = \"\"\nafter = ['package:licensed']\n[file.'/etc/beside']\ncontent = \"\"\n";
        local.write("app/role.toml", role)?;
        let failed = Failed::of(&local, &host, "app", &["package:licensed"])?;
        failed.says(
            "package:licensed",
            &[
                "no licence in /etc/licence",
                "post-installation script",
                "exit status 3",
            ],
        )?;
        failed.advises("the next run configures it again")?;
        failed.made(&[
            "package:hello install",
            "package:netcat-openbsd install",
            "package:netcat-openbsd hold",
            "file:/etc/beside create",
        ])?;
        assert_eq!(host.run(["apt-mark", "showhold"])?.trim(), "netcat-openbsd");
        failed.skipped("package:licensed", &["file:/etc/licensed.conf"])?;
        host.write_file("/etc/licence", "")?;
        let run = local.apply("app")?.expect(0)?;
        assert_eq!(
            run.changes(),
            ["package:licensed install", "file:/etc/licensed.conf create"]
        );
        local.dry_run("app")?.expect(0)?;
        sandbox.step("licensed");

        // Its own apt is not another one: it is not waited for.
        package(
            &host,
            "nested",
            "#!/bin/sh\nset -e\n[ \"$1\" = configure ] || exit 0\napt-get -y install hello\n",
        )?;
        host.run(["apt-get", "update"])?;
        local.write("nested/role.toml", "[package]\nnested = \"*\"\n")?;
        let began = Instant::now();
        let failed = Failed::of(&local, &host, "nested", &["package:nested"])?;
        let took = began.elapsed() / 2;
        ensure!(took < Duration::from_secs(60), "a run took {took:?}");
        failed.says(
            "package:nested",
            &["lock-frontend", "nested package post-installation script"],
        )?;
        let message = failed.told;
        ensure!(!message.contains("another apt or dpkg"), "{message}");
        Ok(())
    })
}

/// Holds these locks until it is ended.
fn hold(host: &Host, locks: &[&str]) -> Result<cfg_tests::Background> {
    let script = format!(
        "import fcntl, time\nfiles = [open(f, 'w') for f in {locks:?}]\nfor f in files: fcntl.lockf(f, fcntl.LOCK_EX)\n\
         open('/run/locked', 'w')\ntime.sleep(1000)\n"
    );
    host.sh("rm -f /run/locked")?;
    let holder = host.spawn(["python3", "-c", &script])?;
    becomes("it is locked", Duration::from_secs(10), true, || {
        host.exists("/run/locked")
    })?;
    Ok(holder)
}

#[test]
fn a_lock_that_stays_is_waited_for_once_and_named() -> Result<()> {
    Sandbox::run(|sandbox| {
        let host = boot(sandbox)?;
        let local = Local::on(&host)?;
        host.write_file("/etc/cfg/agent.toml", "lock_timeout = \"3s\"\n")?;
        host.run(["apt-get", "update"])?;
        let role = "[package]\nhello = \"*\"\nnetcat-openbsd = { version = \"*\", hold = true }\n[file.'/etc/beside']\ncontent = \"\"\n";
        local.write("app/role.toml", role)?;
        let both = ["package:hello", "package:netcat-openbsd"];
        for (locks, named) in [
            (
                &["/var/lib/dpkg/lock-frontend", "/var/lib/dpkg/lock"][..],
                "/var/lib/dpkg/lock-frontend",
            ),
            (
                &["/var/lib/apt/lists/lock", "/var/cache/apt/archives/lock"],
                "/var/cache/apt/archives/lock",
            ),
        ] {
            let holder = hold(&host, locks)?;
            let began = Instant::now();
            let failed = Failed::of(&local, &host, "app", &both)?;
            let took = began.elapsed() / 2;
            ensure!(
                took > Duration::from_secs(3) && took < Duration::from_secs(15),
                "a run took {took:?}"
            );
            for package in both {
                failed.says(package, &["another apt or dpkg", named, "python3"])?;
            }
            failed.advises("lock_timeout")?;
            ensure!(
                host.read_file("/etc/beside").is_ok(),
                "the rest did not come"
            );
            let said = host.exec(local.words("app", &[]))?.stderr;
            ensure!(
                said.contains("waiting for another apt or dpkg") && said.contains("python3"),
                "it does not say that it waits: {said}"
            );
            host.run(["rm", "/etc/beside"])?;
            holder.signal("KILL")?;
            holder.wait(Duration::from_secs(10))?;
            sandbox.step(named);
        }

        // dpkg itself, which waits for nobody, after it was interrupted.
        package(&host, "half", "#!/bin/sh\ntrue\n")?;
        host.sh("dpkg --unpack /srv/more/half.deb")?;
        let holder = hold(
            &host,
            &["/var/lib/dpkg/lock-frontend", "/var/lib/dpkg/lock"],
        )?;
        let failed = Failed::of(&local, &host, "app", &both)?;
        failed.says(
            "package:hello",
            &["another apt or dpkg", "/var/lib/dpkg/lock"],
        )?;
        holder.signal("KILL")?;
        holder.wait(Duration::from_secs(10))?;
        local.apply("app")?.expect(0)?;
        local.dry_run("app")?.expect(0)?;
        let half = host.run(["dpkg-query", "-W", "-f", "${db:Status-Status}", "half"])?;
        assert_eq!(half, "installed", "what was interrupted is ended first");
        Ok(())
    })
}

/// A public key that signed nothing.
fn strange_key() -> Result<Vec<u8>> {
    // A short path: gpg-agent's socket lies in it.
    let script = "set -e; GNUPGHOME=$(mktemp -d); export GNUPGHOME; trap 'gpgconf --kill all; rm -rf \"$GNUPGHOME\"' EXIT; \
                  gpg --batch --quiet --passphrase '' --quick-generate-key 'stranger <s@example.org>' ed25519 sign never; \
                  gpg --armor --export";
    Ok(output(Command::new("sh").args(["-c", script]))?
        .success()?
        .into_bytes())
}

#[test]
fn a_repository_that_cannot_be_believed_or_reached_stops_only_what_is_from_it() -> Result<()> {
    Sandbox::run(|sandbox| {
        let host = boot(sandbox)?;
        let local = Local::on(&host)?;
        host.write_file("/etc/apt/sources.list", "")?;
        package(&host, "near", "#!/bin/sh\ntrue\n")?;
        let repository = |uri: &str| {
            format!(
                "[repository.tests]\nuris = [\"{uri}\"]\nsuites = [\"bookworm\"]\ncomponents = [\"main\"]\nsigned_by = \"key.asc\"\n\
                 [package]\nnear = \"*\"\nhello = \"*\"\n[file.'/etc/beside']\ncontent = \"\"\n[file.'/etc/hello']\ncontent = \"\"\nafter = ['package:hello']\n"
            )
        };
        local.write("app/key.asc", strange_key()?)?;
        local.write("app/role.toml", repository(Sandbox::REPOSITORY))?;
        let both = ["repository:tests", "package:hello"];
        let failed = Failed::of(&local, &host, "app", &both)?;
        failed.says(
            "package:hello",
            &["no repository has", "10.77.0.1:8000", "NO_PUBKEY"],
        )?;
        failed.says("repository:tests", &["10.77.0.1:8000", "is not signed"])?;
        failed.advises("signed_by")?;
        failed.skipped("package:hello", &["file:/etc/hello"])?;
        for made in [
            "repository:tests create",
            "package:near install",
            "file:/etc/beside create",
        ] {
            ensure!(
                failed.run.changes().contains(&made.to_owned()),
                "{made}: {:#}",
                failed.run.document
            );
        }
        sandbox.step("another key");

        // Nobody answers there, not even that nobody does.
        let silent = "table inet silent {\nchain silent {\ntype filter hook input priority 0;\ntcp dport 9009 drop\n}\n}";
        output(Command::new("nft").arg(silent))?.success()?;
        local.write("app/key.asc", fs::read(sandbox.repository_key()?)?)?;
        for (uri, words) in [
            (
                "http://nowhere.invalid/debian",
                &["nowhere.invalid", "resolv"][..],
            ),
            (
                "http://10.77.0.1:8000/elsewhere",
                &["10.77.0.1:8000", "does not have a Release file"],
            ),
            (
                "http://10.77.0.1:9009/debian",
                &["10.77.0.1:9009", "connection timed out"],
            ),
        ] {
            local.write("app/role.toml", repository(uri))?;
            host.sh("apt-get purge -y near && rm /etc/beside")?;
            let began = Instant::now();
            let failed = Failed::of(&local, &host, "app", &both)?;
            let took = began.elapsed() / 2;
            ensure!(
                took < Duration::from_secs(120),
                "{uri}: a run took {took:?}"
            );
            failed.says(
                "package:hello",
                &[&["no repository has", "could not be refreshed"], words].concat(),
            )?;
            failed.says("repository:tests", words)?;
            failed.advises("repository")?;
            failed.skipped("package:hello", &["file:/etc/hello"])?;
            failed.made(&[
                "repository:tests update",
                "package:near install",
                "file:/etc/beside create",
            ])?;
            sandbox.step(uri);
        }
        local.write("app/role.toml", repository(Sandbox::REPOSITORY))?;
        local.apply("app")?.expect(0)?;
        local.dry_run("app")?.expect(0)?;
        Ok(())
    })
}
