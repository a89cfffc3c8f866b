//! SIDs, and lists of SIDs with attributes: a number of entries, then memory with the list at its start. The same bytes are
//! also taken as one SID.

use crate::input::Input;
use crate::words::{BASE, Words};
use ntlens_core::address::VirtAddr;
use ntlens_core::nt::integrity::Integrity;
use ntlens_core::nt::sid::{Sid, attribute_names, read_list};
use ntlens_core::nt::well_known_sid::SidNames;
use std::fmt::Write as _;
use std::sync::LazyLock;

static NAMES: LazyLock<SidNames> = LazyLock::new(SidNames::default);

/// Entries that one list may have.
const MOST: usize = 4096;

/// Reads the SID and the list.
pub fn run(bytes: &[u8]) {
    if let Ok(sid) = Sid::decode(bytes) {
        check(&sid, bytes);
    }
    let mut input = Input(bytes);
    let Some(count) = input.u16() else { return };
    // What is read is short: a fuzzer keeps an input that goes around more often, and soon does nothing else.
    let count = if usize::from(count) > MOST { count } else { count % 64 };
    let memory = Words::read(&mut input);
    let at = VirtAddr(BASE);
    let Ok(list) = read_list(&memory, at, count.into()) else { return };
    assert!(list.len() == usize::from(count) && list.len() <= MOST, "a list of another length than its count");
    for (entry, place) in list.iter().zip(0_u64..) {
        let at = at.wrapping_add(place * 16);
        let pointer = memory.word(at).filter(|_| memory.word(at.wrapping_add(8)).is_some()).map(VirtAddr);
        // Found one by one each is the same as found in the list.
        let alone = pointer.filter(|pointer| pointer.is_kernel()).and_then(|at| Sid::read(&memory, at).ok());
        assert_eq!(entry.sid.ok(), alone, "the list has another SID");
        let attributes = memory.word(at.wrapping_add(8)).and_then(|word| u32::try_from(word & 0xffff_ffff).ok());
        if let (Ok(found), Some(attributes)) = (entry.attributes, attributes) {
            assert_eq!(found, attributes, "the list has other attributes");
            assert!(attribute_names(found).len() <= 32, "more names than bits");
        }
    }
}

/// A SID of these bytes: its text has all that they have.
fn check(sid: &Sid, bytes: &[u8]) {
    let authority = bytes[2..8].iter().fold(0, |value, byte| value << 8 | u64::from(*byte));
    assert_eq!(sid.authority(), authority, "another authority");
    let mut text = format!("S-1-{authority}");
    if authority >> 32 != 0 {
        text = format!("S-1-0x{authority:012X}");
    }
    let (parts, _) = bytes[8..].as_chunks::<4>();
    for part in parts.iter().take(bytes[1].into()) {
        write!(text, "-{}", u32::from_le_bytes(*part)).expect("a string takes all");
    }
    assert_eq!(sid.to_string(), text, "another text");
    assert_eq!(Sid::new(sid.authority(), sid.sub_authorities()), Some(*sid), "it is not made again of its parts");
    let _ = (Integrity::of_label(sid), NAMES.name(sid), NAMES.is_unknown_service(sid));
}
