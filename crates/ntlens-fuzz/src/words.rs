//! Kernel memory that a target's bytes write word by word.

use crate::input::Input;
use ntlens_core::Absent;
use ntlens_core::address::{PAGE_BYTES, PAGE_SIZE, VirtAddr};
use ntlens_core::memory::VirtualMemory;

/// Where the memory begins.
pub(crate) const BASE: u64 = 0xffff_8000_0000_0000;
/// Pages of it.
pub(crate) const PAGES: u16 = 16;
/// Words of a page.
const PAGE_WORDS: u16 = 512;
/// Words of all of it.
const WORDS: u16 = PAGES * PAGE_WORDS;

/// Sixteen pages of words, of which some pages may be missing.
pub(crate) struct Words {
    bytes: Vec<u8>,
    missing: u16,
}

/// How the bytes say what is in memory: a place of 13 bits with one of these above it, then what it needs.
#[derive(Clone, Copy)]
pub(crate) enum Write {
    /// A word.
    Raw(u64),
    /// The address of a place, and a number that is added.
    Pointer(u16, u8),
    /// So many words, each larger than the one before by a step.
    Series(u8, u64, u64),
    /// The page that the place is in is missing.
    Missing,
}

impl Words {
    /// Takes all that is left of the bytes.
    pub(crate) fn read(input: &mut Input<'_>) -> Self {
        let mut memory = Self { bytes: vec![0; usize::from(WORDS) * 8], missing: 0 };
        while let Some((place, write)) = Write::read(input) {
            memory.apply(place, write);
        }
        memory
    }

    fn apply(&mut self, place: u16, write: Write) {
        match write {
            Write::Raw(value) => self.set(place.into(), value),
            Write::Pointer(to, more) => self.set(place.into(), address(to).wrapping_add(more.into()).0),
            Write::Series(count, first, step) => {
                let mut value = first;
                for place in (usize::from(place)..usize::from(WORDS)).take(count.into()) {
                    self.set(place, value);
                    value = value.wrapping_add(step);
                }
            }
            Write::Missing => self.missing |= 1 << (place / PAGE_WORDS),
        }
    }

    fn set(&mut self, place: usize, value: u64) {
        self.bytes[place * 8..place * 8 + 8].copy_from_slice(&value.to_le_bytes());
    }

    /// Bytes of one page.
    fn get(&self, at: VirtAddr, len: usize) -> Option<&[u8]> {
        let start = usize::try_from(at.0.checked_sub(BASE)?).ok()?;
        let is_missing = self.missing.checked_shr(u32::try_from(start / PAGE_BYTES).ok()?)? & 1 == 1;
        self.bytes.get(start..start + len).filter(|_| !is_missing)
    }

    /// The word at an address that is a multiple of 8, without the code under test.
    pub(crate) fn word(&self, at: VirtAddr) -> Option<u64> {
        Some(u64::from_le_bytes(self.get(at, 8)?.try_into().ok()?))
    }
}

impl VirtualMemory for Words {
    fn read_in_page(&self, at: VirtAddr, out: &mut [u8]) -> Result<(), Absent> {
        out.copy_from_slice(self.get(at, out.len()).ok_or(Absent::AddressNotInDump)?);
        Ok(())
    }
}

/// The address of a place.
pub(crate) fn address(place: u16) -> VirtAddr {
    VirtAddr(BASE + u64::from(place % WORDS) * 8)
}

/// The place of a word in a page.
pub(crate) const fn place(page: u16, word: u16) -> u16 {
    page * PAGE_WORDS + word
}

impl Write {
    fn read(input: &mut Input<'_>) -> Option<(u16, Self)> {
        let head = input.u16()?;
        let write = match head / WORDS {
            0..=2 => Self::Raw(input.u64()?),
            3 | 4 => Self::Pointer(input.u16()?, input.u8()?),
            5 | 6 => Self::Series(input.u8()?, input.u64()?, input.u64()?),
            _ => Self::Missing,
        };
        Some((head % WORDS, write))
    }

    /// The bytes that say this, for seeds.
    pub(crate) fn bytes(self, place: u16) -> Vec<u8> {
        let head = |kind: u16| (kind * WORDS + place).to_le_bytes().to_vec();
        match self {
            Self::Raw(value) => [head(0), value.to_le_bytes().to_vec()].concat(),
            Self::Pointer(to, more) => [head(3), to.to_le_bytes().to_vec(), vec![more]].concat(),
            Self::Series(count, first, step) => {
                [head(5), vec![count], first.to_le_bytes().to_vec(), step.to_le_bytes().to_vec()].concat()
            }
            Self::Missing => head(7),
        }
    }
}

const _: () = assert!(PAGE_WORDS as usize * 8 == PAGE_BYTES && PAGE_WORDS as u64 * 8 == PAGE_SIZE);
