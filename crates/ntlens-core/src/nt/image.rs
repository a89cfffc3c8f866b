//! A loaded image: its PE headers, the identity of its symbols, its exports.

use crate::absent::Absent;
use crate::address::{PAGE_BYTES, Rva, VirtAddr};
use crate::layout::PdbId;
use crate::layout::source::ImageSymbols;
use crate::memory::VirtualMemory;
use crate::text;
use alloc::vec::Vec;
use byteorder::{ByteOrder, LittleEndian};

/// `IMAGE_FILE_MACHINE_AMD64`
const MACHINE_X64: u16 = 0x8664;
/// `IMAGE_NT_OPTIONAL_HDR64_MAGIC`
const PE32_PLUS: u16 = 0x20b;
/// `IMAGE_DIRECTORY_ENTRY_EXPORT`
const EXPORTS: u64 = 0;
/// `IMAGE_DIRECTORY_ENTRY_DEBUG`
const DEBUG: u64 = 6;
/// `IMAGE_DEBUG_TYPE_CODEVIEW`
const CODEVIEW: u32 = 2;
/// Entries of a debug directory that are looked at.
const MAX_DEBUG_ENTRIES: u32 = 32;
/// Exports that are looked at; the kernel has about 3,000.
const MAX_EXPORTS: u32 = 0x1_0000;
/// No image of the kernel is larger.
const MAX_IMAGE: u32 = 1 << 28;

/// What the PE headers in memory say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImageHeaders {
    /// Where the image is loaded.
    pub base: VirtAddr,
    /// Bytes it takes.
    pub size: u32,
    /// `TimeDateStamp`: a hash of the content in recent builds.
    pub timestamp: u32,
    /// `CheckSum`
    pub checksum: u32,
    directories: VirtAddr,
    directory_count: u32,
}

impl ImageHeaders {
    /// Reads the headers of an x64 image.
    pub fn read<M: VirtualMemory + ?Sized>(memory: &M, base: VirtAddr) -> Result<Self, Absent> {
        let mut dos = [0; 0x40];
        memory.read(base, &mut dos).map_err(|hole| hole.why)?;
        let nt_offset = dos.get(0x3c..).map(LittleEndian::read_u32).filter(|at| *at <= 0x1000);
        let nt_offset = nt_offset.filter(|_| dos.starts_with(b"MZ")).ok_or(Absent::Malformed)?;
        let nt = base.wrapping_add(nt_offset.into());
        let mut headers = [0; 0x88];
        memory.read(nt, &mut headers).map_err(|hole| hole.why)?;
        let u16_at = |at: usize| headers.get(at..at + 2).map_or(0, LittleEndian::read_u16);
        let u32_at = |at: usize| headers.get(at..at + 4).map_or(0, LittleEndian::read_u32);
        let size = u32_at(0x18 + 0x38);
        let is_image = headers.starts_with(b"PE\0\0")
            && u16_at(4) == MACHINE_X64
            && u16_at(0x18) == PE32_PLUS
            && (1..=MAX_IMAGE).contains(&size);
        is_image.then_some(()).ok_or(Absent::Malformed)?;
        Ok(Self {
            base,
            size,
            timestamp: u32_at(8),
            checksum: u32_at(0x18 + 0x40),
            directories: nt.wrapping_add(0x88),
            directory_count: u32_at(0x84),
        })
    }

    /// Whether an address lies in the image.
    pub fn contains(&self, at: VirtAddr) -> bool {
        at.0.checked_sub(self.base.0).is_some_and(|offset| offset < self.size.into())
    }

    fn directory<M: VirtualMemory + ?Sized>(&self, memory: &M, index: u64) -> Result<(Rva, u32), Absent> {
        if index >= self.directory_count.into() {
            return Err(Absent::NotApplicable);
        }
        let entry = memory.read_u64(self.directories.wrapping_add(index * 8))?;
        let (rva, size) = (entry & 0xffff_ffff, u32::try_from(entry >> 32).unwrap_or(0));
        if rva == 0 || rva >= self.size.into() { Err(Absent::NotApplicable) } else { Ok((Rva(rva), size)) }
    }

    fn at(&self, rva: Rva) -> VirtAddr {
        self.base.wrapping_add(rva.0)
    }

    /// The identity of the symbols, through the debug directory.
    pub fn codeview<M: VirtualMemory + ?Sized>(&self, memory: &M) -> Result<ImageSymbols, Absent> {
        const ENTRY: u8 = 28;
        let (rva, size) = self.directory(memory, DEBUG)?;
        let count = size / u32::from(ENTRY);
        for index in 0..count.min(MAX_DEBUG_ENTRIES) {
            let mut entry = [0; ENTRY as usize];
            let at = self.at(rva).wrapping_add(u64::from(index) * u64::from(ENTRY));
            memory.read(at, &mut entry).map_err(|hole| hole.why)?;
            let u32_at = |at: usize| entry.get(at..at + 4).map_or(0, LittleEndian::read_u32);
            if u32_at(12) == CODEVIEW {
                return codeview_at(memory, self.at(Rva(u32_at(20).into())));
            }
        }
        // Of a directory that was not read to its end nobody knows that it has no such entry.
        Err(if count > MAX_DEBUG_ENTRIES { Absent::Malformed } else { Absent::NotApplicable })
    }

