//! The kernel's address space, whatever the dump stores.

use crate::absent::Absent;
use crate::address::VirtAddr;
use crate::memory::{BlockSpace, PagedSpace, VirtualMemory};

/// Virtual memory of the kernel or of one process.
#[derive(Clone, Debug)]
pub enum Space {
    /// Through page tables.
    Paged(PagedSpace),
    /// Blocks of a triage dump.
    Blocks(BlockSpace),
}

impl Space {
    /// The page tables, which triage dumps do not have.
    pub fn paged(&self) -> Option<&PagedSpace> {
        match self {
            Self::Paged(space) => Some(space),
            Self::Blocks(_) => None,
        }
    }

    /// The address space of a process by its page tables; blocks are the same for all processes.
    #[must_use]
    pub fn of_process(&self, cr3: u64) -> Self {
        match self {
            Self::Paged(space) => Self::Paged(space.with_root(cr3)),
            Self::Blocks(space) => Self::Blocks(space.clone()),
        }
    }
}

impl VirtualMemory for Space {
    fn read_in_page(&self, at: VirtAddr, out: &mut [u8]) -> Result<(), Absent> {
        match self {
            Self::Paged(space) => space.read_in_page(at, out),
            Self::Blocks(space) => space.read_in_page(at, out),
        }
    }
}
