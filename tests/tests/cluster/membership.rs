//! Who the masters are changes, one at a time: one is replaced, and three become five.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use cfg_tests::{Host, Sandbox, becomes, eventually};

use crate::clock::{Span, now};
use crate::faults::numbers_that_are_given;
use crate::machines::id;
use crate::one_pass::{ZOOKEEPER, starts};
use crate::rolls::{MINUTES, Rolls};

/// What other tests on the same two cores may add to a gap: an election among five is drawn out by whatever else runs, by seconds.
/// As long as it waits for two connections that come to nothing, and for what else runs.
const OF_OTHERS: Duration = Duration::from_secs(12);
const STARTS: &str = "/var/log/mesos/mesos-master.starts";

#[test]
fn a_master_is_replaced_and_three_become_five() -> Result<()> {
    Sandbox::run(|sandbox| {
        let mut rolls = Rolls::begin(sandbox)?;
        let mut quorums = Quorums::default();
        let mut of_a_kill = rolls.gap_of_a_killed_leader()?;
        of_a_kill = of_a_kill.max(rolls.gap_of_a_killed_leader()?);
        sandbox.step(&format!("a leader that is killed: {of_a_kill:.2?}"));
        a_master_is_replaced(sandbox, &mut rolls, &mut quorums, &mut of_a_kill)?;
        three_become_five(sandbox, &mut rolls, &mut of_a_kill)?;
        for host in &rolls.cluster.masters {
            quorums.started(host)?;
        }
        let least = quorums.hold()?;
        let writes = rolls.client.end()?;
        sandbox.step(&format!("{writes} writes, none lost; {least}"));
        Ok(())
    })
}

/// Its disk is gone, and another machine at another address has its place and its id.
fn a_master_is_replaced(
    sandbox: &Sandbox,
    rolls: &mut Rolls,
    quorums: &mut Quorums,
    of_a_kill: &mut Duration,
) -> Result<()> {
    let place = 1;
    let before = ids(rolls)?;
    // By name it has another place than the one that it takes: who goes by places gives it another number.
    let name = if before[place] == 1 {
        "z-master"
    } else {
        "a-master"
    };
    let victim = &rolls.cluster.masters[place];
    quorums.started(victim)?;
    let began = now();
    victim.power_cut()?;
    quorums.ended(victim);
    let said = ["node", "replace", victim.name(), "--json"];
    let said = rolls.cluster.installation.desk(&said)?.json()?;
    let token = said["token"]
        .as_str()
        .with_context(|| format!("{said:#}"))?;
    let user_data = rolls.cluster.user_data("zk-master", 1)?;
    let user_data = with_token(&user_data, token)?;
    let new = rolls.cluster.machine(sandbox, name, &user_data)?;
    new.start()?;
    rolls.watch.replaced(&rolls.cluster.masters[place], &new)?;
    let gone = std::mem::replace(&mut rolls.cluster.masters[place], new);

    all_know_them(rolls)?;
    rolls.watch.never_two_down(began)?;
    assert_eq!(
        ids(rolls)?,
        before,
        "the new one has the id of {}, the others their own",
        gone.name()
    );
    numbers_that_are_given(&rolls.cluster)?;
    for host in rolls.cluster.hosts() {
        let config = if host.exists(ZOOKEEPER)? {
            host.read_file(ZOOKEEPER)?
        } else {
            String::new()
        };
        let known = config + &host.read_file("/etc/mesos/zk")?;
        ensure!(
            !names(&known, gone.address()),
            "{} knows the old one: {known}",
            host.name()
        );
    }
    rolls.client.connect(&rolls.cluster.masters)?;
    let gap = rolls.client.longest_gap(Span::since(began))?;
    rolls.is_as_a_kill(gap, of_a_kill, OF_OTHERS)?;
    sandbox.step(&format!(
        "replaced, in {:.1} s; the others restarted as {:?}; a client waited for {gap:.2?} at most",
        now() - began,
        rolls.watch.order(began)
    ));
    Ok(())
}

/// Two machines more boot at once.
fn three_become_five(sandbox: &Sandbox, rolls: &mut Rolls, of_a_kill: &mut Duration) -> Result<()> {
    let before = ids(rolls)?;
    let began = now();
    let user_data = rolls.cluster.user_data("zk-master", 2)?;
    for name in ["master-4", "master-5"] {
        let host = rolls.cluster.machine(sandbox, name, &user_data)?;
        host.start()?;
        rolls.watch.add(&host);
        rolls.cluster.masters.push(host);
    }
    let mut steps = BTreeSet::new();
    eventually("five masters, in five files", MINUTES, || {
        let sizes = sizes_of_the_ensemble(rolls)?;
        let all = sizes.len() == 5 && sizes.iter().all(|size| *size == 5);
        steps.insert(sizes.iter().copied().collect::<BTreeSet<usize>>());
        ensure!(all, "{sizes:?}");
        Ok(())
    })?;
    for sizes in &steps {
        let (least, most) = (sizes.first(), sizes.last());
        ensure!(
            most.zip(least)
                .is_none_or(|(most, least)| most - least <= 1),
            "two steps at once: {steps:?}"
        );
    }
    all_know_them(rolls)?;
    rolls.watch.never_two_down(began)?;
    let after = ids(rolls)?;
    assert_eq!(after[..3], before, "the three keep their ids");
    assert_eq!(
        after[3..].iter().copied().collect::<BTreeSet<_>>(),
        BTreeSet::from([4, 5])
    );
    numbers_that_are_given(&rolls.cluster)?;
    for host in &rolls.cluster.masters {
        let starts = starts(host, "mesos-master")?;
        let last = starts.last().map_or("", String::as_str);
        ensure!(
            last.contains(" --quorum=3 "),
            "{}: {starts:#?}",
            host.name()
        );
    }
    rolls.client.connect(&rolls.cluster.masters)?;
    let gap = rolls.client.longest_gap(Span::since(began))?;
    rolls.is_as_a_kill(gap, of_a_kill, OF_OTHERS)?;
    sandbox.step(&format!(
        "three became five, in {:.1} s, by {steps:?}; they restarted as {:?}; a client waited for {gap:.2?} at most",
        now() - began,
        rolls.watch.order(began)
    ));
    Ok(())
}

