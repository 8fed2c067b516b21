//! What the planned changes make of what services and commands read, by their turns.

use super::Draft;
use crate::digest::Digest;
use crate::id::{Kind, ResourceId};
use crate::path::AbsPath;
use crate::plan::folders::Outlook;
use crate::plan::inputs;
use crate::plan::listing::{Entry, Move};
use crate::plan::{Action, Certainty, Change};
use crate::resource::service::{Input, UNITS};
use crate::resource::{Body, Observed, PathState, Resource};

impl Draft<'_> {
    pub(super) fn package_moves(&mut self, change: &Change) {
        let digest = match change.action {
            Action::Install | Action::Upgrade | Action::Downgrade => {
                let version = change.after.get("version").and_then(|v| v.as_str());
                version.map(|version| Digest::of(version.as_bytes()))
            }
            Action::Remove | Action::Purge => Some(inputs::absent()),
            _ => return,
        };
        self.input_moves(&change.resource, digest, change.certainty);
    }

    /// What the role does not wholly determine, the packages that move before and the commands may change too. What it
    /// does determine they may not: a command that rewrites that fights the role, and one that moves packages does what
    /// the role should say. That is told as unforeseen, and not assumed of every service whenever any command is run.
    pub(super) fn loosen(&mut self, input: &ResourceId) {
        if !self.ahead.moves_packages() && !self.ahead.runs_commands() {
            return;
        }
        match self.desired.get(input).map(|resource| &resource.body) {
            Some(Body::Directory(directory))
                if !directory.purge || self.leaves_open(&directory.path) =>
            {
                let outlook = self.folders.open(&directory.path);
                self.look_out(outlook);
            }
            Some(Body::File(file)) if file.is_open() && !self.ahead.moves_input(input) => {
                self.input_moves(input, None, Certainty::Assumed);
            }
            Some(Body::Edit(_)) if !self.ahead.moves_input(input) => {
                self.input_moves(input, None, Certainty::Assumed);
            }
            _ => {}
        }
    }

    /// Whether the role names a file below that others fill.
    fn leaves_open(&self, folder: &AbsPath) -> bool {
        self.declared.values().any(|resource| {
            matches!(&resource.body, Body::File(file) if file.is_open() && file.path.is_within(folder))
        })
    }

    /// Links of a unit go when it is disabled, with a folder that held nothing else, and a mask when it is unmasked.
    pub(super) fn links_go(
        &mut self,
        resource: &Resource,
        observed: Option<&Observed>,
        change: &Change,
    ) {
        let (Body::Service(service), Some(Observed::Service(state))) = (&resource.body, observed)
        else {
            return;
        };
        let names: Vec<&str> = match change.action {
            Action::Unmask => vec![service.unit.as_str()],
            Action::Disable => {
                let links = state.links.iter().flatten();
                links.map(|(link, _)| link.as_str()).collect()
            }
            _ => return,
        };
        for name in names {
            let Ok(path) = format!("{UNITS}/{name}").parse::<AbsPath>() else {
                continue;
            };
            self.ahead.note_gone(&path, change.certainty);
            let folder = path.parent().filter(|folder| folder.as_str() != UNITS);
            if let Some(folder) = folder.filter(|folder| self.gets_empty(folder)) {
                self.ahead.note_gone(&folder, change.certainty);
            }
        }
    }

    /// Whether nothing will be left in a folder, as far as one above it was listed.
    fn gets_empty(&self, folder: &AbsPath) -> bool {
        let listed = folder.ancestors().find_map(|above| {
            let id = ResourceId::new(Kind::Directory, above.as_str());
            match self.snapshot.observed.get(&id) {
                Some(Observed::Path(PathState::Directory(state))) => Some(&state.below),
                _ => None,
            }
        });
        let within = |path: &AbsPath| path != folder && path.is_within(folder);
        listed.is_some_and(|below| {
            let mut inside = below.iter().filter(|below| within(&below.path));
            inside.all(|below| self.ahead.removes(&below.path))
        })
    }

    /// Something moves at a path, on account of this resource.
    pub(super) fn path_moves(&mut self, id: &ResourceId, path: &AbsPath, to: Move) {
        let mut ids = self.at.get(path).cloned().unwrap_or_default();
        // A service moves no file but its unit's.
        if id.kind == Kind::Service && self.inputs.contains_key(id) {
            ids.push(id.clone());
        }
        for id in ids {
            let now = self.inputs.get(&id).map(|input| input.digest);
            match to {
                Move::To(Entry::File(digest) | Entry::Link(digest)) if now != Some(digest) => {
                    self.input_moves(&id, Some(digest), Certainty::Certain);
                }
                Move::Away => self.input_moves(&id, Some(inputs::absent()), Certainty::Certain),
                Move::Open => self.input_moves(&id, None, Certainty::Assumed),
                _ => {}
            }
        }
        let outlooks = self.folders.moves(path, to);
        self.look_out(outlooks);
    }

    fn look_out(&mut self, outlooks: impl IntoIterator<Item = (ResourceId, Outlook)>) {
        for (id, outlook) in outlooks {
            let digest = match outlook {
                Outlook::Known(digest) => digest,
                Outlook::Open { not } => {
                    self.ahead.note_open(&id, not);
                    inputs::unknown(&id)
                }
            };
            if let Some(input) = self
                .inputs
                .get_mut(&id)
                .filter(|input| input.digest != digest)
            {
                *input = Input {
                    digest,
                    changed_us: u64::MAX,
                };
            }
        }
    }

    fn input_moves(&mut self, id: &ResourceId, digest: Option<Digest>, certainty: Certainty) {
        self.ahead.note_input(id, certainty);
        if let Some(input) = self.inputs.get_mut(id) {
            *input = Input {
                digest: digest.unwrap_or_else(|| inputs::unknown(id)),
                changed_us: u64::MAX,
            };
        }
    }
}
