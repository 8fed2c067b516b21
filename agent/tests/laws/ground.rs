//! What stands on a machine, at few names, so that roles meet it.

use proptest::prelude::*;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::Path;

/// Of a machine and its roles, each above those below it.
pub const PATHS: [&str; 8] = [
    "/srv/a",
    "/srv/a/x",
    "/srv/a/x/z",
    "/srv/a/y",
    "/srv/b",
    "/srv/b/x",
    "/srv/b/x/z",
    "/srv/c",
];

/// Where links of machines and roles lead.
pub const TARGETS: [&str; 3] = ["nowhere", "/srv/t", "/srv/t/deeper"];

#[derive(Clone, Debug)]
enum Thing {
    Nothing,
    File(&'static str, u32),
    Folder(u32),
    Link(&'static str),
}

/// One thing for each path; what has no folder to stand in does not.
#[derive(Clone, Debug)]
pub struct Ground(Vec<Thing>);

pub fn ground() -> impl Strategy<Value = Ground> {
    let mode = prop::sample::select(vec![0o644, 0o600, 0o755]);
    let thing = prop_oneof![
        Just(Thing::Nothing),
        (content(), mode).prop_map(|(content, mode)| Thing::File(content, mode)),
        prop::sample::select(vec![0o755, 0o700, 0o777, 0o1777]).prop_map(Thing::Folder),
        prop::sample::select(TARGETS.to_vec()).prop_map(Thing::Link),
    ];
    prop::collection::vec(thing, PATHS.len()).prop_map(Ground)
}

pub fn content() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["", "A=1\n", "# of somebody\nA=2\nC=\"x y\"\n"])
}

impl Ground {
    /// Makes it below this folder, with an empty folder `/srv/t` that links lead to.
    pub fn stand(&self, root: &Path) {
        fs::create_dir_all(root.join("srv/t")).unwrap();
        for (path, thing) in PATHS.iter().zip(&self.0) {
            let at = root.join(&path[1..]);
            let above = at.parent().unwrap();
            if !above.symlink_metadata().is_ok_and(|above| above.is_dir()) {
                continue;
            }
            match *thing {
                Thing::Nothing => {}
                Thing::File(content, mode) => {
                    fs::write(&at, content).unwrap();
                    chmod(&at, mode);
                }
                Thing::Folder(mode) => {
                    fs::create_dir(&at).unwrap();
                    chmod(&at, mode);
                }
                Thing::Link(target) => symlink(target, &at).unwrap(),
            }
        }
    }
}

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// All that stands below a folder: of each path its kind, mode and content.
pub struct Picture(BTreeMap<String, String>);

impl Picture {
    pub fn of(root: &Path) -> Picture {
        let mut all = BTreeMap::new();
        look(root, "", &mut all);
        Picture(all)
    }

    /// What is different in another one, a line each.
    pub fn to(&self, other: &Picture) -> String {
        let mut said = String::new();
        let paths = self
            .0
            .keys()
            .chain(other.0.keys().filter(|path| !self.0.contains_key(*path)));
        for path in paths {
            let (here, there) = (self.0.get(path), other.0.get(path));
            if here != there {
                writeln!(said, "{path}: {here:?} -> {there:?}").unwrap();
            }
        }
        said
    }
}

fn look(root: &Path, below: &str, all: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(root.join(below)).unwrap() {
        let entry = entry.unwrap();
        let path = format!("{below}{}", entry.file_name().to_str().unwrap());
        let seen = entry.metadata().unwrap();
        let (mode, kind) = (seen.mode() & 0o7777, entry.file_type().unwrap());
        let told = match (kind.is_dir(), kind.is_symlink()) {
            (true, _) => format!("folder {mode:o}"),
            (_, true) => format!("link to {}", fs::read_link(entry.path()).unwrap().display()),
            _ => format!(
                "file {mode:o} {:?}",
                String::from_utf8_lossy(&fs::read(entry.path()).unwrap())
            ),
        };
        if kind.is_dir() {
            look(root, &format!("{path}/"), all);
        }
        all.insert(path, told);
    }
}
