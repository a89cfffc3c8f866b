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
    fn rows(&self, count: usize, row: &(dyn Fn(usize) -> Vec<Cell> + Sync)) -> Vec<Vec<Cell>> {
        let threads = thread::available_parallelism().map_or(1, NonZero::get).min(MOST);
        if threads < 2 || count < FEW {
            return OneByOne.rows(count, row);
        }
        let part = count.div_ceil(threads);
        thread::scope(|scope| {
            let starts = (0..count).step_by(part);
            let parts = starts.map(|start| start..count.min(start + part));
            let running: Vec<_> = parts.map(|part| scope.spawn(move || part.map(row).collect::<Vec<_>>())).collect();
            running
                .into_iter()
                .flat_map(|part| part.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
                .collect()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ntlens_core::report::Value;

    #[test]
    fn the_rows_keep_their_order() {
        let row = |index: usize| vec![Cell::Value(Value::Uint(index as u64))];
        for count in [0, 1, 31, 32, 33, 1000] {
            assert_eq!(Threads.rows(count, &row), OneByOne.rows(count, &row));
        }
    }
}
