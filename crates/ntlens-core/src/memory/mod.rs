//! From file offsets to physical memory to virtual memory.

pub mod bitmap;
pub mod blocks;
pub mod frames;
pub mod pages;
pub mod paging;
pub mod physical;
pub mod pte;
pub mod space;
pub mod spans;
mod tlb;

pub use blocks::BlockSpace;
pub use pages::Pages;
pub use paging::{Gap, PageSize, PagedSpace, Residence, Translation};
pub use physical::PhysicalImage;
pub use space::{Hole, VirtualMemory};
