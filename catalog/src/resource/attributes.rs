//! Mode, owner and group of what stands at a path: what they come to, and who may give them.

use super::{Attributes, Mode, Ownership};
use crate::plan::{Host, Power};
use serde_json::{Map, Value};

/// What attributes come to on one machine.
pub(crate) struct Outcome {
    /// What will be there.
    pub(crate) after: Ownership,
    /// What may not be given by this process, in words.
    pub(crate) held: Vec<String>,
}

/// What a thing has after `wanted` is enacted on it, or on a new one where nothing stands.
pub(crate) fn outcome(
    wanted: &Attributes,
    current: Option<&Ownership>,
    new_mode: Mode,
    host: &Host,
) -> Outcome {
    let mut after = current.cloned().unwrap_or_else(|| newly(new_mode, host));
    let mut held = Vec::new();
    if let Some(mode) = wanted.mode {
        after.mode = mode;
    }
    if let Some(owner) = &wanted.owner
        && !same_name(owner, &after.owner, &host.users)
    {
        match &host.power {
            Power::Own { user, .. } if user != owner => {
                held.push(format!("owner {owner} can be given by root alone"));
            }
            _ => after.owner.clone_from(owner),
        }
    }
    if let Some(group) = &wanted.group
        && !same_name(group, &after.group, &host.groups)
    {
        match &host.power {
            Power::Own { groups, .. } if !groups.contains(group) => {
                held.push(format!("group {group} can be given by root alone"));
            }
            _ => after.group.clone_from(group),
        }
    }
    Outcome { after, held }
}

/// The same of a file that stays the one that it is: whoever gives it away takes setuid and setgid from it, as the kernel has
/// it (chown(2)), unless the role says what its mode is.
pub(crate) fn amended(wanted: &Attributes, current: &Ownership, host: &Host) -> Outcome {
    let mut outcome = outcome(wanted, Some(current), current.mode, host);
    let Ownership { mode, owner, group } = &mut outcome.after;
    if wanted.mode.is_none() && (*owner != current.owner || *group != current.group) {
        let setgid = if mode.0 & 0o010 != 0 { 0o2000 } else { 0 };
        mode.0 &= !(0o4000 | setgid);
    }
    outcome
}

impl Attributes {
    /// All that a thing has.
    pub(crate) fn all(ownership: &Ownership) -> Self {
        Self {
            mode: Some(ownership.mode),
            owner: Some(ownership.owner.clone()),
            group: Some(ownership.group.clone()),
        }
    }
}

/// What a new thing has that nobody said anything about.
fn newly(mode: Mode, host: &Host) -> Ownership {
    let (owner, group) = match &host.power {
        Power::Root => ("root".into(), "root".into()),
        Power::Own { user, groups } => (user.clone(), groups.first().unwrap_or(user).clone()),
    };
    Ownership { mode, owner, group }
}

/// Whether a name or number as written means the one that was seen.
fn same_name(wanted: &str, seen: &str, names: &std::collections::BTreeMap<u32, String>) -> bool {
    wanted == seen
        || wanted.parse::<u32>().is_ok_and(|number| {
            names.get(&number).is_some_and(|name| name == seen) || (number == 0 && seen == "root")
        })
}

/// Ownership as it is shown, with what else a kind shows.
pub(crate) fn shown(ownership: &Ownership, more: &[(&str, Value)]) -> Value {
    let mut map = Map::new();
    map.insert("mode".into(), ownership.mode.to_string().into());
    map.insert("owner".into(), ownership.owner.clone().into());
    map.insert("group".into(), ownership.group.clone().into());
    for (key, value) in more {
        map.insert((*key).into(), value.clone());
    }
    Value::Object(map)
}

/// Adds owner and group to what is shown of a file that is cfg's own, where they are to change.
pub(crate) fn show_owners(before: &mut Value, after: &mut Value, old: &Ownership, new: &Ownership) {
    for (key, old, new) in [
        ("owner", &old.owner, &new.owner),
        ("group", &old.group, &new.group),
    ] {
        if old != new {
            before[key] = old.clone().into();
            after[key] = new.clone().into();
        }
    }
}

/// Whether everybody may read a file of this mode.
pub(crate) fn public(mode: Mode) -> bool {
    mode.0 & 0o004 != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owned(owner: &str, group: &str) -> Ownership {
        Ownership {
            mode: Mode(0o644),
            owner: owner.into(),
            group: group.into(),
        }
    }

    fn wanted(owner: &str) -> Attributes {
        Attributes {
            mode: None,
            owner: Some(owner.into()),
            group: None,
        }
    }

    #[test]
    fn numbers_mean_the_names_that_passwd_gives_them() {
        let host = Host {
            users: [(110, "zookeeper".into())].into(),
            ..Host::default()
        };
        for (written, seen, after) in [
            ("110", "zookeeper", "zookeeper"),
            ("0", "root", "root"),
            ("111", "zookeeper", "111"),
            ("zookeeper", "110", "zookeeper"),
        ] {
            let outcome = outcome(
                &wanted(written),
                Some(&owned(seen, "root")),
                Mode(0o644),
                &host,
            );
            assert_eq!(outcome.after.owner, after, "{written} on {seen}");
        }
    }

    #[test]
    fn who_gives_a_program_away_takes_its_bits() {
        let host = Host {
            users: [(0, "root".into())].into(),
            ..Host::default()
        };
        for (before, owner, after) in [
            (0o6755, "root", 0o755),
            (0o2644, "root", 0o2644),
            (0o6755, "joe", 0o6755),
        ] {
            let current = Ownership {
                mode: Mode(before),
                ..owned("joe", "joe")
            };
            let after_it = amended(&wanted(owner), &current, &host).after;
            assert_eq!(after_it.mode, Mode(after), "{before:o} {owner}");
        }
        let mode = Attributes {
            mode: Some(Mode(0o4755)),
            ..wanted("root")
        };
        assert_eq!(
            amended(&mode, &owned("joe", "joe"), &host).after.mode,
            Mode(0o4755)
        );
    }

    #[test]
    fn an_ordinary_user_gives_away_nothing() {
        let host = Host {
            power: Power::Own {
                user: "me".into(),
                groups: vec!["us".into(), "them".into()],
            },
            ..Host::default()
        };
        let mut attributes = wanted("root");
        let new = outcome(&attributes, None, Mode(0o600), &host);
        assert_eq!(
            new.after,
            Ownership {
                mode: Mode(0o600),
                ..owned("me", "us")
            }
        );
        assert_eq!(new.held, ["owner root can be given by root alone"]);
        attributes.owner = Some("me".into());
        attributes.group = Some("them".into());
        let new = outcome(&attributes, Some(&owned("me", "us")), Mode(0o600), &host);
        assert_eq!(new.after, owned("me", "them"));
        assert!(new.held.is_empty());
    }
}
