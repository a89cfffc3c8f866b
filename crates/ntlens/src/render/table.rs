//! `table`: for people.

use super::escape::is_visible;
use super::{Digits, Terminal, confidence, escape, seconds};
use crate::error::Error;
use ntlens_core::report::{Cell, Heading, Kind, Screen, Table, Value};
use std::io::Write;
use unicode_width::UnicodeWidthStr;

/// A column that is shown: its place in the rows.
struct Shown<'a> {
    index: usize,
    heading: &'a str,
    /// Numbers stand at the right.
    right: bool,
    /// Columns of the terminal that its widest cell takes.
    width: usize,
    /// Whether no row says anything in it.
    silent: bool,
}

/// Writes the table; the headings of columns for which the terminal has no room.
pub(super) fn write(out: &mut dyn Write, answer: &Table, terminal: Terminal) -> Result<Vec<&'static str>, Error> {
    let find = |screen: &'static Screen| {
        let index = answer.columns.iter().position(|column| column.name == screen.column)?;
        Some((index, answer.columns.get(index)?, screen))
    };
    let columns: Vec<_> = answer.screen.iter().filter_map(find).collect();
    if answer.record {
        record(out, answer, &columns)?;
        return Ok(Vec::new());
    }
    let mut shown: Vec<_> =
        columns.iter().map(|(index, column, screen)| measure(answer, *index, column, screen)).collect();
    let mut hidden = Vec::new();
    if let Some(width) = terminal.width {
        while shown.len() > ALWAYS && width_of(&shown) > usize::from(width) {
            hidden.push(shown.remove(least(&shown)).heading);
        }
    }
    let mut lines = Lines::new(out);
    for column in &shown {
        lines.cell(column.heading, column.width, column.right);
    }
    lines.end()?;
    let mut text = String::new();
    for row in &answer.rows {
        for column in &shown {
            text.clear();
            push(&mut text, row.get(column.index));
            lines.cell(&text, column.width, column.right);
        }
        lines.end()?;
    }
    lines.flush()?;
    Ok(hidden)
}

/// The first columns say what a row is about, and stay.
const ALWAYS: usize = 3;
/// Spaces around each cell.
const PADDING: usize = 2;

/// How much room a column needs.
fn measure<'a>(answer: &Table, index: usize, column: &Heading, screen: &'a Screen) -> Shown<'a> {
    let mut shown = Shown {
        index,
        heading: screen.heading,
        right: column.kind == Kind::Uint,
        width: width(screen.heading),
        silent: true,
    };
    let mut text = String::new();
    for row in &answer.rows {
        let cell = row.get(index);
        // Most cells are numbers and harmless texts, which need not be written to be measured.
        let (wide, silent) = match cell.and_then(Cell::value) {
            Some(Value::Uint(number)) => (number.checked_ilog10().map_or(1, |digits| digits as usize + 1), false),
            Some(Value::Text(text)) if is_visible(text) => (width(text), matches!(text.as_str(), "" | "-")),
            _ => {
                text.clear();
                push(&mut text, cell);
                (width(&text), matches!(text.as_str(), "" | "-"))
            }
        };
        shown.width = shown.width.max(wide);
        shown.silent &= silent;
    }
    shown
}

/// Columns of a terminal that a text takes.
fn width(text: &str) -> usize {
    if text.is_ascii() { text.len() } else { text.width() }
}