    /// The address of an exported name.
    pub fn export<M: VirtualMemory + ?Sized>(&self, memory: &M, name: &str) -> Result<VirtAddr, Absent> {
        let (rva, _) = self.directory(memory, EXPORTS)?;
        let mut directory = [0; 40];
        memory.read(self.at(rva), &mut directory).map_err(|hole| hole.why)?;
        let u32_at = |at: usize| directory.get(at..at + 4).map_or(0, LittleEndian::read_u32);
        let count = u32_at(24).min(MAX_EXPORTS);
        let table = |at: usize| self.at(Rva(u32_at(at).into()));
        let (functions, names, ordinals) = (table(28), table(32), table(36));
        // The names are sorted by their bytes.
        let (mut low, mut high) = (0, count);
        while low < high {
            let middle = low + (high - low) / 2;
            let rva = memory.read_u32(names.wrapping_add(u64::from(middle) * 4))?;
            let mut found = Vec::from([0; 64]);
            let held = memory.read(self.at(Rva(rva.into())), &mut found).map_or_else(|hole| hole.done, |()| 64);
            found.truncate(held);
            let found = text::ascii_until_nul(&found);
            match found.as_str().cmp(name) {
                core::cmp::Ordering::Less => low = middle + 1,
                core::cmp::Ordering::Greater => high = middle,
                core::cmp::Ordering::Equal => {
                    let [a, b] = read_pair(memory, ordinals.wrapping_add(u64::from(middle) * 2))?;
                    let ordinal = u64::from(u16::from_le_bytes([a, b]));
                    let rva = memory.read_u32(functions.wrapping_add(ordinal * 4))?;
                    let inside = rva != 0 && rva < self.size;
                    return if inside { Ok(self.at(Rva(rva.into()))) } else { Err(Absent::Malformed) };
                }
            }
        }
        Err(Absent::NotApplicable)
    }

    /// The identity of the symbols, by looking through the whole image: the debug directory is often paged out.
    pub fn search_codeview<M: VirtualMemory + ?Sized>(
        memory: &M,
        base: VirtAddr,
        size: u32,
    ) -> Result<ImageSymbols, Absent> {
        let mut page = [0; PAGE_BYTES];
        for offset in (0..u64::from(size.min(MAX_IMAGE))).step_by(page.len()) {
            let at = base.wrapping_add(offset);
            if memory.read_in_page(at, &mut page).is_err() {
                continue;
            }
            for found in positions(&page, b"RSDS") {
                let record = codeview_at(memory, at.wrapping_add(found as u64));
                if let Some(record) = record.ok().filter(|record| is_kernel_pdb(&record.pdb_name)) {
                    return Ok(record);
                }
            }
        }
        Err(Absent::NotApplicable)
    }
}

fn read_pair<M: VirtualMemory + ?Sized>(memory: &M, at: VirtAddr) -> Result<[u8; 2], Absent> {
    let mut pair = [0; 2];
    memory.read(at, &mut pair).map_err(|hole| hole.why)?;
    Ok(pair)
}

/// Where a pattern starts in some bytes.
pub(crate) fn positions<'a>(bytes: &'a [u8], pattern: &'a [u8]) -> impl Iterator<Item = usize> + 'a {
    bytes.windows(pattern.len()).enumerate().filter(move |(_, window)| *window == pattern).map(|(at, _)| at)
}

/// `MAX_PATH` of Windows.
const MAX_PDB_PATH: usize = 260;

fn codeview_at<M: VirtualMemory + ?Sized>(memory: &M, at: VirtAddr) -> Result<ImageSymbols, Absent> {
    let mut record = [0; 24 + MAX_PDB_PATH];
    let held = memory.read(at, &mut record).map_or_else(|hole| hole.done, |()| record.len());
    let record = record.get(..held).unwrap_or_default();
    let guid = record.get(4..20).and_then(|guid| guid.first_chunk::<16>()).ok_or(Absent::Malformed)?;
    let age = record.get(20..24).map(LittleEndian::read_u32).ok_or(Absent::Malformed)?;
    if !record.starts_with(b"RSDS") {
        return Err(Absent::Malformed);
    }
    let path = record.get(24..).unwrap_or_default();
    // A longer path is none, and its end, which is what counts, is not here.
    if path.len() == MAX_PDB_PATH && !path.contains(&0) {
        return Err(Absent::Malformed);
    }
    let path = text::ascii_until_nul(path);
    // Drivers often keep the whole path on the machine that built them.
    let pdb_name = path.rsplit(['\\', '/']).next().unwrap_or_default().into();
    Ok(ImageSymbols { pdb_name, id: PdbId::from_file_order(*guid, age) })
}

