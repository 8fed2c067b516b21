//! Leftovers become resources like any other, which say what was there before cfg: they are planned, shown, ordered and
//! enacted as what the role names. What is not brought back says why.

mod account;
mod edits;
mod fate;
mod package;
mod path;
mod room;
mod system;
mod unit;

use super::before::Stood;
use super::stand_in::path_of;
use super::{Entry, Managed};
use crate::id::{Kind, ResourceId};
use crate::path::AbsPath;
use crate::plan::Snapshot;
use crate::plan::claims::Claims;
use crate::plan::document::Leftover;
use crate::plan::nobody::needed;
use crate::resource::{Body, Desired, Presence, Resource};
use edits::Shared;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// What must be known of a machine beside what was seen of its leftovers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Around {
    /// Homes, with whose they are.
    pub homes: BTreeMap<AbsPath, String>,
    /// Users by the numbers of their primary groups.
    pub primary: BTreeMap<u32, BTreeSet<String>>,
    /// What stands in the directories that are left over.
    pub inside: BTreeMap<AbsPath, BTreeSet<AbsPath>>,
}

/// What is brought back, and what is not.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reverts {
    /// As resources.
    pub resources: Vec<Resource>,
    /// Each leftover that is forgotten once these of the resources are so; at once where there are none.
    pub parts: BTreeMap<ResourceId, Vec<ResourceId>>,
    /// What stays, with why.
    pub shown: Vec<Leftover>,
    /// Of the role and of these what comes after some of these, since it takes their place or their way.
    firsts: BTreeMap<ResourceId, Vec<ResourceId>>,
    /// Of the role, what some of them are forgotten with.
    over: BTreeSet<ResourceId>,
}

/// What becomes of one leftover.
enum Fate {
    /// These bring it back; with what is to be said of it all the same.
    Back(Vec<Resource>, Option<String>),
    /// It goes with this one, which brings back more.
    With(ResourceId),
    /// Nothing of it is left once this of the role is brought about.
    Under(ResourceId),
    /// It stays, and is shown until it is gone.
    Stays(String),
    /// It stays, is shown once and then forgotten.
    Told(String),
}

impl Fate {
    fn back(resource: Resource) -> Self {
        Fate::Back(vec![resource], None)
    }
}

impl Managed {
    /// What brings the leftovers back to what was there before cfg, where the role reverts them.
    pub fn reverts(&self, desired: &Desired, snapshot: &Snapshot, around: &Around) -> Reverts {
        let mut reverts = Reverts::default();
        let open = self.open(desired, snapshot, None);
        if self.0.keys().all(|id| desired.names(id)) {
            return reverts;
        }
        let claims = Claims::of(desired, snapshot);
        let files = edits::shared(self, &open, (desired, &claims), snapshot);
        let mut judge = Judge {
            desired,
            snapshot,
            around,
            claims,
            wanted: wanted(desired),
            homes: homes(desired, around),
            mounts: BTreeSet::new(),
            files,
            going: BTreeSet::new(),
            coming: BTreeSet::new(),
            leaving: BTreeSet::new(),
            masked: BTreeMap::new(),
        };
        let masked = open.iter().filter(|(id, entry)| {
            let seen = snapshot.observed.get(*id);
            seen.is_some_and(|seen| self.masks(id, entry, seen))
        });
        judge.masked = masked
            .filter_map(|(id, _)| Some((path_of(id)?, (*id).clone())))
            .collect();
        let points = open.iter().filter(|(id, _)| id.kind == Kind::Mount);
        judge.mounts = points.filter_map(|(id, _)| path_of(id)).collect();
        let (mut folders, mut others): (Vec<_>, Vec<_>) = open
            .into_iter()
            .partition(|(id, _)| id.kind == Kind::Directory);
        // What lies deeper first: a folder goes when all in it does.
        folders.sort_by_cached_key(|(id, _)| {
            let path = path_of(id);
            Reverse(path.map(|path| judge.real(&path).into_owned()))
        });
        // A group goes when its users do.
        others.sort_by_key(|(id, _)| id.kind == Kind::Group);
        reverts.judge(&mut judge, others);
        for (id, entry) in judge.files_in_the_way(self) {
            let fate = Fate::Back(judge.gone(id).into_iter().collect(), None);
            judge.note(&fate);
            reverts.add(id, entry, fate);
        }
        reverts.judge(&mut judge, folders);
        let unknown = Entry::new(&desired.role);
        for (id, fate) in judge.folders_in_the_way() {
            reverts.add(&id, self.0.get(&id).unwrap_or(&unknown), fate);
        }
        reverts.settle(self);
        let under = |id: &ResourceId| self.0.get(id).is_some_and(|entry| entry.under);
        reverts.firsts = room::firsts(&reverts.resources, under, desired, snapshot);
        reverts
    }
}

