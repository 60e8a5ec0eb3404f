//! The word that was probably meant.

/// The candidate that is nearest to what was written, where one is near enough to be what was meant.
///
/// Near is an edit distance (Damerau and Levenshtein, with transpositions) of at most a third of the word, or a word that
/// differs in case alone. Of candidates equally near, the first of the alphabet.
pub fn did_you_mean<'a>(wrong: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // Beyond this length nothing is a slip of the pen, and distance is quadratic.
    const LONGEST: usize = 64;
    if wrong.len() > LONGEST {
        return None;
    }
    let folded = wrong.to_lowercase().replace('_', "-");
    let allowed = (folded.chars().count() / 3).max(1);
    candidates
        .into_iter()
        .filter(|candidate| candidate.len() <= LONGEST)
        .map(|candidate| (strsim::osa_distance(&folded, &candidate.to_lowercase()), candidate))
        .filter(|(distance, _)| *distance <= allowed)
        .min()
        .map(|(_, candidate)| candidate)
}

/// What a user wrote, in backticks: control characters escaped and long texts cut, so that a terminal shows it as text.
pub fn quoted(text: &str) -> String {
    const LONGEST: usize = 80;
    let mut out = String::from("`");
    for (count, letter) in text.chars().enumerate() {
        if count == LONGEST {
            out.push('…');
            break;
        }
        if letter.is_control() || ('\u{200b}'..='\u{200f}').contains(&letter) || is_bidi_control(letter) {
            out.extend(letter.escape_unicode());
        } else {
            out.push(letter);
        }
    }
    out.push('`');
    out
}

/// Characters that reorder the text around them (Unicode Standard Annex 9).
fn is_bidi_control(letter: char) -> bool {
    matches!(letter, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_words_are_found_and_far_ones_are_not() {
        let words = ["permit", "forbid", "movement"];
        assert_eq!(did_you_mean("forbide", words), Some("forbid"));
        assert_eq!(did_you_mean("Permit", words), Some("permit"));
        assert_eq!(did_you_mean("mvoement", words), Some("movement"));
        assert_eq!(did_you_mean("allow", words), None);
        assert_eq!(did_you_mean(&"x".repeat(1000), words), None);
    }

    #[test]
    fn quotes_are_harmless() {
        assert_eq!(quoted("a\u{1b}[31mb"), "`a\\u{1b}[31mb`");
        assert_eq!(quoted(&"x".repeat(100)).chars().count(), 83);
    }
}
