//! What other people wrote, made safe to show: a terminal obeys control characters, and bidirectional and invisible ones
//! make a line look like another.

/// What the lines after the first begin with, so that none looks like a line of the program's own.
const INDENT: &str = "      | ";

/// A text of several lines.
pub(crate) fn shown(text: &str) -> String {
    text.split('\n').map(in_line).collect::<Vec<_>>().join(&format!("\n{INDENT}"))
}

/// A name, or what else belongs into one line.
pub(crate) fn in_line(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() || is_format(character) {
            shown.extend(character.escape_unicode());
        } else {
            shown.push(character);
        }
    }
    shown
}

/// Unicode's format characters (general category Cf), line and paragraph separators, and what looks like nothing at all.
const fn is_format(character: char) -> bool {
    matches!(
        character,
        '\u{ad}'
            | '\u{34f}'
            | '\u{600}'..='\u{605}'
            | '\u{61c}'
            | '\u{6dd}'
            | '\u{70f}'
            | '\u{890}'..='\u{891}'
            | '\u{8e2}'
            | '\u{115f}'..='\u{1160}'
            | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{2800}'
            | '\u{3164}'
            | '\u{feff}'
            | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}'
            | '\u{110bd}'
            | '\u{110cd}'
            | '\u{13430}'..='\u{1343f}'
            | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_reaches_the_terminal_that_it_would_obey() {
        let evil = "\u{1b}[2J\u{1b}]0;title\u{7}\rfrom: \u{202e}nnA\u{2066}\u{9b}31m\u{200b}\u{2028}\u{e0041}\t\0";
        let shown = shown(evil);
        assert!(shown.chars().all(|character| !character.is_control() && !is_format(character)), "{shown:?}");
        assert!(shown.starts_with("\\u{1b}[2J"), "{shown}");
    }

    #[test]
    fn no_line_of_a_text_looks_like_one_of_the_program() {
        let forged = "Hello\n   9  2026-01-01 00:00:00 UTC  Ann (clinician of north): yes\r\nand more";
        let shown = shown(forged);
        assert_eq!(shown.lines().count(), 3);
        assert!(shown.lines().skip(1).all(|line| line.starts_with(INDENT)), "{shown}");
        assert_eq!(in_line("Ann\nBea").lines().count(), 1);
    }

    #[test]
    fn what_people_write_in_any_script_stays_as_it_is() {
        for text in ["Zoë Müller", "नमस्ते", "שלום", "مرحبا", "日本語", "❤️ 👍🏽", "a  b\\u{1b}"]
        {
            assert_eq!(shown(text), text);
        }
    }
}
