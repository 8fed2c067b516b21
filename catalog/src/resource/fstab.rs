//! /etc/fstab: the lines of one mount point, read and written, and all else kept as it is.

use crate::path::AbsPath;
use serde::{Deserialize, Serialize};
use std::fmt::Write as _;

/// The table of file systems.
pub const FSTAB: &str = "/etc/fstab";

/// What a line says of its mount point.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Entry {
    /// What is mounted: a device, `UUID=…`, a folder for `bind`, `host:/path`, or a name that means nothing.
    pub device: String,
    /// Its type.
    pub fstype: String,
    /// Between commas.
    pub options: String,
    /// Whether dump looks at it.
    pub dump: u32,
    /// When it is checked at boot; 0: never.
    pub pass: u32,
}

/// How a table has the line of a mount point: whoever brings it back does so byte for byte.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Place {
    /// The line, with what ends it.
    text: String,
    /// How many lines stand before it.
    at: usize,
}

/// The first line of a mount point, as it stands.
pub fn place(table: &str, point: &AbsPath) -> Option<Place> {
    let mut lines = table.split_inclusive('\n').enumerate();
    let (at, text) = lines.find(|(_, line)| is_of(line, point))?;
    let text = text.to_owned();
    Some(Place { text, at })
}

/// The table with the line of a mount point as it was: in the place of the one that stands there now, else where it stood.
pub fn back(table: &str, point: &AbsPath, former: &Place) -> String {
    let at = place(table, point).map_or(former.at, |now| now.at);
    let bare = with(table, point, None);
    let mut lines: Vec<&str> = bare.split_inclusive('\n').collect();
    lines.insert(at.min(lines.len()), &former.text);
    let last = lines.len() - 1;
    let mut new = String::with_capacity(table.len());
    for (number, line) in lines.into_iter().enumerate() {
        new.push_str(line);
        if number < last && !line.ends_with('\n') {
            new.push('\n');
        }
    }
    new
}

/// All that a table says of a mount point. Where it is told twice, both.
pub fn entries(table: &str, point: &AbsPath) -> Vec<Entry> {
    let lines = table.split('\n').filter(|line| is_of(line, point));
    lines.map(entry).collect()
}

/// The table with this as its only line of a mount point, where one stood or at its end; or without any.
pub fn with(table: &str, point: &AbsPath, wanted: Option<&Entry>) -> String {
    let mut new = String::with_capacity(table.len());
    let mut due = wanted;
    for line in table.split_inclusive('\n') {
        if !is_of(line, point) {
            new.push_str(line);
        } else if let Some(entry) = due.take() {
            add(&mut new, point, entry);
        }
    }
    if let Some(entry) = due {
        if !new.is_empty() && !new.ends_with('\n') {
            new.push('\n');
        }
        add(&mut new, point, entry);
    }
    new
}

/// The table without the line that was added to one whose last line had no end, and has none again.
pub fn without(table: &str, point: &AbsPath) -> String {
    let last = table.split_inclusive('\n').next_back();
    let mut new = with(table, point, None);
    if last.is_some_and(|line| is_of(line, point)) && new.ends_with('\n') {
        new.pop();
    }
    new
}

/// The fields of a line: only blanks and tabs part them, as mount has it. Any other space is part of a name.
fn fields(line: &str) -> impl Iterator<Item = &str> {
    let line = line.strip_suffix('\n').unwrap_or(line);
    line.split([' ', '\t']).filter(|field| !field.is_empty())
}

fn is_of(line: &str, point: &AbsPath) -> bool {
    let mut fields = fields(line);
    let comment = fields.next().is_none_or(|first| first.starts_with('#'));
    let path = fields.next().and_then(|field| plain(field).parse().ok());
    !comment && path.is_some_and(|path: AbsPath| path == *point)
}

fn entry(line: &str) -> Entry {
    let mut fields = fields(line);
    let mut text = |usual: &str| fields.next().map_or(usual.to_owned(), plain);
    let device = text("");
    text("");
    let (fstype, options) = (text("auto"), text("defaults"));
    let mut number = || text("0").parse().unwrap_or(0);
    Entry {
        device,
        fstype,
        options,
        dump: number(),
        pass: number(),
    }
}

fn add(table: &mut String, point: &AbsPath, entry: &Entry) {
    let fields = [&entry.device, point.as_str(), &entry.fstype, &entry.options];
    for field in fields {
        table.push_str(&escaped(field));
        table.push('\t');
    }
    // A String takes all that is written to it.
    let _never = writeln!(table, "{}\t{}", entry.dump, entry.pass);
}

/// A field as a table has it: what would end it, and a backslash, by their octal numbers.
fn escaped(field: &str) -> String {
    let mut text = String::with_capacity(field.len());
    for c in field.chars() {
        match c {
            ' ' | '\t' | '\n' | '\\' | '#' => {
                let _never = write!(text, "\\{:03o}", u32::from(c));
            }
            other => text.push(other),
        }
    }
    text
}

