//! `timesketch`: a timeline as Timesketch imports it, one JSON object a line.
//!
//! `message`, `datetime` and `timestamp_desc` are what it needs of each; `timestamp` is the same time in microseconds. The
//! other members are the columns of the timeline and the details, which are all texts: the index takes one kind of value for
//! one name, whatever table it is of.

use super::events::{Event, events};
use super::json_text;
use crate::error::Error;
use ntlens_core::report::{Table, timeline};
use serde_json::{Map, Value as Json};
use std::io::Write;

pub(super) fn write(out: &mut dyn Write, answer: &Table) -> Result<(), Error> {
    for event in events("timesketch", answer)? {
        json_text::compact(out, &object(&event))?;
        writeln!(out)?;
    }
    Ok(())
}

fn object(event: &Event<'_>) -> Map<String, Json> {
    let (table, column) = (event.text("table"), event.text("column"));
    let mut object = Map::new();
    let mut add = |name: &str, value: Json| {
        object.entry(name).or_insert(value);
    };
    add("message", event.text("message").into());
    add("datetime", microseconds(&event.time.to_string()).into());
    add("timestamp", event.unix_nanoseconds.div_euclid(1000).into());
    add("timestamp_desc", words(column).into());
    add("data_type", format!("ntlens:{table}:{column}").into());
    for name in ["event", "table", "column", "name"] {
        add(name, event.text(name).into());
    }
    if let Some(pid) = event.number("pid") {
        add("pid", pid.into());
    }
    // What has such a name already is not overwritten by a value of the dump.
    for (name, value) in event.list("details").iter().filter_map(|detail| timeline::parts(detail)) {
        add(name, value.into());
    }
    object
}

/// `create_time` as people write it: `Create Time`.
fn words(column: &str) -> String {
    let word = |word: &str| {
        let mut letters = word.chars();
        letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect::<String>()
    };
    column.split('_').map(word).collect::<Vec<_>>().join(" ")
}

/// A time of seven decimals with six, and with its zone as a number.
fn microseconds(time: &str) -> String {
    let end = time.len().saturating_sub("7Z".len());
    format!("{}+00:00", time.get(..end).unwrap_or(time))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ntlens_core::nt::time::FileTime;

    #[test]
    fn times_have_microseconds_and_a_zone() {
        let time: FileTime = "2024-03-02T10:11:12.1234567Z".parse().unwrap();
        assert_eq!(microseconds(&time.to_string()), "2024-03-02T10:11:12.123456+00:00");
        assert_eq!(words("last_write_time"), "Last Write Time");
    }
}
