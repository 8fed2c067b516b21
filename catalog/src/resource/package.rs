//! A Debian package.

use super::debconf::{self, Answer, Answers};
use super::version::compare;
use super::{Obstacle, Resource};
use crate::glob::Glob;
use crate::id::ResourceId;
use crate::plan::turn::{Found, Turn};
use crate::plan::{Action, Certainty, Change};
use serde_json::{Value, json};
use std::cmp::Ordering;

/// A package and what must be so of it.
#[derive(Clone, Debug, Default, PartialEq, Hash)]
pub struct Package {
    /// Its name, with `:arch` only where the role wrote one.
    pub name: String,
    /// Whether, and how, it must be there.
    pub state: PackagePresence,
    /// Which versions do.
    pub version: Wanted,
    /// Whether apt may move it otherwise; none leaves that alone.
    pub hold: Option<bool>,
    /// Whether it is to be marked as installed only for others; none: what must be there is marked as wanted for itself.
    pub auto: Option<bool>,
    /// Answers for its configuration, by question; given before it is installed.
    pub debconf: Vec<Answer>,
}

/// Whether a package must be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum PackagePresence {
    /// Installed and configured.
    #[default]
    Present,
    /// Not installed; its configuration may stay.
    Absent,
    /// Not installed, its configuration gone.
    Purged,
}

/// Which versions of a package do.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub enum Wanted {
    /// `*`: whichever is there; apt's candidate when it is not.
    #[default]
    Any,
    /// `latest`: apt's candidate.
    Latest,
    /// A glob over the full Debian version; an epoch not written is ignored. Without `*?[` it is exact.
    Glob(String),
}

/// What dpkg and apt say of a package.
#[derive(Clone, Debug, PartialEq)]
pub struct PackageState {
    /// What dpkg has.
    pub dpkg: DpkgState,
    /// On hold.
    pub held: bool,
    /// Marked as installed only for others.
    pub auto: bool,
    /// What the index offers; asked only where dpkg's does not do, else none.
    pub available: Option<Offered>,
    /// What debconf has of the questions that the role answers.
    pub debconf: Answers,
    /// What apt says against the move that is due; asked only for plans, once it is known what else moves.
    pub refusal: Option<Refusal>,
    /// What others that move take it to, as apt says; asked as a refusal is.
    pub drawn: Option<Drawn>,
    /// Where it comes from is to change before, and it comes from nowhere else.
    pub unsure: bool,
}

/// What the index has of a package.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Offered {
    /// apt's own choice, by its preferences; it may be what is installed, though no index has that.
    pub candidate: Option<String>,
    /// The versions that an index has and no preference forbids.
    pub versions: Vec<String>,
}

impl Offered {
    /// The version that comes nearest to what is wanted: apt's choice where the role leaves it to apt, else the newest that
    /// does, wherever it comes from.
    pub fn best(&self, wanted: &Wanted) -> Option<&str> {
        match wanted {
            Wanted::Any | Wanted::Latest => self.candidate.as_deref(),
            Wanted::Glob(_) => {
                let versions = self.versions.iter().map(String::as_str);
                let fit = versions.filter(|version| wanted.matches(version));
                fit.max_by(|a, b| compare(a, b))
            }
        }
    }
}

/// That apt would not make a move.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Its word, for a person.
    pub why: String,
    /// Assumed where a run may hear another word, since it refreshes the index first.
    pub certainty: Certainty,
}

/// That a package which would stay as it is goes to another version along with others, which need that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drawn {
    /// To this one.
    pub version: String,
    /// These need it.
    pub by: Vec<ResourceId>,
    /// Assumed where a run may hear another word, as of a refusal.
    pub certainty: Certainty,
}

/// What dpkg has of a package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DpkgState {
    /// Not there, nothing left.
    Absent,
    /// Removed, its configuration left.
    ConfigFiles,
    /// `install ok installed`.
    Installed {
        /// Its version.
        version: String,
        /// When this version was unpacked, in µs since 1970.
        changed_us: u64,
    },
    /// Unpacked, half-configured, half-installed: to be repaired.
    Broken {
        /// Its version.
        version: String,
        /// dpkg's word.
        status: String,
    },
}

