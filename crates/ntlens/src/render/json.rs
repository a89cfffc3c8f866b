//! `json`: one document.

use super::{address, reasons, seconds};
use crate::error::Error;
use ntlens_core::OpenDump;
use ntlens_core::report::{Cell, Table, Value};
use serde_json::{Map, Number, Value as Json, json};
use std::io::Write;

/// The version of the output contract.
pub(super) const SCHEMA: &str = "ntlens/1";

pub(super) fn write(out: &mut dyn Write, dump: Option<&OpenDump>, answer: &Table) -> Result<(), Error> {
    let rows: Vec<Json> = (0..answer.rows.len()).filter_map(|index| row(answer, index)).collect();
    let incomplete: Vec<Json> = answer
        .incomplete
        .iter()
        .map(|missing| {
            json!({"what": missing.what, "where": missing.place, "reason": missing.reason, "count": missing.count})
        })
        .collect();
    let document = json!({
        "schema": SCHEMA,
        "table": answer.name,
        "dump": dump.map(about_dump),
        "layout": dump.map(about_layout),
        "row_count": rows.len(),
        "rows": rows,
        "incomplete": incomplete,
    });
    serde_json::to_writer_pretty(&mut *out, &document).map_err(std::io::Error::from)?;
    writeln!(out)?;
    Ok(())
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

/// A row with every column, and the reasons of those that are missing.
pub(super) fn row(answer: &Table, index: usize) -> Option<Json> {
    let cells = answer.rows.get(index)?;
    let mut object: Map<String, Json> =
        answer.columns.iter().zip(cells).map(|(column, cell)| (column.name.into(), value(cell))).collect();
    let absent: Map<String, Json> =
        reasons(answer, cells).map(|(column, reason)| (column.into(), reason.into())).collect();
    object.insert("absent".into(), Json::Object(absent));
    Some(Json::Object(object))
}

fn value(cell: &Cell) -> Json {
    let Some(value) = cell.value() else { return Json::Null };
    match value {
        Value::Bool(value) => (*value).into(),
        Value::Uint(value) => (*value).into(),
        Value::Address(value) => address(*value).into(),
        Value::Time(value) => value.to_string().into(),
        Value::Duration(units) => seconds(*units).parse::<f64>().ok().and_then(Number::from_f64).into(),
        Value::Text(text) => text.as_str().into(),
        Value::List(texts) => texts.clone().into(),
        Value::Addresses(values) => values.iter().map(|value| address(*value)).collect::<Vec<_>>().into(),
        _ => Json::Null,
    }
}
