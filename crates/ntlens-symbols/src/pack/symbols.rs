//! The block of symbols: addresses of one table as differences from the table before.

use super::{Cursor, Name, PackError};
use alloc::vec::Vec;
use ntlens_core::address::Rva;

/// The symbols of one table.
pub(super) fn of_table(bytes: &[u8], tables: usize, table: usize) -> Result<Vec<(Name, Rva)>, PackError> {
    let mut from = Cursor::new(bytes);
    let count = from.count()?;
    let mut names = Vec::with_capacity(count);
    for _ in 0..count {
        names.push(from.text()?);
    }
    let mut modes = Vec::with_capacity(tables);
    for _ in 0..tables {
        modes.push(from.number()?);
    }
    // Find the run that tells this table, and how many of its tables come before.
    let mut run = Cursor::new(&[]);
    let mut steps = 0_usize;
    for mode in modes.get(..=table).ok_or(PackError::NoSuchTable(table))? {
        match *mode {
            0 => {}
            1 => steps += 1,
            mode => {
                let len = usize::try_from(mode - 2).map_err(|_| PackError::Invalid("length"))?;
                run = Cursor::new(from.take(len)?);
                steps = 1;
            }
        }
    }
    if modes.get(table) == Some(&0) {
        return Ok(Vec::new());
    }
    let mut symbols = Vec::new();
    for step in 0..steps {
        if step > 0 {
            go_on(&mut run, &mut symbols)?;
        }
        add(&mut run, &mut symbols)?;
        symbols.sort_unstable();
    }
    symbols
        .into_iter()
        .map(|(rva, name)| {
            let rva = u64::try_from(rva).map_err(|_| PackError::Invalid("address"))?;
            let name = usize::try_from(name).ok().and_then(|name| names.get(name));
            Ok((Name::from(*name.ok_or(PackError::Invalid("name"))?), Rva(rva)))
        })
        .collect()
}

/// Symbols that are new in this table.
fn add(run: &mut Cursor<'_>, symbols: &mut Vec<(i64, u64)>) -> Result<(), PackError> {
    let count = run.count()?;
    let mut at = 0_i64;
    for _ in 0..count {
        let name = run.number()?;
        at = at.wrapping_add(run.number()?.cast_signed());
        symbols.push((at, name));
    }
    Ok(())
}

/// From one table's symbols to those of the next that it has as well.
fn go_on(run: &mut Cursor<'_>, symbols: &mut Vec<(i64, u64)>) -> Result<(), PackError> {
    // Each index counts in the list without those removed before; they ascend, so one pass removes all.
    let mut at = 0_usize;
    let mut gone = Vec::new();
    for removed in 0..run.count()? {
        at = at.saturating_add(run.small("count")?);
        let index = at.saturating_add(removed);
        if index >= symbols.len() {
            return Err(PackError::Invalid("symbol"));
        }
        gone.push(index);
    }
    let mut gone = gone.into_iter().peekable();
    let mut index = 0_usize..;
    symbols.retain(|_| gone.next_if_eq(&index.next().unwrap_or(usize::MAX)).is_none());
    let mut shift = 0_i64;
    for (rva, _) in symbols.iter_mut() {
        shift = shift.wrapping_add(run.signed()?);
        *rva = rva.wrapping_add(shift);
    }
    Ok(())
}
