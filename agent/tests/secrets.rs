//! Secrets of a local run: who may not give them, and where they are found afterwards.

use cfg_tests::Desk;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Output;

/// What nothing but the files of the role may hold.
const CANARY: &str = "Kanari-7f3a91";

fn desk(role: &str) -> Desk {
    let desk = Desk::new(env!("CARGO_BIN_EXE_cfg"));
    let params = "[params]\nkey = { type = \"string\", secret = true, default = { secret = \"web-key\" } }\n";
    desk.role("web", &format!("{params}{role}"));
    keep_secrets(
        &desk,
        &format!("web-key = \"{CANARY}\"\nunused = \"x\"\n"),
        0o600,
    );
    desk
}

fn keep_secrets(desk: &Desk, text: &str, mode: u32) {
    desk.write("secrets.toml", text);
    let permissions = std::fs::Permissions::from_mode(mode);
    std::fs::set_permissions(desk.path("secrets.toml"), permissions).unwrap();
}

/// With all that it can say of itself.
fn cfg(desk: &Desk, line: &str) -> (i32, Output) {
    let mut command = desk.command();
    command
        .env("CFG_LOG", "trace")
        .env("RUST_BACKTRACE", "full");
    let output = command.args(line.split_whitespace()).output().unwrap();
    (output.status.code().unwrap(), output)
}

/// All that it printed.
fn said(output: &Output) -> String {
    [&output.stdout, &output.stderr]
        .map(|bytes| String::from_utf8_lossy(bytes).into_owned())
        .concat()
}

/// The files below that hold this.
fn holding(folder: &Path, needle: &str, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            holding(&entry.path(), needle, found);
        } else if kind.is_file() {
            let bytes = std::fs::read(entry.path()).unwrap();
            let name = entry.file_name().into_string().unwrap();
            if String::from_utf8_lossy(&bytes).contains(needle) || name.contains(needle) {
                found.push(entry.path());
            }
        }
    }
}

#[test]
fn what_is_wrong_with_secrets_is_said_before_anything_is_touched() {
    let role = "[file.\"/etc/key\"]\ncontent = \"{{ params.key }}\"\n";
    let apply = "apply --catalog roles --role web --root root";
    let given = format!("{apply} --secrets secrets.toml");
    let good = format!("web-key = \"{CANARY}\"");
    for (line, secrets, mode, code, words) in [
        (
            apply,
            good.as_str(),
            0o600,
            78,
            &["`key`", "web-key", "give --secrets FILE"][..],
        ),
        (
            &given,
            "other = 'x'",
            0o600,
            78,
            &["`key`", "web-key", "secrets.toml"],
        ),
        (&given, &good, 0o644, 78, &["chmod 600"]),
        (&given, &good, 0o640, 78, &["chmod 600"]),
        (
            &given,
            &format!("web-key = {CANARY}"),
            0o600,
            78,
            &["line 1 is not TOML"],
        ),
        (
            &given,
            &format!("web-key = [\"{CANARY}\"]"),
            0o600,
            78,
            &["of the type array"],
        ),
        (
            &format!("{apply} --secrets none.toml"),
            &good,
            0o600,
            64,
            &["none.toml"],
        ),
        (
            &format!("{given} --set key=something"),
            &good,
            0o600,
            64,
            &["`key` is secret"],
        ),
        (
            "publish roles",
            &good,
            0o600,
            64,
            &["not in this version", "web/role.toml:2:1"],
        ),
        ("secret list", &good, 0o600, 64, &["not in this version"]),
        (
            "apply --root root --secrets secrets.toml",
            &good,
            0o600,
            64,
            &["--catalog"],
        ),
    ] {
        let desk = desk(role);
        keep_secrets(&desk, secrets, mode);
        let (ended, output) = cfg(&desk, line);
        let said = said(&output);
        assert_eq!(ended, code, "{line}: {said}");
        for word in words {
            assert!(said.contains(word), "{line}: {said}");
        }
        assert!(!said.contains(CANARY), "{line}: {said}");
        let left = std::fs::read_dir(desk.path("root")).unwrap().count();
        assert_eq!((left, desk.path("state").exists()), (0, false), "{line}");
    }
    let desk = desk(role);
    assert_eq!(cfg(&desk, "check roles").0, 0, "a check needs no values");
}

