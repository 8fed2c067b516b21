//! A rendered resource as a person, or a program, reads it: the keys of role.toml with their values.

use crate::error::Error;
use anyhow::Context as _;
use cfg_catalog::digest::Digest;
use cfg_catalog::edit::{KeyPath, Unwanted};
use cfg_catalog::id::ResourceId;
use cfg_catalog::resource::account::{Group, User};
use cfg_catalog::resource::archive::Archive;
use cfg_catalog::resource::command::Command;
use cfg_catalog::resource::debconf::PASSWORD;
use cfg_catalog::resource::directory::Directory;
use cfg_catalog::resource::edit::FileEdit;
use cfg_catalog::resource::file::{Content, File};
use cfg_catalog::resource::mount::{Mount, MountPresence};
use cfg_catalog::resource::package::{Package, PackagePresence, Wanted};
use cfg_catalog::resource::repository::Repository;
use cfg_catalog::resource::service::{Activity, Service};
use cfg_catalog::resource::{Attributes, Body, Presence, Resource};
use cfg_catalog::text::date;
use serde::Serialize;
use serde_json::{Map, Value, json};

/// Stands for what is never shown.
pub const HIDDEN: &str = "(sensitive)";

/// The keys of a resource, those that are not managed left out.
pub fn keys(resource: &Resource) -> Map<String, Value> {
    let keys = values(resource).into_iter();
    keys.map(|(key, value)| (key, date::shown(&value)))
        .collect()
}

/// The same with dates that are none of JSON's values.
fn values(resource: &Resource) -> Map<String, Value> {
    let mut keys = Keys::default();
    match &resource.body {
        Body::Repository(repository) => keys.repository(repository, resource.sensitive),
        Body::Group(group) => keys.group(group),
        Body::User(user) => keys.user(user),
        Body::Package(package) => keys.package(package, resource.sensitive),
        Body::Directory(directory) => keys.directory(directory),
        Body::File(file) => keys.file(file, resource.sensitive),
        Body::Link(link) => {
            keys.presence(link.state);
            keys.put("target", link.target.as_ref());
        }
        Body::Edit(edit) => keys.edit(edit, resource),
        Body::Sysctl(sysctl) => {
            keys.presence(sysctl.state);
            keys.put("value", sysctl.value.as_ref());
        }
        Body::Mount(mount) => keys.mount(mount),
        Body::Archive(archive) => keys.archive(archive, resource.sensitive),
        Body::Command(command) => keys.command(command, resource.sensitive),
        Body::Service(service) => keys.service(service, resource.sensitive),
    }
    keys.list("after", &resource.after);
    keys.0
}

/// The same as a piece of role.toml.
pub fn toml(resource: &Resource) -> Result<String, Error> {
    let kind = resource.id.kind.word();
    let document = json!({ kind: { resource.id.name.to_string(): values(resource) } });
    let document = date::toml(&document).context("a value has no form in TOML")?;
    let text = toml::to_string(&document).context("printing a resource")?;
    Ok(text)
}

/// Puts a value where its path says.
fn place(table: &mut Map<String, Value>, path: &KeyPath, value: &Value) {
    let Some((last, way)) = path.split_last() else {
        return;
    };
    let mut table = table;
    for key in way {
        let inner = table.entry(key.clone()).or_insert_with(|| json!({}));
        match inner {
            Value::Object(inner) => table = inner,
            _ => return,
        }
    }
    table.insert(last.clone(), value.clone());
}

#[derive(Default)]
struct Keys(Map<String, Value>);

impl Keys {
    fn put(&mut self, key: &str, value: Option<impl Serialize>) {
        if let Some(value) = value {
            let value = serde_json::to_value(value).unwrap_or(Value::Null);
            self.0.insert(key.into(), value);
        }
    }

    fn flag(&mut self, key: &str, set: bool) {
        self.put(key, set.then_some(true));
    }

    fn list(&mut self, key: &str, ids: &[ResourceId]) {
        self.put(key, (!ids.is_empty()).then_some(ids));
    }

