//! A dump is asked everything, and the answers are held against the truth and against what the class of the fault demands.

use crate::fault::{Class, Fault, Keeps, Must};
use crate::patched::Patched;
use crate::subject::{LISTED, Rows};
use crate::table::Met;

use ntlens::incomplete::Incomplete;
use ntlens::report::doctor::diagnose;
use ntlens::report::{Cell, QUESTIONS, Table, Value, Wanted};
use ntlens::{CoreError, OpenDump};
use std::collections::BTreeSet;

/// All that is said about a dump.
pub(crate) struct Answers {
    pub(crate) rows: Rows,
    /// What `doctor` lists, with its place in the file.
    listed: Vec<(Option<u64>, Incomplete)>,
    /// What the answers say of themselves.
    said: Vec<Incomplete>,
    /// Cells that are empty, with the reason.
    empty: BTreeSet<(&'static str, usize, &'static str)>,
    refused: Vec<&'static str>,
}

/// A cell as text; a list of numbers in their order.
fn text(cell: &Cell) -> String {
    match cell.value() {
        Some(Value::Address(value)) => format!("{value:#x}"),
        Some(Value::Uint(value) | Value::Code(value)) => value.to_string(),
        Some(Value::Text(text)) => text.as_str().to_owned(),
        Some(Value::Numbers(values)) => {
            let sorted: BTreeSet<u64> = values.iter().copied().collect();
            sorted.iter().map(u64::to_string).collect::<Vec<_>>().join(",")
        }
        _ => "?".into(),
    }
}

fn joined(table: &Table, row: &[Cell], columns: &[&str]) -> String {
    let place = |name: &&str| table.columns.iter().position(|column| column.name == *name).expect("a column");
    columns.iter().map(|name| text(&row[place(name)])).collect::<Vec<_>>().join(" ")
}

impl Answers {
    /// Opens a dump and asks everything.
    pub(crate) fn of(source: Patched) -> Result<Self, CoreError> {
        Ok(Self::of_dump(&source.open()?))
    }

    /// Asks everything.
    pub(crate) fn of_dump(dump: &OpenDump) -> Self {
        let listed = diagnose(dump).faults.into_iter().map(|fault| (fault.file_offset, fault.incomplete)).collect();
        let (said, refused) = (Vec::new(), Vec::new());
        let mut answers = Self { rows: Rows::new(), listed, said, empty: BTreeSet::new(), refused };
        // The table of `doctor` is what was listed.
        for question in QUESTIONS.iter().filter(|question| question.name() != "doctor") {
            match question.ask(dump, Wanted::All) {
                Ok(table) => answers.take(&table),
                Err(_) => answers.refused.push(question.name()),
            }
        }
        for listed in &LISTED {
            answers.rows.entry(listed.table).or_default();
        }
        answers
    }

    fn take(&mut self, table: &Table) {
        self.said.extend(table.incomplete.iter().cloned());
        for (index, row) in table.rows.iter().enumerate() {
            for (column, cell) in table.columns.iter().zip(row) {
                if cell.absent().is_some() {
                    self.empty.insert((table.name, index, column.name));
                }
            }
        }
        if let Some(listed) = LISTED.iter().find(|listed| listed.table == table.name) {
            let rows = table.rows.iter().map(|row| (joined(table, row, listed.key), joined(table, row, listed.rest)));
            self.rows.insert(listed.table, rows.collect());
        }
    }

    /// Whether `doctor` names the fault at one of its places, whole.
    fn names(&self, fault: &Fault, sound: &Self) -> bool {
        self.listed.iter().any(|(offset, missing)| {
            let Some(wrong) = missing.wrong.as_deref().filter(|wrong| !wrong.found.is_empty()) else { return false };
            let placed = offset.is_some_and(|at| fault.places.iter().any(|place| place.contains(&at)));
            let name = format!("{}.{}", wrong.structure, wrong.field);
            placed
                && !wrong.expected.is_empty()
                && fault.field.is_none_or(|field| name == field)
                && !sound.listed.iter().any(|(_, told)| told == missing)
        })
    }

