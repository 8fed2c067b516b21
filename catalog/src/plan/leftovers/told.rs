//! What is on record of one leftover, in words.

use super::before::{Before, Stood};
use super::parts::places_of;
use super::{Claims, Entry, Made, Managed, Snapshot};
use crate::id::ResourceId;
use crate::path::AbsPath;
use crate::resource::Desired;

/// What a person is told of a leftover.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// The machine's role when it was managed last.
    pub role: String,
    /// What was there before cfg; nothing secret.
    pub before: String,
    /// The files by which it may be brought back too: that of an edit, a unit file, what a repository has, a user's keys.
    pub files: Vec<AbsPath>,
}

impl Managed {
    /// What is on record of what this role leaves over; none where nothing is, or where it leads to what the role names.
    pub fn tell(&self, id: &ResourceId, desired: &Desired) -> Option<Told> {
        let entry = self.0.get(id)?;
        if desired.names(id) || entry.leads(id, &Claims::of(desired, &Snapshot::default())) {
            return None;
        }
        Some(Told {
            role: entry.role.clone(),
            before: words(entry),
            files: files(id, entry),
        })
    }
}

fn files(id: &ResourceId, entry: &Entry) -> Vec<AbsPath> {
    match &entry.made {
        Some(Made::Edit { path, .. }) => vec![path.clone()],
        Some(Made::User(user)) => {
            let keys = format!("{}/.ssh/authorized_keys", user.place());
            keys.parse().into_iter().collect()
        }
        made => {
            let places = places_of(id, made.as_ref().and_then(Made::key));
            places.into_iter().map(|(_, path)| path).collect()
        }
    }
}

fn words(entry: &Entry) -> String {
    let Some(before) = &entry.before else {
        return "not on record".into();
    };
    let nothing = || "nothing".to_owned();
    match before {
        Before::Unknown => "not known".into(),
        Before::Nothing => "not kept: of this kind nothing is brought back".into(),
        Before::Path(stood) => of_path(stood),
        Before::Package { version: None, .. } => "not installed".into(),
        Before::Package {
            version: Some(version),
            held,
            auto,
        } => {
            let held = if *held { ", held" } else { "" };
            let auto = if *auto { ", for others only" } else { "" };
            format!("{version}{held}{auto}")
        }
        Before::User { was: None, .. } => "no such user".into(),
        Before::User {
            was: Some(user), ..
        } => format!("uid {}, shell {}", user.uid, user.shell),
        Before::Group(None) => "no such group".into(),
        Before::Group(Some(gid)) => format!("gid {gid}"),
        Before::Service {
            running,
            enabled,
            masked,
            ..
        } => {
            let word = |is: bool, yes: &'static str, no: &'static str| if is { yes } else { no };
            format!(
                "{}, {}{}",
                word(*running, "running", "stopped"),
                word(*enabled, "enabled", "not enabled"),
                word(*masked, ", masked", "")
            )
        }
        Before::Sysctl { value, .. } => value.clone().unwrap_or_else(nothing),
        Before::Mount { line, mounted, .. } => {
            let line = line
                .as_ref()
                .map(|line| format!("{} in the table", line.device));
            let mounted = if *mounted { "mounted" } else { "not mounted" };
            format!(
                "{}, {mounted}",
                line.unwrap_or_else(|| "not in the table".into())
            )
        }
        Before::Repository { sources, key } => {
            let stood = sources.as_ref().or(key.as_ref());
            stood.map_or_else(nothing, of_path)
        }
        Before::Edit { there: false, .. } => "no such file".into(),
        Before::Edit {
            back: None,
            whole: Some(whole),
            ..
        } => format!("a file of {} bytes, which are kept", whole.size),
        Before::Edit { back: None, .. } => "not known in its parts".into(),
        Before::Edit {
            back: Some(back), ..
        } => format!(
            "{} former values or lines, {} that were not there",
            back.set.len() + back.lines.len(),
            back.remove.len() + back.drop.len()
        ),
    }
}

fn of_path(stood: &Stood) -> String {
    match stood {
        Stood::Nothing => "nothing".into(),
        Stood::File {
            ownership,
            size,
            kept,
            ..
        } => {
            let kept = if *kept { "kept" } else { "not kept" };
            format!(
                "a file, {} {} {}, of {size} bytes, which are {kept}",
                ownership.mode, ownership.owner, ownership.group
            )
        }
        Stood::Directory(ownership) => format!(
            "a directory, {} {} {}",
            ownership.mode, ownership.owner, ownership.group
        ),
        Stood::Link(target) => format!("a link to {target}"),
        Stood::Other => "what is no file, directory or link".into(),
    }
}
