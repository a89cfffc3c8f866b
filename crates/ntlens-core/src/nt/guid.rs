//! GUIDs, as memory holds them and as people write them.

use crate::layout::field::Scalar;
use core::fmt;

/// A GUID as the number that its text spells: `{f4e1897c-bb5d-...}` is `0xf4e1_897c_bb5d_...`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Guid(pub u128);

/// Some bits of a number.
const fn part(number: u128, from: u32, bits: u32) -> u128 {
    number >> from & ((1 << bits) - 1)
}

impl Guid {
    /// Takes the bytes of memory: the first three parts are little endian, the rest stands as it is written.
    pub const fn from_memory(bytes: [u8; 16]) -> Self {
        let number = u128::from_le_bytes(bytes);
        let rest = part(u128::from_be_bytes(bytes), 0, 64);
        Self(part(number, 0, 32) << 96 | part(number, 32, 16) << 80 | part(number, 48, 16) << 64 | rest)
    }
}

impl Scalar for Guid {
    const SIZE: usize = 16;

    fn decode(bytes: &[u8]) -> Option<Self> {
        bytes.first_chunk().copied().map(Self::from_memory)
    }
}

impl fmt::Display for Guid {
    /// Lower-case digits with dashes, without braces.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let part = |from, bits| part(self.0, from, bits);
        write!(f, "{:08x}-{:04x}-{:04x}", part(96, 32), part(80, 16), part(64, 16))?;
        write!(f, "-{:04x}-{:012x}", part(48, 16), part(0, 48))
    }
}

impl fmt::Debug for Guid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Guid({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    /// `GUID_NULL`, `IID_IUnknown` and a GUID whose every byte differs.
    #[test]
    fn known_guids_are_written_as_everywhere() {
        assert_eq!(Guid::default().to_string(), "00000000-0000-0000-0000-000000000000");
        let unknown = [0, 0, 0, 0, 0, 0, 0, 0, 0xc0, 0, 0, 0, 0, 0, 0, 0x46];
        assert_eq!(Guid::from_memory(unknown).to_string(), "00000000-0000-0000-c000-000000000046");
        let bytes = core::array::from_fn(|index| u8::try_from(index * 16 + index).unwrap());
        assert_eq!(Guid::from_memory(bytes).to_string(), "33221100-5544-7766-8899-aabbccddeeff");
    }

    proptest! {
        /// Read back part by part, as a GUID is declared: a 32-bit number, two of 16 bits, eight bytes.
        #[test]
        fn the_text_tells_every_byte(bytes: [u8; 16]) {
            let text = Guid::from_memory(bytes).to_string();
            let parts: Vec<&str> = text.split('-').collect();
            prop_assert_eq!(parts.iter().map(|part| part.len()).collect::<Vec<_>>(), [8, 4, 4, 4, 12]);
            let mut read = Vec::new();
            read.extend(u32::from_str_radix(parts[0], 16).unwrap().to_le_bytes());
            read.extend(u16::from_str_radix(parts[1], 16).unwrap().to_le_bytes());
            read.extend(u16::from_str_radix(parts[2], 16).unwrap().to_le_bytes());
            read.extend(u16::from_str_radix(parts[3], 16).unwrap().to_be_bytes());
            read.extend(&u64::from_str_radix(parts[4], 16).unwrap().to_be_bytes()[2..]);
            prop_assert_eq!(read, bytes);
            prop_assert_eq!(Guid::decode(&bytes), Some(Guid::from_memory(bytes)));
            prop_assert_eq!(Guid::decode(&bytes[1..]), None);
        }
    }
}
