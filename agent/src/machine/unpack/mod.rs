//! Unpacking what somebody else packed: hostile until it is seen not to be.
//!
//! Everything is made through folders that are held open, and no link is followed, so that nothing in an archive can
//! lead out of the folder that it is unpacked into. Links that would lead out are refused, since others would follow them.
//! A plan unpacks what is at hand too, by the same code, onto a ground that only remembers what there would be.

mod bounded;
mod ground;
mod imagined;
mod real;
mod tar;
mod zip;
mod zstd;

pub(crate) use ground::Ground;
pub(crate) use imagined::{Imagined, Stands};
pub(crate) use real::Real;

use super::walk::DEEPEST;
use cfg_catalog::resource::archive::MARKER;
use flate2::read::MultiGzDecoder;
use lzma_rust2::XzReader;
use rustix::fs::FileType;
use rustix::io::Errno;
use std::cell::Cell;
use std::ffi::{OsStr, OsString};
use std::io::{BufReader, ErrorKind, Read, Seek, SeekFrom, Write as _};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use zstd::Frames;

/// More things than anybody packs.
const MOST_ENTRIES: usize = 200_000;
/// More folders and files than anybody makes.
pub(crate) const MOST_MADE: usize = MOST_ENTRIES;
/// No name is longer; the kernel would not take it.
const MOST_NAME: usize = 4096;
/// More than what a tar says of one thing: its long names and its further attributes.
const MOST_HEAD: u64 = 64 * 1024;
/// So many characters of a name are told.
const MOST_TOLD: usize = 200;
/// More bytes than anybody unpacks.
const MOST_BYTES: u64 = 8 << 30;
/// So many times its own size may an archive unpack to, where that is more than the next.
const MOST_RATIO: u64 = 200;
/// So much may come of any archive.
const FREE: u64 = 64 << 20;
/// KiB that an xz may want in memory: `xz -9`, the most of its presets, makes what wants 65 MiB.
const MOST_MEMORY: u32 = 96 << 10;

/// An archive's bytes.
pub(crate) trait Packed: Read + Seek {}

impl<P: Read + Seek> Packed for P {}

/// Where something in an archive lies: its folders and its name.
type Place = Vec<OsString>;

