//! Unpacking what somebody else packed: hostile until it is seen not to be.
//!
//! Everything is made through folders that are held open, and no link is followed, so that nothing in an archive can
//! lead out of the folder that it is unpacked into. Links that would lead out are refused, since others would follow them.

use super::attributes::{Numbers, chown};
use super::below::mount_of;
use super::error::SysError;
use super::walk::{DEEPEST, Folder};
use cfg_catalog::resource::archive::MARKER;
use flate2::read::MultiGzDecoder;
use rustix::fs::{
    AtFlags, Mode, OFlags, Stat, fstat, linkat, mkdirat, openat, symlinkat, unlinkat,
};
use rustix::io::Errno;
use std::cell::Cell;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{ErrorKind, Read, Seek as _, Write as _};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use tar::{Entry, EntryType};

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

/// Where something in an archive lies: its folders and its name.
type Place = Vec<OsString>;

/// An archive on its way into a folder that nobody else can write in.
pub(crate) struct Unpack<'a> {
    /// The folder.
    pub(crate) top: &'a Folder,
    /// Components left out at the beginning of each name.
    pub(crate) strip: usize,
    /// Whose everything is to be.
    pub(crate) numbers: &'a Numbers,
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

impl Unpack<'_> {
    /// Unpacks all that is in it: a tar, plain or gzipped.
    ///
    /// # Errors
    /// What is wrong with it, for a person.
    pub(crate) fn all(&self, mut packed: File) -> Result<(), String> {
        let broken = |error: std::io::Error| format!("it cannot be read: {error}");
        let size = packed.metadata().map_err(broken)?.len();
        let mut magic = [0; 6];
        let count = packed.read(&mut magic).map_err(broken)?;
        packed.rewind().map_err(broken)?;
        let most = MOST_BYTES.min(FREE.max(size.saturating_mul(MOST_RATIO)));
        match &magic[..count] {
            [0x1f, 0x8b, ..] => self.tar(MultiGzDecoder::new(packed), most),
            [0xfd, b'7', b'z', b'X', b'Z', ..]
            | [0x28, 0xb5, 0x2f, 0xfd, ..]
            | [b'P', b'K', ..] => Err(
                "only tar and tar.gz are unpacked; xz, zstd and zip are not in this version".into(),
            ),
            _ => self.tar(packed, most),
        }
    }

    fn tar(&self, packed: impl Read, most: u64) -> Result<(), String> {
        let broken = |error: std::io::Error| format!("it is no tar, or is damaged: {error}");
        let head = Cell::new(Some(MOST_HEAD));
        // One byte more than there may be shows that there are too many.
        let mut archive = tar::Archive::new(Bounded {
            packed,
            left: most,
            head: &head,
        });
        let mut entries = 0;
        for entry in archive.entries().map_err(broken)? {
            let mut entry = entry.map_err(broken)?;
            head.set(None);
            entries += 1;
            if entries > MOST_ENTRIES {
                return Err(format!("it holds more than {MOST_ENTRIES} things"));
            }
            let place = place(&entry.path_bytes(), "a name")?;
            if let Some(place) = self.stripped(place) {
                self.put(&place, &mut entry)?;
            }
            // What is left of it is not of the next one's head.
            std::io::copy(&mut entry, &mut std::io::sink()).map_err(broken)?;
            head.set(Some(MOST_HEAD));
        }
        match entries {
            0 => Err("it holds nothing, or is no tar".into()),
            _ => Ok(()),
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

    fn put<R: Read>(&self, place: &Place, entry: &mut Entry<'_, R>) -> Result<(), String> {
        if *place == [MARKER] {
            return Err(format!("{MARKER} is cfg's own name"));
        }
        let mode = entry.header().mode().unwrap_or(0o644);
        let executable = mode & 0o111 != 0;
        match entry.header().entry_type() {
            EntryType::XGlobalHeader => Ok(()),
            EntryType::Directory => self.folder(place).map(drop),
            // A few bytes of it could become more than any disk has.
            _ if is_sparse(entry)? => Err(format!("{} is a sparse file", shown(place))),
            EntryType::Regular | EntryType::Continuous => {
                self.file(place, entry, if executable { 0o755 } else { 0o644 })
            }
            EntryType::Symlink => {
                let target = entry.link_name_bytes();
                let target = target.ok_or_else(|| format!("{} leads nowhere", shown(place)))?;
                self.symlink(place, &target)
            }
            EntryType::Link => {
                let target = entry.link_name_bytes();
                let target = target.ok_or_else(|| format!("{} leads nowhere", shown(place)))?;
                self.hard_link(place, self::place(&target, "the target of a link")?)
            }
            _ => Err(format!(
                "{} is a device, a FIFO or something else that is no file",
                shown(place)
            )),
        }
    }

    /// The folder at a place, made with all above it where it is missing.
    fn folder(&self, place: &[OsString]) -> Result<OwnedFd, String> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut folder =
            openat(self.top, ".", flags, Mode::empty()).map_err(told("opening", place))?;
        for (at, name) in place.iter().enumerate() {
            let so_far = &place[..=at];
            match mkdirat(&folder, name, Mode::from_raw_mode(0o755)) {
                Ok(()) => {
                    self.count()?;
                    let made = openat(&folder, name, flags, Mode::empty());
                    let made = made.map_err(told("making", so_far))?;
                    self.give(&made, so_far)?;
                    folder = made;
                }
                // A link that it holds itself is no folder to put something in.
                Err(Errno::EXIST) => {
                    let there = openat(&folder, name, flags, Mode::empty());
                    folder = there.map_err(|_| {
                        format!("{} is twice in it, and once no folder", shown(so_far))
                    })?;
                }
                Err(errno) => return Err(told("making", so_far)(errno)),
            }
        }
        Ok(folder)
    }

    /// The folder that a place lies in, and its name there.
    fn parent<'p>(&self, place: &'p [OsString]) -> Result<(OwnedFd, &'p OsStr), String> {
        let (name, above) = place.split_last().ok_or("a name is empty")?;
        Ok((self.folder(above)?, name))
    }

    fn file(&self, place: &Place, content: &mut impl Read, mode: u32) -> Result<(), String> {
        self.count()?;
        let (folder, name) = self.parent(place)?;
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let made = openat(&folder, name, flags, Mode::RUSR | Mode::WUSR).map_err(twice(place))?;
        let mut file = File::from(made);
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
        self.give(&file, place)?;
        rustix::fs::fchmod(&file, Mode::from_raw_mode(mode))
            .map_err(told("changing the mode of", place))
    }

    fn symlink(&self, place: &Place, target: &[u8]) -> Result<(), String> {
        if !stays_inside(place, target) {
            return Err(format!(
                "{} is a link to {}, which may lead out",
                shown(place),
                told_of(target)
            ));
        }
        self.count()?;
        let (folder, name) = self.parent(place)?;
        symlinkat(OsStr::from_bytes(target), &folder, name).map_err(twice(place))?;
        let (uid, gid) = (self.numbers.uid, self.numbers.gid);
        let uid = uid.map(rustix::fs::Uid::from_raw);
        let gid = gid.map(rustix::fs::Gid::from_raw);
        rustix::fs::chownat(&folder, name, uid, gid, AtFlags::SYMLINK_NOFOLLOW)
            .map_err(told("changing the owner of", place))
    }

    /// Another name of a file that came before.
    fn hard_link(&self, place: &Place, target: Place) -> Result<(), String> {
        let bad = || format!("{} is another name of what is not in it", shown(place));
        let target = self.stripped(target).ok_or_else(bad)?;
        let (from, old) = self.parent(&target)?;
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let seen = openat(&from, old, flags, Mode::empty()).map_err(|_| bad())?;
        let stat = fstat(&seen).map_err(told("looking at", &target))?;
        if !rustix::fs::FileType::from_raw_mode(stat.st_mode).is_file() {
            return Err(bad());
        }
        self.count()?;
        let (to, name) = self.parent(place)?;
        linkat(&from, old, &to, name, AtFlags::empty()).map_err(twice(place))
    }

    fn give(&self, fd: impl AsFd, place: &[OsString]) -> Result<(), String> {
        chown(fd, self.numbers.uid, self.numbers.gid, &shown(place))
            .map_err(|error| error.to_string())
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

/// Whether a file has holes, as GNU tar says so in either of its ways.
fn is_sparse<R: Read>(entry: &mut Entry<'_, R>) -> Result<bool, String> {
    match entry.header().entry_type() {
        EntryType::GNUSparse => return Ok(true),
        EntryType::Regular => {}
        _ => return Ok(false),
    }
    let broken = |error: std::io::Error| format!("it is damaged: {error}");
    for extension in entry
        .pax_extensions()
        .map_err(broken)?
        .into_iter()
        .flatten()
    {
        let key = extension.map_err(broken)?.key_bytes();
        if key.starts_with(b"GNU.sparse.") {
            return Ok(true);
        }
    }
    Ok(false)
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

/// Ends with an error where more comes than may.
struct Bounded<'h, R> {
    packed: R,
    left: u64,
    /// What may still come of a head, while one is read: it is kept in memory.
    head: &'h Cell<Option<u64>>,
}

impl<R: Read> Read for Bounded<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.packed.read(buffer)?;
        let too_much =
            || std::io::Error::other("it unpacks to more than an archive of its size may");
        self.left = self.left.checked_sub(count as u64).ok_or_else(too_much)?;
        if let Some(left) = self.head.get() {
            let too_much = || std::io::Error::other("what it says of one thing is too long");
            let left = left.checked_sub(count as u64).ok_or_else(too_much)?;
            self.head.set(Some(left));
        }
        Ok(count)
    }
}

