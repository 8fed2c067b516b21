//! The same of a machine that is enrolled: it may talk to its server besides, and the server knows no more than before.

use std::fs;
use std::net::SocketAddrV4;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use cfg_tests::{CFG, Host, Installation, Output, Run, Sandbox, Trace, output};
use sha2::{Digest as _, Sha256};

use crate::{KINDS, asked, boot, carried, hex, kinds, kinds_of, role, traced};

const DRY_RUN: [&str; 3] = [CFG, "apply", "--dry-run"];

/// Where a trace has a connection to the server.
const TALKED: &str = "sin_port=htons(7443)";

struct Fleet {
    installation: Installation,
    catalog: PathBuf,
    host: Host,
}

impl Fleet {
    /// A host that is enrolled, whose agent does not run: it would do what the dry run does not.
    fn start(sandbox: &Sandbox) -> Result<Fleet> {
        let installation = Installation::start(sandbox)?;
        let catalog = sandbox.dir().join("roles");
        let to = catalog.join("all");
        fs::create_dir_all(&catalog).context("roles")?;
        output(Command::new("cp").arg("-r").arg(role()).arg(&to))?.success()?;
        let key = fs::read(sandbox.repository_key()?).context("the repository's key")?;
        fs::write(to.join("key.asc"), &key).context("key.asc")?;
        fs::write(to.join("carried.tar"), carried()?).context("carried.tar")?;
        let path = to.join("role.toml");
        // A server keeps no secrets in this version.
        rewrite(
            &path,
            "secret = true, default = { secret = \"key\" }",
            "default = \"Kanari\"",
        )?;
        let sha256 = hex(&Sha256::digest(&key));
        let param = "sha256 = { type = \"string\"";
        rewrite(&path, param, &format!("{param}, default = \"{sha256}\""))?;
        installation.publish(&catalog)?;
        let host = boot(sandbox)?;
        installation.enroll(&host, "all")?;
        sandbox.step("enrolled");
        Ok(Fleet {
            installation,
            catalog,
            host,
        })
    }

    /// A dry run of that user with these words more, of which the server keeps nothing.
    fn dry_run(&self, user: &str, more: &[&str]) -> Result<(Output, Trace)> {
        let server: SocketAddrV4 = format!("{}:7443", Sandbox::ADDRESS).parse()?;
        let before = self.installation.kept()?;
        let ended = traced(&self.host, user, &[&DRY_RUN, more].concat(), Some(server))?;
        let after = self.installation.kept()?;
        ensure!(
            before == after,
            "the server kept something\n{before}\n{after}"
        );
        Ok(ended)
    }

    /// As root, and as an ordinary user, who may not read the machine's identity and gets no further.
    fn dry_runs(&self, more: &[&str]) -> Result<(Output, Trace)> {
        let (told, trace) = self.dry_run("nobody", more)?;
        ensure!(told.status == 77 && !trace.has(TALKED), "{told}");
        self.dry_run("root", more)
    }

    /// A dry run of root with this exit code.
    fn expect(&self, status: i32, more: &[&str]) -> Result<Run> {
        let (told, trace) = self.dry_runs(&[more, &["--json"]].concat())?;
        ensure!(trace.has(TALKED), "the server was not asked: {told}");
        Run::of(&told)?.expect(status)
    }
}

/// Replaces the one place of a text in a file.
fn rewrite(path: &Path, old: &str, new: &str) -> Result<()> {
    let text = fs::read_to_string(path).context("role.toml")?;
    ensure!(
        text.matches(old).count() == 1,
        "not once in {}: {old}",
        path.display()
    );
    fs::write(path, text.replace(old, new)).context("role.toml")
}

#[test]
fn a_dry_run_of_an_enrolled_machine_only_asks_the_server() -> Result<()> {
    Sandbox::run(|sandbox| {
        let fleet = Fleet::start(sandbox)?;
        let host = &fleet.host;
        // Nothing is kept yet: the role and its files come in memory.
        let run = fleet.expect(2, &[])?;
        ensure!(run.changes().len() > 40, "{:#}", run.document);
        let (_, trace) = fleet.dry_run("root", &[])?;
        ensure!(
            asked(&trace).len() == KINDS.len(),
            "only {:?}",
            asked(&trace)
        );
        ensure!(
            !host.exists("/var/lib/cfg/current.json")?,
            "a dry run kept the role"
        );
        host.sh("mkdir /srv/other && install -D /dev/null /srv/other/usr/bin/apt-get")?;
        let run = fleet.expect(2, &["--root", "/srv/other"])?;
        ensure!(run.changes().len() > 40, "{:#}", run.document);
        sandbox.step("blank");

        Run::of(&host.exec([CFG, "apply", "--json"])?)?.expect(0)?;
        sandbox.step("applied");
        fleet.expect(0, &[])?;
        sandbox.step("in sync");

        // The machine has drifted, and a release that it does not have is published.
        host.sh(include_str!("drift.sh"))?;
        rewrite(
            &fleet.catalog.join("all/role.toml"),
            "word = { type = \"string\", default = \"one\" }",
            "word = { type = \"string\", default = \"two\" }",
        )?;
        fs::write(fleet.catalog.join("all/as-it-is"), "another\n").context("as-it-is")?;
        fleet.installation.publish(&fleet.catalog)?;
        sandbox.step("drifted");
        let run = fleet.expect(2, &[])?;
        let seen = kinds_of(&run);
        ensure!(seen == kinds(host)?, "{seen:?}");
        ensure!(
            run.changes().contains(&"service:own restart".to_owned()),
            "{:#}",
            run.document
        );
        fleet.expect(2, &["--only", "file:/etc/all/**"])?;
        fleet.expect(2, &["--prune"])?;
        sandbox.step("drifted, with a release to come");

        fleet.installation.stop_server()?;
        let (told, _) = fleet.dry_runs(&[])?;
        ensure!(
            told.status == 2 && told.stderr.contains("as it was kept"),
            "{told}"
        );
        Ok(())
    })
}
