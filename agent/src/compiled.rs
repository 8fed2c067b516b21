//! The role of the last run from a catalog, read, checked and merged: as long as no file of the catalog changes, the next run need not do
//! so again. It is rendered anew each time, since that hangs on the machine.

use crate::clock;
use crate::durable;
use crate::folder::{self, Stamps};
use cfg_catalog::digest::Digest;
use cfg_catalog::release::part::Part;
use rustix::fs::OFlags;
use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::Read as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// Two changes of a file within the same tick of the kernel's clock cannot be told from one. What changed so lately may change again
/// unseen, in seconds.
const SETTLED_S: i64 = 2;

/// Where a role is kept, and what it must be made from.
#[derive(Debug)]
pub struct Place {
    path: PathBuf,
    source: Digest,
    /// Whether what is made from the files now is the same for as long as their stamps are.
    settled: bool,
}

impl Place {
    /// In this state directory, of a catalog's folder as it is now, for one role and node, by this very program; none where that cannot be
    /// told without reading the files.
    pub fn of(
        state: &Path,
        catalog: &Path,
        (role, node): (&str, &str),
        set: &BTreeMap<String, String>,
    ) -> Option<Self> {
        let Stamps { digest, latest_s } = folder::stamps(catalog)?;
        let program = std::env::current_exe().and_then(std::fs::metadata).ok()?;
        let program = (
            program.dev(),
            program.ino(),
            program.size(),
            program.ctime(),
            program.ctime_nsec(),
        );
        let source = serde_json::to_vec(&(program, digest, role, node, set)).ok()?;
        Some(Self {
            path: state.join("compiled.json"),
            source: Digest::of(&source),
            settled: latest_s + SETTLED_S < clock::now().as_second(),
        })
    }

    /// The part and this node's own layer, if they are kept and were made from the same.
    pub fn load(&self) -> Option<(Part, Option<Vec<u8>>)> {
        let text = own(&self.path)?;
        let rest = text.strip_prefix(self.source.to_string().as_bytes())?;
        serde_json::from_slice(rest).ok()
    }

    /// Keeps what was made from it. Where that fails, the next run makes it again.
    pub fn keep(&self, part: &Part, leaf: Option<&[u8]>) {
        let mut text = self.source.to_string().into_bytes();
        if self.settled && serde_json::to_writer(&mut text, &(part, leaf)).is_ok() {
            let _ = durable::replace(&self.path, &text);
        }
    }
}

/// A file that nobody else can have written.
fn own(path: &Path) -> Option<Vec<u8>> {
    let mut options = OpenOptions::new();
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    options.read(true).custom_flags(flags.bits().cast_signed());
    let mut file = options.open(path).ok()?;
    let found = file.metadata().ok()?;
    let own = found.uid() == rustix::process::geteuid().as_raw() && found.mode() & 0o022 == 0;
    if !own || !found.is_file() {
        return None;
    }
    let mut text = Vec::new();
    file.read_to_end(&mut text).ok()?;
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use cfg_catalog::{Catalog, CatalogFiles};
    use std::fs;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    const NONE: BTreeMap<String, String> = BTreeMap::new();

    fn part() -> Part {
        let mut files = CatalogFiles::default();
        let text = "[file.\"/etc/motd\"]\ncontent = \"hello\\n\"\n";
        files.bytes.insert("web/role.toml".into(), text.into());
        let (catalog, _) = Catalog::load(&files).unwrap();
        catalog.part("web").unwrap().clone()
    }

    struct World {
        dir: tempfile::TempDir,
    }

    impl World {
        /// A catalog that has not changed for a while.
        fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            fs::create_dir_all(dir.path().join("roles/web")).unwrap();
            fs::create_dir(dir.path().join("state")).unwrap();
            fs::write(dir.path().join("roles/web/role.toml"), "").unwrap();
            Self { dir }
        }

        fn place(&self, role: &str, node: &str, set: &BTreeMap<String, String>) -> Place {
            let (state, roles) = (self.dir.path().join("state"), self.dir.path().join("roles"));
            let place = Place::of(&state, &roles, (role, node), set).unwrap();
            Place {
                settled: true,
                ..place
            }
        }

        fn kept(&self) -> std::path::PathBuf {
            self.dir.path().join("state/compiled.json")
        }
    }

    #[test]
    fn it_is_had_again_for_the_same_alone() {
        let world = World::new();
        let place = world.place("web", "n1", &NONE);
        assert_eq!(place.load(), None);
        place.keep(&part(), Some(b"leaf"));
        assert_eq!(
            world.place("web", "n1", &NONE).load(),
            Some((part(), Some(b"leaf".to_vec())))
        );
        assert_eq!(world.place("db", "n1", &NONE).load(), None);
        assert_eq!(world.place("web", "n2", &NONE).load(), None);
        let set = BTreeMap::from([("a".to_owned(), "b".to_owned())]);
        assert_eq!(world.place("web", "n1", &set).load(), None);
        fs::write(world.dir.path().join("roles/web/role.toml"), "# other").unwrap();
        assert_eq!(world.place("web", "n1", &NONE).load(), None);
    }

    #[test]
    fn what_changed_just_now_may_change_unseen() {
        let world = World::new();
        let (state, roles) = (
            world.dir.path().join("state"),
            world.dir.path().join("roles"),
        );
        let place = Place::of(&state, &roles, ("web", "n1"), &NONE).unwrap();
        assert!(!place.settled);
        place.keep(&part(), None);
        assert!(!world.kept().exists());
    }

    #[test]
    fn what_others_may_have_written_is_not_taken() {
        let world = World::new();
        let place = world.place("web", "n1", &NONE);
        place.keep(&part(), None);
        fs::set_permissions(world.kept(), fs::Permissions::from_mode(0o620)).unwrap();
        assert_eq!(place.load(), None);
        fs::set_permissions(world.kept(), fs::Permissions::from_mode(0o600)).unwrap();
        assert!(place.load().is_some());
        let aside = world.dir.path().join("aside");
        fs::rename(world.kept(), &aside).unwrap();
        symlink(&aside, world.kept()).unwrap();
        assert_eq!(place.load(), None);
        fs::remove_file(world.kept()).unwrap();
        let mut damaged = fs::read(&aside).unwrap();
        damaged.truncate(damaged.len() - 1);
        fs::write(world.kept(), damaged).unwrap();
        assert_eq!(place.load(), None);
    }
}
