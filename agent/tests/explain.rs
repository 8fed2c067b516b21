//! `cfg explain`: where a resource is declared, what its values are, and why it would change.

use cfg_tests::Desk;

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// A role of two, in which one sets what the other says differently.
fn layered() -> Desk {
    let desk = Desk::new(env!("CARGO_BIN_EXE_cfg"));
    desk.write(
        "roles/base/role.toml",
        "partial = true\n[file.\"/etc/app/app.conf\"]\ncontent = \"base\"\nmode = \"0600\"\n\
         [directory.\"/etc/app\"]\nmode = \"0750\"\n",
    );
    desk.write(
        "roles/app/role.toml",
        "include = [\"base\"]\n[params]\nport = { type = \"integer\", default = 80 }\n\
         [file.\"/etc/app/app.conf\"]\ntemplate = \"app.conf.j2\"\nafter = [\"link:/etc/l\"]\n\
         [file.\"/etc/app/key\"]\ncontent = \"very private\"\nsensitive = true\n\
         [link.\"/etc/l\"]\ntarget = \"app\"\n\
         [file.\"/etc/off\"]\ncontent = \"x\"\nwhen = \"params.port > 1000\"\n\
         [command.load]\nrun = \"true\"\non = [\"file:/etc/app/*\"]\n",
    );
    desk.write(
        "roles/app/app.conf.j2",
        "listen {{ params.port }}\nuser app\n",
    );
    desk
}

#[test]
fn a_resource_is_explained() {
    let desk = layered();
    let call = "--catalog roles --role app --root root";
    let (code, output) = desk.cfg(&format!("explain file:/etc/app//app.conf {call}"));
    assert_eq!(code, 0, "{output:?}");
    insta::assert_snapshot!("explained_file", text(&output.stdout));
    let (_, output) = desk.cfg(&format!("explain command:load {call}"));
    insta::assert_snapshot!("explained_command", text(&output.stdout));
    assert!(!desk.path("root/etc").exists(), "nothing is written");

    let (code, document) = desk.json(&format!("explain file:/etc/app/app.conf {call} --json"));
    assert_eq!((code, &document["version"]), (0, &1.into()));
    let mode = &document["keys"]["mode"];
    assert_eq!(mode["value"], "0600");
    assert_eq!(mode["place"]["file"], "base/role.toml");
    let content = &document["keys"]["content"];
    assert_eq!(content["key"], "template");
    assert_eq!(content["place"]["role"], "app");
    assert_eq!(document["wakes"][0]["resource"], "command:load");
    assert_eq!(document["changes"][0]["action"], "create");

    assert_eq!(
        desk.cfg(&format!("apply {call}")).0,
        1,
        "no shell below the root"
    );
    let (_, output) = desk.cfg(&format!("explain file:/etc/app/app.conf {call}"));
    assert!(text(&output.stdout).ends_with("\nNow nothing of it would change.\n"));
}

#[test]
fn what_is_sensitive_is_not_explained() {
    let desk = layered();
    for json in ["", " --json"] {
        let call = "--catalog roles --role app --root root";
        let (code, output) = desk.cfg(&format!("explain file:/etc/app/key {call}{json}"));
        assert_eq!(code, 0);
        assert!(text(&output.stdout).contains("(sensitive)"), "{output:?}");
        assert!(!text(&output.stdout).contains("private"), "{output:?}");
    }
}

#[test]
fn what_is_explained_steers_no_terminal() {
    let desk = Desk::new(env!("CARGO_BIN_EXE_cfg"));
    desk.write(
        "roles/web/role.toml",
        "[link.\"/etc/\\u202Eevil\"]\ntarget = \"a\\u202Eb\"\n",
    );
    let call = "explain link:/etc/\u{202e}evil --catalog roles --role web --root root";
    let (code, output) = desk.cfg(call);
    assert_eq!(code, 0, "{output:?}");
    assert!(!text(&output.stdout).contains('\u{202e}'), "{output:?}");
}

