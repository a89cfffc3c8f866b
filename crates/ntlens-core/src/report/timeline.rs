//! `timeline`: what happened when, from every time that the answers to other questions hold.
//!
//! Nothing is listed here: a column of [`Kind::Time`] in any question of [`QUESTIONS`] is part of it.

use super::{Asked, Cell, Column, Heading, Kind, QUESTIONS, Question, Rank, Screen, Table, TableDef, Wanted};
use super::{Value, screen};
use crate::absent::Absent;
use crate::incomplete::Incomplete;
use crate::nt::time::FileTime;
use crate::opened::OpenDump;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

/// Something that happened, and the row that tells of it.
#[derive(Clone, Debug)]
pub struct Event {
    time: FileTime,
    table: &'static str,
    column: Heading,
    /// The values of the row that are no times.
    values: Vec<(Heading, Value)>,
    /// The columns that say which row it is.
    keys: Vec<&'static str>,
}

/// The table's name.
pub const NAME: &str = "timeline";

/// The table.
pub const TIMELINE: Asked<Event> = Asked {
    table: TableDef {
        name: NAME,
        about: "what happened when: every time that the other questions tell, in its order",
        columns: COLUMNS,
        screen: &[
            screen("Time", "time").key(),
            screen("Event", "event").key(),
            screen("PID", "pid").main(),
            screen("Name", "name").key(),
            screen("Table", "table").main(),
            screen("Details", "details").wide(),
        ],
        record: false,
    },
    parameters: &[],
    rows: |dump, _| Ok(events(dump)),
    remarks: |_| Vec::new(),
};

/// Short for a column.
const fn column(name: &'static str, kind: Kind, about: &'static str, get: fn(&Event) -> Cell) -> Column<Event> {
    Column::new(name, kind, about, get)
}

const COLUMNS: &[Column<Event>] = &[
    column("time", Kind::Time, "when it happened", |e| e.time.into()),
    column("event", Kind::Text, "what happened", |e| e.what().into()),
    column("table", Kind::Text, "the question whose answer tells of it", |e| e.table.into()),
    column("column", Kind::Text, "the column of that answer", |e| e.column.name.into()),
    column("pid", Kind::Uint, "id of the process that it belongs to", |e| match e.value("pid") {
        Some(Value::Uint(pid)) => (*pid).into(),
        _ => Cell::Null,
    }),
    column("name", Kind::Text, "the name of what it happened to", |e| e.name().into()),
    column("message", Kind::Text, "all of this in one sentence", |e| e.message().into()),
    column("details", Kind::List, "the other values of that row, as column=value", |e| {
        e.values.iter().map(|(heading, value)| detail(heading.name, value)).collect::<Vec<_>>().into()
    }),
];

/// A value with its column's name.
fn detail(column: &str, value: &Value) -> String {
    format!("{column}={value}")
}

/// The column and the value of a detail. No column has a `=` in its name.
pub fn parts(detail: &str) -> Option<(&str, &str)> {
    detail.split_once('=')
}

impl Event {
    /// What happened: what the column says of itself, without its first words.
    fn what(&self) -> &'static str {
        let about = self.column.about;
        about.strip_prefix("when it ").or(about.strip_prefix("when ")).unwrap_or(about)
    }

    fn value(&self, column: &str) -> Option<&Value> {
        self.values.iter().find(|(heading, _)| heading.name == column).map(|(_, value)| value)
    }

    /// The first text among what tells the row from others.
    fn name(&self) -> Option<String> {
        let texts = self.keys.iter().filter_map(|key| match self.value(key) {
            Some(Value::Text(text)) => Some(text.as_str().into()),
            _ => None,
        });
        texts.into_iter().next()
    }

    fn message(&self) -> String {
        let keys = self.keys.iter().filter_map(|key| Some(format!("{key} {}", self.value(key)?)));
        format!("{}: {}: {}", self.table, keys.collect::<Vec<_>>().join(", "), self.what())
    }
}

/// Columns that tell a row from others where a table says of none that it is looked at for it.
const FEW: usize = 3;

/// The columns that tell a row of a question from the others, with their values not too long for a sentence.
fn keys(question: &dyn Question) -> Vec<&'static str> {
    let columns = question.columns();
    let kind = |shown: &Screen| columns.iter().find(|column| column.name == shown.column).map(|column| column.kind);
    let short = |shown: &&Screen| matches!(kind(shown), Some(Kind::Text | Kind::Uint));
    let all: Vec<&Screen> = question.screen().iter().filter(short).collect();
    let marked: Vec<_> = all.iter().filter(|shown| shown.rank == Rank::Key).map(|shown| shown.column).collect();
    if marked.is_empty() { all.iter().take(FEW).map(|shown| shown.column).collect() } else { marked }
}

