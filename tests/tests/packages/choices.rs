//! What is apt's to choose, and what is not.

use anyhow::{Result, ensure};
use cfg_tests::{Run, Sandbox};

use crate::made::{repository, version};
use crate::{blank, probe};

/// What failed, with why.
pub fn failures(run: &Run) -> Vec<(String, String)> {
    let word = |failure: &serde_json::Value, key: &str| {
        failure[key].as_str().unwrap_or_default().to_owned()
    };
    let failures = run.document["failures"].as_array();
    failures
        .into_iter()
        .flatten()
        .map(|failure| (word(failure, "resource"), word(failure, "message")))
        .collect()
}

const LIB: &[(&str, &str, &str)] = &[
    ("lib", "1", ""),
    ("lib", "2", ""),
    ("app", "1", "Depends: lib (>= 2)\n"),
    ("other", "1", ""),
];

#[test]
fn what_the_role_pins_is_moved_by_no_other() -> Result<()> {
    Sandbox::run(|sandbox| {
        let host = sandbox.host("vm-1", "10.77.0.11")?;
        let local = blank(&host)?;
        repository(&host, "made-up", "", LIB)?;
        host.run(["apt-get", "update"])?;
        for (pin, installs) in [("1", "package:lib install"), ("1", ""), ("1*", "")] {
            let role = format!("[package]\nlib = '{pin}'\napp = '*'\nother = '*'\n");
            local.write("probe/role.toml", role)?;
            let mut wanted = vec![installs, "package:other install"];
            wanted.retain(|change| !installs.is_empty() && !change.is_empty());
            for run in [local.dry_run("probe")?, local.apply("probe")?] {
                let run = run.expect(1)?;
                assert_eq!(run.changes(), wanted);
                let told = failures(&run);
                ensure!(
                    matches!(&told[..], [(app, why)]
                        if app == "package:app" && why.contains("Depends: lib (>= 2)")),
                    "{told:?}"
                );
                ensure!(run.document["unforeseen"].is_null(), "{:#}", run.document);
            }
            assert_eq!(version(&host, "lib")?, "1");
        }
        sandbox.step("pinned to what there is");

        // Nor does it come in a version that the role does not want.
        host.run(["apt-get", "purge", "-y", "lib", "other"])?;
        local.write(
            "probe/role.toml",
            "[package]\nlib = '3*'\napp = '*'\nother = '*'\n",
        )?;
        let run = local.apply("probe")?.expect(1)?;
        assert_eq!(run.changes(), ["package:other install"]);
        let told = failures(&run);
        let why = "apt would also bring lib to 2, and the role wants lib 3*";
        ensure!(
            told.contains(&("package:app".to_owned(), why.to_owned())) && told.len() == 2,
            "{told:?}"
        );
        assert_eq!(version(&host, "lib")?, "");
        Ok(())
    })
}

#[test]
fn what_the_role_leaves_open_is_the_version_that_apt_prefers() -> Result<()> {
    Sandbox::run(|sandbox| {
        let host = sandbox.host("vm-1", "10.77.0.11")?;
        let local = blank(&host)?;
        repository(&host, "stable", "", &[("tool", "1", ""), ("lib", "1", "")])?;
        let later = "NotAutomatic: yes\\nButAutomaticUpgrades: yes\\n";
        repository(&host, "later", later, &[("tool", "2", "")])?;
        host.write_file(
            "/etc/apt/preferences.d/probe",
            "Package: probe-daemon\nPin: version 1.0\nPin-Priority: 990\n",
        )?;
        host.run(["apt-get", "update"])?;
        let converge = |text: &str, wanted: &[(&str, &str)]| -> Result<()> {
            local.write("probe/role.toml", text)?;
            let foretold = local.dry_run("probe")?;
            let changes = foretold.document["changes"].as_array().cloned();
            local.converge("probe")?;
            for (package, there) in wanted {
                let id = format!("package:{package}");
                let mut changes = changes.iter().flatten();
                let change = changes.find(|change| change["resource"] == id.as_str());
                let after = change.map(|change| change["after"]["version"].clone());
                assert_eq!(after, Some((*there).into()), "{package}");
                assert_eq!(version(&host, package)?, *there);
            }
            Ok(())
        };
        let role = "[package]\ntool = '*'\nlib = 'latest'\nprobe-daemon = '*'\n";
        converge(
            role,
            &[("tool", "1"), ("lib", "1"), ("probe-daemon", "1.0")],
        )?;
        sandbox.step("apt's choice");
        local.write("probe/role.toml", role.replace('*', "latest"))?;
        local.dry_run("probe")?.expect(0)?;
        // What the role names itself may come from anywhere.
        converge(
            "[package]\ntool = '2'\nprobe-daemon = '1.1*'\n",
            &[("tool", "2"), ("probe-daemon", "1.1")],
        )?;
        // Once it is there, apt prefers it to what is older.
        local.write("probe/role.toml", "[package]\ntool = 'latest'\n")?;
        local.dry_run("probe")?.expect(0)?;
        host.write_file(
            "/etc/apt/preferences.d/tool",
            "Package: tool\nPin: version 1\nPin-Priority: 1001\n",
        )?;
        converge("[package]\ntool = 'latest'\n", &[("tool", "1")])
    })
}

#[test]
fn what_goes_along_with_another_is_foretold_with_what_restarts_for_it() -> Result<()> {
    Sandbox::run(|sandbox| {
        let host = sandbox.host("vm-1", "10.77.0.11")?;
        let local = blank(&host)?;
        repository(&host, "made-up", "", LIB)?;
        host.run(["apt-get", "update"])?;
        host.run(["apt-get", "install", "-y", "lib=1"])?;
        let files = "\"file:/etc/probe-daemon/*\"";
        let role = |more: &str| {
            let packages = format!("[package]\nlib = '*'\n{more}");
            let probe = probe("*", "one").replace("[package]", &packages);
            probe.replace(files, &format!("{files}, 'package:lib'"))
        };
        local.write("probe/role.toml", role(""))?;
        local.converge("probe")?;
        assert_eq!(version(&host, "lib")?, "1");
        sandbox.step("it runs with the older one");

        local.write("probe/role.toml", role("app = '*'\nother = '*'\n"))?;
        let foretold = local.dry_run("probe")?.expect(2)?;
        let changes = foretold.document["changes"].as_array().cloned();
        let mut of_lib = changes.iter().flatten();
        let of_lib = of_lib.find(|change| change["resource"] == "package:lib");
        let told = of_lib.map(|change| {
            let words = ["before", "after", "causes", "certainty"];
            words.map(|key| change[key].to_string()).join(" ")
        });
        assert_eq!(
            told.as_deref(),
            Some(r#"{"version":"1"} {"version":"2"} ["package:app"] "certain""#)
        );
        assert_eq!(
            local.converge("probe")?,
            [
                "package:app install",
                "package:lib upgrade",
                "package:other install",
                "service:probe-daemon restart"
            ]
        );
        assert_eq!(version(&host, "lib")?, "2");
        Ok(())
    })
}
