//! What changes a machine.

use super::Machine;
use super::attributes::{Numbers, Origin, chown, set_mode};
use super::error::{EnactError, SysError};
use super::mount::{file_of_table, path_of_table};
use super::temporary::{Over, Swept, Temporary};
use super::walk::{Entry, Folder, Reached, What};
use cfg_catalog::digest::Digest;
use cfg_catalog::id::Kind;
use cfg_catalog::path::AbsPath;
use cfg_catalog::plan::{Action, Change};
use cfg_catalog::resource::file::File;
use cfg_catalog::resource::{Attributes, Body, Resource};
use rustix::io::Errno;
use std::ffi::{OsStr, OsString};
use std::io::Read;

/// Contents that are kept outside memory.
pub trait BlobSource {
    /// Opens one. It is verified while it is read.
    ///
    /// # Errors
    /// Where it is not there or cannot be read.
    fn open(&self, digest: &Digest) -> std::io::Result<Box<dyn Read>>;
}

/// Changes a machine. A dry run never has one.
pub struct Hands<'a> {
    machine: &'a Machine,
    blobs: &'a dyn BlobSource,
    swept: Swept,
}

/// A name in a folder, both sure, and what stands there.
pub(crate) struct Spot {
    pub(crate) folder: Folder,
    pub(crate) name: OsString,
    pub(crate) entry: Option<Entry>,
}

impl<'a> Hands<'a> {
    /// Hands for what this machine sees, with contents from there.
    pub fn new(machine: &'a Machine, blobs: &'a dyn BlobSource) -> Self {
        Self {
            machine,
            blobs,
            swept: Swept::default(),
        }
    }

    /// The same of a run that has swept these folders already.
    #[must_use]
    pub(crate) fn after(self, swept: &Swept) -> Self {
        Self {
            swept: swept.clone(),
            ..self
        }
    }

