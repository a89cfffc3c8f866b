//! The machine's memory as the writers see it: virtual memory, structures by their layouts, and kernel pools.

use crate::frames::{FrameUse, Frames};
use crate::paging::{KERNEL, NO_EXECUTE, PageSize, Space};
use crate::physical::{PAGE, Physical, pieces};
use crate::pool::{Pool, PoolKind};
use ntlens_core::layout::{Layouts, Type};

/// Memory under construction.
#[derive(Debug)]
pub(crate) struct Guest {
    pub(crate) layouts: Layouts,
    pub(crate) memory: Physical,
    pub(crate) frames: Frames,
    /// The System process' address space, whose kernel half all others share.
    pub(crate) kernel: Space,
    pub(crate) nonpaged: Pool,
    pub(crate) paged: Pool,
    /// Stacks, sessions, processor blocks: whole pages.
    pub(crate) system_ptes: u64,
}

impl Guest {
    /// Maps fresh frames at `address` in `space`.
    pub(crate) fn map_new(&mut self, space: Space, address: u64, pages: u64, rights: u64) {
        let usage = if address >> 63 == 0 { FrameUse::User } else { FrameUse::Kernel };
        for page in 0..pages {
            let frame = self.frames.allocate(&self.memory, usage);
            self.map(space, address + page * PAGE, frame, PageSize::Small, rights);
        }
    }

    pub(crate) fn map(&mut self, space: Space, address: u64, frame: u64, size: PageSize, rights: u64) {
        space.map(&mut self.memory, &mut self.frames, address, frame, size, rights);
    }

    /// Whole kernel pages with an unmapped page behind them.
    pub(crate) fn pages(&mut self, bytes: u64) -> u64 {
        let at = self.system_ptes;
        let pages = bytes.div_ceil(PAGE);
        self.map_new(self.kernel, at, pages, KERNEL | NO_EXECUTE);
        self.system_ptes += (pages + 1) * PAGE;
        at
    }

    /// Pool memory, filled with zeros; the address of its first byte after the pool header.
    pub(crate) fn alloc(&mut self, kind: PoolKind, bytes: u64, tag: [u8; 4]) -> u64 {
        let mut pool = match kind {
            PoolKind::NonPaged => self.nonpaged.clone(),
            PoolKind::Paged => self.paged.clone(),
        };
        let at = pool.alloc(self, kind, bytes, tag);
        match kind {
            PoolKind::NonPaged => self.nonpaged = pool,
            PoolKind::Paged => self.paged = pool,
        }
        at
    }

    /// Writes through the page tables of `space`; every page must be present.
    pub(crate) fn write_in(&mut self, space: Space, address: u64, bytes: &[u8]) {
        for (at, piece) in pieces(address, bytes.len()) {
            let mapping = space.translate(&self.memory, at).unwrap_or_else(|| panic!("{at:#x} is not mapped"));
            self.memory.write(mapping.physical, &bytes[piece]);
        }
    }

    pub(crate) fn write(&mut self, address: u64, bytes: &[u8]) {
        self.write_in(self.kernel, address, bytes);
    }

    pub(crate) fn write_u64(&mut self, address: u64, value: u64) {
        self.write(address, &value.to_le_bytes());
    }

    pub(crate) fn write_u32(&mut self, address: u64, value: u32) {
        self.write(address, &value.to_le_bytes());
    }

    pub(crate) fn read_in(&self, space: Space, address: u64, out: &mut [u8]) {
        for (at, piece) in pieces(address, out.len()) {
            let mapping = space.translate(&self.memory, at).unwrap_or_else(|| panic!("{at:#x} is not mapped"));
            self.memory.read(mapping.physical, &mut out[piece]);
        }
    }

    pub(crate) fn read_u64(&self, address: u64) -> u64 {
        let mut bytes = [0; 8];
        self.read_in(self.kernel, address, &mut bytes);
        u64::from_le_bytes(bytes)
    }

    /// A structure in kernel memory.
    pub(crate) fn at<'g>(&'g mut self, address: u64, structure: &'g str) -> Cursor<'g> {
        let space = self.kernel;
        self.at_in(space, address, structure)
    }

    /// A structure in the memory of `space`.
    pub(crate) fn at_in<'g>(&'g mut self, space: Space, address: u64, structure: &'g str) -> Cursor<'g> {
        Cursor { guest: self, space, address, structure }
    }

    /// The offset of a field, or zero with `false` where this build has none.
    pub(crate) fn offset(&self, structure: &str, path: &str) -> Option<u64> {
        self.layouts.place(structure, path).ok().map(|place| u64::from(place.offset))
    }

    /// Bytes of a structure; `fallback` where the layouts do not say.
    pub(crate) fn size_of(&self, structure: &str, fallback: u64) -> u64 {
        self.layouts.size_of(structure).map_or(fallback, u64::from)
    }

    /// Makes a list head that points to itself.
    pub(crate) fn empty_list(&mut self, space: Space, head: u64) {
        self.write_in(space, head, &head.to_le_bytes());
        self.write_in(space, head + 8, &head.to_le_bytes());
    }

