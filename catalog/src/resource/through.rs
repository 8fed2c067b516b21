//! Where a path leads by the links that a role makes itself: what stands there has two names.

use super::{Body, Presence, Resource};
use crate::path::AbsPath;
use std::collections::BTreeMap;

/// The kernel follows no more of them in one path.
const MOST: usize = 40;

/// The links that a role makes, by path.
pub(crate) struct Links<'a>(BTreeMap<&'a str, (&'a Resource, &'a str)>);

/// Where a path leads, and by which links.
pub(crate) struct Led<'a> {
    pub(crate) path: AbsPath,
    pub(crate) by: Vec<&'a Resource>,
}

impl<'a> Links<'a> {
    pub(crate) fn of(resources: impl Iterator<Item = &'a Resource>) -> Self {
        let made = resources.filter_map(|resource| match &resource.body {
            Body::Link(link) if link.state == Presence::Present => {
                Some((link.path.as_str(), (resource, link.target.as_deref()?)))
            }
            _ => None,
        });
        Self(made.collect())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Where a path leads if a link stands above it; none too where links lead round, or to what is no path. One that
    /// stands at its end is not followed: it is replaced.
    pub(crate) fn lead(&self, path: &AbsPath) -> Option<Led<'a>> {
        if self.is_empty() || !path.above().any(|above| self.0.contains_key(above)) {
            return None;
        }
        let mut rest: Vec<&str> = path.components().rev().collect();
        let mut here = String::new();
        let mut by = Vec::new();
        while let Some(name) = rest.pop() {
            match name {
                "" | "." => continue,
                ".." => here.truncate(here.rfind('/').unwrap_or_default()),
                name => here = format!("{here}/{name}"),
            }
            if let Some((link, target)) = self.0.get(here.as_str()).filter(|_| !rest.is_empty()) {
                by.push(*link);
                let from = match target.starts_with('/') {
                    true => 0,
                    false => here.rfind('/').unwrap_or_default(),
                };
                here.truncate(from);
                rest.extend(target.split('/').rev());
            }
            if by.len() > MOST {
                return None;
            }
        }
        Some(Led {
            path: here.parse().ok()?,
            by,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{Kind, ResourceId};
    use crate::resource::Place;
    use crate::resource::link::Link;

    fn link(path: &str, target: &str, state: Presence) -> Resource {
        Resource {
            id: ResourceId::new(Kind::Link, path),
            place: Place::default(),
            after: Vec::new(),
            sensitive: false,
            body: Body::Link(Link {
                path: path.parse().unwrap(),
                state,
                target: Some(target.into()),
                over_file: false,
            }),
        }
    }

    #[test]
    fn paths_are_led_by_links() {
        let there = |(path, target)| link(path, target, Presence::Present);
        let mut resources: Vec<Resource> = [
            ("/abs", "/srv//app/"),
            ("/etc/rel", "../srv/./app"),
            ("/srv/up", ".."),
            ("/chain", "etc/rel/x"),
            ("/round", "/robin"),
            ("/robin", "round"),
            ("/longer", "/longer/and"),
            ("/top", "/"),
        ]
        .map(there)
        .into();
        resources.push(link("/gone", "/srv", Presence::Absent));
        let links = Links::of(resources.iter());
        for (path, wanted) in [
            ("/srv/app/a", None),
            ("/abs", None),
            ("/absent/a", None),
            ("/gone/a", None),
            ("/abs/a", Some(("/srv/app/a", 1))),
            ("/abs/a/b", Some(("/srv/app/a/b", 1))),
            ("/etc/rel/a", Some(("/srv/app/a", 1))),
            ("/chain/a", Some(("/srv/app/x/a", 2))),
            ("/srv/up/a", Some(("/a", 1))),
            ("/srv/up/abs/a", Some(("/srv/app/a", 2))),
            ("/top/srv/up/top/a", Some(("/a", 3))),
            ("/round/a", None),
            ("/longer/a", None),
        ] {
            let led = links.lead(&path.parse().unwrap());
            let led = led.map(|led| (led.path.to_string(), led.by.len()));
            let wanted = wanted.map(|(path, links)| (path.to_owned(), links));
            assert_eq!(led, wanted, "{path}");
        }
    }
}
