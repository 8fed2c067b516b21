//! What the machine would refuse is told before it is tried, in the words of the try.

use super::*;
use cfg_catalog::plan::refusals::Refusal;
use cfg_catalog::plan::{Action, Change};
use cfg_catalog::resource::account::Group;
use cfg_catalog::resource::directory::Directory;
use cfg_catalog::resource::link::Link;
use cfg_catalog::resource::repository::Repository;
use cfg_catalog::resource::sysctl::Sysctl;
use std::path::Path;
use std::process::Command;

fn file(name: &str, text: &str) -> Resource {
    resource(name, Body::File(text_file(name, text)))
}

fn no_file(name: &str) -> Resource {
    let mut file = text_file(name, "");
    (file.state, file.content) = (Presence::Absent, None);
    resource(name, Body::File(file))
}

fn bare(name: &str, mode: u32) -> Resource {
    let mut file = text_file(name, "");
    file.content = None;
    file.attributes.mode = Some(Mode(mode));
    resource(name, Body::File(file))
}

fn directory(name: &str, mode: u32) -> Resource {
    let directory = Directory {
        path: path(name),
        state: Presence::Present,
        attributes: Attributes {
            mode: Some(Mode(mode)),
            ..Attributes::default()
        },
        purge: false,
        source: Vec::new(),
        over_file: false,
    };
    resource(name, Body::Directory(directory))
}

fn link(name: &str) -> Resource {
    let link = Link {
        path: path(name),
        state: Presence::Present,
        target: Some("elsewhere".into()),
        over_file: false,
    };
    resource(name, Body::Link(link))
}

impl Tree {
    pub(super) fn refusal(&self, resource: &Resource) -> Option<Refusal> {
        let change = Change::new(&resource.id, Action::Update);
        self.machine.refusal(resource, &change, &self.blobs)
    }

    /// Tries it, and holds what was told against that; gives it.
    fn tried(&self, resource: &Resource) -> Option<String> {
        let told = match self.refusal(resource) {
            Some(Refusal::Blocked(why) | Refusal::Fails(why)) => Some(why),
            Some(held) => panic!("{}: {held:?}", resource.id),
            None => None,
        };
        let change = Change::new(&resource.id, Action::Update);
        let done = self.hands().enact(resource, &[change]);
        let failed = done.err().map(|error| error.to_string());
        assert_eq!(told, failed, "{}", resource.id);
        failed
    }
}

/// An attribute of a file for as long as this lives; none where the file system has none.
struct Attribute<'a>(&'a Path, &'a str);

impl<'a> Attribute<'a> {
    fn new(path: &'a Path, letter: &'a str) -> Option<Self> {
        let set = chattr(path, &format!("+{letter}"));
        set.then_some(Self(path, letter))
    }
}

impl Drop for Attribute<'_> {
    fn drop(&mut self) {
        chattr(self.0, &format!("-{}", self.1));
    }
}

fn chattr(path: &Path, change: &str) -> bool {
    let mut chattr = Command::new("chattr");
    let done = chattr.arg(change).arg(path).output();
    done.is_ok_and(|done| done.status.success())
}

fn tree() -> Tree {
    let tree = Tree::new();
    tree.folder("/srv/inner", 0o755);
    tree.text("/srv/file", "old");
    tree.symlink("somewhere", "/srv/link");
    tree
}

/// Whatever is done in or to `/srv`.
fn all() -> Vec<Resource> {
    vec![
        file("/srv/file", "new"),
        file("/srv/file", "old"),
        file("/srv/new", "new"),
        file("/srv/link", "new"),
        file("/srv/a/b/new", "new"),
        file("/srv/inner/new", "new"),
        bare("/srv/file", 0o600),
        bare("/srv/file", 0o644),
        no_file("/srv/file"),
        no_file("/srv/none"),
        directory("/srv", 0o700),
        directory("/srv/inner", 0o700),
        directory("/srv/new", 0o755),
        link("/srv/link"),
        link("/srv/new"),
    ]
}

#[test]
fn nothing_is_refused_where_all_may_be_written() {
    for resource in all() {
        assert_eq!(tree().tried(&resource), None);
    }
}

