//! What cfg once managed, and the role names no more: it is shown, or brought back to what was there before cfg.

mod before;
mod heir;
mod made;
mod revert;
mod since;
mod stamp;
mod stand_in;
mod told;
mod units;
mod widen;

pub use before::{Before, Contents, Stood, Whole};
pub use made::Made;
pub use revert::{Around, Reverts};
pub use stamp::stamp;
pub use told::Told;

use super::claims::{Claims, presence};
use super::document::{Done, Leftover};
use super::{Action, Plan, Snapshot};
use crate::digest::Digest;
use crate::id::{Kind, ResourceId};
use crate::resource::account::{GroupState, UserState};
use crate::resource::mount::{Live, MountPresence};
use crate::resource::package::{DpkgState, PackagePresence};
use crate::resource::service::{Active, Enabled, Load};
use crate::resource::{Body, Desired, Observed, PathState, Presence, Resource};
use serde::{Deserialize, Serialize};
use stand_in::{path_of, stand_in};
use std::collections::{BTreeMap, BTreeSet};

/// All that cfg manages on a machine, or has managed and is there still.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Managed(BTreeMap<ResourceId, Entry>);

/// What is on record of one resource.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Entry {
    /// The machine's role when it was managed last.
    role: String,
    /// A service whose unit file the role brought.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    unit: bool,
    /// A folder that no role named, made because something was to stand in it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    parent: bool,
    /// Nothing of it is shown.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    sensitive: bool,
    /// What the role said last; none where that was before there was such a record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    made: Option<Made>,
    /// What was there before cfg.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    before: Option<Before>,
    /// Nobody has seen yet that cfg changed it: what is there at its turn is what was there before.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pending: bool,
}

/// A record with the contents that it counts on and that are not kept yet.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Begun {
    /// The record.
    pub managed: Managed,
    /// To be on disk before it.
    pub keep: Contents,
}

impl Managed {
    /// The record with which a run of this plan begins, of the whole role or of what is in `scope`. It must be on disk
    /// before the first effect.
    pub fn begun(
        &self,
        desired: &Desired,
        snapshot: &Snapshot,
        scope: Option<&BTreeSet<ResourceId>>,
        plan: &Plan,
    ) -> Begun {
        let mut keep = Contents::new();
        let mut begun = self.clone();
        begun.0.retain(|id, entry| {
            if desired.names(id) {
                return true;
            }
            let seen = snapshot.observed.get(id);
            let stays = seen.is_none_or(|seen| {
                let there = stands(id, entry, seen) || self.masks(id, entry, seen);
                there && !entry.was_never_made(id.kind, seen)
            });
            // Whatever is done to it from now on does not make it what the role wanted.
            entry.pending &= seen.is_none();
            stays
        });
        let mut changed: BTreeSet<&ResourceId> =
            plan.changes().map(|change| &change.resource).collect();
        // Of what takes several effects it may come to some before one fails.
        let failed = plan.failures.iter().flat_map(|failure| &failure.resource);
        changed.extend(failed.filter(|id| !is_made_at_once(id.kind)));
        for resource in &desired.resources {
            let id = &resource.id;
            let out = scope.is_some_and(|scope| !scope.contains(id));
            // What is withheld stays on record as it was.
            let withheld = desired.withheld.resources.contains(id);
            if out || withheld || desired.reverts.contains(id) {
                continue;
            }
            let seen = snapshot.observed.get(id);
            let known = self.0.get(id);
            match Entry::of(
                resource,
                &desired.role,
                (known, seen),
                self.inherited(id, desired, seen),
                changed.contains(id),
                &mut keep,
            ) {
                Some(entry) => begun.0.insert(id.clone(), entry),
                None => begun.0.remove(id),
            };
        }
        for (id, parent) in &plan.parents {
            let entry = Entry {
                parent: true,
                made: Some(Made::of(parent, None, false)),
                before: Some(Before::Path(Stood::Nothing)),
                ..Entry::new(&desired.role)
            };
            begun.0.entry(id.clone()).or_insert(entry);
        }
        Begun {
            managed: begun,
            keep,
        }
    }

