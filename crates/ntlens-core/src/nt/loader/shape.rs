//! Where a loader's structures have their fields, for pointers of 64 and of 32 bits.

use crate::absent::Absent;
use crate::address::VirtAddr;
use crate::layout::Layouts;
use crate::layout::field::Field;
use crate::layout::view::StructView;
use crate::memory::VirtualMemory;
use crate::nt::list::Links;
use crate::nt::unicode_string;
use alloc::string::String;

/// Bits of a pointer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Width {
    Bits64,
    Bits32,
}

impl Width {
    const fn bytes(self) -> u32 {
        match self {
            Self::Bits64 => 8,
            Self::Bits32 => 4,
        }
    }
}

/// One list: where its head lies in `PEB_LDR_DATA`, and its links in an entry.
#[derive(Clone, Copy, Debug)]
pub(super) struct ListShape {
    pub(super) head: Result<u32, Absent>,
    pub(super) links: Result<u32, Absent>,
}

/// Offsets of fields, in bytes.
#[derive(Clone, Debug)]
pub(super) struct Shape {
    pub(super) width: Width,
    /// In the environment block.
    pub(super) ldr: Result<u32, Absent>,
    pub(super) lists: [ListShape; 3],
    pub(super) base: Result<u32, Absent>,
    pub(super) entry: Result<u32, Absent>,
    pub(super) size: Result<u32, Absent>,
    pub(super) path: Result<u32, Absent>,
    pub(super) name: Result<u32, Absent>,
    pub(super) flags: Result<u32, Absent>,
    /// Bytes of an entry that are read.
    pub(super) extent: u32,
}

/// Heads in `PEB_LDR_DATA`, links in an entry, and the same for 32 bits.
const LISTS: [(&str, &str, u32, u32); 3] = [
    ("InLoadOrderModuleList", "InLoadOrderLinks", 0x0c, 0x00),
    ("InMemoryOrderModuleList", "InMemoryOrderLinks", 0x14, 0x08),
    ("InInitializationOrderModuleList", "InInitializationOrderLinks", 0x1c, 0x10),
];

impl Shape {
    /// As the kernel's symbols have them. `extent` is what else is wanted of an entry.
    pub(super) fn native(layouts: &Layouts, extent: u32) -> Self {
        const ENTRY: &str = "_LDR_DATA_TABLE_ENTRY";
        let at = |structure: &str, path: &str| layouts.place(structure, path).map(|place| place.offset);
        let list = |(head, links, ..): (&str, &str, u32, u32)| ListShape {
            head: at("_PEB_LDR_DATA", head),
            links: at(ENTRY, links),
        };
        Self {
            width: Width::Bits64,
            ldr: at("_PEB", "Ldr"),
            lists: LISTS.map(list),
            base: at(ENTRY, "DllBase"),
            entry: at(ENTRY, "EntryPoint"),
            size: at(ENTRY, "SizeOfImage"),
            path: at(ENTRY, "FullDllName"),
            name: at(ENTRY, "BaseDllName"),
            flags: at(ENTRY, "Flags"),
            // The flags lie behind everything else that is told here.
            extent,
        }
    }

    /// Of the 32-bit loader. Programs are compiled with these structures, so they are the same in every version as far as
    /// they are told here (`winternl.h`, and the symbols of any 32-bit `ntdll.dll`); no symbols of a 64-bit kernel have them.
    pub(super) fn wow64(layouts: &Layouts) -> Self {
        // The kernel itself knows the 32-bit environment block.
        let ldr = layouts.place("_PEB32", "Ldr").map_or(0x0c, |place| place.offset);
        Self {
            width: Width::Bits32,
            ldr: Ok(ldr),
            lists: LISTS.map(|(_, _, head, links)| ListShape { head: Ok(head), links: Ok(links) }),
            base: Ok(0x18),
            entry: Ok(0x1c),
            size: Ok(0x20),
            path: Ok(0x24),
            name: Ok(0x2c),
            flags: Ok(0x34),
            extent: 0x38,
        }
    }

    /// A pointer in a structure that was read.
    pub(super) fn pointer(&self, view: &StructView, offset: Result<u32, Absent>) -> Result<VirtAddr, Absent> {
        match self.width {
            Width::Bits64 => view.get(&offset.map(Field::<VirtAddr>::at)),
            Width::Bits32 => number(view, offset).map(|value| VirtAddr(value.into())),
        }
    }

    /// The links at an offset of a structure that was read.
    pub(super) fn links(&self, view: &StructView, offset: u32) -> Result<Links, Absent> {
        let second = offset.saturating_add(self.width.bytes());
        Ok(Links { flink: self.pointer(view, Ok(offset))?, blink: self.pointer(view, Ok(second))? })
    }

    /// A pointer in memory.
    pub(super) fn read_pointer<M: VirtualMemory>(&self, memory: &M, at: VirtAddr) -> Result<VirtAddr, Absent> {
        self.pointer(&StructView::read(memory, at, self.width.bytes()), Ok(0))
    }

    /// Links in memory.
    pub(super) fn read_links<M: VirtualMemory>(&self, memory: &M, at: VirtAddr) -> Result<Links, Absent> {
        self.links(&StructView::read(memory, at, self.width.bytes().saturating_mul(2)), 0)
    }
}

/// A number of four bytes.
pub(super) fn number(view: &StructView, offset: Result<u32, Absent>) -> Result<u32, Absent> {
    view.get(&offset.map(Field::<u32>::at))
}

/// The text of a `UNICODE_STRING` of a 32-bit program: bytes of text, room for it, and a pointer of four bytes.
pub(super) fn text32<M: VirtualMemory>(view: &StructView, offset: u32, memory: &M) -> Result<Option<String>, Absent> {
    const BUFFER: u32 = 4;
    let length = view.get(&Ok(Field::<u16>::at(offset)))?;
    let buffer = number(view, Ok(offset.saturating_add(BUFFER)))?;
    unicode_string::content(memory, VirtAddr(buffer.into()), length)
}
