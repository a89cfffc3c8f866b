//! `translation`: where a virtual address lies in physical memory, as `translate` shows it.

use super::memory::{Of, space};
use super::{Column, Kind, Table, TableDef, screen};
use crate::absent::Absent;
use crate::address::{PhysAddr, VirtAddr};
use crate::error::Error;
use crate::incomplete::Incomplete;
use crate::memory::Translation;
use crate::nt::space::Space;
use crate::opened::OpenDump;
use alloc::vec::Vec;

/// An address and what became of it.
#[derive(Clone, Copy, Debug)]
pub struct Translated {
    address: VirtAddr,
    root: Result<PhysAddr, Absent>,
    found: Result<Translation, Absent>,
    file_offset: Result<u64, Absent>,
}

impl Translated {
    fn with<T>(&self, get: impl FnOnce(Translation) -> T) -> Result<T, Absent> {
        self.found.map(get)
    }
}

/// The table.
pub const TRANSLATION: TableDef<Translated> = TableDef {
    name: "translation",
    about: "where a virtual address lies in physical memory and in the file",
    columns: &[
        Column::new("address", Kind::Address, "the virtual address", |t: &Translated| t.address.into()),
        Column::new("root", Kind::Address, "root of the page tables (physical)", |t| t.root.into()),
        Column::new("physical", Kind::Address, "the physical address", |t| t.with(|found| found.at).into()),
        Column::new("page_size", Kind::Uint, "bytes of the page", |t| t.with(|found| found.page.bytes()).into()),
        Column::new("residence", Kind::Text, "mapped, transition or prototype", |t| {
            t.with(|found| found.residence.name()).into()
        }),
        Column::new("writable", Kind::Bool, "the page tables allow writes", |t| {
            t.with(|found| found.rights.write).into()
        }),
        Column::new("user", Kind::Bool, "the page tables allow user mode", |t| {
            t.with(|found| found.rights.user).into()
        }),
        Column::new("executable", Kind::Bool, "the page tables allow code", |t| {
            t.with(|found| found.rights.execute).into()
        }),
        Column::new("file_offset", Kind::Address, "where the byte is in the file", |t| {
            t.file_offset.map(VirtAddr).into()
        }),
    ],
    screen: &[
        screen("Address", "address"),
        screen("Root", "root"),
        screen("Physical", "physical"),
        screen("Page size", "page_size"),
        screen("Residence", "residence"),
        screen("Writable", "writable"),
        screen("User", "user"),
        screen("Executable", "executable"),
        screen("File offset", "file_offset"),
    ],
    record: true,
};

/// Translates an address.
pub fn translate(dump: &OpenDump, of: Of, at: VirtAddr) -> Result<Table, Error> {
    let row = match space(dump, of)? {
        Space::Paged(space) => {
            let found = space.translate(at);
            let file_offset = found.and_then(|found| space.physical().file_offset(found.at));
            Translated { address: at, root: Ok(space.root()), found, file_offset }
        }
        // Triage dumps have no page tables: the file is all there is.
        Space::Blocks(space) => {
            let file_offset = space.file_offset(at).map(|(offset, _)| offset);
            let none = Absent::NotApplicable;
            Translated { address: at, root: Err(none), found: Err(none), file_offset }
        }
    };
    let why = row.file_offset.err().or(row.found.err().filter(|why| *why != Absent::NotApplicable));
    let incomplete: Vec<_> = why.into_iter().map(|why| Incomplete::new("translation", at, why)).collect();
    Ok(TRANSLATION.fill(&[row], incomplete))
}
