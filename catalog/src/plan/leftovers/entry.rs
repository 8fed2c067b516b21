//! What is on record of one resource.

use super::before::{Before, Contents, Stood};
use super::heir::Estate;
use super::made::Made;
use super::stand_in::path_of;
use super::widen;
use crate::edit::{self, Edit, Format};
use crate::id::{Kind, ResourceId};
use crate::path::AbsPath;
use crate::plan::Host;
use crate::plan::claims::{Claims, own_path, presence};
use crate::resource::mount::MountPresence;
use crate::resource::package::PackagePresence;
use crate::resource::{Attributes, Body, Desired, Observed, PathState, Presence, Resource};
use serde::{Deserialize, Serialize};
use std::mem::discriminant;

/// What is on record of one resource.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Entry {
    /// The machine's role when it was managed last.
    pub(super) role: String,
    /// A service whose unit file the role brought.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) unit: bool,
    /// A folder that no role named, made because something was to stand in it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) parent: bool,
    /// A role took it away from a folder in whose place a link came since: it is not what lies behind that.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) under: bool,
    /// Nothing of it is shown.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) sensitive: bool,
    /// What the role said last; none where that was before there was such a record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) made: Option<Made>,
    /// What was there before cfg.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) before: Option<Before>,
    /// Nobody has seen yet that cfg changed it: what is there at its turn is what was there before.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) pending: bool,
    /// What cfg made of it, or of what had its path, before, and may stand there still: nobody has seen yet that what is made now
    /// came in its place.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) was: Vec<Made>,
}

impl Entry {
    pub(super) fn new(role: &str) -> Self {
        Self {
            role: role.to_owned(),
            unit: false,
            parent: false,
            under: false,
            sensitive: false,
            made: None,
            before: None,
            pending: false,
            was: Vec::new(),
        }
    }

    /// Of a folder that no role names, where there was none.
    pub(super) fn folder(role: &str) -> Self {
        Self {
            parent: true,
            made: Some(Made::Directory(Attributes::default())),
            before: Some(Before::Path(Stood::Nothing)),
            ..Self::new(role)
        }
    }

    /// Whether it is there only because it leads to something that is claimed: so it stays anyway, but where that comes in its place
    /// by another name.
    pub(super) fn leads(&self, id: &ResourceId, claims: &Claims) -> bool {
        let stays = |path| claims.needs_as(id.kind, &path) && !claims.is_led_to(&path);
        self.parent && path_of(id).is_some_and(stays)
    }

    /// Of a resource of the role, with what is on record of it already and what is seen; none where nothing of it stays.
    pub(super) fn of(
        resource: &Resource,
        role: &str,
        (known, seen): (Option<&Entry>, Option<&Observed>),
        estate: &Estate<'_>,
        (changes, host): (bool, &Host),
        keep: &mut Contents,
    ) -> Option<Self> {
        let last = known.and_then(|known| known.last(seen));
        let made = Made::of(resource, seen, !changes).given(host);
        let mut made = made.keeps(resource, last);
        let new = |keep: &mut Contents| match seen {
            Some(_) if estate.turns_from(resource) => Before::Path(Stood::Nothing),
            Some(seen) => Before::of(resource, seen, keep),
            None => Before::Unknown,
        };
        let mut heir = false;
        let elsewhere = changes && estate.comes_elsewhere(resource);
        let (before, was, pending) = match (known, last) {
            (Some(Entry { made: None, .. }), _) => (Before::Unknown, None, false),
            // What is there is of cfg, be it that a run was killed before it said so.
            (Some(known), Some(last)) => {
                let before = known.before.clone().unwrap_or(Before::Unknown);
                let pending = elsewhere || (changes && takes_effects(resource.id.kind));
                (before, Some(last.clone()), pending)
            }
            // Of what takes several effects some may have been made.
            (
                Some(Entry {
                    before: Some(before),
                    ..
                }),
                None,
            ) if takes_effects(resource.id.kind) => (before.clone(), None, changes),
            // It may have been to be changed, and was not: what is there is not of cfg, or of what had its path before.
            _ => {
                let (mut before, was) = match estate.inherited(resource, keep) {
                    Some((before, was)) => {
                        heir = true;
                        made = made.keeps(resource, Some(&was));
                        (before, Some(was))
                    }
                    None => (new(keep), None),
                };
                if matches!(&resource.body, Body::Edit(edit) if estate.is_begun(&edit.path)) {
                    before.finds_no_file();
                }
                (before, was, changes)
            }
        };
        let brings =
            matches!(&resource.body, Body::Service(service) if service.unit_file.is_some());
        let open = |made: &Made| matches!(made, Made::File { sha256: None, .. });
        let was_open = was.as_ref().is_some_and(open) && !open(&made);
        // What it takes over may not have been seen by its name.
        let like = |was: &Made| discriminant(was) == discriminant(&made);
        if !(heir && was.as_ref().is_some_and(like)) {
            made.replaces(&before, seen, (host, is_sensitive(resource)));
        }
        let mut entry = Self {
            was: was
                .filter(|was| elsewhere || (changes && *was != made))
                .into_iter()
                .collect(),
            unit: brings || known.is_some_and(|known| known.unit),
            under: known.is_some_and(|known| known.under),
            sensitive: is_sensitive(resource),
            before: Some(before),
            pending,
            ..Self::new(role)
        };
        if let (Some(before), Some(seen)) = (&mut entry.before, seen) {
            before.fill(seen, keep);
            let known_made = known.and_then(|known| known.made.as_ref());
            widen::more_is_said(before, known_made, seen, keep);
            if was_open {
                estate.content_of(before, resource, seen, keep);
            }
            entry.widen(known, (&resource.id, &made), seen, estate);
        }
        entry.made = Some(made);
        let had_a_say = changes || heir || known.is_some();
        leaves_something(resource, &entry, had_a_say).then_some(entry)
    }

