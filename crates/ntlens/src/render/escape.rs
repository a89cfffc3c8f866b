//! Text from a dump is hostile: what it could do to the reader of an output is made visible here.

use std::fmt::Write;

/// Makes control characters, bidirectional overrides and other invisible steering visible as `\u{..}`: what remains cannot
/// move a cursor, break a line or show text in another order than it is stored.
pub fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for char in text.chars() {
        if steers(char) {
            // Writing to a string does not fail.
            let _ = write!(shown, "\\u{{{:x}}}", u32::from(char));
        } else {
            shown.push(char);
        }
    }
    shown
}

/// Whether a character has an effect instead of a shape.
fn steers(char: char) -> bool {
    char.is_control()
        || matches!(char,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// Like [`visible`], and so that no spreadsheet takes the cell for a formula.
pub fn spreadsheet(text: &str) -> String {
    let shown = visible(text);
    if shown.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{shown}") } else { shown }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_steers_is_shown() {
        assert_eq!(visible("a\x1b[31mb\r\nc\u{202e}d"), "a\\u{1b}[31mb\\u{d}\\u{a}c\\u{202e}d");
        assert_eq!(visible("żółw 日本.exe"), "żółw 日本.exe");
        assert_eq!(spreadsheet("=cmd|' /c calc'!A0"), "'=cmd|' /c calc'!A0");
        assert_eq!(spreadsheet("svchost.exe"), "svchost.exe");
    }

    proptest! {
        #[test]
        fn no_text_steers_a_terminal_or_starts_a_formula(text: String) {
            let cell = spreadsheet(&text);
            prop_assert!(!cell.chars().any(steers));
            prop_assert!(!cell.starts_with(['=', '+', '-', '@']));
        }
    }
}
