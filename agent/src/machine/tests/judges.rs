//! `validate`, and the running of tools.

use super::*;
use cfg_catalog::resource::Shell;
use std::time::Duration;

#[test]
fn a_judge_only_reads() {
    if !is_root() {
        return;
    }
    let tree = Tree::new();
    let outside = Machine::new(&Root::open(std::path::Path::new("/")).unwrap());
    let hands = Hands::new(&outside, &tree.blobs);
    tree.text("/etc/other", "new");
    tree.text("/etc/app", "old");
    let name = tree.at("/etc/app");
    let judged = |command: &str| File {
        validate: Some(Shell::Line(command.into())),
        ..text_file(name.to_str().unwrap(), "new")
    };
    let other = tree.at("/etc/other").display().to_string();
    for (command, changed) in [
        ("chmod 4777 %s", "changed the mode"),
        ("chown 1234 %s", "changed the owner"),
        ("chgrp 1234 %s", "changed the owner"),
        ("echo evil >> %s", "changed the content"),
        ("printf neW > %s", "changed the content"),
        (
            &format!("ln -sf {other} %s"),
            "put something else in the place",
        ),
        (
            &format!("cp -p {other} %s.2 && mv %s.2 %s"),
            "put something else in the place",
        ),
        ("rm %s", "put something else in the place"),
    ] {
        let error = hands.file(&judged(command)).unwrap_err().to_string();
        assert!(error.contains(changed), "{command}: {error}");
        assert_eq!(tree.read("/etc/app"), "old", "{command}");
        assert_eq!(tree.owned("/etc/app"), (0, 0, 0o644), "{command}");
        assert_eq!(
            tree.names("/etc"),
            ["app", "group", "other", "passwd"],
            "{command}"
        );
    }
    // A script may be run to judge it.
    let script = File {
        validate: Some(Shell::Line("%s".into())),
        attributes: owned_by("root", "root", 0o755),
        ..text_file(name.to_str().unwrap(), "#!/bin/sh\nexit 0\n")
    };
    hands.file(&script).unwrap();
    assert!(tree.read("/etc/app").starts_with("#!"));
}

#[test]
fn validate_judges_the_finished_file() {
    let tree = Tree::new();
    tree.folder("/etc/odd $(touch x) dir", 0o755);
    let name = "/etc/odd $(touch x) dir/app";
    let judged = |text: &str, command: Shell| File {
        validate: Some(command),
        attributes: Attributes {
            mode: Some(Mode(0o640)),
            ..Attributes::default()
        },
        ..text_file(name, text)
    };
    let line = |line: &str| Shell::Line(line.into());
    // Below a root of its own a command of root runs within it, and this one has no shell.
    let outside = Machine::new(&Root::open(std::path::Path::new("/")).unwrap());
    let machine = if is_root() { &outside } else { &tree.machine };
    let hands = Hands::new(machine, &tree.blobs);
    let at = |file: File| {
        let whole = tree.at(name);
        let path = path(if is_root() {
            whole.to_str().unwrap()
        } else {
            name
        });
        File { path, ..file }
    };
    let good = line("grep -q good %s && test $(stat -c %a %s) = 640");
    let error = hands.file(&at(judged("bad", good.clone()))).unwrap_err();
    assert!(error.to_string().contains(" is not made: "), "{error}");
    hands.file(&at(judged("good", good.clone()))).unwrap();
    assert_eq!(tree.read(name), "good");

    let error = hands.file(&at(judged("bad", good))).unwrap_err();
    assert!(matches!(error, EnactError::Invalid { .. }), "{error}");
    assert!(
        error.to_string().contains(" is left as it was: "),
        "{error}"
    );
    assert_eq!(tree.read(name), "good");
    assert_eq!(tree.names("/etc/odd $(touch x) dir"), ["app"]);

    let quoting = line("cat %s >&2; exit 3");
    let error = hands
        .file(&at(judged("s3cret", quoting.clone())))
        .unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with("ended with exit code 3: s3cret"),
        "{error}"
    );
    let secret = File {
        sensitive: true,
        ..judged("s3cret", quoting)
    };
    let error = hands.file(&at(secret)).unwrap_err();
    assert!(!error.to_string().contains("s3cret"), "{error}");

    let words = ["grep", "-q", "good", "%s"].map(String::from).to_vec();
    hands
        .file(&at(judged("good 2", Shell::Argv(words))))
        .unwrap();
    let quoted = line("test -f \"%s\"");
    let error = hands.file(&at(judged("good 3", quoted))).unwrap_err();
    assert!(error.to_string().contains("exit code 1"), "{error}");
    assert!(
        !std::path::Path::new("/x").exists(),
        "the path is run by nobody"
    );
    let blind = Shell::Argv(vec!["/bin/false".into()]);
    let error = hands.file(&at(judged("good 3", blind))).unwrap_err();
    assert!(error.to_string().contains("exit code 1"), "{error}");
    assert_eq!(tree.read(name), "good 2");
    let missing = Shell::Argv(vec!["/no/such/judge".into()]);
    let error = hands.file(&at(judged("good 3", missing))).unwrap_err();
    assert!(
        error.to_string().contains("could not be started"),
        "{error}"
    );
    assert_eq!(tree.read(name), "good 2");
}

