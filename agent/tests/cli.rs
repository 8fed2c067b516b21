//! `cfg` as a process: what it prints where, and how it ends.

use cfg_tests::Desk;
use std::process::Command;

/// With a role of one file.
fn desk() -> Desk {
    let desk = Desk::new(env!("CARGO_BIN_EXE_cfg"));
    desk.role("web", "[file.\"/etc/motd\"]\ncontent = \"hi\\n\"\n");
    desk
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn the_exit_codes_of_the_contract() {
    let desk = desk();
    desk.write(
        "bad/web/role.toml",
        "[file.\"/etc/motd\"]\ncontnt = \"hi\"\n",
    );
    desk.write(
        "count/web/role.toml",
        "[params]\nn = { type = \"integer\", max = 9 }\n[file.\"/etc/n\"]\ncontent = \"{{ params.n }}\"\n",
    );
    desk.write("bad.toml", "intervall = \"5m\"");
    desk.write(
        "one/web/role.toml",
        "[file.\"/etc/id\"]\ncontent = \"{{ member.id }}\"\n",
    );
    desk.write(
        "others.toml",
        "[[roles.web]]\nid = 1\nname = \"nobody\"\naddress = \"10.0.0.1\"\nos = \"debian\"\narch = \"amd64\"\n\
         cpus = 1\nmemory_mb = 1\n",
    );
    let cases = [
        ("check roles", 0),
        ("check bad", 65),
        ("check none", 65),
        ("check bad.toml", 65),
        ("render --catalog one --role web", 64),
        ("render --catalog one --role web --fleet none.toml", 64),
        ("render --catalog one --role web --fleet roles", 64),
        ("render --catalog one --role web --fleet bad.toml", 78),
        ("render --catalog one --role web --fleet others.toml", 78),
        ("render --catalog roles --role web --secrets none.toml", 64),
        ("render --catalog roles --role web --secrets roles", 64),
        (
            "render --catalog roles --role web --secrets others.toml",
            78,
        ),
        ("apply --catalog roles --role web --root root --dry-run", 2),
        ("apply --catalog roles --role db --root root", 64),
        ("apply --catalog bad --role web --root root", 65),
        ("apply --catalog roles --role web --root none", 64),
        ("apply --catalog roles --role web --root root --set x=1", 64),
        ("apply --catalog count --role web --root root", 65),
        (
            "apply --catalog count --role web --root root --set n=five",
            64,
        ),
        ("render --catalog count --role web --set n=1000", 64),
        (
            "apply --catalog count --role web --root root --set n=5 --dry-run",
            2,
        ),
        ("apply --catalog roles --role web --root root", 0),
        ("apply --catalog roles --role web --root root --dry-run", 0),
        ("apply --root root", 69),
        ("apply --dry-run", 69),
        ("explain file:/etc/motd", 69),
        ("agent --root root", 69),
        ("apply --nonsense", 64),
        ("history", 64),
        ("--config bad.toml facts", 78),
        ("--config none.toml facts", 78),
        ("publish roles", 78),
        ("fleet", 78),
        ("status", 0),
        ("facts", 0),
        ("--help", 0),
        ("--version", 0),
    ];
    for (line, code) in cases {
        let (ended, output) = desk.cfg(line);
        assert_eq!(ended, code, "{line}: {output:?}");
        if code != 0 && code != 2 {
            assert!(output.stdout.is_empty(), "{line}: errors are for stderr");
            let says = text(&output.stderr);
            assert_eq!(says.matches("error: ").count(), 1, "{line}: {output:?}");
        }
    }
}

#[test]
fn an_empty_variable_is_as_good_as_none() {
    let ca = "9c1185a5c5e9fc54612808977ee8f548b2258d31c0ffee00000000000000beef";
    let desk = desk();
    desk.write("token", "secret\n");
    let enroll = format!(
        "--config agent.toml enroll --server https://127.0.0.1:1 --token-file token --ca-sha256 {ca}"
    );
    for (line, code) in [("check roles", 0), (enroll.as_str(), 69)] {
        let output = Command::new(env!("CARGO_BIN_EXE_cfg"))
            .args(line.split_whitespace())
            .current_dir(desk.path(""))
            .env("CFG_CONFIG", "")
            .env("CFG_TOKEN", "")
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(code), "{line}: {output:?}");
    }
}

