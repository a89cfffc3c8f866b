//! `SID`: who somebody is. Also arrays of `SID_AND_ATTRIBUTES`.
//!
//! Both are part of the system's binary interface: a revision, a count, six bytes of authority with the highest first, and
//! that many numbers of four bytes; in the array a pointer to a SID and four bytes of attributes, in steps of 16.

use crate::absent::Absent;
use crate::address::VirtAddr;
use crate::memory::VirtualMemory;
use alloc::vec::Vec;
use core::fmt;

/// A SID has at most this many sub-authorities (`SID_MAX_SUB_AUTHORITIES`).
const MAX_PARTS: usize = 15;
/// Bytes before the sub-authorities.
const HEAD: usize = 8;
/// Bytes of one `SID_AND_ATTRIBUTES`.
const ENTRY: usize = 16;
/// Bytes of a SID as users have them.
const TYPICAL_SID: usize = 28;
/// No list of a token is longer: Windows itself takes 1024 groups and about as many capabilities.
const MAX_ENTRIES: u32 = 4096;

/// A security identifier, shown as `S-1-5-18`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sid {
    authority: u64,
    parts: [u32; MAX_PARTS],
    count: u8,
}

impl Sid {
    /// Makes one of its identifier authority, of which Windows keeps 48 bits, and its sub-authorities; `None` if these are
    /// more than 15.
    pub fn new(authority: u64, sub_authorities: &[u32]) -> Option<Self> {
        let mut parts = [0; MAX_PARTS];
        parts.get_mut(..sub_authorities.len())?.copy_from_slice(sub_authorities);
        Some(Self { authority: authority & 0xffff_ffff_ffff, parts, count: u8::try_from(sub_authorities.len()).ok()? })
    }

    /// Decodes one from bytes, which may go on behind it.
    pub fn decode(bytes: &[u8]) -> Result<Self, Absent> {
        let (head, rest) = bytes.split_first_chunk::<HEAD>().ok_or(Absent::Malformed)?;
        let count = Self::count(*head)?;
        let (words, _) = rest.as_chunks::<4>();
        let mut parts = [0; MAX_PARTS];
        for (part, word) in parts.iter_mut().zip(words.get(..usize::from(count)).ok_or(Absent::Malformed)?) {
            *part = u32::from_le_bytes(*word);
        }
        let [_, _, authority @ ..] = *head;
        let authority = authority.iter().fold(0, |value, byte| value << 8 | u64::from(*byte));
        Ok(Self { authority, parts, count })
    }

    /// The number of sub-authorities that a SID's first bytes tell.
    fn count(head: [u8; HEAD]) -> Result<u8, Absent> {
        let [revision, count, ..] = head;
        if revision == 1 && usize::from(count) <= MAX_PARTS { Ok(count) } else { Err(Absent::Malformed) }
    }

    /// Reads one from memory.
    pub fn read<M: VirtualMemory + ?Sized>(memory: &M, at: VirtAddr) -> Result<Self, Absent> {
        // Behind a SID memory may end: only its first bytes tell how long it is.
        let mut head = [0; HEAD];
        memory.read(at, &mut head).map_err(|hole| hole.why)?;
        let mut bytes = head.to_vec();
        bytes.resize(HEAD + 4 * usize::from(Self::count(head)?), 0);
        memory.read(at, &mut bytes).map_err(|hole| hole.why)?;
        Self::decode(&bytes)
    }

    /// The authority that gave it: 5 is Windows itself, 16 integrity levels.
    pub const fn authority(&self) -> u64 {
        self.authority
    }

    /// Its numbers behind the authority.
    pub fn sub_authorities(&self) -> &[u32] {
        self.parts.get(..usize::from(self.count)).unwrap_or_default()
    }

    /// The last of them, which tells one account of a domain, or one level, from another.
    pub fn rid(&self) -> Option<u32> {
        self.sub_authorities().last().copied()
    }
}

impl fmt::Display for Sid {
    /// As Windows writes it: an authority above 32 bits in hexadecimal.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.authority >> 32 == 0 {
            write!(f, "S-1-{}", self.authority)?;
        } else {
            write!(f, "S-1-0x{:012X}", self.authority)?;
        }
        self.sub_authorities().iter().try_for_each(|part| write!(f, "-{part}"))
    }
}

impl fmt::Debug for Sid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// An entry of a token's list of SIDs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SidAndAttributes {
    /// The SID, or why it is missing.
    pub sid: Result<Sid, Absent>,
    /// `SE_GROUP_*`, as [`attribute_names`] names them.
    pub attributes: Result<u32, Absent>,
}

/// Names of the bits of a group's attributes (`SE_GROUP_*`).
const ATTRIBUTES: [(u32, &str); 8] = [
    (0x1, "Mandatory"),
    (0x2, "EnabledByDefault"),
    (0x4, "Enabled"),
    (0x8, "Owner"),
    (0x10, "UseForDenyOnly"),
    (0x20, "Integrity"),
    (0x40, "IntegrityEnabled"),
    (0x2000_0000, "Resource"),
];
/// Two bits that only stand together.
const LOGON_ID: u32 = 0xc000_0000;