    fn presence(&mut self, presence: Presence) {
        self.put("state", (presence == Presence::Absent).then_some("absent"));
    }

    fn attributes(&mut self, attributes: &Attributes) {
        self.put("mode", attributes.mode.map(|mode| mode.to_string()));
        self.put("owner", attributes.owner.as_ref());
        self.put("group", attributes.group.as_ref());
    }

    /// Text as it stands; anything else by its digest.
    fn bytes(&mut self, key: &str, bytes: &[u8]) {
        match std::str::from_utf8(bytes) {
            Ok(text) => self.put(key, Some(text)),
            Err(_) => self.blob(&Digest::of(bytes), bytes.len() as u64),
        }
    }

    fn hideable(&mut self, key: &str, bytes: &[u8], sensitive: bool) {
        match sensitive {
            true => self.put(key, Some(HIDDEN)),
            false => self.bytes(key, bytes),
        }
    }

    fn blob(&mut self, digest: &Digest, size: u64) {
        self.put("sha256", Some(digest));
        self.put("size", Some(size));
    }

    fn repository(&mut self, repository: &Repository, sensitive: bool) {
        self.hideable("sources", &repository.sources, sensitive);
        self.put("signed_by", repository.key.as_ref().map(|key| key.digest));
    }

    fn group(&mut self, group: &Group) {
        self.presence(group.state);
        self.put("gid", group.gid);
        self.flag("system", group.system);
    }

    fn user(&mut self, user: &User) {
        self.presence(user.state);
        self.put("uid", user.uid);
        self.put("gid", user.gid.as_ref());
        self.put("groups", (!user.groups.is_empty()).then_some(&user.groups));
        self.flag("exact_groups", user.exact_groups);
        self.put("shell", user.shell.as_ref());
        self.put("home", user.home.as_ref());
        self.flag("system", user.system);
        self.put("authorized_keys", user.authorized_keys.as_ref());
        self.put("password_hash", user.password_hash.as_ref().map(|_| HIDDEN));
    }

    fn package(&mut self, package: &Package, sensitive: bool) {
        self.put(
            "state",
            match package.state {
                PackagePresence::Present => None,
                PackagePresence::Absent => Some("absent"),
                PackagePresence::Purged => Some("purged"),
            },
        );
        self.put(
            "version",
            Some(match &package.version {
                Wanted::Any => "*",
                Wanted::Latest => "latest",
                Wanted::Glob(glob) => glob,
            }),
        );
        self.put("hold", package.hold);
        let answers: Map<String, Value> = package
            .debconf
            .iter()
            .map(|answer| {
                let hidden = sensitive || answer.kind == PASSWORD;
                let value = if hidden { HIDDEN } else { &answer.value };
                let shown = json!({ "type": answer.kind, "value": value });
                (answer.question.clone(), shown)
            })
            .collect();
        self.put("debconf", (!answers.is_empty()).then_some(answers));
    }

    fn directory(&mut self, directory: &Directory) {
        self.presence(directory.state);
        self.attributes(&directory.attributes);
        self.flag("purge", directory.purge);
    }

    fn file(&mut self, file: &File, sensitive: bool) {
        self.presence(file.state);
        self.attributes(&file.attributes);
        match &file.content {
            None => {}
            Some(_) if sensitive || file.sensitive => self.put("content", Some(HIDDEN)),
            Some(Content::Text(bytes)) => self.bytes("content", bytes),
            Some(Content::Blob { digest, size }) => self.blob(digest, *size),
            Some(Content::Url { url, digest }) => {
                self.put("url", Some(url));
                self.put("sha256", Some(digest));
            }
        }
        self.put("validate", file.validate.as_ref());
        self.flag("create_only", file.create_only);
        self.flag("sensitive", sensitive || file.sensitive);
    }

