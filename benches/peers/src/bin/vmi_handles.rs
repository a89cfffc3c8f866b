//! `vmi-handles DUMP PROFILE [-v]`: the handles of all processes of a dump with vmi - type, name and granted access.

use std::error::Error;
use vmi::os::VmiOsProcess as _;

fn main() -> Result<(), Box<dyn Error>> {
    ntlens_peers::run(
        |process, handles| {
            let Some(table) = process.handle_table()? else { return Ok(()) };
            let id = process.id()?;
            for entry in table.iter()? {
                let (handle, entry) = entry?;
                // What it cannot read of one handle is no reason to lose the others.
                let Ok(Some(object)) = entry.object() else { continue };
                let name = object.full_path().unwrap_or_default();
                handles.push((id, handle, object.type_name().unwrap_or_default(), entry.granted_access()?, name));
            }
            Ok(())
        },
        |out, (id, handle, kind, access, name)| {
            writeln!(out, "{id} {handle:#x} {kind} {access:#x} {}", name.as_deref().unwrap_or_default())
        },
    )
}
