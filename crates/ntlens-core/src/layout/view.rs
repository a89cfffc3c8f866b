//! One structure, read once, with the holes remembered.

use crate::absent::Absent;
use crate::address::VirtAddr;
use crate::layout::field::{Bits, Field, Flags, Resolve, Scalar};
use crate::memory::VirtualMemory;
use alloc::vec::Vec;
use core::ops::Range;

/// The bytes of one structure. A missing page spoils only the fields that lie on it.
#[derive(Clone, Debug)]
pub struct StructView {
    /// Where the structure is.
    pub at: VirtAddr,
    bytes: Vec<u8>,
    holes: Vec<(Range<usize>, Absent)>,
}

impl StructView {
    /// Reads `extent` bytes: the `extent` of the fields that will be asked for.
    pub fn read<M: VirtualMemory + ?Sized>(memory: &M, at: VirtAddr, extent: u32) -> Self {
        let mut bytes = alloc::vec![0; usize::try_from(extent).unwrap_or(0)];
        let holes = memory.read_around_holes(at, &mut bytes);
        Self { at, bytes, holes }
    }

    /// A field's value.
    pub fn get<T: Scalar>(&self, field: &Result<Field<T>, Absent>) -> Result<T, Absent> {
        let field = (*field)?;
        T::decode(self.slice(field.offset, field.end())?).ok_or(Absent::Malformed)
    }

    /// The value of some bits.
    pub fn bits(&self, field: &Result<Bits, Absent>) -> Result<u64, Absent> {
        let field = (*field)?;
        self.slice(field.offset, field.end()).map(|bytes| field.of(integer(bytes)))
    }

    /// Whether one bit is set.
    pub fn bit(&self, field: &Result<Bits, Absent>) -> Result<bool, Absent> {
        self.bits(field).map(|value| value != 0)
    }

    /// The integer behind named flags, if it has 4 bytes at most.
    pub fn flags(&self, field: &Result<Flags, Absent>) -> Result<u32, Absent> {
        self.word(field).and_then(|word| u32::try_from(word).map_err(|_| Absent::Malformed))
    }

    /// The integer behind named flags.
    pub fn word(&self, field: &Result<Flags, Absent>) -> Result<u64, Absent> {
        let field = field.as_ref().map_err(|why| *why)?;
        self.slice(field.offset, field.end()).map(integer)
    }

    /// Where a field is in memory, for fields that are lists or structures themselves.
    pub fn address_of<T>(&self, field: &Result<Field<T>, Absent>) -> Result<VirtAddr, Absent> {
        field.map(|field| self.at.wrapping_add(field.offset.into()))
    }

    fn slice(&self, start: u32, end: u32) -> Result<&[u8], Absent> {
        let range = usize::try_from(start).unwrap_or(usize::MAX)..usize::try_from(end).unwrap_or(usize::MAX);
        if let Some((_, why)) = self.holes.iter().find(|(hole, _)| hole.start < range.end && range.start < hole.end) {
            return Err(*why);
        }
        self.bytes.get(range).ok_or(Absent::Malformed)
    }
}

/// At most 8 bytes as a number, the lowest first.
fn integer(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Memory of which each fourth page is missing, and the others hold numbers of their addresses.
    struct Holed;

    impl VirtualMemory for Holed {
        fn read_in_page(&self, at: VirtAddr, out: &mut [u8]) -> Result<(), Absent> {
            if (at.0 >> 12).is_multiple_of(4) {
                return Err(Absent::AddressNotInDump);
            }
            for (byte, at) in out.iter_mut().zip(at.0..) {
                *byte = at.wrapping_mul(0x9e37_79b9).to_le_bytes()[1];
            }
            Ok(())
        }
    }

    proptest! {
        /// What a structure that was read at once says is what its memory says, field by field.
        #[test]
        fn a_view_is_its_memory(start in 0x1000_u64..0x6000, size in 0_u32..0x3000, offset in 0_u32..0x3000) {
            let view = StructView::read(&Holed, VirtAddr(start), size);
            let found = view.get(&Ok(Field::<u64>::at(offset)));
            if offset + 8 <= size {
                prop_assert_eq!(found, Holed.read_u64(VirtAddr(start + u64::from(offset))));
            } else {
                prop_assert!(found.is_err());
            }
        }
    }
}
