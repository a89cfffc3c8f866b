//! `table`: for people.

use super::escape::visible;
use super::{Terminal, address, seconds};
use crate::error::Error;
use comfy_table::{CellAlignment, ContentArrangement, Table as Drawn, presets};
use ntlens_core::report::{Cell, Heading, Kind, Screen, Table, Value};
use std::io::Write;

pub(super) fn write(out: &mut dyn Write, answer: &Table, terminal: Terminal) -> Result<(), Error> {
    let mut drawn = Drawn::new();
    drawn.load_style(presets::NOTHING);
    if let Some(width) = terminal.width {
        drawn.set_width(width).set_content_arrangement(ContentArrangement::Dynamic);
    }
    let shown: Vec<(usize, &Heading, &Screen)> = answer
        .screen
        .iter()
        .filter_map(|screen| {
            let index = answer.columns.iter().position(|column| column.name == screen.column)?;
            Some((index, answer.columns.get(index)?, screen))
        })
        .collect();
    let cell = |row: &[Cell], index: usize| row.get(index).map(text).unwrap_or_default();
    if answer.record {
        for row in &answer.rows {
            for (index, _, screen) in &shown {
                drawn.add_row([screen.heading.to_string(), cell(row, *index)]);
            }
        }
    } else {
        drawn.set_header(shown.iter().map(|(_, _, screen)| screen.heading));
        for row in &answer.rows {
            drawn.add_row(shown.iter().map(|(index, ..)| cell(row, *index)));
        }
        for (place, (_, column, _)) in shown.iter().enumerate() {
            if let Some(drawn) = drawn.column_mut(place).filter(|_| column.kind == Kind::Uint) {
                drawn.set_cell_alignment(CellAlignment::Right);
            }
        }
    }
    for line in drawn.lines() {
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
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
        Value::Duration(units) => seconds(*units),
        Value::Text(text) => visible(text),
        Value::List(texts) => visible(&texts.join(" ")),
        Value::Addresses(values) => values.iter().map(|value| address(*value)).collect::<Vec<_>>().join(" "),
        _ => "-".into(),
    }
}
