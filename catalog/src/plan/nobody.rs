//! Users and groups that a plan counts on and that nobody has: found before the run, which could only fail.

use super::turn::{Turn, Verdict};
use super::{Action, Certainty, Change, Power};
use crate::id::ResourceId;
use crate::resource::{Attributes, Body, Presence, Resource};
use std::collections::BTreeSet;

/// Names and numbers that a role gives to things, and that are nobody's on a machine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Nobody {
    /// Users, as the role writes them.
    pub users: BTreeSet<String>,
    /// Groups, as the role writes them.
    pub groups: BTreeSet<String>,
}

/// The users and groups that a resource needs to be there, as its role writes them. What is given to a number is given
/// to it whether anybody has it or not.
pub fn needed(resource: &Resource) -> (Vec<&str>, Vec<&str>) {
    let (users, mut groups) = match &resource.body {
        Body::File(file) if file.state == Presence::Present => named(&file.attributes),
        Body::Directory(directory) if directory.state == Presence::Present => {
            named(&directory.attributes)
        }
        Body::Archive(archive) if archive.state == Presence::Present => named(&archive.attributes),
        _ => (Vec::new(), Vec::new()),
    };
    if let Body::User(user) = &resource.body
        && user.state == Presence::Present
    {
        groups.extend(user.gid.iter().chain(&user.groups).map(String::as_str));
    }
    (users, groups)
}

fn named(attributes: &Attributes) -> (Vec<&str>, Vec<&str>) {
    let name = |text: &str| text.parse::<u32>().is_err();
    let owner = attributes.owner.as_deref().filter(|text| name(text));
    let group = attributes.group.as_deref().filter(|text| name(text));
    (owner.into_iter().collect(), group.into_iter().collect())
}

/// Why what is planned for a resource can only fail, where a name in it is nobody's and nothing before makes it, or a
/// number somebody else's. In a run the tools tell; by then more may be there than a plan has seen.
pub(crate) fn wanting(resource: &Resource, verdict: &Verdict, turn: &Turn<'_>) -> Option<String> {
    if let Some(why) = still_primary(resource, verdict, turn) {
        return Some(why);
    }
    let due = verdict.changes.iter().any(|change| gives(resource, change));
    if !due || !turn.ahead.is_ahead() || turn.host.power != Power::Root {
        return None;
    }
    if let Some(why) = taken(resource, verdict, turn) {
        return Some(why);
    }
    if turn.ahead.may_bring_accounts() {
        return None;
    }
    let (kind, name) = missing(resource, turn)?;
    Some(match name.parse::<u32>() {
        Ok(number) => format!("no {kind} has the number {number}, and nothing before it makes one"),
        Err(_) => format!(
            "there is no {kind} {name}, and nothing before it makes one: declare [{kind}.{name}], or let it come `after` what brings it"
        ),
    })
}

/// What is planned for a resource is only assumed where a name in it is nobody's yet, and may come with a package or by a
/// command before.
pub(crate) fn doubt(resource: &Resource, verdict: &mut Verdict, turn: &Turn<'_>) {
    if !turn.ahead.is_ahead() || !turn.ahead.may_bring_accounts() {
        return;
    }
    let changes = verdict.changes.iter_mut();
    let mut given = changes.filter(|change| gives(resource, change)).peekable();
    if given.peek().is_some() && missing(resource, turn).is_some() {
        given.for_each(|change| change.certainty = Certainty::Assumed);
    }
}

/// Whether a change may give something to its owner, or a user to groups.
fn gives(resource: &Resource, change: &Change) -> bool {
    change.resource == resource.id && matches!(change.action, Action::Create | Action::Update)
}

/// The first user or group that a resource needs, nobody is and the role does not make.
fn missing<'a>(resource: &'a Resource, turn: &Turn<'_>) -> Option<(&'static str, &'a str)> {
    let (users, groups) = needed(resource);
    let nobody = &turn.host.nobody;
    let user = users
        .into_iter()
        .find(|user| nobody.users.contains(*user) && !makes_user(turn, user));
    let group = groups
        .into_iter()
        .find(|group| nobody.groups.contains(*group) && !makes_group(turn, group));
    match (user, group) {
        (Some(user), _) => Some(("user", user)),
        (None, Some(group)) => Some(("group", group)),
        (None, None) => None,
    }
}

/// A number has one name: why a user or group cannot come to the one that it is to have.
fn taken(resource: &Resource, verdict: &Verdict, turn: &Turn<'_>) -> Option<String> {
    let (what, number, name, holders) = match &resource.body {
        Body::User(user) => ("uid", user.uid?, &user.name, &turn.host.users),
        Body::Group(group) => ("gid", group.gid?, &group.name, &turn.host.groups),
        _ => return None,
    };
    // Who has it already shares it.
    let comes_to_it = |change: &Change| change.after.get(what) == Some(&number.into());
    if !verdict.changes.iter().any(comes_to_it) {
        return None;
    }
    let whose = holders.get(&number).filter(|holder| *holder != name)?;
    let other = ResourceId::new(resource.id.kind, whose.as_str());
    let free = turn.ahead.frees_number(&other) || turn.ahead.may_bring_accounts();
    (!free).then(|| format!("the {what} {number} is {whose}'s"))
}

/// Why a group cannot go: it is the primary one of somebody who neither goes before nor gets another.
fn still_primary(resource: &Resource, verdict: &Verdict, turn: &Turn<'_>) -> Option<String> {
    let removes = |change: &&Change| change.action == Action::Remove;
    let change = verdict.changes.iter().find(removes)?;
    if !matches!(resource.body, Body::Group(_)) || !turn.ahead.is_ahead() {
        return None;
    }
    if turn.ahead.may_bring_accounts() {
        return None;
    }
    let gid = change.before.get("gid")?.as_u64()?;
    let users = turn.host.primary.get(&u32::try_from(gid).ok()?)?;
    let user = users
        .iter()
        .find(|user| !turn.ahead.leaves_its_group(user))?;
    Some(primary_of(user))
}

/// Why the primary group of somebody does not go.
pub fn primary_of(user: &str) -> String {
    format!("it is the primary group of {user}: give that user another `gid`, or remove it too")
}

fn makes_user(turn: &Turn<'_>, name: &str) -> bool {
    turn.desired.resources.iter().any(|resource| {
        matches!(&resource.body, Body::User(user)
            if user.name == name && user.state == Presence::Present)
    })
}

fn makes_group(turn: &Turn<'_>, name: &str) -> bool {
    let number = name.parse::<u32>().ok();
    turn.desired
        .resources
        .iter()
        .any(|resource| match &resource.body {
            Body::Group(group) if group.state == Presence::Present => {
                group.name == name || (number.is_some() && number == group.gid)
            }
            // A new user has a group of its own where the role gives it no other.
            Body::User(user) if user.state == Presence::Present => {
                user.name == name || (number.is_some() && number == user.uid)
            }
            _ => false,
        })
}
