//! What leaves a role on a real host, brought back to what was there before cfg: the machine is what it was.

use anyhow::{Result, ensure};
use cfg_tests::Sandbox;
use serde_json::Value;

use super::machine::{CONF, Machine, PROBE, words};

const MORE: &str = r#"
[group.ops]
[user.deploy]
groups = ["ops"]
shell = "/bin/bash"
[user.svc]
system = true
[user.theirs]
shell = "/bin/bash"
groups = ["ops"]
[service.own]
unit = "own.service"
state = "running"
enabled = true
[service.was-there]
state = "stopped"
enabled = false
[directory."/srv/app"]
owner = "svc"
[file."/srv/app/deep/er/conf"]
content = "x\n"
[file."/etc/motd"]
content = "of cfg\n"
mode = "0600"
[file."/etc/unwanted"]
state = "absent"
[file."/etc/linked"]
content = "of cfg\n"
[link."/srv/current"]
target = "app"
[edit."/etc/theirs.ini"]
format = "ini"
set = { s = { a = 2, c = 3 } }
[edit."/etc/hosts"]
format = "lines"
lines = [{ line = "10.0.0.9 of-cfg" }]
[sysctl]
"net.ipv4.ip_forward" = 1
[mount."/srv/data"]
device = "tmpfs"
fstype = "tmpfs"
options = "size=1m"
[file."/srv/data/within"]
content = "x\n"
[command.once]
run = "touch /srv/once"
creates = "/srv/once"
"#;

const BEFORE: &str = r#"
echo theirs > /etc/motd; chmod 640 /etc/motd
echo dear > /etc/unwanted; chmod 604 /etc/unwanted
ln -s motd /etc/linked
printf '[s]\na = 1\nb = 2\n' > /etc/theirs.ini
useradd --shell /bin/sh theirs
printf '[Service]\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=multi-user.target\n' \
    > /etc/systemd/system/was-there.service
systemctl daemon-reload
systemctl enable --now was-there
echo 0 > /proc/sys/net/ipv4/ip_forward
"#;

/// All that a role may have a say in. A package that goes leaves its configuration.
const SHAPE: &str = r#"
find /etc /srv /home \( -path /srv/roles -o -path /etc/probe-daemon -o -name '*-' -o -name '.#*' \) -prune -o \
    \( -type f -printf '%p %m %u:%g ' -exec sha256sum {} \; \) -o -printf '%p %m %u:%g %l\n' | sort
dpkg-query -W -f '${Package} ${db:Status-Status}\n' | grep -v config-files
apt-mark showmanual; apt-mark showhold
systemctl list-unit-files --no-legend --state=enabled,masked
systemctl is-active was-there own probe-daemon
cat /proc/sys/net/ipv4/ip_forward
findmnt /srv/data || echo not mounted
exit 0
"#;

fn whys(document: &Value) -> Vec<(&str, &str)> {
    let all = document["leftovers"].as_array().into_iter().flatten();
    all.filter_map(|left| Some((left["resource"].as_str()?, left["why"].as_str()?)))
        .collect()
}

