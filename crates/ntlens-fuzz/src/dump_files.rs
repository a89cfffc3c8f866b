//! Small dump files made of numbers: one of each kind.

/// Writes numbers and text at offsets, growing as needed.
pub(crate) struct Image(pub(crate) Vec<u8>);

impl Image {
    pub(crate) fn bytes(mut self, at: usize, bytes: &[u8]) -> Self {
        if self.0.len() < at + bytes.len() {
            self.0.resize(at + bytes.len(), 0);
        }
        self.0[at..at + bytes.len()].copy_from_slice(bytes);
        self
    }

    pub(crate) fn u32(self, at: usize, value: u32) -> Self {
        self.bytes(at, &value.to_le_bytes())
    }

    pub(crate) fn u64(self, at: usize, value: u64) -> Self {
        self.bytes(at, &value.to_le_bytes())
    }

    pub(crate) fn page(self, at: usize) -> Self {
        self.bytes(at, &[0x5a; PAGE])
    }
}

pub(crate) const PAGE: usize = 0x1000;
pub(crate) const HEADER: usize = 0x2000;
pub(crate) const KERNEL: u64 = 0xffff_f800_0000_0000;

/// All of them by their names.
pub(crate) fn all() -> [(&'static str, Vec<u8>); 6] {
    [
        ("full", full_dump()),
        ("bitmap", bitmap_dump()),
        ("summary", summary_dump()),
        ("rdmp", rdmp_dump()),
        ("triage", triage_dump()),
        ("header", header(3)),
    ]
}

/// A header that is paint but for what every reader looks at; the page tables would start in frame 1.
pub(crate) fn header(dump_type: u32) -> Vec<u8> {
    Image(b"PAGE".repeat(HEADER / 4))
        .bytes(4, b"DU64")
        .u32(0x8, 15)
        .u32(0xc, 19041)
        .u64(0x10, 0x1000)
        .u64(0x20, KERNEL + 0x100)
        .u64(0x28, KERNEL + 0x200)
        .u32(0x30, 0x8664)
        .u32(0x34, 1)
        .u32(0x38, 0xe2)
        .u64(0x80, KERNEL + 0x300)
        .u32(0xf98, dump_type)
        .0
}

/// Two runs; the second page holds a root table with the entry that points back at it.
pub(crate) fn full_dump() -> Vec<u8> {
    Image(header(1))
        .u32(0x88, 2)
        .u64(0x90, 3)
        .u64(0x98, 1)
        .u64(0xa0, 1)
        .u64(0xa8, 4)
        .u64(0xb0, 2)
        .page(HEADER)
        .u64(HEADER + 0xf68, 0x1003)
        .u64(HEADER + 0xf80, 0x4003)
        .page(HEADER + PAGE)
        .u64(HEADER + PAGE, 0x83)
        .page(HEADER + 2 * PAGE)
        .0
}

/// Eleven bits, of which three are set, so that the last byte is a partial one.
pub(crate) fn bitmap_dump() -> Vec<u8> {
    Image(header(6))
        .bytes(HEADER, b"SDMPDUMP")
        .u64(HEADER + 0x20, 0x3000)
        .u64(HEADER + 0x28, 3)
        .u64(HEADER + 0x30, 11)
        .bytes(HEADER + 0x38, &[0b1000_0010, 0b100])
        .page(0x3000)
        .page(0x4000)
        .page(0x5000)
        .0
}

pub(crate) fn summary_dump() -> Vec<u8> {
    Image(header(2))
        .bytes(HEADER, b"SDMPDUMP")
        .u32(HEADER + 0xc, 0x3000)
        .u32(HEADER + 0x10, 16)
        .u32(HEADER + 0x14, 2)
        .bytes(HEADER + 0x28, &[0b11, 0])
        .page(0x3000)
        .page(0x4000)
        .0
}

pub(crate) fn rdmp_dump() -> Vec<u8> {
    Image(header(10))
        .bytes(HEADER, b"\x40\0\0\0RDMP")
        .u64(HEADER + 0x10, 0xfe0)
        .u64(HEADER + 0x18, 0x3000)
        .u32(HEADER + 0x20, 2)
        .u64(HEADER + 0x28, 2)
        .u64(HEADER + 0x30, 1)
        .u64(HEADER + 0x38, 1)
        .u64(HEADER + 0x40, 9)
        .u64(HEADER + 0x48, 1)
        .page(0x3000)
        .page(0x4000)
        .0
}

/// One of everything: copies of three structures, a block for debuggers, a driver, an unloaded module, two blocks.
pub(crate) fn triage_dump() -> Vec<u8> {
    let (kprcb, process, thread, stack) = (0x2100_u32, 0x2180_u32, 0x2200_u32, 0x2280_u32);
    let (debugger, driver, name, unloaded, blocks) = (0x2300_u32, 0x2700_u32, 0x2790_u32, 0x27b0_u32, 0x27f0_u32);
    let at = |offset: u32| offset as usize;
    Image(header(4))
        .u32(HEADER + 0x4, 0x2900)
        .u32(HEADER + 0x18, unloaded)
        .u32(HEADER + 0x1c, kprcb)
        .u32(HEADER + 0x20, process)
        .u32(HEADER + 0x24, thread)
        .u32(HEADER + 0x28, stack)
        .u32(HEADER + 0x2c, 0x40)
        .u32(HEADER + 0x30, driver)
        .u32(HEADER + 0x34, 1)
        .u32(HEADER + 0x38, name)
        .u32(HEADER + 0x3c, 0x20)
        .u64(HEADER + 0x48, KERNEL + 0x7000)
        .u64(HEADER + 0x60, KERNEL + 0x8000)
        .u32(HEADER + 0x68, 0x2840)
        .u32(HEADER + 0x6c, 0x40)
        .u32(HEADER + 0x70, debugger)
        .u32(HEADER + 0x74, 0x360)
        .u32(HEADER + 0x78, blocks)
        .u32(HEADER + 0x7c, 2)
        .u64(at(kprcb) + 8, KERNEL + 0x5000)
        .u64(at(thread) + 0x20, KERNEL + 0x6000)
        .bytes(at(debugger) + 0x10, b"KDBG")
        .u32(at(debugger) + 0x14, 0x360)
        .u64(at(debugger) + 0x18, KERNEL)
        .u64(at(debugger) + 0x218, KERNEL + 0x9000)
        .u32(at(debugger) + 0x2a0, 0x20)
        .u32(at(debugger) + 0x2b4, 0x8)
        .u32(at(debugger) + 0x2bc, 0x24 << 16)
        .u32(at(driver), name)
        .u64(at(driver) + 0x38, KERNEL)
        .u32(at(driver) + 0x48, 0x1000)
        .u32(at(name), 6)
        .bytes(at(name) + 4, b"n\0t\0o\0s\0k\0r\0")
        .u64(at(unloaded), 1)
        .u32(at(unloaded) + 8, 0x0008_0006)
        .bytes(at(unloaded) + 0x18, b"a\0b\0c\0")
        .u64(at(unloaded) + 0x30, KERNEL + 0x2000)
        .u64(at(unloaded) + 0x38, KERNEL + 0x3000)
        .u64(at(blocks), KERNEL + 0x9000)
        .u32(at(blocks) + 8, 0x2840)
        .u32(at(blocks) + 0xc, 0x40)
        .u64(at(blocks) + 0x10, KERNEL + 0x9040)
        .u32(at(blocks) + 0x18, 0x2880)
        .u32(at(blocks) + 0x1c, 0x80)
        .u64(0x2840, KERNEL + 0xa000)
        .u32(0x28fc, 0x5a5a_5a5a)
        .0
}
