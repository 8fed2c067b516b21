//! Edits of configuration files as Debian's packages ship them, judged by other readers: `tests/edits`.
//!
//! Each file has a few keys set, one added and one removed. A diff must touch only the lines meant, a second time must
//! change nothing, what was added must go without a trace, and another reader must find the value and all else as before.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "the tests read files that lie beside them, and start the judge"
)]

use cfg_catalog::edit::{Edit, Format, LineWanted, Unwanted, apply};
use serde::Deserialize;
use serde_json::{Value, json};
use similar::{DiffOp, TextDiff};
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

#[derive(Clone, Debug, Deserialize)]
struct Try {
    file: PathBuf,
    format: String,
    #[serde(default)]
    set: Vec<String>,
    #[serde(default)]
    value: Value,
    #[serde(default)]
    new: bool,
    #[serde(default)]
    remove: Vec<String>,
}

impl Try {
    /// None where the format cannot have such a key.
    fn edit(&self) -> Option<Edit> {
        let mut edit = Edit::of(Format::of_word(&self.format).unwrap());
        match (edit.format, self.set.as_slice()) {
            (Format::Lines, []) => edit.drop.push(Unwanted::Line(self.remove[0].clone())),
            (Format::Lines, [line, ..]) => edit.lines.push(LineWanted {
                line: line.clone(),
                matching: None,
            }),
            (_, []) => edit.remove(self.remove.clone()).ok()?,
            (_, path) => {
                let way = path.iter().rev();
                let table = way.fold(self.value.clone(), |value, key| json!({ key: value }));
                edit.set(table.as_object().unwrap()).ok()?;
            }
        }
        Some(edit)
    }

    fn undone(&self) -> Edit {
        let back = Self {
            set: Vec::new(),
            remove: self.set.clone(),
            ..self.clone()
        };
        back.edit().unwrap()
    }

    /// What is wrong with the lines that an edit touched.
    fn touched(&self, before: &str, after: &str) -> Option<String> {
        let diff = TextDiff::from_lines(before, after);
        let moved: Vec<&DiffOp> = diff
            .ops()
            .iter()
            .filter(|op| !matches!(op, DiffOp::Equal { .. }))
            .collect();
        let lines = |text: &str, ranges: Vec<std::ops::Range<usize>>| -> Vec<String> {
            let lines: Vec<&str> = text.lines().collect();
            let lines = ranges.into_iter().flat_map(|range| lines[range].to_vec());
            lines.map(str::to_owned).collect()
        };
        let gone = lines(before, moved.iter().map(|op| op.old_range()).collect());
        let made = lines(after, moved.iter().map(|op| op.new_range()).collect());
        let (old, new) = (gone.len(), made.len());
        let good = match (self.set.is_empty(), self.new) {
            // A comma, or the end of a line that was the last, may move; and all may stand on one line.
            (false, true) => moved.len() == 1 && old <= 1 && (1..=old + 1).contains(&new),
            (false, false) => moved.len() <= 1 && new == old.min(1) && self.is_one_value(&gone),
            (true, _) => self.is_removed(&gone, &made),
        };
        if !self.remarks_survive(before, after) {
            return Some("a comment or an empty line is gone".into());
        }
        (!good).then(|| format!("{gone:#?} became {made:#?}"))
    }

    /// Whether these lines are those of the value meant, and no more.
    fn is_one_value(&self, lines: &[String]) -> bool {
        let key = self.set.last().or(self.remove.last());
        match self.format.as_str() {
            "env" => lines.iter().rev().skip(1).all(|line| line.ends_with('\\')),
            // A list may be of several lines, and of several settings.
            "ini" => lines.iter().all(|line| {
                line.starts_with(char::is_whitespace) || line.starts_with(key.unwrap().as_str())
            }),
            _ => lines.len() <= 1,
        }
    }

    fn is_removed(&self, gone: &[String], made: &[String]) -> bool {
        match (self.format.as_str(), gone, made) {
            (_, [_, ..], []) => self.is_one_value(gone),
            // What is the last now loses its comma, or the end of its line.
            ("json", [before, _], [now]) => before.trim_end_matches(',') == now,
            (_, [before, _], [now]) if before == now => true,
            // A table that is empty now.
            ("json", [opens, _, closes], [now]) => {
                opens.ends_with('{') && closes.trim_start().starts_with('}') && now.contains("{}")
            }
            ("yaml", [_] | [_, _], [now]) => now.contains("{}"),
            _ => false,
        }
    }

