//! Unified diffs of text, bounded in work and in size.

use similar::algorithms::{Capture, Compact, Replace, myers};
use similar::udiff::UnifiedHunkHeader;
use similar::{DiffTag, group_diff_ops};
use std::collections::BTreeMap;

/// Where a diff is cut, in bytes, the mark included.
pub const LIMIT: usize = 64 * 1024;

/// What stands at the end of a diff that was cut.
pub const MARK: &str = "… cut at 64 KiB\n";

/// More lines than this that may differ are shown as one replacement: to find the least difference is quadratic.
const LINES: usize = 6_000;

/// Lines around a difference.
const CONTEXT: usize = 3;

/// The unified diff from one text to another, without file names; none where one is no text or nothing differs.
pub fn unified(before: &[u8], after: &[u8]) -> Option<String> {
    let (before, after) = (text(before)?, text(after)?);
    if before == after {
        return None;
    }
    let old: Vec<&str> = before.split_inclusive('\n').collect();
    let new: Vec<&str> = after.split_inclusive('\n').collect();
    let same = |(a, b): &(&&str, &&str)| a == b;
    let head = old.iter().zip(&new).take_while(same).count();
    let tails = old[head..].iter().rev().zip(new[head..].iter().rev());
    let tail = tails.take_while(same).count();
    let differ = old.len() + new.len() - 2 * (head + tail);
    Some(cut(if differ > LINES {
        replacement(&old, &new, head, tail)
    } else {
        least(&old, &new)
    }))
}

/// The least difference, in hunks.
fn least(old: &[&str], new: &[&str]) -> String {
    // Numbers for lines: equal ones have the same.
    let mut known = BTreeMap::new();
    let mut number = |line: &&str| -> usize {
        let next = known.len();
        *known.entry(line.to_string()).or_insert(next)
    };
    let before: Vec<usize> = old.iter().map(&mut number).collect();
    let after: Vec<usize> = new.iter().map(&mut number).collect();
    let (before, after) = (before.as_slice(), after.as_slice());
    let mut hook = Compact::new(Replace::new(Capture::new()), before, after);
    let Ok(()) = myers::diff(&mut hook, before, 0..before.len(), after, 0..after.len());
    let ops = hook.into_inner().into_inner().into_ops();
    let mut whole = String::new();
    for hunk in group_diff_ops(ops, CONTEXT) {
        whole.push_str(&UnifiedHunkHeader::new(&hunk).to_string());
        whole.push('\n');
        for op in &hunk {
            let signs: &[_] = match op.tag() {
                DiffTag::Equal => &[(' ', &old[op.old_range()])],
                _ => &[('-', &old[op.old_range()]), ('+', &new[op.new_range()])],
            };
            for (sign, lines) in signs {
                lines.iter().for_each(|line| push(&mut whole, *sign, line));
            }
        }
    }
    whole
}

fn push(whole: &mut String, sign: char, line: &str) {
    whole.push(sign);
    whole.push_str(line);
    if !line.ends_with('\n') {
        whole.push_str("\n\\ No newline at end of file\n");
    }
}

fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes)
        .ok()
        .filter(|text| !text.contains('\0'))
}

/// All of the old lines between what is the same at the head and at the tail, then all of the new ones.
fn replacement(old: &[&str], new: &[&str], head: usize, tail: usize) -> String {
    let from = head.saturating_sub(CONTEXT);
    let till = |lines: &[&str]| lines.len() - tail.saturating_sub(CONTEXT);
    let mut whole = format!(
        "@@ -{},{} +{},{} @@\n",
        from + 1,
        till(old) - from,
        from + 1,
        till(new) - from
    );
    let kept = &old[old.len() - tail..till(old)];
    for (sign, lines) in [
        (' ', &old[from..head]),
        ('-', &old[head..old.len() - tail]),
        ('+', &new[head..new.len() - tail]),
        (' ', kept),
    ] {
        for line in lines {
            // More than this is cut anyway; of each side at least the beginning is seen.
            let room = if sign == '-' { LIMIT / 2 } else { LIMIT };
            if whole.len() > room {
                break;
            }
            push(&mut whole, sign, line);
        }
    }
    whole
}

fn cut(mut whole: String) -> String {
    if whole.len() <= LIMIT {
        return whole;
    }
    let room = LIMIT - MARK.len() - 1;
    let mut end = whole.floor_char_boundary(room);
    if let Some(newline) = whole[..end].rfind('\n') {
        // A single line that is longer than all is cut within.
        if newline > room / 2 {
            end = newline + 1;
        }
    }
    whole.truncate(end);
    if !whole.ends_with('\n') {
        whole.push('\n');
    }
    whole.push_str(MARK);
    whole
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_diff_shows_it() {
        for (before, after, wanted) in [
            ("a\n", "a\n", None),
            ("a\n", "b\n", Some("@@ -1 +1 @@\n-a\n+b\n")),
            ("", "b\n", Some("@@ -0,0 +1 @@\n+b\n")),
            ("a\n", "", Some("@@ -1 +0,0 @@\n-a\n")),
            (
                "a",
                "a\n",
                Some("@@ -1 +1 @@\n-a\n\\ No newline at end of file\n+a\n"),
            ),
        ] {
            assert_eq!(
                unified(before.as_bytes(), after.as_bytes()).as_deref(),
                wanted
            );
        }
    }

    #[test]
    fn what_is_no_text_has_no_diff() {
        assert_eq!(unified(b"a\0b", b"c"), None);
        assert_eq!(unified(b"a", b"\xff"), None);
    }

    #[test]
    fn a_long_one_is_cut_with_a_mark() {
        let long = "é0123456789\n".repeat(30_000);
        for (before, after) in [
            ("", long.as_str()),
            ("x\n", &"é".repeat(80_000)),
            (&long, &long.replace('5', "6")),
        ] {
            let diff = unified(before.as_bytes(), after.as_bytes()).unwrap();
            assert!(diff.len() <= LIMIT, "{}", diff.len());
            assert!(diff.len() > LIMIT / 2);
            assert!(diff.ends_with(MARK));
        }
    }

    #[test]
    fn many_lines_take_no_time() {
        let number = |n: usize| format!("{n}\n");
        let before: String = (0..40_000).map(number).collect();
        let after: String = (0..40_000).map(|n| number(n * 7919 % 40_000)).collect();
        let diff = unified(before.as_bytes(), after.as_bytes()).unwrap();
        assert!(diff.contains("\n+7919\n"));
        // A long file with a small difference is shown as it is.
        let after = before.replace("\n30000\n", "\nhere\n");
        assert_eq!(
            unified(before.as_bytes(), after.as_bytes()).as_deref(),
            Some(
                "@@ -29998,7 +29998,7 @@\n 29997\n 29998\n 29999\n-30000\n+here\n 30001\n 30002\n 30003\n"
            )
        );
    }

    #[test]
    fn a_replacement_says_where() {
        let lines = |n: usize| (0..n).map(|n| format!("{n}\n")).collect::<Vec<_>>();
        let (old, new) = (lines(9), lines(8));
        let old: Vec<&str> = old.iter().map(String::as_str).collect();
        let mut new: Vec<&str> = new.iter().map(String::as_str).collect();
        new.truncate(5);
        new.extend(["x\n", "7\n", "8\n"]);
        assert_eq!(
            replacement(&old, &new, 5, 2),
            "@@ -3,7 +3,6 @@\n 2\n 3\n 4\n-5\n-6\n+x\n 7\n 8\n"
        );
    }
}
