//! Modules that were unloaded: the ring that the kernel keeps of the last fifty.

use crate::absent::Absent;
use crate::address::VirtAddr;
use crate::incomplete::{Incomplete, Place};
use crate::memory::VirtualMemory;
use crate::nt::snapshot::Snapshot;
use crate::nt::time::FileTime;
use crate::text;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use byteorder::{ByteOrder, LittleEndian};

/// Entries of the ring (`MI_UNLOADED_DRIVERS`), and bytes of one. No symbol describes them; both are the same in every
/// version of Windows for x64.
const ENTRIES: u64 = 50;
const ENTRY: usize = 0x28;

/// A module that was unloaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unloaded {
    /// Its name, cut at its length.
    pub name: Result<Option<String>, Absent>,
    /// Where it was loaded.
    pub start: VirtAddr,
    /// Where it ended.
    pub end: VirtAddr,
    /// When it was unloaded; triage dumps do not keep it.
    pub unload_time: Result<Option<FileTime>, Absent>,
}

/// Lists them, the oldest first.
pub fn unloaded(snapshot: &Snapshot) -> (Vec<Unloaded>, Vec<Incomplete>) {
    if let Some(triage) = snapshot.triage() {
        let module = |unloaded: &crate::dump::triage::TriageUnloaded| Unloaded {
            name: Ok(Some(unloaded.name.clone()).filter(|name| !name.is_empty())),
            start: unloaded.start,
            end: unloaded.end,
            unload_time: Err(Absent::AddressNotInDump),
        };
        return (triage.unloaded.iter().map(module).collect(), Vec::new());
    }
    let memory = snapshot.space();
    let missing = |place: &'static str, why| (Vec::new(), Vec::from([Incomplete::new("unloaded modules", place, why)]));
    let array = match snapshot.heads().mm_unloaded_drivers.and_then(|at| memory.read_pointer(at)) {
        Ok(array) => array,
        Err(why) => return missing("MmUnloadedDrivers", why),
    };
    if array.is_null() {
        return (Vec::new(), Vec::new());
    }
    // The ring's next slot is its oldest entry, once it has gone round.
    let next = snapshot.heads().mm_last_unloaded_driver.and_then(|at| memory.read_u32(at)).unwrap_or(0);
    let mut found = Vec::new();
    let mut incomplete = Vec::new();
    for index in 0..ENTRIES {
        let slot = (u64::from(next) + index) % ENTRIES;
        let at = array.wrapping_add(slot * ENTRY as u64);
        match memory.read_array::<ENTRY>(at) {
            Ok(entry) => match read(snapshot, &entry) {
                Ok(module) => found.extend(module),
                Err(start) => {
                    let expected = "a page of the kernel, before the end of the module";
                    let wrong =
                        Incomplete::wrong("_UNLOADED_DRIVERS", "StartAddress", at.wrapping_add(0x10), start, expected);
                    incomplete.push(wrong);
                }
            },
            Err(why) => incomplete.push(Incomplete::new("unloaded module", at, why)),
        }
    }
    // Windows counts what it enters: where it counted, something is there.
    if found.is_empty() && incomplete.is_empty() && next > 0 {
        let place = snapshot.heads().mm_unloaded_drivers.map_or_else(|_| array.into(), Place::from);
        let expected = format!("the address of entries, of which MmLastUnloadedDriver counts {next}");
        incomplete.push(Incomplete::wrong("MmUnloadedDrivers", "", place, array, expected));
    }
    (found, incomplete)
}

/// The module of an entry, `None` for a free one; the address for one that cannot be that of a module.
fn read(snapshot: &Snapshot, entry: &[u8; ENTRY]) -> Result<Option<Unloaded>, VirtAddr> {
    let u64_at = |at: usize| entry.get(at..at + 8).map_or(0, LittleEndian::read_u64);
    let (start, end) = (VirtAddr(u64_at(0x10)), VirtAddr(u64_at(0x18)));
    if start.is_null() && end.is_null() {
        return Ok(None);
    }
    if !start.is_page_of_kernel() || end <= start {
        return Err(start);
    }
    let length = entry.get(..2).map_or(0, LittleEndian::read_u16);
    let buffer = VirtAddr(u64_at(8));
    let mut name = alloc::vec![0; usize::from(length & !1)];
    let name = match snapshot.space().read(buffer, &mut name) {
        _ if length == 0 || buffer.is_null() => Ok(None),
        Ok(()) => Ok(Some(text::utf16(&name))),
        Err(hole) => Err(hole.why),
    };
    Ok(Some(Unloaded { name, start, end, unload_time: Ok(FileTime::from_windows(u64_at(0x20))) }))
}