#[test]
fn what_leaves_a_role_is_brought_back() -> Result<()> {
    Sandbox::run(|sandbox| {
        let machine = Machine::boot(sandbox, &format!("{PROBE}{MORE}"))?;
        let host = &machine.host;
        host.write_file(
            "/srv/roles/probe/own.service",
            "[Service]\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=multi-user.target\n",
        )?;
        host.sh(BEFORE)?;
        for (text, more) in [("leftovers = \"revert\"\n", &[][..]), ("", &["--prune"])] {
            let before = host.sh(SHAPE)?;
            machine.role(&format!("{PROBE}{MORE}"))?;
            machine.converge(&[])?;
            sandbox.step("converged");
            // A crash is nobody's change.
            host.sh("systemctl kill --signal=SEGV own; while systemctl is-active own; do sleep 0.1; done")?;
            let managed = host.sh(SHAPE)?;
            ensure!(managed != before);
            let record = host.run(["stat", "-c", "%a", "/var/lib/cfg/former"])?;
            ensure!(record.trim() == "700", "{record}");

            machine.role(text)?;
            let (_, shown) = machine.apply(&[more, &["--dry-run"]].concat())?;
            ensure!(host.sh(SHAPE)? == managed, "a dry run changes nothing");
            let told = whys(&shown);
            let wanted = [
                ("user:deploy", "/home/deploy stays: a home is never removed"),
                ("command:once", "what a command has done is not undone"),
            ];
            ensure!(told == wanted, "{shown:#}");
            let done = words(&shown);
            let stops = done
                .iter()
                .position(|word| word == "stop service:probe-daemon");
            let goes = done
                .iter()
                .position(|word| word == "remove package:probe-daemon");
            ensure!(stops.is_some() && stops < goes, "{done:?}");
            machine.converge(more)?;
            sandbox.step("brought back");
            let failed = host.sh("systemctl list-units --all --plain --no-legend own.service")?;
            ensure!(failed.trim().is_empty(), "{failed}");
            // A mount point stays, and is empty; and systemd remembers what else failed.
            host.sh("rm -rf /home/deploy /srv/once; rmdir /srv/data; systemctl reset-failed")?;
            let after = host.sh(SHAPE)?;
            let apart: Vec<&str> = before
                .lines()
                .filter(|line| !after.lines().any(|other| other == *line))
                .chain(
                    after
                        .lines()
                        .filter(|line| !before.lines().any(|other| other == *line)),
                )
                .collect();
            ensure!(apart.is_empty(), "{apart:#?}");
            let (code, again) = machine.apply(more)?;
            ensure!(
                code == 0 && again["leftovers"] == Value::Array(vec![]),
                "{again:#}"
            );
            host.sh("apt-get -y purge probe-daemon")?;
        }
        Ok(())
    })
}

#[test]
fn what_is_needed_or_changed_since_stays_and_a_kill_loses_nothing() -> Result<()> {
    Sandbox::run(|sandbox| {
        let more = "[user.deploy]\n[directory.\"/home/deploy\"]\nmode = \"0700\"\n";
        let machine = Machine::boot(sandbox, &format!("{PROBE}{more}"))?;
        let host = &machine.host;
        host.sh("mkdir -p /etc/probe-daemon; echo theirs > /etc/probe-daemon/probe.conf")?;
        machine.apply_as_unit()?;
        machine.kill_unit()?;
        machine.converge(&[])?;
        sandbox.step("converged after a kill");
        // A package that needs it, made by hand.
        host.sh(
            "mkdir -p /tmp/needy/DEBIAN; printf 'Package: needy\nVersion: 1\nArchitecture: all\nMaintainer: m <m@example.org>\n\
             Depends: probe-daemon\nDescription: d\n' > /tmp/needy/DEBIAN/control; dpkg-deb -b /tmp/needy /tmp/needy.deb; \
             dpkg -i /tmp/needy.deb",
        )?;
        machine.role("")?;
        let (code, document) = machine.apply(&["--prune"])?;
        ensure!(code == 0, "{document:#}");
        let told = whys(&document);
        ensure!(
            told.iter()
                .any(|(name, why)| *name == "package:probe-daemon"
                    && why.starts_with("needed by needy")),
            "{document:#}"
        );
        ensure!(host.read_file(CONF)? == "theirs\n", "it was there before");
        ensure!(host.exists("/home/deploy")?, "a home");
        ensure!(
            host.exec(["systemctl", "is-active", "probe-daemon"])?
                .stdout
                .trim()
                != "active"
        );
        host.sh("apt-get -y purge needy")?;
        let words = machine.converge(&["--prune"])?;
        ensure!(words == ["remove package:probe-daemon"], "{words:?}");
        Ok(())
    })
}