/// One thing in an archive, as it is held there.
enum Thing<'t> {
    Folder,
    File {
        executable: bool,
        content: &'t mut dyn Read,
    },
    Symlink(&'t [u8]),
    /// Another name of a file or a link that came before.
    HardLink(&'t [u8]),
    /// What nobody may have from an archive: "a device".
    Other(&'static str),
}

/// An archive on its way into a folder that nobody else can write in.
pub(crate) struct Unpack<G> {
    /// The folder, or what stands for it.
    pub(crate) ground: G,
    /// Components left out at the beginning of each name.
    pub(crate) strip: usize,
    /// So many folders and files may still be made, those too that it only implies.
    pub(crate) room: Cell<usize>,
}

/// The reason, for a person.
fn told(doing: &str, place: &[OsString]) -> impl FnOnce(Errno) -> String {
    let shown = shown(place);
    let doing = doing.to_owned();
    move |errno| format!("{doing} {shown}: {}", std::io::Error::from(errno))
}

fn shown(place: &[OsString]) -> String {
    told_of(place.join(OsStr::new("/")).as_bytes())
}

/// A name that somebody else chose, for a person.
fn told_of(name: &[u8]) -> String {
    let name = String::from_utf8_lossy(name);
    let mut told: String = name.escape_debug().take(MOST_TOLD).collect();
    if name.escape_debug().nth(MOST_TOLD).is_some() {
        told.push('…');
    }
    told
}

impl<G: Ground> Unpack<G> {
    /// Unpacks all that is in it: a zip, or a tar, which may be packed itself.
    ///
    /// # Errors
    /// What is wrong with it, for a person.
    pub(crate) fn all(&self, packed: &mut dyn Packed) -> Result<(), String> {
        self.whole(packed)?;
        match self.strip > 0 && self.room.get() == MOST_MADE {
            true => Err("`strip` leaves nothing of it".into()),
            false => Ok(()),
        }
    }

    fn whole(&self, packed: &mut dyn Packed) -> Result<(), String> {
        let broken = |error: std::io::Error| format!("it cannot be read: {error}");
        let size = packed.seek(SeekFrom::End(0)).map_err(broken)?;
        packed.rewind().map_err(broken)?;
        let mut magic = [0; 6];
        let count = packed.read(&mut magic).map_err(broken)?;
        packed.rewind().map_err(broken)?;
        let most = MOST_BYTES.min(FREE.max(size.saturating_mul(MOST_RATIO)));
        let packed = BufReader::with_capacity(64 * 1024, packed);
        match &magic[..count] {
            [0x1f, 0x8b, ..] => self.tar(&mut MultiGzDecoder::new(packed), most),
            b"\xfd7zXZ\0" => {
                let mut unpacked = XzReader::new_mem_limit(packed, true, MOST_MEMORY);
                self.tar(&mut unpacked, most)
            }
            [0x28, 0xb5, 0x2f, 0xfd, ..] => self.tar(&mut Frames::new(packed), most),
            [b'P', b'K', 3, 4, ..] | [b'P', b'K', 5, 6, ..] => self.zip(packed, most),
            [b'B', b'Z', b'h', ..] => Err("bzip2 is not in this version".into()),
            _ => self.tar(&mut { packed }, most),
        }
    }

    fn stripped(&self, place: Place) -> Option<Place> {
        let rest: Place = place.into_iter().skip(self.strip).collect();
        (!rest.is_empty()).then_some(rest)
    }

    fn count(&self) -> Result<(), String> {
        let too_many = || format!("it makes more than {MOST_MADE} folders and files");
        let room = self.room.get().checked_sub(1).ok_or_else(too_many)?;
        self.room.set(room);
        Ok(())
    }

    /// Puts one thing where its name says, unless that is left out.
    fn put(&self, name: &[u8], thing: Thing<'_>) -> Result<(), String> {
        let Some(place) = self.stripped(place(name, "a name")?) else {
            return Ok(());
        };
        if place.first().is_some_and(|first| first == MARKER) {
            return Err(format!("{MARKER} is cfg's own name"));
        }
        match thing {
            Thing::Folder => self.folder(&place).map(drop),
            Thing::File {
                executable,
                content,
            } => self.file(&place, content, if executable { 0o755 } else { 0o644 }),
            Thing::Symlink(target) => self.symlink(&place, target),
            Thing::HardLink(target) => {
                self.hard_link(&place, self::place(target, "the target of a link")?)
            }
            Thing::Other(what) => Err(format!("{} is {what}", shown(&place))),
        }
    }

    /// The folder at a place, made with all above it where it is missing.
    fn folder(&self, place: &[OsString]) -> Result<G::Folder, String> {
        let ground = &self.ground;
        let mut folder = ground.top().map_err(told("opening", place))?;
        for (at, name) in place.iter().enumerate() {
            let so_far = &place[..=at];
            match ground.make(&folder, name) {
                Ok(()) => {
                    self.count()?;
                    let made = ground.enter(&folder, name);
                    folder = made.map_err(told("making", so_far))?;
                    ground.give(&folder, so_far)?;
                }
                // A link that it holds itself is no folder to put something in.
                Err(Errno::EXIST) => {
                    folder = ground.enter(&folder, name).map_err(|_| {
                        format!("{} is twice in it, and once no folder", shown(so_far))
                    })?;
                }
                Err(errno) => return Err(told("making", so_far)(errno)),
            }
        }
        Ok(folder)
    }

    /// The folder that a place lies in, and its name there.
    fn parent<'p>(&self, place: &'p [OsString]) -> Result<(G::Folder, &'p OsStr), String> {
        let (name, above) = place.split_last().ok_or("a name is empty")?;
        Ok((self.folder(above)?, name))
    }

    fn file(&self, place: &Place, content: &mut dyn Read, mode: u32) -> Result<(), String> {
        self.count()?;
        let (folder, name) = self.parent(place)?;
        let mut file = self.ground.file(&folder, name).map_err(twice(place))?;
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let count = match content.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => count,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(format!("{}: {error}", shown(place))),
            };
            let written = file.write_all(&buffer[..count]);
            written.map_err(|error| format!("writing {}: {error}", shown(place)))?;
        }
        self.ground.finish(file, mode, place)
    }

    fn symlink(&self, place: &Place, target: &[u8]) -> Result<(), String> {
        may_lead(place, target)?;
        self.count()?;
        let (folder, name) = self.parent(place)?;
        let target = OsStr::from_bytes(target);
        let made = self.ground.symlink(&folder, name, target);
        made.map_err(twice(place))?;
        self.ground.give_link(&folder, name, place)
    }

    /// Another name of a file that came before, or of a link: of itself, not of what it leads to, and it must not lead out
    /// from here either.
    fn hard_link(&self, place: &Place, target: Place) -> Result<(), String> {
        let bad = || format!("{} is another name of what is not in it", shown(place));
        let target = self.stripped(target).ok_or_else(bad)?;
        let (from, old) = self.parent(&target)?;
        match self.ground.what(&from, old).map_err(|_| bad())? {
            FileType::RegularFile => {}
            FileType::Symlink => {
                let leads = self
                    .ground
                    .leads(&from, old)
                    .map_err(told("reading", &target))?;
                may_lead(place, leads.as_bytes())?;
            }
            _ => return Err(bad()),
        }
        self.count()?;
        let (to, name) = self.parent(place)?;
        let made = self.ground.link((&from, old), (&to, name));
        made.map_err(twice(place))
    }
}