/// Every machine has made of the present masters what it has to.
fn all_know_them(rolls: &Rolls) -> Result<()> {
    let masters = &rolls.cluster.masters;
    for master in masters {
        eventually("each master knows each", MINUTES, || {
            let config = master.read_file(ZOOKEEPER)?;
            let unknown = masters.iter().find(|host| !names(&config, host.address()));
            ensure!(unknown.is_none(), "{}: {config}", master.name());
            Ok(())
        })?;
    }
    let peers = format!("zk://{}/mesos\n", rolls.cluster.peers()?);
    for host in rolls.cluster.hosts() {
        becomes("/etc/mesos/zk", MINUTES, peers.clone(), || {
            host.read_file("/etc/mesos/zk")
        })?;
    }
    rolls.all_follow(MINUTES)
}

/// Whether an address stands in a text, and not as a part of another.
fn names(text: &str, address: &str) -> bool {
    text.contains(&format!("{address}:"))
}

fn ids(rolls: &Rolls) -> Result<Vec<u64>> {
    rolls.cluster.masters.iter().map(id).collect()
}

/// How many members each master's zoo.cfg has, where there is one.
fn sizes_of_the_ensemble(rolls: &Rolls) -> Result<Vec<usize>> {
    let mut sizes = Vec::new();
    for host in &rolls.cluster.masters {
        let config = host.exec(["cat", ZOOKEEPER])?.stdout;
        let size = config
            .lines()
            .filter(|line| line.starts_with("server."))
            .count();
        sizes.extend((size > 0).then_some(size));
    }
    Ok(sizes)
}

/// User-data with another token.
fn with_token(user_data: &str, token: &str) -> Result<String> {
    let is_token =
        |line: &&str| line.trim().len() == token.len() && line.trim().starts_with("cfg-");
    let own = user_data
        .lines()
        .find(is_token)
        .context("user-data has a token")?;
    Ok(user_data.replace(own.trim(), token))
}

/// With which quorum Mesos masters ran, and when.
#[derive(Default)]
struct Quorums {
    /// Time, machine, and with which quorum it runs from then on.
    events: Vec<(f64, String, Option<usize>)>,
}

impl Quorums {
    /// All starts of a machine's master so far.
    fn started(&mut self, host: &Host) -> Result<()> {
        for line in host.read_file(STARTS)?.lines() {
            let at = line.split(' ').next().and_then(|word| word.parse().ok());
            let flag = line
                .split(' ')
                .find_map(|word| word.strip_prefix("--quorum="));
            let quorum = flag.and_then(|word| word.parse().ok());
            let (at, quorum) = at.zip(quorum).with_context(|| line.to_owned())?;
            self.events.push((at, host.name().to_owned(), Some(quorum)));
        }
        Ok(())
    }

    /// The machine is gone.
    fn ended(&mut self, host: &Host) {
        self.events.push((now(), host.name().to_owned(), None));
    }

    /// At no instant had a master a quorum of half of those that ran, or less: two halves would agree on different things.
    /// Tells where it was the least.
    fn hold(mut self) -> Result<String> {
        self.events.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut running: BTreeMap<&str, usize> = BTreeMap::new();
        let mut least = (usize::MAX, 0);
        for (_, name, quorum) in &self.events {
            match quorum {
                Some(quorum) => running.insert(name, *quorum),
                None => running.remove(name.as_str()),
            };
            let Some(quorum) = running.values().min() else {
                continue;
            };
            ensure!(
                2 * quorum > running.len(),
                "a quorum of {quorum} among {}: {:#?}",
                running.len(),
                self.events
            );
            // The worst is the smallest share.
            if least.1 == 0 || quorum * least.1 < least.0 * running.len() {
                least = (*quorum, running.len());
            }
        }
        Ok(format!(
            "the least quorum was {} among {} masters",
            least.0, least.1
        ))
    }
}

#[test]
fn a_quorum_of_half_is_seen() -> Result<()> {
    let with = |events: &[(f64, &str, Option<usize>)]| {
        let events = events.iter();
        let events = events.map(|(at, name, quorum)| (*at, (*name).to_owned(), *quorum));
        Quorums {
            events: events.collect(),
        }
        .hold()
    };
    let three = [
        (1.0, "a", Some(2)),
        (2.0, "b", Some(2)),
        (3.0, "c", Some(2)),
    ];
    ensure!(with(&three)?.contains("2 among 3"));
    let mut five = three.to_vec();
    five.extend([(4.0, "d", Some(3)), (5.0, "e", Some(3))]);
    ensure!(with(&five[..4]).is_err(), "2 among 4");
    five.extend([
        (3.3, "a", Some(3)),
        (3.4, "b", Some(3)),
        (3.5, "c", Some(3)),
    ]);
    ensure!(with(&five)?.contains("3 among 5"));
    let mut gone = three.to_vec();
    gone.extend([(3.5, "a", None), (4.0, "d", Some(2)), (4.5, "c", Some(1))]);
    ensure!(with(&gone).is_err(), "1 among 3");
    Ok(())
}
