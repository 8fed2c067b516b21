//! What cfg has made of a resource, as far as the role said: by it, what somebody else has changed since is known.

use super::before::{Before, Stood};
use crate::digest::Digest;
use crate::edit::{Edit, Format, apply};
use crate::path::AbsPath;
use crate::plan::{Host, Power};
use crate::resource::account::{GroupState, Present, User, UserState};
use crate::resource::archive::ArchiveState;
use crate::resource::fstab::Entry;
use crate::resource::mount::{Live, MountPresence};
use crate::resource::package::Wanted;
use crate::resource::repository::Key;
use crate::resource::service::{Active, Activity, Enabled, Load, ServiceState};
use crate::resource::sysctl::KernelValue;
use crate::resource::{
    Attributes, Body, Observed, Ownership, PathState, Presence, Resource, attributes, directory,
    file,
};
use serde::{Deserialize, Serialize};

/// What the role said last, by kind.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Made {
    /// A file.
    File {
        /// What it holds; none where the role gave it no content.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sha256: Option<Digest>,
        /// What the role said of its attributes.
        #[serde(flatten)]
        attributes: Attributes,
    },
    /// Nothing, where something stood.
    Gone,
    /// A directory.
    Directory(Attributes),
    /// A link to this.
    Link(String),
    /// A package.
    Package {
        /// Whether the role had a say in its version.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        version: bool,
        /// Whether it was held.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        hold: Option<bool>,
    },
    /// A repository.
    Repository {
        /// The stanza; none where that is another's by now.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sha256: Option<Digest>,
        /// The key: whether it is armoured, and what it holds.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        key: Option<(bool, Digest)>,
    },
    /// A user; of the password's hash a digest, see [`of_password`].
    User(Box<User>),
    /// A group, with its number where the role gave one.
    Group(Option<u32>),
    /// A service; what is none was not managed.
    Service {
        /// Whether it ran.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        running: Option<bool>,
        /// Whether it started at boot.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        enabled: Option<bool>,
        /// Whether nothing could start it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        masked: Option<bool>,
        /// Its own unit file.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        unit: Option<Digest>,
    },
    /// A setting.
    Sysctl(String),
    /// A file system.
    Mount {
        /// Its line.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        line: Option<Entry>,
        /// What was said of it.
        state: MountPresence,
    },
    /// An archive, by its marker.
    Archive(Option<String>),
    /// An edit.
    Edit {
        /// Of this file.
        path: AbsPath,
        /// What it said.
        edit: Edit,
    },
    /// A command that was run.
    Command,
}

impl Made {
    /// What a role says of a resource. `settled`: what is seen of it is that already.
    pub fn of(resource: &Resource, seen: Option<&Observed>, settled: bool) -> Self {
        match &resource.body {
            Body::File(file) if file.state == Presence::Absent => Made::Gone,
            Body::Directory(directory) if directory.state == Presence::Absent => Made::Gone,
            Body::Sysctl(sysctl) if sysctl.state == Presence::Absent => Made::Gone,
            Body::Link(link) => link
                .target
                .clone()
                .map_or(Made::Gone, |target| match link.state {
                    Presence::Present => Made::Link(target),
                    Presence::Absent => Made::Gone,
                }),
            Body::File(file) => Made::File {
                sha256: match (seen, &file.content) {
                    // What stands there is of somebody else, unless cfg began it: see `keeps`.
                    (Some(Observed::Path(PathState::File(_))), Some(_)) if file.create_only => None,
                    // It need not be digested once more.
                    (Some(Observed::Path(PathState::File(there))), Some(_)) if settled => {
                        there.digest
                    }
                    (_, content) => content.as_ref().map(|content| content.digest()),
                },
                attributes: file.attributes.clone(),
            },
            Body::Directory(directory) => Made::Directory(directory.attributes.clone()),
            Body::Package(package) => Made::Package {
                version: package.version != Wanted::Any,
                hold: package.hold,
            },
            Body::Repository(repository) => Made::Repository {
                sha256: Some(Digest::of(&repository.sources)),
                key: repository
                    .key
                    .as_ref()
                    .map(|key| (key.armoured, key.digest)),
            },
            Body::User(user) => Made::User(Box::new(User {
                password_hash: user.password_hash.as_deref().map(of_password),
                ..user.clone()
            })),
            Body::Group(group) => Made::Group(group.gid),
            Body::Service(service) => Made::Service {
                running: service.state.map(|state| state == Activity::Running),
                enabled: service.enabled,
                masked: service.masked,
                unit: service
                    .unit_file
                    .as_ref()
                    .map(|unit| Digest::of(&unit.content)),
            },
            Body::Sysctl(sysctl) => Made::Sysctl(sysctl.value.clone().unwrap_or_default()),
            Body::Mount(mount) => Made::Mount {
                line: mount.entry.clone(),
                state: mount.state,
            },
            Body::Archive(archive) => Made::Archive(archive.marker()),
            Body::Edit(edit) => Made::Edit {
                path: edit.path.clone(),
                edit: edit.edit.clone(),
            },
            Body::Command(_) => Made::Command,
        }
    }

