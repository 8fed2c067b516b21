//! A path that another resource had before: what was there before cfg is what that one found, not what cfg made of it.

use super::before::{Before, Contents, Stood, Whole};
use super::made::Made;
use super::parts::Owned;
use super::stand_in::path_of;
use super::{Entry, Managed, at_path, parts};
use crate::digest::Digest;
use crate::edit::{Edit, apply};
use crate::id::{Kind, ResourceId};
use crate::path::AbsPath;
use crate::plan::claims::presence;
use crate::plan::closing::closes;
use crate::plan::missing::nothing;
use crate::plan::{Places, Snapshot};
use crate::resource::edit::FileEdit;
use crate::resource::through::Links;
use crate::resource::{
    Attributes, Body, Desired, FileState, Observed, PathState, Presence, Resource,
};
use std::collections::BTreeMap;

/// What the role names no more, for what takes over its paths.
pub(super) struct Estate<'a> {
    pub(super) managed: &'a Managed,
    pub(super) desired: &'a Desired,
    pub(super) snapshot: &'a Snapshot,
    /// All edits on record, by the files that they are of.
    edits: BTreeMap<&'a AbsPath, Vec<(&'a ResourceId, &'a Entry)>>,
    /// Services, settings and repositories, by the files that are no more theirs.
    pub(super) files: BTreeMap<AbsPath, Owned<'a>>,
    /// Those of the role.
    links: Links<'a>,
    /// Where those of the machine lead once the role's are laid.
    then: Places,
    /// Where they lead when what must not be there is looked for.
    by_then: Places,
}

impl<'a> Estate<'a> {
    pub(super) fn of(managed: &'a Managed, desired: &'a Desired, snapshot: &'a Snapshot) -> Self {
        let mut edits: BTreeMap<&AbsPath, Vec<(&ResourceId, &Entry)>> = BTreeMap::new();
        for (id, entry) in &managed.0 {
            if let Some(Made::Edit { path, .. }) = &entry.made {
                edits.entry(path).or_default().push((id, entry));
            }
        }
        Self {
            managed,
            desired,
            snapshot,
            edits,
            files: parts::given_up(managed, desired),
            links: Links::of(desired.resources.iter()),
            then: snapshot.places_then(desired),
            by_then: snapshot.places_passed(desired),
        }
    }

    /// Whether what must not be there was seen by a way that will lead elsewhere by its turn: that is not what stands there then.
    pub(super) fn turns_from(&self, resource: &Resource) -> bool {
        let path = path_of(&resource.id).filter(|_| presence(&resource.body) == Presence::Absent);
        path.is_some_and(|path| self.snapshot.places.real(&path) != self.by_then.real(&path))
    }

    /// Whether a link of the role comes first in the place of what leads there: what is to stand behind that is not what was seen.
    pub(super) fn comes_elsewhere(&self, resource: &Resource) -> bool {
        let path = path_of(&resource.id).filter(|_| presence(&resource.body) == Presence::Present);
        let led = path.and_then(|path| self.links.lead(&path));
        let turns = |link: &&Resource| closes(&link.body, self.snapshot.observed.get(&link.id));
        led.is_some_and(|led| led.by.iter().any(turns))
    }

    /// What was there before cfg where this takes a path over, with what cfg made of it; none where it takes over nothing, or
    /// somebody has changed it meanwhile.
    pub(super) fn inherited(
        &self,
        resource: &Resource,
        keep: &mut Contents,
    ) -> Option<(Before, Made)> {
        match &resource.body {
            Body::File(_) | Body::Directory(_) | Body::Link(_) => {
                let known = self.at(resource, keep);
                known.or_else(|| self.at(&self.where_it_will_lie(resource)?, keep))
            }
            Body::Edit(edit) => self.of_edited(resource, edit, keep),
            _ => None,
        }
    }

    /// What had just this path.
    fn at(&self, resource: &Resource, keep: &mut Contents) -> Option<(Before, Made)> {
        let whole = self.of_whole(&resource.id);
        let whole = whole.or_else(|| self.of_file(resource));
        whole.or_else(|| self.of_edits(resource, keep))
    }

