//! Who has the slot of a roll-out is lost in the middle of it, or fails: nobody else goes meanwhile, and all follow in the end.

use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use cfg_tests::{Host, Sandbox, eventually};

use crate::clock::now;
use crate::cuts::Cut;
use crate::rolls::{
    A_WHILE, MINUTES, Rolls, UNWELL, WELL, asks_whether_it_is_unwell, in_health_timeout,
    start_of_zookeeper, starts_of, waits_for,
};

/// A slot's lease, and as long again.
const LEASE: Duration = Duration::from_secs(120);
/// What comes between a master's zoo.cfg and its restart, and lasts for as long as a test wants.
const BETWEEN: &str = r#"
[command.between]
on = ["file:/etc/zookeeper/conf/zoo.cfg"]
run = "while test -e /run/hold; do sleep 0.1; done"
"#;

#[test]
fn a_slot_ends_with_its_holder() -> Result<()> {
    Sandbox::run(|sandbox| {
        let mut rolls = Rolls::begin(sandbox)?;
        let began = rolls.change()?;
        let holder = rolls.first_down(began)?;
        holder.power_cut()?;
        sandbox.step(&format!(
            "{} lost its power while it restarted",
            holder.name()
        ));
        let others = rolls.others(holder);
        let before = starts_of(&others)?;
        its_slot_ends(&rolls, holder)?;
        sandbox.step("its slot has ended");
        for host in &others {
            waits_for(host, &format!("{} is not connected", holder.name()))?;
        }
        sleep(A_WHILE);
        assert_eq!(starts_of(&others)?, before, "somebody went meanwhile");
        rolls.client.is_served()?;

        // It boots with what its run has written, and owes no restart; the_agent_dies_before_the_restart owes one.
        // A first run that comes before ZooKeeper serves again has found it unhealthy; the next one is not to be waited for for minutes.
        holder.write_file("/etc/cfg/agent.toml", "interval = \"30s\"\n")?;
        holder.boot()?;
        sandbox.step("it is back");
        rolls.all_follow(MINUTES)?;
        rolls.watch.never_two_down(began)?;
        let order = rolls.watch.order(began);
        ensure!(
            others
                .iter()
                .all(|host| order.iter().any(|name| name == host.name())),
            "{order:?}"
        );
        sandbox.step(&format!(
            "it has finished, and the others after it: {order:?}"
        ));
        rolls.client.end()?;
        Ok(())
    })
}

#[test]
fn nobody_goes_while_a_holder_is_out_of_sight() -> Result<()> {
    Sandbox::run(|sandbox| {
        let mut rolls = Rolls::begin_with(sandbox, |roles| {
            asks_whether_it_is_unwell(roles)?;
            in_health_timeout(roles, "10m")?;
            let path = "zk-master/role.toml";
            roles.write(path, roles.read(path)? + BETWEEN)
        })?;
        the_holder_is_cut_from_the_server(sandbox, &mut rolls)?;
        the_agent_dies_before_the_restart(sandbox, &mut rolls)?;
        rolls.client.end()?;
        Ok(())
    })
}

/// The one that has the slot is cut from the server in the middle of its run, for longer than a slot lasts: still nobody else goes.
fn the_holder_is_cut_from_the_server(sandbox: &Sandbox, rolls: &mut Rolls) -> Result<()> {
    let began = rolls.change()?;
    let holder = rolls.first_down(began)?;
    holder.sh(UNWELL)?;
    let others = rolls.others(holder);
    let before = starts_of(&others)?;
    let from_the_server = Cut::from_the_server(holder)?;
    its_slot_ends(rolls, holder)?;
    for host in &others {
        waits_for(host, &format!("{} is not connected", holder.name()))?;
    }
    sleep(A_WHILE);
    assert_eq!(starts_of(&others)?, before, "somebody went meanwhile");
    from_the_server.heal()?;
    // The server hears of it again, and that it is not healthy: its run is not over.
    for host in &others {
        waits_for(host, &format!("{} is not healthy", holder.name()))?;
    }
    assert_eq!(starts_of(&others)?, before, "somebody went meanwhile");
    holder.sh(WELL)?;
    rolls.all_follow(MINUTES)?;
    rolls.watch.never_two_down(began)?;
    sandbox.step(&format!(
        "{} was cut from the server while it had the slot: {:?}",
        holder.name(),
        rolls.watch.order(began)
    ));
    Ok(())
}

