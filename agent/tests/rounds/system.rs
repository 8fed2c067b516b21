//! Lines of the table of file systems, and files of settings and repositories.

use crate::case::{Case, names};

const TABLE: &str = "mkdir -p mnt/a; printf '# table\\n\\n/dev/x  /mnt/a   ext4 defaults 0 1 # tail\\n/dev/y /mnt/b ext4 ro\\n' \
    > etc/fstab; ";
const MOUNT: &str = "[mount.\"/mnt/a\"]\ndevice = \"/dev/z\"\nfstype = \"xfs\"\n";
const OPEN: &str = "mkdir -p mnt/a; mkdir mnt/b mnt/c mnt/d; printf '# table\\n/dev/y /mnt/b ext4 ro' > etc/fstab; ";
const OTHERS: &str = "[mount.\"/mnt/a\"]\ndevice = \"/dev/z\"\nfstype = \"xfs\"\n\
    [mount.\"/mnt/d\"]\ndevice = \"/dev/z\"\nfstype = \"xfs\"\n";
const GONE: &str = "[mount.\"/mnt/a\"]\nstate = \"absent\"\n";

#[test]
fn the_table_comes_back_byte_for_byte() {
    let inside =
        "[directory.\"/mnt/a\"]\nmode = \"0700\"\n[file.\"/mnt/a/x/y\"]\ncontent = \"1\"\n";
    for (there, roles) in [
        (TABLE, &[MOUNT][..]),
        (TABLE, &[GONE]),
        (TABLE, &[MOUNT, GONE]),
        (
            "mkdir -p mnt/a; printf '/dev/x /mnt/a ext4 defaults 0 1\\r\\n' > etc/fstab",
            &[MOUNT],
        ),
        ("mkdir -p mnt/a", &[MOUNT]),
        (OPEN, &[MOUNT]),
        (OPEN, &[&OTHERS.replace("/mnt/a", "/mnt/c"), OTHERS]),
        (
            OPEN,
            &[&[MOUNT, "[mount.\"/mnt/b\"]\nstate = \"absent\"\n"].concat()],
        ),
        (TABLE, &[&format!("{MOUNT}{inside}")]),
    ] {
        let case = Case::new(there);
        for (role, name) in roles.iter().zip(["web", "next"]) {
            assert_eq!(case.role(name, role).0, 0);
        }
        case.leaves();
    }
}

#[test]
fn a_mount_that_fails_makes_nothing_and_leaves_nothing() {
    for there in ["ln -s elsewhere etc/fstab", "mkdir mnt; touch mnt/a"] {
        let case = Case::new(there);
        let (code, ran) = case.role("web", MOUNT);
        assert!(code == 1 && names(&ran).is_empty(), "{ran:#}");
        case.leaves();
    }
}

#[test]
fn files_of_settings_and_repositories_come_back() {
    const FILE: &str = "etc/sysctl.d/90-cfg-vm.swappiness.conf";
    let set = "[sysctl]\n\"vm.swappiness\" = \"9\"\n";
    let unset = "[sysctl.\"vm.swappiness\"]\nstate = \"absent\"\n";
    for (text, role) in [
        ("vm.swappiness = 7\\n# x\\n", set),
        ("vm.swappiness = 9\\n", set),
        ("vm.swappiness = 7\\n", unset),
    ] {
        let there = format!("mkdir etc/sysctl.d; printf '{text}' > {FILE}; chmod 600 {FILE}");
        let case = Case::new(&there);
        assert_eq!(case.role("web", role).0, 0);
        case.leaves();
    }
    for there in [
        format!("mkdir etc/sysctl.d; ln -s /dev/null {FILE}"),
        "true".into(),
    ] {
        let case = Case::new(&there);
        assert_eq!(case.role("web", set).0, 0);
        case.leaves();
    }
    let sources = "etc/apt/sources.list.d/cfg-x.sources";
    let there =
        format!("mkdir -p etc/apt/sources.list.d; echo old > {sources}; chmod 600 {sources}");
    let case = Case::new(&there);
    let role =
        "[repository.x]\nuris = [\"http://127.0.0.1/\"]\nsuites = [\"a\"]\ncomponents = [\"b\"]\n";
    case.role("web", role);
    case.leaves();
}
