//! System services: the tables that lead a system call to its routine.
//!
//! `KeServiceDescriptorTable` describes the kernel's own table; `KeServiceDescriptorTableShadow`, for threads with a
//! window, the same one and that of `win32k.sys`. A description is in no PDB: four pointers wide since the first Windows
//! for x64, it holds the table, a table of counters, the number of services and a table of bytes with the size of each
//! service's arguments on the stack. An entry of a table is a signed number of 32 bits: the routine's distance from the
//! table times 16, and in the low four bits how many arguments are on the stack, which is a quarter of its byte in the
//! other table.

use crate::absent::Absent;
use crate::address::VirtAddr;
use crate::incomplete::Incomplete;
use crate::memory::VirtualMemory;
use crate::nt::process::Process;
use crate::nt::snapshot::Snapshot;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::vec::Vec;
use byteorder::{ByteOrder, LittleEndian};

/// Which table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Table {
    /// The kernel's.
    Nt,
    /// That of windows and graphics.
    Win32k,
}

impl Table {
    /// The name in the output contract.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Nt => "nt",
            Self::Win32k => "win32k",
        }
    }

    /// The number of the table's first service: bits 12 and 13 of a service number choose the table.
    const fn first(self) -> u32 {
        match self {
            Self::Nt => 0,
            Self::Win32k => 0x1000,
        }
    }
}

/// A service number has 12 bits for the place in a table.
const MAX_SERVICES: u32 = 0x1000;
/// Bytes of a description.
const DESCRIPTION: usize = 32;
/// Bytes of an entry.
const ENTRY: usize = 4;
/// So many processes of a session are tried.
const TRIES: usize = 4;

/// One service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// The table it is in.
    pub table: Table,
    /// Where that table is.
    pub table_at: VirtAddr,
    /// The session whose copy of the table was read; `None` for memory that all sessions share.
    pub session_id: Option<u32>,
    /// Its number, as a system call gives it.
    pub index: u32,
    /// Its routine.
    pub address: VirtAddr,
    /// How many of its arguments are on the stack.
    pub stack_args: u8,
}

impl Service {
    /// What a system call of that number does.
    fn what(&self) -> (u32, VirtAddr, u8) {
        (self.index, self.address, self.stack_args)
    }
}

/// The services.
#[derive(Clone, Debug, Default)]
pub struct Services {
    /// Table by table. A second copy of a table - that of threads with a window, or of another session - gives only what
    /// differs from the first.
    pub services: Vec<Service>,
    /// Where the kernel's own table should be (`KiServiceTable`), if symbols tell.
    pub expected_nt: Option<VirtAddr>,
    /// What could not be read.
    pub incomplete: Vec<Incomplete>,
}

/// The kernel's name for a description, which is in no public symbols.
const STRUCTURE: &str = "KSERVICE_TABLE_DESCRIPTOR";

/// A description of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Description {
    base: VirtAddr,
    limit: u32,
    arguments: VirtAddr,
}

impl Description {
    fn decode(bytes: &[u8; DESCRIPTION]) -> Self {
        let word = |at: usize| bytes.get(at..).map(LittleEndian::read_u64).unwrap_or_default();
        // The number has 32 bits and padding behind it.
        let limit = bytes.get(16..).map(LittleEndian::read_u32).unwrap_or_default();
        Self { base: VirtAddr(word(0)), limit, arguments: VirtAddr(word(24)) }
    }

    /// Whether Windows can have such a table.
    fn is_plausible(&self) -> bool {
        self.base.is_kernel() && self.limit <= MAX_SERVICES
    }

    /// How much of the table an address space does not show.
    fn bytes_missing<M: VirtualMemory + ?Sized>(&self, memory: &M) -> usize {
        let len = usize::try_from(self.limit.min(MAX_SERVICES)).unwrap_or_default() * ENTRY;
        memory.read_around_holes(self.base, &mut alloc::vec![0; len]).iter().map(|(hole, _)| hole.len()).sum()
    }

    fn read<M: VirtualMemory + ?Sized>(memory: &M, at: VirtAddr) -> Result<Self, Absent> {
        let mut bytes = [0; DESCRIPTION];
        memory.read(at, &mut bytes).map_err(|hole| hole.why)?;
        Ok(Self::decode(&bytes))
    }
}

/// The routine of an entry and how many arguments it has on the stack.
pub fn decode_entry(table: VirtAddr, entry: u32) -> (VirtAddr, u8) {
    let distance = i64::from(entry.cast_signed() >> 4);
    (table.wrapping_add(distance.cast_unsigned()), (entry & 0xf).to_le_bytes()[0])
}

/// Where the descriptions are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Descriptions {
    /// Of threads without a window.
    plain: VirtAddr,
    /// Of threads with one.
    shadow: Option<VirtAddr>,
}

