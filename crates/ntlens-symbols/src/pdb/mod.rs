//! PDB files: what Microsoft's and LLVM's linkers write beside an image.
//!
//! The `pdb` crate reads the container and the records of symbols. It is named nowhere else.

mod addresses;
mod records;
pub(crate) mod superblock;
#[cfg(test)]
mod tests;
mod types;

use crate::error::Fault;
use crate::sound::{self, X64};
use crate::{SymbolError, SymbolTable};
use addresses::AddressMap;
use alloc::boxed::Box;
use alloc::format;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt;
use core::ops::Deref;
use ntlens_core::address::Rva;
use ntlens_core::layout::{Layouts, Name, PdbId};
use pdb::{FallibleIterator, PDB, StreamIndex, SymbolData};
use records::Cursor;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

/// Streams that have the same number in every file.
const TYPES: u16 = 2;
const DEBUG: u16 = 3;

/// A public symbol, the only kind of symbol that Microsoft gives out for its kernels.
const S_PUB32: u16 = 0x110e;

/// Reads the types and public symbols of a PDB. `name` is for errors.
pub fn read(name: &Path, source: impl Read + Seek + Send) -> Result<SymbolTable, SymbolError> {
    Streams::open(source).and_then(Streams::table).map_err(|fault| fault.in_file(name))
}

/// Reads only which image a PDB belongs to. `name` is for errors.
pub fn identify(name: &Path, source: impl Read + Seek + Send) -> Result<PdbId, SymbolError> {
    Streams::open(source).and_then(Streams::identity).map_err(|fault| fault.in_file(name))
}

/// A source that the `pdb` crate may ask for anything: a file has no stream that is longer than itself.
struct Bounded<R> {
    source: R,
    length: u64,
}

impl<R> fmt::Debug for Bounded<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bounded").field("length", &self.length).finish_non_exhaustive()
    }
}

#[derive(Debug)]
struct View(Vec<u8>);

impl pdb::SourceView<'_> for View {
    fn as_slice(&self) -> &[u8] {
        &self.0
    }
}

impl<'s, R: Read + Seek> pdb::Source<'s> for Bounded<R> {
    fn view(&mut self, slices: &[pdb::SourceSlice]) -> io::Result<Box<dyn pdb::SourceView<'s> + Send + Sync>> {
        let length = slices.iter().fold(0, |sum: usize, slice| sum.saturating_add(slice.size));
        if u64::try_from(length).is_ok_and(|length| length > self.length) {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a stream is longer than the file"));
        }
        let mut bytes = vec![0; length];
        let mut rest = &mut bytes[..];
        for slice in slices {
            let (part, after) = core::mem::take(&mut rest).split_at_mut(slice.size);
            self.source.seek(SeekFrom::Start(slice.offset))?;
            self.source.read_exact(part)?;
            rest = after;
        }
        Ok(Box::new(View(bytes)))
    }
}

/// An open PDB.
struct Streams<'s, R>(PDB<'s, Bounded<R>>);

/// What the header of the debug stream says.
#[derive(Debug)]
struct Debug {
    age: u32,
    /// As in the headers of images; 0 if it is not told.
    machine: u16,
    omap_from_source: Option<u16>,
    sections: Option<u16>,
    /// The sections before parts were moved.
    original_sections: Option<u16>,
}

