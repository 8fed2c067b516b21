//! What becomes of one leftover: what cfg made of it, what was there before and what is there now decide.

use super::{CHANGED, Fate, Judge, TRIED, UNKNOWN};
use crate::id::{Kind, ResourceId};
use crate::path::AbsPath;
use crate::plan::claims::{own_path, presence};
use crate::plan::leftovers::Entry;
use crate::plan::leftovers::before::{Before, Contents};
use crate::plan::leftovers::made::Made;
use crate::plan::leftovers::stand_in::{path_of, stand_in};
use crate::plan::missing::nothing;
use crate::resource::account::UserState;
use crate::resource::mount;
use crate::resource::{Body, Observed, PathState, Presence};
use std::borrow::Cow;

impl Judge<'_> {
    pub(super) fn judge(&self, id: &ResourceId, entry: &Entry) -> Fate {
        match self.fate(id, entry) {
            Fate::Stays(_) if entry.is_unseen() && self.is_as_before(id, entry) => {
                Fate::Back(Vec::new(), None)
            }
            Fate::Stays(why) if why == CHANGED && entry.is_unseen() => Fate::Stays(TRIED.into()),
            fate => fate,
        }
    }

    /// Whether it is what it was before cfg. What stands at a path is compared where it is judged, and what is unpacked there was
    /// not before.
    fn is_as_before(&self, id: &ResourceId, entry: &Entry) -> bool {
        let seen = self.snapshot.observed.get(id);
        let seen = seen.filter(|seen| match seen {
            Observed::Path(_) => false,
            Observed::Archive(archive) => archive.marker.is_none(),
            _ => true,
        });
        seen.zip(stand_in(id, entry)).is_some_and(|(seen, one)| {
            let now = Before::of(&one, seen, &mut Contents::new());
            now != Before::Unknown && Some(now) == entry.before
        })
    }

    fn fate(&self, id: &ResourceId, entry: &Entry) -> Fate {
        match self.known(id, entry) {
            Ok(known) => self.fate_of_known(id, entry, known),
            Err(fate) => fate,
        }
    }

    /// What cfg made of it, what was there before and what is there now, where all of that is known and something is to be done;
    /// else what becomes of it.
    fn known<'e>(&'e self, id: &ResourceId, entry: &'e Entry) -> Result<Known<'e>, Fate> {
        if id.kind == Kind::Command {
            return Err(Fate::Told("what a command has done is not undone".into()));
        }
        let seen = self.snapshot.observed.get(id);
        let made = entry.last(seen).or(entry.made.as_ref());
        let (Some(made), Some(before)) = (made, &entry.before) else {
            return Err(Fate::Stays(
                "it is of a time when cfg did not keep what was there before".into(),
            ));
        };
        if *before == Before::Unknown {
            return Err(Fate::Stays(UNKNOWN.into()));
        }
        let Some(seen) = seen else {
            return Err(Fate::Stays("it was not looked at".into()));
        };
        if entry.was_never_made(id.kind, seen) {
            return Err(Fate::Back(Vec::new(), None));
        }
        let barred = path_of(id).filter(|_| *made == Made::Gone);
        if let Some(other) = barred.as_ref().and_then(|path| self.bars(path)) {
            return Err(Fate::Stays(format!(
                "{other} of the role leaves no room for it"
            )));
        }
        let under = path_of(id).filter(|_| entry.under);
        if let Some(other) = under.as_ref().and_then(|path| self.covers(path)) {
            return Err(Fate::Stays(format!(
                "{other} of the role leaves no room for it"
            )));
        }
        // What keeps it from being looked at may go before; else its turn says so.
        let seen = match seen {
            _ if under.is_some_and(|path| self.is_behind_a_link(&path)) => Cow::Owned(nothing()),
            Observed::Path(PathState::Unreadable { .. }) if *made == Made::Gone => {
                Cow::Owned(nothing())
            }
            seen => Cow::Borrowed(seen),
        };
        if let Observed::Failed { why } | Observed::Path(PathState::Unreadable { why }) = &*seen {
            let why = format!("it could not be looked at: {why}");
            return Err(Fate::Stays(why));
        }
        if entry.pending && self.is_as_before(id, entry) {
            return Err(Fate::Back(Vec::new(), None));
        }
        if let Some(mount) = self.covered(id) {
            return Err(Fate::Told(format!("{mount} of the role lies over it")));
        }
        Ok(Known { made, before, seen })
    }

    fn fate_of_known(&self, id: &ResourceId, entry: &Entry, known: Known<'_>) -> Fate {
        let Known { made, before, seen } = &known;
        let (made, before, seen) = (*made, *before, &**seen);
        let masked = path_of(id).is_some_and(|path| self.masked.contains_key(&path));
        let changed = entry.is_changed(made, seen)
            && !self.is_edited_alone(id, entry)
            && !self.is_begun_anew(id, entry)
            && !masked;
        match (before, made, seen) {
            (Before::Path(before), _, Observed::Path(seen)) => {
                self.path(id, entry, (made, before, seen), changed)
            }
            (Before::Edit { .. }, Made::Edit { path, .. }, Observed::Path(seen)) => {
                self.edit(id, entry, (path, seen), before, changed)
            }
            (Before::Package { .. }, _, Observed::Package(seen)) => {
                self.package(id, entry, before, seen)
            }
            (_, _, Observed::Archive(_)) => Fate::Stays(
                "cfg cannot tell what was put into it since: remove it by hand, or by state = \"absent\""
                    .into(),
            ),
            // A unit says for each of its states whether it is still what cfg made.
            (Before::Service { .. }, _, Observed::Service(seen)) => {
                self.service(id, entry, (made, before, seen), changed)
            }
            (Before::User { was: None, .. } | Before::Group(None), _, _)
                if self.wanted.contains_key(id) =>
            {
                Fate::Stays(format!("{} needs it", self.wanted[id]))
            }
            _ if changed => Fate::Stays(CHANGED.into()),
            (Before::User { .. }, Made::User(made), Observed::User(UserState::Present(seen))) => {
                self.user(id, entry, made, seen)
            }
            (Before::Group(before), _, Observed::Group(seen)) => {
                self.group(id, entry, *before, seen)
            }
            (Before::Sysctl { value, file }, made, Observed::Sysctl(seen)) => {
                self.sysctl(id, entry, (value, file.as_ref()), (made, seen))
            }
            (Before::Mount { .. }, _, Observed::Mount(seen)) => self.mount(id, entry, before, seen),
            (Before::Repository { sources, key }, Made::Repository { .. }, _) => {
                self.repository(id, entry, (sources.as_ref(), key.as_ref()), made)
            }
            _ => Fate::Stays(UNKNOWN.into()),
        }
    }

    /// A file system of the role that comes or goes where this stands.
    fn covered(&self, id: &ResourceId) -> Option<&ResourceId> {
        let path = path_of(id).filter(|_| id.kind != Kind::Mount)?;
        let mounts = self.desired.resources.iter().filter(|one| {
            let Body::Mount(mount) = &one.body else {
                return false;
            };
            let stays = match self.snapshot.observed.get(&one.id) {
                Some(Observed::Mount(seen)) => mount::step(mount, seen).is_none(),
                _ => false,
            };
            !stays && path.is_within(&mount.point)
        });
        mounts.map(|one| &one.id).next()
    }

    /// Where a path lies on this machine.
    pub(super) fn real<'p>(&self, path: &'p AbsPath) -> Cow<'p, AbsPath> {
        self.snapshot.places.real(path)
    }

    /// What a fate means for the folders above.
    pub(super) fn note(&mut self, fate: &Fate) {
        let Fate::Back(parts, _) = fate else {
            return;
        };
        let stands = |path: &AbsPath| {
            let mut present = parts
                .iter()
                .filter(|part| presence(&part.body) == Presence::Present);
            present.any(|part| own_path(&part.body) == Some(path))
        };
        for part in parts {
            let comes = own_path(&part.body).filter(|path| stands(path));
            self.coming
                .extend(comes.map(|path| self.real(path).into_owned()));
            let gone = match &part.body {
                Body::Sysctl(sysctl) => sysctl.file().ok().filter(|_| !sysctl.spares),
                body if presence(body) == Presence::Absent => own_path(body).cloned(),
                _ => None,
            };
            if let Some(gone) = gone.filter(|gone| !stands(gone)) {
                self.going.insert(self.real(&gone).into_owned());
            }
            match &part.body {
                Body::Service(service) => self.note_links(part, service),
                Body::User(user) if user.state == Presence::Absent => {
                    self.leaving.insert(user.name.clone());
                }
                _ => {}
            }
        }
    }
}

/// What is known of a leftover.
struct Known<'e> {
    made: &'e Made,
    before: &'e Before,
    seen: Cow<'e, Observed>,
}
