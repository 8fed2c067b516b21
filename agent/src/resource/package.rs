//! Packages: what dpkg and apt say of them, and their changes as one transaction.

use crate::apt::along::Along;
use crate::apt::get::{Downgrades, Install, Transaction};
use crate::apt::refused::Question;
use crate::apt::sources::{self, Source};
use crate::apt::status::{Entry, Status};
use crate::apt::{Apt, available, debconf, status};
use crate::run::site::{PackageMove, Stage};
use cfg_catalog::id::{Kind, ResourceId};
use cfg_catalog::plan::{Action, Certainty, Change};
use cfg_catalog::resource::debconf::{Answer, Answers};
use cfg_catalog::resource::package::{
    DpkgState, Offered, Package, PackagePresence, PackageState, Refusal, Wanted,
};
use cfg_catalog::resource::repository::Repository;
use cfg_catalog::resource::{Body, Desired};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// What is seen of these packages, in one look at dpkg and one at the index.
///
/// # Errors
/// Where either cannot be read.
pub fn observe(
    root: &Path,
    packages: &[&Package],
    stage: Stage,
) -> anyhow::Result<BTreeMap<String, PackageState>> {
    let status = Status::read(root)?;
    let automatic = status::automatic(root)?;
    let mut states: BTreeMap<String, PackageState> = packages
        .iter()
        .map(|package| (package.name.clone(), state(&status, &automatic, package)))
        .collect();
    if !has_apt(root) && rustix::process::geteuid().is_root() {
        for state in states.values_mut() {
            state.refusal = Some(Refusal {
                why: no_apt(root),
                certainty: Certainty::Certain,
            });
        }
        return Ok(states);
    }
    let asked: Vec<&str> = packages
        .iter()
        .filter(|package| asks_index(package, &states[&package.name].dpkg))
        .map(|package| package.name.as_str())
        .collect();
    if packages.iter().any(|package| !package.debconf.is_empty()) {
        let database = debconf::Database::read(root);
        for package in packages {
            if let Some(state) = states.get_mut(&package.name) {
                state.debconf = database.of(&package.debconf);
            }
        }
    }
    let versions = match (available::versions(root, &asked), stage) {
        (Ok(versions), _) => versions,
        (Err(error), Stage::Turn) => return Err(error),
        (Err(error), Stage::Plan) => {
            tracing::debug!("{error:#}");
            return Ok(states);
        }
    };
    for package in packages {
        let offered = versions.get(&package.name);
        // What is not in the index now may be after the refresh that a run begins with.
        let known =
            |offered: &&Offered| stage == Stage::Turn || offered.best(&package.version).is_some();
        if let Some(state) = states.get_mut(&package.name) {
            state.available = offered.filter(known).cloned();
        }
    }
    Ok(states)
}

fn state(
    status: &Status,
    automatic: &BTreeSet<(String, String)>,
    package: &Package,
) -> PackageState {
    let entry = status.find(&package.name);
    let auto = |entry: &Entry| {
        let marked = |arch: &str| automatic.contains(&(entry.name.clone(), arch.to_owned()));
        // apt writes packages for all architectures under the machine's own.
        marked(&entry.arch) || (entry.arch == "all" && marked(status.native()))
    };
    PackageState {
        dpkg: entry.map_or(DpkgState::Absent, |entry| dpkg_state(status, entry)),
        held: entry.is_some_and(Entry::is_held),
        auto: entry.is_some_and(auto),
        available: None,
        debconf: Answers::default(),
        refusal: None,
        drawn: None,
        unsure: false,
    }
}

fn dpkg_state(status: &Status, entry: &Entry) -> DpkgState {
    if entry.is_broken() {
        let why = if entry.flag == "ok" {
            &entry.state
        } else {
            &entry.flag
        };
        return DpkgState::Broken {
            version: entry.version.clone(),
            status: why.clone(),
        };
    }
    match entry.state.as_str() {
        "installed" => DpkgState::Installed {
            version: entry.version.clone(),
            changed_us: status.unpacked_us(entry),
        },
        "config-files" => DpkgState::ConfigFiles,
        _ => DpkgState::Absent,
    }
}