    /// This resource's turn has come, and this is what stands there before the first effect on it. Says whether the
    /// record is another by that; then it must be on disk before the effect.
    pub fn meets(&mut self, resource: &Resource, seen: &Observed, keep: &mut Contents) -> bool {
        let entry = self.0.get_mut(&resource.id);
        let by_turn = is_made_at_once(resource.id.kind);
        let Some(entry) = entry.filter(|entry| entry.pending && by_turn) else {
            return false;
        };
        let before = Some(Before::of(resource, seen, keep));
        let other = before != entry.before;
        entry.before = before;
        other
    }

    /// The record after a run: what it has changed, and what of the leftovers it has brought back.
    #[must_use]
    pub fn ended(&self, done: &Done, reverts: &Reverts) -> Self {
        let mut ended = self.clone();
        let failed = |id: &ResourceId| {
            done.held.iter().any(|held| held.resource == *id)
                || done.failures.iter().any(|failure| {
                    failure.resource.as_ref() == Some(id) || failure.skipped.contains(id)
                })
        };
        for change in &done.changes {
            if let Some(entry) = ended.0.get_mut(&change.resource) {
                entry.pending &= failed(&change.resource);
                // A purge had it; what must not be there is on record as that.
                let taken = entry.made == Some(Made::Gone) || entry.took_its_line();
                if change.action == Action::Remove && !taken {
                    ended.0.remove(&change.resource);
                }
            }
        }
        for (id, parts) in &reverts.parts {
            if !parts.iter().any(failed) {
                ended.0.remove(id);
            }
        }
        ended
    }

    /// The contents that it counts on.
    pub fn contents(&self) -> BTreeSet<Digest> {
        let befores = self.0.values().filter_map(|entry| entry.before.as_ref());
        befores.flat_map(Before::contents).collect()
    }

    /// What the role names no more, to be looked at.
    pub fn left(&self, desired: &Desired) -> Vec<Resource> {
        let mut left = self.0.iter().filter(|(id, _)| !desired.names(id));
        let mut claims = None;
        let mut found = Vec::new();
        for (id, entry) in &mut left {
            let claims = claims.get_or_insert_with(|| Claims::of(desired, &Snapshot::default()));
            if !entry.leads(id, claims) {
                found.extend(stand_in(id, entry));
            }
        }
        found
    }

    /// What is left over when the plan has been enacted. Nothing that leads to what the role names, or that it names
    /// by another name.
    pub fn leftovers(&self, desired: &Desired, snapshot: &Snapshot, plan: &Plan) -> Vec<Leftover> {
        let open = self.open(desired, snapshot, Some(plan));
        // What a command has done cannot be looked at: only who would have it undone is told that it is not.
        let shown = open
            .into_iter()
            .filter(|(id, entry)| !entry.parent && id.kind != Kind::Command);
        shown
            .map(|(id, entry)| Leftover {
                resource: id.clone(),
                role: entry.role.clone(),
                why: None,
            })
            .collect()
    }

    /// What the role names no more, and is there still.
    fn open(
        &self,
        desired: &Desired,
        snapshot: &Snapshot,
        plan: Option<&Plan>,
    ) -> Vec<(&ResourceId, &Entry)> {
        if self.0.keys().all(|id| desired.names(id)) {
            return Vec::new();
        }
        let claims = Claims::of(desired, snapshot);
        let removed: BTreeSet<&str> = plan
            .iter()
            .flat_map(|plan| plan.changes())
            .filter(|change| change.action == Action::Remove)
            .map(|change| &*change.resource.name)
            .collect();
        let left = self.0.iter().filter(|(id, entry)| {
            // A folder that was there and leads to what the role names is brought back for all that.
            let was = plan.is_none() && entry.was_a_folder();
            let claimed = path_of(id).is_some_and(|path| match was {
                true => claims.is(&path),
                false => claims.needs(&path),
            });
            let gone = removed.contains(&*id.name);
            // What is mounted stays so, whatever becomes of the directory that it is mounted on.
            let looked_after = id.kind != Kind::Mount && (claimed || gone);
            let is_there = match snapshot.observed.get(*id) {
                Some(seen) => stands(id, entry, seen) || self.masks(id, entry, seen),
                // There is nothing to look at.
                None => id.kind == Kind::Command,
            };
            !desired.names(id) && is_there && !looked_after
        });
        left.collect()
    }
}

