//! `crossings`: who holds what across a border that should hold.

use super::handles;
use super::subject::{self, PID};
use super::{Asked, Cell, Column, Form, Kind, Parameter, TableDef, screen};
use crate::error::Error;
use crate::nt::crossing::{Border, Crossing, Wanted};
use crate::nt::integrity::Integrity;
use alloc::format;
use alloc::string::ToString;
use alloc::vec::Vec;

/// The borders that can be asked for, by their names.
const BORDERS: &[&str] =
    &[Border::Session.name(), Border::Silo.name(), Border::Integrity.name(), Border::Shared.name()];

/// The table.
pub const CROSSINGS: Asked<Crossing> = Asked {
    table: TableDef {
        name: "crossings",
        about: "who holds what across the borders of sessions, containers and integrity, one row for each border",
        columns: &[
            column("object", Kind::Address, "the object", |c| c.holding.handle.target.object.into()),
            column("type", Kind::Text, "the object's type", |c| handles::object_type(&c.holding.handle)),
            column("path", Kind::Text, "the object's full name", |c| handles::name(&c.holding.handle)),
            column("object_session_id", Kind::Uint, "session whose namespace the object is in", |c| {
                c.holding.object_session_id.into()
            }),
            column("holder_pid", Kind::Uint, "process id of the holder", |c| c.holding.handle.holder.pid.into()),
            column("holder", Kind::Text, "ImageFileName of the holder", |c| {
                c.holding.handle.holder.name.clone().into()
            }),
            column("holder_session_id", Kind::Uint, "session of the holder", |c| c.holder.session_id.into()),
            column("handle", Kind::Uint, "the handle: four times its index, also for System", |c| {
                c.holding.handle.handle.into()
            }),
            column("granted_access", Kind::Code, "rights, the low 25 bits of an access mask", |c| {
                handles::granted(&c.holding.handle)
            }),
            column("access", Kind::List, "the rights by name, for the object's type", |c| {
                handles::rights(&c.holding.handle)
            }),
            column("border", Kind::Text, "session, silo, integrity or shared", |c| c.border.name().into()),
            column("relation", Kind::Text, "how the border is crossed", |c| c.relation.into()),
            column("creator_flag", Kind::Bool, "the holder's CrossSessionCreate bit", |c| {
                c.holding.handle.holder.cross_session_create.into()
            }),
            column("object_silo", Kind::Address, "job of the server silo whose namespace the object is in", |c| {
                c.holding.object_silo.into()
            }),
            column("holder_silo", Kind::Address, "job of the server silo that the holder runs in", |c| {
                c.holder.silo.into()
            }),
            column("holder_integrity", Kind::Text, "integrity level of the holder's primary token", |c| {
                c.holder.integrity.map(|level| level.map(text)).into()
            }),
            column(
                "owner_integrity",
                Kind::Text,
                "level of the process, thread or token, or of the highest holder",
                |c| c.owner_integrity.map(text).into(),
            ),
        ],
        screen: &[
            screen("Border", "border").key(),
            screen("PID", "holder_pid").key(),
            screen("Holder", "holder").key(),
            screen("Session", "holder_session_id").main(),
            screen("Relation", "relation").main(),
            screen("Handle", "handle"),
            screen("Type", "type").main(),
            screen("Access", "granted_access"),
            screen("Level", "holder_integrity"),
            screen("Owner", "owner_integrity"),
            screen("XSess", "creator_flag"),
            screen("Path", "path").key(),
        ],
        record: false,
    },
    parameters: &[
        Parameter { name: "border", form: Form::Choice(BORDERS), needed: false, about: "Only this border" },
        PID,
        subject::all("Also what processes hold that are not in the active list"),
    ],
    rows: |dump, arguments| {
        let border = match arguments.text("border") {
            None => None,
            Some(name) => Some(border(name)?),
        };
        let of = subject::of(arguments, &dump.processes()?.processes)?;
        let found = dump.crossings(Wanted { border, of })?;
        Ok((found.crossings, found.incomplete))
    },
    remarks,
};

/// Short for a column.
const fn column(name: &'static str, kind: Kind, about: &'static str, get: fn(&Crossing) -> Cell) -> Column<Crossing> {
    Column::new(name, kind, about, get)
}

fn text(level: Integrity) -> alloc::string::String {
    level.to_string()
}

/// The border of a name.
fn border(name: &str) -> Result<Border, Error> {
    let found = Border::ALL.into_iter().find(|border| border.name() == name);
    let advice = "there are session, silo, integrity and shared";
    found.ok_or_else(|| Error::Unsupported { what: format!("no border {name:?}"), advice })
}

/// How many rows each border has: most of a machine's are innocent, and the few that are not drown.
fn remarks(rows: &[Crossing]) -> Vec<alloc::string::String> {
    let count = |border: Border| rows.iter().filter(|row| row.border == border).count();
    let counts = Border::ALL.map(|border| format!("{} {}", count(border), border.name()));
    if rows.is_empty() { Vec::new() } else { Vec::from([counts.join(", ")]) }
}
