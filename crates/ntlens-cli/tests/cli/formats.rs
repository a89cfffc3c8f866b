//! Every command in every format: one table, four ways to write it.

use crate::schema::{Kind, columns};
use crate::support::{answer, document, ntlens, sample};
use serde_json::{Map, Value as Json};

/// Why a value may be missing, as the output contract has it.
const REASONS: &[&str] = &[
    "no-such-field",
    "not-in-dump",
    "truncated",
    "read-failed",
    "not-present",
    "paged-out",
    "demand-zero",
    "prototype",
    "file-backed",
    "compressed",
    "non-canonical",
    "malformed",
    "not-applicable",
    "symbols-needed",
];

fn with(arguments: &[String], format: &str) -> Vec<String> {
    let mut arguments = arguments.to_vec();
    arguments.extend(["--format".into(), format.into()]);
    arguments
}

fn rows(document: &Json) -> Vec<Map<String, Json>> {
    document["rows"].as_array().unwrap().iter().map(|row| row.as_object().unwrap().clone()).collect()
}

#[test]
fn json_is_one_document() {
    let sample = sample();
    for (table, arguments) in sample.questions() {
        let document: Json = serde_json::from_str(&answer(&with(&arguments, "json"))).unwrap();
        let mut keys: Vec<&String> = document.as_object().unwrap().keys().collect();
        keys.sort();
        assert_eq!(keys, ["dump", "incomplete", "layout", "row_count", "rows", "schema", "table"]);
        assert_eq!((&document["schema"], &document["table"]), (&"ntlens/1".into(), &table.into()));
        assert_eq!(document["dump"]["dump_kind"], "bitmap-full");
        assert_eq!(
            (&document["layout"]["origin"], &document["layout"]["source"]),
            (&"exact".into(), &"embedded".into())
        );
        assert_eq!(document["row_count"], rows(&document).len());
        for missing in document["incomplete"].as_array().unwrap() {
            assert!(missing["what"].is_string() && missing["where"].is_string() && missing["count"].is_u64());
            assert!(missing["reason"].is_string(), "{missing}");
        }
    }
}

#[test]
fn every_row_has_every_column_and_a_reason_for_what_is_missing() {
    let mut reasons = 0;
    for path in [&sample().path, &sample().truncated] {
        for (table, mut arguments) in sample().questions() {
            if arguments.len() > 1 {
                arguments[1].clone_from(path);
            }
            let columns = columns(table);
            let expected: Vec<&str> = columns.iter().map(|(name, _)| name.as_str()).chain(["absent"]).collect();
            for row in rows(&serde_json::from_str(&answer(&with(&arguments, "json"))).unwrap()) {
                assert_eq!(row.keys().collect::<Vec<_>>(), expected, "{table}");
                for (column, reason) in row["absent"].as_object().unwrap() {
                    assert!(row[column].is_null(), "{table}.{column} is there, and absent");
                    assert!(REASONS.contains(&reason.as_str().unwrap()), "{reason}");
                    reasons += 1;
                }
                for (name, kind) in &columns {
                    assert!(kind.fits(&row[name]), "{table}.{name} is {}, no {kind:?}", row[name]);
                }
            }
        }
    }
    assert!(reasons > 100, "{reasons} reasons: the samples lack some values");
}

#[test]
fn jsonl_is_the_rows() {
    for (table, arguments) in sample().questions() {
        let text = answer(&with(&arguments, "jsonl"));
        let lines: Vec<Map<String, Json>> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let document = serde_json::from_str(&answer(&with(&arguments, "json"))).unwrap();
        assert_eq!(lines, rows(&document), "{table}");
    }
}

#[test]
fn csv_is_the_rows() {
    for (table, arguments) in sample().questions() {
        let text = answer(&with(&arguments, "csv"));
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let columns = columns(table);
        let expected: Vec<&str> = columns.iter().map(|(name, _)| name.as_str()).chain(["absent"]).collect();
        assert_eq!(reader.headers().unwrap(), expected, "{table}");
        let records: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
        let rows = rows(&serde_json::from_str(&answer(&with(&arguments, "json"))).unwrap());
        assert_eq!(records.len(), rows.len(), "{table}");
        for (record, row) in records.iter().zip(&rows) {
            for (cell, (name, kind)) in record.iter().zip(&columns) {
                let expected = cell_text(&row[name]);
                // Hostile text is written in another way: tests of their own hold it against the truth.
                let same = match kind {
                    Kind::Seconds => cell.parse::<f64>().ok() == row[name].as_f64(),
                    Kind::Text | Kind::List => cell == expected || cell.starts_with('\'') || cell.contains("\\u{"),
                    _ => cell == expected,
                };
                assert!(same, "{table}.{name} is {cell}, expected {expected}");
            }
            let reasons = row["absent"].as_object().unwrap();
            let reasons: Vec<String> =
                reasons.iter().map(|(name, reason)| format!("{name}={}", reason.as_str().unwrap())).collect();
            assert_eq!(record.get(columns.len()).unwrap(), reasons.join(" "), "{table}");
        }
    }
}

fn cell_text(value: &Json) -> String {
    match value {
        Json::Null => String::new(),
        Json::String(text) => text.clone(),
        Json::Array(values) => values.iter().map(cell_text).collect::<Vec<_>>().join(" "),
        other => other.to_string(),
    }
}

#[test]
fn a_terminal_gets_what_one_screen_holds() {
    let text = answer(&["processes", &sample().path]);
    let heading: Vec<&str> = text.lines().next().unwrap().split_whitespace().collect();
    let contract = ["PID", "PPID", "Name", "Session", "Protection", "Signature", "Sys", "Sub", "Crit", "XSess", "Job"];
    let mut rest = heading.iter();
    for wanted in contract {
        assert!(rest.any(|found| *found == wanted), "{wanted} is not in its place in {heading:?}");
    }
    for (_, arguments) in sample().questions() {
        let text = answer(&with(&arguments, "table"));
        assert!(text.lines().all(|line| line == line.trim_end()), "no blanks at the ends of lines");
        assert_eq!(text, answer(&arguments), "the default, in a pipe too");
    }
}

#[test]
fn the_answer_is_what_the_machine_is() {
    let truth = sample().image.truth();
    let info = &document(&["info", &sample().path])["rows"][0];
    assert_eq!(info["kernel_base"], format!("{:#018x}", truth.kernel.base));
    assert_eq!(info["windows_build"], truth.build);
    assert_eq!(document(&["modules", &sample().path])["row_count"], truth.modules.len());
    assert_eq!(document(&["unloaded", &sample().path])["row_count"], truth.unloaded_drivers.len());
    let processes = rows(&document(&["processes", &sample().path]));
    assert_eq!(processes.len(), truth.processes.len());
    for process in &truth.processes {
        let row = processes.iter().find(|row| row["pid"] == process.pid).unwrap();
        assert_eq!(row["eprocess"], format!("{:#018x}", process.eprocess));
        assert_eq!(row["name"], process.image_name);
    }
}

#[test]
fn what_is_said_of_the_dump_does_not_depend_on_the_format() {
    let notes = |format: &str| ntlens(&["processes", &sample().truncated, "--format", format]).stderr;
    let expected = notes("table");
    for format in ["json", "jsonl", "csv"] {
        assert_eq!(notes(format), expected, "{format}");
    }
}
