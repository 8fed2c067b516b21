//! Stories of whole runs, a folder each: `scenarios/NAME/`.
//!
//! | file | holds |
//! |---|---|
//! | `README` | what it shows |
//! | `roles/` | a catalog; the machine's role is the only one that is not partial, or the one of `before.toml` |
//! | `facts.toml` | what differs from the facts of every machine here |
//! | `fleet.toml` | as `--fleet` takes it; the machine is the member of its host's name |
//! | `before.toml` | the machine, in words (see [`told`]) |
//! | `since.toml` | where it is there, cfg has run once already, and this is what happened since, in the same words |
//! | `earlier/` | the catalog of that run, where it was another |
//! | `plan.txt`, `plan.json` | what a dry run says |
//! | `after.toml` | the effects of a run in their order, and the machine after it |
//!
//! Of each: a run changes what its plan says, and a second plan has nothing to change.
//! `UPDATE=1 cargo test -p cfg-catalog --test scenarios` writes the last three anew.
#![allow(
    clippy::disallowed_methods,
    reason = "the tests read folders that lie beside them"
)]

mod model;
mod story;
mod told;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use story::Story;

fn folders() -> Vec<PathBuf> {
    let all = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios");
    let entries = std::fs::read_dir(&all).unwrap();
    let mut folders: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    folders.sort();
    folders
}

/// All that is wrong with one scenario.
fn wrong(folder: &Path) -> Vec<String> {
    let mut wrong = Vec::new();
    let told = catch_unwind(AssertUnwindSafe(|| Story::read(folder).tell(&mut wrong)));
    let Ok(told) = told else {
        wrong.push("it panicked: see above".into());
        return wrong;
    };
    for (name, found) in told {
        let path = folder.join(name);
        let expected = std::fs::read_to_string(&path).unwrap_or_default();
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(&path, found).unwrap();
        } else if found != expected {
            wrong.push(format!("{name}, expected:\n{expected}\nfound:\n{found}"));
        }
    }
    wrong
}

#[test]
fn scenarios() {
    let mut all = String::new();
    let mut seen = 0;
    for folder in folders() {
        let name = folder.file_name().unwrap().to_string_lossy().into_owned();
        eprintln!("{name}");
        seen += 1;
        for wrong in wrong(&folder) {
            all.push_str(&format!("{name}: {wrong}\n"));
        }
    }
    assert!(seen > 10, "no scenarios found");
    assert!(all.is_empty(), "\n{all}");
}
