//! A regular file, brought to its content and attributes at once.

use super::attributes::{Numbers, Origin, chown};
use super::directory::in_the_way;
use super::error::{EnactError, SysError};
use super::hands::{Hands, Spot};
use super::keep;
use super::read::MOST_DIGESTED;
use super::temporary::{Over, Temporary};
use super::validate::{Saying, judge, refused, unchanged};
use super::walk::{Entry, Folder, Trust, What};
use crate::download::{self, DownloadError};
use cfg_catalog::digest::Digest;
use cfg_catalog::resource::Presence;
use cfg_catalog::resource::file::{Content, File};
use rustix::fs::{Mode, fchmod, fstat};
use sha2::{Digest as _, Sha256};
use std::ffi::OsStr;
use std::io::{ErrorKind, Read, Write};

/// A new file under a hidden name, with its content, owner and mode.
pub(crate) struct Draft<'s> {
    temporary: Temporary<'s>,
    out: std::fs::File,
    spot: &'s Spot,
    over: Over,
}

impl Draft<'_> {
    /// Makes its content last.
    pub(crate) fn sync(&self) -> Result<(), EnactError> {
        let shown = self.spot.folder.shown(&self.spot.name);
        let synced = self
            .out
            .sync_all()
            .map_err(SysError::of_io("writing", shown));
        synced.map_err(EnactError::from)
    }

    /// Has it judged, where the role says by what, and puts it in its place for good.
    pub(super) fn settle(self, hands: &Hands<'_>, file: &File) -> Result<(), EnactError> {
        let Spot { folder, name, .. } = self.spot;
        let is_new = self.spot.entry.is_none();
        if let (Some(command), Some(content)) = (&file.validate, &file.content) {
            let root = hands.machine().root();
            let (new, saying) = (self.temporary.name(), Saying::of(file, folder));
            let before = fstat(&self.out)
                .map_err(|errno| SysError::at("looking at", folder.shown(new))(errno))?;
            // What is open for writing cannot be run.
            drop(self.out);
            judge(root, folder, new, command, saying)
                .and_then(|()| unchanged(folder, new, &before, &content.digest()))
                .map_err(refused(file.path.as_str().into(), is_new))?;
        }
        self.temporary.settle(name, self.over)
    }

    /// Puts it in its place, if that still is what it was when this was written; it lasts once the folder is synced.
    pub(crate) fn place(self) -> Result<Placed, EnactError> {
        let Spot {
            folder,
            name,
            entry,
        } = self.spot;
        let same = match (entry, &folder.entry(name)?) {
            (None, None) => true,
            (Some(then), Some(now)) => {
                let changed = |entry: &Entry| (entry.stat.st_ctime, entry.stat.st_ctime_nsec);
                now.is_same(&then.stat) && changed(now) == changed(then)
            }
            _ => false,
        };
        if !same {
            return Ok(Placed::Moved);
        }
        self.temporary.place(name, self.over)?;
        Ok(Placed::There)
    }
}

/// What came of putting a file in its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Placed {
    /// It stands there.
    There,
    /// What stood there is no longer what was looked at.
    Moved,
}

fn no_content(file: &File) -> EnactError {
    EnactError::NoContent {
        path: file.path.to_string(),
    }
}

