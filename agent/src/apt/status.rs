//! dpkg's own database, read without running dpkg.

use crate::facts;
use anyhow::Context as _;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

/// What dpkg knows of every package of a root.
#[derive(Debug, Default)]
pub struct Status {
    /// By name, one an architecture.
    entries: BTreeMap<String, Vec<Entry>>,
    native: String,
    info: PathBuf,
    journal: bool,
}

/// One package of one architecture.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// Its architecture; `all` for packages without one.
    pub arch: String,
    /// Its version; empty where dpkg only knows the name.
    pub version: String,
    /// What is wanted: install, hold, deinstall, purge, unknown.
    pub want: String,
    /// `ok`, or `reinstreq`.
    pub flag: String,
    /// How far it is: installed, unpacked, config-files and so on.
    pub state: String,
}

impl Entry {
    /// Whether dpkg stopped in the midst of it.
    pub fn is_broken(&self) -> bool {
        let halfway = !matches!(
            self.state.as_str(),
            "installed" | "config-files" | "not-installed"
        );
        halfway || self.flag == "reinstreq"
    }

    /// Whether its files are not all there, though they are wanted: no configuring mends that.
    pub fn lacks_files(&self) -> bool {
        let wanted = matches!(self.want.as_str(), "install" | "hold");
        wanted && (self.state == "half-installed" || self.flag == "reinstreq")
    }

    /// It as apt names it.
    pub fn named(&self) -> String {
        match self.arch.as_str() {
            "" | "all" => self.name.clone(),
            arch => format!("{}:{arch}", self.name),
        }
    }

    /// Whether it is on hold.
    pub fn is_held(&self) -> bool {
        self.want == "hold"
    }
}

impl Status {
    /// Reads the database of this root; a root without one has no packages.
    ///
    /// # Errors
    /// Where it is there and cannot be read.
    pub fn read(root: &Path) -> anyhow::Result<Self> {
        let dpkg = root.join("var/lib/dpkg");
        let mut status = Status {
            info: dpkg.join("info"),
            ..Status::default()
        };
        let file = dpkg.join("status");
        match std::fs::read(&file) {
            Ok(bytes) => status.add(&bytes),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(error).context(format!("cannot read {}", file.display())),
        }
        for journal in journals(&dpkg.join("updates")) {
            let bytes = std::fs::read(&journal)
                .with_context(|| format!("cannot read {}", journal.display()))?;
            status.journal = true;
            status.add(&bytes);
        }
        let own = status.entries.get("dpkg").into_iter().flatten();
        let mut archs = own.map(|entry| &entry.arch);
        status.native = match archs.find(|arch| *arch != "all") {
            Some(arch) => arch.clone(),
            None => facts::arch().to_owned(),
        };
        Ok(status)
    }

    fn add(&mut self, text: &[u8]) {
        for entry in stanzas(text).filter_map(entry) {
            let of_name = self.entries.entry(entry.name.clone()).or_default();
            match of_name.iter_mut().find(|other| other.arch == entry.arch) {
                Some(older) => *older = entry,
                None => of_name.push(entry),
            }
        }
    }

    /// The package that a role means by `name` or `name:arch`.
    pub fn find(&self, package: &str) -> Option<&Entry> {
        let (name, arch) = match package.split_once(':') {
            Some((name, arch)) if arch != "native" => (name, arch),
            Some((name, _)) => (name, self.native.as_str()),
            None => (package, self.native.as_str()),
        };
        let of_name = self.entries.get(name)?;
        let of = |arch: &str| of_name.iter().find(|entry| entry.arch == arch);
        let exact = of(arch);
        // A name once of one architecture and now of all leaves an old stanza behind.
        let all = (arch == self.native || arch == "any")
            .then(|| of("all"))
            .flatten();
        match (exact, all) {
            (Some(exact), Some(all)) if exact.state == "not-installed" => Some(all),
            (exact, all) => exact.or(all),
        }
    }

    /// Packages that dpkg left halfway, and whether it left its journal behind.
    pub fn is_interrupted(&self) -> bool {
        self.journal || self.entries.values().flatten().any(Entry::is_broken)
    }

    /// Packages that dpkg was unpacking when it was interrupted.
    pub fn half_unpacked(&self) -> impl Iterator<Item = &Entry> {
        let all = self.entries.values().flatten();
        all.filter(|entry| entry.lacks_files())
    }