    /// The same by the path where links lead to from now on; none where it is named by that.
    fn where_it_will_lie(&self, resource: &Resource) -> Option<Resource> {
        let path = path_of(&resource.id)?;
        let real = self.then.led(&path, &self.links);
        (real != path).then(|| Resource {
            id: ResourceId::new(resource.id.kind, real.as_str()),
            ..resource.clone()
        })
    }

    /// Where cfg has had no say in what a file holds so far, that is kept now, without what edits of cfg's have made of it.
    pub(super) fn content_of(
        &self,
        before: &mut Before,
        resource: &Resource,
        seen: &Observed,
        keep: &mut Contents,
    ) {
        let Before::Path(Stood::File {
            sha256, size, kept, ..
        }) = before
        else {
            return;
        };
        let stood = match self.of_edits(resource, keep) {
            Some((Before::Path(stood), _)) => stood,
            _ => match seen {
                Observed::Path(state @ PathState::File(_)) => Stood::of(state, keep),
                _ => return,
            },
        };
        if let Stood::File {
            sha256: is,
            size: of,
            kept: true,
            ..
        } = stood
        {
            (*sha256, *size, *kept) = (is, of, true);
        }
    }

    /// What a file holds without what edits of cfg's have made of it, as far as nobody has changed that, and as far as this edit
    /// hangs on it; none where it cannot be told from what this edit is about.
    pub(super) fn bare(
        &self,
        path: &AbsPath,
        edit: Option<&Edit>,
        seen: &Observed,
    ) -> Option<Vec<u8>> {
        let edits = self.edits.get(path).map(Vec::as_slice).unwrap_or_default();
        bare(edits.iter().map(|(_, entry)| *entry), edit, seen)
    }

    fn file(&self, id: &ResourceId) -> Option<&FileState> {
        match self.snapshot.observed.get(id) {
            Some(Observed::Path(PathState::File(now))) => Some(now),
            _ => None,
        }
    }

    fn of_whole(&self, id: &ResourceId) -> Option<(Before, Made)> {
        let ids = at_path(id);
        let mut wholes = ids.iter().filter(|other| !self.desired.names(other));
        wholes.find_map(|other| self.standing(other, id))
    }

    /// What was there before cfg of what is on record, with what cfg made of it, where that stands; it may have been looked at by
    /// another name.
    pub(super) fn standing(&self, id: &ResourceId, name: &ResourceId) -> Option<(Before, Made)> {
        let entry = self.managed.0.get(id)?;
        let observed = &self.snapshot.observed;
        let seen = observed.get(id).or_else(|| observed.get(name));
        let nothing = nothing();
        let seen = match seen {
            // Nothing can be there as long as something else is above it.
            Some(Observed::Path(PathState::Unreadable { .. })) if entry.took() => Some(&nothing),
            seen => seen,
        };
        let made = entry.last(seen)?;
        match &entry.before {
            Some(before @ Before::Path(_)) if entry.stands_as_made(seen) => {
                Some((before.clone(), made.clone()))
            }
            _ => None,
        }
    }

