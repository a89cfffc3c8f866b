//! The timeline against the truth of every shared machine: what has a time is in it, at that time, and in its order.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, missing_docs)]

mod common;

use common::{address, hex, rows, tallied};
use ntlens::nt::FileTime;
use ntlens::render::{self, Format, Terminal};
use ntlens::report::{OneByOne, Question, Wanted, timeline::TIMELINE};
use serde_json::Value as Json;

#[test]
fn starts_and_ends_of_processes() {
    tallied("timeline", |tally, name, dump, truth| {
        let told = rows(dump, "timeline");
        assert!(told.is_sorted_by_key(|row| row["time"].as_str().unwrap()), "{name}");
        let known = rows(dump, "processes");
        for column in ["create_time", "exit_time"] {
            let found: Vec<_> =
                told.iter().filter(|row| row["table"] == "processes" && row["column"] == column).collect();
            let all = known.iter().filter(|row| !row[column].is_null()).count();
            tally.check(column, name, &found.len().into(), &all.into());
            for process in truth["processes"].as_array().unwrap() {
                let at = address(hex(&process["eprocess"]).unwrap());
                let row = known.iter().find(|row| row["eprocess"] == at && !row[column].is_null());
                // A process of which nothing is left, or not this field, has no event.
                let (Some(time), Some(_)) = (process[column].as_u64(), row) else { continue };
                let time = FileTime(time).to_string();
                let is_told = found.iter().any(|row| row["pid"] == process["pid"] && row["time"] == time.as_str());
                tally.check(column, &format!("{name} {at} {time}"), &is_told.into(), &true.into());
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