impl Wanted {
    /// As the role writes it.
    pub fn text(&self) -> &str {
        match self {
            Wanted::Any => "*",
            Wanted::Latest => "latest",
            Wanted::Glob(glob) => glob,
        }
    }

    /// Whether this version does; `latest` takes any here, since it is judged beside the others that there are.
    pub fn matches(&self, version: &str) -> bool {
        let Wanted::Glob(glob) = self else {
            return true;
        };
        let version = like(glob, version);
        match Glob::of_text(glob) {
            Ok(pattern) if is_glob(glob) => pattern.matches(version),
            _ => glob == version,
        }
    }
}

fn is_glob(text: &str) -> bool {
    text.contains(['*', '?', '['])
}

/// The version without its epoch where the pattern has none.
fn like<'a>(pattern: &str, version: &'a str) -> &'a str {
    match version.split_once(':') {
        Some((_, rest)) if !pattern.contains(':') => rest,
        _ => version,
    }
}

/// What would bring the package about.
pub(crate) fn diff(
    resource: &Resource,
    package: &Package,
    state: &PackageState,
    turn: &Turn<'_>,
) -> Result<Found, Obstacle> {
    let mut found = wanted(resource, package, state, turn)?;
    if let Some(refusal) = &state.refusal {
        for change in found.changes.iter_mut().filter(|c| c.action.moves()) {
            if refusal.certainty == Certainty::Certain {
                return Err(Obstacle(refusal.why.clone()));
            }
            change.certainty = Certainty::Assumed;
        }
    }
    if state.unsure {
        for change in found.changes.iter_mut().filter(|c| c.action.moves()) {
            change.certainty = Certainty::Assumed;
        }
    }
    Ok(found)
}

fn wanted(
    resource: &Resource,
    package: &Package,
    state: &PackageState,
    turn: &Turn<'_>,
) -> Result<Found, Obstacle> {
    let change = |action| Change::new(&resource.id, action);
    let there = installed(&state.dpkg);
    let removal = match package.state {
        PackagePresence::Present => return presence(resource, package, state, turn),
        PackagePresence::Absent => there.is_some().then_some(Action::Remove),
        PackagePresence::Purged => (state.dpkg != DpkgState::Absent).then_some(Action::Purge),
    };
    Ok(removal
        .map(|action| change(action).showing(shown(state), Value::Null))
        .into_iter()
        .collect::<Vec<_>>()
        .into())
}

fn presence(
    resource: &Resource,
    package: &Package,
    state: &PackageState,
    turn: &Turn<'_>,
) -> Result<Found, Obstacle> {
    let change = |action| Change::new(&resource.id, action);
    let mut changes = Vec::new();
    let moved = moved(package, state, turn)?;
    let drawn = match moved {
        None => drawn(resource, state),
        Some(_) => None,
    };
    let kept = moved.is_none() && drawn.is_none() && installed(&state.dpkg).is_some();
    if package.hold == Some(false) && state.held {
        changes.push(change(Action::Unhold).showing(json!({"held": true}), json!({"held": false})));
    }
    if let Some((action, version)) = moved {
        // Only a real run refreshes the index, and then it has that or has not.
        let sure = Certainty::certain_if(lies_ready(&version, state));
        let mut after = json!({ "version": version });
        if action == Action::Install
            && let Some(answers) = debconf::wanted(&package.debconf, resource.sensitive)
        {
            after["debconf"] = answers;
        }
        changes.push(change(action).at_most(sure).showing(shown(state), after));
    }
    changes.extend(drawn);
    if let Some((before, after)) = amended(resource, package, state, kept)? {
        changes.push(change(Action::Update).showing(before, after));
    }
    if package.hold == Some(true) && !state.held {
        changes.push(change(Action::Hold).showing(json!({"held": false}), json!({"held": true})));
    }
    Ok(changes.into())
}

