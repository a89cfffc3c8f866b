//! `csv`: a line of headings, then the rows; lists are joined with spaces, reasons stand in the last column.

use super::escape::spreadsheet;
use super::{address, reasons};
use crate::error::Error;
use ntlens_core::report::{Cell, Table, Value};
use std::io::Write;

pub(super) fn write(out: &mut dyn Write, answer: &Table) -> Result<(), Error> {
    let mut writer = csv::Writer::from_writer(out);
    let headings = answer.columns.iter().map(|column| column.name).chain(["absent"]);
    writer.write_record(headings).map_err(io_error)?;
    for row in &answer.rows {
        let absent: Vec<String> = reasons(answer, row).map(|(column, reason)| format!("{column}={reason}")).collect();
        let cells = row.iter().map(text).chain([absent.join(" ")]);
        writer.write_record(cells).map_err(io_error)?;
    }
    writer.flush()?;
    Ok(())
}

/// The system's own error, by whose kind a reader that closed its pipe is known: `csv` would hide it in another.
fn io_error(error: csv::Error) -> std::io::Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error,
        other => std::io::Error::other(format!("{other:?}")),
    }
}

fn text(cell: &Cell) -> String {
    let Some(value) = cell.value() else { return String::new() };
    match value {
        Value::Address(value) => address(*value),
        Value::Text(text) => spreadsheet(text),
        Value::List(_) => spreadsheet(&value.to_string()),
        other => other.to_string(),
    }
}