    /// dpkg's word for the machine's architecture.
    pub fn native(&self) -> &str {
        &self.native
    }

    /// When this package's present version was unpacked, in µs since 1970; 0 where nothing tells.
    pub fn unpacked_us(&self, entry: &Entry) -> u64 {
        let names = [
            format!("{}.list", entry.name),
            format!("{}:{}.list", entry.name, entry.arch),
        ];
        let time = names.iter().find_map(|name| {
            let modified = std::fs::metadata(self.info.join(name))
                .ok()?
                .modified()
                .ok()?;
            modified.duration_since(UNIX_EPOCH).ok()
        });
        time.and_then(|time| u64::try_from(time.as_micros()).ok())
            .unwrap_or(0)
    }
}

/// dpkg's journal, oldest first: what it did since it last wrote the status file whole.
fn journals(folder: &Path) -> Vec<PathBuf> {
    let Ok(listing) = std::fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut files: Vec<_> = listing
        .flatten()
        .filter(|entry| {
            let name = entry.file_name();
            let name = name.as_encoded_bytes();
            !name.is_empty() && name.iter().all(u8::is_ascii_digit)
        })
        .map(|entry| entry.path())
        .collect();
    files.sort();
    files
}

/// The pieces of a text that empty lines part.
pub(super) fn stanzas(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let end = memchr::memmem::find(rest, b"\n\n");
        let (stanza, after) = match end {
            Some(at) => (&rest[..at], &rest[at + 2..]),
            None => (rest, &rest[rest.len()..]),
        };
        rest = after;
        Some(stanza)
    })
}

/// The fields of a stanza with the lines that they begin on; what continues one is left out.
pub(super) fn fields(stanza: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let mut rest = stanza;
    std::iter::from_fn(move || {
        loop {
            if rest.is_empty() {
                return None;
            }
            let end = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
            let (line, after) = (&rest[..end], rest.get(end + 1..).unwrap_or_default());
            rest = after;
            // Continued lines begin with a space.
            if line.starts_with(b" ") {
                continue;
            }
            if let Some(colon) = memchr::memchr(b':', line) {
                return Some((&line[..colon], line[colon + 1..].trim_ascii()));
            }
        }
    })
}

fn entry(stanza: &[u8]) -> Option<Entry> {
    let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
    let mut entry = Entry::default();
    let mut left = 4;
    for (field, value) in fields(stanza) {
        match field {
            b"Package" => entry.name = text(value),
            b"Architecture" => entry.arch = text(value),
            b"Version" => entry.version = text(value),
            b"Status" => {
                let value = text(value);
                let mut words = value.split_ascii_whitespace().map(str::to_owned);
                entry.want = words.next()?;
                entry.flag = words.next()?;
                entry.state = words.next()?;
            }
            _ => continue,
        }
        left -= 1;
        if left == 0 {
            // Much more follows that nobody asks for, and no field comes twice.
            break;
        }
    }
    (!entry.name.is_empty() && !entry.state.is_empty()).then_some(entry)
}

/// The packages that apt marks as installed only for others: name and architecture.
///
/// # Errors
/// Where the list is there and cannot be read.
pub fn automatic(root: &Path) -> anyhow::Result<BTreeSet<(String, String)>> {
    let file = root.join("var/lib/apt/extended_states");
    let bytes = match std::fs::read(&file) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(BTreeSet::new()),
        Err(error) => return Err(error).context(format!("cannot read {}", file.display())),
    };
    Ok(stanzas(&bytes).filter_map(automatic_entry).collect())
}

