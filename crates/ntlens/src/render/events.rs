//! The rows of a timeline, for the formats that hold nothing else.

use crate::error::Error;
use ntlens_core::nt::time::FileTime;
use ntlens_core::report::{Cell, Table, Text, Value, timeline};

/// A row.
pub(super) struct Event<'a> {
    pub(super) time: FileTime,
    pub(super) unix_nanoseconds: i64,
    answer: &'a Table,
    cells: &'a [Cell],
}

/// The events of an answer that is a timeline.
pub(super) fn events<'a>(format: &'static str, answer: &'a Table) -> Result<impl Iterator<Item = Event<'a>>, Error> {
    if answer.name != timeline::NAME {
        return Err(Error::NoTimeline { format });
    }
    Ok(answer.rows.iter().filter_map(|cells| Event::of(answer, cells)))
}

impl<'a> Event<'a> {
    fn of(answer: &'a Table, cells: &'a [Cell]) -> Option<Self> {
        let Some(Value::Time(time)) = value(answer, cells, "time") else { return None };
        Some(Self { time: *time, unix_nanoseconds: time.unix_nanoseconds()?, answer, cells })
    }

    /// The text of a column, empty if there is none.
    pub(super) fn text(&self, column: &str) -> &'a str {
        match value(self.answer, self.cells, column) {
            Some(Value::Text(text)) => text,
            _ => "",
        }
    }

    pub(super) fn number(&self, column: &str) -> Option<u64> {
        match value(self.answer, self.cells, column) {
            Some(Value::Uint(number)) => Some(*number),
            _ => None,
        }
    }

    pub(super) fn list(&self, column: &str) -> &'a [Text] {
        match value(self.answer, self.cells, column) {
            Some(Value::List(texts)) => texts,
            _ => &[],
        }
    }
}

fn value<'a>(answer: &Table, cells: &'a [Cell], column: &str) -> Option<&'a Value> {
    let place = answer.columns.iter().position(|heading| heading.name == column)?;
    cells.get(place)?.value()
}
