//! What a run does with a slot, and what it leaves without one.

use super::declared::{desired, file, health, id, package, service};
use super::fake::{Fake, PACKAGE};
use crate::run::slot::{Accord, Asks, NoSlot, Slot};
use cfg_catalog::fleet::{Incomplete, Limit};
use cfg_catalog::plan::Action;
use cfg_catalog::plan::document::{Done, Why};
use cfg_catalog::resource::service::Activity;
use cfg_catalog::resource::{Body, Desired, Health, Shell, Slots};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

pub(super) const CONF: &str = "/etc/daemon/conf";
const MOTD: &str = "/etc/motd";

/// Gives slots, or says why not; remembers all of it.
pub(super) struct Giver {
    refuses: Option<&'static str>,
    /// A slot is lost after it was looked at so often.
    lasts: usize,
    /// Why nobody mends itself.
    pub(super) mends_none: Option<NoSlot>,
    /// Whether those who asked lead.
    asked: Mutex<Vec<bool>>,
    /// So many asked for one to mend themselves.
    mending: AtomicUsize,
    /// Whether those who gave one back were healthy.
    back: Arc<Mutex<Vec<bool>>>,
}

impl Accord for Giver {
    fn take(&self, leads: bool) -> Result<Box<dyn Slot>, NoSlot> {
        self.asked.lock().unwrap().push(leads);
        match self.refuses {
            Some(why) => Err(NoSlot::Refused(why.to_owned())),
            None => Ok(self.slot()),
        }
    }

    fn mend(&self) -> Result<Box<dyn Slot>, NoSlot> {
        self.mending.fetch_add(1, Ordering::Relaxed);
        match &self.mends_none {
            Some(why) => Err(why.clone()),
            None => Ok(self.slot()),
        }
    }
}

struct Given {
    looks: AtomicUsize,
    back: Arc<Mutex<Vec<bool>>>,
}

impl Slot for Given {
    fn is_held(&self) -> bool {
        let less = |looks: usize| looks.checked_sub(1);
        self.looks
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, less)
            .is_ok()
    }

    fn give(&mut self, healthy: bool) {
        self.back.lock().unwrap().push(healthy);
    }
}

pub(super) fn giver(refuses: Option<&'static str>, lasts: usize) -> Arc<Giver> {
    Arc::new(new_giver(refuses, lasts))
}

pub(super) fn new_giver(refuses: Option<&'static str>, lasts: usize) -> Giver {
    Giver {
        refuses,
        lasts,
        mends_none: None,
        asked: Mutex::default(),
        mending: AtomicUsize::default(),
        back: Arc::default(),
    }
}

pub(super) fn generous() -> Arc<Giver> {
    giver(None, usize::MAX)
}

impl Giver {
    fn slot(&self) -> Box<dyn Slot> {
        Box::new(Given {
            looks: AtomicUsize::new(self.lasts),
            back: self.back.clone(),
        })
    }

    pub(super) fn mending(&self) -> usize {
        self.mending.load(Ordering::Relaxed)
    }

    pub(super) fn asked(&self) -> Vec<bool> {
        self.asked.lock().unwrap().clone()
    }

    pub(super) fn back(&self) -> Vec<bool> {
        self.back.lock().unwrap().clone()
    }
}

pub(super) fn role() -> Desired {
    let conf = format!("file:{CONF}");
    Desired {
        health: health(),
        slots: Some(Slots {
            limit: Limit::Count(1),
            leader: Some(Shell::Line("true".into())),
        }),
        ..desired(vec![
            package("2"),
            file(CONF, "new"),
            file(MOTD, "hello"),
            service("one", &[&conf], &[]),
            service("two", &[], &["service:one"]),
        ])
    }
}

/// One of its services does its work with the former configuration, the other was never started.
pub(super) fn machine() -> Fake {
    Fake::with(Some("2"), &[(CONF, "old")], &["one"])
}

pub(super) fn run(fake: &mut Fake, giver: &Arc<Giver>, desired: &Desired) -> Done {
    let asks = Asks::First(giver.clone());
    let (_, done) = fake.run_asking(&asks, desired).unwrap();
    assert!(done.unforeseen.is_empty(), "{:?}", done.unforeseen);
    done
}

pub(super) fn held(done: &Done) -> Vec<(String, Why, &str)> {
    let held = done.held.iter();
    held.map(|held| (held.resource.to_string(), held.why, held.detail.as_str()))
        .collect()
}

pub(super) fn content<'a>(fake: &'a Fake, path: &str) -> &'a str {
    &fake.files[path].0
}

#[test]
fn refused_it_leaves_what_disrupts_with_what_that_reads_and_does_all_else() {
    let mut fake = machine();
    let giver = giver(Some("vm-2 is restarting"), 0);
    let done = run(&mut fake, &giver, &role());
    assert_eq!(giver.asked(), [false]);
    let conf = format!("file:{CONF}");
    let why = |id: &str| (id.to_owned(), Why::Slot, "vm-2 is restarting");
    assert_eq!(
        held(&done),
        [why(&conf), why("service:one"), why("service:two")]
    );
    assert_eq!(done.failures, []);
    assert_eq!(
        (content(&fake, CONF), content(&fake, MOTD)),
        ("old", "hello")
    );
    assert!(fake.starts.is_empty(), "{:?}", fake.starts);
    assert_eq!(giver.back(), Vec::<bool>::new());
}