    /// Links an entry at the end of a list.
    pub(crate) fn append(&mut self, space: Space, head: u64, entry: u64) {
        let mut last = [0; 8];
        self.read_in(space, head + 8, &mut last);
        self.write_in(space, entry, &head.to_le_bytes());
        self.write_in(space, entry + 8, &last);
        self.write_in(space, u64::from_le_bytes(last), &entry.to_le_bytes());
        self.write_in(space, head + 8, &entry.to_le_bytes());
    }

    /// Takes an entry out of a list and leaves its own links as they are.
    pub(crate) fn unlink(&mut self, entry: u64) {
        let (next, previous) = (self.read_u64(entry), self.read_u64(entry + 8));
        self.write_u64(previous, next);
        self.write_u64(next + 8, previous);
    }

    /// Text in paged pool, for a `UNICODE_STRING`: its address and its length in bytes.
    pub(crate) fn pool_text(&mut self, text: &str) -> (u64, u16) {
        let units = utf16(text);
        let at = self.alloc(PoolKind::Paged, units.len() as u64 + 2, *b"ObNm");
        self.write(at, &units);
        (at, units.len() as u16)
    }
}

/// The bytes of a text as Windows stores it.
pub(crate) fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

/// One structure in memory. Fields the build lacks are skipped.
pub(crate) struct Cursor<'g> {
    guest: &'g mut Guest,
    space: Space,
    address: u64,
    structure: &'g str,
}

impl Cursor<'_> {
    /// Writes a number into a field or some of its bits; whether this build has the field.
    pub(crate) fn put(&mut self, path: &str, value: u64) -> bool {
        let Ok(place) = self.guest.layouts.place(self.structure, path) else { return false };
        let address = self.address + u64::from(place.offset);
        let (width, bits) = match &place.ty {
            Type::Bits { position, length, of } => (width(&self.guest.layouts, of), Some((*position, *length))),
            other => (width(&self.guest.layouts, other), None),
        };
        let width = width.unwrap_or_else(|| panic!("{}.{path} is no number: {:?}", self.structure, place.ty));
        let mut bytes = [0; 8];
        self.guest.read_in(self.space, address, &mut bytes[..width]);
        let new = match bits {
            Some((position, length)) => {
                let mask = (u64::MAX >> (64 - u32::from(length))) << position;
                u64::from_le_bytes(bytes) & !mask | value << position & mask
            }
            None => value,
        };
        self.guest.write_in(self.space, address, &new.to_le_bytes()[..width]);
        true
    }

    /// As [`put`](Self::put), to write several fields in a row.
    pub(crate) fn set(mut self, path: &str, value: u64) -> Self {
        self.put(path, value);
        self
    }

    /// Writes bytes over a field.
    pub(crate) fn bytes(self, path: &str, bytes: &[u8]) -> Self {
        if let Some(offset) = self.guest.offset(self.structure, path) {
            self.guest.write_in(self.space, self.address + offset, bytes);
        }
        self
    }

    /// Makes a field of type `LIST_ENTRY` an empty list.
    pub(crate) fn ring(self, path: &str) -> Self {
        if let Some(offset) = self.guest.offset(self.structure, path) {
            self.guest.empty_list(self.space, self.address + offset);
        }
        self
    }

    /// Fills a `UNICODE_STRING` field.
    pub(crate) fn text(self, path: &str, (buffer, length): (u64, u16)) -> Self {
        if let Some(offset) = self.guest.offset(self.structure, path) {
            self.guest.write_in(self.space, self.address + offset, &unicode_string(buffer, length));
        }
        self
    }
}

/// A `UNICODE_STRING` for a text that ends with a NUL.
pub(crate) fn unicode_string(buffer: u64, length: u16) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[..2].copy_from_slice(&length.to_le_bytes());
    bytes[2..4].copy_from_slice(&(length + 2).to_le_bytes());
    bytes[8..].copy_from_slice(&buffer.to_le_bytes());
    bytes
}

/// Bytes of a field that holds one number.
fn width(layouts: &Layouts, ty: &Type) -> Option<usize> {
    match ty {
        Type::Base(name) => match &**name {
            "char" | "unsigned char" | "signed char" | "bool" | "void" => Some(1),
            "short" | "unsigned short" | "wchar" | "wchar_t" | "char16_t" => Some(2),
            "long long" | "unsigned long long" | "__int64" | "unsigned __int64" | "double" | "pointer" => Some(8),
            _ => Some(4),
        },
        Type::Pointer(_) => Some(8),
        Type::Enum(_) => Some(4),
        Type::Struct(name) => layouts.size_of(name).ok().map(|size| size as usize).filter(|size| *size <= 8),
        Type::Inline(def) => def.size.map(|size| size as usize).filter(|size| *size <= 8),
        _ => None,
    }
}

/// Puts numbers into the bitfields of an eight-byte structure. Fields the build lacks are skipped.
pub(crate) fn compose(layouts: &Layouts, structure: &str, fields: &[(&str, u64)]) -> u64 {
    fields.iter().fold(0, |word, (name, value)| {
        match layouts.place(structure, name).map(|place| (place.offset, place.ty)) {
            Ok((0, Type::Bits { position, length, .. })) => {
                word | (value & (u64::MAX >> (64 - u32::from(length)))) << position
            }
            _ => word,
        }
    })
}
