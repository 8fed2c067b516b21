//! Unified diffs of text, bounded in work and in size.

use similar::TextDiff;

/// Where a diff is cut, the mark included.
pub const LIMIT: usize = 64 * 1024;

/// What stands at the end of a diff that was cut.
pub const MARK: &str = "… cut at 64 KiB\n";

/// More lines than this that differ are shown as one replacement: finding the least difference is quadratic.
const LINES: usize = 20_000;

/// The unified diff from one text to another, without file names; none where one is no text or nothing differs.
pub fn unified(before: &[u8], after: &[u8]) -> Option<String> {
    let (before, after) = (text(before)?, text(after)?);
    if before == after {
        return None;
    }
    let lines = before.lines().count() + after.lines().count();
    let whole = if lines > LINES {
        replacement(before, after)
    } else {
        TextDiff::from_lines(before, after)
            .unified_diff()
            .context_radius(3)
            .to_string()
    };
    Some(cut(whole))
}

fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes)
        .ok()
        .filter(|text| !text.contains('\0'))
}

/// All of the old lines, then all of the new ones.
fn replacement(before: &str, after: &str) -> String {
    let mut whole = format!(
        "@@ -1,{} +1,{} @@\n",
        before.lines().count(),
        after.lines().count()
    );
    for (sign, text) in [('-', before), ('+', after)] {
        for line in text.split_inclusive('\n') {
            // More than this is cut anyway; of each side at least the beginning is seen.
            if sign == '-' && whole.len() > LIMIT / 2 {
                break;
            }
            if whole.len() > LIMIT {
                break;
            }
            whole.push(sign);
            whole.push_str(line);
            if !line.ends_with('\n') {
                whole.push('\n');
            }
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
        let before: String = (0..40_000).map(|n| format!("{n}\n")).collect();
        let after: String = (0..40_000)
            .map(|n| format!("{}\n", n * 7919 % 40_000))
            .collect();
        let diff = unified(before.as_bytes(), after.as_bytes()).unwrap();
        assert!(diff.contains("\n+0\n"));
    }
}