/// The names of a group's attributes; `bit_N` for what has none.
pub fn attribute_names(attributes: u32) -> Vec<alloc::string::String> {
    let mut rest = attributes;
    let mut names = Vec::new();
    let logon = (attributes & LOGON_ID == LOGON_ID).then_some((LOGON_ID, "LogonId"));
    for (bits, name) in ATTRIBUTES.into_iter().chain(logon) {
        if rest & bits == bits {
            names.push(name.into());
            rest &= !bits;
        }
    }
    names.extend((0..32).filter(|bit| rest >> bit & 1 == 1).map(|bit| alloc::format!("bit_{bit}")));
    names
}

/// Some memory that was read in one go, in which most SIDs of a token lie.
#[derive(Debug)]
struct Window {
    at: VirtAddr,
    bytes: Vec<u8>,
    holes: Vec<(core::ops::Range<usize>, Absent)>,
}

impl Window {
    fn read<M: VirtualMemory + ?Sized>(memory: &M, at: VirtAddr, len: usize) -> Self {
        let mut bytes = alloc::vec![0; len];
        let holes = memory.read_around_holes(at, &mut bytes);
        Self { at, bytes, holes }
    }

    /// Bytes of it, without those that are missing.
    fn get(&self, range: core::ops::Range<usize>) -> Result<&[u8], Absent> {
        if let Some((_, why)) = self.holes.iter().find(|(hole, _)| hole.start < range.end && range.start < hole.end) {
            return Err(*why);
        }
        self.bytes.get(range).ok_or(Absent::Malformed)
    }

    /// A SID that lies whole in it.
    fn sid(&self, at: VirtAddr) -> Option<Sid> {
        let start = usize::try_from(at.0.checked_sub(self.at.0)?).ok()?;
        let head = self.get(start..start.checked_add(HEAD)?).ok()?;
        let count = Sid::count(*head.first_chunk()?).ok()?;
        let bytes = self.get(start..start.checked_add(HEAD + 4 * usize::from(count))?).ok()?;
        Sid::decode(bytes).ok()
    }
}

