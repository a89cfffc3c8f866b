//! The timeline against the truth of every shared machine: what has a time is in it, at that time, and in its order.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, missing_docs)]

mod common;

use common::{address, hex, rows, tallied};
use ntlens::nt::FileTime;
use ntlens::render::{self, Format, Terminal};
use ntlens::report::{OneByOne, Question, Wanted, timeline::TIMELINE};
use serde_json::Value as Json;
use std::collections::BTreeMap;

/// What tells one process from all others.
fn eprocess(row: &Json) -> Option<Json> {
    let details = row["details"].as_array()?.iter().filter_map(Json::as_str);
    details.filter_map(|detail| detail.strip_prefix("eprocess=")).map(Json::from).next()
}

#[test]
fn starts_and_ends_of_processes() {
    tallied("timeline", |tally, name, dump, truth| {
        let told = rows(dump, "timeline");
        assert!(told.is_sorted_by_key(|row| row["time"].as_str().unwrap()), "{name}");
        let of = |column: &str| -> BTreeMap<Option<String>, Json> {
            let rows = told.iter().filter(|row| row["table"] == "processes" && row["column"] == column);
            let key = |row: &Json| eprocess(row).and_then(|at| at.as_str().map(str::to_owned));
            rows.map(|row| (key(row), row["time"].clone())).collect()
        };
        let known = rows(dump, "processes");
        for (column, found) in [("create_time", of("create_time")), ("exit_time", of("exit_time"))] {
            for process in truth["processes"].as_array().unwrap() {
                let at = address(hex(&process["eprocess"]).unwrap());
                let place = format!("{name} {at}");
                let row = known.iter().find(|row| row["eprocess"] == at);
                // A process of which nothing is left, or not this field, has no event.
                let expected = match (process[column].as_u64(), row) {
                    (Some(time), Some(row)) if !row[column].is_null() => FileTime(time).to_string().into(),
                    _ => Json::Null,
                };
                let told = found.get(&at.as_str().map(str::to_owned)).cloned().unwrap_or_default();
                tally.check(column, &place, &told, &expected);
            }
        }
    });
}

#[test]
fn other_programs_get_every_event() {
    tallied("timeline for others", |tally, name, dump, _| {
        let answer = TIMELINE.ask_spread(dump, Wanted::All, &OneByOne).unwrap();
        let text = |format| {
            let mut bytes = Vec::new();
            render::write(&mut bytes, format, Some(dump), &answer, Terminal::default()).unwrap();
            String::from_utf8(bytes).unwrap()
        };
        let events = rows(dump, "timeline");
        let timesketch = text(Format::Timesketch);
        let lines: Vec<Json> = timesketch.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let needed =
            |line: &Json| ["message", "datetime", "timestamp_desc"].iter().all(|member| line[member].is_string());
        assert!(lines.iter().all(needed), "{name}");
        let body = text(Format::Bodyfile);
        let body: Vec<Vec<&str>> = body.lines().map(|line| line.split('|').collect()).collect();
        assert!(body.iter().all(|fields| fields.len() == 11), "{name}");
        tally.check("events", name, &lines.len().into(), &events.len().into());
        tally.check("lines", name, &body.len().into(), &events.len().into());
        for ((event, line), fields) in events.iter().zip(&lines).zip(&body) {
            // Seven decimals and Z, of which six are kept.
            let time = event["time"].as_str().unwrap();
            let expected = format!("{}+00:00", &time[..time.len() - 2]);
            tally.check("datetime", name, &line["datetime"], &expected.into());
            let seconds = line["timestamp"].as_i64().unwrap().div_euclid(1_000_000).to_string();
            let told = fields[7..].iter().find(|field| **field != "0");
            tally.check("seconds", name, &told.copied().into(), &seconds.into());
        }
    });
}
