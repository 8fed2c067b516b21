//! Edits of files. A file is known by where it really lies: edits of it may name it by different ways.

use super::super::before::{Before, Stood, Whole};
use super::super::heir;
use super::super::made::Made;
use super::super::stand_in::{file, file_of, path_of, resource};
use super::path::said;
use super::room::is_in_the_way;
use super::{CHANGED, Entry, Fate, Judge, Managed, UNKNOWN};
use crate::digest::Digest;
use crate::edit::{self, Edit, apply};
use crate::id::{Kind, ResourceId};
use crate::path::AbsPath;
use crate::plan::Snapshot;
use crate::plan::claims::{Claims, own_path};
use crate::resource::edit::FileEdit;
use crate::resource::file::File;
use crate::resource::{
    Attributes, Body, Desired, FileState, Observed, PathState, Presence, Resource,
};
use std::collections::BTreeMap;

/// What has a say in one file.
#[derive(Default)]
pub(super) struct Shared<'a> {
    /// What is left over of edits of it.
    edits: Vec<Edited<'a>>,
    /// What all edits on record found.
    wholes: Vec<&'a Whole>,
    /// The file itself, where that is left over.
    file: Option<(&'a ResourceId, &'a Entry)>,
    /// The role's own.
    said: Option<&'a File>,
    /// What the role edits in it.
    others: Vec<(&'a ResourceId, &'a Edit)>,
    /// Whether it is there for edits alone that are all left over, and holds nothing else.
    begun: bool,
}

/// What is left over of one edit.
struct Edited<'a> {
    id: &'a ResourceId,
    path: &'a AbsPath,
    made: &'a Edit,
    whole: Option<&'a Whole>,
    back: Option<&'a Edit>,
    there: bool,
    now: Option<&'a FileState>,
}

/// The files that edits are left over of, by where they really lie.
pub(super) fn shared<'a>(
    managed: &'a Managed,
    open: &[(&'a ResourceId, &'a Entry)],
    (desired, claims): (&'a Desired, &Claims),
    snapshot: &'a Snapshot,
) -> BTreeMap<AbsPath, Shared<'a>> {
    let real = |path: &AbsPath| snapshot.places.real(path).into_owned();
    let mut files: BTreeMap<AbsPath, Shared<'a>> = BTreeMap::new();
    for edited in open
        .iter()
        .filter_map(|(id, entry)| edited(id, entry, snapshot))
    {
        files
            .entry(real(edited.path))
            .or_default()
            .edits
            .push(edited);
    }
    if files.is_empty() {
        return files;
    }
    for entry in managed.0.values() {
        if let (Some(Made::Edit { path, .. }), Some(whole)) = (&entry.made, entry.whole())
            && let Some(shared) = files.get_mut(&real(path))
        {
            shared.wholes.push(whole);
        }
    }
    let given_up = open.iter().copied().filter(|(id, _)| id.kind == Kind::File);
    let of_these =
        |id: &ResourceId| path_of(id).is_some_and(|path| files.contains_key(&real(&path)));
    let in_the_way = managed.0.iter();
    let in_the_way =
        in_the_way.filter(|(id, entry)| of_these(id) && is_in_the_way(id, entry, desired, claims));
    let in_the_way: Vec<_> = in_the_way.collect();
    for (id, entry) in given_up.chain(in_the_way) {
        if let Some(shared) = path_of(id).and_then(|path| files.get_mut(&real(&path))) {
            shared.file = Some((id, entry));
        }
    }
    for shared in files.values_mut() {
        shared.begun = shared.is_begun();
    }
    let then = snapshot.places_then(desired);
    for one in &desired.resources {
        let shared = own_path(&one.body).and_then(|path| files.get_mut(&*then.real(path)));
        match (&one.body, shared) {
            (Body::File(file), Some(shared)) => shared.said = Some(file),
            (Body::Edit(edit), Some(shared)) => shared.others.push((&one.id, &edit.edit)),
            _ => {}
        }
    }
    files
}

fn edited<'a>(id: &'a ResourceId, entry: &'a Entry, snapshot: &'a Snapshot) -> Option<Edited<'a>> {
    let seen = snapshot.observed.get(id);
    let made = entry.last(seen).or(entry.made.as_ref());
    let (Some(Made::Edit { path, edit }), Some(Before::Edit { back, there, whole })) =
        (made, &entry.before)
    else {
        return None;
    };
    Some(Edited {
        id,
        path,
        made: edit,
        whole: whole.as_ref(),
        back: back.as_ref(),
        there: *there,
        now: match seen {
            Some(Observed::Path(PathState::File(now))) => Some(now),
            _ => None,
        },
    })
}