/// Reads the tables.
pub fn services(snapshot: &Snapshot) -> Services {
    let mut found = Services { expected_nt: snapshot.symbol("KiServiceTable").ok(), ..Services::default() };
    let named = snapshot.symbol("KeServiceDescriptorTable");
    let by_symbols =
        named.map(|plain| Descriptions { plain, shadow: snapshot.symbol("KeServiceDescriptorTableShadow").ok() });
    let Ok(at) = by_symbols.or_else(|why| search(snapshot).ok_or(why)) else {
        let why = named.err().unwrap_or(Absent::SymbolsNeeded);
        found.incomplete.push(Incomplete::new("system services", "KeServiceDescriptorTable", why));
        return found;
    };
    let memory = snapshot.space();
    let mut known = Vec::new();
    for (place, name) in [(Some(at.plain), "KeServiceDescriptorTable"), (at.shadow, "KeServiceDescriptorTableShadow")] {
        let Some(place) = place else { continue };
        match Description::read(memory, place) {
            // Usually both lead to one table.
            Ok(nt) if !known.contains(&nt) => {
                found.add(Table::Nt, place, nt, &[(None, memory)]);
                known.push(nt);
            }
            Ok(_) => {}
            Err(why) => {
                let missing = Incomplete::new("description of the kernel's services", place, why);
                // Nothing is mapped where a variable of the kernel is.
                let wrong = || missing.clone().of_field(name, "", why, "a description of a table");
                found.incomplete.push(if why.is_nowhere() { wrong() } else { missing });
            }
        }
    }
    let Some(shadow) = at.shadow else {
        let why = Absent::SymbolsNeeded;
        found.incomplete.push(Incomplete::new("services of win32k", "KeServiceDescriptorTableShadow", why));
        return found;
    };
    let size = u64::try_from(DESCRIPTION).unwrap_or_default();
    match Description::read(memory, shadow.wrapping_add(size)) {
        // Nobody has loaded win32k, or what is read is the first description, which leaves the others empty.
        Ok(win32k) if win32k.base.is_null() => {}
        Ok(win32k) => found.add_win32k(snapshot, shadow.wrapping_add(size), win32k),
        Err(why) => {
            found.incomplete.push(Incomplete::new("description of win32k's services", shadow, why));
        }
    }
    found
}

impl Services {
    /// Adds a table as the first memory that holds all of it tells, and what differs from it in the others and from a
    /// copy that was added before. `at` is where its description lies.
    fn add<M: VirtualMemory + ?Sized>(
        &mut self,
        table: Table,
        at: VirtAddr,
        of: Description,
        memories: &[(Option<u32>, &M)],
    ) {
        let what = format!("services of {}", table.name());
        if !of.is_plausible() {
            let (field, at) = if of.base.is_kernel() { ("Limit", at.wrapping_add(16)) } else { ("Base", at) };
            let what = format!("{what}: {} services at {}, expected at most {MAX_SERVICES}", of.limit, of.base);
            let missing = Incomplete::new(what, at, Absent::Malformed);
            self.incomplete.push(match field {
                "Base" => missing.of_field(STRUCTURE, field, of.base, "the address of a table of the kernel"),
                _ => missing.of_field(STRUCTURE, field, of.limit, format!("at most {MAX_SERVICES}")),
            });
            return;
        }
        let len = usize::try_from(of.limit).unwrap_or_default() * ENTRY;
        let of_table = self.services.iter().filter(|service| service.table == table);
        let mut known: BTreeSet<_> = of_table.map(Service::what).collect();
        for (session_id, memory) in memories {
            let mut bytes = alloc::vec![0; len];
            let holes = memory.read_around_holes(of.base, &mut bytes);
            let missing = |start: usize| holes.iter().any(|(hole, _)| hole.start < start + ENTRY && start < hole.end);
            let (entries, _) = bytes.as_chunks::<ENTRY>();
            let numbers = (0..of.limit).zip(entries).zip((0..).step_by(ENTRY));
            for ((number, bytes), start) in numbers {
                if missing(start) {
                    continue;
                }
                let (address, stack_args) = decode_entry(of.base, u32::from_le_bytes(*bytes));
                let index = table.first() + number;
                let service = Service { table, table_at: of.base, session_id: *session_id, index, address, stack_args };
                if known.insert(service.what()) {
                    self.services.push(service);
                }
            }
            self.incomplete.extend(Incomplete::of_holes(&what, of.base, &holes, ENTRY));
        }
    }

    /// The table of win32k lies in the memory of sessions: where processes of a session show more of it than the kernel's
    /// address space does, they tell it, session by session.
    fn add_win32k(&mut self, snapshot: &Snapshot, at: VirtAddr, of: Description) {
        let kernel = snapshot.space();
        let hidden = if of.is_plausible() { of.bytes_missing(kernel) } else { 0 };
        if hidden == 0 {
            return self.add(Table::Win32k, at, of, &[(None, kernel)]);
        }
        let mut sessions: BTreeMap<u32, Vec<Process>> = BTreeMap::new();
        for process in snapshot.processes().processes {
            if let Ok(session) = process.session_id() {
                sessions.entry(session).or_default().push(process);
            }
        }
        let views = sessions.iter().filter_map(|(session, processes)| {
            let spaces =
                processes.iter().take(TRIES).filter_map(|process| Some(kernel.of_process(process.dtb().ok()?.0)));
            let (missing, space) =
                spaces.map(|space| (of.bytes_missing(&space), space)).min_by_key(|(missing, _)| *missing)?;
            (missing < hidden).then_some((Some(*session), space))
        });
        let views: Vec<_> = views.collect();
        if views.is_empty() {
            return self.add(Table::Win32k, at, of, &[(None, kernel)]);
        }
        let views: Vec<_> = views.iter().map(|(session, space)| (*session, space)).collect();
        self.add(Table::Win32k, at, of, &views);
    }
}

