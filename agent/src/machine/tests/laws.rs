//! Laws that hold for whatever is written.

use super::*;
use proptest::prelude::*;

fn names() -> impl Strategy<Value = String> {
    // Names as daemons have them, and some that shells and parsers would stumble over.
    prop_oneof![
        "[a-z]{1,8}",
        "[?*' \"$;&()\\\\%~#-][ -.0-~]{0,12}",
        "[äöüß€漢]{1,6}",
    ]
    .prop_filter("no dots alone", |name| name != "." && name != "..")
}

fn wanted() -> impl Strategy<Value = File> {
    let owner = prop::option::of(prop::sample::select(vec!["root", "bob", "77", "0"]));
    let content = prop::collection::vec(any::<u8>(), 0..3000);
    let parts = prop::collection::vec(names(), 1..4);
    let mode = prop::option::of(0u32..0o10000);
    (parts, content, mode, owner.clone(), owner, any::<bool>()).prop_map(
        |(parts, content, mode, owner, group, sensitive)| File {
            path: path(&format!("/srv/{}", parts.join("/"))),
            content: Some(Content::Text(content)),
            attributes: Attributes {
                // An ordinary user sees only what he may read.
                mode: mode.map(|mode| Mode(if is_root() { mode } else { mode | 0o400 })),
                owner: owner.filter(|_| is_root()).map(Into::into),
                group: group.filter(|_| is_root()).map(Into::into),
            },
            sensitive,
            ..text_file("/x", "")
        },
    )
}

/// What is seen is what was wanted.
fn holds(tree: &Tree, file: &File) {
    let content = file.content.as_ref().unwrap();
    let look = Wanted {
        digest: Some(content.digest()),
        below: false,
        purge: false,
        content: false,
        gone: false,
        attributes: Some(&file.attributes),
    };
    let PathState::File(seen) = tree.machine.observe_path(&file.path, &look) else {
        panic!("{} is no file", file.path);
    };
    assert_eq!(seen.digest, Some(content.digest()));
    assert_eq!(seen.content, None);
    let Attributes { mode, owner, group } = &file.attributes;
    let new = if file.sensitive { 0o600 } else { 0o644 };
    assert_eq!(seen.ownership.mode, mode.unwrap_or(Mode(new)));
    for (wanted, seen) in [
        (owner, &seen.ownership.owner),
        (group, &seen.ownership.group),
    ] {
        if let Some(wanted) = wanted {
            assert_eq!(wanted, seen);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn what_is_written_is_seen(file in wanted(), old in prop::option::of(wanted())) {
        let tree = Tree::new();
        if let Some(old) = old {
            // Whatever stood there before, of what may be replaced.
            let old = File { path: file.path.clone(), sensitive: file.sensitive, ..old };
            tree.write(&old).unwrap();
            let attributes = Attributes {
                mode: file.attributes.mode.or(old.attributes.mode),
                ..file.attributes.clone()
            };
            tree.write(&file).unwrap();
            holds(&tree, &File { attributes, ..file });
        } else {
            tree.write(&file).unwrap();
            holds(&tree, &file);
        }
    }

    #[test]
    fn no_link_leads_out_of_the_root(
        targets in prop::collection::vec("(/|\\.\\./|a/|b/|\\./){0,5}(a|b|c|\\.\\.|tmp)?", 3),
        name in "(a|b|c)/(a|b|c)/file",
    ) {
        let tree = Tree::new();
        tree.folder("/in/d", 0o755);
        for (link, target) in ["a", "b", "c"].iter().zip(&targets) {
            if !target.is_empty() {
                tree.symlink(target, &format!("/in/{link}"));
                tree.symlink(target, &format!("/in/d/{link}"));
            }
        }
        let above = tree.at("/").parent().unwrap().join("file");
        let _either = tree.write(&text_file(&format!("/in/{name}"), "x"));
        prop_assert!(!above.exists());
        prop_assert!(!std::path::Path::new("/file").exists());
        prop_assert!(!std::path::Path::new("/tmp/file").exists());
    }
}
