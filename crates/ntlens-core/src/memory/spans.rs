//! The one place where a read is cut at page ends.
//!
//! Every read of physical or virtual memory goes through [`spans`], so that no reader sizes a piece by another page's
//! end. Pages of 2 MiB and 1 GiB are multiples of 4 KiB and need no case of their own.

use crate::address::PAGE_SIZE;
use core::ops::Range;

/// A piece of a read that lies inside one 4 KiB page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// Address of its first byte.
    pub start: u64,
    /// Which bytes of the whole read it is.
    pub bytes: Range<usize>,
}

/// Cuts `len` bytes from `start` on at page ends. Addresses wrap around at the end of 64 bits, as they would for the
/// processor; no page is mapped there.
pub fn spans(start: u64, len: usize) -> impl Iterator<Item = Span> {
    let mut done = 0;
    core::iter::from_fn(move || {
        if done >= len {
            return None;
        }
        let at = start.wrapping_add(done as u64);
        let to_page_end = usize::try_from(PAGE_SIZE - at % PAGE_SIZE).unwrap_or(usize::MAX);
        let piece = to_page_end.min(len - done);
        let span = Span { start: at, bytes: done..done + piece };
        done += piece;
        Some(span)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn spans_cover_the_read_once_and_stay_in_their_page(start: u64, len in 0_usize..0x5000) {
            let mut next = 0;
            for span in spans(start, len) {
                prop_assert_eq!(span.bytes.start, next);
                prop_assert!(!span.bytes.is_empty());
                prop_assert_eq!(span.start, start.wrapping_add(next as u64));
                let last = span.start.wrapping_add(span.bytes.len() as u64 - 1);
                prop_assert_eq!(last / PAGE_SIZE, span.start / PAGE_SIZE);
                next = span.bytes.end;
            }
            prop_assert_eq!(next, len);
        }
    }
}