fn twice(place: &[OsString]) -> impl FnOnce(Errno) -> String {
    let place = place.to_vec();
    move |errno| match errno {
        Errno::EXIST => format!("{} is twice in it", shown(&place)),
        errno => told("making", &place)(errno),
    }
}

/// The components of a path in an archive.
fn place(path: &[u8], what: &str) -> Result<Place, String> {
    let bad = |why: &str| format!("{what} in it {why}: {}", told_of(path));
    if path.len() > MOST_NAME {
        return Err(bad("is too long"));
    }
    if path.starts_with(b"/") {
        return Err(bad("is absolute"));
    }
    let mut place = Place::new();
    for part in path.split(|byte| *byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." => return Err(bad("leads out")),
            part if part.iter().any(u8::is_ascii_control) => {
                return Err(bad("has a control character"));
            }
            _ if place.len() == DEEPEST => return Err(bad("is too deep")),
            part => place.push(OsString::from_vec(part.to_vec())),
        }
    }
    Ok(place)
}

/// Refuses a link that may lead out.
fn may_lead(place: &Place, target: &[u8]) -> Result<(), String> {
    match stays_inside(place, target) {
        true => Ok(()),
        false => Err(format!(
            "{} is a link to {}, which may lead out",
            shown(place),
            told_of(target)
        )),
    }
}

/// Whether a link leads to something within: first up, not further than it lies deep, and then only down. What lies
/// below may be a link as well, which is held to the same.
fn stays_inside(place: &Place, target: &[u8]) -> bool {
    let mut parts = target.split(|byte| *byte == b'/').peekable();
    let mut depth = place.len().saturating_sub(1);
    while parts.next_if(|part| matches!(*part, b"..")).is_some() {
        match depth.checked_sub(1) {
            Some(above) => depth = above,
            None => return false,
        }
    }
    let down = |part: &[u8]| part != b".." && !part.iter().any(u8::is_ascii_control);
    (1..=MOST_NAME).contains(&target.len()) && !target.starts_with(b"/") && parts.all(down)
}
