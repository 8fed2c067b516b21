//! What is said to useradd and its like: argv alone, values after `=`, names after `--`.

use crate::machine::error::EnactError;
use cfg_catalog::resource::account::{Group, Present, User};

/// A call that makes a user. `own_group`: whether a group of his name is there already.
pub(crate) fn make_user(user: &User, own_group: OwnGroup) -> Vec<String> {
    let mut argv = vec!["useradd".into()];
    number(&mut argv, "--uid", user.uid);
    match (&user.gid, own_group) {
        (Some(gid), _) => value(&mut argv, "--gid", gid),
        (None, OwnGroup::There) => value(&mut argv, "--gid", &user.name),
        (None, OwnGroup::Missing) => argv.push("--user-group".into()),
    }
    let groups: Vec<&str> = user.groups.iter().map(String::as_str).collect();
    if !groups.is_empty() {
        value(&mut argv, "--groups", &groups.join(","));
    }
    if let Some(shell) = &user.shell {
        value(&mut argv, "--shell", shell);
    }
    if let Some(home) = &user.home {
        value(&mut argv, "--home-dir", home);
    }
    if user.system {
        argv.push("--system".into());
    }
    let home = match user.gets_home() {
        true => "--create-home",
        false => "--no-create-home",
    };
    argv.push(home.into());
    argv.extend(["--".into(), user.name.clone()]);
    argv
}

/// Whether a group of a new user's name is there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OwnGroup {
    There,
    Missing,
}

/// A call that makes a user what he must be; none where he is.
pub(crate) fn change_user(user: &User, seen: &Present) -> Option<Vec<String>> {
    let mut argv = vec!["usermod".into()];
    number(&mut argv, "--uid", user.uid.filter(|uid| *uid != seen.uid));
    if let Some(gid) = &user.gid
        && *gid != seen.group
        && *gid != seen.gid.to_string()
    {
        value(&mut argv, "--gid", gid);
    }
    groups(&mut argv, user, seen);
    if let Some(shell) = user.shell.as_ref().filter(|shell| **shell != seen.shell) {
        value(&mut argv, "--shell", shell);
    }
    if let Some(home) = user.home.as_ref().filter(|home| **home != seen.home) {
        value(&mut argv, "--home", home);
    }
    if argv.len() == 1 {
        return None;
    }
    argv.extend(["--".into(), user.name.clone()]);
    Some(argv)
}

/// The groups that must name the user. His primary group needs no line that does.
fn groups(argv: &mut Vec<String>, user: &User, seen: &Present) {
    let primary = |name: &String| *name == seen.group || user.gid.as_ref() == Some(name);
    let mut wanted: Vec<&str> = user
        .groups
        .iter()
        .filter(|name| seen.groups.contains(name) || !primary(name))
        .map(String::as_str)
        .collect();
    wanted.sort_unstable();
    wanted.dedup();
    let has = |name: &&str| seen.groups.iter().any(|group| group == name);
    if user.exact_groups {
        if wanted.len() != seen.groups.len() || !wanted.iter().all(has) {
            value(argv, "--groups", &wanted.join(","));
        }
        return;
    }
    wanted.retain(|name| !has(name));
    if !wanted.is_empty() {
        argv.push("--append".into());
        value(argv, "--groups", &wanted.join(","));
    }
}

/// A call that makes a group.
pub(crate) fn make_group(group: &Group) -> Vec<String> {
    let mut argv = vec!["groupadd".into()];
    number(&mut argv, "--gid", group.gid);
    if group.system {
        argv.push("--system".into());
    }
    argv.extend(["--".into(), group.name.clone()]);
    argv
}

/// A call that gives a group another number.
pub(crate) fn change_group(group: &Group, gid: u32) -> Vec<String> {
    let mut argv = vec!["groupmod".into()];
    number(&mut argv, "--gid", Some(gid));
    argv.extend(["--".into(), group.name.clone()]);
    argv
}

fn number(argv: &mut Vec<String>, option: &str, number: Option<u32>) {
    if let Some(number) = number {
        value(argv, option, &number.to_string());
    }
}

/// One word, so that no value is ever taken for an option.
fn value(argv: &mut Vec<String>, option: &str, value: &str) {
    argv.push(format!("{option}={value}"));
}

/// Refuses what would mean something else in passwd, in a list of groups or to a tool.
pub(crate) fn fit_user(user: &User) -> Result<(), EnactError> {
    fit_name(&user.name)?;
    for name in user.groups.iter().chain(&user.gid) {
        if !name.bytes().all(|byte| byte.is_ascii_digit()) || name.is_empty() {
            fit_name(name)?;
        }
    }
    let keys = user.authorized_keys.iter().flatten();
    for text in user.shell.iter().chain(&user.home).chain(keys.clone()) {
        fit(text, text.chars().any(char::is_control))?;
    }
    for text in user.shell.iter().chain(&user.home) {
        fit(text, text.contains(':'))?;
    }
    if let Some(hash) = &user.password_hash {
        let bad = hash.contains(':') || hash.chars().any(|c| c.is_control() || c == ' ');
        // The hash itself is never shown.
        fit(&format!("the password hash of {}", user.name), bad)?;
    }
    Ok(())
}

/// Refuses what is no name of a user or group.
pub(crate) fn fit_name(name: &str) -> Result<(), EnactError> {
    let bad = name.is_empty()
        || name.len() > 32
        || name.starts_with(['-', '+', '~'])
        || name.bytes().all(|byte| byte.is_ascii_digit())
        || name
            .chars()
            .any(|c| c.is_control() || c.is_whitespace() || ":,/'\"\\#".contains(c));
    fit(name, bad)
}

fn fit(text: &str, bad: bool) -> Result<(), EnactError> {
    if bad {
        return Err(EnactError::Unfit(format!(
            "{text:?} cannot stand in passwd or group"
        )));
    }
    Ok(())
}