const THEIRS: &str = "[Service]\nExecStart=/bin/sleep 1000000\n";
const OURS: &str = "[Service]\nExecStart=/bin/sleep infinity\n";

#[test]
fn systemd_reads_what_comes_back_of_a_unit_in_the_same_run() -> Result<()> {
    Sandbox::run(|sandbox| {
        let machine = Machine::boot(sandbox, "")?;
        let host = &machine.host;
        host.write_file("/etc/systemd/system/theirs.service", THEIRS)?;
        host.sh("systemctl daemon-reload; systemctl start theirs")?;
        host.write_file("/srv/roles/probe/ours.service", OURS)?;
        let unit = "[service.theirs]\nunit = \"ours.service\"\nstate = \"running\"\n";
        let file = format!("[file.\"/etc/systemd/system/theirs.service\"]\ncontent = {OURS:?}\n");
        for role in [unit, &file] {
            for (text, has) in [(role, "sleep infinity"), ("", "sleep 1000000")] {
                machine.role(text)?;
                machine.converge(&["--prune"])?;
                let show = "systemctl show theirs --property=NeedDaemonReload,ExecStart";
                let shown = host.sh(show)?;
                ensure!(
                    shown.contains("NeedDaemonReload=no") && shown.contains(has),
                    "{text}: {shown}"
                );
            }
        }
        Ok(())
    })
}

#[test]
fn what_starts_as_it_was_starts_by_its_own_file() -> Result<()> {
    Sandbox::run(|sandbox| {
        let machine = Machine::boot(sandbox, "")?;
        let host = &machine.host;
        host.write_file("/srv/roles/probe/ours.service", OURS)?;
        let stopped = "[service.theirs]\nunit = \"ours.service\"\nstate = \"stopped\"\n";
        for folder in ["/etc/systemd/system", "/usr/lib/systemd/system"] {
            host.write_file(&format!("{folder}/theirs.service"), THEIRS)?;
            host.sh("systemctl daemon-reload; systemctl start theirs")?;
            for (text, more) in [(stopped, &[][..]), ("", &["--prune"])] {
                machine.role(text)?;
                machine.converge(more)?;
            }
            let runs = "tr '\\0' ' ' </proc/$(systemctl show -P MainPID theirs)/cmdline";
            let runs = host.sh(runs)?;
            ensure!(runs.contains("sleep 1000000"), "{folder}: {runs}");
            host.sh(&format!(
                "systemctl stop theirs; rm {folder}/theirs.service"
            ))?;
        }
        Ok(())
    })
}

#[test]
fn what_a_unit_or_a_setting_hands_on_to_a_file_comes_back() -> Result<()> {
    Sandbox::run(|sandbox| {
        const SET: &str = "/etc/sysctl.d/90-cfg-net.ipv4.ip_forward.conf";
        let machine = Machine::boot(sandbox, "")?;
        let host = &machine.host;
        host.write_file("/etc/systemd/system/theirs.service", THEIRS)?;
        host.write_file(SET, "theirs\n")?;
        host.sh("systemctl daemon-reload; echo 0 > /proc/sys/net/ipv4/ip_forward")?;
        host.write_file("/srv/roles/probe/ours.service", OURS)?;
        let file = |path: &str| format!("[file.{path:?}]\ncontent = {OURS:?}\n");
        let files = file("/etc/systemd/system/theirs.service") + &file(SET);
        let others = "[service.theirs]\nunit = \"ours.service\"\nstate = \"running\"\n\
            [sysctl]\n\"net.ipv4.ip_forward\" = 1\n";
        let before = host.sh(SHAPE)?;
        for roles in [[others, &files], [&files, others]] {
            for more in [&[][..], &["--prune"]] {
                for role in roles {
                    machine.role(role)?;
                    machine.converge(more)?;
                }
                machine.role("")?;
                machine.converge(&["--prune"])?;
                let after = host.sh(SHAPE)?;
                ensure!(before == after, "{roles:?}: {before}\n{after}");
            }
        }
        Ok(())
    })
}
