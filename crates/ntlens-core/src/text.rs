//! Text from memory: decoded losslessly where it can be, with U+FFFD where it cannot. It is hostile: what it could do to the
//! reader of an output is made visible here.

use alloc::string::String;
use core::fmt::Write;

/// UTF-16, little endian. An odd last byte is left out.
pub fn utf16(bytes: &[u8]) -> String {
    let (units, _) = bytes.as_chunks::<2>();
    let units = units.iter().map(|unit| u16::from_le_bytes(*unit));
    char::decode_utf16(units).map(|decoded| decoded.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
}

/// UTF-16, little endian, up to the first NUL.
pub fn utf16_until_nul(bytes: &[u8]) -> String {
    let (units, _) = bytes.as_chunks::<2>();
    let end = units.iter().position(|unit| *unit == [0, 0]).unwrap_or(units.len());
    utf16(bytes.get(..end * 2).unwrap_or_default())
}

/// One byte a character up to the first NUL: ASCII, with U+FFFD for bytes above, whose code page is not known.
pub fn ascii_until_nul(bytes: &[u8]) -> String {
    let text = bytes.iter().take_while(|byte| **byte != 0);
    text.map(|byte| if byte.is_ascii() { char::from(*byte) } else { char::REPLACEMENT_CHARACTER }).collect()
}

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

/// Whether [`visible`] leaves a text as it is.
pub fn is_visible(text: &str) -> bool {
    // Most text is of printable ASCII, which is seen at once where nothing stops at the first byte that is not.
    let printable = text.bytes().fold(true, |printable, byte| printable & (b' '..=b'~').contains(&byte));
    printable || !text.contains(steers)
}

/// Whether a character has an effect instead of a shape.
fn steers(char: char) -> bool {
    char.is_control()
        || matches!(char,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_steers_is_shown() {
        assert_eq!(visible("a\x1b[31mb\r\nc\u{202e}d"), "a\\u{1b}[31mb\\u{d}\\u{a}c\\u{202e}d");
        assert_eq!(visible("żółw 日本.exe"), "żółw 日本.exe");
    }

    #[test]
    fn text_is_decoded_as_far_as_it_goes() {
        assert_eq!(utf16(b"a\0\xac\x20\x00\xd8b"), "a\u{20ac}\u{fffd}");
        assert_eq!(utf16_until_nul(b"a\0\0\0b\0"), "a");
        assert_eq!(utf16_until_nul(b"a\0b\0"), "ab");
        assert_eq!(ascii_until_nul(b"ls\xe9ss\0junk"), "ls\u{fffd}ss");
    }
}
