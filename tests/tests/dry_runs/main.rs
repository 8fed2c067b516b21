//! A dry run changes nothing: what it asks of the kernel, and the file system before and after it.

mod enrolled;

use std::collections::BTreeSet;
use std::fs;
use std::net::SocketAddrV4;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use cfg_tests::{CFG, Host, Local, Output, Run, Sandbox, Trace};
use sha2::{Digest as _, Sha256};

/// Where traces go: in memory, apart from what is compared.
const TRACES: &str = "/run/traces";

const USERS: [&str; 2] = ["root", "nobody"];

/// Every name on the host's disk with its inode, type, mode, owner, size, times and target; and what systemd keeps in
/// memory. The journal goes on by itself.
const TREE: &str = "find / -xdev -path /var/log/journal -prune -o \
    -printf '%p %i %y %m %U %G %s %T@ %C@ %l\\n'; \
    find /run/systemd /etc/machine-id /tmp -path '*/journal' -prune -o -printf '%p %i %y %m %s %l\\n'";

/// What a whole dry run asks, by words of its trace.
const KINDS: [(&str, &str); 4] = [
    ("apt's index", "\"policy\""),
    ("apt's resolver", "\"--simulate\""),
    ("a guard", "CLONE_NEWNS"),
    ("systemd", "/system_bus_socket"),
];

/// A host with strace, that knows the package repository.
fn boot(sandbox: &Sandbox) -> Result<Host> {
    let host = sandbox.host("vm-1", "10.77.0.11")?;
    host.use_local_repository()?;
    host.boot()?;
    host.sh("apt-get update && apt-get install -y strace")?;
    sandbox.step("booted");
    Ok(host)
}

/// A run of this command by that user, which must be a dry run: nothing was changed by anybody, and nobody but this server was
/// talked to.
fn traced(
    host: &Host,
    user: &str,
    command: &[&str],
    server: Option<SocketAddrV4>,
) -> Result<(Output, Trace)> {
    let mut words = Trace::words(TRACES, user);
    words.extend(command.iter().map(|word| (*word).to_owned()));
    host.sh(&format!("rm -rf {TRACES} && mkdir -m 777 {TRACES}"))?;
    let before = host.sh(TREE)?;
    let told = host.exec(&words)?;
    let after = host.sh(TREE)?;
    let trace = Trace::read(host, TRACES)?;
    let what = || format!("{user} {command:?}: {told}");
    let offences = trace.offences(server).with_context(what)?;
    ensure!(offences.is_empty(), "{}\n{:#?}", what(), offences);
    let differs: Vec<&str> = changed(&before, &after);
    ensure!(differs.is_empty(), "{}\n{differs:#?}", what());
    Ok((told, trace))
}

/// What of [`KINDS`] was asked.
fn asked(trace: &Trace) -> Vec<&'static str> {
    let asked = KINDS.iter().filter(|(_, words)| trace.has(words));
    asked.map(|(kind, _)| *kind).collect()
}

/// The folder of the role in this crate.
fn role() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/dry_runs/role")
}

/// What `archive` of the role takes apart.
fn carried() -> Result<Vec<u8>> {
    let made = "cd $(mktemp -d) && mkdir -p carried-1/bin && echo true >carried-1/bin/run && tar c carried-1";
    let made = Command::new("sh").args(["-c", made]).output()?;
    ensure!(made.status.success(), "tar: {made:?}");
    Ok(made.stdout)
}

/// A host with the catalog at `/srv/roles`, readable for everybody, and each user's own file of secrets.
struct Machine {
    host: Host,
    /// `--set`, where the role needs it.
    sha256: String,
}

impl Machine {
    fn boot(sandbox: &Sandbox) -> Result<Machine> {
        let host = boot(sandbox)?;
        Local::on(&host)?;
        copy(&host, &role(), "/srv/roles/all")?;
        let key = fs::read(sandbox.repository_key()?).context("the repository's key")?;
        host.write_file("/srv/roles/all/key.asc", &key)?;
        host.write_file("/srv/roles/all/carried.tar", carried()?)?;
        for user in USERS {
            host.write_file(&format!("/srv/secrets.{user}"), "key = \"Kanari\"\n")?;
            host.sh(&format!(
                "chown {user} /srv/secrets.{user} && chmod 600 /srv/secrets.{user}"
            ))?;
        }
        let sha256 = format!("sha256={}", hex(&Sha256::digest(&key)));
        Ok(Machine { host, sha256 })
    }

    fn apply<'a>(&'a self, secrets: &'a str, more: &[&'a str]) -> Vec<&'a str> {
        let mut words = vec![
            CFG,
            "apply",
            "--catalog",
            "/srv/roles",
            "--role",
            "all",
            "--set",
            &self.sha256,
        ];
        words.extend(["--secrets", secrets]);
        words.extend(more);
        words
    }

    /// A dry run of that user with these words more.
    fn dry_run(&self, user: &str, more: &[&str]) -> Result<(Output, Vec<&'static str>)> {
        let secrets = format!("/srv/secrets.{user}");
        let words = self.apply(&secrets, &[&["--dry-run"], more].concat());
        let (told, trace) = traced(&self.host, user, &words, None)?;
        Ok((told, asked(&trace)))
    }

    /// The same, which must end with this exit code.
    fn expect(&self, user: &str, more: &[&str], status: i32) -> Result<Run> {
        let (told, _) = self.dry_run(user, &[more, &["--json"]].concat())?;
        Run::of(&told)?.expect(status)
    }
}

/// The resources that a part of a run's document names: `failures`, `held`.
fn named<'a>(run: &'a Run, part: &str) -> Vec<&'a str> {
    let entries = run.document[part].as_array().into_iter().flatten();
    entries
        .filter_map(|entry| entry["resource"].as_str())
        .collect()
}

