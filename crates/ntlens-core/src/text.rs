//! Text from memory: decoded losslessly where it can be, with U+FFFD where it cannot. It is hostile: what it could do to the
//! reader of an output is made visible here.

use crate::identity::PdbId;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write;

/// UTF-16, little endian. An odd last byte is left out.
pub fn utf16(bytes: &[u8]) -> String {
    let (units, _) = bytes.as_chunks::<2>();
    // Room for ASCII, which most text is.
    let mut text = String::with_capacity(units.len());
    let units = units.iter().map(|unit| u16::from_le_bytes(*unit));
    text.extend(char::decode_utf16(units).map(|decoded| decoded.unwrap_or(char::REPLACEMENT_CHARACTER)));
    text
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

/// The names of the bits of a number from the lowest on; `bit_N` for one that is set and has none.
pub fn bit_names(value: u64, names: &[&str]) -> Vec<String> {
    let name = |bit: usize| names.get(bit).map_or_else(|| format!("bit_{bit}"), |name| (*name).into());
    (0..64).filter(|bit| value >> bit & 1 == 1).map(name).collect()
}

/// A GUID as Windows writes it, in lower case and without braces: three little-endian numbers, then eight bytes.
pub fn guid(bytes: [u8; 16]) -> String {
    let guid = PdbId::from_file_order(bytes, 0).guid;
    let part = |from: u32, bits: u32| guid >> from & ((1 << bits) - 1);
    format!("{:08x}-{:04x}-{:04x}-{:04x}-{:012x}", part(96, 32), part(80, 16), part(64, 16), part(48, 16), part(0, 48))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_steers_is_shown() {
        assert_eq!(visible("a\x1b[31mb\r\nc\u{202e}d"), "a\\u{1b}[31mb\\u{d}\\u{a}c\\u{202e}d");
        assert_eq!(visible("żółw 日本.exe"), "żółw 日本.exe");
    }

    #[test]
    fn guids_and_bits_have_names() {
        let bytes = [0x33, 0x22, 0x11, 0, 0x55, 0x44, 0x77, 0x66, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff];
        assert_eq!(guid(bytes), "00112233-4455-6677-8899-aabbccddeeff");
        assert_eq!(bit_names(0b1011, &["a", "b"]), ["a", "b", "bit_3"]);
        assert_eq!(bit_names(1 << 63, &[]), ["bit_63"]);
    }

    #[test]
    fn text_is_decoded_as_far_as_it_goes() {
        assert_eq!(utf16(b"a\0\xac\x20\x00\xd8b"), "a\u{20ac}\u{fffd}");
        assert_eq!(utf16_until_nul(b"a\0\0\0b\0"), "a");
        assert_eq!(utf16_until_nul(b"a\0b\0"), "ab");
        assert_eq!(ascii_until_nul(b"ls\xe9ss\0junk"), "ls\u{fffd}ss");
    }

    proptest! {
        #[test]
        fn what_is_made_visible_stays_as_it_is(text: String) {
            let shown = visible(&text);
            prop_assert!(is_visible(&shown));
            prop_assert_eq!(&visible(&shown), &shown);
            prop_assert_eq!(is_visible(&text), shown == text);
        }

        #[test]
        fn utf_16_is_decoded_whole_and_any_bytes_give_text(text: String, bytes: Vec<u8>) {
            let encoded: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
            prop_assert_eq!(utf16(&encoded), text);
            prop_assert!(utf16(&bytes).encode_utf16().count() <= bytes.len() / 2);
            let cut = utf16_until_nul(&bytes);
            prop_assert!(!cut.contains('\0') && utf16(&bytes).starts_with(&cut));
            prop_assert!(ascii_until_nul(&bytes).chars().count() <= bytes.len());
        }
    }
}
