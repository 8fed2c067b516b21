//! The typed body of each kind, from its rendered keys.

use super::reader::Keys;
use crate::id::{Kind, ResourceId};
use crate::path::AbsPath;
use crate::resource::account::{Group, User};
use crate::resource::archive::Archive;
use crate::resource::command::Command;
use crate::resource::directory::Directory;
use crate::resource::file::{Content, File};
use crate::resource::fstab::Entry;
use crate::resource::link::Link;
use crate::resource::mount::{Mount, MountPresence};
use crate::resource::package::{Package, PackagePresence, Wanted};
use crate::resource::service::{Activity, Service, UnitFile};
use crate::resource::sysctl::Sysctl;
use crate::resource::{Attributes, Body, Place, Presence, Shell};
use crate::text::diagnostic::{Diagnostic, Spot};
use crate::text::given::Given;
use crate::text::names;
use crate::text::secrets::Stand;
use std::collections::BTreeMap;

/// How long a command may take if nobody says.
const COMMAND_TIMEOUT_S: u64 = 300;

/// A body, and its references as written.
pub struct Built {
    pub body: Body,
    pub references: BTreeMap<&'static str, (Vec<String>, Place)>,
}

pub fn build(keys: &mut Keys<'_, '_>, id: &ResourceId) -> Option<Built> {
    let mut references = BTreeMap::new();
    for key in ["after", "restart_on", "reload_on", "on"] {
        if let Some(names) = keys.read(key, Given::references) {
            references.insert(key, (names, keys.place(key)));
        }
    }
    let body = match id.kind {
        Kind::Repository => Body::Repository(super::repository::build(keys, &id.name)?),
        Kind::Group => Body::Group(group(keys, id)),
        Kind::User => Body::User(user(keys, id)),
        Kind::Package => Body::Package(package(keys, id)),
        Kind::Directory => Body::Directory(directory(keys, path(id)?)),
        Kind::File => Body::File(file(keys, path(id)?)),
        Kind::Link => Body::Link(Link {
            path: path(id)?,
            state: presence(keys),
            target: keys.read("target", Given::line),
            over_file: false,
        }),
        Kind::Edit => Body::Edit(super::edit::build(keys, &id.name)?),
        Kind::Sysctl => Body::Sysctl(Sysctl {
            spares: false,
            name: id.name.to_string(),
            state: presence(keys),
            value: keys.read("value", Given::setting),
        }),
        Kind::Mount => Body::Mount(mount(keys, path(id)?)),
        Kind::Archive => Body::Archive(Archive {
            path: path(id)?,
            state: presence(keys),
            content: content(keys),
            strip: keys.read("strip", Given::number).unwrap_or_default(),
            attributes: attributes(keys),
        }),
        Kind::Command => Body::Command(command(keys, id)?),
        Kind::Service => Body::Service(service(keys, id)?),
    };
    Some(Built { body, references })
}

/// The path that a name is; names are checked before.
fn path(id: &ResourceId) -> Option<AbsPath> {
    id.name.parse().ok()
}

fn presence(keys: &mut Keys<'_, '_>) -> Presence {
    match keys.read("state", |given| given.word(&["present", "absent"])) {
        Some("absent") => Presence::Absent,
        _ => Presence::Present,
    }
}

fn flag(keys: &mut Keys<'_, '_>, key: &str) -> bool {
    keys.read(key, Given::boolean).unwrap_or_default()
}

fn attributes(keys: &mut Keys<'_, '_>) -> Attributes {
    Attributes {
        mode: keys.read("mode", Given::mode),
        owner: keys.read("owner", Given::account),
        group: keys.read("group", Given::account),
    }
}

fn group(keys: &mut Keys<'_, '_>, id: &ResourceId) -> Group {
    Group {
        name: id.name.to_string(),
        state: presence(keys),
        gid: keys.read("gid", Given::number),
        system: flag(keys, "system"),
    }
}

