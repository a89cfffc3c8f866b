//! `unloaded`: the kernel modules that were unloaded.

use super::{Asked, Column, Kind, TableDef, screen};
use crate::nt::unloaded::Unloaded;
use alloc::vec::Vec;

/// The table.
pub const UNLOADED: Asked<Unloaded> = Asked {
    table: TableDef {
        name: "unloaded",
        about: "the last kernel modules that were unloaded, the oldest first",
        columns: &[
            Column::new("name", Kind::Text, "name, cut at its length", |m| m.name.clone().into()),
            Column::new("start", Kind::Address, "where it was loaded", |m| m.start.into()),
            Column::new("end", Kind::Address, "where it ended", |m| m.end.into()),
            Column::new("unload_time", Kind::Time, "when it was unloaded", |m| m.unload_time.into()),
        ],
        screen: &[
            screen("Name", "name"),
            screen("Start", "start"),
            screen("End", "end"),
            screen("Unloaded", "unload_time"),
        ],
        record: false,
    },
    parameters: &[],
    rows: |dump, _| dump.unloaded(),
    remarks: |_| Vec::new(),
};
