//! Manual pages and completions of our programs: files of the repository, which tests hold against the definitions.

use clap::Command;
use clap::builder::StyledStr;
use clap_complete::Shell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Compares what lies in this folder of the repository with what this command comes to; with `UPDATE` in the
/// environment, writes it anew. `remedy` is the command that does.
///
/// # Panics
/// Where they differ, or cannot be read or written.
#[expect(clippy::expect_used, reason = "it is for tests alone")]
pub fn compare(command: &Command, folder: &str, remedy: &str) {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("..")
        .join(folder);
    let wanted = made(command).expect("pages");
    if std::env::var_os("UPDATE").is_some() {
        // What is no page any more goes too.
        drop(std::fs::remove_dir_all(&folder));
        std::fs::create_dir_all(&folder).expect("the folder of pages");
        for (name, text) in &wanted {
            std::fs::write(folder.join(name), text).expect("a page");
        }
        return;
    }
    let found = read(&folder).expect("the folder of pages");
    let names = |pages: &BTreeMap<String, Vec<u8>>| pages.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&found), names(&wanted), "{remedy} mends it");
    for (name, text) in &wanted {
        assert!(
            found[name] == *text,
            "{name} is not what the program says; {remedy} mends it"
        );
    }
}

fn made(command: &Command) -> std::io::Result<BTreeMap<String, Vec<u8>>> {
    let folder = tempfile::tempdir()?;
    let mut visible = visible(command);
    let name = visible.get_name().to_owned();
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
        clap_complete::generate_to(shell, &mut visible, &name, folder.path())?;
    }
    let ends = visible.get_after_help().cloned();
    clap_mangen::generate_to(with_end(visible, ends.as_ref()), folder.path())?;
    read(folder.path())
}

/// Each page is read by itself: where it has no end of its own, it ends as the program's does, with the exit codes.
fn with_end(command: Command, end: Option<&StyledStr>) -> Command {
    let command = command.mut_subcommands(|sub| with_end(sub, end));
    match (command.get_after_help(), end) {
        (None, Some(end)) => command.after_help(end.clone()),
        _ => command,
    }
}

/// The command without what is hidden: words that are refused, and what the program calls itself with.
fn visible(command: &Command) -> Command {
    let args = command.get_arguments().filter(|arg| !arg.is_hide_set());
    let subcommands = command.get_subcommands().filter(|sub| !sub.is_hide_set());
    let mut shown = Command::new(leaked(command.get_name()))
        .args(args.cloned())
        .subcommands(subcommands.map(visible))
        .subcommand_required(command.is_subcommand_required_set())
        .disable_help_subcommand(true);
    if let Some(version) = command.get_version() {
        shown = shown.version(leaked(version));
    }
    if let Some(about) = command.get_about() {
        shown = shown.about(about.clone());
    }
    if let Some(after) = command.get_after_help() {
        shown = shown.after_help(after.clone());
    }
    shown
}

/// clap wants names that live for ever; these are few, and tests end.
fn leaked(text: &str) -> &'static str {
    Box::leak(text.to_owned().into_boxed_str())
}

fn read(folder: &Path) -> std::io::Result<BTreeMap<String, Vec<u8>>> {
    let mut pages = BTreeMap::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        pages.insert(name, std::fs::read(entry.path())?);
    }
    Ok(pages)
}
