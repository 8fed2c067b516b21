//! What may be a name, by kind, and the one spelling it is brought to.

use crate::id::Kind;
use crate::path::{AbsPath, BadPath};

/// Endings of unit names that systemd knows.
const UNITS: [&str; 9] = [
    ".service",
    ".socket",
    ".timer",
    ".mount",
    ".automount",
    ".target",
    ".path",
    ".slice",
    ".swap",
];

/// A resource's name in its one spelling.
///
/// # Errors
/// With the reason why it can be no name.
pub fn canonical(kind: Kind, name: &str) -> Result<String, String> {
    if name.is_empty() {
        return Err(format!("{} needs a name", kind.one()));
    }
    match kind {
        Kind::File | Kind::Directory | Kind::Link | Kind::Mount | Kind::Archive => path(kind, name),
        Kind::Package => package(name).map(|()| name.to_owned()),
        Kind::User | Kind::Group => account(name).map(|()| name.to_owned()),
        Kind::Service => unit(name).map(|unit| {
            let short = unit.strip_suffix(".service");
            short.unwrap_or(&unit).to_owned()
        }),
        Kind::Repository => repository(name).map(|()| name.to_owned()),
        Kind::Sysctl => sysctl(name),
        Kind::Edit if name.starts_with('/') => path(kind, name),
        Kind::Edit | Kind::Command => free(kind, name).map(|()| name.to_owned()),
    }
}

fn path(kind: Kind, name: &str) -> Result<String, String> {
    let path: AbsPath = name.parse().map_err(|why| match why {
        BadPath::Relative if is_of_shell(name) => format!("{why}: {name:?}; {NO_SHELL}"),
        BadPath::Relative | BadPath::Dots(_) => {
            format!("{why}: {name:?}; write {:?}", straight(name))
        }
        why => format!("{why}: {name:?}"),
    })?;
    if path == AbsPath::root() && kind != Kind::Directory {
        return Err(format!("`/` cannot be {}", kind.one()));
    }
    Ok(path.into())
}

/// What a path is told in which a glob is meant, as it seems.
pub fn like_a_glob(kind: Kind, name: &str) -> Option<String> {
    let several = name
        .split('{')
        .skip(1)
        .filter_map(|rest| rest.split_once('}'));
    let glob = name.contains('*') || several.into_iter().any(|(all, _)| all.contains(','));
    let one = kind.one();
    (kind != Kind::Command
        && name.starts_with('/')
        && !name.contains("{{")
        && !name.contains("{%")
        && glob)
        .then(|| {
            format!(
                "the name of {one} is no glob: this is one path, with just these characters in it"
            )
        })
}

/// Whether a path begins with what only a shell knows: `~`, `$HOME`.
pub fn is_of_shell(path: &str) -> bool {
    path.starts_with(['~', '$'])
}

/// What such a path is told.
pub const NO_SHELL: &str = "no shell reads it: write all of it, as \"/home/ann/.profile\"";

/// The absolute path that a name with dots may mean.
pub fn straight(name: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in name.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

/// A Debian package, with `:arch` or without.
///
/// # Errors
/// With the reason.
pub fn package(name: &str) -> Result<(), String> {
    let (stem, arch) = name.split_once(':').unwrap_or((name, "all"));
    let word = |text: &str, more: &str| {
        text.chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || more.contains(c))
            && text.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
    };
    if stem.len() >= 2 && name.len() <= 200 && word(stem, "+-.") && word(arch, "-") {
        Ok(())
    } else {
        Err(format!(
            "{name:?} cannot be the name of a package: a-z, 0-9, `.`, `+` and `-` may be in it, two of them at \
             least, and it begins with a letter or a digit"
        ))
    }
}

/// A user or a group.
///
/// # Errors
/// With the reason.
pub fn account(name: &str) -> Result<(), String> {
    let stem = name.strip_suffix('$').unwrap_or(name);
    let good = stem.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && stem
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'))
        && name.len() <= 32;
    if good {
        Ok(())
    } else {
        Err(format!(
            "{name:?} cannot be the name of a user or group: letters, digits, `_`, `.` and `-` may be in it, at most 32, \
             and it begins with a letter or `_`"
        ))
    }
}

/// An owner or group of a file: a name or a number.
///
/// # Errors
/// With the reason.
pub fn owner(name: &str) -> Result<(), String> {
    if !name.is_empty() && name.chars().all(|c| c.is_ascii_digit()) {
        return match name.parse::<u32>() {
            Ok(number) if number != u32::MAX => Ok(()),
            _ => Err(format!("{name} is too large for a user or group")),
        };
    }
    account(name)
}

/// The whole name of a unit: `.service` is added where no ending is written.
///
/// # Errors
/// With the reason.
pub fn unit(name: &str) -> Result<String, String> {
    let bad = || {
        Err(format!(
            "{name:?} cannot be the name of a unit: letters, digits, `:`, `_`, `.`, `@`, `\\` and `-` may be in it, and \
             it begins with neither `-` nor `.`"
        ))
    };
    let whole = match UNITS.iter().any(|ending| name.ends_with(ending)) {
        true => name.to_owned(),
        false => format!("{name}.service"),
    };
    let good = whole
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || matches!(c, ':' | '_' | '.' | '\\' | '@' | '-'));
    if !good || whole.starts_with(['-', '.', '@']) || whole.len() > 255 {
        return bad();
    }
    Ok(whole)
}

fn repository(name: &str) -> Result<(), String> {
    let good = name
        .chars()
        .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-' | '.'))
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.len() <= 100;
    if good {
        Ok(())
    } else {
        Err(format!(
            "{name:?} cannot be the name of a repository: a-z, 0-9, `.`, `_` and `-` may be in it"
        ))
    }
}