/// The change of version that others bring about.
fn drawn(resource: &Resource, state: &PackageState) -> Option<Change> {
    let drawn = state.drawn.as_ref()?;
    let action = match compare(installed(&state.dpkg)?, &drawn.version) {
        Ordering::Less => Action::Upgrade,
        Ordering::Equal => return None,
        Ordering::Greater => Action::Downgrade,
    };
    let after = json!({ "version": drawn.version });
    let change = Change::new(&resource.id, action).at_most(drawn.certainty);
    Some(
        change
            .showing(shown(state), after)
            .because_of(drawn.by.clone()),
    )
}

/// What is to be changed of a package beside its version.
fn amended(
    resource: &Resource,
    package: &Package,
    state: &PackageState,
    kept: bool,
) -> Result<Option<(Value, Value)>, Obstacle> {
    let (mut before, mut after) = (json!({}), json!({}));
    let auto = package.auto.unwrap_or(false);
    if kept && state.auto != auto {
        // Moving it marks it as well.
        (before["auto"], after["auto"]) = (state.auto.into(), auto.into());
    }
    // What is to be installed is given all answers.
    let there = matches!(state.dpkg, DpkgState::Installed { .. });
    let answers = match (there, &state.debconf) {
        (false, _) => None,
        // Another version may know other choices.
        (true, Answers::Unfit { why, .. }) if kept => return Err(Obstacle(why.clone())),
        (true, known) => debconf::difference(&package.debconf, known, resource.sensitive)?,
    };
    if let Some((old, new)) = answers {
        (before["debconf"], after["debconf"]) = (old, new);
    }
    let differs = after.as_object().is_some_and(|after| !after.is_empty());
    Ok(differs.then_some((before, after)))
}

/// The change of version, if one is due, and to which.
fn moved(
    package: &Package,
    state: &PackageState,
    turn: &Turn<'_>,
) -> Result<Option<(Action, String)>, Obstacle> {
    let wanted = &package.version;
    let offered = state.available.as_ref();
    let best = offered.and_then(|offered| offered.best(wanted));
    let current = match &state.dpkg {
        DpkgState::Absent | DpkgState::ConfigFiles => {
            return Ok(Some((Action::Install, found(package, state, best, turn)?)));
        }
        DpkgState::Broken { version, status } if wanted.matches(version) => {
            let newer = best.filter(|_| *wanted == Wanted::Latest);
            let newer = newer.filter(|best| compare(best, version) == Ordering::Greater);
            // What lacks files must be unpacked again, and of a version that no index has any more there is nothing to.
            let gone = offered.is_some_and(|offered| !offered.versions.contains(version));
            let other = best.filter(|_| gone && lacks_files(status));
            let target = newer.or(other).unwrap_or(version);
            return Ok(Some((Action::Install, target.to_owned())));
        }
        DpkgState::Broken { .. } => {
            return Ok(Some((Action::Install, found(package, state, best, turn)?)));
        }
        DpkgState::Installed { version, .. } => version,
    };
    let target = match wanted {
        // apt chooses an older one only where its preferences force that.
        Wanted::Latest => match best.filter(|best| best != current) {
            Some(best) => best.to_owned(),
            None => return Ok(None),
        },
        _ if wanted.matches(current) => return Ok(None),
        _ => found(package, state, best, turn)?,
    };
    let action = match direction(current, &target) {
        Ordering::Less => Action::Upgrade,
        Ordering::Equal | Ordering::Greater => Action::Downgrade,
    };
    Ok(Some((action, target)))
}

