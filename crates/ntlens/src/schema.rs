//! The output contract as a JSON schema, made from the same tables that the answers are.

use crate::embedded::EMBEDDED;
use crate::names::{SYMBOL, SYMBOLS};
use ntlens_core::report::memory::MEMORY;
use ntlens_core::report::page::{self, SECTIONS, Section};
use ntlens_core::report::processes::PROCESSES;
use ntlens_core::report::translation::TRANSLATION;
use ntlens_core::report::{Heading, Kind, QUESTIONS};
use serde_json::{Map, Value as Json, json};

/// The schema of the documents that the format `json` writes.
pub fn schema() -> Json {
    let mut tables: Map<String, Json> =
        QUESTIONS.iter().map(|question| (question.name().into(), row(question.about(), &question.columns()))).collect();
    // The answers of other commands, which need more than a dump to be asked.
    for (name, about, headings) in [
        (MEMORY.name, MEMORY.about, MEMORY.headings()),
        (TRANSLATION.name, TRANSLATION.about, TRANSLATION.headings()),
        (SYMBOLS.name, SYMBOLS.about, SYMBOLS.headings()),
        (SYMBOL.name, SYMBOL.about, SYMBOL.headings()),
        (EMBEDDED.name, EMBEDDED.about, EMBEDDED.headings()),
    ] {
        tables.insert(name.into(), row(about, &headings));
    }
    tables.insert(page::NAME.into(), page_row());
    let rows_by_table: Vec<Json> = tables
        .keys()
        .map(|name| {
            let rows = json!({"items": {"$ref": format!("#/$defs/{name}")}});
            json!({
                "if": {"properties": {"table": {"const": name}}},
                "then": {"properties": {"rows": rows}},
            })
        })
        .collect();
    let text = json!({"type": "string"});
    let maybe = json!({"type": ["string", "null"]});
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "ntlens/1",
        "description": "A document with all columns; one for which columns were chosen has these alone.",
        "type": "object",
        "properties": {
            "schema": {"const": "ntlens/1"},
            "table": text,
            "dump": {"type": ["object", "null"]},
            "layout": {"type": ["object", "null"]},
            "rows": {"type": "array", "items": {"type": "object"}},
            "row_count": {"type": "integer", "minimum": 0},
            "incomplete": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {
                        "what": text,
                        "where": text,
                        "reason": text,
                        "count": {"type": "integer"},
                        "file_offset": maybe,
                        "address": maybe,
                        "structure": maybe,
                        "field": maybe,
                        "found": maybe,
                        "expected": maybe,
                    },
                    "required": ["what", "where", "reason", "count"],
                },
            },
        },
        "required": ["schema", "table", "dump", "layout", "rows", "row_count", "incomplete"],
        "allOf": rows_by_table,
        "$defs": tables,
    })
}

/// A row of the page of a process: that of `processes`, with the rows of other tables.
fn page_row() -> Json {
    let of = |section: &Section| {
        let name = section.question.name();
        (name.into(), json!({"type": "array", "items": {"$ref": format!("#/$defs/{name}")}}))
    };
    let sections: Map<String, Json> = SECTIONS.iter().map(of).collect();
    let always = SECTIONS.iter().filter(|section| section.on_request.is_none());
    let required: Vec<&str> = always.map(|section| section.question.name()).collect();
    json!({
        "description": "all about one process",
        "allOf": [{"$ref": format!("#/$defs/{}", PROCESSES.table.name)}],
        "properties": {"sections": {"type": "object", "properties": sections, "required": required}},
        "required": ["sections"],
    })
}

/// A row of one table.
fn row(about: &str, columns: &[Heading]) -> Json {
    let mut properties: Map<String, Json> =
        columns.iter().map(|column| (column.name.into(), property(column.kind, column.about))).collect();
    let names: Vec<Json> = properties.keys().cloned().chain(["absent".into()]).map(Json::from).collect();
    let absent = json!({
        "type": "object",
        "description": "for each column that is null for another reason than \"none\", that reason",
        "additionalProperties": {"type": "string"},
    });
    properties.insert("absent".into(), absent);
    json!({"type": "object", "description": about, "properties": properties, "required": names})
}

fn property(kind: Kind, about: &str) -> Json {
    const ADDRESS: &str = "^0x[0-9a-f]{16}$";
    let mut property = match kind {
        Kind::Bool => json!({"type": ["boolean", "null"]}),
        Kind::Uint | Kind::Code => json!({"type": ["integer", "null"], "minimum": 0}),
        Kind::Address => json!({"type": ["string", "null"], "pattern": ADDRESS}),
        Kind::Time => json!({"type": ["string", "null"], "format": "date-time"}),
        Kind::Confidence => json!({"type": ["number", "null"], "minimum": 0, "maximum": 1}),
        Kind::Duration => json!({"type": ["number", "null"], "minimum": 0}),
        Kind::List => json!({"type": ["array", "null"], "items": {"type": "string"}}),
        Kind::Numbers => json!({"type": ["array", "null"], "items": {"type": "integer", "minimum": 0}}),
        Kind::Addresses => json!({"type": ["array", "null"], "items": {"type": "string", "pattern": ADDRESS}}),
        _ => json!({"type": ["string", "null"]}),
    };
    if let Some(object) = property.as_object_mut() {
        object.insert("description".into(), about.into());
    }
    property
}
