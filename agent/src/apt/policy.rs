//! cfg's policy-rc.d: packages do not start daemons during a run that the role names or that did not run before.
//!
//! The script acts only for children of a run, which carry `CFG_RUN`; everybody else gets the answer of the policy that
//! was there before. So one that a crash leaves behind changes nothing, and the next run takes it away.

use crate::beneath;
use anyhow::Context as _;
use rustix::fs::{self, AtFlags, Mode, OFlags, RenameFlags};
use rustix::io::Errno;
use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::path::Path;

const NAME: &str = "policy-rc.d";
/// The policy that was there before the run.
const ASIDE: &str = "policy-rc.d.before-cfg";
const DRAFT: &str = ".policy-rc.d.cfg-new";
/// By this line cfg knows its own script.
const MARK: &str = "# cfg's own, for the time of one run";

/// The script.
///
/// `may_start`: units that ran before this run and that the role does not name, without `.service`. `never`: units that
/// the role names, whose timers and paths must not start them either.
pub fn script(may_start: &BTreeSet<String>, never: &BTreeSet<String>) -> String {
    let pattern = |units: &BTreeSet<String>| {
        let quoted: Vec<_> = units.iter().map(|unit| quote(unit)).collect();
        if quoted.is_empty() {
            "''".to_owned()
        } else {
            quoted.join("|")
        }
    };
    format!(
        r#"#!/bin/sh
{MARK}: it stops packages from starting daemons that the
# role configures or that did not run before. Without CFG_RUN it only hands on to the policy that was there.
before=/usr/sbin/{ASIDE}
hand_on() {{
    if [ -x "$before" ]; then exec "$before" "$@"; fi
    exit 0
}}
[ -n "$CFG_RUN" ] || hand_on "$@"
unit= actions=
for word in "$@"; do
    case "$word" in
        --list) hand_on "$@" ;;
        -*) ;;
        *) if [ -z "$unit" ]; then unit=$word; elif [ -z "$actions" ]; then actions=$word; fi ;;
    esac
done
unit=${{unit%.service}}
for action in $actions; do
    case "$action" in
        *start*|*reload*) ;;
        *) continue ;;
    esac
    case "${{unit%.*}}" in {never}) exit 101 ;; esac
    case "$unit" in
        {never}) exit 101 ;;
        *.timer|*.path|*.target|*.slice|{may_start}) ;;
        *) exit 101 ;;
    esac
done
hand_on "$@"
"#,
        never = pattern(never),
        may_start = pattern(may_start),
    )
}

fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// The script in its place. What was there comes back with [`Policy::restore`], or with [`undo`] of the next run.
pub struct Policy {
    folder: OwnedFd,
}

impl Policy {
    /// Puts the script in its place, and what is there aside.
    ///
    /// # Errors
    /// Where `/usr/sbin` of the root cannot be written.
    pub fn place(root: &Path, script: &str) -> anyhow::Result<Self> {
        undo(root)?;
        let folder = folder(root)?;
        let draft = || -> std::io::Result<()> {
            let _ = fs::unlinkat(&folder, DRAFT, AtFlags::empty());
            let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
            let file = fs::openat(&folder, DRAFT, flags, Mode::from_raw_mode(0o755))?;
            fs::fchmod(&file, Mode::from_raw_mode(0o755))?;
            let mut file = std::fs::File::from(file);
            file.write_all(script.as_bytes())?;
            file.sync_all()?;
            // Never over what an earlier run put aside: undo has just taken that back.
            match fs::renameat_with(&folder, NAME, &folder, ASIDE, RenameFlags::NOREPLACE) {
                Ok(()) | Err(Errno::NOENT) => {}
                Err(error) => return Err(error.into()),
            }
            fs::renameat(&folder, DRAFT, &folder, NAME)?;
            fs::fsync(&folder)?;
            Ok(())
        };
        draft().context("cannot put policy-rc.d into /usr/sbin")?;
        Ok(Self { folder })
    }

    /// Brings back what was there before.
    ///
    /// # Errors
    /// Where that cannot be done; the next run tries again.
    pub fn restore(self) -> anyhow::Result<()> {
        take_back(&self.folder).context("cannot bring policy-rc.d back")
    }
}