impl Hands<'_> {
    /// Brings a file to what it must be.
    ///
    /// # Errors
    /// Where it could not be done; then what stood there stands there still.
    pub fn file(&self, file: &File) -> Result<(), EnactError> {
        if file.state == Presence::Absent {
            return self.remove(&file.path, What::File);
        }
        let spot = self.spot_of(file)?;
        match self.draft(file, &spot)? {
            None => Ok(()),
            Some(draft) => {
                draft.sync()?;
                draft.settle(self, file)
            }
        }
    }

    /// Where a file that must be there is, or is to be.
    pub(crate) fn spot_of(&self, file: &File) -> Result<Spot, EnactError> {
        match &file.content {
            Some(_) => self.spot(&file.path),
            None => self
                .spot_if_there(&file.path)?
                .ok_or_else(|| no_content(file)),
        }
    }

    /// The new file beside its place, right but for lasting; none where only attributes were to be changed, and are.
    pub(crate) fn draft<'s>(
        &self,
        file: &File,
        spot: &'s Spot,
    ) -> Result<Option<Draft<'s>>, EnactError> {
        if let Some(entry) = spot.entry.as_ref().filter(|entry| entry.what == What::File)
            && only_attributes(file, &spot.folder, &spot.name, entry)?
        {
            let attributes = &file.attributes;
            let amended = self
                .machine()
                .amend(&spot.folder, &spot.name, entry, attributes);
            return amended.map(|()| None);
        }
        let content = file.content.as_ref().ok_or_else(|| no_content(file))?;
        self.write(file, content, spot).map(Some)
    }

    /// Writes a new file beside its place.
    pub(super) fn write<'s>(
        &self,
        file: &File,
        content: &Content,
        spot: &'s Spot,
    ) -> Result<Draft<'s>, EnactError> {
        let Spot {
            folder,
            name,
            entry,
        } = spot;
        let shown = file.path.as_str();
        let over = self.makes_way(spot)?;
        let old = entry.as_ref().filter(|entry| entry.what == What::File);
        let fresh = if file.sensitive { 0o600 } else { 0o644 };
        let origin = old.map_or(Origin::New(fresh), |old| {
            Origin::Old(&old.stat, folder.trust())
        });
        let numbers = self.machine().numbers(shown, &file.attributes, origin)?;
        let (temporary, mut out) = Temporary::file(folder)?;
        self.pour(file, content, &mut out)?;
        chown(&out, numbers.uid, numbers.gid, shown)?;
        if let Some(old) = old {
            self.keep(folder, name, old, &out, &numbers)?;
        }
        fchmod(&out, Mode::from_raw_mode(numbers.mode))
            .map_err(SysError::at("changing the mode of", shown))?;
        Ok(Draft {
            temporary,
            out,
            spot,
            over,
        })
    }

    /// How a new file takes its place.
    fn makes_way(&self, spot: &Spot) -> Result<Over, EnactError> {
        match spot.entry.as_ref().map(|entry| entry.what) {
            None | Some(What::File | What::Link) => Ok(Over::Rename),
            // Whether it is empty shows when it is exchanged.
            Some(What::Directory) => {
                self.seems_empty(spot)?;
                Ok(Over::Exchange)
            }
            Some(what @ What::Special) => Err(in_the_way(spot, what.words())),
        }
    }

    /// Streams the content, and knows at the end that it was the right one.
    pub(crate) fn pour(
        &self,
        file: &File,
        content: &Content,
        out: &mut std::fs::File,
    ) -> Result<(), EnactError> {
        let shown = file.path.as_str();
        let writing = |error| EnactError::Sys(SysError::of_io("writing", shown)(error));
        let (digest, size) = match content {
            Content::Text(bytes) => return out.write_all(bytes).map_err(writing),
            Content::Blob { digest, size } => (digest, *size),
            Content::Url { url, digest } => return fetch(file, url, digest, out),
        };
        let bad = |why: String| EnactError::Content {
            path: shown.into(),
            digest: *digest,
            why,
        };
        let blob = self.blobs().open(digest).map_err(|e| bad(e.to_string()))?;
        // One byte more than it may have shows that it has too many.
        let mut blob = blob.take(size.saturating_add(1));
        let mut sha = Sha256::new();
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let count = match blob.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => count,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(bad(error.to_string())),
            };
            sha.update(&buffer[..count]);
            out.write_all(&buffer[..count]).map_err(writing)?;
        }
        let seen = Digest::from(<[u8; 32]>::from(sha.finalize()));
        if seen != *digest {
            return Err(bad("what is kept under this digest is not that".into()));
        }
        Ok(())
    }

    /// Brings over what the old file carries beside content and attributes.
    fn keep(
        &self,
        folder: &Folder,
        name: &OsStr,
        old: &Entry,
        out: &std::fs::File,
        numbers: &Numbers,
    ) -> Result<(), EnactError> {
        if keep::counts(self.machine().root(), &old.stat, numbers) {
            let old = folder.reopen(name, old)?;
            keep::carry_over(&old, out, &folder.shown(name))?;
        }
        Ok(())
    }
}

/// Whether a regular file that stands there keeps its content.
pub(crate) fn only_attributes(
    file: &File,
    folder: &Folder,
    name: &OsStr,
    entry: &Entry,
) -> Result<bool, EnactError> {
    let others_write = folder.trust() != Trust::Closed;
    let content = match &file.content {
        Some(content) if !file.create_only => content,
        _ => {
            // In a folder of somebody else it may be a second name of a file that is not his at all.
            if others_write && entry.stat.st_nlink > 1 {
                let path = file.path.to_string();
                return Err(EnactError::ManyNames { path });
            }
            return Ok(true);
        }
    };
    if others_write {
        // A new file under the name is surely the one that gets the attributes.
        return Ok(false);
    }
    let held = folder.held(name, entry)?;
    Ok(held.is_some_and(|held| held.digest == content.digest()))
}

/// Streams what is at a URL, and knows at the end that it was the right thing.
fn fetch(
    file: &File,
    url: &str,
    digest: &Digest,
    out: &mut std::fs::File,
) -> Result<(), EnactError> {
    let mut hashing = Hashing {
        out,
        sha: Sha256::new(),
    };
    let shown = file.path.as_str();
    let bad = |why: String| EnactError::Download {
        path: shown.into(),
        // A URL may be a secret too.
        why: match file.sensitive {
            true => "what it is to hold could not be fetched, or is something else".into(),
            false => why,
        },
    };
    match download::fetch(url, MOST_DIGESTED, &mut hashing) {
        Ok(()) => {}
        Err(DownloadError::Write(error)) => {
            return Err(SysError::of_io("writing", shown)(error).into());
        }
        Err(error) => return Err(bad(error.to_string())),
    }
    let seen = Digest::from(<[u8; 32]>::from(hashing.sha.finalize()));
    match seen == *digest {
        true => Ok(()),
        false => Err(bad(format!(
            "what is at {url} has the SHA-256 {seen}, and {digest} is wanted"
        ))),
    }
}

/// A file, with the digest of what is written to it.
struct Hashing<'a> {
    out: &'a mut std::fs::File,
    sha: Sha256,
}

impl Write for Hashing<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let count = self.out.write(bytes)?;
        self.sha.update(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.out.flush()
    }
}