impl Entry {
    fn new(role: &str) -> Self {
        Self {
            role: role.to_owned(),
            unit: false,
            parent: false,
            sensitive: false,
            made: None,
            before: None,
            pending: false,
        }
    }

    /// Whether it is there only because it leads to something that is claimed: so it stays anyway.
    fn leads(&self, id: &ResourceId, claims: &Claims) -> bool {
        self.parent && path_of(id).is_some_and(|path| claims.needs(&path))
    }

    /// Of a resource of the role, with what is on record of it already and what is seen; none where nothing of it stays.
    fn of(
        resource: &Resource,
        role: &str,
        (known, seen): (Option<&Entry>, Option<&Observed>),
        inherited: Option<Before>,
        changes: bool,
        keep: &mut Contents,
    ) -> Option<Self> {
        let made = Made::of(resource, seen, !changes);
        let made = made.keeps(resource, known.and_then(|known| known.made.as_ref()));
        let mut new = || seen.map_or(Before::Unknown, |seen| Before::of(resource, seen, keep));
        let (before, pending) = match known {
            None => inherited.map_or_else(|| (new(), changes), |before| (before, false)),
            Some(Entry { made: None, .. }) => (Before::Unknown, false),
            // It was to be changed, and was not: what is there is not of cfg.
            Some(known) if known.pending && !known.stands_as_made(seen) => {
                match &known.before {
                    // Of what takes several effects some may have been made.
                    Some(before) if !is_made_at_once(resource.id.kind) => (before.clone(), changes),
                    _ => (new(), changes),
                }
            }
            // What is there is of cfg, be it that a run was killed before it said so.
            Some(known) => {
                let before = known.before.clone().unwrap_or(Before::Unknown);
                (before, changes && !is_made_at_once(resource.id.kind))
            }
        };
        let brings =
            matches!(&resource.body, Body::Service(service) if service.unit_file.is_some());
        let mut entry = Self {
            unit: brings || known.is_some_and(|known| known.unit),
            sensitive: is_sensitive(resource),
            before: Some(before),
            pending,
            ..Self::new(role)
        };
        if let (Some(before), Some(seen)) = (&mut entry.before, seen) {
            before.fill(seen, keep);
            let known_made = known.and_then(|known| known.made.as_ref());
            widen::more_is_said(before, known_made, seen, keep);
            entry.widen(known, &made, seen);
        }
        entry.made = Some(made);
        let ran = changes || known.is_some();
        leaves_something(resource, &entry, ran).then_some(entry)
    }

    /// A run was killed before it came to it.
    fn was_never_made(&self, kind: Kind, seen: &Observed) -> bool {
        self.pending && is_made_at_once(kind) && !self.stands_as_made(Some(seen))
    }

    fn stands_as_made(&self, seen: Option<&Observed>) -> bool {
        matches!((&self.made, seen), (Some(made), Some(seen)) if made.stands(seen))
    }

    /// What an edit has come to ask for since it was put on record is brought back too.
    fn widen(&mut self, known: Option<&Entry>, now: &Made, seen: &Observed) {
        let (
            Some(Made::Edit { edit: old, .. }),
            Made::Edit { edit, .. },
            Some(Before::Edit {
                back,
                whole: former,
                there: true,
            }),
            Observed::Path(PathState::File(file)),
        ) = (
            known.and_then(|known| known.made.as_ref()),
            now,
            &mut self.before,
            seen,
        )
        else {
            return;
        };
        if old == edit || self.pending {
            return;
        }
        *former = former.take().and_then(|whole| whole.then(edit, file));
        let more = file.content.as_ref();
        let more = more.and_then(|content| crate::edit::back(content, &edit.beside(old)));
        let whole = match (back.as_mut(), more) {
            (Some(back), Some(more)) => back.add(more, old),
            _ => false,
        };
        if !whole {
            *back = None;
        }
    }
}