    /// Whether anything is said that is not said of the sound dump.
    pub(crate) fn says_more(&self, sound: &Self) -> bool {
        self.unheard(sound).next().is_some()
            || self.empty.difference(&sound.empty).next().is_some()
            || self.refused != sound.refused
    }

    /// The first things that are said more, for a message.
    fn more(&self, sound: &Self) -> String {
        let shown: Vec<_> = self.unheard(sound).take(3).map(|missing| format!("{missing:?}")).collect();
        shown.join("; ")
    }

    /// What is said and was not said of the sound dump.
    fn unheard<'a>(&'a self, sound: &'a Self) -> impl Iterator<Item = &'a Incomplete> {
        let all = |answers: &'a Self| answers.listed.iter().map(|(_, missing)| missing).chain(&answers.said);
        let known: Vec<&Incomplete> = all(sound).collect();
        all(self).filter(move |missing| !known.contains(missing))
    }
}

/// What of a case is as it should not be; else how the fault was met.
pub(crate) fn judge(
    class: &Class,
    fault: &Fault,
    found: &Result<Answers, CoreError>,
    sound: &Answers,
    expected: &Rows,
) -> Result<Met, String> {
    let answers = match found {
        Ok(answers) => answers,
        Err(CoreError::Malformed { found, expected, .. }) if class.keeps == Keeps::Perhaps => {
            return if found.is_empty() || expected.is_empty() { Err("an empty error".into()) } else { Ok(Met::Named) };
        }
        Err(CoreError::Unsupported { .. }) if class.keeps == Keeps::Perhaps => return Ok(Met::Named),
        Err(error) => return Err(format!("does not open: {error}")),
    };
    if answers.refused.contains(&"info") {
        return Err("not even info is answered".into());
    }
    for listed in &LISTED {
        let touched = |key: &str| {
            let is_it = |row: &str| row.is_empty() || row == key || key.starts_with(&format!("{row} "));
            fault.touches.iter().any(|(table, row)| *table == listed.table && is_it(row))
        };
        let (is, should) = (&answers.rows[listed.table], &expected[listed.table]);
        let lost: Vec<_> = should.difference(is).filter(|(key, _)| !touched(key)).take(3).collect();
        if !lost.is_empty() && class.keeps == Keeps::Everything {
            return Err(format!("{} loses {lost:?}; says {}", listed.table, answers.more(sound)));
        }
        // What is there is true: no row is made up. Those that the truth does not tell must be the sound dump's. A list of
        // numbers that lies in memory that is lost with the rest may lack some.
        let before = &sound.rows[listed.table];
        let part_of = |row: &(String, String), whole: &(String, String)| {
            let held: Vec<&str> = whole.1.split(',').collect();
            row.0 == whole.0 && (row.1.is_empty() || row.1.split(',').all(|number| held.contains(&number)))
        };
        let is_part = |row| class.keeps != Keeps::Everything && should.iter().any(|whole| part_of(row, whole));
        let is_true = |row| should.contains(row) || before.contains(row) || is_part(row);
        let made_up = is.iter().filter(|row| !is_true(row) && !touched(&row.0));
        let made_up: Vec<_> = made_up.take(3).collect();
        if !made_up.is_empty() {
            return Err(format!("{} has {made_up:?}", listed.table));
        }
        // Of a field that may hold anything nobody can say that it is wrong: a table that it leads to may be absent.
        if !lost.is_empty() && class.must != Must::Nothing && !answers.says_more(sound) {
            return Err(format!("{} loses {lost:?} without a word", listed.table));
        }
    }
    let (named, told) = (answers.names(fault, sound), answers.says_more(sound));
    match class.must {
        _ if named => Ok(Met::Named),
        _ if told => Ok(Met::Partial),
        Must::Nothing => Ok(Met::Ok),
        Must::Name | Must::Tell => Err("nobody says a word".into()),
    }
}
