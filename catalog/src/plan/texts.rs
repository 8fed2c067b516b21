//! The files that edits are about, as the planned changes will leave them: a second edit of a file is planned over what
//! the first makes of it.

use super::{Action, Certainty, Change, Host, Places, Snapshot};
use crate::digest::Digest;
use crate::path::AbsPath;
use crate::resource::file::{Content, File, NEW, NEW_SENSITIVE};
use crate::resource::{
    Body, Desired, FileState, Observed, Ownership, PathState, Resource, attributes, edit,
};
use std::collections::BTreeMap;

/// By where they will really lie.
pub(crate) struct Texts {
    at: BTreeMap<AbsPath, Text>,
    places: Places,
}

struct Text {
    state: PathState,
    /// A planned change made it so.
    moved: bool,
}

impl Texts {
    /// All that are edited, as they are, where they will lie.
    pub(crate) fn of(desired: &Desired, snapshot: &Snapshot, places: &Places) -> Self {
        let edited = desired.resources.iter().filter_map(|resource| {
            let Body::Edit(edit) = &resource.body else {
                return None;
            };
            let Some(Observed::Path(state)) = snapshot.observed.get(&resource.id) else {
                return None;
            };
            let text = Text {
                state: state.clone(),
                moved: false,
            };
            Some((places.real(&edit.path).into_owned(), text))
        });
        Self {
            at: edited.collect(),
            places: places.clone(),
        }
    }

    /// What an edit will see, where that is not what was seen.
    pub(crate) fn seen(&self, resource: &Resource) -> Option<Observed> {
        let Body::Edit(edit) = &resource.body else {
            return None;
        };
        let real = self.places.real(&edit.path);
        let text = self.at.get(&*real).filter(|text| text.moved)?;
        Some(Observed::Path(text.state.clone()))
    }

    /// What a planned change makes of the file that it is about.
    pub(crate) fn note(
        &mut self,
        resource: &Resource,
        observed: Option<&Observed>,
        change: &Change,
        host: &Host,
    ) {
        let Some(Observed::Path(seen)) = observed else {
            return;
        };
        if change.certainty != Certainty::Certain || change.resource != resource.id {
            return;
        }
        match &resource.body {
            Body::File(file) if change.action != Action::Remove => {
                let Some(text) = self.at.get_mut(&*self.places.real(&file.path)) else {
                    return;
                };
                text.state = written(resource, file, seen, &text.state, host);
                text.moved = true;
            }
            Body::Edit(body) => {
                let Some(text) = self.at.get_mut(&*self.places.real(&body.path)) else {
                    return;
                };
                if let Some(content) = edit::outlook(body, seen) {
                    let new = if resource.sensitive {
                        NEW_SENSITIVE
                    } else {
                        NEW
                    };
                    let wanted = Default::default();
                    let ownership = attributes::outcome(&wanted, owned(seen), new, host).after;
                    text.state = holding(content, ownership);
                    text.moved = true;
                }
            }
            _ => {}
        }
    }
}

fn owned(state: &PathState) -> Option<&Ownership> {
    match state {
        PathState::File(old) => Some(&old.ownership),
        _ => None,
    }
}

/// What a file of the role leaves to the edits after it.
fn written(
    resource: &Resource,
    file: &File,
    seen: &PathState,
    text: &PathState,
    host: &Host,
) -> PathState {
    let secret = resource.sensitive || file.sensitive;
    let new = if secret { NEW_SENSITIVE } else { NEW };
    let ownership = attributes::outcome(&file.attributes, owned(seen), new, host).after;
    match (&file.content, text) {
        (None, PathState::File(old)) => PathState::File(FileState {
            ownership,
            ..old.clone()
        }),
        (Some(_), PathState::File(old)) if file.create_only => PathState::File(FileState {
            ownership,
            ..old.clone()
        }),
        (Some(Content::Text(bytes)), _) => holding(bytes.clone(), ownership),
        (Some(Content::Blob { digest, size }), _) => match host.blobs.get(digest) {
            Some(bytes) => holding(bytes.clone(), ownership),
            None => PathState::File(FileState {
                ownership,
                size: *size,
                digest: Some(*digest),
                content: None,
                changed_us: u64::MAX,
            }),
        },
        // Nobody has it yet.
        (Some(Content::Url { digest, .. }), _) => PathState::File(FileState {
            ownership,
            size: 0,
            digest: Some(*digest),
            content: None,
            changed_us: u64::MAX,
        }),
        (None, other) => other.clone(),
    }
}

fn holding(content: Vec<u8>, ownership: Ownership) -> PathState {
    PathState::File(FileState {
        ownership,
        size: content.len() as u64,
        digest: Some(Digest::of(&content)),
        content: Some(content),
        changed_us: u64::MAX,
    })
}