/// Copies a folder of this machine into a host.
fn copy(host: &Host, from: &Path, to: &str) -> Result<()> {
    for entry in fs::read_dir(from).with_context(|| from.display().to_string())? {
        let path = entry?.path();
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .context("a name")?;
        let to = format!("{to}/{name}");
        match path.is_dir() {
            true => copy(host, &path, &to)?,
            false => host.write_file(&to, fs::read(&path)?)?,
        }
    }
    Ok(())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Lines that are in one of them alone.
fn changed<'a>(before: &'a str, after: &'a str) -> Vec<&'a str> {
    let (before, after): (BTreeSet<&str>, BTreeSet<&str>) =
        (before.lines().collect(), after.lines().collect());
    before.symmetric_difference(&after).copied().collect()
}

/// All kinds of resources that there are.
fn kinds(host: &Host) -> Result<BTreeSet<String>> {
    let schema: serde_json::Value = serde_json::from_str(&host.run([CFG, "schema"])?)?;
    let words = schema["properties"]
        .as_object()
        .context("a schema without properties")?;
    let others = [
        "description",
        "include",
        "partial",
        "params",
        "set",
        "fleet",
        "leftovers",
    ];
    let kinds = words.keys().filter(|word| !others.contains(&word.as_str()));
    Ok(kinds.cloned().collect())
}

fn kinds_of(run: &Run) -> BTreeSet<String> {
    let changes = run.changes();
    changes
        .iter()
        .filter_map(|change| Some(change.split_once(':')?.0.to_owned()))
        .collect()
}

#[test]
fn a_dry_run_writes_starts_and_stops_nothing() -> Result<()> {
    Sandbox::run(|sandbox| {
        let machine = Machine::boot(sandbox)?;
        let host = &machine.host;
        for user in USERS {
            let (told, traced) = machine.dry_run(user, &["--json"])?;
            let run = Run::of(&told)?.expect(2)?;
            ensure!(traced.len() == KINDS.len(), "{user} asked only {traced:?}");
            ensure!(run.changes().len() > 40, "{user}: {:#}", run.document);
            sandbox.step(&format!("blank, {user}"));
        }
        host.sh("rm -r /var/lib/apt/lists/*; echo >/etc/apt/sources.list")?;
        for user in USERS {
            let (told, _) = machine.dry_run(user, &[])?;
            ensure!(told.status == 2, "{told}");
            ensure!(told.stdout.lines().count() > 40, "{told}");
            sandbox.step(&format!("without an index, {user}"));
        }
        // Trees of Debian, in which packages can be: one of root's, and one of the user's own.
        host.sh(
            "for tree in other nobodys; do mkdir /srv/$tree && install -D /dev/null /srv/$tree/usr/bin/apt-get; done
             chown -R nobody /srv/nobodys",
        )?;
        // What takes root is held where an ordinary user looks.
        for (user, root, status) in [("root", "/srv/other", 2), ("nobody", "/srv/nobodys", 3)] {
            let run = machine.expect(user, &["--root", root], status)?;
            ensure!(run.changes().len() > 40, "{user}: {:#}", run.document);
            for held in ["package:probe-daemon", "user:keeper", "command:on"] {
                let is = named(&run, "held").contains(&held);
                ensure!(is == (user == "nobody"), "{held}: {:#}", run.document);
            }
            sandbox.step(&format!("another root, {user}"));
        }

        let run =
            Run::of(&host.exec(machine.apply("/srv/secrets.root", &["--json"]))?)?.expect(0)?;
        ensure!(run.document["unforeseen"].is_null(), "{:#}", run.document);
        sandbox.step("applied");
        // What an ordinary user may not read is told, and all else is in sync for him too.
        let hidden = ["user:keeper", "package:asking", "file:/etc/all/secret"];
        for (user, status, failed) in [("root", 0, &[][..]), ("nobody", 1, &hidden)] {
            let run = machine.expect(user, &[], status)?;
            ensure!(run.changes().is_empty(), "{user}: {:#}", run.document);
            ensure!(named(&run, "failures") == failed, "{:#}", run.document);
        }
        sandbox.step("in sync");

        host.sh(include_str!("drift.sh"))?;
        sandbox.step("drifted");
        drifted(sandbox, &machine)
    })
}

/// A host that differs in every kind, and a role that has changed.
fn drifted(sandbox: &Sandbox, machine: &Machine) -> Result<()> {
    let now = ["--set", "word=two"];
    let every = kinds(&machine.host)?;
    for (user, status) in [("root", 2), ("nobody", 1)] {
        let run = machine.expect(user, &now, status)?;
        let seen = kinds_of(&run);
        ensure!(seen == every, "{user}: {seen:?}");
        if user == "root" {
            let leftovers = run.document["leftovers"].to_string();
            ensure!(leftovers.contains("/etc/all/leaving"), "{:#}", run.document);
            ensure!(
                run.changes().contains(&"service:own restart".to_owned()),
                "{:#}",
                run.document
            );
        }
        sandbox.step(&format!("drifted, {user}"));
        let only = [&now[..], &["--only", "file:/etc/all/**"]].concat();
        let run = machine.expect(user, &only, status)?;
        for change in ["file:/etc/all/fetched create", "file:/etc/all/gone remove"] {
            ensure!(
                run.changes().contains(&change.to_owned()),
                "{user}: {:#}",
                run.document
            );
        }
        ensure!(
            run.changes().len() < 10,
            "{user}, only some: {:#}",
            run.document
        );
    }
    Ok(())
}