#[test]
fn a_broken_file_of_facts_is_bad_configuration() {
    let desk = desk();
    desk.write("facts.d/site.toml", "rack = 3\nrow = \n");
    for line in [
        "facts",
        "render --catalog roles --role web",
        "apply --catalog roles --role web --root root --dry-run",
        "apply --catalog roles --role web --root root",
    ] {
        let (code, output) = desk.cfg(line);
        assert_eq!(code, 78, "{line}: {output:?}");
        let said = text(&output.stderr);
        assert!(
            said.contains("facts.d/site.toml: TOML parse error at line 2, column 7"),
            "{said}"
        );
    }
    assert!(!desk.path("root/etc").exists());
}

#[test]
fn with_json_a_check_tells_its_warnings() {
    let desk = desk();
    desk.write(
        "odd/web/role.toml",
        "[service.web]\nrestart_on = [\"file:/etc/w*\"]\n",
    );
    let (ended, document) = desk.json("check odd --json");
    assert_eq!((ended, &document["result"]), (0, &"ok".into()));
    let warnings = document["warnings"].as_array().unwrap();
    assert_eq!(warnings.len(), 1);
    let message = warnings[0]["message"].as_str().unwrap();
    for word in ["warning:", "matches no resource", "web/role.toml:2:15"] {
        assert!(message.contains(word), "{message}");
    }
    let (_, document) = desk.json("check roles --json");
    assert_eq!(document["warnings"], serde_json::json!([]));
}

#[test]
fn with_json_an_error_is_one_document_too() {
    let desk = desk();
    for (line, code, word) in [
        ("apply --json --nonsense", 64, "--nonsense"),
        (
            "apply --json --root root",
            69,
            "`cfg enroll` makes this machine known",
        ),
        (
            "apply --json --root root --save-plan x",
            64,
            "not in this version",
        ),
        ("apply --json --dry-run --catalog none --role r", 65, "none"),
        ("check none --json", 65, "none"),
    ] {
        let (ended, document) = desk.json(line);
        assert_eq!(ended, code, "{line}");
        assert_eq!(document["dry_run"], line.contains("--dry-run"), "{line}");
        assert_eq!(document["version"], 1);
        assert_eq!(document["result"], "failed");
        let role = line.contains("--role r").then_some("r");
        assert_eq!(document["role"].as_str(), role, "{line}");
        let started = document["started"].as_str().unwrap();
        assert_eq!(started.len(), "2026-01-01T00:00:00Z".len(), "{started}");
        let message = document["failures"][0]["message"].as_str().unwrap();
        assert!(message.contains(word), "{line}: {message}");
    }
}

#[test]
fn a_dry_run_foretells_the_run_and_the_second_run_does_nothing() {
    let desk = desk();
    let call = "apply --catalog roles --role web --root root --json";
    let (code, plan) = desk.json(&format!("{call} --dry-run"));
    assert_eq!(code, 2);
    assert!(!desk.path("root/etc").exists(), "a dry run writes nothing");
    assert!(!desk.path("root/var").exists(), "nor does it keep anything");
    let (code, run) = desk.json(call);
    assert_eq!(code, 0);
    assert_eq!(run["changes"], plan["changes"]);
    assert_eq!(run["result"], "applied");
    assert_eq!(std::fs::read(desk.path("root/etc/motd")).unwrap(), b"hi\n");
    let (code, again) = desk.json(call);
    assert_eq!((code, &again["result"]), (0, &"converged".into()));
}

