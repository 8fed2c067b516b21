//! What was there before cfg first changed it: what a revert brings back.

use crate::digest::Digest;
use crate::edit::{self, Edit};
use crate::resource::account::{GroupState, Present, UserState};
use crate::resource::edit::FileEdit;
use crate::resource::fstab::Entry;
use crate::resource::mount::{Former, Live};
use crate::resource::package::DpkgState;
use crate::resource::service::{Active, Enabled, Load};
use crate::resource::sysctl::KernelValue;
use crate::resource::{Body, FileState, Observed, Ownership, PathState, Resource};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What was there, by kind.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Before {
    /// It was managed before anything was put on record, or it could not be seen.
    Unknown,
    /// Of a file, a directory or a link.
    Path(Stood),
    /// Of a package: its version, where it was installed.
    Package {
        /// None where it was not.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        version: Option<String>,
        /// On hold.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        held: bool,
        /// Marked as installed only for others.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        auto: bool,
    },
    /// Of a user.
    User {
        /// None where there was no such user.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        was: Option<Box<Present>>,
        /// At the place of its authorized_keys, where a role said what they are.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        keys: Option<Stood>,
        /// The folder of that was not there either.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        bare: bool,
    },
    /// A group's number; none where there was no such group.
    Group(Option<u32>),
    /// Of a service.
    Service {
        /// It ran.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        running: bool,
        /// It started at boot.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        enabled: bool,
        /// Nothing could start it.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        masked: bool,
        /// At the place of its own unit file.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        unit: Option<Stood>,
        /// By which links it started at boot, by path below `/etc/systemd/system`; none where that was not looked at.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        links: Option<BTreeMap<String, String>>,
    },
    /// Of a setting.
    Sysctl {
        /// The value that the kernel had.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        value: Option<String>,
        /// At the place of its file; none where that is another's.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        file: Option<Stood>,
    },
    /// Of a mount point.
    Mount {
        /// Its line.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        line: Option<Entry>,
        /// How the table was.
        #[serde(flatten)]
        former: Former,
        /// Whether something was mounted there.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        mounted: bool,
    },
    /// At the two places of a repository.
    Repository {
        /// The stanza's; none where that is another's by now.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sources: Option<Stood>,
        /// The key's.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        key: Option<Stood>,
    },
    /// What brings back what an edit changes; none where nothing does.
    Edit {
        /// In a file that was there, or that was begun; none where nothing brings it back.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        back: Option<Edit>,
        /// The whole file; none where the edit changed nothing in it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        whole: Option<Whole>,
        /// Whether there was such a file.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        there: bool,
    },
    /// Of what is not brought back.
    Nothing,
}

/// A file as it was before an edit: it comes back byte for byte as long as nobody else has changed it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Whole {
    /// Its content's digest; the content is kept.
    pub was: Digest,
    /// Bytes of it.
    pub size: u64,
    /// The digest of what the edit made of it.
    pub made: Digest,
}

/// What stood at a path.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stood {
    /// Nothing.
    Nothing,
    /// A regular file.
    File {
        /// Its attributes.
        #[serde(flatten)]
        ownership: Ownership,
        /// Its content's digest, where it could be read.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sha256: Option<Digest>,
        /// Bytes.
        size: u64,
        /// Its content is kept.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        kept: bool,
    },
    /// A directory.
    Directory(Ownership),
    /// A link to this.
    Link(String),
    /// What could not be looked at, or is none of these.
    Other,
}

/// Contents to be kept, by digest.
pub type Contents = BTreeMap<Digest, Vec<u8>>;

impl Before {
    /// What is seen of a resource, as it is before its first change; what contents that takes goes to `keep`.
    pub fn of(resource: &Resource, seen: &Observed, keep: &mut Contents) -> Self {
        match seen {
            Observed::Path(state) => match &resource.body {
                Body::Edit(edit) => of_edit(edit, state, keep),
                _ => Before::Path(Stood::of(state, keep)),
            },
            Observed::Package(state) => Before::Package {
                version: match &state.dpkg {
                    DpkgState::Absent | DpkgState::ConfigFiles => None,
                    DpkgState::Installed { version, .. } | DpkgState::Broken { version, .. } => {
                        Some(version.clone())
                    }
                },
                held: state.held,
                auto: state.auto,
            },
            Observed::User(UserState::Absent) => Before::User {
                was: None,
                keys: None,
                bare: false,
            },
            Observed::User(UserState::Present(seen)) => {
                let (keys, bare) = keys_of(seen, keep);
                Before::User {
                    was: Some(Box::new(Present {
                        keys_file: None,
                        keys_drifted: None,
                        ..seen.clone()
                    })),
                    keys,
                    bare,
                }
            }
            Observed::Group(GroupState::Absent) => Before::Group(None),
            Observed::Group(GroupState::Present { gid }) => Before::Group(Some(*gid)),
            Observed::Service(state) => Before::Service {
                running: state.active == Active::Running,
                enabled: state.enabled == Enabled::Yes,
                masked: state.load == Load::Masked,
                unit: state.unit_file.as_ref().map(|unit| Stood::of(unit, keep)),
                links: state.links.clone(),
            },
            Observed::Sysctl(state) => Before::Sysctl {
                value: match &state.kernel {
                    KernelValue::Is(value) => Some(value.clone()),
                    _ => None,
                },
                file: Some(Stood::of(&state.file, keep)),
            },
            Observed::Mount(state) => Before::Mount {
                line: state.entries.first().cloned(),
                former: Former {
                    place: state.place.clone(),
                    bare: matches!(state.table, PathState::Absent { .. }),
                    open: state.open,
                },
                mounted: matches!(state.live, Live::Yes { .. }),
            },
            Observed::Repository(state) => Before::Repository {
                sources: Some(Stood::of(&state.sources, keep)),
                key: state.key.as_ref().map(|key| Stood::of(key, keep)),
            },
            Observed::Archive(_) | Observed::Command(_) => Before::Nothing,
            Observed::Failed { .. } => Before::Unknown,
        }
    }

