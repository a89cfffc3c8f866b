//! `bodyfile`: a timeline for `mactime` of The Sleuth Kit 3 and what reads the same, one line an event.
//!
//! Eleven fields with `|` between: MD5, name, inode, mode, UID, GID, size, and four times in seconds since 1970: of the last
//! access, of the last write, of the last change, and of birth. A time that is not known is 0. The inode is the process id.

use super::escape::visible;
use super::events::{Event, events};
use crate::error::Error;
use ntlens_core::report::Table;
use std::io::Write;

pub(super) fn write(out: &mut dyn Write, answer: &Table) -> Result<(), Error> {
    let mut before = 0_u64;
    for event in events("bodyfile", answer)? {
        match event.unix_nanoseconds.div_euclid(1_000_000_000) {
            seconds @ 1.. => line(out, &event, seconds)?,
            _ => before += 1,
        }
    }
    if before > 0 {
        writeln!(out, "# {before} events of before 1970 have no place in this format")?;
    }
    Ok(())
}

fn line(out: &mut dyn Write, event: &Event<'_>, seconds: i64) -> Result<(), Error> {
    let mut times = [0; 4];
    if let Some(time) = times.get_mut(slot(event.text("column"))) {
        *time = seconds;
    }
    let [access, write, change, birth] = times;
    let (name, inode) = (field(event.text("message")), event.number("pid").unwrap_or_default());
    writeln!(out, "0|{name}|{inode}|0|0|0|0|{access}|{write}|{change}|{birth}")?;
    Ok(())
}

/// Which of the four times a column is, by its name.
fn slot(column: &str) -> usize {
    let is = |words: &[&str]| column.split('_').any(|word| words.contains(&word));
    match () {
        () if is(&["access"]) => 0,
        () if is(&["write"]) => 1,
        () if is(&["create", "start", "load", "boot"]) => 3,
        // It is there no more, or another one.
        () => 2,
    }
}

/// A text that begins no field and no line of its own: the format has no way to quote.
fn field(text: &str) -> String {
    visible(text).replace('|', "\\u{7c}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_of_columns_tell_the_kind_of_time() {
        let slots =
            ["last_access_time", "last_write_time", "exit_time", "unload_time", "load_time", "boot_time"].map(slot);
        assert_eq!(slots, [0, 1, 2, 2, 3, 3]);
    }

    proptest! {
        #[test]
        fn no_text_begins_a_field_or_a_line(text: String) {
            let begins = field(&text).contains(['|', '\n', '\r', '\u{2028}']);
            prop_assert!(!begins);
        }
    }
}
