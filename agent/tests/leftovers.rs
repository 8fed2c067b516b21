//! What leaves a role is shown until it is gone.

use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::Command;

struct Desk {
    folder: tempfile::TempDir,
}

impl Desk {
    fn new() -> Self {
        let desk = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        desk.write("agent.toml", &format!("state = {:?}", desk.path("state")));
        std::fs::create_dir(desk.path("root")).unwrap();
        desk
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn role(&self, name: &str, text: &str) {
        self.write(&format!("roles/{name}/role.toml"), text);
    }

    fn apply(&self, role: &str, more: &[&str]) -> (i32, String) {
        let output = Command::new(env!("CARGO_BIN_EXE_cfg"))
            .args([
                "apply",
                "--catalog",
                "roles",
                "--root",
                "root",
                "--role",
                role,
            ])
            .args(more)
            .current_dir(&self.folder)
            .env("CFG_CONFIG", self.path("agent.toml"))
            .output()
            .unwrap();
        let said = String::from_utf8(output.stdout.clone()).unwrap();
        assert!(!said.is_empty(), "{output:?}");
        (output.status.code().unwrap(), said)
    }

    fn leftovers(&self, role: &str, more: &[&str]) -> Value {
        let (_, said) = self.apply(role, &[more, &["--json"]].concat());
        let document: Value = serde_json::from_str(&said).unwrap();
        document["leftovers"].clone()
    }
}

const WEB: &str = r#"
[file."/srv/app/a.conf"]
content = "a\n"
[file."/srv/app/b.conf"]
content = "b\n"
[directory."/srv/data"]
[link."/srv/current"]
target = "app"
[file."/srv/app/nothing"]
state = "absent"
"#;

#[test]
fn what_leaves_a_role_is_shown_until_it_is_gone() {
    let desk = Desk::new();
    desk.role("web", WEB);
    assert_eq!(desk.leftovers("web", &["--dry-run"]), json!([]));
    assert_eq!(desk.leftovers("web", &[]), json!([]));

    // One file leaves, then the machine gets another role.
    let b = WEB.split_once("[file.\"/srv/app/b.conf\"]\ncontent = \"b\\n\"\n");
    desk.role("web", &[b.unwrap().0, b.unwrap().1].concat());
    let left = |name: &str, role: &str| json!({ "resource": name, "role": role });
    for more in [&["--dry-run"][..], &[], &[]] {
        let wanted = json!([left("file:/srv/app/b.conf", "web")]);
        assert_eq!(desk.leftovers("web", more), wanted, "{more:?}");
    }
    desk.role("db", "[file.\"/srv/app/db.conf\"]\ncontent = \"db\\n\"\n");
    for more in [&["--dry-run"][..], &[], &[]] {
        let wanted = json!([
            left("directory:/srv/data", "web"),
            left("file:/srv/app/a.conf", "web"),
            left("file:/srv/app/b.conf", "web"),
            left("link:/srv/current", "web"),
        ]);
        assert_eq!(desk.leftovers("db", more), wanted, "{more:?}");
    }
    let (code, said) = desk.apply("db", &[]);
    assert_eq!(code, 0, "what is left over is no failure");
    assert!(
        said.contains("link:/srv/current  left over from the role web"),
        "{said}"
    );
    assert!(
        said.contains("nothing changed, 1 in sync, 4 left over"),
        "{said}"
    );
    let only = ["--only", "file:/srv/app/db.conf"];
    assert_eq!(desk.leftovers("db", &only), json!([]), "a part has none");
    assert_eq!(desk.leftovers("db", &[]).as_array().unwrap().len(), 4);

    // Gone by hand, come back, taken over.
    std::fs::remove_file(desk.path("root/srv/app/b.conf")).unwrap();
    desk.role(
        "db",
        "[file.\"/srv/app/a.conf\"]\ncontent = \"db\\n\"\n[link.\"/srv/data\"]\ntarget = \"app\"\n",
    );
    assert_eq!(
        desk.leftovers("db", &[]),
        json!([
            left("file:/srv/app/db.conf", "db"),
            left("link:/srv/current", "web")
        ])
    );
}

#[test]
fn what_was_only_planned_is_not_on_record() {
    let desk = Desk::new();
    desk.role("web", WEB);
    desk.write("root/srv/app/a.conf", "of somebody else\n");
    desk.apply("web", &["--dry-run"]);
    let only = ["--only", "file:/srv/app/b.conf"];
    desk.apply("web", &only);
    desk.role("web", "");
    let left = json!([{ "resource": "file:/srv/app/b.conf", "role": "web" }]);
    assert_eq!(desk.leftovers("web", &[]), left);
}

#[test]
fn it_is_not_taken_back() {
    let desk = Desk::new();
    desk.role("web", &format!("leftovers = \"revert\"\n{WEB}"));
    for more in [&["--json"][..], &["--json", "--prune"]] {
        let (code, said) = desk.apply("web", more);
        assert!(said.contains("not in this version"), "{said}");
        assert!(code >= 64);
    }
}
