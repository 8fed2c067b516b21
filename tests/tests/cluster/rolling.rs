//! A change that restarts ZooKeeper goes through the masters one at a time, and the leader goes last.

use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use cfg_tests::{CFG, Host, Run, Sandbox, eventually};

use crate::clock::{Span, now};
use crate::cuts::Cut;
use crate::machines::apply;
use crate::masters::{follower, leader, mode};
use crate::one_pass::{one_leader, starts};
use crate::rolls::{MINUTES, Rolls, start_of_zookeeper, waits_for_its_slot};

/// A slot's lease, and as long again.
const LEASE: Duration = Duration::from_secs(120);
/// What other tests on the same two cores may add to a gap.
const OF_OTHERS: Duration = Duration::from_secs(2);
/// Longer than a master takes to restart.
const A_WHILE: Duration = Duration::from_secs(15);

#[test]
fn a_change_rolls_through_three_masters() -> Result<()> {
    Sandbox::run(|sandbox| {
        let mut rolls = Rolls::begin(sandbox)?;
        let mut gap_of_a_kill = rolls.gap_of_a_killed_leader()?;
        gap_of_a_kill = gap_of_a_kill.max(rolls.gap_of_a_killed_leader()?);
        sandbox.step(&format!("a leader that is killed: {gap_of_a_kill:.2?}"));

        let leads = leader(&rolls.cluster.masters)?.name().to_owned();
        let mesos = starts(&rolls.cluster.masters[0], "mesos-master")?;
        let began = rolls.change()?;
        rolls.all_follow(MINUTES)?;
        let gap = rolls.client.longest_gap(Span::since(began))?;
        let order = rolls.watch.order(began);
        sandbox.step(&format!(
            "rolled, in {:.1} s: {order:?}, of whom {leads} led; {gap:.2?}",
            now() - began
        ));
        rolls.watch.never_two_down(began)?;
        assert_eq!(order.len(), 3, "each once: {order:?}");
        assert_eq!(
            order.last(),
            Some(&leads),
            "the leader goes last: {order:?}"
        );
        // One election may be longer than another.
        gap_of_a_kill = gap_of_a_kill.max(rolls.gap_of_a_killed_leader()?);
        ensure!(
            gap <= 2 * gap_of_a_kill + OF_OTHERS,
            "a client waited for {gap:?} while a change rolled, and for {gap_of_a_kill:?} when a leader was killed"
        );
        assert_eq!(starts(&rolls.cluster.masters[0], "mesos-master")?, mesos);

        let began = rolls.change()?;
        rolls.change()?;
        rolls.all_follow(MINUTES)?;
        let order = rolls.watch.order(began);
        sandbox.step(&format!("two releases one right after another: {order:?}"));
        rolls.watch.never_two_down(began)?;
        rolls.client.end()?;
        Ok(())
    })
}

/// What keeps a ZooKeeper from starting: it cannot read what it knows.
const BREAK: &str = "chown root:root /var/lib/zookeeper && chmod 700 /var/lib/zookeeper && systemctl kill --signal=KILL zookeeper";
const MEND: &str = "chown zookeeper:zookeeper /var/lib/zookeeper && chmod 755 /var/lib/zookeeper";

