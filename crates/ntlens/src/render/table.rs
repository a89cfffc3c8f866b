//! `table`: for people.

use super::escape::visible;
use super::{Terminal, address, confidence, seconds};
use crate::error::Error;
use comfy_table::{CellAlignment, Table as Drawn, presets};
use ntlens_core::report::{Cell, Heading, Kind, Screen, Table, Value};
use std::io::Write;

/// A column that is shown: its place in the rows.
type Shown<'a> = (usize, &'a Heading, &'a Screen);

/// Writes the table; the headings of columns for which the terminal has no room.
pub(super) fn write(out: &mut dyn Write, answer: &Table, terminal: Terminal) -> Result<Vec<&'static str>, Error> {
    let mut shown: Vec<Shown<'_>> = answer
        .screen
        .iter()
        .filter_map(|screen| {
            let index = answer.columns.iter().position(|column| column.name == screen.column)?;
            Some((index, answer.columns.get(index)?, screen))
        })
        .collect();
    let mut hidden = Vec::new();
    if answer.record {
        draw(out, &record(answer, &shown))?;
        return Ok(hidden);
    }
    let mut drawn = rows(answer, &shown);
    if let Some(width) = terminal.width {
        while shown.len() > ALWAYS && width_of(&drawn) > usize::from(width) {
            hidden.push(shown.remove(least(answer, &shown, &drawn)).2.heading);
            drawn = rows(answer, &shown);
        }
    }
    draw(out, &drawn)?;
    Ok(hidden)
}

/// The first columns say what a row is about, and stay.
const ALWAYS: usize = 3;
/// Spaces around each cell.
const PADDING: usize = 2;

fn draw(out: &mut dyn Write, drawn: &Drawn) -> Result<(), Error> {
    for line in drawn.lines() {
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

fn empty() -> Drawn {
    let mut drawn = Drawn::new();
    drawn.load_style(presets::NOTHING);
    drawn
}

fn cell_text(row: &[Cell], index: usize) -> String {
    row.get(index).map(text).unwrap_or_default()
}

fn record(answer: &Table, shown: &[Shown<'_>]) -> Drawn {
    let mut drawn = empty();
    for row in &answer.rows {
        for (index, _, screen) in shown {
            drawn.add_row([screen.heading.to_string(), cell_text(row, *index)]);
        }
    }
    drawn
}

fn rows(answer: &Table, shown: &[Shown<'_>]) -> Drawn {
    let mut drawn = empty();
    drawn.set_header(shown.iter().map(|(_, _, screen)| screen.heading));
    for row in &answer.rows {
        drawn.add_row(shown.iter().map(|(index, ..)| cell_text(row, *index)));
    }
    for (place, (_, column, _)) in shown.iter().enumerate() {
        if let Some(drawn) = drawn.column_mut(place).filter(|_| column.kind == Kind::Uint) {
            drawn.set_cell_alignment(CellAlignment::Right);
        }
    }
    drawn
}

fn width_of(drawn: &Drawn) -> usize {
    drawn.column_max_content_widths().iter().map(|width| usize::from(*width) + PADDING).sum()
}

/// The column to leave out: one that says nothing in any row, else the widest, so that as many as can be stay.
fn least(answer: &Table, shown: &[Shown<'_>], drawn: &Drawn) -> usize {
    let says_nothing = |index: usize| answer.rows.iter().all(|row| matches!(cell_text(row, index).as_str(), "" | "-"));
    let silent = shown.iter().rposition(|(index, ..)| says_nothing(*index)).filter(|place| *place >= ALWAYS);
    let widths = drawn.column_max_content_widths();
    let widest = widths.iter().enumerate().skip(ALWAYS).max_by_key(|(_, width)| **width).map(|(place, _)| place);
    silent.or(widest).unwrap_or(shown.len().saturating_sub(1))
}

/// A cell as people read it: what is simply not there is a dash, and so is what is missing; the reasons stand in the other
/// formats and are counted under the table.
fn text(cell: &Cell) -> String {
    let Some(value) = cell.value() else { return "-".into() };
    match value {
        Value::Bool(true) => "yes".into(),
        Value::Bool(false) => String::new(),
        Value::Uint(value) => value.to_string(),
        Value::Code(value) => format!("{value:#x}"),
        Value::Address(value) => address(*value),
        Value::Time(value) => value.to_string(),
        Value::Confidence(thousandths) => confidence(*thousandths),
        Value::Duration(units) => seconds(*units),
        Value::Text(text) => visible(text),
        Value::List(texts) => visible(&texts.join(" ")),
        Value::Numbers(values) => values.iter().map(u64::to_string).collect::<Vec<_>>().join(" "),
        Value::Addresses(values) => values.iter().map(|value| address(*value)).collect::<Vec<_>>().join(" "),
        _ => "-".into(),
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
}
