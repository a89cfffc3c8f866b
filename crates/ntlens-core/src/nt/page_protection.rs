//! How the memory manager protects an area of user memory: five bits, which stand for a combination of `PAGE_*` constants.
//!
//! The lower three choose what may be done with the pages, the upper two how they are cached or guarded. The memory
//! manager's own table from the one to the other (`MmProtectToValue`) is publicly known and the same in all versions; the
//! constants are those of `winnt.h`.

use alloc::string::String;

/// The names of the lower three bits' values.
const BASE: [&str; 8] = [
    "PAGE_NOACCESS",
    "PAGE_READONLY",
    "PAGE_EXECUTE",
    "PAGE_EXECUTE_READ",
    "PAGE_READWRITE",
    "PAGE_WRITECOPY",
    "PAGE_EXECUTE_READWRITE",
    "PAGE_EXECUTE_WRITECOPY",
];

/// The names of the upper two bits' values; 0 adds nothing.
const ADDED: [&str; 4] = ["", "PAGE_NOCACHE", "PAGE_GUARD", "PAGE_WRITECOMBINE"];

/// A protection as an area of memory stores it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageProtection(pub u8);

impl PageProtection {
    const fn base(self) -> u8 {
        self.0 & 7
    }

    /// Whether code may run there.
    pub const fn executable(self) -> bool {
        self.base() & 2 != 0
    }

    /// Whether it may be written to, be it to a copy.
    pub const fn writable(self) -> bool {
        self.base() >= 4
    }

    /// The `PAGE_*` constants, joined with `|`.
    pub fn name(self) -> String {
        let base = BASE.get(usize::from(self.base())).copied().unwrap_or_default();
        let added = ADDED.get(usize::from(self.0 >> 3 & 3)).copied().unwrap_or_default();
        // Where nothing is allowed, nothing is added: these values mark what was decommitted.
        if added.is_empty() || self.base() == 0 { base.into() } else { [base, "|", added].concat() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Constants of `winnt.h`.
    const VALUES: [(&str, u32); 11] = [
        ("PAGE_NOACCESS", 0x01),
        ("PAGE_READONLY", 0x02),
        ("PAGE_READWRITE", 0x04),
        ("PAGE_WRITECOPY", 0x08),
        ("PAGE_EXECUTE", 0x10),
        ("PAGE_EXECUTE_READ", 0x20),
        ("PAGE_EXECUTE_READWRITE", 0x40),
        ("PAGE_EXECUTE_WRITECOPY", 0x80),
        ("PAGE_GUARD", 0x100),
        ("PAGE_NOCACHE", 0x200),
        ("PAGE_WRITECOMBINE", 0x400),
    ];

    /// `MmProtectToValue` as numbers.
    const TABLE: [u32; 32] = [
        0x01, 0x02, 0x10, 0x20, 0x04, 0x08, 0x40, 0x80, 0x01, 0x202, 0x210, 0x220, 0x204, 0x208, 0x240, 0x280, 0x01,
        0x102, 0x110, 0x120, 0x104, 0x108, 0x140, 0x180, 0x01, 0x402, 0x410, 0x420, 0x404, 0x408, 0x440, 0x480,
    ];

    fn value(text: &str) -> u32 {
        let of = |name: &str| VALUES.iter().find(|(known, _)| *known == name).expect("a constant of winnt.h").1;
        text.split('|').map(of).sum()
    }

    #[test]
    fn names_are_those_of_the_memory_managers_table() {
        for (protection, expected) in (0..).zip(TABLE) {
            assert_eq!(value(&PageProtection(protection).name()), expected, "{protection}");
        }
    }

    proptest! {
        #[test]
        fn any_byte_has_a_name_that_says_what_is_allowed(byte: u8) {
            let protection = PageProtection(byte);
            let value = value(&protection.name());
            prop_assert_eq!(protection.executable(), value & 0xf0 != 0);
            prop_assert_eq!(protection.writable(), value & 0xcc != 0);
        }
    }
}
