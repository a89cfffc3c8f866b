//! Answers in the formats that people and programs read.
//!
//! A format is one file of this folder and one line of [`Format`].

mod bodyfile;
mod csv;
mod cut;
pub mod escape;
mod events;
mod fit;
mod json;
mod json_text;
mod jsonl;
mod page;
mod style;
mod table;
mod timesketch;

pub use cut::long_text as cell_text;

use crate::error::Error;
use ntlens_core::report::{Table, Value};
use ntlens_core::{Incomplete, OpenDump};
pub use page::write_page;
use std::io::Write;
use std::str::FromStr;

/// How an answer is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Format {
    /// For people, in a terminal.
    #[default]
    Table,
    /// One document with the rows, the layout, and what is missing.
    Json,
    /// The rows alone, one object a line.
    Jsonl,
    /// The rows with a line of headings.
    Csv,
    /// A timeline for `mactime`.
    Bodyfile,
    /// A timeline for Timesketch, one object a line.
    Timesketch,
}

impl Format {
    /// The formats of every table, by the names that users give.
    pub const ALL: [(&'static str, Self); 4] =
        [("table", Self::Table), ("json", Self::Json), ("jsonl", Self::Jsonl), ("csv", Self::Csv)];

    /// Those that only a timeline has.
    pub const OF_TIMELINE: [(&'static str, Self); 2] = [("bodyfile", Self::Bodyfile), ("timesketch", Self::Timesketch)];
}

impl FromStr for Format {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.iter().chain(&Self::OF_TIMELINE).find(|(name, _)| *name == text);
        found.map(|(_, format)| *format).ok_or_else(|| format!("no format is named {text:?}"))
    }
}

/// How a terminal wants its table.
#[derive(Clone, Copy, Debug, Default)]
pub struct Terminal {
    /// Columns of the terminal; `None` for a file or a pipe, where lines are as long as they need to be.
    pub width: Option<u16>,
    /// Whether it shows colours.
    pub color: bool,
}

/// Writes an answer; the headings of columns for which the terminal has no room.
pub fn write(
    out: &mut dyn Write,
    format: Format,
    dump: Option<&OpenDump>,
    answer: &Table,
    terminal: Terminal,
) -> Result<Vec<&'static str>, Error> {
    match format {
        Format::Table => return table::write(out, answer, terminal),
        Format::Json => json::write(out, dump, answer),
        Format::Jsonl => jsonl::write(out, answer),
        Format::Csv => csv::write(out, answer),
        Format::Bodyfile => bodyfile::write(out, answer),
        Format::Timesketch => timesketch::write(out, answer),
    }?;
    Ok(Vec::new())
}

/// A span of time in seconds, or how sure something is, as the number that programs get.
pub fn real(value: &Value) -> Option<f64> {
    match value {
        // Exact to the last decimal for more than 28 years.
        Value::Duration(_) => value.to_string().parse().ok(),
        Value::Confidence(thousandths) => Some(f64::from(*thousandths) / 1000.0),
        _ => None,
    }
}

/// One sentence about what an answer could not take into account, with the first `most` things; `None` if it is complete.
pub fn missing(incomplete: &[Incomplete], most: usize) -> Option<String> {
    if incomplete.is_empty() {
        return None;
    }
    let count = incomplete.iter().fold(0_u64, |sum, missing| sum.saturating_add(missing.count));
    let text = |missing: &Incomplete| {
        let Incomplete { what, place, count, reason, .. } = missing;
        format!("{what} at {place} ({count} x {reason})")
    };
    let texts: Vec<_> = incomplete.iter().take(most).map(text).collect();
    Some(format!("the answer is incomplete, {count} missing or wrong: {}", texts.join("; ")))
}

/// An address as it is written everywhere: `0x` and 16 digits.
struct Digits([u8; 18]);

impl Digits {
    fn of(address: u64) -> Self {
        let mut text = *b"0x0000000000000000";
        let nibbles = address.to_be_bytes().into_iter().flat_map(|byte| [byte >> 4, byte & 0xf]);
        for (place, nibble) in text.iter_mut().skip(2).zip(nibbles) {
            *place = if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 };
        }
        Self(text)
    }

    fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

/// The same as a text of its own.
fn address(value: u64) -> String {
    Digits::of(value).as_str().into()
}

/// The reasons of the cells that are missing, as `column=reason`.
fn reasons<'a>(
    answer: &'a Table,
    row: &'a [ntlens_core::report::Cell],
) -> impl Iterator<Item = (&'static str, &'static str)> + 'a {
    let cells = answer.columns.iter().zip(row);
    cells.filter_map(|(column, cell)| Some((column.name, cell.absent()?.reason())))
}

#[cfg(test)]
mod tests {
    use super::address;

    #[test]
    fn addresses_have_sixteen_digits() {
        for value in [0, 0xf, 0x1234_5678_9abc_def0, 0xffff_f801_0000_000a, u64::MAX] {
            assert_eq!(address(value), format!("{value:#018x}"));
        }
    }
}
