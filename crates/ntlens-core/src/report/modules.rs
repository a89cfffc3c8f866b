//! `modules`: the loaded kernel modules.

use super::{Asked, Column, Kind, TableDef, screen};
use crate::nt::module::Module;
use alloc::vec::Vec;

/// The table.
pub const MODULES: Asked<Module> = Asked {
    table: TableDef {
        name: "modules",
        about: "the kernel modules that were loaded",
        columns: &[
            Column::new("base", Kind::Address, "where it is loaded", |m| m.base.into()),
            Column::new("size", Kind::Uint, "bytes it takes", |m| m.size.into()),
            Column::new("name", Kind::Text, "BaseDllName", |m| m.name.clone().into()),
            Column::new("path", Kind::Text, "FullDllName", |m| m.path.clone().into()),
            Column::new("entry", Kind::Address, "its entry point", |m| m.entry.into()),
            Column::new("timestamp", Kind::Uint, "TimeDateStamp of the image header", |m| m.timestamp.into()),
            Column::new("checksum", Kind::Uint, "CheckSum of the image header", |m| m.checksum.into()),
        ],
        screen: &[
            screen("Base", "base").key(),
            screen("Size", "size"),
            screen("Name", "name").key(),
            screen("Path", "path"),
        ],
        record: false,
    },
    parameters: &[],
    rows: |dump, _| {
        let found = dump.modules()?;
        Ok((found.modules, found.incomplete))
    },
    remarks: |_| Vec::new(),
};
