//! The files that all tools bring about, and the catalog that says so.

use anyhow::{Context as _, Result, ensure};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// So many files in one folder.
const TOGETHER: usize = 100;

/// So many packages at most, all installed already.
const PACKAGES: usize = 100;

/// Where everything is.
pub struct Tree {
    /// Below this.
    pub folder: PathBuf,
    /// What the files are made of.
    pub wanted: PathBuf,
    /// Where they are to be.
    pub machine: PathBuf,
    /// How many.
    pub files: usize,
    /// Names of packages.
    pub packages: Vec<String>,
}

/// The paths of so many files below a folder.
pub fn paths(folder: &Path, files: usize) -> impl Iterator<Item = PathBuf> {
    (0..files).map(move |file| folder.join(below(file)))
}

/// A file's path below whatever folder.
pub fn below(file: usize) -> String {
    format!("d{:03}/f{file:05}.conf", file / TOGETHER)
}

impl Tree {
    /// Makes the folders, the files of the role, and the catalog.
    pub fn make(folder: &Path, files: usize) -> Result<Self> {
        if folder.exists() {
            fs::remove_dir_all(folder)?;
        }
        let role = folder.join("roles/bench");
        let tree = Self {
            folder: folder.to_owned(),
            wanted: role.join("files"),
            machine: folder.join("machine"),
            files,
            packages: packages()?,
        };
        for at in [&tree.wanted, &tree.machine] {
            for number in 0..files.div_ceil(TOGETHER) {
                fs::create_dir_all(at.join(format!("d{number:03}")))?;
            }
        }
        for (number, path) in paths(&tree.wanted, files).enumerate() {
            fs::write(path, content(number))?;
        }
        fs::write(role.join("role.toml"), tree.role()?)?;
        let state = folder.join("state");
        let identity = folder.join("identity");
        let config = format!("node = \"bench\"\nstate = {state:?}\nidentity = {identity:?}\n");
        fs::write(folder.join("agent.toml"), config)?;
        // What a run made of files that are not older than that is not kept for the next.
        std::thread::sleep(Duration::from_secs(4));
        Ok(tree)
    }

    fn role(&self) -> Result<String> {
        let mut text = String::from("[package]\n");
        for package in &self.packages {
            writeln!(text, "{package:?} = \"*\"")?;
        }
        for file in 0..self.files {
            let (path, below) = (self.machine.join(below(file)), below(file));
            writeln!(text, "[file.{path:?}]\nsource = \"files/{below}\"")?;
        }
        Ok(text)
    }

    /// All files stand where they are to be, with the owner and mode that a new file has.
    pub fn write_all(&self) -> Result<()> {
        for (from, to) in paths(&self.wanted, self.files).zip(paths(&self.machine, self.files)) {
            fs::copy(from, to)?;
        }
        settled()
    }

    /// None of them stands there.
    pub fn empty(&self) -> Result<()> {
        for path in paths(&self.machine, self.files) {
            match fs::remove_file(&path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(error.into());
                }
                _ => {}
            }
        }
        settled()
    }

    /// The one in the middle is another.
    pub fn spoil_one(&self) -> Result<()> {
        let path = self.machine.join(below(self.files / 2));
        fs::write(path, "drifted\n")?;
        settled()
    }

    /// Whether every file is what it must be.
    pub fn check(&self) -> Result<()> {
        for (from, to) in paths(&self.wanted, self.files).zip(paths(&self.machine, self.files)) {
            let there = fs::read(&to).with_context(|| format!("{}", to.display()))?;
            ensure!(
                fs::read(from)? == there,
                "{} is not as wanted",
                to.display()
            );
        }
        Ok(())
    }
}

/// 1 KiB of text, to each file its own.
fn content(file: usize) -> String {
    let line = format!("# file {file} of the benchmark, a line of no meaning\n");
    line.chars().cycle().take(1023).chain(['\n']).collect()
}

/// What was written before is on disk before anything is measured.
fn settled() -> Result<()> {
    nix::unistd::sync();
    Ok(())
}

/// Installed, and not on account of others alone: so nothing differs.
fn packages() -> Result<Vec<String>> {
    let output = Command::new("apt-mark").arg("showmanual").output()?;
    let names = String::from_utf8(output.stdout)?;
    let names: Vec<String> = names.lines().take(PACKAGES).map(str::to_owned).collect();
    ensure!(!names.is_empty(), "no package is marked as manual");
    Ok(names)
}
