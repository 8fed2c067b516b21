//! What is seen of the machine in memory.

use super::{Fake, PACKAGE};
use crate::run::site::{Look, Site, Stage};
use cfg_catalog::digest::Digest;
use cfg_catalog::id::ResourceId;
use cfg_catalog::path::AbsPath;
use cfg_catalog::plan::places::{Followed, Place, Places};
use cfg_catalog::resource::command::{CommandState, Guards};
use cfg_catalog::resource::debconf::Answers;
use cfg_catalog::resource::package::{DpkgState, Offered, PackageState};
use cfg_catalog::resource::service::{Active, Enabled, Load, ServiceState, Start};
use cfg_catalog::resource::{
    Below, BelowKind, Body, DirectoryState, FileState, Mode, Observed, Ownership, PathState,
    Resource,
};
use std::collections::BTreeMap;

fn ownership() -> Ownership {
    Ownership {
        mode: Mode(0o644),
        owner: "root".into(),
        group: "root".into(),
    }
}

impl Fake {
    fn file_state(&self, path: &str) -> PathState {
        match self.files.get(path) {
            None => PathState::Absent {
                missing_parents: Vec::new(),
                parent_changed_us: 0,
            },
            Some((content, changed_us)) => PathState::File(file_state(content, *changed_us)),
        }
    }

    fn directory_state(&self, path: &str) -> PathState {
        let start = format!("{path}/");
        let inside: Vec<_> = self
            .files
            .iter()
            .filter(|(path, _)| path.starts_with(&start))
            .collect();
        let below = inside.iter().map(|(path, (content, changed_us))| Below {
            path: path.parse().unwrap(),
            what: BelowKind::File(file_state(content, *changed_us)),
        });
        let changed_us = self.files.get(path).map_or(0, |(_, at)| *at);
        let latest = inside.iter().map(|(_, (_, at))| *at).max().unwrap_or(0);
        PathState::Directory(DirectoryState {
            ownership: Ownership {
                mode: Mode(0o755),
                ..ownership()
            },
            below: below.collect(),
            empty: inside.is_empty(),
            holds: None,
            changed_us: changed_us.max(latest),
        })
    }

    fn service_state(&self, unit: &str) -> ServiceState {
        let there = self.package.is_some();
        let known = self.services.get(unit).cloned().unwrap_or_default();
        let start = known.start.clone().map(|(id, at_us)| Start { id, at_us });
        let load = if there { Load::Loaded } else { Load::NotFound };
        let active = match start {
            Some(_) => Active::Running,
            None => Active::Stopped,
        };
        let enabled = match (there, known.enabled) {
            (false, _) => Enabled::Unknown,
            (true, true) => Enabled::Yes,
            (true, false) => Enabled::No,
        };
        let package = self.package.clone();
        ServiceState {
            start,
            judged: true,
            package: package.map(|(version, _)| (PACKAGE.to_owned(), version)),
            ..ServiceState::new(load, active, enabled)
        }
    }
}

fn file_state(content: &str, changed_us: u64) -> FileState {
    FileState {
        ownership: ownership(),
        size: content.len() as u64,
        digest: Some(Digest::of(content.as_bytes())),
        content: None,
        changed_us,
    }
}

impl Site for Fake {
    fn look(&mut self, wanted: &[Look<'_>], _stage: Stage) -> BTreeMap<ResourceId, Observed> {
        let see = |resource: &Resource| match &resource.body {
            Body::File(_) => Observed::Path(self.file_state(&self.led(&resource.id.name))),
            Body::Directory(_) => Observed::Path(self.directory_state(&resource.id.name)),
            Body::Package(_) => Observed::Package(PackageState {
                dpkg: match &self.package {
                    None => DpkgState::Absent,
                    Some((version, at)) => DpkgState::Installed {
                        version: version.clone(),
                        changed_us: *at,
                    },
                },
                held: false,
                auto: false,
                available: Some(Offered {
                    candidate: self.offered.last().cloned(),
                    versions: self.offered.clone(),
                }),
                debconf: Answers::default(),
                refusal: None,
                drawn: None,
                unsure: false,
            }),
            Body::Service(_) => Observed::Service(self.service_state(&resource.id.name)),
            Body::Command(_) => Observed::Command(CommandState {
                guards: Guards::Allow,
            }),
            _ => unreachable!("the fake has no such kind"),
        };
        wanted
            .iter()
            .map(|look| (look.resource.id.clone(), see(look.resource)))
            .collect()
    }

    fn places(&self) -> Places {
        let mut places = Places::default();
        if let Some((link, real)) = self.shipped() {
            let link: AbsPath = link.parse().unwrap();
            let real = real.parse().unwrap();
            let (at, unled) = (link.clone(), Some(link.clone()));
            let links = vec![Followed { at, unled }];
            places.note(link, Place { real, links });
        }
        places
    }
}