fn automatic_entry(stanza: &[u8]) -> Option<(String, String)> {
    let field = |wanted: &[u8]| {
        let value = fields(stanza).find_map(|(field, value)| (field == wanted).then_some(value))?;
        Some(String::from_utf8_lossy(value).into_owned())
    };
    let auto = field(b"Auto-Installed")? == "1";
    auto.then_some((field(b"Package")?, field(b"Architecture")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATUS: &str = "\
Package: dpkg
Status: install ok installed
Architecture: amd64
Version: 1.21.22

Package: zookeeperd
Status: hold ok installed
Architecture: all
Version: 3.8.0-11+deb12u2
Description: ZooKeeper
 Status: not a field
Conffiles:
 /etc/default/zookeeper 8b1f

Package: half
Status: install ok half-configured
Architecture: amd64
Version: 1

Package: gone
Status: deinstall ok config-files
Architecture: amd64
Version: 2

Package: libc6
Status: install ok installed
Architecture: i386
Version: 2.36
";

    fn root(status: &str) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        let dpkg = root.path().join("var/lib/dpkg");
        std::fs::create_dir_all(dpkg.join("updates")).unwrap();
        std::fs::create_dir_all(dpkg.join("info")).unwrap();
        std::fs::write(dpkg.join("status"), status).unwrap();
        root
    }

    #[test]
    fn finds_by_name_and_architecture() {
        let root = root(STATUS);
        let status = Status::read(root.path()).unwrap();
        assert_eq!(status.native(), "amd64");
        for (asked, state, version) in [
            ("dpkg", "installed", "1.21.22"),
            ("zookeeperd", "installed", "3.8.0-11+deb12u2"),
            ("zookeeperd:amd64", "installed", "3.8.0-11+deb12u2"),
            ("half", "half-configured", "1"),
            ("gone", "config-files", "2"),
            ("libc6:i386", "installed", "2.36"),
        ] {
            let entry = status.find(asked).unwrap_or_else(|| panic!("{asked}"));
            assert_eq!((&*entry.state, &*entry.version), (state, version));
        }
        assert_eq!(status.find("libc6"), None, "only the foreign one is there");
        assert_eq!(status.find("nothing"), None);
        assert!(status.find("zookeeperd").unwrap().is_held());
        assert!(!status.find("dpkg").unwrap().is_held());
        assert!(status.is_interrupted(), "half is half-configured");
    }

    #[test]
    fn journal_overrides_and_says_interrupted() {
        let root = root(&STATUS.replace("half-configured", "installed"));
        let read = || Status::read(root.path()).unwrap();
        assert!(!read().is_interrupted());
        let updates = root.path().join("var/lib/dpkg/updates");
        std::fs::write(updates.join("tmp.i"), "Package: x\nStatus: a b c\n").unwrap();
        assert!(!read().is_interrupted(), "tmp.i is dpkg's draft");
        for (file, state) in [("0001", "half-installed"), ("0000", "unpacked")] {
            let text = format!(
                "Package: gone\nStatus: install ok {state}\nArchitecture: amd64\nVersion: 3\n"
            );
            std::fs::write(updates.join(file), text).unwrap();
        }
        let status = read();
        assert!(status.is_interrupted());
        assert_eq!(status.find("gone").unwrap().state, "half-installed");
    }

    #[test]
    fn only_what_is_wanted_and_lacks_files_is_unpacked_again() {
        for (words, arch, again) in [
            (
                "install reinstreq half-installed",
                "amd64",
                Some("half:amd64"),
            ),
            ("install ok half-installed", "all", Some("half")),
            ("hold reinstreq unpacked", "i386", Some("half:i386")),
            // Somebody was removing it.
            ("deinstall ok half-installed", "amd64", None),
            ("purge reinstreq half-installed", "amd64", None),
            ("install ok unpacked", "amd64", None),
            ("install ok half-configured", "amd64", None),
            ("install ok installed", "amd64", None),
        ] {
            let root = root(&format!(
                "Package: half\nStatus: {words}\nArchitecture: {arch}\nVersion: 1\n"
            ));
            let status = Status::read(root.path()).unwrap();
            let found: Vec<_> = status.half_unpacked().map(Entry::named).collect();
            assert_eq!(found, again.into_iter().collect::<Vec<_>>(), "{words}");
        }
    }

    #[test]
    fn empty_root_has_nothing_and_unreadable_is_an_error() {
        let root = tempfile::tempdir().unwrap();
        assert!(Status::read(root.path()).unwrap().find("dpkg").is_none());
        assert!(automatic(root.path()).unwrap().is_empty());
        std::fs::create_dir_all(root.path().join("var/lib/dpkg/status")).unwrap();
        assert!(Status::read(root.path()).is_err());
    }

    #[test]
    fn automatic_marks() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("var/lib/apt");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(
            folder.join("extended_states"),
            "Package: a\nArchitecture: amd64\nAuto-Installed: 1\n\nPackage: b\nArchitecture: amd64\nAuto-Installed: 0\n",
        )
        .unwrap();
        assert_eq!(
            automatic(root.path()).unwrap(),
            BTreeSet::from([("a".to_owned(), "amd64".to_owned())])
        );
    }
}