#[test]
fn what_cannot_be_explained_is_said() {
    let desk = layered();
    let role = std::fs::read_to_string(desk.path("roles/app/role.toml")).unwrap();
    desk.role(
        "app",
        &format!(
            "{role}[directory.\"/srv/{{{{item}}}}\"]\neach = [\"a\", \"b\"]\n\n\
             [link.\"/none/{{{{item}}}}\"]\neach = []\ntarget = \"x\"\n"
        ),
    );
    for (resource, says) in [
        (
            "file:/etc/app/ap.conf",
            "did you mean file:/etc/app/app.conf?",
        ),
        (
            "file:/etc/off",
            "its `when` is false here (app/role.toml:12)",
        ),
        (
            "directory:/srv/{{item}}",
            "is 2 of them on this machine, the first directory:/srv/a (app/role.toml:18)",
        ),
        (
            "link:/none/{{item}}",
            "its `each` is empty here (app/role.toml:21)",
        ),
        (
            "directory:/srv",
            "it is made where it is missing, since directory:/srv/a is to stand in it",
        ),
        ("file:etc/off", "the path is not absolute"),
        ("/etc/app", "kind:name is wanted"),
    ] {
        let call = format!("explain {resource} --catalog roles --role app --root root");
        let (code, output) = desk.cfg(&call);
        assert_eq!(code, 64, "{output:?}");
        assert!(text(&output.stderr).contains(says), "{output:?}");
    }
}

/// Also when the record has it: cfg made it.
#[test]
fn a_folder_that_leads_to_something_of_the_role_is_not_left_over() {
    let desk = Desk::new(env!("CARGO_BIN_EXE_cfg"));
    desk.role("web", "[file.\"/srv/web/index\"]\ncontent = \"x\"\n");
    let call = "--catalog roles --role web --root root";
    assert_eq!(desk.cfg(&format!("apply {call}")).0, 0);
    let (code, output) = desk.cfg(&format!("explain directory:/srv/web {call}"));
    assert_eq!(code, 64, "{output:?}");
    let says = text(&output.stderr);
    assert!(
        says.contains("file:/srv/web/index is to stand in it"),
        "{says}"
    );
}

/// A revert of these removes files, as files.
#[test]
fn the_files_of_what_is_left_over_are_explained_with_it() {
    let desk = Desk::new(env!("CARGO_BIN_EXE_cfg"));
    desk.role(
        "web",
        "[repository.main]\nuris = [\"https://d.example.org/x\"]\nsuites = [\"main/\"]\n\
         [service.web]\nunit = \"web.service\"\n",
    );
    desk.write("roles/web/web.service", "[Service]\nExecStart=/bin/true\n");
    let call = "--catalog roles --role web --root root";
    assert_eq!(desk.cfg(&format!("apply {call}")).0, 0);
    desk.role("web", "");
    for (id, file) in [
        (
            "repository:main",
            "file:/etc/apt/sources.list.d/cfg-main.sources",
        ),
        ("service:web", "file:/etc/systemd/system/web.service"),
    ] {
        let (code, document) = desk.json(&format!("explain {id} {call} --json"));
        assert_eq!(code, 0, "{document}");
        let changes = document["changes"].as_array().unwrap();
        let removed = |change: &&serde_json::Value| change["resource"] == file;
        let change = changes.iter().find(removed).expect(file);
        assert_eq!(change["action"], "remove");
        assert_eq!(changes.len(), 1, "{document}");
    }
}

