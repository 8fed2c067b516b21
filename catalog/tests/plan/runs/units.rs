//! Units: every combination of what can be said of one, on every machine.

use super::{causes, settled, true_run};
use crate::build::*;
use crate::model::machine::Machine;
use crate::model::run::words;
use crate::running::{dry, run};
use cfg_catalog::plan::{Action, Ledger};
use cfg_catalog::resource::Desired;
use cfg_catalog::resource::service::{Activity, Trigger, UnitFile};

const INSTALL: &str = "[Install]\nWantedBy=multi-user.target\n";

/// Where a unit comes from.
#[derive(Clone, Copy, Debug, PartialEq)]
enum From {
    Nowhere,
    Role,
    Package,
    /// Not yet.
    NewPackage,
}

/// What is said, and how the machine is before.
#[derive(Clone, Copy, Debug)]
struct Case {
    from: From,
    state: Option<Activity>,
    enabled: Option<bool>,
    masked: Option<bool>,
    runs: bool,
    is_enabled: bool,
    is_masked: bool,
}

impl Case {
    fn all() -> Vec<Case> {
        let words = [None, Some(true), Some(false)];
        let states = [None, Some(Activity::Running), Some(Activity::Stopped)];
        let froms = [From::Nowhere, From::Role, From::Package, From::NewPackage];
        let number = |n: usize| Case {
            from: froms[n % 4],
            state: states[n / 4 % 3],
            enabled: words[n / 12 % 3],
            masked: words[n / 36 % 3],
            runs: n / 108 % 2 == 1,
            is_enabled: n / 216 % 2 == 1,
            is_masked: n / 432 % 2 == 1,
        };
        (0..864).map(number).collect()
    }

    fn role(self) -> Desired {
        let mut resources = vec![service_with("app", |service| {
            service.state = self.state;
            service.enabled = self.enabled;
            service.masked = self.masked;
            if self.from == From::Role {
                service.unit_file = Some(UnitFile {
                    content: INSTALL.into(),
                });
            }
        })];
        if matches!(self.from, From::Package | From::NewPackage) {
            resources.push(package("app", "*"));
        }
        role(resources)
    }

    fn machine(self) -> Machine {
        let mut machine = Machine::blank();
        machine.offer("app", &["1"], |deb| deb.units = vec!["app.service".into()]);
        match self.from {
            From::Package => machine.unpack("app", "1", false),
            From::Role => machine.write("/etc/systemd/system/app.service", INSTALL),
            From::Nowhere | From::NewPackage => {}
        }
        let there = matches!(self.from, From::Package | From::Role);
        if there && self.runs {
            machine.start_by_hand("app.service");
        }
        let unit = machine.units.entry("app.service".into()).or_default();
        unit.enabled = there && self.is_enabled;
        unit.masked = self.is_masked;
        machine
    }

    /// Whether the machine can be brought to it. If not, no run touches the unit.
    fn holds(self) -> bool {
        let (desired, mut machine) = (self.role(), self.machine());
        let promised = dry(&machine, &desired, &Ledger::default());
        if !promised.failures.is_empty() {
            machine.log.clear();
            let ran = run(&mut machine, &desired, &Ledger::default());
            assert!(!ran.document.failures.is_empty(), "{self:?}");
            let masks = |line: &String| line.starts_with("package") || line.contains("mask");
            assert!(machine.log.iter().all(masks), "{self:?}: {:?}", machine.log);
            return false;
        }
        true_run(&mut machine, &desired, &Ledger::default());
        let unit = &machine.units["app.service"];
        let is = |wanted: Option<bool>, is: bool| wanted.is_none_or(|wanted| wanted == is);
        let run = self.state.map(|state| state == Activity::Running);
        assert!(is(run, unit.start.is_some()), "{self:?}: {unit:?}");
        assert!(is(self.masked, unit.masked), "{self:?}: {unit:?}");
        let enabled = unit.masked || is(self.enabled, unit.enabled);
        assert!(enabled, "{self:?}: {unit:?}");
        true
    }
}

#[test]
fn every_combination_is_foretold_and_converges_or_fails_before_the_unit_is_touched() {
    let all = Case::all();
    let good = all.iter().filter(|case| case.holds()).count();
    assert!(
        good > 400 && good + 150 < all.len(),
        "{good} of {}",
        all.len()
    );
}

#[test]
fn a_socket_that_is_started_takes_its_service_down_and_up() {
    let install = UnitFile {
        content: INSTALL.into(),
    };
    let own = |name: &str, unit: &str| {
        service_with(name, |service| {
            service.unit = unit.into();
            service.state = Some(Activity::Running);
            service.unit_file = Some(install.clone());
        })
    };
    let (mut machine, desired, ledger) = settled(
        vec![own("app.socket", "app.socket"), own("app", "app.service")],
        Machine::blank(),
    );
    machine.units.get_mut("app.socket").unwrap().start = None;
    let unit = machine.units.get_mut("app.service").unwrap();
    unit.triggered_by = vec![Trigger {
        unit: "app.socket".into(),
        active: false,
    }];
    let ran = true_run(&mut machine, &desired, &ledger);
    let restart = ["service:app.socket start", "service:app restart"];
    assert_eq!(words(&ran.document), restart);
    let causes = causes(&ran.document, "service:app", Action::Restart);
    assert_eq!(causes, ids(&["service:app.socket"]));
}