/// Whether a symbol file is one of the kernel's: `ntkrnlmp.pdb`, `ntoskrnl.pdb` and their kin.
pub fn is_kernel_pdb(name: &str) -> bool {
    let leaf = name.rsplit(['\\', '/']).next().unwrap_or(name);
    let stem = leaf.get(..leaf.len().saturating_sub(4)).unwrap_or_default();
    let suffix = leaf.get(stem.len()..).unwrap_or_default();
    suffix.eq_ignore_ascii_case(".pdb")
        && ["ntkrnlmp", "ntoskrnl", "ntkrla57", "ntkrnlpa", "ntkrpamp"]
            .iter()
            .any(|known| stem.eq_ignore_ascii_case(known))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Bytes at the address 0 on, and how often they were read.
    struct Counted(Vec<u8>, core::cell::Cell<usize>);

    impl VirtualMemory for Counted {
        fn read_in_page(&self, at: VirtAddr, out: &mut [u8]) -> Result<(), Absent> {
            self.1.set(self.1.get() + 1);
            let start = usize::try_from(at.0).unwrap();
            let bytes = start.checked_add(out.len()).and_then(|end| self.0.get(start..end));
            out.copy_from_slice(bytes.ok_or(Absent::AddressNotInDump)?);
            Ok(())
        }
    }

    /// An image with a debug directory of so many entries of an unknown kind, of which one may be a `CodeView` one.
    fn with_debug_entries(count: u32, codeview: Option<u32>, path: &[u8]) -> Result<ImageSymbols, Absent> {
        let mut bytes = alloc::vec![0; 0x6000];
        let mut set = |at: u32, value: &[u8]| {
            let at = usize::try_from(at).unwrap();
            bytes[at..at + value.len()].copy_from_slice(value);
        };
        set(0, b"MZ");
        set(0x3c, &0x80_u32.to_le_bytes());
        set(0x80, b"PE\0\0");
        set(0x84, &MACHINE_X64.to_le_bytes());
        set(0x98, &0x20b_u16.to_le_bytes());
        set(0x98 + 0x38, &0x6000_u32.to_le_bytes());
        set(0x98 + 0x6c, &16_u32.to_le_bytes());
        set(0x98 + 0x70 + 6 * 8, &[0x1000_u32, count * 28].map(u32::to_le_bytes).concat());
        if let Some(index) = codeview {
            set(0x1000 + index * 28 + 12, &[2_u32, 0x100, 0x3000].map(u32::to_le_bytes).concat());
        }
        set(0x3000, b"RSDS");
        set(0x3018, path);
        let memory = Counted(bytes, core::cell::Cell::new(0));
        ImageHeaders::read(&memory, VirtAddr(0))?.codeview(&memory)
    }

    #[test]
    fn entries_that_are_not_looked_at_are_not_said_to_be_none() {
        let path = b"ntkrnlmp.pdb";
        let found = |count, at| with_debug_entries(count, at, path).map(|found| found.pdb_name);
        assert_eq!(found(MAX_DEBUG_ENTRIES, Some(MAX_DEBUG_ENTRIES - 1)).as_deref(), Ok("ntkrnlmp.pdb"));
        assert_eq!(found(MAX_DEBUG_ENTRIES, None), Err(Absent::NotApplicable));
        assert_eq!(found(MAX_DEBUG_ENTRIES + 1, Some(MAX_DEBUG_ENTRIES)), Err(Absent::Malformed));
    }

    #[test]
    fn a_path_of_symbols_that_does_not_end_is_none() {
        let path =
            |length: usize| with_debug_entries(1, Some(0), &alloc::vec![b'x'; length]).map(|it| it.pdb_name.len());
        assert_eq!(path(MAX_PDB_PATH - 1), Ok(MAX_PDB_PATH - 1));
        assert_eq!(path(MAX_PDB_PATH), Err(Absent::Malformed));
    }

    proptest! {
        /// Whatever its numbers say, an image is looked through with a bounded number of reads.
        #[test]
        fn any_image_ends(
            words in proptest::collection::vec(prop_oneof![any::<u32>(), 0_u32..0x2000], 0x400),
            size in 1_u32..0x4000,
        ) {
            let mut bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
            let mut set = |at: usize, value: &[u8]| bytes[at..at + value.len()].copy_from_slice(value);
            set(0, b"MZ");
            set(0x3c, &0x80_u32.to_le_bytes());
            set(0x80, b"PE\0\0");
            set(0x84, &MACHINE_X64.to_le_bytes());
            set(0x98, &PE32_PLUS.to_le_bytes());
            set(0x80 + 0x50, &size.to_le_bytes());
            let memory = Counted(bytes, core::cell::Cell::new(0));
            let headers = ImageHeaders::read(&memory, VirtAddr(0)).unwrap();
            let _ = headers.codeview(&memory);
            let _ = headers.export(&memory, "PsInitialSystemProcess");
            let _ = ImageHeaders::search_codeview(&memory, VirtAddr(0), size);
            prop_assert!(memory.1.get() < 1000, "{} reads", memory.1.get());
        }
    }
}
