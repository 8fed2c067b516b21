//! The completions, loaded and asked by a real shell, and the manual pages, read by a real formatter.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn page(name: &str) -> PathBuf {
    let project = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    project.join(name).canonicalize().unwrap()
}

fn bash(script: &str, page: &Path) -> Output {
    let mut bash = Command::new("bash");
    bash.args(["--norc", "--noprofile", "-c", script, "bash"])
        .arg(page);
    bash.output().unwrap()
}

/// What is offered for the last of these words.
fn offered(page: &Path, words: &[&str]) -> Vec<String> {
    let quoted = words.iter().map(|word| format!("'{word}'"));
    let quoted: Vec<String> = quoted.collect();
    let [.., before, last] = &quoted[..] else {
        panic!("a program and a word");
    };
    // As readline calls what `complete` has noted for the program.
    let script = format!(
        "set -u; source \"$1\"; note=$(complete -p {program}); [[ $note =~ -F\\ ([^ ]+) ]]
         COMP_WORDS=({all}) COMP_CWORD={at} COMPREPLY=()
         \"${{BASH_REMATCH[1]}}\" {program} {last} {before}
         printf '%s\\n' \"${{COMPREPLY[@]}}\"",
        program = quoted[0],
        all = quoted.join(" "),
        at = words.len() - 1,
    );
    let output = bash(&script, page);
    assert!(
        output.status.success() && output.stderr.is_empty(),
        "{words:?}: {output:?}"
    );
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(str::to_owned).collect()
}

#[test]
fn bash_completes_calls_and_options() {
    let cfg = page("agent/pages/cfg.bash");
    let server = page("server/pages/cfg-server.bash");
    for (page, words, offers) in [
        (&cfg, &["cfg", "app"][..], &["apply"][..]),
        (&cfg, &["cfg", "apply", "--dry"], &["--dry-run"]),
        (&cfg, &["cfg", "token", "rev"], &["revoke"]),
        (&cfg, &["cfg", "nonsuch"], &[""]),
        (&server, &["cfg-server", "cl"], &["cloud-init"]),
    ] {
        let read = bash("bash -n \"$1\"", page);
        assert!(read.status.success() && read.stderr.is_empty(), "{read:?}");
        assert_eq!(offered(page, words), offers, "{words:?}");
    }
}

#[test]
fn manual_pages_are_read_without_a_warning() {
    for folder in ["agent/pages", "server/pages"] {
        let pages = std::fs::read_dir(page(folder)).unwrap();
        let pages = pages.map(|entry| entry.unwrap().path());
        let manuals: Vec<PathBuf> = pages
            .filter(|path| path.extension().is_some_and(|end| end == "1"))
            .collect();
        assert!(!manuals.is_empty(), "no manuals in {folder}");
        for manual in manuals {
            let output = Command::new("groff")
                .args(["-man", "-ww", "-Tutf8", "-Kutf8"])
                .arg(&manual)
                .output();
            let output = output.expect("groff is installed");
            assert!(
                output.status.success() && output.stderr.is_empty(),
                "{manual:?}: {output:?}"
            );
        }
    }
}
