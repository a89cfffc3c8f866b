//! The embedded pack: all types of about two hundred kernels, and its decoder.
//!
//! # Format
//!
//! A *number* is unsigned, seven bits per byte, the lowest first; a *signed* number is folded (0, -1, 1, -2, ...) into
//! one; a *text* or *part* is a number of bytes and the bytes. The file:
//!
//! | what | how |
//! |---|---|
//! | magic | `NTLPACK1` |
//! | notice | text: origin and licences |
//! | tables | number of them; each: source (0 ISF, 1 Vergilius, 2 ntdiff), major, minor, build, revision + 1 (0: not known), age + 1 (0: no id), then 16 bytes of GUID, the highest first |
//! | hot | block of types: what the library reads itself |
//! | symbols | block |
//! | cold | block of types: all the rest |
//!
//! A block is how it is packed (number: 0 not at all, 1 with Deflate, RFC 1951, 2 as a block of LZ4), its raw length
//! (number) and a part. The hot block is unpacked by every run: LZ4 does that eight times as fast.
//!
//! ## A block of types
//!
//! Most structures are the same in most kernels, so each *definition* is stored once; definitions of one name form a
//! *group* in the order of their versions, each told as a difference from an earlier one. Columns of one kind of number
//! lie together, which compresses better. Lists of names and types continue from the hot block into the cold one.
//!
//! | what | how |
//! |---|---|
//! | sets | per table: the number of its set of types (tables often have the same) |
//! | names | number of them, part of lengths (one number each), part of UTF-8 |
//! | types | number of them, part of expressions: any of 1 pointer, 2 array (count), 3 bits (position, length), then one of 0 unknown, 4 base (name), 5 structure (name), 6 enumeration (name), 7 unnamed (its definition in this block), 8 function |
//! | groups | number of them, part; each: name, number of versions, then which set has which: runs of length (0: to the end) and version (0: none, 1: one more than the highest so far, n + 2: n) |
//! | unnamed | number of definitions without a name: they come before those of the groups, inner before outer |
//! | heads | part; each definition: base (0 or how many definitions back), kind (0 struct, 1 union, 2 class, 3 enum), then for an enum the base type (name), else size + 1 (0: not known) signed, less that of the base |
//! | edits | part; each definition: numbers 4n + what: 0 copy n fields of the base, 1 the same after a signed change of the shift that is added to their offsets, 2 leave out n, 3 insert n; ends with 0 |
//! | field names, field types, offsets | parts; one each for every inserted field; constants of an enum have no type, and a value for an offset |
//!
//! Names and types are indexes as `coder::Indexes` tells, offsets as `coder::Steps` tells.
//!
//! ## The block of symbols
//!
//! Number of names, each a text; per table a number: 0 no symbols, 1 they go on from the table before, n + 2 they
//! start afresh and n bytes tell them and those that go on from them. Afresh: count, then name and step of address in the
//! order of addresses. Going on: number of those left out and how many stay before each; then for each that stays, in
//! order, a signed change of the shift that is added to its address; then those added as above.

mod coder;
mod cursor;
mod definitions;
mod error;
mod expand;
mod layout_source;
mod materialize;
mod symbols;
#[cfg(test)]
mod tests;

use alloc::vec::Vec;
use coder::filled;
use cursor::Cursor;
use definitions::Definitions;
pub use error::PackError;
use materialize::Materializer;
use miniz_oxide::inflate::decompress_slice_iter_to_slice;
use ntlens_core::layout::{Completeness, Layouts, Name, PdbId, Version};

/// The pack that this crate carries.
pub const EMBEDDED: &[u8] = include_bytes!("../../embedded.pack");

/// What a pack starts with; the digit is the version of the format.
pub const MAGIC: &[u8; 8] = b"NTLPACK1";

/// No block of a true pack is larger.
const MAX_BLOCK: usize = 4 << 20;

/// Who told the layouts of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Source {
    /// The public symbols of exactly this kernel, by way of volatility3's ISF: all types, symbols, and an id.
    Isf,
    /// Structures published by the Vergilius project: some structures, offsets without types.
    Vergilius,
    /// Structures published by ntdiff: a few fields of a few structures.
    Ntdiff,
}

/// One kernel of a pack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TableInfo {
    /// The kernel's version.
    pub version: Version,
    /// GUID and age of its symbols, where they are known.
    pub id: Option<PdbId>,
    /// Who told the layouts.
    pub source: Source,
}

/// A pack of layouts: a list of kernels, whose types and symbols are decoded on demand.
#[derive(Clone, Debug)]
pub struct Pack<'a> {
    notice: &'a str,
    tables: Vec<TableInfo>,
    hot: Block<'a>,
    symbols: Block<'a>,
    cold: Block<'a>,
}

impl Pack<'static> {
    /// The pack that this crate carries.
    pub fn embedded() -> Result<Self, PackError> {
        Self::parse(EMBEDDED)
    }
}

