//! `vmi-handles DUMP PROFILE [-v]`: lists the handles of all processes of a dump with vmi - type, name and granted access -
//! and prints how many there are, with `-v` each of them too. `vmi-profile` makes the profile.

use isr_cache::Entry;
use std::error::Error;
use vmi::arch::amd64::Amd64;
use vmi::driver::kdmp::VmiKdmpDriver;
use vmi::os::VmiOsProcess as _;
use vmi::os::windows::WindowsOs;
use vmi::{VcpuId, VmiCore, VmiSession};

type Driver = VmiKdmpDriver<Amd64>;

/// More processes than any dump here has: vmi's list does not end if the kernel's is a loop beside its head.
const MANY: usize = 1 << 16;

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<_> = std::env::args().skip(1).collect();
    let [dump, profile, rest @ ..] = args.as_slice() else {
        return Err("usage: vmi-handles DUMP PROFILE [-v]".into());
    };
    let core = VmiCore::new(Driver::new(dump)?)?;
    let registers = core.registers(VcpuId(0))?;
    let kernel = WindowsOs::find_kernel(&core, &registers)?.ok_or("vmi found no kernel")?;
    let entry = Entry::new(profile.into())?;
    let profile = entry.profile()?;
    let os = WindowsOs::<Driver>::with_kernel_base(&profile, kernel.base_address)?;
    let session = VmiSession::new(&core, &os);
    let vmi = session.with_registers(&registers);
    let mut handles = Vec::new();
    for process in vmi.os().processes()?.take(MANY) {
        let process = process?;
        let Some(table) = process.handle_table()? else { continue };
        let id = process.id()?;
        for entry in table.iter()? {
            let (handle, entry) = entry?;
            // What it cannot read of one handle is no reason to lose the others.
            let Ok(Some(object)) = entry.object() else { continue };
            let name = object.full_path().unwrap_or_default();
            handles.push((id, handle, object.type_name().unwrap_or_default(), entry.granted_access()?, name));
        }
    }
    if rest.iter().any(|option| option == "-v") {
        for (id, handle, kind, access, name) in &handles {
            println!("{id} {handle:#x} {kind} {access:#x} {}", name.as_deref().unwrap_or_default());
        }
    }
    println!("{}", handles.len());
    Ok(())
}
