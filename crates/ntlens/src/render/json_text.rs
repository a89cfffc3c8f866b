//! JSON whose text steers no terminal: what [`visible`](super::escape::visible) shows otherwise is written as `\uXXXX`, which
//! every reader of JSON takes for the character itself.

use super::escape::is_visible;
use serde::Serialize;
use serde_json::Serializer;
use serde_json::ser::{CompactFormatter, Formatter, PrettyFormatter};
use std::io::{self, Write};

/// Writes a value on one line.
pub(super) fn compact(out: &mut (impl Write + ?Sized), value: &impl Serialize) -> io::Result<()> {
    Ok(value.serialize(&mut Serializer::with_formatter(out, Escaping(CompactFormatter)))?)
}

/// Writes a value for people: a line for each entry.
pub(super) fn pretty(out: &mut (impl Write + ?Sized), value: &impl Serialize) -> io::Result<()> {
    Ok(value.serialize(&mut Serializer::with_formatter(out, Escaping(PrettyFormatter::new())))?)
}

/// A form of JSON with more escapes.
struct Escaping<F>(F);

/// Methods that the form itself knows.
macro_rules! as_the_form {
    ($($method:ident($($first:ident: bool)?);)+) => {$(
        fn $method<W: ?Sized + Write>(&mut self, out: &mut W $(, $first: bool)?) -> io::Result<()> {
            self.0.$method(out $(, $first)?)
        }
    )+};
}

impl<F: Formatter> Formatter for Escaping<F> {
    as_the_form! {
        begin_array();
        end_array();
        begin_array_value(first: bool);
        end_array_value();
        begin_object();
        end_object();
        begin_object_key(first: bool);
        end_object_key();
        begin_object_value();
        end_object_value();
    }

    fn write_string_fragment<W: ?Sized + Write>(&mut self, out: &mut W, fragment: &str) -> io::Result<()> {
        if is_visible(fragment) {
            return out.write_all(fragment.as_bytes());
        }
        for char in fragment.chars() {
            let mut bytes = [0; 4];
            let shown: &str = char.encode_utf8(&mut bytes);
            if is_visible(shown) {
                out.write_all(shown.as_bytes())?;
            } else {
                for unit in char.encode_utf16(&mut [0; 2]) {
                    write!(out, "\\u{unit:04x}")?;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text(write: impl FnOnce(&mut Vec<u8>) -> io::Result<()>) -> String {
        let mut out = Vec::new();
        write(&mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn what_steers_is_escaped() {
        assert_eq!(
            text(|out| compact(out, &"a\u{202e}b\u{9b}31m\u{e0041}\u{7f}")),
            r#""a\u202eb\u009b31m\udb40\udc41\u007f""#
        );
        assert_eq!(text(|out| compact(out, &["é", "трасса", "\n"])), r#"["é","трасса","\n"]"#);
    }

    proptest! {
        #[test]
        fn the_text_is_the_same_and_visible(value: String, list: Vec<String>) {
            for written in [text(|out| compact(out, &(&value, &list))), text(|out| pretty(out, &(&value, &list)))] {
                prop_assert!(written.lines().all(is_visible), "{}", written);
                prop_assert_eq!(serde_json::from_str::<(String, Vec<String>)>(&written).unwrap(), (value.clone(), list.clone()));
            }
            prop_assert_eq!(text(|out| compact(out, &"plain")), serde_json::to_string("plain").unwrap());
            prop_assert_eq!(text(|out| pretty(out, &[1, 2])), serde_json::to_string_pretty(&[1, 2]).unwrap());
        }
    }
}