#[test]
fn granted_it_does_all_and_gives_the_slot_back() {
    let mut fake = machine();
    fake.leads = true;
    let giver = generous();
    let done = run(&mut fake, &giver, &role());
    assert_eq!((done.held, done.failures), (vec![], vec![]));
    assert_eq!(content(&fake, CONF), "new");
    assert_eq!((fake.starts["one"], fake.starts["two"]), (1, 1));
    assert_eq!((giver.asked(), giver.back()), (vec![true], vec![true]));
    // Nothing is left that would need another.
    let done = run(&mut fake, &giver, &role());
    assert_eq!(done, Done::default());
    assert_eq!(giver.asked().len(), 1);
}

#[test]
fn nobody_is_asked_by_who_does_no_harm_or_has_nothing_to_lose_or_no_limit() {
    let giver = giver(Some("no"), 0);
    // Both services run with what there is: a file of nobody is harmless.
    let mut fake = Fake::with(Some("2"), &[(CONF, "new")], &["one", "two"]);
    assert_eq!(run(&mut fake, &giver, &role()).held, []);
    assert_eq!(content(&fake, MOTD), "hello");

    // None of its services runs.
    let mut fake = Fake::with(Some("1"), &[(CONF, "old")], &[]);
    let done = run(&mut fake, &giver, &role());
    assert_eq!(done.held, []);
    assert_eq!(fake.starts["two"], 1);

    let mut fake = machine();
    let free = Desired {
        slots: None,
        ..role()
    };
    assert_eq!(run(&mut fake, &giver, &free).held, []);
    let asks = Asks::Not("the other site is down".into());
    let (_, done) = machine().run_asking(&asks, &role()).unwrap();
    assert_eq!(done.held, []);
    assert_eq!((giver.asked(), giver.mending()), (vec![], 0));
}

#[test]
fn who_is_not_healthy_for_a_moment_is_asked_again() {
    let mut fake = machine();
    fake.sick_until = fake.now + 5_000_000;
    let giver = giver(Some("no"), 0);
    let done = run(&mut fake, &giver, &role());
    assert_eq!((done.held.len(), giver.asked().len()), (3, 1));
    assert_eq!(
        fake.starts.get("one"),
        None,
        "an election is no reason to restart"
    );
}

#[test]
fn a_release_that_asks_otherwise_for_health_makes_nobody_sick() {
    let mut fake = machine();
    fake.sick = true;
    fake.former = health().map(|health| Health {
        command: Shell::Line("at the former port".into()),
        ..health
    });
    let giver = giver(Some("no"), 0);
    let done = run(&mut fake, &giver, &role());
    assert_eq!((done.held.len(), giver.asked().len()), (3, 1));
}

#[test]
fn nobody_is_to_be_healthy_while_a_service_waits_for_its_cohort() {
    let few = Incomplete::Few {
        role: "daemon".into(),
        have: 1,
        want: 2,
    };
    let joining = Incomplete::Joining {
        role: "daemon".into(),
    };
    for (whom, failures) in [(few, 0), (joining, 1)] {
        let mut fake = Fake::with(Some("2"), &[], &[]);
        fake.sick = true;
        let mut role = role();
        role.waiting.add(id("service:two"), whom);
        let done = run(&mut fake, &generous(), &role);
        assert_eq!(fake.starts["one"], 1);
        assert_eq!(done.failures.len(), failures, "{:?}", done.failures);
    }
}

#[test]
fn what_cannot_be_asked_for_its_health_needs_a_slot_and_proves_nothing() {
    let mut fake = machine();
    fake.mute = true;
    let refusing = giver(Some("no"), 0);
    let done = run(&mut fake, &refusing, &role());
    assert_eq!((done.held.len(), refusing.asked().len()), (3, 1));

    let giver = generous();
    let done = run(&mut fake, &giver, &role());
    assert!(
        done.failures[0]
            .message
            .ends_with("after 5 s: no such program"),
        "{done:?}"
    );
    assert_eq!((fake.starts["one"], giver.back()), (1, vec![false]));
}

#[test]
fn who_says_nothing_of_health_counts_as_healthy() {
    let mut fake = machine();
    fake.sick = true;
    let giver = giver(Some("no"), 0);
    let role = Desired {
        health: None,
        ..role()
    };
    let done = run(&mut fake, &giver, &role);
    assert_eq!((done.held.len(), giver.asked().len()), (3, 1));
}

