//! `jsonl`: the rows alone, one object a line.

use super::json;
use crate::error::Error;
use ntlens_core::report::Table;
use std::io::Write;

pub(super) fn write(out: &mut dyn Write, answer: &Table) -> Result<(), Error> {
    for row in (0..answer.rows.len()).filter_map(|index| json::row(answer, index)) {
        serde_json::to_writer(&mut *out, &row).map_err(std::io::Error::from)?;
        writeln!(out)?;
    }
    Ok(())
}
