//! Files of symbols, told apart by their content.
//!
//! A PDB or an ISF table, as it is or packed by xz, gzip or as a cabinet. A file's name says nothing here, and what a
//! packed file claims to hold is not believed: each kind has a most that is unpacked.

use crate::error::Fault;
use crate::pdb::superblock::{MAGIC, OLD_MAGIC};
use crate::unpack::{Packing, unpack};
use crate::{SymbolError, SymbolTable, isf, pdb};
use alloc::string::String;
use alloc::vec::Vec;
use ntlens_core::layout::PdbId;
use std::fs::File;
use std::io::{BufReader, Cursor, Read, Seek};
use std::path::Path;

/// The most bytes that are read of a PDB. Those of kernels have some ten million.
pub const MAX_PDB: u64 = 1 << 30;

/// The most bytes that are read of an ISF table.
pub const MAX_ISF: u64 = 1 << 29;

/// Bytes that tell what a file is.
const HEAD: usize = 64;

/// Which image symbols belong to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// What ties them to the image.
    pub id: PdbId,
    /// The file name of the PDB that they are from, if the file tells. It may be a lie: never use it as a path unchecked.
    pub pdb_name: Option<String>,
}

/// Reads a PDB or an ISF table, packed or not.
pub fn read(path: &Path) -> Result<SymbolTable, SymbolError> {
    let file = open(path).map_err(|fault| fault.in_file(path))?;
    read_from(path, BufReader::new(file))
}

/// Reads a PDB or an ISF table, packed or not, that is in memory. `name` is for errors.
pub fn read_bytes(name: &Path, bytes: &[u8]) -> Result<SymbolTable, SymbolError> {
    read_from(name, Cursor::new(bytes))
}

/// Reads only which image the symbols of a file belong to: of a PDB a few blocks, of a table what comes before and in its
/// metadata.
pub fn identify(path: &Path) -> Result<Identity, SymbolError> {
    let file = open(path).map_err(|fault| fault.in_file(path))?;
    identify_from(path, BufReader::new(file))
}

fn read_from(name: &Path, mut source: impl Read + Seek + Send) -> Result<SymbolTable, SymbolError> {
    match content(&mut source).map_err(|fault| fault.in_file(name))? {
        Content::Pdb => pdb::read(name, source),
        Content::Isf => {
            let bytes = whole(source, MAX_ISF).map_err(|fault| fault.in_file(name))?;
            isf::read(name, &bytes)
        }
        Content::Packed(packing) => {
            let (bytes, kind) = unpacked(packing, source).map_err(|fault| fault.in_file(name))?;
            match kind {
                Unpacked::Pdb => pdb::read(name, Cursor::new(bytes)),
                Unpacked::Isf => isf::read(name, &bytes),
            }
        }
    }
}

fn identify_from(name: &Path, mut source: impl Read + Seek + Send) -> Result<Identity, SymbolError> {
    let of_pdb = |id| Identity { id, pdb_name: None };
    match content(&mut source).map_err(|fault| fault.in_file(name))? {
        Content::Pdb => pdb::identify(name, source).map(of_pdb),
        Content::Isf => isf::identify(name, BufReader::new(source.take(MAX_ISF))),
        Content::Packed(packing) => {
            let identity = |reader: &mut dyn Read, limit: u64| {
                let (head, kind) = unpacked_head(reader)?;
                match kind {
                    // Its streams may be in any order.
                    Unpacked::Pdb => {
                        let bytes = whole(head.chain(reader), limit.min(MAX_PDB))?;
                        Ok(pdb::identify(name, Cursor::new(bytes)).map(of_pdb))
                    }
                    Unpacked::Isf => {
                        Ok(isf::identify(name, BufReader::new(head.chain(reader).take(limit.min(MAX_ISF)))))
                    }
                }
            };
            unpack(packing, source, identity).map_err(|fault| fault.in_file(name))?
        }
    }
}

/// Opens a regular file. A pipe or a device would make its opener wait, or never end.
fn open(path: &Path) -> Result<File, Fault> {
    if !std::fs::metadata(path)?.is_file() {
        return Err(Fault::NotAFile);
    }
    Ok(File::open(path)?)
}

/// What a file holds.
enum Content {
    Pdb,
    Isf,
    Packed(Packing),
}

/// What is in a packed file.
enum Unpacked {
    Pdb,
    Isf,
}

/// Tells a file by its first bytes, and goes back to its start.
fn content(source: &mut (impl Read + Seek)) -> Result<Content, Fault> {
    let head = head(source)?;
    let length = source.seek(std::io::SeekFrom::End(0))?;
    source.rewind()?;
    let (content, limit) = match Packing::of(&head) {
        Some(packing) => (Content::Packed(packing), MAX_PDB),
        None => match plain(&head)? {
            Unpacked::Pdb => (Content::Pdb, MAX_PDB),
            Unpacked::Isf => (Content::Isf, MAX_ISF),
        },
    };
    if length > limit { Err(Fault::TooLarge(limit)) } else { Ok(content) }
}

fn plain(head: &[u8]) -> Result<Unpacked, Fault> {
    if head.starts_with(MAGIC) {
        return Ok(Unpacked::Pdb);
    }
    if head.starts_with(OLD_MAGIC) {
        return Err(Fault::OldPdb);
    }
    if head.trim_ascii_start().starts_with(b"{") { Ok(Unpacked::Isf) } else { Err(Fault::NotSymbols) }
}

fn head(source: &mut (impl Read + ?Sized)) -> Result<Vec<u8>, Fault> {
    let mut head = Vec::new();
    source.take(HEAD as u64).read_to_end(&mut head)?;
    Ok(head)
}

fn unpacked_head(reader: &mut dyn Read) -> Result<(Cursor<Vec<u8>>, Unpacked), Fault> {
    let head = head(reader)?;
    let kind = plain(&head)?;
    Ok((Cursor::new(head), kind))
}

/// All bytes of a packed file.
fn unpacked(packing: Packing, source: impl Read + Seek) -> Result<(Vec<u8>, Unpacked), Fault> {
    unpack(packing, source, |reader, limit| {
        let (head, kind) = unpacked_head(reader)?;
        let most = match kind {
            Unpacked::Pdb => MAX_PDB,
            Unpacked::Isf => MAX_ISF,
        };
        Ok((whole(head.chain(reader), limit.min(most))?, kind))
    })
}

/// All bytes of a source, which may have no more than the limit.
fn whole(source: impl Read, limit: u64) -> Result<Vec<u8>, Fault> {
    let mut bytes = Vec::new();
    source.take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit { Err(Fault::TooLarge(limit)) } else { Ok(bytes) }
}

#[cfg(test)]
mod tests;