#[test]
fn a_run_names_the_folders_that_its_own_state_needs_too() {
    let desk = desk();
    desk.write("agent.toml", "state = \"/var/lib/cfg\"");
    let role =
        "[file.\"/var/lib/x/f\"]\ncontent = \"f\"\n[directory.\"/var/lib\"]\nmode = \"0711\"\n";
    desk.write("roles/web/role.toml", role);
    let call = "apply --catalog roles --role web --root root --json";
    let (_, plan) = desk.json(&format!("{call} --dry-run"));
    let (code, run) = desk.json(call);
    assert_eq!(code, 0);
    assert_eq!(run["changes"], plan["changes"]);
    assert_eq!(run["counts"], plan["counts"]);
    assert_eq!(run["changes"].as_array().unwrap().len(), 4, "{run:#}");
    let mode = |path: &str| {
        use std::os::unix::fs::PermissionsExt;
        let seen = std::fs::metadata(desk.path(path)).unwrap();
        seen.permissions().mode() & 0o7777
    };
    assert_eq!(mode("root/var"), 0o755);
    assert_eq!(mode("root/var/lib"), 0o711);
    assert_eq!(mode("root/var/lib/cfg"), 0o700);
    let (code, _) = desk.json(&format!("{call} --dry-run"));
    assert_eq!(code, 0);
}

#[test]
fn what_only_a_machine_can_show_is_told_with_its_line() {
    let desk = desk();
    desk.role(
        "db",
        "[params]\npw = { type = \"string\", secret = true, default = { secret = \"db\" } }\n",
    );
    desk.role(
        "zk",
        "[file.\"/etc/zk\"]\ncontent = \"{{ fleet.members('zk') | length }}\"\n\
         [file.\"/etc/dc\"]\ncontent = \"{{ facts.local.site.dc }}\"\n",
    );
    for (role, line) in [
        (
            "db",
            "2 | pw = { type = \"string\", secret = true, default = { secret = \"db\" } }",
        ),
        ("zk", "2 | content = \"{{ fleet.members('zk') | length }}\""),
        ("zk", "4 | content = \"{{ facts.local.site.dc }}\""),
    ] {
        for call in [
            "render --catalog roles",
            "apply --root root --catalog roles",
        ] {
            let (_, output) = desk.cfg(&format!("{call} --role {role}"));
            let stderr = text(&output.stderr);
            assert!(stderr.contains(line), "{stderr}");
        }
    }
}

#[test]
fn a_role_that_no_machine_has_is_told_of() {
    let desk = desk();
    desk.role("base", "partial = true\n");
    desk.role("app", "include = [\"base\"]\n");
    for call in [
        "render --catalog roles",
        "apply --root root --catalog roles",
    ] {
        for (role, said) in [
            (
                "base",
                "the role \"base\" is partial: no machine has it as its own; there are app, web",
            ),
            ("bsae", "there is no role \"bsae\"; there are app, web"),
        ] {
            let (code, output) = desk.cfg(&format!("{call} --role {role}"));
            let stderr = text(&output.stderr);
            assert_eq!(code, 64, "{stderr}");
            assert!(stderr.contains(said), "{stderr}");
        }
    }
}

#[test]
fn only_some_resources_with_what_they_come_after() {
    let desk = desk();
    desk.write(
        "roles/web/role.toml",
        "[file.\"/srv/a\"]\ncontent = \"a\"\n[file.\"/srv/b\"]\ncontent = \"b\"\nafter = [\"file:/srv/a\"]\n\
         [file.\"/srv/c\"]\ncontent = \"c\"\n",
    );
    let call = "apply --catalog roles --role web --root root --json";
    let (code, run) = desk.json(&format!("{call} --only file:/srv/b"));
    assert_eq!((code, &run["partial"]), (0, &true.into()));
    assert!(desk.path("root/srv/a").exists() && desk.path("root/srv/b").exists());
    assert!(!desk.path("root/srv/c").exists());
    let (code, _) = desk.json(&format!("{call} --only file:/srv/none"));
    assert_eq!(code, 64);
}