fn user(keys: &mut Keys<'_, '_>, id: &ResourceId) -> User {
    User {
        name: id.name.to_string(),
        state: presence(keys),
        uid: keys.read("uid", Given::number),
        gid: keys.read("gid", Given::account),
        groups: keys.read("groups", Given::accounts).unwrap_or_default(),
        exact_groups: flag(keys, "exact_groups"),
        shell: keys.read("shell", field),
        home: keys.read("home", field),
        system: flag(keys, "system"),
        authorized_keys: keys.read("authorized_keys", Given::login_keys),
        password_hash: password_hash(keys),
    }
}

/// What is plainly a password is not refused, since crypt may know forms that nobody here does.
fn password_hash(keys: &mut Keys<'_, '_>) -> Option<String> {
    let hash = keys.read("password_hash", |given| {
        let hash = given.line()?;
        match hash.contains(':') {
            true => Err("a `:` cannot be in a password's hash".into()),
            false => Ok(hash),
        }
    })?;
    if !keys.reader.secret && !names::is_hash(&hash) {
        let mut spot = Spot::from(&keys.place("password_hash"));
        // Not shown once more.
        spot.line = Some(String::new());
        let message = "`password_hash` is no hash as in /etc/shadow: nobody can log in with it";
        let help = "make one: openssl passwd -6; a password that stands here as it is can be read by whoever reads the role";
        keys.reader
            .wrong
            .push(Diagnostic::warning(spot, message).help(help));
    }
    Some(hash)
}

/// A path that becomes a field of /etc/passwd.
fn field(given: &Given) -> Result<String, String> {
    let path = given.path()?.to_string();
    match path.contains(':') {
        true => Err(format!(
            "a `:` cannot be in a field of /etc/passwd: {path:?}"
        )),
        false => Ok(path),
    }
}

fn package(keys: &mut Keys<'_, '_>, id: &ResourceId) -> Package {
    let states = |given: &Given| given.word(&["present", "absent", "purged"]);
    Package {
        name: id.name.to_string(),
        state: match keys.read("state", states) {
            Some("absent") => PackagePresence::Absent,
            Some("purged") => PackagePresence::Purged,
            _ => PackagePresence::Present,
        },
        version: keys.read("version", version).unwrap_or(Wanted::Any),
        hold: keys.read("hold", Given::boolean),
        auto: None,
        debconf: keys.read("debconf", Given::debconf).unwrap_or_default(),
    }
}

/// A version as roles write it.
pub fn version(given: &Given) -> Result<Wanted, String> {
    let text = given.line()?;
    let no_version = |why| Err(format!("{text:?} is no version: {why}"));
    match text.as_str() {
        "*" => return Ok(Wanted::Any),
        "latest" => return Ok(Wanted::Latest),
        "present" | "installed" | "any" => return no_version("\"*\" is any that there is"),
        "absent" | "removed" => return no_version("what says that is { state = \"absent\" }"),
        "purged" => return no_version("what says that is { state = \"purged\" }"),
        _ => {}
    }
    let good = text
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || ".+~:-*?[]!^".contains(c))
        && text.starts_with(|c: char| c.is_ascii_digit() || "*?[".contains(c));
    if !good || crate::glob::Glob::of_text(&text).is_err() {
        return Err(format!(
            "{text:?} is no version (one begins with a digit), no glob of versions, and not `latest`"
        ));
    }
    Ok(Wanted::Glob(text))
}

fn directory(keys: &mut Keys<'_, '_>, path: AbsPath) -> Directory {
    Directory {
        path,
        state: presence(keys),
        attributes: attributes(keys),
        purge: flag(keys, "purge"),
        source: super::trees::files(keys),
        over_file: false,
    }
}

fn file(keys: &mut Keys<'_, '_>, path: AbsPath) -> File {
    File {
        path,
        state: presence(keys),
        content: content(keys),
        attributes: attributes(keys),
        validate: validate(keys),
        sensitive: flag(keys, "sensitive"),
        create_only: flag(keys, "create_only"),
    }
}

