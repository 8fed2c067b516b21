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
use crate::rolls::{
    A_WHILE, MINUTES, Rolls, TIMES, UNWELL, WELL, asks_whether_it_is_unwell, in_health_timeout,
    start_of_zookeeper, starts_of, waits_for, waits_for_its_slot,
};

#[test]
fn a_change_rolls_through_three_masters() -> Result<()> {
    // It measures how long a client waits, and nothing but its own hosts may add to that.
    Sandbox::run_alone(|sandbox| {
        let mut rolls = Rolls::begin(sandbox)?;
        let mut gap_of_a_kill = rolls.gap_of_a_killed_leader()?;
        gap_of_a_kill = gap_of_a_kill.max(rolls.gap_of_a_killed_leader()?);
        sandbox.step(&format!("a leader that is killed: {gap_of_a_kill:.2?}"));

        let mesos = starts(&rolls.cluster.masters[0], "mesos-master")?;
        let mut gap = a_change_rolls(sandbox, &mut rolls)?;
        for _ in 1..ROLLS {
            if gap <= TIMES * gap_of_a_kill {
                break;
            }
            gap = gap.min(a_change_rolls(sandbox, &mut rolls)?);
        }
        rolls.is_as_a_kill(gap, &mut gap_of_a_kill, Duration::ZERO)?;
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

/// How often a change may roll until a client waits for no longer than when a leader is killed: one election is longer than
/// another, and so is a client's way to who serves it; what the roll itself adds is there each time.
const ROLLS: usize = 3;

/// A change goes through the masters one at a time, and the leader goes last; gives for how long the client waited.
fn a_change_rolls(sandbox: &Sandbox, rolls: &mut Rolls) -> Result<Duration> {
    let leads = leader(&rolls.cluster.masters)?.name().to_owned();
    let began = rolls.change()?;
    rolls.all_follow(MINUTES)?;
    let rolled = Span::since(began);
    let order = rolls.watch.order(began);
    rolls.watch.never_two_down(began)?;
    assert_eq!(order.len(), 3, "each once: {order:?}");
    assert_eq!(
        order.last(),
        Some(&leads),
        "the leader goes last: {order:?}"
    );
    let gap = rolls.client.longest_gap(rolled)?;
    sandbox.step(&format!(
        "rolled, in {:.1} s: {order:?}, of whom {leads} led; {gap:.2?}",
        rolled.to - rolled.from
    ));
    Ok(gap)
}

/// What keeps a ZooKeeper from starting: it cannot read what it knows.
const BREAK: &str = "chown root:root /var/lib/zookeeper && chmod 700 /var/lib/zookeeper && systemctl kill --signal=KILL zookeeper";
const MEND: &str = "chown zookeeper:zookeeper /var/lib/zookeeper && chmod 755 /var/lib/zookeeper";

#[test]
fn nobody_healthy_goes_while_another_is_broken() -> Result<()> {
    Sandbox::run(|sandbox| {
        // What does not come up is given up soon; on few cores beside other tests a sound one takes a while.
        let mut rolls = Rolls::begin_with(sandbox, |roles| in_health_timeout(roles, "60s"))?;
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
        eventually("the server is told why, and keeps it", MINUTES, || {
            let told = rolls.cluster.installation.reports(follows.name())?;
            ensure!(told.contains(why), "{told}");
            let records = rolls.cluster.installation.records()?;
            let mut waived = records
                .iter()
                .filter(|record| record["event"] == "slot_waived");
            let kept =
                waived.any(|waived| waived["name"] == follows.name() && waived["why"] == why);
            ensure!(kept, "{records:#?}");
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
            let says = told["why"].as_str().unwrap_or_default();
            ensure!(told["result"] == "waiting" && tells_why(says), "{told:#}");
            let text = rolls.cluster.installation.desk(&["fleet"])?.success()?;
            let line = format!("{} waiting: {says}\n", host.name());
            ensure!(text.contains(&line), "{line}{text}");
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
fn a_roll_out_survives_cuts_and_its_server() -> Result<()> {
    Sandbox::run(|sandbox| {
        let mut rolls = Rolls::begin_with(sandbox, asks_whether_it_is_unwell)?;
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

/// One that has not gone yet, and does not lead, is cut from the server: it waits, and so does whoever would need to know how it is.
fn one_is_cut_from_the_server(sandbox: &Sandbox, rolls: &mut Rolls) -> Result<()> {
    let leads = leader(&rolls.cluster.masters)?.name().to_owned();
    let began = rolls.change()?;
    let first = rolls.first_down(began)?;
    first.sh(UNWELL)?;
    ensure!(first.name() != leads, "the leader went first");
    let cut = rolls.others(first).into_iter();
    let cut = cut.clone().find(|host| host.name() != leads);
    let cut = cut.context("three masters")?;
    let others = rolls.others(first);
    let before = starts_of(&others)?;
    let from_the_server = Cut::from_the_server(cut)?;
    // The slot is free from now on.
    first.sh(WELL)?;
    waits_for(cut, "the server is not reached")?;
    waits_for(
        rolls.master(&leads)?,
        &format!("{} is not connected", cut.name()),
    )?;
    sleep(A_WHILE);
    assert_eq!(starts_of(&others)?, before, "one is cut off: nobody goes");
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

/// The leader is cut from the others when the first is back: the one that is left does not go, though it did not lead.
fn one_is_cut_from_its_peers(sandbox: &Sandbox, rolls: &mut Rolls) -> Result<()> {
    let leads = leader(&rolls.cluster.masters)?.name().to_owned();
    let began = rolls.change()?;
    let first = rolls.first_down(began)?;
    first.sh(UNWELL)?;
    ensure!(first.name() != leads, "the leader went first");
    let left = rolls.others(first).into_iter();
    let left = left.clone().find(|host| host.name() != leads);
    let left = left.context("three masters")?;
    // Two without a third would be no ensemble, whoever is to blame.
    eventually("the first is back", MINUTES, || mode(first))?;
    let before = starts_of(&[left])?;
    let cut = rolls.master(&leads)?;
    let from_its_peers = Cut::from_its_peers(cut)?;
    eventually("it serves nobody", MINUTES, || {
        ensure!(mode(cut).is_err(), "{leads} serves");
        Ok(())
    })?;
    // The slot is free from now on.
    first.sh(WELL)?;
    waits_for(left, &format!("{leads} is not healthy"))?;
    sleep(A_WHILE);
    assert_eq!(
        starts_of(&[left])?,
        before,
        "one is cut from its peers, and the last one that it left went too"
    );
    rolls.client.is_served()?;
    from_its_peers.heal()?;
    rolls.all_follow(MINUTES)?;
    rolls.watch.never_two_down(began)?;
    sandbox.step(&format!(
        "{leads} was cut from its peers: {:?}",
        rolls.watch.order(began)
    ));
    Ok(())
}