    fn edit(&mut self, edit: &FileEdit, resource: &Resource) {
        let path = Some(&edit.path).filter(|path| path.as_str() != &*resource.id.name);
        let wanted = &edit.edit;
        self.put("path", path.map(|path| path.as_str()));
        self.put("format", Some(wanted.format.word()));
        if resource.sensitive {
            self.put("set", (!wanted.set.is_empty()).then_some(HIDDEN));
            self.put("lines", (!wanted.lines.is_empty()).then_some(HIDDEN));
        } else {
            let mut set = Map::new();
            for setting in &wanted.set {
                place(&mut set, &setting.path, &setting.value);
            }
            self.put("set", (!set.is_empty()).then_some(set));
            let lines: Vec<Value> = wanted
                .lines
                .iter()
                .map(|wanted| match &wanted.matching {
                    Some(pattern) => json!({ "line": wanted.line, "match": pattern.text() }),
                    None => json!({ "line": wanted.line }),
                })
                .collect();
            self.put("lines", (!lines.is_empty()).then_some(lines));
        }
        let gone = wanted.drop.iter().map(|unwanted| match unwanted {
            Unwanted::Line(line) => json!(line),
            Unwanted::Matching(pattern) => json!({ "match": pattern.text() }),
        });
        let gone: Vec<Value> = wanted
            .remove
            .iter()
            .map(|path| json!(path))
            .chain(gone)
            .collect();
        self.put("remove", (!gone.is_empty()).then_some(gone));
        self.flag("create", edit.create);
    }

    fn archive(&mut self, archive: &Archive, sensitive: bool) {
        self.presence(archive.state);
        match &archive.content {
            None => {}
            Some(_) if sensitive => self.put("url", Some(HIDDEN)),
            Some(Content::Text(bytes)) => self.bytes("content", bytes),
            Some(Content::Blob { digest, size }) => self.blob(digest, *size),
            Some(Content::Url { url, digest }) => {
                self.put("url", Some(url));
                self.put("sha256", Some(digest));
            }
        }
        self.put("strip", Some(archive.strip).filter(|count| *count != 0));
        self.attributes(&archive.attributes);
    }

    fn mount(&mut self, mount: &Mount) {
        self.put(
            "state",
            match mount.state {
                MountPresence::Mounted => None,
                MountPresence::Present => Some("present"),
                MountPresence::Unmounted => Some("unmounted"),
                MountPresence::Absent => Some("absent"),
            },
        );
        if let Some(entry) = &mount.entry {
            self.put("device", Some(&entry.device));
            self.put("fstype", Some(&entry.fstype));
            self.put("options", Some(&entry.options));
            self.put("dump", Some(entry.dump).filter(|number| *number != 0));
            self.put("pass", Some(entry.pass).filter(|number| *number != 0));
        }
    }

    fn command(&mut self, command: &Command, sensitive: bool) {
        self.put("run", Some(&command.run));
        self.put("unless", command.unless.as_ref());
        self.put("only_if", command.only_if.as_ref());
        self.put("creates", command.creates.as_ref());
        self.list("on", &command.on);
        self.put("user", command.user.as_ref());
        self.put("cwd", command.cwd.as_ref());
        let env: Map<String, Value> = command
            .env
            .iter()
            .map(|(name, value)| {
                let shown = if sensitive { HIDDEN } else { value };
                (name.clone(), shown.into())
            })
            .collect();
        self.put("env", (!env.is_empty()).then_some(env));
        self.put("timeout", Some(format!("{}s", command.timeout_s)));
    }

