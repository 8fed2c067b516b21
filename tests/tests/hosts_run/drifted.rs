//! What changed in mode or owner alone, of the files that cfg writes for other kinds than files.

use anyhow::{Result, ensure};
use cfg_tests::Sandbox;

use crate::machine::Machine;

const KEYS: &str = "/home/me/.ssh/authorized_keys";
const UNIT: &str = "/etc/systemd/system/mine.service";
const SOURCES: &str = "/etc/apt/sources.list.d/cfg-more.sources";

#[test]
fn a_mode_or_an_owner_that_drifted_alone_is_found_alone() -> Result<()> {
    Sandbox::run(|sandbox| {
        let role = format!(
            "[user.me]\nauthorized_keys = ['ssh-ed25519 A a']\n\
             [service.mine]\nunit = 'mine.service'\nstate = 'running'\n\
             [repository.more]\nuris = ['{}']\nsuites = ['bookworm']\ncomponents = ['main']\nsigned_by = 'key.asc'\n",
            Sandbox::REPOSITORY
        );
        let machine = Machine::boot(sandbox, &role)?;
        let host = &machine.host;
        let folder = "/srv/roles/probe";
        host.write_file(
            &format!("{folder}/mine.service"),
            "[Service]\nExecStart=/bin/sleep infinity\n",
        )?;
        host.write_file(
            &format!("{folder}/key.asc"),
            std::fs::read(sandbox.repository_key()?)?,
        )?;
        machine.converge(&[])?;
        let stat = |path: &str| host.run(["stat", "-c", "%a %U:%G", path]);
        for (path, drift, change) in [
            (KEYS, "chmod 0660", "update user:me"),
            (KEYS, "chown daemon", "update user:me"),
            (UNIT, "chmod 0664", "update service:mine"),
            (UNIT, "chown daemon", "update service:mine"),
            (SOURCES, "chmod 0664", "update repository:more"),
            (SOURCES, "chgrp daemon", "update repository:more"),
        ] {
            let before = stat(path)?;
            host.sh(&format!("{drift} {path}"))?;
            ensure!(stat(path)? != before, "{drift} {path} did nothing");
            let made = machine.converge(&[])?;
            ensure!(made == [change], "{drift} {path}: {made:?}");
            ensure!(stat(path)? == before, "{drift} {path}: {}", stat(path)?);
        }
        Ok(())
    })
}
