//! Writing files.

use super::*;

#[test]
fn a_new_file_is_there_with_parents_and_defaults() {
    let tree = Tree::new();
    tree.write(&text_file("/srv/a/b/file", "one\n")).unwrap();
    assert_eq!(tree.read("/srv/a/b/file"), "one\n");
    assert_eq!(tree.owned("/srv/a/b/file").2, 0o644);
    assert_eq!(tree.owned("/srv/a").2, 0o755);
    assert_eq!(tree.names("/srv/a/b"), ["file"]);

    let secret = File {
        sensitive: true,
        ..text_file("/srv/a/secret", "s")
    };
    tree.write(&secret).unwrap();
    assert_eq!(tree.owned("/srv/a/secret").2, 0o600);

    let seen = tree.look_at_file("/srv/a/b/file");
    assert_eq!(seen.digest, Some(Digest::of(b"one\n")));
    assert_eq!(seen.size, 4);
}

#[test]
fn what_is_not_managed_is_kept_when_the_content_changes() {
    let tree = Tree::new();
    tree.text("/etc/app", "old");
    fs::set_permissions(tree.at("/etc/app"), PermissionsExt::from_mode(0o640)).unwrap();
    if is_root() {
        tree.give("/etc/app", STRANGER);
    }
    let before = tree.owned("/etc/app");
    tree.write(&text_file("/etc/app", "new")).unwrap();
    assert_eq!(tree.read("/etc/app"), "new");
    assert_eq!(tree.owned("/etc/app"), before);
}

#[test]
fn a_link_is_replaced_and_what_it_leads_to_is_left() {
    let tree = Tree::new();
    tree.text("/etc/victim", "precious");
    tree.symlink("victim", "/etc/app");
    tree.write(&text_file("/etc/app", "new")).unwrap();
    assert_eq!(tree.read("/etc/victim"), "precious");
    assert_eq!(tree.read("/etc/app"), "new");
    assert!(fs::symlink_metadata(tree.at("/etc/app")).unwrap().is_file());
}

#[test]
fn owner_and_mode_are_changed_in_place_where_the_content_is_right() {
    if !is_root() {
        return;
    }
    let tree = Tree::new();
    tree.text("/etc/app", "same");
    let inode = fs::metadata(tree.at("/etc/app")).unwrap().ino();
    let file = File {
        attributes: owned_by("bob", "1234", 0o4750),
        ..text_file("/etc/app", "same")
    };
    tree.write(&file).unwrap();
    assert_eq!(tree.owned("/etc/app"), (STRANGER, STRANGER, 0o4750));
    assert_eq!(fs::metadata(tree.at("/etc/app")).unwrap().ino(), inode);
}