/// Takes away what a run that was killed left behind.
///
/// # Errors
/// Where that cannot be done.
pub fn undo(root: &Path) -> anyhow::Result<()> {
    match folder(root) {
        Ok(folder) => take_back(&folder).context("cannot bring policy-rc.d back"),
        // A root without /usr/sbin has no leftovers.
        Err(_) => Ok(()),
    }
}

fn folder(root: &Path) -> anyhow::Result<OwnedFd> {
    beneath::folder(root, "usr/sbin")
        .with_context(|| format!("cannot open usr/sbin below {}", root.display()))
}

fn take_back(folder: &OwnedFd) -> std::io::Result<()> {
    let _ = fs::unlinkat(folder, DRAFT, AtFlags::empty());
    let aside = exists(folder, ASIDE)?;
    if is_ours(folder)? {
        if aside {
            fs::renameat(folder, ASIDE, folder, NAME)?;
        } else {
            fs::unlinkat(folder, NAME, AtFlags::empty())?;
        }
    } else if aside {
        if exists(folder, NAME)? {
            // A package brought its own policy during the run, in place of the one that was put aside.
            fs::unlinkat(folder, ASIDE, AtFlags::empty())?;
        } else {
            fs::renameat(folder, ASIDE, folder, NAME)?;
        }
    } else {
        return Ok(());
    }
    fs::fsync(folder)?;
    Ok(())
}

