//! What is printed: results on stdout, all else on stderr; an error once, and as JSON too where that was asked for.

use crate::error::{Error, Exit};
use crate::facts;
use cfg_catalog::Diagnostics;
use cfg_catalog::plan::document::{Document, DryRun, Head, Outcome};
use cfg_catalog::plan::show::{self, Style};
use serde::Serialize;
use std::ffi::OsString;
use std::io::{self, Write as _};

/// Prints to stdout. A reader that went away is none of cfg's business.
pub fn print(text: &str) -> Result<(), Error> {
    let mut stdout = anstream::stdout();
    let written = stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush());
    match written {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Error::Failed(anyhow::Error::new(error).context("stdout")))
        }
        _ => Ok(()),
    }
}

/// Prints one JSON document to stdout.
pub fn print_json(document: &impl Serialize) -> Result<(), Error> {
    let text = serde_json::to_string_pretty(document)
        .map_err(|error| Error::Failed(anyhow::Error::new(error).context("printing JSON")))?;
    print(&format!("{text}\n"))
}

/// A word of advice or warning, on stderr.
pub fn note(text: &str) {
    // stderr is the last resort: there is nowhere to say that it does not work.
    let _ = writeln!(anstream::stderr(), "{text}");
}

/// The help or the version that was asked for.
pub fn help(asked: &clap::Error) -> Result<Exit, Error> {
    print(&asked.render().ansi().to_string())?;
    Ok(Exit::Done)
}

/// clap's word on a call, without its own "error:".
pub fn wrong_usage(error: &clap::Error) -> Error {
    let text = error.render().to_string();
    let text = text.strip_prefix("error: ").unwrap_or(&text);
    // clap takes what CFG_CONFIG says for a part of the call.
    let text = text.replace(" --config <FILE>", "");
    let (what, rest) = text.split_once("\n\n").unwrap_or((&text, ""));
    Error::usage(match super::meant::meant(error) {
        Some(tip) => format!("{what}; {tip}\n\n{rest}").trim_end().to_owned(),
        None => text.trim_end().to_owned(),
    })
}

/// Whether this flag is among these arguments; also when they are otherwise wrong.
fn has(arguments: &[OsString], flag: &str) -> bool {
    arguments
        .iter()
        .take_while(|argument| *argument != "--")
        .any(|argument| argument == flag)
}

/// What this flag is given among these arguments.
fn given(arguments: &[OsString], flag: &str) -> Option<String> {
    let mut arguments = arguments
        .iter()
        .take_while(|argument| *argument != "--")
        .map(|argument| argument.to_string_lossy());
    while let Some(argument) = arguments.next() {
        match argument.strip_prefix(flag) {
            Some("") => return arguments.next().map(Into::into),
            Some(rest) if rest.starts_with('=') => return Some(rest[1..].to_owned()),
            _ => {}
        }
    }
    None
}

/// Says why a call with these arguments ended.
pub fn show_error(error: &Error, arguments: &[OsString]) {
    match error {
        // Diagnostics say "error:" themselves, each at its place.
        Error::Catalog(wrong) | Error::Usage(wrong) | Error::Config(wrong) => {
            match wrong.downcast_ref::<Diagnostics>() {
                Some(wrong) => note(wrong.coloured().trim_end()),
                None => say(error),
            }
        }
        _ => say(error),
    }
    if has(arguments, "--json") {
        let dry_run = match has(arguments, "--dry-run") {
            true => DryRun::Yes,
            false => DryRun::No,
        };
        let head = Head {
            host: facts::hostname().unwrap_or_default(),
            role: given(arguments, "--role"),
            started: crate::clock::now().to_string(),
            ..Head::default()
        };
        let document = Document::of_error(head, dry_run, error.to_string());
        if let Err(error) = print_json(&document) {
            note(&error.to_string());
        }
    }
}

fn say(error: &Error) {
    note(&format!("\x1b[1;31merror:\x1b[0m {error}"));
}

/// A plan or a run for a person at this terminal.
pub fn run(document: &Document) -> String {
    show::text(document, style(), width())
}

/// What it has on resources alone, for a place that is this much indented.
pub fn body(document: &Document, indent: usize) -> String {
    show::body(document, style(), width().saturating_sub(indent))
}

fn style() -> Style {
    match anstream::AutoStream::choice(&io::stdout()) {
        anstream::ColorChoice::Never => Style::Plain,
        _ => Style::Colour,
    }
}

/// The terminal's width; 80 where there is none.
pub fn width() -> usize {
    let asked = std::env::var("COLUMNS")
        .ok()
        .and_then(|columns| columns.parse().ok());
    let terminal = || rustix::termios::tcgetwinsize(io::stdout()).ok();
    asked
        .or_else(|| terminal().map(|size| usize::from(size.ws_col)))
        .filter(|width| *width >= 20)
        .unwrap_or(80)
}

/// What a plan or a run ends the process with.
pub fn exit(document: &Document) -> Exit {
    match document.result {
        Outcome::Converged | Outcome::Applied => Exit::Done,
        Outcome::Failed => Exit::Failed,
        Outcome::Changes => Exit::Changes,
        Outcome::Waiting | Outcome::Paused => Exit::Held,
    }
}

/// A table with a header and columns as wide as they need to be.
pub fn table(header: &[&str], rows: &[Vec<String>]) -> String {
    let widths: Vec<usize> = (0..header.len())
        .map(|column| {
            let cells = rows.iter().map(|row| row[column].chars().count());
            cells
                .chain([header[column].len()])
                .max()
                .unwrap_or_default()
        })
        .collect();
    let line = |cells: Vec<&str>| {
        let padded: Vec<String> = cells
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:width$}"))
            .collect();
        format!("{}\n", padded.join("  ").trim_end())
    };
    let mut text = line(header.to_vec());
    for row in rows {
        text.push_str(&line(row.iter().map(String::as_str).collect()));
    }
    text
}

/// Seconds since 1970 as people read them; `-` for never.
pub fn time(seconds: u64) -> String {
    i64::try_from(seconds)
        .ok()
        .filter(|seconds| *seconds > 0)
        .and_then(|seconds| jiff::Timestamp::from_second(seconds).ok())
        .map_or_else(|| "-".into(), |time| time.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let rows = vec![
            vec!["vm-1".to_string(), "zookeeper".into()],
            vec!["a-long-name".into(), "é".into()],
        ];
        let text = table(&["NAME", "ROLE"], &rows);
        assert_eq!(
            text,
            "NAME         ROLE\nvm-1         zookeeper\na-long-name  é\n"
        );
    }

    #[test]
    fn flags_are_seen_before_the_call_is_understood() {
        let args = |line: &str| line.split(' ').map(OsString::from).collect::<Vec<_>>();
        assert!(has(&args("cfg aply --json"), "--json"));
        assert!(!has(&args("cfg apply -- --json"), "--json"));
        for (line, role) in [
            ("cfg apply --role web --json", Some("web")),
            ("cfg apply --nonsense --role=web", Some("web")),
            ("cfg apply --roles web", None),
            ("cfg apply --role", None),
            ("cfg apply -- --role web", None),
        ] {
            assert_eq!(given(&args(line), "--role").as_deref(), role, "{line}");
        }
    }

    #[test]
    fn times() {
        assert_eq!(time(0), "-");
        assert_eq!(time(86_400), "1970-01-02T00:00:00Z");
    }
}