    /// As far as who enacts may make it: what is held is not of cfg's making.
    #[must_use]
    pub(super) fn given(mut self, host: &Host) -> Self {
        if let (
            Made::File { attributes, .. } | Made::Directory(attributes),
            Power::Own { user, groups },
        ) = (&mut self, &host.power)
        {
            attributes.owner.take_if(|owner| owner != user);
            attributes.group.take_if(|group| !groups.contains(group));
        }
        self
    }

    /// What comes anew where another of its kind was before cfg is of cfg's making as a whole.
    pub(super) fn replaces(
        &mut self,
        before: &Before,
        seen: Option<&Observed>,
        (host, sensitive): (&Host, bool),
    ) {
        let Some(Observed::Path(seen)) = seen else {
            return;
        };
        let (attributes, mode) = match (self, before, seen) {
            (_, _, PathState::Unreadable { .. }) => return,
            (Made::File { .. }, _, PathState::File(_))
            | (Made::Directory(_), _, PathState::Directory(_)) => return,
            (Made::File { attributes, .. }, Before::Path(Stood::File { .. }), _) => {
                let mode = if sensitive {
                    file::NEW_SENSITIVE
                } else {
                    file::NEW
                };
                (attributes, mode)
            }
            (Made::Directory(attributes), Before::Path(Stood::Directory(_)), _) => {
                (attributes, directory::NEW)
            }
            _ => return,
        };
        let new = attributes::outcome(attributes, None, mode, host).after;
        *attributes = Attributes::all(&new);
    }

    /// The same, knowing what was made before: what cfg once began is still what it began, and what a role said once of a
    /// key is still of cfg's making where it says nothing of it any more.
    #[must_use]
    pub fn keeps(self, resource: &Resource, known: Option<&Made>) -> Self {
        match (self, known) {
            (
                Made::File { sha256, attributes },
                Some(Made::File {
                    sha256: began,
                    attributes: said,
                }),
            ) => {
                let only_begun = matches!(&resource.body, Body::File(file) if file.is_open());
                Made::File {
                    sha256: if only_begun {
                        sha256.or(*began)
                    } else {
                        sha256
                    },
                    attributes: both(attributes, said),
                }
            }
            (Made::Directory(attributes), Some(Made::Directory(said))) => {
                Made::Directory(both(attributes, said))
            }
            (
                Made::Service {
                    running,
                    enabled,
                    masked,
                    unit,
                },
                Some(Made::Service {
                    running: ran,
                    enabled: started,
                    masked: hidden,
                    unit: wrote,
                }),
            ) => Made::Service {
                running: running.or(*ran),
                enabled: enabled.or(*started),
                // Its own unit file has taken the place of the mask.
                masked: masked.or(hidden.map(|hidden| hidden && unit.is_none())),
                unit: unit.or(*wrote),
            },
            (Made::Repository { sha256, key }, Some(Made::Repository { key: had, .. })) => {
                Made::Repository {
                    sha256,
                    key: key.or(*had),
                }
            }
            (Made::User(mut user), Some(Made::User(said))) => {
                user.uid = user.uid.or(said.uid);
                user.gid = user.gid.or_else(|| said.gid.clone());
                user.shell = user.shell.or_else(|| said.shell.clone());
                user.home = user.home.or_else(|| said.home.clone());
                Made::User(user)
            }
            (made, _) => made,
        }
    }