#[test]
fn nobody_healthy_goes_while_another_is_broken() -> Result<()> {
    Sandbox::run(|sandbox| {
        let mut rolls = Rolls::begin_with(sandbox, |roles| {
            // What does not come up is given up soon; on few cores beside other tests a sound one takes a while.
            let path = "zk-master/role.toml";
            let role = roles.read(path)?;
            let (old, new) = ("health_timeout = \"2m\"", "health_timeout = \"60s\"");
            ensure!(role.contains(old), "{role}");
            roles.write(path, role.replace(old, new))
        })?;
        let broken = follower(&rolls.cluster.masters)?.name().to_owned();
        let began = now();
        rolls.master(&broken)?.sh(BREAK)?;
        rolls.change()?;
        let broken = rolls.master(&broken)?;
        let healthy = rolls.others(broken);
        let before = starts_of(&healthy)?;

        the_healthy_wait(&rolls, broken, &healthy)?;
        assert_eq!(starts_of(&healthy)?, before, "nobody healthy was restarted");
        sandbox.step("one is broken: the two healthy ones wait, and say for whom");

        // Nobody can give it a slot now.
        rolls.cluster.installation.stop_server()?;
        broken.sh(MEND)?;
        apply(broken)?;
        ensure!(rolls.has_the_change(broken)?);
        one_leader(&rolls.cluster)?;
        assert_eq!(starts_of(&healthy)?, before);
        sandbox.step("mended without a slot");

        let mut follow = healthy.iter();
        let follows = follow.find(|host| mode(host).is_ok_and(|mode| mode == "follower"));
        let follows = follows.context("a healthy one follows")?;
        let why = goes_without(follows)?;
        sandbox
            .step("without a server what is harmless is done; without a slot the rest, by a word");
        rolls.cluster.installation.start_server()?;
        eventually("the server is told why", MINUTES, || {
            let told = rolls.cluster.installation.reports(follows.name())?;
            ensure!(told.contains(why), "{told}");
            Ok(())
        })?;
        rolls.all_follow(MINUTES)?;
        rolls.watch.never_two_down(began)?;
        ensure!(
            rolls.watch.order(began).len() >= 3,
            "{:?}",
            rolls.watch.downs(began)
        );
        rolls.client.end()?;
        Ok(())
    })
}

/// Each says for whom it waits, and so does the fleet; none has the file of a restart that waits.
fn the_healthy_wait(rolls: &Rolls, broken: &Host, healthy: &[&Host]) -> Result<()> {
    // The latter where its unit was about to start when it wanted to mend itself: it did so with a slot, in vain.
    let whys = ["is", "was"].map(|word| format!("{} {word} not healthy", broken.name()));
    let tells_why = |detail: &str| whys.iter().any(|why| detail.contains(why));
    for host in healthy {
        eventually("a healthy one waits and says why", MINUTES, || {
            let detail = waits_for_its_slot(host)?;
            ensure!(tells_why(&detail), "{detail}");
            let told = rolls.in_fleet(host)?;
            ensure!(told["result"] == "waiting", "{told:#}");
            Ok(())
        })?;
    }
    eventually("the fleet says which is broken", MINUTES, || {
        let told = rolls.in_fleet(broken)?;
        ensure!(told["result"] == "failed", "{told:#}");
        Ok(())
    })?;
    for host in healthy {
        eventually("a run by hand waits as well", MINUTES, || {
            let run = Run::of(&host.exec([CFG, "apply", "--json"])?)?.expect(3)?;
            let held = run.document["held"].to_string();
            ensure!(
                held.contains("\"why\":\"slot\"") && tells_why(&held),
                "{held}"
            );
            Ok(())
        })?;
        ensure!(
            !rolls.has_the_change(host)?,
            "{} has the file of a restart that waits",
            host.name()
        );
    }
    Ok(())
}

