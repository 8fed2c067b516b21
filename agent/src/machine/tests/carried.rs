//! What a file carries beside its content: extended attributes, access lists, setuid.

use super::*;
use rustix::fs::{XattrFlags, getxattr, setxattr};

#[test]
fn setuid_that_a_stranger_planted_does_not_last() {
    if !is_root() {
        return;
    }
    let tree = Tree::new();
    tree.folder("/home/bob", 0o755);
    tree.text("/home/bob/app", "old");
    fs::set_permissions(tree.at("/home/bob/app"), PermissionsExt::from_mode(0o4755)).unwrap();
    tree.give("/home/bob", STRANGER);
    tree.write(&text_file("/home/bob/app", "new")).unwrap();
    assert_eq!(tree.owned("/home/bob/app"), (0, 0, 0o755));
}

#[test]
fn a_folders_default_list_is_not_forced_on_a_file_that_had_none() {
    let tree = Tree::new();
    tree.text("/etc/app", "old");
    let list = access_list(STRANGER, 6);
    setxattr(
        tree.at("/etc"),
        "system.posix_acl_default",
        &list,
        XattrFlags::empty(),
    )
    .unwrap();
    tree.write(&text_file("/etc/app", "new")).unwrap();
    let mut value = [0; 128];
    let file = tree.at("/etc/app");
    assert!(getxattr(&file, "system.posix_acl_access", &mut value).is_err());
    assert_eq!(tree.owned("/etc/app").2, 0o644);
}

#[test]
fn what_a_file_carries_goes_over_to_the_new_one() {
    let tree = Tree::new();
    tree.text("/etc/app", "old");
    let file = tree.at("/etc/app");
    let flags = XattrFlags::empty();
    setxattr(&file, "user.note", b"kept", flags).unwrap();
    let list = access_list(STRANGER, 6);
    setxattr(&file, "system.posix_acl_access", &list, flags).unwrap();
    let mode = tree.owned("/etc/app").2;

    tree.write(&text_file("/etc/app", "new")).unwrap();
    let mut value = [0; 128];
    let count = getxattr(&file, "user.note", &mut value).unwrap();
    assert_eq!(&value[..count], b"kept");
    let count = getxattr(&file, "system.posix_acl_access", &mut value).unwrap();
    assert_eq!(&value[..count], list);
    assert_eq!(tree.owned("/etc/app").2, mode);
    assert_eq!(tree.read("/etc/app"), "new");
}

/// An access list that gives one more user these rights.
fn access_list(uid: u32, rights: u16) -> Vec<u8> {
    const NOBODY: u32 = u32::MAX;
    let mut list = 2u32.to_le_bytes().to_vec();
    let entries = [
        (0x01u16, 6u16, NOBODY),
        (0x02, rights, uid),
        (0x04, 4, NOBODY),
        (0x10, 6, NOBODY),
        (0x20, 4, NOBODY),
    ];
    for (tag, rights, id) in entries {
        list.extend(tag.to_le_bytes());
        list.extend(rights.to_le_bytes());
        list.extend(id.to_le_bytes());
    }
    list
}

#[test]
fn a_list_that_a_stranger_planted_does_not_open_a_file_of_root() {
    if !is_root() {
        return;
    }
    let tree = Tree::new();
    tree.folder("/home/bob", 0o755);
    tree.text("/home/bob/app", "old");
    let list = access_list(4321, 6);
    let file = tree.at("/home/bob/app");
    setxattr(&file, "system.posix_acl_access", &list, XattrFlags::empty()).unwrap();
    tree.give("/home/bob/app", STRANGER);
    tree.give("/home/bob", STRANGER);
    let secret = File {
        attributes: owned_by("root", "root", 0o660),
        ..text_file("/home/bob/app", "secret")
    };
    tree.write(&secret).unwrap();
    let mut value = [0; 128];
    assert!(getxattr(&file, "system.posix_acl_access", &mut value).is_err());
    assert_eq!(tree.owned("/home/bob/app"), (0, 0, 0o660));
}
