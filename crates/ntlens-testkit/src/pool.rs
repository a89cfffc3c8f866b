//! Kernel pools: memory in blocks behind a `_POOL_HEADER` with a tag, pages mapped as they are needed.

use crate::guest::Guest;
use crate::paging::{KERNEL, NO_EXECUTE};
use crate::physical::PAGE;

/// Which pool a block comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PoolKind {
    NonPaged,
    Paged,
}

const HEADER: u64 = 0x10;

/// The state of one pool.
#[derive(Clone, Debug)]
pub(crate) struct Pool {
    next: u64,
    mapped: u64,
    /// Units of 16 bytes in the block before `next`, zero at the start of a page.
    previous: u64,
}

impl Pool {
    pub(crate) const fn new(start: u64) -> Self {
        Self { next: start, mapped: start, previous: 0 }
    }

    pub(crate) fn alloc(&mut self, guest: &mut Guest, kind: PoolKind, bytes: u64, tag: [u8; 4]) -> u64 {
        let block = (bytes + HEADER).next_multiple_of(HEADER);
        let left = self.next.next_multiple_of(PAGE) - self.next;
        if block > left && left != 0 {
            self.header(guest, kind, left, *b"Free", true);
            self.next += left;
            self.previous = 0;
        }
        if block > PAGE {
            let at = self.next;
            self.next += bytes.next_multiple_of(PAGE);
            self.map(guest);
            return at;
        }
        let at = self.next;
        self.next += block;
        self.map(guest);
        self.next = at;
        self.header(guest, kind, block, tag, false);
        self.next += block;
        self.previous = if self.next.is_multiple_of(PAGE) { 0 } else { block / HEADER };
        at + HEADER
    }

    fn map(&mut self, guest: &mut Guest) {
        let end = self.next.next_multiple_of(PAGE);
        if end > self.mapped {
            let space = guest.kernel;
            guest.map_new(space, self.mapped, (end - self.mapped) / PAGE, KERNEL | NO_EXECUTE);
            self.mapped = end;
        }
    }

    fn header(&self, guest: &mut Guest, kind: PoolKind, block: u64, tag: [u8; 4], free: bool) {
        let pool_type = match kind {
            _ if free => 0,
            PoolKind::NonPaged => 2,
            PoolKind::Paged => 3,
        };
        guest
            .at(self.next, "_POOL_HEADER")
            .set("PreviousSize", self.previous)
            .set("BlockSize", block / HEADER)
            .set("PoolType", pool_type)
            .set("PoolTag", u64::from(u32::from_le_bytes(tag)));
    }
}
