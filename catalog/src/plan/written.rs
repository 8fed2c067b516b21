//! Which paths a planned change moves.

use super::claims::{own_path, path_of};
use super::listing::{Entry, Move};
use super::{Action, Certainty, Change};
use crate::digest::Digest;
use crate::path::AbsPath;
use crate::resource::account::{User, UserState};
use crate::resource::fstab::FSTAB;
use crate::resource::service::Service;
use crate::resource::{Body, Observed, Resource, edit};

/// Where systemd keeps its links.
const UNITS: &str = "/etc/systemd/system";

/// The paths that a change of this resource, or of a victim of its purge, moves, and to what.
pub(crate) fn by(
    resource: &Resource,
    observed: Option<&Observed>,
    change: &Change,
) -> Vec<(AbsPath, Move)> {
    if change.resource != resource.id {
        let victim = path_of(&change.resource);
        return sure(victim.map(|path| (path, Move::Away)), change.certainty);
    }
    let moved = match &resource.body {
        body @ (Body::File(_) | Body::Directory(_) | Body::Link(_)) => own_path(body)
            .map(|path| (path.clone(), Move::of(body, observed, change.action)))
            .into_iter()
            .collect(),
        Body::Repository(repository) => {
            let sources = (repository.sources_path(), Digest::of(&repository.sources));
            let key = repository.key_path().zip(repository.key.as_ref());
            let key = key.map(|(path, key)| (path, key.digest));
            let files = std::iter::once(sources).chain(key);
            files
                .filter_map(|(path, digest)| file(path.parse().ok(), digest))
                .collect()
        }
        Body::Sysctl(sysctl) if sysctl.spares => Vec::new(),
        Body::Sysctl(sysctl) => match (sysctl.file(), change.action) {
            (Ok(path), Action::Remove) => vec![(path, Move::Away)],
            (path, _) => file(path.ok(), Digest::of(&sysctl.line()))
                .into_iter()
                .collect(),
        },
        Body::Archive(archive) if change.action == Action::Remove => {
            vec![(archive.path.clone(), Move::Away)]
        }
        Body::Archive(archive) => vec![open(archive.path.clone())],
        Body::Mount(mount) => std::iter::once(mount.point.clone())
            .chain(FSTAB.parse().ok())
            .map(open)
            .collect(),
        Body::Service(service) => of_unit(service, change.action),
        Body::User(user) if change.action == Action::Create || user.authorized_keys.is_some() => {
            keys(user, observed).into_iter().map(open).collect()
        }
        Body::Edit(edit) => {
            let new = match observed {
                Some(Observed::Path(state)) => edit::outlook(edit, state),
                _ => None,
            };
            let new = new.map(|text| Move::To(Entry::File(Digest::of(&text))));
            vec![(edit.path.clone(), new.unwrap_or(Move::Open))]
        }
        Body::Command(command) => command.creates.iter().cloned().map(open).collect(),
        Body::User(_) | Body::Group(_) | Body::Package(_) => Vec::new(),
    };
    sure(moved, change.certainty)
}

fn sure(
    moved: impl IntoIterator<Item = (AbsPath, Move)>,
    certainty: Certainty,
) -> Vec<(AbsPath, Move)> {
    let moved = moved.into_iter();
    moved
        .map(|(path, to)| (path, to.at_most(certainty)))
        .collect()
}

fn file(path: Option<AbsPath>, digest: Digest) -> Option<(AbsPath, Move)> {
    Some((path?, Move::To(Entry::File(digest))))
}

fn open(path: AbsPath) -> (AbsPath, Move) {
    (path, Move::Open)
}

fn of_unit(service: &Service, action: Action) -> Vec<(AbsPath, Move)> {
    match (action, &service.unit_file) {
        (Action::Create | Action::Update, Some(unit)) => {
            let digest = Digest::of(&unit.content);
            file(service.unit_path(), digest).into_iter().collect()
        }
        (Action::Enable | Action::Disable | Action::Mask | Action::Unmask, _) => {
            let links = format!("{UNITS}/{}", service.unit).parse().ok();
            links.map(open).into_iter().collect()
        }
        _ => Vec::new(),
    }
}

/// The path furthest in that an account comes with.
fn keys(user: &User, observed: Option<&Observed>) -> Option<AbsPath> {
    let home = match (&user.home, observed) {
        (None, Some(Observed::User(UserState::Present(seen)))) => seen.home.clone(),
        _ => user.place(),
    };
    format!("{home}/.ssh/authorized_keys").parse().ok()
}
