//! A walk as it will go by the time of a plan: by the owners and modes that folders will have then, and the links that will be there.

use super::Machine;
use super::error::{SysError, WalkError};
use super::walk::{Entry, Folder, MOST_LINKS, Trust, What, planted};
use cfg_catalog::path::AbsPath;
use cfg_catalog::resource::Attributes;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// What a plan makes of the ways to what others name.
#[derive(Debug, Default)]
pub(crate) struct Outlook {
    /// What folders are given, by where they really lie.
    folders: BTreeMap<PathBuf, Attributes>,
    /// Links as the role has them, by where they really lie, with their paths.
    links: BTreeMap<PathBuf, (OsString, AbsPath)>,
    /// Where files come to stand, or are written anew.
    files: BTreeSet<PathBuf>,
    /// Where something comes or goes, by where that really lies.
    pub(crate) touched: BTreeSet<AbsPath>,
    /// Things may have come by then that the role does not name.
    pub(crate) open: bool,
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

/// A component, with the link that it came out of.
type Step = (OsString, Option<Rc<(String, OsString)>>);

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

    fn may_come(&self, at: &Path) -> bool {
        let Some(path) = at.to_str().and_then(|at| at.parse::<AbsPath>().ok()) else {
            return true;
        };
        self.open || self.touched.iter().any(|touched| touched.is_within(&path))
    }

    fn touches(&self, at: &Path) -> bool {
        let mut touched = self.touched.iter();
        self.open || touched.any(|touched| Path::new(touched.as_str()) == at)
    }
}

impl Machine {
    /// This folder will be given these.
    pub(crate) fn note_folder(&self, outlook: &mut Outlook, path: &AbsPath, wanted: &Attributes) {
        if let Some(real) = self.real(path) {
            outlook.folders.insert(real, wanted.clone());
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
        let walk = Walk::new(self, path, &folder, outlook);
        match walk.map(Walk::go) {
            Ok(Ok(foreseen)) => foreseen,
            Ok(Err(_)) | Err(_) => Foreseen::Perhaps,
        }
    }

    /// Who could exchange a folder, or put something in it, once it has what it is to have.
    fn trust(&self, outlook: &Outlook, folder: &Folder, above: Trust) -> Trust {
        let mut stat = *folder.stat();
        if let Some(wanted) = outlook.folders.get(&folder.at) {
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
        Trust::of(self.root(), &stat, above)
    }
}

struct Walk<'a> {
    machine: &'a Machine,
    outlook: &'a Outlook,
    path: &'a AbsPath,
    stack: Vec<(Folder, Trust)>,
    todo: VecDeque<Step>,
    links: usize,
    /// It went by a link that will be other than it is.
    anew: bool,
}

impl<'a> Walk<'a> {
    fn new(
        machine: &'a Machine,
        path: &'a AbsPath,
        folder: &AbsPath,
        outlook: &'a Outlook,
    ) -> Result<Self, SysError> {
        let top = Folder::of_root(machine.root())?;
        let trust = machine.trust(outlook, &top, Trust::Closed);
        Ok(Self {
            machine,
            outlook,
            path,
            stack: vec![(top, trust)],
            todo: folder
                .components()
                .map(|name| (name.into(), None))
                .collect(),
            links: 0,
            anew: false,
        })
    }

    fn go(mut self) -> Result<Foreseen, SysError> {
        while let Some((name, link)) = self.todo.pop_front() {
            match name.as_bytes() {
                b"." => continue,
                b".." => {
                    if self.stack.len() > 1 {
                        self.stack.pop();
                    }
                    continue;
                }
                _ => {}
            }
            if let Some(end) = self.step(&name, link.as_deref())? {
                return Ok(end);
            }
        }
        Ok(Foreseen::There)
    }

    /// One component on; how it ends, where it does.
    fn step(
        &mut self,
        name: &OsStr,
        link: Option<&(String, OsString)>,
    ) -> Result<Option<Foreseen>, SysError> {
        let outlook = self.outlook;
        let (here, trust) = self.stack.last().expect("the root is never popped");
        let at = here.at.join(name);
        if let Some((target, written)) = outlook.links.get(&at)
            && (self.anew || (self.path != written && self.path.is_within(written)))
        {
            self.anew = true;
            return Ok(self.follow(name, 0, target.clone()));
        }
        if self.anew && outlook.files.contains(&at) {
            return Ok(Some(Foreseen::Never(WalkError::NotAFolder {
                path: here.shown(name),
            })));
        }
        let Some(entry) = here.entry(name)? else {
            return Ok(Some(match link {
                _ if outlook.may_come(&at) => Foreseen::Perhaps,
                None => Foreseen::There,
                Some((link, target)) => Foreseen::Never(WalkError::Dangling {
                    link: link.clone(),
                    target: target.display().to_string(),
                    end: None,
                }),
            }));
        };
        Ok(match entry.what {
            What::Directory => {
                let trust = *trust;
                let folder = here.below(self.machine.root(), name, entry);
                let trust = self.machine.trust(outlook, &folder, trust);
                self.stack.push((folder, trust));
                None
            }
            _ if outlook.touches(&at) => Some(Foreseen::Perhaps),
            What::Link => {
                let Entry { stat, .. } = &entry;
                let target = entry.target(&here.shown(name))?;
                self.follow(name, stat.st_uid, target)
            }
            What::File | What::Special => Some(Foreseen::Never(WalkError::NotAFolder {
                path: here.shown(name),
            })),
        })
    }

    /// Puts a link's target in front of what is still to be walked.
    fn follow(&mut self, name: &OsStr, owner: u32, target: OsString) -> Option<Foreseen> {
        let (here, trust) = self.stack.last().expect("the root is never popped");
        let link = here.shown(name);
        if let Err(error) = planted(self.machine.root(), (here, *trust), owner, &link) {
            return Some(Foreseen::Never(error));
        }
        self.links += 1;
        if self.links > MOST_LINKS {
            let folder = self.path.parent().unwrap_or_else(|| self.path.clone());
            return Some(Foreseen::Never(WalkError::Loop {
                path: folder.to_string(),
            }));
        }
        if target.as_bytes().starts_with(b"/") {
            self.stack.truncate(1);
        }
        let origin = Rc::new((link, target));
        let parts = origin.1.as_bytes().split(|byte| *byte == b'/');
        for part in parts.rev().filter(|part| !part.is_empty()) {
            let name = OsString::from_vec(part.to_vec());
            self.todo.push_front((name, Some(Rc::clone(&origin))));
        }
        None
    }
}