/// With dots between its parts and a `/` for each dot in one, as sysctl has it: the first of the two separates.
fn sysctl(name: &str) -> Result<String, String> {
    let swap = |c| match c {
        '.' => '/',
        '/' => '.',
        other => other,
    };
    let slashes = name
        .find(['.', '/'])
        .is_some_and(|at| name[at..].starts_with('/'));
    let spelling: String = match slashes {
        true => name.chars().map(swap).collect(),
        false => name.to_owned(),
    };
    let part = |part: &str| {
        let good = |c: char| c.is_ascii_alphanumeric() || "_-:@/".contains(c);
        !part.is_empty() && part != "/" && part != "//" && part.chars().all(good)
    };
    let good = spelling.contains('.')
        && spelling.split('.').all(part)
        && !spelling.starts_with('-')
        && spelling.len() <= 200;
    match good {
        true => Ok(spelling),
        false => Err(format!(
            "{name:?} cannot be the name of a kernel setting, as net.ipv4.ip_forward"
        )),
    }
}

/// A name that only people read.
fn free(kind: Kind, name: &str) -> Result<(), String> {
    if name.starts_with('-') || name.chars().any(char::is_control) || name.len() > 200 {
        return Err(format!(
            "{name:?} cannot be the name of {}: at most 200 characters without line breaks, and no `-` at the \
             beginning",
            kind.one()
        ));
    }
    Ok(())
}

/// A role or a param: what an expression can say without quotes, and `-`.
pub fn is_word(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 64
        && name.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))
}

/// Whether an expression can say `params.NAME`.
pub fn is_param(name: &str) -> bool {
    is_word(name) && !name.contains('-') && !name.starts_with(|c: char| c.is_ascii_digit())
}

/// Whether this may be the hash of a password, or what stands for none, as crypt(5) has them.
pub fn is_hash(text: &str) -> bool {
    let old = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '/');
    match text.chars().next() {
        Some('!' | '*') | None => true,
        Some('$') => text.matches('$').count() > 1,
        Some('_') => text.len() == 20,
        Some(_) => text == "x" || (text.len() == 13 && text.chars().all(old)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_spelling() {
        for (kind, name, spelling) in [
            (Kind::File, "/etc//hosts", "/etc/hosts"),
            (Kind::Directory, "/etc/", "/etc"),
            (
                Kind::File,
                "/etc/mesos-master/?no-switch_user",
                "/etc/mesos-master/?no-switch_user",
            ),
            (Kind::Service, "zookeeper.service", "zookeeper"),
            (Kind::Service, "foo.socket", "foo.socket"),
            (Kind::Service, "getty@tty1", "getty@tty1"),
            (Kind::Service, "getty@tty1.service", "getty@tty1"),
            (Kind::Service, "getty@.service", "getty@"),
            (Kind::Service, "apt-daily.timer", "apt-daily.timer"),
            (Kind::Service, "a@b.c", "a@b.c"),
            (Kind::Package, "python3.11", "python3.11"),
            (Kind::Package, "libc6:i386", "libc6:i386"),
            (Kind::User, "_apt", "_apt"),
            (Kind::Sysctl, "net.ipv4.ip_forward", "net.ipv4.ip_forward"),
            (Kind::Sysctl, "net/ipv4/ip_forward", "net.ipv4.ip_forward"),
            (
                Kind::Sysctl,
                "net/ipv4/conf/eth0.100/forwarding",
                "net.ipv4.conf.eth0/100.forwarding",
            ),
            (
                Kind::Sysctl,
                "net.ipv4.conf.eth0/100.forwarding",
                "net.ipv4.conf.eth0/100.forwarding",
            ),
            (Kind::Command, "Make the keys", "Make the keys"),
            (Kind::Edit, "/etc//hosts", "/etc/hosts"),
            (Kind::Edit, "no root logins", "no root logins"),
        ] {
            assert_eq!(canonical(kind, name).as_deref(), Ok(spelling));
        }
    }

    #[test]
    fn refused() {
        for (kind, name) in [
            (Kind::File, "etc/hosts"),
            (Kind::File, "/etc/../root"),
            (Kind::File, "/"),
            (Kind::File, "/etc/a\nb"),
            (Kind::Package, "-y"),
            (Kind::Package, "--force"),
            (Kind::Package, "a"),
            (Kind::Package, "a b"),
            (Kind::Package, "zoo\0keeper"),
            (Kind::Package, "Zoo"),
            (Kind::Package, "foo:"),
            (Kind::User, "-root"),
            (Kind::User, "a:b"),
            (Kind::User, "123"),
            (Kind::Group, "a\n"),
            (Kind::Service, "-H"),
            (Kind::Service, "a/b"),
            (Kind::Service, "a b"),
            (Kind::Service, "@"),
            (Kind::Repository, "../x"),
            (Kind::Sysctl, "ip_forward"),
            (Kind::Sysctl, "net.//.ip_forward"),
            (Kind::Sysctl, "net/../kernel/x"),
            (Kind::Sysctl, "net..x"),
            (Kind::Sysctl, "/net/x"),
            (Kind::Sysctl, "net.x y"),
            (Kind::Sysctl, "net.*"),
            (Kind::Sysctl, "-net.x"),
            (Kind::Mount, "/"),
            (Kind::Mount, "none"),
            (Kind::Archive, "/"),
            (Kind::Command, "-x"),
            (Kind::Command, ""),
            (Kind::Edit, "/"),
            (Kind::Edit, "/etc/../x"),
            (Kind::Edit, "a\nb"),
        ] {
            assert!(canonical(kind, name).is_err(), "{kind:?} {name:?}");
        }
    }
}
