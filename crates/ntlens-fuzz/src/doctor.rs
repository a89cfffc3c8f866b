//! The doctor, on whole dumps with damage as in [`processes`](crate::processes).

use crate::input::Input;
use crate::machine::Damaged;
use ntlens_core::report::doctor::diagnose;
use ntlens_core::report::{Cell, QUESTIONS, Value, Wanted, question};
use std::collections::BTreeMap;

/// Faults of one check that are told by themselves.
const MOST_FAULTS: usize = 256;

/// Examines, and compares with the report of it.
pub fn run(bytes: &[u8]) {
    let Some(dump) = Damaged::read(&mut Input(bytes)).and_then(Damaged::open) else { return };
    let faults = diagnose(&dump).faults;
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for fault in &faults {
        *counts.entry(fault.check).or_default() += 1;
        assert!(!fault.incomplete.what.is_empty() && !fault.consequence.is_empty(), "it says nothing: {fault:?}");
        assert!(fault.incomplete.count > 0, "a fault of nothing: {fault:?}");
        if let Some(wrong) = &fault.incomplete.wrong {
            // Where no kernel is found there is no field to blame.
            let parts = [&*wrong.structure, &wrong.found, &wrong.expected];
            assert!(parts.iter().all(|part| !part.is_empty()), "a part is not said: {fault:?}");
        }
    }
    assert!(counts.values().all(|count| *count <= MOST_FAULTS), "faults are told without end: {counts:?}");
    let doctor = question("doctor").expect("it is a question");
    let table = doctor.ask(&dump, Wanted::All).expect("every dump that opens is examined");
    let kind = table.columns.iter().position(|column| column.name == "kind").expect("it has kinds");
    let is_answer =
        |row: &&Vec<Cell>| matches!(row[kind].value(), Some(Value::Text(text)) if text.as_str() == "answer");
    let answers = table.rows.iter().filter(is_answer).count();
    assert_eq!(table.rows.len() - answers, faults.len(), "the report has other faults");
    // It says of every other question whether it can be answered.
    assert_eq!(answers, QUESTIONS.len() - 1, "a question is left out");
}
