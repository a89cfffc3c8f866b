//! `handles`: what processes hold, with which rights.

use super::subject::{self, PID};
use super::value::Code;
use super::{Arguments, Asked, Cell, Column, Kind, Parameter, TableDef, screen};
use crate::error::Error;
use crate::nt::handle::{Handle, Handles};
use crate::opened::OpenDump;
use alloc::vec::Vec;

/// The table.
pub const HANDLES: Asked<Handle> = Asked {
    table: TableDef {
        name: "handles",
        about: "the handles of the processes in the active list, with what they lead to and the rights they give",
        columns: &[
            column("pid", Kind::Uint, "process id of the holder", |h| h.holder.pid.into()),
            column("process", Kind::Text, "ImageFileName of the holder", |h| h.holder.name.clone().into()),
            column("handle", Kind::Uint, "the handle: four times its index, also for System", |h| h.handle.into()),
            column("object", Kind::Address, "the object", |h| h.target.object.into()),
            column("type", Kind::Text, "the object's type", object_type),
            column("name", Kind::Text, "the object's full name", name),
            column("granted_access", Kind::Code, "rights, the low 25 bits of an access mask", granted),
            column("access", Kind::List, "the rights by name, for the object's type", rights),
            column("attributes", Kind::List, "inherit, protect (from close), audit", attributes),
            column("section_file", Kind::Text, "the file that a section maps, whatever its name", |h| {
                h.target.section_file.clone().into()
            }),
        ],
        screen: &[
            screen("PID", "pid").key(),
            screen("Process", "process").key(),
            screen("Handle", "handle").key(),
            screen("Type", "type").key(),
            screen("Access", "granted_access").main(),
            screen("Attributes", "attributes"),
            screen("Name", "name").key(),
            screen("Rights", "access").wide(),
            screen("Object", "object").wide(),
        ],
        record: false,
    },
    parameters: WHOSE,
    rows: |dump, arguments| {
        let found = of(dump, arguments)?;
        Ok((found.handles, found.incomplete))
    },
    remarks: |_| Vec::new(),
};

/// Whose handles are meant.
pub(super) const WHOSE: &[Parameter] =
    &[PID, subject::all("Also the handles of processes that are not in the active list")];

/// The handles that the arguments mean.
pub(super) fn of(dump: &OpenDump, arguments: &Arguments) -> Result<Handles, Error> {
    dump.handles(subject::of(arguments, &dump.processes()?.processes)?)
}

/// Short for a column.
const fn column(name: &'static str, kind: Kind, about: &'static str, get: fn(&Handle) -> Cell) -> Column<Handle> {
    Column::new(name, kind, about, get)
}

/// The name of the object's type.
pub(super) fn object_type(handle: &Handle) -> Cell {
    handle.target.object_type.clone().into()
}

/// The object's full name.
pub(super) fn name(handle: &Handle) -> Cell {
    handle.target.name.clone().into()
}

/// The rights as a number.
pub(super) fn granted(handle: &Handle) -> Cell {
    handle.granted_access.map(|access| Code(access.into())).into()
}

/// The rights by name.
pub(super) fn rights(handle: &Handle) -> Cell {
    handle.access().into()
}

/// How the handle behaves.
pub(super) fn attributes(handle: &Handle) -> Cell {
    handle.attributes.map(crate::nt::handle_table::Attributes::names).into()
}
