//! The word that was meant.

/// The nearest of the words, where one is near enough to be meant.
pub fn nearest<'a>(written: &str, words: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if written.len() > 200 {
        return None;
    }
    words
        .into_iter()
        .filter(|word| !word.is_empty())
        .map(|word| (strsim::damerau_levenshtein(written, word), word))
        .filter(|(distance, word)| *distance <= word.len().max(written.len()).max(3) / 3)
        // Nothing in common is nothing meant.
        .filter(|(distance, word)| *distance < length(word).max(length(written)))
        .min_by(|a, b| a.0.cmp(&b.0).then(a.1.cmp(b.1)))
        .map(|(_, word)| word)
}

fn length(text: &str) -> usize {
    text.chars().count()
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn meant() {
        let words = [
            "x",
            "restart_on",
            "reload_on",
            "mode",
            "owner",
            "state",
            "home",
        ];
        for (written, meant) in [
            ("restart_no", Some("restart_on")),
            ("restarton", Some("restart_on")),
            ("mdoe", Some("mode")),
            ("stat", Some("state")),
            ("11", None),
            ("colour", None),
            ("doe", None),
            ("", None),
            ("q", None),
            ("é", None),
        ] {
            assert_eq!(nearest(written, words), meant, "{written}");
        }
    }
}