    /// Of an edit what another one asks for too, or all of it; none where that has nothing to do with it.
    pub(super) fn within(&self, other: &Edit) -> Option<Made> {
        let Made::Edit { path, edit } = self else {
            return None;
        };
        let same = edit.within(other);
        let keyed = edit.format != Format::Lines && edit.format == other.format;
        let edit = if keyed { same } else { edit.clone() };
        (!edit.is_empty()).then(|| Made::Edit {
            path: path.clone(),
            edit,
        })
    }

    /// Whether what is seen is still what was made.
    pub fn stands(&self, seen: &Observed) -> bool {
        match (self, seen) {
            (Made::Gone, Observed::Path(PathState::Absent { .. })) => true,
            (Made::Gone, Observed::Sysctl(state)) => {
                matches!(state.file, PathState::Absent { .. })
            }
            (Made::File { sha256, attributes }, Observed::Path(PathState::File(file))) => {
                let same = sha256.is_none_or(|digest| file.digest == Some(digest));
                same && owned(attributes, &file.ownership)
            }
            (Made::Directory(attributes), Observed::Path(PathState::Directory(directory))) => {
                owned(attributes, &directory.ownership)
            }
            (Made::Link(target), Observed::Path(PathState::Link(link))) => link.target == *target,
            (Made::Package { hold, .. }, Observed::Package(state)) => {
                hold.is_none_or(|hold| hold == state.held)
            }
            (Made::Repository { sha256, key }, Observed::Repository(state)) => {
                let key_stands = match (key, &state.key) {
                    (None, _) => true,
                    (Some((_, digest)), Some(key)) => holds(key, digest),
                    (Some(_), None) => false,
                };
                let stanza = sha256.as_ref();
                stanza.is_none_or(|digest| holds(&state.sources, digest)) && key_stands
            }
            (Made::User(user), Observed::User(UserState::Present(seen))) => is_user(user, seen),
            (Made::Group(wanted), Observed::Group(GroupState::Present { gid })) => {
                wanted.is_none_or(|wanted| wanted == *gid)
            }
            (Made::Service { .. }, Observed::Service(state)) => self.is_service(state),
            (Made::Sysctl(value), Observed::Sysctl(state)) => match &state.kernel {
                KernelValue::Is(now) => now == value,
                KernelValue::Unjudged | KernelValue::Missing => true,
                KernelValue::Unread { .. } => false,
            },
            (Made::Mount { line, state }, Observed::Mount(seen)) => {
                let mounted = match &seen.live {
                    Live::Unjudged => None,
                    Live::No => Some(false),
                    // Nothing may have been made of what the role said last; the line comes after the mount.
                    Live::Yes { same, listed, .. } => Some(*same || *listed),
                };
                let lives = mounted.is_none_or(|now| state.mounted().is_none_or(|was| was == now));
                let line = line.as_ref().filter(|_| *state != MountPresence::Absent);
                seen.entries.first() == line && lives
            }
            (Made::Archive(marker), Observed::Archive(ArchiveState { marker: seen, .. })) => {
                marker == seen
            }
            (Made::Edit { edit, .. }, Observed::Path(PathState::File(file))) => {
                let edited = file.content.as_ref().map(|content| apply(content, edit));
                matches!((edited, &file.content), (Some(Ok(new)), Some(old)) if new == *old)
            }
            (Made::Command, _) => true,
            _ => false,
        }
    }