impl<'a> Pack<'a> {
    /// Reads the list of kernels; their layouts stay compressed until they are asked for.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, PackError> {
        let mut from = Cursor::new(bytes);
        if from.array() != Ok(*MAGIC) {
            return Err(PackError::NotAPack);
        }
        let notice = from.text()?;
        let count = from.count()?;
        let mut tables = Vec::with_capacity(count);
        for _ in 0..count {
            tables.push(TableInfo::read(&mut from)?);
        }
        let (hot, symbols, cold) = (Block::read(&mut from)?, Block::read(&mut from)?, Block::read(&mut from)?);
        if from.is_empty() {
            Ok(Self { notice, tables, hot, symbols, cold })
        } else {
            Err(PackError::Invalid("length"))
        }
    }

    /// The kernels, in the order of their versions.
    pub fn tables(&self) -> &[TableInfo] {
        &self.tables
    }

    /// Origin and licences of the layouts.
    pub fn notice(&self) -> &str {
        self.notice
    }

    /// The structures that the library reads, and the symbols, of one kernel.
    pub fn kernel_layouts(&self, table: usize) -> Result<Layouts, PackError> {
        self.kernel_layouts_of(&[table])?.pop().ok_or(PackError::NoSuchTable(table))
    }

    /// Like [`Self::kernel_layouts`] for several kernels, which share the definitions that they have in common.
    pub fn kernel_layouts_of(&self, tables: &[usize]) -> Result<Vec<Layouts>, PackError> {
        let hot = self.hot.unpack()?;
        let mut definitions = Definitions::default();
        definitions.add_block(&hot, self.tables.len())?;
        self.layouts(&definitions, tables)
    }

    /// Every type, and the symbols, of one kernel.
    pub fn all_layouts(&self, table: usize) -> Result<Layouts, PackError> {
        let (hot, cold) = (self.hot.unpack()?, self.cold.unpack()?);
        let mut definitions = Definitions::default();
        definitions.add_block(&hot, self.tables.len())?;
        definitions.add_block(&cold, self.tables.len())?;
        self.layouts(&definitions, &[table])?.pop().ok_or(PackError::NoSuchTable(table))
    }

    fn layouts(&self, definitions: &Definitions<'_>, tables: &[usize]) -> Result<Vec<Layouts>, PackError> {
        let mut materializer = Materializer::new(definitions);
        let with_symbols = tables.iter().any(|table| self.tables.get(*table).is_some_and(|table| table.id.is_some()));
        let symbols = if with_symbols { self.symbols.unpack()? } else { Vec::new() };
        let mut layouts = Vec::with_capacity(tables.len());
        for &table in tables {
            let info = self.tables.get(table).ok_or(PackError::NoSuchTable(table))?;
            let (structs, enums) = materializer.types_of(table)?;
            let symbols =
                if info.id.is_some() { symbols::of_table(&symbols, self.tables.len(), table)? } else { Vec::new() };
            let completeness = match info.source {
                Source::Isf => Completeness::Whole,
                Source::Vergilius => Completeness::SomeStructures,
                Source::Ntdiff => Completeness::SomeFields,
            };
            let table = Layouts::new(Some(info.version), info.id, structs, enums, symbols);
            layouts.push(table.with_completeness(completeness));
        }
        Ok(layouts)
    }
}

impl TableInfo {
    fn read(from: &mut Cursor<'_>) -> Result<Self, PackError> {
        let source = match from.number()? {
            0 => Source::Isf,
            1 => Source::Vergilius,
            2 => Source::Ntdiff,
            _ => return Err(PackError::Invalid("source")),
        };
        let version = Version {
            major: from.small("version")?,
            minor: from.small("version")?,
            build: from.small("version")?,
            revision: from.small::<u32>("version")?.checked_sub(1),
        };
        let id = match from.small::<u32>("age")?.checked_sub(1) {
            Some(age) => Some(PdbId { guid: u128::from_be_bytes(from.array()?), age }),
            None => None,
        };
        Ok(Self { version, id, source })
    }
}

/// How a block is packed.
#[derive(Clone, Copy, Debug)]
enum Packing {
    Stored,
    Deflate,
    Lz4,
}

/// Compressed bytes.
#[derive(Clone, Copy, Debug)]
struct Block<'a> {
    packing: Packing,
    raw_len: usize,
    packed: &'a [u8],
}

impl<'a> Block<'a> {
    fn read(from: &mut Cursor<'a>) -> Result<Self, PackError> {
        let packing = match from.number()? {
            0 => Packing::Stored,
            1 => Packing::Deflate,
            2 => Packing::Lz4,
            _ => return Err(PackError::Invalid("packing")),
        };
        let raw_len = from.small("length")?;
        if raw_len > MAX_BLOCK {
            return Err(PackError::TooLarge("blocks"));
        }
        let len = from.small("length")?;
        Ok(Self { packing, raw_len, packed: from.take(len)? })
    }

    fn unpack(&self) -> Result<Vec<u8>, PackError> {
        let mut raw = filled(0_u8, self.raw_len);
        let len = match self.packing {
            Packing::Stored if self.packed.len() == raw.len() => {
                raw.copy_from_slice(self.packed);
                Some(raw.len())
            }
            Packing::Stored => None,
            Packing::Deflate => {
                decompress_slice_iter_to_slice(&mut raw, core::iter::once(self.packed), false, true).ok()
            }
            Packing::Lz4 => lz4_flex::block::decompress_into(self.packed, &mut raw).ok(),
        };
        if len == Some(self.raw_len) { Ok(raw) } else { Err(PackError::Compression) }
    }
}