    /// There was no file before the edit: another one of cfg's has begun it.
    pub(super) fn finds_no_file(&mut self) {
        if let Before::Edit { there, whole, .. } = self {
            (*there, *whole) = (false, None);
        }
    }

    /// Keeps a content of before that is seen again just now, and that was not at hand when it was put on record.
    pub fn fill(&mut self, seen: &Observed, keep: &mut Contents) {
        let (stood, state) = match (self, seen) {
            (Before::Path(stood), Observed::Path(state)) => (stood, Some(state)),
            (
                Before::Service {
                    unit: Some(stood), ..
                },
                Observed::Service(state),
            ) => (stood, state.unit_file.as_ref()),
            _ => return,
        };
        let (
            Stood::File {
                sha256: Some(sha256),
                kept: kept @ false,
                ..
            },
            Some(PathState::File(file)),
        ) = (stood, state)
        else {
            return;
        };
        if let (true, Some(content)) = (file.digest == Some(*sha256), &file.content) {
            keep.insert(*sha256, content.clone());
            *kept = true;
        }
    }

    /// The contents that it counts on.
    pub fn contents(&self) -> impl Iterator<Item = Digest> {
        let of_edit = match self {
            Before::Edit { whole, .. } => whole.as_ref().map(|whole| whole.was),
            _ => None,
        };
        let stood = match self {
            Before::Path(stood) => [Some(stood), None],
            Before::Service { unit, .. } => [unit.as_ref(), None],
            Before::User { keys, .. } => [keys.as_ref(), None],
            Before::Sysctl { file, .. } => [file.as_ref(), None],
            Before::Repository { sources, key } => [sources.as_ref(), key.as_ref()],
            _ => [None, None],
        };
        let kept = stood.map(|stood| match stood {
            Some(Stood::File {
                sha256, kept: true, ..
            }) => *sha256,
            _ => None,
        });
        kept.into_iter().flatten().chain(of_edit)
    }
}

impl Stood {
    /// Whether this is what stands there, whoever owns it.
    pub(super) fn is_there(&self, now: &PathState) -> bool {
        match (self, now) {
            (Stood::Nothing, PathState::Absent { .. }) => true,
            (Stood::File { sha256, .. }, PathState::File(file)) => *sha256 == file.digest,
            (Stood::Link(target), PathState::Link(link)) => *target == link.target,
            (Stood::Directory(_), PathState::Directory(_)) => true,
            _ => false,
        }
    }

    /// What stands there; a content that is at hand goes to `keep`.
    pub fn of(state: &PathState, keep: &mut Contents) -> Self {
        match state {
            PathState::Absent { .. } => Stood::Nothing,
            PathState::File(file) => {
                let content = file.digest.zip(file.content.as_ref());
                if let Some((digest, content)) = content {
                    keep.insert(digest, content.clone());
                }
                Stood::File {
                    ownership: file.ownership.clone(),
                    sha256: file.digest,
                    size: file.size,
                    kept: content.is_some(),
                }
            }
            PathState::Directory(directory) => Stood::Directory(directory.ownership.clone()),
            PathState::Link(link) => Stood::Link(link.target.clone()),
            PathState::Special | PathState::Unreadable { .. } => Stood::Other,
        }
    }
}

/// What stands where the keys of a user are, and whether their folder is missing.
pub(super) fn keys_of(seen: &Present, keep: &mut Contents) -> (Option<Stood>, bool) {
    let file = seen.keys_file.as_deref();
    let bare = matches!(
        file,
        Some(PathState::Absent { missing_parents, .. }) if !missing_parents.is_empty()
    );
    (file.map(|file| Stood::of(file, keep)), bare)
}

fn of_edit(edit: &FileEdit, state: &PathState, keep: &mut Contents) -> Before {
    let content = match state {
        PathState::File(file) => file.content.as_ref(),
        _ => None,
    };
    Before::Edit {
        back: match state {
            PathState::Absent { .. } => edit::back(b"", &edit.edit),
            _ => content.and_then(|content| edit::back(content, &edit.edit)),
        },
        whole: content.and_then(|content| {
            let made = edit::apply(content, &edit.edit).ok()?;
            (made != *content).then(|| {
                let was = Digest::of(content);
                keep.insert(was, content.clone());
                Whole {
                    was,
                    size: content.len() as u64,
                    made: Digest::of(&made),
                }
            })
        }),
        there: !matches!(state, PathState::Absent { .. }),
    }
}

impl Whole {
    /// The same after another edit of it; none where somebody else had changed it by then.
    pub(super) fn then(self, edit: &Edit, seen: &FileState) -> Option<Self> {
        let content = seen.content.as_ref();
        let content = content.filter(|_| seen.digest == Some(self.made))?;
        let made = Digest::of(&edit::apply(content, edit).ok()?);
        Some(Self { made, ..self })
    }
}
