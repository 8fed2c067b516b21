//! Why a unit ended: systemd's own word, and the last lines of its journal.

use super::control;
use crate::resource::command::last_lines;
use std::collections::BTreeMap;
use std::process::{Command, Stdio};

const ASKED: &str = "Result,ExecMainCode,ExecMainStatus,Type,RemainAfterExit,InactiveExitTimestamp,ConditionResult,ConditionTimestampMonotonic";

/// How many entries of the journal are asked for.
const ENTRIES: &str = "--lines=10";

/// In words, on one line or more. None where nobody knows.
pub fn of(unit: &str, journal: bool) -> Option<String> {
    let told = match control::show(ASKED, &[unit]) {
        Ok(told) => told.get(unit)?.clone(),
        Err(error) => {
            tracing::debug!("{error:#}");
            return None;
        }
    };
    let fields: BTreeMap<&str, &str> = told
        .lines()
        .filter_map(|line| line.split_once('='))
        .collect();
    let since = fields
        .get("InactiveExitTimestamp")
        .filter(|since| !since.is_empty());
    let lines = match since {
        Some(since) if journal => entries(unit, &[&format!("--since={since}")]),
        // It was never up, or systemd has forgotten that.
        None if journal => skipped(&entries(unit, &["--since=-10s", "--reverse"])),
        _ => String::new(),
    };
    let words = [cause(&fields).unwrap_or_default(), lines];
    let words: Vec<&str> = words
        .iter()
        .map(String::as_str)
        .filter(|w| !w.is_empty())
        .collect();
    (!words.is_empty()).then(|| words.join("\n"))
}

/// What systemd says of the main process.
fn cause(fields: &BTreeMap<&str, &str>) -> Option<String> {
    let is = |name: &str, value: &str| fields.get(name).copied() == Some(value);
    let status = fields.get("ExecMainStatus").copied().unwrap_or("0");
    let result = fields.get("Result").filter(|result| !result.is_empty())?;
    // Before its first start the answer is no, too.
    let asked = |stamp: &&str| *stamp != "0";
    let stamp = fields.get("ConditionTimestampMonotonic");
    if is("ConditionResult", "no") && stamp.is_some_and(asked) {
        return Some("systemd skipped it, since a condition of its unit is not met".into());
    }
    Some(match *result {
        "success" if is("Type", "oneshot") && is("RemainAfterExit", "no") => {
            "it is of Type=oneshot without RemainAfterExit=yes, and so never runs once it is done"
                .into()
        }
        "success" if is("ExecMainCode", "1") => "exit status 0".into(),
        "success" => return None,
        "exit-code" if is("ExecMainCode", "1") => format!("exit status {status}"),
        "signal" | "core-dump" if status != "0" => format!("{result} {status}"),
        other => other.into(),
    })
}

/// The end of what the journal has of the unit's last start, of its own processes and of systemd. By unit and time: of a
/// process that died at once the journal often does not know the invocation, nor the unit; what systemd's own child says of
/// a program that is not there is then known by the field `UNIT`, which counts of root alone.
fn entries(unit: &str, which: &[&str]) -> String {
    let run = |arguments: &[&str]| {
        let mut command = Command::new("journalctl");
        command.args(arguments).stdin(Stdio::null()).output()
    };
    // What a process wrote just before it died may not be there yet.
    if let Err(error) = run(&["--sync"]) {
        tracing::debug!("journalctl: {error}");
        return String::new();
    }
    let (own, of) = (format!("_SYSTEMD_UNIT={unit}"), format!("UNIT={unit}"));
    let options = ["--quiet", "--no-pager", "--output=cat", ENTRIES];
    let fields = [&own, "+", &of, "_UID=0"];
    let asked = [&options[..], which, &fields[..]].concat();
    match run(&asked) {
        Ok(output) => last_lines(&printable(&String::from_utf8_lossy(&output.stdout))),
        Err(error) => {
            tracing::debug!("journalctl: {error}");
            String::new()
        }
    }
}

/// What systemd says where it did not start a unit, of these lines.
fn skipped(lines: &str) -> String {
    let of = |line: &&str| line.contains("was skipped because of an unmet condition");
    lines.lines().find(of).unwrap_or_default().to_owned()
}

/// Without what would steer a terminal.
fn printable(text: &str) -> String {
    let shown = |c: char| match c {
        '\n' => c,
        c if c.is_control() => ' ',
        c => c,
    };
    text.chars().map(shown).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes() {
        for (fields, words) in [
            (
                "Result=exit-code ExecMainCode=1 ExecMainStatus=3",
                "exit status 3",
            ),
            (
                "Result=exit-code ExecMainCode=0 ExecMainStatus=0",
                "exit-code",
            ),
            ("Result=signal ExecMainCode=2 ExecMainStatus=9", "signal 9"),
            ("Result=timeout", "timeout"),
            (
                "Result=success ConditionResult=no ConditionTimestampMonotonic=7",
                "systemd skipped it, since a condition of its unit is not met",
            ),
            (
                "Result=exit-code ExecMainCode=1 ExecMainStatus=3 ConditionResult=no ConditionTimestampMonotonic=0",
                "exit status 3",
            ),
            (
                "Result=success ExecMainCode=1 Type=simple RemainAfterExit=no",
                "exit status 0",
            ),
            (
                "Result=success Type=oneshot RemainAfterExit=no",
                "it is of Type=oneshot without RemainAfterExit=yes, and so never runs once it is done",
            ),
        ] {
            let fields = fields
                .split(' ')
                .filter_map(|field| field.split_once('='))
                .collect();
            assert_eq!(cause(&fields).as_deref(), Some(words));
        }
        assert_eq!(cause(&BTreeMap::new()), None);
        let runs = BTreeMap::from([("Result", "success"), ("ExecMainCode", "0")]);
        assert_eq!(cause(&runs), None);
    }

    #[test]
    fn nothing_steers_a_terminal() {
        assert_eq!(printable("a\u{1b}[2Jb\r\nc\u{9b}d"), "a [2Jb \nc d");
    }
}
