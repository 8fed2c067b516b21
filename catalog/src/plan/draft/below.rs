//! What lies below what is removed or moved before its turn.

use super::Draft;
use crate::path::AbsPath;
use crate::plan::Certainty;
use crate::plan::claims::{own_path, presence};
use crate::plan::missing::nothing;
use crate::resource::archive::ArchiveState;
use crate::resource::through::Links;
use crate::resource::{Body, Observed, PathState, Presence, Resource};

impl Draft<'_> {
    /// For what is removed before, or lies below that or below a folder that is replaced: nothing will be there. Below a link that
    /// moves, anything may be.
    pub(super) fn below_moved(&self, resource: &Resource) -> (Option<Observed>, Certainty) {
        if self.renewed.is_empty() && self.moved.is_empty() && !self.ahead.removes_anything() {
            return (None, Certainty::Certain);
        }
        let archive = matches!(resource.body, Body::Archive(_));
        let seen = |path| match archive {
            true => Observed::Archive(ArchiveState { path, marker: None }),
            false => Observed::Path(path),
        };
        let Some(path) = (match &resource.body {
            Body::Archive(archive) => Some(&archive.path),
            body => own_path(body),
        }) else {
            return (None, Certainty::Certain);
        };
        let renewed = self.renewed.iter().filter(|point| path.is_within(point));
        if let Some(point) = renewed.max_by_key(|point| point.as_str().len()) {
            // What leads there within may be there again, or not.
            let inside = |above: &AbsPath| above != point && above.is_within(point);
            let mut missing_parents: Vec<AbsPath> = path.ancestors().take_while(inside).collect();
            missing_parents.reverse();
            return (Some(seen(absent(missing_parents))), Certainty::Assumed);
        }
        let turned = presence(&resource.body) == Presence::Absent && self.turns(path);
        // What must not be there goes by the ways that are.
        let removal = |path: &AbsPath| match presence(&resource.body) {
            Presence::Absent if turned => None,
            Presence::Absent => self.ahead.removal(&self.snapshot.places.real(path)),
            Presence::Present => self.ahead.removal(&self.claims.real(path)),
        };
        if let Some(sure) = removal(path) {
            return (Some(seen(absent(Vec::new()))), sure);
        }
        let mut between: Vec<AbsPath> = Vec::new();
        for above in path.ancestors() {
            let moved = self.moved.get(&above);
            let moved = moved.filter(|sure| !archive || **sure == Certainty::Certain);
            let sure = match (moved, removal(&above)) {
                (Some(Certainty::Assumed), _) => return (Some(nothing()), Certainty::Assumed),
                (Some(Certainty::Certain), _) => Certainty::Certain,
                (None, Some(sure)) => {
                    between.push(above);
                    sure
                }
                (None, None) => {
                    between.push(above);
                    continue;
                }
            };
            between.reverse();
            return (Some(seen(absent(between))), sure);
        }
        match !archive && self.is_led_elsewhere(path) {
            true => (Some(nothing()), Certainty::Assumed),
            false => (None, Certainty::Certain),
        }
    }

    /// Whether the way that leads there now leads elsewhere by then.
    fn turns(&self, path: &AbsPath) -> bool {
        let moved = path
            .ancestors()
            .any(|above| self.moved.contains_key(&above));
        (moved || self.is_led_elsewhere(path)) && {
            let (then, links) = self.passed.get_or_init(|| {
                let then = self.snapshot.places_passed(self.desired);
                (then, Links::of(self.desired.resources.iter()))
            });
            then.led(path, links) != *self.snapshot.places.real(path)
        }
    }

    /// Whether only a run finds what stands there, be it what went with what was around it and may come again with that.
    pub(super) fn is_open(&self, resource: &Resource, seen: Option<&Observed>) -> bool {
        let gone = presence(&resource.body) == Presence::Absent;
        let stands =
            matches!(seen, Some(Observed::Path(seen)) if !matches!(seen, PathState::Absent { .. }));
        (gone && stands) || own_path(&resource.body).is_some_and(|path| self.is_led_elsewhere(path))
    }

    /// Whether this is to stand where by then a folder may, which gives way only while it is empty.
    pub(super) fn is_filled(&self, resource: &Resource) -> bool {
        let whole = matches!(resource.body, Body::File(_) | Body::Edit(_) | Body::Link(_));
        whole && own_path(&resource.body).is_some_and(|path| self.ahead.fills(path))
    }

    /// Whether one of the links of the machine that lead there will not do so by then, or leads to what moves.
    fn is_led_elsewhere(&self, path: &AbsPath) -> bool {
        let places = &self.snapshot.places;
        let mut ways = places.links(path);
        let real = places.real(path);
        ways.any(|way| self.moved.contains_key(way) || self.ahead.removal(way).is_some())
            || (*real != *path
                && real
                    .ancestors()
                    .any(|above| self.moved.contains_key(&above)))
    }
}

fn absent(missing_parents: Vec<AbsPath>) -> PathState {
    PathState::Absent {
        missing_parents,
        parent_changed_us: 0,
    }
}
