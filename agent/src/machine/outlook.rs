//! A walk as it will go by the time of a plan: by the owners and modes that folders will have then, and the links that will be there.

use super::Machine;
use super::error::{SysError, WalkError};
use super::walk::{Folder, Met};
use cfg_catalog::path::AbsPath;
use cfg_catalog::resource::Attributes;
use rustix::fs::Stat;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

/// What a plan makes of the ways to what others name.
#[derive(Debug, Default)]
pub(crate) struct Outlook {
    /// What folders are given, by where they really lie, and at which turn.
    folders: BTreeMap<PathBuf, (usize, Attributes)>,
    /// Links as the role has them, by where they really lie, with their paths.
    links: BTreeMap<PathBuf, (OsString, AbsPath)>,
    /// Where files come to stand, or are written anew.
    files: BTreeSet<PathBuf>,
    /// Where something comes or goes, by where that really lies, and at which turn.
    pub(crate) touched: Vec<(usize, AbsPath)>,
    /// The turn after which things may have come that the role does not name.
    pub(crate) open: Option<usize>,
    /// The turn of what goes the way.
    pub(crate) turn: usize,
}

/// How a walk will go.
#[derive(Debug)]
pub(crate) enum Foreseen {
    /// It comes to a folder, or to where one can be made.
    There,
    /// Only a real run finds that.
    Perhaps,
    /// It fails so.
    Never(WalkError),
}

/// One walk over what will be there.
struct Ahead<'a> {
    outlook: &'a Outlook,
    /// To the folder of this.
    path: &'a AbsPath,
    /// It went by a link that will be other than it is.
    anew: bool,
    /// What it met last may be another thing by then.
    unsure: bool,
}

impl Outlook {
    /// Whether no way will be other than it is.
    pub(crate) fn is_as_now(&self) -> bool {
        self.folders.is_empty() && self.links.is_empty()
    }

    /// Whether a link that will be other than it is stands above this.
    pub(crate) fn leads(&self, path: &AbsPath) -> bool {
        let mut links = self.links.values();
        links.any(|(_, link)| path != link && path.is_within(link))
    }

    /// Lets a folder have what it is to have, by which it is judged who could exchange it, or put something in it.
    fn give(&self, at: &Path, stat: &mut Stat) {
        let given = self.folders.get(at);
        let Some((_, wanted)) = given.filter(|(turn, _)| *turn < self.turn) else {
            return;
        };
        if let Some(mode) = wanted.mode {
            stat.st_mode = (stat.st_mode & !0o7777) | mode.0;
        }
        if let Some(owner) = &wanted.owner {
            stat.st_uid = match owner.as_str() {
                "root" | "0" => 0,
                _ => u32::MAX,
            };
        }
    }

    fn may_come(&self, at: &Path) -> bool {
        let Some(path) = at.to_str().and_then(|at| at.parse::<AbsPath>().ok()) else {
            return true;
        };
        self.is_open() || self.before().any(|touched| touched.is_within(&path))
    }

    fn touches(&self, at: &Path) -> bool {
        self.is_open()
            || self
                .before()
                .any(|touched| Path::new(touched.as_str()) == at)
    }

    fn is_open(&self) -> bool {
        self.open.is_some_and(|open| open < self.turn)
    }

    /// What was touched by then.
    fn before(&self) -> impl Iterator<Item = &AbsPath> {
        let touched = self.touched.iter();
        let before = touched.filter(|(turn, _)| *turn < self.turn);
        before.map(|(_, path)| path)
    }
}

impl Machine {
    /// This folder will be given these at that turn.
    pub(crate) fn note_folder(
        &self,
        outlook: &mut Outlook,
        turn: usize,
        path: &AbsPath,
        wanted: &Attributes,
    ) {
        if let Some(real) = self.real(path) {
            outlook.folders.insert(real, (turn, wanted.clone()));
        }
    }

    /// A file will stand there.
    pub(crate) fn note_file(&self, outlook: &mut Outlook, path: &AbsPath) {
        outlook.files.extend(self.real(path));
    }

    /// This link will say that.
    pub(crate) fn note_link(&self, outlook: &mut Outlook, path: &AbsPath, target: &str) {
        if let Some(real) = self.real(path) {
            let link = (target.into(), path.clone());
            outlook.links.insert(real, link);
        }
    }

    /// Whether the walk to the folder of this comes to an end now.
    pub(crate) fn reaches(&self, path: &AbsPath) -> bool {
        path.parent()
            .is_none_or(|folder| self.reach(&folder).is_ok())
    }

    fn real(&self, path: &AbsPath) -> Option<PathBuf> {
        let folder = path.parent()?;
        let reached = self.reach(&folder).ok()?;
        let missing = reached.missing.iter().map(AbsPath::name);
        let real = missing.fold(reached.folder.at.clone(), |at, name| at.join(name));
        Some(real.join(path.name()))
    }

    /// How the walk to the folder of this will go.
    pub(crate) fn foresee(&self, path: &AbsPath, outlook: &Outlook) -> Foreseen {
        let Some(folder) = path.parent() else {
            return Foreseen::There;
        };
        let mut ahead = Ahead {
            outlook,
            path,
            anew: false,
            unsure: false,
        };
        let walked = self
            .root()
            .walk(&folder, |here, name| ahead.met(here, name));
        match walked {
            _ if ahead.unsure => Foreseen::Perhaps,
            Ok(_) => Foreseen::There,
            Err(WalkError::Sys(_)) => Foreseen::Perhaps,
            Err(error) => Foreseen::Never(error),
        }
    }
}

impl Ahead<'_> {
    fn met(&mut self, here: &Folder, name: &OsStr) -> Result<Met, SysError> {
        let outlook = self.outlook;
        let at = here.at.join(name);
        if let Some((target, link)) = outlook.links.get(&at)
            && (self.anew || (self.path != link && self.path.is_within(link)))
        {
            self.anew = true;
            let target = target.clone();
            return Ok(Met::Link { owner: 0, target });
        }
        if self.anew && outlook.files.contains(&at) {
            return Ok(Met::Other);
        }
        let mut met = here.met(name)?;
        match &mut met {
            Met::Nothing => self.unsure = outlook.may_come(&at),
            Met::Folder(entry) => outlook.give(&at, &mut entry.stat),
            Met::Link { .. } | Met::Other => self.unsure = outlook.touches(&at),
        }
        // So the walk ends here.
        Ok(if self.unsure { Met::Nothing } else { met })
    }
}