#[test]
fn a_slot_that_was_lost_disrupts_nothing_more_and_the_next_run_owes_the_restart() {
    let why = |id: &str| (id.to_owned(), Why::Slot, "the slot was lost during the run");
    // Lost before anything was done: the configuration stays too, and with it the restart is not due.
    let mut fake = machine();
    let lost = giver(None, 0);
    let done = run(&mut fake, &lost, &role());
    assert_eq!(held(&done), [why(&format!("file:{CONF}"))]);
    assert_eq!(
        (content(&fake, CONF), content(&fake, MOTD)),
        ("old", "hello")
    );
    assert!(!fake.starts.contains_key("one"), "{:?}", fake.starts);

    // Lost just before the restart.
    let mut fake = machine();
    let lost = giver(None, 1);
    let done = run(&mut fake, &lost, &role());
    assert_eq!(held(&done), [why("service:one"), why("service:two")]);
    assert_eq!(done.failures, []);
    assert_eq!(content(&fake, CONF), "new");
    assert!(fake.starts.is_empty(), "{:?}", fake.starts);

    let giver = generous();
    let done = run(&mut fake, &giver, &role());
    assert_eq!((done.held, giver.back()), (vec![], vec![true]));
    assert_eq!((fake.starts["one"], fake.starts["two"]), (1, 1));
}

#[test]
fn what_failed_or_is_not_healthy_afterwards_gives_back_a_failed_slot() {
    let mut fake = machine();
    fake.failing.insert(id("service:one"), "no".into());
    let giver = generous();
    run(&mut fake, &giver, &role());
    assert_eq!(giver.back(), [false]);

    // Nothing was started, so that nothing else asked for its health.
    let mut fake = Fake::with(
        Some("2"),
        &[(CONF, "new"), (MOTD, "hello")],
        &["one", "two"],
    );
    fake.frail = true;
    let mut role = role();
    for resource in &mut role.resources {
        if let Body::Service(two) = &mut resource.body
            && two.unit == "two.service"
        {
            (two.state, two.enabled) = (Some(Activity::Stopped), None);
        }
    }
    let giver = generous();
    let done = run(&mut fake, &giver, &role);
    assert_eq!(giver.back(), [false]);
    let failure = &done.failures[0];
    assert_eq!((&failure.resource, done.failures.len()), (&None, 1));
    assert!(
        failure
            .message
            .ends_with("5 s after it was disrupted: no quorum"),
        "{failure:?}"
    );
}

#[test]
fn a_run_that_is_cut_short_gives_back_a_failed_slot() {
    let mut fake = machine();
    fake.lives = Some(3);
    let giver = generous();
    let asks = Asks::First(giver.clone());
    assert!(fake.run_asking(&asks, &role()).is_err());
    assert_eq!(giver.back(), [false]);
}

#[test]
fn packages_wait_with_what_restarts_on_them() {
    let mut fake = Fake::with(Some("1"), &[(CONF, "new")], &["one"]);
    let giver = giver(Some("no"), 0);
    let done = run(&mut fake, &giver, &role());
    let held = held(&done);
    assert!(
        held.iter()
            .any(|(id, ..)| *id == format!("package:{PACKAGE}")),
        "{held:?}"
    );
    assert_eq!(fake.package.as_ref().unwrap().0, "1");
    assert_eq!(content(&fake, MOTD), "hello");
    let moved = |change: &&cfg_catalog::plan::Change| change.action == Action::Upgrade;
    assert_eq!(done.changes.iter().filter(moved).count(), 0);
}

#[test]
fn a_slot_that_was_lost_while_packages_were_fetched_moves_none() {
    let role = role();
    // It is looked at when the turn is taken, and when all is fetched.
    let mut fake = Fake::with(Some("1"), &[(CONF, "new")], &["one", "two"]);
    let done = run(&mut fake, &giver(None, 1), &role);
    let package = format!("package:{PACKAGE}");
    let why = (package, Why::Slot, "the slot was lost during the run");
    assert!(held(&done).contains(&why), "{:?}", done.held);
    assert_eq!(fake.package.as_ref().unwrap().0, "1");
    assert_eq!((fake.fetched, done.failures.as_slice()), (1, &[][..]));

    let done = run(&mut fake, &generous(), &role);
    assert_eq!((done.held, done.failures), (vec![], vec![]));
    assert_eq!(
        (fake.package.as_ref().unwrap().0.as_str(), fake.fetched),
        ("2", 2)
    );

    // Who needs no slot needs no second call of apt.
    let mut fake = Fake::with(Some("1"), &[(CONF, "new")], &["one", "two"]);
    fake.run(&role).unwrap();
    assert_eq!(
        (fake.package.as_ref().unwrap().0.as_str(), fake.fetched),
        ("2", 0)
    );
}

#[test]
fn what_cannot_be_fetched_does_not_move() {
    let mut fake = Fake::with(Some("1"), &[(CONF, "new")], &["one", "two"]);
    let package = id(&format!("package:{PACKAGE}"));
    fake.missing.insert(package.clone());
    let giver = generous();
    let done = run(&mut fake, &giver, &role());
    assert_eq!(fake.package.as_ref().unwrap().0, "1");
    let told = (
        &done.failures[0].resource,
        done.failures[0].message.as_str(),
    );
    assert_eq!(told, (&Some(package), "404"));
    assert_eq!(giver.back(), [false]);
}
