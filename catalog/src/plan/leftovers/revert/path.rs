//! Files, directories and links.

use super::super::before::Stood;
use super::super::made::Made;
use super::super::stand_in::{directory, file, file_of, link, path_of, resource};
use super::{CHANGED, Entry, Fate, Judge, UNKNOWN, lost};
use crate::id::{Kind, ResourceId};
use crate::path::AbsPath;
use crate::plan::claims::{first_below, takes_away};
use crate::plan::closing::leads_on;
use crate::resource::directory::{Directory, NEVER_PURGED};
use crate::resource::file::File;
use crate::resource::link::Link;
use crate::resource::{Attributes, Body, FileState, Observed, Ownership, PathState, Presence};

impl Judge<'_> {
    pub(super) fn path(
        &self,
        id: &ResourceId,
        entry: &Entry,
        (made, before, seen): (&Made, &Stood, &PathState),
        changed: bool,
    ) -> Fate {
        let Some(path) = path_of(id) else {
            return Fate::Stays(UNKNOWN.into());
        };
        // What the role does not want there comes back when it wants nothing any more.
        let before = match self.claims.absent(&path) {
            Some(_) => &Stood::Nothing,
            None => before,
        };
        if is_again(made, before, seen) {
            return Fate::Back(Vec::new(), None);
        }
        if changed {
            return Fate::Stays(CHANGED.into());
        }
        // Where it would lead to that is only looked for by the next run.
        if matches!(before, Stood::Link(_))
            && let Some(other) = self.claims.absent_below(&path)
        {
            return Fate::Stays(format!("{other} of the role must not be behind it"));
        }
        let body = match (made, before) {
            (Made::Directory(said), before) => {
                return self.directory(id, entry, said, before, seen);
            }
            (Made::Link(_), Stood::Nothing) => Body::Link(link(path)),
            (Made::Link(_) | Made::Gone, Stood::Link(target)) => to(path, target, false),
            (Made::Link(_), Stood::Directory(ownership)) => {
                Body::Directory(as_was(directory(path), ownership))
            }
            (Made::File { .. }, Stood::Nothing) => Body::File(File {
                state: Presence::Absent,
                ..file(path)
            }),
            (Made::File { .. }, Stood::Link(target)) => to(path, target, true),
            (
                Made::File { sha256, attributes },
                Stood::File {
                    ownership,
                    sha256: old,
                    size,
                    ..
                },
            ) => {
                let same = match seen {
                    PathState::File(FileState { digest, .. }) => digest == old,
                    _ => false,
                };
                let content = old.filter(|_| sha256.is_some() && !same);
                if let Some(why) = content.and_then(|_| lost(before)) {
                    return Fate::Stays(why);
                }
                let whole = match content {
                    Some(digest) => file_of(path, digest, *size),
                    None => file(path),
                };
                Body::File(File {
                    attributes: said(attributes, ownership),
                    ..whole
                })
            }
            (Made::Gone | Made::Link(_), Stood::File { .. }) => match whole(path, before) {
                Ok(file) => Body::File(file),
                Err(why) => return Fate::Stays(why),
            },
            (Made::Gone, Stood::Directory(ownership)) => {
                Body::Directory(as_was(directory(path), ownership))
            }
            (Made::File { .. }, Stood::Directory(ownership)) => Body::Directory(Directory {
                over_file: true,
                ..as_was(directory(path), ownership)
            }),
            _ => return Fate::Stays(UNKNOWN.into()),
        };
        Fate::back(resource(id, &entry.role, body))
    }

    fn directory(
        &self,
        id: &ResourceId,
        entry: &Entry,
        attributes: &Attributes,
        before: &Stood,
        seen: &PathState,
    ) -> Fate {
        let Some(path) = path_of(id) else {
            return Fate::Stays(UNKNOWN.into());
        };
        let body = match before {
            Stood::Directory(ownership) => Body::Directory(Directory {
                attributes: said(attributes, ownership),
                ..directory(path)
            }),
            Stood::Nothing | Stood::Link(_) | Stood::File { .. } => {
                if let Some(why) = self.kept(&path, seen) {
                    // What it stays for is gone by the next run, and is no reason to remove it then.
                    let user = self.homes.get(&path);
                    let passes = user.is_some_and(|user| self.leaving.contains(user))
                        || self.mounts.contains(&path);
                    return match passes {
                        true => Fate::Told(why),
                        false => Fate::Stays(why),
                    };
                }
                let (kind, body) = match before {
                    Stood::Link(target) => (Kind::Link, to(path, target, false)),
                    Stood::File { .. } => match whole(path, before) {
                        Ok(file) => (Kind::File, Body::File(file)),
                        Err(why) => return Fate::Stays(why),
                    },
                    _ => {
                        return Fate::Back(self.gone(id).into_iter().collect(), None);
                    }
                };
                if is_empty(seen) {
                    return Fate::back(resource(id, &entry.role, body));
                }
                // What is in it goes first, then it, and then that comes.
                let back = resource(&ResourceId::new(kind, &*id.name), &entry.role, body);
                return Fate::Back(self.gone(id).into_iter().chain([back]).collect(), None);
            }
            _ => return Fate::Stays(UNKNOWN.into()),
        };
        Fate::back(resource(id, &entry.role, body))
    }

    /// Why a directory is not removed.
    pub(super) fn kept(&self, path: &AbsPath, seen: &PathState) -> Option<String> {
        if self.mounts.contains(path) {
            return Some("a file system was mounted on it".into());
        }
        if let Some(user) = self.homes.get(path) {
            return Some(format!("it is the home of {user}: a home is never removed"));
        }
        if NEVER_PURGED.contains(&path.as_str()) {
            return Some(format!("{path} is never removed"));
        }
        let PathState::Directory(seen) = seen else {
            return None;
        };
        if let Some(holds) = &seen.holds {
            return Some(format!("it leads to {holds}"));
        }
        if let Some(one) = first_below(&self.coming, &self.real(path)) {
            return Some(format!("{one} comes back in it"));
        }
        match self.around.inside.get(path) {
            Some(inside) => {
                // What the role looks for in a folder or behind a link of its own goes only then.
                let first = !leads_on(self.desired, path.as_str());
                let goes = |one: &AbsPath| {
                    let absent = self.claims.absent(one).filter(|_| first);
                    self.going.contains(&*self.real(one))
                        || absent.is_some_and(|id| self.removes(id))
                };
                let stays = inside.iter().find(|one| !goes(one))?;
                Some(format!("it is not empty: {stays} stands in it"))
            }
            None => (!seen.empty).then(|| "it is not empty".to_owned()),
        }
    }

    /// Whether this of the role, which must not be there, goes: where something else stands, that fails.
    fn removes(&self, id: &ResourceId) -> bool {
        match self.snapshot.observed.get(id) {
            Some(Observed::Path(PathState::File(_))) => takes_away(id.kind, Kind::File),
            Some(Observed::Path(PathState::Directory(_))) => takes_away(id.kind, Kind::Directory),
            _ => true,
        }
    }
}