fn content(keys: &mut Keys<'_, '_>) -> Option<Content> {
    if let Some(text) = keys.read("content", Given::text) {
        return Some(Content::Text(text.into_bytes()));
    }
    if keys.declared.keys.contains_key("template") {
        let text = keys.file("template", Stand::Key(Kind::File, "content"))?;
        return Some(Content::Text(text));
    }
    if let Some(url) = keys.read("url", Given::url) {
        let digest = keys.read("sha256", Given::sha256)?;
        return Some(Content::Url { url, digest });
    }
    let name = keys.role_path("source")?;
    let place = keys.place("source");
    let blob = keys.reader.blob(&name, &place)?;
    Some(Content::Blob {
        digest: blob.digest,
        size: blob.size,
    })
}

/// A command that does not look at the new file may still say something of it: that the role may not have it now.
fn validate(keys: &mut Keys<'_, '_>) -> Option<Shell> {
    let shell = keys.read("validate", Given::shell)?;
    let looks = match &shell {
        Shell::Argv(argv) => argv.iter().any(|arg| arg.contains("%s")),
        Shell::Line(line) => line.contains("%s"),
    };
    if !looks {
        let place = keys.place("validate");
        let blind = Diagnostic::warning(&place, "the command does not look at the new file");
        keys.reader
            .wrong
            .push(blind.help("write %s where its path goes"));
    }
    Some(shell)
}

fn mount(keys: &mut Keys<'_, '_>, point: AbsPath) -> Mount {
    let states = |given: &Given| given.word(&["mounted", "present", "unmounted", "absent"]);
    let device = keys.read("device", argument);
    let fstype = keys.read("fstype", |given| match argument(given)? {
        swap if swap == "swap" => Err("swap has no mount point, and is not in this version".into()),
        fstype => Ok(fstype),
    });
    let options = keys.read("options", argument);
    let (dump, pass) = (
        keys.read("dump", Given::number),
        keys.read("pass", Given::number),
    );
    Mount {
        former: None,
        point,
        state: match keys.read("state", states) {
            Some("present") => MountPresence::Present,
            Some("unmounted") => MountPresence::Unmounted,
            Some("absent") => MountPresence::Absent,
            _ => MountPresence::Mounted,
        },
        entry: device.zip(fstype).map(|(device, fstype)| Entry {
            device,
            fstype,
            options: options.unwrap_or_else(|| "defaults".into()),
            dump: dump.unwrap_or_default(),
            pass: pass.unwrap_or_default(),
        }),
    }
}

/// A line that mount(8) is given.
fn argument(given: &Given) -> Result<String, String> {
    let line = given.line()?;
    match line.starts_with('-') {
        true => Err(format!(
            "mount would take {line:?} for an option of its own: no `-` at the beginning"
        )),
        false => Ok(line),
    }
}

fn command(keys: &mut Keys<'_, '_>, id: &ResourceId) -> Option<Command> {
    Some(Command {
        name: id.name.to_string(),
        unless: keys.read("unless", Given::shell),
        only_if: keys.read("only_if", Given::shell),
        creates: keys.read("creates", Given::path),
        on: Vec::new(),
        user: keys.read("user", Given::account),
        cwd: keys.read("cwd", Given::path),
        env: keys.read("env", Given::environment).unwrap_or_default(),
        timeout_s: keys
            .read("timeout", Given::duration)
            .unwrap_or(COMMAND_TIMEOUT_S),
        run: keys.read("run", Given::shell)?,
    })
}

fn service(keys: &mut Keys<'_, '_>, id: &ResourceId) -> Option<Service> {
    let states = |given: &Given| given.word(&["running", "stopped"]);
    Some(Service {
        unit: names::unit(&id.name).ok()?,
        state: keys.read("state", states).map(|state| match state {
            "running" => Activity::Running,
            _ => Activity::Stopped,
        }),
        enabled: keys.read("enabled", Given::boolean),
        masked: keys.read("masked", Given::boolean),
        unit_file: unit_file(keys),
        template: None,
        restart_on: Vec::new(),
        reload_on: Vec::new(),
    })
}

fn unit_file(keys: &mut Keys<'_, '_>) -> Option<UnitFile> {
    let content = keys.file("unit", Stand::Unit)?;
    Some(UnitFile { content })
}