/// The secret as it is, by a macro of another file, and by an item.
const ROLE: &str = r#"
[file."/srv/app/key"]
content = "{{ params.key }}\n"
[file."/srv/app/public"]
content = "{{ params.key }} for everybody\n"
mode = "0644"
[file."/srv/app/app.conf"]
template = "app.conf.j2"

[file."/srv/app/{{ item.name }}"]
each = [{ name = "one", key = "{{ params.key | upper | lower }}" }]
content = "{{ item.key }}"
[file."/srv/app/open"]
content = "open\n"
"#;

const LATER: &str = r#"
[directory."/srv/app"]
purge = true
[file."/srv/app/public"]
content = "no key\n"
mode = "0644"
"#;

#[test]
fn the_canary_is_in_its_files_and_nowhere_else() {
    let desk = desk(ROLE);
    desk.write(
        "roles/web/app.conf.j2",
        "{% macro key() %}{{ params.key }}{% endmacro %}[app]\nkey = {{ key() }}\n",
    );
    desk.write("root/srv/app/key", format!("{CANARY} of before\n"));
    let choice = "--catalog roles --role web --secrets secrets.toml";
    for (line, code) in [
        ("check roles".to_owned(), 0),
        (format!("render {choice}"), 0),
        (format!("render {choice} --json"), 0),
        (format!("apply {choice} --root root --dry-run"), 2),
        (format!("apply {choice} --root root --dry-run --json"), 2),
        (format!("apply {choice} --root root --json"), 0),
        (format!("apply {choice} --root root"), 0),
    ] {
        let (ended, output) = cfg(&desk, &line);
        let said = said(&output);
        assert_eq!(ended, code, "{line}: {said}");
        let lower = said.to_lowercase();
        assert!(!lower.contains(&CANARY.to_lowercase()), "{line}: {said}");
    }
    let mut found = Vec::new();
    // What cfg remembers lies below the root too.
    let mut kept = Vec::new();
    holding(&desk.path("root"), "ledger.json", &mut kept);
    assert_eq!(kept.len(), 1, "{kept:?}");
    holding(&desk.path("root"), CANARY, &mut found);
    found.sort();
    // What was there before is kept, for its owner alone.
    let of_before = |path: &PathBuf| path.parent().unwrap().ends_with("former");
    let former: Vec<PathBuf> = found.extract_if(.., |path| of_before(path)).collect();
    let [former] = &former[..] else {
        panic!("{former:?}");
    };
    let text = std::fs::read_to_string(former).unwrap();
    assert_eq!(text, format!("{CANARY} of before\n"));
    for (path, mode) in [(&**former, 0o600), (former.parent().unwrap(), 0o700)] {
        let seen = path.metadata().unwrap().permissions().mode();
        assert_eq!(seen & 0o777, mode, "{path:?}");
    }
    let wanted = [
        "root/srv/app/app.conf",
        "root/srv/app/key",
        "root/srv/app/public",
    ];
    assert_eq!(found, wanted.map(|path| desk.path(path)));
    for (path, mode) in [
        ("key", 0o644),
        ("app.conf", 0o600),
        ("public", 0o644),
        ("one", 0o600),
        ("open", 0o644),
    ] {
        let metadata = std::fs::metadata(desk.path("root/srv/app").join(path)).unwrap();
        assert_eq!(metadata.permissions().mode() & 0o7777, mode, "{path}");
    }

    // The secret leaves the role, with its content still there.
    desk.write("later/web/role.toml", LATER);
    for more in ["--dry-run", "--json --dry-run", "--json"] {
        let line = format!("apply --catalog later --role web --root root {more}");
        let said = said(&cfg(&desk, &line).1);
        let purged = said.contains("file:/srv/app/key");
        assert!(purged && said.contains("file:/srv/app/public"), "{said}");
        let digest = cfg_catalog::digest::Digest::of(format!("{CANARY}\n").as_bytes());
        for trace in [CANARY, &digest.to_string()] {
            assert!(!said.contains(trace), "{line}: {said}");
        }
    }
    let mut found = Vec::new();
    holding(&desk.path("root"), CANARY, &mut found);
    assert!(found.is_empty(), "{found:?}");
}
