//! What is told of the calls elsewhere is what they are: the README, manuals, completions.

use super::definition;
use crate::error::Exit;
use cfg_tests::readme::Readme;
use clap::Command;
use std::collections::BTreeSet;

/// All that stands in backticks.
fn quoted(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

/// Whether it takes such an option, and whether that is hidden.
fn option(command: &Command, word: &str) -> Option<bool> {
    let name = word.strip_prefix("--")?;
    let global = ["help", "version", "config"];
    if global.contains(&name) {
        return Some(false);
    }
    let mut args = command.get_arguments();
    let found = args.find(|arg| arg.get_long() == Some(name))?;
    Some(found.is_hide_set())
}

/// The command that these words lead to, with its whole name and the options in them.
fn walk<'a>(root: &'a Command, words: &'a str) -> (&'a Command, String, Vec<&'a str>) {
    let (mut command, mut path, mut options) = (root, String::from("cfg"), Vec::new());
    for word in words.split_whitespace().filter(|word| *word != "cfg") {
        if let Some(sub) = command.find_subcommand(word) {
            command = sub;
            path = format!("{path} {word}");
        } else if word.starts_with("--") {
            options.push(word);
        } else {
            let is_value =
                !word.starts_with(char::is_lowercase) || command.get_subcommands().next().is_none();
            assert!(
                is_value,
                "README.md: `{words}` is no call: there is no `{word}`"
            );
        }
    }
    (command, path, options)
}

/// Every command below that does something by itself, with its whole name.
fn leaves(command: &Command, path: &str, hidden: bool, found: &mut BTreeSet<String>) {
    for sub in command.get_subcommands() {
        let path = format!("{path} {}", sub.get_name());
        if sub.is_hide_set() {
            found.extend(hidden.then_some(path));
        } else if sub.get_subcommands().next().is_some() {
            leaves(sub, &path, hidden, found);
        } else {
            for arg in sub
                .get_arguments()
                .filter(|arg| hidden && arg.is_hide_set())
            {
                let long = arg.get_long().unwrap_or_default();
                found.insert(format!("{path} --{long}"));
            }
            found.extend((!hidden).then_some(path));
        }
    }
}

#[test]
fn the_readme_tells_of_every_call_and_of_no_other() {
    let root = definition();
    let readme = Readme::read("");
    let section = readme.section("## Commands and exit codes");
    let mut told = BTreeSet::new();
    for row in section.lines().filter(|line| line.starts_with("| `cfg ")) {
        let mut of_row = Vec::new();
        for words in quoted(row) {
            if words.starts_with("cfg ") {
                let (command, path, options) = walk(&root, words);
                for word in options {
                    assert_eq!(option(command, word), Some(false), "README.md: `{words}`");
                }
                told.insert(path);
                of_row.push(command);
            } else if let Some(word) = words
                .split_whitespace()
                .next()
                .filter(|w| w.starts_with("--"))
            {
                let known = of_row
                    .iter()
                    .any(|command| option(command, word) == Some(false));
                assert!(known, "README.md: `{words}` is no option of {row}");
            }
        }
    }
    let mut visible = BTreeSet::new();
    leaves(&root, "cfg", false, &mut visible);
    assert_eq!(
        told, visible,
        "the calls in README.md, and those that there are"
    );
}

#[test]
fn the_readme_tells_what_is_not_in_this_version() {
    let root = definition();
    let readme = Readme::read("");
    let section = readme.section("### Exit codes");
    let (_, later) = section
        .split_once("Not in this version, and refused")
        .unwrap();
    let mut told = BTreeSet::new();
    let mut before = String::new();
    for words in quoted(later) {
        let words = match words.starts_with("--") {
            true => format!("{before} {words}"),
            false => words.to_owned(),
        };
        let (_, path, options) = walk(&root, &words);
        before.clone_from(&path);
        told.insert(match options.first() {
            Some(option) => format!("{path} {option}"),
            None => path,
        });
    }
    let mut hidden = BTreeSet::new();
    leaves(&root, "cfg", true, &mut hidden);
    // It belongs to all calls that take a role of a folder.
    hidden.retain(|path| !path.ends_with(" --secrets") || path.starts_with("cfg apply"));
    assert_eq!(
        told, hidden,
        "what README.md says is to come, and what is refused"
    );
}

#[test]
fn the_readme_has_the_exit_codes() {
    let mut readme = Readme::read("UPDATE=1 cargo test -p cfg-agent --lib exit_codes");
    let rows = Exit::ALL.map(|(exit, means)| vec![(exit as u8).to_string(), means.to_owned()]);
    readme.table("### Exit codes", &["code", "means"], &rows);
    readme.compare();
}

#[test]
fn manuals_and_completions_are_as_the_definitions_say() {
    let remedy = "UPDATE=1 cargo test -p cfg-agent --lib manuals";
    cfg_tests::pages::compare(&definition(), "agent/pages", remedy);
}