/// Reads an array of `SID_AND_ATTRIBUTES`. A count that no token has is malformed.
pub fn read_list<M: VirtualMemory + ?Sized>(
    memory: &M,
    at: VirtAddr,
    count: u32,
) -> Result<Vec<SidAndAttributes>, Absent> {
    if count == 0 {
        return Ok(Vec::new());
    }
    if count > MAX_ENTRIES || !at.is_kernel() {
        return Err(Absent::Malformed);
    }
    // The kernel lays the SIDs out behind the array: one that lies elsewhere costs reads of its own.
    let count = usize::try_from(count).unwrap_or(0);
    let window = Window::read(memory, at, count * (ENTRY + TYPICAL_SID));
    let entry = |index: usize| {
        let place = index * ENTRY..(index + 1) * ENTRY;
        let (words, _) = match window.get(place) {
            Ok(bytes) => bytes.as_chunks::<8>(),
            Err(why) => return SidAndAttributes { sid: Err(why), attributes: Err(why) },
        };
        let word = |index: usize| words.get(index).map_or(0, |word| u64::from_le_bytes(*word));
        let pointer = VirtAddr(word(0));
        // The upper half of the second word is padding.
        let attributes = u32::try_from(word(1) & u64::from(u32::MAX)).map_err(|_| Absent::Malformed);
        let sid = match window.sid(pointer) {
            Some(sid) => Ok(sid),
            None if pointer.is_kernel() => Sid::read(memory, pointer),
            None => Err(Absent::Malformed),
        };
        SidAndAttributes { sid, attributes }
    };
    Ok((0..count).map(entry).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;
    use proptest::prelude::*;

    /// Memory from one address on; what lies around it is missing.
    #[derive(Debug)]
    struct Piece(u64, Vec<u8>);

    impl VirtualMemory for Piece {
        fn read_in_page(&self, at: VirtAddr, out: &mut [u8]) -> Result<(), Absent> {
            let start = at.0.checked_sub(self.0).and_then(|start| usize::try_from(start).ok());
            let bytes = start.and_then(|start| self.1.get(start..start.checked_add(out.len())?));
            out.copy_from_slice(bytes.ok_or(Absent::AddressNotInDump)?);
            Ok(())
        }
    }

    const ADMINISTRATORS: [u8; 16] = [1, 2, 0, 0, 0, 0, 0, 5, 32, 0, 0, 0, 0x20, 2, 0, 0];

    #[test]
    fn a_sid_is_shown_as_windows_shows_it() {
        let sid = Sid::decode(&ADMINISTRATORS).unwrap();
        assert_eq!((sid.to_string().as_str(), sid.authority(), sid.rid()), ("S-1-5-32-544", 5, Some(544)));
        assert_eq!(sid, Sid::new(5, &[32, 544]).unwrap());
        assert_eq!(Sid::new(0x1234_5678_9abc, &[u32::MAX]).unwrap().to_string(), "S-1-0x123456789ABC-4294967295");
        assert_eq!(Sid::new(1, &[]).unwrap().to_string(), "S-1-1");
        assert_eq!(Sid::new(5, &[1; 16]), None);
    }

    #[test]
    fn bytes_that_are_no_sid_are_malformed() {
        for wrong in [&ADMINISTRATORS[..15], &[], &[2, 0, 0, 0, 0, 0, 0, 5], &[1, 16, 0, 0, 0, 0, 0, 5], &[1; 7]] {
            assert_eq!(Sid::decode(wrong), Err(Absent::Malformed), "{wrong:?}");
        }
        let revision = [0; 16];
        assert_eq!(Sid::read(&Piece(0x1000, revision.to_vec()), VirtAddr(0x1000)), Err(Absent::Malformed));
    }

    #[test]
    fn a_sid_at_the_end_of_memory_is_read_and_one_beyond_it_is_missing() {
        let memory = Piece(0x1000, [&[0; 0x10][..], &ADMINISTRATORS].concat());
        assert_eq!(Sid::read(&memory, VirtAddr(0x1010)).unwrap().to_string(), "S-1-5-32-544");
        let memory = Piece(0x1000, ADMINISTRATORS[..12].to_vec());
        assert_eq!(Sid::read(&memory, VirtAddr(0x1000)), Err(Absent::AddressNotInDump));
    }

    #[test]
    fn attributes_have_names() {
        assert_eq!(attribute_names(0xc000_0007), ["Mandatory", "EnabledByDefault", "Enabled", "LogonId"]);
        assert_eq!(attribute_names(0x60), ["Integrity", "IntegrityEnabled"]);
        assert_eq!(attribute_names(0x4000_0180), ["bit_7", "bit_8", "bit_30"]);
        assert!(attribute_names(0).is_empty());
    }

    #[test]
    fn a_list_keeps_what_is_there() {
        const AT: u64 = 0xffff_8000_0000_1ff0;
        let mut bytes = Vec::new();
        for pointer in [AT + 0x30, AT + 0x9000, 0x1000] {
            bytes.extend(u64::to_le_bytes(pointer));
            bytes.extend([7, 0, 0, 0xc0, 0xaa, 0xaa, 0xaa, 0xaa]);
        }
        bytes.extend(ADMINISTRATORS);
        bytes.resize(0x4000, 0);
        let list = read_list(&Piece(AT, bytes), VirtAddr(AT), 3).unwrap();
        let sids: Vec<_> = list.iter().map(|entry| entry.sid.map(|sid| sid.to_string())).collect();
        assert_eq!(sids, [Ok("S-1-5-32-544".into()), Err(Absent::AddressNotInDump), Err(Absent::Malformed)]);
        assert!(list.iter().all(|entry| entry.attributes == Ok(0xc000_0007)));
        assert_eq!(read_list(&Piece(AT, Vec::new()), VirtAddr(AT), 0), Ok(Vec::new()));
        assert_eq!(read_list(&Piece(AT, Vec::new()), VirtAddr(AT), u32::MAX), Err(Absent::Malformed));
        let nothing = read_list(&Piece(AT, Vec::new()), VirtAddr(AT), 2).unwrap();
        assert!(nothing.iter().all(|entry| entry.sid == Err(Absent::AddressNotInDump) && entry.attributes.is_err()));
    }

    proptest! {
        #[test]
        fn any_bytes_end(bytes in prop::collection::vec(any::<u8>(), 0..600), count in any::<u32>(), at in any::<u64>()) {
            if let Ok(sid) = Sid::decode(&bytes) {
                prop_assert!(sid.sub_authorities().len() <= MAX_PARTS);
                prop_assert!(sid.to_string().starts_with("S-1-"));
            }
            let memory = Piece(at, bytes);
            let _ = Sid::read(&memory, VirtAddr(at));
            if let Ok(list) = read_list(&memory, VirtAddr(at), count) {
                prop_assert!(list.len() <= MAX_ENTRIES as usize);
            }
        }

        #[test]
        fn what_is_written_is_read(authority in 0_u64..1 << 48, parts in prop::collection::vec(any::<u32>(), 0..=15)) {
            let sid = Sid::new(authority, &parts).unwrap();
            let mut bytes = alloc::vec![1, u8::try_from(parts.len()).unwrap()];
            bytes.extend(&authority.to_be_bytes()[2..]);
            bytes.extend(parts.iter().flat_map(|part| part.to_le_bytes()));
            prop_assert_eq!(Sid::decode(&bytes), Ok(sid));
            prop_assert_eq!(Sid::read(&Piece(8, bytes), VirtAddr(8)), Ok(sid));
        }
    }
}
