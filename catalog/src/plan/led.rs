//! Order among resources whose paths meet only on this machine's disk, where links of its own lead: nobody can see that in the role.

use super::claims::{own_path, presence};
use super::order::order_exists;
use super::{Places, Snapshot};
use crate::id::ResourceId;
use crate::path::AbsPath;
use crate::resource::{Body, Desired, Presence, Resource};
use std::collections::BTreeMap;
use std::ops::Bound;

/// The role with what comes after what by links of the machine; none where it is the same role, or where that has no order.
pub fn led(desired: &Desired, snapshot: &Snapshot) -> Option<Desired> {
    let places = &snapshot.places_then(desired);
    if places.is_empty() {
        return None;
    }
    let mut at: BTreeMap<AbsPath, Vec<&Resource>> = BTreeMap::new();
    for one in &desired.resources {
        if let Some(path) = own_path(&one.body) {
            let real = places.real(path).into_owned();
            at.entry(real).or_default().push(one);
        }
    }
    let mut firsts: BTreeMap<&ResourceId, Vec<&ResourceId>> = BTreeMap::new();
    for (real, here) in &at {
        for one in here {
            let (after, first) = match (presence(&one.body), before(&at, one, real)) {
                (Presence::Present, None) => match makes_way(&at, one, places) {
                    Some(first) => (&one.id, &first.id),
                    None => continue,
                },
                (_, None) => continue,
                (Presence::Present, Some(first)) => (&one.id, &first.id),
                (Presence::Absent, Some(folder)) => (&folder.id, &one.id),
            };
            firsts.entry(after).or_default().push(first);
        }
    }
    if firsts.is_empty() {
        return None;
    }
    let mut led = desired.clone();
    for one in &mut led.resources {
        let firsts = firsts.get(&one.id).into_iter().flatten();
        one.after
            .extend(firsts.map(|first| ResourceId::clone(first)));
    }
    order_exists(&led).is_ok().then_some(led)
}

/// By where they really lie.
type At<'a> = BTreeMap<AbsPath, Vec<&'a Resource>>;

/// What is to be the same file, or a folder above, by another name, and goes the same way.
fn before<'a>(at: &At<'a>, one: &Resource, real: &AbsPath) -> Option<&'a Resource> {
    let written = own_path(&one.body)?;
    let edits = |body: &Body| matches!(body, Body::Edit(_));
    let here = at.get(real).into_iter().flatten();
    let whole = here.filter(|other| edits(&one.body) && !edits(&other.body));
    let above = real.ancestors().filter_map(|above| at.get(&above));
    let leads = |other: &&&Resource| matches!(other.body, Body::Directory(_) | Body::Link(_));
    let mut all = whole.chain(above.flatten().filter(leads)).copied();
    all.find(|other| {
        let path = own_path(&other.body);
        let seen = path.is_some_and(|path| written.is_within(path));
        !seen && presence(&other.body) == presence(&one.body)
    })
}

/// What brings the folder that a link on the way to this leads to, where there is none.
fn makes_way<'a>(at: &At<'a>, one: &Resource, places: &Places) -> Option<&'a Resource> {
    let missing = places.missing(own_path(&one.body)?)?;
    let from = (Bound::Included(missing.as_str()), Bound::Unbounded);
    let inside = at.range::<str, _>(from);
    let inside = inside.take_while(|(path, _)| path.as_str().starts_with(missing.as_str()));
    let inside = inside.filter(|(path, _)| path.is_within(missing));
    let mut inside = inside.flat_map(|(path, here)| here.iter().map(move |other| (path, *other)));
    let as_written = |(path, other): &(&AbsPath, &Resource)| {
        own_path(&other.body) == Some(path) && presence(&other.body) == Presence::Present
    };
    inside.find(as_written).map(|(_, other)| other)
}
