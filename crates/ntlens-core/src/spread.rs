//! Work that falls into pieces, and who does the pieces: this library alone does one after the other, its user may have
//! threads.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

/// One piece of work.
pub type Task<'a> = Box<dyn FnOnce() + Send + 'a>;

/// Does work in pieces. No piece needs another, so where there are threads they can share them.
pub trait Spread: fmt::Debug + Sync {
    /// How many tasks are worth having at once.
    fn width(&self) -> usize {
        1
    }

    /// Does all tasks, in any order or at once, and returns when they are done.
    fn run(&self, tasks: Vec<Task<'_>>) {
        for task in tasks {
            task();
        }
    }

    /// So many more steps are to do: for who shows how far the work is.
    fn plan(&self, _steps: usize) {}

    /// A step is done. Whether the answer is still wanted: if not, the task need not go on.
    fn step(&self) -> bool {
        true
    }
}

/// One piece after the other.
#[derive(Clone, Copy, Debug, Default)]
pub struct OneByOne;

impl Spread for OneByOne {}

/// Makes something of each piece of a list: as many pieces as are worth having at once, but none, save the last, with
/// fewer than `few` members. In the order of the list.
pub fn pieces<T: Sync, M: Send>(
    spread: &dyn Spread,
    list: &[T],
    few: usize,
    make: impl Fn(&[T]) -> M + Sync,
) -> Vec<M> {
    let pieces = list.chunks(piece(spread, list.len(), few));
    let mut made: Vec<Option<M>> = pieces.clone().map(|_| None).collect();
    let make = &make;
    let tasks = pieces.zip(&mut made).map(|(piece, place)| boxed(move || *place = Some(make(piece))));
    spread.run(tasks.collect());
    made.into_iter().flatten().collect()
}

/// Changes each member of a list, of which the function gets the index, in such pieces; each is a step.
pub(crate) fn change<T: Send>(spread: &dyn Spread, list: &mut [T], few: usize, change: impl Fn(usize, &mut T) + Sync) {
    let size = piece(spread, list.len(), few);
    let change = &change;
    spread.plan(list.len());
    let tasks = list.chunks_mut(size).enumerate().map(|(number, piece)| {
        boxed(move || {
            for (index, member) in piece.iter_mut().enumerate() {
                change(number * size + index, member);
                if !spread.step() {
                    break;
                }
            }
        })
    });
    spread.run(tasks.collect());
}

/// Members of one piece.
fn piece(spread: &dyn Spread, members: usize, few: usize) -> usize {
    members.div_ceil(spread.width().max(1)).max(few).max(1)
}

fn boxed<'a>(task: impl FnOnce() + Send + 'a) -> Task<'a> {
    Box::new(task)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Does the last task first.
    #[derive(Debug)]
    struct Backwards(usize);

    impl Spread for Backwards {
        fn width(&self) -> usize {
            self.0
        }

        fn run(&self, tasks: Vec<Task<'_>>) {
            assert!(tasks.len() <= self.0.max(1));
            tasks.into_iter().rev().for_each(|task| task());
        }
    }

    proptest! {
        #[test]
        fn pieces_are_the_list_in_its_order(list: Vec<u8>, width in 0..9_usize, few in 0..50_usize) {
            let made = pieces(&Backwards(width), &list, few, <[u8]>::to_vec);
            let Some((_, whole)) = made.split_last() else {
                prop_assert!(list.is_empty());
                return Ok(());
            };
            prop_assert!(whole.iter().all(|piece| piece.len() >= few));
            prop_assert_eq!(made.concat(), list);
        }

        #[test]
        fn each_member_is_changed_once(mut list: Vec<usize>, width in 0..9_usize, few in 0..50_usize) {
            let wanted: Vec<usize> = list.iter().enumerate().map(|(index, member)| member ^ index).collect();
            change(&Backwards(width), &mut list, few, |index, member| *member ^= index);
            prop_assert_eq!(list, wanted);
        }
    }
}
