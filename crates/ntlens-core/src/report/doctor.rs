//! `doctor`: what is wrong with the dump, what is not in it, and which questions it can answer.

use super::{Asked, Cell, Column, Kind, QUESTIONS, Table, TableDef, Wanted, screen};
use crate::absent::Absent;
use crate::address::VirtAddr;
use crate::doctor::{self, Fault, Noticed, Severity};
use crate::incomplete::{Incomplete, Place, Wrong};
use crate::opened::OpenDump;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

/// A line of the report.
#[derive(Clone, Debug)]
pub enum Finding {
    /// Something that is wrong or missing.
    Fault(Fault),
    /// Whether a question can be answered.
    Answer(Answerable),
}

/// Whether a question can be answered from a dump.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answerable {
    /// The question.
    pub question: &'static str,
    /// `yes`, `partly` or `no`.
    pub answer: &'static str,
    /// What is missing; empty if nothing is.
    pub why: String,
}

/// All that is to be said about a dump.
#[derive(Clone, Debug, Default)]
pub struct Diagnosis {
    /// What is wrong or missing, the most severe first.
    pub faults: Vec<Fault>,
    /// What can be asked of it, one entry for each other question.
    pub answers: Vec<Answerable>,
}

const NAME: &str = "doctor";

/// The table.
pub const DOCTOR: Asked<Finding> = Asked {
    table: TableDef {
        name: NAME,
        about: "what is wrong with the dump and what follows from it, and which questions it can answer",
        columns: COLUMNS,
        screen: &[
            screen("Kind", "kind").key(),
            screen("Severity", "severity").main(),
            screen("File offset", "file_offset"),
            screen("Address", "address"),
            screen("Subject", "subject").key(),
            screen("Found", "found").key(),
            screen("Expected", "expected").main(),
            screen("Consequence", "consequence"),
        ],
        record: false,
    },
    parameters: &[],
    rows: |dump, _| {
        let Diagnosis { faults, answers } = diagnose(dump);
        let faults = faults.into_iter().map(Finding::Fault);
        Ok((faults.chain(answers.into_iter().map(Finding::Answer)).collect(), Vec::new()))
    },
    remarks: |rows| {
        let faults = |test: &dyn Fn(&Fault) -> bool| {
            rows.iter().filter(|row| matches!(row, Finding::Fault(fault) if test(fault))).count()
        };
        let wrong = faults(&|fault| fault.incomplete.is_contradiction());
        let gaps = faults(&|fault| !fault.incomplete.is_contradiction());
        let count = |answer: &str| {
            rows.iter().filter(|row| matches!(row, Finding::Answer(found) if found.answer == answer)).count()
        };
        let high = faults(&|fault| fault.severity == Severity::High);
        Vec::from([format!(
            "{wrong} faults ({high} of them high), {gaps} gaps; of the questions {} can be answered, {} in part, {} not",
            count("yes"),
            count("partly"),
            count("no")
        )])
    },
};

/// Short for a column.
const fn column(name: &'static str, kind: Kind, about: &'static str, get: fn(&Finding) -> Cell) -> Column<Finding> {
    Column::new(name, kind, about, get)
}

const COLUMNS: &[Column<Finding>] = &[
    column("kind", Kind::Text, "fault, gap (not in the dump) or answer (to a question)", |f| match f {
        Finding::Fault(fault) if fault.incomplete.is_contradiction() => "fault".into(),
        Finding::Fault(_) => "gap".into(),
        Finding::Answer(_) => "answer".into(),
    }),
    column("severity", Kind::Text, "how much depends on it: info, low, medium or high", |f| {
        fault(f, |fault| fault.severity.name().into())
    }),
    column("check", Kind::Text, "the check that found it, or the first question that noticed it", |f| {
        fault(f, |fault| fault.check.into())
    }),
    column("file_offset", Kind::Address, "where it lies in the file", |f| {
        fault(f, |fault| fault.file_offset.map(VirtAddr).into())
    }),
    column("address", Kind::Address, "where it lies in memory", |f| {
        fault(f, |fault| match fault.incomplete.place {
            Place::Virtual(at) | Place::User(at, _) => at.into(),
            Place::Physical(at) => at.into(),
            _ => Cell::Null,
        })
    }),
    column("subject", Kind::Text, "structure and field, or what is missing, or the question", |f| match f {
        Finding::Fault(fault) => match &fault.incomplete.wrong {
            Some(wrong) if wrong.field.is_empty() => wrong.structure.to_string().into(),
            Some(wrong) => format!("{}.{}", wrong.structure, wrong.field).into(),
            None => fault.incomplete.what.clone().into(),
        },
        Finding::Answer(found) => found.question.into(),
    }),
    column("structure", Kind::Text, "the structure", |f| wrong(f, |wrong| wrong.structure.to_string().into())),
    column("field", Kind::Text, "the field of the structure", |f| wrong(f, |wrong| wrong.field.to_string().into())),
    column("found", Kind::Text, "what it holds; for a question, yes, partly or no", |f| match f {
        Finding::Answer(found) => found.answer.into(),
        Finding::Fault(fault) if fault.incomplete.wrong.is_none() => fault.incomplete.reason.into(),
        Finding::Fault(_) => wrong(f, |wrong| wrong.found.clone().into()),
    }),
    column("expected", Kind::Text, "what it should hold", |f| wrong(f, |wrong| wrong.expected.clone().into())),
    column("count", Kind::Uint, "how many such things", |f| fault(f, |fault| fault.incomplete.count.into())),
    column("reason", Kind::Text, "why, by the names that explain missing values", |f| {
        fault(f, |fault| fault.incomplete.reason.into())
    }),
    column("what", Kind::Text, "the same in one sentence", |f| fault(f, |fault| fault.incomplete.what.clone().into())),
    column("consequence", Kind::Text, "what follows; for a question, what of the answer is missing", |f| match f {
        Finding::Fault(fault) => fault.consequence.clone().into(),
        Finding::Answer(found) => Some(found.why.clone()).filter(|why| !why.is_empty()).into(),
    }),
];

