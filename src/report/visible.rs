//! Text from strangers, made harmless to look at.

use std::borrow::Cow;

/// The most characters of one text that are shown.
const MAX_SHOWN: usize = 2000;

/// Whether a character does something to the text around it other than standing there: control characters (which steer
/// a terminal), the marks that reorder text (Unicode Standard Annex 9), and what is not seen at all.
pub(super) fn acts(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{180e}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e0fff}')
}

/// The text with every character that steers a terminal or reorders text written as its number, `\u{1b}`, and cut after 2,000 characters.
pub fn visible(text: &str) -> Cow<'_, str> {
    if text.len() <= MAX_SHOWN && !text.chars().any(acts) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len().min(MAX_SHOWN));
    for c in text.chars().take(MAX_SHOWN) {
        if acts(c) { shown.extend(c.escape_unicode()) } else { shown.push(c) }
    }
    let left = text.chars().skip(MAX_SHOWN).count();
    if left > 0 {
        shown.extend([" [", &left.to_string(), " more characters]"]);
    }
    Cow::Owned(shown)
}

#[cfg(test)]
mod tests {
    use super::visible;

    #[test]
    fn what_acts_is_shown_as_its_number() {
        assert_eq!(visible("Réseau 中国 (AS1)"), "Réseau 中国 (AS1)");
        assert_eq!(visible("a\u{1b}[31mb\u{9b}2Jc\n"), "a\\u{1b}[31mb\\u{9b}2Jc\\u{a}");
        assert_eq!(visible("moc.\u{202e}evil\u{200b}"), "moc.\\u{202e}evil\\u{200b}");
        assert!(visible(&"x".repeat(5000)).ends_with("x [3000 more characters]"));
    }
}
