//! Work that all processors share.

use ntlens_core::spread::{self, Spread, Task};
use std::num::NonZero;
use std::thread;

/// Shares work between threads.
#[derive(Clone, Copy, Debug, Default)]
pub struct Threads;

/// More threads than this wait for the file rather than for the processor.
const MOST: usize = 8;

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
    let piece = piece.max(1);
    for some in list.chunks(piece * count()) {
        spread::pieces(&Threads, some, piece, &make).into_iter().try_for_each(&mut take)?;
    }
    Ok(())
}

impl Spread for Threads {
    fn width(&self) -> usize {
        count()
    }

    fn run(&self, tasks: Vec<Task<'_>>) {
        let mut tasks = tasks.into_iter();
        // This thread does the first task itself: a single one needs no other.
        let Some(first) = tasks.next() else { return };
        // A thread that panics makes the scope panic.
        thread::scope(|scope| {
            tasks.for_each(|task| drop(scope.spawn(task)));
            first();
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

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
    fn every_task_is_done_once() {
        for count in [0, 1, 2, 100] {
            let done: Vec<AtomicUsize> = (0..count).map(|_| AtomicUsize::new(0)).collect();
            let tasks = done.iter().map(|done| {
                let task: Task<'_> = Box::new(|| {
                    done.fetch_add(1, Relaxed);
                });
                task
            });
            Threads.run(tasks.collect());
            assert!(done.iter().all(|done| done.load(Relaxed) == 1));
        }
    }
}
