//! A text as lines, which keep their endings; whether the last one has one is kept too.

use std::ops::Range;

/// Lines.
#[derive(Clone, Debug)]
pub struct Text<'t> {
    /// Without their endings.
    pub lines: Vec<&'t str>,
    ends: Vec<&'static str>,
    /// Where each begins, in bytes.
    starts: Vec<usize>,
    /// The ending of lines that have none of their own.
    eol: &'static str,
    /// The last line has no ending.
    open: bool,
}

/// How the lines of a text end: as the first one does.
pub fn eol(text: &str) -> &'static str {
    match text.find('\n') {
        Some(at) if text[..at].ends_with('\r') => "\r\n",
        _ => "\n",
    }
}

impl<'t> Text<'t> {
    pub fn read(text: &'t str) -> Self {
        let mut read = Self {
            lines: Vec::new(),
            ends: Vec::new(),
            starts: Vec::new(),
            eol: eol(text),
            open: !text.is_empty() && !text.ends_with('\n'),
        };
        let mut start = 0;
        for piece in text.split_inclusive('\n') {
            read.starts.push(start);
            start += piece.len();
            let (line, end) = match piece.strip_suffix('\n') {
                None => (piece, ""),
                Some(line) => match line.strip_suffix('\r') {
                    None => (line, "\n"),
                    Some(line) => (line, "\r\n"),
                },
            };
            read.lines.push(line);
            read.ends.push(end);
        }
        read
    }

    /// The text with these lines in the place of those.
    pub fn replaced(&self, range: Range<usize>, with: &[String]) -> String {
        let end = self.ends.get(range.start).copied().unwrap_or_default();
        let old = |range: Range<usize>| {
            self.lines[range.clone()]
                .iter()
                .copied()
                .zip(self.ends[range].iter().copied())
        };
        let new = with.iter().map(|line| (line.as_str(), end));
        let lines = old(0..range.start)
            .chain(new)
            .chain(old(range.end..self.lines.len()));
        self.join(lines)
    }

    /// The text without the lines that are marked.
    pub fn without(&self, gone: &[bool]) -> String {
        let kept = self.pairs().zip(gone).filter(|(_, gone)| !**gone);
        self.join(kept.map(|(pair, _)| pair))
    }

    /// The lines of a section: from its opening line to the next one's, or to the end. `filled` is the line after what
    /// is in it. A comment right above the next section belongs to that, and of what is last the blank line before it
    /// goes too.
    pub fn section(
        &self,
        opening: usize,
        filled: usize,
        next: Option<usize>,
        is_comment: impl Fn(&str) -> bool,
    ) -> Range<usize> {
        match next {
            Some(next) => {
                let above = self.lines[filled.min(next)..next].iter().rev();
                let above = above.take_while(|line| is_comment(line)).count();
                opening..next - above
            }
            None => {
                let blank = opening
                    .checked_sub(1)
                    .filter(|line| self.lines[*line].is_empty());
                blank.unwrap_or(opening)..self.lines.len()
            }
        }
    }

    /// Below the comment with which the text begins, where that stands apart.
    pub fn head(&self, is_comment: impl Fn(&str) -> bool) -> usize {
        let comments = self
            .lines
            .iter()
            .take_while(|line| is_comment(line))
            .count();
        let blank = self.lines[comments..]
            .iter()
            .take_while(|line| line.trim().is_empty());
        match blank.count() {
            0 => 0,
            blank => comments + blank,
        }
    }

    /// These lines as a section at the end: a blank line goes before them, unless one is there.
    pub fn at_end(&self, lines: [String; 2]) -> (usize, Vec<String>) {
        let last = self.lines.last();
        let blank = last.is_some_and(|line| !line.trim().is_empty());
        let blank = blank.then(String::new).into_iter();
        (self.lines.len(), blank.chain(lines).collect())
    }

    /// Where a line begins, in bytes.
    pub fn start(&self, line: usize) -> usize {
        self.starts.get(line).copied().unwrap_or_default()
    }

    /// The line in which a byte is.
    pub fn line_at(&self, offset: usize) -> usize {
        self.starts.partition_point(|start| *start <= offset).max(1) - 1
    }

    /// A text of these lines, each with the ending that it had.
    pub fn join<'l>(&self, lines: impl Iterator<Item = (&'l str, &'static str)>) -> String {
        let mut lines = lines.peekable();
        let mut text = String::new();
        while let Some((line, end)) = lines.next() {
            text.push_str(line);
            let last = lines.peek().is_none();
            text.push_str(match end {
                _ if last && self.open => "",
                "" => self.eol,
                end => end,
            });
        }
        text
    }

    /// Lines with their endings.
    pub fn pairs(&self) -> impl Iterator<Item = (&'t str, &'static str)> + '_ {
        self.lines.iter().copied().zip(self.ends.iter().copied())
    }
}
