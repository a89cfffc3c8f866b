//! The output contract as a JSON schema, made from the same tables that the answers are.

use ntlens_core::report::{Kind, QUESTIONS};
use serde_json::{Map, Value as Json, json};

/// The schema of the documents that the format `json` writes.
pub fn schema() -> Json {
    let tables: Map<String, Json> = QUESTIONS
        .iter()
        .map(|question| {
            let mut properties: Map<String, Json> = question
                .columns()
                .iter()
                .map(|column| (column.name.into(), property(column.kind, column.about)))
                .collect();
            let names: Vec<Json> = properties.keys().cloned().chain(["absent".into()]).map(Json::from).collect();
            let absent = json!({
                "type": "object",
                "description": "for each column that is null for another reason than \"none\", that reason",
                "additionalProperties": {"type": "string"},
            });
            properties.insert("absent".into(), absent);
            let row = json!({
                "type": "object",
                "description": question.about(),
                "properties": properties,
                "required": names,
            });
            (question.name().into(), row)
        })
        .collect();
    let text = json!({"type": "string"});
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "ntlens/1",
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
                    "properties": {"what": text, "where": text, "reason": text, "count": {"type": "integer"}},
                    "required": ["what", "where", "reason", "count"],
                },
            },
        },
        "required": ["schema", "table", "dump", "layout", "rows", "row_count", "incomplete"],
        "$defs": tables,
    })
}

fn property(kind: Kind, about: &str) -> Json {
    const ADDRESS: &str = "^0x[0-9a-f]{16}$";
    let mut property = match kind {
        Kind::Bool => json!({"type": ["boolean", "null"]}),
        Kind::Uint | Kind::Code => json!({"type": ["integer", "null"], "minimum": 0}),
        Kind::Address => json!({"type": ["string", "null"], "pattern": ADDRESS}),
        Kind::Time => json!({"type": ["string", "null"], "format": "date-time"}),
        Kind::Duration => json!({"type": ["number", "null"], "minimum": 0}),
        Kind::List => json!({"type": ["array", "null"], "items": {"type": "string"}}),
        Kind::Addresses => json!({"type": ["array", "null"], "items": {"type": "string", "pattern": ADDRESS}}),
        _ => json!({"type": ["string", "null"]}),
    };
    if let Some(object) = property.as_object_mut() {
        object.insert("description".into(), about.into());
    }
    property
}
