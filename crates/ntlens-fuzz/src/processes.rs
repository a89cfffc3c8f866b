//! Whole dumps with damage: a byte that chooses the dump, then changes. Everything is asked of it.

use crate::input::Input;
use crate::machine::Damaged;
use ntlens_core::OpenDump;
use ntlens_core::address::VirtAddr;
use ntlens_core::nt::Process;
use ntlens_core::report::{QUESTIONS, Question, Table, Wanted};
use std::collections::BTreeSet;

/// Rows that one answer may have: the machines have some hundreds of anything.
const MOST_ROWS: usize = 200_000;

/// Opens, asks everything, and one thing twice.
pub fn run(bytes: &[u8]) {
    let Some(dump) = Damaged::read(&mut Input(bytes)).and_then(Damaged::open) else { return };
    let twice = bytes.iter().fold(0_usize, |sum, byte| sum + usize::from(*byte)) % QUESTIONS.len();
    for (place, question) in QUESTIONS.iter().enumerate() {
        // It has a target of its own.
        if question.name() == "doctor" {
            continue;
        }
        let Ok(table) = question.ask(&dump, Wanted::All) else { continue };
        check(&table, *question);
        if place == twice {
            let again = question.ask(&dump, Wanted::All).expect("what was answered once is answered again");
            assert_eq!(again.rows, table.rows, "{} is answered differently", table.name);
            assert_eq!(again.incomplete, table.incomplete, "{} misses something else", table.name);
            check_narrow(&table, *question, &dump);
        }
    }
    let Ok(found) = dump.processes() else { return };
    let addresses: BTreeSet<VirtAddr> = found.processes.iter().map(Process::eprocess).collect();
    assert_eq!(addresses.len(), found.processes.len(), "a process is there twice");
}

fn check(table: &Table, question: &dyn Question) {
    assert!(table.rows.len() <= MOST_ROWS, "{} rows of {}", table.rows.len(), table.name);
    let width = question.columns().len();
    assert!(table.columns.len() == width, "{} has other columns", table.name);
    assert!(table.rows.iter().all(|row| row.len() == width), "{} has a row of another width", table.name);
    for missing in &table.incomplete {
        assert!(!missing.what.is_empty() && missing.count > 0, "{} misses nothing: {missing:?}", table.name);
    }
    let mut json = Vec::new();
    let terminal = ntlens::render::Terminal::default();
    ntlens::render::write(&mut json, ntlens::render::Format::Json, None, table, terminal).expect("memory takes all");
    let read: serde_json::Value = serde_json::from_slice(&json).expect("JSON is written");
    assert_eq!(read["rows"].as_array().map(Vec::len), Some(table.rows.len()), "{} loses rows", table.name);
}

/// The screen's columns hold what the same columns of the whole table do.
fn check_narrow(table: &Table, question: &dyn Question, dump: &OpenDump) {
    let narrow = question.ask(dump, Wanted::Screen).expect("what was answered once is answered again");
    for (column, heading) in narrow.columns.iter().enumerate() {
        let of = table.columns.iter().position(|other| other.name == heading.name).expect("a column of the table");
        let same = narrow.rows.iter().zip(&table.rows).all(|(narrow, whole)| narrow[column] == whole[of]);
        assert!(same && narrow.rows.len() == table.rows.len(), "{}.{} differs", table.name, heading.name);
    }
}