fn exists(folder: &OwnedFd, name: &str) -> std::io::Result<bool> {
    match fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(_) => Ok(true),
        Err(Errno::NOENT) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

fn is_ours(folder: &OwnedFd) -> std::io::Result<bool> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = match fs::openat(folder, NAME, flags, Mode::empty()) {
        Ok(file) => file,
        // A link is a foreign one.
        Err(Errno::NOENT | Errno::LOOP) => return Ok(false),
        Err(error) => return Err(error.into()),
    };
    let mut start = Vec::new();
    std::fs::File::from(file)
        .take(256)
        .read_to_end(&mut start)?;
    Ok(String::from_utf8_lossy(&start)
        .lines()
        .nth(1)
        .is_some_and(|line| line.starts_with(MARK)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;
    use std::path::PathBuf;
    use std::process::Command;

    struct Sbin(tempfile::TempDir);

    impl Sbin {
        fn new() -> Self {
            let root = tempfile::tempdir().unwrap();
            std::fs::create_dir_all(root.path().join("usr/sbin")).unwrap();
            Self(root)
        }

        fn path(&self, name: &str) -> PathBuf {
            self.0.path().join("usr/sbin").join(name)
        }

        fn write(&self, name: &str, text: &str) {
            std::fs::write(self.path(name), text).unwrap();
            std::fs::set_permissions(self.path(name), std::fs::Permissions::from_mode(0o755))
                .unwrap();
        }

        fn read(&self) -> Option<String> {
            std::fs::read_to_string(self.path(NAME)).ok()
        }

        fn names(&self) -> Vec<String> {
            let listing = std::fs::read_dir(self.path("")).unwrap();
            let mut names: Vec<_> = listing
                .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                .collect();
            names.sort();
            names
        }
    }

    fn set(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn comes_and_goes() {
        let sbin = Sbin::new();
        let script = script(&set(&[]), &set(&[]));
        Policy::place(sbin.0.path(), &script)
            .unwrap()
            .restore()
            .unwrap();
        assert!(sbin.names().is_empty());

        sbin.write(NAME, "#!/bin/sh\nexit 101\n");
        let policy = Policy::place(sbin.0.path(), &script).unwrap();
        assert_eq!(sbin.read().as_deref(), Some(&*script));
        policy.restore().unwrap();
        assert_eq!(sbin.read().as_deref(), Some("#!/bin/sh\nexit 101\n"));
        assert_eq!(sbin.names(), [NAME]);
    }

    #[test]
    fn leftovers_of_a_crash() {
        let sbin = Sbin::new();
        sbin.write(NAME, "foreign");
        let script = script(&set(&[]), &set(&[]));
        // Killed after the placing: the next run places and restores again.
        drop(Policy::place(sbin.0.path(), &script).unwrap());
        drop(Policy::place(sbin.0.path(), &script).unwrap());
        undo(sbin.0.path()).unwrap();
        assert_eq!(sbin.read().as_deref(), Some("foreign"));
        // Killed between the two renames.
        std::fs::rename(sbin.path(NAME), sbin.path(ASIDE)).unwrap();
        sbin.write(DRAFT, &script);
        undo(sbin.0.path()).unwrap();
        assert_eq!(sbin.read().as_deref(), Some("foreign"));
        assert_eq!(sbin.names(), [NAME]);
        undo(sbin.0.path()).unwrap();
        assert_eq!(sbin.read().as_deref(), Some("foreign"));
    }

    #[test]
    fn a_link_is_kept_as_a_link() {
        let sbin = Sbin::new();
        std::os::unix::fs::symlink("/etc/alternatives/policy-rc.d", sbin.path(NAME)).unwrap();
        let policy = Policy::place(sbin.0.path(), &script(&set(&[]), &set(&[]))).unwrap();
        policy.restore().unwrap();
        assert_eq!(
            std::fs::read_link(sbin.path(NAME)).unwrap(),
            PathBuf::from("/etc/alternatives/policy-rc.d")
        );
    }

    #[test]
    fn a_policy_that_a_package_brings_stays() {
        let sbin = Sbin::new();
        sbin.write(NAME, "old");
        let policy = Policy::place(sbin.0.path(), &script(&set(&[]), &set(&[]))).unwrap();
        sbin.write(NAME, "new");
        policy.restore().unwrap();
        assert_eq!(sbin.read().as_deref(), Some("new"));
        assert_eq!(sbin.names(), [NAME]);
    }

    #[test]
    fn a_link_out_of_the_root_is_not_followed() {
        let root = tempfile::tempdir().unwrap();
        let outside = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("usr")).unwrap();
        std::os::unix::fs::symlink(outside.path(), root.path().join("usr/sbin")).unwrap();
        assert!(Policy::place(root.path(), "x").is_err());
        assert_eq!(std::fs::read_dir(outside.path()).unwrap().count(), 0);
    }

    #[test]
    fn answers() {
        let sbin = Sbin::new();
        let before = sbin.path(ASIDE);
        let script = script(&set(&["ssh", "it's"]), &set(&["zookeeper", "app"]))
            .replace("/usr/sbin/policy-rc.d.before-cfg", before.to_str().unwrap());
        sbin.write(NAME, &script);
        let ask = |run: &str, words: &[&str]| {
            let mut command = Command::new(sbin.path(NAME));
            command.args(words).env_remove("CFG_RUN");
            if !run.is_empty() {
                command.env("CFG_RUN", run);
            }
            command.status().unwrap().code().unwrap()
        };
        for (run, words, answer) in [
            ("1", &["zookeeper", "start"][..], 101),
            ("1", &["zookeeper.service", "restart"], 101),
            ("1", &["zookeeper", "force-reload"], 101),
            ("1", &["zookeeper", "stop"], 0),
            ("1", &["new.service", "start"], 101),
            ("1", &["ssh.service", "restart"], 0),
            ("1", &["--quiet", "ssh", "try-restart", "2"], 0),
            ("1", &["it's", "start"], 0),
            ("1", &["logrotate.timer", "start"], 0),
            ("1", &["app.timer", "start"], 101),
            ("1", &["app.socket", "start"], 101),
            ("1", &["new.socket", "start"], 101),
            ("1", &["ssh", "(re)start"], 0),
            ("", &["zookeeper", "start"], 0),
        ] {
            assert_eq!(ask(run, words), answer, "{run:?} {words:?}");
        }
        sbin.write(
            ASIDE,
            "#!/bin/sh\n[ \"$2\" = start ] && exit 104\nexit 42\n",
        );
        for (run, words, answer) in [
            ("1", &["ssh", "start"][..], 104),
            ("1", &["ssh", "restart"], 42),
            ("1", &["zookeeper", "start"], 101),
            ("", &["zookeeper", "start"], 104),
            ("1", &["--list", "zookeeper"], 42),
        ] {
            assert_eq!(ask(run, words), answer, "{run:?} {words:?}");
        }
    }
}
