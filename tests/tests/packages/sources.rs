//! Repositories of a role, and what becomes of the packages that come from them.

use anyhow::{Result, ensure};
use cfg_tests::{Host, Run, Sandbox};

use crate::blank;
use crate::choices::failures;
use crate::made::version;

/// A repository of the tests' own under another address, with this key.
fn repository(name: &str, uri: &str, key: &str) -> String {
    format!(
        "[repository.{name}]\nuris = ['{uri}']\nsuites = ['bookworm']\ncomponents = ['main']\nsigned_by = '{key}'\n"
    )
}

pub fn certainty(run: &Run, resource: &str) -> String {
    let mut changes = run.document["changes"].as_array().into_iter().flatten();
    let change = changes.find(|change| change["resource"] == resource);
    change.map_or("none".into(), |change| {
        change["certainty"].as_str().unwrap_or_default().to_owned()
    })
}

fn files(host: &Host) -> Result<String> {
    host.sh("cd /etc/apt/sources.list.d && ls cfg-* 2>/dev/null || true")
}

#[test]
fn a_repository_under_another_name_waits_until_the_old_one_is_gone() -> Result<()> {
    Sandbox::run(|sandbox| {
        let host = sandbox.host("vm-1", "10.77.0.11")?;
        let local = blank(&host)?;
        host.sh("rm -f /etc/apt/sources.list")?;
        local.write("probe/key.asc", std::fs::read(sandbox.repository_key()?)?)?;
        let role = |name: &str, package: &str| {
            let source = repository(name, Sandbox::REPOSITORY, "key.asc");
            format!("{source}[package]\n{package} = '*'\n")
        };
        local.write("probe/role.toml", role("one", "probe-daemon"))?;
        local.converge("probe")?;
        sandbox.step("the first name");

        local.write("probe/role.toml", role("two", "hello"))?;
        for run in [local.dry_run("probe")?, local.apply("probe")?] {
            let run = run.expect(1)?;
            assert_eq!(run.changes(), ["package:hello install"]);
            let told = failures(&run);
            ensure!(
                matches!(&told[..], [(id, why)]
                    if id == "repository:two" && why.contains("cfg-one.sources names the same source")),
                "{told:?}"
            );
        }
        assert_eq!(files(&host)?, "cfg-one.sources\n");

        // What left the role goes, and what comes from the new one only a run can know.
        local.write("probe/role.toml", role("two", "asking"))?;
        let words = local.words("probe", &["--prune", "--json", "--dry-run"]);
        let foretold = Run::of(&host.exec(words)?)?.expect(2)?;
        assert_eq!(certainty(&foretold, "package:asking"), "assumed");
        let run = Run::of(&host.exec(local.words("probe", &["--prune", "--json"]))?)?.expect(0)?;
        assert_eq!(run.changes(), foretold.changes());
        assert_eq!(files(&host)?, "cfg-two.sources\n");
        Ok(())
    })
}

#[test]
fn a_repository_that_cannot_be_fetched_fails_with_apts_words_and_all_else_comes() -> Result<()> {
    Sandbox::run(|sandbox| {
        let host = sandbox.host("vm-1", "10.77.0.11")?;
        let local = blank(&host)?;
        local.write(
            "probe/garbage.asc",
            "-----BEGIN PGP PUBLIC KEY BLOCK-----\ngarbage\n",
        )?;
        local.write("probe/key.asc", std::fs::read(sandbox.repository_key()?)?)?;
        for (name, uri, key, word) in [
            (
                "garbage",
                Sandbox::MESOS_REPOSITORY,
                "garbage.asc",
                "is not signed",
            ),
            (
                "away",
                "http://10.77.0.1:9/debian",
                "key.asc",
                "Could not connect",
            ),
        ] {
            let source = repository(name, uri, key);
            let role = format!("{source}[package]\nhello = '*'\nonly-there = '*'\n");
            local.write("probe/role.toml", role)?;
            let foretold = local.dry_run("probe")?.expect(2)?;
            assert_eq!(certainty(&foretold, "package:only-there"), "assumed");
            let run = local.apply("probe")?.expect(1)?;
            let told = failures(&run);
            let is =
                |(id, why): &(String, String), wanted: &str| id == wanted && why.contains(word);
            ensure!(
                matches!(&told[..], [one, two]
                    if is(one, &format!("repository:{name}")) && is(two, "package:only-there")),
                "{told:#?}"
            );
            assert_eq!(version(&host, "hello")?, "2.10-3");
            sandbox.step(name);

            // With nothing that moves it fails as well, as long as that lasts.
            local.write(
                "probe/role.toml",
                format!("{source}[package]\nhello = '*'\n"),
            )?;
            for _again in 0..2 {
                let foretold = failures(&local.dry_run("probe")?.expect(1)?);
                let told = failures(&local.apply("probe")?.expect(1)?);
                ensure!(
                    matches!(&told[..], [one] if is(one, &format!("repository:{name}"))),
                    "{told:#?}"
                );
                ensure!(foretold == told, "{foretold:#?}");
            }
            host.run(["apt-get", "purge", "-y", "hello"])?;
            host.sh("rm -f /etc/apt/sources.list.d/cfg-*")?;
        }
        Ok(())
    })
}

/// apt says nothing at its end of what it did not reach where it does not believe another.
#[test]
fn a_repository_out_of_reach_fails_beside_one_with_a_wrong_key() -> Result<()> {
    Sandbox::run(|sandbox| {
        let host = sandbox.host("vm-1", "10.77.0.11")?;
        let local = blank(&host)?;
        let garbage = "-----BEGIN PGP PUBLIC KEY BLOCK-----\ngarbage\n";
        local.write("probe/garbage.asc", garbage)?;
        local.write("probe/key.asc", std::fs::read(sandbox.repository_key()?)?)?;
        let away = repository("away", "http://10.77.0.99:81/debian", "key.asc");
        let wrong = repository("wrong", Sandbox::MESOS_REPOSITORY, "garbage.asc");
        local.write("probe/role.toml", away + &wrong)?;
        local.dry_run("probe")?.expect(2)?;
        for again in 0..2 {
            let told = failures(&local.apply("probe")?.expect(1)?);
            ensure!(
                matches!(&told[..], [(one, away), (two, wrong)]
                    if one == "repository:away" && away.contains("Could not connect")
                        && two == "repository:wrong" && wrong.contains("is not signed")),
                "{told:#?}"
            );
            let foretold = failures(&local.dry_run("probe")?.expect(1)?);
            ensure!(foretold == told, "{again}: {foretold:#?}");
        }
        Ok(())
    })
}
