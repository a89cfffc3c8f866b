//! What a 32-bit program sees of itself: the 32-bit environment block and its loader's lists.

use crate::assembly::Assembly;
use crate::paging::Space;
use crate::truth::Dll;
use crate::user_space::Heap;

/// Where the environment block, the strings and lists, and the images lie.
const PEB: u64 = 0x30_0000;
const HEAP: u64 = 0x31_0000;
const PROGRAM: u64 = 0x40_0000;
const SYSWOW64: &str = "C:\\Windows\\SysWOW64\\";
/// Images: name, base, size.
const IMAGES: &[(&str, u64, u64)] = &[
    ("ntdll.dll", 0x7001_0000, 0x1a_1000),
    ("KERNEL32.DLL", 0x7021_0000, 0xf_0000),
    ("WOW32.dll", 0x7041_0000, 0x2_3000),
];

/// Offsets for pointers of 32 bits, as 32-bit programs are compiled with them.
mod at {
    pub(super) const PEB_IMAGE_BASE: u64 = 0x08;
    pub(super) const PEB_LDR: u64 = 0x0c;
    /// Heads of the three lists.
    pub(super) const HEADS: [u64; 3] = [0x0c, 0x14, 0x1c];
    /// Links of the three lists in an entry.
    pub(super) const LINKS: [u64; 3] = [0x00, 0x08, 0x10];
    pub(super) const BASE: u64 = 0x18;
    pub(super) const ENTRY_POINT: u64 = 0x1c;
    pub(super) const SIZE: u64 = 0x20;
    pub(super) const PATH: u64 = 0x24;
    pub(super) const NAME: u64 = 0x2c;
    pub(super) const FLAGS: u64 = 0x34;
}

/// What was written for a 32-bit program.
#[derive(Clone, Debug)]
pub(crate) struct Loader32 {
    pub(crate) peb: u64,
    /// Start and end of the memory with strings and lists.
    pub(crate) heap: (u64, u64),
    pub(crate) dlls: Vec<Dll>,
}

impl Assembly<'_> {
    pub(crate) fn loader32(&mut self, space: Space, name: &str, path: &str) -> Loader32 {
        self.guest.map_new(space, PEB, 1, crate::paging::USER | crate::paging::NO_EXECUTE);
        let mut heap = Heap::new(space, HEAP);
        let image = |name: &str, path: String, base, size| Dll {
            name: name.into(),
            path,
            base,
            size,
            entry: base + 0x1400,
            flags: 0x8_0004,
            load_time: None,
            load_count: None,
            load_reason: None,
        };
        let mut dlls = vec![image(name, path.into(), PROGRAM, 0x9_0000)];
        dlls.extend(IMAGES.iter().map(|(name, base, size)| image(name, format!("{SYSWOW64}{name}"), *base, *size)));
        let ldr = heap.alloc(self, 0x30);
        self.words(space, ldr, &[(0, 0x30), (4, 1)]);
        for head in at::HEADS {
            self.words(space, ldr + head, &[(0, ldr + head), (4, ldr + head)]);
        }
        for (index, dll) in dlls.iter().enumerate() {
            let entry = heap.alloc(self, 0x78);
            self.words(
                space,
                entry,
                &[
                    (at::BASE, dll.base),
                    (at::ENTRY_POINT, dll.entry),
                    (at::SIZE, dll.size),
                    (at::FLAGS, dll.flags.into()),
                ],
            );
            for (field, text) in [(at::PATH, &dll.path), (at::NAME, &dll.name)] {
                let (buffer, length) = heap.text(self, text);
                let lengths = u64::from(length) | (u64::from(length) + 2) << 16;
                self.words(space, entry + field, &[(0, lengths), (4, buffer)]);
            }
            // The program itself is not initialised by the loader.
            for list in 0..if index == 0 { 2 } else { 3 } {
                self.append32(space, ldr + at::HEADS[list], entry + at::LINKS[list]);
            }
        }
        self.words(space, PEB, &[(at::PEB_IMAGE_BASE, PROGRAM), (at::PEB_LDR, ldr)]);
        Loader32 { peb: PEB, heap: heap.range(), dlls }
    }

    /// Writes numbers of four bytes at offsets.
    fn words(&mut self, space: Space, at: u64, values: &[(u64, u64)]) {
        for (offset, value) in values {
            self.guest.write_in(space, at + offset, &u32::try_from(*value).unwrap().to_le_bytes());
        }
    }

    /// Links an entry at the end of a list.
    fn append32(&mut self, space: Space, head: u64, entry: u64) {
        let mut last = [0; 4];
        self.guest.read_in(space, head + 4, &mut last);
        let last = u64::from(u32::from_le_bytes(last));
        self.words(space, entry, &[(0, head), (4, last)]);
        self.words(space, last, &[(0, entry)]);
        self.words(space, head, &[(4, entry)]);
    }
}