/// Refuses a tree in which something is mounted.
pub(crate) fn holds_no_mount(folder: &Folder, name: &OsStr) -> Result<(), SysError> {
    each_below(folder, name, None, &mut |_, _, _| Ok(()))
}

/// Removes a tree, folder by folder, following nothing and crossing no mount.
pub(crate) fn remove_tree(folder: &Folder, name: &OsStr) -> Result<(), SysError> {
    remove(folder, name, None)
}

/// Removes a tree that this process made, from a folder too in which others can exchange it: never another one.
pub(crate) fn remove_own_tree(folder: &Folder, name: &OsStr, made: &Stat) -> Result<(), SysError> {
    remove(folder, name, Some(made))
}

fn remove(folder: &Folder, name: &OsStr, made: Option<&Stat>) -> Result<(), SysError> {
    let mut remove = |above: &OwnedFd, name: &OsStr, is_folder: bool| {
        let flags = match is_folder {
            true => AtFlags::REMOVEDIR,
            false => AtFlags::empty(),
        };
        unlinkat(above, name, flags)
    };
    each_below(folder, name, made, &mut remove)?;
    let at = SysError::at("removing", folder.shown(name));
    unlinkat(folder, name, AtFlags::REMOVEDIR).map_err(at)
}

type Found<'f> = dyn FnMut(&OwnedFd, &OsStr, bool) -> rustix::io::Result<()> + 'f;