fn fault(finding: &Finding, get: impl FnOnce(&Fault) -> Cell) -> Cell {
    match finding {
        Finding::Fault(fault) => get(fault),
        Finding::Answer(_) => Cell::Null,
    }
}

fn wrong(finding: &Finding, get: impl FnOnce(&Wrong) -> Cell) -> Cell {
    fault(finding, |fault| fault.incomplete.wrong.as_deref().map_or(Cell::Null, get))
}

/// Examines a dump: every question is asked, and every structure walked that one is about.
pub fn diagnose(dump: &OpenDump) -> Diagnosis {
    let (mut answers, mut noticed) = (Vec::new(), Vec::new());
    for question in QUESTIONS.iter().filter(|question| question.name() != NAME) {
        let (answer, why) = match question.ask(dump, Wanted::All) {
            Err(why) => ("no", why.to_string()),
            Ok(table) => {
                // What was wrong when the dump was opened is in every answer, and cost nothing unless something is missing.
                let own = table.incomplete.get(dump.incomplete().len()..).unwrap_or_default();
                noticed.push(Noticed { question: question.name(), incomplete: own.to_vec() });
                of_table(&table, own)
            }
        };
        answers.push(Answerable { question: question.name(), answer, why });
    }
    let mut faults = doctor::examine(dump, noticed);
    faults.sort_by_key(|fault| core::cmp::Reverse(fault.severity));
    Diagnosis { faults, answers }
}

/// Columns that are named as incomplete.
const MAX_COLUMNS: usize = 4;

/// Missing things that are named.
const MAX_NAMED: usize = 2;

/// Whether an answer is whole, and what it says itself to be missing in it.
fn of_table(table: &Table, own: &[Incomplete]) -> (&'static str, String) {
    let mut missing: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    for row in &table.rows {
        for (heading, cell) in table.columns.iter().zip(row) {
            if let Some(why) = cell.absent().filter(|why| counts(*why)) {
                *missing.entry((heading.name, why.reason())).or_default() += 1;
            }
        }
    }
    let mut missing: Vec<_> = missing.into_iter().collect();
    missing.sort_by_key(|(_, count)| core::cmp::Reverse(*count));
    let rows = table.rows.len();
    let column = |((name, why), count): &((&str, &str), u64)| format!("{name}: {count} of {rows} {why}");
    let mut parts: Vec<String> = missing.iter().take(MAX_COLUMNS).map(column).collect();
    if missing.len() > MAX_COLUMNS {
        parts.push(format!("{} more columns", missing.len() - MAX_COLUMNS));
    }
    if own.len() > MAX_NAMED {
        let count = own.iter().map(|missing| missing.count).fold(0, u64::saturating_add);
        parts.push(format!("{count} things could not be read or contradict others"));
    } else {
        parts.extend(own.iter().map(|missing| format!("{} ({})", missing.what, missing.reason)));
    }
    let answer = match (rows, parts.is_empty()) {
        (0, false) => "no",
        (_, false) => "partly",
        (_, true) => "yes",
    };
    (answer, parts.join("; "))
}

/// Whether a missing value is something that the dump could have had.
fn counts(why: Absent) -> bool {
    !matches!(why, Absent::NoSuchField | Absent::NotApplicable)
}
