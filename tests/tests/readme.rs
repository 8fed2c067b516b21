//! The README's ten minutes, typed as they stand there by an ordinary user of a plain Debian, and what they show.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use cfg_tests::readme::Readme;
use cfg_tests::{Host, Sandbox, agent_binary, server_binary};
use regex_lite::Regex;

const HEADING: &str = "## Ten minutes";
/// Where the user has the checkout.
const CHECKOUT: &str = "/home/ada/cfg";
/// Before the output of each command.
const MARK: char = '\u{1}';

/// A command, and the lines that stand below it.
#[derive(Debug)]
struct Typed {
    command: String,
    shown: Vec<String>,
}

#[test]
fn the_ten_minutes_show_what_the_readme_says() -> Result<()> {
    Sandbox::run(|sandbox| {
        let readme = Readme::read("an editor");
        let typed = typed(readme.section(HEADING));
        ensure!(typed.len() > 20, "the tour is gone: {typed:#?}");
        let host = sandbox.host("vm", "10.77.0.11")?;
        host.use_local_repository()?;
        host.boot()?;
        host.run(["apt-get", "update", "-qq"])?;
        checkout(&host)?;
        sandbox.step("a checkout, as ada has it");
        host.write_file("/home/ada/typed", script(&typed))?;
        let said = host.run(["runuser", "-u", "ada", "--", "bash", "/home/ada/typed"])?;
        sandbox.step("typed");
        let mut answers = said.split(MARK).skip(1);
        let mut wrong = String::new();
        for typed in &typed {
            let answer = answers.next().with_context(|| said.clone())?;
            let lines: Vec<&str> = answer.lines().collect();
            let shown: Vec<&str> = typed.shown.iter().map(String::as_str).collect();
            if !matches(&shown, &lines) {
                wrong += &format!("$ {}\n{answer}\n", typed.command);
            }
        }
        ensure!(
            wrong.is_empty(),
            "README.md, {HEADING}, should have:\n{wrong}"
        );
        Ok(())
    })
}

/// The commands of all its blocks, those of a script as one.
fn typed(section: &str) -> Vec<Typed> {
    let mut all: Vec<Typed> = Vec::new();
    let mut block = "";
    for line in section.lines() {
        if let Some(kind) = line.strip_prefix("```") {
            block = kind;
            if kind == "sh" {
                let command = String::new();
                all.push(Typed {
                    command,
                    shown: Vec::new(),
                });
            }
            continue;
        }
        match (block, line.strip_prefix("$ "), all.last_mut()) {
            ("sh", _, Some(script)) => script.command += &format!("{line}\n"),
            ("console", Some(command), _) => all.push(Typed {
                command: command.to_owned(),
                shown: Vec::new(),
            }),
            ("console", None, Some(typed)) => typed.shown.push(line.to_owned()),
            _ => {}
        }
    }
    all
}

/// All of it in one shell, no faster than somebody types where something else has to happen meanwhile.
fn script(typed: &[Typed]) -> String {
    let mut script = format!("set -m\ncd {CHECKOUT}\nexec 2>&1\n");
    for Typed { command, .. } in typed {
        let looks = command.contains(".log") || command == "cfg fleet";
        if looks && !command.ends_with('&') {
            script += "sleep 3\n";
        }
        script += &format!("printf '{MARK}'\n{command}\n");
        if command.ends_with('&') {
            script += "sleep 3\n";
        }
    }
    script + "exit 0\n"
}

/// The programs as tests/build made them, and the roles.
fn checkout(host: &Host) -> Result<()> {
    host.run(["useradd", "--create-home", "--shell", "/bin/bash", "ada"])?;
    let at = |path: &str| format!("{CHECKOUT}/{path}");
    host.copy_in(&agent_binary()?, &at("target/release/cfg"))?;
    host.copy_in(&server_binary()?, &at("target/release/cfg-server"))?;
    host.write_file(&at("tests/build"), "#!/bin/sh\n")?;
    let project = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let tar = Command::new("tar")
        .arg("-cC")
        .arg(project)
        .arg("roles")
        .output()?;
    ensure!(tar.status.success(), "{tar:?}");
    let unpack = ["tar", "-xC", CHECKOUT, "--no-same-owner"];
    host.exec_with_stdin(unpack, &tar.stdout)?.success()?;
    host.sh(&format!(
        "chmod 755 {CHECKOUT}/tests/build && chown -R ada: {CHECKOUT}"
    ))?;
    Ok(())
}

/// Whether these lines were shown, where `…` stands for any.
fn matches(shown: &[&str], lines: &[&str]) -> bool {
    match shown {
        [] => lines.is_empty(),
        ["…", rest @ ..] => (0..=lines.len()).any(|skipped| matches(rest, &lines[skipped..])),
        [line, rest @ ..] => lines
            .split_first()
            .is_some_and(|(first, others)| alike(line, first) && matches(rest, others)),
    }
}

/// The same but for what is another each time.
fn alike(shown: &str, line: &str) -> bool {
    let (shown, line) = (masked(shown), masked(line));
    let mut parts = shown.split('…');
    let first = parts.next().unwrap_or_default();
    let Some(mut left) = line.strip_prefix(first) else {
        return false;
    };
    let mut last = None;
    for part in parts {
        let Some(at) = left.find(part) else {
            return false;
        };
        left = &left[at + part.len()..];
        last = Some(part);
    }
    left.is_empty() || last == Some("")
}

fn masked(line: &str) -> String {
    let mut line = line.to_owned();
    for (pattern, mask) in [
        (r"\d{4}-\d\d-\d\dT[\d:.]+Z", "TIME"),
        (r"\d{8}T\d{6}Z-[0-9a-f]{6}", "RUN"),
        (r"[0-9a-f]{12,}", "HASH"),
        (r"\d+ ms", "N ms"),
        (r"deb12u\d+", "deb12uN"),
        (r" +", " "),
    ] {
        #[expect(clippy::expect_used, reason = "the patterns stand above")]
        let pattern = Regex::new(pattern).expect("a pattern");
        line = pattern.replace_all(&line, mask).into_owned();
    }
    line
}

#[test]
fn what_is_not_the_same_is_seen() {
    let same = |shown: &[&str], lines: &[&str]| matches(shown, lines);
    assert!(same(&["a", "…", "d"], &["a", "b", "c", "d"]));
    assert!(same(&["a …"], &["a b c"]) && same(&["…"], &[]));
    assert!(same(
        &["release 1 (b7bbe4c081f8)"],
        &["release 1 (0123456789ab)"]
    ));
    assert!(same(
        &["x  2026-11-23T19:24:04.7Z  y"],
        &["x 2027-01-01T00:00:00Z y"]
    ));
    assert!(!same(&["a", "…", "d"], &["a", "b"]));
    assert!(!same(&["a"], &["a", "b"]) && !same(&["a b"], &["a b c"]));
    assert!(!same(&["release 1"], &["release 2"]));
    assert!(!same(&["a … c"], &["a b"]) && !same(&["… c"], &["c d"]));
}
