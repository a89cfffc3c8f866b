//! `objects`: the namespace of objects.

use super::{Asked, Cell, Column, Form, Kind, Parameter, TableDef, screen};
use crate::nt::namespace::NamedObject;
use alloc::vec::Vec;

/// The table.
pub const OBJECTS: Asked<NamedObject> = Asked {
    table: TableDef {
        name: "objects",
        about: "the objects that have a place in the namespace, each once; symbolic links are not followed",
        columns: &[
            column("path", Kind::Text, "full name", |o| (&*o.path).into()),
            column("name", Kind::Text, "last part of the path", |o| o.name.clone().into()),
            column("type", Kind::Text, "type", |o| o.object_type.as_deref().map_err(|why| *why).into()),
            column("object", Kind::Address, "the object", |o| o.object.into()),
            column("session_id", Kind::Uint, "session whose namespace it is in", |o| o.session_id.into()),
            column("silo", Kind::Address, "job of the server silo whose namespace it is in", |o| o.silo.into()),
            column("handle_count", Kind::Uint, "handles to it, as its header counts them", |o| o.handle_count.into()),
            column("pointer_count", Kind::Uint, "references to it; handles hold many in advance", |o| {
                o.pointer_count.into()
            }),
            column("link_target", Kind::Text, "what a symbolic link stands for", |o| o.link_target.clone().into()),
            column("resolved", Kind::Text, "where a link leads in the end, in its own session and silo", |o| {
                o.resolved.clone().into()
            }),
        ],
        screen: &[
            screen("Path", "path").key(),
            screen("Type", "type").key(),
            screen("Session", "session_id").key(),
            screen("Silo", "silo"),
            screen("Handles", "handle_count"),
            screen("Target", "link_target"),
            screen("Leads to", "resolved"),
        ],
        record: false,
    },
    parameters: &[Parameter {
        name: "path",
        form: Form::Position("PATH"),
        needed: false,
        about: "Only this object and what is below it, such as \\BaseNamedObjects",
    }],
    rows: |dump, arguments| {
        let mut found = dump.namespace()?;
        if let Some(path) = arguments.text("path") {
            found.objects.retain(|object| is_at_or_below(&object.path, path));
        }
        Ok((found.objects, found.incomplete))
    },
    remarks: |_| Vec::new(),
};

/// Short for a column.
const fn column(
    name: &'static str,
    kind: Kind,
    about: &'static str,
    get: fn(&NamedObject) -> Cell,
) -> Column<NamedObject> {
    Column::new(name, kind, about, get)
}

/// Whether a path is another one or lies below it. Most directories do not regard the case of letters.
fn is_at_or_below(path: &str, above: &str) -> bool {
    let above = above.trim_end_matches('\\').to_lowercase();
    let path = path.to_lowercase();
    path.strip_prefix(&above).is_some_and(|rest| rest.is_empty() || rest.starts_with('\\'))
}

#[cfg(test)]
mod tests {
    use super::is_at_or_below;

    #[test]
    fn a_path_holds_itself_and_what_is_below_it() {
        for (path, above, expected) in [
            ("\\", "\\", true),
            ("\\Device\\Null", "\\", true),
            ("\\Device\\Null", "\\device", true),
            ("\\Device", "\\Device\\", true),
            ("\\DeviceX", "\\Device", false),
            ("\\Device", "\\Device\\Null", false),
        ] {
            assert_eq!(is_at_or_below(path, above), expected, "{path} {above}");
        }
    }
}