/// Calls `found` with everything below a directory, what lies deeper first; with `made`, only if it is that one.
fn each_below(
    folder: &Folder,
    name: &OsStr,
    made: Option<&Stat>,
    found: &mut Found<'_>,
) -> Result<(), SysError> {
    let shown = folder.shown(name);
    let at = |doing| SysError::at(doing, shown.clone());
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let top = openat(folder, name, flags, Mode::empty()).map_err(at("opening"))?;
    if let Some(made) = made {
        let stat = fstat(&top).map_err(at("looking at"))?;
        if (stat.st_dev, stat.st_ino) != (made.st_dev, made.st_ino) {
            return Err(at("removing")(Errno::STALE));
        }
    }
    let mount = mount_of(&top, &shown)?;
    let mut way = vec![(top, OsString::new(), None::<Vec<OsString>>)];
    loop {
        let depth = way.len();
        let Some((here, own, names)) = way.last_mut() else {
            return Ok(());
        };
        let names = match names {
            Some(names) => names,
            None => {
                let listed = list(here).map_err(at("listing"))?;
                names.insert(listed)
            }
        };
        let Some(next) = names.pop() else {
            let own = std::mem::take(own);
            way.pop();
            if let Some((above, _, _)) = way.last() {
                found(above, &own, true).map_err(at("removing"))?;
            }
            continue;
        };
        match openat(&*here, &next, flags, Mode::empty()) {
            Ok(inner) if mount_of(&inner, &shown)? != mount => {
                return Err(at("removing")(Errno::BUSY));
            }
            Ok(_) if depth > DEEPEST => return Err(at("removing")(Errno::LOOP)),
            Ok(inner) => way.push((inner, next, None)),
            Err(Errno::NOENT) => {}
            Err(_) => found(here, &next, false).map_err(at("removing"))?,
        }
    }
}

fn list(folder: &OwnedFd) -> rustix::io::Result<Vec<OsString>> {
    let mut names = Vec::new();
    for entry in rustix::fs::Dir::read_from(folder)? {
        let name = entry?.file_name().to_bytes().to_vec();
        if name != b"." && name != b".." {
            names.push(OsString::from_vec(name));
        }
    }
    Ok(names)
}