/// Windows for x64 has more services than this.
const FEWEST_SERVICES: u64 = 0x100;
/// No more of the kernel's image is searched.
const MAX_IMAGE: u64 = 64 << 20;
/// So many places that look like a description are proved.
const MAX_PROOFS: usize = 64;
/// Bytes that are searched at a time.
const CHUNK: usize = 0x1_0000;

/// Finds the descriptions in the kernel's image without symbols. One that is found proves itself: it leads to a table and
/// to bytes of arguments inside the image, every service that the table leads to is inside the image, and both tell the
/// same arguments.
fn search(snapshot: &Snapshot) -> Option<Descriptions> {
    let headers = snapshot.kernel_headers()?;
    let memory = snapshot.space();
    let size = u64::from(headers.size).min(MAX_IMAGE);
    let inside = |at: u64| at.wrapping_sub(headers.base.0) < size;
    let mut found = Vec::new();
    let mut proofs = 0;
    let mut bytes = Vec::new();
    for piece in (0..size).step_by(CHUNK) {
        let at = headers.base.wrapping_add(piece);
        // A description may reach into the next piece.
        bytes.clear();
        bytes.resize(CHUNK + DESCRIPTION - 1, 0);
        memory.read_around_holes(at, &mut bytes);
        for (start, window) in bytes.windows(DESCRIPTION).enumerate().step_by(8) {
            let word = |at: usize| window.get(at..).map(LittleEndian::read_u64).unwrap_or_default();
            let plausible = inside(word(0))
                && word(0).is_multiple_of(4)
                && word(8) == 0
                && (FEWEST_SERVICES..=MAX_SERVICES.into()).contains(&word(16))
                && inside(word(24));
            let Some(description) = window.first_chunk().filter(|_| plausible) else { continue };
            proofs += 1;
            if proofs <= MAX_PROOFS && proves(memory, Description::decode(description), inside) {
                found.push(at.wrapping_add(u64::try_from(start).unwrap_or_default()));
            }
        }
    }
    let size = u64::try_from(DESCRIPTION).unwrap_or_default();
    let second = |at: &VirtAddr| Description::read(memory, at.wrapping_add(size)).map(|second| second.base);
    // The plain one leaves the second description empty. The first that does not is that of threads with a window;
    // another one, for processes whose calls are filtered, leads to the same tables or to stricter ones.
    let plain = found.iter().find(|at| second(at).is_ok_and(VirtAddr::is_null))?;
    let shadow = found.iter().find(|at| second(at).is_ok_and(VirtAddr::is_kernel));
    Some(Descriptions { plain: *plain, shadow: shadow.copied() })
}

/// Whether a table and the bytes of arguments beside it tell the same of every service.
fn proves<M: VirtualMemory + ?Sized>(memory: &M, of: Description, inside: impl Fn(u64) -> bool) -> bool {
    let services = usize::try_from(of.limit).unwrap_or_default();
    let (mut table, mut arguments) = (alloc::vec![0; services * ENTRY], alloc::vec![0; services]);
    if memory.read(of.base, &mut table).is_err() || memory.read(of.arguments, &mut arguments).is_err() {
        return false;
    }
    let (entries, _) = table.as_chunks::<ENTRY>();
    let mut hooked = 0;
    for (entry, bytes) in entries.iter().zip(&arguments) {
        let (address, stack_args) = decode_entry(of.base, u32::from_le_bytes(*entry));
        if stack_args.saturating_mul(4) != *bytes {
            return false;
        }
        hooked += u32::from(!inside(address.0));
    }
    // A few may lead elsewhere: those are what one looks for.
    hooked * 8 < of.limit
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn an_entry_leads_from_its_table(table: u64, distance in -0x800_0000_i64..0x800_0000, stack_args in 0_u8..16) {
            let entry = u32::try_from((distance << 4 | i64::from(stack_args)) & 0xffff_ffff).unwrap();
            let (address, found) = decode_entry(VirtAddr(table), entry);
            prop_assert_eq!(address.0.wrapping_sub(table).cast_signed(), distance);
            prop_assert_eq!(found, stack_args);
        }

        #[test]
        fn a_description_is_four_pointers_wide(base: u64, counters: u64, limit: u32, padding: u32, arguments: u64) {
            let words = [base, counters, u64::from(limit) | u64::from(padding) << 32, arguments];
            let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
            let found = Description::decode(bytes[..].try_into().unwrap());
            let expected = Description { base: VirtAddr(base), limit, arguments: VirtAddr(arguments) };
            prop_assert_eq!(found, expected);
        }
    }
}
