//! File systems: mounted and unmounted by the system's own tools, and their lines in /etc/fstab.

use crate::effect::{Effects, Task};
use crate::guard;
use crate::machine::{Hands, Machine, file_of_table, path_of_table};
use crate::resource::command::last_lines;
use anyhow::{Context as _, bail};
use cfg_catalog::path::AbsPath;
use cfg_catalog::plan::refusals::Refusal;
use cfg_catalog::resource::mount::{Live, Mount, MountPresence, Step, step};
use std::path::Path;

/// How long mount or umount may take: a server that is away is waited for by itself.
const PATIENCE_S: u64 = 120;

/// More file systems on top of each other than anybody mounts.
const MOST_STACKED: usize = 16;

/// How many of those who hold a mount point a failure names.
const HOLDERS: usize = 5;

/// Brings a file system to what it must be. The line is written last, so that what cannot be mounted does not stop the
/// next boot.
///
/// # Errors
/// The tool's own words; of a file system that is in use, by whom.
pub fn enact(
    machine: &Machine,
    hands: &Hands<'_>,
    effects: &Effects,
    mount: &Mount,
    run: &str,
) -> anyhow::Result<()> {
    let state = machine.mount(mount)?;
    // Before a folder is made for what can only fail.
    if let Some(Refusal::Fails(why) | Refusal::Blocked(why)) = refusal(machine, mount) {
        bail!("{why}");
    }
    if mount.state != MountPresence::Absent {
        hands.make_parent(&mount.point)?;
    }
    let tools = Tools {
        machine,
        effects,
        mount,
        run,
    };
    match step(mount, &state) {
        None => {}
        Some(Step::Mount) => tools.mount("")?,
        Some(Step::Remount) => tools.mount("remount,")?,
        Some(Step::Replace) => {
            tools.unmount()?;
            tools.mount("")?;
        }
        Some(Step::Unmount) => tools.unmount()?,
    }
    if state.entries.first() != mount.line() {
        hands.fstab(mount.table(&machine.fstab()?))?;
    }
    Ok(())
}

/// Why a file system, or its line, will not come to be what it must; none also where that cannot be seen.
pub fn refusal(machine: &Machine, mount: &Mount) -> Option<Refusal> {
    let state = machine.mount(mount).ok()?;
    // The next boot goes by the line's names as well.
    let moves = mount.state != MountPresence::Absent || step(mount, &state).is_some();
    if moves && let Err(error) = machine.stands_fast(mount) {
        return Some(Refusal::Blocked(error.to_string()));
    }
    let comes = mount.state != MountPresence::Absent;
    let point = comes.then(|| machine.of_folder(&mount.point)).flatten();
    if point.is_some() || state.entries.first() == mount.line() {
        return point;
    }
    match mount.table(&machine.fstab().ok()?) {
        Some(table) => machine.of_file(&file_of_table(table)),
        None => machine.of_unlink(&path_of_table()),
    }
}

struct Tools<'a> {
    machine: &'a Machine,
    effects: &'a Effects,
    mount: &'a Mount,
    run: &'a str,
}

impl Tools<'_> {
    fn mount(&self, how: &str) -> anyhow::Result<()> {
        let entry = self.mount.line().context("it has no line to mount")?;
        let options = format!("{how}{}", entry.options);
        let argv = [
            "mount",
            "-t",
            &entry.fstype,
            "-o",
            &options,
            "--",
            &entry.device,
            self.mount.point.as_str(),
        ];
        self.call(&argv)
    }

    /// Unmounts all that is mounted there.
    fn unmount(&self) -> anyhow::Result<()> {
        for _layer in 0..MOST_STACKED {
            let live = self.machine.mount(self.mount)?.live;
            if !matches!(live, Live::Yes { .. }) {
                return Ok(());
            }
            if let Err(error) = self.call(&["umount", "--", self.mount.point.as_str()]) {
                let holders = holders(&self.mount.point);
                if holders.is_empty() {
                    return Err(error);
                }
                bail!("{error}\nit is held by {}", holders.join(", "));
            }
        }
        bail!("more than {MOST_STACKED} file systems are mounted there")
    }

    fn call(&self, argv: &[&str]) -> anyhow::Result<()> {
        let mut env = guard::environment();
        env.insert("CFG_RUN".into(), self.run.to_owned());
        let task = Task {
            what: argv[0].to_owned(),
            argv: argv.iter().map(|word| (*word).to_owned()).collect(),
            env,
            stdin: None,
            user: None,
            cwd: "/".into(),
            root: self.machine.root().path().to_owned(),
            timeout_s: PATIENCE_S,
            settles: None,
        };
        let ended = self.effects.run(&task)?;
        match (ended.outcome, last_lines(&ended.output)) {
            (outcome, _) if outcome.is_success() => Ok(()),
            (outcome, told) if told.is_empty() => bail!("{}: {outcome}", argv[0]),
            (outcome, told) => bail!("{}: {outcome}, and said last:\n{told}", argv[0]),
        }
    }
}

