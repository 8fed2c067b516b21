//! Files, directories, links, and edits of files.

use super::super::before::{Before, Stood};
use super::super::heir;
use super::super::made::Made;
use super::super::stand_in::{directory, file, file_of, link, path_of, resource};
use super::{CHANGED, Edited, Entry, Fate, Judge, UNKNOWN, lost};
use crate::digest::Digest;
use crate::edit::{Edit, apply};
use crate::id::{Kind, ResourceId};
use crate::path::AbsPath;
use crate::resource::directory::{Directory, NEVER_PURGED};
use crate::resource::edit::FileEdit;
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
        if is_again(made, before, seen) {
            return Fate::Back(Vec::new(), None);
        }
        if changed {
            return Fate::Stays(CHANGED.into());
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
                    let user = self.around.homes.get(&path);
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
        if let Some(user) = self.around.homes.get(path) {
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
        match self.around.inside.get(path) {
            Some(inside) => {
                let goes = |one: &AbsPath| {
                    let absent = self.claims.absent(one);
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
            Some(Observed::Path(PathState::File(_))) => {
                id.kind != Kind::Link && id.kind != Kind::Directory
            }
            Some(Observed::Path(PathState::Directory(_))) => id.kind == Kind::Directory,
            _ => true,
        }
    }

    /// Whether a file of cfg's is other than it was made by edits of cfg's alone, which are left over with it.
    pub(super) fn is_edited_alone(&self, id: &ResourceId, entry: &Entry) -> bool {
        let edits = path_of(id).and_then(|path| self.edits.get(&path));
        let (
            Kind::File,
            Some(edits),
            Some(
                made @ Made::File {
                    sha256: Some(_), ..
                },
            ),
        ) = (id.kind, edits, &entry.made)
        else {
            return false;
        };
        let Some(now) = edits.iter().find_map(|edit| edit.now) else {
            return false;
        };
        let of = |digest| {
            let bare = FileState {
                digest,
                ..now.clone()
            };
            made.stands(&Observed::Path(PathState::File(bare)))
        };
        let path = path_of(id);
        if let Some(whole) = path.and_then(|path| self.whole(&path, now))
            && of(whole.content.map(|content| content.digest()))
        {
            return true;
        }
        let content = now.content.clone().and_then(|content| {
            let mut backs = edits.iter().map(|edit| edit.back);
            backs.try_fold(content, |content, back| apply(&content, back?).ok())
        });
        content.is_some_and(|content| of(Some(Digest::of(&content))))
    }

    /// Whether a file is there for edits alone that are all left over, and holds nothing else.
    fn is_all_of_edits(&self, path: &AbsPath, now: &FileState) -> bool {
        let edits = self.edits.get(path).map(Vec::as_slice).unwrap_or_default();
        let (began, beside): (Vec<_>, Vec<_>) = edits.iter().partition(|edit| !edit.there);
        let (false, Some(content)) = (began.is_empty(), &now.content) else {
            return false;
        };
        let bare = beside.iter().try_fold(content.clone(), |content, edit| {
            apply(&content, edit.back?).ok()
        });
        let made = began
            .iter()
            .try_fold(Vec::new(), |text, edit| apply(&text, edit.made).ok());
        bare.zip(made)
            .is_some_and(|(bare, made)| lines(&bare) == lines(&made))
    }

    /// What the role edits in a file.
    fn edits_of(&self, path: &AbsPath) -> Vec<(&ResourceId, &Edit)> {
        let all = self.desired.resources.iter();
        let edits = all.filter_map(|one| match &one.body {
            Body::Edit(other) if other.path == *path => Some((&one.id, &other.edit)),
            _ => None,
        });
        edits.collect()
    }

    /// A file as it was before the edits of it that are left over, which alone have changed it.
    fn whole(&self, path: &AbsPath, now: &FileState) -> Option<File> {
        let edits = self.edits.get(path)?;
        let wholes = self.wholes.get(path)?;
        let chain = heir::chain(wholes.iter().copied(), now.digest?);
        let first = chain.first?;
        let in_it = |edit: &Edited| edit.whole.is_some_and(|one| chain.made.contains(&one.made));
        let all = edits.iter().all(in_it);
        all.then(|| file_of(path.clone(), first.was, first.size))
    }

    /// Whether a file stands for edits alone, which are left over with it, where a role took something away.
    pub(super) fn is_begun_anew(&self, id: &ResourceId, entry: &Entry) -> bool {
        let path = path_of(id).filter(|_| entry.made == Some(Made::Gone));
        path.is_some_and(|path| {
            let edits = self.edits.get(&path).into_iter().flatten();
            let now = edits.filter_map(|edit| edit.now).next();
            now.is_some_and(|now| self.is_all_of_edits(&path, now))
        })
    }

    pub(super) fn edit(
        &self,
        id: &ResourceId,
        entry: &Entry,
        (path, edit, seen): (&AbsPath, &Edit, &PathState),
        before: &Before,
        changed: bool,
    ) -> Fate {
        let Before::Edit { back, there, .. } = before else {
            return Fate::Stays(UNKNOWN.into());
        };
        let whole = ResourceId::new(Kind::File, path.as_str());
        let PathState::File(now) = seen else {
            return Fate::Back(Vec::new(), None);
        };
        // The role says itself what the file holds, or that there is none.
        let said = self.desired.get(&whole).map(|whole| &whole.body);
        match said {
            Some(Body::File(file)) if file.state == Presence::Present && file.is_open() => {}
            Some(_) => return Fate::Back(Vec::new(), None),
            None => {}
        }
        let others = self.edits_of(path);
        let begun = self.files.get(path);
        let with = |(id, entry): &&(&ResourceId, &Entry)| {
            self.is_edited_alone(id, entry) || self.is_begun_anew(id, entry)
        };
        if let Some((begun, _)) = begun.filter(with) {
            return Fate::With((*begun).clone());
        }
        if others.is_empty() && said.is_none() && self.is_all_of_edits(path, now) {
            if *there {
                return Fate::With(whole);
            }
            let body = Body::File(File {
                state: Presence::Absent,
                ..file(path.clone())
            });
            return Fate::back(resource(&whole, &entry.role, body));
        }
        let alone = others.is_empty() && said.is_none() && begun.is_none();
        if let Some(body) = self.whole(path, now).filter(|_| alone) {
            let first = self.edits.get(path).and_then(|edits| edits.first());
            if first.is_some_and(|first| first.id != id) {
                return Fate::With(whole);
            }
            return Fate::back(resource(&whole, &entry.role, Body::File(body)));
        }
        let back = match back {
            Some(back) => Some(back.clone()),
            None if *there => None,
            None => crate::edit::back(b"", edit),
        };
        let Some(back) = back else {
            return Fate::Stays("what it changed is not known".into());
        };
        let back = others
            .iter()
            .fold(back, |back, (_, other)| back.beside(other));
        if let Some((other, _)) = others.iter().find(|(_, one)| back.conflict(one).is_some()) {
            return Fate::Stays(format!("{other} of the role edits the same"));
        }
        let content = now.content.as_deref().unwrap_or_default();
        match apply(content, &back) {
            Ok(same) if same == content => return Fate::Back(Vec::new(), None),
            Ok(_) if changed => return Fate::Stays(CHANGED.into()),
            Ok(_) => {}
            Err(why) => return Fate::Stays(format!("it cannot be edited back: {why}")),
        }
        let body = Body::Edit(FileEdit {
            path: path.clone(),
            edit: back,
            create: false,
        });
        Fate::back(resource(id, &entry.role, body))
    }
}

/// What stands in a text, in whatever order, and whatever is blank.
fn lines(text: &[u8]) -> Vec<&[u8]> {
    let lines = text.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    let lines = lines.map(|line| line.strip_suffix(b",").unwrap_or(line));
    let mut lines: Vec<&[u8]> = lines.filter(|line| !line.is_empty()).collect();
    lines.sort_unstable();
    lines
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
fn said(said: &Attributes, old: &Ownership) -> Attributes {
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