    fn service(&mut self, service: &Service, sensitive: bool) {
        self.put(
            "state",
            service.state.map(|state| match state {
                Activity::Running => "running",
                Activity::Stopped => "stopped",
            }),
        );
        self.put("enabled", service.enabled);
        self.put("masked", service.masked);
        if let Some(unit) = &service.unit_file {
            self.hideable("unit", &unit.content, sensitive);
        }
        self.list("restart_on", &service.restart_on);
        self.list("reload_on", &service.reload_on);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cfg_catalog::id::Kind;
    use cfg_catalog::resource::{Mode, Place};

    fn file(content: &[u8], sensitive: bool) -> Resource {
        let path: cfg_catalog::path::AbsPath = "/etc/motd".parse().unwrap();
        Resource {
            id: ResourceId::new(Kind::File, path.as_str()),
            place: Place::default(),
            after: vec!["package:x".parse().unwrap()],
            sensitive,
            body: Body::File(File {
                path,
                state: Presence::Present,
                content: Some(Content::Text(content.to_vec())),
                attributes: Attributes {
                    mode: Some(Mode(0o644)),
                    ..Attributes::default()
                },
                validate: None,
                sensitive: false,
                create_only: false,
            }),
        }
    }

    #[test]
    fn reads_like_role_toml() {
        let text = toml(&file(b"hello\nworld\n", false)).unwrap();
        let read: toml::Table = toml::from_str(&text).unwrap();
        let keys = &read["file"]["/etc/motd"];
        assert_eq!(keys["content"].as_str(), Some("hello\nworld\n"));
        assert_eq!(keys["mode"].as_str(), Some("0644"));
        assert_eq!(keys["after"][0].as_str(), Some("package:x"));
    }

    #[test]
    fn an_edit_reads_as_it_is_written() {
        let mut wanted = cfg_catalog::edit::Edit::of(cfg_catalog::edit::Format::Json);
        let set = json!({ "log": { "level": "debug", "to": ["x"] }, "port": 80 });
        wanted.set(set.as_object().unwrap()).unwrap();
        wanted.remove(vec!["a.b".into(), "c".into()]).unwrap();
        let mut resource = file(b"", false);
        resource.id = ResourceId::new(Kind::Edit, "the log");
        resource.body = Body::Edit(FileEdit {
            path: "/etc/a.json".parse().unwrap(),
            edit: wanted,
            create: true,
        });
        let shown = keys(&resource);
        assert_eq!(shown["set"], set);
        assert_eq!(shown["remove"], json!([["a.b", "c"]]));
        assert_eq!(
            (&shown["path"], &shown["create"]),
            (&json!("/etc/a.json"), &json!(true))
        );
        resource.sensitive = true;
        assert_eq!(keys(&resource)["set"], HIDDEN);
        assert!(!keys(&resource).contains_key("lines"));
    }

    #[test]
    fn lines_that_are_not_shown_keep_their_key() {
        let mut wanted = cfg_catalog::edit::Edit::of(cfg_catalog::edit::Format::Lines);
        wanted.lines.push(cfg_catalog::edit::LineWanted {
            line: "password x".into(),
            matching: None,
        });
        let mut resource = file(b"", true);
        resource.body = Body::Edit(FileEdit {
            path: "/etc/a.conf".parse().unwrap(),
            edit: wanted,
            create: false,
        });
        let shown = keys(&resource);
        assert_eq!(shown["lines"], HIDDEN);
        assert!(!shown.contains_key("set"));
    }

    #[test]
    fn a_date_is_shown_as_one() {
        let date = date::value(&"1979-05-27".parse().unwrap());
        let mut wanted = cfg_catalog::edit::Edit::of(cfg_catalog::edit::Format::Toml);
        wanted
            .set(json!({ "since": date }).as_object().unwrap())
            .unwrap();
        let mut resource = file(b"", false);
        resource.id = ResourceId::new(Kind::Edit, "/etc/a.toml");
        resource.body = Body::Edit(FileEdit {
            path: "/etc/a.toml".parse().unwrap(),
            edit: wanted,
            create: false,
        });
        assert_eq!(keys(&resource)["set"], json!({ "since": "1979-05-27" }));
        let text = toml(&resource).unwrap();
        assert!(text.contains("since = 1979-05-27\n"), "{text}");
    }

    #[test]
    fn what_is_sensitive_or_no_text_is_not_shown() {
        let hidden = keys(&file(b"password", true));
        assert_eq!(hidden["content"], HIDDEN);
        assert!(!hidden.contains_key("size"));
        let binary = keys(&file(&[0xff, 0], false));
        assert_eq!(binary["size"], 2);
        assert_eq!(binary["sha256"], Digest::of(&[0xff, 0]).to_string());
    }
}