/// What a field of this table, or of the kernel's, means.
pub fn plain(field: &str) -> String {
    String::from_utf8_lossy(&plain_bytes(field.as_bytes())).into_owned()
}

/// The same of a field that need not be UTF-8.
pub fn plain_bytes(field: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field;
    while let [first, tail @ ..] = rest {
        let octal = tail.get(..3).filter(|_| *first == b'\\');
        let number = octal
            .and_then(|octal| std::str::from_utf8(octal).ok())
            .and_then(|octal| u8::from_str_radix(octal, 8).ok());
        match number {
            Some(byte) => {
                bytes.push(byte);
                rest = &tail[3..];
            }
            None => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "\
# /etc/fstab: static file system information.
UUID=1234 / ext4 errors=remount-ro 0 1

  /dev/sdb1\t/srv/my\\040data   xfs\tnoatime
#/dev/sdc1 /srv/data xfs
/swap none swap sw 0 0
tmpfs /srv/data/ tmpfs size=1m,mode=0700 0 0";

    fn point(text: &str) -> AbsPath {
        text.parse().unwrap()
    }

    fn of(device: &str, fstype: &str, options: &str) -> Entry {
        Entry {
            device: device.into(),
            fstype: fstype.into(),
            options: options.into(),
            dump: 0,
            pass: 0,
        }
    }

    #[test]
    fn lines_of_a_mount_point() {
        let of_data = entries(TABLE, &point("/srv/data"));
        assert_eq!(of_data, [of("tmpfs", "tmpfs", "size=1m,mode=0700")]);
        let spaced = entries(TABLE, &point("/srv/my data"));
        assert_eq!(spaced, [of("/dev/sdb1", "xfs", "noatime")]);
        let root = Entry {
            pass: 1,
            ..of("UUID=1234", "ext4", "errors=remount-ro")
        };
        assert_eq!(entries(TABLE, &point("/")), [root]);
        for none in ["/srv", "/swap", "/none"] {
            assert_eq!(entries(TABLE, &point(none)), []);
        }
    }

    #[test]
    fn only_the_line_meant_changes() {
        let new = of("/dev/my disk#1", "ext4", "defaults");
        let at = point("/srv/my data");
        let line = "/dev/my\\040disk\\0431\t/srv/my\\040data\text4\tdefaults\t0\t0\n";
        let old = "  /dev/sdb1\t/srv/my\\040data   xfs\tnoatime\n";
        let changed = with(TABLE, &at, Some(&new));
        assert_eq!(changed, TABLE.replace(old, line));
        assert_eq!(entries(&changed, &at), std::slice::from_ref(&new));
        assert_eq!(with(TABLE, &at, None), TABLE.replace(old, ""));
        let other = point("/opt");
        let added = with(TABLE, &other, Some(&new));
        let line = line.replace("/srv/my\\040data", "/opt");
        assert_eq!(added, format!("{TABLE}\n{line}"));
        assert_eq!(with(&added, &other, None), format!("{TABLE}\n"));
        assert_eq!(with("", &other, Some(&new)), line);
        assert_eq!(with(TABLE, &other, None), TABLE);
    }

    #[test]
    fn a_line_comes_back_as_it_was() {
        let new = of("/dev/other", "ext4", "defaults");
        for at in ["/srv/my data", "/srv/data", "/"] {
            let at = point(at);
            let former = place(TABLE, &at).unwrap();
            let changed = with(TABLE, &at, Some(&new));
            assert_eq!(back(&changed, &at, &former), TABLE);
            assert_eq!(back(&with(TABLE, &at, None), &at, &former), TABLE);
        }
        assert_eq!(place(TABLE, &point("/opt")), None);
    }

    #[test]
    fn only_blanks_and_tabs_part_fields() {
        let table = "x /a\u{a0}b ext4 ro\n\u{2003}y /a ext4\nz\t \t/c\n";
        assert_eq!(
            entries(table, &point("/a")),
            [of("\u{2003}y", "ext4", "defaults")]
        );
        let spaced = point("/a\u{a0}b");
        assert_eq!(entries(table, &spaced), [of("x", "ext4", "ro")]);
        assert_eq!(entries(table, &point("/c")), [of("z", "auto", "defaults")]);
        let without = "\u{2003}y /a ext4\nz\t \t/c\n";
        assert_eq!(with(table, &spaced, None), without);
        let two = "\u{2003}y /a ext4\n";
        assert_eq!(with(without, &point("/c"), None), two);
    }

    #[test]
    fn a_line_that_is_there_twice_becomes_one() {
        let at = point("/a");
        let twice = "x /a ext4\ny /b ext4\nz /a ext4\n";
        assert_eq!(entries(twice, &at).len(), 2);
        assert_eq!(with(twice, &at, None), "y /b ext4\n");
        let new = of("n", "xfs", "ro");
        assert_eq!(
            with(twice, &at, Some(&new)),
            "n\t/a\txfs\tro\t0\t0\ny /b ext4\n"
        );
    }
}
