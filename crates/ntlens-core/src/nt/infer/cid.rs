//! The table of process and thread ids: how it is read follows from where it must lead.

use super::Evidence;
use super::found::{At, Found};
use super::population::Population;
use super::votes::{Votes, Weight};
use crate::address::{PAGE_SIZE, VirtAddr};
use crate::kdbg::Kdbg;
use crate::layout::Type;
use crate::memory::{PagedSpace, VirtualMemory};
use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::vec::Vec;

/// Where `TableCode` can be: before Windows 8, and since.
const TABLE_CODES: [u32; 2] = [0, 8];
/// Bytes of an entry, and entries of a page.
const ENTRY: u64 = 16;
const ENTRIES: u64 = PAGE_SIZE / ENTRY;
const POINTERS: u64 = PAGE_SIZE / 8;
/// The lowest bit at which a pointer without its last four bits can begin in an entry.
const POSITIONS: core::ops::RangeInclusive<u8> = 8..=24;

/// How an entry holds a pointer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Encoding {
    /// As it is, with flags in its lowest bits.
    Plain,
    /// Without its lowest four bits, from this bit to the entry's last.
    Above(u8),
}

impl Encoding {
    fn decode(self, entry: u64) -> VirtAddr {
        match self {
            Self::Plain => VirtAddr(entry & !7),
            // Bits that are shifted out are those that every kernel address has.
            Self::Above(position) => {
                let position = u32::from(position);
                let above = u64::MAX.checked_shl(68 - position).unwrap_or(0);
                VirtAddr(entry >> position << 4 | above)
            }
        }
    }
}

/// The table.
#[derive(Debug)]
pub(super) struct CidTable<'a> {
    memory: &'a PagedSpace,
    code: u64,
    code_offset: u32,
    encoding: Encoding,
    /// Fields whose values, taken as ids, lead to the processes that hold them.
    pub(super) confirmed: Vec<(u32, Votes)>,
    votes: Votes,
}

impl<'a> CidTable<'a> {
    /// Finds the way of reading the table under which the ids at one of these offsets lead back to their processes.
    pub(super) fn find(evidence: &Evidence<'a>, population: &Population, ids: &[u32]) -> Option<Self> {
        let memory = evidence.space;
        let table = memory.read_pointer(evidence.kdbg.and_then(Kdbg::psp_cid_table)?).ok()?;
        if !table.is_kernel() {
            return None;
        }
        let encodings: Vec<Encoding> = [Encoding::Plain].into_iter().chain(POSITIONS.map(Encoding::Above)).collect();
        let mut readings: Vec<Self> = Vec::new();
        for code_offset in TABLE_CODES {
            let Ok(code) = memory.read_u64(table.wrapping_add(code_offset.into())) else { continue };
            if code & 7 > 2 || !VirtAddr(code).is_kernel() || code & (PAGE_SIZE - 1) & !7 != 0 {
                continue;
            }
            for offset in ids.iter().copied() {
                let entries: Vec<(VirtAddr, Option<u64>)> = population
                    .processes
                    .iter()
                    .filter_map(|process| Some((process.body.at, entry(memory, code, process.body.u64(offset)?))))
                    .collect();
                for encoding in &encodings {
                    let opinion = |(at, entry): &(VirtAddr, Option<u64>)| Some(encoding.decode((*entry)?) == *at);
                    let votes = Votes::count(entries.iter().map(opinion));
                    // Processes that have ended may have lost their entry; what leads to half of all is no accident.
                    if votes.good < 3 || votes.good < votes.bad {
                        continue;
                    }
                    let same =
                        |reading: &&mut Self| reading.encoding == *encoding && reading.code_offset == code_offset;
                    let exact = Votes { good: votes.good, bad: votes.bad / 10 };
                    if let Some(reading) = readings.iter_mut().find(same) {
                        reading.confirmed.push((offset, exact));
                    } else {
                        let confirmed = Vec::from([(offset, exact)]);
                        let encoding = *encoding;
                        readings.push(Self { memory, code, code_offset, encoding, confirmed, votes: exact });
                    }
                }
            }
        }
        // Two ways of reading that both lead there are not told apart.
        let reading = readings.pop()?;
        readings.is_empty().then_some(reading)
    }

    /// What an id leads to.
    pub(super) fn lookup(&self, id: u64) -> Option<VirtAddr> {
        entry(self.memory, self.code, id).map(|entry| self.encoding.decode(entry))
    }

    /// Adds the table's own fields.
    pub(super) fn add(&self, found: &mut Found) {
        let (votes, exact) = (self.votes, Weight::Exact);
        let text = |what: &str| format!("{what} leads to {} of {} processes by their ids", votes.good, votes.all());
        found.add(At::new("_HANDLE_TABLE", "TableCode", self.code_offset), votes, exact, text("the table of ids"));
        let evidence = text("this way of reading entries");
        match self.encoding {
            Encoding::Plain => found.add(At::new("_HANDLE_TABLE_ENTRY", "Object", 0), votes, exact, evidence),
            Encoding::Above(position) => {
                let field = "ObjectPointerBits";
                let of = Box::new(Type::Base("unsigned long long".into()));
                let length = 64_u8.saturating_sub(position);
                found.typed("_HANDLE_TABLE_ENTRY", field, Type::Bits { position, length, of });
                found.add(At::new("_HANDLE_TABLE_ENTRY", field, 0), votes, exact, evidence);
            }
        }
    }
}

/// The first word of the entry of a handle; `None` if it is not in the dump or lies behind the table.
fn entry(memory: &PagedSpace, code: u64, handle: u64) -> Option<u64> {
    let index = handle / 4;
    let (mut page, top) = (VirtAddr(code & !7), code & 7);
    let mut levels = top;
    let mut seen = BTreeSet::new();
    while levels > 0 {
        if !page.is_kernel() || !seen.insert(page) {
            return None;
        }
        let below = ENTRIES * if levels == 2 { POINTERS } else { 1 };
        let slot = index / below % POINTERS;
        let within = if levels == 2 { index / (ENTRIES * POINTERS) < POINTERS } else { index / ENTRIES < POINTERS };
        if !within {
            return None;
        }
        page = memory.read_pointer(page.wrapping_add(slot * 8)).ok()?;
        levels -= 1;
    }
    if top == 0 && index >= ENTRIES || !page.is_kernel() {
        return None;
    }
    memory.read_u64(page.wrapping_add(index % ENTRIES * ENTRY)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_decoded_as_each_windows_writes_them() {
        let body = VirtAddr(0xffff_e000_0123_4560);
        assert_eq!(Encoding::Plain.decode(body.0 | 1), body);
        assert_eq!(Encoding::Above(20).decode((body.0 >> 4) << 20 | 0x1_ffff), body);
        let old = VirtAddr(0xffff_fa80_0123_4560);
        assert_eq!(Encoding::Above(23).decode((old.0 >> 4) << 23 | 0x7f_ffff), old);
    }
}
