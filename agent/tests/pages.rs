//! The completions, loaded and asked by real shells, and the manual pages, read by a real formatter.

use std::path::{Path, PathBuf};
use std::process::Command;

fn page(name: &str) -> PathBuf {
    let project = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    project.join(name).canonicalize().unwrap()
}

fn bash(script: &str, page: &Path) -> Command {
    let mut bash = Command::new("bash");
    bash.args(["--norc", "--noprofile", "-c", script, "bash"])
        .arg(page);
    bash
}

/// What a shell prints that has nothing to complain of.
fn printed(shell: &mut Command) -> String {
    let output = shell
        .output()
        .unwrap_or_else(|error| panic!("{shell:?}: {error}"));
    let quiet = output.status.success() && output.stderr.is_empty();
    assert!(quiet, "{shell:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
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
    let text = printed(&mut bash(&script, page));
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
        assert_eq!(printed(&mut bash("bash -n \"$1\"", page)), "");
        assert_eq!(offered(page, words), offers, "{words:?}");
    }
}

#[test]
fn fish_completes_calls_and_options() {
    let cfg = page("agent/pages/cfg.fish");
    let server = page("server/pages/cfg-server.fish");
    for (page, line, offers) in [
        (&cfg, "cfg app", &["apply"][..]),
        (&cfg, "cfg apply --dry", &["--dry-run"]),
        (&cfg, "cfg token rev", &["revoke"]),
        (&cfg, "cfg nonsuch", &[]),
        (&server, "cfg-server cl", &["cloud-init"]),
    ] {
        let mut fish = Command::new("fish");
        fish.args(["--no-config", "-c", "source $argv[1]; complete -C $argv[2]"]);
        // What stands behind a word is its description.
        let text = printed(fish.arg(page).arg(line));
        let words: Vec<&str> = text
            .lines()
            .filter_map(|line| line.split('\t').next())
            .collect();
        assert_eq!(words, offers, "{line}");
    }
}

#[test]
fn zsh_takes_the_completions() {
    for (page, program) in [
        (page("agent/pages/_cfg"), "cfg"),
        (page("server/pages/_cfg-server"), "cfg-server"),
    ] {
        printed(Command::new("zsh").arg("-n").arg(&page));
        let script =
            "autoload -Uz compinit; compinit -D -u; source $1; print $_comps[$2] $+functions[_$2]";
        let mut zsh = Command::new("zsh");
        zsh.args(["-f", "-c", script, "zsh"])
            .arg(&page)
            .arg(program);
        assert_eq!(printed(&mut zsh), format!("_{program} 1\n"));
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
            let mut groff = Command::new("groff");
            groff.args(["-man", "-ww", "-Tutf8", "-Kutf8"]);
            printed(groff.arg(&manual));
        }
    }
}
