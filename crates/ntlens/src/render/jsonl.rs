//! `jsonl`: the rows alone, one object a line.

use super::json::Row;
use crate::error::Error;
use ntlens_core::report::Table;
use std::io::Write;

pub(super) fn write(out: &mut dyn Write, answer: &Table) -> Result<(), Error> {
    for cells in &answer.rows {
        serde_json::to_writer(&mut *out, &Row { answer, cells }).map_err(std::io::Error::from)?;
        writeln!(out)?;
    }
    Ok(())
}
