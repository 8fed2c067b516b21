//! What each kind makes of each state: desired, observed, verdict.

mod accounts;
mod archives;
mod edits;
mod mounts;
mod packages;
mod paths;
mod refusals;
mod services;
mod sysctls;

use crate::build::*;
use crate::model::machine::{Machine, What};
use cfg_catalog::digest::Digest;
use cfg_catalog::id::Kind;
use cfg_catalog::plan::ahead::Ahead;
use cfg_catalog::plan::claims::Claims;
use cfg_catalog::plan::inputs::Inputs;
use cfg_catalog::plan::{
    Action, Certainty, Change, Host, Ledger, Phase, Power, Snapshot, Turn, Verdict, turn,
};
use cfg_catalog::resource::account::UserState;
use cfg_catalog::resource::command::{CommandState, Guards};
use cfg_catalog::resource::file::Content;
use cfg_catalog::resource::package::DpkgState;
use cfg_catalog::resource::service::{Active, Enabled, Load};
use cfg_catalog::resource::{
    FileState, LinkState, Mode, Observed, Ownership, PathState, Presence, Resource, Shell,
};

/// The verdict of a machine of which nothing else is known.
fn judge(resource: &Resource, observed: Observed, host: &Host) -> Verdict {
    judge_ahead(resource, observed, host, &Ahead::nothing())
}

fn judge_ahead(resource: &Resource, observed: Observed, host: &Host, ahead: &Ahead) -> Verdict {
    judge_in(Phase::Main, resource, observed, host, ahead)
}

fn judge_in(
    phase: Phase,
    resource: &Resource,
    observed: Observed,
    host: &Host,
    ahead: &Ahead,
) -> Verdict {
    let desired = role(vec![resource.clone()]);
    let snapshot = Snapshot {
        observed: [(resource.id.clone(), observed)].into(),
        host: host.clone(),
        ..Snapshot::default()
    };
    let context = Turn {
        desired: &desired,
        claims: &Claims::of(&desired, &snapshot),
        ledger: &Ledger::default(),
        inputs: &Inputs::new(),
        host,
        ahead,
    };
    let observed = snapshot.observed.get(&resource.id);
    turn(phase, resource, observed, &context)
}

/// The actions in words, or the obstacle.
fn words(verdict: &Verdict) -> String {
    match &verdict.obstacle {
        Some(why) => format!("! {why}"),
        None => {
            let words: Vec<&str> = verdict.changes.iter().map(|c| c.action.word()).collect();
            words.join(" ")
        }
    }
}

fn only(verdict: Verdict) -> Change {
    let [change] = <[Change; 1]>::try_from(verdict.changes).unwrap();
    change
}

fn absent() -> PathState {
    PathState::Absent {
        missing_parents: Vec::new(),
        parent_changed_us: 1,
    }
}

fn stands(text: &str, ownership: Ownership) -> PathState {
    PathState::File(FileState {
        ownership,
        size: text.len() as u64,
        digest: Some(Digest::of(text.as_bytes())),
        content: Some(text.into()),
        changed_us: 1,
    })
}

fn leads(target: &str) -> PathState {
    PathState::Link(LinkState {
        target: target.into(),
        changed_us: 1,
    })
}

/// A directory at /p, with a file in it or without.
fn folder(inside: Option<&str>) -> PathState {
    let mut machine = Machine::blank();
    machine.put("/p", What::Directory);
    if let Some(inside) = inside {
        machine.write(inside, "x");
    }
    machine.path(&path("/p"), true)
}

fn unreadable() -> PathState {
    PathState::Unreadable {
        why: "Permission denied".into(),
    }
}

#[test]
fn guards_that_cannot_be_asked() {
    let resource = command_with("c", |command| {
        command.only_if = Some(Shell::Line("true".into()));
        command.cwd = Some(path("/srv/app"));
    });
    let nowhere = || {
        Observed::Command(CommandState {
            guards: Guards::Nowhere,
        })
    };
    let host = Host::default();
    let verdict = judge(&resource, nowhere(), &host);
    let why = "its guards cannot be asked: there is no directory /srv/app";
    assert_eq!(verdict.obstacle.as_deref(), Some(why));
    let mut ahead = Ahead::of_a_plan();
    ahead.note(&Change::new(&id("directory:/srv/app"), Action::Create));
    let verdict = judge_ahead(&resource, nowhere(), &host, &ahead);
    assert_eq!((&*words(&verdict), verdict.obstacle), ("run", None));
    assert_eq!(verdict.changes[0].certainty, Certainty::Assumed);
}

#[test]
fn what_an_ordinary_user_may_not_do_is_held() {
    let host = Host {
        power: Power::Own {
            user: "me".into(),
            groups: vec!["me".into()],
        },
        ..Host::default()
    };
    let foreign = file_with("/p", |file| {
        file.content = Some(Content::Text(b"a".into()));
        file.attributes = owner("root");
    });
    let verdict = judge(&foreign, Observed::Path(absent()), &host);
    assert_eq!(words(&verdict), "create");
    assert_eq!(verdict.changes[0].after["owner"], "me");
    assert_eq!(verdict.held, ["owner root can be given by root alone"]);
    let not_there = packages::with(packages::dpkg("1"), DpkgState::Absent);
    let allowed = CommandState {
        guards: Guards::Allow,
    };
    for (resource, observed) in [
        (user("u"), Observed::User(UserState::Absent)),
        (package("p", "*"), Observed::Package(not_there)),
        (until("c", "/x"), Observed::Command(allowed)),
    ] {
        let verdict = judge(&resource, observed, &host);
        assert_eq!(words(&verdict), "");
        assert_eq!(verdict.held.len(), 1, "{verdict:?}");
    }
    // A mask needs no unit: it is a link, and below the root a link of his own.
    let masked = service_with("s", |service| service.masked = Some(true));
    let not_there = services::state(Load::NotFound, Active::Unjudged, Enabled::Unknown);
    let verdict = judge_in(
        Phase::Mask,
        &masked,
        Observed::Service(not_there),
        &host,
        &Ahead::nothing(),
    );
    assert_eq!((&*words(&verdict), verdict.held.len()), ("mask", 0));
    let mine = Ownership {
        mode: Mode(0o644),
        owner: "me".into(),
        group: "me".into(),
    };
    let mine = Observed::Path(stands("a", mine));
    assert!(judge(&file("/p", "a"), mine, &host).is_converged());
}

#[test]
fn what_was_not_seen_is_a_failure() {
    for kind in Kind::ALL {
        let resource = match kind {
            Kind::Repository => repository("r"),
            Kind::Group => group("g", None, Presence::Present),
            Kind::User => user("u"),
            Kind::Package => package("p", "*"),
            Kind::Directory => directory("/p"),
            Kind::File => file("/p", ""),
            Kind::Link => link("/p", "/a"),
            Kind::Edit => edit("/p", "/p", &["a"]),
            Kind::Sysctl => sysctl("net.ipv4.ip_forward", "1"),
            Kind::Mount => mount_with("/p", |_| {}),
            Kind::Archive => archive("/p", "x"),
            Kind::Command => until("c", "/x"),
            Kind::Service => running("s", &[]),
        };
        let failed = Observed::Failed {
            why: "the bus is gone".into(),
        };
        let verdict = judge(&resource, failed, &Host::default());
        assert_eq!(words(&verdict), "! the bus is gone");
    }
}
