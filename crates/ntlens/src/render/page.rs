//! The page of a process, in the formats that can hold more than one table.

use super::json::{self, Row};
use super::{Format, Terminal, cut, json_text, style, table};
use crate::error::Error;
use ntlens_core::OpenDump;
use ntlens_core::report::Table;
use ntlens_core::report::page::{NAME, PARTS, Page, ProcessPage};
use serde::ser::{Serialize, SerializeMap, Serializer};
use std::io::Write;

/// Writes a page; the headings of columns for which the terminal has no room. CSV holds one table, and no page.
pub fn write_page(
    out: &mut dyn Write,
    format: Format,
    dump: &OpenDump,
    page: &Page,
    terminal: Terminal,
) -> Result<Vec<&'static str>, Error> {
    let rows: Vec<PageRow<'_>> = page.processes.iter().map(PageRow).collect();
    match format {
        Format::Table => return text(out, page, terminal),
        Format::Json => json::document(out, Some(dump), NAME, &rows, rows.len(), &page.incomplete)?,
        Format::Jsonl => {
            for row in &rows {
                json_text::compact(out, row)?;
                writeln!(out)?;
            }
        }
        Format::Bodyfile => return Err(Error::NoTimeline { format: "bodyfile" }),
        Format::Timesketch => return Err(Error::NoTimeline { format: "timesketch" }),
        Format::Csv => return Err(Error::Format { format: "csv", what: "the page of a process" }),
    }
    Ok(Vec::new())
}

/// A process with the rows of its sections.
struct PageRow<'a>(&'a ProcessPage);

impl Serialize for PageRow<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let record = &self.0.record;
        let cells = record.rows.first().map(Vec::as_slice).unwrap_or_default();
        let mut row = serializer.serialize_map(None)?;
        Row { answer: record, cells }.entries::<S>(&mut row)?;
        row.serialize_entry("sections", &Sections(self.0))?;
        row.end()
    }
}

struct Sections<'a>(&'a ProcessPage);

impl Serialize for Sections<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.sections.iter().map(|(_, table)| (table.name, json::Rows(table))))
    }
}

fn text(out: &mut dyn Write, page: &Page, terminal: Terminal) -> Result<Vec<&'static str>, Error> {
    let mut hidden = Vec::new();
    for (number, process) in page.processes.iter().enumerate() {
        if number > 0 {
            writeln!(out)?;
        }
        record(out, &process.record, terminal)?;
        for (title, answer) in &process.sections {
            heading(out, title, terminal)?;
            if answer.rows.is_empty() {
                writeln!(out, " none")?;
                continue;
            }
            for column in table::write(out, answer, terminal)? {
                if !hidden.contains(&column) {
                    hidden.push(column);
                }
            }
        }
    }
    Ok(hidden)
}

fn heading(out: &mut dyn Write, title: &str, terminal: Terminal) -> Result<(), Error> {
    let mut line = String::new();
    style::Paint(terminal.color).push(&mut line, title, Some(style::HEADING));
    Ok(writeln!(out, "\n{line}")?)
}

/// The row of `processes`, in parts.
fn record(out: &mut dyn Write, answer: &Table, terminal: Terminal) -> Result<(), Error> {
    let place = |name: &str| answer.columns.iter().position(|column| column.name == name);
    let cell = |name: &str| place(name).and_then(|index| answer.rows.first()?.get(index)).map(cut::text);
    let title = ["pid", "name"].map(|name| cell(name).unwrap_or_default()).join(" ");
    let mut line = String::new();
    style::Paint(terminal.color).push(&mut line, &format!("Process {title}"), Some(style::HEADING));
    writeln!(out, "{line}")?;
    let others = answer.columns.iter().map(|column| column.name);
    let others: Vec<&str> = others.filter(|name| !PARTS.iter().any(|(_, names)| names.contains(name))).collect();
    for (title, names) in PARTS.iter().copied().chain([("More", &*others)]) {
        let lines: Vec<(&str, usize)> = names.iter().filter_map(|name| Some((*name, place(name)?))).collect();
        if !lines.is_empty() {
            heading(out, title, terminal)?;
            table::record(out, answer, &lines, terminal)?;
        }
    }
    Ok(())
}
