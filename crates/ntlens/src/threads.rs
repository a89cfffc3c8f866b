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

/// How many threads share work.
fn count() -> usize {
    thread::available_parallelism().map_or(1, NonZero::get).min(MOST)
}

/// Makes something of each piece of a list, as many pieces at a time as there are threads, and takes what was made in the
/// order of the list. The first error ends it.
pub(crate) fn in_order<T: Sync, M: Send, E>(
    list: &[T],
    piece: usize,
    make: impl Fn(&[T]) -> M + Sync,
    mut take: impl FnMut(M) -> Result<(), E>,
) -> Result<(), E> {
    let (piece, make) = (piece.max(1), &make);
    for some in list.chunks(piece * count()) {
        let mut pieces = some.chunks(piece);
        // This thread does the first piece itself: a short list needs no other.
        let Some(first) = pieces.next() else { continue };
        thread::scope(|scope| {
            let others: Vec<_> = pieces.map(|piece| scope.spawn(move || make(piece))).collect();
            take(make(first))?;
            for other in others {
                take(other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))?;
            }
            Ok(())
        })?;
    }
    Ok(())
}

impl Spread for Threads {
    fn fill(&self, rows: &mut [Vec<Cell>], row: &(dyn Fn(usize, &mut Vec<Cell>) + Sync)) {
        let threads = count();
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
    fn pieces_keep_their_order_and_an_error_ends_them() {
        let list: Vec<u32> = (0..1000).collect();
        for piece in [0, 1, 7, 999, 1000, 1001] {
            let mut taken = Vec::new();
            let made = in_order(&list, piece, <[u32]>::to_vec, |some| {
                taken.extend(some);
                if taken.len() < 500 { Ok(()) } else { Err("enough") }
            });
            assert_eq!(made, Err("enough"));
            assert_eq!(taken, list[..taken.len()]);
            assert!(taken.len() >= 500);
        }
        assert_eq!(in_order(&[] as &[u32], 5, <[u32]>::len, |_| Err("called")), Ok(()));
    }

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
