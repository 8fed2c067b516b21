use super::{Tree, is_root, path};
use cfg_catalog::edit::{Edit, Format};
use cfg_catalog::resource::edit::FileEdit;
use cfg_catalog::resource::{Body, Observed, PathState, Resource};
use serde_json::json;
use std::fs;
use std::os::unix::fs::PermissionsExt;

/// `[s] k = v` in a file.
fn edit(name: &str, create: bool) -> FileEdit {
    let mut edit = Edit::of(Format::Ini);
    edit.set(json!({ "s": { "k": "v" } }).as_object().unwrap())
        .unwrap();
    FileEdit {
        path: path(name),
        edit,
        create,
    }
}

fn told(tree: &Tree, edit: &FileEdit) -> String {
    tree.hands().edit(edit, false).unwrap_err().to_string()
}

#[test]
fn the_rest_of_the_file_stays_and_its_owner_and_mode() {
    let tree = Tree::new();
    tree.text("/etc/x.conf", "# c\n[s]\nk = 1\nj = 2");
    fs::set_permissions(tree.at("/etc/x.conf"), PermissionsExt::from_mode(0o640)).unwrap();
    if is_root() {
        tree.give("/etc/x.conf", 1234);
    }
    let before = tree.owned("/etc/x.conf");
    tree.hands()
        .edit(&edit("/etc/x.conf", false), false)
        .unwrap();
    assert_eq!(tree.read("/etc/x.conf"), "# c\n[s]\nk = v\nj = 2");
    assert_eq!(tree.owned("/etc/x.conf"), before);
    assert_eq!(tree.names("/etc"), ["group", "passwd", "x.conf"]);
}

#[test]
fn what_is_so_already_is_not_written() {
    let tree = Tree::new();
    tree.text("/etc/x.conf", "[s]\nk=v\n");
    let inode = |tree: &Tree| {
        use std::os::unix::fs::MetadataExt;
        fs::metadata(tree.at("/etc/x.conf")).unwrap().ino()
    };
    let before = inode(&tree);
    tree.hands()
        .edit(&edit("/etc/x.conf", true), false)
        .unwrap();
    assert_eq!(
        (inode(&tree), tree.read("/etc/x.conf").as_str()),
        (before, "[s]\nk=v\n")
    );
}

#[test]
fn what_came_since_the_look_is_kept() {
    let tree = Tree::new();
    tree.text("/etc/x.conf", "[s]\nk=1\n");
    let seen = tree.machine.observe(&resource(edit("/etc/x.conf", false)));
    let Some(Observed::Path(PathState::File(seen))) = seen else {
        panic!("{seen:?}");
    };
    assert_eq!(seen.content.as_deref(), Some(&b"[s]\nk=1\n"[..]));
    tree.text("/etc/x.conf", "[s]\nk=1\nnew=1\n");
    tree.hands()
        .edit(&edit("/etc/x.conf", false), false)
        .unwrap();
    assert_eq!(tree.read("/etc/x.conf"), "[s]\nk=v\nnew=1\n");
}

fn resource(edit: FileEdit) -> Resource {
    let name = edit.path.to_string();
    super::resource(&name, Body::Edit(edit))
}

#[test]
fn a_missing_file_is_made_only_where_the_role_says_so() {
    let tree = Tree::new();
    let no = told(&tree, &edit("/etc/d/x.conf", false));
    assert_eq!(
        no,
        "/etc/d/x.conf does not exist, and the role gives it no content"
    );
    assert!(!tree.at("/etc/d").exists());
    tree.hands()
        .edit(&edit("/etc/d/x.conf", true), false)
        .unwrap();
    assert_eq!(tree.read("/etc/d/x.conf"), "[s]\nk = v\n");
    assert_eq!(tree.owned("/etc/d/x.conf").2, 0o644);
    tree.hands()
        .edit(&edit("/etc/d/secret", true), true)
        .unwrap();
    assert_eq!(tree.owned("/etc/d/secret").2, 0o600);
}

#[test]
fn what_is_no_such_file_is_left() {
    let tree = Tree::new();
    tree.symlink("/etc/passwd", "/etc/link");
    tree.folder("/etc/folder", 0o755);
    tree.text("/etc/binary", "\0");
    fs::write(tree.at("/etc/large"), vec![b'#'; (1 << 20) + 1]).unwrap();
    for (name, why) in [
        (
            "/etc/link",
            "/etc/link is a link, which is not replaced; move it away",
        ),
        (
            "/etc/folder",
            "/etc/folder is a directory, which is not replaced; move it away",
        ),
        (
            "/etc/binary",
            "/etc/binary: line 1, column 1: a NUL: this is no text",
        ),
        (
            "/etc/large",
            "/etc/large cannot be read, or has more than 1024 KiB",
        ),
    ] {
        assert_eq!(told(&tree, &edit(name, true)), why);
    }
    assert!(tree.read("/etc/passwd").starts_with("root:"));
    let seen = tree.machine.observe(&resource(edit("/etc/large", true)));
    assert!(matches!(seen, Some(Observed::Path(PathState::File(file)))
        if file.content.is_none() && file.digest.is_some()));
}

#[test]
fn a_planted_link_on_the_way_is_not_followed() {
    if !is_root() {
        return;
    }
    let tree = Tree::new();
    tree.folder("/home/bob", 0o755);
    tree.give("/home/bob", 1234);
    tree.symlink("/etc", "/home/bob/etc");
    tree.give("/home/bob/etc", 1234);
    let why = told(&tree, &edit("/home/bob/etc/passwd", false));
    assert!(why.contains("is a link that is not followed"), "{why}");
}