/// Whether it is what was there before already.
fn is_again(made: &Made, before: &Stood, seen: &PathState) -> bool {
    match (before, seen) {
        (Stood::Nothing, PathState::Absent { .. }) => true,
        (Stood::Link(target), PathState::Link(link)) => link.target == *target,
        (Stood::Directory(old), PathState::Directory(now)) => match made {
            Made::Directory(said) => as_before(said, old, &now.ownership),
            _ => *old == now.ownership,
        },
        (
            Stood::File {
                ownership, sha256, ..
            },
            PathState::File(now),
        ) => match made {
            Made::File {
                sha256: None,
                attributes,
            } => as_before(attributes, ownership, &now.ownership),
            Made::File { attributes, .. } => {
                *sha256 == now.digest && as_before(attributes, ownership, &now.ownership)
            }
            _ => *sha256 == now.digest,
        },
        _ => false,
    }
}

fn is_empty(seen: &PathState) -> bool {
    matches!(seen, PathState::Directory(directory) if directory.empty)
}

/// Whether the attributes that a role had a say in are what they were.
fn as_before(said: &Attributes, old: &Ownership, now: &Ownership) -> bool {
    (said.mode.is_none() || old.mode == now.mode)
        && (said.owner.is_none() || old.owner == now.owner)
        && (said.group.is_none() || old.group == now.group)
}

/// The attributes that a role had a say in, as they were.
pub(super) fn said(said: &Attributes, old: &Ownership) -> Attributes {
    Attributes {
        mode: said.mode.map(|_| old.mode),
        owner: said.owner.as_ref().map(|_| old.owner.clone()),
        group: said.group.as_ref().map(|_| old.group.clone()),
    }
}

fn as_was(directory: Directory, old: &Ownership) -> Directory {
    Directory {
        attributes: Attributes::all(old),
        ..directory
    }
}

/// A file as it stood there; why it cannot be brought back, where its content is not at hand.
pub(super) fn whole(path: AbsPath, before: &Stood) -> Result<File, String> {
    let Stood::File {
        ownership,
        sha256: Some(digest),
        size,
        ..
    } = before
    else {
        return Err(UNKNOWN.into());
    };
    match lost(before) {
        Some(why) => Err(why),
        None => Ok(File {
            attributes: Attributes::all(ownership),
            ..file_of(path, *digest, *size)
        }),
    }
}

pub(super) fn to(path: AbsPath, target: &str, over_file: bool) -> Body {
    Body::Link(Link {
        state: Presence::Present,
        target: Some(target.to_owned()),
        over_file,
        ..link(path)
    })
}
