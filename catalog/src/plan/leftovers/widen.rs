//! What a role has come to say of a resource since that was put on record: what was there before is seen only now.

use super::before::{Before, Contents, Stood, keys_of};
use super::made::Made;
use crate::resource::Observed;
use crate::resource::account::UserState;

/// Adds to what was there before what nobody had looked at while no role said anything of it.
pub(super) fn more_is_said(
    before: &mut Before,
    known: Option<&Made>,
    seen: &Observed,
    keep: &mut Contents,
) {
    match (before, known, seen) {
        (
            Before::Service {
                unit: unit @ None,
                links,
                ..
            },
            Some(Made::Service { unit: None, .. }),
            Observed::Service(state),
        ) => {
            let there = state.unit_file.as_ref();
            *unit = there.map(|there| Stood::of(there, keep));
            if links.is_none() {
                links.clone_from(&state.links);
            }
        }
        (
            Before::Repository {
                key: key @ None, ..
            },
            _,
            Observed::Repository(state),
        ) => {
            *key = state.key.as_ref().map(|there| Stood::of(there, keep));
        }
        (Before::Sysctl { file, .. }, _, Observed::Sysctl(state)) if file.is_none() => {
            *file = Some(Stood::of(&state.file, keep));
        }
        (
            Before::User {
                was: Some(before),
                keys,
                bare,
            },
            Some(Made::User(said)),
            Observed::User(UserState::Present(now)),
        ) => {
            if said.authorized_keys.is_none() && now.keys_file.is_some() {
                before.authorized_keys.clone_from(&now.authorized_keys);
                (*keys, *bare) = keys_of(now, keep);
            }
            if said.password_hash.is_none() && now.password_hash.is_some() {
                before.password_hash.clone_from(&now.password_hash);
            }
        }
        _ => {}
    }
}
