//! `dlls`: the images that the loaders of processes know.

use super::subject::{self, PID};
use super::value::Code;
use super::{Asked, Cell, Column, Kind, TableDef, inside, screen};
use crate::absent::Absent;
use crate::nt::loader::LoadedImage;
use crate::nt::process::Process;
use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::Deref;

/// An image of a process.
#[derive(Debug)]
pub struct DllRow {
    process: Arc<Process>,
    image: LoadedImage,
    in_vads: Result<bool, Absent>,
}

impl Deref for DllRow {
    type Target = LoadedImage;

    fn deref(&self) -> &LoadedImage {
        &self.image
    }
}

/// The table.
pub const DLLS: Asked<DllRow> = Asked {
    table: TableDef {
        name: "dlls",
        about: "the images that the loaders of processes know, by lists in the processes' own memory, which these can change",
        columns: COLUMNS,
        screen: &[
            screen("PID", "pid"),
            screen("Process", "process"),
            screen("Base", "base"),
            screen("Size", "size"),
            screen("Name", "name"),
            screen("Loaded", "load_time"),
            screen("Wow64", "wow64"),
            screen("Lists", "sources"),
            screen("Vad", "in_vads"),
            screen("Path", "path"),
        ],
        record: false,
    },
    parameters: &[PID, subject::all("Also the images of processes that are not in the active list")],
    rows: |dump, arguments| {
        let mut rows = Vec::new();
        let incomplete = inside::each(dump, arguments, &mut rows, |process, inside, rows| {
            rows.extend(inside.loader.images.into_iter().map(|image| {
                let in_vads = image.base().and_then(|base| inside.areas.image_at(base));
                DllRow { process: process.clone(), image, in_vads }
            }));
        })?;
        Ok((rows, incomplete))
    },
    remarks: |rows| {
        let outside: Vec<&DllRow> = rows.iter().filter(|row| row.in_vads == Ok(false)).collect();
        let Some(first) = outside.first() else { return Vec::new() };
        let pid = first.process.pid().map_or_else(|why| format!("({why})"), |pid| format!("{pid}"));
        let name = first.name().ok().flatten().unwrap_or_default();
        Vec::from([format!(
            "{} of {} entries of loader lists name a base at which no image is mapped; the first is {name} of process {pid}",
            outside.len(),
            rows.len(),
        )])
    },
};

/// Short for a column.
const fn column(name: &'static str, kind: Kind, about: &'static str, get: fn(&DllRow) -> Cell) -> Column<DllRow> {
    Column::new(name, kind, about, get)
}

const COLUMNS: &[Column<DllRow>] = &[
    column("pid", Kind::Uint, "process id", |d| d.process.pid().into()),
    column("process", Kind::Text, "ImageFileName of the process", |d| d.process.name().into()),
    column("base", Kind::Address, "where it is loaded", |d| d.base().into()),
    column("size", Kind::Uint, "bytes it takes", |d| d.size().into()),
    column("name", Kind::Text, "BaseDllName", |d| d.name().into()),
    column("path", Kind::Text, "FullDllName", |d| d.path().into()),
    column("entry", Kind::Address, "entry point, 0 for an image without one", |d| d.entry().into()),
    column("load_time", Kind::Time, "when it was loaded", |d| d.load_time().into()),
    column("load_count", Kind::Uint, "how often; all bits set for one that stays until the process ends", |d| {
        d.load_count().into()
    }),
    column("load_reason", Kind::Text, "why, since Windows 8", |d| d.load_reason().into()),
    column("flags", Kind::List, "what is set in Flags", |d| d.flag_names().into()),
    column("flags_raw", Kind::Code, "Flags", |d| d.flags().map(|flags| Code(flags.into())).into()),
    column("wow64", Kind::Bool, "of the 32-bit loader of the process", |d| d.wow64().into()),
    column("sources", Kind::List, "the orders in whose lists it is: of load, memory, init(ialization)", |d| {
        d.lists().names().into()
    }),
    column("in_vads", Kind::Bool, "an image is mapped at its base, by the kernel's tree of areas", |d| {
        d.in_vads.into()
    }),
];