/// It has written the file that its ZooKeeper is to start with, and is killed: the next run owes the restart, and makes it.
fn the_agent_dies_before_the_restart(sandbox: &Sandbox, rolls: &mut Rolls) -> Result<()> {
    for host in &rolls.cluster.masters {
        host.sh("touch /run/hold")?;
    }
    let began = rolls.change()?;
    let holder = eventually("one has the file", MINUTES, || {
        for host in &rolls.cluster.masters {
            if rolls.has_the_change(host)? {
                return Ok(host);
            }
        }
        bail!("none yet")
    })?;
    let (all, start) = (starts(rolls)?, start_of_zookeeper(holder)?);
    let told = rolls.in_fleet(holder)?;
    ensure!(told["slot"] == "held", "{told:#}");
    holder.sh("systemctl kill --kill-whom=main --signal=KILL cfg-agent")?;
    sleep(A_WHILE);
    ensure!(rolls.has_the_change(holder)?);
    assert_eq!(starts(rolls)?, all, "somebody was restarted meanwhile");
    for host in &rolls.cluster.masters {
        host.sh("rm /run/hold")?;
    }
    eventually("the next run restarts it", MINUTES, || {
        ensure!(
            start_of_zookeeper(holder)? != start,
            "it runs with what it had"
        );
        Ok(())
    })?;
    rolls.all_follow(MINUTES)?;
    rolls.watch.never_two_down(began)?;
    let order = rolls.watch.order(began);
    ensure!(order.len() == 3 && order[0] == holder.name(), "{order:?}");
    sandbox.step(&format!("an agent was killed before a restart: {order:?}"));
    Ok(())
}

#[test]
fn a_member_that_fails_stops_the_others() -> Result<()> {
    Sandbox::run(|sandbox| {
        let mut rolls = Rolls::begin_with(sandbox, |roles| in_health_timeout(roles, "40s"))?;
        let before = starts(&rolls)?;
        let began = now();
        let path = "zookeeper/zoo.cfg.j2";
        let template = rolls.cluster.catalog.read(path)?;
        // ZooKeeper does not start with this.
        rolls
            .cluster
            .catalog
            .write(path, format!("{template}tickTime=none\n"))?;
        rolls
            .cluster
            .installation
            .publish(rolls.cluster.catalog.dir())?;
        let failed = eventually("one has failed", MINUTES, || {
            let mut masters = rolls.cluster.masters.iter();
            let failed = masters.find(|host| {
                rolls
                    .in_fleet(host)
                    .is_ok_and(|node| node["slot"] == "failed")
            });
            failed.context("none yet")
        })?;
        sandbox.step(&format!(
            "{} is not healthy after its restart",
            failed.name()
        ));
        let told = rolls.in_fleet(failed)?;
        ensure!(told["result"] == "failed", "{told:#}");
        let others = rolls.others(failed);
        for host in &others {
            waits_for(
                host,
                &format!("{} was not healthy after its last change", failed.name()),
            )?;
        }
        sleep(A_WHILE);
        for (host, start) in rolls.cluster.masters.iter().zip(&before) {
            let same = &start_of_zookeeper(host)? == start;
            assert_eq!(same, host.name() != failed.name(), "{}", host.name());
            let slot = &rolls.in_fleet(host)?["slot"];
            assert_eq!(
                slot.as_str(),
                (!same).then_some("failed"),
                "{}",
                host.name()
            );
        }
        rolls.client.is_served()?;
        sandbox.step("the others wait, and say for whom");

        rolls.cluster.catalog.write(path, template)?;
        rolls.change()?;
        rolls.all_follow(MINUTES)?;
        rolls.watch.never_two_down(began)?;
        for host in &rolls.cluster.masters {
            let told = rolls.in_fleet(host)?;
            ensure!(told["slot"].is_null(), "{told:#}");
        }
        sandbox.step(&format!(
            "mended by another release: {:?}",
            rolls.watch.order(began)
        ));
        rolls.client.end()?;
        Ok(())
    })
}

fn starts(rolls: &Rolls) -> Result<Vec<String>> {
    let masters: Vec<&Host> = rolls.cluster.masters.iter().collect();
    starts_of(&masters)
}

/// The slot that a host has ends by itself.
fn its_slot_ends(rolls: &Rolls, holder: &Host) -> Result<()> {
    let told = rolls.in_fleet(holder)?;
    ensure!(told["slot"] == "held", "{told:#}");
    eventually("the slot ends by itself", LEASE, || {
        let told = rolls.in_fleet(holder)?;
        ensure!(told["slot"] != "held", "{told:#}");
        Ok(())
    })
}
