//! `vads`: the areas of user memory of processes.

use super::subject::{self, PID};
use super::value::Code;
use super::{Asked, Cell, Column, Kind, TableDef, inside, screen};
use crate::absent::Absent;
use crate::nt::object_name::Names;
use crate::nt::page_protection::PageProtection;
use crate::nt::process::Process;
use crate::nt::snapshot::Snapshot;
use crate::nt::vad::{Area, AreaKind};
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::Deref;

/// An area of a process.
#[derive(Debug)]
pub struct VadRow {
    snapshot: Snapshot,
    process: Arc<Process>,
    area: Area,
    file: Result<Option<Arc<str>>, Absent>,
    /// Null where the question makes no sense.
    in_loader: Option<Result<bool, Absent>>,
}

impl Deref for VadRow {
    type Target = Area;

    fn deref(&self) -> &Area {
        &self.area
    }
}

/// The table.
pub const VADS: Asked<VadRow> = Asked {
    table: TableDef {
        name: "vads",
        about: "the areas of user memory of processes, what is mapped there, and how it is protected",
        columns: COLUMNS,
        screen: &[
            screen("PID", "pid"),
            screen("Process", "process"),
            screen("Start", "start"),
            screen("End", "end"),
            screen("Type", "type"),
            screen("Protection", "protection"),
            screen("Commit", "commit"),
            screen("Loader", "in_loader"),
            screen("File", "file"),
        ],
        record: false,
    },
    parameters: &[PID, subject::all("Also the areas of processes that are not in the active list")],
    rows: |dump, arguments| {
        let kernel = dump.kernel()?;
        let mut rows = Vec::new();
        let mut files = Files { names: Names::new(kernel, &[]), snapshot: kernel, known: BTreeMap::new() };
        let incomplete = inside::each(dump, arguments, &mut rows, |process, inside, rows| {
            let inside::Inside { areas, loader } = inside;
            let bases = inside::bases(&loader);
            rows.extend(areas.0.areas.into_iter().map(|area| VadRow {
                snapshot: kernel.clone(),
                process: process.clone(),
                file: files.of(&area),
                in_loader: (area.kind == Ok(AreaKind::Image)).then(|| bases.has(area.start)),
                area,
            }));
        })?;
        Ok((rows, incomplete))
    },
    remarks: |rows| {
        let images = rows.iter().filter(|row| matches!(row.in_loader, Some(Ok(_)))).count();
        let outside: Vec<&VadRow> = rows.iter().filter(|row| row.in_loader == Some(Ok(false))).collect();
        let Some(first) = outside.first() else { return Vec::new() };
        let pid = first.process.pid().map_or_else(|why| format!("({why})"), |pid| format!("{pid}"));
        Vec::from([format!(
            "{} of {images} mapped images are in no loader list, as those are that were opened only to be read; \
             the first lies at {} in process {pid}",
            outside.len(),
            first.start,
        )])
    },
};

/// Names of mapped files: an image that many processes map is looked up once.
struct Files<'s> {
    names: Names<'s>,
    snapshot: &'s Snapshot,
    known: BTreeMap<u64, Result<Option<Arc<str>>, Absent>>,
}

impl Files<'_> {
    /// The file that an area maps; `None` for memory without one.
    fn of(&mut self, area: &Area) -> Result<Option<Arc<str>>, Absent> {
        let subsection = match area.subsection {
            Err(Absent::NotApplicable) => return Ok(None),
            other => other?,
        };
        if let Some(known) = self.known.get(&subsection.0) {
            return known.clone();
        }
        let name = area.control_area(self.snapshot).and_then(|area| self.names.control_area(area));
        self.known.insert(subsection.0, name.clone());
        name
    }
}

/// Short for a column.
const fn column(name: &'static str, kind: Kind, about: &'static str, get: fn(&VadRow) -> Cell) -> Column<VadRow> {
    Column::new(name, kind, about, get)
}

const COLUMNS: &[Column<VadRow>] = &[
    column("pid", Kind::Uint, "process id", |v| v.process.pid().into()),
    column("process", Kind::Text, "ImageFileName of the process", |v| v.process.name().into()),
    column("vad", Kind::Address, "the node in the tree of areas", |v| v.at.into()),
    column("start", Kind::Address, "first byte", |v| v.start.into()),
    column("end", Kind::Address, "last byte", |v| v.end.into()),
    column("size", Kind::Uint, "bytes", |v| v.size().into()),
    column("type", Kind::Text, "private, mapped, image and others, by VadType", |v| v.kind.map(AreaKind::name).into()),
    column("protection", Kind::Text, "PAGE_* constants of the whole area, from when it was made", |v| {
        v.protection.map(PageProtection::name).into()
    }),
    column("protection_raw", Kind::Uint, "the same as five bits", |v| v.protection.map(|bits| bits.0).into()),
    column("commit", Kind::Uint, "pages that the process is charged for", |v| v.commit.into()),
    column("private", Kind::Bool, "memory of the process alone", |v| v.private.into()),
    column("file", Kind::Text, "the mapped file", |v| {
        v.file.clone().map(|file| file.as_deref().map(Cell::from)).into()
    }),
    column("in_loader", Kind::Bool, "for an image: a loader list of the process has an entry with this base", |v| {
        v.in_loader.into()
    }),
    column("flags", Kind::List, "further flags of the node", |v| v.flag_names(&v.snapshot).into()),
    column("flags_raw", Kind::Code, "the node's word of flags", |v| v.flags.map(Code).into()),
];