#[test]
fn a_file_system_that_is_read_only_refuses_all() {
    if !is_root() {
        return;
    }
    let tree = tree();
    let at = tree.at("/srv");
    let bind = ["--bind", at.to_str().unwrap()];
    let _mounted = Mounted::new(&bind, at.clone());
    let mut remount = Command::new("mount");
    remount.args(["-o", "remount,bind,ro"]).arg(&at);
    assert!(remount.status().unwrap().success());
    let right = ["file:/srv/file", "file:/srv/none"];
    let mut refused = 0;
    for resource in all() {
        match tree.tried(&resource) {
            Some(why) => {
                assert!(why.contains("mounted read-only"), "{why}");
                refused += 1;
            }
            None => assert!(
                right.contains(&&*resource.id.to_string()),
                "{}",
                resource.id
            ),
        }
    }
    assert_eq!(
        refused,
        all().len() - 3,
        "what is as it must be is not refused"
    );
}

fn repository() -> Resource {
    let repository = Repository {
        name: "r".into(),
        sources: b"Types: deb\n".to_vec(),
        key: None,
    };
    resource("r", Body::Repository(repository))
}

fn sysctl(state: Presence) -> Resource {
    let sysctl = Sysctl {
        spares: false,
        name: "vm.swappiness".into(),
        state,
        value: (state == Presence::Present).then(|| "1".into()),
    };
    resource("vm.swappiness", Body::Sysctl(sysctl))
}

fn group(name: &str) -> Resource {
    let group = Group {
        name: name.into(),
        state: Presence::Present,
        gid: None,
        system: true,
    };
    resource(name, Body::Group(group))
}

/// What is unfinished could not leave it again.
#[test]
fn nothing_is_left_in_a_folder_that_names_can_only_be_added_to() {
    let tree = tree();
    let at = tree.at("/srv/inner");
    let Some(_attribute) = Attribute::new(&at, "a") else {
        return;
    };
    for resource in [
        file("/srv/inner/new", "new"),
        directory("/srv/inner/new", 0o755),
        link("/srv/inner/new"),
    ] {
        assert!(tree.tried(&resource).is_some());
        assert_eq!(std::fs::read_dir(&at).unwrap().count(), 0);
    }
}

#[test]
fn of_what_is_written_into_etc() {
    let all = || {
        [
            repository(),
            sysctl(Presence::Present),
            sysctl(Presence::Absent),
        ]
    };
    let tree = tree();
    for resource in all() {
        assert_eq!(tree.tried(&resource), None);
    }
    let tree = self::tree();
    let at = tree.at("/etc");
    let Some(_attribute) = Attribute::new(&at, "i") else {
        return;
    };
    let told: Vec<Option<String>> = all().iter().map(|resource| tree.tried(resource)).collect();
    assert!(told[0].is_some() && told[1].is_some(), "{told:?}");
    assert_eq!(told[2], None, "there is none");
    let why = tree.refusal(&group("new"));
    assert!(matches!(why, Some(Refusal::Blocked(_))), "{why:?}");
}

#[test]
fn what_may_not_be_changed_is_refused() {
    for (at, letter, some) in [
        ("/srv", "i", "file:/srv/new"),
        ("/srv", "a", "file:/srv/file"),
        ("/srv/file", "i", "file:/srv/file"),
        ("/srv/file", "a", "file:/srv/file"),
        ("/srv/inner", "i", "file:/srv/inner/new"),
    ] {
        let mut refused = Vec::new();
        for resource in all() {
            let tree = tree();
            let at = tree.at(at);
            let Some(_attribute) = Attribute::new(&at, letter) else {
                return;
            };
            if let Some(why) = tree.tried(&resource) {
                assert!(why.contains("immutable or append-only"), "{why}");
                refused.push(resource.id.to_string());
            }
        }
        assert!(
            refused.iter().any(|id| id == some),
            "{at} {letter}: {refused:?}"
        );
    }
}

#[test]
fn what_a_purge_cannot_remove_is_told_by_its_name() {
    let tree = tree();
    let at = tree.at("/srv/file");
    let Some(_attribute) = Attribute::new(&at, "i") else {
        return;
    };
    let owner = directory("/srv", 0o755);
    let victim = Change::new(&"file:/srv/file".parse().unwrap(), Action::Remove);
    let told = tree.machine.refusal(&owner, &victim, &tree.blobs);
    let failed = tree.hands().enact(&owner, &[victim]).unwrap_err();
    assert_eq!(told, Some(Refusal::Blocked(failed.to_string())));
}

#[test]
fn a_second_name_where_others_write_is_told() {
    let tree = tree();
    tree.folder("/open", 0o777);
    tree.text("/open/file", "x");
    fs::hard_link(tree.at("/open/file"), tree.at("/open/other")).unwrap();
    let why = tree.tried(&bare("/open/file", 0o600)).unwrap();
    assert!(why.contains("has other names elsewhere"), "{why}");
}