impl Reverts {
    fn judge(&mut self, judge: &mut Judge<'_>, these: Vec<(&ResourceId, &Entry)>) {
        for (id, entry) in these {
            let path = entry.lies_at(id);
            let purged = path.is_some_and(|path| judge.claims.purges(&path));
            if !purged {
                let fate = judge.judge(id, entry);
                judge.note(&fate);
                self.add(id, entry, fate);
            }
        }
    }

    fn add(&mut self, id: &ResourceId, entry: &Entry, fate: Fate) {
        let (parts, why) = match fate {
            Fate::With(other) => {
                self.parts.insert(id.clone(), vec![other]);
                return;
            }
            Fate::Under(role) => {
                self.parts.insert(id.clone(), vec![role.clone()]);
                self.over.insert(role);
                return;
            }
            Fate::Back(parts, why) => (Some(parts), why),
            Fate::Told(why) => (Some(Vec::new()), Some(why)),
            Fate::Stays(why) => (None, Some(why)),
        };
        if let Some(mut parts) = parts {
            for part in &mut parts {
                part.sensitive = entry.sensitive;
            }
            let ids = parts.iter().map(|part| part.id.clone()).collect();
            self.parts.insert(id.clone(), ids);
            for part in parts {
                // What stood in the place of a unit or of keys before any file of a role did is older.
                let known = self.resources.iter().position(|one| one.id == part.id);
                match known {
                    Some(at) if part.id != *id => self.resources[at] = part,
                    Some(_) => {}
                    None => self.resources.push(part),
                }
            }
        }
        // That a folder which nobody named stays is no news.
        if let Some(why) = why.filter(|_| !entry.parent) {
            self.shown.push(Leftover {
                resource: id.clone(),
                role: entry.role.clone(),
                why: Some(why),
            });
        }
    }

    /// What was to go with what stays after all stays as well.
    fn settle(&mut self, managed: &Managed) {
        // What goes with what is as it was already is so too.
        let back = self.parts.iter().filter(|(_, parts)| parts.is_empty());
        let back: BTreeSet<ResourceId> = back.map(|(id, _)| id.clone()).collect();
        for parts in self.parts.values_mut() {
            parts.retain(|part| !back.contains(part));
        }
        let resources = &self.resources;
        let over = &self.over;
        let goes = |id: &ResourceId| over.contains(id) || resources.iter().any(|one| one.id == *id);
        let (parts, stay): (BTreeMap<_, _>, BTreeMap<_, _>) = std::mem::take(&mut self.parts)
            .into_iter()
            .partition(|(_, parts)| parts.iter().all(goes));
        self.parts = parts;
        for (id, parts) in stay {
            if let (Some(entry), Some(other)) = (managed.0.get(&id), parts.first()) {
                let why = format!("{other} stays as it is");
                self.add(&id, entry, Fate::Stays(why));
            }
        }
        self.shown.sort_by(|a, b| a.resource.cmp(&b.resource));
    }

