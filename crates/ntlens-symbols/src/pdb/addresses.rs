//! From a section and an offset to an address in the image.

use super::records::Cursor;
use crate::error::Fault;
use alloc::vec::Vec;
use ntlens_core::address::Rva;

/// Bytes of a section header.
const SECTION: usize = 40;

/// The sections of an image, and how its parts were moved after it was linked.
#[derive(Debug, Default)]
pub(super) struct AddressMap {
    /// Where each section starts, relative to the image.
    sections: Vec<u32>,
    /// Addresses before and after, in the order of the first. An address after of 0: the part is gone.
    moved: Option<Vec<(u32, u32)>>,
}

impl AddressMap {
    /// Takes section headers as they are in the image, and the stream `OMAP from source` if parts were moved.
    pub(super) fn new(sections: &[u8], moved: Option<&[u8]>) -> Result<Self, Fault> {
        let address = |section: &[u8]| Cursor(section.get(12..)?).u32();
        let sections = sections.chunks_exact(SECTION).filter_map(address).collect();
        let pair = |pair: &[u8]| {
            let mut cursor = Cursor(pair);
            Some((cursor.u32()?, cursor.u32()?))
        };
        let moved: Option<Vec<_>> = moved.map(|moved| moved.chunks_exact(8).filter_map(pair).collect());
        if moved.as_ref().is_some_and(|moved| !moved.is_sorted_by_key(|(before, _)| before)) {
            return Err(Fault::malformed("OMAP stream", "addresses in order"));
        }
        Ok(Self { sections, moved })
    }

    /// The address of a place in a section; sections count from 1. `None` if there is no such place in the image.
    pub(super) fn rva(&self, section: u16, offset: u32) -> Option<Rva> {
        let start = self.sections.get(usize::from(section).checked_sub(1)?)?;
        let address = start.checked_add(offset)?;
        let Some(moved) = &self.moved else { return Some(Rva(address.into())) };
        let after = moved.partition_point(|(before, _)| *before <= address);
        let (before, after) = *moved.get(after.checked_sub(1)?)?;
        if after == 0 { None } else { Some(Rva(after.checked_add(address - before)?.into())) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    fn sections() -> Vec<u8> {
        let mut bytes = vec![0; 2 * SECTION];
        bytes[12..16].copy_from_slice(&0x1000_u32.to_le_bytes());
        bytes[52..56].copy_from_slice(&0xffff_f000_u32.to_le_bytes());
        bytes
    }

    fn pairs(pairs: &[(u32, u32)]) -> Vec<u8> {
        pairs.iter().flat_map(|(one, two)| [one.to_le_bytes(), two.to_le_bytes()].concat()).collect()
    }

    #[test]
    fn sections_count_from_one() {
        let map = AddressMap::new(&sections(), None).unwrap();
        assert_eq!(map.rva(1, 0x20), Some(Rva(0x1020)));
        assert_eq!((map.rva(0, 0), map.rva(3, 0), map.rva(2, 0x1000)), (None, None, None));
    }

    #[test]
    fn parts_that_were_moved_are_followed() {
        let moved = pairs(&[(0x1010, 0x5000), (0x1020, 0), (0x1030, 0xffff_fff0)]);
        let map = AddressMap::new(&sections(), Some(&moved)).unwrap();
        assert_eq!(map.rva(1, 0x1f), Some(Rva(0x500f)));
        assert_eq!((map.rva(1, 0xf), map.rva(1, 0x20)), (None, None));
        assert_eq!((map.rva(1, 0x30), map.rva(1, 0x40)), (Some(Rva(0xffff_fff0)), None));
        assert!(AddressMap::new(&sections(), Some(&pairs(&[(2, 1), (1, 1)]))).is_err());
    }
}