    /// A run was killed before it came to it, or it failed.
    pub(super) fn was_never_made(&self, kind: Kind, seen: &Observed) -> bool {
        self.pending && is_made_at_once(kind) && !self.stands_as_made(Some(seen))
    }

    pub(super) fn stands_as_made(&self, seen: Option<&Observed>) -> bool {
        let made = self.last(seen);
        matches!((made, seen), (Some(made), Some(seen)) if made.stands(seen))
    }

    /// What cfg made of it last, as far as that is known: none where it made nothing yet.
    pub(super) fn last(&self, seen: Option<&Observed>) -> Option<&Made> {
        let stands = |made: &&Made| seen.is_some_and(|seen| made.stands(seen));
        let now = self.made.as_ref();
        let now = now.filter(|made| !self.is_unseen() || stands(made));
        let was = || self.was.iter().find(stands);
        let first = || self.was.first().filter(|_| !self.pending);
        now.or_else(was).or_else(first)
    }

    /// Nothing was done to it after all: it is what cfg made of it before, or what stood there only `went`.
    pub(super) fn stays_as_made(&mut self, went: bool) {
        if went && self.was.last() == Some(&Made::Gone) {
            self.was = vec![Made::Gone];
        }
        if self.was.len() == 1 {
            self.made = self.was.pop();
            self.pending = false;
        }
    }

    /// Removed before what was there comes back: a run may end between the two.
    pub(super) fn goes_for_another(&mut self) {
        let other = matches!(
            self.before,
            Some(Before::Path(Stood::File { .. } | Stood::Link(_)))
        );
        if other && matches!(self.made, Some(Made::Directory(_))) {
            self.was = vec![Made::Gone];
        }
    }

    /// Removed, be it for what comes below, which may fail or wait: until then it is only gone.
    pub(super) fn gives_way(&mut self, makes_way: impl FnOnce() -> bool) {
        let other = matches!(
            (&self.made, &self.before),
            (
                Some(Made::File { .. }),
                Some(Before::Path(Stood::Directory(_) | Stood::Link(_)))
            )
        );
        if other && makes_way() {
            self.was = self.made.replace(Made::Gone).into_iter().collect();
        }
    }

    /// Whether a role took away what was there before cfg.
    pub(super) fn took(&self) -> bool {
        self.made == Some(Made::Gone) && self.before != Some(Before::Path(Stood::Nothing))
    }

    /// Whether nobody has seen that it became what it was to be.
    pub(super) fn is_unseen(&self) -> bool {
        self.pending || !self.was.is_empty()
    }

    /// What an edit has come to ask for since it was put on record is brought back too.
    fn widen(
        &mut self,
        known: Option<&Entry>,
        (id, now): (&ResourceId, &Made),
        seen: &Observed,
        estate: &Estate<'_>,
    ) {
        let last = known.and_then(|known| known.last(Some(seen)));
        let (
            Some(last @ Made::Edit { edit: old, .. }),
            Made::Edit { edit, path },
            Some(Before::Edit { back, whole, .. }),
            Observed::Path(PathState::File(file)),
        ) = (last, now, &mut self.before, seen)
        else {
            return;
        };
        if old == edit {
            return;
        }
        *whole = whole.take().and_then(|whole| whole.then(edit, file));
        // Lines give way to each other: what they did is known together.
        let lines = edit.format == Format::Lines;
        let mut new = match lines && last.stands(seen) {
            true => edit.clone(),
            false => edit.beside(old),
        };
        let anew = new == *edit;
        // Where it took a key away before, it may make a table for it now.
        let taken = edit.set.iter();
        let taken = taken.filter(|one| old.remove.contains(&one.path));
        new.set.extend(taken.cloned());
        let content = match lines && !last.stands(seen) {
            true => file.content.clone().filter(|_| !new.takes_of(old)),
            false => estate.bare(path, Some(&new), seen),
        };
        let more = content.and_then(|content| edit::back(&content, &new));
        let found = file.content.as_ref();
        let found = found.and_then(|content| edit::back(content, &new));
        whole.take_if(|_| found != more && !estate.is_all_known(path, id, seen));
        *back = match (back.take(), more) {
            (Some(back), Some(more)) if anew => Some(more.and(back)),
            (Some(back), Some(more)) => Some(back.and(more)),
            _ => None,
        };
    }
}

