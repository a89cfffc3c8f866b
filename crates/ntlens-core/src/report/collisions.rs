//! `collisions`: names that stand for two objects, one of them global.

use super::{Asked, Cell, Column, Kind, TableDef, Text, screen};
use crate::nt::collision::{Collision, Side};
use crate::nt::handle::Holder;
use alloc::format;
use alloc::string::ToString;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// The table.
pub const COLLISIONS: Asked<Collision> = Asked {
    table: TableDef {
        name: "collisions",
        about: "names that stand in the global namespace and in a session's or a container's, with who holds either object",
        columns: &[
            column("name", Kind::Text, "the name below BaseNamedObjects", |c| c.name.clone().into()),
            column("border", Kind::Text, "session or silo: which namespaces meet", |c| c.border.into()),
            column("global_path", Kind::Text, "full name of the global object", |c| path(&c.global)),
            column("global_object", Kind::Address, "the global object", |c| c.global.object.object.into()),
            column("global_type", Kind::Text, "its type", |c| object_type(&c.global)),
            column("global_holders", Kind::List, "who has handles to it", |c| holders(&c.global)),
            column("global_integrity", Kind::Text, "highest integrity level of these", |c| integrity(&c.global)),
            column("global_creator_pid", Kind::Uint, "who created it, if the object tells", |c| {
                c.global.creator_pid.into()
            }),
            column("other_path", Kind::Text, "full name of the session's or container's object", |c| path(&c.other)),
            column("other_object", Kind::Address, "that object", |c| c.other.object.object.into()),
            column("other_type", Kind::Text, "its type", |c| object_type(&c.other)),
            column("other_session_id", Kind::Uint, "session whose namespace it is in", |c| {
                c.other.object.session_id.into()
            }),
            column("other_silo", Kind::Address, "job of the server silo whose namespace it is in", |c| {
                c.other.object.silo.into()
            }),
            column("other_holders", Kind::List, "who has handles to it", |c| holders(&c.other)),
            column("other_integrity", Kind::Text, "highest integrity level of these", |c| integrity(&c.other)),
            column("other_creator_pid", Kind::Uint, "who created it, if the object tells", |c| {
                c.other.creator_pid.into()
            }),
            column(
                "lower",
                Kind::Bool,
                "whether its holders are all trusted less than one of the global object's",
                |c| c.is_lower().into(),
            ),
        ],
        screen: &[
            screen("Name", "name").key(),
            screen("Border", "border").main(),
            screen("Type", "global_type"),
            screen("Global holders", "global_holders").key(),
            screen("Level", "global_integrity"),
            screen("Other type", "other_type"),
            screen("Session", "other_session_id").main(),
            screen("Other holders", "other_holders").key(),
            screen("Other level", "other_integrity"),
            screen("Lower", "lower"),
        ],
        record: false,
    },
    parameters: &[],
    rows: |dump, _| {
        let found = dump.collisions()?;
        Ok((found.collisions, found.incomplete))
    },
    remarks: |_| Vec::new(),
};

/// Short for a column.
const fn column(name: &'static str, kind: Kind, about: &'static str, get: fn(&Collision) -> Cell) -> Column<Collision> {
    Column::new(name, kind, about, get)
}

fn path(side: &Side) -> Cell {
    side.object.path.clone().into()
}

fn object_type(side: &Side) -> Cell {
    side.object.object_type.clone().into()
}

fn integrity(side: &Side) -> Cell {
    side.integrity.map(|level| level.to_string()).into()
}

/// The holders as `PID name`.
fn holders(side: &Side) -> Cell {
    let pid = |holder: &Arc<Holder>| holder.pid.map_or_else(|why| format!("({why})"), |pid| pid.to_string());
    let name = |holder: &Arc<Holder>| holder.name.as_deref().unwrap_or("?").to_string();
    side.holders.iter().map(|holder| Text::from(format!("{} {}", pid(holder), name(holder)))).collect::<Vec<_>>().into()
}
