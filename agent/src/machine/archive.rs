//! An archive: unpacked beside its place, and then put there whole.

use super::Machine;
use super::Wanted;
use super::attributes::{Numbers, Origin, chown};
use super::directory::in_the_way;
use super::error::{EnactError, SysError};
use super::hands::{BlobSource, Hands, Spot};
use super::read::ReadError;
use super::temporary::{Over, Temporary};
use super::trees::holds_no_mount;
use super::unpack::{Ground, Imagined, MOST_MADE, Packed, Real, Unpack};
use super::walk::What;
use cfg_catalog::digest::Digest;
use cfg_catalog::resource::archive::{Archive, ArchiveState, MARKER, is_marker};
use cfg_catalog::resource::file::{Content, File};
use cfg_catalog::resource::{PathState, Presence};
use rustix::fs::{Mode, OFlags, openat, syncfs};
use std::cell::Cell;
use std::io::{Cursor, Read as _, Seek as _, Write as _};

/// No marker is longer.
const MOST_MARKER: u64 = 4096;

impl Machine {
    /// What is seen where an archive is to lie.
    ///
    /// # Errors
    /// Where its marker could not be read.
    pub(crate) fn archive(&self, archive: &Archive) -> Result<ArchiveState, ReadError> {
        let wanted = Wanted {
            gone: archive.state == Presence::Absent,
            ..Wanted::default()
        };
        let path = self.observe_path(&archive.path, &wanted);
        let marker = match (&path, archive.path.join(MARKER)) {
            (PathState::Directory(_), Ok(marker)) => match self.root().read(&marker, MOST_MARKER) {
                // What is no file, or larger, is not cfg's.
                Err(ReadError::NotAFile(_) | ReadError::TooBig { .. }) => None,
                read => read?,
            },
            _ => None,
        };
        let marker = marker.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        Ok(ArchiveState {
            path,
            marker: marker.filter(|text| is_marker(text)),
        })
    }

    /// Unpacks an archive in mind, where it is at hand: what is not is taken for good. Gives what it would come to.
    ///
    /// # Errors
    /// Where it holds what it must not, or cannot be unpacked.
    pub(crate) fn walk_archive(
        &self,
        archive: &Archive,
        blobs: &dyn BlobSource,
    ) -> Result<Option<Imagined>, EnactError> {
        let bytes = match &archive.content {
            Some(Content::Text(bytes)) => bytes.clone(),
            Some(Content::Blob { digest, size }) => match at_hand(blobs, digest, *size) {
                Some(bytes) => bytes,
                None => return Ok(None),
            },
            Some(Content::Url { .. }) | None => return Ok(None),
        };
        let ground = Imagined::default();
        unpack(archive, ground.clone(), &mut Cursor::new(bytes))?;
        Ok(Some(ground))
    }
}

/// A content, whole; none where it cannot be read.
fn at_hand(blobs: &dyn BlobSource, digest: &Digest, size: u64) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let blob = blobs.open(digest).ok()?;
    blob.take(size).read_to_end(&mut bytes).ok()?;
    (Digest::of(&bytes) == *digest).then_some(bytes)
}

impl Hands<'_> {
    /// Brings an archive to where it must lie, or takes it away.
    ///
    /// # Errors
    /// Where it could not be had, holds what it must not, or could not be unpacked; then what stood there stands there
    /// still.
    pub(crate) fn archive(&self, archive: &Archive) -> Result<(), EnactError> {
        let (Presence::Present, Some(content), Some(marker)) =
            (archive.state, &archive.content, archive.marker())
        else {
            return self.remove_archive(archive);
        };
        let spot = self.spot(&archive.path)?;
        let over = self.gives_way(archive, &spot)?;
        let shown = archive.path.as_str();
        let origin = Origin::New(0o755);
        let numbers = self.machine().numbers(shown, &archive.attributes, origin)?;
        let (packed, mut out) = Temporary::file(&spot.folder)?;
        let as_file = File {
            path: archive.path.clone(),
            state: Presence::Present,
            content: None,
            attributes: archive.attributes.clone(),
            validate: None,
            sensitive: false,
            create_only: false,
        };
        self.pour(&as_file, content, &mut out)?;
        out.rewind().map_err(SysError::of_io("reading", shown))?;
        let (temporary, entry) = Temporary::directory(&spot.folder)?;
        let top = spot
            .folder
            .below(self.machine().root(), temporary.name(), entry);
        let ground = Real {
            top: &top,
            numbers: &numbers,
        };
        unpack(archive, ground, &mut out)?;
        drop(packed);
        mark(&top, &marker, &numbers, shown)?;
        let at = |doing| SysError::at(doing, shown);
        chown(&top, numbers.uid, numbers.gid, shown)?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let opened = openat(&top, ".", flags, Mode::empty()).map_err(at("opening"))?;
        rustix::fs::fchmod(&opened, Mode::from_raw_mode(0o755))
            .map_err(at("changing the mode of"))?;
        syncfs(&opened).map_err(at("writing to disk"))?;
        temporary.settle(&spot.name, over)
    }

    fn remove_archive(&self, archive: &Archive) -> Result<(), EnactError> {
        let Some(spot) = self.spot_if_there(&archive.path)? else {
            return Ok(());
        };
        match spot.entry.as_ref().map(|entry| entry.what) {
            None => Ok(()),
            Some(What::Directory) => {
                self.gives_way(archive, &spot)?;
                // Under a hidden name first: nobody sees half of it.
                let aside = Temporary::of(&spot.folder, &spot.name)?;
                aside.remove()
            }
            Some(_) => self.remove(&archive.path, What::Link),
        }
    }

    /// How an archive takes the place of what stands there: only what cfg unpacked goes with all that is in it.
    fn gives_way(&self, archive: &Archive, spot: &Spot) -> Result<Over, EnactError> {
        match spot.entry.as_ref().map(|entry| entry.what) {
            None => Ok(Over::Rename),
            Some(What::Link) => Ok(Over::Exchange),
            Some(What::Directory) => {
                let seen = self.machine().archive(archive);
                let seen = seen.map_err(|error| EnactError::Unfit(error.to_string()))?;
                if seen.marker.is_none() {
                    self.seems_empty(spot)?;
                    return Ok(Over::Exchange);
                }
                holds_no_mount(&spot.folder, &spot.name)?;
                Ok(Over::Tree)
            }
            Some(what) => Err(in_the_way(spot, what.words())),
        }
    }
}

/// Unpacks an archive onto the ground where it is to lie, or onto one that stands for it.
fn unpack(
    archive: &Archive,
    ground: impl Ground,
    packed: &mut dyn Packed,
) -> Result<(), EnactError> {
    let unpack = Unpack {
        ground,
        strip: archive.strip as usize,
        room: Cell::new(MOST_MADE),
    };
    unpack.all(packed).map_err(|why| EnactError::Archive {
        path: archive.path.to_string(),
        why,
    })
}

fn mark(
    top: &super::walk::Folder,
    marker: &str,
    numbers: &Numbers,
    shown: &str,
) -> Result<(), EnactError> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let fd = openat(top, MARKER, flags, Mode::from_raw_mode(0o644))
        .map_err(SysError::at("making the marker of", shown))?;
    let mut file = std::fs::File::from(fd);
    file.write_all(marker.as_bytes())
        .map_err(SysError::of_io("writing", shown))?;
    chown(&file, numbers.uid, numbers.gid, shown)?;
    rustix::fs::fchmod(&file, Mode::from_raw_mode(0o644))
        .map_err(SysError::at("changing the mode of", shown))?;
    Ok(())
}