/// Processes that work in a mount point or have something of it open, as `name (number)`.
fn holders(point: &AbsPath) -> Vec<String> {
    let Ok(processes) = std::fs::read_dir("/proc") else {
        return Vec::new();
    };
    let mut holders: Vec<String> = Vec::new();
    for process in processes.flatten() {
        let name = process.file_name();
        let number = name.to_string_lossy();
        let own = number.chars().all(|c| c.is_ascii_digit());
        if own && holds(&process.path(), Path::new(point.as_str())) {
            let word = std::fs::read_to_string(process.path().join("comm")).unwrap_or_default();
            holders.push(format!("{} ({number})", word.trim()));
        }
        if holders.len() == HOLDERS {
            break;
        }
    }
    holders
}

fn holds(process: &Path, point: &Path) -> bool {
    let leads = |link: &Path| std::fs::read_link(link).is_ok_and(|to| to.starts_with(point));
    let open = std::fs::read_dir(process.join("fd"));
    leads(&process.join("cwd"))
        || leads(&process.join("root"))
        || open.is_ok_and(|open| open.flatten().any(|fd| leads(&fd.path())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::{BlobSource, Root};
    use cfg_catalog::digest::Digest;
    use cfg_catalog::resource::fstab::Entry;
    use std::fs;
    use std::io::Read;
    use std::os::unix::fs::{PermissionsExt, symlink};

    struct Nothing;

    impl BlobSource for Nothing {
        fn open(&self, _: &Digest) -> std::io::Result<Box<dyn Read>> {
            Err(std::io::ErrorKind::NotFound.into())
        }
    }

    /// A bind, and what comes of it in a tree where everybody may write in /home/bob and in /tmp.
    fn bound(device: &str, point: &str, state: MountPresence) -> Result<String, String> {
        bound_in(b"x /home/bob/old ext4\n", device, point, state)
    }

    fn bound_in(
        table: &[u8],
        device: &str,
        point: &str,
        state: MountPresence,
    ) -> Result<String, String> {
        let tree = tempfile::tempdir().unwrap();
        let at = |path: &str| tree.path().join(path);
        let folders = [("etc", 0o755), ("srv", 0o755), ("tmp", 0o1777)];
        for (folder, mode) in folders.into_iter().chain([("home/bob", 0o777)]) {
            fs::create_dir_all(at(folder)).unwrap();
            fs::set_permissions(at(folder), PermissionsExt::from_mode(mode)).unwrap();
        }
        symlink("../home/bob/data", at("srv/to-bob")).unwrap();
        fs::write(at("etc/fstab"), table).unwrap();
        let root = Root::open(tree.path()).unwrap();
        let machine = Machine::new(&root);
        let mount = Mount {
            point: point.parse().unwrap(),
            state,
            entry: Some(Entry {
                device: device.into(),
                fstype: "none".into(),
                options: "bind".into(),
                dump: 0,
                pass: 0,
            }),
            former: None,
        };
        let effects = Effects::new(at("effects"));
        let hands = Hands::new(&machine, &Nothing);
        let done = enact(&machine, &hands, &effects, &mount, "run");
        assert!(!at("home/bob/new").exists(), "it was made");
        let left = fs::read(at("etc/fstab")).unwrap();
        assert!(done.is_ok() || left == table, "it was written");
        done.map(|()| String::from_utf8(left).unwrap())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn nothing_is_mounted_where_others_could_lead_it_elsewhere() {
        let wanted = MountPresence::Mounted;
        let good = bound("/srv/data", "/srv/new/deep", wanted).unwrap();
        assert!(good.ends_with("/srv/data\t/srv/new/deep\tnone\tbind\t0\t0\n"));
        for (device, point, told) in [
            ("/srv/data", "/home/bob/new", "in /home/bob or"),
            ("/srv/data", "/home/bob/new/deep", "in /home/bob or"),
            ("/srv/data", "/tmp/new", "in /tmp or"),
            ("/home/bob/data", "/srv/new", "in /home/bob or"),
            ("/tmp/data", "/srv/new", "in /tmp or"),
            ("/srv/to-bob", "/srv/new", "is a link"),
        ] {
            let why = bound(device, point, wanted).unwrap_err();
            assert!(why.contains(told), "{device} {point}: {why}");
        }
        let gone = bound("x", "/home/bob/old", MountPresence::Absent);
        assert_eq!(gone.as_deref(), Ok(""), "a line alone harms nobody");
    }

    #[test]
    fn a_table_that_is_no_text_is_left_as_it_is() {
        let latin = b"//srv/b\xfccher /books cifs\n";
        let why = bound_in(latin, "/srv/data", "/srv/new", MountPresence::Present).unwrap_err();
        assert!(why.contains("/etc/fstab is not UTF-8"), "{why}");
    }
}