fn width_of(shown: &[Shown<'_>]) -> usize {
    shown.iter().map(|column| column.width + PADDING).sum()
}

/// The column to leave out: one that says nothing in any row, else the widest, so that as many as can be stay.
fn least(shown: &[Shown<'_>]) -> usize {
    let silent = shown.iter().rposition(|column| column.silent).filter(|place| *place >= ALWAYS);
    let widest = shown.iter().enumerate().skip(ALWAYS).max_by_key(|(_, column)| column.width).map(|(place, _)| place);
    silent.or(widest).unwrap_or(shown.len().saturating_sub(1))
}

/// A table of one row, from top to bottom.
fn record(out: &mut dyn Write, answer: &Table, columns: &[(usize, &Heading, &Screen)]) -> Result<(), Error> {
    let widest = columns.iter().map(|(.., screen)| width(screen.heading)).max().unwrap_or(0);
    let mut lines = Lines::new(out);
    let mut text = String::new();
    for row in &answer.rows {
        for (index, _, screen) in columns {
            text.clear();
            push(&mut text, row.get(*index));
            lines.cell(screen.heading, widest, false);
            lines.cell(&text, 0, false);
            lines.end()?;
        }
    }
    lines.flush()
}

/// Lines of cells on their way out.
struct Lines<'a> {
    out: &'a mut dyn Write,
    text: String,
}

/// Bytes that are written at once.
const PIECE: usize = 1 << 15;

impl<'a> Lines<'a> {
    fn new(out: &'a mut dyn Write) -> Self {
        Self { out, text: String::with_capacity(2 * PIECE) }
    }

    fn cell(&mut self, text: &str, wide: usize, right: bool) {
        let space = wide.saturating_sub(width(text));
        let (before, behind) = if right { (space, 0) } else { (0, space) };
        self.spaces(before + PADDING / 2);
        self.text.push_str(text);
        self.spaces(behind + PADDING / 2);
    }

    fn spaces(&mut self, count: usize) {
        const SPACES: &str = "                                ";
        let mut left = count;
        while left > 0 {
            let some = SPACES.get(..left).unwrap_or(SPACES);
            self.text.push_str(some);
            left -= some.len();
        }
    }

    fn end(&mut self) -> Result<(), Error> {
        self.text.truncate(self.text.trim_end_matches(' ').len());
        self.text.push('\n');
        if self.text.len() >= PIECE { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), Error> {
        self.out.write_all(self.text.as_bytes())?;
        self.text.clear();
        Ok(())
    }
}

/// Adds a cell as people read it: what is simply not there is a dash, and so is what is missing; the reasons stand in the
/// other formats and are counted under the table.
fn push(out: &mut String, cell: Option<&Cell>) {
    let Some(cell) = cell else { return };
    let Some(value) = cell.value() else { return out.push('-') };
    match value {
        Value::Bool(true) => out.push_str("yes"),
        Value::Bool(false) => {}
        Value::Uint(value) => format(out, format_args!("{value}")),
        Value::Code(value) => format(out, format_args!("{value:#x}")),
        Value::Address(value) => out.push_str(Digits::of(*value).as_str()),
        Value::Time(value) => format(out, format_args!("{value}")),
        Value::Confidence(thousandths) => out.push_str(&confidence(*thousandths)),
        Value::Duration(units) => out.push_str(&seconds(*units)),
        Value::Text(text) => visible(out, text),
        Value::List(texts) => separated(out, texts, |out, text| visible(out, text)),
        Value::Numbers(values) => separated(out, values, |out, value| format(out, format_args!("{value}"))),
        Value::Addresses(values) => separated(out, values, |out, value| out.push_str(Digits::of(*value).as_str())),
        _ => out.push('-'),
    }
}

fn format(out: &mut String, arguments: std::fmt::Arguments<'_>) {
    // Writing to a string does not fail.
    let _ = std::fmt::Write::write_fmt(out, arguments);
}

fn visible(out: &mut String, text: &str) {
    if is_visible(text) { out.push_str(text) } else { out.push_str(&escape::visible(text)) }
}

fn separated<T>(out: &mut String, values: &[T], push: impl Fn(&mut String, &T)) {
    for (place, value) in values.iter().enumerate() {
        if place > 0 {
            out.push(' ');
        }
        push(out, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_narrow_terminal_loses_columns_and_breaks_no_word() {
        let heading = |name| Heading { name, kind: Kind::Text, about: "" };
        let screen: &[Screen] = &[
            Screen { heading: "A", column: "a" },
            Screen { heading: "B", column: "b" },
            Screen { heading: "C", column: "c" },
            Screen { heading: "Silent", column: "d" },
            Screen { heading: "Long", column: "e" },
            Screen { heading: "Last", column: "f" },
        ];
        let cell = |text: &str| Cell::Value(Value::Text(text.into()));
        let row = vec![cell("1"), cell("2"), cell("3"), Cell::Null, cell("0123456789"), cell("x")];
        let answer = Table {
            name: "test",
            columns: ["a", "b", "c", "d", "e", "f"].map(heading).to_vec(),
            screen,
            record: false,
            rows: vec![row],
            incomplete: Vec::new(),
            remarks: Vec::new(),
        };
        let at = |width| {
            let mut out = Vec::new();
            let hidden = write(&mut out, &answer, Terminal { width }).unwrap();
            (String::from_utf8(out).unwrap(), hidden)
        };
        let (whole, hidden) = at(None);
        assert!(hidden.is_empty() && whole.contains("Silent"));
        assert_eq!(at(Some(30)).1, ["Silent"]);
        assert_eq!(at(Some(22)).1, ["Silent", "Long"]);
        let (least, hidden) = at(Some(1));
        assert_eq!((least.lines().count(), hidden), (2, vec!["Silent", "Long", "Last"]));
    }

    /// What is measured is as wide as what is written.
    #[test]
    fn columns_stand_below_one_another() {
        let heading = |name, kind| Heading { name, kind, about: "" };
        let screen: &[Screen] = &[Screen { heading: "N", column: "n" }, Screen { heading: "T", column: "t" }];
        let numbers = [0, 9, 10, 99, 100, 12_345, u64::MAX];
        let texts = ["", "a", "\u{1b}[31m", "日本", "e\u{301}", "-", "x y"];
        let cells =
            |(number, text): (u64, &str)| vec![Cell::Value(Value::Uint(number)), Cell::Value(Value::Text(text.into()))];
        let answer = Table {
            name: "test",
            columns: vec![heading("n", Kind::Uint), heading("t", Kind::Text)],
            screen,
            record: false,
            rows: numbers.into_iter().zip(texts).map(cells).collect(),
            incomplete: Vec::new(),
            remarks: Vec::new(),
        };
        let mut out = Vec::new();
        write(&mut out, &answer, Terminal::default()).unwrap();
        let out = String::from_utf8(out).unwrap();
        for (line, number) in out.lines().skip(1).zip(numbers) {
            let number = format!("{number:>20}");
            assert_eq!(line.get(1..21), Some(number.as_str()), "{line}");
        }
        assert!(out.contains("\\u{1b}[31m") && out.contains("日本"));
    }
}