impl Shared<'_> {
    /// See [`Shared::begun`].
    fn is_begun(&self) -> bool {
        // Which of those that say the same goes first is all one.
        let edits = || self.edits.iter();
        let orders = || [edits().collect(), edits().rev().collect()];
        let empty = |order| {
            let bare = self.without(order, None);
            bare.is_some_and(|(bare, _)| edit::holds_nothing(&bare))
        };
        edits().any(|edit| !edit.there) && orders().into_iter().any(empty)
    }

    /// What it holds without these edits that are left over of it, each of them taken back once it is seen to stand, up to this one or
    /// all of them; with those that were. None where that one does not come to stand.
    fn without(
        &self,
        mut open: Vec<&Edited>,
        upto: Option<&ResourceId>,
    ) -> Option<(Vec<u8>, Vec<ResourceId>)> {
        let now = self.edits.iter().find_map(|edit| edit.now)?;
        let (mut text, mut gone) = (now.content.clone()?, Vec::new());
        loop {
            let left = open.len();
            for edit in std::mem::take(&mut open) {
                let stands = apply(&text, edit.made).is_ok_and(|same| same == text);
                if stands && upto == Some(edit.id) {
                    return Some((text, gone));
                }
                match edit.back.map(|back| apply(&text, back)) {
                    Some(Ok(bare)) if stands || bare == text => {
                        text = bare;
                        gone.push(edit.id.clone());
                    }
                    _ => open.push(edit),
                }
            }
            if open.is_empty() || open.len() == left {
                return upto.is_none().then_some((text, gone));
            }
        }
    }

    /// What an edit is seen to stand in once those that lie over it, in other formats, are taken back; with these.
    fn below_others(&self, id: &ResourceId) -> Option<(Vec<u8>, Vec<ResourceId>)> {
        let formats = self.edits.iter().map(|edit| edit.made.format);
        let mut next = formats.clone().skip(1).zip(formats);
        let mixed = next.any(|(one, other)| one != other);
        let all = || self.edits.iter().collect();
        mixed.then(|| self.without(all(), Some(id))).flatten()
    }

    /// As it was before the edits of it that are left over, which alone have changed it.
    fn whole(&self, now: &FileState) -> Option<&Whole> {
        let chain = heir::chain(self.wholes.iter().copied(), now.digest?);
        let first = chain.first()?;
        let in_it = |edit: &Edited| edit.whole.is_some_and(|one| chain.has(one));
        self.edits.iter().all(in_it).then_some(first)
    }

    /// Whether `made` is what it holds without the edits that are left over of it.
    fn is_without_edits(&self, made: &Made) -> bool {
        let Some(now) = self.edits.iter().find_map(|edit| edit.now) else {
            return false;
        };
        let of = |digest| {
            let bare = FileState {
                digest: Some(digest),
                ..now.clone()
            };
            made.stands(&Observed::Path(PathState::File(bare)))
        };
        if self.whole(now).is_some_and(|whole| of(whole.was)) {
            return true;
        }
        let content = now.content.clone().and_then(|content| {
            let mut backs = self.edits.iter().map(|edit| edit.back);
            backs.try_fold(content, |content, back| apply(&content, back?).ok())
        });
        content.is_some_and(|content| of(Digest::of(&content)))
    }

    /// By which it is brought back as a whole: what the first of its edits calls it.
    fn name(&self) -> Option<&AbsPath> {
        self.edits.first().map(|edit| edit.path)
    }
}