impl Entry {
    /// Whether something of an edit is there still, be it that nothing is in a file that was begun for edits.
    pub(super) fn edits_still(&self, content: Option<&[u8]>, seen: &Observed) -> bool {
        match (self.back(), content) {
            (_, Some(content)) if self.begins().is_some() && edit::holds_nothing(content) => true,
            (Some(back), Some(content)) => {
                let changes = |back: &Edit| !matches!(edit::apply(content, back), Ok(same) if same == content);
                let keys = Edit {
                    tables: Vec::new(),
                    ..back.clone()
                };
                // An empty table alone is its own as long as nobody else has changed what it said.
                changes(&keys) || (changes(back) && self.stands_as_made(Some(seen)))
            }
            _ => self.stands_as_made(Some(seen)),
        }
    }

    /// Whether an edit asks for another thing than it did, of which nothing is there any more: what it finds now is older than it.
    pub(super) fn is_overtaken(&self, resource: &Resource, seen: Option<&Observed>) -> bool {
        let (
            Body::Edit(now),
            Some(Made::Edit { edit: old, .. }),
            Some(Before::Edit { there, .. }),
            Some(seen @ Observed::Path(path)),
        ) = (&resource.body, &self.made, &self.before, seen)
        else {
            return false;
        };
        let gone = match path {
            PathState::File(file) => *there && !self.edits_still(file.content.as_deref(), seen),
            PathState::Absent { .. } => !there,
            _ => false,
        };
        *old != now.edit && gone
    }

    /// Whether this is a file, below which the role makes nothing: so it gives way to no folder.
    pub(super) fn bars(&self, path: &AbsPath, desired: &Desired) -> bool {
        let mut role = desired.resources.iter();
        matches!(self.made, Some(Made::File { .. })) && !role.any(|one| makes_below(one, path))
    }

    pub(super) fn was_a_folder(&self) -> bool {
        matches!(
            (&self.made, &self.before),
            (
                Some(Made::Directory(_)),
                Some(Before::Path(Stood::Directory(_)))
            )
        )
    }
}

/// Whether one effect makes all of it.
pub(super) fn is_made_at_once(kind: Kind) -> bool {
    matches!(kind, Kind::File | Kind::Directory | Kind::Link | Kind::Edit)
}

/// Whether it takes several, of which one may fail after another: what a command does nobody knows.
fn takes_effects(kind: Kind) -> bool {
    !is_made_at_once(kind) && kind != Kind::Command
}

/// Whether a resource makes what it needs of folders below this path.
pub(super) fn makes_below(one: &Resource, path: &AbsPath) -> bool {
    let own = match &one.body {
        Body::File(file) => Some(&file.path).filter(|_| file.content.is_some()),
        Body::Edit(edit) => Some(&edit.path).filter(|_| edit.create && edit.edit.adds()),
        Body::Archive(archive) => Some(&archive.path),
        Body::Directory(_) | Body::Link(_) => own_path(&one.body),
        _ => None,
    };
    let below = own.is_some_and(|own| own != path && own.is_within(path));
    below && presence(&one.body) == Presence::Present
}

fn is_sensitive(resource: &Resource) -> bool {
    resource.sensitive || matches!(&resource.body, Body::File(file) if file.sensitive)
}

/// Whether something of it stays when the role names it no more.
fn leaves_something(resource: &Resource, entry: &Entry, had_a_say: bool) -> bool {
    let stood = matches!(
        entry.before,
        Some(Before::Path(
            Stood::File { .. } | Stood::Link(_) | Stood::Directory(_)
        ))
    );
    // What goes may be seen only at its turn; what was seen may lie where the role has nothing to say.
    let took = entry.is_unseen() || (had_a_say && stood);
    match &resource.body {
        Body::Command(_) => had_a_say,
        Body::Package(package) => package.state == PackagePresence::Present,
        // What was there and must not be there.
        Body::File(file) if file.state == Presence::Absent => took,
        Body::Link(link) if link.state == Presence::Absent => took,
        // What a purge took with it does not come back, nor does the folder without it.
        Body::Directory(directory) if directory.state == Presence::Absent => {
            took && !directory.purge
        }
        Body::Sysctl(sysctl) if sysctl.state == Presence::Absent => matches!(
            &entry.before,
            Some(Before::Sysctl {
                file: Some(Stood::File { .. } | Stood::Link(_)),
                ..
            })
        ),
        Body::Mount(mount) if mount.state == MountPresence::Absent => {
            matches!(&entry.before, Some(Before::Mount { line: Some(_), .. }))
        }
        body => presence(body) == Presence::Present,
    }
}