#[test]
fn a_judge_that_leaves_something_running_is_not_waited_for() {
    let begun = std::time::Instant::now();
    let argv = ["/bin/sh", "-c", "sleep 30 & echo said"];
    let ended = super::super::tool::run(&argv, None, Duration::from_secs(20)).unwrap();
    assert!(ended.succeeded());
    assert_eq!(ended.out, "said\n");
    assert!(begun.elapsed() < Duration::from_secs(10));
}

#[test]
fn a_tool_that_takes_too_long_is_killed_with_what_it_started() {
    let begun = std::time::Instant::now();
    let argv = ["/bin/sh", "-c", "sleep 30; echo never"];
    let ended = super::super::tool::run(&argv, None, Duration::from_millis(200)).unwrap();
    assert!(ended.verdict().contains("too long"), "{}", ended.verdict());
    assert!(begun.elapsed() < Duration::from_secs(5));
}

#[test]
fn in_a_tree_of_its_own_a_judge_of_root_sees_the_tree() {
    let has_usr_alone = fs::symlink_metadata("/bin").is_ok_and(|bin| bin.is_symlink());
    if !is_root() || !has_usr_alone {
        return;
    }
    let tree = Tree::new();
    for name in ["bin", "lib", "lib64"] {
        tree.symlink(&format!("usr/{name}"), &format!("/{name}"));
    }
    tree.folder("/usr", 0o755);
    let _mount = Mounted::new(&["--bind", "/usr"], tree.at("/usr"));
    tree.folder("/only-here", 0o755);
    let file = |text: &str| File {
        validate: Some(Shell::Line("test -d /only-here && grep -q good %s".into())),
        ..text_file("/etc/app", text)
    };
    tree.write(&file("good")).unwrap();
    assert!(tree.write(&file("bad")).is_err());
    assert_eq!(tree.read("/etc/app"), "good");
}

#[test]
fn a_judge_that_says_much_is_quoted_with_its_last_lines() {
    let argv = [
        "/bin/sh",
        "-c",
        "i=0; while [ $i -lt 20000 ]; do echo line $i >&2; i=$((i + 1)); done; echo >&2; echo the reason >&2; exit 4",
    ];
    let ended = super::super::tool::run(&argv, None, Duration::from_secs(60)).unwrap();
    let told = ended.told();
    let lines: Vec<&str> = told.lines().collect();
    assert_eq!(lines[0], "ended with exit code 4, and said last:");
    assert_eq!(lines[1], "line 19991");
    assert_eq!(lines[10..], ["the reason"]);
}
