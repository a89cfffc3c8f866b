//! Colours of a terminal's table: few, and never all that tells something.

use ntlens_core::report::{Cell, Value};

/// The parameters of a "select graphic rendition" sequence (ECMA-48, 8.3.117).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Style(&'static str);

/// Above the columns.
pub(super) const HEADING: Style = Style("1");
/// Names beside the values of a record.
pub(super) const NAME: Style = Style("2");
/// Rows that are there for others.
pub(super) const CONTEXT: Style = Style("2");
const NOTHING: Style = Style("2");
const PROTECTED: Style = Style("32");

/// How a cell looks.
pub(super) fn style_of(column: &str, cell: &Cell) -> Option<Style> {
    match cell {
        Cell::Null | Cell::Absent(_) => Some(NOTHING),
        Cell::Value(Value::Text(text)) if column == "protection" && text != "None" => Some(PROTECTED),
        Cell::Value(_) => None,
    }
}

/// Whether there are colours.
#[derive(Clone, Copy, Debug)]
pub(super) struct Paint(pub(super) bool);

impl Paint {
    /// Adds a text in a style.
    pub(super) fn push(self, out: &mut String, text: &str, style: Option<Style>) {
        match style.filter(|_| self.0) {
            Some(Style(code)) => out.extend(["\x1b[", code, "m", text, "\x1b[0m"]),
            None => out.push_str(text),
        }
    }
}
