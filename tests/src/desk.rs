//! `cfg` as a process of an ordinary machine's user: a folder with an `agent.toml`, roles, and a root that is taken for `/`.

use serde_json::Value;
use std::path::PathBuf;
use std::process::{Command, Output};
use tempfile::TempDir;

/// Such a folder. It goes with the value.
#[derive(Debug)]
pub struct Desk {
    folder: TempDir,
    /// A path that leads there through no link.
    place: PathBuf,
    program: &'static str,
}

impl Desk {
    /// A folder with no role, for `program`: `env!("CARGO_BIN_EXE_cfg")`. The state of its runs lies beside its `root`.
    ///
    /// # Panics
    /// Where it cannot be made; so do all of these.
    pub fn new(program: &'static str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let place = folder.path().canonicalize().expect("the folder is there");
        let desk = Self {
            folder,
            place,
            program,
        };
        desk.write("agent.toml", format!("state = {:?}", desk.path("state")));
        std::fs::create_dir(desk.path("root")).expect("a root");
        desk
    }

    /// Of something in it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.place.join(name)
    }

    /// Writes a file in it, and makes the folders above that.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.path(name);
        let above = path.parent().expect("it is below the desk");
        std::fs::create_dir_all(above).expect("folders");
        std::fs::write(&path, content).unwrap_or_else(|error| panic!("{name}: {error}"));
    }

    /// Writes the `role.toml` of a role.
    pub fn role(&self, name: &str, text: &str) {
        self.write(&format!("roles/{name}/role.toml"), text);
    }

    /// Has a program called from this folder, as `cfg` is.
    pub fn at(&self, mut program: Command) -> Command {
        program
            .current_dir(self.folder.path())
            .env("CFG_CONFIG", self.path("agent.toml"))
            .env("XDG_CONFIG_HOME", self.path("config"))
            .env_remove("CFG_TOKEN");
        program
    }

    /// `cfg`, to which words can be given.
    pub fn command(&self) -> Command {
        self.at(Command::new(self.program))
    }

    /// `cfg` with the words of this line, and how it ended.
    pub fn cfg(&self, line: &str) -> (i32, Output) {
        let output = self.command().args(line.split_whitespace()).output();
        ended(output.expect("cfg runs"))
    }

    /// The same with its document.
    pub fn json(&self, line: &str) -> (i32, Value) {
        let (code, output) = self.cfg(line);
        let document = serde_json::from_slice(&output.stdout);
        (
            code,
            document.unwrap_or_else(|error| panic!("{line}: {error}: {output:?}")),
        )
    }

    /// Applies a role to the root, with further words.
    pub fn apply(&self, role: &str, more: &[&str]) -> (i32, Output) {
        let words = apply(role);
        let output = self.command().args(words).args(more).output();
        ended(output.expect("cfg runs"))
    }

    /// The same with its document.
    pub fn applied(&self, role: &str, more: &[&str]) -> (i32, Value) {
        let (code, output) = self.apply(role, &[more, &["--json"]].concat());
        let document = serde_json::from_slice(&output.stdout);
        let document = document.unwrap_or_else(|error| panic!("{role}: {error}: {output:?}"));
        (code, document)
    }
}

/// The changes of a document, as "file:/x create".
///
/// # Panics
/// Where it is no document of a plan or a run.
pub fn changes(document: &Value) -> Vec<String> {
    let changes = document["changes"].as_array().expect("changes").iter();
    let word = |value: &Value| value.as_str().expect("a word").to_owned();
    changes
        .map(|change| format!("{} {}", word(&change["resource"]), word(&change["action"])))
        .collect()
}

/// The words of an apply of a role from the folder `roles` to the folder `root`.
pub fn apply(role: &str) -> [&str; 7] {
    [
        "apply",
        "--catalog",
        "roles",
        "--root",
        "root",
        "--role",
        role,
    ]
}

fn ended(output: Output) -> (i32, Output) {
    let code = output.status.code();
    (code.unwrap_or_else(|| panic!("{output:?}")), output)
}