    /// This resource cannot be brought back after all: what it is part of stays.
    pub fn withdraw(&mut self, managed: &Managed, part: &ResourceId, why: &str) -> bool {
        let mut all = self.parts.iter();
        let found = all.find(|(_, parts)| parts.contains(part));
        let Some((id, parts)) = found.map(|(id, parts)| (id.clone(), parts.clone())) else {
            return false;
        };
        self.parts.remove(&id);
        self.resources.retain(|one| !parts.contains(&one.id));
        if let Some(entry) = managed.0.get(&id) {
            self.shown.retain(|left| left.resource != id);
            self.add(&id, entry, Fate::Stays(why.to_owned()));
        }
        self.settle(managed);
        true
    }

    /// The role with what is brought back beside it.
    pub fn with(&self, desired: &Desired) -> Desired {
        let mut whole = desired.clone();
        whole.resources.extend(self.resources.iter().cloned());
        whole.resources.sort_by(|a, b| a.id.cmp(&b.id));
        whole.reverts = self.resources.iter().map(|one| one.id.clone()).collect();
        for one in &mut whole.resources {
            one.after
                .extend(self.firsts.get(&one.id).into_iter().flatten().cloned());
        }
        whole
    }
}

fn homes(desired: &Desired, around: &Around) -> BTreeMap<AbsPath, String> {
    let mut homes = around.homes.clone();
    for resource in &desired.resources {
        if let Body::User(user) = &resource.body
            && user.state == Presence::Present
            && let Ok(home) = user.place().parse()
        {
            homes.insert(home, user.name.clone());
        }
    }
    homes
}

/// Users and groups that the role counts on, with who needs them.
fn wanted(desired: &Desired) -> BTreeMap<ResourceId, ResourceId> {
    let mut wanted = BTreeMap::new();
    for resource in &desired.resources {
        let (users, groups) = needed(resource);
        let users = users.into_iter().map(|name| (Kind::User, name));
        let groups = groups.into_iter().map(|name| (Kind::Group, name));
        let runs = match &resource.body {
            Body::Command(command) => command.user.as_deref(),
            _ => None,
        };
        let runs = runs.into_iter().map(|name| (Kind::User, name));
        for (kind, name) in users.chain(groups).chain(runs) {
            wanted.insert(ResourceId::new(kind, name), resource.id.clone());
        }
    }
    wanted
}

struct Judge<'a> {
    desired: &'a Desired,
    snapshot: &'a Snapshot,
    around: &'a Around,
    claims: Claims,
    wanted: BTreeMap<ResourceId, ResourceId>,
    /// Homes, also of users who come with the role, with whose they are.
    homes: BTreeMap<AbsPath, String>,
    /// Where file systems are left over.
    mounts: BTreeSet<AbsPath>,
    /// The files that edits are left over of, by where they really lie.
    files: BTreeMap<AbsPath, Shared<'a>>,
    /// Where nothing will stand, whatever it is called.
    going: BTreeSet<AbsPath>,
    /// Where something comes back.
    coming: BTreeSet<AbsPath>,
    /// Users that go.
    leaving: BTreeSet<String>,
    /// What a role took away, where a mask of cfg's own stands now.
    masked: BTreeMap<AbsPath, ResourceId>,
}

/// What nobody can bring back, since nobody knows what it was.
const UNKNOWN: &str = "what was there before cfg is not known";

/// Somebody else has a say in it by now.
const CHANGED: &str = "somebody has changed it since cfg did";

/// Nobody else need have.
const TRIED: &str = "cfg's own change of it failed, and how far that came is not known";

/// What is wrong with the content of a file that stood somewhere; none where it is kept.
fn lost(stood: &Stood) -> Option<String> {
    match stood {
        Stood::File { kept: true, .. } => None,
        Stood::File { size, .. } if *size > 1 << 20 => Some(format!(
            "what stood there has {size} bytes, more than the 1 MiB that cfg keeps"
        )),
        Stood::File { .. } => Some("what stood there was not kept".into()),
        _ => None,
    }
}
