//! `jsonl`: the rows alone, one object a line.

use super::json::Row;
use crate::error::Error;
use ntlens_core::report::Table;
use std::io::Write;

/// Bytes that are written at once: a row is made of a hundred small pieces.
const PIECE: usize = 1 << 15;

pub(super) fn write(out: &mut dyn Write, answer: &Table) -> Result<(), Error> {
    let mut lines = Vec::with_capacity(2 * PIECE);
    for cells in &answer.rows {
        serde_json::to_writer(&mut lines, &Row { answer, cells }).map_err(std::io::Error::from)?;
        lines.push(b'\n');
        if lines.len() >= PIECE {
            out.write_all(&lines)?;
            lines.clear();
        }
    }
    Ok(out.write_all(&lines)?)
}