/// Whether one effect makes all of it.
fn is_made_at_once(kind: Kind) -> bool {
    matches!(kind, Kind::File | Kind::Directory | Kind::Link | Kind::Edit)
}

fn is_sensitive(resource: &Resource) -> bool {
    resource.sensitive || matches!(&resource.body, Body::File(file) if file.sensitive)
}

impl Entry {
    /// Whether something of an edit is there still.
    fn edits_still(&self, content: Option<&[u8]>, seen: &Observed) -> bool {
        let back = match &self.before {
            Some(Before::Edit { back, .. }) => back.as_ref(),
            _ => None,
        };
        match (back, content) {
            (Some(back), Some(content)) => {
                !matches!(crate::edit::apply(content, back), Ok(same) if same == content)
            }
            _ => self.made.as_ref().is_some_and(|made| made.stands(seen)),
        }
    }

    fn was_a_folder(&self) -> bool {
        matches!(
            (&self.made, &self.before),
            (
                Some(Made::Directory(_)),
                Some(Before::Path(Stood::Directory(_)))
            )
        )
    }
}

/// Whether something of it stays when the role names it no more.
fn leaves_something(resource: &Resource, entry: &Entry, ran: bool) -> bool {
    // What goes may be seen only at its turn.
    let took = entry.pending
        || matches!(
            entry.before,
            Some(Before::Path(
                Stood::File { .. } | Stood::Link(_) | Stood::Directory(_)
            ))
        );
    match &resource.body {
        Body::Command(_) => ran,
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
                file: Stood::File { .. } | Stood::Link(_),
                ..
            })
        ),
        Body::Mount(mount) if mount.state == MountPresence::Absent => {
            matches!(&entry.before, Some(Before::Mount { line: Some(_), .. }))
        }
        body => presence(body) == Presence::Present,
    }
}

/// Whether it is there still; what could not be seen may be.
fn stands(id: &ResourceId, entry: &Entry, seen: &Observed) -> bool {
    if entry.made == Some(Made::Gone) {
        return match seen {
            Observed::Path(state) => matches!(state, PathState::Absent { .. }),
            Observed::Sysctl(state) => matches!(state.file, PathState::Absent { .. }),
            _ => false,
        };
    }
    match seen {
        Observed::Path(PathState::Absent { .. }) => false,
        Observed::Path(PathState::Unreadable { .. }) | Observed::Failed { .. } => true,
        Observed::Path(PathState::File(file)) if id.kind == Kind::Edit => {
            entry.edits_still(file.content.as_deref(), seen)
        }
        Observed::Path(PathState::File(_)) => id.kind == Kind::File,
        Observed::Path(PathState::Directory(_)) => id.kind == Kind::Directory,
        Observed::Path(PathState::Link(_)) => id.kind == Kind::Link,
        Observed::Path(PathState::Special) => false,
        Observed::Package(state) => match state.dpkg {
            DpkgState::Absent | DpkgState::ConfigFiles => false,
            DpkgState::Installed { .. } | DpkgState::Broken { .. } => true,
        },
        Observed::Repository(state) => !matches!(state.sources, PathState::Absent { .. }),
        Observed::User(state) => *state != UserState::Absent,
        Observed::Group(state) => *state != GroupState::Absent,
        Observed::Service(state) => {
            let masked = state.load == Load::Masked;
            let running = state.active == Active::Running;
            let starts = state.enabled == Enabled::Yes;
            let changed = entry.took_from(state);
            let bare = entry.lost_its_mask(state);
            bare || masked
                || (state.load != Load::NotFound && (running || starts || entry.unit || changed))
        }
        Observed::Sysctl(state) => !matches!(state.file, PathState::Absent { .. }),
        Observed::Mount(state) if entry.took_its_line() => state.entries.is_empty(),
        Observed::Mount(state) => {
            !state.entries.is_empty() || matches!(state.live, Live::Yes { .. })
        }
        Observed::Archive(state) => state.marker.is_some(),
        Observed::Command(_) => false,
    }
}
