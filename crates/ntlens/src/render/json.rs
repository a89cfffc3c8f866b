//! `json`: one document.

use super::{Digits, json_text, real, reasons};
use crate::error::Error;
use ntlens_core::incomplete::Place;
use ntlens_core::report::{Cell, Table, Text, Value};
use ntlens_core::{Incomplete, OpenDump};
use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};
use serde_json::{Value as Json, json};
use std::io::Write;

/// The version of the output contract.
pub(super) const SCHEMA: &str = "ntlens/1";

pub(super) fn write(out: &mut dyn Write, dump: Option<&OpenDump>, answer: &Table) -> Result<(), Error> {
    document(out, dump, answer.name, &Rows(answer), answer.rows.len(), &answer.incomplete)
}

/// Writes a document with these rows.
pub(super) fn document(
    out: &mut dyn Write,
    dump: Option<&OpenDump>,
    table: &str,
    rows: &impl Serialize,
    row_count: usize,
    incomplete: &[Incomplete],
) -> Result<(), Error> {
    let document = Document { dump, table, rows, row_count, incomplete };
    json_text::pretty(out, &document)?;
    writeln!(out)?;
    Ok(())
}

struct Document<'a, R> {
    dump: Option<&'a OpenDump>,
    table: &'a str,
    rows: &'a R,
    row_count: usize,
    incomplete: &'a [Incomplete],
}

impl<R: Serialize> Serialize for Document<'_, R> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let incomplete: Vec<Json> = self.incomplete.iter().map(incomplete).collect();
        let mut document = serializer.serialize_map(Some(7))?;
        document.serialize_entry("schema", SCHEMA)?;
        document.serialize_entry("table", self.table)?;
        document.serialize_entry("dump", &self.dump.map(about_dump))?;
        document.serialize_entry("layout", &self.dump.map(about_layout))?;
        document.serialize_entry("row_count", &self.row_count)?;
        document.serialize_entry("rows", self.rows)?;
        document.serialize_entry("incomplete", &incomplete)?;
        document.end()
    }
}

/// What is missing or wrong; where one field is to blame, with that field and what it should hold.
fn incomplete(missing: &Incomplete) -> Json {
    let (offset, at) = match missing.place {
        Place::File(offset) => (Some(Digits::of(offset)), None),
        Place::Virtual(at) | Place::User(at, _) => (None, Some(Digits::of(at.0))),
        Place::Physical(at) => (None, Some(Digits::of(at.0))),
        _ => (None, None),
    };
    let wrong = missing.wrong.as_deref();
    json!({
        "what": missing.what,
        "where": missing.place.to_string(),
        "reason": missing.reason,
        "count": missing.count,
        "file_offset": offset,
        "address": at,
        "structure": wrong.map(|wrong| &wrong.structure),
        "field": wrong.map(|wrong| &wrong.field),
        "found": wrong.map(|wrong| &wrong.found),
        "expected": wrong.map(|wrong| &wrong.expected),
    })
}

fn about_dump(dump: &OpenDump) -> Json {
    let file = dump.dump();
    json!({
        "file": dump.name(),
        "file_size": file.source.len(),
        "dump_kind": file.kind.name(),
        "windows_build": file.header.as_ref().and_then(|header| header.build),
        "file_complete": file.is_complete(),
    })
}

fn about_layout(dump: &OpenDump) -> Json {
    match dump.kernel() {
        Ok(kernel) => {
            let selected = kernel.selected();
            let versions: Vec<_> = selected.versions.iter().map(ToString::to_string).collect();
            let id = kernel.kernel_id().map(|id| id.to_string());
            json!({"origin": selected.origin.name(), "source": selected.source, "versions": versions, "kernel_guid_age": id})
        }
        Err(why) => {
            json!({"origin": null, "source": null, "versions": [], "kernel_guid_age": null, "error": why.to_string()})
        }
    }
}

/// The rows of a table.
pub(super) struct Rows<'a>(pub(super) &'a Table);

impl Serialize for Rows<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut rows = serializer.serialize_seq(Some(self.0.rows.len()))?;
        for cells in &self.0.rows {
            rows.serialize_element(&Row { answer: self.0, cells })?;
        }
        rows.end()
    }
}

/// A row with every column that was asked for, and the reasons of those that are missing.
pub(super) struct Row<'a> {
    pub(super) answer: &'a Table,
    pub(super) cells: &'a [Cell],
}

impl Row<'_> {
    /// Adds its entries to a map.
    pub(super) fn entries<S: Serializer>(&self, row: &mut S::SerializeMap) -> Result<(), S::Error> {
        for (column, cell) in self.answer.columns.iter().zip(self.cells) {
            row.serialize_entry(column.name, &CellValue(cell))?;
        }
        row.serialize_entry("absent", &Reasons(self))
    }
}

impl Serialize for Row<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut row = serializer.serialize_map(None)?;
        self.entries::<S>(&mut row)?;
        row.end()
    }
}

struct Reasons<'a>(&'a Row<'a>);

impl Serialize for Reasons<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(reasons(self.0.answer, self.0.cells))
    }
}

impl Serialize for Digits {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

struct CellValue<'a>(&'a Cell);

impl Serialize for CellValue<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Some(value) = self.0.value() else { return serializer.serialize_none() };
        match value {
            Value::Bool(value) => serializer.serialize_bool(*value),
            Value::Uint(value) | Value::Code(value) => serializer.serialize_u64(*value),
            Value::Address(value) => Digits::of(*value).serialize(serializer),
            Value::Time(value) => serializer.collect_str(value),
            Value::Confidence(_) | Value::Duration(_) => real(value).serialize(serializer),
            Value::Text(text) => serializer.serialize_str(text),
            Value::List(texts) => serializer.collect_seq(texts.iter().map(Text::as_str)),
            Value::Numbers(values) => values.serialize(serializer),
            Value::Addresses(values) => serializer.collect_seq(values.iter().map(|value| Digits::of(*value))),
            _ => serializer.serialize_none(),
        }
    }
}