/// The questions that tell times, each with these columns.
pub fn sources() -> impl Iterator<Item = (&'static dyn Question, Vec<Heading>)> {
    let others = QUESTIONS.iter().filter(|question| question.name() != NAME);
    let times = |question: &&'static dyn Question| {
        let times: Vec<_> = question.columns().into_iter().filter(|column| column.kind == Kind::Time).collect();
        (!times.is_empty()).then_some((*question, times))
    };
    others.filter_map(times)
}

/// All events in their order.
fn events(dump: &OpenDump) -> (Vec<Event>, Vec<Incomplete>) {
    let (mut events, mut incomplete, mut told) = (Vec::new(), Vec::new(), BTreeSet::new());
    for (question, times) in sources() {
        let shown = question.screen().iter().map(|shown| shown.column);
        let names: Vec<_> = shown.chain(times.iter().map(|column| column.name)).collect();
        let selection = question.selection(Wanted::Wide);
        // The names are those of the question itself.
        let selection = selection.clone().columns(&names.join(",")).unwrap_or(selection);
        match question.ask_selected(dump, &super::Arguments::default(), &selection, &super::OneByOne) {
            Ok(table) => {
                // What was wrong when the dump was opened is told by the timeline itself, and several questions may have
                // met the same fault.
                let own = table.incomplete.get(dump.incomplete().len()..).unwrap_or_default();
                let new = own.iter().filter(|missing| told.insert((missing.what.clone(), missing.place.to_string())));
                incomplete.extend(new.cloned());
                take(&table, &keys(question), &mut events, &mut incomplete);
            }
            // The whole dump has no answer to it: what is missing is its part of the timeline.
            Err(why) => incomplete.push(Incomplete::new(
                format!("times of {}: {why}", question.name()),
                question.name(),
                Absent::NotApplicable,
            )),
        }
    }
    events.sort_by_key(|event: &Event| event.time);
    (events, incomplete)
}

/// What a time is that 64 bits of nanoseconds do not hold, from 1677 to 2262: no program that reads timelines takes it.
const TOO_FAR: Absent = Absent::Malformed;

/// Takes the events of one answer, and what is missing of them.
fn take(table: &Table, keys: &[&'static str], events: &mut Vec<Event>, incomplete: &mut Vec<Incomplete>) {
    let mut missing: BTreeMap<(&str, &str), (Absent, u64)> = BTreeMap::new();
    for row in &table.rows {
        let cells = || table.columns.iter().zip(row);
        let values = || {
            let others = cells().filter(|(column, _)| column.kind != Kind::Time);
            others.filter_map(|(column, cell)| Some((*column, cell.value()?.clone()))).collect()
        };
        // A detail that a read lost leaves no empty cell here.
        for (column, cell) in cells().filter(|(column, _)| column.kind != Kind::Time) {
            if let Some(why) = cell.absent().filter(|why| matches!(why, Absent::ReadFailed { .. })) {
                missing.entry((column.name, why.reason())).or_insert((why, 0)).1 += 1;
            }
        }
        for (column, cell) in cells().filter(|(column, _)| column.kind == Kind::Time) {
            match cell {
                Cell::Value(Value::Time(time)) if time.unix_nanoseconds().is_none() => {
                    missing.entry((column.name, TOO_FAR.reason())).or_insert((TOO_FAR, 0)).1 += 1;
                }
                Cell::Value(Value::Time(time)) => {
                    let (column, keys) = (*column, keys.to_vec());
                    events.push(Event { time: *time, table: table.name, column, values: values(), keys });
                }
                Cell::Absent(why) if !matches!(why, Absent::NoSuchField | Absent::NotApplicable) => {
                    missing.entry((column.name, why.reason())).or_insert((*why, 0)).1 += 1;
                }
                _ => {}
            }
        }
    }
    let all = missing.into_iter().map(|((column, _), (why, count))| {
        Incomplete::new("times and details", format!("{}.{column}", table.name), why).times(count)
    });
    incomplete.extend(all);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The sentence of an event is made of what the column says of itself.
    #[test]
    fn every_time_says_what_happened_then() {
        assert!(sources().count() >= 7);
        for (question, times) in sources() {
            for column in times {
                assert!(column.about.starts_with("when "), "{}.{}", question.name(), column.name);
                assert!(!column.name.contains('='));
            }
            assert!(!keys(question).is_empty(), "{}", question.name());
        }
    }

    #[test]
    fn a_detail_comes_apart_whatever_its_value() {
        assert_eq!(parts(&detail("name", &Value::Text("a=b=c".into()))), Some(("name", "a=b=c")));
        assert_eq!(parts(&detail("pid", &Value::Uint(4))), Some(("pid", "4")));
    }
}