    /// Whose file was at this path, and which of its files.
    pub(super) fn owner(&self, id: &ResourceId) -> Option<Owned<'a>> {
        self.files.get(&path_of(id)?).copied()
    }

    /// What an edit finds where others have had a say in the same.
    fn of_edited(
        &self,
        resource: &Resource,
        edit: &FileEdit,
        keep: &mut Contents,
    ) -> Option<(Before, Made)> {
        let seen = self.snapshot.observed.get(&resource.id)?;
        let content = self.file(&resource.id)?.content.as_ref()?;
        let bare = self.bare(&edit.path, Some(&edit.edit), seen);
        let back = bare.and_then(|bare| crate::edit::back(&bare, &edit.edit));
        if back == crate::edit::back(content, &edit.edit) {
            return None;
        }
        let others = self.edits.get(&edit.path)?.iter();
        let made = others.filter_map(|(_, entry)| entry.last(Some(seen)));
        let stand: Vec<&Made> = made.filter(|made| made.stands(seen)).collect();
        // They may lose the rest before this comes.
        let mut within = stand.iter().filter_map(|made| made.within(&edit.edit));
        let made = within.next().or_else(|| stand.first().copied().cloned())?;
        let mut before = Before::of(resource, seen, keep);
        if let Before::Edit {
            back: known, whole, ..
        } = &mut before
        {
            *known = back;
            whole.take_if(|_| !self.is_all_known(&edit.path, &resource.id, seen));
            // By this name it may have been edited before, and be none the less what it was in that.
            let own = self.managed.0.get(&resource.id).and_then(Entry::whole);
            if let (Some(whole), Some(own)) = (whole, own)
                && own.made == whole.was
            {
                (whole.was, whole.size) = (own.was, own.size);
            }
        }
        Some((before, made))
    }

    /// Whether an edit has begun a file, for what comes to that now.
    pub(super) fn is_begun(&self, path: &AbsPath) -> bool {
        let mut edits = self.edits.get(path).into_iter().flatten();
        edits.any(|(_, entry)| entry.begins().is_some())
    }

    /// Whether all that edits of this file have done, but for this one, is what made it what it is now, and the role changes none
    /// of them.
    pub(super) fn is_all_known(&self, path: &AbsPath, id: &ResourceId, seen: &Observed) -> bool {
        let edits = self.edits.get(path).map(Vec::as_slice).unwrap_or_default();
        let Observed::Path(PathState::File(FileState {
            digest: Some(now), ..
        })) = seen
        else {
            return false;
        };
        let wholes = edits.iter().filter_map(|(_, entry)| entry.whole());
        let chain = chain(wholes, *now);
        let mut others = edits.iter().filter(|(other, _)| *other != id);
        others.all(|(other, entry)| {
            let said = self.desired.get(other).map(|one| &one.body);
            let stays = match (said, &entry.made) {
                (Some(Body::Edit(now)), Some(Made::Edit { edit, .. })) => now.edit == *edit,
                _ => true,
            };
            stays && entry.whole().is_some_and(|whole| chain.has(whole))
        })
    }

    /// What a role took away where there has been nothing since but what edits began.
    fn taken_away(&self, path: &AbsPath) -> Stood {
        let entry = self
            .managed
            .0
            .get(&ResourceId::new(Kind::File, path.as_str()));
        match entry
            .filter(|entry| entry.took())
            .map(|entry| &entry.before)
        {
            Some(Some(Before::Path(stood))) => stood.clone(),
            _ => Stood::Nothing,
        }
    }

    /// What stood where a role made this file, if one did.
    fn before_file(&self, path: &AbsPath, stood: Stood) -> Stood {
        let id = ResourceId::new(Kind::File, path.as_str());
        let (Some(entry), Stood::File { sha256, .. }) = (self.managed.0.get(&id), &stood) else {
            return stood;
        };
        match (&entry.made, &entry.before) {
            (Some(Made::File { sha256: made, .. }), Some(Before::Path(before)))
                if made.is_some() && made == sha256 =>
            {
                before.clone()
            }
            _ => stood,
        }
    }

    /// What stood where edits alone have made of it what is there now.
    fn of_edits(&self, resource: &Resource, keep: &mut Contents) -> Option<(Before, Made)> {
        let id = &resource.id;
        let path = &path_of(id)?;
        let open = matches!(&resource.body, Body::File(file) if file.is_open());
        let edits = self.edits.get(path)?;
        // Nobody has looked at a folder that only leads to something.
        let file = ResourceId::new(Kind::File, path.as_str());
        let observed = &self.snapshot.observed;
        let seen = observed.get(id).or_else(|| observed.get(&file))?;
        let Observed::Path(PathState::File(now)) = seen else {
            return None;
        };
        let begun = || edits.iter().filter(|(_, entry)| entry.begins().is_some());
        let wholes = edits.iter().filter_map(|(_, entry)| entry.whole());
        let first = chain(wholes, now.digest?).first();
        let bare = self.bare(path, None, seen);
        // Where its content is not at hand, by what began it.
        let was = first.map_or(now.digest, |whole| Some(whole.was));
        let alone = begun().any(|(_, begun)| begun.began() == was);
        let stood = match (begun().next(), first, bare) {
            _ if alone => self.taken_away(path),
            (Some(_), _, Some(bare)) if bare.trim_ascii().is_empty() => self.taken_away(path),
            (None, Some(whole), _) => Stood::File {
                // Edits leave them as they are.
                ownership: now.ownership.clone(),
                sha256: Some(whole.was),
                size: whole.size,
                kept: true,
            },
            (_, _, Some(bare)) if Some(Digest::of(&bare)) != now.digest => {
                let stood = Stood::File {
                    ownership: now.ownership.clone(),
                    sha256: Some(Digest::of(&bare)),
                    size: bare.len() as u64,
                    kept: true,
                };
                keep.insert(Digest::of(&bare), bare);
                stood
            }
            _ => return None,
        };
        let made = Made::File {
            // What the role says nothing of is left to the edits.
            sha256: now.digest.filter(|_| !open),
            attributes: Attributes::default(),
        };
        Some((Before::Path(self.before_file(path, stood)), made))
    }
}

