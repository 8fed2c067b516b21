//! A directory's `source`: what a tree of the role becomes.

use crate::common::{directory, file, files, ids, in_catalog, on_machine, service};
use cfg_catalog::Catalog;
use cfg_catalog::digest::Digest;
use cfg_catalog::resource::file::Content;
use cfg_catalog::resource::{Body, Desired, Mode, Presence};

/// With these of the role's files executable.
fn with_programs(all: &[(&str, &str)], programs: &[&str]) -> Desired {
    let mut files = files(all);
    files.executable = programs.iter().map(|path| (*path).to_owned()).collect();
    let (catalog, _) = Catalog::load(&files).unwrap_or_else(|wrong| panic!("\n{wrong}"));
    in_catalog(&catalog, None, &[]).unwrap()
}

#[test]
fn a_tree_is_its_files_and_folders() {
    let all = [
        (
            "web/role.toml",
            "[directory.'/srv/site/']\nsource = 'site'\nowner = 'www-data'\nmode = '0750'\n\
          [service.web]\nreload_on = ['file:/srv/site/**']",
        ),
        ("web/site/index.html", "x"),
        ("web/site/css/dark/a.css", "y"),
        ("web/site/cgi/hit", "#!/bin/sh\n"),
        ("web/sites/other", "z"),
    ];
    let desired = with_programs(&all, &["web/site/cgi/hit"]);
    assert_eq!(
        ids(&desired),
        [
            "directory:/srv/site",
            "directory:/srv/site/cgi",
            "directory:/srv/site/css",
            "directory:/srv/site/css/dark",
            "file:/srv/site/cgi/hit",
            "file:/srv/site/css/dark/a.css",
            "file:/srv/site/index.html",
            "service:web"
        ]
    );
    let modes = desired.resources.iter().filter_map(|resource| {
        let attributes = match &resource.body {
            Body::Directory(directory) => &directory.attributes,
            Body::File(file) => &file.attributes,
            _ => return None,
        };
        assert_eq!(attributes.owner.as_deref(), Some("www-data"));
        assert_eq!(attributes.group, None);
        attributes.mode.map(|mode| mode.to_string())
    });
    assert_eq!(
        modes.collect::<Vec<_>>(),
        ["0750", "0750", "0750", "0750", "0755", "0644", "0644"]
    );
    assert_eq!(service(&desired, "service:web").reload_on.len(), 3);
}

#[test]
fn a_folder_of_a_tree_is_as_the_role_says_of_it_and_else_as_its_tree() {
    let all = [
        (
            "web/role.toml",
            "[directory.'/t']\nsource = 't'\nowner = 'out'\nmode = '0700'\n\
             [directory.'/t/own']\nmode = '0711'\n\
             [directory.'/t/in']\nsource = 'u'\ngroup = 'in'\n\
             [link.'/t/led']\ntarget = '/elsewhere'",
        ),
        ("web/t/own/a", ""),
        ("web/t/in/both/a", ""),
        ("web/t/led/a", ""),
        ("web/u/both/b", ""),
    ];
    let desired = with_programs(&all, &[]);
    for (folder, mode, group) in [
        ("/t", 0o700, None),
        ("/t/own", 0o711, None),
        ("/t/in", 0o700, Some("in")),
        ("/t/in/both", 0o700, Some("in")),
    ] {
        let attributes = &directory(&desired, &format!("directory:{folder}")).attributes;
        let seen = (attributes.mode, attributes.group.as_deref());
        assert_eq!(seen, (Some(Mode(mode)), group), "{folder}");
        assert_eq!(attributes.owner.as_deref(), Some("out"), "{folder}");
    }
    let inner = file(&desired, "file:/t/in/both/b");
    assert_eq!(inner.attributes.owner.as_deref(), Some("out"));
    assert_eq!(
        ids(&desired)
            .iter()
            .filter(|id| id.contains("/t/led"))
            .count(),
        2
    );
}

#[test]
fn a_file_that_is_declared_wins_over_the_tree_and_takes_from_it_what_it_does_not_say() {
    let tree = "[directory.'/srv/t']\nsource = 't'\nowner = 'app'\n";
    let run = |keys: &str| {
        let text = format!("{tree}[file.'/srv//t/bin/run']\n{keys}\n");
        let all = [
            ("web/role.toml", text.as_str()),
            ("web/t/bin/run", "#!/bin/sh\n"),
            ("web/t/plain", "x"),
        ];
        let desired = on_machine(&all, None, &[]).unwrap();
        assert_eq!(
            ids(&desired),
            [
                "directory:/srv/t",
                "directory:/srv/t/bin",
                "file:/srv/t/bin/run",
                "file:/srv/t/plain"
            ]
        );
        file(&desired, "file:/srv/t/bin/run").clone()
    };
    let of_tree = Content::Blob {
        digest: Digest::of(b"#!/bin/sh\n"),
        size: 10,
    };
    let mode = run("mode = '0700'");
    assert_eq!(mode.content, Some(of_tree.clone()));
    assert_eq!(mode.attributes.mode, Some(Mode(0o700)));
    assert_eq!(mode.attributes.owner.as_deref(), Some("app"));
    let owner = run("owner = 'root'\ncreate_only = true");
    assert_eq!(owner.attributes.owner.as_deref(), Some("root"));
    assert_eq!((owner.content, owner.create_only), (Some(of_tree), true));
    let own = run("content = 'mine'");
    assert_eq!(own.content, Some(Content::Text(b"mine".to_vec())));
    assert_eq!(own.attributes.mode, Some(Mode(0o644)));
    let secret = run("sensitive = true");
    assert_eq!(secret.attributes.mode, None, "else everybody could read it");
    let absent = run("state = 'absent'");
    assert_eq!((absent.state, absent.content), (Presence::Absent, None));
    let elsewhere = run("when = 'false'\nmode = '0700'");
    assert_eq!(
        elsewhere.attributes.mode,
        Some(Mode(0o644)),
        "the tree's entry stands where the file is not declared"
    );
}

/// The bit is in the part, and only there: a file and a program of the same content are one blob.
#[test]
fn a_release_carries_what_is_executable() {
    let all = [
        ("web/role.toml", "[directory.'/t']\nsource = 't'\n"),
        ("web/t/plain", "same"),
        ("web/t/program", "same"),
    ];
    let release = |programs: &[&str]| {
        let mut files = files(&all);
        files.executable = programs.iter().map(|path| (*path).to_owned()).collect();
        Catalog::load(&files).unwrap().0.release()
    };
    let (plain, program) = (release(&[]), release(&["web/t/program"]));
    assert_ne!(plain.digest(), program.digest());
    assert_eq!(plain.blobs, program.blobs);
    let part = program.parts.values().next().unwrap();
    let part: cfg_catalog::release::part::Part = serde_json::from_slice(part).unwrap();
    assert!(part.files["web/t/program"].executable);
    assert!(!part.files["web/t/plain"].executable);
}
