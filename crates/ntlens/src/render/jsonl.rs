//! `jsonl`: the rows alone, one object a line.

use super::json::Row;
use super::json_text;
use crate::error::Error;
use crate::threads;
use ntlens_core::report::{Cell, Table};
use std::io::Write;

/// Rows that are made into text at once, by one thread.
const PIECE: usize = 1 << 11;

/// Bytes that a cell and its name take, roughly.
const CELL: usize = 32;

pub(super) fn write(out: &mut dyn Write, answer: &Table) -> Result<(), Error> {
    threads::in_order(&answer.rows, PIECE, |rows| lines(answer, rows), |lines| Ok(out.write_all(&lines?)?))
}

fn lines(answer: &Table, rows: &[Vec<Cell>]) -> Result<Vec<u8>, Error> {
    let mut lines = Vec::with_capacity(rows.len() * answer.columns.len() * CELL);
    for cells in rows {
        json_text::compact(&mut lines, &Row { answer, cells })?;
        lines.push(b'\n');
    }
    Ok(lines)
}
