//! Addresses as types of their own, so that a physical address never passes for a virtual one.
//!
//! Every value can be constructed: they come from memory that may be hostile, and are judged where they are used.

use core::fmt;

/// Bytes in one page frame of x64.
pub const PAGE_SIZE: u64 = 0x1000;

/// The same as the length of a buffer.
pub const PAGE_BYTES: usize = 0x1000;

macro_rules! address {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        pub struct $name(pub u64);

        impl $name {
            /// This address moved up by `bytes`; `None` past the end of 64 bits.
            pub const fn checked_add(self, bytes: u64) -> Option<Self> {
                match self.0.checked_add(bytes) {
                    Some(sum) => Some(Self(sum)),
                    None => None,
                }
            }

            /// This address moved up by `bytes`, around the end of 64 bits as the processor would compute it.
            #[must_use]
            pub const fn wrapping_add(self, bytes: u64) -> Self {
                Self(self.0.wrapping_add(bytes))
            }

            /// This address moved down by `bytes`, around zero as the processor would compute it.
            #[must_use]
            pub const fn wrapping_sub(self, bytes: u64) -> Self {
                Self(self.0.wrapping_sub(bytes))
            }

            /// Whether the value is zero, which Windows uses for "none".
            pub const fn is_null(self) -> bool {
                self.0 == 0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:#018x}", self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({:#x})"), self.0)
            }
        }
    };
}

address! {
    /// A virtual address.
    VirtAddr
}

address! {
    /// A physical address.
    PhysAddr
}

address! {
    /// An offset into a loaded image, relative to its base.
    Rva
}

impl VirtAddr {
    /// Whether the bits above the implemented ones repeat the highest implemented one (bit 47, or bit 56 with LA57).
    #[expect(clippy::cast_possible_wrap, clippy::cast_sign_loss, reason = "the shift copies the sign")]
    pub const fn is_canonical(self, levels: PagingLevels) -> bool {
        let unused = match levels {
            PagingLevels::Four => 16,
            PagingLevels::Five => 7,
        };
        (((self.0 << unused) as i64) >> unused) as u64 == self.0
    }

    /// Whether the address lies in the upper, kernel half.
    pub const fn is_kernel(self) -> bool {
        self.0 >> 63 == 1
    }

    /// Whether it can be the start of an image of the kernel's: a page of the upper half.
    pub(crate) const fn is_page_of_kernel(self) -> bool {
        self.is_kernel() && self.is_canonical(PagingLevels::Five) && self.0.is_multiple_of(PAGE_SIZE)
    }

    /// The pointer inside an `_EX_FAST_REF`: its low four bits count references.
    #[must_use]
    pub const fn without_fast_ref(self) -> Self {
        Self(self.0 & !0xf)
    }
}

impl PhysAddr {
    /// The frame this address lies in.
    pub const fn pfn(self) -> Pfn {
        Pfn(self.0 / PAGE_SIZE)
    }

    /// The offset inside its frame.
    pub const fn page_offset(self) -> u64 {
        self.0 % PAGE_SIZE
    }

    /// The root of page tables held by a CR3 value or a `DirectoryTableBase`: bits 12 to 51. The low bits hold PCID or
    /// cache flags, the high ones flags of the instruction that loads CR3.
    pub const fn from_cr3(value: u64) -> Self {
        Self(value & 0x000f_ffff_ffff_f000)
    }
}

/// A page frame number: a physical address divided by [`PAGE_SIZE`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub struct Pfn(pub u64);

impl Pfn {
    /// The physical address of the frame's first byte. Frame numbers past the architecture's 52 bits wrap to an address
    /// that no dump describes.
    pub const fn base(self) -> PhysAddr {
        PhysAddr(self.0.wrapping_mul(PAGE_SIZE))
    }
}

/// How many levels of page tables the processor walks.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum PagingLevels {
    /// PML4: 48-bit virtual addresses.
    #[default]
    Four,
    /// PML5 (LA57, CR4 bit 12): 57-bit virtual addresses.
    Five,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canonical_addresses_repeat_the_top_bit() {
        for (address, four, five) in [
            (0, true, true),
            (0x7fff_ffff_ffff, true, true),
            (0x8000_0000_0000, false, true),
            (0xffff_8000_0000_0000, true, true),
            (0xff00_0000_0000_0000, false, true),
            (0x4141_4141_4141_4141, false, false),
        ] {
            assert_eq!(VirtAddr(address).is_canonical(PagingLevels::Four), four, "{address:#x}");
            assert_eq!(VirtAddr(address).is_canonical(PagingLevels::Five), five, "{address:#x}");
        }
    }

    #[test]
    fn cr3_loses_its_flags() {
        assert_eq!(PhysAddr::from_cr3(0x8000_0000_001a_d002), PhysAddr(0x1a_d000));
    }
}