#[test]
fn a_run_under_way_is_told_from_a_failure() {
    let desk = desk();
    let call = "apply --catalog roles --role web --root root";
    assert_eq!(desk.cfg(call).0, 0);
    let state = desk
        .path("root")
        .join(desk.path("state").strip_prefix("/").unwrap());
    let lock = std::fs::File::open(state.join("lock")).unwrap();
    lock.lock().unwrap();
    let (code, output) = desk.cfg(call);
    assert_eq!(code, 75, "{output:?}");
    drop(lock);
    assert_eq!(desk.cfg(call).0, 0);
}

#[test]
fn an_ordinary_user_is_told_that_it_takes_root() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let desk = desk();
    std::fs::set_permissions(desk.path(""), permissions(0o755)).unwrap();
    let program = desk.path("cfg");
    cfg_tests::copy_program(env!("CARGO_BIN_EXE_cfg"), &program);
    let code = |line: &str| {
        let status = Command::new("setpriv")
            .args(["--reuid=65534", "--regid=65534", "--clear-groups", "--"])
            .arg(&program)
            .args(line.split_whitespace())
            .current_dir(desk.path(""))
            .env("CFG_CONFIG", desk.path("agent.toml"))
            .output()
            .unwrap();
        status.status.code().unwrap()
    };
    assert_eq!(code("apply --catalog roles --role web"), 77);
    assert_eq!(code("agent"), 77);
    assert_eq!(code("apply --catalog roles --role web --dry-run"), 2);
    let identity = desk.path("state/identity");
    std::fs::create_dir_all(&identity).unwrap();
    std::fs::write(identity.join("identity.toml"), "").unwrap();
    std::fs::set_permissions(&identity, permissions(0o700)).unwrap();
    for line in ["apply --dry-run", "status"] {
        assert_eq!(code(line), 77, "{line}");
    }
}

fn permissions(mode: u32) -> std::fs::Permissions {
    std::os::unix::fs::PermissionsExt::from_mode(mode)
}

#[test]
fn an_enrolled_machine_takes_its_role_from_the_server_alone() {
    let desk = desk();
    desk.write("state/identity/identity.toml", "");
    let (code, output) = desk.cfg("apply --catalog roles --role web");
    let expected = if rustix::process::geteuid().is_root() {
        64
    } else {
        77
    };
    assert_eq!(code, expected, "{output:?}");
    assert_eq!(
        desk.cfg("apply --catalog roles --role web --root root").0,
        0
    );
}

#[test]
fn a_program_in_a_tree_of_the_role_is_one_on_the_machine() {
    let desk = desk();
    desk.write(
        "roles/web/role.toml",
        "[directory.'/opt/app']\nsource = 'app'\nmode = '0750'\n",
    );
    desk.write("roles/web/app/bin/run", "#!/bin/sh\n");
    desk.write("roles/web/app/plain", "#!/bin/sh\n");
    let program = desk.path("roles/web/app/bin/run");
    std::fs::set_permissions(&program, permissions(0o700)).unwrap();
    let apply = |more: &str| {
        let line = format!("apply --catalog roles --role web --root root{more}");
        desk.cfg(&line).0
    };
    let modes = || {
        ["bin", "bin/run", "plain"].map(|name| {
            let path = desk.path("root/opt/app").join(name);
            let metadata = std::fs::metadata(path).unwrap();
            std::os::unix::fs::MetadataExt::mode(&metadata) & 0o777
        })
    };
    assert_eq!(apply(""), 0);
    assert_eq!(modes(), [0o750, 0o755, 0o644]);
    assert_eq!(apply(" --dry-run"), 0);
    std::fs::set_permissions(&program, permissions(0o600)).unwrap();
    assert_eq!(apply(" --dry-run"), 2);
    assert_eq!(apply(""), 0);
    assert_eq!(modes(), [0o750, 0o644, 0o644]);
}

#[test]
fn what_a_role_renders_to_can_be_read_back() {
    let desk = desk();
    let (code, output) = desk.cfg("render --catalog roles --role web");
    assert_eq!(code, 0);
    let table: toml::Table = toml::from_str(&text(&output.stdout)).unwrap();
    assert_eq!(table["file"]["/etc/motd"]["content"].as_str(), Some("hi\n"));
    let (_, document) = desk.json("render --catalog roles --role web --json");
    assert_eq!(document["resources"][0]["resource"], "file:/etc/motd");
    assert_eq!(document["resources"][0]["place"]["line"], 1);
    let (_, facts) = desk.json("facts --json");
    assert!(facts["hostname"].is_string() && facts["os"]["id"].is_string());
}