    pub(crate) fn machine(&self) -> &'a Machine {
        self.machine
    }

    pub(crate) fn swept(&self) -> &Swept {
        &self.swept
    }

    pub(crate) fn blobs(&self) -> &'a dyn BlobSource {
        self.blobs
    }

    /// Brings one resource to what it must be. `changes` says what a plan has found: of a directory's purge
    /// the victims, which are removed by name; all else follows from the resource itself.
    ///
    /// # Errors
    /// Where it could not be done; nothing half-done stands under a name that anybody reads.
    pub fn enact(&self, resource: &Resource, changes: &[Change]) -> Result<(), EnactError> {
        match &resource.body {
            Body::File(file) => self.file(&whole(file, resource)),
            Body::Directory(directory) => {
                let mut victims = victims(resource, changes)?;
                // What lies deeper goes first, so that a directory is empty when its turn comes.
                victims.sort_by(|a, b| b.cmp(a));
                let purged = self.purge(&directory.path, &victims);
                if changes.iter().any(|change| change.resource == resource.id) {
                    self.directory(directory)?;
                }
                purged
            }
            Body::Link(link) => self.link(link),
            Body::Edit(edit) => self.edit(edit, resource.sensitive),
            Body::Repository(repository) => self.repository(repository),
            Body::Sysctl(sysctl) => self.sysctl(sysctl),
            Body::Archive(archive) => self.archive(archive),
            Body::User(user) => {
                self.may_change(user, changes)?;
                self.user(user)
            }
            Body::Group(group) => self.group(group),
            Body::Package(_) | Body::Mount(_) | Body::Command(_) | Body::Service(_) => {
                Err(EnactError::OtherKind(resource.id.clone()))
            }
        }
    }

    /// Brings files to what they must be, which do not depend on one another; one outcome each, in their order.
    pub fn enact_files(&self, resources: &[&Resource]) -> Vec<Result<(), EnactError>> {
        let file = |resource: &&Resource| match &resource.body {
            Body::File(file) => Some(whole(file, resource)),
            _ => None,
        };
        match resources.iter().map(file).collect::<Option<Vec<File>>>() {
            Some(files) => self.files(&files),
            None => resources
                .iter()
                .map(|resource| self.enact(resource, &[]))
                .collect(),
        }
    }

    /// Makes a directory that only leads to others, and all above it that are missing: 0755 root root.
    ///
    /// # Errors
    /// Where it could not be made.
    pub fn make_parent(&self, path: &AbsPath) -> Result<(), EnactError> {
        let reached = self.machine.root().folder(path)?;
        self.parents(reached).map(|_made| ())
    }

    /// Writes the table of file systems anew; owner and mode stay as they are.
    ///
    /// # Errors
    /// Where it could not be written.
    pub fn fstab(&self, table: Option<String>) -> Result<(), EnactError> {
        match table {
            Some(table) => self.file(&file_of_table(table)),
            None => self.remove(&path_of_table(), What::File),
        }
    }

    /// The spot that a path means, its folders made where they are missing and swept of leftovers.
    pub(crate) fn spot(&self, path: &AbsPath) -> Result<Spot, EnactError> {
        let parent = path.parent().ok_or_else(|| EnactError::Sacred {
            path: path.to_string(),
        })?;
        let reached = self.machine.root().folder(&parent)?;
        let folder = self.parents(reached)?;
        self.swept.sweep(&folder);
        let name = OsString::from(path.name());
        let entry = folder.entry(&name)?;
        Ok(Spot {
            folder,
            name,
            entry,
        })
    }

    /// The spot that a path means; none where its folder is not there.
    pub(crate) fn spot_if_there(&self, path: &AbsPath) -> Result<Option<Spot>, EnactError> {
        let parent = path.parent().ok_or_else(|| EnactError::Sacred {
            path: path.to_string(),
        })?;
        if self.machine.root().folder(&parent)?.missing.is_empty() {
            self.spot(path).map(Some)
        } else {
            Ok(None)
        }
    }

    fn parents(&self, reached: Reached) -> Result<Folder, EnactError> {
        let Reached {
            mut folder,
            missing,
            ..
        } = reached;
        for path in missing {
            let attributes = Attributes::default();
            let numbers = self
                .machine
                .numbers(path.as_str(), &attributes, Origin::New(0o755))?;
            let name = OsStr::new(path.name());
            self.new_directory(&folder, name, &numbers, Over::Rename)?;
            let made = folder.entry(name)?.filter(|e| e.what == What::Directory);
            let made = made.ok_or_else(|| SysError {
                doing: "making",
                path: path.to_string(),
                errno: Errno::STALE,
            })?;
            folder = folder.below(self.machine.root(), name, made);
        }
        Ok(folder)
    }

    /// Puts a new directory in place, its attributes right before it is seen.
    pub(crate) fn new_directory(
        &self,
        folder: &Folder,
        name: &OsStr,
        numbers: &Numbers,
        over: Over,
    ) -> Result<(), EnactError> {
        let (temporary, entry) = Temporary::directory(folder)?;
        chown(&entry.fd, numbers.uid, numbers.gid, &folder.shown(name))?;
        set_mode(folder, temporary.name(), &entry, numbers.mode)?;
        temporary.settle(name, over)
    }
}

/// A file with what its resource says of it.
fn whole(file: &File, resource: &Resource) -> File {
    File {
        sensitive: file.sensitive || resource.sensitive,
        ..file.clone()
    }
}

/// The paths that a directory's purge removes: each is a change of its own, under the name that the plan has for it.
fn victims(resource: &Resource, changes: &[Change]) -> Result<Vec<AbsPath>, EnactError> {
    let others = changes.iter().filter(|change| {
        change.resource != resource.id
            && change.action == Action::Remove
            && matches!(
                change.resource.kind,
                Kind::File | Kind::Directory | Kind::Link
            )
    });
    others
        .map(|change| {
            let name = &change.resource.name;
            name.parse()
                .map_err(|error| EnactError::Unfit(format!("{name}: {error}")))
        })
        .collect()
}
