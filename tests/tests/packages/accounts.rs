//! Users that come with packages, and packages where there is no apt.

use anyhow::{Result, ensure};
use cfg_tests::{CFG, Run, Sandbox};

use crate::blank;
use crate::choices::failures;
use crate::made::repository;
use crate::sources::certainty;

#[test]
fn what_is_given_to_a_user_whom_a_package_makes_is_assumed_and_made() -> Result<()> {
    Sandbox::run(|sandbox| {
        let host = sandbox.host("vm-1", "10.77.0.11")?;
        let local = blank(&host)?;
        host.write_file(
            "/srv/made/DEBIAN/postinst",
            "#!/bin/sh\nset -e\nuseradd --system --user-group daemon-user\n",
        )?;
        host.run(["chmod", "755", "/srv/made/DEBIAN/postinst"])?;
        repository(&host, "made-up", "", &[("with-user", "1", "")])?;
        host.run(["apt-get", "update"])?;
        local.write(
            "probe/role.toml",
            "[package]\nwith-user = '*'\n\
             [file.'/etc/of-user']\ncontent = 'x'\nowner = 'daemon-user'\ngroup = 'daemon-user'\n\
             [directory.'/srv/of-user']\nowner = 'daemon-user'\nmode = '0750'\n\
             [user.worker]\nsystem = true\ngroups = ['daemon-user']\nafter = ['package:with-user']\n",
        )?;
        let foretold = local.dry_run("probe")?;
        for given in ["file:/etc/of-user", "directory:/srv/of-user", "user:worker"] {
            assert_eq!(certainty(&foretold, given), "assumed");
        }
        let changes = local.converge("probe")?;
        assert!(
            changes.contains(&"file:/etc/of-user create".to_owned()),
            "{changes:?}"
        );
        let owner = host.run(["stat", "-c", "%U:%G", "/etc/of-user"])?;
        assert_eq!(owner.trim(), "daemon-user:daemon-user");
        Ok(())
    })
}

#[test]
fn what_is_of_a_user_with_another_number_is_put_right_as_foretold() -> Result<()> {
    Sandbox::run(|sandbox| {
        let host = sandbox.host("vm-1", "10.77.0.11")?;
        let local = blank(&host)?;
        let role = |uid: u32, gid: u32| {
            format!(
                "[group.crew]\ngid = {gid}\n\
                 [user.cd]\nuid = {uid}\ngid = 'crew'\nauthorized_keys = ['ssh-ed25519 AAAA cd']\n\
                 [directory.'/srv/cd']\nowner = 'cd'\n[file.'/etc/crew.conf']\ncontent = 'x'\nowner = 'cd'\ngroup = 'crew'\n\
                 [file.'/etc/number.conf']\ncontent = 'x'\nowner = '{uid}'\n[file.'/home/cd/.own']\ncontent = 'x'\nowner = 'cd'\n"
            )
        };
        local.write("probe/role.toml", role(4300, 4200))?;
        local.converge("probe")?;
        for (uid, gid, changes) in [
            (
                4300,
                4201,
                &[
                    "group:crew update",
                    "user:cd update",
                    "file:/etc/crew.conf update",
                ][..],
            ),
            (
                4301,
                4201,
                &[
                    "user:cd update",
                    "directory:/srv/cd update",
                    "file:/etc/crew.conf update",
                    "file:/etc/number.conf update",
                ],
            ),
        ] {
            local.write("probe/role.toml", role(uid, gid))?;
            assert_eq!(local.dry_run("probe")?.expect(2)?.changes(), changes);
            assert_eq!(local.converge("probe")?, changes);
        }
        Ok(())
    })
}

#[test]
fn a_user_whose_processes_run_is_told_of_before_the_run() -> Result<()> {
    Sandbox::run(|sandbox| {
        let host = sandbox.host("vm-1", "10.77.0.11")?;
        let local = blank(&host)?;
        let unit = "[Service]\nUser=joe\nExecStart=/bin/sleep infinity\n";
        local.write("probe/joe.service", unit)?;
        let with = "[service.joe]\nunit = 'joe.service'\nstate =";
        local.write(
            "probe/role.toml",
            format!("[user.joe]\nsystem = true\n{with} 'running'\n"),
        )?;
        local.converge("probe")?;
        for gone in ["[user.joe]\nstate = 'absent'\n", "[user.joe]\nuid = 4300\n"] {
            local.write("probe/role.toml", gone)?;
            let (foretold, run) = (
                local.dry_run("probe")?.expect(1)?,
                local.apply("probe")?.expect(1)?,
            );
            assert_eq!(foretold.document["failures"], run.document["failures"]);
            let [(_, message)] = &failures(&run)[..] else {
                anyhow::bail!("{:#}", run.document);
            };
            ensure!(
                message.contains("joe is currently used by process"),
                "{message}"
            );
        }
        let after = "[user.joe]\nstate = 'absent'\nafter = ['service:joe']\n";
        local.write("probe/role.toml", format!("{after}{with} 'stopped'\n"))?;
        assert_eq!(certainty(&local.dry_run("probe")?, "user:joe"), "certain");
        assert_eq!(
            local.converge("probe")?,
            ["service:joe stop", "user:joe remove"]
        );
        Ok(())
    })
}

#[test]
fn a_tree_without_apt_is_told_what_it_lacks() -> Result<()> {
    Sandbox::run(|sandbox| {
        let host = sandbox.host("vm-1", "10.77.0.11")?;
        let local = blank(&host)?;
        host.run(["mkdir", "-p", "/srv/tree/etc"])?;
        local.write(
            "probe/role.toml",
            "[package]\nhello = '*'\nnobody-has-it = { state = 'absent' }\n[file.'/etc/x']\ncontent = 'x'\n",
        )?;
        for more in [&["--dry-run"][..], &[]] {
            let words = [&["--json", "--root", "/srv/tree"], more].concat();
            let run = Run::of(&host.exec(local.words("probe", &words))?)?.expect(1)?;
            assert_eq!(run.changes(), ["file:/etc/x create"], "{CFG}");
            let told = failures(&run);
            ensure!(
                matches!(&told[..], [(id, why)]
                    if id == "package:hello" && why.starts_with("there is no apt-get in /srv/tree")
                        && why.ends_with("with --only")),
                "{told:?}"
            );
        }
        Ok(())
    })
}