#[test]
fn a_token_is_asked_for_and_never_more_than_one() {
    let desk = desk();
    let ca = "9c1185a5c5e9fc54612808977ee8f548b2258d31c0ffee00000000000000beef";
    for line in [
        format!("enroll --server https://127.0.0.1:1 --ca-sha256 {ca}"),
        format!("enroll --token t --token-file t --server https://127.0.0.1:1 --ca-sha256 {ca}"),
        format!("enroll --token t --ca-sha256 {ca}"),
    ] {
        assert_eq!(desk.cfg(&line).0, 64, "{line}");
    }
    desk.write("token", "secret\n");
    let away = format!("enroll --server https://127.0.0.1:1 --token-file token --ca-sha256 {ca}");
    let (code, output) = desk.cfg(&away);
    assert_eq!(code, 69, "{output:?}");
    assert!(desk.path("token").exists(), "an unspent token stays");
    assert!(!text(&output.stderr).contains("secret"));
}

#[test]
fn editors_are_given_schemas() {
    let desk = desk();
    let (code, role) = desk.json("schema");
    assert_eq!((code, &role["title"]), (0, &"role.toml".into()));
    assert!(role["$defs"]["file"]["properties"]["mode"]["description"].is_string());
    let (code, fleet) = desk.json("schema --fleet");
    assert_eq!((code, &fleet["title"]), (0, &"fleet.toml".into()));
}

#[test]
fn a_guard_in_a_directory_that_is_not_there_is_no_answer() {
    let desk = desk();
    let command = "[command.migrate]\nrun = \"true\"\nonly_if = \"true\"\ncwd = \"/srv/app\"\n";
    desk.write("roles/web/role.toml", command);
    let call = "apply --json --catalog roles --role web --root root";
    for line in [format!("{call} --dry-run"), call.to_owned()] {
        let (code, document) = desk.json(&line);
        assert_eq!(code, 1, "{line}: {document:#}");
        assert_eq!(document["changes"], serde_json::json!([]), "{line}");
        let failure = &document["failures"][0];
        assert_eq!(failure["resource"], "command:migrate", "{document:#}");
        assert_eq!(
            failure["message"],
            "its guards cannot be asked: there is no directory /srv/app"
        );
    }
    // Where it may come before the command's turn, only the run can tell.
    let directory = "[directory.\"/srv/app\"]\n";
    desk.write("roles/web/role.toml", format!("{directory}{command}"));
    let (_, document) = desk.json(&format!("{call} --dry-run"));
    assert_eq!(document["failures"], serde_json::json!([]), "{document:#}");
}

#[test]
fn a_run_that_fails_tells_why_and_what_to_do() {
    let desk = desk();
    desk.write(
        "roles/web/role.toml",
        "[file.\"/etc/app.conf\"]\ncontent = \"x\"\n[file.\"/etc/fine\"]\ncontent = \"fine\\n\"\n\
         [file.\"/etc/later\"]\ncontent = \"later\\n\"\nafter = [\"file:/etc/app.conf\"]\n\
         [link.\"/srv/full\"]\ntarget = \"x\"\n",
    );
    desk.write("root/etc/app.conf/of/things", "x");
    desk.write("root/srv/full/of/things", "x");
    let call = "apply --catalog roles --role web --root root";
    let (code, output) = desk.cfg(call);
    assert_eq!(code, 1, "{output:?}");
    let said = text(&output.stdout);
    let (_, rest) = said.split_once('\n').unwrap();
    insta::assert_snapshot!("failed_run", rest);
    assert!(output.stderr.is_empty(), "{output:?}");
    let (_, output) = desk.cfg(&format!("{call} --dry-run"));
    assert!(text(&output.stdout).contains("! link:/srv/full  would fail\n"));
}