/// The newest that does, or, where no index can say, the version as it is written.
fn found(
    package: &Package,
    state: &PackageState,
    best: Option<&str>,
    turn: &Turn<'_>,
) -> Result<String, Obstacle> {
    let wanted = package.version.text();
    match (best, &state.available) {
        (Some(best), _) => Ok(best.to_owned()),
        (None, None) => Ok(wanted.to_owned()),
        (None, Some(_)) if turn.ahead.may_bring_versions() => Ok(wanted.to_owned()),
        (None, Some(offered)) if offered.versions.is_empty() => Err(Obstacle(format!(
            "no repository has a package {}",
            package.name
        ))),
        (None, Some(offered)) => Err(Obstacle(format!(
            "no version of {} is {wanted}; the repositories have {}",
            package.name,
            some_of(&offered.versions)
        ))),
    }
}

/// At most ten versions, in words.
fn some_of(versions: &[String]) -> String {
    let first = versions.iter().take(10).cloned().collect::<Vec<_>>();
    let more = versions.len() - first.len();
    match more {
        0 => first.join(", "),
        _ => format!("{} and {more} more", first.join(", ")),
    }
}

/// Whether there is this very version: in the index, or on the machine and only to be configured.
fn lies_ready(version: &str, state: &PackageState) -> bool {
    let mut offered = state.available.iter().flat_map(|index| &index.versions);
    offered.any(|offered| offered == version)
        || matches!(&state.dpkg, DpkgState::Broken { version: there, status }
            if there == version && !lacks_files(status))
}

/// Which way it goes: by the version, or by what a glob begins with.
fn direction(current: &str, target: &str) -> Ordering {
    let written = target.split(['*', '?', '[']).next().unwrap_or_default();
    let written = written.trim_end_matches(['.', '-', '+', '~', ':']);
    compare(like(target, current), written)
}

fn installed(state: &DpkgState) -> Option<&str> {
    match state {
        DpkgState::Absent | DpkgState::ConfigFiles => None,
        DpkgState::Installed { version, .. } | DpkgState::Broken { version, .. } => Some(version),
    }
}

/// Whether dpkg was interrupted while it unpacked, by its word.
fn lacks_files(status: &str) -> bool {
    matches!(status, "half-installed" | "reinstreq")
}

fn shown(state: &PackageState) -> Value {
    match &state.dpkg {
        DpkgState::Absent => Value::Null,
        DpkgState::ConfigFiles => json!({ "status": "config-files" }),
        DpkgState::Installed { version, .. } => json!({ "version": version }),
        DpkgState::Broken { version, status } => json!({ "version": version, "status": status }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_are_over_the_whole_version_and_forgive_an_epoch() {
        for (wanted, version, does) in [
            ("3.8.*", "3.8.0-11+deb12u1", true),
            ("3.8.*", "3.80-1", false),
            ("3.8.*", "1:3.8.0-1", true),
            ("1:3.8.*", "1:3.8.0-1", true),
            ("2:3.8.*", "1:3.8.0-1", false),
            ("1:3.8.*", "3.8.0-1", false),
            ("3.8.0-1", "3.8.0-1", true),
            ("3.8.0-1", "1:3.8.0-1", true),
            ("3.8.0", "3.8.0-1", false),
            ("3.8.?-1", "3.8.0-1", true),
            ("3.[78].*", "3.7.1", true),
            ("3.[78].*", "3.9.1", false),
            ("*deb12*", "3.8.0-11+deb12u1", true),
        ] {
            let wanted = Wanted::Glob(wanted.into());
            assert_eq!(wanted.matches(version), does, "{wanted:?} {version}");
        }
    }

    #[test]
    fn direction_by_what_is_known() {
        for (current, target, wanted) in [
            ("3.8.0-1", "3.9.*", Ordering::Less),
            ("3.10.0-1", "3.9.*", Ordering::Greater),
            ("1:3.8.0-1", "3.9.*", Ordering::Less),
            ("1:3.8.0-1", "2:1.0", Ordering::Less),
            ("3.8.0-1", "3.8.0-1~bpo1", Ordering::Greater),
            ("1.0~rc1", "1.0", Ordering::Less),
        ] {
            assert_eq!(direction(current, target), wanted, "{current} {target}");
        }
    }
}
