//! `memory`: bytes of the dump, as `read` shows them.

use super::subject::Subject;
use super::{Column, Kind, Table, TableDef, screen};
use crate::absent::Absent;
use crate::address::{PAGE_SIZE, PhysAddr, VirtAddr};
use crate::error::Error;
use crate::incomplete::Incomplete;
use crate::memory::VirtualMemory;
use crate::memory::spans::spans;
use crate::nt::space::Space;
use crate::opened::OpenDump;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

/// Which memory an address means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Of {
    /// Physical memory.
    Physical,
    /// The kernel's address space.
    Kernel,
    /// The address space of the process with this id.
    Process(u64),
}

/// Some bytes, or why they are missing.
#[derive(Clone, Debug)]
pub struct Piece {
    at: u64,
    len: usize,
    bytes: Result<Vec<u8>, Absent>,
}

/// The table.
pub const MEMORY: TableDef<Piece> = TableDef {
    name: "memory",
    about: "bytes of physical or virtual memory, sixteen a row",
    columns: &[
        Column::new("address", Kind::Address, "address of the first byte", |p: &Piece| VirtAddr(p.at).into()),
        Column::new("length", Kind::Uint, "how many bytes", |p| (p.len as u64).into()),
        Column::new("bytes", Kind::Text, "the bytes in hex", |p| {
            p.bytes.as_deref().map(hex).map_err(|why| *why).into()
        }),
        Column::new("text", Kind::Text, "the bytes as ASCII", |p| {
            p.bytes.as_deref().map(ascii).map_err(|why| *why).into()
        }),
    ],
    screen: &[screen("Address", "address"), screen("Bytes", "bytes"), screen("Text", "text")],
    record: false,
};

/// Bytes of a row.
const ROW: usize = 16;

/// Reads `len` bytes into rows; a missing page is one row that says why.
pub fn read(dump: &OpenDump, of: Of, at: u64, len: u64) -> Result<Table, Error> {
    let mut pieces = Vec::new();
    let mut incomplete = Vec::new();
    let len = usize::try_from(len).unwrap_or(usize::MAX);
    let memory = Memory::of(dump, of)?;
    for page in spans(at, len) {
        let mut bytes = alloc::vec![0; page.bytes.len()];
        if let Err(why) = memory.read_in_page(page.start, &mut bytes) {
            incomplete.push(Incomplete::new("page", VirtAddr(page.start & !(PAGE_SIZE - 1)), why));
            pieces.push(Piece { at: page.start, len: bytes.len(), bytes: Err(why) });
        } else {
            let skipped = usize::try_from(page.start % ROW as u64).unwrap_or(0);
            let first = (ROW - skipped).min(bytes.len());
            let (head, rest) = bytes.split_at(first);
            let rows = core::iter::once(head).chain(rest.chunks(ROW)).filter(|row| !row.is_empty());
            let mut at = page.start;
            for row in rows {
                pieces.push(Piece { at, len: row.len(), bytes: Ok(row.into()) });
                at = at.wrapping_add(row.len() as u64);
            }
        }
    }
    incomplete.extend(dump.changed());
    Ok(MEMORY.fill(&pieces, incomplete))
}

/// The bytes up to the first that is missing, and why that one is.
pub fn bytes(dump: &OpenDump, of: Of, at: u64, len: usize) -> Result<(Vec<u8>, Option<Absent>), Error> {
    let memory = Memory::of(dump, of)?;
    // The length is whatever somebody wished for: room is made as bytes are found.
    let mut found = Vec::new();
    for page in spans(at, len) {
        let done = found.len();
        found.resize(done + page.bytes.len(), 0);
        if let Err(why) = memory.read_in_page(page.start, found.get_mut(done..).unwrap_or_default()) {
            found.truncate(done);
            return Ok((found, Some(why)));
        }
    }
    Ok((found, None))
}

/// Memory of one kind.
enum Memory<'a> {
    Physical(&'a crate::memory::PhysicalImage),
    Virtual(Space),
}

impl<'a> Memory<'a> {
    fn of(dump: &'a OpenDump, of: Of) -> Result<Self, Error> {
        match of {
            Of::Physical => Ok(Self::Physical(dump.dump().physical()?)),
            Of::Kernel | Of::Process(_) => Ok(Self::Virtual(space(dump, of)?)),
        }
    }

    fn read_in_page(&self, at: u64, out: &mut [u8]) -> Result<(), Absent> {
        match self {
            Self::Physical(image) => image.read_in_frame(PhysAddr(at), out),
            Self::Virtual(space) => space.read_in_page(VirtAddr(at), out),
        }
    }
}

/// The address space of the kernel or of a process.
pub fn space(dump: &OpenDump, of: Of) -> Result<Space, Error> {
    let kernel = dump.kernel()?;
    let Of::Process(pid) = of else { return Ok(kernel.space().clone()) };
    let subject = Subject::Pid(pid);
    let found = kernel.processes().processes.into_iter().find(|process| subject.is(process));
    let process = found.ok_or_else(|| Error::NotFound { what: subject.to_string() })?;
    process.space().map_err(|why| Error::Missing { what: "the address space of the process", why })
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |value: u8| DIGITS.get(usize::from(value & 0xf)).map_or('0', |digit| char::from(*digit));
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(*byte)]).collect()
}

fn ascii(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| if byte.is_ascii_graphic() || *byte == b' ' { char::from(*byte) } else { '.' }).collect()
}
