//! `UNICODE_STRING`: a length, and a pointer to text without an end mark.

use crate::absent::Absent;
use crate::address::VirtAddr;
use crate::layout::field::Field;
use crate::layout::view::StructView;
use crate::memory::VirtualMemory;
use crate::text;
use alloc::string::String;

crate::fields! {
    /// Fields of `_UNICODE_STRING`.
    pub struct UnicodeStringFields of "_UNICODE_STRING" {
        /// Bytes of text.
        length: Field<u16> = "Length",
        /// The text.
        buffer: Field<VirtAddr> = "Buffer",
    }
}

impl UnicodeStringFields {
    /// Reads the text of a string at an address. `None` for an empty one.
    pub fn read<M: VirtualMemory + ?Sized>(&self, memory: &M, at: VirtAddr) -> Result<Option<String>, Absent> {
        self.read_in(&StructView::read(memory, at, self.extent), 0, memory)
    }

    /// Reads the text of a string that lies `offset` bytes from the start of what was read already.
    pub(crate) fn read_in<M: VirtualMemory + ?Sized>(
        &self,
        view: &StructView,
        offset: u32,
        memory: &M,
    ) -> Result<Option<String>, Absent> {
        let length = view.get(&self.length.map(|field| field.moved(offset)))?;
        let buffer = view.get(&self.buffer.map(|field| field.moved(offset)))?;
        content(memory, buffer, length)
    }
}

/// The text of a string whose two parts are known. `None` for an empty one.
pub(crate) fn content<M: VirtualMemory + ?Sized>(
    memory: &M,
    buffer: VirtAddr,
    length: u16,
) -> Result<Option<String>, Absent> {
    // Windows counts bytes of whole characters: an odd length was never written by it.
    if !length.is_multiple_of(2) {
        return Err(Absent::Malformed);
    }
    if length == 0 || buffer.is_null() {
        return Ok(None);
    }
    let mut bytes = alloc::vec![0; usize::from(length)];
    memory.read(buffer, &mut bytes).map_err(|hole| hole.why)?;
    Ok(Some(text::utf16(&bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Memory in which every page but each third holds its own number over and over.
    struct Holed;

    impl VirtualMemory for Holed {
        fn read_in_page(&self, at: VirtAddr, out: &mut [u8]) -> Result<(), Absent> {
            let page = at.0 >> 12;
            if page.is_multiple_of(3) {
                return Err(Absent::AddressNotInDump);
            }
            out.fill(page.to_le_bytes()[0]);
            Ok(())
        }
    }

    proptest! {
        #[test]
        fn any_string_is_text_of_its_length_or_an_absence(buffer: u64, small in 0_u64..0x8000, length: u16, near: bool) {
            let at = VirtAddr(if near { small } else { buffer });
            match content(&Holed, at, length) {
                Ok(None) => prop_assert!(length == 0 || at.is_null()),
                Ok(Some(text)) => prop_assert_eq!(text.encode_utf16().count(), usize::from(length) / 2),
                Err(Absent::Malformed) => prop_assert_eq!(length % 2, 1),
                Err(why) => {
                    prop_assert_eq!(why, Absent::AddressNotInDump);
                    // One of its pages is missing.
                    let pages = at.0 >> 12..=at.0.wrapping_add(u64::from(length) - 1) >> 12;
                    prop_assert!(pages.is_empty() || pages.into_iter().any(|page| page.is_multiple_of(3)));
                }
            }
        }
    }
}