/// A file without what these edits have made of it, as far as this edit hangs on that.
pub(super) fn bare<'e>(
    entries: impl Iterator<Item = &'e Entry>,
    edit: Option<&Edit>,
    seen: &Observed,
) -> Option<Vec<u8>> {
    let Observed::Path(PathState::File(FileState {
        content: Some(content),
        ..
    })) = seen
    else {
        return None;
    };
    let mut text = content.clone();
    // Where many edits are of one file, reading it anew for each of them would take its time.
    let entries = entries.filter(|entry| edit.is_none_or(|edit| entry.counts_for(edit)));
    let mut over = Vec::new();
    for entry in entries {
        let Some(last @ Made::Edit { edit: made, .. }) = entry.last(Some(seen)) else {
            continue;
        };
        match entry.back() {
            _ if !last.stands(seen) => over.push((made, entry.back())),
            Some(back) => text = apply(&text, back).ok()?,
            None if edit.is_none_or(|edit| made.is_beside(edit)) => {}
            None => return None,
        }
    }
    if text == *content {
        return Some(text);
    }
    // What lies below an edit in another format stands only without that.
    for (made, back) in over {
        let stands = apply(&text, made).is_ok_and(|same| same == text);
        if let Some(back) = back.filter(|_| stands) {
            text = apply(&text, back).ok()?;
        }
    }
    Some(text)
}

impl Entry {
    /// The file that was begun for this edit.
    pub(super) fn begins(&self) -> Option<&AbsPath> {
        match (&self.made, &self.before) {
            (Some(Made::Edit { path, .. }), Some(Before::Edit { there: false, .. })) => Some(path),
            _ => None,
        }
    }

    pub(super) fn back(&self) -> Option<&Edit> {
        match &self.before {
            Some(Before::Edit { back, .. }) => back.as_ref(),
            _ => None,
        }
    }

    /// The digest of the file that was begun for this edit.
    fn began(&self) -> Option<Digest> {
        match &self.made {
            Some(Made::Edit { edit, .. }) => Some(Digest::of(&apply(b"", edit).ok()?)),
            _ => None,
        }
    }

    /// Whether this edit may find something else where what is on record here is taken back.
    fn counts_for(&self, edit: &Edit) -> bool {
        let made = self.made.iter().chain(&self.was);
        let made = made.filter_map(|made| match made {
            Made::Edit { edit, .. } => Some(edit),
            _ => None,
        });
        made.chain(self.back()).any(|other| edit.hangs_on(other))
    }

    pub(super) fn whole(&self) -> Option<&Whole> {
        match &self.before {
            Some(Before::Edit { whole, .. }) => whole.as_ref(),
            _ => None,
        }
    }
}

/// Edits that each found what the one before had made, the last one first.
pub(super) struct Chain<'w>(Vec<&'w Whole>);

impl<'w> Chain<'w> {
    pub(super) fn first(&self) -> Option<&'w Whole> {
        self.0.last().copied()
    }

    pub(super) fn has(&self, whole: &Whole) -> bool {
        self.0.contains(&whole)
    }
}

/// The edits that made a file what it is `now`.
pub(super) fn chain<'w>(wholes: impl Iterator<Item = &'w Whole>, now: Digest) -> Chain<'w> {
    let mut open: Vec<&Whole> = wholes.collect();
    let mut links = Vec::new();
    let mut digest = now;
    while let Some(at) = open.iter().position(|whole| whole.made == digest) {
        let whole = open.swap_remove(at);
        digest = whole.was;
        links.push(whole);
    }
    Chain(links)
}