#[test]
fn what_waits_is_explained_as_it_is_written() {
    let desk = Desk::new(env!("CARGO_BIN_EXE_cfg"));
    desk.role(
        "web",
        "[fleet]\nwait_for = { web = 2 }\n\
         [file.\"/etc/web/peers\"]\ncontent = \"{{ fleet.peers() | length }}\"\n\
         [file.\"/etc/web/own\"]\ncontent = \"x\"\n\
         [service.web]\nstate = \"running\"\nrestart_on = [\"file:/etc/web/*\"]\n\
         [directory.\"/srv/{{ item.name }}\"]\neach = \"fleet.peers()\"\n",
    );
    let state = desk.path("state");
    desk.write(
        "agent.toml",
        format!("state = {state:?}\nnode = \"vm-1\"\n"),
    );
    desk.write(
        "fleet.toml",
        "[[roles.web]]\nid = 1\nname = \"vm-1\"\naddress = \"10.0.0.1\"\nos = \"debian\"\narch = \"amd64\"\n\
         cpus = 1\nmemory_mb = 1024\n",
    );
    for (resource, says) in [
        ("service:web", "restart_on = [\"file:/etc/web/*\"]"),
        ("service:web", "held: waiting for web: 1 of 2"),
        ("directory:/srv/{{ item.name }}", "each = \"fleet.peers()\""),
        (
            "directory:/srv/{{ item.name }}",
            "held: waiting for web: 1 of 2",
        ),
    ] {
        let call = [
            "--catalog",
            "roles",
            "--role",
            "web",
            "--root",
            "root",
            "--fleet",
            "fleet.toml",
        ];
        let mut command = desk.command();
        let output = command
            .arg("explain")
            .arg(resource)
            .args(call)
            .output()
            .unwrap();
        assert!(
            text(&output.stdout).contains(says),
            "{resource}: {output:?}"
        );
    }
}

#[test]
fn a_value_that_is_not_shown_keeps_the_key_and_the_place_it_is_written_at() {
    let desk = Desk::new(env!("CARGO_BIN_EXE_cfg"));
    desk.write(
        "roles/web/role.toml",
        format!(
            "[params]\npw = {{ type = \"string\", secret = true, default = {{ secret = \"pw\" }} }}\n\
             [edit.\"/etc/a\"]\nformat = \"lines\"\ncreate = true\n\
             lines = [{{ line = \"password {{{{ params.pw }}}}\" }}]\n\
             [file.\"/etc/b\"]\nurl = \"http://127.0.0.1:1/b\"\nsha256 = \"{}\"\n",
            "0".repeat(64)
        ),
    );
    desk.write("secrets.toml", "pw = \"hunter2\"\n");
    let file = desk.path("secrets.toml");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    std::fs::set_permissions(file, mode).unwrap();
    let call = "--catalog roles --role web --root root --secrets secrets.toml";
    let (code, output) = desk.cfg(&format!("explain edit:/etc/a {call}"));
    let said = text(&output.stdout);
    assert_eq!(code, 0, "{output:?}");
    assert!(
        said.contains("lines = \"(sensitive)\"  # web/role.toml:6\n"),
        "{said}"
    );
    let (_, output) = desk.cfg(&format!("explain file:/etc/b {call}"));
    let said = text(&output.stdout);
    assert!(said.contains("# web/role.toml:9\n"), "{said}");
}

#[test]
fn a_glob_explains_nothing_and_says_what_there_is() {
    let desk = layered();
    let call = "--catalog roles --role app --root root";
    for (name, meant) in [
        (
            "file:*",
            "file:* is a glob, and one resource is explained at a time; role app has file:/etc/app/app.conf, file:/etc/app/key",
        ),
        (
            "file:/etc/**",
            "file:/etc/** is a glob, and one resource is explained at a time; role app has file:/etc/app/app.conf, file:/etc/app/key",
        ),
        (
            "service:*",
            "service:* is a glob, and one resource is explained at a time; role app has none of that name on this machine",
        ),
        (
            "/etc/app/key",
            "kind:name is wanted, as in file:/etc/app/key",
        ),
        ("fil:/etc/app/key", "\"fil\" is no kind; did you mean file?"),
    ] {
        let (code, output) = desk.cfg(&format!("explain {name} {call}"));
        let said = text(&output.stderr);
        assert_eq!(code, 64, "{output:?}");
        assert!(said.contains(meant), "{said}");
    }
}
