//! An empty table goes with the blank line that was made before it, but with nothing that a person wrote.

/// The text without the table, where nothing but that is in what went: `bare` is `text` without a part of it.
pub(super) fn without(text: &str, bare: &str) -> Option<String> {
    let alike = |(one, other): &(char, char)| one == other;
    let head: usize = text
        .chars()
        .zip(bare.chars())
        .take_while(alike)
        .map(|(one, _)| one.len_utf8())
        .sum();
    let end = head + text.len().checked_sub(bare.len())?;
    if text.get(head..end)?.contains(['#', ';']) {
        return None;
    }
    let blank = ["\r\n\r\n", "\n\n"]
        .into_iter()
        .find(|end| bare.ends_with(end));
    let blank = blank.filter(|_| bare[head..].trim().is_empty());
    Some(bare[..bare.len() - blank.map_or(0, |blank| blank.len() / 2)].to_owned())
}