    fn is_service(&self, state: &ServiceState) -> bool {
        let Made::Service {
            running,
            enabled,
            masked,
            unit,
        } = self
        else {
            return false;
        };
        let runs = match state.active {
            // That it crashed is nobody's doing.
            Active::Unjudged | Active::Failed | Active::Retrying => None,
            Active::Running => Some(true),
            Active::Stopped => Some(false),
        };
        let starts = match state.enabled {
            Enabled::Yes => Some(true),
            Enabled::No | Enabled::ForNow => Some(false),
            Enabled::Fixed | Enabled::Unknown => None,
        };
        let same = |made: &Option<bool>, now: Option<bool>| match (made, now) {
            (Some(made), Some(now)) => *made == now,
            _ => true,
        };
        let file = match (unit, &state.unit_file) {
            (Some(digest), Some(file)) => holds(file, digest),
            // It was not looked at.
            (Some(_), None) | (None, _) => true,
        };
        // What is masked by somebody runs or not as he will.
        let masked_now = Some(state.load == Load::Masked);
        same(running, runs) && same(enabled, starts) && same(masked, masked_now) && file
    }

    /// The key of a repository, to be looked at.
    pub fn key(&self) -> Option<Key> {
        match self {
            Made::Repository {
                key: Some((armoured, digest)),
                ..
            } => Some(Key {
                armoured: *armoured,
                digest: *digest,
                size: 0,
            }),
            _ => None,
        }
    }
}

fn holds(state: &PathState, digest: &Digest) -> bool {
    matches!(state, PathState::File(file) if file.digest == Some(*digest))
}

/// What a role says of attributes, or said once.
fn both(now: Attributes, said: &Attributes) -> Attributes {
    Attributes {
        mode: now.mode.or(said.mode),
        owner: now.owner.or_else(|| said.owner.clone()),
        group: now.group.or_else(|| said.group.clone()),
    }
}

/// Whether attributes are what a role said; a number may go by its name, and a name may be gone, or have another number by now.
fn owned(said: &Attributes, seen: &Ownership) -> bool {
    let number = |text: &str| text.parse::<u32>().is_ok();
    let is = |said: &Option<String>, seen: &String| match said {
        Some(name) => name == seen || number(name) || number(seen),
        None => true,
    };
    said.mode.is_none_or(|mode| mode == seen.mode)
        && is(&said.owner, &seen.owner)
        && is(&said.group, &seen.group)
}

fn is_user(said: &User, seen: &Present) -> bool {
    let same = |said: &Option<String>, seen: &String| said.as_ref().is_none_or(|said| said == seen);
    let sorted = |names: &[String]| {
        let mut names = names.to_vec();
        names.sort();
        names
    };
    let group = |gid: &String| *gid == seen.group || *gid == seen.gid.to_string();
    let in_groups = said
        .groups
        .iter()
        .all(|name| seen.groups.contains(name) || *name == seen.group);
    said.uid.is_none_or(|uid| uid == seen.uid)
        && said.gid.as_ref().is_none_or(group)
        && in_groups
        && same(&said.shell, &seen.shell)
        && same(&said.home, &seen.home)
        && said.authorized_keys.as_ref().is_none_or(|keys| {
            sorted(keys) == sorted(seen.authorized_keys.as_deref().unwrap_or_default())
        })
        && said.password_hash.as_ref().is_none_or(|digest| {
            seen.password_hash.as_deref().map(of_password).as_ref() == Some(digest)
        })
}

/// What the record has of a password's hash, which may be a secret: enough to know it again.
fn of_password(hash: &str) -> String {
    Digest::of(hash.as_bytes()).to_string()
}
