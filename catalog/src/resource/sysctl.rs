//! A setting of the kernel: a line for the next boot, and the value that it has now.

use super::file::in_the_way;
use super::{Mode, Obstacle, PathState, Presence, Resource};
use crate::digest::Digest;
use crate::path::AbsPath;
use crate::plan::turn::{Found, Turn};
use crate::plan::{Action, Certainty, Change};
use serde_json::{Map, Value, json};

/// A setting and what must be so of it.
#[derive(Clone, Debug, PartialEq, Hash)]
pub struct Sysctl {
    /// Its name with dots between its parts; a dot within a part is written as `/`: `net.ipv4.conf.eth0/100.forwarding`.
    pub name: String,
    /// Whether it must have the value; absent takes the line away, and leaves the kernel alone where no value is said.
    pub state: Presence,
    /// What it must be, one space between its fields; none only when absent.
    pub value: Option<String>,
    /// Its file is somebody else's matter: what stood there before cfg is brought back.
    pub spares: bool,
}

impl Sysctl {
    /// The file that sets it at boot.
    ///
    /// # Errors
    /// Where the name is too long for a file.
    pub fn file(&self) -> Result<AbsPath, Obstacle> {
        let name = self.name.replace('/', ":");
        let path = format!("/etc/sysctl.d/90-cfg-{name}.conf");
        path.parse().map_err(|why| Obstacle(format!("{why}")))
    }

    /// What the file holds.
    pub fn line(&self) -> Vec<u8> {
        let value = self.value.as_deref().unwrap_or_default();
        format!("{} = {value}\n", self.name).into_bytes()
    }

    /// Where the kernel shows it.
    ///
    /// # Errors
    /// Where the name is too long for a path.
    pub fn kernel(&self) -> Result<AbsPath, Obstacle> {
        let swapped = self.name.chars().map(|c| match c {
            '.' => '/',
            '/' => '.',
            other => other,
        });
        let path: String = "/proc/sys/".chars().chain(swapped).collect();
        path.parse().map_err(|why| Obstacle(format!("{why}")))
    }
}

/// The mode of the file.
const MODE: Mode = Mode(0o644);

/// A value as the kernel compares it: it writes tabs where a person writes spaces.
pub fn plain(value: &str) -> String {
    value.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What is seen of a setting.
#[derive(Clone, Debug, PartialEq)]
pub struct SysctlState {
    /// At [`Sysctl::file`].
    pub file: PathState,
    /// In the kernel.
    pub kernel: KernelValue,
}

/// What the kernel has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KernelValue {
    /// This, one space between its fields.
    Is(String),
    /// It has no such setting.
    Missing,
    /// Below a root that is not the machine's nobody asks.
    Unjudged,
    /// It could not be read.
    Unread {
        /// The whole reason, for a person.
        why: String,
    },
}

/// What would bring the setting about: one change, be it of the line, of the kernel, or of both.
pub(crate) fn diff(
    resource: &Resource,
    sysctl: &Sysctl,
    state: &SysctlState,
    turn: &Turn<'_>,
) -> Result<Found, Obstacle> {
    let (Presence::Present, Some(value)) = (sysctl.state, &sysctl.value) else {
        return removal(resource, sysctl, state);
    };
    let (mut before, mut after) = (Map::new(), Map::new());
    let mut sure = Certainty::Certain;
    match &state.kernel {
        KernelValue::Is(now) if now == value => {}
        KernelValue::Is(now) => {
            before.insert("value".into(), now.as_str().into());
            after.insert("value".into(), value.as_str().into());
        }
        KernelValue::Unjudged => {}
        // What comes before may bring the module that has it.
        KernelValue::Missing if turn.ahead.may_bring_paths() => {
            sure = Certainty::Assumed;
            after.insert("value".into(), value.as_str().into());
        }
        KernelValue::Missing => return Err(missing(sysctl)),
        KernelValue::Unread { why } => return Err(Obstacle(why.clone())),
    }
    let new = matches!(state.file, PathState::Absent { .. });
    if let Some(now) = at_boot(sysctl, &state.file)? {
        before.insert("at_boot".into(), now);
        after.insert("at_boot".into(), value.as_str().into());
    }
    if after.is_empty() {
        return Ok(Found::default());
    }
    let action = if new { Action::Create } else { Action::Update };
    let change = Change::new(&resource.id, action)
        .at_most(sure)
        .showing(before.into(), after.into());
    Ok(vec![change].into())
}

/// What the file says now, where it is not what it must be; null where it says nothing.
fn at_boot(sysctl: &Sysctl, file: &PathState) -> Result<Option<Value>, Obstacle> {
    let seen = match file {
        PathState::Absent { .. } | PathState::Link(_) => return Ok(Some(Value::Null)),
        PathState::File(seen) => seen,
        _ => return Err(in_the_way(file)),
    };
    let digest = seen.digest;
    let digest = digest.ok_or_else(|| Obstacle("its file could not be read".into()))?;
    if digest == Digest::of(&sysctl.line()) {
        let mode = seen.ownership.mode;
        return Ok((mode != MODE).then(|| format!("mode {mode}").into()));
    }
    let text = seen.content.as_deref().map(String::from_utf8_lossy);
    let value = text.as_deref().and_then(|text| {
        let (name, value) = text.trim_end().split_once('=')?;
        (name.trim() == sysctl.name).then(|| plain(value))
    });
    Ok(Some(
        value.map_or_else(|| "something else".into(), Value::from),
    ))
}

/// The line goes, and the kernel gets the value back that it had, where one is said.
fn removal(resource: &Resource, sysctl: &Sysctl, state: &SysctlState) -> Result<Found, Obstacle> {
    let change = Change::new(&resource.id, Action::Remove);
    let values = match (&sysctl.value, &state.kernel) {
        (Some(value), KernelValue::Is(now)) if now != value => Some((now, value)),
        _ => None,
    };
    match (&state.file, values) {
        (_, Some((now, value))) if sysctl.spares => {
            let shown = |value: &String| json!({ "value": value });
            Ok(vec![change.showing(shown(now), shown(value))].into())
        }
        (_, None) if sysctl.spares => Ok(Found::default()),
        (PathState::Absent { .. }, None) => Ok(Found::default()),
        (
            PathState::Absent { .. } | PathState::File(_) | PathState::Link(_),
            Some((now, value)),
        ) => {
            let shown = |value: &String| json!({ "value": value });
            Ok(vec![change.showing(shown(now), shown(value))].into())
        }
        (PathState::File(_) | PathState::Link(_), None) => Ok(vec![change].into()),
        (other, _) => Err(in_the_way(other)),
    }
}

fn missing(sysctl: &Sysctl) -> Obstacle {
    let name = &sysctl.name;
    let at = sysctl
        .kernel()
        .map_or(String::new(), |path| format!(" ({path})"));
    Obstacle(format!(
        "the kernel has no {name}{at}: it is misspelt, or its module is not loaded"
    ))
}