impl Judge<'_> {
    fn shared(&self, path: &AbsPath) -> Option<&Shared<'_>> {
        self.files.get(&*self.real(path))
    }

    /// Whether a file of cfg's is other than it was made by edits of cfg's alone, which are left over with it.
    pub(super) fn is_edited_alone(&self, id: &ResourceId, entry: &Entry) -> bool {
        let path = path_of(id).filter(|_| id.kind == Kind::File);
        match (path, &entry.made) {
            (
                Some(path),
                Some(
                    made @ Made::File {
                        sha256: Some(_), ..
                    },
                ),
            ) => {
                let shared = self.shared(&path);
                shared.is_some_and(|shared| shared.is_without_edits(made))
            }
            _ => false,
        }
    }

    /// Whether a file stands for edits alone, which are left over with it, where a role took something away.
    pub(super) fn is_begun_anew(&self, id: &ResourceId, entry: &Entry) -> bool {
        let path = path_of(id).filter(|_| entry.made == Some(Made::Gone));
        let shared = path.and_then(|path| self.shared(&path));
        shared.is_some_and(|shared| shared.begun)
    }

    pub(super) fn edit(
        &self,
        id: &ResourceId,
        entry: &Entry,
        (path, seen): (&AbsPath, &PathState),
        before: &Before,
        changed: bool,
    ) -> Fate {
        let (Before::Edit { back, there, .. }, Some(shared)) = (before, self.shared(path)) else {
            return Fate::Stays(UNKNOWN.into());
        };
        let PathState::File(now) = seen else {
            return Fate::Back(Vec::new(), None);
        };
        // The role says itself what the file holds, or that there is none.
        if let Some(file) = shared.said
            && !(file.state == Presence::Present && file.is_open())
        {
            return Fate::Under(ResourceId::new(Kind::File, file.path.as_str()));
        }
        if let Some(fate) = self.with_file(id, entry, shared, (now, *there)) {
            return fate;
        }
        let Some(back) = back else {
            return Fate::Stays("what it changed is not known".into());
        };
        // What the role edits in another format comes after it, see `room`.
        let others = shared.others.iter();
        let others = || others.clone().filter(|(_, one)| one.format == back.format);
        let alone = |back: Edit, (_, other): &(_, &Edit)| back.beside(other);
        let back = others().fold(back.clone(), alone);
        if let Some((other, _)) = others().find(|(_, one)| back.conflict(one).is_some()) {
            return Fate::Stays(format!("{other} of the role edits the same"));
        }
        let content = now.content.as_deref().unwrap_or_default();
        let mut after = Vec::new();
        match apply(content, &back) {
            Ok(same) if same == content => return Fate::Back(Vec::new(), None),
            Ok(_) if !changed => {}
            edited => match shared.below_others(id) {
                Some((text, others)) if apply(&text, &back).is_ok() => after = others,
                _ => {
                    return Fate::Stays(match edited {
                        Ok(_) => CHANGED.into(),
                        Err(why) => format!("it cannot be edited back: {why}"),
                    });
                }
            },
        }
        let body = Body::Edit(FileEdit {
            path: path.clone(),
            edit: back,
            create: false,
        });
        Fate::back(Resource {
            after,
            ..resource(id, &entry.role, body)
        })
    }

    /// Where the file comes back as a whole, or goes, an edit of it does so with that.
    fn with_file(
        &self,
        id: &ResourceId,
        entry: &Entry,
        shared: &Shared<'_>,
        (now, there): (&FileState, bool),
    ) -> Option<Fate> {
        if let Some((begun, entry)) = shared.file
            && (self.is_edited_alone(begun, entry) || self.is_begun_anew(begun, entry))
        {
            return Some(Fate::With(begun.clone()));
        }
        let path = shared.name()?;
        let whole = ResourceId::new(Kind::File, path.as_str());
        let back = |file| Fate::back(resource(&whole, &entry.role, Body::File(file)));
        let unsaid = shared.others.is_empty() && shared.said.is_none();
        if unsaid && shared.begun {
            return Some(match there {
                true => Fate::With(whole),
                false => back(File {
                    state: Presence::Absent,
                    ..file(path.clone())
                }),
            });
        }
        let was = shared.whole(now).filter(|_| unsaid)?;
        let attributes = match shared.file {
            Some((id, entry)) => self.attributes(id, entry).filter(|_| *id == whole)?,
            None => Attributes::default(),
        };
        Some(match shared.edits.first() {
            Some(first) if first.id != id => Fate::With(whole),
            _ => back(File {
                attributes,
                ..file_of(path.clone(), was.was, was.size)
            }),
        })
    }

    /// Of a file whose content the role left open, the attributes that it had a say in, as they were; none where that is not all,
    /// or somebody has changed them.
    fn attributes(&self, id: &ResourceId, entry: &Entry) -> Option<Attributes> {
        let seen = self.snapshot.observed.get(id);
        match (&entry.made, &entry.before) {
            (
                Some(Made::File {
                    sha256: None,
                    attributes,
                }),
                Some(Before::Path(Stood::File { ownership, .. })),
            ) if entry.stands_as_made(seen) => Some(said(attributes, ownership)),
            _ => None,
        }
    }
}
