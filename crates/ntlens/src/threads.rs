//! Rows of a table filled by all processors.

use ntlens_core::report::{Cell, OneByOne, Spread};
use std::num::NonZero;
use std::thread;

/// Shares the rows of a table between threads.
#[derive(Clone, Copy, Debug, Default)]
pub struct Threads;

/// More threads than this wait for the file rather than for the processor.
const MOST: usize = 8;
/// Fewer rows are filled before a thread has started.
const FEW: usize = 32;

impl Spread for Threads {
    fn fill(&self, rows: &mut [Vec<Cell>], row: &(dyn Fn(usize, &mut Vec<Cell>) + Sync)) {
        let threads = thread::available_parallelism().map_or(1, NonZero::get).min(MOST);
        if threads < 2 || rows.len() < FEW {
            return OneByOne.fill(rows, row);
        }
        let part = rows.len().div_ceil(threads);
        // A thread that panics makes the scope panic.
        thread::scope(|scope| {
            for (number, rows) in rows.chunks_mut(part).enumerate() {
                scope.spawn(move || OneByOne.fill(rows, &|index, cells| row(number * part + index, cells)));
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ntlens_core::report::Value;

    #[test]
    fn the_rows_keep_their_order() {
        let row = |index: usize, cells: &mut Vec<Cell>| cells.push(Cell::Value(Value::Uint(index as u64)));
        for count in [0, 1, 31, 32, 33, 1000] {
            let (mut one, mut other) = (vec![Vec::new(); count], vec![Vec::new(); count]);
            Threads.fill(&mut one, &row);
            OneByOne.fill(&mut other, &row);
            assert_eq!(one, other);
            assert!(one.iter().all(|cells| cells.len() == 1));
        }
    }
}