impl<'s, R: Read + Seek + Send + 's> Streams<'s, R> {
    fn open(mut source: R) -> Result<Self, Fault> {
        let length = source.seek(SeekFrom::End(0))?;
        source.seek(SeekFrom::Start(0))?;
        let mut header = [0; superblock::SIZE];
        source.read_exact(&mut header).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => Fault::malformed("superblock", format!("{} bytes", superblock::SIZE)),
            _ => error.into(),
        })?;
        superblock::check(&header, length)?;
        PDB::open(Bounded { source, length }).map(Self).map_err(|error| fault("superblock", error))
    }

    fn identity(mut self) -> Result<PdbId, Fault> {
        Ok(self.headers()?.0)
    }

    /// Which image the file belongs to, and the debug stream's header if there is one.
    fn headers(&mut self) -> Result<(PdbId, Option<Debug>), Fault> {
        let info = self.0.pdb_information().map_err(|error| fault("PDB information stream", error))?;
        let debug = match self.stream(DEBUG, "debug stream")? {
            Some(stream) if !stream.is_empty() => Some(Debug::read(&stream)?),
            _ => None,
        };
        // Tools that change a PDB raise its own age; the image was linked with the other.
        let age = debug.as_ref().map(|debug| debug.age).filter(|age| *age != 0).unwrap_or(info.age);
        Ok((PdbId { guid: info.guid.as_u128(), age }, debug))
    }

    fn table(mut self) -> Result<SymbolTable, Fault> {
        let (id, debug) = self.headers()?;
        let types = self.stream(TYPES, "type stream")?;
        let listed = types::read(types.as_deref().unwrap_or_default())?;
        let (structs, enums) = listed.assemble()?;
        let symbols = debug.map(|debug| self.symbols(&debug)).transpose()?.unwrap_or_default();
        let layouts = Layouts::new(None, Some(id), structs, enums, symbols);
        sound::check(&layouts)?;
        Ok(SymbolTable { id, pdb_name: None, layouts })
    }

    fn stream(&mut self, number: u16, name: &str) -> Result<Option<impl Deref<Target = [u8]> + use<'s, R>>, Fault> {
        match self.0.raw_stream(StreamIndex(number)) {
            Err(pdb::Error::StreamNotFound(_)) => Ok(None),
            stream => stream.map_err(|error| fault(name, error)),
        }
    }

    /// Public symbols under the names that the linker knows; one that is nowhere in the image is left out.
    fn symbols(&mut self, debug: &Debug) -> Result<Vec<(Name, Rva)>, Fault> {
        let mut stream = |number: Option<u16>, name| match number {
            Some(number) => self.stream(number, name),
            None => Ok(None),
        };
        let sections = stream(debug.sections, "section stream")?;
        let original = stream(debug.original_sections, "section stream before OMAP")?;
        let moved = stream(debug.omap_from_source, "OMAP stream")?;
        let map = match (original, moved) {
            (Some(original), Some(moved)) => AddressMap::new(&original, Some(&moved))?,
            (Some(_), None) => return Err(Fault::malformed("OMAP stream", "one, since sections were moved")),
            (None, _) => AddressMap::new(sections.as_deref().unwrap_or_default(), None)?,
        };
        let failed = |error| fault("symbol stream", error);
        let table = match self.0.global_symbols() {
            Err(pdb::Error::GlobalSymbolsNotFound | pdb::Error::StreamNotFound(_)) => return Ok(Vec::new()),
            table => table.map_err(failed)?,
        };
        let mut symbols = Vec::new();
        let mut records = table.iter();
        while let Some(record) = records.next().map_err(failed)? {
            if record.raw_kind() != S_PUB32 {
                continue;
            }
            let SymbolData::Public(symbol) = record.parse().map_err(failed)? else { continue };
            if let Some(rva) = map.rva(symbol.offset.section, symbol.offset.offset) {
                symbols.push((Name::from(symbol.name.to_string()), rva));
            }
        }
        Ok(symbols)
    }
}

impl Debug {
    fn read(stream: &[u8]) -> Result<Self, Fault> {
        let debug = Self::decode(stream);
        let debug = debug.ok_or_else(|| Fault::malformed("debug stream", "a header that fits the stream"))?;
        match debug.machine {
            0 | X64 => Ok(debug),
            other => Err(Fault::malformed("debug stream", format!("the machine {X64:#x} (x64), not {other:#x}"))),
        }
    }

    fn decode(stream: &[u8]) -> Option<Self> {
        let mut header = Cursor(stream);
        let (_signature, _version, age) = (header.u32()?, header.u32()?, header.u32()?);
        // Streams and versions of no use here.
        header.take(12)?;
        let (modules, contributions, map, sources, servers) =
            (header.u32()?, header.u32()?, header.u32()?, header.u32()?, header.u32()?);
        let (_server, streams, names) = (header.u32()?, header.u32()?, header.u32()?);
        let (_flags, machine, _reserved) = (header.u16()?, header.u16()?, header.u32()?);
        for part in [modules, contributions, map, sources, servers, names] {
            header.take(part.try_into().ok()?)?;
        }
        // Numbers of further streams; the list may end early, and an entry may be empty.
        let streams = header.take(streams.try_into().ok()?)?;
        let stream = |place: usize| {
            let number = Cursor(streams.get(2 * place..)?).u16()?;
            Some(number).filter(|number| *number != u16::MAX)
        };
        Some(Self { age, machine, omap_from_source: stream(4), sections: stream(5), original_sections: stream(10) })
    }
}

fn fault(place: &str, error: pdb::Error) -> Fault {
    match error {
        pdb::Error::IoError(error)
            if !matches!(error.kind(), io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData) =>
        {
            error.into()
        }
        error => Fault::malformed(place, format!("one that can be read ({error})")),
    }
}
