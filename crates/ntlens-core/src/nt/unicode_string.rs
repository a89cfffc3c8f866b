//! `UNICODE_STRING`: a length, and a pointer to text without an end mark.

use crate::absent::Absent;
use crate::address::VirtAddr;
use crate::incomplete::Incomplete;
use crate::layout::field::Field;
use crate::layout::view::StructView;
use crate::memory::VirtualMemory;
use crate::text;
use alloc::format;
use alloc::string::String;

crate::fields! {
    /// Fields of `_UNICODE_STRING`.
    pub struct UnicodeStringFields of "_UNICODE_STRING" {
        /// Bytes of text.
        length: Field<u16> = "Length",
        /// Bytes that there is room for.
        room: Field<u16> = "MaximumLength",
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

    /// What of a string of the kernel's own at an address cannot be.
    pub(crate) fn fault<M: VirtualMemory + ?Sized>(&self, memory: &M, at: VirtAddr) -> Option<Incomplete> {
        self.fault_in(&StructView::read(memory, at, self.extent), 0, memory)
    }

    /// The same of a string that lies `offset` bytes from the start of what was read already. Windows refuses such strings,
    /// too (`RtlUnicodeStringValidate`, which the driver kit documents).
    pub(crate) fn fault_in<M: VirtualMemory + ?Sized>(
        &self,
        view: &StructView,
        offset: u32,
        memory: &M,
    ) -> Option<Incomplete> {
        let moved = |field: Result<Field<u16>, Absent>| field.map(|field| field.moved(offset));
        let length = view.get(&moved(self.length)).ok()?;
        let wrong_length = |expected: &str| {
            let at = view.address_of(&moved(self.length)).ok()?;
            Some(Incomplete::wrong("_UNICODE_STRING", "Length", at, format!("{length:#x}"), expected))
        };
        if !length.is_multiple_of(2) {
            return wrong_length("an even number of bytes");
        }
        if let Some(room) = view.get(&moved(self.room)).ok().filter(|room| *room < length) {
            return wrong_length(&format!("at most {room:#x}, the MaximumLength"));
        }
        let field = self.buffer.map(|field| field.moved(offset));
        let buffer = view.get(&field).ok().filter(|_| length > 0)?;
        let is_nowhere = || memory.read_in_page(buffer, &mut [0]).is_err_and(Absent::is_nowhere);
        if buffer.is_kernel() && !is_nowhere() {
            return None;
        }
        let expected = format!("the address of {length:#x} bytes in memory of the kernel");
        Some(Incomplete::wrong("_UNICODE_STRING", "Buffer", view.address_of(&field).ok()?, buffer, expected))
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

    /// A string at an address of the kernel, and text on the page behind it.
    struct Kernel(u16, u16, u64);

    const AT: u64 = 0xffff_8000_0000_0000;

    impl VirtualMemory for Kernel {
        fn read_in_page(&self, at: VirtAddr, out: &mut [u8]) -> Result<(), Absent> {
            let mut page = [0; 16];
            page[..2].copy_from_slice(&self.0.to_le_bytes());
            page[2..4].copy_from_slice(&self.1.to_le_bytes());
            page[8..].copy_from_slice(&self.2.to_le_bytes());
            match at.0.wrapping_sub(AT) {
                offset @ 0..16 => out.copy_from_slice(&page[usize::try_from(offset).unwrap()..][..out.len()]),
                0x1000..0x2000 => out.fill(b'a'),
                0x2000..0x3000 => return Err(Absent::AddressNotInDump),
                _ => return Err(Absent::Malformed),
            }
            Ok(())
        }
    }

    #[test]
    fn a_string_that_cannot_be_one_is_named() {
        let (length, room, buffer) = (Ok(Field::at(0)), Ok(Field::at(2)), Ok(Field::at(8)));
        let fields = UnicodeStringFields { length, room, buffer, extent: 16 };
        let text = AT + 0x1000;
        for (string, field) in [
            (Kernel(8, 10, text), None),
            (Kernel(8, 8, text), None),
            (Kernel(0, 0, 0), None),
            (Kernel(0, 2, 0x1000), None),
            (Kernel(8, u16::MAX, text), None),
            // Not in the dump, and perhaps sound.
            (Kernel(8, 8, AT + 0x2000), None),
            (Kernel(3, 8, text), Some(("Length", 0))),
            (Kernel(u16::MAX, u16::MAX, text), Some(("Length", 0))),
            (Kernel(10, 8, text), Some(("Length", 0))),
            (Kernel(8, 0, text), Some(("Length", 0))),
            (Kernel(8, 8, 0), Some(("Buffer", 8))),
            (Kernel(8, 8, 0x1000), Some(("Buffer", 8))),
            (Kernel(8, 8, 0x4141_4141_4141_4141), Some(("Buffer", 8))),
            (Kernel(8, 8, AT + 0x5000), Some(("Buffer", 8))),
        ] {
            let fault = fields.fault(&string, VirtAddr(AT));
            let told = fault.and_then(|fault| Some((fault.place.clone(), fault.wrong?.field)));
            let expected = field.map(|(field, offset)| (VirtAddr(AT + offset).into(), field.into()));
            assert_eq!(told, expected, "{:#x} {:#x} {:#x}", string.0, string.1, string.2);
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
