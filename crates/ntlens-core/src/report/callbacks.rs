//! `callbacks`: functions that drivers have the kernel call.

use super::value::Code;
use super::{Asked, Cell, Column, Kind, TableDef, screen};
use crate::absent::Absent;
use crate::nt::callback::{Callback, ObjectCallback, operation_names};
use crate::nt::owner::Owners;
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::ops::Deref;

/// A function and whose it is.
#[derive(Debug)]
pub struct CallbackRow {
    callback: Callback,
    module: Result<Option<String>, Absent>,
    symbol: Result<Option<String>, Absent>,
}

impl Deref for CallbackRow {
    type Target = Callback;

    fn deref(&self) -> &Callback {
        &self.callback
    }
}

impl CallbackRow {
    /// Something that only functions for objects have.
    fn object<T: Into<Cell>>(&self, get: impl FnOnce(&ObjectCallback) -> T) -> Cell {
        self.object.as_ref().map_or(Cell::Null, |object| get(object).into())
    }
}

/// The table.
pub const CALLBACKS: Asked<CallbackRow> = Asked {
    table: TableDef {
        name: "callbacks",
        about: "the functions that drivers have the kernel call: for processes, threads, images, the registry and objects",
        columns: COLUMNS,
        screen: &[
            screen("Kind", "kind").key(),
            screen("Address", "address").main(),
            screen("Module", "module").key(),
            screen("Symbol", "symbol").key(),
            screen("Slot", "slot"),
            screen("Context", "context"),
            screen("Type", "object_type"),
            screen("Operations", "operations"),
            screen("Altitude", "altitude"),
        ],
        record: false,
    },
    parameters: &[],
    rows: |dump, _| {
        let found = dump.callbacks()?;
        let owners = Owners::of(dump.kernel()?);
        let row = |callback: Callback| CallbackRow {
            module: owners.name(callback.address),
            symbol: owners.symbol(callback.address),
            callback,
        };
        let rows = found.callbacks.into_iter().map(row).collect();
        Ok((rows, [owners.missing(), &found.incomplete].concat()))
    },
    remarks: |rows| {
        let outside = rows.iter().filter(|row| row.module == Ok(None));
        let mut remarks: Vec<String> = outside
            .map(|row| format!("{} callback {} lies in no loaded module", row.kind.name(), row.address))
            .collect();
        let objects = rows.iter().filter_map(|row| Some((row, row.object.as_ref()?)));
        let off = objects.clone().filter(|(_, object)| object.enabled == Ok(false));
        remarks.extend(off.map(|(row, _)| format!("{} callback {} is switched off", row.kind.name(), row.address)));
        let unsupported: BTreeSet<_> = objects
            .filter(|(_, object)| object.supported == Ok(false))
            .map(|(_, object)| format!("the type {} has callbacks but is set not to call any", object.object_type))
            .collect();
        remarks.extend(unsupported);
        remarks
    },
};

/// Short for a column.
const fn column(
    name: &'static str,
    kind: Kind,
    about: &'static str,
    get: fn(&CallbackRow) -> Cell,
) -> Column<CallbackRow> {
    Column::new(name, kind, about, get)
}

const COLUMNS: &[Column<CallbackRow>] = &[
    column("kind", Kind::Text, "process, thread, image, registry, object-pre or object-post: when it is called", |c| {
        c.kind.name().into()
    }),
    column("address", Kind::Address, "where the function is", |c| c.address.into()),
    column("module", Kind::Text, "the module around it, null if none is", |c| c.module.clone().into()),
    column("symbol", Kind::Text, "the symbol that begins there", |c| c.symbol.clone().into()),
    column("slot", Kind::Uint, "slot of the kernel's array", |c| c.slot.into()),
    column("entry", Kind::Address, "the block or list entry that holds it", |c| c.entry.into()),
    column(
        "context",
        Kind::Code,
        "what is passed to it; of processes, threads and images flags of the registration",
        |c| c.context.map(Code).into(),
    ),
    column("altitude", Kind::Text, "its place among others", |c| c.altitude.clone().into()),
    column("cookie", Kind::Code, "number by which a registry callback is taken back", |c| {
        c.cookie.map(|cookie| cookie.map(Code)).transpose().into()
    }),
    column("object_type", Kind::Text, "type of the objects", |c| c.object(|object| String::from(&*object.object_type))),
    column("operations", Kind::List, "create, duplicate: which handles are meant", |c| {
        c.object(|object| object.operations.map(operation_names))
    }),
    column("operations_raw", Kind::Uint, "Operations", |c| c.object(|object| object.operations)),
    column("enabled", Kind::Bool, "the entry is on", |c| c.object(|object| object.enabled)),
    column("supported", Kind::Bool, "objects of the type call such functions (SupportsObjectCallbacks)", |c| {
        c.object(|object| object.supported)
    }),
];