    /// Whether all comments and empty lines are there still, in their order.
    fn remarks_survive(&self, before: &str, after: &str) -> bool {
        let mut after = after.lines();
        let remark = |line: &&str| {
            let start = line.trim_start();
            start.is_empty()
                || start.starts_with('#')
                || (self.format == "ini" && start.starts_with(';'))
        };
        let meant =
            |line: &&str| self.format == "lines" && self.remove.iter().any(|gone| gone == line);
        let mut remarks = before.lines().filter(remark).filter(|line| !meant(line));
        remarks.all(|remark| after.any(|line| line == remark))
    }
}

fn folder() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/edits"))
}

/// Where the files lie, and the judge's reader; fetched where they are not.
fn corpus() -> PathBuf {
    if let Some(there) = std::env::var_os("CFG_EDIT_CORPUS") {
        return there.into();
    }
    let made = Command::new(folder().join("corpus.sh"))
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    assert!(made.status.success(), "no files to try edits on");
    String::from_utf8(made.stdout).unwrap().trim().into()
}

fn judge(corpus: &Path, arguments: &[&str], told: Vec<u8>) -> String {
    let mut child = Command::new("python3")
        .arg(folder().join("judge.py"))
        .args(arguments)
        .env(
            "PYTHONPATH",
            corpus.join("python/usr/lib/python3/dist-packages"),
        )
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let writer = std::thread::spawn(move || input.write_all(&told));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert!(output.status.success(), "the judge gave up");
    String::from_utf8(output.stdout).unwrap()
}

/// What came of the tries of one format.
#[derive(Debug, Default)]
struct Tally {
    files: BTreeSet<PathBuf>,
    made: usize,
    refused: usize,
}

#[test]
fn files_as_debian_ships_them() {
    let corpus = corpus();
    let files = corpus.join("files");
    let scratch = Path::new(env!("CARGO_TARGET_TMPDIR")).join("edited");
    let _none = std::fs::remove_dir_all(&scratch);
    std::fs::create_dir_all(&scratch).unwrap();
    let mut tallies: BTreeMap<String, Tally> = BTreeMap::new();
    let (mut wrong, mut results) = (Vec::new(), Vec::new());
    let chosen = judge(&corpus, &["choose", files.to_str().unwrap()], Vec::new());
    for (number, line) in chosen.lines().enumerate() {
        let one: Try = serde_json::from_str(line).unwrap();
        let before = std::fs::read(&one.file).unwrap();
        let tally = tallies.entry(one.format.clone()).or_default();
        let edited = one.edit().map(|edit| (apply(&before, &edit), edit));
        let (after, edit) = match edited {
            Some((Ok(after), edit)) => (after, edit),
            Some((Err(why), _)) => {
                tally.refused += 1;
                println!("{} {}: {why}", one.format, one.file.display());
                continue;
            }
            None => {
                tally.refused += 1;
                continue;
            }
        };
        tally.made += 1;
        tally.files.insert(one.file.clone());
        let texts = [&before, &after].map(|text| std::str::from_utf8(text).unwrap());
        if let Some(why) = one.touched(texts[0], texts[1]) {
            wrong.push(format!("{why}: {one:?}"));
        }
        if apply(&after, &edit).as_ref() != Ok(&after) {
            wrong.push(format!("a second time changes it: {one:?}"));
        }
        if one.new && apply(&after, &one.undone()).as_ref() != Ok(&before) {
            wrong.push(format!("it leaves a trace: {one:?}"));
        }
        let place = scratch.join(number.to_string());
        std::fs::write(&place, &after).unwrap();
        let mut result: Value = serde_json::from_str(line).unwrap();
        result["before"] = json!(one.file);
        result["after"] = json!(place);
        results.extend(format!("{result}\n").bytes());
    }
    wrong.extend(
        judge(&corpus, &["check"], results)
            .lines()
            .map(str::to_owned),
    );
    let mut all = 0;
    for (format, tally) in &tallies {
        let Tally {
            files,
            made,
            refused,
        } = tally;
        println!(
            "{format}: {} files, {made} edits, {refused} refused",
            files.len()
        );
        all += files.len();
        assert!(files.len() >= 20, "too few files of {format}");
        assert!(refused * 10 < *made, "too much of {format} is refused");
    }
    assert_eq!(tallies.len(), Format::WORDS.len());
    assert!(all >= 200, "too few files");
    assert!(
        wrong.is_empty(),
        "{} of them:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}
