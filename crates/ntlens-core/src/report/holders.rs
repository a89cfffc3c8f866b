//! `holders`: who holds an object, with which rights.

use super::handles;
use super::{Asked, Cell, Column, Form, Kind, Parameter, TableDef, screen};
use crate::address::VirtAddr;
use crate::nt::holder::Holding;
use alloc::vec::Vec;

/// The table.
pub const HOLDERS: Asked<Holding> = Asked {
    table: TableDef {
        name: "holders",
        about: "who holds an object, over all processes that any source knows",
        columns: &[
            column("object", Kind::Address, "the object", |h| h.handle.target.object.into()),
            column("type", Kind::Text, "the object's type", |h| handles::object_type(&h.handle)),
            column("path", Kind::Text, "the object's full name", |h| handles::name(&h.handle)),
            column("object_session_id", Kind::Uint, "session whose namespace the object is in", |h| {
                h.object_session_id.into()
            }),
            column("object_silo", Kind::Address, "job of the server silo whose namespace the object is in", |h| {
                h.object_silo.into()
            }),
            column("holder_pid", Kind::Uint, "process id of the holder", |h| h.handle.holder.pid.into()),
            column("holder", Kind::Text, "ImageFileName of the holder", |h| h.handle.holder.name.clone().into()),
            column("holder_session_id", Kind::Uint, "session of the holder", |h| h.handle.holder.session_id.into()),
            column("handle", Kind::Uint, "the handle: four times its index, also for System", |h| {
                h.handle.handle.into()
            }),
            column("granted_access", Kind::Code, "rights, the low 25 bits of an access mask", |h| {
                handles::granted(&h.handle)
            }),
            column("access", Kind::List, "the rights by name, for the object's type", |h| handles::rights(&h.handle)),
            column("attributes", Kind::List, "inherit, protect (from close), audit", |h| {
                handles::attributes(&h.handle)
            }),
        ],
        screen: &[
            screen("Object", "object"),
            screen("Type", "type").key(),
            screen("PID", "holder_pid").key(),
            screen("Holder", "holder").key(),
            screen("Session", "holder_session_id"),
            screen("Handle", "handle"),
            screen("Access", "access").key(),
            screen("Path", "path").key(),
        ],
        record: false,
    },
    parameters: &[
        Parameter {
            name: "object",
            form: Form::Position("PATH|0xADDRESS"),
            needed: true,
            about: "The object's full name or its address",
        },
        Parameter { name: "type", form: Form::Text("TYPE"), needed: true, about: "All objects of this type" },
    ],
    rows: |dump, arguments| {
        let mut found = dump.holders()?;
        let incomplete = core::mem::take(&mut found.incomplete);
        let object = arguments.text("object").map(Object::parse);
        let object_type = arguments.text("type");
        let fits = |holding: &Holding| {
            let target = &holding.handle.target;
            let of_type =
                |wanted: &str| target.object_type.as_ref().is_ok_and(|name| name.eq_ignore_ascii_case(wanted));
            object.as_ref().is_none_or(|object| object.is(holding)) && object_type.is_none_or(of_type)
        };
        Ok((found.into_holdings().filter(fits).collect(), incomplete))
    },
    remarks: |_| Vec::new(),
};

/// Short for a column.
const fn column(name: &'static str, kind: Kind, about: &'static str, get: fn(&Holding) -> Cell) -> Column<Holding> {
    Column::new(name, kind, about, get)
}

/// The object that is meant.
enum Object<'a> {
    At(VirtAddr),
    Named(&'a str),
}

impl<'a> Object<'a> {
    /// An address begins with `0x`, as no name of the kernel's does.
    fn parse(text: &'a str) -> Self {
        let digits = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"));
        let address = digits.and_then(|digits| u64::from_str_radix(&digits.replace(['`', '_'], ""), 16).ok());
        address.map_or(Self::Named(text), |at| Self::At(VirtAddr(at)))
    }

    fn is(&self, holding: &Holding) -> bool {
        let target = &holding.handle.target;
        match self {
            Self::At(at) => target.object == Ok(*at),
            // Most directories do not regard the case of letters.
            Self::Named(path) => {
                let name = target.name.as_ref().ok().and_then(Option::as_deref);
                name.is_some_and(|name| name == *path || name.to_lowercase() == path.to_lowercase())
            }
        }
    }
}