/// A machine that owes a restart and finds no server puts right what disturbs nothing, and the rest where it is told to go without
/// a slot; gives why it was told so.
fn goes_without(host: &Host) -> Result<&'static str> {
    let hosts = host.read_file("/etc/hosts")?;
    host.write_file("/etc/hosts", "127.0.0.1 localhost\n")?;
    let start = start_of_zookeeper(host)?;
    let run = eventually("no other run is under way", MINUTES, || {
        Run::of(&host.exec([CFG, "apply", "--json"])?)?.expect(3)
    })?;
    let held = run.document["held"].to_string();
    ensure!(held.contains("\"why\":\"slot\""), "{held}");
    assert_eq!(
        host.read_file("/etc/hosts")?,
        hosts,
        "what is harmless waits for nobody"
    );
    assert_eq!(start_of_zookeeper(host)?, start);

    let why = "the server is away and the change is urgent";
    let words = [CFG, "apply", "--json", "--without-slot", "--why", why];
    let run = eventually("no other run is under way", MINUTES, || {
        Run::of(&host.exec(words)?)?.expect(0)
    })?;
    assert_eq!(run.document["without_slot"], why, "{:#}", run.document);
    ensure!(start_of_zookeeper(host)? != start, "{:#}", run.document);
    Ok(why)
}

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
        let told = rolls.in_fleet(holder)?;
        ensure!(told["slot"] == "held", "{told:#}");
        eventually("the slot ends by itself", LEASE, || {
            let told = rolls.in_fleet(holder)?;
            ensure!(told["slot"] != "held", "{told:#}");
            Ok(())
        })?;
        sandbox.step("its slot has ended");
        for host in &others {
            eventually("another waits for it", MINUTES, || {
                let detail = waits_for_its_slot(host)?;
                ensure!(detail.contains(holder.name()), "{detail}");
                Ok(())
            })?;
        }
        sleep(A_WHILE);
        assert_eq!(starts_of(&others)?, before, "somebody went meanwhile");
        rolls.client.is_served()?;

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
fn a_roll_out_survives_cuts_and_its_server() -> Result<()> {
    Sandbox::run(|sandbox| {
        let mut rolls = Rolls::begin(sandbox)?;
        the_server_restarts(sandbox, &mut rolls)?;
        one_is_cut_from_the_server(sandbox, &mut rolls)?;
        one_is_cut_from_its_peers(sandbox, &mut rolls)?;
        rolls.client.end()?;
        Ok(())
    })
}

/// The server is away while somebody has a slot.
fn the_server_restarts(sandbox: &Sandbox, rolls: &mut Rolls) -> Result<()> {
    let began = rolls.change()?;
    rolls.first_down(began)?;
    rolls.cluster.installation.stop_server()?;
    sleep(A_WHILE);
    rolls.cluster.installation.start_server()?;
    rolls.all_follow(MINUTES)?;
    rolls.watch.never_two_down(began)?;
    sandbox.step(&format!(
        "the server was away: {:?}",
        rolls.watch.order(began)
    ));
    Ok(())
}

/// One that has not gone yet is cut from the server: it waits, and so does whoever would need to know how it is.
fn one_is_cut_from_the_server(sandbox: &Sandbox, rolls: &mut Rolls) -> Result<()> {
    let began = rolls.change()?;
    let first = rolls.first_down(began)?;
    let cut = rolls.others(first)[0];
    let before = starts_of(&[cut])?;
    let from_the_server = Cut::from_the_server(cut)?;
    sleep(A_WHILE);
    assert_eq!(
        starts_of(&[cut])?,
        before,
        "{} is cut off, and went",
        cut.name()
    );
    rolls.client.is_served()?;
    from_the_server.heal()?;
    rolls.all_follow(MINUTES)?;
    rolls.watch.never_two_down(began)?;
    sandbox.step(&format!(
        "{} was cut from the server: {:?}",
        cut.name(),
        rolls.watch.order(began)
    ));
    Ok(())
}

/// One is cut from the others in the middle: the one that is left does not go.
fn one_is_cut_from_its_peers(sandbox: &Sandbox, rolls: &mut Rolls) -> Result<()> {
    let began = rolls.change()?;
    let first = rolls.first_down(began)?;
    let leads = leader(&rolls.cluster.masters)?;
    let mut others = rolls.others(first).into_iter();
    let second = others
        .find(|host| host.name() != leads.name())
        .context("three masters")?;
    // Two without a third would be no ensemble, whoever is to blame.
    eventually("the first is back", MINUTES, || mode(first))?;
    let before = starts_of(&[leads])?;
    let from_its_peers = Cut::from_its_peers(second)?;
    sleep(A_WHILE);
    assert_eq!(
        starts_of(&[leads])?,
        before,
        "one is cut from its peers, and the last one that it left went too"
    );
    rolls.client.is_served()?;
    from_its_peers.heal()?;
    rolls.all_follow(MINUTES)?;
    rolls.watch.never_two_down(began)?;
    sandbox.step(&format!(
        "{} was cut from its peers: {:?}",
        second.name(),
        rolls.watch.order(began)
    ));
    Ok(())
}

fn starts_of(hosts: &[&Host]) -> Result<Vec<String>> {
    hosts.iter().map(|host| start_of_zookeeper(host)).collect()
}
