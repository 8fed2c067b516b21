//! Which question each kind of resource asks the machine.

use super::read::ReadError;
use super::{Machine, Wanted};
use crate::apt::sources;
use cfg_catalog::digest::Digest;
use cfg_catalog::path::AbsPath;
use cfg_catalog::resource::repository::{Repository, RepositoryState};
use cfg_catalog::resource::{Attributes, Body, Observed, PathState, Presence, Resource};

/// Looking that failed is a failure of the resource.
fn seen(observed: Result<Observed, ReadError>) -> Observed {
    observed.unwrap_or_else(|error| Observed::Failed {
        why: error.to_string(),
    })
}

impl Machine {
    /// What is seen of a resource; none for kinds that are no matter of files and accounts.
    pub fn observe(&self, resource: &Resource) -> Option<Observed> {
        let path = |path: &AbsPath, wanted: &Wanted<'_>| {
            Some(Observed::Path(self.observe_path(path, wanted)))
        };
        match &resource.body {
            Body::File(file) => {
                let digest = file.content.as_ref().map(|content| content.digest());
                let wanted = Wanted {
                    digest: digest.filter(|_| file.state == Presence::Present && !file.create_only),
                    // What goes is kept, for it may be wanted back.
                    content: file.state == Presence::Absent,
                    gone: file.state == Presence::Absent,
                    attributes: Some(&file.attributes),
                    ..Wanted::default()
                };
                path(&file.path, &wanted)
            }
            Body::Directory(directory) => {
                let wanted = Wanted {
                    below: directory.purge || !directory.source.is_empty(),
                    purge: directory.purge,
                    gone: directory.state == Presence::Absent,
                    attributes: Some(&directory.attributes),
                    ..Wanted::default()
                };
                path(&directory.path, &wanted)
            }
            Body::Link(link) => {
                let wanted = Wanted {
                    gone: link.state == Presence::Absent,
                    ..Wanted::default()
                };
                path(&link.path, &wanted)
            }
            Body::Edit(edit) => {
                let wanted = Wanted {
                    content: true,
                    gone: edit.edit.only_removes(),
                    ..Wanted::default()
                };
                path(&edit.path, &wanted)
            }
            Body::Repository(repository) => Some(Observed::Repository(self.repository(repository))),
            Body::Sysctl(sysctl) => Some(Observed::Sysctl(self.sysctl(sysctl))),
            Body::Mount(mount) => Some(seen(self.mount(mount).map(Observed::Mount))),
            Body::Archive(archive) => Some(seen(self.archive(archive).map(Observed::Archive))),
            Body::User(user) => Some(seen(self.observe_user(user).map(Observed::User))),
            Body::Group(group) => Some(seen(self.observe_group(group).map(Observed::Group))),
            Body::Package(_) | Body::Command(_) | Body::Service(_) => None,
        }
    }

    /// What stands where a file of cfg's own with this content is to be.
    pub(crate) fn own_file(&self, path: &AbsPath, digest: Digest) -> PathState {
        let attributes = Attributes::default();
        let wanted = Wanted {
            digest: Some(digest),
            attributes: Some(&attributes),
            ..Wanted::default()
        };
        self.observe_path(path, &wanted)
    }

    fn repository(&self, repository: &Repository) -> RepositoryState {
        let look = |path: String, digest| match path.parse() {
            Ok(path) => self.own_file(&path, digest),
            Err(error) => PathState::Unreadable {
                why: format!("{path}: {error}"),
            },
        };
        let stanza = Digest::of(&repository.sources);
        let key = repository.key_path().zip(repository.key.as_ref());
        RepositoryState {
            sources: look(repository.sources_path(), stanza),
            key: key.map(|(path, key)| look(path, key.digest)),
            rivals: sources::rivals(self.root().path(), repository),
        }
    }
}