/// Whether what dpkg has does not do, or does only until there is something newer.
fn asks_index(package: &Package, dpkg: &DpkgState) -> bool {
    if package.state != PackagePresence::Present {
        return false;
    }
    match dpkg {
        DpkgState::Installed { version, .. } => {
            package.version == Wanted::Latest || !package.version.matches(version)
        }
        DpkgState::Absent | DpkgState::ConfigFiles | DpkgState::Broken { .. } => true,
    }
}

/// Why no package can move in a root.
fn no_apt(root: &Path) -> String {
    format!(
        "there is no apt-get in {}, so that no package can come or go there: make it a Debian first (mmdebstrap or debootstrap), \
         or leave packages out with --only",
        root.display()
    )
}

/// Whether there is an apt-get in this root.
pub fn has_apt(root: &Path) -> bool {
    root.join("usr/bin/apt-get").exists()
}

/// Whether this package asks for the newest there is.
pub fn follows_index(package: &Package) -> bool {
    package.state == PackagePresence::Present && package.version == Wanted::Latest
}

/// Makes these moves of a role's; gives what the tools said of those that failed.
///
/// # Errors
/// Where dpkg's database cannot be read or apt cannot be run at all.
pub fn enact(
    apt: &Apt<'_>,
    desired: &Desired,
    moves: &[PackageMove<'_>],
) -> anyhow::Result<BTreeMap<ResourceId, String>> {
    apt.answer(&answers(moves))?;
    let transaction = whole(&apt.root, desired, &Status::read(&apt.root)?, moves)?;
    let mut failed = apt.transact(&transaction, &held(moves))?;
    for one in moves.iter().filter(|one| one.changes.iter().any(amends)) {
        let name = &*one.resource.id.name;
        if failed.contains_key(name) {
            continue;
        }
        if let Err(error) = apt.reconfigure(name) {
            failed.insert(name.to_owned(), cfg_catalog::chain(error.as_ref()));
        }
    }
    for word in ["manual", "auto", "unhold", "hold"] {
        let marked: Vec<String> = moves
            .iter()
            .filter(|one| one.changes.iter().any(|change| marks(change) == Some(word)))
            .map(|one| one.resource.id.name.to_string())
            .filter(|name| !failed.contains_key(name))
            .collect();
        if let Err(error) = apt.mark(word, &marked) {
            let told = cfg_catalog::chain(error.as_ref());
            failed.extend(marked.into_iter().map(|name| (name, told.clone())));
        }
    }
    Ok(by_id(failed))
}

/// Fetches what these moves need, and moves nothing; gives what apt said of those for which that failed. Nothing where dpkg was
/// interrupted: apt fetches nothing before that is ended, which is the first part of a move.
///
/// # Errors
/// Where dpkg's database cannot be read or apt cannot be run at all.
pub fn fetch(
    apt: &Apt<'_>,
    desired: &Desired,
    moves: &[PackageMove<'_>],
) -> anyhow::Result<BTreeMap<ResourceId, String>> {
    let status = Status::read(&apt.root)?;
    if status.is_interrupted() {
        return Ok(BTreeMap::new());
    }
    let transaction = whole(&apt.root, desired, &status, moves)?;
    Ok(by_id(apt.fetch(&transaction, &held(moves))?))
}

/// Those of them that are on hold.
fn held(moves: &[PackageMove<'_>]) -> BTreeSet<String> {
    let held = moves.iter().filter(|one| one.held);
    held.map(|one| one.resource.id.name.to_string()).collect()
}

/// What of a role is so and must stay so whatever else apt moves: packages that it will not have, and versions that it
/// names.
fn beside(
    root: &Path,
    desired: &Desired,
    status: &Status,
    moving: &Transaction,
) -> anyhow::Result<Vec<String>> {
    let moving: BTreeSet<&str> = moving.packages().collect();
    let mut kept = Vec::new();
    let mut unwanted = Vec::new();
    for resource in &desired.resources {
        let Body::Package(package) = &resource.body else {
            continue;
        };
        let name = package.name.as_str();
        let there = status
            .find(name)
            .map_or(DpkgState::Absent, |entry| dpkg_state(status, entry));
        match (package.state, there) {
            (PackagePresence::Present, DpkgState::Installed { version, .. })
                if matches!(package.version, Wanted::Glob(_))
                    && package.version.matches(&version)
                    && !moving.contains(name) =>
            {
                kept.push(format!("{name}={version}"));
            }
            (PackagePresence::Present, _) => {}
            (_, DpkgState::Absent | DpkgState::ConfigFiles) => unwanted.push(name),
            _ => {}
        }
    }
    // apt fails on a name that it has never heard.
    let known = available::versions(root, &unwanted)?;
    let known = known
        .iter()
        .filter(|(_, offered)| !offered.versions.is_empty());
    kept.extend(known.map(|(name, _)| format!("{name}-")));
    Ok(kept)
}

/// Which of these moves bring a version that comes from these repositories, and from nowhere else.
///
/// # Errors
/// Where apt cannot be asked.
pub fn only_from(
    root: &Path,
    moves: &[PackageMove<'_>],
    repositories: &[&Repository],
) -> anyhow::Result<BTreeSet<ResourceId>> {
    if repositories.is_empty() {
        return Ok(BTreeSet::new());
    }
    let transaction = transaction(moves);
    let coming = transaction.install.iter();
    let coming = coming.filter_map(|one| Some((one.name.as_str(), one.version.as_deref()?)));
    let origins = available::origins(root, &coming.collect())?;
    let sources: Vec<Source> = repositories
        .iter()
        .flat_map(|one| sources::of(one))
        .collect();
    let among = |line: &String| sources.iter().any(|source| source.is_in(line));
    let only = origins
        .into_iter()
        .filter(|(_, lines)| !lines.is_empty() && lines.iter().all(among))
        .map(|(name, _)| ResourceId::new(Kind::Package, name));
    Ok(only.collect())
}

/// What apt says of moves.
#[derive(Debug, Default)]
pub struct Heard {
    /// What it would not make, and why.
    pub refused: BTreeMap<ResourceId, String>,
    /// What else of the role goes to another version with the rest.
    pub along: BTreeMap<ResourceId, Along>,
}

/// What apt says of these moves of a role's; nothing where dpkg was interrupted, since a run ends that first.
///
/// # Errors
/// Where dpkg's database cannot be read or apt cannot be asked.
pub fn heard(root: &Path, desired: &Desired, moves: &[PackageMove<'_>]) -> anyhow::Result<Heard> {
    let status = Status::read(root)?;
    if status.is_interrupted() {
        return Ok(Heard::default());
    }
    let transaction = whole(root, desired, &status, moves)?;
    let held = held(moves);
    let question = Question { root, held: &held };
    let answer = question.ask(&transaction)?;
    let named = desired.resources.iter().filter_map(|resource| {
        matches!(&resource.body, Body::Package(package) if package.state == PackagePresence::Present)
            .then_some(&*resource.id.name)
    });
    let along = question.along(&answer, &named.collect())?;
    Ok(Heard {
        refused: by_id(answer.failed),
        along: by_id(along),
    })
}

fn by_id<T>(told: BTreeMap<String, T>) -> BTreeMap<ResourceId, T> {
    told.into_iter()
        .map(|(name, told)| (ResourceId::new(Kind::Package, name), told))
        .collect()
}

/// The answers of packages that are to be configured by them.
fn answers<'a>(moves: &[PackageMove<'a>]) -> Vec<(&'a str, &'a [Answer])> {
    let given = |change: &Change| change.action == Action::Install || amends(change);
    let all = moves
        .iter()
        .filter(|one| one.changes.iter().any(given))
        .filter_map(|one| match &one.resource.body {
            Body::Package(package) => Some((package.name.as_str(), package.debconf.as_slice())),
            _ => None,
        });
    all.collect()
}

/// Whether this change gives an installed package other answers.
fn amends(change: &Change) -> bool {
    change.action == Action::Update && change.after.get("debconf").is_some()
}

/// What apt-mark is to do, in its own word.
fn marks(change: &Change) -> Option<&'static str> {
    match change.action {
        Action::Unhold => Some("unhold"),
        Action::Hold => Some("hold"),
        Action::Update => match change.after.get("auto")?.as_bool()? {
            true => Some("auto"),
            false => Some("manual"),
        },
        _ => None,
    }
}

/// The moves as one transaction, with what must stay beside them.
fn whole(
    root: &Path,
    desired: &Desired,
    status: &Status,
    moves: &[PackageMove<'_>],
) -> anyhow::Result<Transaction> {
    let mut transaction = transaction(moves);
    transaction.beside = beside(root, desired, status, &transaction)?;
    transaction.pinned = pinned(desired);
    Ok(transaction)
}

/// The versions that a role names.
fn pinned(desired: &Desired) -> BTreeMap<String, Wanted> {
    let named = desired
        .resources
        .iter()
        .filter_map(|resource| match &resource.body {
            Body::Package(package)
                if package.state == PackagePresence::Present
                    && matches!(package.version, Wanted::Glob(_)) =>
            {
                Some((package.name.clone(), package.version.clone()))
            }
            _ => None,
        });
    named.collect()
}

/// The moves as one transaction. A version that the role names comes before what apt may choose: where both do not go,
/// the other is what is refused.
fn transaction(moves: &[PackageMove<'_>]) -> Transaction {
    let mut transaction = Transaction::default();
    let (named, chosen): (Vec<_>, Vec<_>) = moves.iter().partition(|one| names_version(one));
    for one in named.into_iter().chain(chosen) {
        let name = one.resource.id.name.to_string();
        for change in &one.changes {
            match change.action {
                Action::Install | Action::Upgrade | Action::Downgrade => {
                    if change.action == Action::Downgrade {
                        transaction.downgrades = Downgrades::Listed;
                    }
                    transaction.install.push(Install {
                        name: name.clone(),
                        version: version(change),
                    });
                }
                Action::Remove => transaction.remove.push(name.clone()),
                Action::Purge => transaction.purge.push(name.clone()),
                _ => {}
            }
        }
    }
    transaction
}

fn names_version(one: &PackageMove<'_>) -> bool {
    matches!(&one.resource.body, Body::Package(package) if matches!(package.version, Wanted::Glob(_)))
}

/// The exact version; none where no index could say which it will be.
fn version(change: &Change) -> Option<String> {
    let version = change.after.get("version")?.as_str()?;
    let exact = !version.contains(['*', '?', '[']) && version != "latest";
    exact.then(|| version.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use cfg_catalog::resource::{Place, Resource};

    #[test]
    fn versions_that_the_role_names_come_first() {
        let resource = |name: &str, version: Wanted| Resource {
            id: ResourceId::new(Kind::Package, name),
            place: Place::default(),
            after: Vec::new(),
            sensitive: false,
            body: Body::Package(Package {
                name: name.into(),
                version,
                ..Package::default()
            }),
        };
        let resources = [
            resource("a", Wanted::Any),
            resource("b", Wanted::Glob("1*".into())),
            resource("c", Wanted::Latest),
            resource("d", Wanted::Glob("2".into())),
        ];
        let moves: Vec<PackageMove<'_>> = resources
            .iter()
            .map(|resource| PackageMove {
                resource,
                changes: vec![Change::new(&resource.id, Action::Install)],
                held: false,
            })
            .collect();
        let transaction = transaction(&moves);
        let order: Vec<&str> = transaction.packages().collect();
        assert_eq!(order, ["b", "d", "a", "c"]);
    }
}
