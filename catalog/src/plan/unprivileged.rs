//! What an ordinary user may do below `--root`: write files of his own and links, and no more. The rest is held.

use super::missing::missing;
use super::turn::{Turn, Verdict};
use super::{Action, Change};
use crate::id::{Kind, ResourceId};
use crate::path::AbsPath;
use crate::resource::directory::Directory;
use crate::resource::file::File;
use crate::resource::service::Load;
use crate::resource::{Body, Mode, Observed, PathState, Presence, Resource};

/// Who owns a folder may make something in it.
const WRITE_AND_ENTER: u32 = 0o300;
/// Who owns a folder may come to what is in it.
const ENTER: u32 = 0o100;
/// Who owns a file may read it.
const READ: u32 = 0o400;

/// The judgement without what is not for an ordinary user to do.
pub(super) fn withheld(
    resource: &Resource,
    observed: Option<&Observed>,
    mut verdict: Verdict,
    turn: &Turn<'_>,
) -> Verdict {
    let without_unit = matches!(
        (&resource.body, observed),
        (Body::Service(service), Some(Observed::Service(state)))
            if state.load == Load::NotFound && service.unit_file.is_none()
    );
    // A mask needs no unit: it is a link.
    let masks = !verdict.changes.is_empty()
        && verdict
            .changes
            .iter()
            .all(|change| matches!(change.action, Action::Mask | Action::Unmask));
    let why = match &resource.body {
        Body::Service(_) if masks => return verdict,
        Body::User(_) | Body::Group(_) => "accounts can be changed by root alone".to_owned(),
        Body::Package(_) => "packages can be changed by root alone".to_owned(),
        Body::Command(_) => "commands are run by root alone".to_owned(),
        Body::Service(_) if without_unit => "its unit comes with a package".to_owned(),
        Body::File(file) if is_closed(file) => "with this mode root alone could read it".to_owned(),
        _ => match shut(resource, observed, &verdict, turn) {
            Some(why) => why,
            None => return verdict,
        },
    };
    // A guard cannot be asked by him either, and what he could not read again he cannot judge.
    let blind = matches!(resource.body, Body::Command(_) | Body::File(_))
        || without_unit
        || is_hidden(observed);
    let due = !verdict.changes.is_empty() || (blind && verdict.obstacle.is_some());
    if due {
        let words: Vec<&str> = verdict.changes.iter().map(|c| c.action.word()).collect();
        verdict.held.push(match words.is_empty() {
            true => why,
            false => format!("{}: {why}", words.join(", ")),
        });
        verdict.changes.clear();
        verdict.obstacle = None;
    }
    verdict
}

/// Whether nobody but root could see that a file holds what it must.
fn is_closed(file: &File) -> bool {
    let judged = file.content.is_some() && !file.create_only && file.state == Presence::Present;
    judged
        && file
            .attributes
            .mode
            .is_some_and(|Mode(mode)| mode & READ == 0)
}

/// Why nothing can be made or taken away where a resource is to be: the role itself shuts a folder that it would be done in.
fn shut(
    resource: &Resource,
    observed: Option<&Observed>,
    verdict: &Verdict,
    turn: &Turn<'_>,
) -> Option<String> {
    let own = |change: &&Change| change.resource == resource.id;
    let change = verdict.changes.iter().find(own);
    if change.is_none() && !is_hidden(observed) {
        return None;
    }
    let path = match &resource.body {
        Body::Archive(archive) => &archive.path,
        body => super::claims::own_path(body)?,
    };
    if change.is_some_and(|change| amends(observed, change)) {
        return None;
    }
    let missing = missing(resource, observed).into_iter().flatten().next();
    let first = missing.as_ref().unwrap_or(path);
    // Who may not enter a folder sees nothing below it, however deep.
    let (top, least) = match change {
        Some(_) => (first.parent()?, WRITE_AND_ENTER),
        None => (AbsPath::root(), ENTER),
    };
    let folders = path.ancestors().filter(|above| above.is_within(&top));
    let mut given = folders.filter_map(|folder| Some((given(turn, &folder)?, folder)));
    let (mode, folder) = given.find(|(mode, _)| mode.0 & least != least)?;
    Some(format!(
        "this user may not write in {folder} with the mode {mode} that the role gives it"
    ))
}

/// Whether he could not even look: the folder may be shut by now.
fn is_hidden(observed: Option<&Observed>) -> bool {
    matches!(observed, Some(Observed::Path(PathState::Unreadable { .. })))
}

/// Whether what stands there is only given another mode or owner.
fn amends(observed: Option<&Observed>, change: &Change) -> bool {
    match observed {
        Some(Observed::Path(PathState::Directory(_))) => {
            change.action == Action::Update && change.before.get("type").is_none()
        }
        Some(Observed::Path(PathState::File(_))) => {
            change.action == Action::Update
                && change.before.get("sha256") == change.after.get("sha256")
        }
        _ => false,
    }
}

/// The mode that the role gives to a folder.
fn given(turn: &Turn<'_>, folder: &AbsPath) -> Option<Mode> {
    let id = ResourceId::new(Kind::Directory, folder.as_str());
    match &turn.desired.get(&id)?.body {
        Body::Directory(Directory {
            state: Presence::Present,
            attributes,
            ..
        }) => attributes.mode,
        _ => None,
    }
}

/// Whether the role gives a folder, in which he may not write now, a mode with which he may.
pub(super) fn opened(turn: &Turn<'_>, folder: &AbsPath) -> bool {
    let id = ResourceId::new(Kind::Directory, folder.as_str());
    let mode = given(turn, folder);
    mode.is_some_and(|mode| mode.0 & WRITE_AND_ENTER == WRITE_AND_ENTER)
        && !turn.host.refusals.contains_key(&id)
}
