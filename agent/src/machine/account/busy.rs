//! Processes of a user, who cannot go or get another number meanwhile.

use crate::machine::Machine;
use cfg_catalog::plan::refusals::Refusal;
use cfg_catalog::plan::{Action, Change};
use cfg_catalog::resource::account::User;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// What is seen of a user's processes.
struct Process {
    number: u32,
    name: String,
    /// The service that it is of, as far as its cgroup says.
    unit: Option<String>,
}

impl Machine {
    /// Why the tools will not make this change while processes of the user run. Below a root that is not the machine's nobody asks.
    pub(super) fn busy(&self, user: &User, change: &Change) -> Option<Refusal> {
        let moves = ["uid", "home"]
            .iter()
            .any(|key| change.after.get(key).is_some());
        let due = change.action == Action::Remove || (change.action == Action::Update && moves);
        if !due || !self.root().is_machine() {
            return None;
        }
        let uid = self.names().user(&user.name).ok()??.uid;
        let processes = processes(Path::new("/proc"), Path::new("/"), uid);
        let first = processes.first()?;
        Some(Refusal::Busy {
            why: format!(
                "user {} is currently used by process {} ({})",
                user.name, first.number, first.name
            ),
            units: processes.into_iter().map(|process| process.unit).collect(),
        })
    }
}

/// The processes of a user whose root is this one, as userdel and usermod look for them.
fn processes(proc: &Path, root: &Path, uid: u32) -> Vec<Process> {
    let place = |path: &Path| fs::metadata(path).map(|seen| (seen.dev(), seen.ino())).ok();
    let root = place(root);
    let listing = fs::read_dir(proc).into_iter().flatten().flatten();
    let numbers = listing.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let mut numbers: Vec<u32> = numbers.collect();
    numbers.sort_unstable();
    let found = numbers.into_iter().filter_map(|number| {
        let folder = proc.join(number.to_string());
        let status = fs::read_to_string(folder.join("status")).ok()?;
        if !is_of(&status, uid) || place(&folder.join("root")) != root {
            return None;
        }
        let cgroup = fs::read_to_string(folder.join("cgroup")).unwrap_or_default();
        let mut parts = cgroup.split(['/', '\n']);
        let name = fs::read_to_string(folder.join("comm")).unwrap_or_default();
        Some(Process {
            number,
            name: name.trim().to_owned(),
            unit: parts
                .find(|part| part.ends_with(".service"))
                .map(str::to_owned),
        })
    });
    found.collect()
}

/// Whether one of a process's real, effective and saved users is this one.
fn is_of(status: &str, uid: u32) -> bool {
    let mut lines = status.lines();
    let numbers = lines.find_map(|line| line.strip_prefix("Uid:"));
    let mut numbers = numbers.unwrap_or_default().split_ascii_whitespace().take(3);
    numbers.any(|number| number.parse() == Ok(uid))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn processes_are_known_by_user_and_root() {
        let tree = tempfile::tempdir().unwrap();
        for (number, uids, root, cgroup) in [
            (
                "9",
                "1000\t1000\t1000\t1000",
                "/",
                "0::/system.slice/app.service\n",
            ),
            (
                "10",
                "0\t1000\t0\t0",
                "/",
                "1:name=systemd:/user.slice/session-1.scope\n",
            ),
            ("11", "1000\t1000\t1000\t1000", "/proc", "0::/\n"),
            ("12", "0\t0\t0\t1000", "/", "0::/\n"),
        ] {
            let folder = tree.path().join(number);
            fs::create_dir(&folder).unwrap();
            fs::write(folder.join("status"), format!("Name:\tx\nUid:\t{uids}\n")).unwrap();
            fs::write(folder.join("comm"), "x\n").unwrap();
            fs::write(folder.join("cgroup"), cgroup).unwrap();
            symlink(root, folder.join("root")).unwrap();
        }
        let found = processes(tree.path(), Path::new("/"), 1000);
        let found: Vec<_> = found
            .iter()
            .map(|one| (one.number, one.unit.as_deref()))
            .collect();
        assert_eq!(found, [(9, Some("app.service")), (10, None)]);
    }
}
