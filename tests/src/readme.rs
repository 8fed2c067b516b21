//! The tables of README.md, which tests hold against the code's own.

use std::path::PathBuf;

/// The README as it is, and as it ought to be.
pub struct Readme {
    path: PathBuf,
    text: String,
    wanted: String,
    /// The command that writes it anew.
    remedy: &'static str,
}

impl Readme {
    /// Reads it. `remedy` is the command that writes the tables anew.
    ///
    /// # Panics
    /// Where it cannot be read.
    #[expect(clippy::expect_used, reason = "it is for tests alone")]
    pub fn read(remedy: &'static str) -> Self {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../README.md");
        let text = std::fs::read_to_string(&path).expect("README.md");
        Self {
            path,
            wanted: text.clone(),
            text,
            remedy,
        }
    }

    /// All between this heading and the next one.
    ///
    /// # Panics
    /// Where there is no such heading.
    pub fn section(&self, heading: &str) -> &str {
        let (from, to) = section(&self.text, heading);
        &self.text[from..to]
    }

    /// The first table below this heading is to be this one.
    ///
    /// # Panics
    /// Where there is no such heading, or no table below it.
    pub fn table(&mut self, heading: &str, header: &[&str], rows: &[Vec<String>]) {
        let line = |cells: &[String]| {
            let cells: Vec<String> = cells
                .iter()
                .map(|cell| match cell.is_empty() {
                    true => " ".to_owned(),
                    false => format!(" {cell} "),
                })
                .collect();
            format!("|{}|\n", cells.join("|"))
        };
        let header: Vec<String> = header.iter().map(|&word| word.to_owned()).collect();
        let mut table = line(&header);
        table.push_str(&format!("|{}\n", "---|".repeat(header.len())));
        for row in rows {
            table.push_str(&line(row));
        }
        let (from, to) = place(&self.wanted, heading);
        self.wanted.replace_range(from..to, &table);
    }

    /// Compares it with what it ought to be; with `UPDATE` in the environment, writes it so.
    ///
    /// # Panics
    /// Where it differs, with the first line that does and what to do.
    pub fn compare(self) {
        if self.text == self.wanted {
            return;
        }
        if std::env::var_os("UPDATE").is_some() {
            let written = std::fs::write(&self.path, &self.wanted);
            assert!(written.is_ok(), "README.md: {written:?}");
            return;
        }
        let mut lines = self.text.lines().zip(self.wanted.lines());
        let (is, wanted) = lines.find(|(is, wanted)| is != wanted).unwrap_or_default();
        panic!(
            "README.md is not what the code says. It has\n  {is}\nand should have\n  {wanted}\n{} mends it",
            self.remedy
        );
    }
}

/// From where to where what stands below a heading goes.
fn section(text: &str, heading: &str) -> (usize, usize) {
    let line = format!("\n{heading}\n");
    let Some(start) = text.find(&line) else {
        panic!("README.md has no heading \"{heading}\"");
    };
    let below = start + line.len();
    let end = text[below..].find("\n#");
    (below, end.map_or(text.len(), |at| below + at + 1))
}

/// From where to where the first table below a heading goes.
fn place(text: &str, heading: &str) -> (usize, usize) {
    let (below, end) = section(text, heading);
    let Some(from) = text[below..end].find("\n|").map(|at| below + at + 1) else {
        panic!("README.md has no table below \"{heading}\"");
    };
    let rows = text[from..].split_inclusive('\n');
    let length: usize = rows
        .take_while(|row| row.starts_with('|'))
        .map(str::len)
        .sum();
    (from, from + length)
}
