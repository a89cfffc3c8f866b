//! Names in a dump are hostile: they must not steer a terminal, break a row or start a formula.

use crate::support::{HOSTILE_MODULE, HOSTILE_NAMES, HOSTILE_PATH, document, ntlens, sample};

/// Characters that do something instead of being shown.
fn steers(char: char) -> bool {
    (char.is_control() && char != '\n') || matches!(char, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[test]
fn tables_and_csv_show_what_steers() {
    for table in ["processes", "threads", "tokens", "modules", "timeline"] {
        for format in ["table", "csv"] {
            let run = ntlens(&[table, &sample().path, "--format", format]);
            assert_eq!(run.status, 0);
            assert!(!run.stdout.contains(steers), "{table} as {format}");
            assert!(!run.stderr.contains(steers), "{}", run.stderr);
        }
    }
}

#[test]
fn a_row_of_the_table_is_one_line() {
    let run = ntlens(&["processes", &sample().path]);
    let processes = sample().image.truth().processes.len();
    assert_eq!(run.stdout.lines().count(), processes + 1, "a heading and a line a process");
    for name in ["\\u{1b}[31mred\\u{1b}", "two\\u{a}lines\\u{d}", "=cmd|'/c'!A0"] {
        assert!(run.stdout.contains(name), "{name} is not in\n{}", run.stdout);
    }
    assert!(run.stderr.contains("\\u{1b}[2Jgone is not in the active list"), "{}", run.stderr);
}

#[test]
fn csv_cells_start_no_formula() {
    let run = ntlens(&["processes", &sample().path, "--format", "csv"]);
    let mut reader = csv::Reader::from_reader(run.stdout.as_bytes());
    let records: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    assert_eq!(records.len(), sample().image.truth().processes.len());
    for cell in records.iter().flatten() {
        assert!(!cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']), "{cell:?}");
        assert!(!cell.contains(['\n', '\r']), "{cell:?}");
    }
    let has = |text: &str| records.iter().flatten().any(|cell| cell == text);
    assert!(has("'=cmd|'/c'!A0") && has("'@SUM(1)"));
}

/// One of the names has the separator of the format, another the end of a line.
#[test]
fn a_line_of_a_bodyfile_is_one_event() {
    let timeline = document(&["timeline", &sample().path]);
    let run = ntlens(&["timeline", &sample().path, "--format", "bodyfile"]);
    assert_eq!((run.status, run.stdout.contains(steers)), (0, false));
    let lines: Vec<&str> = run.stdout.lines().collect();
    assert_eq!(lines.len() as u64, timeline["row_count"].as_u64().unwrap());
    assert!(lines.iter().all(|line| line.split('|').count() == 11));
    assert!(lines.iter().any(|line| line.contains("=cmd\\u{7c}'/c'!A0")));
}

#[test]
fn json_keeps_the_exact_text() {
    let processes = document(&["processes", &sample().path]);
    let rows = processes["rows"].as_array().unwrap();
    for name in HOSTILE_NAMES {
        assert!(rows.iter().any(|row| row["name"] == name), "{name:?}");
    }
    assert!(rows.iter().any(|row| row["image_path"] == HOSTILE_PATH && row["command_line"] == "@SUM(1)"));
    let modules = document(&["modules", &sample().path]);
    assert!(modules["rows"].as_array().unwrap().iter().any(|row| row["name"] == HOSTILE_MODULE));
}
