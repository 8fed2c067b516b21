//! Debian versions, put in order as dpkg does: deb-version(7).

use std::cmp::Ordering;

/// By dpkg's rules. What is empty is older than any version.
pub fn compare(a: &str, b: &str) -> Ordering {
    let (one, other) = (Version::of(a), Version::of(b));
    let filled = (!a.is_empty()).cmp(&!b.is_empty());
    filled
        .then_with(|| part(one.epoch, other.epoch))
        .then_with(|| part(one.upstream, other.upstream))
        .then_with(|| part(one.revision, other.revision))
}

/// `epoch:upstream-revision`; an epoch or a revision that is not written counts as 0.
struct Version<'a> {
    epoch: &'a str,
    upstream: &'a str,
    revision: &'a str,
}

impl<'a> Version<'a> {
    fn of(text: &'a str) -> Self {
        let (epoch, rest) = text.split_once(':').unwrap_or(("", text));
        let (upstream, revision) = rest.rsplit_once('-').unwrap_or((rest, ""));
        Self {
            epoch,
            upstream,
            revision,
        }
    }
}

/// Text that is no number and numbers by turns, from the left.
fn part(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a, b);
    while !(a.is_empty() && b.is_empty()) {
        let (words, numbers) = (
            (word(&mut a), word(&mut b)),
            (number(&mut a), number(&mut b)),
        );
        let order = of_words(words.0, words.1).then_with(|| of_numbers(numbers.0, numbers.1));
        if order.is_ne() {
            return order;
        }
    }
    Ordering::Equal
}

/// Takes what comes before the next digit.
fn word<'a>(text: &mut &'a str) -> &'a str {
    take(text, |byte| !byte.is_ascii_digit())
}

/// Takes the digits that come next, without the zeros that they begin with.
fn number<'a>(text: &mut &'a str) -> &'a str {
    take(text, |byte| byte.is_ascii_digit()).trim_start_matches('0')
}

fn take<'a>(text: &mut &'a str, belongs: impl Fn(u8) -> bool) -> &'a str {
    let end = text.bytes().position(|byte| !belongs(byte));
    let (taken, rest) = text.split_at(end.unwrap_or(text.len()));
    *text = rest;
    taken
}

/// Numbers of any length.
fn of_numbers(a: &str, b: &str) -> Ordering {
    a.len().cmp(&b.len()).then_with(|| a.cmp(b))
}

/// `~` is before the end of a word, letters come after it, and all else after letters.
fn of_words(a: &str, b: &str) -> Ordering {
    let weights = |text: &'_ str| text.bytes().map(weight).chain([END]).collect::<Vec<u16>>();
    weights(a).cmp(&weights(b))
}

/// The end of a word.
const END: u16 = 1;

fn weight(byte: u8) -> u16 {
    match byte {
        b'~' => 0,
        letter if letter.is_ascii_alphabetic() => u16::from(letter),
        other => u16::from(other) + 256,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each before the next; `agent/tests/versions.rs` asks dpkg itself.
    const RISING: &[&str] = &[
        "",
        "~~",
        "~~a",
        "~",
        "0~",
        "0",
        "0+a",
        "00.0.1",
        "1~rc1",
        "1",
        "1-1",
        "1-1+b1",
        "1-1.1",
        "1a",
        "1a-1",
        "1+",
        "1.0~",
        "1.0-1",
        "1.1",
        "1.9",
        "1.10",
        "1.10-0.1",
        "1:0",
        "1:1.9-1~bpo1",
        "1:1.9-1",
        "2:0.1",
        "10:0",
    ];

    #[test]
    fn as_dpkg_orders_them() {
        for (at, a) in RISING.iter().enumerate() {
            for (other, b) in RISING.iter().enumerate() {
                assert_eq!(compare(a, b), at.cmp(&other), "{a} {b}");
            }
        }
    }

    #[test]
    fn what_is_not_written_counts_as_zero() {
        for (a, b) in [
            ("1", "0:1"),
            ("1", "1-0"),
            ("1", "01-00"),
            ("1.0", "1.00"),
            ("1.", "1.0"),
            ("00001:1", "1:1"),
        ] {
            assert_eq!(compare(a, b), Ordering::Equal, "{a} {b}");
        }
        let long = |end: &str| format!("{}{end}", "9".repeat(40));
        assert_eq!(compare(&long("1"), &long("2")), Ordering::Less);
    }
}
