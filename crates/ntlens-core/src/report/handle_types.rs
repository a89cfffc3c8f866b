//! `handle-types`: how many handles of which type processes hold.

use super::handles::{self, WHOSE};
use super::{Asked, Cell, Column, Kind, TableDef, screen};
use crate::absent::Absent;
use crate::address::VirtAddr;
use crate::nt::handle::Holder;
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// The handles of one type that one process holds.
#[derive(Debug)]
pub struct TypeRow {
    holder: Arc<Holder>,
    object_type: Result<Arc<str>, Absent>,
    count: u64,
}

/// The table.
pub const HANDLE_TYPES: Asked<TypeRow> = Asked {
    table: TableDef {
        name: "handle-types",
        about: "how many handles of which type the processes in the active list hold",
        columns: &[
            column("pid", Kind::Uint, "process id of the holder", |t| t.holder.pid.into()),
            column("process", Kind::Text, "ImageFileName of the holder", |t| t.holder.name.clone().into()),
            column("type", Kind::Text, "the type of the objects", |t| {
                t.object_type.as_deref().map_err(|why| *why).into()
            }),
            column("handles", Kind::Uint, "how many handles", |t| t.count.into()),
        ],
        screen: &[
            screen("PID", "pid").key(),
            screen("Process", "process").key(),
            screen("Type", "type").key(),
            screen("Handles", "handles").key(),
        ],
        record: false,
    },
    parameters: WHOSE,
    rows: |dump, arguments| {
        let found = handles::of(dump, arguments)?;
        let mut rows: Vec<TypeRow> = Vec::new();
        let mut places: BTreeMap<(VirtAddr, Result<Arc<str>, &str>), usize> = BTreeMap::new();
        for handle in found.handles {
            let object_type = handle.target.object_type.clone();
            let key = (handle.holder.eprocess, object_type.clone().map_err(Absent::reason));
            let place = *places.entry(key).or_insert(rows.len());
            match rows.get_mut(place) {
                Some(row) => row.count += 1,
                None => rows.push(TypeRow { holder: handle.holder, object_type, count: 1 }),
            }
        }
        Ok((rows, found.incomplete))
    },
    remarks: |_| Vec::new(),
};

/// Short for a column.
const fn column(name: &'static str, kind: Kind, about: &'static str, get: fn(&TypeRow) -> Cell) -> Column<TypeRow> {
    Column::new(name, kind, about, get)
}
